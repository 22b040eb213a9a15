"""Lengths, distances, angles; products of two vectors."""

import numpy as np

from tinygrad_fr.ops import distance

from .. import strategies as draws
from .record import OpSpec, at_least, axis, drawn, sides


def _normalize(x, p=2.0, dim=1, eps=1e-12):
    norm = np.linalg.norm(x, p, axis=dim, keepdims=True) if x.shape[dim] else np.zeros_like(x.sum(dim, keepdims=True))
    return (x / np.maximum(norm, eps)).astype(x.dtype)


def _norm_and_axis(draw, shapes):
    return {**axis(draw, shapes), **drawn(p=(2.0, 1, 3.0, float("inf")))(draw, shapes)}


def _cosine_similarity(x, y, dim):
    x, y = np.broadcast_arrays(x, y)
    return (_normalize(x, dim=dim) * _normalize(y, dim=dim)).sum(dim)


def _broadcast_axis(draw, shapes):
    return axis(draw, (np.broadcast_shapes(*shapes),))


def _two_with_axes(max_dims, max_side):
    return draws.broadcastable(2, max_dims, max_side).filter(lambda shapes: all(len(shape) for shape in shapes))


def _pairwise_distance(x, y, p, keepdim):
    difference = x - y + x.dtype.type(1e-6)
    return (
        np.linalg.norm(difference, p, axis=-1, keepdims=keepdim)
        if difference.shape[-1]
        else difference.sum(-1, keepdims=keepdim)
    )


SPECS = [
    OpSpec(
        "normalize",
        _normalize,
        shapes=at_least(1, side=1),
        integers=None,
        extremes=False,
        call=distance.normalize,
        params=_norm_and_axis,
    ),
    OpSpec(
        "cosine_similarity",
        _cosine_similarity,
        shapes=_two_with_axes,
        integers=None,
        extremes=False,
        params=_broadcast_axis,
        steps=64,
    ),
    OpSpec(
        "pairwise_distance",
        _pairwise_distance,
        inputs=(draws.real, lambda rng, shape: 10 + draws.real(rng, shape)),
        shapes=_two_with_axes,
        integers="float",
        extremes=False,
        params=drawn(p=(2.0, 1, 3.0), keepdim=(False, True)),
        steps=64,
    ),
    OpSpec(
        "bilinear",
        lambda x, y, weight, bias: np.einsum("ni,oij,nj->no", x, weight, y) + bias,
        shapes=sides("ni", "nj", "oij", "o"),
        integers="same",
        extremes=False,
        steps=64,
    ),
]
