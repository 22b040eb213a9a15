"""Adaptive pooling: of as many windows as are asked for, which divide the axes."""

import functools
import operator
from typing import NamedTuple

import numpy as np

from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from ..autograd.tensor import constant
from .pooling import check_axes, extreme_of
from .windows import ALL, Sizes, as_batch, like_batch, named


class Adaptive(NamedTuple):
    """``counts`` windows that divide each axis of ``sizes`` as evenly as can be; they may overlap by an element."""

    sizes: Sizes
    counts: Sizes

    @property
    def places(self) -> list[np.ndarray]:
        """As `Windows.places`; a window that is shorter than others sees its last element more than once."""
        return _places(self)


@functools.lru_cache(maxsize=256)
def _places(windows: Adaptive) -> list[np.ndarray]:
    return [_places_on_axis(*each) for each in zip(*windows, strict=True)]


def _places_on_axis(size, count):
    starts, ends = _bounds(size, count)
    taps = np.arange((ends - starts).max(initial=1))
    return np.minimum(starts + taps[:, None], ends - 1)


@functools.lru_cache(maxsize=256)
def _bounds(size: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each of ``count`` windows over an axis starts and ends.  -> (count,), (count,)."""
    numbers = np.arange(count)
    return numbers * size // max(count, 1), -(-(numbers + 1) * size // max(count, 1))


# ---------------------------------------------------------------------------------------------------------------
# Sums of the windows that divide an axis.


@op
def _adaptive_sum(x, *, dim, count, out=None):
    """The sums over ``count`` windows that divide the axis ``dim``."""
    return _sum_of_ranges(x, *_bounds(x.shape[dim], count), dim)


@_adaptive_sum.vjp()
def _(g, x_shape, dim):
    return apply(_adaptive_spread.op, (g,), {"dim": dim, "size": x_shape[dim]})


@op
def _adaptive_spread(x, *, dim, size, out=None):
    """For each of ``size`` elements of the axis ``dim`` the sum over the windows that it is in."""
    starts, ends = _bounds(size, x.shape[dim])
    elements = np.arange(size)
    first, last = np.searchsorted(ends, elements, "right"), np.searchsorted(starts, elements, "right")
    return _sum_of_ranges(x, first, last, dim)


@_adaptive_spread.vjp()
def _(g, x_shape, dim):
    return apply(_adaptive_sum.op, (g,), {"dim": dim, "count": x_shape[dim]})


def _sum_of_ranges(x, starts, ends, dim):
    """The sums of x[starts:ends] along ``dim``, of ranges that are not empty."""
    if not len(starts):
        return np.zeros((*x.shape[:dim], 0, *x.shape[dim + 1 :]), x.dtype)
    # reduceat sums from each edge to the next: every other sum is ours. A zero more, and a range may end at the end.
    more = np.concatenate((x, np.zeros_like(x[(*(ALL,) * dim, slice(1))])), dim)
    sums = np.add.reduceat(more, np.stack((starts, ends), 1).ravel(), axis=dim, dtype=x.dtype)
    return np.ascontiguousarray(sums[(*(ALL,) * dim, slice(None, None, 2))])


# ---------------------------------------------------------------------------------------------------------------
# The functions.


def _adaptive_mean(axes):
    name = f"adaptive_avg_pool{axes}d"

    def pool(input, output_size):
        windows = _dividing(name, input, axes, output_size)
        if windows.counts == (1,) * axes:  # the frequent case, sooner done
            return input.mean(tuple(range(-axes, 0)), keepdim=True)
        result = as_batch(input, axes)
        for dim, (size, count) in enumerate(zip(windows.sizes, windows.counts, strict=True), 2):
            starts, ends = _bounds(size, count)
            lengths = (ends - starts).astype(input._array.dtype).reshape(-1, *(1,) * (axes + 1 - dim))
            result = apply(_adaptive_sum.op, (result,), {"dim": dim, "count": count}) / constant(lengths)
        return like_batch(result, input, axes)

    meaning = "The means of as many windows as ``output_size`` says, which divide the axes; None keeps an axis."
    return named(pool, name, f"{meaning}  (N, C, *) -> (N, C, *); without N too.")


def _adaptive_extreme(axes):
    name = f"adaptive_max_pool{axes}d"

    def pool(input, output_size, return_indices=False):
        return extreme_of(input, axes, _dividing(name, input, axes, output_size), 1, return_indices)

    meaning = "The largest elements of as many windows as ``output_size`` says, which divide the axes."
    return named(pool, name, f"{meaning}  (N, C, *) -> (N, C, *); without N too.")


def _dividing(name, input, axes, output_size):
    """The windows that divide the axes of ``input``."""
    check_axes(name, input, axes)
    sizes = input._array.shape[-axes:]
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * axes
    if len(wanted) != axes:
        raise RuntimeError(f"{name}: output_size must have {axes} elements, but got {list(wanted)}")
    counts = tuple(size if count is None else operator.index(count) for size, count in zip(sizes, wanted, strict=True))
    if min(counts) < 0:
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received {list(counts)}"
        )
    return Adaptive(sizes, counts)


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(_adaptive_mean, (1, 2, 3))
public(adaptive_avg_pool1d, method=False)
adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(_adaptive_extreme, (1, 2, 3))
