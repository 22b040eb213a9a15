"""Copying rows of an array, in any order: what a batch of a dataset is made of."""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from ._jit import kernel
from ._layout import INT64
from ._threads import pool_for, spread
from .simd import CACHE_LINE, INDEX, POINTER, address, prefetch

_ROWS = 8  # that one thread copies at a time
_WORTH_IT = 1 << 16  # bytes; below, NumPy is as fast


def take_rows(x, indices):
    """The rows of ``x`` with these numbers.  x: (N, *), indices: (n,) integers -> (n, *).

    IndexError where a number is not from -N to N - 1.
    """
    width = x.nbytes // max(1, len(x))
    if indices.size * width >= _WORTH_IT and _are_plain(x, indices):
        out = np.empty((indices.size, *x.shape[1:]), x.dtype)
        pool = pool_for(out.nbytes)
        if _copy_rows(pool, x.reshape(-1).view(np.uint8), indices, out.reshape(-1).view(np.uint8), width, len(x)):
            return out
    return x.take(indices, axis=0)  # it knows negative numbers, and the error for others


def _are_plain(x, indices):
    return x.flags.c_contiguous and indices.dtype is INT64 and indices.ndim == 1 and indices.flags.carray


@kernel
def _copy_rows(pool, x, indices, out, width, rows):
    """Copy rows of ``width`` bytes; False, and nothing is copied, where a number is not that of a row."""
    for i in range(indices.size):
        if not 0 <= indices[i] < rows:
            return False
    spread(pool, _copy_some, (indices.size + _ROWS - 1) // _ROWS, (address(x), indices, address(out), width))
    return True


@kernel
def _copy_some(part, x, indices, out, width):
    for i in range(part * _ROWS, min((part + 1) * _ROWS, indices.size)):
        following = x + indices[min(i + 1, indices.size - 1)] * width  # rows lie anywhere: nothing else knows the next
        for line in range(following, following + width, CACHE_LINE):
            prefetch(line)
        _copy(out + i * width, x + indices[i] * width, width)


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
