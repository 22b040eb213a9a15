"""The error function and the gamma function with their kin."""

import math

import numpy as np

import tinygrad_fr as torch
from tinygrad_fr.kernels import reference

from .. import strategies as draws
from .record import OpSpec, drawn


def _each(function):
    """A twin from a function of Python numbers."""
    return lambda x: np.vectorize(function, otypes=[x.dtype])(x)


def _erfinv(x):
    if abs(x) >= 1 or x != x:
        return math.copysign(math.inf, x) if abs(x) == 1 else math.nan
    low, high = (0.0, 6.0) if x > 0 else (-6.0, 0.0)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < x else (low, middle)
    return math.copysign((low + high) / 2, x) if x else x


def _lgamma(x):
    if x <= 0 and x == math.floor(x):
        return math.inf
    return math.inf if abs(x) > 1e300 else math.lgamma(x)


def _difference(x, order=1):
    """A derivative of `lgamma` at x > 0, from the sum 1/(x+i)^(order+1), its tail by an integral and half a term."""
    if order == 0:
        tail = x + 500
        series = math.log(tail) - 1 / (2 * tail) - 1 / (12 * tail**2) + 1 / (120 * tail**4)
        return series - math.fsum(1 / (x + i) for i in range(500))
    s, tail = order + 1, x + 2000
    total = math.fsum((x + i) ** -s for i in range(2000)) + tail ** (1 - s) / (s - 1) + tail**-s / 2
    return (-1) ** s * math.factorial(order) * (total + s * tail ** (-s - 1) / 12)


SPECS = [
    OpSpec("erf", reference.erf, integers="float"),
    OpSpec("erfc", _each(math.erfc), integers="float"),
    OpSpec("erfinv", _each(_erfinv), inputs=(draws.fraction,), integers="", extremes=False),
    OpSpec("lgamma", _each(_lgamma), inputs=(draws.positive,), integers="float", extremes=False),
    OpSpec("digamma", _each(lambda x: _difference(x, 0)), inputs=(draws.positive,), integers="", extremes=False),
    OpSpec(
        "polygamma",
        lambda x, n: _each(lambda each: _difference(each, n))(x),
        inputs=(draws.positive,),
        integers="",
        extremes=False,
        params=drawn(n=(1, 2, 3)),
        call=lambda x, n: torch.polygamma(n, x),
        steps=64,
    ),
]
