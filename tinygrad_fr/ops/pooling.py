"""Pooling: the largest, smallest or mean element of each window; and the reverse of taking the largest."""

import math
import operator
from typing import Any

import numpy as np

from .. import kernels as k
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from .arrays import add_at
from .checks import check_values
from .statistics import root
from .windows import PADDED, SEEN, Windows, as_batch, like_batch, named, per_axis, window_sum

# ---------------------------------------------------------------------------------------------------------------
# The largest element.


@op(keeps=("codes",), launches=True)
def _max_pool(x, *, windows, out=None):
    """The largest element in each window.  (N, C, *sizes) -> (N, C, *counts)."""
    return k.pooling.largest(x, windows.plan, out=out)


@_max_pool.vjp()
def _(g, codes, windows):
    return apply(_spread_largest.op, (g, codes), {"windows": windows})


@_max_pool.backward
def _(g, codes, windows, mask=None, out=None):
    """With ``mask``, the result of a relu that made x, the gradient is that of the relu's input: the codes know it."""
    return k.pooling.largest_backward(g, codes, windows.plan, positive=mask is not None, out=out)


_max_pool.op.masked_by = ("relu",)


@op
def _max_position(x, *, windows, out=None):
    """Where in its plane (sizes) the largest element of each window is.  (N, C, *sizes) -> (N, C, *counts) int64."""
    return k.pooling.places(k.pooling.largest(x, windows.plan)[1])


@op(launches=True)
def _spread_largest(x, codes, *, windows, out=None):
    """Zeros to which x is added where the largest elements were.  (N, C, *counts) twice -> (N, C, *sizes)."""
    return k.pooling.largest_backward(x, codes, windows.plan, out=out)


@_spread_largest.vjp("x")
def _(g, codes, windows):
    return apply(_take_largest.op, (g, codes), {"windows": windows})


@op(launches=True)
def _take_largest(x, codes, *, windows, out=None):
    """The elements where the largest ones were.  (N, C, *sizes), (N, C, *counts) -> (N, C, *counts)."""
    return k.pooling.take(x, codes, windows.plan, out=out)


@_take_largest.vjp("x")
def _(g, codes, windows):
    return apply(_spread_largest.op, (g, codes), {"windows": windows})


# ---------------------------------------------------------------------------------------------------------------
# Its reverse.


@op
def _put_at(x, index, *, sizes, out=None):
    """Zeros with x at the places ``index`` of each plane.  (N, C, *), (N, C, *) -> (N, C, *sizes)."""
    result = np.zeros(x.shape[:2] + sizes, x.dtype)
    result.reshape(-1)[_in_all_planes(index, sizes)] = x
    return result


@_put_at.vjp("x")
def _(g, index):
    return apply(_pick.op, (g, index), {})


@op
def _pick(x, index, *, out=None):
    """The elements at the places ``index`` of each plane.  (N, C, *sizes), (N, C, *) -> (N, C, *)."""
    return np.ascontiguousarray(x).reshape(-1)[_in_all_planes(index, x.shape[2:])]


@_pick.vjp("x")
def _(g, index, x_shape):
    return apply(_add_at.op, (g, index), {"sizes": x_shape[2:]})


@op
def _add_at(x, index, *, sizes, out=None):
    """Zeros to which x is added at the places ``index`` of each plane.  (N, C, *), (N, C, *) -> (N, C, *sizes)."""
    result = np.zeros(x.shape[:2] + sizes, x.dtype)
    add_at(result, 2, result.ndim, index, x)
    return result


@_add_at.vjp("x")
def _(g, index):
    return apply(_pick.op, (g, index), {})


def _in_all_planes(index, sizes):
    """The places in planes of ``sizes`` as places among all elements."""
    planes = np.arange(math.prod(index.shape[:2])) * math.prod(sizes)
    return index + planes.reshape(index.shape[:2] + (1,) * (index.ndim - 2))


# ---------------------------------------------------------------------------------------------------------------
# The functions.


