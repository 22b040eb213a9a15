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
from ..simd import CACHE_LINE, FREE_MASKS, VECTOR_BYTES, address, array_at, call, keep, prefetch, word
from .blocking import (
    DOT_ROWS,
    DOTS,
    FEW_ROWS,
    KC,
    LARGE,
    MOST_ROWS,
    MR,
    NV,
    PACKED_NV,
    PARALLEL,
    SHORT,
    SHORT_SUMS,
    SMALL,
    SPLIT,
    WIDE,
)
from .micro import DOT_SLOT, DOTS_SLOT, MASK, NO_GATE, ZEROS_SLOT, tile_slot
from .pack import copy_element, pack_panel
from .plan import TURNED_X, TURNED_Y, Product, plan_of

_DOUBLE = np.empty(0)

# One part: addresses of the product it is of, its rows, its columns, and addresses of its scratch memory.
Part = namedtuple("Part", "x y out low high first_column end_column x_scratch y_scratch held")


# ---------------------------------------------------------------------------------------------------------------
# One part.


@merged
def _run_tiles(p, table, rows, most, column, vectors, first, steps, x, y, y_row, out, held, ahead):
    """A panel of y times rows of x, in tiles of at most ``most`` rows: the taller ones, then those with one row less.

    ``rows`` are the first and the last, exclusive; ``x`` their (address, row stride, column stride, step from tile to
    tile where they are packed, else 0); ``held`` where sums are kept until the last block of k: (the address of
    those for the first row and this panel, row stride), or 0 if they are kept in the result; ``ahead`` the rows of y to
    be brought nearer meanwhile: (address, row stride, number), of as many columns.
    """
    tiles = (rows[1] - rows[0] + most - 1) // most
    base, extra = divmod(rows[1] - rows[0], tiles)
    columns = min(vectors * (VECTOR_BYTES // p.size), p.n - column)
    gate = p.gate if first + steps >= p.k else NO_GATE
    row, x_at, ahead_at = rows[0], x[0], ahead[0]
    for taller in range(1, -1, -1):
        count, height = extra if taller else tiles - extra, base + taller
        if count == 0:
            continue
        into, into_row = out + row * p.out_row + column * p.size, p.out_row
        start, start_row = into, into_row
        if held[0]:
            start, start_row = held[0] + (row - rows[0]) * held[1], held[1]
            if first + steps < p.k:
                into, into_row = start, start_row
        if first == 0:
            start, start_row = p.start + column * p.start_column, 0
        step = x[3] if x[3] else height * x[1]
        mask = p.mask + row * p.mask_row + column * p.size
        function = word(table + 8 * tile_slot(height, vectors))
        if ahead[2] == 0:
            left, right = (columns, count, steps, x_at, x[1], x[2], step), (y, y_row)
            call(function, left + right + (start, start_row, into, into_row, gate, mask, p.mask_row))
        else:
            for t in range(count):
                left, right = (columns, 1, steps, x_at + t * step, x[1], x[2], step), (y, y_row)
                down = t * height
                edge = (start + down * start_row, start_row, into + down * into_row, into_row)
                call(function, left + right + edge + (gate, mask + down * p.mask_row, p.mask_row))
                for _ in range((ahead[2] + tiles - 1) // tiles):
                    for line in range(0, columns * p.size, CACHE_LINE):
                        prefetch(ahead_at + line)
                    ahead_at += ahead[1]
        row += count * height
        x_at += count * step


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
def _tabled(vectors):
    """The most vectors, up to so many, that there are tiles of."""
    for each in (8, 4, 3, 2):
        if vectors >= each:
            return each
    return 1


@merged
def _panel_vectors(vectors, plan):
    """Of how many vectors the next panel is, where so many are left."""
    if not plan.few:
        most = PACKED_NV if plan.pack_x else NV
        panels = (vectors + most - 1) // most
        return (vectors + panels - 1) // panels
    return _tabled(vectors)


@merged
def _most_rows(vectors, steps):
    """The most rows of a tile of so many vectors that is ``steps`` products deep."""
    return min(MOST_ROWS[vectors], SHORT_SUMS // vectors) if steps <= SHORT else MOST_ROWS[vectors]


@inlined
def _run_depth(like, p, plan, part, table, first, steps):
    """One block of k, ``steps`` products from the index ``first`` on."""
    rows, most = (part.low, part.high), MR
    x = part.x + part.low * p.x_row + first * p.x_column, p.x_row, p.x_column, 0
    if plan.pack_x:
        _pack_tiles(like, p, plan, part, first, steps)
        x = part.x_scratch, p.size, plan.tile_row, plan.tile_bytes
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
        if not plan.pack_x:
            most = _most_rows(vectors, steps)
        ahead = 0, 0, 0
        if plan.pack_x and p.y_column == p.size and column + columns < part.end_column:
            ahead = part.y + (column + columns) * p.y_column + first * p.y_row, p.y_row, steps
        held = part.held + (column - part.first_column) * p.size if part.held else 0, plan.held_row
        _run_tiles(p, table, rows, most, column, vectors, first, steps, x, y, y_row, part.out, held, ahead)
        column += columns


@merged
def _run_dots(p, table, x, x_row, y, out, first_column, end_column):
    """Few rows of x, contiguous as the columns of y are."""
    column = first_column
    while column < end_column:
        count = DOTS if end_column - column >= DOTS else 1
        function = word(table + 8 * (DOTS_SLOT if count == DOTS else DOT_SLOT))
        start = p.start + column * p.start_column
        for i in range(p.m):
            into, mask = out + i * p.out_row + column * p.size, p.mask + i * p.mask_row + column * p.size
            call(function, (p.k, x + i * x_row, y + column * p.y_column, p.y_column, start, into, p.gate, mask))
        column += count


@merged
def _run_dots_of_part(like, p, part, table):
    """Few rows of x against columns of y that are contiguous along k: nothing is packed but a row of x in pieces."""
    x, x_row = part.x, p.x_row
    if p.x_column != p.size:
        x, x_row = part.x_scratch, p.k * p.size
        for i in range(p.m):
            for q in range(p.k):
                copy_element(like.dtype, part.x + i * p.x_row + q * p.x_column, x + i * x_row, q)
    _run_dots(p, table, x, x_row, part.y, part.out, part.first_column, part.end_column)


@merged
def _scratch_bytes(p, plan, rows):
    """The size of the scratch memory of a part for x, for y, and for sums."""
    if plan.dot:
        return (0 if p.x_column == p.size else p.m * p.k * p.size), 0, 0
    x_bytes = (rows + MR - 1) // MR * plan.tile_bytes if plan.pack_x else 0
    widest = 8 if plan.few else NV
    return x_bytes, (plan.depth * widest * VECTOR_BYTES if plan.pack_y or not FREE_MASKS else 0), rows * plan.held_row


@merged
def _run_outer(like, p, part):
    """Sums of a single product: what takes time is to write them, so it is done row after row."""
    width = part.end_column - part.first_column
    y = array_at(part.y + part.first_column * p.size, width, like)
    for i in range(part.low, part.high):
        x = array_at(part.x + i * p.x_row, 1, like)[0]
        row = array_at(part.out + i * p.out_row + part.first_column * p.size, width, like)
        for j in range(width):
            row[j] = x * y[j]


@merged
def _run_part(like, p, plan, part, table):
    """Compute a part whose scratch memory is there."""
    if p.k == 1 and p.y_column == p.size and p.gate == NO_GATE and p.start_column == 0:
        _run_outer(like, p, part)
        return
    if plan.dot:
        _run_dots_of_part(like, p, part, table)
        return
    for block in range(max(1, (p.k + plan.depth - 1) // plan.depth)):  # one even where k is 0, for the bias
        first = block * plan.depth
        _run_depth(like, p, plan, part, table, first, min(plan.depth, p.k - first))


@merged
def _sum_part(number, parts, x, sums):
    """The sums of some of the columns of x, in float64, to the address ``sums``."""
    low, high = number * x.shape[1] // parts, (number + 1) * x.shape[1] // parts
    if low < high:
        _sum_rows(x[:, low:high], array_at(sums + low * _DOUBLE.itemsize, high - low, _DOUBLE))


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
    x_bytes, y_bytes, held_bytes = _scratch_bytes(p, plan, high - low)
    if x_bytes + y_bytes == 0:
        _run_part(x, p, plan, Part(x_item, y_item, out, low, high, first_column, end_column, 0, 0, 0), table)
    else:
        memory = np.empty(x_bytes + y_bytes + held_bytes + 2 * CACHE_LINE, np.uint8)
        scratch = address(memory) + -address(memory) % CACHE_LINE
        held = scratch + y_bytes + x_bytes
        held = held + -held % CACHE_LINE if held_bytes else 0
        part = Part(x_item, y_item, out, low, high, first_column, end_column, scratch + y_bytes, scratch, held)
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


@merged
def _widest_panel(p, vectors, threads):
    """Of how many vectors at most the panels of a product are that is done without a plan; 0 if it is not."""
    work = p.m * p.k * p.n
    if (p.k <= SHORT or (p.k * p.n * p.size <= SPLIT and p.k <= KC)) and (work < PARALLEL or threads < 2):
        return WIDE if p.m * WIDE <= SHORT_SUMS else WIDE // 2
    one = vectors <= WIDE and MOST_ROWS[vectors] and (vectors <= NV or p.m <= FEW_ROWS)
    return vectors if one and work <= SMALL else 0


@merged
def _run_small(table, p, threads):
    """Compute a product whose y is small, or one panel, or a few dots, without further ado; whether it is one."""
    if p.sums or p.n == 0 or not FREE_MASKS:
        return False
    width = VECTOR_BYTES // p.size
    vectors = (p.n + width - 1) // width
    widest = _widest_panel(p, vectors, threads) if p.y_column == p.size else 0
    if widest:
        x, rows, column = (p.x, p.x_row, p.x_column, 0), (0, p.m), 0
        while column < p.n:
            each = _tabled(min(widest, vectors))
            most, y = _most_rows(each, p.k), p.y + column * p.size
            _run_tiles(p, table, rows, most, column, each, 0, p.k, x, y, p.y_row, p.out, (0, 0), (0, 0, 0))
            vectors -= each
            column += each * width
        return True
    if (
        p.m <= DOT_ROWS
        and p.y_row == p.size
        and p.x_column == p.size
        and p.m * p.k * p.n <= SMALL
        and p.k * p.n * p.size < LARGE
    ):
        _run_dots(p, table, p.x, p.x_row, p.y, p.out, 0, p.n)
        return True
    return False


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
        if not _run_small(table, p, pool[_THREADS]):
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
def fused(pool, table, turned, x, y, out, bias, gate, mask, sums):
    """out = bias + x @ y past a gate, of the transpose of x or y if ``turned`` says so.

    sums = the sum of each column of the array x. An empty bias or sums is none. Any strides; the outputs may overlap
    the operands.
    """
    p = _plain_product(table, x, y, out, 1, 0, 0, 0)
    m, k, n, x_row, x_column, y_row, y_column = p.m, p.k, p.n, p.x_row, p.x_column, p.y_row, p.y_column
    if turned == TURNED_X:
        m, k, x_row, x_column = k, m, x_column, x_row
    if turned == TURNED_Y:
        n, y_row, y_column = y.shape[0], y_column, y_row
    # what has no unit stride is copied; where the product is done transposed, the bias is the same along its row
    bias_count = 0
    if bias.size and (n == 1 or bias.strides[0] != p.size):
        bias_count = max(m, n)
    mask_count = mask.size if mask.size and mask.strides[0 if n == 1 else 1] != p.size else 0
    memory = np.empty(8 * sums.size + (bias_count + mask_count) * p.size, np.uint8)
    sums_at = address(memory)
    bias_at = sums_at + 8 * sums.size
    mask_at = bias_at + bias_count * p.size
    for j in range(bias_count):
        copy_element(x.dtype, address(bias) + (0 if n == 1 else j * bias.strides[0]), bias_at, j)
    for j in range(mask_count):
        where = j // n * mask.strides[0] + j % n * mask.strides[1]
        copy_element(x.dtype, address(mask) + where, mask_at, j)
    p = Product(
        m, k, n, p.size, p.x, x_row, x_column, p.y, y_row, y_column, p.out, p.out_row, p.out_column,
        (bias_at if bias_count else address(bias)) if bias.size else p.start, p.size if bias.size else 0, gate,
        mask_at if mask_count else address(mask), n * p.size if mask_count else mask.strides[0],
        sums_at if sums.size else 0, 1, 0, 0, 0,
    )  # fmt: skip
    _run(pool, table, x, p)
    totals = array_at(sums_at, sums.size, _DOUBLE)
    for i in range(sums.size):
        sums[i] = totals[i]
    keep(memory)
