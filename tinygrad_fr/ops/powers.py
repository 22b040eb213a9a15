"""Powers and roots, element by element."""

import numpy as np

from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply, binary, op, unary
from ..autograd.inplace import write
from ..autograd.tensor import Tensor
from .arrays import deliver
from .checks import check_kind, check_tensors
from .exponential import log_of, masked


@binary()
def _pow(x, y, *, out=...):
    """x to the power y."""
    dtype = np.result_type(x, y)
    check_kind("pow", dtype, "fiu")
    if dtype.kind == "f" or not np.any(np.less(y, 0)):
        return np.power(x, y, out=out)
    positive = np.power(x, np.maximum(y, 0))  # 1 / x^-y, cut to an integer, is 0 but for x = 1 and x = -1
    return deliver(np.where(np.less(y, 0), np.where(np.abs(x) == 1, np.power(x, np.mod(y, 2)), 0), positive), out)


@_pow.vjp("x")
def _(g, x, y):
    # at y = 0 the derivative is 0, also where x^(y-1) is infinite
    return g * masked(y * _pow(x, y - 1), y == 0)


@_pow.vjp("y")
def _(g, x, y, result):
    # 0^y is constant for y >= 0, where result * log(0) would be NaN
    return g * masked(result * log_of(x), (x == 0) & (y >= 0))


@op
def _power_by_number(x, *, exponent, out=...):
    """x to a power that is a Python number."""
    check_kind("pow", x.dtype, "fiu")
    if x.dtype.kind in "iu" and exponent < 0:
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    return np.power(x, exponent, out=out)


@_power_by_number.vjp()
def _(g, x, exponent):
    return g * (x * 0 if exponent == 0 else _power(x, exponent - 1) * exponent)


def _power(x, exponent):
    if exponent == 1:
        return x
    if exponent == 2:
        return square(x)
    return apply(_power_by_number.op, (x,), {"exponent": exponent})


@public
def pow(input, exponent):
    """input ** exponent, broadcast.  (*), (*) -> (*)."""
    if isinstance(exponent, (int, float)) and isinstance(input, Tensor):
        if not input.is_floating_point():
            input = _for_exponent(input, exponent)
        if exponent == 1:
            return input.clone()
        return _power(input, exponent)
    return _pow(input, exponent)


def _for_exponent(input, exponent):
    """An integer or bool tensor in the type of its power."""
    kind = dtypes.result_type(input, exponent)
    if kind.category == 1 and exponent > np.iinfo(kind.numpy).max:
        raise RuntimeError(f"value cannot be converted to type {kind.name} without overflow: the exponent {exponent}")
    return input.to(kind)


@public(function_name=None)
def pow_(self, exponent):
    """`pow`, written into the tensor itself."""
    return write(_pow.op, self, (exponent,), {})


Tensor.__pow__ = pow
Tensor.__ipow__ = pow_
Tensor.__rpow__ = lambda self, other: _pow(other, self)


@public
@unary("arithmetic", scalar="elementwise.square({x})")
def square(x, *, out=...):
    """input * input, which for bool is int64.  (*) -> (*)."""
    return np.square(x, out=out, dtype=np.int64 if x.dtype == np.bool_ else None)


@square.vjp(on_arrays=True)
def _(g, x):
    return g * (2 * x)


@public
@unary(scalar="np.sqrt({x})")
def sqrt(x, *, out=...):
    """The square root; NaN below 0.  (*) -> (*)."""
    return np.sqrt(x, out=out)


@sqrt.vjp()
def _(g, result):
    return g / (2 * result)


@public
@unary()
def rsqrt(x, *, out=...):
    """1 / sqrt(input).  (*) -> (*)."""
    return np.divide(1, np.sqrt(x), out=out)


@rsqrt.vjp()
def _(g, result):
    return g * (-0.5 * result * result * result)


@public
@unary()
def reciprocal(x, *, out=...):
    """1 / input.  (*) -> (*)."""
    return np.divide(1, x, out=out)


@reciprocal.vjp(on_arrays=True)
def _(g, result):
    return -g * (result * result)


@public
def float_power(input, exponent):
    """input ** exponent in float64, broadcast.  (*), (*) -> (*)."""
    return pow(_as_double(input), _as_double(exponent))


def _as_double(value):
    return value.to(dtypes.float64) if isinstance(value, Tensor) else float(value)


@public(function_name=None)
def float_power_(self, exponent):
    """`float_power`, written into the tensor itself, which is of float64."""
    if self.dtype is not dtypes.float64:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {self.dtype.name} but the operation's result requires dtype "
            "float64"
        )
    return self.pow_(exponent)


@public(in_place=True)
def ldexp(input, other):
    """input * 2 ** other, broadcast.  (*), (*) -> (*)."""
    check_tensors("ldexp", input, other)
    return input * _pow(2.0, other)


@public
@binary()
def hypot(x, y, *, out=...):
    """The hypotenuse, sqrt(input^2 + other^2), broadcast.  (*), (*) -> (*)."""
    check_kind("hypot", np.result_type(x, y), "f")
    return np.hypot(x, y, out=out)


@hypot.vjp("x")
def _(g, x, result):
    return g * (x / result)


@hypot.vjp("y")
def _(g, y, result):
    return g * (y / result)
