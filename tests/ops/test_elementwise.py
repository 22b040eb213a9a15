"""Element-wise ops at their edges: types that are refused, ties, kinks, special values, other names."""

import math

import numpy as np
import pytest

import tinygrad_fr as torch

INF, NAN = math.inf, math.nan


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def gradients(function, *inputs):
    """What each input gets of a gradient of ones."""
    return [each.tolist() for each in torch.autograd.grad(function(*inputs).sum(), inputs)]


# --- names -------------------------------------------------------------------------------------------------------

ALIASES = {
    "absolute": "abs",
    "negative": "neg",
    "multiply": "mul",
    "subtract": "sub",
    "divide": "div",
    "clip": "clamp",
    "fix": "trunc",
    "greater": "gt",
    "less_equal": "le",
    "arccos": "acos",
    "arctan2": "atan2",
    "sgn": "sign",
}


@pytest.mark.parametrize(("name", "meant"), ALIASES.items())
def test_aliases(name, meant):
    assert getattr(torch, name) is getattr(torch, meant)
    assert getattr(torch.Tensor, name) is getattr(torch.Tensor, meant)
    assert getattr(torch.Tensor, f"{name}_") is getattr(torch.Tensor, f"{meant}_")


def test_what_has_no_in_place_form_in_pytorch_has_none_here():
    for name in ("maximum", "fmin", "logaddexp", "isnan", "signbit", "positive"):
        assert not hasattr(torch.Tensor, f"{name}_")


def test_special_functions_by_their_names():
    x = torch.tensor([0.25, 0.5])
    assert torch.special.expit(x).tolist() == torch.sigmoid(x).tolist()
    assert torch.special.gammaln is torch.lgamma
    assert torch.special.psi is torch.digamma


# --- types -------------------------------------------------------------------------------------------------------

TRUTH, FLOATS = torch.tensor([True]), torch.tensor([1.5])


@pytest.mark.parametrize(
    "difference",
    [
        lambda: TRUTH - FLOATS,
        lambda: FLOATS - TRUTH,
        lambda: TRUTH - 1,
        lambda: 1 - TRUTH,
        lambda: FLOATS - True,
        lambda: FLOATS.clone().sub_(TRUTH),
    ],
)
def test_differences_of_truth_values_are_refused(difference):
    with pytest.raises(RuntimeError, match="with a bool tensor is not supported"):
        difference()


@pytest.mark.parametrize("name", ["abs", "floor", "round", "trunc"])
def test_truth_values_are_refused(name):
    with pytest.raises(NotImplementedError, match=f"'{name}' is not implemented for bool"):
        getattr(torch, name)(TRUTH)


def test_positive_refuses_truth_values_and_gives_the_tensor_itself():
    assert +FLOATS is FLOATS
    with pytest.raises(RuntimeError, match="on a bool tensor"):
        +TRUTH  # noqa: B018


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_integers_is_refused(name):
    with pytest.raises(NotImplementedError, match=f"'{name}' is not implemented for int64"):
        getattr(torch, name)(torch.tensor([1, 2]), 0)


def test_integer_powers_of_either_sign():
    x = torch.tensor([1, -1, 2, 0, -1])
    assert (x ** torch.tensor([-3, -3, -1, -2, -2])).tolist() == [1, -1, 0, 0, 1]


def test_float_power_in_place_wants_float64():
    with pytest.raises(RuntimeError, match="requires dtype float64"):
        torch.ones(2).float_power_(2)


def test_an_alpha_that_is_true_is_for_truth_values_alone():
    assert torch.add(TRUTH, TRUTH, alpha=True).tolist() == [True]
    with pytest.raises(RuntimeError, match="Boolean alpha"):
        torch.add(FLOATS, FLOATS, alpha=True)


def test_lerp_wants_one_type():
    with pytest.raises(RuntimeError, match="expected dtype float32 for `end` but got dtype float64"):
        torch.lerp(FLOATS, FLOATS.double(), 0.5)
    assert torch.lerp(FLOATS, FLOATS, torch.tensor(0.5, dtype=torch.float64)).dtype is torch.float32


def test_heaviside_wants_one_type_and_tensors():
    with pytest.raises(RuntimeError, match="different dtypes"):
        torch.heaviside(FLOATS, torch.tensor([1]))
    with pytest.raises(TypeError, match="expected a Tensor, got float"):
        torch.heaviside(FLOATS, 0.5)


# --- special values ----------------------------------------------------------------------------------------------


def test_the_sign_of_nan_is_0():
    assert torch.sign(torch.tensor([NAN, -0.0, -INF, 2.0])).tolist() == [0, 0, -1, 1]


