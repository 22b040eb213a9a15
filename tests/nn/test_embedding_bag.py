"""EmbeddingBag: bags of rows reduced to one, eagerly and compiled; what is refused."""

import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.autograd import gradcheck, gradgradcheck
from tinygrad_fr.nn import functional as F

INDEX = torch.tensor([3, 1, 3, 0, 2, 1, 4])
OFFSETS = torch.tensor([0, 2, 2, 5])
BAGS = [[3, 1], [], [3, 0, 2], [1, 4]]
REDUCE = {"sum": lambda rows: rows.sum(0), "mean": lambda rows: rows.mean(0), "max": lambda rows: rows.max(0).values}


def table():
    return torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).double().requires_grad_()


def expected(weight, mode, bags=BAGS):
    rows = [REDUCE[mode](weight[torch.tensor(bag)]) if bag else torch.zeros(3).double() for bag in bags]
    return torch.stack(rows)


@pytest.mark.parametrize("mode", REDUCE)
def test_every_bag_is_reduced_by_itself_eagerly_and_compiled(mode):
    call = torch.compile(lambda weight: F.embedding_bag(INDEX, weight, OFFSETS, mode=mode))
    for _ in range(4):
        weight, same = table(), table()
        call(weight).square().sum().backward()
        expected(same, mode).square().sum().backward()
        assert torch.allclose(call(weight), expected(same, mode))
        assert torch.allclose(weight.grad, same.grad)


@pytest.mark.parametrize("mode", REDUCE)
def test_padding_is_left_out_and_gets_no_gradient(mode):
    weight, same = table(), table()
    F.embedding_bag(INDEX, weight, OFFSETS, mode=mode, padding_idx=-4).square().sum().backward()
    expected(same, mode, [[3], [], [3, 0, 2], [4]]).square().sum().backward()
    assert torch.allclose(weight.grad, same.grad)


@pytest.mark.parametrize("mode", REDUCE)
def test_two_axes_are_bags_of_one_length(mode):
    flat = F.embedding_bag(INDEX[:6], table(), torch.tensor([0, 3]), mode=mode)
    assert torch.equal(F.embedding_bag(INDEX[:6].view(2, 3), table(), mode=mode), flat)
    ended = torch.tensor([0, 3, 6])
    assert torch.equal(F.embedding_bag(INDEX[:6], table(), ended, mode=mode, include_last_offset=True), flat)


def test_rows_of_a_sum_can_have_factors():
    factors = torch.arange(7).double().requires_grad_()
    call = lambda w, f: F.embedding_bag(INDEX, w, OFFSETS, mode="sum", per_sample_weights=f)  # noqa: E731
    assert torch.allclose(call(table(), factors)[0], table()[1])
    assert gradcheck(call, [table(), factors])
    assert gradgradcheck(call, [table(), factors])


def test_the_layer_and_its_text():
    layer = nn.EmbeddingBag(5, 3, mode="sum", padding_idx=-1, max_norm=1.5)
    assert repr(layer) == "EmbeddingBag(5, 3, max_norm=1.5, mode='sum', padding_idx=4)"
    assert layer.weight[4].tolist() == [0, 0, 0]
    assert layer(INDEX, OFFSETS).shape == (4, 3)
    fixed = nn.EmbeddingBag.from_pretrained(table().detach())
    assert not fixed.weight.requires_grad
    assert torch.allclose(fixed(INDEX, OFFSETS), expected(table(), "mean"))


REFUSED = {
    "mode": (ValueError, "sum, mean or max", {"mode": "median"}),
    "start": (RuntimeError, r"offsets\[0\]", {"offsets": torch.tensor([1, 2])}),
    "end": (RuntimeError, "greater than input's length", {"offsets": torch.tensor([0, 8])}),
    "order": (RuntimeError, "ascending", {"offsets": torch.tensor([0, 4, 2])}),
    "none": (ValueError, "offsets has to be a 1D Tensor", {"offsets": None}),
    "both": (ValueError, "2D", {"input": INDEX[:6].view(2, 3)}),
    "dims": (ValueError, "1D or 2D", {"input": INDEX[:6].view(2, 3, 1)}),
    "row": (IndexError, "out of range", {"input": INDEX + 1}),
    "factors": (NotImplementedError, "mode='mean'", {"per_sample_weights": torch.ones(7).double()}),
    "shape": (ValueError, "same shape", {"mode": "sum", "per_sample_weights": torch.ones(6).double()}),
    "frequency": (ValueError, "frequency", {"mode": "max", "scale_grad_by_freq": True}),
    "sparse": (NotImplementedError, "sparse", {"sparse": True}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case):
    error, text, options = REFUSED[case]
    with pytest.raises(error, match=text):
        F.embedding_bag(**{"input": INDEX, "weight": table(), "offsets": OFFSETS, **options})
