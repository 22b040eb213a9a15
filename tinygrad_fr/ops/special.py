"""The error function and the gamma function with their kin, element by element."""

import math

import numpy as np

from .. import kernels as k
from ..autograd.binding import public
from ..autograd.dispatch import apply, op, unary
from ..autograd.inplace import write
from .arrays import deliver
from .exponential import exp
from .powers import square

# --- the error function ------------------------------------------------------------------------------------------

_ERF_SLOPE_AT_0 = 2 / math.sqrt(math.pi)
_complement = np.vectorize(math.erfc, otypes=[np.float64])


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
def erfc(x, *, out=...):
    """1 - erf(input), accurate where that is small.  (*) -> (*)."""
    return deliver(_complement(x).astype(x.dtype), out)


@erfc.vjp()
def _(g, x):
    return g * (-_ERF_SLOPE_AT_0 * exp(-square(x)))


@public
@unary()
def erfinv(x, *, out=...):
    """The inverse of `erf`: infinite at -1 and 1, NaN beyond.  (*) -> (*)."""
    y = np.abs(x, dtype=np.float64)
    root = _first_guess(y)
    for _ in range(3):  # Halley's method; near 1 on erfc, which keeps the digits there
        error = np.where(y < 0.5, y - k.activation.erf(root), _complement(root) - (1 - y))
        step = error * np.exp(root * root) / _ERF_SLOPE_AT_0
        root = root + step / (1 + root * step)
    root = np.where(y < 1, root, np.where(y == 1, np.inf, np.nan))
    return deliver(np.copysign(root, x).astype(x.dtype), out)


def _first_guess(y):
    """erfinv(y) to some three digits, by Winitzki's formula (A handy approximation for the error function, 2008)."""
    a = 0.147
    logarithm = np.log1p(-np.minimum(y * y, 1 - 1e-16))
    half = 2 / (math.pi * a) + logarithm / 2
    return np.sqrt(np.sqrt(half * half - logarithm / a) - half)


@erfinv.vjp()
def _(g, result):
    return g * (exp(square(result)) / _ERF_SLOPE_AT_0)


# --- the gamma function ------------------------------------------------------------------------------------------


def _log_of_gamma(x):
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):  # at a pole, or too large
        return math.inf


_logs_of_gamma = np.vectorize(_log_of_gamma, otypes=[np.float64])


@public
@unary()
def lgamma(x, *, out=...):
    """log |gamma(input)|.  (*) -> (*)."""
    return deliver(_logs_of_gamma(x).astype(x.dtype), out)


@lgamma.vjp()
def _(g, x):
    return g * digamma(x)


@public
@unary()
def digamma(x, *, out=...):
    """The derivative of log(gamma(input)); NaN at negative integers, -inf at 0.  (*) -> (*)."""
    wide = x.astype(np.float64)
    value = np.where(wide < 0.5, _reflected(0, wide), _psi(wide))
    value = np.where((wide < 0) & (wide == np.floor(wide)), np.nan, value)
    return deliver(np.where(wide == 0, np.copysign(np.inf, -wide), value).astype(x.dtype), out)


@digamma.vjp()
def _(g, x):
    return g * polygamma(1, x)


@op(kind="float")
def _polygamma(x, *, n, out=...):
    """The derivative of order ``n`` > 0 of `digamma`."""
    wide = x.astype(np.float64)
    return deliver(np.where(wide < 0.5, _reflected(n, wide), _psi_derivative(n, wide)).astype(x.dtype), out)


@_polygamma.vjp()
def _(g, x, n):
    return g * polygamma(n + 1, x)


@public(method=False)
def polygamma(n, input):
    """The derivative of order ``n`` of `digamma`.  (*) -> (*)."""
    return digamma(input) if _order(n) == 0 else apply(_polygamma.op, (input,), {"n": n})


@public(function_name=None, method="polygamma")
def _polygamma_of(self, n):
    """The derivative of order ``n`` of `digamma`.  (*) -> (*)."""
    return polygamma(n, self)


@public(function_name=None)
def polygamma_(self, n):
    """`polygamma`, written into the tensor itself."""
    return write(digamma.op, self, (), {}) if _order(n) == 0 else write(_polygamma.op, self, (), {"n": n})


def _order(n):
    if n < 0:
        raise RuntimeError(f"polygamma(n, x) does not support negative n, got {n}")
    return n


# The numbers B_2, B_4 ... of Bernoulli.
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
_SHIFTS = 16  # from x + 16 on the series of _BERNOULLI are exact in float64, for x > 0


def _psi(x):
    """The digamma function of x >= 0.5, by its recurrence and its asymptotic series (Abramowitz and Stegun, 6.3.18)."""
    far = x + _SHIFTS
    series = sum(b / (2 * j * far ** (2 * j)) for j, b in enumerate(_BERNOULLI, 1))
    return np.log(far) - 0.5 / far - series - sum(1 / (x + i) for i in range(_SHIFTS))


def _psi_derivative(n, x):
    """Its derivative of order n for x >= 0.5: (-1)^(n+1) n! zeta(n + 1, x), by Euler and Maclaurin's formula."""
    s, far = n + 1, x + _SHIFTS
    zeta = sum((x + i) ** -s for i in range(_SHIFTS)) + far ** (1 - s) / (s - 1) + far**-s / 2
    factor = float(s)  # s (s + 1) ... (s + 2j - 2) / (2j)!, but for its last divisor
    for j, b in enumerate(_BERNOULLI, 1):
        zeta = zeta + b * factor / math.factorial(2 * j) * far ** (1 - s - 2 * j)
        factor *= (s + 2 * j - 1) * (s + 2 * j)
    return (-1) ** (n + 1) * math.factorial(n) * zeta


def _reflected(n, x):
    """The derivative of order n of digamma(x) = digamma(1 - x) - pi cot(pi x), of which the first is known."""
    of_cotangent = np.array([1.0, 0.0])  # a polynomial, the highest power first
    for _ in range(n):
        of_cotangent = np.polymul(np.polyder(of_cotangent), [-math.pi, 0, -math.pi])
    cotangent = 1 / np.tan(math.pi * (x - np.rint(x)))
    value = of_cotangent[0]
    for coefficient in of_cotangent[1:]:  # by Horner's rule, without 0 times an infinite cotangent
        value = value * cotangent + coefficient
    known = _psi(1 - x) if n == 0 else (-1) ** n * _psi_derivative(n, 1 - x)
    return known - math.pi * value
