"""Adding at places: what element after element gives, to the bit, for any shape, layout and number of threads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import _threads, reference, scatter
from tinygrad_fr.kernels._launch import collect
from tinygrad_fr.kernels.program import Program

from .strategies import assert_close, empty_in_layout, in_layout, layouts

DTYPES = (np.float32, np.float64, np.int64, np.int32)
SIDES = st.sampled_from((0, 1, 2, 3, 31, 33, 70))


def _drawn(seed, before, size, count, after, dtype, of_elements):
    rng = np.random.default_rng(seed)
    out, g = (rng.normal(0, 10, (before, each, after)).astype(dtype) for each in (size, count))
    return out, rng.integers(-size, size, g.shape if of_elements else count), g


@given(
    st.integers(0, 2**32),
    SIDES,
    st.integers(1, 6),
    st.integers(0, 9),
    SIDES,
    st.sampled_from(DTYPES),
    st.booleans(),
    layouts.filter(lambda layout: layout != "read-only"),
    layouts,
)
def test_all_that_meets_is_added_in_order(seed, before, size, count, after, dtype, of_elements, own, others):
    out, places, g = _drawn(seed, before, size, count, after, dtype, of_elements)
    expected, out = out.copy(), in_layout(out, own)
    reference.add_at(expected, places, g)
    scatter.add_at(out, in_layout(places, others), in_layout(g, others))
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("of_elements", [False, True])
@pytest.mark.parametrize("shape", [(1, 50, 3000, 64), (1, 50, 3000, 65), (300, 50, 300, 1), (40, 50, 60, 70)])
def test_the_bits_do_not_depend_on_threads(shape, of_elements):
    out, places, g = _drawn(0, *shape, np.float32, of_elements)
    expected = out.copy()
    index = (slice(None), places) if places.ndim == 1 else (*np.ogrid[tuple(map(slice, g.shape))],)
    np.add.at(expected, index if places.ndim == 1 else (index[0], places, index[2]), g)
    before = _threads.get_num_threads()
    try:
        for threads in {1, _threads.MOST_THREADS}:
            _threads.set_num_threads(threads)
            result = out.copy()
            scatter.add_at(result, places, g)
            np.testing.assert_array_equal(result, expected)
    finally:
        _threads.set_num_threads(before)


def test_places_from_the_end_and_of_other_integers():
    for dtype in (np.int64, np.int32):
        out = np.zeros((1, 3, 2), np.float32)
        scatter.add_at(out, np.array([-1, 0, -3], dtype), np.ones((1, 3, 2), np.float32))
        np.testing.assert_array_equal(out[0, :, 0], [2, 0, 1])


@pytest.mark.parametrize("bad", [3, -4, 2**62, -(2**62)])
@pytest.mark.parametrize("shape", [(2,), (4, 2, 5)])
def test_a_place_that_is_not_there_is_an_error_and_changes_nothing(bad, shape):
    out, places = np.zeros((4, 3, 5)), np.zeros(shape, np.int64)
    places.flat[-1] = bad
    with pytest.raises(IndexError):
        scatter.add_at(out, places, np.ones((4, 2, 5)))
    assert not out.any()


@given(
    st.integers(0, 2**32),
    st.integers(1, 6),
    SIDES,
    st.sampled_from(((), (9,), (3, 4), (2, 3, 2), (0, 2))),
    st.sampled_from(DTYPES[:2]),
    st.sampled_from((np.int64, np.int32)),
    st.booleans(),
    st.booleans(),
    layouts,
    layouts.filter(lambda layout: layout != "read-only"),
)
def test_rows_are_added_in_order(seed, size, width, shape, dtype, kind, padded, by_frequency, layout, of_out):
    rng = np.random.default_rng(seed)
    g = in_layout(rng.normal(0, 10, (*shape, width)).astype(dtype), layout)
    index = in_layout(rng.integers(0, size, shape).astype(kind), layout)
    options = {"padding_idx": size - 1 if padded else None, "by_frequency": by_frequency}
    expected, result = (each.add_rows(g, index, size, **options) for each in (reference, scatter))
    if by_frequency:
        assert_close(result, expected)
    else:
        np.testing.assert_array_equal(result, expected)
    out = empty_in_layout(expected.shape, dtype, of_out)
    assert scatter.add_rows(g, index, size, **options, out=out) is out
    np.testing.assert_array_equal(out, result)


@pytest.mark.parametrize(("size", "count", "width"), [(65, 2048, 128), (20000, 500, 256), (30, 9000, 3)])
def test_the_bits_of_added_rows_do_not_depend_on_threads(size, count, width):
    rng = np.random.default_rng(0)
    g, index = rng.standard_normal((count, width), np.float32), rng.integers(0, size, count)
    expected, before = reference.add_rows(g, index, size), _threads.get_num_threads()
    try:
        for threads in {1, _threads.MOST_THREADS}:
            _threads.set_num_threads(threads)
            np.testing.assert_array_equal(scatter.add_rows(g, index, size), expected)
    finally:
        _threads.set_num_threads(before)


def test_adding_rows_is_one_launch_that_tells_a_bad_number():
    g, index, out = np.ones((2, 3)), np.array([1, 1]), np.empty((2, 3))
    with collect() as launches:
        scatter.add_rows(g, index, 2, out=out)
    program = Program(launches)
    program.run()
    assert out.tolist() == [[0] * 3, [2] * 3]
    index[1] = -1
    with pytest.raises(IndexError, match="index out of range in self: -1 in a table of 2 rows"):
        program.run()
    assert out.tolist() == [[0] * 3, [2] * 3]
