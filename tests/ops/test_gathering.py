"""Gather, scatter and slices by position: what the records do not cover - in-place forms, ties, 0-d, errors."""

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr.autograd import gradcheck, gradgradcheck


def index(*values):
    return torch.tensor(values)


def test_gather_checks_shapes_dtypes_and_positions():
    x = torch.zeros(3)
    for bad in (3, -1):
        with pytest.raises(RuntimeError, match=f"index {bad} is out of bounds for dimension 0 with size 3"):
            x.gather(0, index(bad))
        with pytest.raises(RuntimeError, match="out of bounds"):
            x.scatter(0, index(bad), 1.0)
        with pytest.raises(RuntimeError, match="out of bounds"):
            x.scatter_add_(0, index(bad), torch.ones(1))
    assert x.sum().item() == 0
    with pytest.raises(RuntimeError, match="int32/int64"):
        x.gather(0, torch.tensor([0], dtype=torch.int16))
    assert x.gather(0, torch.tensor([0], dtype=torch.int32)).shape == (1,)
    with pytest.raises(RuntimeError, match="same number of dimensions"):
        torch.zeros(3, 2).gather(0, index(0))
    with pytest.raises(RuntimeError, match=r"\[1, 3\].*\[3, 2\]"):
        torch.zeros(3, 2).gather(0, torch.zeros(1, 3, dtype=torch.int64))
    with pytest.raises(RuntimeError, match="no larger size than src"):
        x.scatter(0, index(0, 1), torch.ones(1))
    with pytest.raises(RuntimeError, match="dtype"):
        x.scatter(0, index(0), torch.ones(1, dtype=torch.float64))
    with pytest.raises(NotImplementedError, match="sparse_grad"):
        x.gather(0, index(0), sparse_grad=True)


def test_numbers_without_axes_and_nothing():
    one = torch.tensor(1.0, requires_grad=True)
    assert one.gather(0, torch.tensor(0)).shape == ()
    assert one.gather(0, index(0, 0)).tolist() == [1, 1]
    assert torch.tensor([4.0, 5.0]).gather(0, torch.tensor(1)).item() == 5
    assert one.scatter(0, torch.tensor(0), 3).item() == 3
    assert torch.zeros(2, 3).gather(1, torch.zeros(0, 5, dtype=torch.int64)).shape == (0, 5)
    assert torch.ones(2).scatter(0, torch.zeros(0, dtype=torch.int64), torch.ones(2)).tolist() == [1, 1]
    assert one.index_fill(0, index(0), 5.0).item() == 5
    assert one.index_select(0, index(0)).shape == ()


def test_in_place_forms():
    x = torch.zeros(4)
    assert x.scatter_(0, index(0, 2), torch.tensor([1.0, 2.0])) is x
    assert x.tolist() == [1, 0, 2, 0]
    assert x.scatter_(0, index(1), 5).tolist() == [1, 5, 2, 0]
    assert x.scatter_add_(0, index(1, 1), torch.ones(2)).tolist() == [1, 7, 2, 0]
    assert x.scatter_(0, index(0), 2.0, reduce="add").tolist() == [3, 7, 2, 0]
    assert x.scatter_(0, index(0), 2.0, reduce="multiply").tolist() == [6, 7, 2, 0]
    assert x.scatter_reduce_(0, index(0, 0), torch.tensor([9.0, 8.0]), "amax").tolist() == [9, 7, 2, 0]
    assert x.index_add_(0, index(3, 3), torch.ones(2), alpha=2).tolist() == [9, 7, 2, 4]
    assert x.index_copy_(0, index(3), torch.ones(1)).tolist() == [9, 7, 2, 1]
    assert x.index_fill_(0, index(-1), 0).tolist() == [9, 7, 2, 0]
    assert x.index_put_((index(0),), torch.tensor(1.0)).tolist() == [1, 7, 2, 0]
    assert x.index_put_((index(0, 0),), torch.ones(2), accumulate=True).tolist() == [3, 7, 2, 0]
    assert x.put_(index(1, -1), torch.ones(2)).tolist() == [3, 1, 2, 1]
    assert x.view(2, 2).t().put_(index(1), torch.tensor([9.0])).tolist() == [[3, 9], [1, 1]]
    assert x.masked_scatter_(x > 1, torch.tensor([5.0, 6.0, 7.0])).tolist() == [5, 1, 6, 1]


def test_in_place_forms_are_seen_by_the_graph():
    x, v = torch.ones(3, requires_grad=True), torch.tensor([2.0, 3.0], requires_grad=True)
    y = x * 1
    y.scatter_(0, index(0, 1), v)
    y.index_add_(0, index(2), v[:1])
    y.masked_scatter_(torch.tensor([True, False, False]), v[1:])
    y.sum().backward()
    assert x.grad.tolist() == [0, 0, 1]
    assert v.grad.tolist() == [1, 2]
    with pytest.raises(RuntimeError, match="leaf"):
        x.scatter_(0, index(0), 1.0)


