"""What becomes of memory that is freed: by default the system gets back what a step will ask for again at once.

The GNU C library takes large blocks from the system one by one, and gives back what is free at the end of its heap.
The system clears every page that it gives, at its first use: for arrays of some megabytes that takes as long as the
kernels that fill them. So blocks below `KEPT` are kept for the next that asks, up to `MOST` bytes in all.
"""

import ctypes
import sys

KEPT, MOST = 1 << 25, 1 << 28  # bytes; the first is the most that the library takes
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt


def keep_freed_memory() -> None:
    """Let the C library keep the memory that arrays are freed from, where it is the GNU library."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is not None and hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_MMAP_THRESHOLD, KEPT)
        library.mallopt(_TRIM_THRESHOLD, MOST)
