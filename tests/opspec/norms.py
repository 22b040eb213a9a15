"""Norms and distances."""

import numpy as np
from hypothesis import strategies as st

from tinygrad_fr import linalg

from .. import strategies as draws
from .record import OpSpec, at_least, drawn, sides
from .reduce import dims_of, reduction


def _norm(x, p=2, dim=None, keepdim=False):
    dims = dims_of(dim, x.ndim)
    if p in (2, "fro"):
        return np.sqrt(np.sum(x * x, axis=dims, keepdims=keepdim))
    if np.isinf(p):
        return (np.max if p > 0 else np.min)(np.abs(x), axis=dims, keepdims=keepdim)
    return np.asarray(np.sum(np.abs(x) ** p, axis=dims, keepdims=keepdim) ** (1 / p)).astype(x.dtype)


def _matrix_norm(x, ord, keepdim):
    return np.asarray(np.linalg.norm(x, ord, axis=(-2, -1), keepdims=keepdim)).astype(x.dtype)


def _distances(x, y, p):
    return _norm(x[..., :, None, :] - y[..., None, :, :], p, -1)


SPECS = [
    OpSpec(
        "norm",
        _norm,
        integers=None,
        steps=64,
        extremes=False,
        shapes=at_least(1, 1),
        params=lambda draw, shapes: {
            **reduction(draw, shapes),
            "p": draw(st.sampled_from((1, 2, 3, 2.5, 0.5, -1, np.inf, -np.inf, "fro"))),
        },
    ),
    OpSpec(
        "linalg.vector_norm",
        lambda x, ord, **options: _norm(x, ord, **options),
        call=linalg.vector_norm,
        integers=None,
        steps=64,
        extremes=False,
        shapes=at_least(1, 1),
        params=lambda draw, shapes: {**reduction(draw, shapes), "ord": draw(st.sampled_from((1, 2, 3, -2, np.inf)))},
    ),
    OpSpec(
        "linalg.matrix_norm",
        _matrix_norm,
        inputs=(draws.fraction,),
        call=linalg.matrix_norm,
        integers=None,
        steps=64,
        extremes=False,
        shapes=at_least(2, 1),
        params=drawn(ord=("fro", 1, -1, np.inf, -np.inf), keepdim=(False, True)),
    ),
    OpSpec(
        "linalg.norm",
        lambda A, ord: np.asarray(np.linalg.norm(A, ord)),
        call=linalg.norm,
        integers=None,
        steps=64,
        extremes=False,
        shapes=lambda max_dims, max_side: draws.shapes(2, max_side, 1, 1).map(lambda shape: (shape,)),
        inputs=(draws.irregular,),
        params=drawn(ord=(None, 1, np.inf)),
    ),
    OpSpec(
        "dist",
        lambda x, y, p: _norm(x - y, p),
        shapes=sides("ab", "ab"),
        integers=None,
        extremes=False,
        steps=64,
        params=drawn(p=(1, 2, 3)),
    ),
    OpSpec(
        "cdist",
        _distances,
        shapes=lambda max_dims, max_side: sides("bpm", "rm")(max_dims, max_side).map(
            lambda shapes: tuple((*shape[:-1], max(shape[-1], 1)) for shape in shapes)
        ),
        integers=None,
        extremes=False,
        steps=64,
        inputs=(draws.irregular,),
        params=drawn(p=(1.0, 2.0, 3.0, np.inf)),
    ),
]