def test_products_with_zeros():
    """The product of the others is differentiated, whatever the factors are, to second order too."""
    for values in ([2.0, 3.0], [0.0, 3.0], [0.0, 0.0]):
        x = torch.tensor([1.5, 2.0], dtype=torch.float64, requires_grad=True)
        src = torch.tensor(values, dtype=torch.float64, requires_grad=True)

        def product(x, src):
            return x.scatter_reduce(0, index(0, 0), src, "prod")

        assert gradcheck(product, [x, src])
        assert gradgradcheck(product, [x, src])


def test_equal_extremes_share_the_gradient():
    x, src = torch.tensor([2.0, 1.0], requires_grad=True), torch.tensor([2.0, 2.0, 5.0], requires_grad=True)
    x.scatter_reduce(0, index(0, 0, 1), src, "amax").sum().backward()
    np.testing.assert_allclose(x.grad.tolist(), [1 / 3, 0], rtol=1e-6)
    np.testing.assert_allclose(src.grad.tolist(), [1 / 3, 1 / 3, 1], rtol=1e-6)


def test_reductions_of_integers():
    ones = torch.ones(2, dtype=torch.int64)
    values = torch.tensor([-3, -3])
    assert ones.scatter_reduce(0, index(0, 0), values, "mean").tolist() == [-2, 1]
    assert ones.scatter_reduce(0, index(0, 0), values, "amax", include_self=False).tolist() == [-3, 1]
    assert ones.bool().scatter_reduce(0, index(0), torch.tensor([False]), "amin").tolist() == [False, True]
    for call in (
        lambda: ones.scatter_reduce(0, index(0), values, "add"),
        lambda: ones.scatter(0, index(0), values, reduce="sum"),
    ):
        with pytest.raises(RuntimeError, match="reduce argument must be either"):
            call()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda x: x.index_add(0, index(0, 1), torch.ones(1, 2)), RuntimeError, "Number of indices"),
        (lambda x: x.index_copy(0, index(0, 1), torch.ones(1, 2)), IndexError, "Number of indices"),
        (lambda x: x.index_add(0, index(0), torch.ones(1, 3)), RuntimeError, "must match self tensor shape"),
        (lambda x: x.index_add(0, index(0), torch.ones(1, 2).double()), RuntimeError, "same dtype"),
        (lambda x: x.index_add(0, index(7), torch.ones(1, 2)), IndexError, "out of bounds"),
        (lambda x: x.long().index_add(0, index(0), x[:1].long(), alpha=0.5), RuntimeError, "alpha"),
        (lambda x: x.index_copy(0, index(-1), torch.ones(1, 2)), IndexError, "out of bounds"),
        (lambda x: x.index_fill(0, index(3), 1), IndexError, "out of bounds"),
        (lambda x: x.index_fill(0, index(0), torch.ones(1)), RuntimeError, "0-dimensional"),
        (lambda x: x.index_select(0, torch.tensor([0], dtype=torch.int16)), RuntimeError, "int64/int32"),
        (lambda x: x.take(index(6)), IndexError, "index 6 on a tensor of 6"),
        (lambda x: x.take(torch.tensor([0], dtype=torch.int32)), RuntimeError, "long"),
        (lambda x: x.put(index(0), torch.ones(2)), IndexError, "same number of elements"),
        (lambda x: x.take_along_dim(index(0), 0), RuntimeError, "same number of dimensions"),
        (lambda x: x.index_put((index(0),), torch.ones(2).double()), RuntimeError, "dtypes match"),
        (lambda x: x.index_put((index(5),), torch.ones(2)), IndexError, "out of bounds"),
        (lambda x: x.index_put((torch.tensor(True),), torch.ones(1)), NotImplementedError, "without axes"),
        (lambda x: x.masked_scatter(x == 0, torch.ones(5)), RuntimeError, "at least as many"),
    ],
)
def test_what_is_refused(call, error, message):
    x = torch.zeros(3, 2)
    with pytest.raises(error, match=message):
        call(x)
    assert x.sum().item() == 0


def test_take_along_dim_broadcasts():
    x = torch.arange(6).view(2, 3)
    assert x.take_along_dim(torch.tensor([[1]]), 1).tolist() == [[1], [4]]
    assert x.take_along_dim(torch.tensor([[-1]]), dim=1).tolist() == [[2], [5]]
    assert x.take_along_dim(torch.tensor([1, 4])).tolist() == [1, 4]
    assert torch.take_along_dim(x, x.argsort(axis=1, descending=True), axis=1).tolist() == [[2, 1, 0], [5, 4, 3]]
