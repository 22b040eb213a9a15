"""Reductions at their edges: NumPy's names, what comes in two parts, NaN, nothing to reduce, second derivatives."""

import math

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr.autograd import gradcheck, gradgradcheck

NAN, INF = math.nan, math.inf


def matrix(requires_grad=False):
    return torch.tensor([[1.0, 5.0, 2.0], [4.0, 0.0, 4.0]], dtype=torch.float64, requires_grad=requires_grad)


# --- arguments ---------------------------------------------------------------------------------------------------

ALONG_ONE = ("sum", "mean", "prod", "var", "std", "amax", "argmin", "all", "logsumexp", "median", "nansum", "quantile")


@pytest.mark.parametrize("name", ALONG_ONE)
def test_numpys_names(name):
    arguments = (0.3,) if name == "quantile" else ()
    function = getattr(torch, name)
    expected = function(matrix(), *arguments, dim=1, keepdim=True)
    for found in (
        function(matrix(), *arguments, axis=1, keepdims=True),
        getattr(matrix(), name)(*arguments, axis=1, keepdims=True),
    ):
        for one, other in zip(found, expected, strict=True):
            assert one.tolist() == other.tolist()


def test_an_axis_given_twice_is_refused():
    with pytest.raises(TypeError, match="axis and dim, which mean the same"):
        matrix().sum(dim=0, axis=1)


def test_variances_take_unbiased_in_both_places():
    x = matrix()
    assert x.var(False).item() == x.var(unbiased=False).item() == x.var(correction=0).item()
    assert x.var(1, False).tolist() == x.var(dim=1, correction=0).tolist()
    with pytest.raises(TypeError, match="not both"):
        x.var(0, unbiased=True, correction=0)
    with pytest.raises(RuntimeError, match="int64"):
        x.long().std()


def test_sums_in_a_type():
    x = torch.tensor([1, 2], dtype=torch.int32)
    assert x.sum().dtype is torch.int64
    assert x.sum(dtype=torch.int32).dtype is torch.int32
    assert x.cumsum(0, dtype=torch.float64).dtype is torch.float64
    assert x.prod(dtype=torch.float32).dtype is torch.float32


# --- results in two parts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["max", "min", "median", "nanmedian", "mode", "cummax", "cummin"])
def test_values_and_indices_have_names(name):
    found = getattr(torch, name)(matrix(), 1)
    assert found._fields == ("values", "indices")
    values, indices = found
    taken = np.take_along_axis(matrix()._array, np.atleast_2d(indices._array.T).T.reshape(2, -1), 1)
    np.testing.assert_array_equal(taken.reshape(values.shape), values._array)


def test_aminmax():
    found = torch.aminmax(matrix(), dim=0)
    assert (found.min.tolist(), found.max.tolist()) == ([1, 0, 2], [4, 5, 4])
    assert [each.item() for each in torch.aminmax(matrix())] == [0, 5]


def test_extremes_of_truth_values():
    x = torch.tensor([[True, False], [True, True]])
    assert x.max(1).indices.tolist() == [0, 0]
    assert x.amin(1).tolist() == [False, True]
    with pytest.raises(NotImplementedError, match="'argmax' is not implemented for bool"):
        x.argmax()


# --- derivatives -------------------------------------------------------------------------------------------------


def test_products_with_zeros_to_second_order():
    for values in ([2.0, 0.0, 3.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0], [2.0], [1.0, 2.0, 3.0, 4.0, 5.0]):
        x = torch.tensor(values, dtype=torch.float64, requires_grad=True)
        for function in (torch.prod, lambda x: torch.cumprod(x, 0)):
            assert gradcheck(function, [x])
            assert gradgradcheck(function, [x])


def test_the_product_of_nothing():
    assert torch.prod(torch.ones(0)).item() == 1
    assert torch.prod(torch.ones(2, 0), 1).tolist() == [1, 1]


def test_all_medians_share_the_gradient_and_one_along_an_axis_has_it():
    x = torch.tensor([1.0, 1.0, 0.0, 5.0], requires_grad=True)
    assert torch.autograd.grad(x.median(), x)[0].tolist() == [0.5, 0.5, 0, 0]
    assert sorted(torch.autograd.grad(x.median(0).values, x)[0].tolist()) == [0, 0, 0, 1]


def test_medians_and_nan():
    x = torch.tensor([1.0, NAN, 3.0, 4.0], requires_grad=True)
    assert math.isnan(x.median().item())
    assert torch.autograd.grad(x.median(), x)[0].tolist() == [0, 1, 0, 0]
    assert x.nanmedian().item() == 3
    assert math.isnan(torch.tensor([NAN, NAN]).nanmedian().item())
    assert math.isnan(torch.zeros(0).median().item())


def test_a_nan_makes_the_quantile_nan():
    x = torch.tensor([[1.0, NAN, 3.0], [1.0, 2.0, 3.0]])
    assert str(x.quantile(0.5, 1).tolist()) == "[nan, 2.0]"
    assert x.nanquantile(0.5, 1).tolist() == [2, 2]
    assert x.nanquantile(torch.tensor([0.0, 1.0]), dim=1, keepdim=True).shape == (2, 2, 1)


def test_running_extremes_and_nan():
    x = torch.tensor([1.0, 1.0, 0.0, NAN, 2.0, NAN])
    values, indices = torch.cummax(x, 0)
    assert indices.tolist() == [0, 1, 1, 3, 3, 5]
    assert values.tolist()[:3] == [1, 1, 1]


def test_sums_of_exponentials_do_not_overflow():
    x = torch.tensor([1000.0, 1000.0])
    assert x.logsumexp(0).item() == pytest.approx(1000 + math.log(2))
    assert torch.zeros(0, 2).logsumexp(0).tolist() == [-INF, -INF]
    assert torch.tensor([-INF, -INF]).logcumsumexp(0).tolist() == [-INF, -INF]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: torch.zeros(0).amax(), RuntimeError, "numel"),
        (lambda: torch.aminmax(torch.zeros(0)), RuntimeError, "numel"),
        (lambda: torch.zeros(2, 0).median(1), IndexError, "non-zero size"),
        (lambda: torch.zeros(2, 0).mode(1), IndexError, "non-zero size"),
        (lambda: torch.zeros(0).quantile(0.5), RuntimeError, "non-empty"),
        (lambda: torch.ones(2).quantile(1.5), RuntimeError, r"range \[0, 1\]"),
        (lambda: torch.ones(2).quantile(0.5, interpolation="cubic"), RuntimeError, "cubic"),
        (lambda: torch.ones(2).quantile(torch.tensor(0.5, dtype=torch.float64)), RuntimeError, "float64"),
        (lambda: torch.tensor([1]).nanmean(), RuntimeError, "int64"),
        (lambda: torch.tensor([True]).median(), NotImplementedError, "bool"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
