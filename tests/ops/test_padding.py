"""Borders: what the records do not cover - shapes that are refused, gradients of what is repeated."""

import pytest

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F


def test_constant():
    x = torch.tensor([[1, 2], [3, 4]])
    assert F.pad(x, (1, 0)).tolist() == [[0, 1, 2], [0, 3, 4]]
    assert F.pad(x, (0, 0, 1, -1), value=9).tolist() == [[9, 9], [1, 2]]
    assert F.pad(x, ()) is not x
    with pytest.raises(RuntimeError, match="divisible by two"):
        F.pad(x, (1,))
    with pytest.raises(RuntimeError, match="cut more"):
        F.pad(x, (-3, 1))
    with pytest.raises(RuntimeError, match="without overflow"):
        F.pad(x.byte(), (1, 1), value=300)


def test_an_element_that_is_repeated_gets_all_gradients():
    x = torch.ones(1, 3, requires_grad=True)
    F.pad(x, (2, 1), "replicate").sum().backward()
    assert x.grad.tolist() == [[3, 1, 2]]


@pytest.mark.parametrize(
    ("pad", "mode", "error", "message"),
    [
        ((3, 0), "reflect", RuntimeError, "less than the corresponding input dimension"),
        ((4, 0), "circular", RuntimeError, "Padding size"),
        ((-2, -1), "replicate", RuntimeError, "Padding size"),
        ((1, 1, 1, 1), "reflect", NotImplementedError, "Only 2D, 3D, 4D, 5D"),
        ((1, 1), "wrap", NotImplementedError, "wrap"),
    ],
)
def test_what_is_refused(pad, mode, error, message):
    with pytest.raises(error, match=message):
        F.pad(torch.zeros(2, 3), pad, mode)
    with pytest.raises(RuntimeError, match="value argument"):
        F.pad(torch.zeros(2, 3), (1, 1), "reflect", 2.0)
