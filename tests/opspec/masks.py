"""Elements chosen by a mask."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch

from .. import strategies as draws
from .record import OpSpec


def _mask(draw, shapes):
    return {"mask": draws.mask(draw, shapes[0])}


def _first_of(source, mask, x):
    """x with the first elements of ``source`` where the mask holds."""
    result = x.copy()
    result[mask] = source.ravel()[: mask.sum()]
    return result


MASKS = [
    OpSpec(
        "masked_fill",
        lambda x, mask, value: np.where(mask, x.dtype.type(value), x),
        params=lambda draw, shapes: {**_mask(draw, shapes), "value": draw(st.sampled_from((0, 3)))},
    ),
    OpSpec("masked_select", lambda x, mask: x[mask], params=_mask),
    OpSpec(
        "masked_scatter",
        lambda x, y, mask: _first_of(y, mask, x),
        call=lambda x, y, mask: torch.masked_scatter(x, mask, y),
        shapes=lambda max_dims, max_side: draws.shapes(max_dims, max_side).map(lambda shape: (shape, shape)),
        params=_mask,
        methods=(),
        in_place=(),
    ),
]


SPECS = [*MASKS]
