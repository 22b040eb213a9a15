"""Words of memory, compared with what they were.

A run of words is (address, count, more): ``count`` words that lie at an address and, where ``more`` is not 0, so many
that lie elsewhere: at the address that the third word is, as long as the second word says that there are so many.

The interpreter's lock is held meanwhile, because the memory may be that of Python's objects.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import numpy as np

from ._jit import inlined, kernel
from .simd import word

_BYTES = 8


@inlined
def _word_of(runs, i, j):
    """Word j of run i; 0 where it would be elsewhere and there are not so many."""
    where, count, more = runs[i, 0], runs[i, 1], runs[i, 2]
    if j < count:
        return word(where + j * _BYTES)
    if word(where + _BYTES) != more:
        return 0
    return word(word(where + 2 * _BYTES) + (j - count) * _BYTES)


@kernel(nogil=False)
def first_change(runs, known):
    """The number of the first run whose words are not the next of ``known``, or -1.  runs: (n, 3), known: (words,)"""
    at = 0
    for i in range(runs.shape[0]):
        for j in range(runs[i, 1] + runs[i, 2]):
            if _word_of(runs, i, j) != known[at]:
                return i
            at += 1
    return -1


@kernel(nogil=False)
def _take(runs, into):
    at = 0
    for i in range(runs.shape[0]):
        for j in range(runs[i, 1] + runs[i, 2]):
            into[at] = _word_of(runs, i, j)
            at += 1


def take(runs: np.ndarray) -> np.ndarray:
    """The words of some runs, as they are now.  runs: (n, 3) int64 -> (words,)"""
    words = np.empty(runs[:, 1:].sum(), np.int64)
    _take(runs, words)
    return words
