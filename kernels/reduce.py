"""Sums, means and extremes over any axes of an array.

``dim`` is an axis, a tuple of axes or None for all; reduced axes keep length 1 with ``keepdim=True``. Every reduction
is one over the middle axis of an array seen as (outer, reduced, inner): inner is 1 where the last axes are reduced.

float32 and float64 arrays are reduced by the kernels below; integers and booleans by NumPy. The order of additions
depends on the shape alone, and blocks of float32 sums are added up in float64.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy import empty

from . import vecmath
from ._jit import inlined, kernel
from ._layout import INT64, axis_indices, check_out, deliver, destination, number_bits, plain
from ._quick import quick_reduction
from ._scalar import float64


def sum(x, dim=None, keepdim=False, *, out=None):
    """The sum over the axes ``dim``; integers and booleans add up to int64. x: (*) -> (*) without dim."""
    if x.dtype.kind != "f":
        return _by_numpy(np.sum, x, dim, keepdim, out, INT64)
    return _reduce(_SUM, x, dim, keepdim, out)


def mean(x, dim=None, keepdim=False, *, out=None):
    """The mean over the axes ``dim``: NaN where there is nothing. x: (*) float -> (*) without dim."""
    if x.dtype.kind != "f":
        raise TypeError(f"mean(): expected a floating point array, got {x.dtype}; convert it first")
    return _reduce(_SUM, x, dim, keepdim, out, parameter=number_bits(float(_plan(x.shape, dim, keepdim).count)))


def amax(x, dim=None, keepdim=False, *, out=None):
    """The largest element over the axes ``dim``; NaN if there is one. x: (*) -> (*) without dim."""
    if not x.size:
        _refuse_empty("amax", x, dim, RuntimeError)
    if x.dtype.kind != "f":
        return _by_numpy(np.max, x, dim, keepdim, out, x.dtype)
    return _reduce(_EXTREME, x, dim, keepdim, out)


def amin(x, dim=None, keepdim=False, *, out=None):
    """The smallest element over the axes ``dim``; NaN if there is one. x: (*) -> (*) without dim."""
    if not x.size:
        _refuse_empty("amin", x, dim, RuntimeError)
    if x.dtype.kind != "f":
        return _by_numpy(np.min, x, dim, keepdim, out, x.dtype)
    return _reduce(_EXTREME, x, dim, keepdim, out, parameter=_MINUS_ONE, partial=_MINUS_ONE)


def argmax(x, dim=None, keepdim=False, *, out=None):
    """The index of the first largest element along the axis ``dim``, or in x flattened. NaN counts as the largest.

    x: (*) -> (*) int64 without dim.
    """
    return _arg("argmax", np.argmax, _ONE, x, dim, keepdim, out)


def argmin(x, dim=None, keepdim=False, *, out=None):
    """The index of the first smallest element along the axis ``dim``, or in x flattened. NaN counts as the smallest.

    x: (*) -> (*) int64 without dim.
    """
    return _arg("argmin", np.argmin, _MINUS_ONE, x, dim, keepdim, out)


def _arg(name, numpy_function, sign, x, dim, keepdim, out):
    if isinstance(dim, (tuple, list)):
        raise TypeError(f"{name}(): expected dim to be an int or None, got {dim!r}")
    if not x.size:
        _refuse_empty(name, x, dim, IndexError)
    if x.dtype.kind == "f":
        return _reduce(_FIRST_EXTREME, x, dim, keepdim, out, parameter=sign, dtype=INT64)
    if x.dtype.kind == "b":
        raise TypeError(f"{name}(): expected numbers, got bool; convert it first")

    def along_one_axis(x, axis, keepdims):
        return numpy_function(x, axis=None if dim is None or x.ndim == 0 else axis[0], keepdims=keepdims)

    return _by_numpy(along_one_axis, x, dim, keepdim, out, INT64)


# ---------------------------------------------------------------------------------------------------------------
# From any axes to (outer, reduced, inner).


class Plan(NamedTuple):
    """How to reduce an array of some shape over some axes."""

    before: tuple  # (outer, reduced, inner) for each run of adjacent axes but the first, from the last on
    last: tuple  # (outer, reduced, inner) for the first run of adjacent axes
    shape: tuple  # of the result
    count: int  # the number of elements reduced to one


def _plan(shape, dim, keepdim):
    """The plan for ``dim`` as the caller gave it."""
    return _cached_plan(shape, tuple(dim) if type(dim) is list else dim, keepdim)


@functools.lru_cache(maxsize=4096, typed=True)
def _cached_plan(shape, dim, keepdim):
    axes = axis_indices(dim, len(shape))
    if keepdim:
        result = tuple(1 if axis in axes else n for axis, n in enumerate(shape))
    else:
        result = tuple(n for axis, n in enumerate(shape) if axis not in axes)
    count = math.prod(shape[axis] for axis in axes)
    stages = []
    while axes:
        run, axes = _last_run(axes)
        first, end = run[0], run[-1] + 1
        stages.append((math.prod(shape[:first]), math.prod(shape[first:end]), math.prod(shape[end:])))
        shape = shape[:first] + shape[end:]
    *before, last = stages or [(1, 1, 1)]
    return Plan(tuple(before), last, result, count)


def _last_run(axes):
    """The last axes that are adjacent, and the axes before them: (0, 2, 3) -> (2, 3), (0,)."""
    start = len(axes) - 1
    while start > 0 and axes[start - 1] == axes[start] - 1:
        start -= 1
    return axes[start:], axes[:start]


class _Reduction:
    """A kernel(x, outer, reduced, inner, bits of a parameter, out) over flat arrays."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.quick = quick_reduction(4, _SMALL)


