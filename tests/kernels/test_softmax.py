"""Softmax, log-softmax and cross-entropy against their NumPy twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import reference, softmax
from tinygrad_fr.kernels._launch import collect
from tinygrad_fr.kernels._threads import MOST_THREADS, get_num_threads, set_num_threads
from tinygrad_fr.kernels.program import Program

from .strategies import DTYPES, arrays, assert_close, dtypes, empty_in_layout, layouts, shapes

REDUCTIONS = ("none", "mean", "sum")
writable_layouts = layouts.filter(lambda layout: layout != "read-only")


def twin(name, *arguments, **options):
    with np.errstate(all="ignore"):
        return getattr(reference, name)(*arguments, **options)


@st.composite
def with_axis(draw, count=1, **options):
    """``count`` arrays of one shape and dtype, and an axis of theirs."""
    shape, dtype = draw(shapes()), draw(dtypes)
    axes = max(len(shape), 1)
    return *(draw(arrays(shape, dtype, **options)) for _ in range(count)), draw(st.integers(-axes, axes - 1))


@st.composite
def classified(draw, special=True):
    """Scores (N, C), targets with some ignored, and the index that means so."""
    n, columns = draw(st.integers(0, 5)), draw(st.integers(1, 6) | st.just(70))
    ignore_index = draw(st.sampled_from((-100, 0, 1)))
    target = draw(st.lists(st.integers(0, columns - 1) | st.just(ignore_index), min_size=n, max_size=n))
    return draw(arrays((n, columns), special=special)), np.array(target, np.int64), ignore_index


@given(with_axis(), st.sampled_from(("softmax", "log_softmax")))
def test_forward(drawn, name):
    x, dim = drawn
    before = x.copy()
    result = getattr(softmax, name)(x, dim)
    # Softmax is exact to steps of 1, its logarithm to steps of the largest difference.
    with np.errstate(all="ignore"):
        spread = np.abs(np.where(np.isfinite(x), x, 0).astype(np.float64)).max(initial=0)
    assert_close(result, twin(name, x, dim), tolerance=8, scale=1.0 if name == "softmax" else 1.0 + spread)
    np.testing.assert_array_equal(x, before)


@given(with_axis(2, special=False), st.sampled_from(("softmax", "log_softmax")))
def test_backward(drawn, name):
    g, x, dim = drawn
    y = twin(name, x, dim)
    before = g.copy(), y.copy()
    result = getattr(softmax, f"{name}_backward")(g, y, dim)
    assert_close(result, twin(f"{name}_backward", g, y, dim), scale=20.0 * (1 + max(g.shape, default=1)))
    np.testing.assert_array_equal(g, before[0])
    np.testing.assert_array_equal(y, before[1])


@given(with_axis(2), st.sampled_from(("softmax", "log_softmax")), writable_layouts)
def test_out_of_any_layout_and_in_place(drawn, name, layout):
    g, x, dim = drawn
    forward, backward = getattr(softmax, name), getattr(softmax, f"{name}_backward")
    y = forward(x, dim)
    out = empty_in_layout(x.shape, x.dtype, layout)
    assert forward(x, dim, out=out) is out
    np.testing.assert_array_equal(out, y)
    in_place = x.copy()
    np.testing.assert_array_equal(forward(in_place, dim, out=in_place), y)

    expected = backward(g, y, dim)
    assert backward(g, y, dim, out=out) is out
    np.testing.assert_array_equal(out, expected)
    g_copy, y_copy = g.copy(), y.copy()
    np.testing.assert_array_equal(backward(g_copy, y, dim, out=g_copy), expected)
    np.testing.assert_array_equal(backward(g, y_copy, dim, out=y_copy), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_with_infinities_and_nan(dtype):
    """As PyTorch's: only -inf beside a finite number has a meaning."""
    inf, nan = np.inf, np.nan
    x = np.array([[inf, 1], [nan, 1], [1, nan], [-inf, -inf], [-inf, 3], [1e30, -1e30]], dtype)
    expected = np.array([[nan, nan]] * 4 + [[0, 1], [1, 0]], dtype)
    np.testing.assert_array_equal(softmax.softmax(x, 1), expected)
    np.testing.assert_array_equal(softmax.softmax(x.T, 0), expected.T)
    logs = softmax.log_softmax(x, 1)
    np.testing.assert_array_equal(logs[:5], np.array([[nan, nan]] * 4 + [[-inf, 0]], dtype))
    loss, lse = softmax.cross_entropy(x, np.array([0, 0, 0, 0, 0, 0]), reduction="none")
    np.testing.assert_array_equal(loss, [nan, nan, nan, nan, inf, 0])
    np.testing.assert_array_equal(lse[:5], np.array([inf, nan, nan, -inf, 3]) * [nan, 1, 1, nan, 1])


