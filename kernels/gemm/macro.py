"""The loops around the register tile: blocks for the caches, packing where it pays, tasks for the threads.

The result is cut into tasks: a block of rows by a block of columns of one product of the batch. A task runs over k in
blocks; within one, over panels of NR columns; within one, over tiles of about MR rows. Every element of the result is
the sum of its products in the order of k, whatever the cut, so threads, tiles and packing never change its bits.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

from collections import namedtuple

import numpy as np

from .._jit import kernel, merged
from .._threads import spread
from ..reduce import _sum_rows
from ..simd import FREE_MASKS, VECTOR_BYTES, address, keep
from .blocking import (
    DEEP,
    DOT_ROWS,
    DOTS,
    FAR,
    FEW_ROWS,
    KC,
    KC_FREE,
    LARGE,
    LONG_ROW,
    MANY,
    MR,
    NR_BYTES,
    PANELS,
    TILES,
    TILES_FREE,
    WIDE,
)
from .micro import NO_GATE, dots, tiles
from .pack import copy_element, pack_panel

CACHE_LINE = 64

# Sizes in elements, strides in bytes.
Shape = namedtuple("Shape", "m k n size x_row x_column y_row y_column out_row bias_column gate mask_row")

# What the shape decides: rows are cut into tiles and these into blocks, columns into panels and these into blocks.
Plan = namedtuple(
    "Plan", "dot few pack_x pack_y tiles row_blocks panels column_blocks depth panel_row tile_row tile_bytes"
)

# Addresses of the matrices of one product, and of its scratch memory.
Places = namedtuple("Places", "x y out bias mask x_scratch y_scratch")


@merged
def shape_of(x, y, out, bias_column, gate, mask):
    """The sizes and strides of a product, and what its sums pass before they are stored."""
    (x_row, x_column), (y_row, y_column) = x.strides, y.strides
    m, k = x.shape
    out_row, mask_row = out.strides[0], mask.strides[0]
    return Shape(m, k, y.shape[1], x.itemsize, x_row, x_column, y_row, y_column, out_row, bias_column, gate, mask_row)


@merged
def plan_of(shape):
    """How a product is done; it depends on sizes and strides only."""
    tiles = (shape.m + MR - 1) // MR
    panels = (shape.n * shape.size + NR_BYTES - 1) // NR_BYTES
    few = shape.m <= FEW_ROWS
    dot = shape.m <= DOT_ROWS and shape.y_row == shape.size and shape.y_column != shape.size
    pack_x = panels >= MANY and tiles > 1 and abs(shape.x_column) >= FAR and shape.k >= DEEP
    long_y = abs(shape.y_row) >= LONG_ROW and shape.k * abs(shape.y_row) >= LARGE
    pack_y = shape.y_column != shape.size or (tiles >= MANY and long_y)
    row_blocks = (tiles + TILES - 1) // TILES if pack_x or pack_y else (tiles + TILES_FREE - 1) // TILES_FREE
    column_blocks = max(1, (panels + PANELS - 1) // PANELS if pack_x or few or dot else panels)

    width = VECTOR_BYTES // shape.size
    most = KC if pack_x or pack_y else KC_FREE
    depth = shape.k // max(1, (shape.k + most - 1) // most) + 1
    depth += -depth % width
    tile_row = (MR + width - 1) // width * VECTOR_BYTES
    tile_bytes = depth * tile_row + CACHE_LINE
    return Plan(
        dot,
        few,
        pack_x,
        pack_y,
        tiles,
        row_blocks,
        panels,
        column_blocks,
        depth,
        np.intp(NR_BYTES),
        tile_row,
        tile_bytes,
    )


@merged
def _scratch_bytes(shape, plan, tile_range):
    """The size of the scratch memory of a task for x, and for y."""
    if plan.dot:
        return (0 if shape.x_column == shape.size else shape.m * shape.k * shape.size), 0
    x_bytes = (tile_range[1] - tile_range[0]) * plan.tile_bytes if plan.pack_x else 0
    return x_bytes, (plan.depth * NR_BYTES if plan.pack_y or not FREE_MASKS else 0)


@merged
def _run_depth(dtype, shape, plan, places, tile_range, panels, first, steps):
    """One block of k, ``steps`` products from the index ``first`` on, for these tiles of rows and panels of columns."""
    if plan.pack_x:
        _pack_tiles(dtype, shape, plan, places, tile_range, first, steps)
    width = NR_BYTES // shape.size
    column, end = panels[0] * width, min(shape.n, panels[1] * width)
    wide = WIDE * VECTOR_BYTES // shape.size if plan.few and not plan.pack_y else width
    while column < end:
        columns = wide if end - column >= wide else min(width, end - column)
        y, y_row = places.y + column * shape.y_column + first * shape.y_row, shape.y_row
        if plan.pack_y or (not FREE_MASKS and columns < width):
            pack_panel(dtype, y, shape.y_column, y_row, columns, steps, places.y_scratch, plan.panel_row, shape.size)
            y, y_row = places.y_scratch, plan.panel_row
        _run_panel(dtype, shape, plan, places, tile_range, column, columns, first, steps, y, y_row)
        column += columns


@merged
def _run_panel(dtype, shape, plan, places, tile_range, column, columns, first, steps, y, y_row):
    """All row tiles of a block against one panel of y: the taller ones, then those with one row less."""
    base, extra = divmod(shape.m, plan.tiles)
    for taller in range(1, -1, -1):
        low, high = (0, extra) if taller else (extra, plan.tiles)
        low, high = max(low, tile_range[0]), min(high, tile_range[1])
        if low >= high:
            continue
        row, rows = low * base + min(low, extra), base + taller
        out = places.out + row * shape.out_row + column * shape.size
        start, start_row = out, shape.out_row
        if first == 0:
            start, start_row = places.bias + column * shape.bias_column, 0
        x, x_row, x_column = places.x + row * shape.x_row + first * shape.x_column, shape.x_row, shape.x_column
        x_tile = rows * x_row
        if plan.pack_x:
            x, x_row, x_column = places.x_scratch + (low - tile_range[0]) * plan.tile_bytes, shape.size, plan.tile_row
            x_tile = plan.tile_bytes
        count = high - low
        tiles(
            dtype,
            rows,
            columns,
            count,
            steps,
            x,
            x_row,
            x_column,
            x_tile,
            y,
            y_row,
            start,
            start_row,
            out,
            shape.out_row,
            shape.gate if first + steps >= shape.k else NO_GATE,
            places.mask + row * shape.mask_row + column * shape.size,
            shape.mask_row,
        )


@merged
def _pack_tiles(dtype, shape, plan, places, tile_range, first, steps):
    base, extra = divmod(shape.m, plan.tiles)
    for t in range(*tile_range):
        x = places.x + (t * base + min(t, extra)) * shape.x_row + first * shape.x_column
        into = places.x_scratch + (t - tile_range[0]) * plan.tile_bytes
        rows = base + (1 if t < extra else 0)
        pack_panel(dtype, x, shape.x_row, shape.x_column, rows, steps, into, plan.tile_row, shape.size)


@merged
def _run_dots(dtype, shape, places, panels):
    """Few rows of x against columns of y that are contiguous along k: nothing is packed but a row of x in pieces."""
    width = NR_BYTES // shape.size
    column, end = panels[0] * width, min(shape.n, panels[1] * width)
    x, x_row = places.x, shape.x_row
    if shape.x_column != shape.size:
        x, x_row = places.x_scratch, shape.k * shape.size
        for i in range(shape.m):
            row = places.x + i * shape.x_row
            for p in range(shape.k):
                copy_element(dtype, row + p * shape.x_column, x + i * x_row, p)
    while column < end:
        count = DOTS if end - column >= DOTS else 1
        y, start = places.y + column * shape.y_column, places.bias + column * shape.bias_column
        for i in range(shape.m):
            out = places.out + i * shape.out_row + column * shape.size
            mask = places.mask + i * shape.mask_row + column * shape.size
            dots(dtype, count, shape.k, x + i * x_row, y, shape.y_column, start, out, shape.gate, mask)
        column += count


@merged
def _sum_x(x, sums, shape, plan, tile_range):
    """The sums of the rows of x that belong to these tiles."""
    base, extra = divmod(shape.m, plan.tiles)
    low = tile_range[0] * base + min(tile_range[0], extra)
    high = tile_range[1] * base + min(tile_range[1], extra)
    totals = np.empty(high - low)
    _sum_rows(x[low:high].T, totals)
    sums[low:high] = totals


@kernel
def _run_task(task, x, y, out, bias, mask, sums, shape, plan, x_step, y_step, out_step):
    """Compute one task of the batch."""
    item, task = divmod(task, plan.row_blocks * plan.column_blocks)
    # the tasks of one thread follow one another: it gets whole columns, whose panels all row blocks share
    column_block, row_block = divmod(task, plan.row_blocks)
    tile_range = row_block * plan.tiles // plan.row_blocks, (row_block + 1) * plan.tiles // plan.row_blocks
    panels = column_block * plan.panels // plan.column_blocks, (column_block + 1) * plan.panels // plan.column_blocks

    left, right, target = address(x) + item * x_step, address(y) + item * y_step, address(out) + item * out_step
    x_bytes, y_bytes = _scratch_bytes(shape, plan, tile_range)
    memory = np.empty(x_bytes + y_bytes + CACHE_LINE, np.uint8)
    scratch = address(memory) + -address(memory) % CACHE_LINE
    places = Places(left, right, target, address(bias), address(mask), scratch + y_bytes, scratch)
    if sums.size and column_block == 0:
        _sum_x(x, sums, shape, plan, tile_range)
    if plan.dot:
        _run_dots(x.dtype, shape, places, panels)
    else:
        first = 0
        while first == 0 or first < shape.k:  # once even where k is 0, for the bias
            _run_depth(x.dtype, shape, plan, places, tile_range, panels, first, min(plan.depth, shape.k - first))
            first += plan.depth
    keep(memory)


@kernel
def product(pool, x, y, out, bias, bias_column, gate, mask, sums, batch, x_step, y_step, out_step):
    """out = bias + x @ y for ``batch`` products whose operands lie ``*_step`` bytes apart.

    ``gate`` and ``mask`` (like out) say what the sums pass before they are stored. ``sums``, if it is not empty,
    receives the sum of each row of x.
    """
    shape = shape_of(x, y, out, bias_column, gate, mask)
    plan = plan_of(shape)
    tasks = batch * plan.row_blocks * plan.column_blocks
    spread(pool, _run_task, tasks, (x, y, out, bias, mask, sums, shape, plan, x_step, y_step, out_step))
