"""Axes read at other places: each element of the result is a weighed sum of a few elements along one axis.

Which elements, and their weights, is a `Table`, so that interpolation by any method and its adjoint are one loop.
Several axes are read one after the other, plane by plane, so that what is between stays in the cache: the scratch
memory of a thread is twice the largest plane that is between.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import math
from typing import NamedTuple

import numpy as np

from ._jit import inlined, kernel
from ._launch import launch
from ._layout import deliver, destination, plain
from ._rows import weighed_rows
from ._threads import pool_for, spread
from .simd import address, array_at, keep

PART = 1 << 14  # elements of the result that a thread computes at a time


class Table(NamedTuple):
    """The entries from first[i] to first[i + 1] are the places that element i of the result adds up, and weights."""

    size: int  # of the axis that is read
    count: int  # of elements of the result
    first: np.ndarray
    places: np.ndarray
    weights: np.ndarray


def table(size, taps) -> Table:
    """The table of a result to which each tap adds one element; a tap is the places and the weights, or None for 1."""
    count = len(taps[0][0])
    places = np.stack([each for each, _ in taps], 1)
    weights = np.stack([np.ones(count) if each is None else each for _, each in taps], 1)
    return Table(size, count, np.arange(count + 1) * len(taps), places.ravel(), weights.ravel())


def adjoint(forward: Table) -> Table:
    """The table by which each element that is read gets back from all that it was read for."""
    order = np.argsort(forward.places, kind="stable")
    readers = np.repeat(np.arange(forward.count), np.diff(forward.first))
    first = np.searchsorted(forward.places[order], np.arange(forward.size + 1))
    return Table(forward.count, forward.size, first, readers[order], forward.weights[order])


class Plan(NamedTuple):
    """In which order the axes of planes are read, and their tables; made by `plan`."""

    sizes: tuple[int, ...]
    counts: tuple[int, ...]
    numbers: np.ndarray  # for the compiled loops: see below
    weights: np.ndarray


def plan(tables, dtype) -> Plan:
    """The plan of reading the last axes by these tables, one for each.

    What makes planes smaller comes first; and the last axis, which takes the longest, where there are fewer rows.
    """
    sizes, counts = tuple(each.size for each in tables), tuple(each.count for each in tables)
    grows = math.prod(counts) >= math.prod(sizes)
    order = sorted(range(len(tables)), key=lambda axis: (counts[axis] / sizes[axis], -axis if grows else axis))
    now, between = list(sizes), []
    header, entries = 4 + 6 * len(tables), []
    steps, weights = [], []
    for axis in order:
        one = tables[axis]
        places, offset = header + sum(map(len, entries)), sum(map(len, weights))
        steps += [math.prod(now[:axis]), one.size, one.count, math.prod(now[axis + 1 :]), places, offset]
        entries += [one.first, one.places]
        weights.append(one.weights)
        now[axis] = one.count
        between.append(math.prod(now))
    start = [len(tables), math.prod(sizes), math.prod(counts), max(between[:-1], default=0)]
    numbers = np.concatenate([start, steps, *entries]).astype(np.int64)
    return Plan(sizes, counts, numbers, np.concatenate(weights).astype(dtype))


def read(x, by, *, out=None):
    """The last axes of x, read by the plan ``by``.  (N, C, *sizes) -> (N, C, *counts)."""
    if x.shape[2:] != by.sizes:
        raise ValueError(f"expected an array of shape (N, C, {', '.join(map(str, by.sizes))}), got {x.shape}")
    x = plain(x)
    result = destination(out, x.shape[:2] + by.counts, x.dtype)
    if result.size:
        launch(_read, pool_for(x.size + result.size), x.ravel(), by.numbers, by.weights, result.ravel())
    return deliver(result, out)


# ---------------------------------------------------------------------------------------------------------------
# The compiled loops, over flat arrays.
#
# A plan's numbers: how many axes are read, how many elements a plane has before, after, and at most between; then for
# each axis in the order of reading (outer, size, count, inner), the plane seen as three axes of which the middle one is
# read, and where its entries and their weights are; then of each table where the entries of each element begin, and the
# places.

_AXES, _BEFORE, _AFTER, _BETWEEN = range(4)
_STEPS, _OF_A_STEP = 4, 6


@kernel
def _read(pool, x, numbers, weights, out):
    together = max(1, PART // numbers[_AFTER])
    parts = (out.size // numbers[_AFTER] + together - 1) // together
    spread(pool, _read_part, parts, (x, numbers, weights, out, together))


@inlined
def _read_part(part, x, numbers, weights, out, together):
    like, item = x.dtype.type(0), x.itemsize
    scratch = np.empty(2 * numbers[_BETWEEN], x.dtype)
    planes = out.size // numbers[_AFTER]
    for plane in range(part * together, min((part + 1) * together, planes)):
        source = address(x) + plane * numbers[_BEFORE] * item
        for i in range(numbers[_AXES]):
            target = address(scratch) + i % 2 * numbers[_BETWEEN] * item
            if i == numbers[_AXES] - 1:
                target = address(out) + plane * numbers[_AFTER] * item
            _read_axis(like, source, numbers, _STEPS + i * _OF_A_STEP, weights, target)
            source = target
    keep(scratch)


@inlined
def _read_axis(like, source, numbers, step, weights, target):
    """Read one axis of a plane."""
    outer, size, count, inner = numbers[step], numbers[step + 1], numbers[step + 2], numbers[step + 3]
    first, offset = numbers[step + 4], numbers[step + 5]
    places, item = first + count + 1, weights.itemsize
    for i in range(outer):
        x = source + i * size * inner * item
        result = target + i * count * inner * item
        if inner == 1:
            _read_row(array_at(x, size, weights), numbers, first, weights, offset, array_at(result, count, weights))
        else:
            for k in range(count):
                entry, end = numbers[first + k], numbers[first + k + 1]
                chosen = address(numbers) + (places + entry) * 8, address(weights) + (offset + entry) * item
                weighed_rows(like, x, inner, chosen, end - entry, result + k * inner * item)


@inlined
def _read_row(x, numbers, first, weights, offset, out):
    """Read the last axis in one row."""
    places = first + out.size + 1
    for k in range(out.size):
        total = x.dtype.type(0)
        for entry in range(numbers[first + k], numbers[first + k + 1]):
            total += weights[np.uint64(offset + entry)] * x[np.uint64(numbers[np.uint64(places + entry)])]
        out[k] = total
