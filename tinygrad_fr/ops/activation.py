"""Activation functions, on kernels of one pass forward and one back."""

import math

import numpy as np

from .. import kernels as k
from ..autograd.binding import public
from ..autograd.dispatch import apply, op, unary
from ..autograd.inplace import write
from .checks import check_kind
from .exponential import exp
from .powers import square
from .shape import canonical_dim
from .special import erf

_SQRT_HALF = math.sqrt(0.5)
_NORMAL_DENSITY_AT_0 = 1 / math.sqrt(2 * math.pi)
_TWICE_ROOT_TWO_OVER_PI = 2 * math.sqrt(2 / math.pi)
_GELU_CUBIC = 0.044715


@public
@unary(launches=True, scalar="vecmath.sigmoid({x})")
def sigmoid(x, *, out=None):
    """1 / (1 + exp(-input)).  (*) -> (*)."""
    return k.activation.sigmoid(x, out=out)


@sigmoid.vjp()
def _(g, result):
    return g * (result * (1 - result))


@sigmoid.backward(scalar="elementwise.sigmoid_backward({g}, {result})")
def _(g, result, out=None):
    return k.activation.sigmoid_backward(g, result, out=out)


@public
@unary(launches=True, scalar="vecmath.tanh({x})")
def tanh(x, *, out=None):
    """The hyperbolic tangent.  (*) -> (*)."""
    return k.activation.tanh(x, out=out)


@tanh.vjp()
def _(g, result):
    return g * (1 - result * result)


@tanh.backward(scalar="elementwise.tanh_backward({g}, {result})")
def _(g, result, out=None):
    return k.activation.tanh_backward(g, result, out=out)


@public
@unary("arithmetic", launches=True, scalar="elementwise.relu({x})")
def relu(x, *, out=None):
    """max(input, 0); the derivative at 0 is 0.  (*) -> (*)."""
    if x.dtype.kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")
    if x.dtype.kind == "f":
        return k.activation.relu(x, out=out)
    k._launch.not_in_a_program("NumPy computes relu of integers")
    return np.maximum(x, 0, out=out)


@relu.vjp()
def _(g, result):
    return g * step(result)


@relu.backward(scalar="elementwise.relu_backward({g}, {result})")
def _(g, result, out=None):
    return k.activation.relu_backward(g, result, out=out)


@unary(launches=True, scalar="elementwise.step({x})")
def step(x, *, out=None):
    """Heaviside's step, 1 where input > 0, else 0; its derivative is 0.  (*) -> (*)."""
    return k.activation.step(x, out=out)


@step.vjp(on_arrays=True)
def _(g):
    return g * 0


def activated(function, input, inplace=False, **params):
    """The op ``function`` of the input, or written over it."""
    return write(function.op, input, (), params) if inplace else apply(function.op, (input,), params)


@op(kind="float", launches=True)
def _leaky_relu(x, *, slope, out=None):
    """x where x > 0, else slope * x."""
    return k.activation.leaky_relu(x, slope, out=out)


@_leaky_relu.vjp()
def _(g, x, slope):
    above = step(x)
    return g * (above + slope * (1 - above))


@_leaky_relu.backward
def _(g, x, slope, out=None):
    return k.activation.leaky_relu_backward(g, x, slope, out=out)


@public(method=False)
def leaky_relu(input, negative_slope=0.01, inplace=False):
    """input where it is above 0, else negative_slope * input.  (*) -> (*)."""
    return activated(_leaky_relu, input, inplace, slope=float(negative_slope))


@op(kind="float", launches=True)
def _silu(x, *, out=None):
    """x sigmoid(x)."""
    return k.activation.silu(x, out=out)


@_silu.vjp()
def _(g, x):
    s = sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


@_silu.backward(scalar="elementwise.silu_backward({g}, {x})")
def _(g, x, out=None):
    return k.activation.silu_backward(g, x, out=out)


def silu(input, inplace=False):
    """input * sigmoid(input), also called swish (Elfwing et al., 2018).  (*) -> (*)."""
    return activated(_silu, input, inplace)


