"""Activation functions, on kernels of one pass forward and one back."""

import numpy as np

from .. import kernels as k
from ..autograd.binding import public
from ..autograd.dispatch import apply, op, unary
from ..autograd.inplace import write
from .shape import canonical_dim


@public
@unary()
def sigmoid(x, *, out=None):
    """1 / (1 + exp(-input)).  (*) -> (*)."""
    return k.activation.sigmoid(x, out=out)


@sigmoid.vjp()
def _(g, result):
    return g * (result * (1 - result))


@sigmoid.backward
def _(g, result):
    return k.activation.sigmoid_backward(g, result)


@public
@unary()
def tanh(x, *, out=None):
    """The hyperbolic tangent.  (*) -> (*)."""
    return k.activation.tanh(x, out=out)


@tanh.vjp()
def _(g, result):
    return g * (1 - result * result)


@tanh.backward
def _(g, result):
    return k.activation.tanh_backward(g, result)


@public
@unary("arithmetic", launches=True)
def relu(x, *, out=None):
    """max(input, 0); the derivative at 0 is 0.  (*) -> (*)."""
    if x.dtype.kind == "b":
        raise RuntimeError("Boolean inputs not supported for relu")
    return k.activation.relu(x, out=out) if x.dtype.kind == "f" else np.maximum(x, 0, out=out)


@relu.vjp()
def _(g, result):
    return g * step(result)


@relu.backward
def _(g, result, out=None):
    return k.activation.relu_backward(g, result, out=out)


@unary()
def step(x, *, out=None):
    """Heaviside's step, 1 where input > 0, else 0; its derivative is 0.  (*) -> (*)."""
    return k.activation.step(x, out=out)


@step.vjp(on_arrays=True)
def _(g):
    return g * 0


@op(kind="float")
def _leaky_relu(x, *, slope, out=None):
    """x where x > 0, else slope * x."""
    return k.activation.leaky_relu(x, slope, out=out)


@_leaky_relu.vjp()
def _(g, x, slope):
    above = step(x)
    return g * (above + slope * (1 - above))


@_leaky_relu.backward
def _(g, x, slope):
    return k.activation.leaky_relu_backward(g, x, slope)


@public(method=False)
def leaky_relu(input, negative_slope=0.01, inplace=False):
    """input where it is above 0, else negative_slope * input.  (*) -> (*)."""
    params = {"slope": float(negative_slope)}
    return write(_leaky_relu.op, input, (), params) if inplace else apply(_leaky_relu.op, (input,), params)


# --- softmax -----------------------------------------------------------------------------------------------------


@op(kind="float")
def _softmax(x, *, dim, out=None):
    """exp(x) / sum(exp(x)) along ``dim``."""
    return k.softmax.softmax(x, dim, out=out)


@_softmax.vjp()
def _(g, result, dim):
    return result * (g - (g * result).sum(dim, keepdim=True))


@_softmax.backward
def _(g, result, dim):
    return k.softmax.softmax_backward(g, result, dim)


@op(kind="float")
def _log_softmax(x, *, dim, out=None):
    """x - log(sum(exp(x))) along ``dim``."""
    return k.softmax.log_softmax(x, dim, out=out)


@_log_softmax.vjp()
def _(g, result, dim):
    return g - result.exp() * g.sum(dim, keepdim=True)


@_log_softmax.backward
def _(g, result, dim):
    return k.softmax.log_softmax_backward(g, result, dim)


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
