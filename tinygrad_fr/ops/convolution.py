"""Convolution, its gradient by the input and that by the weight: three bilinear ops whose rules are one another."""

from .. import kernels as k
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from .windows import Windows, as_batch, like_batch, named, per_axis


@op(launches=True)
def _conv(x, weight, bias, *, windows, groups, activation=None, out=None):
    """The products of each kernel with what each window sees, plus bias, and perhaps "relu" of that.

    (N, C, *sizes), (O, C/G, *kernel), (O,) or None -> (N, O, *counts).
    """
    how = {"windows": windows, "groups": groups, "activation": activation}
    return k.convolution.convolution(x, weight, bias, out=out, **how)


@_conv.vjp("x")
def _(g, weight, windows, groups):
    return apply(_conv_input.op, (g, weight, None), {"windows": windows, "groups": groups})


@_conv.vjp("weight")
def _(g, x, windows, groups):
    return apply(_conv_weight.op, (g, x), {"windows": windows, "groups": groups})


@_conv.vjp("bias")
def _(g):
    return _sum_of_channels(g)


@_conv.backward
def _(g, x, weight, windows, groups, needs, mask=None, out=(None, None, None)):
    """With ``mask``, the result of a relu that made x, the first gradient is that of the relu's input."""
    how = {"windows": windows, "groups": groups}
    for_x = k.convolution.input_gradient(g, weight, mask=mask, out=out[0], **how) if needs[0] else None
    if needs[1] and needs[2]:
        return for_x, *k.convolution.weight_gradient(g, x, bias=True, out=out[1], bias_out=out[2], **how)
    for_weight = k.convolution.weight_gradient(g, x, out=out[1], **how) if needs[1] else None
    return for_x, for_weight, k.convolution.bias_gradient(g, out=out[2]) if needs[2] else None


@op(launches=True)
def _conv_input(y, weight, bias, *, windows, groups, activation=None, out=None):
    """The adjoint of `_conv` by its input, plus a bias for each channel, and perhaps "relu" of that.

    (N, O, *counts), (O, C/G, *kernel), (C,) or None -> (N, C, *sizes).
    """
    how = {"windows": windows, "groups": groups, "activation": activation}
    return k.convolution.input_gradient(y, weight, bias, out=out, **how)


@_conv_input.vjp("y")
def _(g, weight, windows, groups):
    return apply(_conv.op, (g, weight, None), {"windows": windows, "groups": groups})


@_conv_input.vjp("weight")
def _(g, y, windows, groups):
    return apply(_conv_weight.op, (y, g), {"windows": windows, "groups": groups})


@_conv_input.vjp("bias")
def _(g):
    return _sum_of_channels(g)


@_conv_input.backward
def _(g, y, weight, windows, groups, needs, mask=None, out=(None, None, None)):
    """With ``mask``, the result of a relu that made y, the first gradient is that of the relu's input."""
    how = {"windows": windows, "groups": groups}
    return (
        k.convolution.convolution(g, weight, mask=mask, out=out[0], **how) if needs[0] else None,
        k.convolution.weight_gradient(y, g, out=out[1], **how) if needs[1] else None,
        k.convolution.bias_gradient(g, out=out[2]) if needs[2] else None,
    )


@op(launches=True)
def _conv_weight(y, x, *, windows, groups, out=None):
    """The adjoint of `_conv` by its weight.  (N, O, *counts), (N, C, *sizes) -> (O, C/G, *kernel)."""
    return k.convolution.weight_gradient(y, x, windows=windows, groups=groups, out=out)


@_conv_weight.vjp("y")
def _(g, x, windows, groups):
    return apply(_conv.op, (x, g, None), {"windows": windows, "groups": groups})


@_conv_weight.vjp("x")
def _(g, y, windows, groups):
    return apply(_conv_input.op, (y, g, None), {"windows": windows, "groups": groups})


for _each in (_conv, _conv_input):
    _each.op.epilogues = {"relu": {"activation": "relu"}}
    _each.op.masked_by = ("relu",)


def _sum_of_channels(g):
    """(N, C, *) -> (C,)."""
    return g.sum((0, *range(2, g.ndim)))


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
        result = apply(_conv.op, (x, weight, bias), {"windows": windows, "groups": groups})
        return like_batch(result, input, axes)

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
        result = apply(_conv_input.op, (x, weight, bias), {"windows": windows, "groups": groups})
        return like_batch(result, input, axes)

    meaning = f"The adjoint of `conv{axes}d` by its input: it makes axes longer."
    return named(conv, name, f"{meaning}  (N, C, *), (C, O / groups, *kernel) -> (N, O, *); without N too.")


def _span(kernel, dilation):
    """How many elements a window spans."""
    return dilation * (kernel - 1) + 1


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
