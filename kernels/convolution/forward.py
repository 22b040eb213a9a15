"""The convolution itself: rows are the outputs of a group, k its taps, columns its windows.

    out[n, o, i] = bias[o] + sum(weight[o, t] * columns[t, i] for all taps t)

The weight is read where it lies; the columns are copied a panel at a time from a band of x that is laid out. One part
is some outputs and one band of one group of one sample. Its scratch memory is a band, and of the panel's vectors KC, or
the taps of a channel, and one for each output; and that of all parts a copy of the weight where it is turned.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

from collections import namedtuple

import numpy as np

from .._jit import kernel, merged
from .._threads import spread
from ..gemm.blocking import KC
from ..gemm.micro import NO_GATE, ZEROS_SLOT
from ..gemm.pack import pack_panel
from ..simd import CACHE_LINE, FREE_MASKS, VECTOR_BYTES, address, array_at, keep
from .direct import VECTORS, run_direct
from .laid import band_of, bands_of, laid_bytes, laid_out, lay_out, pack_columns, write_copies, write_tap_offsets
from .shape import is_plain, shape_of
from .tiles import DIRECT, PARTS, WINDOWS, aligned, depth_of, panel_vectors, run_tiles, whole_vectors, widest_panel

# Addresses, the strides of the weight in bytes, into how many parts the outputs of a group are cut, and of how many
# channels the taps are multiplied at a time.
Job = namedtuple("Job", "table direct x weight group_step row_step tap_step bias out gate mask row_parts channels")

# How the weight lies.
IN_ORDER, OUTPUTS_LAST, TURNED = 0, 1, 2

_FEWEST_ROWS = 16  # of a part, where outputs are cut


@kernel
def convolve(pool, table, direct, x, weight, bias, out, numbers, order, gate, mask):
    """out = the convolution of x, past a gate; flat arrays. An empty bias is none.

    ``order`` says how the weight lies: IN_ORDER, (G, O/G, C/G, taps); OUTPUTS_LAST, (G, C/G, O/G) of windows that see
    one element; or TURNED, (G, C/G, O/G, taps) with the taps in reverse, of which a copy in order is made.
    """
    s = shape_of(numbers, x.itemsize)
    taps = s.channels * s.taps
    row_step, tap_step = (s.size, s.outputs * s.size) if order == OUTPUTS_LAST else (taps * s.size, s.size)
    in_order = np.empty(weight.size if order == TURNED else 0, x.dtype)
    if order == TURNED:
        spread(pool, _turn_part, s.groups * s.outputs, (weight, s, in_order))
    channels = depth_of(s.channels, max(1, KC // s.taps))
    items = s.samples * s.groups
    layout = laid_out(s, channels, (PARTS + items - 1) // items)
    parts = items * bands_of(layout)
    row_parts = max(1, min((PARTS + parts - 1) // parts, s.outputs // _FEWEST_ROWS))
    job = Job(
        table, direct, address(x), address(in_order if order == TURNED else weight), taps * s.outputs * s.size,
        row_step, tap_step, address(bias) if bias.size else 0, address(out), gate, address(mask), row_parts, channels,
    )  # fmt: skip
    spread(pool, _convolve_part, parts * row_parts, (x, s, layout, job))
    keep(in_order)


@kernel
def _turn_part(task, weight, s, in_order):
    """The kernels of one output, from (G, C/G, O/G, taps) with the taps in reverse to (G, O/G, C/G, taps)."""
    group, output = divmod(task, s.outputs)
    for channel in range(s.channels):
        first = (task * s.channels + channel) * s.taps
        last = ((group * s.channels + channel) * s.outputs + output + 1) * s.taps - 1
        for t in range(s.taps):
            in_order[first + t] = weight[last - t]


@kernel
def _convolve_part(task, like, s, layout, job):
    task, row_part = divmod(task, job.row_parts)
    item, number = divmod(task, bands_of(layout))  # the item is a group of a sample
    rows = row_part * s.outputs // job.row_parts, (row_part + 1) * s.outputs // job.row_parts
    band = band_of(s, layout, number)
    panel_row = widest_panel(rows[1] - rows[0]) * VECTOR_BYTES
    depth = job.channels * s.taps
    band_bytes = 0 if is_plain(s) else laid_bytes(layout, job.channels)
    memory = np.empty((depth + rows[1] - rows[0]) * panel_row + band_bytes + 3 * CACHE_LINE, np.uint8)
    is_direct = FREE_MASKS and s.outputs <= DIRECT and job.channels == s.channels and not is_plain(s)
    windows = WINDOWS if is_direct else panel_row // s.size
    copies, offsets = np.empty((windows + VECTORS, 3), np.int64), np.empty(depth, np.int64)
    start = aligned(address(memory)), 0
    panel = start[0] + (rows[1] - rows[0]) * panel_row
    laid = aligned(panel + depth * panel_row + VECTOR_BYTES)
    if job.bias:
        start = start[0], panel_row
        bias = array_at(job.bias + (item % s.groups * s.outputs + rows[0]) * s.size, rows[1] - rows[0], like)
        _repeat(bias, start[0], panel_row // s.size)
    else:
        start = job.table + 8 * ZEROS_SLOT, 0
    write_tap_offsets(s, layout, job.channels, offsets)
    if is_direct:
        lay_out(like.dtype, s, layout, band, job.x + item * s.channels * s.plane * s.size, s.channels, laid)
        _convolve_directly(s, layout, job, item, rows, band, laid, offsets, copies)
        keep(memory)
        return
    for channel in range(0, max(1, s.channels), max(1, job.channels)):
        channels = min(job.channels, s.channels - channel)
        x = job.x + (item * s.channels + channel) * s.plane * s.size
        if not is_plain(s):
            lay_out(like.dtype, s, layout, band, x, channels, laid)
        source = x, laid, offsets, copies, panel
        _convolve_band(like, s, layout, job, item, rows, band, channel, channels, source, start)
    keep(memory)


@merged
def _repeat(values, rows, count):
    """Each value ``count`` times, all at the address ``rows``."""
    repeated = array_at(rows, values.size * count, values)
    for i in range(values.size):
        for j in range(i * count, (i + 1) * count):
            repeated[j] = values[i]


@merged
def _convolve_band(like, s, layout, job, item, rows, band, channel, channels, source, start):
    """What the taps of some channels, from one on, add to some rows of a band."""
    x, laid, offsets, copies, panel = source
    width, steps = VECTOR_BYTES // s.size, channels * s.taps
    tap = channel * s.taps
    weight = job.weight + item % s.groups * job.group_step + rows[0] * job.row_step + tap * job.tap_step
    left, out_row = (weight, job.row_step, job.tap_step), s.windows * s.size
    gate = job.gate if channel + channels == s.channels else NO_GATE
    at = 0
    while at < band.count:
        vectors = panel_vectors(whole_vectors(band.count - at, s.size), rows[1] - rows[0])
        columns = min(vectors * width, band.count - at)
        y = x + (band.first + at) * s.size, s.plane * s.size
        if not is_plain(s):
            number = write_copies(s, layout, band, at, columns, copies)
            y = panel, vectors * VECTOR_BYTES
            pack_columns(like.dtype, laid, offsets, steps, copies, number, panel, y[1])
        elif not (FREE_MASKS or columns == vectors * width):
            pack_panel(like.dtype, y[0], s.size, y[1], columns, steps, panel, vectors * VECTOR_BYTES, s.size)
            y = panel, vectors * VECTOR_BYTES
        place = ((item * s.outputs + rows[0]) * s.windows + band.first + at) * s.size
        out, mask = (job.out + place, out_row), (job.mask + place, out_row)
        begin = start if channel == 0 else out
        run_tiles(job.table, columns, vectors, rows[1] - rows[0], steps, left, y, begin, out, gate, mask)
        at += columns


@merged
def _convolve_directly(s, layout, job, item, rows, band, laid, offsets, copies):
    """Some rows of a band, all taps at once."""
    group = item % s.groups * s.outputs + rows[0]
    weight = job.weight + item % s.groups * job.group_step + rows[0] * job.row_step, job.row_step, job.tap_step
    start = (job.bias + group * s.size, s.size) if job.bias else (job.table + 8 * ZEROS_SLOT, 0)
    for at in range(0, band.count, WINDOWS):
        windows = min(WINDOWS, band.count - at)
        number = write_copies(s, layout, band, at, windows, copies)
        copies[number : number + VECTORS] = 0
        place = ((item * s.outputs + rows[0]) * s.windows + band.first + at) * s.size
        run_direct(
            job.direct, rows[1] - rows[0], s.channels * s.taps, laid, address(offsets), address(copies), number,
            weight, start, (job.out + place, s.windows * s.size), job.gate, job.mask + place,
        )  # fmt: skip
