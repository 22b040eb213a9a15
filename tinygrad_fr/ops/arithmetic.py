"""Sums, products and quotients, element by element."""

import numpy as np

from ..autograd import dtypes
from ..autograd.binding import alias, public
from ..autograd.dispatch import apply, binary, op
from ..autograd.inplace import write
from ..autograd.tensor import Tensor
from .arrays import deliver
from .checks import check_kind

# --- sums and differences ----------------------------------------------------------------------------------------


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
        _refuse_bool(True)
    return np.subtract(x, y, out=out)


def _refuse_bool(*operands):
    """Raise where one of the operands is a bool or a tensor of them."""
    if any(each is True or each is False or getattr(each, "dtype", None) is dtypes.bool_ for each in operands):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, "
            "use the `~` or `logical_not()` operator instead."
        )


_sub.op.check = _refuse_bool


@_sub.vjp("x", on_arrays=True)
def _(g):
    return g


@_sub.vjp("y", on_arrays=True)
def _(g):
    return -g


@public
def add(input, other, *, alpha=1):
    """input + alpha * other, broadcast.  (*), (*) -> (*)."""
    return _add(input, scaled(input, other, alpha))


@public(function_name=None)
def add_(self, other, *, alpha=1):
    """`add`, written into the tensor itself."""
    return write(_add.op, self, (scaled(self, other, alpha),), {})


@public
def sub(input, other, *, alpha=1):
    """input - alpha * other, broadcast.  (*), (*) -> (*)."""
    return _sub(input, scaled(input, other, alpha))


@public(function_name=None)
def sub_(self, other, *, alpha=1):
    """`sub`, written into the tensor itself."""
    return write(_sub.op, self, (scaled(self, other, alpha),), {})


alias("sub", "subtract")


@public(method=False)
def rsub(input, other, *, alpha=1):
    """other - alpha * input, broadcast.  (*), (*) -> (*)."""
    return _sub(other, scaled(other, input, alpha))


def scaled(input, other, alpha):
    """``alpha * other``, an addend of ``input``."""
    if type(alpha) is int and alpha == 1:
        return other
    kind = dtypes.result_type(input, other)
    if isinstance(alpha, float) and not kind.is_floating_point:
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    if isinstance(alpha, bool) and kind is not dtypes.bool_:
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    return other * (bool(alpha) if kind is dtypes.bool_ else alpha)


# --- products ----------------------------------------------------------------------------------------------------


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


alias("mul", "multiply")


@public(in_place=True)
def addcmul(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 * tensor2, broadcast.  (*), (*), (*) -> (*)."""
    return add(input, mul(tensor1, tensor2), alpha=value)


@op(kind="arithmetic")
def _lerp(x, y, weight, *, out=...):
    """x + weight * (y - x), from the nearer end: exact at both."""
    step = y - x
    return deliver(np.where(np.abs(weight) < 0.5, x + weight * step, y - step * (1 - weight)), out)


@_lerp.vjp("x")
def _(g, weight):
    return g * (1 - weight)


@_lerp.vjp("y")
def _(g, weight):
    return g * weight


@_lerp.vjp("weight")
def _(g, x, y):
    return g * (y - x)


@public
def lerp(input, end, weight):
    """input + weight * (end - input), between two points; weight is a number or a tensor.  (*), (*) -> (*)."""
    _check_one_type(input, end=end, weight=weight)
    return apply(_lerp.op, (input, end, weight), {})


@public(function_name=None)
def lerp_(self, end, weight):
    """`lerp`, written into the tensor itself."""
    _check_one_type(self, end=end, weight=weight)
    return write(_lerp.op, self, (end, weight), {})


def _check_one_type(input, end, weight):
    """Raise unless all are of one floating point type; a weight that is a number or 0-d may be of another."""
    check_kind("lerp", input._array.dtype, "f")
    for name, each in (("end", end), ("weight", weight)):
        counts = name == "end" or (isinstance(each, Tensor) and each.ndim)
        if counts and each.dtype is not input.dtype:
            raise RuntimeError(f"expected dtype {input.dtype.name} for `{name}` but got dtype {each.dtype.name}")


# --- quotients and remainders ------------------------------------------------------------------------------------


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
        return _floor_divide
    if rounding_mode == "trunc":
        return _trunc_divide
    raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found {rounding_mode!r}")


@public(function_name=None)
def div_(self, other, *, rounding_mode=None):
    """`div`, written into the tensor itself."""
    return write(_division(rounding_mode).op, self, (other,), {})


alias("div", "divide")


@public(in_place=True)
def true_divide(input, other):
    """input / other, broadcast.  (*), (*) -> (*)."""
    return _div(input, other)


@public(in_place=True)
def addcdiv(input, tensor1, tensor2, *, value=1):
    """input + value * tensor1 / tensor2, broadcast.  (*), (*), (*) -> (*)."""
    if not (tensor1.is_floating_point() or tensor2.is_floating_point()):
        raise RuntimeError(
            f"Integer division with addcdiv is not supported ({tensor1.dtype.name}); use "
            "input + value * torch.div(tensor1, tensor2, rounding_mode='trunc'), or convert one with .float()"
        )
    return add(input, _div(tensor1, tensor2), alpha=value)


@binary()
def _floor_divide(x, y, *, out=...):
    """The largest integer not above x / y."""
    _refuse_integer_zero("floor_divide", x, y)
    return np.floor_divide(x, y, out=out)


@_floor_divide.vjp("x", "y", on_arrays=True)
def _(g):
    return g * 0


@public(operator="floordiv")
@binary()
def floor_divide(x, y, *, out=...):
    """The largest integer not above input / other, without a derivative, which div(rounding_mode='floor') has.

    (*), (*) -> (*).
    """
    _refuse_integer_zero("floor_divide", x, y)
    return np.floor_divide(x, y, out=out)


@floor_divide.vjp("x", "y")
def _(g):
    raise RuntimeError("derivative for floor_divide is not implemented; div(rounding_mode='floor') has one, 0")


@binary()
def _trunc_divide(x, y, *, out=...):
    """The integer part of x / y."""
    _refuse_integer_zero("div_trunc", x, y)
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
    _refuse_integer_zero("remainder", x, y)
    return np.remainder(x, y, out=out)


@remainder.vjp("x", on_arrays=True)
def _(g):
    return g


@remainder.vjp("y")
def _(g, x, y):
    return -g * _floor_divide(x, y)


@public
@binary()
def fmod(x, y, *, out=...):
    """What division rounded towards zero leaves, of the sign of ``input``.  (*), (*) -> (*)."""
    _refuse_integer_zero("fmod", x, y)
    return np.fmod(x, y, out=out)


@fmod.vjp("x", on_arrays=True)
def _(g):
    return g


@fmod.vjp("y")
def _(g, x, y):
    return -g * _trunc_divide(x, y)


def _refuse_integer_zero(name, x, y):
    kind = np.result_type(x, y).kind
    if kind == "b":
        raise NotImplementedError(f"'{name}' is not implemented for bool tensors")
    if kind in "iu" and np.any(np.equal(y, 0)):
        raise RuntimeError("ZeroDivisionError: integer division or remainder by zero")


@public
@binary()
def gcd(x, y, *, out=...):
    """The greatest common divisor of integers, broadcast.  (*), (*) -> (*)."""
    check_kind("gcd", np.result_type(x, y), "iu")
    return np.gcd(x, y, out=out)


@public
@binary()
def lcm(x, y, *, out=...):
    """The least common multiple of integers, broadcast.  (*), (*) -> (*)."""
    check_kind("lcm", np.result_type(x, y), "iu")
    return np.lcm(x, y, out=out)
