"""The norm of several arrays and shrinking by it: the NumPy twins, special values, layouts, independence of threads."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import clipping, reference
from tinygrad_fr.kernels._threads import get_num_threads, set_num_threads

from .strategies import DTYPES, LAYOUTS, dtypes, in_layout, layouts

ORDERS = (2.0, 1.0, math.inf, 3.0, 1.5, 0.5)
TOLERANCES = {np.float32: 1e-6, np.float64: 1e-13}
PART = clipping.PART
SHAPES = ((), (1,), (7,), (3, 5), (2, 3, 11), (PART - 1,), (PART,), (PART + 1,))
LIMITS = st.sampled_from([0.1, 3, 1e9, math.inf, -1, 0])


def draws(shapes, dtype, seed=0):
    """An array of normal draws for each shape, zeros among them."""
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape) * (rng.random(shape) > 0.1), dtype) for shape in shapes]


@given(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=4), dtypes, st.sampled_from(ORDERS), st.data())
def test_norm_is_its_twin(shapes, dtype, order, data):
    arrays = [in_layout(x, data.draw(layouts)) for x in draws(shapes, dtype)]
    found = clipping.norm(arrays, order)
    assert found.shape == ()
    assert found.dtype == dtype
    tolerance = TOLERANCES[dtype]
    np.testing.assert_allclose(found, reference.norm(arrays, order), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("order", [order for order in ORDERS if order != math.inf])
def test_empty_arrays_add_nothing(order):
    x, empty = np.array([3.0, 4.0]), np.empty((0, 2))
    assert clipping.norm([empty, x, empty], order) == clipping.norm([x], order)
    assert clipping.norm([empty], order) == 0


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("special", [math.nan, math.inf, -math.inf])
def test_special_values_wherever_they_are(order, special):
    for place in (0, 70, PART + 3):
        x = np.ones(PART + 9, np.float32)
        x[place] = special
        np.testing.assert_equal(float(clipping.norm([np.ones(3, np.float32), x], order)), abs(special))


def test_squares_that_float32_could_not_hold():
    assert clipping.norm([np.full(4, 1e30, np.float32)], 2.0) == np.float32(2e30)
    assert clipping.norm([np.full(4, 1e-30, np.float32)], 2.0) == np.float32(2e-30)


@given(st.lists(st.sampled_from(SHAPES), max_size=4), dtypes, LIMITS, st.data())
def test_scale_is_its_twin(shapes, dtype, most, data):
    norm = np.array(2.5, dtype)
    expected = draws(shapes, dtype)
    writable = [each for each in LAYOUTS if each != "read-only"]
    arrays = [in_layout(x, data.draw(st.sampled_from(writable))) for x in expected]
    clipping.scale_to_norm(arrays, norm, most)
    reference.scale_to_norm(expected, norm, most)
    for x, y in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=TOLERANCES[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
def test_where_nothing_is_too_long_no_bit_changes(dtype):
    (x,) = draws([(1000,)], dtype)
    scaled = x.copy()
    clipping.scale_to_norm([scaled], np.array(0.99, dtype), 1.0)
    np.testing.assert_array_equal(scaled, x)


@pytest.mark.parametrize("norm", [math.nan, math.inf])
def test_a_norm_that_is_not_finite(norm):
    x = np.array([1.0, -2.0, math.inf])
    clipping.scale_to_norm([x], np.array(norm), 1.0)
    np.testing.assert_array_equal(x, [1 / norm, -2 / norm, math.nan])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", ORDERS)
def test_threads_change_no_bit(dtype, order):
    arrays = draws([(11, PART), (3,), (100_003,)], dtype)
    before, found = get_num_threads(), []
    try:
        for threads in (1, before):
            set_num_threads(threads)
            scaled = [x.copy() for x in arrays]
            norm = clipping.norm(scaled, order)
            clipping.scale_to_norm(scaled, norm, 0.5)
            found.append(b"".join(x.tobytes() for x in (norm, *scaled)))
    finally:
        set_num_threads(before)
    assert found[0] == found[1]
