"""Signs and magnitudes, element by element."""

import numpy as np

from ..autograd import dtypes
from ..autograd.binding import alias, public
from ..autograd.dispatch import binary, unary
from ..autograd.tensor import Tensor
from .checks import check_kind


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


alias("neg", "negative")
Tensor.__neg__ = neg


@public
def positive(input):
    """input itself.  (*) -> (*)."""
    if input.dtype is dtypes.bool_:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


Tensor.__pos__ = positive


@public
@unary("arithmetic", scalar="abs({x})")
def abs(x, *, out=...):
    """The absolute value; its derivative at 0 is 0.  (*) -> (*)."""
    check_kind("abs", x.dtype, "fiu")
    return np.absolute(x, out=out)


@abs.vjp()
def _(g, x):
    return g * sign(x)


alias("abs", "absolute")
Tensor.__abs__ = abs


@public
@unary("arithmetic")
def sign(x, *, out=...):
    """-1, 0 or 1; 0 for NaN.  (*) -> (*)."""
    if x.dtype == np.bool_:
        return np.not_equal(x, 0, out=out)
    return np.subtract(x > 0, x < 0, dtype=x.dtype, out=out)


@sign.vjp(on_arrays=True)
def _(g):
    return g * 0


alias("sign", "sgn")


@public(in_place=False)
@unary("compare")
def signbit(x, *, out=...):
    """Where the element is negative, -0.0 and NaN of that sign among them.  (*) -> (*) bool."""
    return np.signbit(x, out=out) if x.dtype.kind == "f" else np.less(x, 0, out=out)


@public
@binary("float")
def copysign(x, y, *, out=...):
    """The magnitude of input with the sign of other, broadcast.  (*), (*) -> (*)."""
    return np.copysign(x, y, out=out)


@copysign.vjp("x")
def _(g, x, y):
    return g * (sign(x) * copysign(sign(x), y))


@copysign.vjp("y", on_arrays=True)
def _(g):
    return g * 0
