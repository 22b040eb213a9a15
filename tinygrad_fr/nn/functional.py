"""Layers as functions: activations, dropout, losses.  ``import tinygrad_fr.nn.functional as F``."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..ops import activation as _activation
from ..ops import random as _random
from ..ops.activation import gelu, sigmoid, silu, softplus, step, tanh
from ..ops.checks import check_values
from ..ops.creation import arange
from ..ops.exponential import expm1
from ..ops.indexing import where
from ..ops.loss import nll, softmax_cross_entropy
from ..ops.matmul import linear
from ..ops.padding import pad
from ..ops.pointwise import bce, bce_of_logits, log1pexp

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "dropout",
    "elu",
    "gelu",
    "hardtanh",
    "hinge_embedding_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "mse_loss",
    "nll_loss",
    "one_hot",
    "pad",
    "relu",
    "relu6",
    "relu_",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softmin",
    "softplus",
    "softsign",
    "step",
    "tanh",
    "tanhshrink",
]

# ---------------------------------------------------------------------------------------------------------------
# Activations.


def _over(input: Any, function: Callable[[Any], Any]) -> Any:
    """``function(input)``, written over the input; computed from a copy, which backward finds unchanged."""
    return input.copy_(function(input.clone()))


def relu(input, inplace=False):
    """max(input, 0).  (*) -> (*)."""
    return input.relu_() if inplace else _activation.relu(input)


def relu_(input):
    """`relu`, written over the input."""
    return input.relu_()


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """input where it is above 0, else negative_slope * input.  (*) -> (*)."""
    return _activation.leaky_relu(input, negative_slope, inplace)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """input limited to min_val ... max_val; the derivative at the limits is 0.  (*) -> (*)."""
    if min_val > max_val:
        raise ValueError(f"min_val cannot be greater than max_val, got {min_val} and {max_val}")
    if inplace:
        return _over(input, lambda x: hardtanh(x, min_val, max_val))
    outside = (input <= min_val) | (input >= max_val)
    return where(outside, input.detach().clamp(min_val, max_val), input)


def relu6(input, inplace=False):
    """min(max(input, 0), 6).  (*) -> (*)."""
    return hardtanh(input, 0.0, 6.0, inplace)


def elu(input, alpha=1.0, inplace=False):
    """input where it is above 0, else alpha (exp(input) - 1).  (*) -> (*).  Source: Clevert et al., 2016."""
    if inplace:
        return _over(input, lambda x: elu(x, alpha))
    return _activation.relu(input) + alpha * expm1(input.clamp(max=0))


# the numbers that keep mean 0 and variance 1 fixed (Klambauer et al., 2017)
_SELU_ALPHA = 1.6732632423543772848170429916717
_SELU_SCALE = 1.0507009873554804934193349852946


def selu(input, inplace=False):
    """scale * elu(input, alpha) with the fixed numbers of self-normalising nets.  (*) -> (*)."""
    return _over(input, selu) if inplace else _SELU_SCALE * elu(input, _SELU_ALPHA)


def logsigmoid(input):
    """log(sigmoid(input)), without overflow.  (*) -> (*)."""
    return -log1pexp(-input)


def softsign(input):
    """input / (1 + |input|).  (*) -> (*)."""
    return input / (1 + input.abs())


def tanhshrink(input):
    """input - tanh(input).  (*) -> (*)."""
    return input - tanh(input)


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """exp(input) / sum(exp(input)) along the axis ``dim``, in ``dtype`` if given.  (*) -> (*)."""
    return _activation.softmax(input, _given_dim("softmax", input, dim, _stacklevel), dtype)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """softmax(-input) along the axis ``dim``.  (*) -> (*)."""
    return _activation.softmax(-input, _given_dim("softmin", input, dim, _stacklevel), dtype)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """log(softmax(input)) along the axis ``dim``, without overflow.  (*) -> (*)."""
    return _activation.log_softmax(input, _given_dim("log_softmax", input, dim, _stacklevel), dtype)


def _given_dim(name, input, dim, stacklevel):
    """``dim``, or with a warning the axis that PyTorch chose before it had to be given."""
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if input.ndim in (0, 1, 3) else 1


# ---------------------------------------------------------------------------------------------------------------
# Dropout, one-hot.


def dropout(input, p=0.5, training=True, inplace=False):
    """In training, each element 0 with probability p and the others scaled by 1 / (1 - p).  (*) -> (*)."""
    dropped = _random.dropout(input, p, training)
    return input.copy_(dropped) if inplace and dropped is not input else dropped


def one_hot(tensor, num_classes=-1):
    """1 at the class that each integer names, else 0.  (*) -> (*, num_classes) int64; -1: the largest class + 1."""
    classes = tensor._array
    if classes.dtype != np.int64:
        raise RuntimeError(
            f"one_hot is only applicable to index tensor of type LongTensor, got {tensor.dtype.name}; use .long()"
        )
    if num_classes < 1:
        if num_classes != -1:
            raise RuntimeError(f"num_classes should be positive, got {num_classes}")
        if classes.size == 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        num_classes = int(tensor.max()) + 1

    def check(values):
        if values.size and values.min() < 0:
            raise RuntimeError(f"Class values must be non-negative, got {values.min()}")
        if values.size and values.max() >= num_classes:
            raise RuntimeError(
                f"Class values must be smaller than num_classes, got {values.max()} for {num_classes} classes"
            )

    check_values(tensor, check)
    return (tensor.unsqueeze(-1) == arange(num_classes)).long()


# ---------------------------------------------------------------------------------------------------------------
# Losses. Each is a loss an element, then weighted and reduced to the mean, the sum or not at all.


def check_loss_options(size_average: Any, reduce: Any, reduction: str, also: tuple[str, ...] = ()) -> None:
    """Raise for the two old keywords, and for a reduction that there is not."""
    if size_average is not None or reduce is not None:
        raise NotImplementedError("size_average and reduce are not supported: PyTorch deprecated them; use reduction=")
    if reduction not in ("none", "mean", "sum", *also):
        raise ValueError(f"{reduction} is not a valid value for reduction")


def _reduce(losses, reduction):
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def _check_same_size(input, target):
    if input._array.shape != target._array.shape:
        warnings.warn(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}). "
            "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=3,
        )


def _weighted(losses, weight, reduction):
    """The losses times ``weight``, reduced; the mean is over the weights."""
    if weight is None:
        return _reduce(losses, reduction)
    losses = _times(losses, weight)
    return losses.sum() / weight.sum() if reduction == "mean" else _reduce(losses, reduction)


def _times(losses, weight):
    if weight._array.shape != losses._array.shape:
        raise ValueError(
            f"Weights and input must have the same size, got {list(weight.shape)} and {list(losses.shape)}."
        )
    return losses * weight


def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """(input - target)^2.  (*), (*) -> () or (*).  With ``weight`` (*), the mean is over the weights."""
    check_loss_options(size_average, reduce, reduction)
    _check_same_size(input, target)
    return _weighted((input - target).square(), weight, reduction)


def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """|input - target|.  (*), (*) -> () or (*).  With ``weight`` (*), the mean is over the weights."""
    check_loss_options(size_average, reduce, reduction)
    _check_same_size(input, target)
    return _weighted((input - target).abs(), weight, reduction)


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """d^2 / 2 where |d| < delta, else delta (|d| - delta / 2), with d = input - target.  (*), (*) -> () or (*).

    ``weight`` (*) weighs the losses; unlike that of `mse_loss`, the mean is over their number, as in PyTorch.
    """
    check_loss_options(None, None, reduction)
    if delta <= 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta, got {delta}.")
    _check_same_size(input, target)
    losses = _huber(input - target, delta)
    return _reduce(losses if weight is None else _times(losses, weight), reduction)


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, with d = input - target.  (*), (*) -> () or (*)."""
    check_loss_options(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta, got {beta}.")
    _check_same_size(input, target)
    difference = input - target
    return _reduce(difference.abs() if beta == 0 else _huber(difference, beta) / beta, reduction)


def _huber(difference, delta):
    distance = difference.abs()
    return where(distance < delta, 0.5 * difference.square(), delta * (distance - 0.5 * delta))


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """input where the target is 1, max(0, margin - input) where it is -1.  (*), (*) -> () or (*)."""
    check_loss_options(size_average, reduce, reduction)
    similar = input.masked_fill(target == -1, 0.0)
    different = (margin - input).clamp(min=0).masked_fill(target == 1, 0.0)
    return _reduce(similar + different, reduction)


def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """target (log target - input), with input (and target, if ``log_target``) as logarithms.  (*), (*) -> () or (*).

    'batchmean' divides the sum by the size of the first axis: the divergence as it is defined.
    """
    check_loss_options(size_average, reduce, reduction, ("batchmean",))
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. 'batchmean' divides "
            "only by the batch size, and aligns with the KL div math definition.",
            stacklevel=2,
        )
    if log_target:
        losses = target.exp() * (target - input)
    else:
        losses = target * (target.masked_fill(target == 0, 1.0).log() - input)
    if reduction == "batchmean":
        return losses.sum() / input._array.shape[0] if input.ndim else losses.sum()
    return _reduce(losses, reduction)


