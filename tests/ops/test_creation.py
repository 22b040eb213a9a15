"""Making tensors: values, dtypes, flags, errors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as torch
from tests.strategies import examples


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, "float32"),
        (3, "int64"),
        (True, "bool"),
        ([1, 2.5], "float32"),
        ([True, 2], "int64"),
        ([], "float32"),
        ([[], []], "float32"),
        (np.float64(1.5), "float64"),
        ([np.float64(1.5)], "float64"),
        (np.ones(2, np.int16), "int16"),
        ([np.ones(2), np.ones(2)], "float64"),
        ([np.float32(3), 1], "float32"),
        ((1, 2), "int64"),
        (range(3), "int64"),
    ],
)
def test_the_dtype_of_tensor(data, dtype):
    assert torch.tensor(data).dtype.name == dtype


def test_tensor_copies_and_refuses():
    source = torch.ones(2)
    made = torch.tensor(source)
    made[0] = 5.0
    assert source[0].item() == 1
    assert torch.tensor([torch.tensor(1.0), torch.tensor(2.0)]).tolist() == [1, 2]
    with pytest.raises(ValueError, match="equal length"):
        torch.tensor([[1, 2], [3]])
    with pytest.raises(TypeError, match=r"can't convert.*complex128"):
        torch.tensor(1j)
    with pytest.raises(TypeError, match="can't convert"):
        torch.tensor(["a"])


def test_filled():
    assert torch.zeros(2, 3).tolist() == [[0] * 3] * 2
    assert torch.zeros((2, 3)).shape == torch.zeros([2, 3]).shape == torch.zeros(torch.Size([2, 3])).shape == (2, 3)
    assert torch.ones(()).item() == 1
    assert torch.zeros(0).shape == (0,)
    assert torch.full((2,), 7).dtype is torch.int64
    assert torch.full((2,), 7.0).tolist() == [7, 7]
    assert torch.full((1,), True).dtype is torch.bool
    assert torch.empty(2, 2, dtype=torch.float64).shape == (2, 2)
    x = torch.ones(2, dtype=torch.int32)
    assert torch.zeros_like(x).dtype is torch.int32
    assert torch.ones_like(x, dtype=torch.float32).dtype is torch.float32
    assert torch.full_like(x, 3).tolist() == [3, 3]
    assert x.new_zeros(3).dtype is torch.int32
    assert x.new_ones((1, 2)).shape == (1, 2)
    assert x.new_full((2,), 4).tolist() == [4, 4]
    assert x.new_tensor([1.7]).tolist() == [1]
    assert torch.zeros(2, requires_grad=True).requires_grad
    with pytest.raises(RuntimeError, match="negative dimension -1"):
        torch.zeros(2, -1)


@examples(100)
@given(st.integers(-20, 20), st.integers(-20, 20), st.integers(-5, 5).filter(bool))
def test_arange_of_integers(start, end, step):
    if (end - start) * step < 0:
        with pytest.raises(RuntimeError, match="inconsistent with step sign"):
            torch.arange(start, end, step)
        return
    made = torch.arange(start, end, step)
    assert made.dtype is torch.int64
    assert made.tolist() == list(range(start, end, step))


def test_arange():
    assert torch.arange(3).tolist() == [0, 1, 2]
    assert torch.arange(0, 1, 0.25).tolist() == [0, 0.25, 0.5, 0.75]
    assert torch.arange(3.0).dtype is torch.float32
    assert torch.arange(2, dtype=torch.float64).dtype is torch.float64
    assert torch.arange(torch.tensor(3)).tolist() == [0, 1, 2]
    assert torch.arange(2**40, 2**40 + 2).tolist() == [2**40, 2**40 + 1]
    with pytest.raises(RuntimeError, match="step must be nonzero"):
        torch.arange(0, 3, 0)


def test_linspace_and_eye():
    assert torch.linspace(0, 1, 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert torch.linspace(2, 9, 1).tolist() == [2]
    assert torch.linspace(0, 1, 0).shape == (0,)
    assert torch.eye(2, 3).tolist() == [[1, 0, 0], [0, 1, 0]]
    with pytest.raises(RuntimeError, match="non-negative"):
        torch.linspace(0, 1, -1)


def test_meshgrid():
    a, b = torch.tensor([1, 2]), torch.tensor([3, 4, 5])
    x, y = torch.meshgrid(a, b, indexing="ij")
    assert x.tolist() == [[1, 1, 1], [2, 2, 2]]
    assert y.tolist() == [[3, 4, 5], [3, 4, 5]]
    x, y = torch.meshgrid([a, b], indexing="xy")
    assert x.shape == y.shape == (3, 2)
    with pytest.raises(RuntimeError, match="indexing"):
        torch.meshgrid(a, b, indexing="yx")


def test_unsupported_options_are_named():
    with pytest.raises(NotImplementedError, match="sparse"):
        torch.zeros(2, layout="sparse")
    with pytest.raises(NotImplementedError, match="memory_format"):
        torch.zeros(2).clone(memory_format="channels_last")
    assert torch.is_tensor(torch.zeros(1))
    assert not torch.is_tensor(np.zeros(1))
    assert torch.numel(torch.zeros(2, 3)) == 6


def test_the_type_of_tensors_and_numbers_in_a_list():
    assert torch.tensor([torch.tensor(3), 1.5]).dtype is torch.float32
    assert torch.tensor([torch.tensor(3), True]).dtype is torch.int64


def test_what_no_tensor_can_be_made_of():
    for data, error in ((None, RuntimeError), ({}, RuntimeError), ({1}, RuntimeError), (2**70, ValueError)):
        with pytest.raises(error):
            torch.tensor([data])


@pytest.mark.parametrize(
    "write",
    [
        lambda value, kind: torch.tensor([value], dtype=kind),
        lambda value, kind: torch.full((1,), value, dtype=kind),
        lambda value, kind: torch.zeros(1, dtype=kind).fill_(value),
        lambda value, kind: torch.zeros(1, dtype=kind).masked_fill(torch.tensor([True]), value),
        lambda value, kind: torch.zeros(1, dtype=kind).scatter(0, torch.tensor([0]), value),
        lambda value, kind: torch.zeros(1, dtype=kind).index_fill(0, torch.tensor([0]), value),
        lambda value, kind: torch.zeros(1, dtype=kind).masked_fill_(torch.tensor([True]), value),
    ],
)
def test_numbers_that_an_integer_type_cannot_hold(write):
    assert write(2.7, torch.int32).tolist() == [2]
    assert write(-1, torch.uint8).tolist() == [255]
    assert write(7, torch.bool).tolist() == [True]
    for value, kind in ((300, torch.uint8), (2**40, torch.int32), (-300, torch.int8), (float("nan"), torch.int64)):
        with pytest.raises(RuntimeError, match="without overflow"):
            write(value, kind)


def test_sizes_by_keyword():
    assert torch.zeros(size=(2, 3)).shape == torch.ones(2, 3).new_zeros(size=(2, 3)).shape == (2, 3)
    assert torch.rand(size=(2,)).shape == (2,)
    for call in (lambda: torch.zeros(), lambda: torch.zeros(2.0), lambda: torch.full(2, 1.0), lambda: torch.arange()):
        with pytest.raises(TypeError):
            call()


def test_more_of_ranges():
    assert torch.arange(end=3).tolist() == [0, 1, 2]
    assert torch.logspace(0, 3, 4, base=2, dtype=torch.int64).tolist() == [1, 2, 4, 8]
    assert torch.logspace(-1, 1, 3).tolist() == pytest.approx([0.1, 1, 10])
    with pytest.raises(RuntimeError, match="unsupported range"):
        torch.arange(0, float("inf"))
    with pytest.raises(NotImplementedError, match="Bool"):
        torch.arange(3, dtype=torch.bool)
    with pytest.raises(RuntimeError, match="greater or equal to 0"):
        torch.eye(-1)


def test_other_ways_to_a_tensor():
    array = np.zeros(2)
    shared, copy = torch.asarray(array), torch.asarray(array, copy=True)
    array[0] = 1
    assert shared.tolist() == [1, 0]
    assert copy.tolist() == [0, 0]
    assert torch.asarray([1.0], requires_grad=True).requires_grad
    with pytest.raises(ValueError, match="copy=False"):
        torch.asarray([1.0], copy=False)
    assert torch.scalar_tensor(3).dtype is torch.float32


def test_grids_are_of_vectors():
    x = torch.zeros(2)
    with pytest.raises(RuntimeError, match="0D or 1D"):
        torch.meshgrid(torch.zeros(1, 1), x, indexing="ij")
    with pytest.raises(RuntimeError, match="same dtype"):
        torch.meshgrid(x.long(), x, indexing="ij")
    with pytest.raises(RuntimeError, match="non-empty"):
        torch.meshgrid()


def test_functions_of_each_element():
    x = torch.tensor([1.0, 2.0])
    assert x.apply_(lambda element: element * 3) is x
    assert x.tolist() == [3, 6]
    assert x.map_(torch.tensor(1), lambda element, other: element + other).tolist() == [4, 7]
    with pytest.raises(RuntimeError, match="requires grad"):
        x.requires_grad_().apply_(abs)
