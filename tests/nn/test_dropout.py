"""Dropout of elements, channels and weights."""

import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.nn import functional as F


def test_dropout():
    torch.manual_seed(0)
    x = torch.ones(10_000)
    layer = nn.Dropout(0.3)
    y = layer(x)
    assert 0.67 < (y != 0).float().mean().item() < 0.73
    assert y[y != 0].tolist() == pytest.approx([1 / 0.7] * int((y != 0).sum()))
    assert not torch.equal(layer(x), y)
    torch.manual_seed(0)
    assert torch.equal(layer(x), y)
    assert layer.eval()(x) is x
    assert nn.Dropout(1.0)(x).sum().item() == 0
    assert torch.equal(nn.Dropout(0.0)(x), x)
    with pytest.raises(ValueError, match="between 0 and 1, but got 2"):
        nn.Dropout(2)


def test_dropout_in_place_has_the_gradient_of_what_it_kept():
    torch.manual_seed(0)
    x = torch.ones(1000, requires_grad=True)
    copy = x.clone()
    result = F.dropout(copy, 0.25, inplace=True)
    assert result is copy
    result.sum().backward()
    assert torch.equal(x.grad, result.detach())
    assert set(result.tolist()) == {0.0, (torch.tensor(1.0) / 0.75).item()}
    assert 650 < (result > 0).sum().item() < 850


CHANNELS = {
    nn.Dropout1d: ((50, 40, 5), (40, 5)),
    nn.Dropout2d: ((50, 40, 3, 2),),
    nn.Dropout3d: ((50, 40, 2, 1, 3), (40, 2, 1, 3)),
}


@pytest.mark.parametrize("kind", CHANNELS)
def test_dropout_of_channels(kind):
    torch.manual_seed(0)
    layer = kind(0.25)
    for shape in CHANNELS[kind]:
        x = torch.ones(shape, requires_grad=True)
        y = layer(x)
        y.sum().backward()
        assert torch.equal(x.grad, y.detach())
        assert y.shape == shape
        kept = (y.detach() != 0).float()
        by_channel = kept.reshape(*shape[: shape.index(40) + 1], -1)
        assert torch.equal(by_channel.amin(-1), by_channel.amax(-1))
        assert kept.mean().item() == pytest.approx(0.75, abs=0.2)
    assert layer.eval()(x) is x
    assert kind(1.0)(x).abs().sum().item() == 0
    with pytest.raises(ValueError, match="between 0 and 1, but got -1"):
        kind(-1)


def test_dropout_of_channels_says_which_axes_it_takes():
    with pytest.raises(RuntimeError, match="dropout1d: Expected 2D or 3D input, but received a 4D input"):
        F.dropout1d(torch.ones(1, 1, 1, 1))
    with pytest.raises(RuntimeError, match="at least 2 dimensions"), pytest.warns(UserWarning, match="1-D input"):
        F.dropout2d(torch.ones(3))
    with pytest.warns(UserWarning, match="assuming that channel-wise 1D dropout"):
        assert F.dropout2d(torch.ones(2, 3, 4)).shape == (2, 3, 4)
    with pytest.warns(UserWarning, match="dropout3d: Received a 6-D input"):
        assert F.dropout3d(torch.ones(1, 2, 1, 1, 1, 1)).shape == (1, 2, 1, 1, 1, 1)


@pytest.mark.parametrize("kind", [nn.AlphaDropout, nn.FeatureAlphaDropout])
def test_alpha_dropout_keeps_mean_and_variance(kind):
    torch.manual_seed(0)
    x = torch.randn(200, 300, 2).double().requires_grad_()
    layer = kind(0.3)
    y = layer(x)
    assert y.mean().item() == pytest.approx(0, abs=0.02)
    assert y.std().item() == pytest.approx(1, abs=0.02)
    y.sum().backward()
    dropped = x.grad == 0
    assert dropped.double().mean().item() == pytest.approx(0.3, abs=0.01)
    assert y[dropped].std().item() == pytest.approx(0, abs=1e-12)
    whole = torch.equal(dropped[..., 0], dropped[..., 1])
    assert whole == (kind is nn.FeatureAlphaDropout)
    assert layer.eval()(x) is x
    assert kind(0.0)(x) is x
    assert kind(1.0)(x).abs().sum().item() == 0


def test_alpha_dropout_in_place_and_of_few_axes():
    x = torch.ones(4, 5)
    assert F.alpha_dropout(x, 0.5, training=True, inplace=True) is x
    with pytest.raises(RuntimeError, match="at least 2 dimensions"):
        F.feature_alpha_dropout(torch.ones(3), training=True)


def test_drop_connect_drops_weights():
    torch.manual_seed(0)
    layer = nn.DropConnect(300, 200, p=0.25)
    x = torch.eye(300)
    weight = (layer(x) - layer.bias).detach().mT  # what each input alone gives
    kept = weight.abs() > 1e-7
    assert kept.float().mean().item() == pytest.approx(0.75, abs=0.01)
    assert torch.allclose(weight, kept.float() * layer.weight.detach() / 0.75, atol=1e-6)
    layer(x).sum().backward()
    assert (layer.weight.grad == 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert torch.equal(layer.eval()(x), F.linear(x, layer.weight, layer.bias))
    assert repr(layer) == "DropConnect(in_features=300, out_features=200, bias=True, p=0.25)"
    assert list(layer.state_dict()) == ["weight", "bias"]
    assert nn.DropConnect(3, 2, bias=False).bias is None
    with pytest.raises(ValueError, match="between 0 and 1, but got 2"):
        nn.DropConnect(3, 2, p=2)