def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """-(target log(input) + (1 - target) log(1 - input)) for probabilities, logarithms not below -100.

    input, target: (*) -> () or (*); ``weight`` is broadcast to them.
    """
    check_loss_options(size_average, reduce, reduction)
    if input._array.shape != target._array.shape:
        raise ValueError(
            f"Using a target size ({target.shape}) that is different to the input size ({input.shape}) is deprecated. "
            "Please ensure they have the same size."
        )
    if input._array.dtype != target._array.dtype:
        raise RuntimeError(f"Found dtype {target.dtype.name} but expected {input.dtype.name}, as the input is")
    _check_probabilities("input", input)
    _check_probabilities("target", target)
    losses = bce(input, target)
    return _reduce(losses if weight is None else losses * weight, reduction)


def _check_probabilities(name, tensor):
    def check(values):
        inside = (values >= 0) & (values <= 1)
        if not inside.all():
            raise RuntimeError(
                f"all elements of {name} should be between 0 and 1, got {values[~inside].flat[0]}; "
                "for an input of any value use binary_cross_entropy_with_logits"
            )

    check_values(tensor, check)


def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """`binary_cross_entropy` of sigmoid(input), stable for every input.  (*), (*) -> () or (*).

    ``weight`` weighs the losses, ``pos_weight`` the part of the positive targets; both are broadcast.
    """
    check_loss_options(size_average, reduce, reduction)
    if input._array.shape != target._array.shape:
        raise ValueError(f"Target size ({target.shape}) must be the same as input size ({input.shape})")
    if not target.is_floating_point():
        raise RuntimeError(f"expected a floating point target, got {target.dtype.name}; convert it with .float()")
    if pos_weight is None:
        losses = bce_of_logits(input, target)
    else:
        losses = (1 - target) * input + (1 + (pos_weight - 1) * target) * log1pexp(-input)
    return _reduce(losses if weight is None else losses * weight, reduction)