_ONE, _MINUS_ONE = number_bits(1.0), number_bits(-1.0)


def _reduce(reduction, x, dim, keepdim, out, *, parameter=_ONE, partial=_ONE, dtype=None):
    """Run a reduction with the bits of a parameter.

    Where the axes are not adjacent, runs of adjacent ones are reduced first, with the parameter ``partial``.
    """
    before, (outer, reduced, inner), shape, _ = _plan(x.shape, dim, keepdim)
    small = out is None and dtype is None and not before
    if small:
        quick = reduction.quick.call(x, outer, reduced, inner, parameter, empty(shape, x.dtype))
        if quick is not None:
            return quick
    flat = plain(x).ravel()
    for sizes in before:
        stage = empty(sizes[0] * sizes[2], flat.dtype)
        reduction.kernel(flat, *sizes, partial, stage)
        flat = stage
    if dtype is None:
        dtype = flat.dtype
    result = empty(shape, dtype) if out is None else destination(out, shape, dtype)
    reduction.kernel(flat, outer, reduced, inner, parameter, result.ravel())
    if small:
        reduction.quick.learn(dtype, reduction.kernel, flat, outer, reduced, inner, parameter, result.ravel())
    return result if out is None else deliver(result, out)


def _refuse_empty(name, x, dim, error_without_dim):
    """Raise, as PyTorch does, where an extreme is asked of no elements."""
    if dim is None or dim == ():
        raise error_without_dim(f"{name}(): expected elements or a dim to reduce, got an array of shape {x.shape}")
    for axis in axis_indices(dim, x.ndim):
        if x.shape[axis] == 0:
            raise IndexError(f"{name}(): expected reduction dim {axis} to have non-zero size, got shape {x.shape}")


def _by_numpy(function, x, dim, keepdim, out, dtype):
    """Reduce integers or booleans by a function of NumPy."""
    if x.dtype.kind not in "iub":
        raise TypeError(f"expected floats, integers or booleans, got {x.dtype}")
    result = np.asarray(function(x, axis=axis_indices(dim, x.ndim), keepdims=keepdim), dtype=dtype)
    if out is not None:
        check_out(out, result.shape, dtype)
    return deliver(result, out)


# ---------------------------------------------------------------------------------------------------------------
# The compiled loops. x and out are flat; the parameter, given by its bits, is a divisor for sums, and for extremes a
# sign: the smallest element is minus the largest of -x.
#
# A part of a flat array is given by its bounds. They are made unsigned, which tells Numba that no index is negative,
# to be counted from the end: only then does the loop become vector instructions. Slices would do, but cost more than
# adding up a short row.

# Elements that are added up in their own dtype before the sum goes on in float64. LLVM keeps some 32 partial sums, so
# that a chain of float32 additions is a few dozen long.
BLOCK = 1024

ROWS = 8  # the same for sums of rows, which are one chain

_SMALL = 1 << 15  # elements that take so little time that the interpreter lock need not be released


@inlined
def total(x, start, stop):
    """x[start] + ... + x[stop - 1], in the dtype of x."""
    result = x.dtype.type(0)
    for k in range(np.uint64(start), np.uint64(stop)):
        result += x[k]
    return result


