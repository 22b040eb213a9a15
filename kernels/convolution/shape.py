"""What a convolution is: how many samples, channels and groups, and where its windows stand.

All arrays are in order, (N, C, D, H, W); of fewer axes, the first ones are of length 1.
"""

import functools
import math
import operator
from collections import namedtuple

import numpy as np

from .._jit import merged
from ..gemm.blocking import KC

# `channels` and `outputs` are those of one group. The tuples have a number for each of the three axes, as
# `ops.windows.Windows` has them; `taps` is the number of elements of a window, `plane` that of the input, `windows`
# that of windows, and `size` that of the bytes of an element.
Shape = namedtuple(
    "Shape",
    "samples channels outputs groups sizes kernel stride before dilation counts taps plane windows size",
)

_AXES = 3

# The most elements that the windows' spans of the channels that are laid out at a time may have: all of a span is laid
# out, that between distant taps too.
_SPANNED = 1 << 28
_OF_LENGTH_ONE = (1, 1, 1, 0, 1, 1)  # what stands for an axis of length 1: sizes, kernel, stride, before ...


def sees_itself(windows):
    """Whether each window sees one element, and each element is seen by one window: columns are the input itself."""
    sizes, kernel, stride, before, _, counts = windows
    return sizes == counts and set(kernel) | set(stride) == {1} and not any(before)


def turned_around(windows):
    """The windows of stride 1 by which what was seen sees what saw it: the last tap first."""
    sizes, kernel, stride, before, dilation, counts = windows
    last = (d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
    return counts, kernel, stride, tuple(map(operator.sub, last, before)), dilation, sizes


def in_one_row(count):
    """So many windows that see themselves along one axis."""
    return (count,), *((each,) for each in _OF_LENGTH_ONE[1:-1]), (count,)


@functools.lru_cache(maxsize=256)
def numbers_of(samples, channels, outputs, groups, windows):
    """The numbers of a `Shape` as kernels receive them; ``windows`` are the tuples from ``sizes`` to ``counts``."""
    if sees_itself(windows):
        windows = in_one_row(math.prod(windows[0]))
    _check_spans(channels // groups, windows)
    numbers = [samples, channels // groups, outputs // groups, groups]
    for each, missing in zip(windows, _OF_LENGTH_ONE, strict=True):
        numbers += [missing] * (_AXES - len(each)) + list(each)
    return np.array(numbers, np.int64)


def _check_spans(channels, windows):
    """Raise where what windows span is too much to be laid out."""
    _, kernel, _, _, dilation, _ = windows
    spans = tuple(d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True))
    if math.prod(spans) * min(channels, max(1, KC // math.prod(kernel))) > _SPANNED:
        raise NotImplementedError(
            f"convolution with kernels of {kernel} and a dilation of {dilation} is not supported: each window would "
            f"span {spans} elements"
        )


@merged
def shape_of(n, size):
    """The `Shape` that `numbers_of` put down."""
    taps, plane, windows = n[7] * n[8] * n[9], n[4] * n[5] * n[6], n[19] * n[20] * n[21]
    sizes, kernel, stride = (n[4], n[5], n[6]), (n[7], n[8], n[9]), (n[10], n[11], n[12])
    before, dilation, counts = (n[13], n[14], n[15]), (n[16], n[17], n[18]), (n[19], n[20], n[21])
    return Shape(
        n[0], n[1], n[2], n[3], sizes, kernel, stride, before, dilation, counts, taps, plane, windows, size
    )  # fmt: skip


@merged
def is_plain(s):
    """`sees_itself`, in kernels."""
    return s.taps == 1 and s.plane == s.windows and s.stride == (1, 1, 1) and s.before == (0, 0, 0)
