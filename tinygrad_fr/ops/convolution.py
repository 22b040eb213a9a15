"""Convolution, its gradient by the input and that by the weight: three bilinear ops whose rules are one another.

Each copies what the windows see into columns, a chunk at a time, and is one matrix product a group.
"""

import math

import numpy as np

from .. import kernels as k
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from .windows import Windows, add_up, as_batch, chunks, like_batch, named, per_axis, seen


@op
def _conv(x, weight, *, windows, groups, out=None):
    """The products of each kernel with what each window sees.  (N, C, *sizes), (O, C/G, *kernel) -> (N, O, *counts)."""
    views, kernels = seen(x, windows), _kernels(weight, groups)
    result = np.empty((len(x), len(weight), *windows.counts), x.dtype)
    for chunk in chunks(len(x), x.shape[1], windows):
        part = result[chunk.of_result]
        part[...] = _rows_as(part.shape, k.gemm.matmul(kernels, _columns(views, chunk, windows, groups)))
    return result


@_conv.vjp("x")
def _(g, weight, windows, groups):
    return apply(_conv_input.op, (g, weight), {"windows": windows, "groups": groups})


@_conv.vjp("weight")
def _(g, x, windows, groups):
    return apply(_conv_weight.op, (g, x), {"windows": windows, "groups": groups})


@op
def _conv_input(y, weight, *, windows, groups, out=None):
    """The adjoint of `_conv` by its input.  (N, O, *counts), (O, C/G, *kernel) -> (N, C, *sizes)."""
    channels, turned = weight.shape[1] * groups, _kernels(weight, groups).swapaxes(1, 2)

    def parts():
        for chunk in chunks(len(y), channels, windows):
            part = y[chunk.of_result]
            columns = k.gemm.matmul(turned, _rows(part, groups))
            shape = (len(part), channels, *windows.kernel, *part.shape[2:])
            yield chunk, _columns_as(shape, columns)

    return add_up(parts(), len(y), channels, windows, y.dtype)


@_conv_input.vjp("y")
def _(g, weight, windows, groups):
    return apply(_conv.op, (g, weight), {"windows": windows, "groups": groups})


@_conv_input.vjp("weight")
def _(g, y, windows, groups):
    return apply(_conv_weight.op, (y, g), {"windows": windows, "groups": groups})