@inlined
def largest(x, start, stop, sign=1):
    """The largest of sign * x[start:stop]: NaN if there is one, -inf if there is nothing."""
    result, s = x.dtype.type(-np.inf), x.dtype.type(sign)
    for k in range(np.uint64(start), np.uint64(stop)):
        result = vecmath.maximum(result, s * x[k])
    return result


@kernel
def _sum(x, outer, reduced, inner, divisor, out):
    divisor = float64(divisor)
    if inner == 1 and reduced <= BLOCK:
        for o in range(outer):
            out[o] = total(x, o * reduced, (o + 1) * reduced) / divisor
        return
    if inner == 1:
        for o in range(outer):
            result = 0.0
            for block in range(o * reduced, (o + 1) * reduced, BLOCK):
                result += total(x, block, min(block + BLOCK, (o + 1) * reduced))
            out[o] = result / divisor
        return
    totals = np.empty(inner)
    for o in range(outer):
        _sum_rows(x[o * reduced * inner : (o + 1) * reduced * inner].reshape(reduced, inner), totals)
        result = out[o * inner : (o + 1) * inner]
        for j in range(inner):
            result[j] = totals[j] / divisor


@inlined
def _sum_rows(x, totals):
    """totals = the sum of the rows of x: (n, m) -> (m,), in float64."""
    n, m = x.shape
    for j in range(m):
        totals[j] = 0.0
    grouped = n - n % ROWS
    for i in range(0, grouped, ROWS):
        for j in range(m):
            pairs = (x[i, j] + x[i + 1, j]) + (x[i + 2, j] + x[i + 3, j])
            totals[j] += pairs + ((x[i + 4, j] + x[i + 5, j]) + (x[i + 6, j] + x[i + 7, j]))
    for i in range(grouped, n):
        for j in range(m):
            totals[j] += x[i, j]


@kernel
def _extreme(x, outer, reduced, inner, sign, out):
    s = x.dtype.type(float64(sign))
    if inner == 1:
        for o in range(outer):
            out[o] = s * largest(x, o * reduced, (o + 1) * reduced, s)
        return
    for o in range(outer):
        rows = x[o * reduced * inner : (o + 1) * reduced * inner].reshape(reduced, inner)
        result = out[o * inner : (o + 1) * inner]
        for j in range(inner):
            result[j] = -np.inf
        for i in range(reduced):
            for j in range(inner):
                result[j] = vecmath.maximum(result[j], s * rows[i, j])
        for j in range(inner):
            result[j] *= s


@kernel
def _first_extreme(x, outer, reduced, inner, sign, out):
    s = x.dtype.type(float64(sign))
    if inner == 1:
        for o in range(outer):
            out[o] = _index_of_largest(x, o * reduced, (o + 1) * reduced, s)
        return
    best = np.empty(inner, x.dtype)
    for o in range(outer):
        rows = x[o * reduced * inner : (o + 1) * reduced * inner].reshape(reduced, inner)
        index = out[o * inner : (o + 1) * inner]
        for j in range(inner):
            best[j] = s * rows[0, j]
            index[j] = 0
        for i in range(1, reduced):
            for j in range(inner):
                value = s * rows[i, j]
                # NaN is larger than any number, and the first NaN stays.
                if value > best[j] or (value != value and best[j] == best[j]):
                    best[j] = value
                    index[j] = i


@inlined
def _index_of_largest(x, start, stop, sign):
    """Where sign * x[start:stop], which is not empty, is largest for the first time, or NaN, counted from start."""
    greatest, first, end = sign * x[start], start, min(start + BLOCK, stop)
    for block in range(start, stop, BLOCK):
        candidate = largest(x, block, min(block + BLOCK, stop), sign)
        if candidate > greatest or (candidate != candidate and greatest == greatest):
            greatest, first, end = candidate, block, min(block + BLOCK, stop)
    return _index_of(sign * greatest, x, first, end) - start


@inlined
def _index_of(number, x, start, stop):
    """The first index in x[start:stop] of ``number``, or of NaN. Without a branch, so that it runs in vectors."""
    index = stop
    for k in range(np.uint64(start), np.uint64(stop)):
        found = (x[k] == number) | (x[k] != x[k])
        index = min(index, np.int64(k) if found else stop)
    return index


_SUM, _EXTREME, _FIRST_EXTREME = map(_Reduction, (_sum, _extreme, _first_extreme))
