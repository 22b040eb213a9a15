"""Print the coefficients of the float32 polynomials of `tinygrad_fr.kernels.vecmath`, as far as they are found here.

    python -m tools.minimax

A polynomial of least greatest weighted error is found by Lawson's algorithm, in float64: least squares again and again,
each time with more attention to where the error was great. Unlike Remez's exchange it also serves where some of the
coefficients are settled. They are rounded to float32 one after the other, from the lowest, and those that are left are
fitted anew to what is wrong.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.polynomial import Chebyshev, Polynomial, chebyshev

POINTS = 1001  # at which the error is looked at
ROUNDS = 200

Function = Callable[[np.ndarray], np.ndarray]


class Wanted(NamedTuple):
    """A function to be approximated between two bounds by powers of x from ``lowest`` to ``highest``."""

    function: Function
    weight: Function  # of its error
    low: float
    high: float
    lowest: int
    highest: int
    known: tuple[float, ...] = ()  # the first coefficients, where they are settled


def fitted(wanted: Wanted) -> tuple[tuple[float, ...], float]:
    """The coefficients as float32 numbers, and the greatest weighted error that they leave."""
    known = wanted.known
    while wanted.lowest + len(known) <= wanted.highest:
        rest = _minimax(wanted._replace(known=known))
        known = (*known, float(np.float32(rest[0])))
    x = _points(wanted)
    return known, float(np.max(np.abs(_error(wanted, x, known))))


def _minimax(wanted: Wanted) -> np.ndarray:
    """The coefficients after the known ones that make the greatest weighted error least."""
    x = _points(wanted)
    weight, error = wanted.weight(x), _error(wanted, x, wanted.known)
    first = wanted.lowest + len(wanted.known)
    count = wanted.highest - first + 1
    scaled = (2 * x - wanted.low - wanted.high) / (wanted.high - wanted.low)
    basis = chebyshev.chebvander(scaled, count - 1) * (weight * x**first)[:, None]
    attention, best = np.ones(POINTS), (np.inf, np.zeros(count))
    for _ in range(ROUNDS):
        root = np.sqrt(attention / attention.sum())
        solution = np.linalg.lstsq(basis * root[:, None], error * root, rcond=None)[0]
        left = np.abs(error - basis @ solution)
        best = min(best, (left.max(), solution), key=lambda each: each[0])
        attention *= left / left.max()
    series = Chebyshev(best[1], domain=[wanted.low, wanted.high])
    return series.convert(kind=Polynomial, domain=[-1, 1], window=[-1, 1]).coef


def _points(wanted: Wanted) -> np.ndarray:
    return (wanted.low + wanted.high) / 2 - (wanted.high - wanted.low) / 2 * np.cos(np.linspace(0, np.pi, POINTS))


def _error(wanted: Wanted, x: np.ndarray, coefficients: tuple[float, ...]) -> np.ndarray:
    """The weighted error of a polynomial at x."""
    value = sum((c * x ** (wanted.lowest + i) for i, c in enumerate(coefficients)), np.zeros_like(x))
    return wanted.weight(x) * (wanted.function(x) - value)


# ---------------------------------------------------------------------------------------------------------------
# The functions, by the names of their coefficients in vecmath.


def _tail(t: np.ndarray) -> np.ndarray:
    """The probability that a standard normal number is above t."""
    return 0.5 * np.array([math.erfc(each / math.sqrt(2)) for each in t])


def _bell(t: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * t * t)


def _beyond_first_term(f: np.ndarray) -> np.ndarray:
    """(log(1 + f) - f) / f^2, near 0 by its series."""
    far = np.where(np.abs(f) < 0.05, 0.05, f)
    series = sum((-f) ** k / (k + 2) for k in range(12))
    return np.where(np.abs(f) < 0.05, -series, (np.log1p(far) - far) / far**2)


def _relative_to_log1p(f: np.ndarray) -> np.ndarray:
    return np.abs(f) / (1 + f * _beyond_first_term(f))


WANTED = {
    # relative
    "_L32": Wanted(_beyond_first_term, _relative_to_log1p, math.sqrt(0.5) - 1, math.sqrt(2) - 1, 0, 7, known=(-0.5,)),
    "_POWER32": Wanted(np.exp2, lambda r: np.exp2(-r), -0.5, 0.5, 0, 5, known=(1.0,)),
    # absolute, of the probability and of t times it
    "_TAIL32": Wanted(
        lambda t: np.log2(_tail(t)), lambda t: (1 + t) * _tail(t) * math.log(2), 0.0, 5.6, 0, 8, known=(-1.0,)
    ),
    "_MILLS32": Wanted(lambda t: _tail(t) / _bell(t), lambda t: (1 + t) * _bell(t), 0.0, 5.6, 0, 10, known=(0.5,)),
    # absolute
    "_LOG1P32": Wanted(np.log1p, np.ones_like, 0.0, 1.0, 1, 9, known=(1.0,)),
}


def main() -> None:
    """Print every tuple of coefficients, with the error it leaves."""
    for name, wanted in WANTED.items():
        coefficients, error = fitted(wanted)
        print(f"{name} = _singles(  # within {error:.1e}")
        print("".join(f"    {coefficient!r},\n" for coefficient in coefficients) + ")")


if __name__ == "__main__":
    main()
