"""Rows of a table."""

import numpy as np
from hypothesis import strategies as st

from tinygrad_fr.ops import embedding

from .. import strategies as draws
from .record import OpSpec


def _rows(draw, shapes):
    """Numbers of rows in any shape, of either type."""
    rows = shapes[0][0]
    shape = draw(draws.shapes(2, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return {"index": rng.integers(0, rows, shape).astype(draw(st.sampled_from((np.int64, np.int32))))}


SPECS = [
    OpSpec(
        "embedding",
        lambda weight, index: weight[index],
        shapes=lambda max_dims, max_side: draws.shapes(2, max_side, min_dims=2, min_side=1).map(lambda s: (s,)),
        params=_rows,
        call=lambda weight, index: embedding.embedding(index, weight),
    ),
]
