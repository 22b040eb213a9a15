"""The random draws: Philox's published answers, the NumPy twins, distributions, and independence of how work is cut."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tinygrad_fr.kernels import _threads, random, reference

FLOATS = [np.float32, np.float64]
SEEDS = st.integers(0, 2**64 - 1)
INTERVALS = st.sampled_from([(0.0, 1.0), (-3.0, 5.0), (2.0, 2.0), (1.0, 2.0)])
SHAPES = st.sampled_from([(), (0,), (1,), (2,), (3,), (4,), (5,), (17,), (64,), (3, 0), (2, 3), (3, 5, 7)])


def new_state(seed=0, offset=0):
    return np.array([seed, offset], np.uint64)


# The known-answer tests that come with Random123, the authors' library.
KNOWN_ANSWERS = [
    ([0, 0, 0, 0], [0, 0], [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],  # pi
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_philox_gives_the_published_answers(counter, key, expected):
    assert random.philox(counter, key).tolist() == expected
    assert reference.philox(counter, key).tolist() == expected


# ---------------------------------------------------------------------------------------------------------------
# Against the twins.


@settings(deadline=None, max_examples=40)
@given(
    SHAPES, st.sampled_from(FLOATS), SEEDS, SEEDS, st.sampled_from([(0.0, 1.0), (-3.0, 5.0), (2.0, 2.0), (1.0, 2.0)])
)
def test_uniform_is_its_twin(shape, dtype, seed, offset, interval):
    low, high = interval
    ours, twins = new_state(seed, offset), new_state(seed, offset)
    x = random.uniform(shape, dtype, ours, low=low, high=high)
    assert x.shape == shape
    assert x.dtype == dtype
    np.testing.assert_array_equal(x, reference.uniform(shape, dtype, twins, low=low, high=high))
    np.testing.assert_array_equal(ours, twins)


@settings(deadline=None, max_examples=40)
@given(SHAPES, st.sampled_from(FLOATS), SEEDS, SEEDS)
def test_normal_is_its_twin(shape, dtype, seed, offset):
    ours, twins = new_state(seed, offset), new_state(seed, offset)
    x = random.normal(shape, dtype, ours, mean=2.0, std=3.0)
    assert x.shape == shape
    assert x.dtype == dtype
    tolerance = 4e-6 if dtype == np.float32 else 1e-14
    np.testing.assert_allclose(x, reference.normal(shape, dtype, twins, mean=2.0, std=3.0), tolerance, tolerance)
    np.testing.assert_array_equal(ours, twins)


@settings(deadline=None, max_examples=40)
@given(SHAPES, SEEDS, st.integers(-(2**63), 2**63 - 1), st.integers(1, 2**64 - 1))
def test_integers_is_its_twin(shape, seed, low, count):
    high = min(low + count, 2**63)
    ours, twins = new_state(seed), new_state(seed)
    x = random.integers(shape, ours, low, high)
    assert x.shape == shape
    assert x.dtype == np.int64
    np.testing.assert_array_equal(x, reference.integers(shape, twins, low, high))
    np.testing.assert_array_equal(ours, twins)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 50), SEEDS)
def test_permutation_is_its_twin(n, seed):
    ours, twins = new_state(seed), new_state(seed)
    order = random.permutation(n, ours)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(order, reference.permutation(n, twins))
    np.testing.assert_array_equal(np.sort(order), np.arange(n))
    np.testing.assert_array_equal(ours, twins)


@settings(deadline=None, max_examples=40)
@given(SHAPES, st.sampled_from(FLOATS), SEEDS)
def test_bernoulli_is_its_twin(shape, dtype, seed):
    p = np.asarray(np.random.default_rng(0).random(shape), dtype)
    ours, twins = new_state(seed), new_state(seed)
    x = random.bernoulli(p, ours)
    assert x.dtype == dtype
    np.testing.assert_array_equal(x, reference.bernoulli(p, twins))
    np.testing.assert_array_equal(ours, twins)


@settings(deadline=None, max_examples=40)
@given(SHAPES, st.sampled_from(FLOATS), SEEDS, st.sampled_from([0.0, 0.1, 0.5, 0.999, 1.0]))
def test_dropout_is_its_twin(shape, dtype, seed, p):
    x = np.asarray(np.random.default_rng(0).standard_normal(shape), dtype)
    before, ours, twins = x.copy(), new_state(seed), new_state(seed)
    y, used = random.dropout(x, p, ours)
    expected, expected_used = reference.dropout(x, p, twins)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(used, expected_used)
    np.testing.assert_array_equal(ours, twins)
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(random.dropout_backward(x, p, used), y)


# ---------------------------------------------------------------------------------------------------------------
# Distributions, with fixed seeds.

N = 200_001


@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_is_uniform(dtype):
    x = random.uniform((N,), dtype, new_state(1), low=-2.0, high=6.0)
    assert x.min() >= -2.0
    assert x.max() < 6.0
    assert stats.kstest(x, stats.uniform(-2, 8).cdf).pvalue > 0.01
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 4 / np.sqrt(N)


@pytest.mark.parametrize("dtype", FLOATS)
def test_normal_is_normal(dtype):
    x = random.normal((N,), dtype, new_state(2), mean=-1.0, std=0.5)
    assert np.isfinite(x).all()
    z = (x.astype(np.float64) + 1) / 0.5
    assert stats.kstest(z, stats.norm.cdf).pvalue > 0.01
    assert abs(z.mean()) < 4 / np.sqrt(N)
    assert abs(z.var() - 1) < 4 * np.sqrt(2 / N)
    assert abs(stats.skew(z)) < 4 * np.sqrt(6 / N)
    assert abs(stats.kurtosis(z)) < 4 * np.sqrt(24 / N)
    assert abs(z[0:-1:2] @ z[1::2]) / (N // 2) < 4 / np.sqrt(N // 2)  # the two of a pair are independent


def test_integers_are_equally_likely():
    x = random.integers((N,), new_state(3), -3, 10)
    counts = np.bincount(x + 3, minlength=13)
    assert counts.size == 13
    assert stats.chisquare(counts).pvalue > 0.01


def test_permutations_are_equally_likely():
    state = new_state(4)
    seen = [tuple(random.permutation(4, state)) for _ in range(4800)]
    counts = np.unique(seen, axis=0, return_counts=True)[1]
    assert counts.size == 24
    assert stats.chisquare(counts).pvalue > 0.01


@pytest.mark.parametrize("dtype", FLOATS)
def test_bernoulli_and_dropout_have_the_rate_asked_for(dtype):
    ones = random.bernoulli(np.full(N, 0.3, dtype), new_state(5))
    assert set(np.unique(ones)) == {0.0, 1.0}
    assert stats.binomtest(int(ones.sum()), N, 0.3).pvalue > 0.01
    y, _ = random.dropout(np.ones(N, dtype), 0.3, new_state(6))
    assert stats.binomtest(int((y == 0).sum()), N, 0.3).pvalue > 0.01
    np.testing.assert_array_equal(np.unique(y), np.array([0, 1 / 0.7], dtype))


def test_bernoulli_of_0_and_1_is_sure():
    p = np.array([0.0, 1.0] * 500)
    np.testing.assert_array_equal(random.bernoulli(p, new_state(7)), p)


# ---------------------------------------------------------------------------------------------------------------
# Streams.


def test_the_same_state_draws_the_same_and_another_seed_another():
    draws = [random.uniform((100,), np.float64, new_state(seed)) for seed in (1, 1, 2, 2**32 + 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.isin(draws[0], draws[2]).any()
    assert not np.isin(draws[0], draws[3]).any()


def test_consecutive_draws_do_not_overlap():
    state = new_state(8)
    draws = [random.uniform((n,), np.float64, state) for n in (1, 2, 3, 4, 5, 64, 7)]
    together = np.concatenate(draws)
    assert np.unique(together).size == together.size
    assert state[1] == 1 + 1 + 2 + 2 + 3 + 32 + 4


def test_draws_of_whole_blocks_join_to_one_draw():
    state = new_state(9)
    parts = [random.normal((n,), np.float32, state) for n in (4, 16, 400)]
    np.testing.assert_array_equal(np.concatenate(parts), random.normal((420,), np.float32, new_state(9)))


def test_the_offset_wraps_around():
    state = new_state(10, 2**64 - 1)
    x = random.uniform((8,), np.float32, state)
    assert state[1] == 1
    np.testing.assert_array_equal(x[4:], random.uniform((4,), np.float32, new_state(10, 0)))


@pytest.mark.parametrize("size", [random._PARALLEL, 3 * random._PARALLEL + 5])
def test_dropout_ignores_the_number_of_threads(size, monkeypatch):
    x = np.arange(1, size + 1, dtype=np.float32)
    shared, used = random.dropout(x, 0.25, new_state(11))
    monkeypatch.setattr(random, "pool_for", lambda *_: _threads.ALONE)
    np.testing.assert_array_equal(shared, random.dropout(x, 0.25, new_state(11))[0])
    np.testing.assert_array_equal(shared, random.dropout_backward(x, 0.25, used))
    np.testing.assert_array_equal(shared, reference.dropout(x, 0.25, new_state(11))[0])


def test_threads_that_draw_at_once_take_other_blocks():
    state, x = new_state(12), np.ones(4, np.float32)

    def draw(_):
        return [int(random.dropout(x, 0.5, state)[1][1]) for _ in range(500)]

    with ThreadPoolExecutor(4) as threads:
        offsets = [each for drawn in threads.map(draw, range(4)) for each in drawn]
    assert sorted(offsets) == list(range(2000))
    assert state.tolist() == [12, 2000]


# ---------------------------------------------------------------------------------------------------------------
# Layouts, special values, errors.


@pytest.mark.parametrize("dtype", FLOATS)
def test_out_of_any_layout(dtype):
    shape = (3, 5)
    for draw in (
        lambda out: random.uniform(shape, dtype, new_state(12), out=out),
        lambda out: random.normal(shape, dtype, new_state(12), out=out),
        lambda out: random.bernoulli(np.full(shape, 0.5, dtype), new_state(12), out=out),
        lambda out: random.dropout_backward(np.ones(shape, dtype), 0.5, new_state(12), out=out),
    ):
        wide = np.full((5, 6), 7, dtype)
        out = wide.T[::2]
        assert draw(out) is out
        np.testing.assert_array_equal(out, draw(None))
        np.testing.assert_array_equal(wide.T[1::2], 7)


def test_inputs_of_any_layout():
    x = np.arange(24, dtype=np.float64).reshape(4, 6)
    read_only = np.broadcast_to(x[0], (4, 6))
    for view in (x.T, x[::-1, ::2], read_only):
        y, _ = random.dropout(view, 0.5, new_state(13))
        np.testing.assert_array_equal(y, random.dropout(view.copy(), 0.5, new_state(13))[0])
        p = view / 24
        np.testing.assert_array_equal(random.bernoulli(p, new_state(13)), random.bernoulli(p.copy(), new_state(13)))


def test_dropout_in_place():
    x = np.arange(1, 12, dtype=np.float32)
    expected, _ = random.dropout(x.copy(), 0.5, new_state(14))
    taken, state = new_state(), new_state(14)
    y, used = random.dropout(x, 0.5, state, out=(x, taken))
    assert y is x
    assert used is taken
    np.testing.assert_array_equal(x, expected)
    np.testing.assert_array_equal(used, new_state(14))
    np.testing.assert_array_equal(state, new_state(14, 3))


def test_dropout_into_arrays_of_any_layout():
    x, wide, strided = np.ones((3, 5)), np.full((5, 6), 7.0), np.zeros(4, np.uint64)
    expected, _ = random.dropout(x, 0.5, new_state(15))
    y, used = random.dropout(x, 0.5, new_state(15), out=(wide.T[::2], strided[::2]))
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(wide.T[::2], expected)
    np.testing.assert_array_equal(wide.T[1::2], 7)
    np.testing.assert_array_equal(used, new_state(15))
    np.testing.assert_array_equal(strided, [15, 0, 0, 0])


def test_a_state_with_gaps_advances():
    memory = np.array([16, 99, 5, 99], np.uint64)
    _, used = random.dropout(np.ones(9), 0.5, memory[::2])
    np.testing.assert_array_equal(used, new_state(16, 5))
    np.testing.assert_array_equal(memory, [16, 99, 8, 99])


def test_dropout_keeps_nan_and_infinity_visible():
    y, _ = random.dropout(np.array([np.nan, np.inf] * 50, np.float32), 0.5, new_state(15))
    assert np.isnan(y[::2]).all()
    assert (np.isnan(y[1::2]) | np.isposinf(y[1::2])).all()
    assert np.isnan(y[1::2]).any()


def test_uniform_stays_below_high():
    largest = np.nextafter(np.float32(2), np.float32(1))
    assert random.uniform((1 << 22,), np.float32, new_state(16), low=1.0, high=2.0).max() == largest


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda s: random.uniform((2,), np.int64, s), TypeError, "float32 or float64, got int64"),
        (lambda s: random.uniform((2,), np.float32, s, low=2.0, high=1.0), RuntimeError, "low <= high"),
        (lambda s: random.uniform((2,), np.float32, s, low=-3e38, high=3e38), RuntimeError, "finite"),
        (lambda s: random.uniform((2,), np.float32, s, low=float("nan")), RuntimeError, "low <= high"),
        (lambda s: random.normal((2,), np.float32, s, std=-1.0), RuntimeError, "std -1.0"),
        (lambda s: random.integers((2,), s, 3, 3), RuntimeError, "low=3 >= high=3"),
        (lambda s: random.integers((2,), s, 0, 2**63 + 1), RuntimeError, "fit int64"),
        (lambda s: random.dropout(np.ones(2), 1.5, s), ValueError, "between 0 and 1, but got 1.5"),
        (lambda s: random.dropout(np.ones(2), 0.5, s, out=(np.ones(3), s.copy())), ValueError, r"\(3,\)"),
        (lambda s: random.dropout(np.ones(2), 0.5, s, out=(np.ones(2), np.ones(2))), TypeError, "used of dtype uint64"),
        (lambda s: random.dropout_backward(np.ones(2), -0.5, s), ValueError, "between 0 and 1, but got -0.5"),
        (lambda s: random.dropout(np.ones(2, np.int64), 0.5, s), TypeError, "got int64"),
        (lambda s: random.bernoulli(np.ones(2, np.int64), s), TypeError, "got int64"),
        (lambda s: random.uniform((2,), np.float32, s, out=np.empty(3, np.float32)), ValueError, r"\(3,\)"),
        (lambda s: random.uniform((2,), np.float32, s, out=np.empty(2)), TypeError, "float64"),
    ],
)
def test_errors_leave_the_state_alone(draw, error, message):
    state = new_state(17)
    with pytest.raises(error, match=message):
        draw(state)
    assert state.tolist() == [17, 0]
