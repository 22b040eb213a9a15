"""Convolution, pooling, interpolation and padding: what the records do not say; what is refused."""

import math

import numpy as np
import pytest

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F
from tinygrad_fr import nn
from tinygrad_fr.autograd import gradcheck, gradgradcheck


def draw(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).requires_grad_()


def zeros(*shape):
    return torch.zeros(*shape)


# ---------------------------------------------------------------------------------------------------------------
# Convolution.


def test_a_layer_starts_as_pytorchs():
    torch.manual_seed(0)
    layer = nn.Conv2d(30, 40, (3, 5), groups=2)
    bound = 1 / math.sqrt(15 * 15)
    for each in (layer.weight, layer.bias):
        values = each.detach().numpy()
        assert np.abs(values).max() <= bound
        assert np.abs(values).max() > 0.9 * bound
    assert layer.weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03)


def test_output_size_of_a_transposed_convolution():
    layer = nn.ConvTranspose2d(1, 1, 3, stride=3, bias=False)
    x = torch.ones(1, 1, 2, 2)
    assert layer(x).shape == (1, 1, 6, 6)
    assert layer(x, (8, 7)).shape == (1, 1, 8, 7)
    assert layer(x, output_size=(1, 1, 6, 8)).shape == (1, 1, 6, 8)
    with pytest.raises(ValueError, match="valid sizes range from"):
        layer(x, (9, 6))
    with pytest.raises(ValueError, match="output_size must have 2 or 4 elements"):
        layer(x, (6,))


# ---------------------------------------------------------------------------------------------------------------
# Pooling.

INF, NAN = math.inf, math.nan


def test_the_first_of_equal_elements_gets_the_gradient():
    x = torch.tensor([[[1.0, 1.0, 0.0, 2.0, 2.0, 2.0]]], requires_grad=True)
    y, places = F.max_pool1d(x, 3, return_indices=True)
    y.sum().backward()
    assert places.tolist() == [[[0, 3]]]
    assert x.grad.tolist() == [[[1, 0, 0, 1, 0, 0]]]


def test_nan_and_infinities_in_pooling():
    x = torch.tensor([[[NAN, 1.0, -INF, -INF, NAN, NAN]]])
    y, places = F.max_pool1d(x, 2, return_indices=True)
    np.testing.assert_array_equal(y.numpy(), [[[NAN, -INF, NAN]]])
    assert places.tolist() == [[[0, 2, 5]]]  # of several NaN the last, as in PyTorch
    np.testing.assert_array_equal(F.min_pool1d(x, 2).numpy(), [[[NAN, -INF, NAN]]])
    padded = F.max_pool1d(torch.tensor([[[-INF, -INF]]]), 2, 1, 1, return_indices=True)
    assert padded[1].tolist() == [[[0, 0, 1]]]
    np.testing.assert_array_equal(F.avg_pool1d(x, 2).numpy(), [[[NAN, -INF, NAN]]])
    np.testing.assert_array_equal(F.adaptive_avg_pool1d(x, 3).numpy(), [[[NAN, -INF, NAN]]])


@pytest.mark.parametrize("axes", [1, 2])
def test_min_pooling_is_max_pooling_of_the_negative(axes):
    x = draw(2, 3, *(7,) * axes)
    options = {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True}
    largest, smallest = (getattr(nn, f"{kind}Pool{axes}d")(**options, return_indices=True) for kind in ("Max", "Min"))
    for found, expected in zip(smallest(x), largest(-x), strict=True):
        sign = -1 if found.is_floating_point() else 1
        np.testing.assert_array_equal(found.detach().numpy(), sign * expected.detach().numpy())
    assert repr(smallest).startswith(f"MinPool{axes}d(kernel_size=3, stride=2, padding=1, dilation=1, ceil_mode=True)")
    assert gradcheck(lambda x: smallest(x)[0], [x])


