"""Choosing elements."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch

from .. import strategies as draws
from .record import OpSpec, at_least, constant, two


def _mask(draw, shape):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return np.asarray(rng.random(shape) < 0.5)


def _positions(draw, shapes):
    (shape,) = shapes
    dim = draws.axis(draw, shape)
    sides = tuple(draw(st.integers(0, 3)) if i == dim % len(shape) else size for i, size in enumerate(shape))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return {"dim": dim, "index": rng.integers(0, shape[dim], sides)}


def _rows(draw, shapes):
    dim = draws.axis(draw, shapes[0])
    index = draw(st.lists(st.integers(0, shapes[0][dim] - 1), max_size=4))
    return {"dim": dim, "index": np.array(index, np.int64)}


INDEXING = [
    OpSpec(
        "where",
        lambda x, y, condition: np.where(condition, x, y),
        shapes=two,
        call=lambda x, y, condition: torch.where(condition, x, y),
        params=lambda draw, shapes: {"condition": _mask(draw, np.broadcast_shapes(*shapes))},
        methods=(),
    ),
    OpSpec(
        "masked_fill",
        lambda x, mask, value: np.where(mask, x.dtype.type(value), x),
        params=lambda draw, shapes: {"mask": _mask(draw, shapes[0]), "value": draw(st.sampled_from((0, 3)))},
    ),
    OpSpec("masked_select", lambda x, mask: x[mask], params=lambda draw, shapes: {"mask": _mask(draw, shapes[0])}),
    constant("nonzero", lambda x: np.argwhere(x), integers="int64"),
    OpSpec("gather", lambda x, dim, index: np.take_along_axis(x, index, dim), params=_positions, shapes=at_least(1, 1)),
    OpSpec("index_select", lambda x, dim, index: np.take(x, index, axis=dim), params=_rows, shapes=at_least(1, 1)),
]


SPECS = [*INDEXING]
