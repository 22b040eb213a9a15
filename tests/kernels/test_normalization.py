"""Normalisation against its NumPy twin: every way of seeing an array, large means, empty arrays, threads, programs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import _threads, normalization, reference
from tinygrad_fr.kernels._launch import collect
from tinygrad_fr.kernels.program import Program

from .strategies import DTYPES, assert_close, dtypes, empty_in_layout, in_layout, layouts

EPS = 1e-3

# Batch (long and short planes, none), instance, group and layer normalisation: whether there is a mean, sizes.
FORMS = [
    (1, 5, 3, 1, 90),
    (1, 40, 5, 1, 7),
    (1, 40, 300, 1, 1),
    (3, 1, 4, 1, 5),
    (2, 1, 3, 1, 2500),
    (3, 1, 2, 3, 17),
    (4, 1, 2, 3, 1),
    (70, 1, 1, 37, 1),
    (2, 1, 1, 5000, 1),
    (1, 0, 3, 1, 2),
    (1, 2, 3, 1, 0),
    (0, 1, 1, 4, 1),
    (2, 1, 1, 0, 1),
]
LARGE = [(1, 64, 8, 1, 784), (1, 3000, 65, 1, 1), (64, 1, 8, 2, 300), (2048, 1, 1, 130, 1), (3, 1, 1, 70000, 1)]
forms = st.sampled_from(FORMS)
writable_layouts = layouts.filter(lambda layout: layout != "read-only")


def drawn(seed, sizes, dtype, mean=0.0, layout="plain", affine=True):
    """x, g, weight and bias; x in four axes."""
    rng = np.random.default_rng(seed)
    outer, batch, groups, channels, plane = sizes
    x, g = (rng.standard_normal((outer * batch, groups, channels, plane)) for _ in range(2))
    weight, bias = rng.standard_normal((2, groups, channels)).astype(dtype) if affine else (None, None)
    return in_layout((x + mean).astype(dtype), layout), in_layout(g.astype(dtype), layout), weight, bias


def assert_near(results, expected, dtype, scale=1.0):
    """Within rounding steps of sums of some thousand numbers of size 1."""
    for result, wanted in zip(results, expected, strict=True):
        assert_close(result, wanted, tolerance=64, scale=scale * (1 + np.abs(wanted)))


@given(st.integers(0, 2**32), forms, dtypes, st.booleans(), st.booleans(), layouts, writable_layouts)
def test_forward_and_backward(seed, sizes, dtype, centred, affine, layout, of_out):
    x, g, weight, bias = drawn(seed, sizes, dtype, 0.5, layout, affine)
    options = {"sizes": sizes, "centred": centred}
    expected, statistics = reference.normalize(x, weight, bias, eps=EPS, **options)
    result, found = normalization.normalize(x, weight, bias, eps=EPS, **options)
    assert_near([result], [expected], dtype)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, statistics, rtol=1e3 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)
    gradients = normalization.normalize_backward(g, x, weight, statistics, **options)
    wanted = reference.normalize_backward(g, x, weight, statistics, **options)
    assert_near(gradients, wanted, dtype, scale=np.sqrt(1 + x.size) / 8)

    out = empty_in_layout(x.shape, dtype, of_out), np.empty_like(found)
    again = normalization.normalize(x, weight, bias, eps=EPS, **options, out=out)
    assert all(map(lambda one, other: one is other, again, out))
    targets = [empty_in_layout(each.shape, dtype, of_out) for each in gradients]
    normalization.normalize_backward(g, x, weight, statistics, **options, out=targets)
    for one, other in zip((*out, *targets), (result, found, *gradients), strict=True):
        np.testing.assert_array_equal(one, other)


@given(st.integers(0, 2**32), st.sampled_from([sizes for sizes in FORMS if sizes[0] == 1]), dtypes)
def test_by_a_mean_and_a_variance_that_are_given(seed, sizes, dtype):
    x, g, weight, bias = drawn(seed, sizes, dtype)
    mean, variance = np.random.default_rng(seed).random((2, sizes[2])).astype(dtype)
    expected, statistics = reference.normalize(x, weight, bias, mean, variance, sizes=sizes, eps=EPS)
    result, found = normalization.normalize(x, weight, bias, mean, variance, sizes=sizes, eps=EPS)
    scale = 1 / np.sqrt(variance.min(initial=1) + EPS)
    assert_near([result], [expected], dtype, scale)
    np.testing.assert_allclose(found, statistics, rtol=1e-12)
    gradients = normalization.normalize_backward(g, x, weight, statistics, sizes=sizes, given=True)
    wanted = reference.normalize_backward(g, x, weight, statistics, sizes=sizes, given=True)
    assert_near(gradients, wanted, dtype, scale * np.sqrt(1 + x.size))


@pytest.mark.parametrize("sizes", [sizes for sizes in FORMS if 0 not in sizes] + LARGE, ids=str)
def test_a_large_mean_costs_no_accuracy(sizes):
    x, g, weight, bias = drawn(0, sizes, np.float32, mean=1e4)
    expected, statistics = reference.normalize(x, weight, bias, sizes=sizes, eps=1e-5)
    result, found = normalization.normalize(x, weight, bias, sizes=sizes, eps=1e-5)
    np.testing.assert_allclose(result, expected, rtol=0, atol=4e-6)
    np.testing.assert_allclose(found, statistics, rtol=1e-6)
    gradients = normalization.normalize_backward(g, x, weight, found, sizes=sizes)
    for one, other in zip(gradients, reference.normalize_backward(g, x, weight, statistics, sizes=sizes), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6 * np.sqrt(x.size))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [sizes for sizes in FORMS if 0 not in sizes], ids=str)
def test_equal_elements_give_the_bias_and_finite_gradients(sizes, dtype):
    x, g, weight, bias = drawn(0, sizes, dtype)
    x = np.full_like(x, 3.3)
    result, statistics = normalization.normalize(x, weight, bias, sizes=sizes, eps=1e-5)
    rounding = 4 * 3.3 / np.sqrt(1e-5) * np.finfo(dtype).eps  # of the mean
    np.testing.assert_allclose(result, np.broadcast_to(bias[..., None], x.shape), atol=rounding)
    for each in normalization.normalize_backward(g, x, weight, statistics, sizes=sizes):
        assert np.isfinite(each).all()


@pytest.mark.parametrize("sizes", [(1, 4, 3, 1, 90), (1, 4, 3, 1, 2), (3, 1, 4, 1, 5), (4, 1, 1, 9, 1)], ids=str)
def test_nan_and_infinity_spoil_their_own_group_only(sizes):
    for bad in (np.nan, np.inf):
        x, g, weight, bias = drawn(0, sizes, np.float32)
        seen = x.reshape(sizes)
        seen[-1, -1, -1, -1, -1] = bad
        result, statistics = normalization.normalize(x, weight, bias, sizes=sizes, eps=1e-5)
        spoilt = np.zeros((sizes[0], 1, sizes[2], 1, 1), bool)
        spoilt[-1, 0, -1] = True
        np.testing.assert_array_equal(np.isnan(result.reshape(sizes)), np.broadcast_to(spoilt, sizes))
        (pulled, *_) = normalization.normalize_backward(g, x, weight, statistics, sizes=sizes)
        np.testing.assert_array_equal(np.isnan(pulled.reshape(sizes)), np.broadcast_to(spoilt, sizes))


@pytest.mark.parametrize("sizes", LARGE, ids=str)
def test_the_same_bits_on_any_number_of_threads(sizes):
    x, g, weight, bias = drawn(0, sizes, np.float32)
    found, before = [], _threads.get_num_threads()
    try:
        for threads in (1, _threads.MOST_THREADS):
            _threads.set_num_threads(threads)
            result, statistics = normalization.normalize(x, weight, bias, sizes=sizes, eps=1e-5)
            gradients = normalization.normalize_backward(g, x, weight, statistics, sizes=sizes)
            found.append((result, statistics, *gradients))
    finally:
        _threads.set_num_threads(before)
    for one, other in zip(*found, strict=True):
        assert one.tobytes() == other.tobytes()


def running(channels, dtype):
    rng = np.random.default_rng(0)
    return rng.standard_normal(channels).astype(dtype), rng.random(channels).astype(dtype), np.array(3)


@pytest.mark.parametrize("count", [0, 1, 20])
@pytest.mark.parametrize("momentum", [0.0, 0.1, 1.0, None])
@pytest.mark.parametrize("dtype", DTYPES)
def test_running_statistics_move(dtype, momentum, count):
    rng = np.random.default_rng(1)
    statistics = np.stack([rng.standard_normal(12), 1 / np.sqrt(rng.random(12) + EPS)])
    options = {"statistics": statistics, "momentum": momentum, "count": count, "eps": EPS}
    moved, expected = running(4, dtype), running(4, dtype)
    normalization.move(*moved, **options)
    reference.move(*expected, **options)
    assert moved[2] == 4
    for one, other in zip(moved[:2], expected[:2], strict=True):
        assert_close(one, other, tolerance=4, scale=1 + np.abs(other))
    alone = running(4, dtype)[0][::-1]
    normalization.move(alone, statistics=statistics, momentum=0.5, count=2, eps=EPS)
    wanted = running(4, dtype)[0][::-1] / 2 + statistics[0].reshape(3, 4).mean(0) / 2
    np.testing.assert_allclose(alone, wanted, rtol=1e-6)


def test_a_step_is_three_launches():
    sizes = (1, 4, 3, 1, 70)
    x, g, weight, bias = drawn(0, sizes, np.float32)
    mean, variance, tracked = running(3, np.float32)
    out = np.empty_like(x), np.empty((2, 3))
    targets = np.empty_like(x), np.empty_like(weight), np.empty_like(weight)
    with collect() as launches:
        _, statistics = normalization.normalize(x, weight, bias, sizes=sizes, eps=EPS, out=out)
        normalization.move(mean, variance, tracked, statistics=statistics, momentum=None, count=280, eps=EPS)
        normalization.normalize_backward(g, x, weight, statistics, sizes=sizes, out=targets)
    assert len(launches) == 3
    Program(launches).run()
    expected = normalization.normalize(x, weight, bias, sizes=sizes, eps=EPS)
    gradients = normalization.normalize_backward(g, x, weight, expected[1], sizes=sizes)
    for one, other in zip((*out, *targets), (*expected, *gradients), strict=True):
        np.testing.assert_array_equal(one, other)
    assert tracked == 4


def test_errors():
    x, sizes = np.ones((2, 3), np.float32), (2, 1, 1, 3, 1)
    with pytest.raises(TypeError, match="float32 or float64, got int64"):
        normalization.normalize(x.astype(np.int64), sizes=sizes, eps=EPS)
    with pytest.raises(ValueError, match=r"out of shape \(2, 3\)"):
        normalization.normalize(x, sizes=sizes, eps=EPS, out=(x[:1], np.empty((2, 2))))
    with pytest.raises(ValueError, match="g and x of one shape"):
        normalization.normalize_backward(x[:1], x, None, np.ones((2, 2)), sizes=sizes)
    with pytest.raises(TypeError, match="a number for momentum"):
        normalization.move(x[0], statistics=np.ones((2, 3)), momentum=None, count=1, eps=EPS)
