"""Choosing elements."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch

from .. import strategies as draws
from .record import OpSpec, constant, two


def _mask(draw, shape):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return np.asarray(rng.random(shape) < 0.5)


def _first_of(source, mask, x):
    """x with the first elements of ``source`` where the mask holds."""
    result = x.copy()
    result[mask] = source.ravel()[: mask.sum()]
    return result


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
    constant("argwhere", lambda x: np.argwhere(x), integers="int64"),
    OpSpec(
        "masked_scatter",
        lambda x, y, mask: _first_of(y, mask, x),
        call=lambda x, y, mask: torch.masked_scatter(x, mask, y),
        shapes=lambda max_dims, max_side: draws.shapes(max_dims, max_side).map(lambda shape: (shape, shape)),
        params=lambda draw, shapes: {"mask": _mask(draw, shapes[0])},
        methods=(),
        in_place=(),
    ),
]


SPECS = [*INDEXING]
