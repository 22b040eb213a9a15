"""The optimiser updates: PyTorch's recorded steps, the NumPy twins, layouts, and independence of threads."""

import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_fr.kernels import _tables, _threads, optim, reference

FLOATS = [np.float32, np.float64]
SHAPES = st.sampled_from([(), (0,), (1,), (3,), (64,), (2, 3), (3, 5, 7)])
CASES = json.loads((Path(__file__).parents[1] / "golden" / "optim.json").read_text())["cases"]
GOLDEN = {name: case for name, case in CASES.items() if name.split()[0] in ("sgd", "adam", "adamw")}


def golden_gradient(step):
    return np.array([np.sin(1.3 * step + i) * (1 + 3 * (step % 7 == i)) for i in range(7)])


def sgd_stepper(lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False):
    hyper = np.array([lr, momentum, dampening, weight_decay])
    buf = np.full(7, np.nan) if momentum else None  # the first step must not read it

    def step(p, g, count):
        buffers = [buf] if momentum else []
        optim.sgd([p], [g], buffers, hyper, nesterov=nesterov, first=count == 1, maximize=maximize)

    return step


def adam_stepper(lr, decoupled, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, maximize=False):
    hyper = np.array([lr, *betas, eps, weight_decay])
    m, v, vmax = ([each] for each in np.zeros((3, 7)))

    def step(p, g, count):
        steps = [np.array(count - 1, np.float32)]
        options = {"decoupled": decoupled, "amsgrad": amsgrad, "maximize": maximize}
        optim.adam([p], [g], m, v, vmax if amsgrad else [], steps, hyper, **options)
        assert steps[0] == count

    return step


@pytest.mark.parametrize("name", GOLDEN)
def test_pytorchs_recorded_steps(name):
    case = GOLDEN[name]
    method = name.split()[0]
    if method == "sgd":
        take_step = sgd_stepper(case["lr"], **case["options"])
    else:
        take_step = adam_stepper(case["lr"], method == "adamw", **case["options"])
    p = np.cos(3.0 * np.arange(7))
    for count in range(1, 51):
        take_step(p, golden_gradient(count), count)
        if str(count) in case["p"]:
            np.testing.assert_allclose(p, case["p"][str(count)], rtol=1e-12, atol=1e-12)


# ---------------------------------------------------------------------------------------------------------------
# Against the twins.


def arrays_like(shape, dtype, number, seed=0):
    """A parameter and a gradient of normal draws, then states that are not negative."""
    rng = np.random.default_rng(seed)
    signed = [np.asarray(rng.standard_normal(shape), dtype) for _ in range(2)]
    return signed + [np.asarray(rng.random(shape), dtype) for _ in range(number - 2)]


def rows_like(shapes, number):
    """A row of arrays for each (shape, dtype)."""
    return [tuple(arrays_like(shape, dtype, number, seed)) for seed, (shape, dtype) in enumerate(shapes)]


def copied(rows):
    return [tuple(x.copy() for x in row) for row in rows]


def columns(rows, number):
    """The arrays of the rows as the functions take them: one list for each of their arguments."""
    return [[row[i] for row in rows] for i in range(number)]


def assert_same_update(update, rows):
    """``update(module, rows)`` leaves in every array what it leaves with the twin, and the gradients as they were."""
    ours, twins = copied(rows), copied(rows)
    update(optim, ours)
    update(reference, twins)
    for row, expected_row, before in zip(ours, twins, rows, strict=True):
        tolerance = 2e-6 if row[0].dtype == np.float32 else 1e-14
        for x, expected in zip(row, expected_row, strict=True):
            np.testing.assert_allclose(x, expected, rtol=tolerance, atol=tolerance)
        np.testing.assert_array_equal(row[1], before[1])


PARAMETERS = st.lists(st.tuples(SHAPES, st.sampled_from(FLOATS)), max_size=4)