@op(kind="float", launches=True)
def _gelu(x, *, approximate, out=None):
    """x P(x) for the normal distribution P."""
    return k.activation.gelu(x, approximate, out=out)


@_gelu.vjp()
def _(g, x, approximate):
    if approximate == "none":
        probability, density = 0.5 * (1 + erf(x * _SQRT_HALF)), exp(-0.5 * square(x)) * _NORMAL_DENSITY_AT_0
        return g * (probability + x * density)
    cube = x * square(x)
    s = sigmoid(_TWICE_ROOT_TWO_OVER_PI * (x + _GELU_CUBIC * cube))
    slope = _TWICE_ROOT_TWO_OVER_PI * (1 + 3 * _GELU_CUBIC * square(x))
    return g * (s + x * (s * (1 - s)) * slope)


@_gelu.backward
def _(g, x, approximate, out=None):
    return k.activation.gelu_backward(g, x, approximate, out=out)


def gelu(input, approximate="none"):
    """input times the probability that a standard normal number is below it (Hendrycks and Gimpel, 2016).  (*) -> (*).

    With ``approximate="tanh"`` by 0.5 input (1 + tanh(sqrt(2 / pi) (input + 0.044715 input^3))).
    RuntimeError: another ``approximate``.
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"approximate argument must be either none or tanh, got {approximate!r}.")
    return apply(_gelu.op, (input,), {"approximate": approximate})


@op(kind="float", launches=True)
def _softplus(x, *, beta, threshold, out=None):
    """log(1 + exp(beta x)) / beta, and x where beta x > threshold."""
    return k.activation.softplus(x, beta, threshold, out=out)


@_softplus.vjp()
def _(g, x, beta, threshold):
    above = step(x * beta - threshold)
    return g * (above + (1 - above) * sigmoid(x * beta))


@_softplus.backward
def _(g, x, beta, threshold, out=None):
    return k.activation.softplus_backward(g, x, beta, threshold, out=out)


def softplus(input, beta=1.0, threshold=20.0):
    """log(1 + exp(beta * input)) / beta, and input itself where beta * input > threshold.  (*) -> (*)."""
    return apply(_softplus.op, (input,), {"beta": float(beta), "threshold": float(threshold)})


# --- softmax -----------------------------------------------------------------------------------------------------


@op(launches=True)
def _softmax(x, *, dim, out=None):
    """exp(x) / sum(exp(x)) along ``dim``."""
    check_kind("softmax", x.dtype, "f")
    return k.softmax.softmax(x, dim, out=out)


@_softmax.vjp()
def _(g, result, dim):
    return result * (g - (g * result).sum(dim, keepdim=True))


@_softmax.backward
def _(g, result, dim, out=None):
    return k.softmax.softmax_backward(g, result, dim, out=out)


@op(launches=True)
def _log_softmax(x, *, dim, out=None):
    """x - log(sum(exp(x))) along ``dim``."""
    check_kind("log_softmax", x.dtype, "f")
    return k.softmax.log_softmax(x, dim, out=out)


@_log_softmax.vjp()
def _(g, result, dim):
    return g - result.exp() * g.sum(dim, keepdim=True)


@_log_softmax.backward
def _(g, result, dim, out=None):
    return k.softmax.log_softmax_backward(g, result, dim, out=out)


@public
def softmax(input, dim, dtype=None):
    """exp(input) / sum(exp(input)) along the axis ``dim``, in ``dtype`` if given.  (*) -> (*)."""
    input = input if dtype is None else input.to(dtype)
    return apply(_softmax.op, (input,), {"dim": canonical_dim(dim, input.ndim)})


@public
def log_softmax(input, dim, dtype=None):
    """log(softmax(input)) along the axis ``dim``, without overflow.  (*) -> (*)."""
    input = input if dtype is None else input.to(dtype)
    return apply(_log_softmax.op, (input,), {"dim": canonical_dim(dim, input.ndim)})
