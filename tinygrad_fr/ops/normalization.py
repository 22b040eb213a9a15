"""Normalisation: (x - mean) / sqrt(variance + eps), over the batch, over features, over groups of channels.

All are one op, on an input seen as (outer, batch, groups, channels, plane): see `kernels.normalization`.
"""

import math

import numpy as np

from .. import kernels as k
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from ..autograd.inplace import write_each
from .windows import Windows, window_sum


@op(keeps=("statistics",), launches=True)
def _normalized(x, weight, bias, mean, variance, *, sizes, eps, centred, out=None):
    """(x - mean) / sqrt(variance + eps) weight + bias, by the own mean and variance of each group if none are given."""
    return k.normalization.normalize(x, weight, bias, mean, variance, sizes=sizes, eps=eps, centred=centred, out=out)


@_normalized.backward
def _(g, x, weight, mean, statistics, sizes, centred, out=(None,) * 5):
    options = {"sizes": sizes, "centred": centred, "given": mean is not None}
    gradients = k.normalization.normalize_backward(g, x, weight, statistics, **options, out=out[:3])
    return *gradients, None, None


@_normalized.reference
def _(x, weight, bias, mean, variance, *, sizes, eps, centred):
    seen, per_group = x.reshape(sizes), (1, 1, sizes[2], 1, 1)
    if mean is not None:
        seen, variance = seen - mean.reshape(per_group), variance.reshape(per_group)
    else:
        seen = seen - seen.mean((1, 3, 4), keepdim=True) if centred else seen
        variance = (seen * seen).mean((1, 3, 4), keepdim=True)
    result = seen * (variance + eps).rsqrt()
    result = result if weight is None else result * weight.reshape(1, 1, *sizes[2:4], 1)
    return (result if bias is None else result + bias.reshape(1, 1, *sizes[2:4], 1)).reshape(x.shape)


@op(launches=True)
def _moved(running, statistics, *, names, momentum, count, eps):
    """The running statistics of these names, each moved by ``momentum`` towards those of ``count`` elements."""
    running = dict(zip(names, running, strict=True))
    k.normalization.move(**running, statistics=statistics, momentum=momentum, count=count, eps=eps)


def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    """Each channel normalised over all else, in ``training`` by its own mean and variance.  (N, C, *) -> (N, C, *).

    Outside training by the running ones; in training those, if there are any, move by ``momentum`` towards the batch's
    (of which the variance is over the number of elements less 1).  Source: Ioffe and Szegedy, 2015.
    """
    return counted_batch_norm(input, running_mean, running_var, None, weight, bias, training, momentum, eps)


def counted_batch_norm(input, running_mean, running_var, tracked, weight, bias, training, momentum, eps):
    """`batch_norm` that counts the batches of training in ``tracked``, () int64; momentum None means 1 / tracked."""
    _check_channels(input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    samples, channels, *rest = input._array.shape
    sizes = 1, samples, channels, 1, math.prod(rest)
    if training:
        _check_several(input, samples * sizes[4])
        running = {"mean": running_mean, "variance": running_var, "tracked": tracked}
        return _normalized_and_moved(input, running, weight, bias, momentum, sizes, eps)
    if running_mean is None or running_var is None:
        missing = "running_mean" if running_mean is None else "running_var"
        raise RuntimeError(f"{missing} must be defined in evaluation mode")
    params = {"sizes": sizes, "eps": eps, "centred": True}
    return apply(_normalized.op, (input, weight, bias, running_mean, running_var), params)


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
    samples, channels, *rest = input._array.shape
    if math.prod(rest) == 1:
        raise ValueError(
            f"Expected more than 1 spatial element when training, got input size {input.shape}: the variance of one "
            "element is 0"
        )
    sizes = samples, 1, channels, 1, math.prod(rest)
    running = {"mean": running_mean, "variance": running_var}
    return _normalized_and_moved(input, running, weight, bias, momentum, sizes, eps)


def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5):
    """Normalised over the last axes, which have ``normalized_shape``.  (*, *shape) -> (*, *shape).

    Source: Ba et al., 2016.
    """
    sizes = _sizes_of_rows("layer_norm", input, normalized_shape, weight, bias)
    params = {"sizes": sizes, "eps": eps, "centred": True}
    return apply(_normalized.op, (input, weight, bias, None, None), params)


