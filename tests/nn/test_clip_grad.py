"""Clipping gradients: what it computes, which gradients it takes, what it leaves of the tensors around."""

import math

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.nn.utils import clip_grad_norm_, clip_grad_value_, clip_grads_with_norm_, get_total_norm

ORDERS = (2.0, 1.0, math.inf, 3.0, 0.5, 0.0, -1.0, -math.inf)
SHAPES = ((3, 4), (), (5,), (130, 70))


def with_gradients(*gradients):
    parameters = [nn.Parameter(torch.zeros(len(g))) for g in gradients]
    for p, g in zip(parameters, gradients, strict=True):
        p.grad = torch.tensor(g)
    return [*parameters, nn.Parameter(torch.zeros(1))]


def trained(*dtypes):
    """Parameters with gradients of normal draws, of the given types in turn."""
    rng = np.random.default_rng(3)
    parameters = []
    for i, shape in enumerate(SHAPES):
        dtype = dtypes[i % len(dtypes)]
        p = nn.Parameter(torch.zeros(shape, dtype=dtype))
        p.grad = torch.tensor(rng.standard_normal(shape), dtype=dtype)
        parameters.append(p)
    return parameters


def arrays_of(parameters):
    return [p.grad.numpy().copy() for p in parameters]


def norm_of_norms(arrays, order):
    """As PyTorch has it, in float64."""
    return np.linalg.norm([np.linalg.norm(x.ravel().astype(np.float64), order) for x in arrays], order)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtypes", [(torch.float32,), (torch.float64,), (torch.float32, torch.float64)])
def test_values(order, dtypes):
    parameters = trained(*dtypes)
    before = arrays_of(parameters)
    expected = norm_of_norms(before, order)
    most = 0.37 * float(expected)
    norm = clip_grad_norm_(parameters, most, order)
    assert norm.dtype is dtypes[-1]
    assert norm.shape == ()
    assert not norm.requires_grad
    tolerance = 1e-12 if dtypes == (torch.float64,) else 1e-6
    assert norm.item() == pytest.approx(expected, rel=tolerance)
    for p, x in zip(parameters, before, strict=True):
        np.testing.assert_allclose(p.grad.numpy(), x * (most / (expected + 1e-6)), rtol=10 * tolerance)


def test_clip_grad_norm():
    parameters = with_gradients([3.0, 0.0], [0.0, 4.0])
    assert clip_grad_norm_(parameters, 10.0).item() == 5
    assert parameters[0].grad.tolist() == [3, 0]
    assert clip_grad_norm_(parameters, 1.0).item() == 5
    assert get_total_norm([p.grad for p in parameters[:2]]).item() == pytest.approx(1, abs=1e-5)
    assert parameters[1].grad.tolist() == pytest.approx([0, 0.8], abs=1e-5)
    assert clip_grad_norm_(parameters, 1.0, norm_type=math.inf).item() == pytest.approx(0.8, abs=1e-5)
    assert parameters[2].grad is None


def test_no_gradients():
    assert clip_grad_norm_([nn.Parameter(torch.zeros(1))], 1.0).item() == 0
    assert clip_grad_norm_([], 1.0).item() == 0
    assert get_total_norm([]).dtype is torch.float32


def test_one_tensor_or_an_iterator():
    p, _ = with_gradients([3.0, 4.0])
    assert clip_grad_norm_(p, 1.0).item() == 5
    assert clip_grad_norm_(iter([p]), 0.5).item() == pytest.approx(1, abs=1e-5)
    assert get_total_norm(p.grad).item() == pytest.approx(0.5, abs=1e-5)


def test_empty_gradients():
    parameters = with_gradients([3.0, 4.0], [])
    assert clip_grad_norm_(parameters, 1.0).item() == 5
    with pytest.raises(RuntimeError, match="empty"):
        clip_grad_norm_(parameters, 1.0, math.inf)


@pytest.mark.parametrize("special", [math.nan, math.inf])
def test_norms_that_are_not_finite(special):
    parameters = with_gradients([special, 1.0], [2.0])
    with pytest.raises(RuntimeError, match=r"total norm of order 2\.0 .* non-finite"):
        clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)
    assert parameters[1].grad.tolist() == [2]  # nothing was scaled
    assert str(clip_grad_norm_(parameters, 1.0).item()) == str(special)
    assert np.isnan(parameters[0].grad.numpy()[0])
    np.testing.assert_array_equal(parameters[1].grad.numpy(), [np.float32(2 / special)])


