"""Embedding: rows of a table, their gradients, what is refused."""

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.autograd import gradcheck, gradgradcheck
from tinygrad_fr.nn import functional as F


def table(rows=4, columns=3):
    return torch.arange(rows * columns).double().reshape(rows, columns).requires_grad_()


def test_rows_that_are_named_twice_get_both_gradients():
    weight = table()
    y = F.embedding(torch.tensor([[2, 0], [2, 1]]), weight)
    assert torch.equal(y, weight[torch.tensor([[2, 0], [2, 1]])])
    y.sum().backward()
    assert weight.grad.tolist() == [[1] * 3, [1] * 3, [2] * 3, [0] * 3]


def test_padding_gets_no_gradient():
    for padding in (2, -2):
        weight = table()
        F.embedding(torch.tensor([2, 0, 2, 3]), weight, padding_idx=padding).sum().backward()
        assert weight.grad.tolist() == [[1] * 3, [0] * 3, [0] * 3, [1] * 3]


def test_gradients_by_frequency():
    weight = table()
    F.embedding(torch.tensor([2, 0, 2, 3]), weight, scale_grad_by_freq=True).sum().backward()
    assert weight.grad.tolist() == [[1] * 3, [0] * 3, [1] * 3, [1] * 3]


def test_second_derivatives():
    index = torch.tensor([[2, 0], [2, 1]])
    assert gradcheck(lambda w: F.embedding(index, w).square(), [table()])
    assert gradgradcheck(lambda w: F.embedding(index, w).square(), [table()])
    weight = table()
    result = F.embedding(index, weight, padding_idx=2).pow(3).sum()
    (g,) = torch.autograd.grad(result, weight, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), weight)
    expected = 6 * weight.detach()
    expected[2:] = 0
    assert torch.equal(h, expected)


def test_second_derivatives_by_frequency_and_without_padding():
    index = torch.tensor([[2, 0], [2, 1]], dtype=torch.int32)
    options = {"padding_idx": 0, "scale_grad_by_freq": True}
    g = torch.arange(12).double().reshape(2, 2, 3).requires_grad_()
    weight = table()
    (scaled,) = torch.autograd.grad(F.embedding(index, weight, **options), weight, g, create_graph=True)
    assert scaled[:3].tolist() == [[0, 0, 0], [9, 10, 11], [3, 4, 5]]
    (h,) = torch.autograd.grad((scaled * weight.detach()).sum(), g)
    expected = weight.detach()[index.long()] / torch.tensor([[2.0, 1], [2, 1]]).double().unsqueeze(-1)
    expected[0, 1] = 0
    assert torch.equal(h, expected)


def test_rows_are_shortened_to_the_largest_norm():
    weight = nn.Parameter(torch.tensor([[3.0, 4.0], [0.3, 0.4], [6.0, 8.0]]))
    layer = nn.Embedding(3, 2, max_norm=1.0, _weight=weight)
    y = layer(torch.tensor([0, 1, 0]))
    assert y.detach().numpy() == pytest.approx(np.array([[0.6, 0.8], [0.3, 0.4], [0.6, 0.8]]))
    assert layer.weight.detach().numpy() == pytest.approx(np.array([[0.6, 0.8], [0.3, 0.4], [6.0, 8.0]]))
    y.sum().backward()
    assert layer.weight.grad.tolist() == [[2, 2], [1, 1], [0, 0]]
    by_sum = F.embedding(torch.tensor([2]), layer.weight.detach(), max_norm=7.0, norm_type=1.0)
    assert by_sum.tolist() == [pytest.approx([3.0, 4.0])]


def test_layer():
    torch.manual_seed(0)
    layer = nn.Embedding(500, 40, padding_idx=-1)
    assert layer.padding_idx == 499
    assert layer.weight[499].abs().sum().item() == 0
    assert layer.weight[:499].std().item() == pytest.approx(1, abs=0.02)
    assert layer(torch.tensor([[1, 2, 3]])).shape == (1, 3, 40)
    assert layer(torch.tensor(1, dtype=torch.int32)).shape == (40,)
    assert layer(torch.zeros(0, 2).long()).shape == (0, 2, 40)


def test_from_pretrained():
    weight = torch.ones(3, 2)
    layer = nn.Embedding.from_pretrained(weight)
    assert not layer.weight.requires_grad
    assert layer.weight.data_ptr() == weight.data_ptr()
    assert (layer.num_embeddings, layer.embedding_dim) == (3, 2)
    assert nn.Embedding.from_pretrained(weight, freeze=False, padding_idx=1).weight.requires_grad


REFUSED = {
    "index": (IndexError, "index out of range in self: 4", lambda: F.embedding(torch.tensor([4]), table())),
    "index of a row to shorten": (
        IndexError,
        "index out of range in self: 4 in a table of 4 rows",
        lambda: F.embedding(torch.tensor([4]), table(), max_norm=1.0),
    ),
    "negative": (IndexError, "index out of range in self: -1", lambda: F.embedding(torch.tensor([-1]), table())),
    "dtype": (RuntimeError, "Long, Int; but got float32", lambda: F.embedding(torch.tensor([1.0]), table())),
    "weight": (RuntimeError, "'weight' must be 2-D", lambda: F.embedding(torch.tensor([1]), table()[0])),
    "sparse": (NotImplementedError, "sparse", lambda: nn.Embedding(2, 2, sparse=True)),
    "sparse function": (NotImplementedError, "sparse", lambda: F.embedding(torch.tensor([1]), table(), sparse=True)),
    "padding": (AssertionError, "Padding_idx", lambda: nn.Embedding(2, 2, padding_idx=2)),
    "padding function": (AssertionError, "Padding_idx", lambda: F.embedding(torch.tensor([1]), table(), -5)),
    "shape": (AssertionError, "Shape of weight", lambda: nn.Embedding(2, 2, _weight=torch.ones(3, 2))),
    "pretrained": (AssertionError, "2-dimensional", lambda: nn.Embedding.from_pretrained(torch.ones(3))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_arguments_are_refused(name):
    kind, words, call = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()
