"""The updates of adaptive.py and moments.py: the NumPy twins, special values, layouts, and independence of threads.

PyTorch's recorded steps are compared in tests/optim.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_fr.kernels import _tables, _threads, adaptive, moments, reference

FLOATS = [np.float32, np.float64]
SHAPES = st.sampled_from([(), (0,), (1,), (3,), (64,), (2, 3), (3, 5, 7)])

# The function, how many states like the parameter, how many of one number, hyper, whether it can be decoupled
METHODS = {
    "adagrad": (adaptive.adagrad, 1, 1, [0.1, 0.01, 0.05, 1e-8], False),
    "rmsprop": (adaptive.rmsprop, 3, 1, [0.1, 0.9, 1e-2, 0.05, 0.8], False),
    "adadelta": (adaptive.adadelta, 2, 1, [0.5, 0.9, 1e-4, 0.05], False),
    "rprop": (adaptive.rprop, 2, 1, [0.5, 1.2, 1e-3, 0.5], False),
    "asgd": (adaptive.asgd, 1, 3, [0.1, 1e-2, 0.75, 3.0, 0.05], False),
    "adamax": (moments.adamax, 2, 1, [0.1, 0.9, 0.999, 1e-4, 0.05], False),
    "nadam": (moments.nadam, 2, 2, [0.01, 0.9, 0.999, 1e-4, 0.05, 4e-3], True),
    "radam": (moments.radam, 2, 1, [0.01, 0.9, 0.999, 1e-4, 0.05], True),
}


def arrays(name, shape, dtype, seed=0):
    """A parameter and a gradient of normal draws, states that are not negative; one for each, for a method."""
    _, states, *_ = METHODS[name]
    rng = np.random.default_rng(seed)
    p, g = (np.asarray(rng.standard_normal(shape), dtype) for _ in range(2))
    likes = [np.asarray(rng.random(shape), dtype) for _ in range(states)]
    if name == "rmsprop":  # the square of a mean is at most the mean of the squares
        likes[0] = np.asarray(likes[0] + 1, dtype)
    return [p, g, *likes]


def numbers(name, step, dtype):
    """The states of one number: the count of steps, and others between 0 and 1."""
    return [np.array(value, dtype) for value in (step, 0.5, 0.25)[: METHODS[name][2]]]


def columns(rows):
    return [list(column) for column in zip(*rows, strict=True)]


def run(module, name, rows, hyper=None, **options):
    """One step of a method on rows of arrays, by the kernels or by their twins."""
    function, _, _, usual, can_be_decoupled = METHODS[name]
    function = function if module is None else getattr(module, name)
    if can_be_decoupled:
        options.setdefault("decoupled", False)
    function(*columns(rows), np.array(usual if hyper is None else hyper), **options)


def copied(rows):
    return [[x.copy() for x in row] for row in rows]


@pytest.mark.parametrize("name", METHODS)
@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.tuples(SHAPES, st.sampled_from(FLOATS)), min_size=1, max_size=4),
    st.sampled_from([0.0, 1.0, 7.0, 1000.0]),
    st.sampled_from(FLOATS),
    st.booleans(),
    st.booleans(),
)
def test_same_as_the_twin(name, shapes, step, number, maximize, decoupled):
    rows = [
        [*arrays(name, shape, dtype, seed), *numbers(name, step, number)] for seed, (shape, dtype) in enumerate(shapes)
    ]
    ours, twins = copied(rows), copied(rows)
    options = {"maximize": maximize} | ({"decoupled": decoupled} if METHODS[name][4] else {})
    run(None, name, ours, **options)
    run(reference, name, twins, **options)
    for row, expected, before in zip(ours, twins, rows, strict=True):
        for x, y in zip(row, expected, strict=True):
            tolerance = 1e-5 if np.float32 in (x.dtype, number) else 1e-13
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)
        np.testing.assert_array_equal(row[1], before[1])
        assert row[-METHODS[name][2]] == step + 1


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("centered", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_rmsprop_with_and_without_its_states(dtype, centered, momentum):
    results = []
    for module in (adaptive, reference):
        p, g, square, mean, velocity = arrays("rmsprop", (3, 50), dtype)
        hyper = np.array([0.1, 0.9, 1e-2, 0.0, momentum])
        mean, velocity = [mean] * centered, [velocity] * (momentum > 0)
        module.rmsprop([p], [g], [square], mean, velocity, [np.array(0.0)], hyper)
        results.append([p, square, *mean, *velocity])
    for x, y in zip(*results, strict=True):
        tolerance = 1e-5 if dtype == np.float32 else 1e-13
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("sizes", [[4 * _tables.PART + 3], [0, 100_001, 1, 0, 2 * _tables.PART]])
def test_threads_change_no_bit(name, sizes, monkeypatch):
    rows = [[*arrays(name, size, np.float32, size), *numbers(name, 3, np.float32)] for size in sizes]
    results = []
    for threaded in (False, True):
        monkeypatch.undo()
        pool = _tables.pool_for(1 << 30) if threaded else _threads.ALONE
        monkeypatch.setattr(_tables, "pool_for", lambda *_, pool=pool: pool)
        results.append(copied(rows))
        run(None, name, results[-1])
    for one, many in zip(*results, strict=True):
        for x, y in zip(one, many, strict=True):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("view", [lambda x: x.T, lambda x: x[::-1, ::2]])
def test_any_layout_is_updated_in_place(name, view):
    full = arrays(name, (4, 6), np.float64)
    strided = [view(x) for x in full]
    expected = [x.copy() for x in strided]
    for row in (strided, expected):
        run(None, name, [[*row, *numbers(name, 2, np.float64)]])
    for x, y in zip(strided, expected, strict=True):
        np.testing.assert_array_equal(x, y)
        assert x.base is not None


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_nan_passes_through_and_touches_nothing_else(name, dtype):
    row = [*arrays(name, (40,), dtype), *numbers(name, 9, dtype)]
    clean = copied([row])[0]
    row[1][7] = np.nan
    for each in (row, clean):
        run(None, name, [each])
    assert np.flatnonzero(np.isnan(row[0])).tolist() == [7]
    for x, y in zip(row, clean, strict=True):
        if x.size > 1:
            np.testing.assert_array_equal(np.delete(x, 7), np.delete(y, 7))
    row[1][7] = 1.0
    run(None, name, [row])
    assert np.isnan(row[0][7])


def test_largest_of_adamax_keeps_nan():
    p, mean, largest = np.ones((3, 3))
    largest[1] = np.nan
    moments.adamax([p], [np.ones(3)], [mean], [largest], [np.array(1.0)], np.array([0.1, 0.9, 0.9, 1e-8, 0]))
    assert np.isnan(largest).tolist() == [False, True, False]


@pytest.mark.parametrize("name", METHODS)
def test_a_wrong_number_of_options_is_refused(name):
    row = [*arrays(name, 3, np.float64), *numbers(name, 2, np.float64)]
    before = copied([row])[0]
    with pytest.raises(ValueError, match="expected hyper of shape"):
        run(None, name, [row], hyper=[0.1, 0.9])
    for x, y in zip(row, before, strict=True):
        np.testing.assert_array_equal(x, y)


def test_other_numbers_than_one_float_are_refused():
    x = np.ones(3)
    hyper = np.array([0.1, 1e-2, 0.75, 3.0, 0.05])
    with pytest.raises(TypeError, match="one float32 or float64, got int64"):
        adaptive.asgd([x], [x], [x], [np.array(0.0)], [np.array(1)], [np.array(1.0)], hyper)
    assert (x == 1).all()
