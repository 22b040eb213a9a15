"""Windows as columns, and back. What the twins of all ops on windows share."""

import math

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr.nn.functional as F

from .record import OpSpec


def patches(x, kernel, stride, padding, dilation, fill=0.0):
    """The place of each window and what it sees, (N, C, *kernel), one at a time; a tuple for each argument."""
    padded = np.pad(x, [(0, 0), (0, 0), *((p, p) for p in padding)], constant_values=fill)
    counts = window_counts(x.shape[2:], kernel, stride, padding, dilation)
    for place in np.ndindex(*counts):
        each = zip(place, kernel, stride, dilation, strict=True)
        yield place, padded[(..., *(slice(at * s, at * s + d * (k - 1) + 1, d) for at, k, s, d in each))]


def window_counts(sizes, kernel, stride, padding, dilation):
    each = zip(sizes, kernel, stride, padding, dilation, strict=True)
    return tuple((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k, s, p, d in each)


def images(axes, least=2, batch=0):
    """One shape (N, C, *sizes), N perhaps 0."""

    def shapes(max_dims, max_side):
        sizes = [st.integers(least, max(max_side, least)) for _ in range(axes)]
        return st.tuples(st.integers(batch, batch + 2), st.integers(1, 2), *sizes).map(lambda shape: (shape,))

    return shapes


def steps(draw, axes, sizes, kernel, most_padding):
    """A stride, a padding and a dilation for each axis, such that there is a window."""
    stride = tuple(draw(st.integers(1, 3)) for _ in range(axes))
    padding = tuple(draw(st.integers(0, most)) for most in most_padding)
    each = zip(sizes, kernel, padding, strict=True)
    fits = tuple((size + 2 * p - 1) // (k - 1) if k > 1 else 2 for size, k, p in each)
    dilation = tuple(draw(st.integers(1, min(2, most))) for most in fits)
    return {"stride": stride, "padding": padding, "dilation": dilation}


def _columns(x, kernel_size, stride, padding, dilation):
    columns = [patch for _, patch in patches(x, kernel_size, stride, padding, dilation)]
    return np.stack([each.reshape(len(x), math.prod(each.shape[1:])) for each in columns], 2)


def _unfolding(draw, shapes):
    sizes = shapes[0][2:]
    kernel = tuple(draw(st.integers(1, size)) for size in sizes)
    return {"kernel_size": kernel} | steps(draw, 2, sizes, kernel, (1, 1))


def _folded(x, output_size, kernel_size):
    channels = x.shape[1] // math.prod(kernel_size)
    result = np.zeros((len(x), channels, *output_size), x.dtype)
    ones = (1, 1)
    windows = patches(result, kernel_size, ones, (0, 0), ones)
    for column, (place, _) in enumerate(windows):
        part = (..., *(slice(at, at + k) for at, k in zip(place, kernel_size, strict=True)))
        result[part] += x[:, :, column].reshape(len(x), channels, *kernel_size)
    return result


SPECS = [
    OpSpec(
        "unfold windows",
        _columns,
        shapes=images(2),
        params=_unfolding,
        integers=None,
        call=F.unfold,
        methods=(),
    ),
    OpSpec(
        "fold windows",
        _folded,
        shapes=lambda max_dims, max_side: st.tuples(st.integers(0, 2), st.just(8), st.just(6)).map(lambda s: (s,)),
        params=lambda draw, shapes: {"output_size": (3, 4), "kernel_size": (2, 2)},
        integers=None,
        extremes=False,
        call=F.fold,
        methods=(),
    ),
]
