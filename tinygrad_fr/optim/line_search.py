"""How far to go in a direction, so that both Wolfe conditions hold.

Source: Nocedal and Wright, Numerical Optimization, 2006, algorithms 3.5 and 3.6; the limits of the steps are those of
Schmidt's minFunc, 2005, as in PyTorch.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

FALL, FLATTENING = 1e-4, 0.9  # how much of the first slope the loss must fall by, and how much of it may be left


class Point(NamedTuple):
    """A place on the line: how far it is, the loss, the gradient (n,), and the slope along the line."""

    t: float
    loss: float
    gradient: np.ndarray
    slope: float


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, t: float, length: float, tolerance: float, most: int
) -> tuple[Point, int]:
    """The point to go to, and how often ``evaluate`` was called, at most ``most`` times and once.

    ``t``: where to look first; ``length``: the largest change of a parameter at t = 1, which ends the search where it
    falls below ``tolerance``.
    """
    before, here = start, evaluate(t)
    for count in range(most):
        if _is_high(here, start) or (count > 1 and here.loss >= before.loss):
            break
        if _is_flat(here, start):
            return here, count + 1
        if here.slope >= 0:
            break
        t = _minimum_of_cubic(before, here, here.t + 0.01 * (here.t - before.t), here.t * 10)
        before, here = here, evaluate(t)
    else:
        return min(start, here, key=_loss), most + 1
    return _within(evaluate, start, [before, here], length, tolerance, most, count)


def _within(
    evaluate: Callable[[float], Point],
    start: Point,
    bracket: list[Point],
    length: float,
    tolerance: float,
    most: int,
    count: int,
) -> tuple[Point, int]:
    """The same, where a good point lies between the two of the bracket; ``count`` were looked for before."""
    low = _lower(bracket)
    stalls = False
    while count < most and abs(bracket[1].t - bracket[0].t) * length >= tolerance:
        left, right = sorted(each.t for each in bracket)
        t, margin = _minimum_of_cubic(bracket[0], bracket[1], left, right), 0.1 * (right - left)
        is_close = min(right - t, t - left) < margin
        if is_close and (stalls or not left < t < right):
            t = right - margin if abs(t - right) < abs(t - left) else left + margin
            is_close = False
        stalls = is_close
        here = evaluate(t)
        count += 1
        if _is_high(here, start) or here.loss >= bracket[low].loss:
            bracket[1 - low] = here
            low = _lower(bracket)
            continue
        if _is_flat(here, start):
            return here, count + 1
        if here.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = here
    return bracket[low], count + 1


def _loss(point: Point) -> float:
    return point.loss


def _lower(bracket: list[Point]) -> int:
    return 0 if bracket[0].loss <= bracket[1].loss else 1


def _is_high(point: Point, start: Point) -> bool:
    return point.loss > start.loss + FALL * point.t * start.slope


def _is_flat(point: Point, start: Point) -> bool:
    return abs(point.slope) <= -FLATTENING * start.slope


def _minimum_of_cubic(one: Point, other: Point, least: float, most: float) -> float:
    """Where the cubic through two points with their slopes is least, within limits; the middle where it is nowhere."""
    left, right = sorted((one, other), key=lambda point: point.t)
    d1 = left.slope + right.slope - 3 * (left.loss - right.loss) / (left.t - right.t)
    square = d1**2 - left.slope * right.slope
    if not square >= 0:
        return (least + most) / 2
    d2 = np.sqrt(square)
    place = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2))
    return min(max(place, least), most)