@pytest.mark.parametrize("shape", [(1, 5000), (3, 2049), (700, 7), (2, 300, 11)])
def test_more_than_one_block(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for dim in range(len(shape)):
        assert_close(softmax.softmax(x, dim), twin("softmax", x, dim), tolerance=16)
        assert_close(softmax.log_softmax(x, dim), twin("log_softmax", x, dim), scale=8.0)
        y = twin("log_softmax", x, dim)
        expected = twin("log_softmax_backward", x, y, dim)
        assert_close(softmax.log_softmax_backward(x, y, dim), expected, scale=shape[dim])


@given(classified(special=False), st.sampled_from(REDUCTIONS))
def test_cross_entropy(drawn, reduction):
    x, target, ignore_index = drawn
    before = x.copy()
    options = {"reduction": reduction, "ignore_index": ignore_index}
    loss, lse = softmax.cross_entropy(x, target, **options)
    expected_loss, expected_lse = twin("cross_entropy", x, target, **options)
    assert_close(loss, expected_loss, scale=100.0 * max(len(x), 1))
    assert_close(lse, expected_lse, scale=40.0)

    g = np.asarray(np.random.default_rng(0).standard_normal(loss.shape)).astype(x.dtype)
    result = softmax.cross_entropy_backward(g, x, target, lse, **options)
    assert_close(result, twin("cross_entropy_backward", g, x, target, lse, **options), scale=100.0)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("shape", [(130, 10), (64, 32), (65, 33), (3, 3000), (1, 1)])
def test_cross_entropy_of_many_rows_or_columns(shape):
    """More rows than go side by side, and columns on both sides of where the method changes."""
    random = np.random.default_rng(0)
    x = random.standard_normal(shape).astype(np.float32)
    target = random.integers(0, shape[1], shape[0])
    loss, lse = softmax.cross_entropy(x, target, reduction="none")
    expected_loss, expected_lse = twin("cross_entropy", x, target, reduction="none")
    assert_close(loss, expected_loss, scale=10.0)
    assert_close(lse, expected_lse, scale=10.0)
    for reduction in ("mean", "sum"):
        total, _ = softmax.cross_entropy(x, target, reduction=reduction)
        assert_close(total, twin("cross_entropy", x, target, reduction=reduction)[0])
    g = np.float32(0.5).reshape(())
    gradient = softmax.cross_entropy_backward(g, x, target, lse)
    assert_close(gradient, twin("cross_entropy_backward", g, x, target, lse), scale=1.0 / len(x))


@given(classified(), st.sampled_from(REDUCTIONS), writable_layouts)
def test_cross_entropy_into_out(drawn, reduction, layout):
    x, target, ignore_index = drawn
    options = {"reduction": reduction, "ignore_index": ignore_index}
    loss, lse = softmax.cross_entropy(x, target, **options)
    out = empty_in_layout(loss.shape, x.dtype, layout), empty_in_layout(lse.shape, x.dtype, layout)
    result = softmax.cross_entropy(x, target, **options, out=out)
    assert result[0] is out[0]
    assert result[1] is out[1]
    np.testing.assert_array_equal(out[0], loss)
    np.testing.assert_array_equal(out[1], lse)

    gradient = softmax.cross_entropy_backward(loss, x, target, lse, **options)
    out = empty_in_layout(x.shape, x.dtype, layout)
    assert softmax.cross_entropy_backward(loss, x, target, lse, **options, out=out) is out
    np.testing.assert_array_equal(out, gradient)
    in_place = x.copy()
    softmax.cross_entropy_backward(loss, in_place, target, lse, **options, out=in_place)
    np.testing.assert_array_equal(in_place, gradient)


def test_strided_targets():
    x = np.random.default_rng(0).standard_normal((4, 3))
    target = np.array([0, 9, 1, 9, 2, 9, 0, 9])[::2]
    target.flags.writeable = False
    assert_close(softmax.cross_entropy(x, target)[0], twin("cross_entropy", x, target)[0])


def test_cross_entropy_of_no_rows():
    """As in PyTorch: the mean of nothing is NaN, the sum 0, and ignored rows have no gradient."""
    empty = np.zeros((0, 3), np.float32), np.zeros(0, np.int64)
    assert np.isnan(softmax.cross_entropy(*empty)[0])
    assert softmax.cross_entropy(*empty, reduction="sum")[0] == 0
    x, ignored = np.ones((2, 3), np.float32), np.array([-100, -100])
    loss, lse = softmax.cross_entropy(x, ignored)
    assert np.isnan(loss)
    np.testing.assert_array_equal(softmax.cross_entropy_backward(np.ones((), np.float32), x, ignored, lse), 0 * x)


@pytest.mark.parametrize(("dtype", "gap"), [(np.float32, 10.0), (np.float64, 30.0)])
@pytest.mark.parametrize("columns", [2, 100])
def test_small_losses_are_not_lost(dtype, gap, columns):
    """log(1 + exp(-gap)) must not vanish beside the size of x."""
    x = np.full((1, columns), -np.inf, dtype)
    x[0, :2] = 1000, 1000 - gap
    for reduction in REDUCTIONS:
        loss, _ = softmax.cross_entropy(x, np.array([0]), reduction=reduction)
        assert loss.item() == pytest.approx(np.log1p(np.exp(-gap)), rel=0.01)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [12, 3, -1, -99, 2**62, -(2**63)])
