"""Mismatched shapes and dtypes: PyTorch's exception types, with what was expected and what came."""

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr.ops.matmul import linear


def ones(*shape, dtype=None):
    return torch.ones(*shape, dtype=dtype)


@pytest.mark.parametrize(
    "name",
    ["add", "sub", "mul", "div", "pow", "remainder", "floor_divide", "maximum", "minimum", "eq", "lt", "logical_and"],
)
def test_shapes_that_do_not_broadcast(name):
    pattern = (
        r"\(4\) must match the size of tensor b \(3\) at non-singleton dimension 1: shapes \[2, 4\] and \[5, 1, 3\]"
    )
    with pytest.raises(RuntimeError, match=rf"{name}: The size of tensor a {pattern[:-31]}"):
        getattr(torch, name)(ones(2, 4), ones(2, 3))
    with pytest.raises(RuntimeError, match=r"shapes \[2, 4\] and \[5, 1, 3\]"):
        getattr(torch, name)(ones(2, 4), ones(5, 1, 3))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ones(2, 3) @ ones(2, 3), RuntimeError, r"mat1 and mat2 shapes cannot be multiplied \(2x3 and 2x3\)"),
        (lambda: ones(3) @ ones(2), RuntimeError, r"cannot be multiplied \(3 and 2\)"),
        (lambda: ones(2, 3, 4) @ ones(3, 4, 2), RuntimeError, r"2.*3"),
        (lambda: torch.tensor(1.0) @ ones(2), RuntimeError, "at least 1D, but they are 0D and 1D"),
        (lambda: ones(2, 2) @ ones(2, 2, dtype=torch.float64), RuntimeError, "float32 != float64"),
        (lambda: ones(2, 2) @ 3, TypeError, "int"),
        (lambda: ones(2, 2, dtype=torch.bool) @ ones(2, 2, dtype=torch.bool), NotImplementedError, "bool"),
        (lambda: torch.mm(ones(2), ones(2, 2)), RuntimeError, r"2-D and a 2-D tensor, got \[2\] and \[2, 2\]"),
        (lambda: torch.bmm(ones(2, 2), ones(2, 2)), RuntimeError, r"3-D"),
        (lambda: torch.outer(ones(2, 2), ones(2)), RuntimeError, "1-D"),
        (
            lambda: linear(ones(2, 3), ones(4, 5)),
            RuntimeError,
            r"input \[2, 3\] has 3 features, weight \[4, 5\] expects 5",
        ),
        (lambda: linear(ones(2, 3), ones(4, 3), ones(5)), RuntimeError, r"bias has shape \[5\], expected \[4\]"),
        (lambda: linear(ones(2, 3), ones(4, 3, dtype=torch.float64)), RuntimeError, "float32 and weight float64"),
        (lambda: ones(2, dtype=torch.int64).mean(), RuntimeError, r"floating point dtype. Got: int64"),
        (lambda: torch.zeros(0).max(), RuntimeError, r"numel\(\) == 0"),
        (lambda: torch.zeros(0, 2).amax(0), IndexError, "non-zero size"),
        (lambda: torch.zeros(0).argmax(), IndexError, "argmax"),
        (lambda: torch.zeros(2, 0).argmin(1), IndexError, "argmin"),
        (lambda: -torch.tensor([True]), RuntimeError, "Negation"),
        (lambda: torch.tensor([True]) - torch.tensor([True]), RuntimeError, "Subtraction"),
        (lambda: ~ones(2), RuntimeError, "not implemented for float32"),
        (lambda: ones(2) & ones(2), RuntimeError, "bitwise_and"),
        (lambda: torch.tensor([1]) // torch.tensor([0]), RuntimeError, "ZeroDivisionError"),
        (lambda: torch.tensor([1]) % 0, RuntimeError, "ZeroDivisionError"),
        (lambda: torch.tensor([2]) ** -1, RuntimeError, "negative integer powers"),
        (lambda: torch.tensor([2], dtype=torch.int8) ** 300, RuntimeError, "overflow"),
        (lambda: torch.add(torch.tensor([1]), 1, alpha=0.5), RuntimeError, "alpha must not be a floating point"),
        (lambda: ones(2) + "a", TypeError, "str"),
        (lambda: ones(2) * None, TypeError, "NoneType"),
        (lambda: torch.exp([1.0]), TypeError, "list"),
        (lambda: torch.clamp(ones(2)), RuntimeError, "At least one of 'min' or 'max'"),
        (lambda: ones(2).clamp_(), RuntimeError, "At least one of 'min' or 'max'"),
        (lambda: torch.tensor([1]).clamp_(0.5), RuntimeError, "can't be cast"),
        (lambda: torch.div(ones(2), 2, rounding_mode="up"), RuntimeError, "'up'"),
        (lambda: ones(2, 2).norm(p="nuc"), NotImplementedError, "p='nuc'"),
        (lambda: torch.bincount(torch.tensor([-1])), RuntimeError, "non-negative"),
        (lambda: torch.isclose(ones(1), ones(1, dtype=torch.float64)), RuntimeError, "float32 and .*float64"),
        (lambda: ones(2).sum_to_size(3), RuntimeError, r"\[3\] is not expandable to size \[2\]"),
        (lambda: ones(2, 2).unflatten(0, (3, 2)), RuntimeError, r"\[3, 2\]"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_an_error_leaves_things_as_they_were():
    x = ones(3)
    for call in (lambda: x.add_(ones(2)), lambda: x.mul_("a"), lambda: x.copy_(ones(2)), lambda: x.__setitem__(5, 1.0)):
        with pytest.raises((RuntimeError, TypeError, IndexError)):
            call()
    assert x.tolist() == [1, 1, 1]
    assert x._version == [0]
    assert (x + x).tolist() == [2, 2, 2]  # the quiet context is free again


def test_infinity_and_nan_raise_no_warning():
    inf, nan = float("inf"), float("nan")
    x = torch.tensor([inf, -inf, nan, 0.0, 3e38], requires_grad=True)
    y = (x - x) * x / (x - x) + x * 1e38 + x**3 + x.log() + x.exp() - x.sqrt()
    y.sum().backward()
    assert np.isnan(y._array).any()
    x.detach().mul_(1e38).sub_(inf)