@public(method=False)
def rms_norm(input, normalized_shape, weight=None, eps=None):
    """Divided by the root of the mean square over the last axes.  (*, *shape) -> (*, *shape).

    ``eps`` is that of the dtype unless given.  Source: Zhang and Sennrich, 2019.
    """
    sizes = _sizes_of_rows("rms_norm", input, normalized_shape, weight, None)
    eps = float(np.finfo(input._array.dtype).eps) if eps is None else eps
    params = {"sizes": sizes, "eps": eps, "centred": False}
    return apply(_normalized.op, (input, weight, None, None, None), params)


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
    sizes = samples, 1, num_groups, channels // num_groups, math.prod(rest)
    _check_several(input, samples * sizes[3] * sizes[4])
    return apply(_normalized.op, (input, weight, bias, None, None), {"sizes": sizes, "eps": eps, "centred": True})


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


def _normalized_and_moved(input, running, weight, bias, momentum, sizes, eps):
    """The input normalised by its own mean and variance, towards which the running ones move that are not None."""
    statistics: list = []
    params = {"sizes": sizes, "eps": eps, "centred": True}
    result = apply(_normalized.op, (input, weight, bias, None, None), params, statistics)
    names = tuple([name for name, values in running.items() if values is not None])
    if names:
        params = {"names": names, "momentum": momentum, "count": sizes[1] * sizes[3] * sizes[4], "eps": eps}
        write_each(_moved.op, ([running[name] for name in names],), statistics[0], params)
    return result


# --- errors ------------------------------------------------------------------------------------------------------


def _check_channels(input, **vectors):
    """Raise where ``vectors``, by name, have not one number of the right type for each channel of ``input``."""
    if input.ndim < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.ndim}")
    _check_types(input, **vectors)
    channels = input._array.shape[1]
    for name, values in vectors.items():
        if values is None:
            continue
        if values._array.shape != (channels,):
            raise RuntimeError(
                f"{name} should contain {channels} elements not {values.numel()} (shape {list(values.shape)})"
            )
        if values._requires_grad and name in ("running_mean", "running_var"):
            raise RuntimeError(f"normalisation is not differentiable with respect to {name}; detach() it first")


def _check_types(input, **others):
    dtype = input._array.dtype
    if dtype.kind != "f":
        raise NotImplementedError(f"normalisation of {input.dtype.name} is not supported; convert it with .float()")
    for name, each in others.items():
        if each is not None and each._array.dtype != dtype:
            raise RuntimeError(
                f"mixed dtype: all inputs must share same datatype, got input {input.dtype.name} and {name} "
                f"{each.dtype.name}"
            )


def _check_several(input, count):
    if count == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {input.shape}")


def _sizes_of_rows(name, input, normalized_shape, weight, bias):
    """The sizes of an input of rows of ``normalized_shape``, each of which is one group of features."""
    if not isinstance(normalized_shape, (tuple, list)):
        raise TypeError(f"{name}(): argument 'normalized_shape' must be tuple of ints, not {normalized_shape!r}")
    shape, own = tuple(normalized_shape), input._array.shape
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
            "normalized_shape = []"
        )
    _check_types(input, weight=weight, bias=bias)
    for what, values in (("weight", weight), ("bias", bias)):
        if values is not None and values._array.shape != shape:
            raise RuntimeError(
                f"Expected {what} to be of same shape as normalized_shape, but got {what} of shape "
                f"{list(values.shape)} and normalized_shape = {list(shape)}"
            )
    if own[-len(shape) :] != shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*, {', '.join(map(str, shape))}], but "
            f"got input of size{list(own)}"
        )
    return math.prod(own[: -len(shape)]), 1, 1, math.prod(shape), 1