@op
def _conv_weight(y, x, *, windows, groups, out=None):
    """The adjoint of `_conv` by its weight.  (N, O, *counts), (N, C, *sizes) -> (O, C/G, *kernel)."""
    views, channels = seen(x, windows), x.shape[1]
    result = np.zeros((groups, y.shape[1] // groups, channels // groups * math.prod(windows.kernel)), x.dtype)
    for chunk in chunks(len(x), channels, windows):
        columns = _columns(views, chunk, windows, groups)
        result += k.gemm.matmul(_rows(y[chunk.of_result], groups), columns.swapaxes(1, 2))
    return result.reshape(y.shape[1], channels // groups, *windows.kernel)


@_conv_weight.vjp("y")
def _(g, x, windows, groups):
    return apply(_conv.op, (x, g), {"windows": windows, "groups": groups})


@_conv_weight.vjp("x")
def _(g, y, windows, groups):
    return apply(_conv_input.op, (y, g), {"windows": windows, "groups": groups})


# --- as matrices, one a group ------------------------------------------------------------------------------------


def _kernels(weight, groups):
    """(O, C/G, *kernel) -> (G, O/G, C/G*K)."""
    return weight.reshape(groups, len(weight) // groups, math.prod(weight.shape[1:]))


def _rows(y, groups):
    """(N, O, *counts) -> (G, O/G, N*L)."""
    return y.swapaxes(0, 1).reshape(groups, y.shape[1] // groups, len(y) * math.prod(y.shape[2:]))


def _rows_as(shape, rows):
    """The reverse of `_rows`, to (N, O, *counts)."""
    samples, channels, *counts = shape
    return rows.reshape(channels, samples, *counts).swapaxes(0, 1)


def _columns(views, chunk, windows, groups):
    """What the windows of a chunk see, one window a column: (N, C, *kernel, *counts) -> (G, C/G*K, N*L)."""
    views = np.moveaxis(views[chunk.of_windows(windows)], 0, 1 + len(windows.kernel))
    elements = views.shape[0] // groups * math.prod(windows.kernel)
    return views.reshape(groups, elements, math.prod(views.shape[1 + len(windows.kernel) :]))


def _columns_as(shape, columns):
    """The reverse of `_columns`, to (N, C, *kernel, *counts)."""
    samples, channels, *rest = shape
    axes = len(rest) // 2
    return np.moveaxis(columns.reshape(channels, *rest[:axes], samples, *rest[axes:]), 1 + axes, 0)


# ---------------------------------------------------------------------------------------------------------------
# The functions.


def _convolution(axes):
    """``conv1d`` and its like."""
    name = f"conv{axes}d"

    def conv(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
        _check_axes(name, input, weight, axes)
        stride, dilation = _steps(stride, dilation, axes)
        kernel, sizes = weight._array.shape[2:], input._array.shape[-axes:]
        before, around = _padding(padding, kernel, stride, dilation, axes)
        x = as_batch(input, axes)
        _check(x, weight, bias, groups, transposed=False)
        _check_kernel(sizes, around, kernel, dilation)
        each = zip(sizes, around, map(_span, kernel, dilation), stride, strict=True)
        counts = tuple((size + more - span) // s + 1 for size, more, span, s in each)
        windows = Windows(sizes, kernel, stride, before, dilation, counts)
        result = apply(_conv.op, (x, weight), {"windows": windows, "groups": groups})
        return like_batch(_plus(result, bias), input, axes)

    meaning = "The products of the kernels with every part of the input: a cross-correlation."
    return named(conv, name, f"{meaning}  (N, C, *), (O, C / groups, *kernel) -> (N, O, *); without N too.")


def _transposed_convolution(axes):
    """``conv_transpose1d`` and its like."""
    name = f"conv_transpose{axes}d"

    def conv(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1, dilation=1):
        _check_axes(name, input, weight, axes)
        if isinstance(padding, str):
            raise TypeError(f"{name}(): argument 'padding' must be tuple of ints, not str")
        stride, dilation = _steps(stride, dilation, axes)
        padding, more = per_axis("padding", padding, axes), per_axis("output_padding", output_padding, axes)
        _check_output_padding(more, stride, dilation, padding)
        x = as_batch(input, axes)
        _check(x, weight, bias, groups, transposed=True)
        kernel, counts = weight._array.shape[2:], input._array.shape[-axes:]
        each = zip(counts, stride, map(_span, kernel, dilation), padding, more, strict=True)
        sizes = tuple((count - 1) * s + span - 2 * p + extra for count, s, span, p, extra in each)
        if min(sizes) < 1:
            raise RuntimeError(
                f"Given input size per channel: {_times(counts)}. Calculated output size per channel: {_times(sizes)}. "
                "Output size is too small"
            )
        windows = Windows(sizes, kernel, stride, padding, dilation, counts)
        result = apply(_conv_input.op, (x, weight), {"windows": windows, "groups": groups})
        return like_batch(_plus(result, bias), input, axes)

    meaning = f"The adjoint of `conv{axes}d` by its input: it makes axes longer."
    return named(conv, name, f"{meaning}  (N, C, *), (C, O / groups, *kernel) -> (N, O, *); without N too.")


def _span(kernel, dilation):
    """How many elements a window spans."""
    return dilation * (kernel - 1) + 1


def _plus(result, bias):
    return result if bias is None else result + bias.reshape(-1, *(1,) * (result.ndim - 2))


def _padding(padding, kernel, stride, dilation, axes):
    """How many zeros lie before each axis, and how many around it."""
    if not isinstance(padding, str):
        before = per_axis("padding", padding, axes)
        if min(before) < 0:
            raise RuntimeError("negative padding is not supported")
        return before, tuple(2 * each for each in before)
    if padding not in ("same", "valid"):
        raise RuntimeError(f"Invalid padding string: {padding!r}")
    if padding == "same" and max(stride) > 1:
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    around = tuple((_span(each, d) - 1) * (padding == "same") for each, d in zip(kernel, dilation, strict=True))
    return tuple(each // 2 for each in around), around


# --- errors ------------------------------------------------------------------------------------------------------


def _check_axes(name, input, weight, axes):
    if input.ndim not in (axes + 1, axes + 2):
        raise RuntimeError(
            f"Expected {axes + 1}D (unbatched) or {axes + 2}D (batched) input to {name}, but got input of size: "
            f"{list(input.shape)}"
        )
    if weight.ndim != axes + 2:
        raise RuntimeError(
            f"Expected {axes + 2}-dimensional weight for {axes + 2}-dimensional input to {name}, but got weight of "
            f"size {list(weight.shape)}"
        )
    if not input.is_floating_point():
        raise NotImplementedError(f"{name} of {input.dtype.name} is not supported; convert it with .float()")


def _steps(stride, dilation, axes):
    stride, dilation = per_axis("stride", stride, axes), per_axis("dilation", dilation, axes)
    if min(stride) < 1:
        raise RuntimeError("non-positive stride is not supported")
    if min(dilation) < 1:
        raise RuntimeError(f"dilation should be greater than zero, but got {list(dilation)}")
    return stride, dilation


def _check(x, weight, bias, groups, transposed):
    """Raise where channels, groups or types do not fit."""
    for name, each in (("weight", weight), ("bias", bias)):
        if each is not None and each.dtype != x.dtype:
            raise RuntimeError(f"Input type ({x.dtype.name}) and {name} type ({each.dtype.name}) should be the same")
    if groups < 1:
        raise RuntimeError("non-positive groups is not supported")
    shape, given = list(weight.shape), "transposed=1" if transposed else f"groups={groups}"
    if shape[0] < groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but got weight of size "
            f"{shape} instead"
        )
    if shape[0] % groups:
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be divisible by {groups} at dimension 0, but got weight of "
            f"size {shape} instead"
        )
    inputs, outputs = (shape[0], shape[1] * groups) if transposed else (shape[1] * groups, shape[0])
    if x._array.shape[1] != inputs:
        raise RuntimeError(
            f"Given {given}, weight of size {shape}, expected input{list(x.shape)} to have {inputs} channels, but got "
            f"{x._array.shape[1]} channels instead"
        )
    if bias is not None and bias._array.shape != (outputs,):
        raise RuntimeError(
            f"Given {given}, weight of size {shape}, expected bias to be 1-dimensional with {outputs} elements, "
            f"but got bias of size {list(bias.shape)} instead"
        )
    if 0 in x._array.shape[2:]:
        raise RuntimeError(
            f"Only zero batch or zero channel inputs are supported, but got input shape: {list(x.shape)}"
        )


def _check_kernel(sizes, around, kernel, dilation):
    padded, spans = tuple(map(sum, zip(sizes, around, strict=True))), tuple(map(_span, kernel, dilation))
    if any(size < span for size, span in zip(padded, spans, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: {_times(padded)}. Kernel size: {_times(spans)}. "
            "Kernel size can't be greater than actual input size"
        )


def _check_output_padding(more, stride, dilation, padding):
    if min(padding) < 0:
        raise RuntimeError("negative padding is not supported")
    if min(more) < 0:
        raise RuntimeError("negative output_padding is not supported")
    if any(extra >= max(s, d) for extra, s, d in zip(more, stride, dilation, strict=True)):
        raise RuntimeError(
            "output padding must be smaller than either stride or dilation, but got "
            f"output_padding={list(more)}, stride={list(stride)}, dilation={list(dilation)}"
        )


def _times(sizes):
    return f"({' x '.join(map(str, sizes))})"


conv1d, conv2d, conv3d = map(_convolution, (1, 2, 3))
conv_transpose1d, conv_transpose2d, conv_transpose3d = map(_transposed_convolution, (1, 2, 3))

for _function in (conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d):
    public(_function, method=False)
