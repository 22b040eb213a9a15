"""The input of a convolution laid out for its windows, a band of them at a time, in scratch memory.

Around the input lie the zeros that windows see there, and where windows move by several elements along the last axis,
rows are dealt out into that many phases: then what one tap sees of a row of windows lies in order, and each window and
each tap has an offset whose sum is the place of what the tap sees of the window. Columns are copied from there, or
added there, in whole vectors.

A band is a range of windows that follow one another: some planes, some rows of one plane, or some of one row.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

from collections import namedtuple

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from .. import simd
from .._jit import merged
from ..gemm.pack import copy_element
from ..simd import FREE_MASKS, VECTOR_BYTES
from .tiles import BAND

# How bands are laid out: the most windows of a band along each axis, and how many bands there are; the rows of a laid
# band along the first two axes, the phases of a row, and the bytes of a phase, of a row and of a channel.
Layout = namedtuple("Layout", "band bands depth height phases phase row channel")

# How many channels are added to in turn.
_TOGETHER = 4

# A band: its first window and how many they are, both among all and along each axis.
Band = namedtuple("Band", "first count begin length")


@merged
def laid_out(s, channels, parts):
    """How so many channels are laid out at a time, in at least so many bands, if that can be.

    A laid band takes at most BAND bytes, or what a vector of windows sees of each channel.
    """
    lanes = VECTOR_BYTES // s.size
    phases = min(s.stride[2], _span(s, 2))
    more = (_span(s, 2) - 1) // s.stride[2]
    most = max(1, (s.windows + parts - 1) // parts)
    rows = channels * phases * s.size * _span(s, 0)  # bytes of one place of all rows
    width = BAND // (rows * _span(s, 1)) - more
    width = max(1, min(s.counts[2], max(lanes, min(width, most))))
    height = depth = 1
    if width == s.counts[2]:
        rows *= width + more
        height = _places(s, 1, BAND // rows, most // width)
    if height == s.counts[1]:
        rows = rows // _span(s, 0) * _rows(s, 1, height)
        depth = _places(s, 0, BAND // rows, most // (width * height))
    # a vector of one row ends before the next row begins: to read a part of what is still being written takes long
    phase = max(width + more, width + -width % lanes) * s.size
    row = phases * phase
    depths, heights = _rows(s, 0, depth), _rows(s, 1, height)
    bands = _parts(s.counts[0], depth), _parts(s.counts[1], height), _parts(s.counts[2], width)
    return Layout((depth, height, width), bands, depths, heights, phases, phase, row, depths * heights * row)


@merged
def _span(s, axis):
    """How many elements a window spans."""
    return (s.kernel[axis] - 1) * s.dilation[axis] + 1


@merged
def _rows(s, axis, windows):
    """How many elements so many windows in a row span."""
    return (windows - 1) * s.stride[axis] + _span(s, axis)


@merged
def _places(s, axis, rows, most):
    """How many windows span at most so many rows, and are no more than ``most``; at least one."""
    return max(1, min((rows - _span(s, axis)) // s.stride[axis] + 1, most, s.counts[axis]))


@merged
def _parts(count, each):
    return (count + each - 1) // each


@merged
def bands_of(layout):
    """How many bands there are."""
    return layout.bands[0] * layout.bands[1] * layout.bands[2]


@merged
def band_of(s, layout, number):
    """One of the bands."""
    number, w = divmod(number, layout.bands[2])
    d, h = divmod(number, layout.bands[1])
    d, h, w = d * layout.band[0], h * layout.band[1], w * layout.band[2]
    length = (
        min(layout.band[0], s.counts[0] - d),
        min(layout.band[1], s.counts[1] - h),
        min(layout.band[2], s.counts[2] - w),
    )
    return Band((d * s.counts[1] + h) * s.counts[2] + w, length[0] * length[1] * length[2], (d, h, w), length)


@merged
def laid_bytes(layout, channels):
    """The size of the memory for a laid band; beyond it, a vector is read or written."""
    return channels * layout.channel + VECTOR_BYTES


# ---------------------------------------------------------------------------------------------------------------
# Laying out, and back.


@merged
def lay_out(dtype, s, layout, band, x, channels, laid):
    """Lay out what the windows of a band see of so many channels from the address x on."""
    for channel in range(channels):
        for depth in range(_rows(s, 0, band.length[0])):
            for height in range(_rows(s, 1, band.length[1])):
                source, low, high = _row_of(s, band, depth, height)
                row = laid + channel * layout.channel + (depth * layout.height + height) * layout.row
                for phase in range(layout.phases):
                    first, inside, beyond = _phase_of(s, layout, band, phase, low, high)
                    place = x + (channel * s.plane + source + first) * s.size
                    _copy_run(
                        dtype, place, s.stride[2], inside, beyond, row + phase * layout.phase, layout.phase, s.size
                    )


@merged
def add_laid(dtype, s, layout, band, laid, channels, x):
    """The adjoint of `lay_out`: each element added to that of x it would be a copy of; those around x are left out."""
    for channel in range(channels):
        for depth in range(_rows(s, 0, band.length[0])):
            for height in range(_rows(s, 1, band.length[1])):
                source, low, high = _row_of(s, band, depth, height)
                row = laid + channel * layout.channel + (depth * layout.height + height) * layout.row
                for phase in range(layout.phases):
                    first, inside, beyond = _phase_of(s, layout, band, phase, low, high)
                    place = x + (channel * s.plane + source + first) * s.size
                    _add_run(dtype, row + phase * layout.phase, s.stride[2], inside, beyond, place, s.size)


@merged
def _row_of(s, band, depth, height):
    """Which row of the plane a laid row is: the index of its first element; and the ends of the row, equal if none."""
    d = band.begin[0] * s.stride[0] + depth - s.before[0]
    h = band.begin[1] * s.stride[1] + height - s.before[1]
    inside = d >= 0 and d < s.sizes[0] and h >= 0 and h < s.sizes[1]
    return ((d * s.sizes[1] + h) * s.sizes[2] if inside else 0), 0, (s.sizes[2] if inside else 0)


@merged
def _phase_of(s, layout, band, phase, low, high):
    """The index in its row of the first element of a phase, and which elements of the phase are between the ends."""
    first = band.begin[2] * s.stride[2] + phase - s.before[2]
    inside = max(0, _steps(low - first, s.stride[2]))
    beyond = min(layout.phase // s.size, _steps(high - first, s.stride[2]))
    return first, inside, max(inside, beyond)


@merged
def _steps(distance, stride):
    """How many steps it takes to go so far."""
    return distance if stride == 1 else (distance + stride - 1) // stride


@merged
def _copy_run(dtype, source, stride, low, high, target, bytes_, size):
    """target[i] = source[i * stride] for low <= i < high, and 0 for the others; whole vectors are written."""
    width = VECTOR_BYTES // size
    if stride == 1:
        for i in range(0, bytes_ // size, width):
            copy_lanes(dtype, source + i * size, low - i, high - i, target + i * size)
        return
    if stride == 2 and FREE_MASKS:
        for i in range(0, bytes_ // size, width):
            copy_every_other(dtype, source + 2 * i * size, low - i, high - i, target + i * size)
        return
    for i in range(0, bytes_ // size, width):
        copy_lanes(dtype, source, 0, 0, target + i * size)
    for i in range(low, high):
        copy_element(dtype, source + i * stride * size, target, i)


@merged
def _add_run(dtype, source, stride, low, high, target, size):
    """target[i * stride] += source[i] for low <= i < high."""
    width = VECTOR_BYTES // size
    if stride == 1:
        for i in range(0, high, width):
            add_lanes(dtype, source + i * size, low - i, high - i, target + i * size)
        return
    if stride == 2 and FREE_MASKS:
        for i in range(0, high, width):
            add_to_every_other(dtype, source + i * size, low - i, high - i, target + 2 * i * size)
        return
    for i in range(low, high):
        add_element(dtype, source + i * size, target + i * stride * size)


# ---------------------------------------------------------------------------------------------------------------
# Columns: [taps of the laid channels][some windows of the band].


@merged
def write_tap_offsets(s, layout, channels, offsets):
    """The offsets of all taps of so many channels, in bytes, to the flat array ``offsets``."""
    t = 0
    for channel in range(channels):
        for depth in range(s.kernel[0]):
            for height in range(s.kernel[1]):
                row = depth * s.dilation[0] * layout.height + height * s.dilation[1]
                for width in range(s.kernel[2]):
                    step, phase = divmod(width * s.dilation[2], s.stride[2])
                    offsets[t] = channel * layout.channel + row * layout.row + phase * layout.phase + step * s.size
                    t += 1


@merged
def write_copies(s, layout, band, first, count, copies):
    """The vectors that ``count`` windows of a band are copied by, to the array ``copies``; gives how many they are.

    Each is the offset of its first window, in bytes, its place in the panel, in bytes, and its number of windows.
    """
    width = VECTOR_BYTES // s.size
    depth, rest = divmod(first, band.length[1] * band.length[2])
    height, at = divmod(rest, band.length[2])
    done = number = 0
    while done < count:
        lanes = min(count - done, band.length[2] - at, width)
        row = depth * s.stride[0] * layout.height + height * s.stride[1]
        copies[number, 0], copies[number, 1], copies[number, 2] = row * layout.row + at * s.size, done * s.size, lanes
        number += 1
        done += lanes
        at += lanes
        if at == band.length[2]:
            at = 0
            height += 1
            if height == band.length[1]:
                height = 0
                depth += 1
    return number


@merged
def pack_columns(dtype, laid, offsets, taps, copies, number, panel, panel_row):
    """What each of some taps sees of the windows of ``copies``, a row each; a vector more may be written."""
    for t in range(taps):
        source, row = laid + offsets[t], panel + t * panel_row
        for i in range(number):
            copy_whole(dtype, source + copies[i, 0], row + copies[i, 1])


@merged
def add_columns(dtype, s, panel, panel_row, offsets, channels, copies, number, laid):
    """The adjoint of `pack_columns`: each number added to what its tap sees.

    Taps that see neighbours follow one another late: the processor waits where it reads a part of what it is still
    writing. A few channels at a time stay in the first-level cache.
    """
    for channel in range(0, channels, _TOGETHER):
        for width in range(s.kernel[2]):
            for height in range(width, s.taps, s.kernel[2]):
                for t in range(channel * s.taps + height, min(channels, channel + _TOGETHER) * s.taps, s.taps):
                    target, row = laid + offsets[t], panel + t * panel_row
                    for i in range(number):
                        add_lanes(dtype, row + copies[i, 1], 0, copies[i, 2], target + copies[i, 0])


# ---------------------------------------------------------------------------------------------------------------
# Instructions.


@intrinsic
def copy_whole(typingctx, dtype, source, target):
    """Copy a vector."""

    def generate(context, builder, signature, arguments):
        source, target = (builder.inttoptr(a, simd.POINTER) for a in arguments[1:])
        simd.store(builder, simd.load(builder, source, simd.vector(simd.ELEMENTS[signature.args[0].dtype])), target)
        return context.get_dummy_value()

    return types.void(dtype, *[types.int64] * 2), generate


@intrinsic
def copy_lanes(typingctx, dtype, source, low, high, target):
    """Write a whole vector: that at ``source`` in the lanes low <= i < high, zeros in the others."""

    def emit(builder, kind, source, target, mask):
        simd.store(builder, simd.load(builder, source, kind, mask), target)

    return _on_lanes(emit, dtype)


@intrinsic
def add_lanes(typingctx, dtype, source, low, high, target):
    """Add the vector at ``source`` to that at ``target`` in the lanes low <= i < high."""

    def emit(builder, kind, source, target, mask):
        total = builder.fadd(simd.load(builder, target, kind, mask), simd.load(builder, source, kind, mask))
        simd.store(builder, total, target, mask)

    return _on_lanes(emit, dtype)


def _on_lanes(emit, dtype):
    """What an intrinsic (dtype, source, low, high, target) returns: ``emit(builder, kind, source, target, mask)``.

    Where masks are not free, whole vectors do without.
    """

    def generate(context, builder, signature, arguments):
        kind = simd.vector(simd.ELEMENTS[signature.args[0].dtype])
        source, target = (builder.inttoptr(arguments[i], simd.POINTER) for i in (1, 4))
        low, high = arguments[2:4]
        mask = _lanes_between(builder, low, high, kind.count)
        if FREE_MASKS:
            emit(builder, kind, source, target, mask)
            return context.get_dummy_value()
        begins = builder.icmp_signed("<=", low, simd.constant(0))
        ends = builder.icmp_signed(">=", high, simd.constant(kind.count))
        with builder.if_else(builder.and_(begins, ends)) as (whole, part):
            with whole:
                emit(builder, kind, source, target, None)
            with part:
                emit(builder, kind, source, target, mask)
        return context.get_dummy_value()

    return types.void(dtype, *[types.int64] * 4), generate


@intrinsic
def copy_every_other(typingctx, dtype, source, low, high, target):
    """Write a whole vector: source[2 i] in the lanes low <= i < high, zeros in the others."""

    def emit(builder, kind, source, target, masks):
        pair = [simd.load(builder, _vector_at(builder, source, v), kind, mask) for v, mask in enumerate(masks)]
        simd.store(builder, simd.shuffle(builder, *pair, range(0, 2 * kind.count, 2)), target)

    return _on_every_other(emit, dtype)


@intrinsic
def add_to_every_other(typingctx, dtype, source, low, high, target):
    """Add source[i] to target[2 i] in the lanes low <= i < high."""

    def emit(builder, kind, source, target, masks):
        values = simd.load(builder, source, kind)
        for v, mask in enumerate(masks):
            lanes = [v * kind.count // 2 + i // 2 if i % 2 == 0 else kind.count for i in range(kind.count)]
            apart = simd.shuffle(builder, values, ir.Constant(kind, None), lanes)
            place = _vector_at(builder, target, v)
            simd.store(builder, builder.fadd(simd.load(builder, place, kind, mask), apart), place, mask)

    return _on_every_other(emit, dtype)


def _on_every_other(emit, dtype):
    """As `_on_lanes`, with the masks of the two vectors whose even elements are these lanes."""

    def generate(context, builder, signature, arguments):
        kind = simd.vector(simd.ELEMENTS[signature.args[0].dtype])
        source, target = (builder.inttoptr(arguments[i], simd.POINTER) for i in (1, 4))
        low, high = (builder.shl(each, simd.constant(1)) for each in arguments[2:4])
        high, masks = builder.sub(high, simd.constant(1)), []
        for v in range(2):
            ends = (builder.sub(each, simd.constant(v * kind.count)) for each in (low, high))
            masks.append(_lanes_between(builder, *ends, kind.count))
        emit(builder, kind, source, target, masks)
        return context.get_dummy_value()

    return types.void(dtype, *[types.int64] * 4), generate


def _lanes_between(builder, low, high, width):
    """The mask of the lanes low <= i < high."""
    before = builder.not_(simd.first_lanes(builder, low, width))
    return builder.and_(simd.first_lanes(builder, high, width), before)


def _vector_at(builder, pointer, number):
    return simd.offset(builder, pointer, number * VECTOR_BYTES)


@intrinsic
def add_element(typingctx, dtype, source, target):
    """Add one element to another."""

    def generate(context, builder, signature, arguments):
        element = simd.ELEMENTS[signature.args[0].dtype]
        source, target = (builder.inttoptr(a, simd.POINTER) for a in arguments[1:])
        total = builder.fadd(simd.load(builder, target, element), simd.load(builder, source, element))
        simd.store(builder, total, target)
        return context.get_dummy_value()

    return types.void(dtype, *[types.int64] * 2), generate