@settings(deadline=None, max_examples=60)
@given(
    PARAMETERS,
    st.sampled_from([0.0, 0.9]),
    st.sampled_from([0.0, 0.3]),
    st.sampled_from([0.0, 0.1]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_sgd_is_its_twin(shapes, momentum, dampening, weight_decay, nesterov, first, maximize):
    hyper = np.array([0.1, momentum, dampening, weight_decay])

    def update(module, rows):
        module.sgd(*columns(rows, 3), hyper, nesterov=nesterov, first=first, maximize=maximize)

    assert_same_update(update, rows_like(shapes, 3))


@settings(deadline=None, max_examples=60)
@given(
    PARAMETERS,
    st.lists(st.sampled_from([0, 1, 999]), min_size=4, max_size=4),
    st.sampled_from(FLOATS),
    st.sampled_from([0.0, 0.1]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_adam_is_its_twin(shapes, counts, step_dtype, weight_decay, decoupled, amsgrad, maximize):
    hyper = np.array([0.01, 0.9, 0.999, 1e-8, weight_decay])
    counts = counts[: len(shapes)]

    def update(module, rows):
        steps = [np.array(count, step_dtype) for count in counts]
        options = {"decoupled": decoupled, "amsgrad": amsgrad, "maximize": maximize}
        module.adam(*columns(rows, 5), steps, hyper, **options)
        assert [step.item() for step in steps] == [count + 1 for count in counts]

    assert_same_update(update, rows_like(shapes, 5))


# ---------------------------------------------------------------------------------------------------------------
# Threads, layouts, special values, errors.

SGD_HYPER = np.array([0.1, 0.9, 0.1, 0.05])
ADAM_HYPER = np.array([0.01, 0.9, 0.999, 1e-8, 0.05])


def step_at_2():
    return [np.array(2.0)]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "sizes", [[_tables.PART - 1], [4 * _tables.PART + 3], [0, 100_001, 1, 0, 5, 2 * _tables.PART, 0]]
)
def test_threads_change_no_bit(dtype, sizes, monkeypatch):
    rows = rows_like([(size, dtype) for size in sizes], 5)
    for update in (
        lambda rows: optim.sgd(*columns(rows, 2), [], np.array([0.1, 0, 0, 0.1]), nesterov=False, first=False),
        lambda rows: optim.sgd(*columns(rows, 3), SGD_HYPER, nesterov=True, first=False),
        lambda rows: optim.adam(*columns(rows, 4), [], step_at_2() * len(rows), ADAM_HYPER, decoupled=False),
        lambda rows: optim.adam(*columns(rows, 5), step_at_2() * len(rows), ADAM_HYPER, decoupled=True, amsgrad=True),
    ):
        results = []
        for threaded in (False, True):
            monkeypatch.undo()
            pool = _tables.pool_for(1 << 30) if threaded else _threads.ALONE
            monkeypatch.setattr(_tables, "pool_for", lambda *_, pool=pool: pool)
            results.append(copied(rows))
            update(results[-1])
        for one, many in zip(*results, strict=True):
            for x, y in zip(one, many, strict=True):
                np.testing.assert_array_equal(x, y)


def updates(arrays):
    p, g, m, v, vmax = ([x] for x in arrays)
    optim.sgd(p, g, m, SGD_HYPER, nesterov=True, first=False)
    optim.adam(p, g, m, v, [], step_at_2(), ADAM_HYPER, decoupled=True)
    optim.adam(p, g, m, v, vmax, step_at_2(), ADAM_HYPER, decoupled=False, amsgrad=True)


@pytest.mark.parametrize("view", [lambda x: x.T, lambda x: x[::-1, ::2], lambda x: x[:, 1:]])
def test_any_layout_is_updated_in_place(view):
    arrays = arrays_like((4, 6), np.float64, 5)
    strided = [view(x) for x in arrays]
    expected = [x.copy() for x in strided]
    updates(expected)
    updates(strided)
    for x, y in zip(strided, expected, strict=True):
        np.testing.assert_array_equal(x, y)
        assert x.base is not None


def test_a_read_only_gradient():
    p, g, buf = arrays_like((3, 4), np.float32, 3)
    read_only = np.broadcast_to(g[0], (3, 4))
    same = [p.copy(), read_only.copy(), buf.copy()]
    optim.sgd([p], [read_only], [buf], SGD_HYPER, nesterov=False, first=False)
    optim.sgd(*[[x] for x in same], SGD_HYPER, nesterov=False, first=False)
    np.testing.assert_array_equal(p, same[0])


def test_nan_and_infinity_pass_through():
    g = np.array([np.nan, np.inf, -np.inf, 0.0])
    p, m, v = np.zeros((3, 4))
    with np.errstate(invalid="ignore"):
        optim.adam([p], [g], [m], [v], [], [np.array(0.0)], ADAM_HYPER, decoupled=True)
    assert np.isnan(p).tolist() == [True, True, True, False]
    p, buf = np.zeros((2, 4))
    optim.sgd([p], [g], [buf], SGD_HYPER, nesterov=False, first=True)
    np.testing.assert_array_equal(p, [np.nan, -np.inf, np.inf, 0.0])


def test_amsgrad_keeps_nan_in_its_maximum():
    p, m, v, vmax = np.ones((4, 3))
    g = np.array([0.0, np.nan, 0.0])
    optim.adam([p], [g], [m], [v], [vmax], step_at_2(), ADAM_HYPER, decoupled=True, amsgrad=True)
    assert np.isnan(vmax).tolist() == [False, True, False]


def test_sgd_without_momentum_ignores_the_buffer_and_dampening():
    p, g, buf = arrays_like(5, np.float64, 3)
    expected, kept = p - 0.1 * g, buf.copy()
    optim.sgd([p], [g], [buf], np.array([0.1, 0.0, 0.5, 0.0]), nesterov=False, first=False)
    np.testing.assert_allclose(p, expected, rtol=1e-15)
    np.testing.assert_array_equal(buf, kept)


def adam_of(*row, hyper=ADAM_HYPER, step=None, **options):
    steps = step_at_2() if step is None else [step]
    optim.adam(*columns([(np.ones(3),) * 4, row], 4), [], step_at_2() + steps, hyper, decoupled=False, **options)


def sgd_of(p, g, *buf, hyper=SGD_HYPER):
    optim.sgd([p], [g], list(buf), hyper, nesterov=False, first=True)


@pytest.mark.parametrize(
    ("update", "error", "message"),
    [
        (lambda x: sgd_of(x, x), ValueError, "no momentum buffer"),
        (lambda x: sgd_of(x, x, x, hyper=ADAM_HYPER), ValueError, r"hyper of shape \(4,\)"),
        (lambda x: adam_of(x, x, x, x, hyper=ADAM_HYPER.astype(np.float32)), ValueError, "float64, got .* float32"),
        (lambda x: adam_of(x, x, x, x, step=np.zeros(2)), TypeError, r"count of steps.* float64 \(2,\)"),
        (lambda x: adam_of(x, x, x, x, step=np.zeros((), np.int64)), TypeError, "count of steps.* got int64"),
        (lambda x: adam_of(x, x, x, x, amsgrad=True), ValueError, "amsgrad needs vmax"),
        (lambda x: adam_of(x, x[:2], x, x), ValueError, r"gradient of shape \(3,\).* got \(2,\)"),
        (lambda x: adam_of(x, x.astype(np.float32), x, x), ValueError, "gradient of .* float64.* float32"),
        (lambda x: adam_of(x, x, x, x[:2]), ValueError, r"state of shape \(3,\).* got \(2,\)"),
        (lambda x: adam_of(*[x.astype(np.int64)] * 4), TypeError, "float32 or float64, got int64"),
    ],
)
def test_errors_change_nothing(update, error, message):
    x = np.ones(3)
    with pytest.raises(error, match=message):
        update(x)
    np.testing.assert_array_equal(x, 1)


SECOND_RUN = """
import numpy as np
from tinygrad_fr.kernels import _jit, optim, random
x = [np.ones(100_000) for _ in range(5)]
state = np.zeros(2, np.uint64)
random.dropout(random.normal((100_000,), np.float64, state), 0.5, state)
random.permutation(10, state)
optim.adam(*[[each] for each in x[:4]], [], [np.array(1.0)], np.array([0.1, 0.9, 0.99, 1e-8, 0.0]), decoupled=True)
optim.sgd(*[[each] for each in x[:3]], np.array([0.1, 0.9, 0.0, 0.0]), nesterov=False, first=True)
print(_jit.compilation.count)
"""


def test_a_second_run_compiles_nothing():
    environment = {**os.environ, "TINYGRAD_FR_QUIET": "1"}
    run = [subprocess.check_output([sys.executable, "-c", SECOND_RUN], env=environment, text=True) for _ in range(2)]
    assert run[1].split()[-1] == "0"


@pytest.mark.parametrize("dtype", FLOATS)
def test_averages_of_a_gradient_that_stays_zero_come_to_zero(dtype):
    """They would else stay at subnormal numbers for ever, and each step would take many times longer."""
    smallest = np.finfo(dtype).smallest_subnormal
    p, g, m, v = np.ones(33, dtype), np.zeros(33, dtype), np.full(33, 5 * smallest), np.full(33, 5 * smallest)
    hyper = np.array([0.1, 0.9, 0.999, 1e-8, 0])
    optim.adam([p], [g], [m], [v], [], [np.array(9.0, np.float32)], hyper, decoupled=False)
    assert not m.any()
    assert not v.any()
    assert (p == 1).all()
    velocity = np.full(33, 5 * smallest)
    optim.sgd([p], [g], [velocity], np.array([0.1, 0.9, 0, 0]), nesterov=False, first=False)
    assert not velocity.any()
    assert (np.full(33, 4 * smallest) / dtype(2) == 2 * smallest).all()  # elsewhere they are numbers as before


def test_a_launch_is_kept_while_the_arrays_are_the_same():
    launch = _tables.Launch()
    p, g, expected = np.ones(5), np.ones(5), np.ones(5)
    for count in range(4):
        if count == 2:
            p = p.copy()  # another array in its place
        g = g + 1  # the gradient is another each time
        optim.sgd([p], [g], [], np.array([0.1, 0, 0, 0]), nesterov=False, first=False, launch=launch)
        expected -= 0.1 * g
    np.testing.assert_allclose(p, expected, rtol=1e-15)


def test_a_copy_of_a_launch_knows_nothing_of_the_arrays():
    launch = _tables.Launch()
    optim.sgd([np.ones(5)], [np.ones(5)], [], np.array([0.1, 0, 0, 0]), nesterov=False, first=False, launch=launch)
    for copied in (copy.copy(launch), copy.deepcopy(launch), pickle.loads(pickle.dumps(launch))):
        assert vars(copied) == vars(_tables.Launch())