# --- classes -----------------------------------------------------------------------------------------------------


def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """-input[target], for log-probabilities of classes.  (N, C, d1...), (N, d1...) -> () or (N, d1...); (C,), () too.

    ``weight`` (C,) weighs the classes, and the mean is over the weights; a target of ``ignore_index`` counts nothing.
    """
    check_loss_options(size_average, reduce, reduction)
    rows, classes, shape = _as_rows(input, target)
    return _in_shape(nll(rows, classes, _class_weights(weight, rows), reduction, ignore_index), shape, reduction)


def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    """-log(softmax(input))[target], or its mean under ``target`` where that holds a probability for each class.

    input: (N, C, d1...) or (C,); target: (N, d1...) or () int64, or of the input's shape; -> () or (N, d1...).
    ``weight`` (C,) weighs the classes; a class target of ``ignore_index`` counts nothing; ``label_smoothing`` of the
    target is spread evenly over the classes.
    """
    check_loss_options(size_average, reduce, reduction)
    x, classes = input._array, target._array
    plain = weight is None and label_smoothing == 0.0 and x.ndim == 2
    if plain and classes.shape == x.shape[:1] and classes.dtype == np.int64:  # the usual case, sooner done
        return softmax_cross_entropy(input, target, reduction=reduction, ignore_index=ignore_index)
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if input._array.shape == target._array.shape:
        return _cross_entropy_of_probabilities(input, target, weight, ignore_index, reduction, label_smoothing)
    rows, classes, shape = _as_rows(input, target)
    if weight is None and label_smoothing == 0.0:
        losses = softmax_cross_entropy(rows, classes, reduction=reduction, ignore_index=ignore_index)
        return _in_shape(losses, shape, reduction)
    weight = _class_weights(weight, rows)
    logs = _activation.log_softmax(rows, 1)
    losses = nll(logs, classes, weight, reduction, ignore_index)
    if label_smoothing:
        evenly = _nll_of_all_classes(logs, classes, weight, reduction, ignore_index)
        losses = (1 - label_smoothing) * losses + (label_smoothing / logs._array.shape[1]) * evenly
    return _in_shape(losses, shape, reduction)


