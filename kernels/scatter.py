"""Adding to places of an array, in any order: what the gradient of taking elements from there is made of."""

from typing import Any

import numpy as np

from ._jit import inlined, kernel
from ._launch import FINE, checked
from ._layout import FLOAT32, FLOAT64, INT64, deliver, destination, plain
from ._threads import pool_for, spread
from .gather import complaint, numbers_of, two_axes

_PLAIN: Any = "CAW"  # NumPy's letters for contiguous, aligned, writable
_KINDS = (FLOAT32, FLOAT64, INT64)
_COLUMNS = 32  # that one thread adds up at a time: a line of the cache or more
_WORTH_IT = 1 << 13  # elements; parts are not smaller than that, where there are so many
_CLEARED = 1 << 16  # elements that one thread sets to 0 at a time


def add_at(out, places, g):
    """out[:, places[j]] += g[:, j], for each j; or for each element, out[a, places[a, j, b], b] += g[a, j, b].

    out: (A, N, B), which is changed; places: (n,) or (A, n, B) integers; g: (A, n, B). What meets in one place is added
    in the order of j. IndexError where a place is not from -N to N - 1.
    """
    places = np.require(places, INT64, _PLAIN)
    if out.flags.carray and out.dtype == g.dtype and out.dtype in _KINDS:
        arrays = out.reshape(-1), places.reshape(-1), np.require(g, out.dtype, _PLAIN).reshape(-1)
        if _add(pool_for(g.size), *arrays, out.shape[1], *g.shape[1:]):
            return
    np.add.at(out, _numpy_index(places), g)  # it knows other element types, and the error


def add_rows(g, index, size, *, padding_idx=None, by_frequency=False, out=None):
    """Zeros to whose rows those of g are added that ``index`` names: the gradient of a table for `gather.rows` of it.

    g: (*, D), index: (*) integers -> (size, D). What meets in a row is added in the order of ``index``; with
    ``by_frequency`` the row is divided by how much that is; the row ``padding_idx`` stays 0.
    IndexError where a number is not from 0 to size - 1.
    """
    g = plain(g, "g")
    width = g.shape[-1]
    result = destination(out, (size, width), g.dtype)
    padding = -1 if padding_idx is None else padding_idx
    arguments = g.reshape(-1), two_axes(index), result.reshape(-1), size, width, padding, int(by_frequency)
    checked(_add_rows, complaint(index, size), pool_for(g.size + result.size), *arguments)
    return deliver(result, out)


def _numpy_index(places) -> Any:
    if places.ndim == 1:
        return slice(None), places
    first, _, last = np.ogrid[tuple(map(slice, places.shape))]
    return first, places, last


@kernel
def _add(pool, out, places, g, size, count, inner):
    """Add ``count`` slices of g to some of ``size``; False, and nothing is added, where a place is not one of them.

    ``places`` are those of slices, or of elements.
    """
    wrong = False
    for i in range(places.size):
        wrong |= _from_front(places[i], size) >= np.uint64(size)
    if wrong:
        return False
    _add_checked(pool, out, places, g, size, count, inner)
    return True


@inlined
def _add_checked(pool, out, places, g, size, count, inner):
    blocks = (inner + _COLUMNS - 1) // _COLUMNS
    strips = g.size // max(1, count * inner) * blocks
    together = 1 + _WORTH_IT // (1 + count * min(inner, _COLUMNS))
    parts = (strips + together - 1) // together
    spread(pool, _add_strips, parts, (out, places, g, size, count, inner, strips, together))


@kernel
def _add_rows(pool, g, index, out, size, width, padding, by_frequency):
    """Fill out, and return FINE; or do nothing, and return the place of a bad number."""
    numbers, bad = numbers_of(index, size)
    if bad != FINE:
        return bad
    spread(pool, _clear, (out.size + _CLEARED - 1) // _CLEARED, (out,))
    _add_checked(pool, out, numbers, g, size, numbers.size, width)
    if by_frequency:
        _divide_by_counts(out, numbers, size, width)
    if padding >= 0:
        out[padding * width : (padding + 1) * width] = 0
    return bad


@inlined
def _clear(part, out):
    out[part * _CLEARED : (part + 1) * _CLEARED] = 0


@inlined
def _divide_by_counts(out, numbers, size, width):
    counts = np.zeros(size, np.int64)
    for j in range(numbers.size):
        counts[numbers[j]] += 1
    for row in range(size):
        if counts[row] > 1:
            out[row * width : (row + 1) * width] /= out.dtype.type(counts[row])


@inlined
def _from_front(place, size):
    """A place that may be counted from the end; unsigned, so that what is not there is too large."""
    return np.uint64(place + size if place < 0 else place)


@inlined
def _add_strips(part, out, places, g, size, count, inner, strips, together):
    """Add a part of the strips: some columns each, of all slices that have the same place on the axes before them."""
    blocks = (inner + _COLUMNS - 1) // _COLUMNS
    for strip in range(part * together, min((part + 1) * together, strips)):
        before, first = strip // blocks, strip % blocks * _COLUMNS
        width = min(inner - first, _COLUMNS)
        start, g_start = before * size * inner + first, before * count * inner + first
        if places.size == count:
            _add_slices(out, places, g, start, g_start, size, count, inner, width)
        else:
            _add_elements(out, places, g, start, g_start, size, count, inner, width)


# Indices are made unsigned, which tells Numba that none is negative, to be counted from the end: only then does the
# loop over columns become vector instructions.


@inlined
def _add_slices(out, places, g, start, g_start, size, count, inner, width):
    for j in range(count):
        to = np.uint64(start) + _from_front(places[j], size) * np.uint64(inner)
        of = np.uint64(g_start + j * inner)
        for column in range(np.uint64(width)):
            out[to + column] += g[of + column]


@inlined
def _add_elements(out, places, g, start, g_start, size, count, inner, width):
    for j in range(count):
        of = np.uint64(g_start + j * inner)
        for column in range(np.uint64(width)):
            to = np.uint64(start) + _from_front(places[of + column], size) * np.uint64(inner)
            out[to + column] += g[of + column]