def test_a_target_that_is_no_class(dtype, bad):
    x = np.zeros((4, 3), dtype)
    target = np.array([0, 1, bad, bad + 1 if bad < 0 else bad - 1])
    with pytest.raises(IndexError, match=f"Target {bad} is out of bounds.*0 to 2.*row 2 of 4"):
        softmax.cross_entropy(x, target)
    with pytest.raises(IndexError, match=f"Target {bad} is out of bounds.*0 to 2.*row 2 of 4"):
        softmax.cross_entropy_backward(np.ones((), dtype), x, target, np.zeros(4, dtype))


def test_bad_arguments():
    x, target = np.zeros((2, 3), np.float32), np.array([0, 1])
    lse, g = np.zeros(2, np.float32), np.ones((), np.float32)
    with pytest.raises(ValueError, match=r"batch_size \(2\) to match target batch_size \(3\)"):
        softmax.cross_entropy(x, np.array([0, 1, 2]))
    with pytest.raises(ValueError, match=r"got \(3,\) and \(2,\)"):
        softmax.cross_entropy(x[0], target)
    with pytest.raises(TypeError, match=r"int64.*got int32"):
        softmax.cross_entropy(x, target.astype(np.int32))
    with pytest.raises(TypeError, match="int64"):
        softmax.cross_entropy(x.astype(np.int64), target)
    with pytest.raises(ValueError, match="'average' is not a valid value for reduction"):
        softmax.cross_entropy(x, target, reduction="average")
    with pytest.raises(ValueError, match=r"g of shape \(2,\)"):
        softmax.cross_entropy_backward(g, x, target, lse, reduction="none")
    with pytest.raises(ValueError, match=r"lse of shape \(2,\).*got \(\) and \(1,\)"):
        softmax.cross_entropy_backward(g, x, target, lse[:1])
    with pytest.raises(TypeError, match="one dtype, got float64, float32 and float32"):
        softmax.cross_entropy_backward(np.ones(()), x, target, lse)
    with pytest.raises(ValueError, match=r"loss of shape \(\), got \(2,\)"):
        softmax.cross_entropy(x, target, out=(lse, lse))
    with pytest.raises(IndexError, match=r"range of \[-2, 1\], but got 2"):
        softmax.softmax(x, 2)
    with pytest.raises(ValueError, match=r"g and y of one shape"):
        softmax.softmax_backward(x, x[:1], 0)
    with pytest.raises(TypeError, match="float32 or float64, got int64"):
        softmax.softmax(target, 0)
    with pytest.raises(ValueError, match=r"out of shape \(2, 3\)"):
        softmax.log_softmax(x, 1, out=lse)


