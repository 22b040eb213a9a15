"""Rows of arrays, copied in any order: the same as indexing, for any dtype, shape, size and number of threads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import _threads, gather, reference
from tinygrad_fr.kernels._launch import NotNative, collect
from tinygrad_fr.kernels.program import Program

from .strategies import empty_in_layout, in_layout, layouts

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


@given(
    st.integers(1, 5),
    st.sampled_from((0, 1, 3, 130)),
    st.sampled_from(DTYPES),
    st.sampled_from(((), (3,), (2, 70), (2, 3, 4), (0, 2))),
    st.sampled_from((np.int64, np.int32)),
    layouts,
    layouts,
    layouts.filter(lambda layout: layout != "read-only"),
    st.integers(0, 2**32),
)
def test_rows_of_a_table(count, width, dtype, shape, kind, own, of_index, of_out, seed):
    rng = np.random.default_rng(seed)
    x = in_layout(rng.integers(0, 200, (count, width)).astype(dtype), own)
    index = in_layout(rng.integers(0, count, shape).astype(kind), of_index)
    expected = reference.rows(x, index)
    got = gather.rows(x, index)
    assert got.dtype == x.dtype
    np.testing.assert_array_equal(got, expected)
    out = empty_in_layout(expected.shape, dtype, of_out)
    assert gather.rows(x, index, out=out) is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("bad", [3, -1, 2**62, -(2**62)])
def test_a_number_that_is_no_row_of_the_table_is_an_error_and_nothing_is_copied(bad):
    x, index, out = np.zeros((3, 4)), np.zeros((2, 5), np.int64), np.ones((2, 5, 4))
    index[1, 2] = bad
    with pytest.raises(IndexError, match=f"index out of range in self: {bad} in a table of 3 rows"):
        gather.rows(x, index, out=out)
    assert out.all()
    with pytest.raises(IndexError, match="in a table of 0 rows"):
        gather.rows(x[:0], index)


def test_rows_of_a_table_are_one_launch_that_tells_a_bad_number():
    x, index, out = np.arange(6.0).reshape(3, 2), np.array([[2, 9], [0, 9]])[:, :1], np.empty((2, 1, 2))
    with collect() as launches:
        gather.rows(x, index, out=out)
    program = Program(launches)
    program.run()
    assert out.tolist() == [[[4, 5]], [[0, 1]]]
    index[0] = 3
    with pytest.raises(IndexError, match="self: 3 in a table"):
        program.run()
    with collect(), pytest.raises(NotNative):
        gather.rows(x[::2], index, out=out)
