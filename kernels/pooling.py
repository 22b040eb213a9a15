"""Pooling: the largest element of each window over the last axes, the sum or mean of them, and the gradients.

Arrays are seen as planes of three axes, of which those missing in front have size 1. A `Plan` says what the windows see
along each axis. First the rows that a window sees are reduced to one, whole rows at a time, then its columns.

Threads share the planes in parts whose number depends on shapes alone. Each has scratch memory of some rows: `BLOCK`
elements and their places, or one row where that is longer.
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
    STRIDES,
    add_to_rows,
    largest_of_columns,
    largest_of_rows,
    sum_columns,
    sum_rows,
)
from ._threads import pool_for, spread
from .simd import address

INT32 = np.dtype(np.int32)

# ---------------------------------------------------------------------------------------------------------------
# What windows see.


class Plan(NamedTuple):
    """What windows see of each plane; made by `moving` or `dividing`."""

    sizes: tuple[int, ...]  # of a plane
    counts: tuple[int, ...]  # of windows along each axis
    axes: tuple["Axis", ...]
    numbers: np.ndarray  # the same for the compiled loops: see below


class Axis(NamedTuple):
    """What ``count`` windows see of an axis of ``size``: the elements first, first + step ..., as many as seen."""

    size: int
    count: int
    first: np.ndarray
    seen: np.ndarray
    step: int = 1
    # Where windows move evenly: from one to the next; how many elements each sees, outside the axis, too; and how many
    # the first one sees before it.
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
    return Axis(size, count, first, seen, dilation, stride, kernel, before)


def _dividing(size, count):
    if count and size % count == 0:
        return _moving(size, size // count, size // count, 0, 1, count)
    numbers = np.arange(count)
    first = numbers * size // max(count, 1)
    return Axis(size, count, first, -(-(numbers + 1) * size // max(count, 1)) - first)


def _plan(axes):
    sizes, counts = tuple(axis.size for axis in axes), tuple(axis.count for axis in axes)
    if math.prod(sizes) >= NOWHERE:
        raise NotImplementedError(f"expected planes of less than {NOWHERE} elements to pool, got {list(sizes)}")
    outer, inner, last = [_dividing(1, 1)] * (3 - len(axes)) + axes
    reach = (last.count - 1) * last.stride + (last.taps - 1) * last.step + 1 - last.before if last.stride else 0
    span = last.before + max(last.size, reach)
    tiles = last.size == last.count * last.stride == span and (last.taps - 1) * last.step < last.stride <= STRIDES
    steps = outer.step * inner.size * last.size, inner.step * last.size
    starts = np.add.outer(outer.first * inner.size * last.size, inner.first * last.size)
    header = [math.prod(sizes), last.size, outer.count * inner.count, last.count, *steps]
    header += [last.stride, last.taps, last.step, last.before, span, tiles]
    rows = np.stack(np.broadcast_arrays(starts, outer.seen[:, None], inner.seen), 2)
    numbers = np.concatenate([header, last.first, last.seen, rows.ravel()])
    return Plan(sizes, counts, tuple(axes), numbers.astype(np.int64))


# ---------------------------------------------------------------------------------------------------------------
# The functions.


def largest(x, plan, *, out=None):
    """The largest element in each window, and the code of its place.  (N, C, *sizes) -> (N, C, *counts), and int32.

    NaN is the largest, the last of several; else it is the first of equal ones. The code is the place in the plane, or
    its complement (less than 0) where the element is not positive; the place is NOWHERE where the window sees nothing.
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
        given = g.ravel(), codes.ravel(), math.prod(plan.sizes), int(positive)
        launch(_add_at, pool_for(result.size), *given, result.ravel())
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
# A plan's numbers: how many elements a plane has, and a row of it; how many rows of windows there are, and windows in
# each; the steps between the rows that a window sees along two axes. Of the last axis: the stride, 0 where it varies,
# how many elements a window sees, those of the padding among them, the step between them, how many lie before the axis,
# the length with the padding, and whether the windows divide it evenly. Then three tables: the first element that each
# window of a row sees; how many; and for each row of windows the first element of the rows that it sees, and how many
# along two axes.

