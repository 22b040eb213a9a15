"""gradcheck and gradgradcheck find a wrong derivative, and pass a right one."""

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr.autograd import Function, GradcheckError, gradcheck, gradgradcheck


def leaf(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


class WrongFactor(Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 2.01 * x


class WrongSecond(Function):
    """The first derivative is right in value, but computed from a detached input: its own derivative is wrong."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        return g * 2 * x.detach()


class ForgetsOne(Function):
    @staticmethod
    def forward(ctx, x, y):
        return x + y

    @staticmethod
    def backward(ctx, g):
        return g, None


class Unsteady(Function):
    calls = 0

    @staticmethod
    def forward(ctx, x):
        return x * 1

    @staticmethod
    def backward(ctx, g):
        Unsteady.calls += 1
        return g * (1 + 1e-7 * Unsteady.calls)


def test_a_right_derivative_passes():
    assert gradcheck(lambda x, y: (x * y, x.sin()), [leaf(1.0, 2.0), leaf(3.0, 4.0)])
    assert gradgradcheck(lambda x: x.exp(), leaf(1.0, 2.0))


def test_a_wrong_derivative_is_found():
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 0"):
        gradcheck(WrongFactor.apply, [leaf(1.0, 2.0)])
    assert gradcheck(WrongFactor.apply, [leaf(1.0, 2.0)], raise_exception=False) is False
    assert gradcheck(WrongFactor.apply, [leaf(1.0, 2.0)], rtol=0.1)


def test_a_missing_gradient_is_found():
    with pytest.raises(GradcheckError, match="input 1"):
        gradcheck(ForgetsOne.apply, [leaf(1.0), leaf(2.0)])


def test_a_wrong_second_derivative_is_found():
    assert gradcheck(WrongSecond.apply, [leaf(1.0, 2.0)])
    with pytest.raises(GradcheckError):
        gradgradcheck(WrongSecond.apply, [leaf(1.0, 2.0)])


def test_a_backward_that_changes_from_call_to_call_is_found():
    with pytest.raises(GradcheckError, match="not reentrant"):
        gradcheck(Unsteady.apply, [leaf(1.0)])
    assert gradcheck(Unsteady.apply, [leaf(1.0)], nondet_tol=1e-3)


def test_a_kink_is_found():
    with pytest.raises(GradcheckError):
        gradcheck(torch.relu, [leaf(0.0)])


def test_something_must_require_a_gradient():
    with pytest.raises(ValueError, match="require gradient"):
        gradcheck(torch.sin, [torch.ones(1)])


def test_the_inputs_are_left_as_they_were():
    x = leaf(1.0, 2.0)
    gradgradcheck(lambda x: x**3, [x])
    assert x.tolist() == [1, 2]
    assert x.grad is None
    np.testing.assert_array_equal(x._array, [1, 2])


def test_empty_and_0d():
    assert gradcheck(lambda x: x * 2, [torch.zeros(0, 2, dtype=torch.float64, requires_grad=True)])
    assert gradgradcheck(lambda x: x * x, [torch.tensor(2.0, dtype=torch.float64, requires_grad=True)])
