"""Where a condition holds."""

import numpy as np

import tinygrad_fr as torch

from .. import strategies as draws
from .record import OpSpec, constant, two

INDEXING = [
    OpSpec(
        "where",
        lambda x, y, condition: np.where(condition, x, y),
        shapes=two,
        call=lambda x, y, condition: torch.where(condition, x, y),
        params=lambda draw, shapes: {"condition": draws.mask(draw, np.broadcast_shapes(*shapes))},
        methods=(),
    ),
    constant("nonzero", lambda x: np.argwhere(x), integers="int64"),
    constant("argwhere", lambda x: np.argwhere(x), integers="int64"),
]


SPECS = [*INDEXING]
