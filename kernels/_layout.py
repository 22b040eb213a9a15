"""Bring arrays of any layout into the one form that the compiled kernels see: C-contiguous, aligned and writable.

Numba compiles a function anew for every combination of dtype, number of dimensions, layout and writability. Here
everything is reduced to flat (or 2-D) plain arrays, so that a kernel is compiled once a dtype. An array that is
plain already, the usual case, is passed on as it is; any other is copied.
"""

import functools
import itertools
import math
import operator
import struct
from typing import Any

import numpy as np
from numpy import empty

from ._launch import launch, not_in_a_program
from ._threads import pool_for
from .copying import copy

FLOAT32 = np.dtype(np.float32)
FLOAT64 = np.dtype(np.float64)
INT64 = np.dtype(np.int64)

_COPIES = "an array is not plain: it is copied"

PARALLEL_ELEMENTS = 1 << 15  # below, one thread is sooner done with a function of each element that takes little time


def plain(x, name="x"):
    """``x`` itself if it is a plain float32 or float64 array, else a plain copy. TypeError for other dtypes.

    In a program the copy is a launch too.
    """
    dtype = x.dtype
    if dtype is not FLOAT32 and dtype is not FLOAT64:
        if dtype not in (FLOAT32, FLOAT64):
            raise TypeError(f"expected {name} of dtype float32 or float64, got {dtype}; convert it first")
        not_in_a_program(_COPIES)
        return np.array(x, dtype=FLOAT32 if dtype == FLOAT32 else FLOAT64, order="C")
    return x if x.flags.carray else copy(x)


def check_out(out, shape, dtype, name="out"):
    """Raise unless the array ``out`` can take a result of this shape and dtype."""
    if out.shape != shape:
        raise ValueError(f"expected {name} of shape {shape}, got {out.shape}")
    if out.dtype != dtype:
        raise TypeError(f"expected {name} of dtype {dtype}, got {out.dtype}")


def check_same(x, y, names):
    """Raise unless two arrays agree in shape and dtype."""
    if x.shape != y.shape:
        raise ValueError(f"expected {names[0]} and {names[1]} of one shape, got {x.shape} and {y.shape}")
    if x.dtype != y.dtype:
        raise TypeError(f"expected {names[0]} and {names[1]} of one dtype, got {x.dtype} and {y.dtype}")


def destination(out, shape, dtype, name="out"):
    """Where a kernel writes a result meant for ``out``: a new array for None, else ``out`` if it is plain.

    Else a plain array in its place, that `deliver` copies from.
    """
    if out is None:
        return empty(shape, dtype)
    check_out(out, shape, dtype, name)
    if out.flags.carray:
        return out
    not_in_a_program(_COPIES)
    return empty(shape, dtype)


def deliver(result, out):
    """What the caller gets: ``result``, or ``out`` with the result in it."""
    if out is None or out is result:
        return result
    not_in_a_program("a result is copied to where it is wanted")
    out[...] = result
    return out


class Loop:
    """A function of each element, compiled in two forms, of which only those are compiled that are called.

    The parameters are the bits of float64 numbers.
    """

    __slots__ = ("alone", "least", "quick", "shared")

    def __init__(self, alone: Any, shared: Any, least: int = PARALLEL_ELEMENTS, quick: Any = None):
        self.alone = alone  # kernel(*arrays, *parameters, out)
        self.shared = shared  # kernel(pool, *arrays, *parameters, out)
        self.least = least  # the elements from which on it is shared
        self.quick = quick  # the same as alone, for few elements: the shortest way


def map_one(loop, x, out, parameters=()):
    """Run ``loop`` over a flat array, with real ``parameters``. x: (*) -> (*).

    ``out`` may be ``x``; otherwise the two must not overlap.
    """
    quick = loop.quick.call(x, *parameters, out)
    if quick is not None:
        return quick
    dtype = x.dtype
    if not x.flags.carray or (dtype is not FLOAT32 and dtype is not FLOAT64):
        x = plain(x)
        dtype = x.dtype
    result = out
    if out is None or out.dtype is not dtype or out.shape != x.shape or not out.flags.carray:
        result = destination(out, x.shape, dtype)
    flat, flat_result = (x, result) if x.ndim == 1 else (x.ravel(), result.ravel())
    bits = map(number_bits, parameters)
    if x.size >= loop.least:
        launch(loop.shared, pool_for(x.size, 0), flat, *bits, flat_result)
    else:
        _launch_alone(loop, dtype, flat, *bits, flat_result)
    return result if out is result or out is None else deliver(result, out)


def map_two(loop, x, y, names, out, parameters=()):
    """Run ``loop`` over two flat arrays of one shape, with real ``parameters``. x, y: (*) -> (*).

    ``out`` may be ``x`` or ``y``; otherwise it must not overlap them.
    """
    quick = loop.quick.call(x, y, *parameters, out)
    if quick is not None:
        return quick
    dtype = x.dtype
    if not x.flags.carray or (dtype is not FLOAT32 and dtype is not FLOAT64):
        x = plain(x, names[0])
        dtype = x.dtype
    if not y.flags.carray or y.dtype is not dtype:
        y = plain(y, names[1])
    if x.shape != y.shape or y.dtype is not dtype:
        check_same(x, y, names)
    result = out
    if out is None or out.dtype is not dtype or out.shape != x.shape or not out.flags.carray:
        result = destination(out, x.shape, dtype)
    flat, flat_y, flat_result = (x, y, result) if x.ndim == 1 else (x.ravel(), y.ravel(), result.ravel())
    bits = map(number_bits, parameters)
    if x.size >= loop.least:
        launch(loop.shared, pool_for(x.size, 0), flat, flat_y, *bits, flat_result)
    else:
        _launch_alone(loop, dtype, flat, flat_y, *bits, flat_result)
    return result if out is result or out is None else deliver(result, out)


def _launch_alone(loop, dtype, *arguments):
    launch(loop.alone, *arguments)
    loop.quick.learn(dtype, loop.alone, *arguments)


def number_bits(number):
    """The bits of a float64 as an integer: what a kernel takes in the place of a float, to be part of a program."""
    return _bits(number, math.copysign(1.0, number))


@functools.lru_cache(maxsize=256)
def _bits(number, sign):  # the sign keeps 0.0 and -0.0 apart
    return struct.unpack("q", struct.pack("d", number))[0]


# ---------------------------------------------------------------------------------------------------------------
# Axes.


def axis_index(dim, ndim):
    """The axis that ``dim`` means, counted from 0. IndexError out of range; a 0-d array counts as one of 1 axis."""
    axes = ndim or 1
    index = operator.index(dim)
    if not -axes <= index < axes:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-axes}, {axes - 1}], but got {index})")
    return index % axes


def axis_indices(dim, ndim):
    """The axes that ``dim`` (an int, a tuple or None for all) means, ascending. RuntimeError for one given twice."""
    if dim is None:
        return tuple(range(ndim))
    if not isinstance(dim, (tuple, list)):
        axis = axis_index(dim, ndim)
        return (axis,) if ndim else ()
    if len(dim) == 0:
        return tuple(range(ndim))  # as in PyTorch, no axis named means all
    axes = sorted(axis_index(d, ndim) for d in dim)
    for before, after in itertools.pairwise(axes):
        if before == after:
            raise RuntimeError(f"dim {after} appears multiple times in the list of dims {tuple(dim)}")
    return tuple(axes) if ndim else ()
