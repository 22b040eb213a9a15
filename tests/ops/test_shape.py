"""Shapes: what the records do not cover - views or copies, -1, errors."""

import numpy as np
import pytest

import tinygrad_fr as torch


def shares(a, b):
    return np.shares_memory(a._array, b._array)


def test_reshape_is_a_view_where_it_can_be():
    x = torch.arange(6.0).reshape(2, 3)
    assert shares(x.reshape(3, 2), x)
    assert not shares(x.t().reshape(6), x)
    assert shares(x[:, :2].unsqueeze(0), x)
    with pytest.raises(RuntimeError, match=r"view size is not compatible.*reshape"):
        x.t().view(6)
    assert x.view(-1).shape == (6,)
    assert x.view(torch.Size([3, 2])).shape == (3, 2)
    assert torch.zeros(2, 0).reshape(0, 7).shape == (0, 7)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((4,), r"shape '\[4\]' is invalid for input of size 6"),
        ((-1, -1), "only one dimension can be inferred"),
        ((-2, 3), "invalid shape dimension"),
        ((-1, 4), "is invalid for input of size 6"),
    ],
)
def test_shapes_that_do_not_fit(shape, message):
    with pytest.raises(RuntimeError, match=message):
        torch.zeros(2, 3).reshape(shape)
    with pytest.raises(RuntimeError, match=message):
        torch.zeros(2, 3).view(*shape)


def test_an_unspecified_size_of_nothing():
    with pytest.raises(RuntimeError, match="ambiguous"):
        torch.zeros(0, 2).reshape(-1, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.sum(2),
        lambda x: x.transpose(0, 2),
        lambda x: x.unsqueeze(4),
        lambda x: x.squeeze(-3),
        lambda x: x.flatten(0, 5),
        lambda x: torch.softmax(x, 2),
        lambda x: torch.cat([x, x], 2),
        lambda x: torch.stack([x, x], 3),
        lambda x: x.cumsum(2),
        lambda x: x.argmax(2),
        lambda x: x.split(1, 2),
        lambda x: x.movedim(0, 2),
        lambda x: x.flip(2),
        lambda x: x.size(2),
    ],
)
def test_axes_out_of_range(call):
    with pytest.raises(IndexError, match="Dimension out of range"):
        call(torch.zeros(2, 3))


def test_repeated_axes():
    x = torch.zeros(2, 3)
    with pytest.raises(RuntimeError, match="multiple times"):
        x.sum((0, -2))
    with pytest.raises(RuntimeError, match="no permutation"):
        x.permute(0, 0)


def test_expand():
    x = torch.tensor([[1.0], [2.0]])
    assert x.expand(2, 3).tolist() == [[1, 1, 1], [2, 2, 2]]
    assert x.expand(4, -1, 3).shape == (4, 2, 3)
    assert shares(x.expand(2, 3), x)
    with pytest.raises(RuntimeError, match=r"expanded size of the tensor \(3\) must match the existing size \(2\)"):
        x.expand(3, 1)
    with pytest.raises(RuntimeError, match="number of sizes provided"):
        x.expand(2)
    with pytest.raises(RuntimeError, match="leading, non-existing dimension"):
        x.expand(-1, 2, 1)


def test_joining():
    with pytest.raises(RuntimeError, match=r"Expected \[2, 3\] but got \[2, 4\] for tensor number 1"):
        torch.cat([torch.zeros(2, 3), torch.zeros(2, 4)])
    with pytest.raises(RuntimeError, match="zero-dimensional"):
        torch.cat([torch.tensor(1.0)])
    with pytest.raises(RuntimeError, match=r"\[2\] at entry 0 and \[3\] at entry 1"):
        torch.stack([torch.zeros(2), torch.zeros(3)])
    with pytest.raises((RuntimeError, ValueError), match="non-empty"):
        torch.cat([])
    with pytest.raises(RuntimeError, match="non-empty"):
        torch.stack([])
    assert torch.cat([torch.zeros(0), torch.ones(2, 2)]).shape == (2, 2)  # as in PyTorch, an empty vector is skipped
    assert torch.cat([torch.ones(1, dtype=torch.int64), torch.ones(1)]).dtype is torch.float32
    x = torch.ones(2)
    assert not shares(torch.cat([x]), x)


def test_splitting():
    x = torch.arange(5)
    assert [each.tolist() for each in x.split(2)] == [[0, 1], [2, 3], [4]]
    assert [each.tolist() for each in x.split([1, 4])] == [[0], [1, 2, 3, 4]]
    assert [each.tolist() for each in x.chunk(4)] == [[0, 1], [2, 3], [4]]
    assert [each.shape for each in torch.zeros(0).chunk(3)] == [(0,)] * 3
    with pytest.raises(RuntimeError, match="sum exactly to 5"):
        x.split([1, 1])
    with pytest.raises(RuntimeError, match="greater than 0"):
        x.chunk(0)
    with pytest.raises(RuntimeError, match=r"start \(3\) \+ length \(3\) exceeds dimension size \(5\)"):
        x.narrow(0, 3, 3)
    first, *_ = x.split(2)
    first[0] = 9
    assert x[0].item() == 9


def test_transposes():
    x = torch.zeros(2, 3, 4)
    assert x.mT.shape == (2, 4, 3)
    assert x.T.shape == (4, 3, 2)
    assert x.permute(2, 0, 1).shape == x.permute((2, 0, 1)).shape == (4, 2, 3)
    assert x.movedim((0, 1), (2, 0)).shape == (3, 4, 2)
    with pytest.raises(RuntimeError, match="<= 2 dimensions"):
        x.t()
    with pytest.raises(RuntimeError, match="only supported on matrices"):
        _ = torch.zeros(2).mT


def test_conversions_keep_the_graph():
    x = torch.tensor([1.5, 2.5], requires_grad=True)
    y = x.double() * 2
    y.float().sum().backward()
    assert x.grad.tolist() == [2, 2]
    assert x.grad.dtype is torch.float32
    assert x.float() is x
    assert x.to(torch.float32, copy=True) is not x
    assert x.long().tolist() == [1, 2]
    assert not x.long().requires_grad
    assert x.type() == "tinygrad_fr.float32"
    with pytest.raises(NotImplementedError, match="memory_format"):
        x.to(memory_format="channels_last")
