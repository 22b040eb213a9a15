"""Tiles for groups of few outputs, which read a laid band where it lies: to copy columns would take as long as they.

Both go through the vectors of windows that `laid.write_copies` puts down, and reach what a tap sees by its offset. The
windows are in the lanes of the vectors, so that few outputs and few taps leave no lane idle.

    direct(taps, laid, offsets, copies, weight, weight_row, weight_tap, start, start_row, out, out_row, gate, mask)

computes out[o, i] = start[o] + sum(weight[o, t] * laid[offset of t + place of i] for t < taps) for the windows i of
VECTORS copies, past a gate; the mask has the rows of out.

    dots(count, laid, offsets, copies, y, y_row, out, out_row, out_tap)

adds sum(y[o, i] * laid[offset of t + place of i]) over the windows i of ``count`` copies to out[o, t], for some taps t.

Numbers are sizes, addresses, and strides in bytes. There is one LLVM function for each number of outputs; of dots, one
for `TAPS` of that number and one for a single tap. They want masks to be free.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import functools

import llvmlite.ir as ir
import numpy as np
from numba.core import types
from numba.extending import intrinsic

from .. import simd
from .._jit import kernel, merged
from ..gemm.micro import MASK, NO_GATE
from ..simd import address, call, word

# A direct tile holds OUTPUTS by VECTORS sums at most, in the 32 registers of AVX-512; for a number of outputs, dots
# hold those of so many taps.
OUTPUTS, VECTORS = 6, 4
TAPS = (0, 8, 8, 8, 6, 4, 4)

_COPY = 24  # the bytes of a copy: three integers

_DIRECT, _DOTS, _DOT = (kind * (OUTPUTS + 1) for kind in range(3))
TABLE_SLOTS = 3 * (OUTPUTS + 1)


@kernel
def fill_table(table, like):
    """Compile the functions for the dtype of ``like``, and write their addresses into ``table``."""
    _write_addresses(address(table), like)


@intrinsic
def _write_addresses(typingctx, table, like):
    def generate(context, builder, signature, arguments):
        element = simd.ELEMENTS[signature.args[1].dtype]
        for outputs in range(1, OUTPUTS + 1):
            functions = {
                _DIRECT: _direct_function(builder.module, element, outputs),
                _DOTS: _dots_function(builder.module, element, outputs, TAPS[outputs]),
                _DOT: _dots_function(builder.module, element, outputs, 1),
            }
            for slot, function in functions.items():
                place = builder.inttoptr(builder.add(arguments[0], simd.constant(8 * (slot + outputs))), simd.POINTER)
                builder.store(builder.ptrtoint(function, simd.INDEX), place)
        return context.get_dummy_value()

    return types.void(types.intp, like), generate


@merged
def run_direct(table, outputs, taps, laid, offsets, copies, number, weight, start, out, gate, mask):
    """The direct tiles of all outputs and of ``number`` copies, which are filled up with empty ones.

    ``weight`` is (address, row stride, tap stride); ``start`` and ``out`` are (address, row stride); ``offsets`` and
    ``copies`` are addresses.
    """
    tiles = (outputs + OUTPUTS - 1) // OUTPUTS
    for part in range(tiles):
        low, high = part * outputs // tiles, (part + 1) * outputs // tiles
        function = word(table + 8 * (_DIRECT + high - low))
        rows = weight[0] + low * weight[1], weight[1], weight[2], start[0] + low * start[1], start[1]
        for i in range(0, number, VECTORS):
            place = out[0] + low * out[1], out[1], gate, mask + low * out[1]
            tile = taps, laid, offsets, copies + i * _COPY
            call(function, tile + rows + place)


@merged
def run_dots(table, outputs, taps, laid, offsets, copies, number, y, out):
    """The dots of all outputs and taps; ``y`` is (address, row stride), ``out`` (address, row stride, tap stride)."""
    tiles = (outputs + OUTPUTS - 1) // OUTPUTS
    for tile in range(tiles):
        low, high = tile * outputs // tiles, (tile + 1) * outputs // tiles
        several, tap = TAPS[high - low], 0
        while tap < taps:
            whole = tap + several <= taps
            function = word(table + 8 * ((_DOTS if whole else _DOT) + high - low))
            left = number, laid, offsets + 8 * tap, copies, y[0] + low * y[1], y[1]
            right = out[0] + low * out[1] + tap * out[2], out[1], out[2]
            call(function, left + right)
            tap += several if whole else 1


# ---------------------------------------------------------------------------------------------------------------
# The functions.


def _function(name, arguments):
    """Decorate ``emit(builder, element, arguments, *sizes)``, which emits a body, to give the function in a module."""

    def decorate(emit):
        @functools.wraps(emit)
        def defined(module, element, *sizes):
            full_name = f"tinygrad_fr.convolution.{name}.{'x'.join(map(str, sizes))}.{simd.vector(element)}"
            function = simd.function(module, full_name, arguments)
            if not function.blocks:
                builder = ir.IRBuilder(function.append_basic_block("entry"))
                emit(builder, element, function.args, *sizes)
                builder.ret_void()
            return function

        return defined

    return decorate


@_function("direct", 13)
def _direct_function(builder, element, arguments, outputs):
    taps, laid, offsets, copies, weight, weight_row, weight_tap, start, start_row, out, out_row, gate, mask = arguments
    kind = simd.vector(element)
    laid, offsets, copies, weight, start, out, mask = (
        builder.inttoptr(each, simd.POINTER) for each in (laid, offsets, copies, weight, start, out, mask)
    )
    vectors = [_copy_at(builder, copies, i) for i in range(VECTORS)]
    places = [simd.offset(builder, laid, place) for place, _, _ in vectors]
    weights = [simd.offset(builder, weight, _times(builder, weight_row, o)) for o in range(outputs)]
    starts = [simd.offset(builder, start, _times(builder, start_row, o)) for o in range(outputs)]
    begin = [simd.broadcast(builder, simd.load(builder, each, element)) for each in starts for _ in vectors]

    def step(tap, sums):
        offset = _word_at(builder, offsets, tap)
        seen = [simd.load(builder, simd.offset(builder, place, offset), kind) for place in places]
        updated, at = [], builder.mul(tap, weight_tap)
        for o, row in enumerate(weights):
            scalar = simd.broadcast(builder, simd.load(builder, simd.offset(builder, row, at), element))
            for v, each in enumerate(seen):
                updated.append(simd.multiply_add(builder, scalar, each, sums[o * VECTORS + v]))
        return updated

    sums = _loop(builder, taps, begin, step)
    is_gated = builder.icmp_signed("!=", gate, simd.constant(NO_GATE))
    is_masked = builder.icmp_signed("==", gate, simd.constant(MASK))
    for o in range(outputs):
        row = _times(builder, out_row, o)
        for v, (_, place, lanes) in enumerate(vectors):
            total, at = sums[o * VECTORS + v], builder.add(row, place)
            some = simd.first_lanes(builder, lanes, kind.count)
            decider = simd.load(builder, simd.offset(builder, mask, at), kind, some)
            decider = builder.select(is_masked, decider, total)
            gated = simd.zero_where_not_positive(builder, total, decider)
            simd.store(builder, builder.select(is_gated, gated, total), simd.offset(builder, out, at), some)


@_function("dots", 9)
def _dots_function(builder, element, arguments, outputs, taps):
    count, laid, offsets, copies, y, y_row, out, out_row, out_tap = arguments
    kind = simd.vector(element)
    laid, offsets, copies, y, out = (builder.inttoptr(e, simd.POINTER) for e in (laid, offsets, copies, y, out))
    places = [simd.offset(builder, laid, _word_at(builder, offsets, simd.constant(t))) for t in range(taps)]
    rows = [simd.offset(builder, y, _times(builder, y_row, o)) for o in range(outputs)]

    def step(i, sums):
        one = simd.offset(builder, copies, builder.mul(i, simd.constant(_COPY)))
        source, place, lanes = _copy_at(builder, one, 0)
        mask = simd.first_lanes(builder, lanes, kind.count)
        seen = [simd.load(builder, simd.offset(builder, each, source), kind, mask) for each in places]
        updated = []
        for o, row in enumerate(rows):
            values = simd.load(builder, simd.offset(builder, row, place), kind, mask)
            for t, each in enumerate(seen):
                updated.append(simd.multiply_add(builder, values, each, sums[o * taps + t]))
        return updated

    sums = _loop(builder, count, [ir.Constant(kind, None)] * (outputs * taps), step)
    for o in range(outputs):
        for t in range(taps):
            place = simd.offset(builder, out, builder.add(_times(builder, out_row, o), _times(builder, out_tap, t)))
            total = simd.sum_lanes(builder, sums[o * taps + t])
            simd.store(builder, builder.fadd(simd.load(builder, place, element), total), place)


def _times(builder, stride, count):
    return builder.mul(stride, simd.constant(count))


def _word_at(builder, pointer, index):
    return builder.load(builder.gep(pointer, [index], source_etype=simd.INDEX), typ=simd.INDEX)


def _copy_at(builder, copies, index):
    """One of the copies: the place of its first window in the band, that in the panel, its number of windows."""
    return [_word_at(builder, copies, simd.constant(3 * index + i)) for i in range(3)]


def _loop(builder, count, begin, step):
    """``state = step(i, state)`` for all i below ``count``, from the state ``begin`` on; gives the last state."""
    entry, loop, done = builder.block, builder.append_basic_block("step"), builder.append_basic_block("done")
    builder.cbranch(builder.icmp_signed(">", count, simd.constant(0)), loop, done)
    builder.position_at_end(loop)
    phis = [builder.phi(simd.INDEX), *(builder.phi(each.type) for each in begin)]
    i, *state = phis
    after = [builder.add(i, simd.constant(1)), *step(i, state)]
    for phi, first, following in zip(phis, [simd.constant(0), *begin], after, strict=True):
        phi.add_incoming(first, entry)
        phi.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", after[0], count), loop, done)
    builder.position_at_end(done)
    results = [builder.phi(each.type) for each in begin]
    for result, first, following in zip(results, begin, after[1:], strict=True):
        result.add_incoming(first, entry)
        result.add_incoming(following, loop)
    return results


@functools.cache
def table_for(dtype):
    """The table of the functions for a dtype; its address is what kernels take."""
    table = np.zeros(TABLE_SLOTS, np.int64)
    fill_table(table, np.empty(0, dtype))
    return table
