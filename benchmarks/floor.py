"""The floor of a computation: what its kernels must at least take on this machine.

    floor = sum over its kernels of max(flops / FMA peak, bytes / copy bandwidth)

- **flops** are the multiply-adds of matrix products, two each. What else is computed (exp, division, the square root of
  Adam) is not counted: its bytes are.
- **bytes** are the arrays that a kernel reads plus those that it writes, each once, in float32. Adam reads a parameter,
  its gradient and its two averages, and writes all but the gradient: 28 bytes a parameter.
- **FMA peak** and **copy bandwidth** are those that `machine` measures, with as many threads, in the same rounds. A
  copy reads and writes, and both count. Its bandwidth is taken where a copy has as many bytes in use as the kernel has
  (its working set): the parameters of a small net stay in a cache.

Starting threads, calling kernels and Python count nothing. Kernels that were fused further than those listed here, or
that change arrays in place where a copy must fetch the lines it overwrites, could stay below.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from . import machine
from .harness import Results, Times
from .libraries import FLOOR

FLOAT, LABEL = 4, 8  # bytes of a float32 and of an int64
ADAM_BYTES = 28

_FLOP = "a multiply-add or half of one"  # what the floor's process answers beside the floors, in seconds
_BYTE = "a byte copied, bytes in use: "


class Kernel(NamedTuple):
    """What a kernel has to do."""

    flops: float
    bytes: float  # read plus written
    working_set: float  # bytes of all arrays it touches

    def seconds(self, on: machine.Machine) -> float:
        return max(self.flops / on.flops, self.bytes / on.bandwidth(self.working_set))


Floors = dict[str, list[Kernel]]  # by case


def kernel(flops: float, floats: float) -> Kernel:
    """So much arithmetic on arrays of so many numbers together, each read or written once."""
    return Kernel(flops, FLOAT * floats, FLOAT * floats)


def product(m: int, k: int, n: int, more_floats: int = 0) -> Kernel:
    """(m, k) @ (k, n), touching so many floats beside: a bias, or another array of its shape."""
    return kernel(2 * m * k * n, m * k + k * n + m * n + more_floats)


def copy(size: float) -> Kernel:
    """Moving so many bytes."""
    return Kernel(0, 2 * size, 2 * size)


def training_step(batch: int, widths: tuple[int, ...]) -> list[Kernel]:
    """A step of a network of Linear layers with ReLU between them, softmax cross-entropy and Adam.

    ``widths``: of the input, of each hidden layer, of the output. Its kernels: the products of the layers with bias and
    ReLU; the loss with its gradient; backward, from the last layer, the product for the weights with the gradient of
    the bias, and the product for the input, which reads that input to undo its ReLU; Adam over all parameters.
    """
    return [*dense(batch, widths), cross_entropy(batch, widths[-1]), adam(dense_parameters(widths))]


def dense(batch: int, widths: tuple[int, ...], of_data: bool = True) -> list[Kernel]:
    """Linear layers with ReLU between them, both passes. ``of_data``: the first layer's input wants no gradient."""
    layers = list(pairwise(widths))
    forward = [product(batch, inputs, outputs, outputs) for inputs, outputs in layers]
    for_weights = [product(outputs, batch, inputs, outputs) for inputs, outputs in layers]
    for_inputs = [product(batch, outputs, inputs, batch * inputs) for inputs, outputs in layers[of_data:]]
    return [*forward, *for_weights, *for_inputs]


def dense_parameters(widths: tuple[int, ...]) -> int:
    """How many numbers the weights and biases of Linear layers are."""
    return sum(inputs * outputs + outputs for inputs, outputs in pairwise(widths))


def cross_entropy(rows: int, classes: int) -> Kernel:
    """The loss of so many rows of scores, with its gradient."""
    touched = rows * (2 * FLOAT * classes + LABEL)
    return Kernel(0, touched, touched)


def adam(parameters: int) -> Kernel:
    """The update of so many numbers."""
    return Kernel(0, ADAM_BYTES * parameters, 4 * FLOAT * parameters)


# --- in a process of its own -------------------------------------------------------------------------------------


def prepare(floors: Floors, threads: int) -> Callable[[], Times]:
    """A function that measures the machine with so many threads and gives the floors."""
    return lambda: turn(floors, machine.measure(threads))


def turn(floors: Floors, now: machine.Machine) -> Times:
    """The floor of each case on this machine, and what was measured of it, in seconds."""
    times = {case: sum(kernel.seconds(now) for kernel in kernels) for case, kernels in floors.items()}
    times[_FLOP] = 1 / now.flops
    return {**times, **{f"{_BYTE}{size}": 1 / rate for size, rate in now.copied.items()}}


# --- in the process that asked -----------------------------------------------------------------------------------


def measured_machine(results: Results, threads: int) -> machine.Machine:
    """What the process of the floor measured, as medians over the rounds."""
    times = results[FLOOR, threads]
    copied = {int(case.removeprefix(_BYTE)): 1 / s for case, s in times.items() if case.startswith(_BYTE)}
    return machine.Machine(1 / times[_FLOP], copied)


def lines(results: Results) -> list[str]:
    """What was measured of the machine, to stand under a table: a line for each number of threads."""
    found = []
    for threads in sorted(count for label, count in results if label == FLOOR):
        now = measured_machine(results, threads)
        shown = [size for size in sorted(now.copied) if size.bit_length() % 2]  # every other one
        copies = ", ".join(f"{size_text(size)} {now.copied[size] / 1e9:.0f}" for size in shown)
        found.append(
            f"{threads} thread{'s' * (threads > 1)} of the machine: multiply-adds {now.flops / 1e9:.0f} GFLOP/s; "
            f"copying, GB/s by bytes in use: {copies}"
        )
    return found


def size_text(size: int) -> str:
    """``64 KB``, ``2 MB``."""
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size >> 10} KB"
