"""Packing: a panel of an operand copied into contiguous scratch, in the order in which the register tile reads it.

It turns any layout into the one the tile wants (unit stride along the columns of y), keeps long rows from falling on
the same cache lines and pages, and costs one pass for many uses.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import llvmlite.ir as ir
from numba.core import types
from numba.extending import intrinsic

from .. import simd
from .._jit import kernel, merged
from ..simd import FREE_MASKS, VECTOR_BYTES


@kernel
def pack_panel(dtype, source, lane_stride, step_stride, count, steps, panel, panel_row, size):
    """panel[p, i] = source[i * lane_stride + p * step_stride] for p < steps and i < count.

    For a panel of y the lanes i are its columns, for one of x its rows; the steps p run along k. The rest of each
    vector of the panel may be written with anything. ``size`` is the size of an element in bytes.
    """
    width = VECTOR_BYTES // size
    if lane_stride == size and (FREE_MASKS or count % width == 0):
        _pack_rows(dtype, source, step_stride, count, steps, panel, panel_row, size)
        return
    for first in range(0, count, width):
        lanes = min(width, count - first)
        start = source + first * lane_stride
        into = panel + first * size
        if step_stride == size:
            _pack_columns(dtype, start, lane_stride, lanes, steps, into, panel_row, size)
        else:
            _pack_elements(dtype, start, lane_stride, step_stride, lanes, 0, steps, into, panel_row)


@merged
def _pack_rows(dtype, source, step_stride, count, steps, panel, panel_row, size):
    """The lanes are contiguous: copy vectors, row by row."""
    width = VECTOR_BYTES // size
    for p in range(steps):
        row, into = source + p * step_stride, panel + p * panel_row
        for first in range(0, count, width):
            copy_vector(dtype, row + first * size, into + first * size, count - first)


@merged
def _pack_columns(dtype, source, lane_stride, lanes, steps, into, panel_row, size):
    """The steps are contiguous: transpose square blocks in registers, and the last few steps one by one."""
    width = VECTOR_BYTES // size
    whole = steps - steps % width
    for p in range(0, whole, width):
        transpose_block(dtype, source + p * size, lane_stride, lanes, into + p * panel_row, panel_row)
    _pack_elements(dtype, source, lane_stride, size, lanes, whole, steps, into, panel_row)


@merged
def _pack_elements(dtype, source, lane_stride, step_stride, lanes, first, steps, into, panel_row):
    """Neither is contiguous: one element at a time."""
    for p in range(first, steps):
        for i in range(lanes):
            copy_element(dtype, source + i * lane_stride + p * step_stride, into + p * panel_row, i)


@intrinsic
def copy_vector(typingctx, dtype, source, target, count):
    """Copy a vector, or what ``count`` says of it; where masks are not free, a whole vector."""

    def generate(context, builder, signature, arguments):
        element = simd.ELEMENTS[signature.args[0].dtype]
        source, target = (builder.inttoptr(a, simd.POINTER) for a in arguments[1:3])
        mask = simd.first_lanes(builder, arguments[3], simd.lanes(element)) if FREE_MASKS else None
        simd.store(builder, simd.load(builder, source, simd.vector(element), mask), target, mask)
        return context.get_dummy_value()

    return types.void(dtype, *[types.int64] * 3), generate


@intrinsic
def copy_element(typingctx, dtype, source, target, index):
    """Copy one element to ``target[index]``."""

    def generate(context, builder, signature, arguments):
        element = simd.ELEMENTS[signature.args[0].dtype]
        source, target = (builder.inttoptr(a, simd.POINTER) for a in arguments[1:3])
        target = builder.gep(target, [arguments[3]], source_etype=element)
        simd.store(builder, simd.load(builder, source, element), target)
        return context.get_dummy_value()

    return types.void(dtype, *[types.int64] * 3), generate


@intrinsic
def transpose_block(typingctx, dtype, source, source_row, rows, target, target_row):
    """The transpose of ``rows`` rows of one vector each (1 to a vector's lanes); missing rows repeat the last one."""

    def generate(context, builder, signature, arguments):
        element = simd.ELEMENTS[signature.args[0].dtype]
        builder.call(_transpose_function(builder.module, element), arguments[1:])
        return context.get_dummy_value()

    return types.void(dtype, *[types.int64] * 5), generate


def _transpose_function(module, element):
    kind = simd.vector(element)
    function = simd.function(module, f"tinygrad_fr.gemm.transpose.{kind}", 5)
    if function.blocks:
        return function
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    source, source_row, rows, target, target_row = function.args
    source, target = builder.inttoptr(source, simd.POINTER), builder.inttoptr(target, simd.POINTER)
    last = builder.sub(rows, simd.constant(1))
    vectors = []
    for i in range(kind.count):
        index = simd.constant(i)
        index = builder.select(builder.icmp_signed("<", index, last), index, last)
        vectors.append(simd.load(builder, simd.offset(builder, source, builder.mul(index, source_row)), kind))
    for i, column in enumerate(simd.transpose(builder, vectors)):
        simd.store(builder, column, simd.offset(builder, target, builder.mul(simd.constant(i), target_row)))
    builder.ret_void()
    return function
