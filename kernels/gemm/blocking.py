"""The sizes of the matrix product, for the vectors of this processor: data, not code.

The scheme and the names MR, NR, KC are those of BLIS (Van Zee and van de Geijn, "BLIS: a framework for rapidly
instantiating BLAS functionality", ACM TOMS 2015). All were measured on AVX-512.
"""

from ..simd import VECTOR_BITS, VECTOR_BYTES

# The register tile: MR rows of NV vectors are accumulators, NV more registers hold a row of y and one or two a
# broadcast element of x. AVX-512 has 32 registers; AVX2 and SSE have 16.
MR, NV = {512: (14, 2), 256: (6, 2), 128: (6, 2)}[VECTOR_BITS]
NR_BYTES = NV * VECTOR_BYTES

# Products of at most FEW_ROWS rows take tiles of WIDE vectors; where y has unit stride along k, DOTS columns at a time.
FEW_ROWS, WIDE, DOTS = 3, 8, 8
DOT_ROWS = 4

# The depth of a block of k. A packed panel of y, KC rows of NR columns, stays in the first-level cache (32 KiB with
# AVX-512) while the row tiles pass over it; where nothing is packed, long sums cost less than reloading the result.
KC = 256
KC_FREE = 1024

# The row tiles of one task. With packing, each panel serves so many; without, small tasks share out better.
TILES = 16
TILES_FREE = 4

# The panels of one task where x is packed: each packed block of x serves so many.
PANELS = 8

# When packing an operand that has unit stride pays: its rows are long in bytes (each on a page of its own, many on
# the same sets of the cache), it is large altogether in bytes, and the copy is used MANY times. For x, whose numbers
# are read one by one along k, rows FAR apart are enough, if it is DEEP along k.
LONG_ROW = 2048
LARGE = 1 << 17
FAR = 512
DEEP = 64
MANY = 4

# Fewer multiply-adds than this are done sooner by one thread.
PARALLEL = 1 << 19
