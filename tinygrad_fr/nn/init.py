"""Ways to fill the parameters of a layer before training: in place, outside the graph; each gives the tensor."""

import functools
import math
import statistics
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import Tensor, no_grad
from ..ops.creation import from_numpy
from ..ops.random import rand, randn, randperm

_LINEAR = (
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "sigmoid",
)


def _fills(function: Callable[..., Any]) -> Callable[..., Any]:
    """Run ``function(tensor, ...)`` outside the graph and give the tensor, whatever it returns."""

    @functools.wraps(function)
    def fill(tensor: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        with no_grad():
            function(tensor, *args, **kwargs)
        return tensor

    return fill


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights before ``nonlinearity`` are larger, to keep the variance of what passes it.

    ``param`` is the negative slope of 'leaky_relu', 0.01 unless given.
    """
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        if param is not None and (isinstance(param, bool) or not isinstance(param, (int, float))):
            raise ValueError(f"negative_slope {param} not a valid number")
        slope = 0.01 if param is None else param
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


@_fills
def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Uniform draws in [a, b)."""
    tensor.uniform_(a, b, generator=generator)


@_fills
def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Normal draws."""
    tensor.normal_(mean, std, generator=generator)


@_fills
def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Normal draws that lie in [a, b]: the inverse of the normal distribution function, of uniform draws."""
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=3,
        )
    normal = statistics.NormalDist(mean, std)
    low, high = normal.cdf(a), normal.cdf(b)
    draws = rand(tensor.numel(), generator=generator).numpy().astype(np.float64)
    inside = np.clip(low + draws * (high - low), 1e-300, 1 - 1e-16)
    values = np.fromiter(map(normal.inv_cdf, inside.tolist()), np.float64, tensor.numel())
    _write(tensor, np.clip(values, a, b).reshape(tensor.shape))


@_fills
def constant_(tensor, val):
    """The number ``val`` everywhere."""
    tensor.fill_(val)


@_fills
def ones_(tensor):
    """1 everywhere."""
    tensor.fill_(1)


@_fills
def zeros_(tensor):
    """0 everywhere."""
    tensor.fill_(0)


@_fills
def eye_(tensor):
    """1 on the diagonal, 0 elsewhere.  tensor: (N, M)."""
    _check_matrix(tensor)
    _write(tensor, np.eye(*tensor.shape))


@_fills
def dirac_(tensor, groups=1):
    """Kernels under which each channel of every group passes as it is.  tensor: (out, in, *kernel), 1 to 3 axes."""
    if tensor.ndim not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    outputs, inputs, *kernel = tensor.shape
    if outputs % groups:
        raise ValueError("dim 0 must be divisible by groups")
    each = outputs // groups
    kernels = np.zeros(tensor.shape)
    for i in range(min(each, inputs)):
        kernels[(slice(i, None, each), i, *[size // 2 for size in kernel])] = 1
    _write(tensor, kernels)


@_fills
def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Uniform draws in [-a, a) with a = gain sqrt(6 / (fan_in + fan_out)).  Source: Glorot and Bengio, 2010."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    bound = gain * math.sqrt(6.0 / (fan_in + fan_out))
    tensor.uniform_(-bound, bound, generator=generator)


@_fills
def xavier_normal_(tensor, gain=1.0, generator=None):
    """Normal draws with standard deviation gain sqrt(2 / (fan_in + fan_out)).  Source: Glorot and Bengio, 2010."""
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    tensor.normal_(0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), generator=generator)


@_fills
def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Uniform draws in [-b, b) with b = gain sqrt(3 / fan).  Source: He et al., 2015.

    ``a`` is the negative slope of a leaky ReLU behind the layer, ``mode`` 'fan_in' or 'fan_out'.
    """
    if _is_empty(tensor):
        return
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    tensor.uniform_(-bound, bound, generator=generator)


@_fills
def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Normal draws with standard deviation gain / sqrt(fan).  Source: He et al., 2015.  See `kaiming_uniform_`."""
    if _is_empty(tensor):
        return
    tensor.normal_(0.0, _kaiming_std(tensor, a, mode, nonlinearity), generator=generator)


@_fills
def orthogonal_(tensor, gain=1, generator=None):
    """Rows (or columns, the fewer) that are orthogonal and of length ``gain``; axes after the first count as one.

    Source: Saxe et al., 2013.
    """
    if tensor.ndim < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return
    rows = tensor.shape[0]
    drawn = randn(rows, tensor.numel() // rows, generator=generator, dtype=tensor.dtype).numpy()
    q, r = np.linalg.qr(drawn if drawn.shape[0] >= drawn.shape[1] else drawn.T)
    q = q * np.sign(np.diag(r))  # makes the distribution uniform (Mezzadri, 2006)
    _write(tensor, gain * (q if drawn.shape[0] >= drawn.shape[1] else q.T).reshape(tensor.shape))


@_fills
def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Normal draws of which the part ``sparsity`` of each column is 0.  tensor: (N, M).  Source: Martens, 2010."""
    _check_matrix(tensor)
    rows, columns = tensor.shape
    tensor.normal_(0.0, std, generator=generator)
    for column in range(columns):
        zeros = randperm(rows, generator=generator)[: math.ceil(sparsity * rows)]
        tensor[zeros, column] = 0


def _kaiming_std(tensor, a, mode, nonlinearity) -> float:
    fans = dict(zip(("fan_in", "fan_out"), _calculate_fan_in_and_fan_out(tensor), strict=True))
    chosen = mode.lower() if isinstance(mode, str) else mode
    if chosen not in fans:
        raise ValueError(f"Mode {mode} not supported, please use one of {list(fans)}")
    return calculate_gain(nonlinearity, a) / math.sqrt(fans[chosen])


def _calculate_fan_in_and_fan_out(tensor) -> tuple[int, int]:
    """How many numbers an output of the layer is made of, and how many outputs an input goes into.

    tensor: (out, in, *kernel).
    """
    if tensor.ndim < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    shape = tensor.shape
    kernel = math.prod(shape[2:])
    return shape[1] * kernel, shape[0] * kernel


def _is_empty(tensor) -> bool:
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=4)
        return True
    return False


def _check_matrix(tensor) -> None:
    if tensor.ndim != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, got shape {list(tensor.shape)}")


def _write(tensor, array: np.ndarray) -> None:
    tensor.copy_(from_numpy(np.ascontiguousarray(array)))