def test_unpooling_is_the_partial_inverse_of_pooling():
    x = draw(2, 3, 6, 5).detach()
    values, places = F.max_pool2d(x, 2, return_indices=True)
    back = nn.MaxUnpool2d(2)(values, places, output_size=(6, 5))
    assert torch.equal(F.max_pool2d(back.abs(), 2) > 0, values != 0)
    assert torch.equal(back[back != 0], x[back != 0])
    assert back.count_nonzero().item() == values.numel()


@pytest.mark.parametrize("padding", [(2, 1), (-1, 1), (1, -1)])
@pytest.mark.parametrize("kind", ["Reflection", "Replication", "Circular", "Constant"])
def test_padding_has_derivatives(kind, padding):
    layer = getattr(nn, f"{kind}Pad1d")(padding, *([1.5] if kind == "Constant" else []))
    x = draw(1, 2, 4)
    assert gradcheck(layer, [x])
    assert gradgradcheck(lambda x: layer(x).square(), [x])


# ---------------------------------------------------------------------------------------------------------------
# Interpolation.


@pytest.mark.parametrize("factor", [1.1, 1.7, 2.3, 0.7])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear"])
def test_the_gradient_of_interpolation_is_that_of_what_was_read(mode, factor):
    """Also where a factor leaves the size as it is: there PyTorch's gradient of 'nearest' is another."""
    x = draw(1, 2, 5)
    assert gradcheck(lambda x: F.interpolate(x, scale_factor=factor, mode=mode), [x])


def test_upsample_is_deprecated():
    x = draw(1, 2, 5)
    with pytest.warns(UserWarning, match="deprecated"):
        assert torch.equal(F.upsample(x, 3), F.interpolate(x, 3))


# ---------------------------------------------------------------------------------------------------------------
# What is refused.

