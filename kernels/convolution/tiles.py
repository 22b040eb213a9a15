"""What the three loops share: a panel of columns multiplied by rows in register tiles, and sizes of blocks."""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

from .._jit import merged
from ..gemm.blocking import FEW_ROWS, KC, NV, WIDE
from ..gemm.macro import _most_rows, _tabled
from ..gemm.micro import tile_slot
from ..simd import CACHE_LINE, VECTOR_BYTES, call, word

# Work is cut into at least so many parts, where it can be, that threads end together.
PARTS = 16

# The most bytes of what is laid out of the input at a time, and the most bytes of columns: with what is read beside
# them they stay in the second-level cache.
BAND = 1 << 18
COLUMNS = 1 << 18

# The most windows whose columns are kept at a time, where all rows of columns are.
WINDOWS = 256

# Groups of at most so many outputs are convolved directly, and their weights' gradients made of dots; and so are those
# of groups of few taps.
DIRECT, FEW_TAPS = 6, 16


@merged
def panel_vectors(vectors, rows):
    """Of how many vectors the next panel of columns is, where so many are left."""
    if rows <= FEW_ROWS:
        return _tabled(min(WIDE, vectors))
    panels = (vectors + NV - 1) // NV
    return (vectors + panels - 1) // panels


@merged
def widest_panel(rows):
    """The most vectors that `panel_vectors` gives."""
    return WIDE if rows <= FEW_ROWS else NV


@merged
def run_tiles(table, columns, vectors, rows, steps, x, y, start, out, gate, mask):
    """out = start + x @ y past a gate, for a panel of so many columns.

    ``x`` is (address, row stride, column stride); ``y``, ``start``, ``out`` and ``mask`` are (address, row stride).
    """
    most = _most_rows(vectors, steps)
    tiles = (rows + most - 1) // most
    base, extra = divmod(rows, tiles)
    row = 0
    for taller in range(1, -1, -1):
        count, height = extra if taller else tiles - extra, base + taller
        if count == 0:
            continue
        left = columns, count, steps, x[0] + row * x[1], x[1], x[2], height * x[1], y[0], y[1]
        right = start[0] + row * start[1], start[1], out[0] + row * out[1], out[1]
        function = word(table + 8 * tile_slot(height, vectors))
        call(function, left + right + (gate, mask[0] + row * mask[1], mask[1]))
        row += count * height


@merged
def depth_of(steps, most=KC):
    """The depth of a block of so many steps along k, at most ``most``, so that all are about as deep."""
    blocks = max(1, (steps + most - 1) // most)
    return (steps + blocks - 1) // blocks


@merged
def aligned(address):
    """The next address that begins a line of the cache."""
    return address + -address % CACHE_LINE


@merged
def whole_vectors(count, size):
    """How many vectors hold so many elements."""
    width = VECTOR_BYTES // size
    return (count + width - 1) // width
