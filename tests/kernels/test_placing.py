"""Rows within zeros."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import placing, reference


@given(st.integers(0, 5), st.integers(1, 5), st.integers(0, 5), st.sampled_from((1, 3, 40_000)))
def test_as_assigned(above, rows, below, width):
    x = np.random.default_rng(0).standard_normal((rows, width)).astype(np.float32)
    shape = above + rows + below, width
    for out in (None, np.full(shape, 7, np.float32)):
        np.testing.assert_array_equal(placing.place(x, above, shape, out=out), reference.place(x, above, shape))
