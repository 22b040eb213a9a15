"""Bounds and rounding: the larger one, limits, whole numbers, steps, numbers in the place of NaN."""

import math

import numpy as np

from ..autograd import dtypes
from ..autograd.binding import alias, public
from ..autograd.dispatch import apply, binary, op, unary
from ..autograd.inplace import write
from ..autograd.tensor import Tensor
from .arrays import deliver
from .checks import check_kind, check_tensors

# --- the larger and the smaller ----------------------------------------------------------------------------------


@public(in_place=False)
@binary()
def maximum(x, y, *, out=...):
    """The larger one, element by element; NaN wins; equal ones share the gradient.  (*), (*) -> (*)."""
    return np.maximum(x, y, out=out)


@maximum.vjp("x")
def _(g, x, y):
    return g * _share(x, y, x < y)


@maximum.vjp("y")
def _(g, x, y):
    return g * _share(x, y, y < x)


@public(in_place=False)
@binary()
def minimum(x, y, *, out=...):
    """The smaller one, element by element; NaN wins; equal ones share the gradient.  (*), (*) -> (*)."""
    return np.minimum(x, y, out=out)


@minimum.vjp("x")
def _(g, x, y):
    return g * _share(x, y, x > y)


@minimum.vjp("y")
def _(g, x, y):
    return g * _share(x, y, y > x)


def _share(x, y, loses):
    """0 where an input loses, a half where both are equal, else 1: all of it, next to a NaN."""
    kind = (x if isinstance(x, Tensor) else y).dtype
    return 1 - loses.to(kind) - 0.5 * (x == y).to(kind)


@public(in_place=False)
@binary()
def fmax(x, y, *, out=...):
    """The larger one, element by element, a number rather than NaN; of equal ones input.  (*), (*) -> (*)."""
    return np.fmax(x, y, out=out)


@fmax.vjp("x")
def _(g, x, y):
    return g * ((x >= y) | (y != y)).to(g.dtype)


@fmax.vjp("y")
def _(g, x, y):
    return g * (1 - ((x >= y) | (y != y)).to(g.dtype))


@public(in_place=False)
@binary()
def fmin(x, y, *, out=...):
    """The smaller one, element by element, a number rather than NaN; of equal ones input.  (*), (*) -> (*)."""
    return np.fmin(x, y, out=out)


@fmin.vjp("x")
def _(g, x, y):
    return g * ((x <= y) | (y != y)).to(g.dtype)


@fmin.vjp("y")
def _(g, x, y):
    return g * (1 - ((x <= y) | (y != y)).to(g.dtype))


# --- limits ------------------------------------------------------------------------------------------------------


@op(kind="arithmetic")
def _clamp(x, *, low, high, out=...):
    """min(max(x, low), high)."""
    check_kind("clamp", x.dtype, "fiu")
    return np.clip(x, low, high, out=np.empty_like(x) if out is ... else out)


@_clamp.vjp()
def _(g, x, low, high):
    inside = x == x  # a NaN passes no gradient on
    inside = inside if low is None else inside & (x >= low)
    inside = inside if high is None else inside & (x <= high)
    return g * inside.to(g.dtype)


@binary()
def _clamp_min(x, y, *, out=...):
    """max(x, y); where both are equal, x has the gradient."""
    return np.maximum(x, y, out=out)


@_clamp_min.vjp("x")
def _(g, x, y):
    return g * (x >= y).to(g.dtype)


@_clamp_min.vjp("y")
def _(g, x, y):
    return g * (x < y).to(g.dtype)


@binary()
def _clamp_max(x, y, *, out=...):
    """min(x, y); where both are equal, x has the gradient."""
    return np.minimum(x, y, out=out)


@_clamp_max.vjp("x")
def _(g, x, y):
    return g * (x <= y).to(g.dtype)


@_clamp_max.vjp("y")
def _(g, x, y):
    return g * (x > y).to(g.dtype)


@public(in_place=True)
def clamp_min(input, min):
    """input, or ``min`` where that is larger: a number or a tensor.  (*) -> (*)."""
    return _clamp_min(input, min)


@public(in_place=True)
def clamp_max(input, max):
    """input, or ``max`` where that is smaller: a number or a tensor.  (*) -> (*)."""
    return _clamp_max(input, max)


@public
def clamp(input, min=None, max=None):
    """input limited to min ... max, which are numbers, tensors or None.  (*) -> (*)."""
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        input = input if min is None else _clamp_min(input, min)
        return input if max is None else _clamp_max(input, max)
    return apply(_clamp.op, (input.to(_type_between(input, min, max)),), {"low": min, "high": max})


