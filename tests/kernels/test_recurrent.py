"""Layers over whole sequences against their NumPy twins: packed or not, in both directions, on any threads."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import recurrent, reference
from tinygrad_fr.kernels._launch import collect
from tinygrad_fr.kernels._threads import MOST_THREADS, get_num_threads, set_num_threads
from tinygrad_fr.kernels.program import Program

from .strategies import DTYPES, in_layout, layouts

MODES = tuple(recurrent.GATES)
every_mode = pytest.mark.parametrize("mode", MODES)


def draw_arguments(rng, dtype, mode, sizes, features, hidden, scale=0.7):
    """x, h, c, w_ih, w_hh, b_ih, b_hh."""
    rows = recurrent.GATES[mode] * hidden
    state = sizes[0], hidden
    shapes = [(sum(sizes), features), state, state, (rows, features), (rows, hidden), (rows,), (rows,)]
    arrays = [(scale * rng.standard_normal(shape)).astype(dtype) for shape in shapes]
    return [*arrays[:2], arrays[2] if mode == "LSTM" else None, *arrays[3:]]


@st.composite
def sequences(draw):
    """How many sequences have each step: few or enough for tiles of many rows, all of one length or not."""
    first = draw(st.sampled_from((0, 1, 2, 3, 5, 8, 17, 33)))
    steps = draw(st.integers(1, 5))
    if draw(st.booleans()):
        return (first,) * steps
    return tuple(sorted([first, *[draw(st.integers(0, first)) for _ in range(steps - 1)]], reverse=True))


@st.composite
def calls(draw):
    """Arguments with some of them absent, options, and a gradient of the result."""
    mode, dtype, sizes = draw(st.sampled_from(MODES)), draw(st.sampled_from(DTYPES)), draw(sequences())
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    features, hidden = draw(st.sampled_from((0, 1, 3, 20))), draw(st.sampled_from((1, 4, 9, 40)))
    x, h, c, w_ih, w_hh, b_ih, b_hh = draw_arguments(rng, dtype, mode, sizes, features, hidden)
    x = in_layout(x, draw(layouts))
    if draw(st.booleans()):
        h = c = None
    if draw(st.booleans()):
        b_ih = b_hh = None
    options = {"mode": mode, "sizes": sizes, "backwards": draw(st.booleans())}
    rows = sum(sizes) + (2 if mode == "LSTM" else 1) * sizes[0]
    return (x, h, c, w_ih, w_hh, b_ih, b_hh), options, rng.standard_normal((rows, hidden)).astype(dtype)


def assert_close(found, expected):
    for one, other in zip(found, expected, strict=True):
        if other is None:
            assert one is None
            continue
        assert (one.shape, one.dtype) == (other.shape, other.dtype)
        tolerance = 2e4 * np.finfo(other.dtype).eps
        scale = np.abs(other).max(initial=1)
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * scale)


def backward_of(arguments, kept, options, g, **more):
    x, _, _, w_ih, w_hh, _, _ = arguments
    needs = tuple(each is not None for each in arguments)
    return recurrent.recurrence_backward(g, x, w_ih, w_hh, *kept, **options, needs=needs, **more)


@given(calls())
def test_forward_and_backward(drawn):
    arguments, options, g = drawn
    copies = [None if each is None else each.copy() for each in arguments]
    found = recurrent.recurrence(*arguments, **options)
    expected = reference.recurrence(*arguments, **options)
    assert_close(found, expected)
    x, _, _, w_ih, w_hh, _, _ = arguments
    needs = tuple(each is not None for each in arguments)
    gradients = backward_of(arguments, found, options, g)
    assert_close(gradients, reference.recurrence_backward(g, x, w_ih, w_hh, *expected, **options, needs=needs))
    for one, other in zip(arguments, copies, strict=True):
        np.testing.assert_array_equal(one, other)


@given(st.sampled_from(MODES), st.lists(st.booleans(), min_size=7, max_size=7), st.sampled_from((3, 9)))
def test_only_the_gradients_that_are_wanted(mode, needs, samples):
    needs = tuple(need and (i != 2 or mode == "LSTM") for i, need in enumerate(needs))
    rng, sizes = np.random.default_rng(0), (samples, samples)
    arguments = draw_arguments(rng, np.float32, mode, sizes, 4, 5)
    options = {"mode": mode, "sizes": sizes, "backwards": False}
    kept = recurrent.recurrence(*arguments, **options)
    x, _, _, w_ih, w_hh, _, _ = arguments
    g = rng.standard_normal(kept[0].shape).astype(np.float32)
    found = recurrent.recurrence_backward(g, x, w_ih, w_hh, *kept, **options, needs=needs)
    assert_close(found, reference.recurrence_backward(g, x, w_ih, w_hh, *kept, **options, needs=needs))


SHAPES = {
    "alike": (40,) * 3,
    "packed": (70, 41, 40, 7, 1),
    "few": (5, 5, 3),
    "one": (1, 1, 1),
}


@pytest.mark.parametrize("sizes", SHAPES.values(), ids=SHAPES.keys())
@every_mode
def test_the_same_bits_for_any_number_of_threads(mode, sizes):
    rng, before = np.random.default_rng(0), get_num_threads()
    arguments = draw_arguments(rng, np.float32, mode, sizes, 33, 70)
    options = {"mode": mode, "sizes": sizes, "backwards": True}
    results = []
    try:
        for threads in {1, 2, MOST_THREADS}:
            set_num_threads(min(threads, MOST_THREADS))
            kept = recurrent.recurrence(*arguments, **options)
            results.append([*kept, *backward_of(arguments, kept, options, kept[0])])
    finally:
        set_num_threads(before)
    for others in results[1:]:
        for one, other in zip(results[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


@every_mode
def test_weights_too_large_to_stay_near(mode, monkeypatch):
    """The two ways of computing what the input contributes agree."""
    sizes = (9, 9, 2)
    arguments = draw_arguments(np.random.default_rng(0), np.float64, mode, sizes, 5, 6)
    run = partial(recurrent.recurrence, *arguments, mode=mode, sizes=sizes, backwards=False)
    near = run()
    monkeypatch.setattr(recurrent, "NEAR", 0)
    assert_close(near, run())


@every_mode
def test_no_features(mode):
    """Nothing is left of what the memory for the results held."""
    options = {"mode": mode, "sizes": (9, 9, 2), "backwards": False}
    arguments = draw_arguments(np.random.default_rng(0), np.float32, mode, options["sizes"], 0, 6)
    expected = reference.recurrence(*arguments, **options)
    out = tuple(np.full_like(each, np.nan) for each in expected)
    assert_close(recurrent.recurrence(*arguments, **options, out=out), expected)


def test_no_step_has_fewer_sequences_than_none():
    arguments = draw_arguments(np.random.default_rng(0), np.float32, "GRU", (3, -1), 2, 2)
    with pytest.raises(ValueError, match="less than none"):
        recurrent.recurrence(*arguments, mode="GRU", sizes=(3, -1), backwards=False)


@every_mode
def test_nan_stays(mode):
    arguments = draw_arguments(np.random.default_rng(0), np.float32, mode, (2, 2), 3, 4)
    arguments[0][1] = np.nan
    result = recurrent.recurrence(*arguments, mode=mode, sizes=(2, 2), backwards=False)[0]
    assert np.isnan(result[[1, 3]]).all()
    assert np.isfinite(result[[0, 2]]).all()


@every_mode
def test_launches_alone(mode):
    """With arrays to write to, both directions of the derivative are launches that a program can repeat."""
    sizes = (10, 10, 4)
    arguments = draw_arguments(np.random.default_rng(0), np.float32, mode, sizes, 3, 5)
    options = {"mode": mode, "sizes": sizes, "backwards": False}
    kept = recurrent.recurrence(*arguments, **options)
    gradients = backward_of(arguments, kept, options, kept[0])
    own = [np.full_like(each, 7) for each in kept]
    out = [None if each is None else np.full_like(each, 7) for each in arguments]
    with collect() as launches:
        found = recurrent.recurrence(*arguments, **options, out=own)
        assert all(one is other for one, other in zip(found, own, strict=True))
        found = backward_of(arguments, own, options, own[0], out=out)
        assert all(one is other for one, other in zip(found, out, strict=True))
    Program(launches).run()
    for one, other in zip([*own, *out], [*kept, *gradients], strict=True):
        np.testing.assert_array_equal(one, other)
