"""Order: what the records do not cover - NaN, ties, 0-d, names of results, errors."""

import math

import pytest

import tinygrad_fr as torch

NAN = float("nan")


def test_nan_is_the_largest():
    x = torch.tensor([2.0, NAN, 1.0, float("inf")])
    assert x.argsort().tolist() == [2, 0, 3, 1]
    assert x.argsort(descending=True).tolist() == [1, 3, 0, 2]
    assert x.topk(2).indices.tolist() == [1, 3]
    assert x.topk(2, largest=False).values.tolist() == [1, 2]
    assert math.isnan(x.kthvalue(4).values.item())
    assert torch.tensor([NAN, NAN]).unique().shape == (2,)


def test_equal_elements_keep_their_order():
    x = torch.tensor([1, 0, 1, 0])
    assert x.sort(stable=True).indices.tolist() == [1, 3, 0, 2]
    assert torch.sort(x, dim=0, descending=True).indices.tolist() == [0, 2, 1, 3]


def test_results_have_names():
    values, indices = torch.tensor([3, 1, 2]).sort()
    found = torch.tensor([3, 1, 2]).topk(2)
    assert values.tolist() == [1, 2, 3]
    assert indices.tolist() == [1, 2, 0]
    assert found.values.tolist() == [3, 2]
    assert found.indices.tolist() == [0, 2]


def test_without_axes():
    x = torch.tensor(3.0)
    assert [each.item() for each in x.sort()] == [3, 0]
    assert [each.item() for each in x.topk(1)] == [3, 0]
    assert [each.item() for each in x.kthvalue(1)] == [3, 0]
    assert x.unique().tolist() == [3]
    assert x.unique(return_inverse=True)[1].shape == ()
    assert torch.searchsorted(torch.tensor([1.0, 2.0]), 1.5).item() == 1
    assert torch.bucketize(1.5, torch.tensor([1.0, 2.0])).shape == ()


def test_unique():
    x = torch.tensor([[2, 1], [2, 1], [0, 1]])
    values, inverse, counts = x.unique(return_inverse=True, return_counts=True)
    assert values.tolist() == [0, 1, 2]
    assert inverse.tolist() == [[2, 1], [2, 1], [0, 1]]
    assert counts.tolist() == [1, 3, 2]
    rows, inverse = torch.unique(x, dim=0, return_inverse=True)
    assert rows.tolist() == [[0, 1], [2, 1]]
    assert inverse.tolist() == [1, 1, 0]
    assert torch.unique_consecutive(x, dim=0).tolist() == [[2, 1], [0, 1]]
    values, counts = torch.tensor([1, 1, 2, 1]).unique_consecutive(return_counts=True)
    assert values.tolist() == [1, 2, 1]
    assert counts.tolist() == [2, 1, 1]
    with pytest.raises(RuntimeError, match="0 sized dimensions"):
        torch.zeros(2, 0).unique(dim=0)
    with pytest.raises(IndexError, match="no dimensions"):
        torch.tensor(1).unique(dim=0)


def test_searchsorted():
    bounds = torch.tensor([3.0, 1.0, 2.0])
    assert torch.searchsorted(bounds, torch.tensor([2.0]), sorter=torch.tensor([1, 2, 0])).tolist() == [1]
    assert torch.searchsorted(torch.tensor([1, 2]), torch.tensor([2]), out_int32=True).dtype is torch.int32
    assert torch.searchsorted(torch.tensor([1, 2]), 2, side="right").item() == 2
    with pytest.raises(RuntimeError, match="opposites"):
        torch.searchsorted(bounds, bounds, side="left", right=True)
    with pytest.raises(RuntimeError, match="first N-1 dimensions"):
        torch.searchsorted(torch.zeros(2, 3), torch.zeros(3))
    with pytest.raises(RuntimeError, match="1 dimension"):
        torch.bucketize(bounds, torch.zeros(1, 1))


def test_histc():
    x = torch.tensor([1.0, 2.0, 1.0])
    assert x.histc(4, 0, 3).tolist() == [0, 2, 1, 0]
    assert x.histc(2).tolist() == [2, 1]
    assert torch.ones(3).histc(3).tolist() == [0, 3, 0]
    with pytest.raises(RuntimeError, match="larger"):
        x.histc(2, 3, 1)
    with pytest.raises(RuntimeError, match="not finite"):
        torch.tensor([NAN]).histc()
    with pytest.raises(NotImplementedError, match="int64"):
        torch.tensor([1]).histc()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: x.topk(4), RuntimeError),
        (lambda x: x.kthvalue(0), RuntimeError),
        (lambda x: x[:0].kthvalue(1), IndexError),
        (lambda x: x.sort(1), IndexError),
        (lambda x: torch.isin(1, 2), TypeError),
    ],
)
def test_what_is_refused(call, error):
    with pytest.raises(error):
        call(torch.zeros(3))


def test_isin():
    assert torch.isin(torch.tensor([1, 2]), 2).tolist() == [False, True]
    assert torch.isin(2, torch.tensor([1, 2])).item() is True
    assert torch.isin(torch.tensor([1, 2]), torch.tensor([2]), invert=True).tolist() == [True, False]
