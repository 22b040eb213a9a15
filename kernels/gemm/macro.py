"""The loops around the register tile: blocks for the caches, packing where it pays, tasks for the threads.

The result is cut into tasks: a block of rows by a block of columns of one product of the batch. A task runs over k in
blocks; within one, over panels of NR columns; within one, over tiles of about MR rows. Every element of the result is
the sum of its products in the order of k, whatever the cut, so threads, tiles and packing never change its bits.
"""

from collections import namedtuple

import numba
import numpy as np
from numba.extending import register_jitable

from .._jit import kernel
from ..simd import FREE_MASKS, VECTOR_BYTES, address, keep
from .blocking import DEEP, KC, KC_FREE, LARGE, LONG_ROW, MANY, MR, NR_BYTES, PANELS, TILES, TILES_FREE
from .micro import tile
from .pack import pack_panel

CACHE_LINE = 64

# Helpers become part of the kernel that calls them: compiling each alone would compile the tiles again and again.
inlined = register_jitable(inline="always")

# Sizes in elements, strides in bytes.
Shape = namedtuple("Shape", "m k n size x_row x_column y_row y_column out_row bias_column")

# What the shape decides: rows are cut into tiles and these into blocks, columns into panels and these into blocks.
Plan = namedtuple("Plan", "pack_x pack_y tiles row_blocks panels column_blocks depth tile_row tile_bytes")

# Addresses of the matrices of one product, and of its scratch memory.
Places = namedtuple("Places", "x y out bias x_scratch y_scratch")


@inlined
def shape_of(x, y, out, bias_column):
    """The sizes and strides of a product."""
    (x_row, x_column), (y_row, y_column) = x.strides, y.strides
    m, k = x.shape
    return Shape(m, k, y.shape[1], x.itemsize, x_row, x_column, y_row, y_column, out.strides[0], bias_column)


@inlined
def plan_of(shape):
    """How a product is done; it depends on sizes and strides only."""
    tiles = (shape.m + MR - 1) // MR
    panels = (shape.n * shape.size + NR_BYTES - 1) // NR_BYTES
    pack_x = panels >= MANY and tiles > 1 and abs(shape.x_column) >= LONG_ROW and shape.k >= DEEP
    long_y = abs(shape.y_row) >= LONG_ROW and shape.k * abs(shape.y_row) >= LARGE
    pack_y = shape.y_column != shape.size or (tiles >= MANY and long_y)
    row_blocks = (tiles + TILES - 1) // TILES if pack_x or pack_y else (tiles + TILES_FREE - 1) // TILES_FREE
    column_blocks = (panels + PANELS - 1) // PANELS if pack_x else panels

    width = VECTOR_BYTES // shape.size
    most = KC if pack_x or pack_y else KC_FREE
    depth = shape.k // max(1, (shape.k + most - 1) // most) + 1
    depth += -depth % width
    tile_row = (MR + width - 1) // width * VECTOR_BYTES
    return Plan(
        pack_x, pack_y, tiles, row_blocks, panels, column_blocks, depth, tile_row, depth * tile_row + CACHE_LINE
    )


@kernel
def run_task(x, y, out, bias, bias_column, x_step, y_step, out_step, task):
    """Compute one task of the batch."""
    shape = shape_of(x, y, out, bias_column)
    plan = plan_of(shape)
    item, task = divmod(task, plan.row_blocks * plan.column_blocks)
    row_block, column_block = divmod(task, plan.column_blocks)
    tiles = row_block * plan.tiles // plan.row_blocks, (row_block + 1) * plan.tiles // plan.row_blocks
    panels = column_block * plan.panels // plan.column_blocks, (column_block + 1) * plan.panels // plan.column_blocks

    left, right, target = address(x) + item * x_step, address(y) + item * y_step, address(out) + item * out_step
    x_bytes = (tiles[1] - tiles[0]) * plan.tile_bytes if plan.pack_x else 0
    y_bytes = plan.depth * NR_BYTES if plan.pack_y or not FREE_MASKS else 0
    if x_bytes + y_bytes:
        memory = np.empty(x_bytes + y_bytes + CACHE_LINE, np.uint8)
        scratch = address(memory) + -address(memory) % CACHE_LINE
        places = Places(left, right, target, address(bias), scratch + y_bytes, scratch)
        _run_blocks(x.dtype, shape, plan, places, tiles, panels)
        keep(memory)
    else:
        _run_blocks(x.dtype, shape, plan, Places(left, right, target, address(bias), 0, 0), tiles, panels)


