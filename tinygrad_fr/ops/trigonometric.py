"""Circular and hyperbolic functions and their inverses, element by element."""

import math

import numpy as np

from ..autograd.binding import alias, public
from ..autograd.dispatch import binary, unary
from .indexing import where
from .powers import rsqrt, square

# --- of angles ---------------------------------------------------------------------------------------------------


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


@public
@unary()
def tan(x, *, out=...):
    """The tangent of an angle in radians.  (*) -> (*)."""
    return np.tan(x, out=out)


@tan.vjp()
def _(g, result):
    return g * (1 + square(result))


@public
@unary()
def sinc(x, *, out=...):
    """sin(pi input) / (pi input), and 1 at 0.  (*) -> (*)."""
    return np.divide(*_sine_over_angle(x), out=out)


def _sine_over_angle(x):
    """Numerator and denominator of `sinc`: 1 and 1 at 0."""
    angle = np.where(x == 0, x.dtype.type(1), x * x.dtype.type(np.pi))
    return np.where(x == 0, x.dtype.type(1), np.sin(angle)), angle


@sinc.vjp()
def _(g, x):
    near = x.abs() < 0.5
    far = x.masked_fill(near, 1.0)
    return g * where(near, _sinc_slope_near_0(x.masked_fill(~near, 0.0)), (cos(math.pi * far) - sinc(far)) / far)


def _sinc_slope_near_0(x):
    """The derivative of sinc(x) = sum over k of (-1)^k (pi x)^(2k) / (2k + 1)!, by Horner's rule."""
    total = 0.0
    for k in range(_SINC_TERMS, 0, -1):
        total = total * square(x) + 2 * k * (-1) ** k * math.pi ** (2 * k) / math.factorial(2 * k + 1)
    return total * x


_SINC_TERMS = 13  # as many as leave no error in float64, second derivatives included


@public
@unary()
def deg2rad(x, *, out=...):
    """Degrees as radians.  (*) -> (*)."""
    return np.multiply(x, math.pi / 180, out=out)


@deg2rad.vjp(on_arrays=True)
def _(g):
    return g * (math.pi / 180)


@public
@unary()
def rad2deg(x, *, out=...):
    """Radians as degrees.  (*) -> (*)."""
    return np.multiply(x, 180 / math.pi, out=out)


@rad2deg.vjp(on_arrays=True)
def _(g):
    return g * (180 / math.pi)


# --- angles ------------------------------------------------------------------------------------------------------


@public
@unary()
def asin(x, *, out=...):
    """The angle in -pi/2 ... pi/2 whose sine is input.  (*) -> (*)."""
    return np.arcsin(x, out=out)


@asin.vjp()
def _(g, x):
    return g * rsqrt(1 - square(x))


@public
@unary()
def acos(x, *, out=...):
    """The angle in 0 ... pi whose cosine is input.  (*) -> (*)."""
    return np.arccos(x, out=out)


@acos.vjp()
def _(g, x):
    return -g * rsqrt(1 - square(x))


@public
@unary()
def atan(x, *, out=...):
    """The angle in -pi/2 ... pi/2 whose tangent is input.  (*) -> (*)."""
    return np.arctan(x, out=out)


@atan.vjp()
def _(g, x):
    return g / (1 + square(x))


@public
@binary("float")
def atan2(x, y, *, out=...):
    """The angle of the point (other, input) with the first axis, in -pi ... pi, broadcast.  (*), (*) -> (*)."""
    return np.arctan2(x, y, out=out)


@atan2.vjp("x")
def _(g, x, y):
    return g * _over_squares(y, x, y)


@atan2.vjp("y")
def _(g, x, y):
    return g * -_over_squares(x, x, y)


def _over_squares(numerator, x, y):
    """numerator / (x^2 + y^2), and 0 at the origin."""
    squares = x * x + y * y
    origin = squares == 0
    return (numerator / squares.masked_fill(origin, 1.0)).masked_fill(origin, 0.0)


# --- hyperbolic functions and their inverses ---------------------------------------------------------------------


@public
@unary()
def sinh(x, *, out=...):
    """The hyperbolic sine.  (*) -> (*)."""
    return np.sinh(x, out=out)


@sinh.vjp()
def _(g, x):
    return g * cosh(x)


@public
@unary()
def cosh(x, *, out=...):
    """The hyperbolic cosine.  (*) -> (*)."""
    return np.cosh(x, out=out)


@cosh.vjp()
def _(g, x):
    return g * sinh(x)


@public
@unary()
def asinh(x, *, out=...):
    """The inverse of the hyperbolic sine.  (*) -> (*)."""
    return np.arcsinh(x, out=out)


@asinh.vjp()
def _(g, x):
    return g * rsqrt(square(x) + 1)


@public
@unary()
def acosh(x, *, out=...):
    """The inverse of the hyperbolic cosine, not below 0; NaN where input < 1.  (*) -> (*)."""
    return np.arccosh(x, out=out)


@acosh.vjp()
def _(g, x):
    return g * rsqrt(square(x) - 1)


@public
@unary()
def atanh(x, *, out=...):
    """The inverse of the hyperbolic tangent.  (*) -> (*)."""
    return np.arctanh(x, out=out)


@atanh.vjp()
def _(g, x):
    return g / (1 - square(x))


for _name in ("asin", "acos", "atan", "atan2", "asinh", "acosh", "atanh"):
    alias(_name, f"arc{_name[1:]}")
