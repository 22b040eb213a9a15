"""Element-wise arithmetic, powers, exponentials and roots."""

import math

import numpy as np

from .. import kernels as k
from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply, binary, op, unary
from ..autograd.inplace import write
from ..autograd.tensor import Tensor

_ERF_SLOPE_AT_0 = 2 / math.sqrt(math.pi)

# --- sums and products -------------------------------------------------------------------------------------------


@public(operator="add", method=False, function_name=None)
@binary(scalar="{x} + {y}")
def _add(x, y, *, out=...):
    """x + y."""
    return np.add(x, y, out=out)


@_add.vjp("x", "y", on_arrays=True)
def _(g):
    return g


@public(operator="sub", method=False, function_name=None)
@binary(scalar="{x} - {y}")
def _sub(x, y, *, out=...):
    """x - y."""
    if getattr(x, "dtype", None) == np.bool_:
        raise RuntimeError("Subtraction, the `-` operator, with two bool tensors is not supported; use ^ or ~ instead.")
    return np.subtract(x, y, out=out)


@_sub.vjp("x", on_arrays=True)
def _(g):
    return g


@_sub.vjp("y", on_arrays=True)
def _(g):
    return -g


@public
def add(input, other, *, alpha=1):
    """input + alpha * other, broadcast.  (*), (*) -> (*)."""
    return _add(input, _scaled(input, other, alpha))


@public(function_name=None)
def add_(self, other, *, alpha=1):
    """`add`, written into the tensor itself."""
    return write(_add.op, self, (_scaled(self, other, alpha),), {})


@public
def sub(input, other, *, alpha=1):
    """input - alpha * other, broadcast.  (*), (*) -> (*)."""
    return _sub(input, _scaled(input, other, alpha))


@public(function_name=None)
def sub_(self, other, *, alpha=1):
    """`sub`, written into the tensor itself."""
    return write(_sub.op, self, (_scaled(self, other, alpha),), {})


def _scaled(input, other, alpha):
    if type(alpha) is int and alpha == 1:
        return other
    if isinstance(alpha, float) and not dtypes.result_type(input, other).is_floating_point:
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    return other * alpha


@public(operator="mul")
@binary(scalar="{x} * {y}")
def mul(x, y, *, out=...):
    """input * other, broadcast.  (*), (*) -> (*)."""
    return np.multiply(x, y, out=out)


@mul.vjp("x", on_arrays=True)
def _(g, y):
    return g * y


@mul.vjp("y", on_arrays=True)
def _(g, x):
    return g * x


@public(operator="truediv", method=False, function_name=None)
@binary("float", scalar="{x} / {y}")
def _div(x, y, *, out=...):
    """x / y."""
    return np.divide(x, y, out=out)


@_div.vjp("x", on_arrays=True)
def _(g, y):
    return g / y


@_div.vjp("y", on_arrays=True)
def _(g, y, result):
    return -g * result / y


@public
def div(input, other, *, rounding_mode=None):
    """input / other, broadcast; ``rounding_mode`` None, 'trunc' (towards zero) or 'floor'.  (*), (*) -> (*)."""
    return _division(rounding_mode)(input, other)


def _division(rounding_mode):
    """The op for one way of rounding."""
    if rounding_mode is None:
        return _div
    if rounding_mode == "floor":
        return floor_divide
    if rounding_mode == "trunc":
        return _trunc_divide
    raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found {rounding_mode!r}")


@public(function_name=None)
def div_(self, other, *, rounding_mode=None):
    """`div`, written into the tensor itself."""
    return write(_division(rounding_mode).op, self, (other,), {})


@public(operator="floordiv")
@binary()
def floor_divide(x, y, *, out=...):
    """The largest integer not above input / other; its derivative is 0.  (*), (*) -> (*)."""
    _refuse_integer_zero(x, y)
    return np.floor_divide(x, y, out=out)


@floor_divide.vjp("x", "y", on_arrays=True)
def _(g):
    return g * 0


