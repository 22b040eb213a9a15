"""Single convolutions: forward, and forward with the gradients of weight, bias and, but for images, the input.

Those of LeNet-5 and of the CNN of `cnn`, with their batches, and one of each other kind. Arrays are laid out as PyTorch
has them, (N, C, *), for JAX too: with channels last it was about as fast.
"""

import math
from collections.abc import Callable
from itertools import product as every
from typing import Any, NamedTuple

import numpy as np

from . import by_hand, results
from .harness import Pace, Results
from .libraries import FLOOR
from .results import Row

TITLE = "Convolutions, forward and backward, float32"
LIBRARIES = ("tinygrad_fr", "torch", "jax", "floor")
THREADS = (1, 2)
PACE = Pace(timing=0.005, case=0.05, warm_up=0.05)
FORWARD, BACKWARD = "forward", "forward + backward"
RATE, SHARE = "flops_per_s", "share_of_peak"  # in the rows: what the time comes to, and which part of the FMA peak


class Convolution(NamedTuple):
    """A convolution of a batch, in PyTorch's terms; the numbers are the same for all axes."""

    input_shape: tuple[int, ...]  # (N, C, *sizes)
    outputs: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    transposed: bool = False
    of_images: bool = False  # the input of a net, which wants no gradient

    @property
    def axes(self) -> int:
        return len(self.input_shape) - 2

    @property
    def channels(self) -> int:
        return self.input_shape[1]

    @property
    def weight_shape(self) -> tuple[int, ...]:
        ends = (self.channels, self.outputs) if self.transposed else (self.outputs, self.channels)
        return (ends[0], ends[1] // self.groups, *(self.kernel,) * self.axes)

    @property
    def output_shape(self) -> tuple[int, ...]:
        samples, _, *sizes = self.input_shape
        return (samples, self.outputs, *map(self._length, sizes))

    def _length(self, size: int) -> int:
        if self.transposed:
            return (size - 1) * self.stride - 2 * self.padding + self.kernel
        return (size + 2 * self.padding - self.kernel) // self.stride + 1

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Of the weight, the bias, the input and the result."""
        return self.weight_shape, (self.outputs,), self.input_shape, self.output_shape

    @property
    def flops(self) -> int:
        """Two for each multiply-add of one product: forward, or for one of the gradients; with zeros around too."""
        places = self.input_shape if self.transposed else self.output_shape
        return 2 * places[0] * math.prod(places[2:]) * math.prod(self.weight_shape)

    @property
    def options(self) -> dict[str, int]:
        """The arguments of PyTorch's functions and layers that have defaults."""
        return {"stride": self.stride, "padding": self.padding, "groups": self.groups}

    @property
    def name(self) -> str:
        """``64x1x28x28 -> 6, 5x5, padding 2``."""
        found = [
            f"{'x'.join(map(str, self.input_shape))} -> {self.outputs}",
            "x".join(map(str, self.weight_shape[2:])),
            *("depthwise" if name == "groups" else f"{name} {value}" for name, value in self._unusual()),
        ]
        return ", ".join(found + ["transposed"] * self.transposed)

    def _unusual(self) -> list[tuple[str, int]]:
        defaults = self._field_defaults
        return [(name, value) for name, value in self.options.items() if value != defaults[name]]


LENET = (
    Convolution((64, 1, 28, 28), 6, 5, padding=2, of_images=True),
    Convolution((64, 6, 14, 14), 16, 5),
)
CNN = (
    Convolution((64, 1, 28, 28), 32, 3, of_images=True),
    Convolution((64, 32, 26, 26), 64, 3),
)
KINDS = (
    Convolution((16, 64, 28, 28), 64, 3, padding=1),
    Convolution((16, 64, 28, 28), 64, 3, stride=2, padding=1),
    Convolution((16, 64, 28, 28), 64, 1),
    Convolution((16, 64, 28, 28), 64, 3, padding=1, groups=64),
    Convolution((32, 64, 128), 64, 5, padding=2),
    Convolution((16, 64, 14, 14), 32, 4, stride=2, padding=1, transposed=True),
)
CONVOLUTIONS = (*LENET, *CNN, *KINDS)

Run = Callable[[], list[Any]]


def cases(library: str) -> dict[str, Run]:
    """Functions that give the result, and of both passes the gradients: of the weight, the bias, the input."""
    timed = _jax if library == "jax" else _torch_like(library)
    return {_case(each, passes): timed(each, passes == BACKWARD) for each, passes in _each()}


def figures(runs: dict[str, Run]) -> dict[str, list[float]]:
    """The norms of what they give."""
    return {case: [float(np.linalg.norm(np.asarray(each, np.float64))) for each in run()] for case, run in runs.items()}


def floors() -> Any:
    """The kernels of each case."""
    return {
        _case(each, passes): [forward(each), *(backward(each) if passes == BACKWARD else [])]
        for each, passes in _each()
    }


def _each() -> list[tuple[Convolution, str]]:
    return list(every(CONVOLUTIONS, (FORWARD, BACKWARD)))


def _case(convolution: Convolution, passes: str) -> str:
    return f"{convolution.name}; {passes}"


def arrays(convolution: Convolution) -> list[np.ndarray]:
    """Weight, bias, input, and the gradient of the result."""
    generator = np.random.default_rng(0)
    return [generator.standard_normal(shape, np.float32) for shape in convolution.shapes]


# --- the libraries -----------------------------------------------------------------------------------------------


def _torch_like(library: str) -> Callable[[Convolution, bool], Run]:
    torch = by_hand.torch_like(library)

    def timed(convolution: Convolution, with_gradients: bool) -> Run:
        name = f"conv{'_transpose' * convolution.transposed}{convolution.axes}d"
        function, options = getattr(torch.nn.functional, name), convolution.options
        weight, bias, x, g = map(torch.from_numpy, arrays(convolution))
        if not with_gradients:
            return lambda: [function(x, weight, bias, **options)]
        wanted = [weight, bias] if convolution.of_images else [weight, bias, x]
        for each in wanted:
            each.requires_grad_()

        def run() -> list[Any]:
            for each in wanted:
                each.grad = None
            y = function(x, weight, bias, **options)
            y.backward(g)
            return [y.detach(), *(each.grad for each in wanted)]

        return run

    return timed


def _jax(convolution: Convolution, with_gradients: bool) -> Run:
    import jax

    def forward(weight: Any, bias: Any, x: Any) -> list[Any]:
        return [jax_convolution(convolution, x, weight, bias)]

    def both(weight: Any, bias: Any, x: Any, g: Any) -> list[Any]:
        wanted = (weight, bias) if convolution.of_images else (weight, bias, x)
        y, pull = jax.vjp(lambda weight, bias, x=x: jax_convolution(convolution, x, weight, bias), *wanted)
        return [y, *pull(g)]

    arguments = list(map(jax.numpy.array, arrays(convolution)))
    function, arguments = (jax.jit(both), arguments) if with_gradients else (jax.jit(forward), arguments[:-1])
    return lambda: jax.block_until_ready(function(*arguments))


def jax_convolution(convolution: Convolution, x: Any, weight: Any, bias: Any) -> Any:
    """What PyTorch's function of the same kind gives, with weights in its layout."""
    from jax import lax

    axes = convolution.axes
    places = "DHW"[-axes:]
    layouts = f"NC{places}", f"OI{places}", f"NC{places}"
    strides = (convolution.stride,) * axes
    if convolution.transposed:
        around = convolution.kernel - 1 - convolution.padding
        padding = [(around, around)] * axes
        y = lax.conv_transpose(x, weight, strides, padding, dimension_numbers=layouts, transpose_kernel=True)
    else:
        padding, groups = [(convolution.padding, convolution.padding)] * axes, convolution.groups
        y = lax.conv_general_dilated(x, weight, strides, padding, dimension_numbers=layouts, feature_group_count=groups)
    return y + bias.reshape(-1, *(1,) * axes)


# --- the floor ---------------------------------------------------------------------------------------------------


def forward(convolution: Convolution, more_floats: int = 0) -> Any:
    """The kernel of the products, with the bias; it touches so many floats beside."""
    from . import floor

    return floor.kernel(convolution.flops, more_floats + sum(map(math.prod, convolution.shapes)))


def backward(convolution: Convolution, more_floats: int = 0) -> list[Any]:
    """The kernel for the weight and the bias, and unless it is of images that for the input."""
    for_weight = forward(convolution)
    return [for_weight] if convolution.of_images else [for_weight, forward(convolution, more_floats)]


# --- what is shown -----------------------------------------------------------------------------------------------


def more_rows(rows: list[Row], measured: Results) -> list[Row]:
    """No rows more, but the rate in each, and which part of the machine's FMA peak, with all its threads, it is."""
    from . import floor

    flops = {case: sum(kernel.flops for kernel in kernels) for case, kernels in floors().items()}
    machines = [floor.measured_machine(measured, count) for label, count in measured if label == FLOOR]
    peak = max((each.flops for each in machines), default=0)
    for row in rows:
        row[RATE] = flops[row["case"]] / row["median_s"]
        if peak:
            row[SHARE] = row[RATE] / peak
    return []


def show(rows: list[Row], markdown: bool) -> str:
    """The times, how far they are from the floor, and the rates."""
    ran = [row for row in rows if row["library"] != FLOOR]
    rates = results.across(ran, list(map(_rate_text, ran)))
    heading = "GFLOP/s" + ", and the share of the FMA peak" * (SHARE in ran[0]) + ":"
    return "\n\n".join([results.show(rows, markdown), heading, results.lay_out(rates, markdown)])


def _rate_text(row: Row) -> str:
    return f"{row[RATE] / 1e9:.1f}" + (f" ({100 * row[SHARE]:.0f}%)" if SHARE in row else "")
