"""What functions on arrays share."""

import math

import numpy as np

from .. import kernels as k


def deliver(result, out):
    """``result`` as an array; or ``out``, where there is one, with the result in it."""
    if out is ... or out is None:
        return np.asarray(result)
    out[...] = result
    return out


def add_at(out, first, end, places, g):
    """Add g to ``out``, in place, at places of its axes ``first`` to ``end`` - 1, which are counted as one axis.

    out: (*A, *N, *B); g: (*A, *M, *B); places: (*M) or like g. What meets in one place is added in the order of g.
    """
    if not g.size:
        return
    before, size, after = math.prod(out.shape[:first]), math.prod(out.shape[first:end]), math.prod(out.shape[end:])
    g = g.reshape(before, -1, after)
    plain = np.ascontiguousarray(out)
    k.scatter.add_at(plain.reshape(before, size, after), places.reshape(g.shape if places.size == g.size else -1), g)
    if plain is not out:
        out[...] = plain
