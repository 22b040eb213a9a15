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
    vector = torch.zeros(2)
    assert vector.t() is not vector
    assert shares(vector.t(), vector)
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
    assert x.type() == "tinygrad_fr.FloatTensor"
    with pytest.raises(NotImplementedError, match="memory_format"):
        x.to(memory_format="channels_last")


def test_copies_are_copies():
    x = torch.ones(2)
    for copy in (x.repeat(1), x.tile(1), x.flip(()), x.repeat_interleave(1), x.roll(0)):
        assert not shares(copy, x)
    square = torch.ones(2, 2)
    assert not shares(square.rot90(4), square)
    with pytest.raises(RuntimeError, match="negative dimension -1"):
        x.repeat(-1)


def test_copies_are_in_order():
    """So that they can be viewed in any shape."""
    x = torch.arange(6).view(2, 3)
    for copy in (x.t()[:, [0, 1]], x[:, [0, 2]], torch.cat([x.t(), x.t()]), torch.stack([x.t()]), x.t().roll(1, 0)):
        assert copy.is_contiguous()
        assert copy.view(-1).shape == (copy.numel(),)


def test_shapes_in_place():
    x = torch.zeros(2, 1)
    row = x[0]
    assert x.squeeze_(1) is x
    assert x.shape == (2,)
    x.unsqueeze_(0).transpose_(0, 1).t_()
    assert x.shape == (1, 2)
    x[0, 0] = 5.0
    assert row.tolist() == [5]
    assert row._base.shape == (2, 1)
    assert x.swapaxes_(0, 1).swapdims_(0, 1).shape == (1, 2)
    with pytest.raises(RuntimeError, match="leaf"):
        torch.zeros(1, 2, requires_grad=True).squeeze_()


def test_shapes_in_place_keep_the_graph():
    x = torch.tensor([[1.0], [2.0]], requires_grad=True)
    y = x * 1
    part = y[:1]
    y.t_()
    y[0, 1] = y[0, 0] * 10
    part.mul_(3)
    assert y.tolist() == [[3, 10]]
    assert part.tolist() == [[3]]
    (y * torch.tensor([[1.0, 100.0]])).sum().backward()
    assert x.grad.tolist() == [[1003], [0]]


def test_diagonals():
    x = torch.arange(6.0).reshape(2, 3)
    x.diagonal(1)[:] = -1.0
    assert x.tolist() == [[0, -1, 2], [3, 4, -1]]
    assert not shares(x.diag(), x)
    assert torch.zeros(5, 2).fill_diagonal_(1, wrap=True).sum(1).tolist() == [1, 1, 0, 1, 1]
    assert torch.tril_indices(2, 3, 1).tolist() == [[0, 0, 1, 1, 1], [0, 1, 0, 1, 2]]
    assert torch.triu_indices(2, 2, dtype=torch.int32).dtype is torch.int32
    assert torch.ones(2, 2).tril_(-1).tolist() == [[0, 0], [1, 0]]
    for call in (lambda: x.diagonal(0, 1, 1), lambda: torch.diag(torch.zeros(1, 1, 1)), lambda: torch.zeros(2).tril()):
        with pytest.raises(RuntimeError):
            call()
    with pytest.raises(RuntimeError, match="expected src to have a size"):
        x.select_scatter(torch.zeros(2), 0, 0)


def test_splitting_at_positions():
    x = torch.arange(5)
    assert [each.tolist() for each in x.tensor_split(3)] == [[0, 1], [2, 3], [4]]
    assert [each.tolist() for each in x.tensor_split(torch.tensor([1, 3]))] == [[0], [1, 2], [3, 4]]
    assert [each.tolist() for each in x.hsplit([2])] == [[0, 1], [2, 3, 4]]
    with pytest.raises(RuntimeError, match="not divisible"):
        x.hsplit(2)
    with pytest.raises(RuntimeError, match="at least 2 dimensions"):
        x.vsplit(1)
    with pytest.raises(RuntimeError, match="larger than 0"):
        x.tensor_split(0)
    with pytest.raises(IndexError, match="out of range"):
        x.select(0, 5)
    for call in (lambda y: y.split(1), lambda y: y.chunk(1), lambda y: y.narrow(0, 0, 1), lambda y: y.tensor_split(1)):
        with pytest.raises(RuntimeError, match="at least a 1-dimensional"):
            call(torch.tensor(1))


