"""Normalisation layers: running statistics, and what is refused; values are in test_recorded_layers."""

import numpy as np
import pytest

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F
from tinygrad_fr import nn
from tinygrad_fr.autograd import gradcheck, gradgradcheck


def draw(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).requires_grad_()


def test_higher_derivatives_move_the_running_statistics_once():
    layer = nn.BatchNorm1d(3).double()
    x = draw(5, 3)
    loss = layer(x).pow(3).sum()
    state = {key: value.clone() for key, value in layer.state_dict().items()}
    (first,) = torch.autograd.grad(loss, x, create_graph=True)
    first.square().sum().backward()
    assert layer.num_batches_tracked.item() == 1
    for key, value in layer.state_dict().items():
        assert torch.equal(value, state[key]), key


def test_running_statistics_are_no_part_of_the_graph():
    layer = nn.BatchNorm2d(2)
    for _ in range(3):
        layer(torch.randn(2, 2, 3, 3, requires_grad=True))
    assert not layer.running_mean.requires_grad
    assert layer.running_mean.is_leaf


def test_an_empty_batch_moves_no_statistics():
    layer = nn.BatchNorm1d(3)
    x = torch.ones(0, 3, requires_grad=True)
    layer(x).sum().backward()
    assert x.grad.shape == (0, 3)
    assert layer.weight.grad.tolist() == [0, 0, 0]
    assert layer.running_mean.tolist() == [0, 0, 0]
    assert layer.running_var.tolist() == [1, 1, 1]
    assert layer.num_batches_tracked.item() == 1


def test_writing_running_statistics_counts_as_writing():
    layer = nn.BatchNorm1d(3)
    product = (layer.running_mean * torch.ones(3, requires_grad=True)).sum()
    layer(torch.randn(4, 3))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        product.backward()


def test_evaluation_uses_the_running_statistics_and_leaves_them():
    layer = nn.BatchNorm1d(2, eps=0.0).double()
    layer.running_mean.copy_(torch.tensor([1.0, 2.0]))
    layer.running_var.copy_(torch.tensor([4.0, 9.0]))
    layer.eval()
    assert layer(torch.tensor([[3.0, 5.0]]).double()).tolist() == [[1.0, 1.0]]
    assert layer.num_batches_tracked.item() == 0
    assert gradcheck(layer, [draw(3, 2)])


def test_resetting():
    layer = nn.BatchNorm1d(2)
    layer(torch.ones(3, 2) * torch.tensor([[1.0], [2.0], [4.0]]))
    with torch.no_grad():
        layer.weight.fill_(3)
    layer.reset_parameters()
    assert layer.running_mean.tolist() == [0, 0]
    assert layer.running_var.tolist() == [1, 1]
    assert layer.num_batches_tracked.item() == 0
    assert layer.weight.tolist() == [1, 1]
    for other in (nn.LayerNorm(2), nn.RMSNorm(2), nn.GroupNorm(1, 2)):
        with torch.no_grad():
            other.weight.fill_(3)
        other.reset_parameters()
        assert other.weight.tolist() == [1, 1]


def test_equal_elements_have_finite_derivatives():
    for layer in (nn.LayerNorm(3), nn.GroupNorm(1, 3), nn.BatchNorm1d(3), nn.RMSNorm(3)):
        x = torch.zeros(2, 3, requires_grad=True)
        layer(x).square().sum().backward()
        assert np.isfinite(x.grad.numpy()).all()


@pytest.mark.parametrize(
    "layer", [nn.BatchNorm1d(2), nn.InstanceNorm1d(2), nn.LayerNorm(3), nn.GroupNorm(1, 2), nn.LocalResponseNorm(2)]
)
def test_second_derivatives(layer):
    layer.double()
    assert gradgradcheck(lambda x: layer(x).square(), [draw(2, 2, 3)])


def test_a_channel_count_that_does_not_matter_is_warned_of():
    with pytest.warns(UserWarning, match="does not match num_features"):
        nn.InstanceNorm1d(3)(torch.ones(2, 4, 5))


ones = torch.ones
REFUSED = {
    "one value": (ValueError, "more than 1 value per channel", lambda: nn.BatchNorm1d(3)(ones(1, 3))),
    "axes": (ValueError, r"expected 2D or 3D input \(got 4D input\)", lambda: nn.BatchNorm1d(3)(ones(2, 3, 2, 2))),
    "image axes": (ValueError, r"expected 4D input \(got 2D", lambda: nn.BatchNorm2d(3)(ones(2, 3))),
    "channels": (RuntimeError, "running_mean should contain 4 elements not 3", lambda: nn.BatchNorm1d(3)(ones(2, 4))),
    "types": (RuntimeError, "mixed dtype", lambda: nn.BatchNorm1d(3)(ones(2, 3).double())),
    "no statistics": (
        RuntimeError,
        "running_mean must be defined in evaluation mode",
        lambda: F.batch_norm(ones(2, 3), None, None),
    ),
    "statistics in the graph": (
        RuntimeError,
        "not differentiable with respect to running_mean",
        lambda: F.batch_norm(ones(2, 3), torch.zeros(3, requires_grad=True), ones(3), training=True),
    ),
    "few axes": (RuntimeError, "at least 2 dimensions", lambda: F.batch_norm(ones(3), None, None, training=True)),
    "integers": (NotImplementedError, "int64", lambda: F.batch_norm(ones(2, 3).long(), None, None, training=True)),
    "instance of one": (ValueError, "more than 1 spatial element", lambda: F.instance_norm(ones(1, 3, 1))),
    "instance statistics": (
        RuntimeError,
        "use_input_stats is false",
        lambda: F.instance_norm(ones(1, 3, 2), use_input_stats=False),
    ),
    "instance channels": (
        ValueError,
        r"match num_features \(3\), but got: 4",
        lambda: nn.InstanceNorm1d(3, affine=True)(ones(2, 4, 5)),
    ),
    "instance axes": (ValueError, "expected 3D or 4D", lambda: nn.InstanceNorm2d(3)(ones(4, 5))),
    "shape": (RuntimeError, r"input with shape \[\*, 2\]", lambda: F.layer_norm(ones(2, 3), (2,))),
    "no shape": (RuntimeError, "at least 1-dimensional", lambda: F.layer_norm(ones(2, 3), ())),
    "shape type": (TypeError, "must be tuple of ints", lambda: F.layer_norm(ones(2, 3), 3)),
    "weight": (RuntimeError, "Expected weight to be of same shape", lambda: F.rms_norm(ones(2, 3), (3,), ones(2))),
    "groups": (RuntimeError, "divisible by num_groups", lambda: F.group_norm(ones(2, 3), 2)),
    "group weight": (RuntimeError, "weight should contain 4", lambda: F.group_norm(ones(2, 4), 2, ones(3))),
    "group of one": (ValueError, "more than 1 value", lambda: F.group_norm(ones(1, 4), 4)),
    "layer groups": (ValueError, r"num_channels \(3\) must be divisible", lambda: nn.GroupNorm(2, 3)),
    "response": (ValueError, "Expected 3D or higher", lambda: F.local_response_norm(ones(2, 3), 2)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    kind, words, call = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()
