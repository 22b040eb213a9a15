"""Convolution against its NumPy twin: shapes, strides, groups, layouts, gates, threads, vectors, outputs, errors."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import _jit, _threads, activation, convolution, reduce, reference
from tinygrad_fr.ops.windows import Windows

from .strategies import DTYPES, LAYOUTS, in_layout

seeds = st.integers(0, 2**32 - 1)
layouts = st.sampled_from(LAYOUTS)


def windows_of(sizes, kernel, stride=1, before=0, dilation=1, after=None):
    """The windows over axes of these sizes; a number stands for all axes, ``after`` is ``before`` if not given."""
    axes = len(sizes)
    stride, before, dilation = (
        (each,) * axes if isinstance(each, int) else each for each in (stride, before, dilation)
    )
    after = before if after is None else after
    each = zip(sizes, kernel, stride, before, after, dilation, strict=True)
    counts = tuple((size + b + a - d * (k - 1) - 1) // s + 1 for size, k, s, b, a, d in each)
    return Windows(sizes, kernel, stride, before, dilation, counts)


class Case:
    """A convolution: its arrays, and how it is called."""

    def __init__(self, seed, samples, channels, outputs, groups, windows, dtype=np.float32, layout="plain"):
        """``channels`` and ``outputs`` are those of one group."""
        rng = np.random.default_rng(seed)

        def draw(*shape):
            return in_layout(rng.standard_normal(shape).astype(dtype), layout)

        self.x, self.y = (
            draw(samples, channels * groups, *windows.sizes),
            draw(samples, outputs * groups, *windows.counts),
        )
        self.weight = draw(outputs * groups, channels, *windows.kernel)
        self.bias, self.bias_of_channels = draw(outputs * groups), draw(channels * groups)
        self.how = {"windows": windows, "groups": groups}

    def results(self, module=convolution, weight_gradient=convolution.weight_gradient):
        """Everything that the kernels give."""
        x, y, weight, how = self.x, self.y, self.weight, self.how
        return [
            module.convolution(x, weight, **how),
            module.convolution(x, weight, self.bias, activation="relu", **how),
            module.convolution(x, weight, mask=y, **how),
            module.input_gradient(y, weight, **how),
            module.input_gradient(y, weight, self.bias_of_channels, activation="relu", **how),
            module.input_gradient(y, weight, mask=x, **how),
            *weight_gradient(y, x, bias=True, **how),
            weight_gradient(y, x, **how),
            module.bias_gradient(y),
        ]

    def check(self):
        """Compare with the twin, within the error bound of the longest sum."""
        expected = self.results(reference, reference.convolution_weight_gradient)
        eps = np.finfo(self.x.dtype).eps
        longest = max(self.weight[0].size, self.y[:, 0].size, self.weight[:, 0].size, 1)
        for found, twin in zip(self.results(), expected, strict=True):
            assert found.dtype == twin.dtype
            assert found.shape == twin.shape
            np.testing.assert_allclose(found, twin, rtol=0, atol=20 * eps * longest)


def same_bits(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.view(np.uint8), other.view(np.uint8))


@st.composite
def windows(draw):
    """Windows over one to three axes, all kinds of steps and zeros among them, also some that see only zeros."""
    axes = draw(st.integers(1, 3))
    most = {1: 70, 2: 20, 3: 6}[axes]
    kernel = tuple(draw(st.integers(1, 5 if axes < 3 else 3)) for _ in range(axes))
    stride = tuple(draw(st.sampled_from((1, 1, 1, 2, 2, 3, 7))) for _ in range(axes))
    dilation = tuple(draw(st.sampled_from((1, 1, 2, 3))) for _ in range(axes))
    spans = [d * (k - 1) + 1 for d, k in zip(dilation, kernel, strict=True)]
    before, after = ([draw(st.integers(0, span + 1)) for span in spans] for _ in range(2))
    least = (max(1, span - b - a) for span, b, a in zip(spans, before, after, strict=True))
    sizes = tuple(draw(st.integers(size, max(size, most))) for size in least)
    return windows_of(sizes, kernel, stride, tuple(before), dilation, tuple(after))


few = st.sampled_from((1, 2, 3, 6, 7, 17))


@given(seeds, st.integers(0, 3), few, few, st.integers(1, 3), windows(), st.sampled_from(DTYPES), layouts)
def test_any_convolution(seed, samples, channels, outputs, groups, windows, dtype, layout):
    Case(seed, samples, channels, outputs, groups, windows, dtype, layout).check()


LARGE = {
    "many channels": (2, 70, 40, 1, windows_of((9, 13), (3, 3), before=1)),  # several blocks of k
    "many outputs": (1, 3, 300, 1, windows_of((6, 6), (3, 3))),
    "several bands": (1, 6, 20, 1, windows_of((130, 140), (3, 3), before=1)),
    "bands of volumes": (1, 20, 3, 1, windows_of((20, 30, 40), (3, 3, 3), before=(1, 0, 1))),
    "bands of one row": (1, 40, 3, 1, windows_of((5000,), (5,), before=2)),
    "a wide kernel": (2, 2, 9, 1, windows_of((40, 40), (29, 31), before=3)),  # of more taps than a block of k
    "strides": (2, 5, 17, 2, windows_of((40, 50), (3, 5), stride=2, before=1)),
    "strides beyond the kernel": (2, 5, 17, 1, windows_of((40, 50), (2, 3), stride=(3, 4))),
    "one tap": (2, 70, 40, 1, windows_of((9, 13), (1, 1))),
    "one tap in groups": (2, 7, 20, 3, windows_of((9, 13), (1, 1))),
    "one tap with steps": (2, 7, 20, 1, windows_of((9, 13), (1, 1), stride=2)),
    "depthwise": (2, 1, 1, 20, windows_of((17, 33), (3, 3), before=1)),
    "depthwise, several outputs": (2, 1, 3, 5, windows_of((17, 33), (3, 2), dilation=2)),
    "one output of several channels": (2, 3, 1, 5, windows_of((17, 33), (3, 2), before=(2, 0))),
    "many samples": (40, 3, 8, 1, windows_of((11, 10), (3, 3))),
    "narrow": (3, 4, 20, 1, windows_of((60, 3), (3, 3))),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LARGE)
def test_every_way_through_the_loops(name, dtype):
    Case(0, *LARGE[name], dtype).check()


@pytest.mark.parametrize("name", LARGE)
def test_gates_are_those_of_activation(name):
    case = Case(0, *LARGE[name])
    forward, _, masked_forward, backward, _, masked_backward, *_ = case.results()
    gated = convolution.convolution(case.x, case.weight, activation="relu", **case.how)
    expected = activation.relu(forward), activation.relu_backward(forward, case.y)
    same_bits([gated, masked_forward], expected)
    same_bits([masked_backward], [activation.relu_backward(backward, case.x)])


@pytest.mark.parametrize("name", LARGE)
def test_threads_never_change_a_bit(name):
    if _threads.MOST_THREADS == 1:
        pytest.skip("there is one thread only")
    case, before = Case(0, *LARGE[name]), _threads.get_num_threads()
    try:
        _threads.set_num_threads(1)
        alone = case.results()
        _threads.set_num_threads(2)
        same_bits(case.results(), alone)
    finally:
        _threads.set_num_threads(before)


def test_nan_and_infinity_reach_what_sees_them():
    case = Case(0, 2, 3, 4, 1, windows_of((9, 20), (3, 3), before=1))
    case.x[0, 1, 4, 7], case.x[1, 2, 0, 0] = np.nan, np.inf
    case.y[0, 1, 4, 7], case.y[1, 2, 0, 0] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        expected = case.results(reference, reference.convolution_weight_gradient)
    for found, twin in zip(case.results(), expected, strict=True):
        np.testing.assert_allclose(found, twin, atol=1e-3)


def test_the_relu_of_nan_is_nan():
    x = np.array([np.nan, 1, -1, 0, 5], np.float32).reshape(1, 1, 5)
    how = {"windows": windows_of((5,), (1,)), "activation": "relu"}
    for outputs in (1, 20):
        result = convolution.convolution(x, np.ones((outputs, 1, 1), np.float32), **how)
        assert np.array_equal(result, np.repeat([[[np.nan, 1, 0, 0, 5]]], outputs, 1), equal_nan=True)


def test_nothing_to_add_up_is_zero():
    case = Case(0, 0, 3, 4, 1, windows_of((9, 9), (3, 3)))
    weight, bias = convolution.weight_gradient(case.y, case.x, bias=True, **case.how)
    assert not weight.any()
    assert not bias.any()
    case = Case(0, 2, 0, 4, 1, windows_of((9, 9), (3, 3)))
    result = convolution.convolution(case.x, case.weight, case.bias, **case.how)
    assert np.array_equal(result, np.broadcast_to(case.bias.reshape(4, 1, 1), result.shape))


def test_one_compiled_version_serves_every_layout():
    how = {"windows": windows_of((5, 6), (3, 2))}
    Case(0, 1, 2, 3, 1, how["windows"]).results()
    count = _jit.compilation.count
    for layout in LAYOUTS:
        Case(0, 1, 2, 3, 1, how["windows"], layout=layout).results()
        Case(0, 1, 2, 3, 1, windows_of((5,), (3,)), layout=layout).results()
    assert _jit.compilation.count == count


@pytest.mark.parametrize("layout", ["plain", "fortran", "strided"])
def test_outputs_receive_the_results(layout):
    case = Case(0, 2, 3, 4, 1, windows_of((9, 7), (3, 3), before=1))
    x, y, weight, how = case.x, case.y, case.weight, case.how

    def fresh(like):
        return in_layout(np.full_like(like, np.nan), layout)

    for function, arguments in ((convolution.convolution, (x, weight)), (convolution.input_gradient, (y, weight))):
        expected = function(*arguments, **how)
        out = fresh(expected)
        assert function(*arguments, out=out, **how) is out
        same_bits([np.array(out, order="C")], [expected])
    expected = convolution.weight_gradient(y, x, bias=True, **how)
    outs = [fresh(each) for each in expected]
    found = convolution.weight_gradient(y, x, out=outs[0], bias_out=outs[1], **how)
    assert found[0] is outs[0]
    assert found[1] is outs[1]
    same_bits([np.array(each, order="C") for each in outs], expected)


def test_the_bias_gradient_is_a_sum():
    y = np.random.default_rng(0).standard_normal((30, 7, 11, 13)).astype(np.float32)
    assert np.allclose(convolution.bias_gradient(y), reduce.sum(y, (0, 2, 3)), rtol=1e-6, atol=1e-5)
    assert not convolution.bias_gradient(y[:0]).any()


ON_OTHER_VECTORS = """
from tests.kernels.test_convolution import LARGE, Case
from tinygrad_fr.kernels import simd
assert simd.VECTOR_BITS == {bits}
for name in ("many channels", "strides", "depthwise", "one tap", "narrow"):
    Case(0, *LARGE[name]).check()
