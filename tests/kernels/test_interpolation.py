"""Axes read at other places: what the tables say, element by element, for any number of axes, layout and threads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import _threads, interpolation, reference

from .strategies import dtypes, in_layout, layouts

SIZES = st.integers(1, 6) | st.sampled_from((17, 35))


def drawn_table(rng, size, count, taps):
    """Each element of the result adds ``taps`` elements of anywhere, times whole numbers; for a weight of 1 alone."""
    weights = [None] if taps == 1 else [rng.integers(-2, 3, count).astype(float) for _ in range(taps)]
    return interpolation.table(size, [(rng.integers(0, size, count), each) for each in weights])


@given(
    st.integers(0, 2**32), st.lists(st.tuples(SIZES, SIZES), min_size=1, max_size=3), st.integers(0, 2), dtypes, layouts
)
def test_reading_and_its_adjoint(seed, axes, batch, dtype, layout):
    rng = np.random.default_rng(seed)
    tables = [drawn_table(rng, size, count, rng.integers(1, 5)) for size, count in axes]
    for each in (tables, [interpolation.adjoint(table) for table in tables]):
        x = rng.integers(-3, 4, (batch, 2, *(table.size for table in each))).astype(dtype)
        found = interpolation.read(in_layout(x, layout), interpolation.plan(each, np.dtype(dtype)))
        np.testing.assert_array_equal(found, reference.read(x, each), strict=True)


@given(st.integers(0, 2**32), SIZES, SIZES, st.integers(1, 4))
def test_the_adjoint_is_the_transpose(seed, size, count, taps):
    table = drawn_table(np.random.default_rng(seed), size, count, taps)
    np.testing.assert_array_equal(reference.matrix(interpolation.adjoint(table)), reference.matrix(table).T)


def test_the_bits_do_not_depend_on_threads():
    rng = np.random.default_rng(0)
    tables = [drawn_table(rng, 20, 41, 2), drawn_table(rng, 30, 57, 4)]
    x, plan = rng.standard_normal((5, 7, 20, 30)).astype(np.float32), interpolation.plan(tables, np.dtype(np.float32))
    before = _threads.get_num_threads()
    try:
        results = []
        for threads in (1, _threads.MOST_THREADS):
            _threads.set_num_threads(threads)
            results.append(interpolation.read(x, plan))
        np.testing.assert_array_equal(*results)
    finally:
        _threads.set_num_threads(before)


def test_planes_of_other_sizes_are_refused():
    table = interpolation.table(3, [(np.arange(3), None)])
    with pytest.raises(ValueError, match=r"expected an array of shape \(N, C, 3\)"):
        interpolation.read(np.zeros((1, 2, 4)), interpolation.plan([table], np.dtype(np.float64)))
