"""The adjoint of the convolution by its weight, and by its bias.

    weight[o, t] = sum(y[n, o, i] * columns[t, i] for all samples n and windows i)
    bias[o] = sum(y[n, o, i] for all samples n and windows i)

It is computed transposed: rows are the taps of some channels, k the windows, columns the outputs of a group. One part
adds up the products of some blocks of windows for some channels of one group, in place. The partial sums of all parts,
at most SUMS bytes or one weight, are then added in order.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

from collections import namedtuple

import numpy as np

from .._jit import kernel, merged
from .._threads import spread
from ..gemm.micro import NO_GATE, ZEROS_SLOT
from ..gemm.pack import pack_panel
from ..reduce import total
from ..simd import CACHE_LINE, FREE_MASKS, VECTOR_BYTES, address, array_at, keep
from .direct import run_dots
from .laid import band_of, bands_of, laid_bytes, laid_out, lay_out, pack_columns, write_copies, write_tap_offsets
from .shape import is_plain, shape_of
from .tiles import COLUMNS, DIRECT, FEW_TAPS, PARTS, WINDOWS, aligned, panel_vectors, run_tiles, whole_vectors

SUMS = 1 << 20

_LONG = 1024  # the most windows of a block for dots

# Addresses, and how the work is cut: the number of parts of the channels, the parts of the bands of all samples, the
# windows of a block of columns. `sums` is [part of bands, group, tap, output]; `totals`, in float64, [part, output].
Job = namedtuple("Job", "table direct y x weight bias sums totals channel_parts band_parts block")


@kernel
def weigh(pool, table, direct, y, x, numbers, weight, bias):
    """weight, bias = the gradients by weight and bias for the gradient y of the convolution of x; flat arrays.

    No bias is computed where it is empty.
    """
    s = shape_of(numbers, x.itemsize)
    is_direct = _is_direct(s)
    block = max(VECTOR_BYTES // s.size, min(WINDOWS, COLUMNS // (s.taps * s.size)))
    channels = max(1, COLUMNS // (s.taps * block * s.size))
    if is_direct:
        block = min(s.windows, _LONG)
    channel_parts = max(1, (s.channels + channels - 1) // channels)
    most_parts = max(1, min(PARTS, SUMS // max(1, weight.size * s.size)))
    layout = laid_out(s, (s.channels + channel_parts - 1) // channel_parts, max(1, most_parts // max(1, s.samples)))
    band_parts = max(1, min(most_parts, s.samples * bands_of(layout)))
    channel_parts = max(channel_parts, min(s.channels, PARTS // (s.groups * band_parts)))
    sums = np.empty(band_parts * weight.size, x.dtype)
    if s.samples == 0 or is_direct:
        sums[:] = 0
    totals = np.zeros(band_parts * bias.size, np.float64)
    job = Job(
        table, direct, address(y), address(x), address(weight), address(bias) if bias.size else 0, address(sums),
        address(totals), channel_parts, band_parts, block,
    )  # fmt: skip
    spread(pool, _weigh_part, band_parts * s.groups * channel_parts, (x, s, layout, job))
    spread(pool, _add_up_part, s.groups * channel_parts, (x, s, job))
    for o in range(bias.size):
        for part in range(1, band_parts):
            totals[o] += totals[part * bias.size + o]
        bias[o] = totals[o]
    keep(sums)
    keep(totals)


@merged
def _is_direct(s):
    """Whether the sums are made of dots, straight from a laid band."""
    return FREE_MASKS and (s.outputs <= DIRECT or s.channels * s.taps <= FEW_TAPS) and not is_plain(s)


@kernel
def _weigh_part(task, like, s, layout, job):
    task, channel_part = divmod(task, job.channel_parts)
    part, group = divmod(task, s.groups)
    low, high = _channels(s, job, channel_part)
    rows, bands = (high - low) * s.taps, s.samples * bands_of(layout)
    sums = job.sums + ((part * s.groups + group) * s.channels + low) * s.taps * s.outputs * s.size, s.outputs * s.size
    turned_row = whole_vectors(s.outputs, s.size) * VECTOR_BYTES
    is_direct = _is_direct(s)
    columns_row = 0 if is_direct else whole_vectors(job.block, s.size) * VECTOR_BYTES + CACHE_LINE
    turned_row = 0 if is_direct else turned_row
    band_bytes = laid_bytes(layout, high - low)
    memory = np.empty(rows * columns_row + job.block * turned_row + band_bytes + 3 * CACHE_LINE, np.uint8)
    copies, offsets = np.empty((job.block, 3), np.int64), np.empty(rows, np.int64)
    turned = aligned(address(memory))
    columns = turned + job.block * turned_row
    laid = aligned(columns + rows * columns_row + VECTOR_BYTES)
    write_tap_offsets(s, layout, high - low, offsets)
    start = job.table + 8 * ZEROS_SLOT, 0
    for each in range(part * bands // job.band_parts, (part + 1) * bands // job.band_parts):
        sample, number = divmod(each, bands_of(layout))
        band, item = band_of(s, layout, number), sample * s.groups + group
        x = job.x + (item * s.channels + low) * s.plane * s.size
        if not is_plain(s):
            lay_out(like.dtype, s, layout, band, x, high - low, laid)
        for at in range(0, band.count, job.block):
            windows = min(job.block, band.count - at)
            y = job.y + (item * s.outputs * s.windows + band.first + at) * s.size
            if job.bias and channel_part == 0:
                _add_rows(like, s, y, windows, job.totals + (part * s.groups + group) * s.outputs * 8)
            if is_direct:
                copied = write_copies(s, layout, band, at, windows, copies)
                out = sums[0], s.size, sums[1]
                places = address(offsets), address(copies)
                run_dots(
                    job.direct, s.outputs, rows, laid, places[0], places[1], copied, (y, s.windows * s.size), out
                )  # fmt: skip
            if rows == 0 or is_direct:
                continue
            pack_panel(like.dtype, y, s.windows * s.size, s.size, s.outputs, windows, turned, turned_row, s.size)
            left = x + (band.first + at) * s.size, s.plane * s.size, s.size
            if not is_plain(s):
                copied = write_copies(s, layout, band, at, windows, copies)
                pack_columns(like.dtype, laid, offsets, rows, copies, copied, columns, columns_row)
                left = columns, columns_row, s.size
            _multiply(s, job.table, rows, windows, left, (turned, turned_row), start, sums)
            start = sums
    keep(memory)


_DOUBLE = np.empty(0)


@merged
def _channels(s, job, part):
    """The first channel of a part of them, and the one after its last."""
    return part * s.channels // job.channel_parts, (part + 1) * s.channels // job.channel_parts


@merged
def _add_rows(like, s, y, windows, totals):
    """Add the sum of some windows of each output to its total, from the address ``totals`` on."""
    totals = array_at(totals, s.outputs, _DOUBLE)
    for o in range(s.outputs):
        totals[o] += total(array_at(y + o * s.windows * s.size, windows, like), 0, windows)


@merged
def _multiply(s, table, rows, windows, columns, turned, start, sums):
    """sums = start + columns @ turned, all outputs of a group."""
    width, first = VECTOR_BYTES // s.size, 0
    while first < s.outputs:
        vectors = panel_vectors(whole_vectors(s.outputs - first, s.size), rows)
        count = min(vectors * width, s.outputs - first)
        y, begun = (turned[0] + first * s.size, turned[1]), (start[0] + (first * s.size if start[1] else 0), start[1])
        out = sums[0] + first * s.size, sums[1]
        run_tiles(table, count, vectors, rows, windows, columns, y, begun, out, NO_GATE, out)
        first += count


@kernel
def _add_up_part(task, like, s, job):
    """Add up the partial sums for some channels of a group, and put them in the order of the weight."""
    group, channel_part = divmod(task, job.channel_parts)
    low, high = _channels(s, job, channel_part)
    taps, whole = s.channels * s.taps, s.groups * s.channels * s.taps * s.outputs
    sums, weight = array_at(job.sums, job.band_parts * whole, like), array_at(job.weight, whole, like)
    for t in range(low * s.taps, high * s.taps):
        row = (group * taps + t) * s.outputs
        for part in range(1, job.band_parts):
            for o in range(s.outputs):
                sums[row + o] += sums[part * whole + row + o]
        for o in range(s.outputs):
            weight[(group * s.outputs + o) * taps + t] = sums[row + o]
