"""Pooling: the largest element of each window over the last axes, the sum or mean of them, and the gradients.

Arrays are seen as planes of three axes, of which those missing in front have size 1. A `Plan` says what the windows see
along each axis. First the rows that a window sees are reduced to one, whole rows at a time, then its columns.

Threads share the planes in parts whose number depends on shapes alone. Each has scratch memory of some rows: `BLOCK`
elements and places, or those of one row where that is longer.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from ._jit import inlined, kernel, merged
from ._launch import launch
from ._layout import deliver, destination, plain
from ._rows import (
    NOWHERE,
    SLACK,
    add_to_rows,
    largest_of_columns,
    largest_of_every_other_column,
    largest_of_rows,
    sum_columns,
    sum_every_other_column,
    sum_rows,
)
from ._threads import pool_for, spread
from .simd import address, array_at, keep

INT32 = np.dtype(np.int32)

# ---------------------------------------------------------------------------------------------------------------
# What windows see.


class Plan(NamedTuple):
    """What windows see of each plane; made by `moving` or `dividing`."""

    sizes: tuple[int, ...]  # of a plane
    counts: tuple[int, ...]  # of windows along each axis
    numbers: np.ndarray  # the same for the compiled loops: see below


class _Axis(NamedTuple):
    """What ``count`` windows see of an axis of ``size``: elements first, first + step ... within it, as many as seen.

    ``stride`` from window to window, 0 where that varies, ``taps`` of each window, of which the first window has some
    before the axis.
    """

    size: int
    count: int
    first: np.ndarray
    seen: np.ndarray
    step: int = 1
    stride: int = 0
    taps: int = 0
    before: int = 0


@functools.lru_cache(maxsize=256)
def moving(sizes, kernel, stride, before, dilation, counts) -> Plan:
    """The plan of windows that move by ``stride``, from ``before`` elements before each axis on."""
    return _plan([_moving(*each) for each in zip(sizes, kernel, stride, before, dilation, counts, strict=True)])


@functools.lru_cache(maxsize=256)
def dividing(sizes, counts) -> Plan:
    """The plan of windows that divide each axis as evenly as can be; they may overlap by an element."""
    return _plan([_dividing(*each) for each in zip(sizes, counts, strict=True)])


def _moving(size, kernel, stride, before, dilation, count):
    starts = np.arange(count) * stride - before
    skipped = np.maximum(0, -(starts // dilation))
    stop = np.minimum(kernel, -((starts - size) // dilation))
    seen = np.maximum(0, stop - skipped)
    first = np.where(seen > 0, starts + skipped * dilation, 0)
    return _Axis(size, count, first, seen, dilation, stride, kernel, before)


def _dividing(size, count):
    if count and size % count == 0:
        return _moving(size, size // count, size // count, 0, 1, count)
    numbers = np.arange(count)
    first = numbers * size // max(count, 1)
    return _Axis(size, count, first, -(-(numbers + 1) * size // max(count, 1)) - first)


def _plan(axes):
    sizes, counts = tuple(axis.size for axis in axes), tuple(axis.count for axis in axes)
    if math.prod(sizes) >= NOWHERE:
        raise NotImplementedError(f"expected planes of less than {NOWHERE} elements to pool, got {list(sizes)}")
    axes = [_dividing(1, 1)] * (3 - len(axes)) + list(axes)
    last = axes[-1]
    stride = last.stride if last.stride in _IN_VECTORS else 0
    reach = (last.count - 1) * stride + (last.taps - 1) * last.step + 1 - last.before if stride else 0
    span = last.before + max(last.size, reach)
    tiles = last.size == last.count * stride == span and (last.taps - 1) * last.step < stride
    header = [
        *[number for axis in axes for number in (axis.size, axis.count, axis.step)],
        *(stride, last.taps, last.before, span, tiles),
    ]
    tables = [table for axis in axes for table in (axis.first, axis.seen)]
    return Plan(sizes, counts, np.concatenate([header, *tables]).astype(np.int64))


# ---------------------------------------------------------------------------------------------------------------
# The functions.


def largest(x, plan, *, out=None):
    """The largest element in each window, and the code of its place.  (N, C, *sizes) -> (N, C, *counts), and int32.

    NaN is the largest, the last of several; else it is the first of equal ones. The code is the place in the plane, or
    its complement (less than 0) where the element is not positive; NOWHERE or more where the window sees nothing.
    ``out`` is the pair of arrays to write to.
    """
    x = _planes(x, plan.sizes)
    shape = x.shape[:2] + plan.counts
    out_largest, out_codes = (None, None) if out is None else out
    result, codes = destination(out_largest, shape, x.dtype), destination(out_codes, shape, INT32, "codes")
    if result.size:
        launch(_largest, pool_for(x.size), x.ravel(), plan.numbers, result.ravel(), codes.ravel())
    return (result, codes) if out is None else (deliver(result, out_largest), deliver(codes, out_codes))


def places(codes):
    """The places that the codes of `largest` stand for.  int32 -> int64."""
    return np.where(codes < 0, ~codes, codes).astype(np.int64)


def largest_backward(g, codes, plan, *, positive=False, out=None):
    """The gradient of `largest`: zeros to which g is added at the places.  (N, C, *counts) -> (N, C, *sizes).

    With ``positive`` only where the largest element was positive: the gradient for what a relu before took.
    """
    g = _planes(g, plan.counts)
    result = destination(out, g.shape[:2] + plan.sizes, g.dtype)
    if result.size:
        launch(
            _add_at,
            pool_for(result.size),
            g.ravel(),
            codes.ravel(),
            math.prod(plan.sizes),
            int(positive),
            result.ravel(),
        )
    return deliver(result, out)


def take(x, codes, plan, *, out=None):
    """The elements at the places of `largest`, 0 for nowhere.  (N, C, *sizes) -> (N, C, *counts)."""
    x = _planes(x, plan.sizes)
    result = destination(out, x.shape[:2] + plan.counts, x.dtype)
    if result.size:
        launch(_take, pool_for(result.size), x.ravel(), codes.ravel(), math.prod(plan.sizes), result.ravel())
    return deliver(result, out)


def window_sum(x, plan, divisors=None, *, out=None):
    """The sum of what each window sees, perhaps over a divisor.  (N, C, *sizes), (*counts) -> (N, C, *counts)."""
    x = _planes(x, plan.sizes)
    result = destination(out, x.shape[:2] + plan.counts, x.dtype)
    if result.size:
        divisors = _NONE[x.dtype] if divisors is None else divisors.ravel()
        launch(_sum, pool_for(x.size), x.ravel(), plan.numbers, divisors, result.ravel())
    return deliver(result, out)


def window_spread(x, plan, divisors=None, *, out=None):
    """Each element, perhaps over a divisor, added to all its window sees.  (N, C, *counts) -> (N, C, *sizes)."""
    x = _planes(x, plan.counts)
    result = destination(out, x.shape[:2] + plan.sizes, x.dtype)
    if result.size:
        divisors = _NONE[x.dtype] if divisors is None else divisors.ravel()
        launch(_spread, pool_for(result.size), x.ravel(), plan.numbers, divisors, result.ravel())
    return deliver(result, out)


def _planes(x, sizes):
    """x as a plain array, whose planes must have these sizes."""
    if x.shape[2:] != sizes:
        raise ValueError(f"expected an array of shape (N, C, {', '.join(map(str, sizes))}), got {x.shape}")
    return plain(x)


_NONE: Any = {np.dtype(kind): np.zeros(0, kind) for kind in (np.float32, np.float64)}

# ---------------------------------------------------------------------------------------------------------------
# The compiled loops, over flat arrays.
#
# A plan's numbers: of each axis its size, how many windows and the step between the elements that one sees; of the last
# axis the stride (0: the tables alone say where windows begin), how many elements a window sees, those of the padding
# among them, how many lie before the axis, the length with the padding, and whether the windows divide it evenly; then
# of each axis two tables, with the first element that each window sees and how many.

_IN_VECTORS = (1, 2)  # strides along the last axis
_STRIDE, _TAPS, _BEFORE, _SPAN, _TILES = range(9, 14)
_TABLES = 14

PART = 1 << 14  # elements of the planes that a thread takes at a time
BLOCK = 1 << 12  # elements of rows whose columns are reduced together


@inlined
def _parts(planes, size):
    together = max(1, PART // size)
    return (planes + together - 1) // together


@inlined
def _part_of(part, planes, size):
    """The first plane of a part, and the end."""
    together = max(1, PART // size)
    return part * together, min((part + 1) * together, planes)


@inlined
def _in_a_plane(plan):
    """How many elements, and how many windows."""
    return plan[0] * plan[3] * plan[6], plan[1] * plan[4] * plan[7]


@inlined
def _rows_of_a_block(plan):
    return min(plan[1] * plan[4], max(1, BLOCK // plan[_SPAN]))


@inlined
def _tables(plan):
    """Where in a plan the tables of each axis are."""
    second = _TABLES + 2 * plan[1]
    return _TABLES, second, second + 2 * plan[4]


@inlined
def _rows_seen(plan, row):
    """The first element of the rows that a row of windows sees; how many along two axes, and the steps between them."""
    first, second, _ = _tables(plan)
    outer, inner = first + row // plan[4], second + row % plan[4]
    start = (plan[outer] * plan[3] + plan[inner]) * plan[6]
    steps = plan[2] * plan[3] * plan[6], plan[5] * plan[6]
    return start, (plan[outer + plan[1]], steps[0], plan[inner + plan[4]], steps[1])


@merged
def _lent(x):
    """x without the count of its users, which threads would have to change together again and again."""
    return array_at(address(x), x.size, x)


@inlined
def _like(x):
    return x.dtype.type(0)


@inlined
def _sees_nothing(rows):
    return rows[0] * rows[2] == 0


# --- the largest ---------------------------------------------------------------------------------------------------


@kernel
def _largest(pool, x, plan, out, codes):
    size, _ = _in_a_plane(plan)
    spread(pool, _largest_part, _parts(x.size // size, size), (x, plan, out, codes))


@inlined
def _largest_part(part, x, plan, out, codes):
    size, windows = _in_a_plane(plan)
    rows, columns, span = plan[1] * plan[4], plan[7], plan[_SPAN]
    block = _rows_of_a_block(plan)
    scratch = np.full(block * span + SLACK, -np.inf, x.dtype), np.full(block * span + SLACK, NOWHERE, np.int32)
    numbers, places, x, plan, out, codes = (
        _lent(scratch[0]),
        _lent(scratch[1]),
        _lent(x),
        _lent(plan),
        _lent(out),
        _lent(codes),
    )
    first, last = _part_of(part, x.size // size, size)
    for plane in range(first, last):
        for row in range(0, rows, block):
            several = min(block, rows - row)
            for i in range(several):
                _largest_of_rows(x, plane * size, plan, row + i, numbers, places, i * span + plan[_BEFORE])
            to = plane * windows + row * columns
            if plan[_TILES]:
                _largest_of_columns(numbers, places, 0, plan, several * columns, out, codes, to)
            else:
                for i in range(several):
                    _largest_of_columns(numbers, places, i * span, plan, columns, out, codes, to + i * columns)
    keep(scratch)


@inlined
def _largest_of_rows(x, plane, plan, row, numbers, places, at):
    """The largest in each column of the rows that a row of windows sees, and its place."""
    start, rows = _rows_seen(plan, row)
    if _sees_nothing(rows):
        numbers[at : at + plan[6]] = -np.inf
        places[at : at + plan[6]] = NOWHERE
    else:
        found = address(numbers), address(places)
        largest_of_rows(_like(x), address(x), plane + start, start, rows, plan[6], found, at)


@inlined
def _largest_of_columns(numbers, places, start, plan, count, out, codes, to):
    """The largest that each of ``count`` windows sees in a row, and the code of its place."""
    found, results = (address(numbers), address(places)), (address(out), address(codes))
    if plan[_STRIDE] == 1:
        largest_of_columns(_like(out), found, start, plan[_TAPS], plan[8], count, results, to)
    elif plan[_STRIDE] == 2:
        largest_of_every_other_column(_like(out), found, start, plan[_TAPS], plan[8], count, results, to)
    else:
        _largest_by_tables(numbers, places, start + plan[_BEFORE], plan, out, codes, to)


@inlined
def _largest_by_tables(numbers, places, start, plan, out, codes, to):
    """The same where the windows begin anywhere."""
    _, _, table = _tables(plan)
    for k in range(plan[7]):
        best, place = numbers.dtype.type(-np.inf), np.int32(NOWHERE)
        first = start + plan[table + k]
        for tap in range(plan[table + plan[7] + k]):
            j = np.uint64(first + tap * plan[8])
            if _is_larger(numbers[j], places[j], best, place):
                best, place = numbers[j], places[j]
        out[to + k] = best
        codes[to + k] = ~place if best <= 0 else place


@inlined
def _is_larger(x, place, best, best_place):
    """Whether x is the largest so far: of equal ones the first, of NaN the last."""
    if x != x:
        return best == best or place > best_place
    return x > best or (x == best and place < best_place)


@kernel
def _add_at(pool, g, codes, size, positive, out):
    spread(pool, _add_part, _parts(out.size // size, size), (g, codes, size, positive, out))


@inlined
def _add_part(part, g, codes, size, positive, out):
    planes = out.size // size
    windows = g.size // planes
    first, last = _part_of(part, planes, size)
    for plane in range(first, last):
        start = np.uint64(plane * size)
        out[start : start + np.uint64(size)] = 0
        for k in range(np.uint64(plane * windows), np.uint64((plane + 1) * windows)):
            place = codes[k] if positive else _place_of(codes[k])
            if 0 <= place < size:
                out[start + np.uint64(place)] += g[k]


@inlined
def _place_of(code):
    return ~code if code < 0 else code


@kernel
def _take(pool, x, codes, size, out):
    spread(pool, _take_part, _parts(x.size // size, size), (x, codes, size, out))


@inlined
def _take_part(part, x, codes, size, out):
    planes = x.size // size
    windows = out.size // planes
    first, last = _part_of(part, planes, size)
    for plane in range(first, last):
        for k in range(np.uint64(plane * windows), np.uint64((plane + 1) * windows)):
            place = _place_of(codes[k])
            out[k] = x[np.uint64(plane * size + place)] if place < size else 0


# --- sums ----------------------------------------------------------------------------------------------------------


@kernel
def _sum(pool, x, plan, divisors, out):
    size, _ = _in_a_plane(plan)
    spread(pool, _sum_part, _parts(x.size // size, size), (x, plan, divisors, out))


@inlined
def _sum_part(part, x, plan, divisors, out):
    size, windows = _in_a_plane(plan)
    rows, columns, span = plan[1] * plan[4], plan[7], plan[_SPAN]
    block = _rows_of_a_block(plan)
    scratch = np.zeros(block * span + SLACK, x.dtype)
    sums, x, plan, divisors, out = _lent(scratch), _lent(x), _lent(plan), _lent(divisors), _lent(out)
    first, last = _part_of(part, x.size // size, size)
    for plane in range(first, last):
        for row in range(0, rows, block):
            several = min(block, rows - row)
            for i in range(several):
                _sum_of_rows(x, plane * size, plan, row + i, sums, i * span + plan[_BEFORE])
            to = plane * windows + row * columns
            if plan[_TILES]:
                _sum_of_columns(sums, 0, plan, several * columns, out, to)
            else:
                for i in range(several):
                    _sum_of_columns(sums, i * span, plan, columns, out, to + i * columns)
            _divide(out, to, several * columns, divisors, row * columns, out, to)
    keep(scratch)


@inlined
def _sum_of_rows(x, plane, plan, row, sums, at):
    """The sum of each column of the rows that a row of windows sees."""
    start, rows = _rows_seen(plan, row)
    if _sees_nothing(rows):
        sums[at : at + plan[6]] = 0
    else:
        sum_rows(_like(x), address(x), plane + start, start, rows, plan[6], (address(sums),), at)


@inlined
def _sum_of_columns(sums, start, plan, count, out, to):
    """The sum of what each of ``count`` windows sees of a row."""
    found, results = (address(sums),), (address(out),)
    if plan[_STRIDE] == 1:
        sum_columns(_like(out), found, start, plan[_TAPS], plan[8], count, results, to)
    elif plan[_STRIDE] == 2:
        sum_every_other_column(_like(out), found, start, plan[_TAPS], plan[8], count, results, to)
    else:
        _sum_by_tables(sums, start + plan[_BEFORE], plan, out, to)


@inlined
def _sum_by_tables(sums, start, plan, out, to):
    """The same where the windows begin anywhere."""
    _, _, table = _tables(plan)
    for k in range(plan[7]):
        total = sums.dtype.type(0)
        first = start + plan[table + k]
        for tap in range(plan[table + plan[7] + k]):
            total += sums[np.uint64(first + tap * plan[8])]
        out[to + k] = total


@inlined
def _divide(x, of, count, divisors, window, out, to):
    """x over the divisors of these windows, if there are any."""
    first, divisor, target = np.uint64(of), np.uint64(window), np.uint64(to)
    if divisors.size:
        for k in range(np.uint64(count)):
            out[target + k] = x[first + k] / divisors[divisor + k]


# --- their adjoint -------------------------------------------------------------------------------------------------


@kernel
def _spread(pool, x, plan, divisors, out):
    size, _ = _in_a_plane(plan)
    spread(pool, _spread_part, _parts(out.size // size, size), (x, plan, divisors, out))


@inlined
def _spread_part(part, x, plan, divisors, out):
    size, windows = _in_a_plane(plan)
    rows, columns = plan[1] * plan[4], plan[7]
    block = _rows_of_a_block(plan)
    scratch = np.empty(block * columns, x.dtype), np.empty(plan[_SPAN] + SLACK, x.dtype)
    scaled, laid, x, plan, divisors, out = (
        _lent(scratch[0]),
        _lent(scratch[1]),
        _lent(x),
        _lent(plan),
        _lent(divisors),
        _lent(out),
    )
    first, last = _part_of(part, out.size // size, size)
    for plane in range(first, last):
        out[plane * size : (plane + 1) * size] = 0
        for row in range(0, rows, block):
            several = min(block, rows - row)
            of = plane * windows + row * columns
            _divide(x, of, several * columns, divisors, row * columns, scaled, 0)
            for i in range(several):
                if divisors.size:
                    _spread_columns(scaled, i * columns, plan, laid)
                else:
                    _spread_columns(x, of + i * columns, plan, laid)
                start, seen = _rows_seen(plan, row + i)
                add_to_rows(_like(x), address(laid), plan[_BEFORE], plan[6], address(out), plane * size + start, seen)
    keep(scratch)


@inlined
def _spread_columns(x, of, plan, laid):
    """Each element of a row of windows added to the columns that its window sees."""
    _, _, table = _tables(plan)
    laid[:] = 0
    for k in range(plan[7]):
        first = plan[_BEFORE] + plan[table + k]
        for tap in range(plan[table + plan[7] + k]):
            laid[np.uint64(first + tap * plan[8])] += x[of + k]
