"""Pooling: what window after window gives, to the bit, for any windows, layout and number of threads."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import _threads, pooling, reference

from .strategies import dtypes, in_layout, layouts

SHORT = st.integers(1, 7)
SIZES = SHORT | st.sampled_from((16, 33, 40))  # of the last axis


@st.composite
def moving_windows(draw, axes=None):
    """The arguments of `pooling.moving`; some windows see nothing, some end behind the axis."""
    before = [draw(moving_along_an_axis(SHORT)) for _ in range((axes or draw(st.integers(1, 3))) - 1)]
    return tuple(zip(*before, draw(moving_along_an_axis(SIZES)), strict=True))


@st.composite
def moving_along_an_axis(draw, sizes):
    size, kernel, stride, dilation = draw(sizes), *(draw(st.integers(1, most)) for most in (5, 6, 3))
    before = draw(st.integers(0, kernel))
    most = max(1, (size + before + kernel - dilation * (kernel - 1) - 1) // stride + 1)
    return size, kernel, stride, before, dilation, draw(st.integers(1, min(most, 20)))


@st.composite
def plans(draw):
    if draw(st.booleans()):
        return pooling.moving(*draw(moving_windows()))
    sizes = (*draw(st.lists(SHORT, max_size=2)), draw(SIZES))
    return pooling.dividing(sizes, tuple(draw(st.integers(0, size + 1)) for size in sizes))


def drawn(rng, shape, dtype, special=False):
    """Small whole numbers, so that there are ties and no sum is rounded; with ``special`` also others."""
    values = rng.integers(-3, 4, shape).astype(dtype)
    return (
        np.where(rng.random(shape) < 0.1, rng.choice((np.nan, np.inf, -np.inf, -0.0), shape), values).astype(dtype)
        if special
        else values
    )


def of_planes(sizes, batch):
    return (batch, 2, *sizes)


@given(moving_windows(axes=1))
def test_what_moving_windows_see(arguments):
    (size,), (kernel,), (stride,), (before,), (dilation,), (count,) = arguments
    (axis,) = pooling.moving(*arguments).axes
    for window in range(count):
        places = window * stride - before + dilation * np.arange(kernel)
        expected = places[(places >= 0) & (places < size)]
        np.testing.assert_array_equal(axis.first[window] + axis.step * np.arange(axis.seen[window]), expected)


@given(SIZES, st.integers(0, 12))
def test_what_dividing_windows_see(size, count):
    (axis,) = pooling.dividing((size,), (count,)).axes
    assert axis.first.tolist() == [i * size // count for i in range(count)]
    assert (axis.first + axis.seen).tolist() == [math.ceil((i + 1) * size / count) for i in range(count)]


@given(st.integers(0, 2**32), plans(), st.integers(0, 3), dtypes, layouts)
def test_the_largest_and_its_gradient(seed, plan, batch, dtype, layout):
    rng = np.random.default_rng(seed)
    x = drawn(rng, of_planes(plan.sizes, batch), dtype, special=True)
    expected = reference.largest(x, plan)
    for found, one in zip(pooling.largest(in_layout(x, layout), plan), expected, strict=True):
        np.testing.assert_array_equal(found, one, strict=True)
    codes = expected[1]
    g = drawn(rng, of_planes(plan.counts, batch), dtype)
    for positive in (False, True):
        found = pooling.largest_backward(in_layout(g, layout), codes, plan, positive=positive)
        np.testing.assert_array_equal(found, reference.largest_backward(g, codes, plan, positive=positive), strict=True)
    np.testing.assert_array_equal(pooling.take(x, codes, plan), reference.take(x, codes, plan), strict=True)


@given(st.integers(0, 2**32), plans(), st.integers(0, 3), dtypes, layouts, st.booleans())
def test_sums_and_their_adjoint(seed, plan, batch, dtype, layout, divided):
    rng = np.random.default_rng(seed)
    x, g = (drawn(rng, of_planes(sizes, batch), dtype) for sizes in (plan.sizes, plan.counts))
    divisors = rng.choice((1, 2, 4), plan.counts).astype(dtype) if divided else None
    sums = pooling.window_sum(in_layout(x, layout), plan, divisors)
    np.testing.assert_array_equal(sums, reference.window_sum(x, plan, divisors), strict=True)
    back = pooling.window_spread(in_layout(g, layout), plan, divisors)
    np.testing.assert_array_equal(back, reference.window_spread(g, plan, divisors), strict=True)


def test_nan_and_infinities_are_summed():
    x = np.array([[[np.nan, 1, np.inf, -np.inf, -np.inf, 2]]])
    plan = pooling.dividing((6,), (3,))
    np.testing.assert_array_equal(pooling.window_sum(x, plan), [[[np.nan, np.nan, -np.inf]]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_codes_tell_what_is_positive(dtype):
    x = np.array([[[-1, -2, 0, -3, 4, -5, np.nan, np.nan]]], dtype)
    y, codes = pooling.largest(x, pooling.dividing((8,), (4,)))
    np.testing.assert_array_equal(y, [[[-1, 0, 4, np.nan]]])
    assert codes.tolist() == [[[~0, ~2, 4, 7]]]
    assert pooling.places(codes).tolist() == [[[0, 2, 4, 7]]]


WINDOWS = {
    "of two": ((30, 41), (2, 2), (2, 2), (0, 0), (1, 1), (15, 20)),
    "that overlap": ((28, 29), (3, 3), (2, 2), (1, 1), (1, 1), (14, 15)),
    "in three axes": ((5, 9, 70), (2, 3, 9), (1, 2, 5), (1, 0, 3), (2, 1, 1), (3, 4, 12)),
    "of long rows": ((9000,), (3,), (1,), (1,), (1,), (9000,)),
}


@pytest.mark.parametrize("name", WINDOWS)
def test_the_bits_do_not_depend_on_threads(name):
    plan = pooling.moving(*WINDOWS[name])
    rng = np.random.default_rng(0)
    x, g = (rng.standard_normal((9, 7, *sizes)).astype(np.float32) for sizes in (plan.sizes, plan.counts))
    divisors = rng.random(plan.counts).astype(np.float32)

    def run():
        y, codes = pooling.largest(x, plan)
        backward = pooling.largest_backward(g, codes, plan), pooling.take(x, codes, plan)
        return y, codes, *backward, pooling.window_sum(x, plan, divisors), pooling.window_spread(g, plan, divisors)

    before = _threads.get_num_threads()
    try:
        results = []
        for threads in {1, _threads.MOST_THREADS}:
            _threads.set_num_threads(threads)
            results.append(run())
        for one, other in itertools.pairwise(results):
            for found, expected in zip(one, other, strict=True):
                np.testing.assert_array_equal(found, expected)
    finally:
        _threads.set_num_threads(before)


def test_results_go_where_they_are_asked_for():
    plan = pooling.moving((4, 6), (2, 2), (2, 2), (0, 0), (1, 1), (2, 3))
    x = np.arange(48.0).reshape(1, 2, 4, 6)
    y, codes = np.empty((1, 2, 2, 3)), np.empty((1, 2, 2, 3), np.int32)
    found = pooling.largest(x, plan, out=(y, codes))
    assert found[0] is y
    assert found[1] is codes
    strided = np.zeros((1, 2, 8, 12))[:, :, ::2, ::2]
    assert pooling.window_spread(y, plan, out=strided) is strided
    np.testing.assert_array_equal(strided, reference.window_spread(y, plan))


def test_planes_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"expected an array of shape \(N, C, 4, 6\)"):
        pooling.window_sum(np.zeros((1, 2, 4, 5)), pooling.dividing((4, 6), (2, 3)))


def test_huge_planes_are_refused():
    with pytest.raises(NotImplementedError, match="planes of less than"):
        pooling.dividing((1 << 15, 1 << 15), (1, 1))
