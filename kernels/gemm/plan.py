"""What a matrix product is, and the plan of how it is done.

Plans depend on sizes, strides and the number of threads; bits do not depend on plans.
"""

from collections import namedtuple

from .._jit import merged
from ..simd import CACHE_LINE, VECTOR_BYTES
from . import blocking
from .blocking import DOT_ROWS, FEW_ROWS, KC, KC_FREE, MANY, MOST_ROWS, MR, NV, PART_ROWS, PART_VECTORS

# A product: sizes in elements, addresses, and strides in bytes. `start` is where the sums of every row start, at zeros
# (`start_column` is 0) or a bias; `gate` is what happens to the finished sums, with the help of `mask`. The sums of the
# columns of the array x, in float64, go to `sums` if that is not 0. The operands of `batch` such products lie `*_step`
# apart.
Product = namedtuple(
    "Product",
    "m k n size x x_row x_column y y_row y_column out out_row out_column start start_column gate mask mask_row sums "
    "batch x_step y_step out_step",
)

# Which operand of a fused product is to be transposed.
TURNED_X, TURNED_Y = 1, 2

# How it is done: the kind of loops, whether operands are packed, the depth of a block of k, the number of parts that
# rows and columns are cut into, and the size of packed tiles of x.
Plan = namedtuple("Plan", "dot few pack_x pack_y depth row_parts column_parts tile_row tile_bytes held_row")


@merged
def plan_of(p, threads):
    """How a product is done."""
    width = VECTOR_BYTES // p.size
    tiles, vectors = (p.m + MOST_ROWS[NV] - 1) // MOST_ROWS[NV], (p.n + width - 1) // width
    few = p.m <= FEW_ROWS
    dot = p.m <= DOT_ROWS and p.y_row == p.size and p.y_column != p.size
    far_x = p.x_row != p.size and abs(p.x_column) >= blocking.FAR and p.k >= blocking.DEEP
    large_x = (
        blocking.PACK_LARGE_X
        and max(abs(p.x_row), abs(p.x_column)) >= blocking.LONG_ROW
        and vectors >= PART_VECTORS // 2
        and p.m >= PART_ROWS // 2
    )
    pack_x = vectors >= MANY * NV and tiles > 1 and (far_x or large_x)
    long_y = abs(p.y_row) >= blocking.LONG_ROW and p.k * abs(p.y_row) >= blocking.LARGE
    split = (p.y | p.y_row) % CACHE_LINE != 0 and p.k * p.n * p.size >= blocking.SPLIT
    pack_y = p.y_column != p.size or (tiles >= MANY and (long_y or pack_x or split))
    most = KC if pack_x or (pack_y and p.y_column == p.size and long_y) else KC_FREE
    depth = p.k // max(1, (p.k + most - 1) // most) + 1
    depth += -depth % width
    row_parts, column_parts = _parts(p, vectors, dot or few, pack_x, threads)
    tile_row = (MR + width - 1) // width * VECTOR_BYTES
    tile_bytes = depth * tile_row + CACHE_LINE
    # rows of sums that are kept aside do not all fall on the same sets of the caches, as those of the result may
    part_vectors = (vectors + column_parts - 1) // column_parts
    held_row = part_vectors * VECTOR_BYTES + CACHE_LINE if pack_x and p.k > depth else 0
    return Plan(dot, few, pack_x, pack_y, depth, row_parts, column_parts, tile_row, tile_bytes, held_row)


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
    most_rows, most_columns = (p.m + MR - 1) // MR, (vectors + NV - 1) // NV
    # a weight is cut by its rows, which are columns of y in the forward, and rows of the result in its gradient;
    # where it has too few of them, the other way
    by_rows = p.x_row == p.size or (p.y_row != p.size and p.m > p.n)
    if by_rows:
        rows = max(rows, min((wanted + columns - 1) // columns, most_rows))
    columns = max(columns, min((wanted + rows - 1) // rows, most_columns))
    rows = max(rows, min((wanted + columns - 1) // columns, most_rows))
    return rows, columns