def test_heaviside():
    found = torch.heaviside(torch.tensor([-1.0, 0.0, 2.0, NAN, -0.0]), torch.tensor(0.5))
    assert found.tolist() == [0, 0.5, 1, 0, 0.5]


def test_nan_to_num():
    x = torch.tensor([NAN, INF, -INF, 1.0])
    largest = torch.finfo(torch.float32).max
    assert torch.nan_to_num(x).tolist() == [0, largest, -largest, 1]
    assert torch.nan_to_num(x, 1, 2, 3).tolist() == [1, 2, 3, 1]


def test_the_inverse_of_the_error_function():
    assert torch.erfinv(torch.tensor([1.0, -1.0])).tolist() == [INF, -INF]
    assert np.isnan(torch.erfinv(torch.tensor([1.5]))._array).all()
    x = torch.tensor([1e-300, 1e-8, 0.3, 0.9, 1 - 1e-9, 1 - 2**-53], dtype=torch.float64)
    kept = torch.where(x < 0.5, torch.erf(torch.erfinv(x)), 1 - torch.erfc(torch.erfinv(x)))
    np.testing.assert_allclose(kept._array, x._array, rtol=4e-16)


def test_gamma_and_its_derivatives_at_poles_and_left_of_0():
    x = torch.tensor([-1.0, 0.0, -0.5], dtype=torch.float64)
    assert torch.lgamma(x).tolist() == [INF, INF, math.lgamma(-0.5)]
    found = torch.digamma(x).tolist()
    assert math.isnan(found[0])
    assert found[1] == -INF
    np.testing.assert_allclose(found[2], 0.03648997397857652, rtol=1e-14)
    assert torch.polygamma(1, x).tolist()[:2] == [INF, INF]
    np.testing.assert_allclose(torch.polygamma(1, x).tolist()[2], math.pi**2 / 2 + 4, rtol=1e-14)
    with pytest.raises(RuntimeError, match="negative n"):
        torch.polygamma(-1, x)


def test_sinc_near_0_to_second_order():
    x = tensor(0.0, 1e-9, 1e-3)
    (slope,) = torch.autograd.grad(torch.sinc(x).sum(), x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), x)
    np.testing.assert_allclose(slope.tolist(), [0, -(math.pi**2) / 3 * 1e-9, -0.0032898648872], rtol=1e-9)
    np.testing.assert_allclose(curvature.tolist(), [-(math.pi**2) / 3] * 3, rtol=1e-5)


# --- derivatives at kinks ----------------------------------------------------------------------------------------


def test_floor_divide_has_no_derivative():
    x = tensor(3.0)
    quotient = x // 2
    with pytest.raises(RuntimeError, match="derivative for floor_divide is not implemented"):
        quotient.sum().backward()
    assert gradients(lambda x: torch.div(x, 2, rounding_mode="floor"), x) == [[0]]


def test_heaviside_has_no_derivative():
    x = tensor(3.0)
    with pytest.raises(RuntimeError, match="derivative for heaviside"):
        torch.heaviside(x, x).sum().backward()


def test_ties_and_nan_in_maximum():
    x, y = tensor(1, 3, NAN, 1), tensor(1, NAN, 1, 2)
    assert gradients(torch.maximum, x, y) == [[0.5, 1, 1, 0], [0.5, 1, 1, 1]]
    assert gradients(torch.fmax, x, y) == [[1, 1, 0, 0], [0, 0, 1, 1]]


def test_clamp_between_tensors():
    x, low, high = tensor(0, 1, 5, 5, 2, NAN), tensor(0, 2, 1, 6, 4, 1), tensor(2, 4, 4, 4, 3, 4)
    assert gradients(torch.clamp, x, low, high) == [[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0]]


def test_clamp_between_numbers():
    x = tensor(-1, 0, 1, 2, 3, NAN)
    assert gradients(lambda x: x.clamp(0, 2), x) == [[0, 1, 1, 1, 0, 0]]


def test_xlogy_where_the_factor_is_0():
    x, y = tensor(0, 0, 0, 1), tensor(0, 2, -1, 0)
    assert torch.xlogy(x, y).tolist() == [0, 0, 0, -INF]
    assert gradients(torch.xlogy, x, y)[0] == [0, math.log(2), 0, -INF]


def test_atan2_at_the_origin():
    assert gradients(torch.atan2, tensor(0.0), tensor(0.0)) == [[0], [0]]


def test_logit_at_and_beyond_its_bounds():
    x = tensor(0, 1, 0.5, -1, 2)
    (plain,) = gradients(torch.logit, x)
    assert plain[:3] == [INF, INF, 4]
    assert all(map(math.isnan, plain[3:]))
    assert gradients(lambda x: torch.logit(x, eps=0.1), x) == [[0, 0, 4, 0, 0]]