_SIZE, _WIDTH, _ROWS, _COLUMNS, _OUTER_STEP, _INNER_STEP, _STRIDE, _TAPS, _STEP, _BEFORE, _SPAN, _TILES = range(12)
_FIRST = 12

PART = 1 << 14  # elements of the planes that a thread takes at a time
BLOCK = 1 << 12  # elements of rows whose columns are reduced together
_FEW = 8  # columns that elements are spread over in vectors


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
def _clear(x, start, count):
    for k in range(np.uint64(start), np.uint64(start + count)):
        x[k] = 0


@inlined
def _rows_of_a_block(plan):
    return max(1, min(plan[_ROWS], BLOCK // plan[_SPAN]))


@merged
def _rows_seen(plan, row):
    """The first element of the rows that a row of windows sees; how many along two axes, and the steps between them."""
    place = _FIRST + 2 * plan[_COLUMNS] + 3 * row
    return plan[place], (plan[place + 1], plan[_OUTER_STEP], plan[place + 2], plan[_INNER_STEP])


@merged
def _strips(plan, rows):
    """As how many rows of how many windows some rows of windows are reduced: as one where nothing lies between them."""
    return (1, rows * plan[_COLUMNS]) if plan[_TILES] else (rows, plan[_COLUMNS])


# --- the largest ---------------------------------------------------------------------------------------------------


@kernel
def _largest(pool, x, plan, out, codes):
    size = plan[_SIZE]
    spread(pool, _largest_part, _parts(x.size // size, size), (x, plan, out, codes))


@inlined
def _largest_part(part, x, plan, out, codes):
    size, rows, columns, span = plan[_SIZE], plan[_ROWS], plan[_COLUMNS], plan[_SPAN]
    block = _rows_of_a_block(plan)
    numbers, places = np.full(block * span + SLACK, -np.inf, x.dtype), np.full(block * span + SLACK, NOWHERE, np.int32)
    like, source = x.dtype.type(0), address(x)
    found, results = (address(numbers), address(places)), (address(out), address(codes))
    first, last = _part_of(part, x.size // size, size)
    for plane in range(first, last):
        for row in range(0, rows, block):
            several = min(block, rows - row)
            for i in range(several):
                start, seen = _rows_seen(plan, row + i)
                at = i * span + plan[_BEFORE]
                largest_of_rows(like, source, plane * size + start, start, seen, plan[_WIDTH], found, at)
            strips, count = _strips(plan, several)
            for i in range(strips):
                start, to = i * span, (plane * rows + row) * columns + i * count
                if 0 < plan[_STRIDE] <= STRIDES:
                    columns_seen = plan[_TAPS], plan[_STEP], plan[_STRIDE]
                    largest_of_columns(like, found, start, *columns_seen, count, results, to)
                else:
                    _largest_by_tables(numbers, places, start + plan[_BEFORE], plan, out, codes, to)


@inlined
def _largest_by_tables(numbers, places, start, plan, out, codes, to):
    """The largest that each window sees in a row, and the code of its place, where the windows begin anywhere."""
    columns = plan[_COLUMNS]
    for k in range(columns):
        best, place = numbers.dtype.type(-np.inf), np.int32(NOWHERE)
        first = start + plan[_FIRST + k]
        for tap in range(plan[_FIRST + columns + k]):
            j = np.uint64(first + tap * plan[_STEP])
            if _is_larger(numbers[j], places[j], best, place):
                best, place = numbers[j], places[j]
        out[to + k] = best
        codes[to + k] = ~place if best <= 0 else place


@inlined
def _is_larger(x, place, best, best_place):
    """Whether x is the largest so far: of equal ones the first, of NaN the last."""
    first_of_equal = (x == best) & (place < best_place)
    last_of_nan = (x != x) & ((best == best) | (place > best_place))
    return (x > best) | first_of_equal | last_of_nan


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
        _clear(out, start, size)
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
    size = plan[_SIZE]
    spread(pool, _sum_part, _parts(x.size // size, size), (x, plan, divisors, out))


@inlined
def _sum_part(part, x, plan, divisors, out):
    size, rows, columns, span = plan[_SIZE], plan[_ROWS], plan[_COLUMNS], plan[_SPAN]
    block = _rows_of_a_block(plan)
    sums = np.zeros(block * span + SLACK, x.dtype)
    like, source, found, results = x.dtype.type(0), address(x), (address(sums),), (address(out),)
    first, last = _part_of(part, x.size // size, size)
    for plane in range(first, last):
        for row in range(0, rows, block):
            several = min(block, rows - row)
            for i in range(several):
                start, seen = _rows_seen(plan, row + i)
                at = i * span + plan[_BEFORE]
                sum_rows(like, source, plane * size + start, start, seen, plan[_WIDTH], found, at)
            strips, count = _strips(plan, several)
            block_start = (plane * rows + row) * columns
            for i in range(strips):
                start, to = i * span, block_start + i * count
                if 0 < plan[_STRIDE] <= STRIDES:
                    columns_seen = plan[_TAPS], plan[_STEP], plan[_STRIDE]
                    sum_columns(like, found, start, *columns_seen, count, results, to)
                else:
                    _sum_by_tables(sums, start + plan[_BEFORE], plan, out, to)
            if divisors.size:
                _divide(out, block_start, several * columns, divisors, row * columns, out, block_start)


@inlined
def _sum_by_tables(sums, start, plan, out, to):
    """The sum of what each window sees of a row, where the windows begin anywhere."""
    columns = plan[_COLUMNS]
    for k in range(columns):
        total = sums.dtype.type(0)
        first = start + plan[_FIRST + k]
        for tap in range(plan[_FIRST + columns + k]):
            total += sums[np.uint64(first + tap * plan[_STEP])]
        out[to + k] = total


@inlined
def _divide(x, of, count, divisors, window, out, to):
    """x over the divisors of these windows, if there are any."""
    first, divisor, target = np.uint64(of), np.uint64(window), np.uint64(to)
    if divisors.size:
        for k in range(np.uint64(count)):
            out[target + k] = x[first + k] / divisors[divisor + k]
    else:
        for k in range(np.uint64(count)):
            out[target + k] = x[first + k]


# --- their adjoint -------------------------------------------------------------------------------------------------


@kernel
def _spread(pool, x, plan, divisors, out):
    size = plan[_SIZE]
    spread(pool, _spread_part, _parts(out.size // size, size), (x, plan, divisors, out))


@inlined
def _spread_part(part, x, plan, divisors, out):
    size, rows, columns = plan[_SIZE], plan[_ROWS], plan[_COLUMNS]
    block = _rows_of_a_block(plan)
    scaled, laid = np.empty(block * columns, x.dtype), np.empty(plan[_SPAN] + SLACK, x.dtype)
    margin = (plan[_TAPS] - 1) * plan[_STEP]
    apart = np.zeros(margin + plan[_SPAN] + SLACK, x.dtype)
    like, source, target = x.dtype.type(0), address(laid), address(out)
    first, last = _part_of(part, out.size // size, size)
    for plane in range(first, last):
        _clear(out, plane * size, size)
        for row in range(0, rows, block):
            several = min(block, rows - row)
            of = (plane * rows + row) * columns
            _divide(x, of, several * columns, divisors, row * columns, scaled, 0)
            for i in range(several):
                if 0 < plan[_TAPS] <= _FEW:
                    for k in range(columns):
                        apart[margin + k * plan[_STRIDE]] = scaled[i * columns + k]
                    found, results = (address(apart),), (source,)
                    sum_columns(like, found, margin, plan[_TAPS], -plan[_STEP], 1, plan[_SPAN], results, 0)
                else:
                    _spread_by_tables(scaled, i * columns, plan, laid)
                start, seen = _rows_seen(plan, row + i)
                add_to_rows(like, source, plan[_BEFORE], plan[_WIDTH], target, plane * size + start, seen)


@inlined
def _spread_by_tables(x, of, plan, laid):
    """Each element of a row of windows added to the columns that its window sees, where they are many or anywhere."""
    columns = plan[_COLUMNS]
    _clear(laid, 0, laid.size)
    for k in range(columns):
        first = plan[_BEFORE] + plan[_FIRST + k]
        for tap in range(plan[_FIRST + columns + k]):
            laid[np.uint64(first + tap * plan[_STEP])] += x[of + k]