REFUSED = {
    "axes": (RuntimeError, r"Expected 3D \(unbatched\) or 4D", lambda: F.conv2d(zeros(2, 3), zeros(1, 1, 1, 1))),
    "axes of weight": (RuntimeError, "4-dimensional weight", lambda: F.conv2d(zeros(1, 3, 5, 5), zeros(4, 3, 3))),
    "channels": (
        RuntimeError,
        r"Given groups=1, weight of size \[4, 2, 3, 3\], expected input\[1, 3, 5, 5\] to have 2 channels, but got 3",
        lambda: F.conv2d(zeros(1, 3, 5, 5), zeros(4, 2, 3, 3)),
    ),
    "groups": (RuntimeError, "divisible by 2", lambda: F.conv2d(zeros(1, 4, 5, 5), zeros(3, 2, 3, 3), groups=2)),
    "no groups": (RuntimeError, "non-positive groups", lambda: F.conv1d(zeros(1, 4, 5), zeros(4, 4, 3), groups=0)),
    "few kernels": (RuntimeError, "at least 2", lambda: F.conv1d(zeros(1, 2, 5), zeros(1, 1, 3), groups=2)),
    "bias": (
        RuntimeError,
        "expected bias to be 1-dimensional with 4 elements",
        lambda: F.conv1d(zeros(1, 3, 5), zeros(4, 3, 3), zeros(3)),
    ),
    "kernel": (
        RuntimeError,
        r"padded input size per channel: \(2 x 2\). Kernel size: \(3 x 3\)",
        lambda: F.conv2d(zeros(1, 3, 2, 2), zeros(4, 3, 3, 3)),
    ),
    "stride": (RuntimeError, "non-positive stride", lambda: F.conv1d(zeros(1, 3, 5), zeros(4, 3, 3), stride=0)),
    "strides": (
        RuntimeError,
        r"list of 1 values.*got stride=\[1, 2\]",
        lambda: F.conv1d(zeros(1, 3, 5), zeros(4, 3, 3), stride=(1, 2)),
    ),
    "padding": (RuntimeError, "negative padding", lambda: F.conv1d(zeros(1, 3, 5), zeros(4, 3, 3), padding=-1)),
    "dilation": (RuntimeError, "dilation should be", lambda: F.conv1d(zeros(1, 3, 5), zeros(4, 3, 3), dilation=0)),
    "same": (
        RuntimeError,
        "padding='same' is not supported for strided",
        lambda: F.conv1d(zeros(1, 3, 5), zeros(4, 3, 3), stride=2, padding="same"),
    ),
    "word": (RuntimeError, "Invalid padding", lambda: F.conv1d(zeros(1, 3, 5), zeros(4, 3, 3), padding="full")),
    "types": (
        RuntimeError,
        r"Input type \(float64\) and weight type \(float32\)",
        lambda: F.conv1d(zeros(1, 3, 5).double(), zeros(4, 3, 3)),
    ),
    "nothing to see": (RuntimeError, "Only zero batch", lambda: F.conv1d(zeros(1, 3, 0), zeros(4, 3, 1), padding=1)),
    "transposed channels": (
        RuntimeError,
        "Given transposed=1.*to have 4 channels",
        lambda: F.conv_transpose1d(zeros(1, 3, 5), zeros(4, 3, 3)),
    ),
    "output padding": (
        RuntimeError,
        "output padding must be smaller than either stride or dilation",
        lambda: F.conv_transpose1d(zeros(1, 4, 5), zeros(4, 3, 3), output_padding=1),
    ),
    "negative output padding": (
        RuntimeError,
        "negative output_padding",
        lambda: F.conv_transpose1d(zeros(1, 4, 5), zeros(4, 3, 3), output_padding=-1),
    ),
    "transposed padding": (
        TypeError,
        "must be tuple of ints",
        lambda: F.conv_transpose1d(zeros(1, 4, 5), zeros(4, 3, 3), padding="same"),
    ),
    "small output": (
        RuntimeError,
        "Output size is too small",
        lambda: F.conv_transpose1d(zeros(1, 4, 5), zeros(4, 3, 3), padding=9),
    ),
    "layer groups": (ValueError, "in_channels must be divisible", lambda: nn.Conv1d(3, 4, 1, groups=2)),
    "layer no groups": (ValueError, "positive integer", lambda: nn.Conv1d(3, 4, 1, groups=0)),
    "layer mode": (ValueError, "padding_mode must be one of", lambda: nn.Conv1d(3, 4, 1, padding_mode="mirror")),
    "layer word": (ValueError, "Invalid padding string 'full'", lambda: nn.Conv1d(3, 4, 1, padding="full")),
    "layer same": (ValueError, "strided", lambda: nn.Conv1d(3, 4, 1, stride=2, padding="same")),
    "transposed mode": (
        ValueError,
        'Only "zeros" padding mode is supported for ConvTranspose1d',
        lambda: nn.ConvTranspose1d(3, 4, 1, padding_mode="circular"),
    ),
    "pooled axes": (RuntimeError, r"max_pool2d\(\): Expected 3D or 4D", lambda: F.max_pool2d(zeros(2, 3), 2)),
    "no channels": (RuntimeError, "non-zero size for non-batch", lambda: F.max_pool2d(zeros(1, 0, 4, 4), 2)),
    "small pool": (
        RuntimeError,
        r"input size: \(1x2x3\). Calculated output size: \(1x-1x0\)",
        lambda: F.avg_pool2d(zeros(1, 2, 3), 4, 1),
    ),
    "pool padding": (RuntimeError, "pad should be at most half", lambda: F.max_pool1d(zeros(1, 1, 3), 2, padding=2)),
    "pool stride": (RuntimeError, "stride should be greater", lambda: F.max_pool2d(zeros(1, 4, 4), 2, stride=0)),
    "pool kernel": (RuntimeError, "list of 2 values", lambda: F.max_pool2d(zeros(1, 4, 4), (2, 2, 2))),
    "divisor": (RuntimeError, "divisor must be not zero", lambda: F.avg_pool2d(zeros(1, 4, 4), 2, divisor_override=0)),
    "adaptive": (RuntimeError, "greater than or equal to 0", lambda: F.adaptive_avg_pool1d(zeros(1, 1, 3), -1)),
    "adaptive sizes": (RuntimeError, "must have 2", lambda: F.adaptive_max_pool2d(zeros(1, 3, 3), (1, 2, 3))),
    "unpool index": (
        RuntimeError,
        "Found an invalid max index: 50",
        lambda: F.max_unpool2d(zeros(1, 2, 2), zeros(1, 2, 2).long() + 50, 2),
    ),
    "unpool type": (RuntimeError, "int64", lambda: F.max_unpool2d(zeros(1, 2, 2), zeros(1, 2, 2), 2)),
    "unpool shape": (RuntimeError, "same as that", lambda: F.max_unpool1d(zeros(1, 2), zeros(1, 1).long(), 2)),
    "unpool size": (
        ValueError,
        "invalid output_size",
        lambda: F.max_unpool1d(zeros(1, 2), zeros(1, 2).long(), 2, output_size=(9,)),
    ),
    "unpool sizes": (
        ValueError,
        "1 or 3 elements",
        lambda: F.max_unpool1d(zeros(1, 2), zeros(1, 2).long(), 2, output_size=(1, 5)),
    ),
    "unfold": (RuntimeError, "at least one", lambda: F.unfold(zeros(1, 2, 2), 3)),
    "unfold axes": (RuntimeError, "Expected 3D or 4D", lambda: F.unfold(zeros(2, 2), 1)),
    "fold": (RuntimeError, "calculated number of sliding blocks", lambda: F.fold(zeros(1, 4, 2), (3, 3), 2)),
    "fold kernel": (RuntimeError, "divisible by the product", lambda: F.fold(zeros(1, 3, 4), (3, 3), 2)),
    "fold axes": (RuntimeError, "Expected 2D or 3D", lambda: F.fold(zeros(4), (3, 3), 2)),
    "no size": (ValueError, "either size or scale_factor", lambda: F.interpolate(zeros(1, 2, 4))),
    "two sizes": (ValueError, "only one of", lambda: F.interpolate(zeros(1, 2, 4), 2, 2)),
    "size type": (TypeError, "ints", lambda: F.interpolate(zeros(1, 2, 4), 2.5)),
    "mode": (NotImplementedError, "got lanczos", lambda: F.interpolate(zeros(1, 2, 4), 2, mode="lanczos")),
    "mode's axes": (NotImplementedError, "needs 4D", lambda: F.interpolate(zeros(1, 2, 4), 2, mode="bilinear")),
    "too few axes": (NotImplementedError, "got 2D", lambda: F.interpolate(zeros(2, 4), 2)),
    "antialias": (
        NotImplementedError,
        "antialias",
        lambda: F.interpolate(zeros(1, 2, 4, 4), 2, mode="bilinear", antialias=True),
    ),
    "corners": (ValueError, "align_corners option", lambda: F.interpolate(zeros(1, 2, 4), 2, align_corners=True)),
    "sizes": (ValueError, "same number of spatial", lambda: F.interpolate(zeros(1, 2, 4, 4), (2,))),
    "empty output": (RuntimeError, "greater than 0", lambda: F.interpolate(zeros(1, 2, 4), scale_factor=0.1)),
    "recompute": (ValueError, "not meaningful", lambda: F.interpolate(zeros(1, 2, 4), 2, recompute_scale_factor=True)),
    "reflection": (RuntimeError, "less than the corresponding", lambda: nn.ReflectionPad1d(3)(zeros(1, 2, 3))),
    "circle": (RuntimeError, "Padding size should be less", lambda: nn.CircularPad1d(4)(zeros(1, 2, 3))),
    "padded axes": (RuntimeError, "Expected 3D or 4D", lambda: nn.ReflectionPad2d(1)(zeros(2, 3))),
    "cropped": (RuntimeError, "cut more", lambda: nn.ZeroPad1d((-2, -2))(zeros(1, 2, 3))),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    kind, words, call = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()
