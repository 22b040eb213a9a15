"""Element-wise functions that activations and losses are composed of, where composing them anew would lose digits."""

import numpy as np

from .. import kernels as k
from ..autograd.dispatch import binary, unary
from .activation import sigmoid


@unary(launches=True, scalar="vecmath.log1pexp({x})")
def log1pexp(x, *, out=None):
    """log(1 + exp(input)), without overflow.  (*) -> (*)."""
    return k.activation.log1pexp(x, out=out)


@log1pexp.vjp()
def _(g, x):
    return g * sigmoid(x)


@binary("float")
def bce(x, y, *, out=...):
    """-(y log x + (1 - y) log(1 - x)) for probabilities x, logarithms not below -100.  (*), (*) -> (*)."""
    log_of_false = np.maximum(np.log1p(-x), -100)
    return np.subtract((y - 1) * log_of_false, y * np.maximum(np.log(x), -100), out=out)


@bce.vjp("x")
def _(g, x, y):
    return g * ((x - y) / (x * (1 - x)).clamp(min=1e-12))


@bce.vjp("y")
def _(g, x):
    return g * ((1 - x).log().clamp(min=-100) - x.log().clamp(min=-100))


@binary("float")
def bce_of_logits(x, y, *, out=...):
    """`bce` of sigmoid(x) and y, stable for every x: max(x, 0) - x y + log(1 + exp(-|x|)).  (*), (*) -> (*)."""
    return np.add(np.maximum(x, 0) - x * y, np.log1p(np.exp(-np.abs(x))), out=out)


@bce_of_logits.vjp("x")
def _(g, x, y):
    return g * (sigmoid(x) - y)


@bce_of_logits.vjp("y", on_arrays=True)
def _(g, x):
    return -g * x
