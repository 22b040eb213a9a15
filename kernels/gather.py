"""Copying rows of an array, in any order: what a batch of a dataset is made of, and an embedding."""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ._jit import inlined, kernel
from ._launch import FINE, checked, not_in_a_program
from ._layout import INT64, deliver, destination
from ._threads import pool_for, spread
from .simd import CACHE_LINE, INDEX, POINTER, address, prefetch

_PART = 1 << 15  # bytes that one thread copies at a time, or a row
_WORTH_IT = 1 << 16  # bytes; below, NumPy is as fast


def take_rows(x, indices):
    """The rows of ``x`` with these numbers.  x: (N, *), indices: (n,) integers -> (n, *).

    IndexError where a number is not from -N to N - 1.
    """
    if indices.size * _width(x) >= _WORTH_IT and _are_plain(x, indices):
        out = np.empty((indices.size, *x.shape[1:]), x.dtype)
        if _copy_rows(pool_for(out.nbytes), *_arguments(x, indices, out)) == FINE:
            return out
    return x.take(indices, axis=0)  # it knows negative numbers, and the error for others


def _are_plain(x, indices):
    return x.flags.c_contiguous and indices.dtype is INT64 and indices.ndim == 1 and indices.flags.carray


def rows(x, index, *, out=None):
    """The rows of a table that the numbers in ``index`` name.  x: (N, D) of any dtype, index: (*) integers -> (*, D).

    IndexError where a number is not from 0 to N - 1.
    """
    if not x.flags.carray:
        not_in_a_program("the table is not plain: it is copied")
        x = np.array(x, order="C")
    result = destination(out, (*index.shape, x.shape[1]), x.dtype)
    complain = complaint(index, len(x))
    checked(_copy_rows, complain, pool_for(result.nbytes), *_arguments(x, index, result))
    return deliver(result, out)


def complaint(index, size):
    """The function that raises for the place in ``index`` of a number that is no row of a table of ``size`` rows."""

    def complain(place):
        raise IndexError(f"index out of range in self: {index.flat[place]} in a table of {size} rows")

    return complain


def _arguments(x, indices, out):
    return x.reshape(-1).view(np.uint8), two_axes(indices), out.reshape(-1).view(np.uint8), _width(x), len(x)


def _width(x):
    """The bytes of a row."""
    return x.nbytes // max(1, len(x))


def two_axes(index):
    """Integers as an array of two axes: of those, kernels read any layout."""
    if index.ndim == 2:
        return index
    if index.ndim > 2 and not index.flags.c_contiguous:
        not_in_a_program("the numbers of rows are not plain: they are copied")
    return index.reshape(1, -1)


# ---------------------------------------------------------------------------------------------------------------
# The compiled loops.


@kernel
def _copy_rows(pool, x, indices, out, width, size):
    """Copy rows of ``width`` bytes, and return FINE; or copy nothing, and return the place of a bad number."""
    numbers, bad = numbers_of(indices, size)
    if bad == FINE:
        together = max(1, _PART // max(1, width))
        parts = (numbers.size + together - 1) // together
        spread(pool, _copy_some, parts, (address(x), numbers, address(out), width, together))
    return bad


@inlined
def numbers_of(index, size):
    """Integers of two axes in one row of int64; and the first place of one that is not below ``size``, or FINE."""
    numbers, bad = np.empty(index.size, np.int64), index.size
    table = numbers.reshape(index.shape)
    for i in range(index.shape[0]):
        for j in range(index.shape[1]):
            table[i, j] = index[i, j]
    for i in range(numbers.size):
        bad = min(bad, i if (numbers[i] < 0) | (numbers[i] >= size) else numbers.size)
    return numbers, bad if bad < numbers.size else FINE


@inlined
def _copy_some(part, x, numbers, out, width, together):
    for i in range(part * together, min((part + 1) * together, numbers.size)):
        following = x + numbers[min(i + 1, numbers.size - 1)] * width  # rows lie anywhere: nothing else knows the next
        for line in range(following, following + width, CACHE_LINE):
            prefetch(line)
        _copy(out + i * width, x + numbers[i] * width, width)


@intrinsic
def _copy(typingctx, target, source, count):
    """Copy bytes from an address to another."""

    def generate(context, builder, signature, values):
        target, source = (builder.inttoptr(each, POINTER) for each in values[:2])
        kind = ir.FunctionType(ir.VoidType(), [POINTER, POINTER, INDEX, ir.IntType(1)])
        copy = cgutils.get_or_insert_function(builder.module, kind, "llvm.memcpy.p0.p0.i64")
        builder.call(copy, [target, source, values[2], ir.Constant(ir.IntType(1), 0)])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate
