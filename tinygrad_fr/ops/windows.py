"""Windows that move over the axes after the first two: what they see, and the sums of what lies under them.

Unfold and fold are made of the functions on arrays in the first half; the second half is ops.
"""

import functools
import math
import operator
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .. import kernels as k
from ..autograd.dispatch import apply, op

Sizes = tuple[int, ...]

ALL = slice(None)


class Windows(NamedTuple):
    """Where windows stand, a number for each axis; the first window begins ``before`` elements before the axis."""

    sizes: Sizes  # of the array
    kernel: Sizes
    stride: Sizes
    before: Sizes
    dilation: Sizes
    counts: Sizes  # of windows

    @property
    def spans(self) -> Sizes:
        """How many places, those before the array among them, the windows see."""
        steps = zip(self.counts, self.stride, self.dilation, self.kernel, strict=True)
        return tuple((count - 1) * stride + dilation * (kernel - 1) + 1 for count, stride, dilation, kernel in steps)

    @property
    def plan(self) -> Any:
        """What the kernels of pooling go by."""
        return k.pooling.moving(*self)

    def elements(self, with_padding: bool) -> list[np.ndarray]:
        """For each axis how many elements, perhaps counting those of the padding, each window sees.  -> (count,)."""
        return [_elements(with_padding, *each) for each in zip(*self, strict=True)]


# ---------------------------------------------------------------------------------------------------------------
# On arrays.


def seen(x: np.ndarray, windows: Windows) -> np.ndarray:
    """What each window sees of x, with zeros around it; a view.  (N, C, *sizes) -> (N, C, *kernel, *counts)."""
    return _under(_laid_out(x, windows), windows)


def add_up(values: np.ndarray, windows: Windows) -> np.ndarray:
    """The adjoint of `seen`: each number added where its window sees.  (N, C, *kernel, *counts) -> (N, C, *sizes)."""
    shape, dtype = values.shape[:2], values.dtype
    laid = np.zeros(shape + windows.spans, dtype)
    view = _under(laid, windows)
    for tap in np.ndindex(*windows.kernel):
        view[(ALL, ALL, *tap)] += values[(ALL, ALL, *tap)]
    if windows.spans == windows.sizes and not any(windows.before):
        return laid
    result = np.zeros(shape + windows.sizes, dtype)
    result[_overlap(windows, inside=True)] = laid[_overlap(windows, inside=False)]
    return result


def _under(laid: np.ndarray, windows: Windows) -> np.ndarray:
    """The elements of ``laid``, (N, C, *spans), under each window; a view."""
    steps = laid.strides[2:]
    taps = tuple(map(operator.mul, steps, windows.dilation))
    moves = tuple(map(operator.mul, steps, windows.stride))
    shape = laid.shape[:2] + windows.kernel + windows.counts
    return as_strided(laid, shape, laid.strides[:2] + taps + moves)


def _laid_out(x: np.ndarray, windows: Windows) -> np.ndarray:
    """x as far as the windows see it, with zeros around it where they see beyond; a view where that suffices."""
    if not any(windows.before) and all(map(operator.le, windows.spans, windows.sizes)):
        return x[(ALL, ALL, *map(slice, windows.spans))]
    laid = np.zeros(x.shape[:2] + windows.spans, x.dtype)
    laid[_overlap(windows, inside=False)] = x[_overlap(windows, inside=True)]
    return laid


def _overlap(windows: Windows, inside: bool) -> tuple[slice, ...]:
    """The part that the array and what the windows see have in common, counted ``inside`` the array or from there."""
    parts = []
    for size, span, before in zip(windows.sizes, windows.spans, windows.before, strict=True):
        length = max(0, min(size, span - before))
        start = 0 if inside else before
        parts.append(slice(start, start + length))
    return (ALL, ALL, *parts)


def _elements(with_padding, size, kernel, stride, before, dilation, count):
    around = before if with_padding else 0
    taps = np.arange(count)[:, None] * stride - before + np.arange(kernel) * dilation
    return ((-around <= taps) & (taps < size + around)).sum(1)


# ---------------------------------------------------------------------------------------------------------------
# What the functions on windows share.


def per_axis(name: str, value, axes: int) -> Sizes:
    """A number, or a sequence of one for all or one for each axis, as a tuple; RuntimeError as PyTorch's."""
    values = tuple(map(operator.index, value)) if isinstance(value, (tuple, list)) else (operator.index(value),)
    if len(values) not in (1, axes):
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {axes} values, one for each axis, but got "
            f"{name}={list(values)}"
        )
    return values * axes if len(values) == 1 else values


def named(function, name: str, meaning: str):
    """``function`` under ``name``, with its docstring."""
    function.__name__ = function.__qualname__ = name
    function.__doc__ = meaning
    return function


def as_batch(input, axes: int):
    """``input`` with an axis of samples in front, if it has none."""
    return input.unsqueeze(0) if input.ndim == axes + 1 else input


def like_batch(result, input, axes: int):
    """``result`` without its axis of samples, if ``input`` has none."""
    return result.squeeze(0) if input.ndim == axes + 1 else result


# ---------------------------------------------------------------------------------------------------------------
# Ops: what the windows see as columns, and its adjoint; the sum in each window, and its adjoint.


@op
def _unfold(x, *, windows, out=None):
    """What each window sees, one window a column.  (N, C, *sizes) -> (N, C*K, L)."""
    samples, channels = x.shape[:2]
    return np.ascontiguousarray(seen(x, windows)).reshape(
        samples, channels * math.prod(windows.kernel), math.prod(windows.counts)
    )


