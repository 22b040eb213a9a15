"""Reading and writing by index: against NumPy where its rules are PyTorch's, and by hand where they differ."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as torch
from tests.strategies import examples
from tinygrad_fr.autograd import gradcheck, gradgradcheck

SHAPE = (3, 4, 2)


@st.composite
def basic(draw, size):
    """An int, a slice of positive step, or None."""
    bound = st.none() | st.integers(-size - 2, size + 2)
    kinds = {
        "int": st.integers(-size, size - 1),
        "slice": st.builds(slice, bound, bound, st.none() | st.integers(1, 3)),
    }
    return draw(kinds[draw(st.sampled_from(tuple(kinds)))])


@st.composite
def array(draw, size):
    """An integer array, as a list or an array of any shape."""
    shape = draw(st.sampled_from(((0,), (1,), (3,), (2, 3))))
    count = int(np.prod(shape))
    values = draw(st.lists(st.integers(-size, size - 1), min_size=count, max_size=count))
    return np.array(values, np.int64).reshape(shape)


@st.composite
def indices(draw):
    """An index of ``SHAPE``: basic items, at most one array or mask, an ellipsis, new axes."""
    used = draw(st.integers(0, len(SHAPE)))
    items = [draw(basic(size)) for size in SHAPE[:used]]
    kind = draw(st.sampled_from(("basic", "array", "mask", "whole mask")))
    if kind == "whole mask":
        return (np.random.default_rng(draw(st.integers(0, 99))).random(SHAPE) < 0.5,)
    if used and kind != "basic":
        at = draw(st.integers(0, used - 1))
        items = [slice(None) if isinstance(each, int) else each for each in items]
        items[at] = draw(array(SHAPE[at]))
        if kind == "mask":
            items[at] = np.random.default_rng(draw(st.integers(0, 99))).random(SHAPE[at]) < 0.5
        return tuple(items)
    if draw(st.booleans()):
        items.insert(draw(st.integers(0, len(items))), None)
    if draw(st.booleans()):
        items.append(Ellipsis)
    return tuple(items)


def as_torch(index):
    return tuple(torch.tensor(each) if isinstance(each, np.ndarray) else each for each in index)


def values(shape=SHAPE):
    return np.arange(1.0, 1 + np.prod(shape)).reshape(shape)


@examples(200)
@given(indices())
def test_read(index):
    x = values()
    expected = x[index]
    result = torch.tensor(x)[as_torch(index)]
    assert result.shape == expected.shape
    np.testing.assert_array_equal(result._array, expected)
    is_view = not any(isinstance(each, np.ndarray) for each in index)
    source = torch.tensor(x)
    assert np.shares_memory(source[as_torch(index)]._array, source._array) == (is_view and expected.size > 0)


@examples(100)
@given(indices(), st.sampled_from(("number", "0-d", "full", "row")))
def test_write(index, kind):
    x = values()
    part = x[index]
    value = {"number": -1.0, "0-d": np.array(-2.0), "full": -values(part.shape), "row": -values(part.shape[-1:])}[kind]
    y = torch.tensor(x)
    x[index] = value
    y[as_torch(index)] = torch.tensor(value) if isinstance(value, np.ndarray) else value
    np.testing.assert_array_equal(y._array, x)


@examples(25)
@given(indices())
def test_gradient_of_reads_and_writes(index):
    index = as_torch(index)
    x = torch.tensor(values() / 10, requires_grad=True)
    if x[index].numel() > 12:
        return
    assert gradcheck(lambda x: x[index], [x])
    assert gradgradcheck(lambda x: x[index] ** 2, [x])
    if any(isinstance(each, torch.Tensor) and len(set(each.ravel().tolist())) < each.numel() for each in index):
        return  # a position written twice: as in PyTorch every write gets a gradient, though the last one stays

    def written(x, value):
        y = x * 1
        y[index] = value
        return y.sum((0, 1)) * y[0, 0, 0]

    value = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert gradcheck(written, [x, value])


def test_an_element_read_twice_gets_both_gradients():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (x[[0, 0, 2, 0]] * torch.tensor([1.0, 10.0, 100.0, 1000.0])).sum().backward()
    assert x.grad.tolist() == [1011, 0, 100]
    x.grad = None
    (x.gather(0, torch.tensor([1, 1])) * torch.tensor([2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [0, 5, 0]
    x.grad = None
    (x.index_select(0, torch.tensor([2, 2])) * 2).sum().backward()
    assert x.grad.tolist() == [0, 0, 4]


def test_where_pytorch_differs_from_numpy():
    """Ints are applied before arrays, so they do not count as arrays when these are apart."""
    x = torch.arange(24).reshape(2, 3, 4)
    assert x[0, :, [0, 1]].shape == (3, 2)
    assert x[torch.tensor(0), :, [0, 1]].shape == (3, 2)
    assert x[[0], :, [0, 1]].shape == (2, 3)
    assert x[:, 1, [0, 1, 2]].shape == (2, 3)
    assert x[:, [0, 1], ..., [0, 1]].shape == (2, 2)  # an ellipsis that stands for no axis keeps nothing apart
    assert x[:, [0, 1], ..., [0, 1]].tolist() == [[0, 5], [12, 17]]
    assert x[[0, 1], ..., [0, 1]].shape == (2, 3)
    x[0, :, [0, 1]] = torch.tensor([[1, 2], [3, 4], [5, 6]]) * 100
    assert x[0].tolist() == [[100, 200, 2, 3], [300, 400, 6, 7], [500, 600, 10, 11]]


def test_truth_values_as_indices():
    x = torch.arange(6).reshape(2, 3)
    assert x[True].shape == (1, 2, 3)
    assert x[False].shape == (0, 2, 3)
    assert x[torch.tensor(True)].shape == (1, 2, 3)
    assert torch.tensor(3.0)[torch.tensor(True)].tolist() == [3]
    assert x[torch.tensor([1, 0], dtype=torch.uint8)].tolist() == [[0, 1, 2]]  # bytes are a mask
    assert x[torch.tensor([1, 0], dtype=torch.int8)].tolist() == [[3, 4, 5], [0, 1, 2]]
    assert x[[True, False]].tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (3, "out of bounds"),
        (-4, "out of bounds"),
        ((0, 0, 0), "too many indices"),
        ([0, 3], "out of bounds"),
        ([-4], "out of bounds"),
        (torch.tensor([10**12]), "out of bounds"),
        (np.array([True, False]), "shape of the mask"),
        ((slice(None), np.array([True, False, True])), "shape of the mask"),
        (1.0, "only integers"),
        ("a", "only integers"),
        ([0.5], "tensors used as indices must be long, int, byte or bool"),
        ((Ellipsis, Ellipsis), "single ellipsis"),
        ((Ellipsis, 2), "out of bounds"),
    ],
)
def test_indices_that_are_refused(index, message):
    x = torch.zeros(3, 2)
    with pytest.raises(IndexError, match=message):
        x[index]
    with pytest.raises(IndexError, match=message):
        x[index] = 1.0
    assert x.sum().item() == 0


def test_steps_below_one_are_refused():
    for step in (0, -1):
        with pytest.raises(ValueError, match="step must be greater than zero"):
            torch.zeros(3)[::step]


def test_values_that_do_not_fit():
    x = torch.zeros(3, 2)
    with pytest.raises(RuntimeError, match=r"\[3\].*\[2, 2\]"):
        x[torch.tensor([0, 1])] = torch.ones(3)
    with pytest.raises(RuntimeError, match=r"\[2\].*\[3\]"):
        x[:2, 0] = torch.ones(3)
    with pytest.raises(RuntimeError, match=r"\[2\].*\[3\]"):
        x[x[:, 0] == 0][:2, 0] = torch.ones(3)
    x[0] = torch.ones(1, 1, 2)  # leading axes of size 1 are dropped
    x[torch.tensor([1])] = torch.full((1, 1, 2), 2.0)
    assert x.tolist() == [[1, 1], [2, 2], [0, 0]]


def test_values_are_converted():
    x = torch.zeros(3, dtype=torch.int64)
    x[0] = 2.7
    x[1:] = torch.tensor([1.5, -1.5])
    assert x.tolist() == [2, 1, -1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: torch.index_select(torch.zeros(3), 0, torch.tensor([5])), "index 5 is out of bounds"),
        (lambda: torch.index_select(torch.zeros(3), 0, torch.zeros(1, 1, dtype=torch.int64)), "vector"),
        (lambda: torch.gather(torch.zeros(3), 1, torch.tensor([0])), "Dimension out of range"),
    ],
)
def test_positions_out_of_bounds(call, message):
    with pytest.raises(IndexError, match=message):
        call()


def test_where_and_masks():
    condition = torch.tensor([True, False])
    assert torch.where(condition, 1.0, 0.0).dtype is torch.float32
    assert torch.where(condition, 1, 0).dtype is torch.int64
    assert torch.where(condition, torch.tensor([1, 2]), 0.5).dtype is torch.float32
    assert torch.ones(2).where(condition, torch.zeros(2)).tolist() == [1, 0]
    assert [each.tolist() for each in torch.where(condition)] == [[0]]
    with pytest.raises(RuntimeError, match="boolean"):
        torch.where(torch.tensor([1, 0]), 1.0, 0.0)
    with pytest.raises(RuntimeError, match=r"\[3\]"):
        torch.where(condition, torch.ones(3), torch.ones(2))
    x = torch.tensor([0.0, 4.0], requires_grad=True)
    torch.where(x > 0, x.sqrt(), x * 0).sum().backward()
    assert np.isnan(x.grad[0].item())  # as in PyTorch: 0 * infinity; guard the input, not the result
    assert torch.nonzero(torch.tensor([[0, 1], [2, 0]])).tolist() == [[0, 1], [1, 0]]
    assert torch.nonzero(torch.tensor(1.0)).shape == (1, 0)
    with pytest.raises(RuntimeError, match="boolean masks"):
        torch.ones(2).masked_fill(torch.tensor([1, 0]), 0.0)
