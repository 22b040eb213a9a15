"""Rows of arrays, copied in any order: the same as indexing, for any dtype, shape, size and number of threads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import _threads, gather, reference

DTYPES = [np.uint8, np.bool_, np.int16, np.int64, np.float32, np.float64]
SHAPES = [(), (1,), (784,), (28, 28), (3, 1000), (0,)]


@given(
    st.integers(1, 200), st.sampled_from(SHAPES), st.sampled_from(DTYPES), st.integers(0, 300), st.integers(0, 2**32)
)
def test_rows_are_those_of_indexing(count, shape, dtype, wanted, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 200, (count, *shape)).astype(dtype)
    indices = rng.integers(0, count, wanted)
    got = gather.take_rows(x, indices)
    assert got.dtype == x.dtype
    assert got.flags.owndata
    np.testing.assert_array_equal(got, reference.take_rows(x, indices))


@pytest.mark.parametrize("threads", [1, _threads.MOST_THREADS])
def test_large_batches_on_any_number_of_threads(threads):
    before = _threads.get_num_threads()
    x = np.random.default_rng(0).standard_normal((500, 784)).astype(np.float32)
    try:
        _threads.set_num_threads(threads)
        for wanted in (20, 21, 64, 500, 1000):
            indices = np.random.default_rng(wanted).integers(0, 500, wanted)
            np.testing.assert_array_equal(gather.take_rows(x, indices), x[indices])
    finally:
        _threads.set_num_threads(before)


def test_rows_of_any_layout_and_numbers_from_the_end():
    x = np.arange(300 * 400.0).reshape(300, 400)
    indices = np.arange(-150, 150)
    for each in (x, x[::2], x.T, x[:, ::-1], x[:1]):
        few = indices % len(each) - len(each)
        np.testing.assert_array_equal(gather.take_rows(each, few), each[few])
        np.testing.assert_array_equal(gather.take_rows(each, few.astype(np.int32)), each[few])
        np.testing.assert_array_equal(gather.take_rows(each, np.repeat(few, 2)[::2]), each[few])


@pytest.mark.parametrize("bad", [300, -301, 2**62, -(2**62)])
def test_a_number_that_is_no_row_is_an_error(bad):
    x, indices = np.zeros((300, 400)), np.zeros(300, np.int64)
    indices[-1] = bad
    with pytest.raises(IndexError):
        gather.take_rows(x, indices)
