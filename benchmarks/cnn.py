"""One training step of a convolutional net with Adam, on a batch of 64 random images of 28x28 and 10 classes.

LeNet-5 with ReLU and max pooling (LeCun et al., 1998), and the net of PyTorch's MNIST example, without its dropout: so
all libraries compute the same.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from . import by_hand, conv, memory, training
from .conv import Convolution
from .training import Step

TITLE = "One training step of a convolutional net with Adam, float32"
LIBRARIES = ("tinygrad_fr", "tinygrad_fr compiled", "torch", "torch fused", "torch compiled", "jax", "floor")
THREADS = (1, 2)
LR = 1e-5


class Layer(NamedTuple):
    """A convolution with ReLU, and whether max pooling over 2x2 follows."""

    convolution: Convolution
    pooled: bool


class Shape(NamedTuple):
    """Convolutional layers, and the widths of the Linear layers on what they give."""

    layers: tuple[Layer, ...]
    widths: tuple[int, ...]


LENET = Shape((Layer(conv.LENET[0], True), Layer(conv.LENET[1], True)), (400, 120, 84, 10))
CNN = Shape((Layer(conv.CNN[0], False), Layer(conv.CNN[1], True)), (9216, 128, 10))
SMALL = Shape((Layer(Convolution((2, 1, 6, 6), 3, 3, of_images=True), True),), (12, 4, 2))
NETS = {"LeNet-5, batch 64": LENET, "32-64 of 3x3, 9216-128-10, batch 64": CNN}

PACE, figures = training.PACE, training.losses
more_rows, show = memory.more_rows, memory.show


def cases(library: str) -> dict[str, Step]:
    """A step of each net."""
    return {case: step(library, shape) for case, shape in nets().items()}


def nets() -> dict[str, Shape]:
    """The net of each case."""
    return NETS


def small(shape: Shape) -> Shape:
    """A tiny net of the same kind."""
    return SMALL


def step(library: str, shape: Shape) -> Step:
    """A training step on a random batch, which is the same for every library."""
    generator = np.random.default_rng(0)
    x = generator.random(shape.layers[0].convolution.input_shape, np.float32)
    y = generator.integers(0, shape.widths[-1], len(x))
    return training.step(library, _net(shape), x, y, LR)


def _net(shape: Shape) -> training.Net:
    layers, widths = shape

    def model(torch: Any) -> Any:
        nn, found = torch.nn, []
        for each, pooled in layers:
            found += [nn.Conv2d(each.channels, each.outputs, each.kernel, **each.options), nn.ReLU()]
            found += [nn.MaxPool2d(2)] * pooled
        return nn.Sequential(*found, nn.Flatten(), *by_hand.torch_dense(torch, *widths))

    def scores(parameters: Any, x: Any) -> Any:
        import jax

        parameters = list(parameters)
        for each, pooled in layers:
            x = jax.nn.relu(conv.jax_convolution(each, x, parameters.pop(0), parameters.pop(0)))
            x = jax_max_pool(x) if pooled else x
        return by_hand.jax_dense(parameters, x.reshape(len(x), -1))

    weights = [each.convolution.weight_shape for each in layers]
    return training.Net(model, scores, by_hand.draw_parameters(weights) + by_hand.initial_parameters(*widths))


def jax_max_pool(x: Any) -> Any:
    """The largest of each 2x2.  (N, C, H, W) -> (N, C, H // 2, W // 2)."""
    from jax import lax

    return lax.reduce_window(x, -np.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


# --- the floor ---------------------------------------------------------------------------------------------------


def floors() -> Any:
    """The kernels of each case."""
    return {case: training_step(shape) for case, shape in nets().items()}


def training_step(shape: Shape) -> Any:
    """Each layer's products with bias and ReLU, and its pooling, in both passes; the Linear layers; loss; Adam."""
    from . import floor

    layers, widths = shape
    convolutions = [each.convolution for each in layers]
    batch = convolutions[0].input_shape[0]
    parameters = sum(math.prod(each.weight_shape) + each.outputs for each in convolutions)
    return [
        *(conv.forward(each) for each in convolutions),
        *(_pooling(each.convolution) for each in layers if each.pooled for _ in ("forward", "backward")),
        *floor.dense(batch, widths, of_data=False),
        floor.cross_entropy(batch, widths[-1]),
        *(kernel for each in convolutions for kernel in conv.backward(each, math.prod(each.input_shape))),
        floor.adam(parameters + floor.dense_parameters(widths)),
    ]


def _pooling(convolution: Convolution) -> Any:
    """Max pooling of the result, or its gradient: the one array is read, the other written."""
    from . import floor

    *ends, height, width = convolution.output_shape
    return floor.kernel(0, math.prod(ends) * (height * width + (height // 2) * (width // 2)))
