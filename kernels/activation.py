"""Activation functions and their derivatives, element by element, on float32 and float64 arrays of any layout.

Every function takes ``out=``, the array to write to (of the shape and dtype of the result; it may be an input), and
raises TypeError for other dtypes. A derivative takes ``g``, the gradient of the result, and what the forward kept.
"""

from . import vecmath
from ._jit import kernel
from ._layout import map_one, map_two


def step(x, *, out=None):
    """Heaviside's step: 1 where x > 0, else 0; NaN stays NaN. x: (*) -> (*)."""
    return map_one(_step, x, out)


def relu(x, *, out=None):
    """max(x, 0); NaN stays NaN. x: (*) -> (*)."""
    return map_one(_relu, x, out)


def relu_backward(g, y, *, out=None):
    """The gradient of relu: 0 where y <= 0, else g. ``y`` is the result of relu, or its input. g, y: (*) -> (*)."""
    return map_two(_relu_backward, g, y, ("g", "y"), out)


def leaky_relu(x, slope=0.01, *, out=None):
    """x where x > 0, else slope * x. x: (*) -> (*)."""
    return map_one(_leaky_relu, x, out, float(slope))


def leaky_relu_backward(g, x, slope=0.01, *, out=None):
    """The gradient of leaky_relu: g where x > 0, else slope * g. g, x: (*) -> (*)."""
    return map_two(_leaky_relu_backward, g, x, ("g", "x"), out, float(slope))


def sigmoid(x, *, out=None):
    """1 / (1 + exp(-x)). x: (*) -> (*)."""
    return map_one(_sigmoid, x, out)


def sigmoid_backward(g, y, *, out=None):
    """The gradient of sigmoid, g y (1 - y), with y = sigmoid(x). g, y: (*) -> (*)."""
    return map_two(_sigmoid_backward, g, y, ("g", "y"), out)


def tanh(x, *, out=None):
    """The hyperbolic tangent. x: (*) -> (*)."""
    return map_one(_tanh, x, out)


def tanh_backward(g, y, *, out=None):
    """The gradient of tanh, g (1 - y^2), with y = tanh(x). g, y: (*) -> (*)."""
    return map_two(_tanh_backward, g, y, ("g", "y"), out)


# ---------------------------------------------------------------------------------------------------------------
# The compiled loops, over flat arrays. Constants take the dtype of the array, or Numba would compute in float64.


@kernel
def _step(x, out):
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for i in range(x.size):
        binary = one if x[i] > zero else zero
        out[i] = binary if x[i] == x[i] else x[i]


@kernel
def _relu(x, out):
    zero = x.dtype.type(0)
    for i in range(x.size):
        out[i] = zero if x[i] <= zero else x[i]  # the comparison is false for NaN


@kernel
def _relu_backward(g, y, out):
    zero = g.dtype.type(0)
    for i in range(g.size):
        out[i] = zero if y[i] <= zero else g[i]


@kernel
def _leaky_relu(x, slope, out):
    zero, s = x.dtype.type(0), x.dtype.type(slope)
    for i in range(x.size):
        out[i] = x[i] if x[i] > zero else s * x[i]


@kernel
def _leaky_relu_backward(g, x, slope, out):
    zero, s = g.dtype.type(0), g.dtype.type(slope)
    for i in range(g.size):
        out[i] = g[i] if x[i] > zero else s * g[i]


@kernel
def _sigmoid(x, out):
    vecmath.prefer_wide_vectors()
    for i in range(x.size):
        out[i] = vecmath.sigmoid(x[i])


@kernel
def _sigmoid_backward(g, y, out):
    one = g.dtype.type(1)
    for i in range(g.size):
        out[i] = g[i] * (one - y[i]) * y[i]


@kernel
def _tanh(x, out):
    vecmath.prefer_wide_vectors()
    for i in range(x.size):
        out[i] = vecmath.tanh(x[i])


@kernel
def _tanh_backward(g, y, out):
    one = g.dtype.type(1)
    for i in range(g.size):
        out[i] = g[i] * (one - y[i] * y[i])