@binary()
def _trunc_divide(x, y, *, out=...):
    """The integer part of x / y."""
    _refuse_integer_zero(x, y)
    if np.result_type(x, y).kind == "f":
        return np.trunc(np.divide(x, y), out=out)
    quotient = np.floor_divide(x, y)
    return np.add(quotient, (quotient < 0) & (quotient * y != x), out=out)


@_trunc_divide.vjp("x", "y", on_arrays=True)
def _(g):
    return g * 0


@public(operator="mod")
@binary()
def remainder(x, y, *, out=...):
    """What `floor_divide` leaves, of the sign of ``other``.  (*), (*) -> (*)."""
    _refuse_integer_zero(x, y)
    return np.remainder(x, y, out=out)


@remainder.vjp("x", on_arrays=True)
def _(g):
    return g


@remainder.vjp("y")
def _(g, x, y):
    return -g * floor_divide(x, y)


def _refuse_integer_zero(x, y):
    if np.result_type(x, y).kind in "iub" and np.any(np.equal(y, 0)):
        raise RuntimeError("ZeroDivisionError: integer division or remainder by zero")


@public
@unary("arithmetic", scalar="-{x}")
def neg(x, *, out=...):
    """-input.  (*) -> (*)."""
    if x.dtype == np.bool_:
        raise RuntimeError("Negation, the `-` operator, on a bool tensor is not supported; use ~ or logical_not().")
    return np.negative(x, out=out)


@neg.vjp(on_arrays=True)
def _(g):
    return -g


Tensor.__neg__ = neg
Tensor.__pos__ = lambda self: self


@public
@unary("arithmetic", scalar="abs({x})")
def abs(x, *, out=...):
    """The absolute value; its derivative at 0 is 0.  (*) -> (*)."""
    return np.absolute(x, out=out)


@abs.vjp()
def _(g, x):
    return g * sign(x)


Tensor.__abs__ = abs


@public
@unary("arithmetic")
def sign(x, *, out=...):
    """-1, 0 or 1.  (*) -> (*)."""
    return np.not_equal(x, 0, out=out) if x.dtype == np.bool_ else np.sign(x, out=out)


@sign.vjp(on_arrays=True)
def _(g):
    return g * 0


# --- powers and roots --------------------------------------------------------------------------------------------


@binary()
def _pow(x, y, *, out=...):
    """x to the power y."""
    if np.result_type(x, y).kind in "iu" and np.any(np.less(y, 0)):
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    return np.power(x, y, out=out)


@_pow.vjp("x")
def _(g, x, y):
    # at y = 0 the derivative is 0, also where x^(y-1) is infinite
    return g * masked(y * _pow(x, y - 1), y == 0)


@_pow.vjp("y")
def _(g, x, y, result):
    # 0^y is constant for y >= 0, where result * log(0) would be NaN
    logarithm = log(x) if isinstance(x, Tensor) else _log_of_number(x)  # a number leaves the type to the result
    return g * masked(result * logarithm, (x == 0) & (y >= 0))


def _log_of_number(x):
    if x == 0:
        return -math.inf
    return math.log(x) if x > 0 else math.nan


def masked(value, condition):
    """``value`` with 0 where ``condition`` holds (a Tensor, or a Python truth value)."""
    if isinstance(condition, Tensor):
        return value.masked_fill(condition, 0.0)
    return value * 0 if condition else value


@op
def _power_by_number(x, *, exponent, out=...):
    """x to a power that is a Python number."""
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


# --- exponentials, logarithms, circular functions ----------------------------------------------------------------


@public
@unary(launches=True, scalar="vecmath.exp({x})")
def exp(x, *, out=None):
    """e to the power input.  (*) -> (*)."""
    return k.activation.exp(x, out=out)


@exp.vjp(on_arrays=True)
def _(g, result):
    return g * result


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
@unary(launches=True, scalar="vecmath.erf({x})")
def erf(x, *, out=None):
    """The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to input.  (*) -> (*)."""
    return k.activation.erf(x, out=out)


