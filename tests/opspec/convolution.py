"""Convolutions and their transposes."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr.nn.functional as F

from .record import OpSpec
from .windows import patches, steps, window_counts


def _grouped(function, x, weight):
    """``function`` of the channels of x and the kernels of each group, side by side along the axis 1."""
    groups = max(1, x.shape[1] // weight.shape[1])
    parts = zip(np.split(x, groups, 1), np.split(weight, groups), strict=True)
    return np.concatenate([function(*each) for each in parts], 1)


def _with_bias(result, bias, dtype):
    return (result + bias.reshape(-1, *(1,) * (result.ndim - 2))).astype(dtype)


def _convolved(x, weight, bias, stride, padding, dilation, groups):
    kernel = weight.shape[2:]

    def one(x, weight):
        counts = window_counts(x.shape[2:], kernel, stride, padding, dilation)
        result = np.zeros((len(x), len(weight), *counts))
        for place, patch in patches(x, kernel, stride, padding, dilation):
            result[(..., *place)] = np.tensordot(patch.astype(float), weight, (range(1, x.ndim), range(1, x.ndim)))
        return result

    return _with_bias(_grouped(one, x, weight), bias, x.dtype)


def _transposed(x, weight, bias, stride, padding, output_padding, groups, dilation):
    kernel = weight.shape[2:]
    each = zip(x.shape[2:], kernel, stride, dilation, output_padding, strict=True)
    whole = tuple((count - 1) * s + d * (k - 1) + 1 + more for count, k, s, d, more in each)

    def one(x, weight):
        result = np.zeros((len(x), weight.shape[1], *whole))
        for place in np.ndindex(*x.shape[2:]):
            each = zip(place, kernel, stride, dilation, strict=True)
            part = (..., *(slice(at * s, at * s + d * (k - 1) + 1, d) for at, k, s, d in each))
            result[part] += np.tensordot(x[(..., *place)].astype(float), weight, (1, 0))
        return result

    groups = [one(*each) for each in zip(np.split(x, groups, 1), np.split(weight, groups), strict=True)]
    inside = (..., *(slice(p, size - p) for p, size in zip(padding, whole, strict=True)))
    return _with_bias(np.concatenate(groups, 1)[inside], bias, x.dtype)


def _shapes(axes, transposed):
    """The shapes of the input, the weight and the bias, in one or two groups."""

    def shapes(max_dims, max_side):
        @st.composite
        def draw_them(draw):
            groups, into, out = (draw(st.integers(1, 2)) for _ in range(3))
            kernel = tuple(draw(st.integers(1, 3)) for _ in range(axes))
            sizes = tuple(draw(st.integers(size, size + 1)) for size in kernel)
            weight = (groups * into, out, *kernel) if transposed else (groups * out, into, *kernel)
            return (draw(st.integers(0, 2)), groups * into, *sizes), weight, (groups * out,)

        return draw_them()

    return shapes


def _options(draw, shapes):
    x, weight, _ = shapes
    found = steps(draw, len(x) - 2, x[2:], weight[2:], (1,) * (len(x) - 2))
    return found | {"groups": x[1] // weight[1]}


def _transposed_options(draw, shapes):
    x, weight, bias = shapes
    axes, kernel = len(x) - 2, weight[2:]
    stride, dilation = (tuple(draw(st.integers(1, 2)) for _ in range(axes)) for _ in range(2))
    each = zip(x[2:], kernel, stride, dilation, strict=True)
    padding = tuple(draw(st.integers(0, min(1, ((n - 1) * s + d * (k - 1)) // 2))) for n, k, s, d in each)
    more = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    return {
        "stride": stride,
        "padding": padding,
        "output_padding": more,
        "groups": bias[0] // weight[1],
        "dilation": dilation,
    }


def _spec(name, twin, axes, transposed, params):
    return OpSpec(
        name,
        twin,
        shapes=_shapes(axes, transposed),
        params=params,
        integers=None,
        extremes=False,
        call=getattr(F, name),
        methods=(),
        steps=64,
    )


SPECS = [
    _spec("conv1d", _convolved, 1, False, _options),
    _spec("conv2d", _convolved, 2, False, _options),
    _spec("conv3d", _convolved, 3, False, _options),
    _spec("conv_transpose1d", _transposed, 1, True, _transposed_options),
    _spec("conv_transpose2d", _transposed, 2, True, _transposed_options),
    _spec("conv_transpose3d", _transposed, 3, True, _transposed_options),
]
