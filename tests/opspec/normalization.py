"""Normalisation."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr.nn.functional as F

from .. import strategies as draws
from .record import OpSpec

EPS = 0.1  # large, so that the derivatives of equal elements are not huge


def _standardized(x, axes):
    wide = x.astype(np.float64)
    mean = wide.mean(axes, keepdims=True)
    return (wide - mean) / np.sqrt(wide.var(axes, keepdims=True) + EPS)


def _along(values, axis, ndim):
    return values.reshape([-1 if i == axis else 1 for i in range(ndim)])


def _affine(x, weight, bias, dtype):
    return (x * _along(weight, 1, x.ndim) + _along(bias, 1, x.ndim)).astype(dtype)


def _channels(count, least=2, sizes=(2, 3)):
    """The shape (N, C, L) and ``count`` of (C,)."""

    def shapes(max_dims, max_side):
        return st.tuples(st.integers(least, 3), st.sampled_from((2, 4)), st.sampled_from(sizes)).map(
            lambda shape: (shape, *((shape[1],),) * count)
        )

    return shapes


def _by_groups(x, weight, bias):
    groups = x.reshape(x.shape[0], 2, x.shape[1] // 2 * x.shape[2])
    return _affine(_standardized(groups, (2,)).reshape(x.shape), weight, bias, x.dtype)


def _statistics(draw, shapes):
    """A mean and a variance for each channel."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return {"mean": draws.real(rng, shapes[1]), "variance": draws.positive(rng, shapes[1])}


def _running(x, weight, bias, mean, variance):
    root = np.sqrt(_along(variance, 1, 3) + EPS)
    return _affine((x - _along(mean, 1, 3)) / root, weight, bias, x.dtype)


def _response(x, size):
    squares = np.pad(np.square(x.astype(np.float64)), ((0, 0), (size // 2, size - 1 - size // 2), (0, 0)))
    sums = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    return (x / (1 + 0.5 * sums / size) ** 0.75).astype(x.dtype)


def _features(count):
    """The shape (N, A, B) and ``count`` of (A, B)."""

    def shapes(max_dims, max_side):
        return st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(2, 3)).map(
            lambda shape: (shape, *(shape[1:],) * count)
        )

    return shapes


def _spec(name, twin, shapes, call, **options):
    return OpSpec(
        name, twin, shapes=shapes, call=call, integers=None, extremes=False, methods=(), steps=64, **options
    )  # fmt: skip


SPECS = [
    _spec(
        "batch_norm",
        lambda x, weight, bias: _affine(_standardized(x, (0, 2)), weight, bias, x.dtype),
        _channels(2),
        lambda x, weight, bias: F.batch_norm(x, None, None, weight, bias, True, eps=EPS),
    ),
    _spec(
        "batch_norm by running statistics",
        _running,
        _channels(2, least=0),
        lambda x, weight, bias, mean, variance: F.batch_norm(
            x, mean.to(x.dtype), variance.to(x.dtype), weight, bias, eps=EPS
        ),
        params=_statistics,
    ),
    _spec(
        "instance_norm",
        lambda x, weight, bias: _affine(_standardized(x, (2,)), weight, bias, x.dtype),
        _channels(2, least=0),
        lambda x, weight, bias: F.instance_norm(x, weight=weight, bias=bias, eps=EPS),
    ),
    _spec(
        "group_norm",
        _by_groups,
        _channels(2, least=1),
        lambda x, weight, bias: F.group_norm(x, 2, weight, bias, EPS),
    ),
    _spec(
        "layer_norm",
        lambda x, weight, bias: (_standardized(x, (1, 2)) * weight + bias).astype(x.dtype),
        _features(2),
        lambda x, weight, bias: F.layer_norm(x, tuple(weight.shape), weight, bias, EPS),
    ),
    _spec(
        "rms_norm",
        lambda x, weight: (x / np.sqrt(np.square(x).mean((1, 2), keepdims=True) + EPS) * weight).astype(x.dtype),
        _features(1),
        lambda x, weight: F.rms_norm(x, tuple(weight.shape), weight, EPS),
    ),
    _spec(
        "local_response_norm",
        _response,
        _channels(0, least=0),
        lambda x, size: F.local_response_norm(x, size, alpha=0.5),
        params=lambda draw, shapes: {"size": draw(st.integers(1, 3))},
    ),
]
