"""The sizes of the matrix product, for the vectors of this processor: data, not code.

The scheme and the name KC are those of BLIS (Van Zee and van de Geijn, "BLIS: a framework for rapidly instantiating
BLAS functionality", ACM TOMS 2015). All were measured on processors with AVX-512, of Intel and of AMD.
"""

from llvmlite.binding import get_host_cpu_name

from ..simd import VECTOR_BITS

# Zen 4 has vectors of 512 bits, but multiplies them in halves: meanwhile a panel comes from the second-level cache.
_HALVES = VECTOR_BITS == 512 and get_host_cpu_name() == "znver4"

# The register tiles: for a number of vectors of columns, the most rows. Their sums are accumulators; more registers
# hold a row of y and one or two a broadcast element of x. AVX-512 has 32 registers; AVX2 and SSE have 16. Tiles of many
# vectors and few rows are for products of few rows: they keep as many sums in flight, and read longer pieces of y.
ROWS = {
    512: {1: 14, 2: 14, 3: 8, 4: 3, 8: 3},
    256: {1: 6, 2: 6, 3: 3, 4: 3, 8: 1},
    128: {1: 6, 2: 6, 3: 3, 4: 3, 8: 1},
}[VECTOR_BITS]

MOST_ROWS = tuple(ROWS.get(vectors, 0) for vectors in range(9))

# The panels of y have at most NV vectors; where x is packed, they have PACKED_NV, and the tiles up to MR rows.
NV, PACKED_NV = 3, 2
MR = ROWS[PACKED_NV]

# Products of at most FEW_ROWS rows take the wide tiles.
FEW_ROWS = min(3, ROWS[8])
WIDE = 8

# Where y has unit stride along k, products of at most DOT_ROWS rows are done DOTS columns at a time.
DOT_ROWS, DOTS = 4, 8

# The depth of a block of k. A packed panel of y, KC rows of PACKED_NV vectors, stays in the first-level cache (32 KiB
# with AVX-512) while the row tiles pass over it; where nothing is packed, long sums cost less than reloading sums.
# Where multiply-adds take twice as long, it need not, and longer sums cost less.
KC, KC_FREE = (512, 512) if _HALVES else (256, 1024)

# Sums of more than BRING products take long enough to bring the lines of the result nearer meanwhile.
BRING = 16

# The most rows and columns (in vectors) of the part of a product whose x is packed: its result, the block of x and
# the panel of y stay in the second-level cache.
PART_ROWS, PART_VECTORS = 512, 32

# When packing an operand that has unit stride pays: its rows are long in bytes (each on a page of its own, many on
# the same sets of the cache), it is large altogether in bytes, and the copy is used by MANY tiles. For x, whose numbers
# are read one by one along k, rows FAR apart are enough, if it is DEEP along k.
# A y that does not fit the first-level cache, of more than SPLIT bytes, is also packed where its rows begin between the
# lines of the cache, for every vector of it would lie on two. Where multiply-adds take twice as long, reading x as it
# lies costs less than packing it.
LONG_ROW = 2048
SPLIT = 1 << 15
LARGE = 1 << 17
FAR = 512
PACK_LARGE_X = not _HALVES
DEEP = 64
MANY = 4

# Fewer multiply-adds than this are done sooner by one thread. Products are cut into one part for each thread, and into
# PARTS of them where each then has PART multiply-adds.
PARALLEL = 1 << 19
# A layer's weight takes as long to read, or to write its gradient, as so many rows of input take to multiply.
WEIGHT_ROWS = 8
PART = 1 << 23
PARTS = 4

# Products of at most SHORT steps along k take tiles of at most SHORT_SUMS sums: the processor begins with one while it
# still writes the one before, which takes as long as the products.
SHORT, SHORT_SUMS = 32, 14

# At most so many multiply-adds are done without a plan, if they are one panel: making it would take as long. So is
# every product of one thread that is shallow, or whose y has at most SPLIT bytes and stays in the first-level cache.
SMALL = 1 << 18
