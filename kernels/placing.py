"""Some elements within zeros: the gradient of a slice, which is as large as what the slice is of."""

import numpy as np

from ._jit import inlined, kernel
from ._launch import launch
from ._layout import deliver, destination, plain
from ._threads import pool_for, spread

PART = 1 << 15  # elements that a thread takes at a time


def place(x, begin, shape, *, out=None):
    """Zeros of ``shape`` with x from its row ``begin`` on.  x: (n, *) -> (N, *) with begin + n <= N."""
    x = plain(x)
    result = destination(out, shape, x.dtype)
    width = result.size // max(1, len(result))
    launch(_place, pool_for(result.size), x.reshape(-1), begin * width, result.reshape(-1))
    return deliver(result, out)


@kernel
def _place(pool, x, begin, out):
    spread(pool, _place_part, (out.size + PART - 1) // PART, (x, begin, out))


@inlined
def _place_part(part, x, begin, out):
    low, high = part * PART, min(out.size, (part + 1) * PART)
    first, last = min(max(low, begin), high), max(min(high, begin + x.size), low)
    for i in range(low, first):
        out[i] = 0
    for i in range(np.uint64(first), np.uint64(last)):
        out[i] = x[i - np.uint64(begin)]
    for i in range(max(first, last), high):
        out[i] = 0
