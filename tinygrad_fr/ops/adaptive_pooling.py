"""Adaptive pooling: of as many windows as are asked for, which divide the axes."""

import operator
from typing import Any, NamedTuple

import numpy as np

from .. import kernels as k
from ..autograd.binding import public
from .pooling import check_axes, extreme_of
from .windows import SEEN, Sizes, as_batch, like_batch, named, window_sum


class Adaptive(NamedTuple):
    """``counts`` windows that divide each axis of ``sizes`` as evenly as can be; they may overlap by an element."""

    sizes: Sizes
    counts: Sizes

    @property
    def plan(self) -> Any:
        """What the kernels of pooling go by."""
        return k.pooling.dividing(*self)

    def elements(self, with_padding: bool) -> list[np.ndarray]:
        """For each axis how many elements each window sees; there is no padding.  -> (count,)."""
        return [_elements(*each) for each in zip(*self, strict=True)]


def _elements(size, count):
    numbers = np.arange(count)
    return -(-(numbers + 1) * size // max(count, 1)) - numbers * size // max(count, 1)


# ---------------------------------------------------------------------------------------------------------------
# The functions.


def _adaptive_mean(axes):
    name = f"adaptive_avg_pool{axes}d"

    def pool(input, output_size):
        windows = _dividing(name, input, axes, output_size)
        if windows.counts == (1,) * axes:  # the frequent case, sooner done
            return input.mean(tuple(range(-axes, 0)), keepdim=True)
        return like_batch(window_sum(as_batch(input, axes), windows, SEEN), input, axes)

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
