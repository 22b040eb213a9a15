"""Pooling."""

import math

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr.nn.functional as F

from .record import OpSpec
from .windows import images, patches, steps


def _pooled(reduce, x, kernel, stride, padding, dilation, fill):
    """``reduce`` of each window, (N, C, K) -> (N, C)."""
    found = dict(patches(x, kernel, stride, padding, dilation, fill))
    counts = [max(axis) + 1 for axis in zip(*found, strict=True)]
    result = np.zeros((*x.shape[:2], *counts), x.dtype)
    for place, patch in found.items():
        result[(..., *place)] = reduce(patch.reshape(*x.shape[:2], -1 if x.size else math.prod(kernel)))
    return result


def _largest(x, kernel_size, stride, padding, dilation):
    return _pooled(lambda patch: patch.max(-1), x, kernel_size, stride, padding, dilation, -np.inf)


def _smallest(x, kernel_size, stride, padding, dilation):
    return _pooled(lambda patch: patch.min(-1), x, kernel_size, stride, padding, dilation, np.inf)


def _mean(x, kernel_size, stride, padding, count_include_pad):
    with_nan = _pooled(
        lambda patch: np.nansum(patch, -1) / (patch.shape[-1] if count_include_pad else (patch == patch).sum(-1)),
        x,
        kernel_size,
        stride,
        padding,
        (1,) * len(kernel_size),
        np.nan,
    )
    return with_nan.astype(x.dtype)


def _divided(reduce):
    """``reduce`` over windows that divide the axes.  (N, C, *) -> (N, C, *output_size)."""

    def twin(x, output_size):
        result = np.zeros((*x.shape[:2], *output_size), x.dtype)
        for place in np.ndindex(*output_size):
            each = zip(place, x.shape[2:], output_size, strict=True)
            parts = (slice(i * size // count, math.ceil((i + 1) * size / count)) for i, size, count in each)
            result[(..., *place)] = reduce(x[(..., *parts)], tuple(range(2, x.ndim)))
        return result

    return twin


def _windows(draw, shapes):
    sizes = shapes[0][2:]
    kernel = tuple(draw(st.integers(1, size)) for size in sizes)
    found = steps(draw, len(sizes), sizes, kernel, (0,) * len(sizes))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    return found | {"kernel_size": kernel, "padding": padding}


def _undilated(draw, shapes):
    found = _windows(draw, shapes)
    del found["dilation"]
    return found | {"count_include_pad": draw(st.booleans())}


def _output_size(draw, shapes):
    return {"output_size": tuple(draw(st.integers(1, size + 1)) for size in shapes[0][2:])}


def _places(draw, shapes):
    """For each element of (N, C, L) another place in a plane of 2 L elements."""
    (samples, channels, length), rng = shapes[0], np.random.default_rng(draw(st.integers(0, 2**32)))
    planes = [rng.permutation(2 * length)[:length] for _ in range(samples * channels)]
    return {"indices": np.array(planes, np.int64).reshape(shapes[0])}


def _unpooled(x, indices):
    result = np.zeros((*x.shape[:2], 2 * x.shape[2]), x.dtype)
    np.put_along_axis(result, indices, x, 2)
    return result


def _spec(name, twin, params, axes=2, **options):
    options = {"call": getattr(F, name, None), "extremes": False, "steps": 64} | options
    return OpSpec(name, twin, shapes=images(axes), params=params, integers=None, methods=(), **options)


SPECS = [
    _spec("max_pool1d", _largest, _windows, 1, extremes=True),
    _spec("max_pool2d", _largest, _windows, extremes=True),
    _spec("max_pool3d", _largest, _windows, 3, extremes=True),
    _spec("min_pool2d", _smallest, _windows, extremes=True),
    _spec("avg_pool1d", _mean, _undilated, 1),
    _spec("avg_pool2d", _mean, _undilated),
    _spec("adaptive_avg_pool1d", _divided(lambda x, axes: x.mean(axes)), _output_size, 1),
    _spec("adaptive_avg_pool2d", _divided(lambda x, axes: x.mean(axes)), _output_size),
    _spec("adaptive_max_pool2d", _divided(lambda x, axes: x.max(axes)), _output_size, extremes=True),
    OpSpec(
        "max_unpool1d",
        _unpooled,
        shapes=images(1),
        params=_places,
        call=lambda x, indices: F.max_unpool1d(x, indices, 2),
        methods=(),
    ),
    OpSpec(
        "lp_pool2d",
        lambda x: np.sqrt(_pooled(lambda patch: np.square(patch).sum(-1), x, (2, 2), (2, 2), (0, 0), (1, 1), 0.0)),
        shapes=images(2),
        integers=None,
        extremes=False,
        call=lambda x: F.lp_pool2d(x, 2.0, 2),
        methods=(),
        steps=64,
    ),
    OpSpec(
        "max_pool2d_indices",
        lambda x: _pooled(lambda patch: patch.argmax(-1), x, x.shape[2:], (1, 1), (0, 0), (1, 1), 0.0).astype(np.int64),
        shapes=images(2),
        order=0,
        integers=None,
        call=lambda x: F.max_pool2d(x, tuple(x.shape[2:]), return_indices=True)[1],
        extremes=False,
        methods=(),
    ),
]
