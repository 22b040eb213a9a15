"""Activation kernels against their NumPy twins."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import activation, reference
from tinygrad_fr.kernels._threads import get_num_threads, set_num_threads

from .strategies import arrays, assert_close, dtypes, empty_in_layout, in_layout, layouts, shapes

PIECEWISE = ("step", "relu", "leaky_relu", "hardtanh", "hardsigmoid", "hardswish", "hardshrink", "softshrink")
EXACT = (*PIECEWISE, "exp", "expm1", "log", "log1p", "erf", "sigmoid", "tanh")
SMOOTH = ("log1pexp", "elu", "mish", "silu", "gelu", "softplus")
FORWARD = EXACT + SMOOTH
BACKWARD = (
    "relu_backward",
    "leaky_relu_backward",
    "sigmoid_backward",
    "tanh_backward",
    "elu_backward",
    "mish_backward",
    "silu_backward",
    "gelu_backward",
    "softplus_backward",
    "hardtanh_backward",
    "hardsigmoid_backward",
    "hardswish_backward",
    "shrink_backward",
)


def twin(name, *arguments):
    with np.errstate(all="ignore"):
        return getattr(reference, name)(*arguments)


@st.composite
def pairs(draw):
    """Two arrays of one shape and dtype, each in a layout of its own."""
    shape, dtype = draw(shapes()), draw(dtypes)
    return draw(arrays(shape, dtype)), draw(arrays(shape, dtype))


@given(arrays(), st.sampled_from(FORWARD))
def test_forward(x, name):
    before = x.copy()
    result = getattr(activation, name)(x)
    expected = twin(name, x)
    if name in EXACT:
        assert_close(result, expected)
    else:
        assert_near(result, expected)
    assert result.flags.c_contiguous
    assert result.flags.writeable
    np.testing.assert_array_equal(x, before)


def assert_near(result, expected):
    """Within three rounding steps (3.6e-7 in float32), absolute or relative, whichever is more."""
    with np.errstate(all="ignore"):
        assert_close(result, expected, tolerance=3, scale=np.maximum(1, np.abs(expected.astype(np.float64))))


@given(pairs(), st.sampled_from(BACKWARD))
def test_backward(pair, name):
    g, y = pair
    before = g.copy(), y.copy()
    result = getattr(activation, name)(g, y)
    # 1 - y and 1 - y^2 round in NumPy where the kernel fuses: steps of g, not of the result
    with np.errstate(all="ignore"):
        scale = np.abs(g.astype(np.float64)) * (1 + y.astype(np.float64) ** 2)
    expected = twin(name, g, y)
    finite = np.isfinite(scale) & (scale < np.finfo(g.dtype).max / 4)
    assert_close(np.where(finite, result, 0), np.where(finite, expected, 0), scale=np.where(finite, scale, 0))
    np.testing.assert_array_equal(g, before[0])
    np.testing.assert_array_equal(y, before[1])


@given(pairs(), st.sampled_from((0.0, 0.7, -3.0)), st.sampled_from((1.0, 2.5)))
def test_bounds(pair, bound, high):
    g, x = pair
    for function, arguments in (
        ("hardtanh", (x, bound, high)),
        ("hardtanh_backward", (g, x, bound, high)),
        ("threshold", (x, bound, high)),
        ("threshold_backward", (g, x, bound)),
        ("hardshrink", (x, high)),
        ("softshrink", (x, high)),
        ("shrink_backward", (g, x, high)),
    ):
        assert_close(getattr(activation, function)(*arguments), twin(function, *arguments))


@given(arrays(), st.sampled_from((0.5, 1.0, 3.0)), st.sampled_from((20.0, 1.0, -2.0)))
def test_softplus_with_parameters(x, beta, threshold):
    # where beta x rounds to the threshold, one side takes the one form and one the other
    with np.errstate(all="ignore"):
        x = x[np.abs(beta * x.astype(np.float64) - threshold) > 1e-5]
    assert_near(activation.softplus(x, beta, threshold), twin("softplus", x, beta, threshold))
    g = np.ones_like(x)
    assert_near(activation.softplus_backward(g, x, beta, threshold), twin("softplus_backward", g, x, beta, threshold))


@given(arrays(), *[st.sampled_from(numbers) for numbers in ((1.0, 1.6732632423543773), (1.0, 0.3), (1.0, 2.0))])
def test_elu_with_parameters(x, alpha, scale, rate):
    assert_near(activation.elu(x, alpha, scale, rate), twin("elu", x, alpha, scale, rate))
    g = np.ones_like(x)
    assert_near(activation.elu_backward(g, x, alpha, scale, rate), twin("elu_backward", g, x, alpha, scale, rate))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mish_and_its_gradient_far_out(dtype):
    x = np.array([-np.finfo(dtype).max, -1000, -40, 19.9, 20.1, 1000, np.finfo(dtype).max], dtype)
    np.testing.assert_allclose(activation.mish(x), np.where(x > 0, x, 0), atol=1e-15)
    np.testing.assert_allclose(activation.mish_backward(np.ones_like(x), x), x > 0, atol=1e-14)


@given(arrays())
def test_gelu_by_tanh(x):
    # u is as exact as x is: its rounding error counts where the function is steep, |x| < 10
    assert_near(activation.gelu(x, "tanh"), twin("gelu", x, "tanh"))
    g = np.ones_like(x)
    derivative, expected = activation.gelu_backward(g, x, "tanh"), twin("gelu_backward", g, x, "tanh")
    assert_close(derivative, expected, tolerance=8, scale=1.0)


def test_gelu_knows_two_forms():
    with pytest.raises(ValueError, match="expected approximate to be 'none' or 'tanh', got 'erf'"):
        activation.gelu(np.zeros(3), "erf")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("form", ["none", "tanh"])
def test_gelu_and_its_gradient_far_out(dtype, form):
    big = np.sqrt(np.finfo(dtype).max) * 2
    x = np.array([-big, -40, -12, 12, 40, big], dtype)
    np.testing.assert_allclose(activation.gelu(x, form), [0, 0, 0, 12, 40, x[-1]], atol=1e-30)
    np.testing.assert_allclose(activation.gelu_backward(np.ones_like(x), x, form), [0, 0, 0, 1, 1, 1], atol=1e-30)


@pytest.mark.parametrize("name", FORWARD + BACKWARD)
def test_many_elements_give_the_same_bits_on_any_number_of_threads(name):
    """As do those of an array that is cut short, and an array that takes its own place."""
    arguments = [np.linspace(-3, 3, 70_001, dtype=np.float32) for _ in range(1 + (name in BACKWARD))]
    function = getattr(activation, name)
    together = function(*arguments)
    for size in (10_003, 40_001):
        short = function(*[each[:size] for each in arguments])
        np.testing.assert_array_equal(short.view(np.int32), together[:size].view(np.int32))
    before = get_num_threads()
    try:
        set_num_threads(1)
        alone = function(*arguments)
    finally:
        set_num_threads(before)
    np.testing.assert_array_equal(alone.view(np.int32), together.view(np.int32))
    for place in arguments:
        copies = [each.copy() for each in arguments]
        taken = copies[[each is place for each in arguments].index(True)]
        function(*copies, out=taken)
        np.testing.assert_array_equal(taken.view(np.int32), together.view(np.int32))


@given(arrays(), st.floats(-2, 2))
def test_leaky_relu_with_a_slope(x, slope):
    assert_close(activation.leaky_relu(x, slope), twin("leaky_relu", x, slope))
    assert_close(activation.leaky_relu_backward(x, x, slope), twin("leaky_relu_backward", x, x, slope))


@given(arrays(), st.sampled_from(FORWARD), layouts.filter(lambda layout: layout != "read-only"))
def test_out_of_any_layout(x, name, layout):
    out = empty_in_layout(x.shape, x.dtype, layout)
    function = getattr(activation, name)
    assert function(x, out=out) is out
    np.testing.assert_array_equal(out, function(x))


@given(pairs(), st.sampled_from(BACKWARD))
def test_backward_in_place(pair, name):
    g, y = pair
    function = getattr(activation, name)
    expected = function(g, y)
    g_copy, y_copy = g.copy(), y.copy()
    assert function(g_copy, y, out=g_copy) is g_copy
    np.testing.assert_array_equal(g_copy, expected)
    assert function(g, y_copy, out=y_copy) is y_copy
    np.testing.assert_array_equal(y_copy, expected)


@given(arrays(layout="plain"), st.sampled_from(FORWARD))
def test_forward_in_place(x, name):
    function = getattr(activation, name)
    expected = function(x)
    assert function(x, out=x) is x
    np.testing.assert_array_equal(x, expected)


def test_a_broadcast_array():
    x = np.broadcast_to(np.array([[-1.0], [2.0]], np.float32), (2, 3))
    np.testing.assert_array_equal(activation.relu(x), [[0, 0, 0], [2, 2, 2]])


def test_what_nan_and_zero_give():
    """As in PyTorch: NaN passes through, and the gradient of relu at 0 is 0."""
    x = np.array([np.nan, -1.0, 0.0, -0.0, 3.0], np.float32)
    g = np.full(5, 2, np.float32)
    np.testing.assert_array_equal(activation.step(x), [np.nan, 0, 0, 0, 1])
    np.testing.assert_array_equal(activation.relu(x), [np.nan, 0, 0, 0, 3])
    np.testing.assert_array_equal(activation.relu_backward(g, x), [2, 0, 0, 0, 2])
    np.testing.assert_array_equal(activation.leaky_relu(x, 0.5), [np.nan, -0.5, 0, 0, 3])
    np.testing.assert_array_equal(activation.leaky_relu_backward(g, x, 0.5), [1, 1, 1, 1, 2])


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.float16, np.complex64, ">f4"])
def test_other_dtypes_are_refused(dtype):
    x = np.zeros(3, dtype)
    with pytest.raises(TypeError, match=f"float32 or float64, got {x.dtype}"):
        activation.relu(x)
    with pytest.raises(TypeError, match=f"expected y of dtype float32 or float64, got {x.dtype}"):
        activation.relu_backward(np.zeros(3), x)


def test_what_does_not_fit_is_refused():
    x = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"out of shape \(2, 3\), got \(3, 2\)"):
        activation.relu(x, out=np.zeros((3, 2), np.float32))
    with pytest.raises(TypeError, match="out of dtype float32, got float64"):
        activation.relu(x, out=np.zeros((2, 3)))
    read_only = in_layout(x, "read-only")
    with pytest.raises(ValueError, match="read-only"):
        activation.relu(x, out=read_only)
    with pytest.raises(ValueError, match=r"g and y of one shape, got \(2, 3\) and \(3,\)"):
        activation.relu_backward(x, np.zeros(3, np.float32))
    with pytest.raises(TypeError, match="g and y of one dtype, got float32 and float64"):
        activation.relu_backward(x, np.zeros((2, 3)))