@pytest.mark.parametrize("shape", [(9000, 10), (100, 800)])
def test_the_same_bits_on_any_number_of_threads(shape):
    random = np.random.default_rng(0)
    x = random.standard_normal(shape, np.float32)
    target = random.integers(0, shape[1], shape[0])
    target[::7] = -100
    g, rows = np.ones((), np.float32), np.ones(shape[0], np.float32)

    def everything():
        y, logs = softmax.softmax(x, 1), softmax.log_softmax(x, 1)
        loss, lse = softmax.cross_entropy(x, target)
        yield from (y, logs, loss, lse, softmax.softmax_backward(x, y, 1), softmax.log_softmax_backward(x, logs, 1))
        yield softmax.cross_entropy_backward(g, x, target, lse)
        yield softmax.cross_entropy_backward(rows, x, target, lse, reduction="none")

    together, before = list(everything()), get_num_threads()
    try:
        set_num_threads(1)
        alone = list(everything())
    finally:
        set_num_threads(before)
    for each, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(each.view(np.int32), other.view(np.int32))


@pytest.mark.parametrize("shape", [(64, 10, 700), (3, 1500, 70), (700, 30, 4)])
def test_columns_have_the_same_bits_on_any_number_of_threads(shape):
    random = np.random.default_rng(0)
    x, g = random.standard_normal((2, *shape), np.float32)
    found, before = [], get_num_threads()
    try:
        for threads in (1, MOST_THREADS):
            set_num_threads(threads)
            y, logs = softmax.softmax(x, 1), softmax.log_softmax(x, 1)
            found.append((y, logs, softmax.softmax_backward(g, y, 1), softmax.log_softmax_backward(g, logs, 1)))
    finally:
        set_num_threads(before)
    for one, other in zip(*found, strict=True):
        assert one.tobytes() == other.tobytes()
    np.testing.assert_allclose(found[0][0], reference.softmax(x, 1), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(found[0][1], reference.log_softmax(x, 1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_an_axis_that_is_not_the_last_is_a_launch_too(name):
    x, g = np.random.default_rng(0).standard_normal((2, 3, 4, 5), np.float32)
    forward, backward = getattr(softmax, name), getattr(softmax, f"{name}_backward")
    out, pulled = np.empty_like(x), np.empty_like(x)
    with collect() as launches:
        forward(x, 1, out=out)
        backward(g, out, 1, out=pulled)
    Program(launches).run()
    np.testing.assert_array_equal(out, forward(x, 1))
    np.testing.assert_array_equal(pulled, backward(g, out, 1))


def test_forward_and_backward_are_a_launch_each_that_tells_the_row_of_a_bad_target():
    x, target = np.zeros((4, 3), np.float32), np.array([0, 1, 2, 0])
    loss, lse, g, dx = np.empty((), np.float32), np.empty(4, np.float32), np.ones((), np.float32), np.empty_like(x)
    with collect() as launches:
        softmax.cross_entropy(x, target, out=(loss, lse))
        softmax.cross_entropy_backward(g, x, target, lse, out=dx)
    assert len(launches) == 2
    program = Program(launches)
    program.run()
    assert loss == pytest.approx(np.log(3))
    np.testing.assert_allclose(dx.sum(1), 0, atol=1e-7)
    target[2] = 3
    with pytest.raises(IndexError, match=r"Target 3 is out of bounds.*row 2 of 4"):
        program.run()
