"""Dtypes and special values as PyTorch has them: tables recorded by tests/golden/record_dtypes.py."""

import json
import math
import operator
from pathlib import Path

import numpy as np
import pytest

import tinygrad_fr as torch

GOLDEN = Path(__file__).parent.parent / "golden"
DTYPES = json.loads((GOLDEN / "dtypes.json").read_text())
SPECIAL = json.loads((GOLDEN / "special.json").read_text())
VALUES = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e30, -1e30, 1e-40, math.inf, -math.inf, math.nan)

BINARY = {"add": operator.add, "mul": operator.mul, "div": operator.truediv, "lt": operator.lt}
NUMBERS = {"int": 2, "float": 2.5, "bool": True}

# What is computed here and refused by PyTorch.
WIDER = {"abs bool", "floor bool", "round bool", "trunc bool"}


def operand(kind, dtype):
    if kind == "number":
        return NUMBERS[dtype]
    return torch.ones(3 if kind == "tensor" else (), dtype=getattr(torch, dtype))


def dtype_name(function):
    try:
        return function().dtype.name
    except (RuntimeError, NotImplementedError, TypeError):
        return "error"


def rows(words):
    """The rows of the table with so many words in their key."""
    return [(key.split(), wanted) for key, wanted in DTYPES.items() if len(key.split()) == words]


@pytest.mark.parametrize("op", BINARY)
def test_promotion(op):
    found = {
        " ".join(key): dtype_name(lambda key=key: BINARY[op](operand(*key[1:3]), operand(*key[3:5])))
        for key, _ in rows(5)
        if key[0] == op
    }
    assert len(found) == 8 * 2 * (8 * 2 + 3 * 2)
    assert found == {key: DTYPES[key] for key in found}


def test_in_place_writes_refuse_a_higher_category():
    for (op, first, second), wanted in rows(3):
        x, y = operand("tensor", first), operand("tensor", second)
        assert dtype_name(lambda op=op, x=x, y=y: getattr(x, op)(y)) == wanted, f"{op} {first} {second}"
    assert len(rows(3)) == 2 * 8 * 8


def test_unary_ops_and_reductions():
    found = {
        f"{op} {kind}": dtype_name(lambda op=op, k=kind: getattr(torch, op)(operand("tensor", k)))
        for (op, kind), _ in rows(2)
    }
    assert {key: kind for key, kind in found.items() if key not in WIDER} == {
        key: DTYPES[key] for key in found if key not in WIDER
    }


def read(texts, shape):
    return np.array([float(each) for each in texts], np.float32).reshape(shape)


UNARY_SPECIAL = [name for name in SPECIAL if len(SPECIAL[name]["value"]) == len(VALUES)]


@pytest.mark.parametrize("name", UNARY_SPECIAL)
def test_special_values_of_unary_ops(name):
    x = torch.tensor(VALUES, requires_grad=True)
    y = getattr(torch, name)(x)
    (g,) = torch.autograd.grad(y.sum(), x)
    for found, texts in ((y, SPECIAL[name]["value"]), (g, SPECIAL[name]["gradients"][0])):
        expected = read(texts, y.shape)
        if name in ("sign", "abs"):
            found, expected = found[:-1], expected[:-1]  # NaN passes through here; PyTorch's sign(NaN) is 0
        np.testing.assert_allclose(found.detach()._array, expected, rtol=5e-5, atol=1e-44)


@pytest.mark.parametrize("name", [each for each in SPECIAL if each not in UNARY_SPECIAL])
def test_special_values_of_binary_ops(name):
    grid = torch.tensor(VALUES)
    z = getattr(torch, name)(grid[:, None], grid[None, :])
    expected = read(SPECIAL[name]["value"], z.shape)
    found = z._array.astype(np.float32)
    if name == "remainder":  # by a subnormal number PyTorch gives NaN
        kept = [i for i, value in enumerate(VALUES) if value != 1e-40]
        found, expected = found[:, kept], expected[:, kept]
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-44)


@pytest.mark.parametrize("name", [each for each in SPECIAL if len(SPECIAL[each].get("gradients", [])) == 2])
def test_gradients_of_binary_ops_at_ties(name):
    finite = torch.tensor([each for each in VALUES if math.isfinite(each) and 1e-30 < abs(each) < 100])
    x = finite[:, None].expand(-1, len(finite)).clone().requires_grad_()
    y = finite[None, :].expand(len(finite), -1).clone().requires_grad_()
    found = torch.autograd.grad(getattr(torch, name)(x, y).sum(), [x, y])
    for g, texts in zip(found, SPECIAL[name]["gradients"], strict=True):
        np.testing.assert_allclose(g._array, read(texts, g.shape), rtol=2e-6)


def test_names_and_conversions():
    assert torch.float is torch.float32
    assert torch.double is torch.float64
    assert torch.long is torch.int64
    assert torch.int is torch.int32
    assert repr(torch.float32) == "tinygrad_fr.float32"
    assert torch.tensor([1.0]).to("float64").dtype is torch.float64
    assert torch.tensor([1.0]).to(np.int32).dtype is torch.int32
    assert torch.tensor([1.0], dtype=np.dtype("int8")).dtype is torch.int8
    with pytest.raises(TypeError, match=r"complex64.*expected one of float32"):
        torch.zeros(2, dtype="complex64")
    assert torch.promote_types(torch.int8, torch.uint8) is torch.int16
    assert torch.result_type(torch.ones(2, dtype=torch.int32), 1.5) is torch.float32
    assert torch.can_cast(torch.int64, torch.float32)
    assert not torch.can_cast(torch.float32, torch.int64)
    assert torch.finfo(torch.float32).eps == np.finfo(np.float32).eps
    assert torch.iinfo(torch.int8).max == 127


def test_the_default_dtype():
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.tensor([1.0]).dtype is torch.float64
        assert torch.zeros(2).dtype is torch.float64
        assert (torch.tensor([1]) / 2).dtype is torch.float64
        assert (torch.tensor([1]) * 0.5).dtype is torch.float64
        assert repr(torch.zeros(1)) == "tensor([0.])"
    finally:
        torch.set_default_dtype(torch.float32)
    with pytest.raises(TypeError, match="floating-point"):
        torch.set_default_dtype(torch.int64)


def test_mixed_dtypes_in_one_graph():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    z = x * y
    assert z.dtype is torch.float64
    z.sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (torch.float32, torch.float64)
    w = torch.tensor(3.0, requires_grad=True)
    (2.0**w).backward()
    assert w.grad.dtype is torch.float32
