"""Exponentials and logarithms, element by element."""

import math

import numpy as np

from .. import kernels as k
from ..autograd.binding import public
from ..autograd.dispatch import apply, binary, op, unary
from ..autograd.tensor import Tensor
from .arrays import deliver
from .checks import check_kind
from .indexing import where

_LOG_2 = math.log(2)
_LOG_10 = math.log(10)


@public
@unary(launches=True, scalar="vecmath.exp({x})")
def exp(x, *, out=None):
    """e to the power input.  (*) -> (*)."""
    return k.activation.exp(x, out=out)


@exp.vjp(on_arrays=True)
def _(g, result):
    return g * result


@public
@unary()
def exp2(x, *, out=...):
    """2 to the power input.  (*) -> (*)."""
    return np.exp2(x, out=out)


@exp2.vjp(on_arrays=True)
def _(g, result):
    return g * (result * _LOG_2)


@public
@unary(launches=True, scalar="vecmath.expm1({x})")
def expm1(x, *, out=None):
    """exp(input) - 1, accurate near 0.  (*) -> (*)."""
    return k.activation.expm1(x, out=out)


@expm1.vjp()
def _(g, x):
    return g * exp(x)


@public
@unary(launches=True, scalar="vecmath.log({x})")
def log(x, *, out=None):
    """The natural logarithm.  (*) -> (*)."""
    return k.activation.log(x, out=out)


@log.vjp()
def _(g, x):
    return g / x


@public
@unary(launches=True, scalar="vecmath.log1p({x})")
def log1p(x, *, out=None):
    """log(1 + input), accurate near 0.  (*) -> (*)."""
    return k.activation.log1p(x, out=out)


@log1p.vjp()
def _(g, x):
    return g / (x + 1)


@public
@unary()
def log2(x, *, out=...):
    """The logarithm to base 2.  (*) -> (*)."""
    return np.log2(x, out=out)


@log2.vjp()
def _(g, x):
    return g / (x * _LOG_2)


@public
@unary()
def log10(x, *, out=...):
    """The logarithm to base 10.  (*) -> (*)."""
    return np.log10(x, out=out)


@log10.vjp()
def _(g, x):
    return g / (x * _LOG_10)


# --- of two inputs -----------------------------------------------------------------------------------------------


@public(in_place=False)
@binary()
def logaddexp(x, y, *, out=...):
    """log(exp(input) + exp(other)), without overflow, broadcast.  (*), (*) -> (*)."""
    check_kind("logaddexp", np.result_type(x, y), "f")
    return np.logaddexp(x, y, out=out)


@logaddexp.vjp("x")
def _(g, x, y):
    return g * (x - y).sigmoid()


@logaddexp.vjp("y")
def _(g, x, y):
    return g * (y - x).sigmoid()


@public(in_place=False)
@binary()
def logaddexp2(x, y, *, out=...):
    """log2(2^input + 2^other), without overflow, broadcast.  (*), (*) -> (*)."""
    check_kind("logaddexp2", np.result_type(x, y), "f")
    return np.logaddexp2(x, y, out=out)


@logaddexp2.vjp("x")
def _(g, x, y):
    return g * ((x - y) * _LOG_2).sigmoid()


@logaddexp2.vjp("y")
def _(g, x, y):
    return g * ((y - x) * _LOG_2).sigmoid()


@public
@binary("float")
def xlogy(x, y, *, out=...):
    """input * log(other), and 0 where input is 0 unless other is NaN, broadcast.  (*), (*) -> (*)."""
    return deliver(np.where(np.equal(x, 0) & (y == y), 0, np.multiply(x, np.log(y))).astype(np.result_type(x, y)), out)


@xlogy.vjp("x")
def _(g, x, y):
    return g * masked(log_of(y), (x == 0) & (y <= 0))


@xlogy.vjp("y")
def _(g, x, y):
    return g * (x / y)


def log_of(x):
    """The logarithm of a Tensor, or of a number, which leaves the type to what it meets."""
    if isinstance(x, Tensor):
        return log(x)
    if x == 0:
        return -math.inf
    return math.log(x) if x > 0 else math.nan


def masked(value, condition):
    """``value`` with 0 where ``condition`` holds (a Tensor, or a Python truth value)."""
    if isinstance(value, Tensor) and isinstance(condition, Tensor):
        return value.masked_fill(condition, 0.0)
    if isinstance(condition, Tensor):
        return where(condition, 0.0, value)
    return value * 0 if condition else value


@op(kind="float")
def _logit(x, *, eps, out=...):
    """log(x / (1 - x)), x kept eps away from 0 and 1."""
    if eps is not None:
        x = np.clip(x, eps, 1 - eps)
    return np.log(x / (1 - x), out=out)


@_logit.vjp()
def _(g, x, eps):
    slope = 1 / (x * (1 - x))
    if eps is None:
        return g * slope.masked_fill((x < 0) | (x > 1), math.nan)
    return g * slope.masked_fill((x < eps) | (x > 1 - eps), 0.0)


@public(in_place=True)
def logit(input, eps=None):
    """log(input / (1 - input)), the inverse of the sigmoid, of input kept in eps ... 1 - eps.  (*) -> (*)."""
    return apply(_logit.op, (input,), {"eps": eps})
