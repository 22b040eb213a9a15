"""The detection of anomalies: NaN in a gradient is an error that names the op, a warning shows the forward call."""

import threading
import warnings

import numpy as np
import pytest

import tinygrad_fr as torch
from tests.hearing import Hearing
from tinygrad_fr.autograd import Function, detect_anomaly, recording, set_detect_anomaly

ENABLED = pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled")


def bad_root(x):
    return (x - x).sqrt()  # the slope is 0 * inf


def caught_by(function, *words):
    """The warning of a function that raises RuntimeError with ``words``."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with pytest.raises(RuntimeError, match=" ".join(words)):
            function()
    return str(caught[-1].message)


@ENABLED
def test_nan_is_an_error_that_names_the_op_and_the_forward_call():
    x = torch.ones(3, requires_grad=True)
    with detect_anomaly():
        y = (bad_root(x) * 0.0).sum()
        warning = caught_by(y.backward, "Function 'SqrtBackward0' returned nan values in its 0th output")
    assert warning.startswith("Error detected in SqrtBackward0. Traceback of forward call that caused the error:\n")
    assert "return (x - x).sqrt()  # the slope is" in warning
    assert "in bad_root" in warning
    assert warning.count("tinygrad_fr/") == 0


@ENABLED
def test_nan_in_a_product_names_the_input():
    x, y = torch.tensor([1.0, 2.0], requires_grad=True), torch.tensor([1.0, float("nan")], requires_grad=True)
    with detect_anomaly():
        product = (x * y).sum()
        caught_by(product.backward, "Function 'MulBackward0' returned nan values in its 0th output")


@ENABLED
def test_good_programs_have_the_same_gradients():
    def gradients():
        x = torch.linspace(-1, 2, 12).reshape(3, 4).requires_grad_()
        w = torch.linspace(0, 1, 8).reshape(4, 2).requires_grad_()
        loss = torch.nn.functional.cross_entropy((x @ w).tanh(), torch.tensor([0, 1, 1])) + x[0].exp().mean()
        loss.backward()
        return x.grad.numpy(), w.grad.numpy()

    expected = gradients()
    with detect_anomaly():
        found = gradients()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_without_it_nan_passes_through():
    x = torch.ones(3, requires_grad=True)
    (bad_root(x) * 0.0).sum().backward()
    assert x.grad.isnan().all()


@ENABLED
def test_nan_may_be_left_unchecked():
    x = torch.ones(3, requires_grad=True)
    with detect_anomaly(check_nan=False):
        assert torch.is_anomaly_enabled()
        assert not torch.is_anomaly_check_nan_enabled()
        (bad_root(x) * 0.0).sum().backward()
    assert x.grad.isnan().all()


def test_a_forward_before_it_has_left_no_traceback():
    x = torch.ones(3, requires_grad=True)
    y = (bad_root(x) * 0.0).sum()
    with set_detect_anomaly(True):
        assert "No forward pass information available" in caught_by(y.backward, "SqrtBackward0")


class Failing(Function):
    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, g):
        raise RuntimeError("it does not work")


def test_errors_of_a_backward_show_the_forward_call():
    x = torch.ones(3, requires_grad=True)
    with set_detect_anomaly(True):
        y = Failing.apply(x).sum()
        warning = caught_by(y.backward, "it does not work")
    assert "y = Failing.apply(x).sum()" in warning


def test_errors_of_a_backward_that_is_recorded():
    @torch.compile
    def step(x):
        Failing.apply(x).sum().backward()

    for _ in range(3):
        with pytest.raises(RuntimeError, match="it does not work"):
            step(torch.ones(3, requires_grad=True))


def test_it_is_entered_with_a_warning():
    with pytest.warns(UserWarning, match="Anomaly Detection has been enabled"):
        detect_anomaly()
    assert not torch.is_anomaly_enabled()


@ENABLED
def test_nesting_and_switching():
    assert not torch.is_anomaly_enabled()
    with detect_anomaly():
        assert torch.is_anomaly_check_nan_enabled()
        with set_detect_anomaly(False):
            assert not torch.is_anomaly_enabled()
        with set_detect_anomaly(True, check_nan=False):
            assert not torch.is_anomaly_check_nan_enabled()
        assert torch.is_anomaly_check_nan_enabled()
    set_detect_anomaly(True)
    assert torch.is_anomaly_enabled()
    set_detect_anomaly(False)
    assert not torch.is_anomaly_enabled()


def test_it_belongs_to_the_thread():
    found = []
    with set_detect_anomaly(True):
        other = threading.Thread(target=lambda: found.append(torch.is_anomaly_enabled()))
        other.start()
        other.join()
    assert found == [False]


def test_a_recorder_goes_on_hearing():
    hearing, x = Hearing(), torch.ones(3, requires_grad=True)
    with recording(hearing), set_detect_anomaly(True):
        (x * 2).sum().backward()
    assert [name for name, *_ in hearing.calls][:2] == ["mul", "sum"]


def test_compiled_functions_run_eagerly_meanwhile():
    x = torch.ones(3, requires_grad=True)

    @torch.compile
    def step(x):
        loss = (bad_root(x) * 0.0).sum()
        loss.backward()
        return loss

    for _ in range(4):
        step(x)
    with set_detect_anomaly(True):
        assert "in bad_root" in caught_by(lambda: step(x), "Function 'SqrtBackward0' returned nan values")


def test_second_derivatives():
    x = torch.zeros(3, requires_grad=True)
    with set_detect_anomaly(True):
        (slope,) = torch.autograd.grad((x**1.5).sum(), x, create_graph=True)
        assert slope.tolist() == [0, 0, 0]
        caught_by(lambda: (slope.sqrt() * 0.0).sum().backward(), "returned nan values")