def test_writes_are_counted():
    parameters = with_gradients([3.0], [4.0])
    before = [p.grad._version[0] for p in parameters[:2]]
    clip_grad_norm_(parameters, 10.0)
    assert [p.grad._version[0] for p in parameters[:2]] == [count + 1 for count in before]
    x = torch.ones(2, requires_grad=True)
    p, _ = with_gradients([1.0, 2.0])
    product = (x * p.grad).sum()
    clip_grad_norm_(p, 10.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.backward()


def test_gradients_that_share_memory():
    """What PyTorch does: each is scaled by the same factor, one after the other."""
    p, q, _ = with_gradients([3.0, 4.0], [0.0, 0.0])
    q.grad = p.grad
    factor = 1 / (math.sqrt(50) + 1e-6)
    clip_grad_norm_([p, q], 1.0)
    assert p.grad.tolist() == pytest.approx([3 * factor**2, 4 * factor**2], rel=1e-6)
    flat = torch.tensor([3.0, 4.0, 12.0])
    p.grad, q.grad = flat[:2], flat[1:]
    factor = 1 / (math.sqrt(9 + 16 + 16 + 144) + 1e-6)
    clip_grad_norm_([p, q], 1.0)
    assert flat.tolist() == pytest.approx([3 * factor, 4 * factor**2, 12 * factor], rel=1e-6)


def test_a_norm_that_is_one_of_the_gradients():
    p, q = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
    p.grad, q.grad = torch.tensor(4.0), torch.tensor(8.0)
    clip_grads_with_norm_([p, q], 1.0, p.grad)
    assert [p.grad.item(), q.grad.item()] == pytest.approx([1, 2], abs=1e-5)


def test_gradients_that_cannot_be_written():
    p = nn.Parameter(torch.zeros(3))
    p.grad = torch.ones(1).expand(3)
    with pytest.raises(RuntimeError, match="single memory location"):
        clip_grad_norm_(p, 1.0)


@pytest.mark.parametrize("transposed", [False, True])
def test_layouts(transposed):
    p = nn.Parameter(torch.zeros(2, 2))
    grad = torch.tensor([[1.0, 2.0], [2.0, 4.0]])
    p.grad = grad.T if transposed else torch.stack([grad, grad], -1)[..., 0]
    assert clip_grad_norm_(p, 1.0).item() == 5
    np.testing.assert_allclose(p.grad.numpy(), grad.numpy() if transposed else grad.numpy() / 5, rtol=1e-6)


@pytest.mark.parametrize("norm", [torch.tensor(10.0), torch.tensor(10.0, dtype=torch.float64)])
def test_a_norm_that_is_given(norm):
    p, _ = with_gradients([3.0, 4.0])
    assert clip_grads_with_norm_(p, 1.0, norm) is None
    assert p.grad.tolist() == pytest.approx([0.3, 0.4], abs=1e-6)
    assert norm.item() == 10


def test_a_limit_that_is_a_tensor():
    p, _ = with_gradients([3.0, 4.0])
    clip_grad_norm_(p, torch.tensor(0.5))
    assert p.grad.tolist() == pytest.approx([0.3, 0.4], abs=1e-6)


def test_clip_grad_value():
    parameters = with_gradients([3.0, -0.5], [-4.0, 1.0])
    clip_grad_value_(parameters, 1)
    assert [p.grad.tolist() for p in parameters[:2]] == [[1, -0.5], [-1, 1]]


def test_a_gradient_that_does_not_lie_in_order_in_a_compiled_step():
    """It is scaled where it lies, at each replay."""

    def clipped(compiled):
        p = torch.zeros(4, 3, requires_grad=True)
        p.grad = (torch.arange(12.0).reshape(3, 4) + 1).T
        step = torch.compile(lambda: clip_grad_norm_([p], 1.0)) if compiled else lambda: clip_grad_norm_([p], 1.0)
        seen = []
        for _ in range(4):
            step()
            seen.append(p.grad.tolist())
            p.grad.mul_(50.0)
        return seen

    assert clipped(True) == clipped(False)
