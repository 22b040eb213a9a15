"""The loops around the register tile: blocks for the caches, packing where it pays, parts for the threads.

The result is cut into parts: some rows by some columns of one product of the batch. A part runs over k in blocks;
within one, over panels of a few vectors of columns; within one, over tiles of some rows. Every element of the result is
the sum of its products in the order of k, whatever the cut, so threads, tiles and packing never change its bits.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

from collections import namedtuple

import numpy as np

from .._jit import inlined, kernel, merged
from .._threads import _THREADS, spread
from ..reduce import _sum_rows
from ..simd import FREE_MASKS, VECTOR_BYTES, address, array_at, call, keep, word
from . import blocking
from .blocking import DOTS, FEW_ROWS, KC, KC_FREE, MANY, MOST_ROWS, MR, NV, PACKED_NV, PART_ROWS, PART_VECTORS
from .micro import DOT_SLOT, DOTS_SLOT, MASK, NO_GATE, ZEROS_SLOT, tile_slot
from .pack import copy_element, pack_panel

CACHE_LINE = 64
_DOUBLE = np.empty(0)

# A product: sizes in elements, addresses, and strides in bytes. `start` is where the sums of every row start, at zeros
# (`start_column` is 0) or a bias; `gate` is what happens to the finished sums, with the help of `mask`. The sums of the
# rows of x, in float64, go to `sums` if that is not 0. The operands of `batch` such products lie `*_step` apart.
Product = namedtuple(
    "Product",
    "m k n size x x_row x_column y y_row y_column out out_row out_column start start_column gate mask mask_row sums "
    "batch x_step y_step out_step",
)

# How it is done: the kind of loops, whether operands are packed, the depth of a block of k, the number of parts that
# rows and columns are cut into, and the size of packed tiles of x.
Plan = namedtuple("Plan", "dot few pack_x pack_y depth row_parts column_parts tile_row tile_bytes")

# Of one part: the product's number, its rows, its columns, and the addresses of its scratch memory.
Part = namedtuple("Part", "x y out low high first_column end_column x_scratch y_scratch")


# ---------------------------------------------------------------------------------------------------------------
# Plans. They depend on sizes, strides and the number of threads; bits do not depend on plans.


@merged
def plan_of(p, threads):
    """How a product is done."""
    width = VECTOR_BYTES // p.size
    tiles, vectors = (p.m + MOST_ROWS[NV] - 1) // MOST_ROWS[NV], (p.n + width - 1) // width
    few = p.m <= FEW_ROWS
    dot = p.m <= blocking.DOT_ROWS and p.y_row == p.size and p.y_column != p.size
    far_x = p.x_row != p.size and abs(p.x_column) >= blocking.FAR and p.k >= blocking.DEEP
    large_x = (
        max(abs(p.x_row), abs(p.x_column)) >= blocking.LONG_ROW
        and vectors >= PART_VECTORS // 2
        and p.m >= PART_ROWS // 2
    )
    pack_x = vectors >= MANY * NV and tiles > 1 and (far_x or large_x)
    long_y = abs(p.y_row) >= blocking.LONG_ROW and p.k * abs(p.y_row) >= blocking.LARGE
    split = (p.y | p.y_row) % CACHE_LINE != 0
    pack_y = p.y_column != p.size or (tiles >= MANY and (long_y or pack_x or split))
    most = KC if pack_x or (pack_y and p.y_column == p.size and long_y) else KC_FREE
    depth = p.k // max(1, (p.k + most - 1) // most) + 1
    depth += -depth % width
    row_parts, column_parts = _parts(p, vectors, dot or few, pack_x, threads)
    tile_row = (MR + width - 1) // width * VECTOR_BYTES
    return Plan(dot, few, pack_x, pack_y, depth, row_parts, column_parts, tile_row, depth * tile_row + CACHE_LINE)


@merged
def _parts(p, vectors, flat, pack_x, threads):
    """Into how many parts the rows and the columns are cut."""
    wanted = 1
    if threads > 1:
        each = min(blocking.PARTS, p.batch * p.m * p.k * p.n // (threads * blocking.PART))
        wanted = (threads * max(1, each) + p.batch - 1) // p.batch
    if flat:
        return 1, max(1, min(wanted, vectors // NV))
    rows, columns = 1, 1
    if pack_x:
        rows = (p.m + PART_ROWS - 1) // PART_ROWS
        columns = (vectors + PART_VECTORS - 1) // PART_VECTORS
        wanted = threads
    # a weight is cut by its rows, which are columns of y in the forward, and rows of the result in its gradient
    by_rows = p.x_row == p.size or (p.y_row != p.size and p.m > p.n)
    if by_rows:
        rows = max(rows, min((wanted + columns - 1) // columns, (p.m + MR - 1) // MR))
    else:
        columns = max(columns, min((wanted + rows - 1) // rows, (vectors + NV - 1) // NV))
    return rows, columns


# ---------------------------------------------------------------------------------------------------------------
# One part.


@merged
def _run_panel(p, plan, part, table, column, columns, vectors, first, steps, y, y_row):
    """All row tiles of a part against one panel of y: the taller ones, then those with one row less."""
    most = MR if plan.pack_x else MOST_ROWS[vectors]
    tiles = (part.high - part.low + most - 1) // most
    base, extra = divmod(part.high - part.low, tiles)
    done = 0
    gate = p.gate if first + steps >= p.k else NO_GATE
    for taller in range(1, -1, -1):
        count, rows = extra if taller else tiles - extra, base + taller
        if count == 0:
            continue
        row = part.low + (0 if taller else extra * (base + 1))
        out = part.out + row * p.out_row + column * p.size
        start, start_row = out, p.out_row
        if first == 0:
            start, start_row = p.start + column * p.start_column, 0
        x, x_row, x_column = part.x + row * p.x_row + first * p.x_column, p.x_row, p.x_column
        x_tile = rows * x_row
        if plan.pack_x:
            x, x_row, x_column, x_tile = part.x_scratch + done * plan.tile_bytes, p.size, plan.tile_row, plan.tile_bytes
        mask = p.mask + row * p.mask_row + column * p.size
        call(
            word(table + 8 * tile_slot(rows, vectors)),
            (
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
                p.out_row,
                gate,
                mask,
                p.mask_row,
            ),
        )
        done += count


@merged
def _pack_tiles(like, p, plan, part, first, steps):
    """The block of x that belongs to a part, tile by tile."""
    tiles = (part.high - part.low + MR - 1) // MR
    base, extra = divmod(part.high - part.low, tiles)
    for t in range(tiles):
        x = part.x + (part.low + t * base + min(t, extra)) * p.x_row + first * p.x_column
        rows = base + (1 if t < extra else 0)
        into = part.x_scratch + t * plan.tile_bytes
        pack_panel(like.dtype, x, p.x_row, p.x_column, rows, steps, into, plan.tile_row, p.size)


@merged
def _panel_vectors(vectors, plan):
    """Of how many vectors the next panel is, where so many are left."""
    if not plan.few:
        most = PACKED_NV if plan.pack_x else NV
        panels = (vectors + most - 1) // most
        return (vectors + panels - 1) // panels
    for each in (8, 4, 3, 2):
        if vectors >= each:
            return each
    return 1


@inlined
def _run_depth(like, p, plan, part, table, first, steps):
    """One block of k, ``steps`` products from the index ``first`` on."""
    if plan.pack_x:
        _pack_tiles(like, p, plan, part, first, steps)
    width = VECTOR_BYTES // p.size
    column = part.first_column
    while column < part.end_column:
        left = part.end_column - column
        vectors = _panel_vectors((left + width - 1) // width, plan)
        columns = min(vectors * width, left)
        y, y_row = part.y + column * p.y_column + first * p.y_row, p.y_row
        if plan.pack_y or (not FREE_MASKS and columns < vectors * width):
            panel_row = vectors * VECTOR_BYTES
            pack_panel(like.dtype, y, p.y_column, y_row, columns, steps, part.y_scratch, panel_row, p.size)
            y, y_row = part.y_scratch, panel_row
        _run_panel(p, plan, part, table, column, columns, vectors, first, steps, y, y_row)
        column += columns


@merged
def _run_dots(like, p, part, table):
    """Few rows of x against columns of y that are contiguous along k: nothing is packed but a row of x in pieces."""
    x, x_row = part.x, p.x_row
    if p.x_column != p.size:
        x, x_row = part.x_scratch, p.k * p.size
        for i in range(p.m):
            for q in range(p.k):
                copy_element(like.dtype, part.x + i * p.x_row + q * p.x_column, x + i * x_row, q)
    column = part.first_column
    while column < part.end_column:
        count = DOTS if part.end_column - column >= DOTS else 1
        function = word(table + 8 * (DOTS_SLOT if count == DOTS else DOT_SLOT))
        y, start = part.y + column * p.y_column, p.start + column * p.start_column
        for i in range(p.m):
            out, mask = part.out + i * p.out_row + column * p.size, p.mask + i * p.mask_row + column * p.size
            call(function, (p.k, x + i * x_row, y, p.y_column, start, out, p.gate, mask))
        column += count


@merged
def _scratch_bytes(p, plan, rows):
    """The size of the scratch memory of a part for x, and for y."""
    if plan.dot:
        return (0 if p.x_column == p.size else p.m * p.k * p.size), 0
    x_bytes = (rows + MR - 1) // MR * plan.tile_bytes if plan.pack_x else 0
    widest = 8 if plan.few else NV
    return x_bytes, (plan.depth * widest * VECTOR_BYTES if plan.pack_y or not FREE_MASKS else 0)


@merged
def _run_part(like, p, plan, part, table):
    """Compute a part whose scratch memory is there."""
    if plan.dot:
        _run_dots(like, p, part, table)
        return
    for block in range(max(1, (p.k + plan.depth - 1) // plan.depth)):  # one even where k is 0, for the bias
        first = block * plan.depth
        _run_depth(like, p, plan, part, table, first, min(plan.depth, p.k - first))


@merged
def _sum_part(number, parts, x, sums):
    """The sums of some of the rows of x, in float64, to the address ``sums``."""
    low, high = number * x.shape[0] // parts, (number + 1) * x.shape[0] // parts
    if low < high:
        _sum_rows(x[low:high].T, array_at(sums + low * _DOUBLE.itemsize, high - low, _DOUBLE))


@kernel
def _run_task(task, x, p, plan, table):
    """Compute one part of the batch."""
    parts = plan.row_parts * plan.column_parts
    if p.sums:
        _sum_part(task, parts, x, p.sums)
    item, task = divmod(task, parts)
    # the parts of one thread follow one another: it gets neighbouring rows, or columns, of a weight
    row_part, column_part = divmod(task, plan.column_parts)
    low, high = row_part * p.m // plan.row_parts, (row_part + 1) * p.m // plan.row_parts
    width = VECTOR_BYTES // p.size
    vectors = (p.n + width - 1) // width
    first_column = column_part * vectors // plan.column_parts * width
    end_column = min(p.n, (column_part + 1) * vectors // plan.column_parts * width)
    x_item, y_item, out = p.x + item * p.x_step, p.y + item * p.y_step, p.out + item * p.out_step
    x_bytes, y_bytes = _scratch_bytes(p, plan, high - low)
    if x_bytes + y_bytes == 0:
        _run_part(x, p, plan, Part(x_item, y_item, out, low, high, first_column, end_column, 0, 0), table)
    else:
        memory = np.empty(x_bytes + y_bytes + CACHE_LINE, np.uint8)
        scratch = address(memory) + -address(memory) % CACHE_LINE
        part = Part(x_item, y_item, out, low, high, first_column, end_column, scratch + y_bytes, scratch)
        _run_part(x, p, plan, part, table)
        keep(memory)


# ---------------------------------------------------------------------------------------------------------------
# Whole products.


@merged
def _bounds(where, count, step, rows, row, columns, column):
    """The addresses between which an array lies, the last exclusive but for the size of its element."""
    low = high = where
    for number, stride in ((count, step), (rows, row), (columns, column)):
        if stride < 0:
            low += (number - 1) * stride
        else:
            high += (number - 1) * stride
    return low, high


@merged
def _turned(p):
    """The transposed product, a row instead of a column: it goes faster."""
    return Product(
        p.n, p.k, p.m, p.size, p.y, p.y_column, p.y_row, p.x, p.x_column, p.x_row, p.out, p.out_column, p.out_row,
        p.start, p.start_column, p.gate, p.mask, 0, p.sums, p.batch, p.y_step, p.x_step, p.out_step,
    )  # fmt: skip


@merged
def _overlaps(p, count, where, step, rows, row, columns, column):
    """Whether an operand may share memory with the result."""
    low, high = _bounds(where, count, step, rows, row, columns, column)
    out_low, out_high = _bounds(p.out, p.batch, p.out_step, p.m, p.out_row, p.n, p.size)
    return low < out_high + p.size and out_low < high + p.size


@merged
def _clear(p):
    """Whether nothing that is read lies where the result is written, but for a mask that is the result."""
    if _overlaps(p, p.batch, p.x, p.x_step, p.m, p.x_row, p.k, p.x_column):
        return False
    if _overlaps(p, p.batch, p.y, p.y_step, p.k, p.y_row, p.n, p.y_column):
        return False
    if p.start_column and _overlaps(p, 1, p.start, 0, 1, 0, p.n, p.start_column):
        return False
    same = p.mask == p.out and p.mask_row == p.out_row
    return p.gate != MASK or same or not _overlaps(p, 1, p.mask, 0, p.m, p.mask_row, p.n, p.size)


@inlined
def _share_out(pool, table, x, p):
    """Compute a product on the threads of the pool."""
    plan = plan_of(p, pool[_THREADS])
    spread(pool, _run_task, p.batch * plan.row_parts * plan.column_parts, (x, p, plan, table))


@inlined
def _run(pool, table, x, p):
    """Compute a product, aside where the result may not be written at once, or not row by row."""
    if p.n == 1:
        p = _turned(p)
    if p.out_column == p.size and _clear(p):
        _share_out(pool, table, x, p)
        return
    aside = np.empty(p.m * p.n, x.dtype)
    _share_out(pool, table, x, _moved(p, address(aside)))
    for i in range(p.m):
        for j in range(p.n):
            into = p.out + i * p.out_row + j * p.out_column
            copy_element(x.dtype, address(aside) + (i * p.n + j) * p.size, into, 0)
    keep(aside)


@merged
def _moved(p, out):
    """The same product with its result at an address, row after row."""
    return Product(
        p.m, p.k, p.n, p.size, p.x, p.x_row, p.x_column, p.y, p.y_row, p.y_column, out, p.n * p.size, p.size,
        p.start, p.start_column, p.gate, p.mask, p.mask_row, p.sums, p.batch, p.x_step, p.y_step, p.out_step,
    )  # fmt: skip


@merged
def _plain_product(table, x, y, out, batch, x_step, y_step, out_step):
    """The product of arrays and no more."""
    (x_row, x_column), (y_row, y_column), (out_row, out_column) = x.strides, y.strides, out.strides
    return Product(
        x.shape[0], x.shape[1], y.shape[1], x.itemsize, address(x), x_row, x_column, address(y), y_row, y_column,
        address(out), out_row, out_column, table + 8 * ZEROS_SLOT, 0, NO_GATE, 0, 0, 0,
        batch, x_step, y_step, out_step,
    )  # fmt: skip


@kernel
def product(pool, table, x, y, out):
    """out = x @ y, of any strides; out may overlap the operands."""
    _run(pool, table, x, _plain_product(table, x, y, out, 1, 0, 0, 0))


@kernel
def batch_of_products(pool, table, x, y, out, batch, x_step, y_step, out_step):
    """out = x @ y for ``batch`` products whose operands lie ``*_step`` bytes apart; the columns of out are in order."""
    _share_out(pool, table, x, _plain_product(table, x, y, out, batch, x_step, y_step, out_step))


@kernel
def fused(pool, table, x, y, out, bias, gate, mask, sums):
    """out = bias + x @ y past a gate, and sums = the sum of each row of x; an empty bias or sums is none.

    Any strides; the outputs may overlap the operands.
    """
    turn = y.shape[1] == 1
    plain_bias, plain_mask = _plain_bias(bias, x.shape[0], turn), _plain_mask(mask, turn)
    totals = np.empty(sums.size)
    p = _plain_product(table, x, y, out, 1, 0, 0, 0)
    start, start_column, mask_at, mask_row = p.start, 0, address(mask), mask.strides[0]
    if bias.size:
        start, start_column = address(plain_bias) if plain_bias.size else address(bias), p.size
    if plain_mask.size:
        mask_at, mask_row = address(plain_mask), plain_mask.strides[0]
    p = Product(
        p.m, p.k, p.n, p.size, p.x, p.x_row, p.x_column, p.y, p.y_row, p.y_column, p.out, p.out_row, p.out_column,
        start, start_column, gate, mask_at, mask_row, address(totals) if sums.size else 0, 1, 0, 0, 0,
    )  # fmt: skip
    _run(pool, table, x, p)
    for i in range(sums.size):
        sums[i] = totals[i]
    keep(totals)
    keep(plain_bias)
    keep(plain_mask)


@merged
def _plain_bias(bias, m, turn):
    """A contiguous copy of the bias, or its one number m times; empty where the bias will do."""
    count = m if turn else bias.size
    copy = np.empty(count if bias.size and (turn or bias.strides[0] != bias.itemsize) else 0, bias.dtype)
    for j in range(copy.size):
        copy[j] = bias[0 if turn else j]
    return copy


@merged
def _plain_mask(mask, turn):
    """A contiguous copy of the mask; empty where the mask will do."""
    m, n = mask.shape
    copied = mask.size and mask.strides[0 if turn else 1] != mask.itemsize
    copy = np.empty((m if copied else 0, n), mask.dtype)
    for i in range(copy.shape[0]):
        for j in range(n):
            copy[i, j] = mask[i, j]
    return copy
