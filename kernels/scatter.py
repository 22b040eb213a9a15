"""Adding to places of an array, in any order: what the gradient of taking elements from there is made of."""

from typing import Any

import numpy as np

from ._jit import inlined, kernel
from ._layout import FLOAT32, FLOAT64, INT64
from ._threads import pool_for, spread

_PLAIN: Any = "CAW"  # NumPy's letters for contiguous, aligned, writable
_KINDS = (FLOAT32, FLOAT64, INT64)
_COLUMNS = 32  # that one thread adds up at a time: a line of the cache or more
_WORTH_IT = 1 << 13  # elements; parts are not smaller than that, where there are so many


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
    blocks = (inner + _COLUMNS - 1) // _COLUMNS
    strips = g.size // max(1, count * inner) * blocks
    together = 1 + _WORTH_IT // (1 + count * min(inner, _COLUMNS))
    parts = (strips + together - 1) // together
    spread(pool, _add_strips, parts, (out, places, g, size, count, inner, strips, together))
    return True


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
