"""The Tensor itself: construction, Python numbers, printing, NumPy, DLPack, copies, devices."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import tinygrad_fr as torch

TEXTS = json.loads((Path(__file__).parent.parent / "golden" / "repr.json").read_text())


# --- construction ------------------------------------------------------------------------------------------------


def test_constructor():
    assert torch.Tensor([1, 2]).dtype is torch.float32
    assert torch.Tensor(2, 3).shape == (2, 3)
    assert torch.Tensor().shape == (0,)
    assert torch.Tensor([[1.0]], requires_grad=True).requires_grad
    with pytest.raises(TypeError, match="one argument"):
        torch.Tensor([1.0], [2.0])
    array = np.ones(2, np.float32)
    made = torch.Tensor(array)
    made[0] = 5.0
    assert array[0] == 1


def test_requires_grad_is_for_floating_point():
    for make in (
        lambda: torch.tensor([1], requires_grad=True),
        lambda: torch.zeros(2, dtype=torch.int64, requires_grad=True),
        lambda: torch.tensor([True]).requires_grad_(),
    ):
        with pytest.raises(RuntimeError, match="floating point"):
            make()
    y = torch.ones(1, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="leaf variables"):
        y.requires_grad = False
    x = torch.ones(1)
    assert x.requires_grad_() is x
    assert x.requires_grad_(False).requires_grad is False


# --- Python numbers ----------------------------------------------------------------------------------------------


def test_item_and_tolist():
    assert torch.tensor(1.5).item() == 1.5
    assert type(torch.tensor([[3]]).item()) is int
    assert type(torch.tensor(True).item()) is bool
    assert torch.tensor([[1, 2], [3, 4]]).tolist() == [[1, 2], [3, 4]]
    assert torch.tensor(2.0).tolist() == 2.0
    assert torch.zeros(2, 0).tolist() == [[], []]
    for shape in ((2,), (0,)):
        with pytest.raises(RuntimeError, match=f"a Tensor with {shape[0]} elements cannot be converted to Scalar"):
            torch.zeros(shape).item()


def test_truth_and_conversions():
    assert torch.tensor([2.0])
    assert not torch.tensor(0)
    with pytest.raises(RuntimeError, match="more than one value is ambiguous"):
        bool(torch.ones(2))
    with pytest.raises(RuntimeError, match="no values is ambiguous"):
        bool(torch.ones(0))
    assert float(torch.tensor([1.5])) == 1.5
    assert int(torch.tensor(2.9)) == 2
    assert [10, 20, 30][torch.tensor(1)] == 20
    assert f"{torch.tensor(1.23456):.2f}" == "1.23"
    with pytest.raises(ValueError, match="only one element tensors"):
        float(torch.ones(2))
    with pytest.raises(TypeError, match="integer tensors of a single element"):
        [10][torch.tensor(0.0)]


def test_length_iteration_and_membership():
    x = torch.tensor([[1, 2], [3, 4], [5, 6]])
    assert len(x) == 3
    assert [row.tolist() for row in x] == [[1, 2], [3, 4], [5, 6]]
    a, b = torch.tensor([1.0, 2.0], requires_grad=True)
    assert (a * b).requires_grad
    assert 4 in x
    assert 9 not in x
    with pytest.raises(TypeError, match=r"len\(\) of a 0-d tensor"):
        len(torch.tensor(1))
    with pytest.raises(TypeError, match="iteration over a 0-d tensor"):
        iter(torch.tensor(1))


def test_hash_is_identity_and_comparison_with_other_things():
    x, y = torch.ones(2), torch.ones(2)
    assert len({x, y}) == 2
    assert (x == None) is False  # noqa: E711
    assert (x != "text") is True


def test_attributes():
    x = torch.zeros(2, 3, dtype=torch.float64)
    assert (x.ndim, x.dim(), x.numel(), x.nelement(), x.size(), x.size(-1)) == (2, 2, 6, 6, (2, 3), 3)
    assert x.shape.numel() == 6
    assert x.stride() == (3, 1)
    assert x.t().stride() == (1, 3)
    assert x.is_contiguous()
    assert not x.t().is_contiguous()
    assert (x.itemsize, x.element_size(), x.nbytes) == (8, 8, 48)
    assert x.data_ptr() == x._array.ctypes.data
    assert x.is_floating_point()
    with pytest.raises(IndexError, match=r"range of \[-2, 1\], but got 2"):
        x.size(2)


@pytest.mark.parametrize("expression", TEXTS)
def test_prints_as_pytorch(expression):
    text = repr(eval(expression, {"torch": torch}))
    assert text.replace("tinygrad_fr.", "torch.") == TEXTS[expression]


# --- NumPy -------------------------------------------------------------------------------------------------------


def test_numpy_shares_memory():
    x = torch.zeros(3)
    array = x.numpy()
    array[0] = 5
    assert x[0].item() == 5
    assert np.shares_memory(np.asarray(x), x._array)
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    assert not np.shares_memory(np.array(x), x._array)
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(x, dtype=np.float64, copy=False)


def test_from_numpy_shares_memory():
    array = np.zeros(3)
    x = torch.from_numpy(array)
    x[1] = 7.0
    assert array[1] == 7
    assert x.dtype is torch.float64
    copied = torch.tensor(array)
    copied[0] = 1.0
    assert array[0] == 0
    assert torch.as_tensor(array).data_ptr() == array.ctypes.data


def test_from_numpy_refuses():
    with pytest.raises(ValueError, match="negative"):
        torch.from_numpy(np.ones(3)[::-1])
    with pytest.raises(TypeError, match=r"complex128.*float32"):
        torch.from_numpy(np.ones(3, complex))
    with pytest.raises(TypeError, match="list"):
        torch.from_numpy([1.0])
    with pytest.raises(ValueError, match="byte order"):
        torch.from_numpy(np.ones(2, ">f4"))


def test_a_tensor_in_the_graph_is_no_array():
    x = torch.ones(2, requires_grad=True)
    for convert in (lambda: x.numpy(), lambda: np.asarray(x), lambda: np.exp(x * 2)):
        with pytest.raises(RuntimeError, match="requires grad"):
            convert()
    assert x.numpy(force=True).tolist() == [1, 1]
    assert x.detach().numpy().tolist() == [1, 1]


@pytest.mark.parametrize(
    "combine",
    [
        lambda a, x: a + x,
        lambda a, x: a - x,
        lambda a, x: a * x,
        lambda a, x: a / x,
        lambda a, x: a[0] * x,
        lambda a, x: a**x,
        lambda a, x: x + a,
    ],
)
def test_arrays_and_tensors_give_tensors_with_a_graph(combine):
    array = np.array([2.0, 3.0], np.float32)
    x = torch.tensor([1.0, 4.0], requires_grad=True)
    y = combine(array, x)
    assert isinstance(y, torch.Tensor)
    y.sum().backward()
    again = torch.tensor([1.0, 4.0], requires_grad=True)
    combine(torch.tensor(array), again).sum().backward()
    np.testing.assert_allclose(x.grad._array, again.grad._array, rtol=1e-6)


def test_comparisons_with_arrays():
    result = np.array([1.0, 5.0]) < torch.tensor([2.0, 2.0])
    assert isinstance(result, torch.Tensor)
    assert result.tolist() == [True, False]


def test_dlpack_both_ways():
    x = torch.arange(6.0).reshape(2, 3)
    array = np.from_dlpack(x)
    assert np.shares_memory(array, x._array)
    back = torch.from_dlpack(np.arange(3.0))
    assert back.tolist() == [0, 1, 2]
    assert torch.from_dlpack(x).data_ptr() == x.data_ptr()
    with pytest.raises(RuntimeError, match="requires grad"):
        np.from_dlpack(torch.ones(1, requires_grad=True))


# --- copies ------------------------------------------------------------------------------------------------------


def test_pickle():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = pickle.loads(pickle.dumps(x))
    assert y.tolist() == [1, 2]
    assert y.requires_grad
    (y * y).sum().backward()  # the array is an ordinary one again
    assert y.grad.tolist() == [2, 4]
    with pytest.raises(RuntimeError, match="detach"):
        pickle.dumps(x * 2)


def test_deepcopy():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * 3).sum().backward()
    first, second = copy.deepcopy([x, x])
    assert first is second
    assert first.grad.tolist() == [3, 3]
    first.grad.mul_(0)
    assert x.grad.tolist() == [3, 3]
    with pytest.raises(RuntimeError, match="graph leaves"):
        copy.deepcopy(x * 2)


def test_data():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    x.data[0] = 9.0
    x.data = x.data * 2
    assert x.tolist() == [18, 4]
    assert x.requires_grad
    with pytest.raises(TypeError, match="list"):
        x.data = [1.0]


# --- devices -----------------------------------------------------------------------------------------------------


def test_the_cpu_is_everywhere():
    x = torch.ones(2, device="cpu")
    assert x.device == torch.device("cpu")
    assert x.to("cpu") is x
    assert x.to(torch.device("cpu")) is x
    assert x.cpu() is x
    assert x.pin_memory() is x
    assert not x.is_cuda
    assert torch.cuda.is_available() is False
    assert x.to("cpu", torch.float64).dtype is torch.float64
    assert str(torch.device("cpu:0")) == "cpu:0"


@pytest.mark.parametrize(
    "use",
    [
        lambda: torch.ones(2, device="cuda"),
        lambda: torch.tensor([1.0], device="cuda:0"),
        lambda: torch.ones(2).to("cuda"),
        lambda: torch.ones(2).cuda(),
        lambda: torch.device("cuda"),
        lambda: torch.randn(2, device="cuda"),
    ],
)
def test_any_other_device_is_named(use):
    with pytest.raises(RuntimeError, match="cuda"):
        use()


def test_a_gradient_that_does_not_fit_is_not_assigned():
    x = torch.zeros(2, requires_grad=True)
    for value, error, message in (
        (torch.zeros(3), RuntimeError, r"size '\[3\]' to a tensor of size '\[2\]'"),
        (torch.zeros(1), RuntimeError, "same size"),
        (torch.zeros(2, dtype=torch.float64), RuntimeError, "dtype 'float64' to a tensor of dtype 'float32'"),
        (x, RuntimeError, "its own grad"),
        (3.0, TypeError, "got grad of type float"),
    ):
        with pytest.raises(error, match=message):
            x.grad = value
        assert x.grad is None
    x.grad = torch.ones(2)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [3, 3]
    del x.grad
    assert x.grad is None