def _extreme(axes, name, prefix, sign):
    def pool(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        windows = _windows(name, input, axes, kernel_size, stride, padding, dilation, ceil_mode)
        return extreme_of(input, axes, windows, sign, return_indices)

    meaning = f"The {prefix} element in each window, NaN if there is one; with its place in the plane if asked for."
    return named(pool, name, f"{meaning}  (N, C, *) -> (N, C, *); without N too.")


def extreme_of(input, axes, windows, sign, return_indices):
    """The largest, or by ``sign`` smallest, element in each window, and perhaps its place in the plane."""
    x = as_batch(input if sign > 0 else -input, axes)
    result = apply(_max_pool.op, (x,), {"windows": windows})
    result = like_batch(result if sign > 0 else -result, input, axes)
    if not return_indices:
        return result
    index = apply(_max_position.op, (x,), {"windows": windows})
    return result, like_batch(index, input, axes)


def _mean(input, axes, windows, count_include_pad, divisor_override=None):
    """The mean of each window, whose number of elements is counted as asked for."""
    over = divisor_override
    if over is None:
        over = PADDED if count_include_pad else SEEN
    return like_batch(window_sum(as_batch(input, axes), windows, over), input, axes)


def avg_pool1d(input, kernel_size, stride: Any = None, padding: Any = 0, ceil_mode=False, count_include_pad=True):
    """The mean of each window.  (N, C, L) -> (N, C, L_out); without N too."""
    windows = _windows("avg_pool1d", input, 1, kernel_size, stride, padding, 1, ceil_mode)
    return _mean(input, 1, windows, count_include_pad)


def _mean_pool(axes):
    name = f"avg_pool{axes}d"

    def pool(
        input,
        kernel_size,
        stride=None,
        padding=0,
        ceil_mode=False,
        count_include_pad=True,
        divisor_override=None,
    ):
        if divisor_override == 0:
            raise RuntimeError("divisor must be not zero")
        windows = _windows(name, input, axes, kernel_size, stride, padding, 1, ceil_mode)
        return _mean(input, axes, windows, count_include_pad, divisor_override)

    return named(
        pool, name, "The mean of each window, or its sum over a divisor.  (N, C, *) -> (N, C, *); without N too."
    )


def _lp(axes, mean):
    name = f"lp_pool{axes}d"

    def pool(input, norm_type, kernel_size, stride=None, ceil_mode=False):
        check_axes(name, input, axes)
        means = mean(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
        elements = math.prod(per_axis("kernel_size", kernel_size, axes))
        return root(means * elements, norm_type)

    meaning = "(sum x^p)^(1/p) of each window; its derivative where that is 0 is 0."
    return named(pool, name, f"{meaning}  (N, C, *) -> (N, C, *); without N too.")


def _unpool(axes):
    name = f"max_unpool{axes}d"

    def unpool(input, indices, kernel_size, stride=None, padding=0, output_size=None):
        _check_unpool(name, input, indices, axes)
        kernel = per_axis("kernel_size", kernel_size, axes)
        stride = kernel if stride is None else per_axis("stride", stride, axes)
        padding = per_axis("padding", padding, axes)
        each = zip(input._array.shape[-axes:], kernel, stride, padding, strict=True)
        default = tuple((count - 1) * s + size - 2 * p for count, size, s, p in each)
        sizes = _unpooled_sizes(default, stride, output_size)
        _check_places(indices, sizes)
        result = apply(_put_at.op, (as_batch(input, axes), as_batch(indices, axes)), {"sizes": sizes})
        return like_batch(result, input, axes)

    meaning = "Zeros with the elements of ``input`` at the places from which `max_pool` took them."
    return named(unpool, name, f"{meaning}  (N, C, *) -> (N, C, *); without N too.")


def _unpooled_sizes(default, stride, output_size):
    if output_size is None:
        return default
    axes, sizes = len(default), tuple(map(operator.index, output_size))
    sizes = sizes[2:] if len(sizes) == axes + 2 else sizes
    if len(sizes) != axes:
        raise ValueError(
            f"output_size should be a sequence containing {axes} or {axes + 2} elements, but it has a length of "
            f"'{len(sizes)}'"
        )
    for i, (size, usual, step) in enumerate(zip(sizes, default, stride, strict=True)):
        if not usual - step < size < usual + step:
            raise ValueError(
                f'invalid output_size "{sizes}" (dim {i} must be between {usual - step} and {usual + step})'
            )
    return sizes


# --- arguments ---------------------------------------------------------------------------------------------------


def _windows(name, input, axes, kernel_size, stride, padding, dilation, ceil_mode):
    """The windows that the arguments of a pooling mean, checked as PyTorch checks them."""
    check_axes(name, input, axes)
    kernel = per_axis("kernel_size", kernel_size, axes)
    stride = kernel if stride is None or stride in ((), []) else per_axis("stride", stride, axes)
    padding, dilation = per_axis("padding", padding, axes), per_axis("dilation", dilation, axes)
    for what, values in (("kernel size", kernel), ("stride", stride), ("dilation", dilation)):
        if min(values) < 1:
            raise RuntimeError(f"{name}: {what} should be greater than zero, but got {list(values)}")
    for p, size in zip(padding, kernel, strict=True):
        if p < 0 or 2 * p > size:
            raise RuntimeError(
                f"pad should be at most half of kernel size, and not negative, but got pad={p} and kernel_size={size}"
            )
    sizes = input._array.shape[-axes:]
    each = zip(sizes, kernel, stride, padding, dilation, strict=True)
    counts = tuple(_count(*numbers, ceil_mode) for numbers in each)
    if min(counts) < 1:
        planes = "x".join(map(str, (input._array.shape[-axes - 1], *sizes)))
        found = "x".join(map(str, (input._array.shape[-axes - 1], *counts)))
        raise RuntimeError(f"Given input size: ({planes}). Calculated output size: ({found}). Output size is too small")
    return Windows(sizes, kernel, stride, padding, dilation, counts)


def _count(size, kernel, stride, padding, dilation, ceil_mode):
    """How many windows an axis has; with ``ceil_mode`` also one that ends, but does not begin, behind it."""
    room = size + 2 * padding - dilation * (kernel - 1) - 1
    count = (room + (stride - 1 if ceil_mode else 0)) // stride + 1
    return count - 1 if ceil_mode and (count - 1) * stride >= size + padding else count


def check_axes(name, input, axes):
    """Raise unless ``input`` is a floating point (N, C, *) or (C, *) with something in each plane."""
    if input.ndim not in (axes + 1, axes + 2):
        raise RuntimeError(
            f"{name}(): Expected {axes + 1}D or {axes + 2}D (batch mode) tensor with optional 0 dim batch size for "
            f"input, but got: {list(input.shape)}"
        )
    if 0 in input._array.shape[-axes - 1 :]:
        raise RuntimeError(
            f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes "
            f"{list(input.shape)}"
        )
    if not input.is_floating_point():
        raise NotImplementedError(f"{name} of {input.dtype.name} is not supported; convert it with .float()")


def _check_unpool(name, input, indices, axes):
    if indices._array.dtype != np.int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype.name}")
    if input.ndim not in (axes + 1, axes + 2):
        raise RuntimeError(
            f"Input to {name} should be a {axes + 1}d or {axes + 2}d Tensor, but got a tensor with {input.ndim} "
            "dimensions."
        )
    if input._array.shape != indices._array.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices "
            f"tensor with shape: {list(indices.shape)}"
        )


def _check_places(indices, sizes):
    def check(values):
        wrong = values[(values < 0) | (values >= math.prod(sizes))]
        if wrong.size:
            volume = "x".join(map(str, sizes))
            raise RuntimeError(f"Found an invalid max index: {wrong[0]} (output volumes are of size {volume})")

    check_values(indices, check)


max_pool1d, max_pool2d, max_pool3d = (_extreme(axes, f"max_pool{axes}d", "largest", 1) for axes in (1, 2, 3))
min_pool1d, min_pool2d, min_pool3d = (_extreme(axes, f"min_pool{axes}d", "smallest", -1) for axes in (1, 2, 3))
avg_pool2d, avg_pool3d = _mean_pool(2), _mean_pool(3)
lp_pool1d, lp_pool2d, lp_pool3d = map(_lp, (1, 2, 3), (avg_pool1d, avg_pool2d, avg_pool3d))
max_unpool1d, max_unpool2d, max_unpool3d = map(_unpool, (1, 2, 3))

for _function in (avg_pool1d, max_pool1d, max_pool2d, max_pool3d):
    public(_function, method=False)
