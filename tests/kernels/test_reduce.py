"""Reductions against their NumPy twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import reduce, reference

from .strategies import DTYPES, arrays, assert_close, empty_in_layout, layouts

SUMS = ("sum", "mean")
EXTREMES = ("amax", "amin")
INDICES = ("argmax", "argmin")


def twin(name, *arguments):
    with np.errstate(all="ignore"):
        return getattr(reference, name)(*arguments)


@st.composite
def reductions(draw, tuples=True, **options):
    """An array, axes to reduce, and whether to keep them."""
    x = draw(arrays(**options))
    axis = st.integers(-max(x.ndim, 1), max(x.ndim, 1) - 1)
    several = st.lists(axis, unique_by=lambda d: d % max(x.ndim, 1)).map(tuple)
    dim = draw(st.none() | axis | several if tuples else st.none() | axis)
    return x, dim, draw(st.booleans())


@given(reductions(special=False), st.sampled_from(SUMS))
def test_sums(reduction, name):
    x, dim, keepdim = reduction
    before = x.copy()
    result = getattr(reduce, name)(x, dim, keepdim)
    assert_close(result, twin(name, x, dim, keepdim), scale=twin(name, np.abs(x), dim, keepdim))
    np.testing.assert_array_equal(x, before)


@given(reductions(), st.sampled_from(SUMS))
def test_sums_with_nan_and_infinities(reduction, name):
    """Where no partial sum overflows, NaN and infinities come out as NumPy says."""
    x, dim, keepdim = reduction
    x = np.where(np.abs(x) > 1e30, np.copysign(np.inf, x), x).astype(x.dtype)
    with np.errstate(all="ignore"):
        scale = twin(name, np.abs(x), dim, keepdim)
    assert_close(getattr(reduce, name)(x, dim, keepdim), twin(name, x, dim, keepdim), scale=scale)


@given(reductions(shape=None), st.sampled_from(EXTREMES + INDICES))
def test_extremes(reduction, name):
    x, dim, keepdim = reduction
    if name in INDICES and isinstance(dim, tuple):
        dim = dim[0] if dim else None
    try:
        expected = twin(name, x, dim, keepdim)
    except ValueError:  # NumPy's word for a reduction of nothing
        with pytest.raises((IndexError, RuntimeError), match=f"{name}.*expected"):
            getattr(reduce, name)(x, dim, keepdim)
        return
    result = getattr(reduce, name)(x, dim, keepdim)
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected)


@given(
    reductions(tuples=False, shape=(3, 4, 5)),
    st.sampled_from(SUMS + EXTREMES + INDICES),
    layouts.filter(lambda layout: layout != "read-only"),
)
def test_out_of_any_layout(reduction, name, layout):
    x, dim, keepdim = reduction
    function = getattr(reduce, name)
    expected = function(x, dim, keepdim)
    out = empty_in_layout(expected.shape, expected.dtype, layout)
    assert function(x, dim, keepdim, out=out) is out
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("shape", [(3000,), (1, 100_000), (300, 700), (64, 128), (8192, 10), (5, 40, 33), (4, 3, 9, 9)])
def test_float32_sums_are_accurate(shape):
    """Within a few roundings of the sum of the magnitudes, whichever axes are reduced."""
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    wide = x.astype(np.float64)
    for dim in [None, *range(x.ndim), tuple(range(0, x.ndim, 2))]:
        count = np.sum(np.ones(shape), axis=dim)
        error = np.abs(reduce.sum(x, dim) - wide.sum(dim))
        allowed = np.finfo(np.float32).eps * (np.abs(wide.sum(dim)) + np.sqrt(count) * np.log2(count + 1))
        assert (error <= allowed).all()


def test_a_long_sum_of_ones_is_exact():
    """A naive float32 sum stops growing at 2^24."""
    ones = np.broadcast_to(np.float32(1), (1 << 24) + (1 << 20))
    assert reduce.sum(ones) == len(ones)
    assert reduce.mean(ones) == 1


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_first_of_equal_ones_and_the_first_nan(name, dtype):
    function = getattr(reduce, name)
    rows = np.array([[-0.0, 0.0, -0.0], [1, 1, 1], [2, np.nan, np.nan], [np.inf] * 3, [-np.inf] * 3], dtype)
    np.testing.assert_array_equal(function(rows, 1), [0, 0, 1, 0, 0])
    np.testing.assert_array_equal(function(rows.T, 0), [0, 0, 1, 0, 0])


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64, np.uint8, np.bool_])
def test_integers_and_booleans_add_up_in_int64(dtype):
    x = np.full((3, 100), 1 if dtype == np.bool_ else 100, dtype)
    result = reduce.sum(x, 1)
    assert result.dtype == np.int64
    np.testing.assert_array_equal(result, [100 * int(x[0, 0])] * 3)
    assert reduce.sum(x).shape == ()
    out = np.empty((3, 1), np.int64)
    assert reduce.sum(x, 1, True, out=out) is out
    np.testing.assert_array_equal(reduce.amax(x, 0), x[0])


def test_index_of_the_largest_integer():
    x = np.array([[3, 9, 9], [5, 1, 5]])
    assert reduce.argmax(x) == 1
    np.testing.assert_array_equal(reduce.argmin(x, 1), [0, 1])
    np.testing.assert_array_equal(reduce.argmax(x, 0, True), [[1, 0, 0]])
    with pytest.raises(TypeError, match="bool"):
        reduce.argmax(x > 3)


def test_bad_arguments():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(IndexError, match=r"range of \[-2, 1\], but got 2"):
        reduce.sum(x, 2)
    with pytest.raises(IndexError, match=r"range of \[-1, 0\], but got 1"):
        reduce.amax(np.float64(3).reshape(()), 1)
    with pytest.raises(RuntimeError, match="dim 1 appears multiple times"):
        reduce.sum(x, (1, -1))
    with pytest.raises(TypeError):
        reduce.argmax(x, (0, 1))
    with pytest.raises(TypeError):
        reduce.sum(x, 1.5)
    with pytest.raises(TypeError, match="int64"):
        reduce.mean(np.arange(3))
    with pytest.raises(TypeError, match="float16"):
        reduce.sum(np.zeros(3, np.float16))
    with pytest.raises(TypeError, match="complex64"):
        reduce.sum(np.zeros(3, np.complex64))
    with pytest.raises(ValueError, match=r"out of shape \(2,\), got \(3,\)"):
        reduce.sum(x, 1, out=np.zeros(3, np.float32))
    with pytest.raises(TypeError, match="out of dtype int64, got float32"):
        reduce.argmax(x, 1, out=np.zeros(2, np.float32))


def test_a_reduction_of_nothing():
    """As in PyTorch: a sum is 0, a mean NaN, an extreme an error unless the result is empty too."""
    x = np.zeros((0, 3), np.float32)
    np.testing.assert_array_equal(reduce.sum(x, 0), [0, 0, 0])
    np.testing.assert_array_equal(reduce.mean(x, 0), [np.nan] * 3)
    assert np.isnan(reduce.mean(x))
    assert reduce.amax(x, 1).shape == (0,)
    assert reduce.argmax(x, 1).dtype == np.int64
    with pytest.raises(RuntimeError, match=r"shape \(0, 3\)"):
        reduce.amax(x)
    with pytest.raises(IndexError, match="dim 0 to have non-zero size"):
        reduce.amin(x, 0)
    with pytest.raises(IndexError, match=r"shape \(0, 3\)"):
        reduce.argmax(x)
