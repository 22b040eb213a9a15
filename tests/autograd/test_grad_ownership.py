"""Every leaf owns its .grad: changing one in place changes no other tensor."""

import numpy as np
import pytest

import tinygrad_fr as torch
from tests.hearing import Hearing
from tinygrad_fr.autograd import recording


def leaves(count=2):
    return [torch.ones(3, 3, requires_grad=True) for _ in range(count)]


PROGRAMS = {
    "x + y": lambda x, y: x + y,
    "x + x": lambda x, y: x + x + y,
    "views": lambda x, y: x.reshape(9)[:].view(3, 3).t() + y.T,
    "clone": lambda x, y: x.clone() + y.clone().contiguous(),
    "sub": lambda x, y: y - (x - y),
    "expand": lambda x, y: (x + y).sum(0).expand(3, 3),
    "cat": lambda x, y: torch.cat([x, y]),
    "stack": lambda x, y: torch.stack([x, y, x]),
    "copy": lambda x, y: torch.zeros(3, 3).copy_(x).add_(y),
    "slices": lambda x, y: x[:2] + y[1:],
    "linear": lambda x, y: x @ y,
    "where": lambda x, y: torch.where(torch.ones(3, 3) > 0, x, y),
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("name", PROGRAMS)
def test_no_array_is_shared(name, create_graph, recorded):
    x, y = leaves()
    out = PROGRAMS[name](x, y)
    seed = torch.ones_like(out)
    if recorded:
        with recording(Hearing()):
            out.backward(seed, create_graph=create_graph)
    else:
        out.backward(seed, create_graph=create_graph)
    x_grad, y_grad = x.grad._array, y.grad._array
    assert not np.shares_memory(x_grad, y_grad)
    for grad in (x_grad, y_grad):
        assert grad.flags.writeable
        assert grad.flags.c_contiguous
        assert not np.shares_memory(grad, seed._array)
        assert not any(np.shares_memory(grad, each._array) for each in (x, y, out))


def test_clipping_one_leaves_the_others():
    x, y = leaves()
    ((x + y) * 5).sum().backward()
    x.grad.mul_(0)
    assert y.grad.tolist() == [[5.0] * 3] * 3


def test_a_second_backward_does_not_write_into_other_arrays():
    x, y = leaves()
    seed = torch.ones(3, 3)
    (x + y).backward(seed)
    (x + y).backward(seed)
    assert seed.tolist() == [[1.0] * 3] * 3
    assert x.grad.tolist() == y.grad.tolist() == [[2.0] * 3] * 3


def test_gradients_from_grad_are_not_those_of_the_next_pass():
    x, y = leaves()
    out = (x * y).sum()
    (first,) = torch.autograd.grad(out, x, retain_graph=True)
    (second,) = torch.autograd.grad(out, x)
    first.mul_(0)
    assert second.tolist() == [[1.0] * 3] * 3
    assert y.tolist() == [[1.0] * 3] * 3


def test_a_gradient_that_was_saved_for_backward_is_copied():
    """d(x*y)/dx is g*y: with g = 1 nothing may hand out y's own array."""
    x, y = leaves()
    (x * y).backward(torch.ones(3, 3))
    x.grad.zero_()
    assert y.tolist() == [[1.0] * 3] * 3