@public(function_name=None)
def clamp_(input, min=None, max=None):
    """`clamp`, written into the tensor itself."""
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        input = input if min is None else write(_clamp_min.op, input, (min,), {})
        return input if max is None else write(_clamp_max.op, input, (max,), {})
    kind = _type_between(input, min, max)
    if kind is not input.dtype:
        raise RuntimeError(
            f"result type {kind.name} can't be cast to the desired output type {input.dtype.name} (clamp_)"
        )
    return write(_clamp.op, input, (), {"low": min, "high": max})


def _type_between(input, low, high):
    """The type of ``input`` limited by numbers."""
    if low is None and high is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    return dtypes.result_type(input, *[each for each in (low, high) if each is not None])


alias("clamp", "clip")

# --- whole numbers: constant between their steps, so the gradient is 0 -------------------------------------------


def _rounding(name, function, meaning):
    def forward(x, *, out=...):
        check_kind(name, x.dtype, "fiu")
        return function(x, out=out) if x.dtype.kind == "f" else deliver(x.copy(), out)

    forward.__name__ = name
    forward.__doc__ = f"{meaning}  (*) -> (*)."
    rounding = unary("arithmetic")(forward)
    rounding.vjp(on_arrays=True)(lambda g: g * 0)
    return rounding


floor = public(_rounding("floor", np.floor, "The largest integer not above."))
ceil = public(_rounding("ceil", np.ceil, "The smallest integer not below."))
trunc = public(_rounding("trunc", np.trunc, "The integer part."))
_round = _rounding("round", np.rint, "The nearest integer, the even one of two.")
alias("trunc", "fix")


@op(kind="arithmetic")
def _round_decimals(x, *, decimals, out=...):
    """The nearest number of ``decimals`` places."""
    check_kind("round(decimals)", x.dtype, "f")
    tens = x.dtype.type(10.0 ** math.fabs(decimals))
    if decimals < 0:
        return np.multiply(np.rint(x / tens), tens, out=out)
    return np.divide(np.rint(x * tens), tens, out=out)


@_round_decimals.vjp(on_arrays=True)
def _(g):
    return g * 0


@public
def round(input, *, decimals=0):
    """The nearest number of ``decimals`` places, the even one of two.  (*) -> (*)."""
    return _round(input) if decimals == 0 else apply(_round_decimals.op, (input,), {"decimals": decimals})


@public(function_name=None)
def round_(input, *, decimals=0):
    """`round`, written into the tensor itself."""
    if decimals == 0:
        return write(_round.op, input, (), {})
    return write(_round_decimals.op, input, (), {"decimals": decimals})


@public
@unary("arithmetic")
def frac(x, *, out=...):
    """What the integer part leaves, of the sign of input.  (*) -> (*)."""
    check_kind("frac", x.dtype, "f")
    return np.subtract(x, np.trunc(x), out=out)


@frac.vjp(on_arrays=True)
def _(g):
    return g


# --- steps and NaN -----------------------------------------------------------------------------------------------


@binary()
def _heaviside(x, y, *, out=...):
    """0 below 0, y at 0, 1 above."""
    return deliver(np.where(x == 0, y, x > 0).astype(x.dtype), out)


@_heaviside.vjp("x", "y")
def _(g):
    raise RuntimeError("derivative for heaviside is not implemented")


@public(in_place=True)
def heaviside(input, values):
    """Heaviside's step: 0 where input < 0 or NaN, ``values`` where it is 0, else 1; no derivative.  (*), (*) -> (*)."""
    check_tensors("heaviside", input, values)
    if input.dtype is not values.dtype:
        raise RuntimeError(
            f"heaviside is not implemented for tensors with different dtypes: {input.dtype.name}, {values.dtype.name}"
        )
    return _heaviside(input, values)


@op(kind="arithmetic")
def _nan_to_num(x, *, nan, posinf, neginf, out=...):
    """x with numbers in the place of NaN and infinities."""
    if x.dtype.kind != "f":
        return deliver(x.copy(), out)
    return deliver(np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf), out)


@_nan_to_num.vjp()
def _(g, x):
    return g * (x - x == 0).to(g.dtype)


@public(in_place=True)
def nan_to_num(input, nan=None, posinf=None, neginf=None):
    """input with ``nan`` (0 unless given) for NaN, and ``posinf``, ``neginf`` or the largest numbers for infinities."""
    return apply(_nan_to_num.op, (input,), {"nan": nan or 0.0, "posinf": posinf, "neginf": neginf})