@inlined
def _run_blocks(dtype, shape, plan, places, tiles, panels):
    """The block of these tiles of rows and panels of columns, over all of k."""
    if shape.k == 0:
        _run_block(dtype, shape, plan, places, tiles, panels, 0, 0)
    for first in range(0, shape.k, plan.depth):
        _run_block(dtype, shape, plan, places, tiles, panels, first, min(plan.depth, shape.k - first))


@inlined
def _run_block(dtype, shape, plan, places, tiles, panels, first, steps):
    """The same for one block of k: ``steps`` products from the index ``first`` on."""
    if plan.pack_x:
        _pack_tiles(dtype, shape, plan, places, tiles, first, steps)
    width = NR_BYTES // shape.size
    for panel in range(*panels):
        column = panel * width
        columns = min(width, shape.n - column)
        y, y_row = places.y + column * shape.y_column + first * shape.y_row, shape.y_row
        if plan.pack_y or (not FREE_MASKS and columns < width):
            pack_panel(dtype, y, shape.y_column, y_row, columns, steps, places.y_scratch, NR_BYTES, shape.size)
            y, y_row = places.y_scratch, NR_BYTES
        _run_panel(dtype, shape, plan, places, tiles, column, columns, first, steps, y, y_row)


@inlined
def _run_panel(dtype, shape, plan, places, tiles, column, columns, first, steps, y, y_row):
    """All row tiles of a block against one panel of y."""
    for t in range(*tiles):
        row, rows = _rows(shape, plan, t)
        out = places.out + row * shape.out_row + column * shape.size
        start, start_row = out, shape.out_row
        if first == 0:
            start, start_row = places.bias + column * shape.bias_column, 0
        x, x_row, x_column = places.x + row * shape.x_row + first * shape.x_column, shape.x_row, shape.x_column
        if plan.pack_x:
            x, x_row, x_column = places.x_scratch + (t - tiles[0]) * plan.tile_bytes, shape.size, plan.tile_row
        tile(dtype, rows, columns, steps, x, x_row, x_column, y, y_row, start, start_row, out, shape.out_row)


@inlined
def _pack_tiles(dtype, shape, plan, places, tiles, first, steps):
    for t in range(*tiles):
        row, rows = _rows(shape, plan, t)
        x = places.x + row * shape.x_row + first * shape.x_column
        into = places.x_scratch + (t - tiles[0]) * plan.tile_bytes
        pack_panel(dtype, x, shape.x_row, shape.x_column, rows, steps, into, plan.tile_row, shape.size)


@inlined
def _rows(shape, plan, t):
    """The first row and the number of rows of tile t: they differ by one at most, no tile is much smaller."""
    base, extra = divmod(shape.m, plan.tiles)
    return t * base + min(t, extra), base + (1 if t < extra else 0)


@kernel
def _count_tasks(x, y, out, batch):
    plan = plan_of(shape_of(x, y, out, 0))
    return batch * plan.row_blocks * plan.column_blocks


def product(x, y, out, bias, bias_column, batch, x_step, y_step, out_step):
    """out = bias + x @ y for ``batch`` products whose operands lie ``*_step`` bytes apart."""
    for task in range(_count_tasks(x, y, out, batch)):
        run_task(x, y, out, bias, bias_column, x_step, y_step, out_step, task)


def product_threaded(x, y, out, bias, bias_column, batch, x_step, y_step, out_step):
    """The same with the tasks spread over threads."""
    for task in numba.prange(_count_tasks(x, y, out, batch)):
        run_task(x, y, out, bias, bias_column, x_step, y_step, out_step, np.intp(task))