def test_joining_of_different_kinds():
    assert torch.hstack([torch.tensor([1]), torch.tensor(2)]).tolist() == [1, 2]
    assert torch.vstack([torch.tensor([1]), torch.tensor([[2.0]])]).tolist() == [[1], [2]]
    assert torch.column_stack([torch.tensor([1, 2]), torch.tensor([[3], [4]])]).tolist() == [[1, 3], [2, 4]]
    assert torch.block_diag().shape == (1, 0)
    assert torch.block_diag(torch.tensor(1), torch.tensor([2.0, 3.0])).tolist() == [[1, 0, 0], [0, 2, 3]]
    x = torch.tensor([1, 2])
    assert torch.cartesian_prod(x) is x
    assert torch.combinations(x, with_replacement=True).tolist() == [[1, 1], [1, 2], [2, 2]]
    for call in (
        lambda: torch.hstack([]),
        lambda: torch.combinations(torch.zeros(1, 1)),
        lambda: torch.block_diag(torch.zeros(1, 1, 1)),
    ):
        with pytest.raises(RuntimeError):
            call()


def test_broadcasting_together():
    assert torch.broadcast_shapes((2, 1), 3, (1, 1, 1)) == (1, 2, 3)
    first, second = torch.broadcast_tensors(torch.tensor([1, 2]), torch.tensor([[3]]))
    assert first.tolist() == [[1, 2]]
    assert second.tolist() == [[3, 3]]
    with pytest.raises(RuntimeError, match=r"\[2\], \[3\]"):
        torch.broadcast_shapes((2,), (3,))
    with pytest.raises(RuntimeError, match=r"\[2\] and \[3\]"):
        torch.broadcast_tensors(torch.zeros(2), torch.zeros(3))


def test_rolling_and_repeating():
    x = torch.arange(4).view(2, 2)
    assert x.roll(1).tolist() == [[3, 0], [1, 2]]
    assert x.roll((1, 1), dims=(0, 1)).tolist() == [[3, 2], [1, 0]]
    assert torch.repeat_interleave(torch.tensor([1, 0, 2])).tolist() == [0, 2, 2]
    assert x.repeat_interleave(torch.tensor([2, 0]), dim=0, output_size=2).tolist() == [[0, 1], [0, 1]]
    for call, error in (
        (lambda: x.roll((1, 2), 0), RuntimeError),
        (lambda: torch.tensor(1).roll(1, 0), IndexError),
        (lambda: x.repeat_interleave(-1), RuntimeError),
        (lambda: x.repeat_interleave(torch.tensor([1]), 0, output_size=5), RuntimeError),
        (lambda: x.repeat_interleave(torch.tensor([1.0]), 0), NotImplementedError),
        (lambda: x.rot90(1, (0, 0)), RuntimeError),
        (lambda: x[0].fliplr(), RuntimeError),
        (lambda: x.movedim((0, 0), (0, 1)), RuntimeError),
        (lambda: x.movedim((0,), (0, 1)), RuntimeError),
    ):
        with pytest.raises(error):
            call()


def test_numpy_names_of_axes():
    x = torch.arange(4).view(2, 2)
    assert torch.cat([x, x], axis=1).shape == (2, 4)
    assert x.unsqueeze(axis=0).squeeze(axis=0).shape == (2, 2)
    assert x.sort(axis=0, descending=True).values.tolist() == [[2, 3], [0, 1]]
    with pytest.raises(TypeError, match="mean the same"):
        x.sort(dim=0, axis=0)


def test_what_a_tensor_is():
    x = torch.zeros(2, 3)
    assert x.ndimension() == 2
    assert x.t()._base is x
    assert x._base is None
    assert torch.zeros(2, 0, 3).stride() == (3, 3, 1)
    assert x.stride(-1) == 1
    with pytest.raises(IndexError, match="Dimension out of range"):
        x.stride(2)
    assert torch.is_floating_point(x)
    assert not torch.is_complex(x)
    assert torch.is_signed(x)
    assert not torch.zeros(1, dtype=torch.uint8).is_signed()
    assert not torch.is_inference(x)
    assert x.is_same_size(torch.ones(2, 3))
    assert not x.is_pinned()
    assert shares(torch.detach(x), x)
