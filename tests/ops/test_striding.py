"""Windows and strides: what of memory they share, and what is refused."""

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr.autograd import gradcheck, gradgradcheck


def test_windows_are_views():
    x = torch.arange(5.0)
    windows = x.unfold(0, 3, 2)
    assert windows.tolist() == [[0, 1, 2], [2, 3, 4]]
    assert windows._base is x
    assert torch.tensor(3.0).unfold(0, 1, 1).tolist() == [3]
    with pytest.raises(RuntimeError, match="more than one element"):
        windows.add_(1)
    x.unfold(0, 2, 2).mul_(10)
    assert x.tolist() == [0, 10, 20, 30, 4]
    with pytest.raises(RuntimeError, match="maximum size"):
        x.unfold(0, 6, 1)
    with pytest.raises(RuntimeError, match="step"):
        x.unfold(0, 1, 0)


def test_memory_of_windows():
    windows = torch.arange(6.0)[1:].unfold(0, 2, 2)
    assert windows.storage_offset() == 1
    assert windows[1:].as_strided((2,), (2,)).tolist() == [3, 5]
    assert windows.as_strided((2,), (1,), 0).tolist() == [0, 1]


def test_an_element_in_several_windows_gets_all_gradients():
    x = torch.ones(4, requires_grad=True)
    x.unfold(0, 2, 1).sum().backward()
    assert x.grad.tolist() == [1, 2, 2, 1]


def test_as_strided_reads_memory():
    x = torch.arange(6.0)
    assert x.as_strided((2, 2), (3, 1)).tolist() == [[0, 1], [3, 4]]
    assert x[2:].as_strided((2,), (1,), 0).tolist() == [0, 1]
    assert x[2:].as_strided((2,), (1,)).tolist() == [2, 3]
    assert x[2:].storage_offset() == 2
    x.as_strided((2,), (5,)).fill_(9)
    assert x.tolist() == [9, 1, 2, 3, 4, 9]
    assert x.as_strided_((2, 3), (1, 2)).tolist() == [[9, 2, 4], [1, 3, 9]]
    for size, stride, offset in (((7,), (1,), 0), ((2,), (3,), 3), ((1,), (1,), -1)):
        with pytest.raises(RuntimeError, match=r"out of bounds|invalid storage offset"):
            torch.zeros(6).as_strided(size, stride, offset)
    with pytest.raises(RuntimeError, match="Negative strides"):
        x.as_strided((1,), (-1,))
    with pytest.raises(NotImplementedError, match="order of the axes"):
        torch.from_numpy(np.zeros((2, 3)).T).as_strided((1,), (1,))


def test_writes_through_windows_and_strides_are_seen_by_the_graph():
    x = torch.arange(4.0, requires_grad=True)
    y = x * 1
    y.as_strided((2,), (2,)).mul_(3)
    y.unfold(0, 2, 2)[1].mul_(x[1])
    y.sum().backward()
    assert y.tolist() == [0, 1, 6, 3]
    assert x.grad.tolist() == [3, 1 + 6 + 3, 3, 1]


@pytest.mark.parametrize(
    ("size", "stride", "offset"), [((2, 2), (1, 1), 1), ((3,), (0,), 2), ((2, 3), (3, 1), 0), ((), (), 4)]
)
@pytest.mark.parametrize("view", [lambda x: x, lambda x: x.t(), lambda x: x[1:]])
def test_gradients_of_as_strided(view, size, stride, offset):
    def function(x):
        return view(x * 1).as_strided(size, stride, offset) ** 2

    x = torch.arange(6.0, dtype=torch.float64).view(2, 3)
    if view(x).shape == x.shape or offset >= 3:  # else it reads what is not in the view, which gets no gradient
        assert gradcheck(function, [x.requires_grad_()])
        assert gradgradcheck(function, [x])


def test_the_bytes_as_another_type():
    x = torch.tensor([1.0, -2.0])
    bits = x.view(torch.int32)
    assert bits.tolist() == np.array([1.0, -2.0], np.float32).view(np.int32).tolist()
    assert x.view(torch.uint8).shape == (8,)
    assert x.view(dtype=torch.float64).shape == (1,)
    bits.zero_()
    assert x.tolist() == [0, 0]
    assert x._version == bits._version
    assert x.requires_grad_().view(torch.float32).requires_grad
    with pytest.raises(RuntimeError, match="cannot be 0"):
        torch.tensor(1.0).view(torch.uint8)
    with pytest.raises(RuntimeError, match="divisible by 2"):
        torch.zeros(3).view(torch.float64)
    with pytest.raises(RuntimeError, match="stride"):
        torch.zeros(2, 2).t().view(torch.uint8)
