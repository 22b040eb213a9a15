"""Copies of arrays of any layout, their elements in order: what makes a transposed array ready for a kernel.

Elements are moved as words of 4 or 8 bytes, so there is one kernel for each of the two sizes.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import functools
from typing import Any

import numba
import numpy as np
from numba import types
from numpy.lib.stride_tricks import as_strided

from ._jit import compiled_for, inlined, kernel
from ._launch import collecting, launch, not_in_a_program
from ._threads import pool_for, spread
from .simd import address, array_at

PART = 1 << 14  # elements that a thread takes at a time, or one row
BLOCK = 16  # rows that are copied together, where the elements of a column are neighbours
LARGE = 1 << 14  # elements, below which NumPy is sooner done
_AXES = 4
_WORDS = {4: np.dtype(np.int32), 8: np.dtype(np.int64)}


def copy(x: Any, *, out: Any = None) -> Any:
    """The elements of x in order, in an array of its own.  (*) -> (*); ``out``, in order, must not overlap x."""
    if out is None:
        out = np.empty(x.shape, x.dtype)
    axes = _merged_axes(x)
    if x.itemsize not in _WORDS or not x.flags.aligned or len(axes) > _AXES or not out.flags.carray:
        not_in_a_program("an array has many axes, or elements of other than 4 or 8 bytes")
        out[...] = x
    elif x.size and (x.size >= LARGE or collecting()):
        word = _WORDS[x.itemsize]
        shape, strides = zip(*((1, 0),) * (_AXES - len(axes)), *axes, strict=True)
        words = as_strided(x.view(word), shape, strides, writeable=False)
        launch(_kernel_for(word), pool_for(x.size), words, out.view(word).reshape(-1))
    else:
        out[...] = x
    return out


def _merged_axes(x):
    """(length, stride) of as few axes as walk through x in order."""
    axes = []
    for length, stride in zip(x.shape, x.strides, strict=True):
        if length == 1:
            continue
        if axes and axes[-1][1] == length * stride:
            axes[-1] = (axes[-1][0] * length, stride)
        else:
            axes.append((length, stride))
    return axes


@functools.cache
def _kernel_for(word):
    """`_copy` for words of this dtype and any strides."""
    element = numba.from_dtype(word)
    read, written = types.Array(element, _AXES, "A", readonly=True), types.Array(element, 1, "C")
    return compiled_for(_copy, (types.Array(types.int64, 1, "C"), read, written))


@kernel
def _copy(pool, x, out):
    """x: four axes of any strides; out: flat."""
    a, b, c, _ = x.shape
    together = _rows_together(x)
    spread(pool, _copy_part, a * b * ((c + together - 1) // together), (x, out, together))


@inlined
def _rows_together(x):
    """How many rows, neighbours on the last axis but one, are one part."""
    return max(BLOCK, PART // max(1, x.shape[3]))


@inlined
def _copy_part(part, x, out, together):
    _, b, c, width = x.shape
    blocks = (c + together - 1) // together
    plane, block = divmod(part, blocks)
    first, last = block * together, min(c, (block + 1) * together)
    plane_at = address(x) + plane // b * x.strides[0] + plane % b * x.strides[1]
    if x.strides[3] == x.itemsize:
        for row in range(first, last):
            source = array_at(plane_at + row * x.strides[2], width, out)
            to = np.uint64((plane * c + row) * width)
            for i in range(np.uint64(width)):
                out[to + i] = source[i]
        return
    source = x[plane // b, plane % b]
    for begin in range(first, last, BLOCK):
        for i in range(width):
            for row in range(begin, min(begin + BLOCK, last)):
                out[(plane * c + row) * width + i] = source[row, i]
