"""Comparisons beyond their records: what they write in place, what is always true here."""

import numpy as np
import pytest

import tinygrad_fr as torch
from tests.opspec import COMPARISONS


@pytest.mark.parametrize("name", COMPARISONS)
def test_in_place_the_truth_becomes_a_number(name):
    others = () if name == "logical_not" else (torch.tensor([0.0, 2.0, 3.0]),)
    x = torch.tensor([0.0, 2.0, -1.0])
    expected = getattr(torch, name)(x, *others)
    assert getattr(x, f"{name}_")(*others) is x
    assert x.dtype is torch.float32
    np.testing.assert_array_equal(x._array, expected._array)


def test_nothing_flows_back_through_a_comparison_in_place():
    x = torch.ones(2, requires_grad=True)
    y = x * 2
    z = y.clone()
    z.gt_(1.0)
    (z * 3 + y).sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_an_integer_tensor_takes_the_comparison_with_a_fraction():
    assert torch.tensor([1, 2]).eq_(1.5).tolist() == [0, 0]


def test_every_number_is_real():
    assert torch.isreal(torch.tensor([1.0, float("nan"), float("inf")])).tolist() == [True] * 3
    assert torch.isreal(torch.tensor([1, 0])).tolist() == [True] * 2


def test_is_nonzero():
    assert torch.is_nonzero(torch.tensor([3.0]))
    assert not torch.tensor(0).is_nonzero()
    with pytest.raises(RuntimeError, match="with 2 elements is ambiguous"):
        torch.ones(2).is_nonzero()