"""


@pytest.mark.parametrize("bits", [128, 256])
def test_narrower_vectors(bits):
    environment = dict(os.environ, TINYGRAD_FR_VECTOR_BITS=str(bits), TINYGRAD_FR_QUIET="1")
    program = [sys.executable, "-c", ON_OTHER_VECTORS.format(bits=bits)]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr


def test_what_does_not_fit_is_refused():
    how = {"windows": windows_of((9, 9), (3, 3))}
    x, weight, y = (np.zeros(shape, np.float32) for shape in ((2, 3, 9, 9), (4, 3, 3, 3), (2, 4, 7, 7)))
    refused = [
        (ValueError, lambda: convolution.convolution(x[:, :2], weight, **how)),
        (ValueError, lambda: convolution.convolution(x, weight, np.zeros(3, np.float32), **how)),
        (ValueError, lambda: convolution.convolution(x, weight, activation="tanh", **how)),
        (ValueError, lambda: convolution.convolution(x, weight, out=np.zeros((2, 4, 7, 6), np.float32), **how)),
        (TypeError, lambda: convolution.convolution(x, weight.astype(float), **how)),
        (TypeError, lambda: convolution.convolution(x.astype(int), weight, **how)),
        (ValueError, lambda: convolution.input_gradient(y[:, :3], weight, **how)),
        (ValueError, lambda: convolution.input_gradient(y, weight, mask=y, **how)),
        (ValueError, lambda: convolution.weight_gradient(y, x[:, :, 1:], **how)),
        (ValueError, lambda: convolution.weight_gradient(y[:1], x, **how)),
    ]
    for error, call in refused:
        with pytest.raises(error):
            call()


def test_windows_that_span_more_than_memory_are_refused():
    """What lies between distant taps is laid out too: a part that found no memory for it would leave its result out."""
    how = {"windows": windows_of((4, 4), (3, 3), before=1 << 18, dilation=1 << 18)}
    x, weight = np.zeros((1, 2, 4, 4), np.float32), np.zeros((20, 2, 3, 3), np.float32)
    y = np.zeros((1, 20, 4, 4), np.float32)
    for call in (
        lambda: convolution.convolution(x, weight, **how),
        lambda: convolution.input_gradient(y, weight, **how),
        lambda: convolution.weight_gradient(y, x, **how),
    ):
        with pytest.raises(NotImplementedError, match="dilation"):
            call()
