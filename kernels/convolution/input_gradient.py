"""The adjoint of the convolution by its input: a transposed convolution.

    x[n, c, places that tap t sees of window i] += sum(weight[o, c, t] * y[n, o, i] for all outputs o)

The sums are columns: rows are the taps of some channels, k the outputs of a group, and y is read where it lies or
copied a panel at a time. They are made for a panel of windows at a time, added to what these see of a laid band, and
the band to x. One part is some channels of one group of one sample. Its scratch memory is COLUMNS bytes, or a panel
for the taps of one channel, a band, and a panel of KC outputs.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

from collections import namedtuple

import numpy as np

from .._jit import kernel, merged
from .._threads import spread
from ..gemm.micro import MASK, NO_GATE, ZEROS_SLOT
from ..gemm.pack import pack_panel
from ..simd import CACHE_LINE, FREE_MASKS, VECTOR_BYTES, address, array_at, keep
from .laid import add_columns, add_laid, band_of, bands_of, laid_bytes, laid_out, write_copies, write_tap_offsets
from .shape import shape_of
from .tiles import COLUMNS, PARTS, aligned, depth_of, panel_vectors, run_tiles, whole_vectors, widest_panel

# Addresses, and into how many parts the channels are cut.
Job = namedtuple("Job", "table y weight bias out gate mask parts")

_MANY_ROWS = 64  # from so many rows on, y is packed


@kernel
def spread_back(pool, table, y, weight, bias, out, numbers, gate, mask):
    """out = the input gradient for the gradient y, past a gate; flat arrays. An empty bias is none.

    The bias is one for each channel: this is the transposed convolution too.
    """
    s = shape_of(numbers, y.itemsize)
    channels = max(1, COLUMNS // (s.taps * widest_panel(s.taps) * VECTOR_BYTES))
    items = s.samples * s.groups
    parts = max((s.channels + channels - 1) // channels, min(s.channels, (PARTS + items - 1) // items))
    layout = laid_out(s, (s.channels + parts - 1) // parts, 1)
    job = Job(
        table, address(y), address(weight), address(bias) if bias.size else 0, address(out), gate, address(mask), parts
    )
    spread(pool, _spread_part, items * parts, (y, s, layout, job))


@kernel
def _spread_part(task, like, s, layout, job):
    item, part = divmod(task, job.parts)
    low, high = part * s.channels // job.parts, (part + 1) * s.channels // job.parts
    channels, rows = high - low, (high - low) * s.taps
    begun, elements = (item * s.channels + low) * s.plane, channels * s.plane
    out = array_at(job.out + begun * s.size, elements, like)
    bias = array_at(job.bias + (item % s.groups * s.channels + low) * s.size, channels if job.bias else 0, like)
    _begin(out, bias, s.plane)
    panel_row = widest_panel(rows) * VECTOR_BYTES
    band_bytes = laid_bytes(layout, channels)
    memory = np.empty(band_bytes + (rows + depth_of(s.outputs)) * panel_row + CACHE_LINE, np.uint8)
    copies, offsets = np.empty((panel_row // s.size, 3), np.int64), np.empty(rows, np.int64)
    columns = aligned(address(memory))
    panel = columns + rows * panel_row
    laid = panel + depth_of(s.outputs) * panel_row
    write_tap_offsets(s, layout, channels, offsets)
    for number in range(bands_of(layout)):
        band = band_of(s, layout, number)
        array_at(laid, band_bytes // s.size, like)[:] = 0.0
        at = 0
        while at < band.count:
            vectors = panel_vectors(whole_vectors(band.count - at, s.size), rows)
            count = min(vectors * VECTOR_BYTES // s.size, band.count - at)
            _make_columns(like, s, job, item, low, rows, band.first + at, count, vectors, panel, columns)
            copied = write_copies(s, layout, band, at, count, copies)
            row = vectors * VECTOR_BYTES
            add_columns(like.dtype, s, columns, row, offsets, channels, copies, copied, laid)
            at += count
        add_laid(like.dtype, s, layout, band, laid, channels, job.out + begun * s.size)
    keep(memory)
    if job.gate == MASK:
        _zero_where_not_positive(out, array_at(job.mask + begun * s.size, elements, like))
    elif job.gate != NO_GATE:
        _zero_where_not_positive(out, out)


@merged
def _begin(out, bias, plane):
    """Where the sums of each channel begin."""
    for i in range(out.size):
        out[i] = 0.0
    for channel in range(bias.size):
        for i in range(channel * plane, (channel + 1) * plane):
            out[i] = bias[channel]


@merged
def _zero_where_not_positive(x, mask):
    for i in range(x.size):
        x[i] = 0.0 if mask[i] <= 0 else x[i]


@merged
def _make_columns(like, s, job, item, low, rows, first, count, vectors, panel, columns):
    """columns[t, i] = sum(weight[o, t] * y[o, first + i] for all outputs o), from the first tap of channel low on."""
    taps, row = s.channels * s.taps, vectors * VECTOR_BYTES
    weight = job.weight + (item % s.groups * s.outputs * taps + low * s.taps) * s.size
    out, y_row, depth = (columns, row), s.windows * s.size, depth_of(s.outputs)
    start = job.table + 8 * ZEROS_SLOT, 0
    for begin in range(0, s.outputs, depth):
        steps = min(depth, s.outputs - begin)
        left = weight + begin * taps * s.size, s.size, taps * s.size
        y = job.y + ((item * s.outputs + begin) * s.windows + first) * s.size, y_row
        if rows >= _MANY_ROWS or not (FREE_MASKS or count * s.size == row):
            pack_panel(like.dtype, y[0], s.size, y_row, count, steps, panel, row, s.size)
            y = panel, row
        run_tiles(job.table, count, vectors, rows, steps, left, y, start, out, NO_GATE, out)
        start = out