@_unfold.vjp()
def _(g, windows):
    return apply(_fold.op, (g,), {"windows": windows})


@op
def _fold(x, *, windows, out=None):
    """Each column added where its window sees.  (N, C*K, L) -> (N, C, *sizes)."""
    samples, channels = x.shape[0], x.shape[1] // math.prod(windows.kernel)
    return add_up(x.reshape((samples, channels, *windows.kernel, *windows.counts)), windows)


@_fold.vjp()
def _(g, windows):
    return apply(_unfold.op, (g,), {"windows": windows})


@op(launches=True)
def _window_sum(x, *, windows, over=None, out=None):
    """The sum of what each window sees, divided by what ``over`` says.  (N, C, *sizes) -> (N, C, *counts)."""
    return k.pooling.window_sum(x, windows.plan, _divisors(windows, over, x.dtype), out=out)


@_window_sum.vjp()
def _(g, windows, over):
    return apply(_window_spread.op, (g,), {"windows": windows, "over": over})


@_window_sum.backward
def _(g, windows, over, out=None):
    return k.pooling.window_spread(g, windows.plan, _divisors(windows, over, g.dtype), out=out)


@op(launches=True)
def _window_spread(x, *, windows, over=None, out=None):
    """Each number, divided likewise, added to all that its window sees.  (N, C, *counts) -> (N, C, *sizes)."""
    return k.pooling.window_spread(x, windows.plan, _divisors(windows, over, x.dtype), out=out)


@_window_spread.vjp()
def _(g, windows, over):
    return apply(_window_sum.op, (g,), {"windows": windows, "over": over})


SEEN, PADDED = "seen", "padded"  # divisors: how many elements a window sees, without or with those of the padding


@functools.lru_cache(maxsize=256)
def _divisors(windows, over, dtype) -> np.ndarray | None:
    """What the sums are divided by: a number, one of the above, or None for nothing.  -> (*counts)."""
    if over is None:
        return None
    if over not in (SEEN, PADDED):
        return np.full(windows.counts, over, dtype)
    return functools.reduce(np.multiply, np.ix_(*windows.elements(over == PADDED))).astype(dtype)


def window_sum(input, windows, over=None):
    """The sum of what each window sees, zeros outside, over a divisor.  (N, C, *sizes) -> (N, C, *counts)."""
    return apply(_window_sum.op, (input,), {"windows": windows, "over": over})


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """What each window sees, one window a column.  (N, C, H, W) -> (N, C*K, L);  (C, H, W) -> (C*K, L)."""
    if input.ndim not in (3, 4):
        raise RuntimeError(
            "Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, "
            f"but got: {list(input.shape)}"
        )
    _refuse_integers("unfold", input)
    windows = _sliding(input._array.shape[-2:], kernel_size, dilation, padding, stride)
    result = apply(_unfold.op, (as_batch(input, 2),), {"windows": windows})
    return like_batch(result, input, 2)


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Each column added where its window sees, the adjoint of `unfold`.  (N, C*K, L) -> (N, C, H, W); without N too."""
    if input.ndim not in (2, 3):
        raise RuntimeError(
            "Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for "
            f"input, but got: {list(input.shape)}"
        )
    _refuse_integers("fold", input)
    windows = _sliding(per_axis("output_size", output_size, 2), kernel_size, dilation, padding, stride)
    elements, columns = input._array.shape[-2:]
    if elements % math.prod(windows.kernel):
        raise RuntimeError(
            "Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={elements} and kernel_size={windows.kernel}."
        )
    if columns != math.prod(windows.counts):
        raise RuntimeError(
            f"Given output_size={windows.sizes}, kernel_size={windows.kernel}, dilation={windows.dilation}, "
            f"padding={windows.before}, stride={windows.stride}, expected size of input's dimension 2 to match the "
            f"calculated number of sliding blocks {' * '.join(map(str, windows.counts))} = "
            f"{math.prod(windows.counts)}, but got input.size(2)={columns}."
        )
    result = apply(_fold.op, (as_batch(input, 1),), {"windows": windows})
    return like_batch(result, input, 1)


def _sliding(sizes, kernel_size, dilation, padding, stride):
    """The windows of `unfold` and `fold` over two axes."""
    kernel, dilation = per_axis("kernel_size", kernel_size, 2), per_axis("dilation", dilation, 2)
    padding, stride = per_axis("padding", padding, 2), per_axis("stride", stride, 2)
    for name, values in (("kernel size", kernel), ("dilation", dilation), ("stride", stride)):
        if min(values) < 1:
            raise RuntimeError(f"{name} should be greater than zero, but got {list(values)}")
    if min(padding) < 0:
        raise RuntimeError(f"padding should be non-negative, but got {list(padding)}")
    axes = zip(sizes, kernel, dilation, padding, stride, strict=True)
    counts = tuple((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k, d, p, s in axes)
    if min(counts) < 1:
        raise RuntimeError(
            f"Given spatial size {tuple(sizes)}, kernel_size={kernel}, dilation={dilation}, padding={padding}, "
            f"stride={stride}, calculated shape of the array of sliding blocks as {counts}, but its components must "
            "be at least one."
        )
    return Windows(tuple(sizes), kernel, stride, padding, dilation, counts)


def _refuse_integers(name, input):
    if not input.is_floating_point():
        raise NotImplementedError(f"{name} of {input.dtype.name} is not supported; convert it with .float()")
