"""Normalisation: (x - mean) / sqrt(variance + eps), over the batch, over features, over groups of channels."""

import math

import numpy as np

from ..autograd.binding import public
from ..autograd.mode import no_grad
from .windows import Windows, window_sum


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Each channel normalised over all else, in ``training`` by its own mean and variance.  (N, C, *) -> (N, C, *).

    Outside training by the running ones; in training those, if there are any, move by ``momentum`` towards the batch's
    (of which the variance is over the number of elements less 1).  Source: Ioffe and Szegedy, 2015.
    """
    _check_channels(input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if training:
        _check_several(input, input._array.size // max(input._array.shape[1], 1))
        mean, variance = _moments(input, (0, *range(2, input.ndim)))
        count = input._array.size // max(input._array.shape[1], 1)
        _update(running_mean, running_var, mean.reshape(-1), variance.reshape(-1), count, momentum)
    else:
        if running_mean is None or running_var is None:
            missing = "running_mean" if running_mean is None else "running_var"
            raise RuntimeError(f"{missing} must be defined in evaluation mode")
        mean, variance = _per_channel(running_mean, input), _per_channel(running_var, input)
    return _affine((input - mean) * (variance + eps).rsqrt(), weight, bias)


def instance_norm(
    input,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    use_input_stats=True,
    momentum=0.1,
    eps=1e-5,
):
    """Each channel of each sample normalised over its own elements.  (N, C, *) -> (N, C, *).

    The running mean and variance, if there are any, move by ``momentum`` towards the mean over the samples of theirs;
    without ``use_input_stats`` they normalise.  Source: Ulyanov et al., 2017.
    """
    _check_channels(input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    count = math.prod(input._array.shape[2:])
    if count == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {input.shape}: the variance of one "
            "element is 0"
        )
    mean, variance = _moments(input, tuple(range(2, input.ndim)))
    channels = input._array.shape[:2]
    _update(running_mean, running_var, mean.reshape(channels), variance.reshape(channels), count, momentum)
    return _affine((input - mean) * (variance + eps).rsqrt(), weight, bias)


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Normalised over the last axes, which have ``normalized_shape``.  (*, *shape) -> (*, *shape).

    Source: Ba et al., 2016.
    """
    dims = _normalized_dims("layer_norm", input, normalized_shape, weight, bias)
    mean, variance = _moments(input, dims)
    result = (input - mean) * (variance + eps).rsqrt()
    result = result if weight is None else result * weight
    return result if bias is None else result + bias


@public(method=False)
def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Divided by the root of the mean square over the last axes.  (*, *shape) -> (*, *shape).

    ``eps`` is that of the dtype unless given.  Source: Zhang and Sennrich, 2019.
    """
    dims = _normalized_dims("rms_norm", input, normalized_shape, weight, None)
    eps = float(np.finfo(input._array.dtype).eps) if eps is None else eps
    result = input * ((input * input).mean(dims, keepdim=True) + eps).rsqrt()
    return result if weight is None else result * weight


def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """Each of ``num_groups`` groups of channels of each sample normalised over its elements.  (N, C, *) -> (N, C, *).

    Source: Wu and He, 2018.
    """
    if input.ndim < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.ndim}")
    samples, channels, *rest = input._array.shape
    if num_groups <= 0 or channels % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(input.shape)} and num_groups={num_groups}"
        )
    _check_channels(input, weight=weight, bias=bias)
    _check_several(input, samples * channels // num_groups * math.prod(rest))
    groups = input.reshape(samples, num_groups, channels // num_groups * math.prod(rest))
    mean, variance = _moments(groups, (2,))
    return _affine(((groups - mean) * (variance + eps).rsqrt()).reshape(input._array.shape), weight, bias)


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """input / (k + alpha times the mean square over ``size`` channels around)^beta.  (N, C, *) -> (N, C, *).

    Source: Krizhevsky et al., 2012.
    """
    if input.ndim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)")
    _check_types(input)
    samples, channels, *rest = input._array.shape
    windows = Windows(
        (channels, math.prod(rest)), (size, 1), (1, 1), (size // 2, 0), (1, 1), (channels, math.prod(rest))
    )
    squares = (input * input).reshape(samples, 1, channels, math.prod(rest))
    means = (window_sum(squares, windows) / size).reshape(input._array.shape)
    return input / (means * alpha + k).pow(beta)


# --- parts -------------------------------------------------------------------------------------------------------


def _moments(input, dims):
    """The mean and the variance (over the number of elements) over ``dims``, which stay as axes of size 1."""
    mean = input.mean(dims, keepdim=True)
    centred = input - mean
    return mean, (centred * centred).mean(dims, keepdim=True)


@no_grad()
def _update(running_mean, running_var, mean, variance, count, momentum):
    """Move the running statistics, (C,), by ``momentum`` towards the new ones, (C,) or (N, C)."""
    unbiased = variance * (count / max(count - 1, 1))
    for running, new in ((running_mean, mean), (running_var, unbiased)):
        if running is not None:
            new = new.detach() if new.ndim == 1 else new.detach().mean(0)
            running.copy_(running * (1 - momentum) + new * momentum)


def _per_channel(values, input):
    """(C,) -> (C, 1, ...), which broadcasts along the axis 1 of ``input``."""
    return values.reshape(-1, *(1,) * (input.ndim - 2))


def _affine(input, weight, bias):
    input = input if weight is None else input * _per_channel(weight, input)
    return input if bias is None else input + _per_channel(bias, input)


# --- errors ------------------------------------------------------------------------------------------------------


def _check_channels(input, **vectors):
    """Raise where ``vectors``, by name, have not one number of the right type for each channel of ``input``."""
    if input.ndim < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.ndim}")
    _check_types(input, **vectors)
    channels = input._array.shape[1]
    for name, values in vectors.items():
        if values is not None and values._array.shape != (channels,):
            raise RuntimeError(
                f"{name} should contain {channels} elements not {values.numel()} (shape {list(values.shape)})"
            )


def _check_types(input, **others):
    if not input.is_floating_point():
        raise NotImplementedError(f"normalisation of {input.dtype.name} is not supported; convert it with .float()")
    for name, each in others.items():
        if each is not None and each.dtype != input.dtype:
            raise RuntimeError(
                f"mixed dtype: all inputs must share same datatype, got input {input.dtype.name} and {name} "
                f"{each.dtype.name}"
            )


def _check_several(input, count):
    if count == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {input.shape}")


def _normalized_dims(name, input, normalized_shape, weight, bias):
    """The axes that ``normalized_shape`` means."""
    if not isinstance(normalized_shape, (tuple, list)):
        raise TypeError(f"{name}(): argument 'normalized_shape' must be tuple of ints, not {normalized_shape!r}")
    shape, own = list(normalized_shape), list(input._array.shape)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    _check_types(input, weight=weight, bias=bias)
    for what, values in (("weight", weight), ("bias", bias)):
        if values is not None and list(values._array.shape) != shape:
            raise RuntimeError(
                f"Expected {what} to be of same shape as normalized_shape, but got {what} of shape "
                f"{list(values.shape)} and normalized_shape = {shape}"
            )
    if own[-len(shape) :] != shape:
        raise RuntimeError(
            f"Given normalized_shape={shape}, expected input with shape [*, {', '.join(map(str, shape))}], but got "
            f"input of size{own}"
        )
    return tuple(range(len(own) - len(shape), len(own)))