def _nll_of_all_classes(logs, classes, weight, reduction, ignore_index):
    """-sum(logs) for each row, reduced as `nll` reduces.  (N, C), (N,) -> () or (N,)."""
    kept = classes != ignore_index
    losses = -(logs if weight is None else logs * weight).sum(1).masked_fill(~kept, 0.0)
    if reduction != "mean":
        return _reduce(losses, reduction)
    factor = kept.to(logs.dtype)
    if weight is not None:
        factor = factor * weight[where(kept, classes, classes * 0)]
    return losses.sum() / factor.sum()


def _cross_entropy_of_probabilities(input, target, weight, ignore_index, reduction, label_smoothing):
    if not target.is_floating_point():
        raise RuntimeError(
            f"Expected floating point type for target with class probabilities, got {target.dtype.name}; "
            "class indices have no axis of classes"
        )
    if ignore_index >= 0:
        raise RuntimeError("ignore_index is not supported for floating point target")
    dim = 1 if input.ndim > 1 else 0
    count = input._array.shape[dim]
    if label_smoothing:
        target = target * (1 - label_smoothing) + label_smoothing / count
    logs = _activation.log_softmax(input, dim)
    if weight is not None:
        logs = logs * _class_weights(weight, input).reshape((-1,) + (1,) * (input.ndim - dim - 1))
    losses = -(logs * target).sum(dim)
    return losses.sum() / (input.numel() / count) if reduction == "mean" else _reduce(losses, reduction)


def _as_rows(input, target):
    """The input as (N, C) and the class indices as (N,) int64, checked, and the shape of the loss for each index."""
    shape, indices = input._array.shape, target._array.shape
    if target._array.dtype != np.int64:
        if target._array.dtype != np.uint8:
            raise RuntimeError(
                f"expected target dtype to be int64 or uint8 (class indices), but got {target.dtype.name}; "
                "convert it with .long()"
            )
        target = target.long()
    if len(shape) == 0:
        raise ValueError("Expected 1 or more dimensions (got 0)")
    if len(shape) == 1:
        if indices not in ((), (1,)):
            raise RuntimeError(f"expected one target for an input of shape {list(shape)}, got shape {list(indices)}")
        return input.unsqueeze(0), target.reshape(1), indices
    if not indices or indices[0] != shape[0]:
        raise ValueError(
            f"Expected input batch_size ({shape[0]}) to match target batch_size ({indices[0] if indices else 'none'})."
        )
    if len(shape) == 2:
        if len(indices) > 1:
            raise RuntimeError(f"0D or 1D target tensor expected, multi-target not supported (got {list(indices)})")
        return input, target, indices
    if indices != (shape[0], *shape[2:]):
        raise RuntimeError(f"Expected target size {[shape[0], *shape[2:]]}, got {list(indices)}")
    return input.movedim(1, -1).reshape(math.prod(indices), shape[1]), target.reshape(-1), indices


def _in_shape(losses, shape, reduction):
    return losses.reshape(shape) if reduction == "none" and losses._array.shape != shape else losses


def _class_weights(weight: Any, rows: Any) -> Any:
    classes = rows._array.shape[1 if rows.ndim > 1 else 0]
    if isinstance(weight, Tensor) and weight._array.shape != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes "
            f"but got weight tensor of shape: {list(weight.shape)}"
        )
    return weight


# ---------------------------------------------------------------------------------------------------------------
# What has files of its own.

from ..ops.adaptive_pooling import (  # noqa: E402
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
)
from ..ops.convolution import conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d  # noqa: E402
from ..ops.interpolation import interpolate, upsample  # noqa: E402
from ..ops.normalization import batch_norm, group_norm, instance_norm, layer_norm, local_response_norm, rms_norm  # noqa: E402
from ..ops.pooling import (  # noqa: E402
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
    min_pool1d,
    min_pool2d,
    min_pool3d,
)
from ..ops.windows import fold, unfold  # noqa: E402

__all__ += [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "avg_pool1d",
    "avg_pool2d",
    "avg_pool3d",
    "batch_norm",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "fold",
    "group_norm",
    "instance_norm",
    "interpolate",
    "layer_norm",
    "local_response_norm",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
    "min_pool1d",
    "min_pool2d",
    "min_pool3d",
    "rms_norm",
    "unfold",
    "upsample",
]