@erf.vjp()
def _(g, x):
    return g * (_ERF_SLOPE_AT_0 * exp(-square(x)))


@public
@unary()
def sin(x, *, out=...):
    """The sine of an angle in radians.  (*) -> (*)."""
    return np.sin(x, out=out)


@sin.vjp()
def _(g, x):
    return g * cos(x)


@public
@unary()
def cos(x, *, out=...):
    """The cosine of an angle in radians.  (*) -> (*)."""
    return np.cos(x, out=out)


@cos.vjp()
def _(g, x):
    return -g * sin(x)


# --- bounds and rounding -----------------------------------------------------------------------------------------


@public
@binary()
def maximum(x, y, *, out=...):
    """The larger one, element by element; NaN wins; equal ones share the gradient.  (*), (*) -> (*)."""
    return np.maximum(x, y, out=out)


@maximum.vjp("x")
def _(g, x, y):
    return g * _share(x, y, x > y)


@maximum.vjp("y")
def _(g, x, y):
    return g * _share(x, y, y > x)


@public
@binary()
def minimum(x, y, *, out=...):
    """The smaller one, element by element; NaN wins; equal ones share the gradient.  (*), (*) -> (*)."""
    return np.minimum(x, y, out=out)


@minimum.vjp("x")
def _(g, x, y):
    return g * _share(x, y, x < y)


@minimum.vjp("y")
def _(g, x, y):
    return g * _share(x, y, y < x)


def _share(x, y, wins):
    """1 where an input wins, a half where both are equal."""
    kind = x if isinstance(x, Tensor) else y
    return wins.to(kind.dtype) + 0.5 * (x == y).to(kind.dtype)


@op(kind="arithmetic")
def _clamp(x, *, low, high, out=...):
    """min(max(x, low), high)."""
    return np.clip(x, low, high, out=np.empty_like(x) if out is ... else out)


@_clamp.vjp()
def _(g, x, low, high):
    inside = x == x  # a NaN passes no gradient on
    inside = inside if low is None else inside & (x >= low)
    inside = inside if high is None else inside & (x <= high)
    return g * inside.to(g.dtype)


@public
def clamp(input, min=None, max=None):
    """input limited to min ... max, which are numbers, tensors or None.  (*) -> (*)."""
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        input = input if min is None else maximum(input, min)
        return input if max is None else minimum(input, max)
    return apply(_clamp.op, (_for_bounds(input, min, max),), {"low": min, "high": max})


@public(function_name=None)
def clamp_(self, min=None, max=None):
    """`clamp`, written into the tensor itself."""
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        raise NotImplementedError("clamp_ takes numbers; use clamp for bounds that are tensors")
    kind = _for_bounds(self, min, max).dtype
    if kind is not self.dtype:
        raise RuntimeError(
            f"result type {kind.name} can't be cast to the desired output type {self.dtype.name} (clamp_)"
        )
    return write(_clamp.op, self, (), {"low": min, "high": max})


def _for_bounds(input, low, high):
    if low is None and high is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    fractional = isinstance(low, float) or isinstance(high, float)
    return input.to(float) if fractional and not input.is_floating_point() else input


def _rounding(name, function, meaning):
    """An op that rounds: constant between its steps, so its gradient is 0."""

    def forward(x, *, out=...):
        return function(x, out=out) if x.dtype.kind == "f" else _plain_copy(x, out)

    forward.__name__ = name
    forward.__doc__ = f"{meaning}  (*) -> (*)."
    rounding = unary("arithmetic")(forward)
    rounding.vjp(on_arrays=True)(lambda g: g * 0)
    return public(rounding)


def _plain_copy(x, out):
    if out is ...:
        return x.copy()
    out[...] = x
    return out


floor = _rounding("floor", np.floor, "The largest integer not above.")
ceil = _rounding("ceil", np.ceil, "The smallest integer not below.")
round = _rounding("round", np.rint, "The nearest integer, the even one of two.")
trunc = _rounding("trunc", np.trunc, "The integer part.")
