"""Losses of each element, then weighted and reduced to the mean, the sum or not at all."""

import math
import warnings
from typing import Any

from ..autograd.mode import no_grad
from .checks import check_values
from .creation import full_like
from .indexing import where
from .piecewise import logsigmoid
from .pointwise import bce, bce_of_logits, log1pexp


def check_loss_options(size_average: Any, reduce: Any, reduction: str, also: tuple[str, ...] = ()) -> None:
    """Raise for the two old keywords, and for a reduction that there is not."""
    if size_average is not None or reduce is not None:
        raise NotImplementedError("size_average and reduce are not supported: PyTorch deprecated them; use reduction=")
    if reduction not in ("none", "mean", "sum", *also):
        raise ValueError(f"{reduction} is not a valid value for reduction")


def reduced(losses, reduction):
    """The losses as they are, their mean or their sum.  (*) -> () or (*)."""
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
        return reduced(losses, reduction)
    losses = _times(losses, weight)
    return losses.sum() / weight.sum() if reduction == "mean" else reduced(losses, reduction)


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
    return reduced(losses if weight is None else _times(losses, weight), reduction)


def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """d^2 / (2 beta) where |d| < beta, else |d| - beta / 2, with d = input - target.  (*), (*) -> () or (*)."""
    check_loss_options(size_average, reduce, reduction)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta, got {beta}.")
    _check_same_size(input, target)
    difference = input - target
    return reduced(difference.abs() if beta == 0 else _huber(difference, beta) / beta, reduction)


def _huber(difference, delta):
    distance = difference.abs()
    return where(distance < delta, 0.5 * difference.square(), delta * (distance - 0.5 * delta))


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
    return reduced(losses, reduction)


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
    return reduced(losses if weight is None else losses * weight, reduction)


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
    return reduced(losses if weight is None else losses * weight, reduction)


# --- likelihoods, and margins of one score -----------------------------------------------------------------------


def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """log(1 + exp(-target input)) for targets of 1 and -1, without overflow.  (*), (*) -> () or (*)."""
    check_loss_options(size_average, reduce, reduction)
    return reduced(log1pexp(-target * input), reduction)


def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """Binary cross-entropy of sigmoid(input), averaged over the classes.  (*, C), (*, C) -> () or (*).

    ``weight`` (C,) weighs the classes.
    """
    check_loss_options(size_average, reduce, reduction)
    if input.ndim == 0:
        raise IndexError("multilabel_soft_margin_loss: expected an axis of classes, got a tensor without axes")
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    losses = losses if weight is None else losses * weight
    return reduced(losses.sum(-1) / input._array.shape[-1], reduction)


def poisson_nll_loss(
    input,
    target,
    log_input=True,
    full=False,
    size_average=None,
    eps=1e-08,
    reduce=None,
    reduction="mean",
):
    """exp(input) - target input: minus the logarithm of the Poisson density of target.  (*), (*) -> () or (*).

    Without ``log_input`` the input is the rate itself: input - target log(input + eps). ``full`` adds Stirling's
    approximation of log(target!) where the target is above 1.
    """
    check_loss_options(size_average, reduce, reduction)
    losses = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        above = target.masked_fill(target <= 1, 1.0)
        stirling = above * above.log() - above + 0.5 * (above * (2 * math.pi)).log()
        losses = losses + stirling.masked_fill(target <= 1, 0.0)
    return reduced(losses, reduction)


def gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction="mean"):
    """(log var + (input - target)^2 / var) / 2, with a variance of at least ``eps``.  (*), (*), (*) -> () or (*).

    ``var`` is of the shape of the input, or lacks its last axis, or has 1 there, or is a number; ``full`` adds
    log(2 pi) / 2. The limit by ``eps`` is left out of the gradient, as in PyTorch.
    """
    var = _variance(var, input)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not valid")
    var = var.clone()
    with no_grad():
        var.clamp_(min=eps)
    losses = 0.5 * (var.log() + (input - target).square() / var)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


def _variance(var, input):
    """``var`` as a tensor that broadcasts to the input, checked."""
    if isinstance(var, float):
        var = full_like(input, var)
    check_values(var, _check_variances)
    shape, own = input._array.shape, var._array.shape
    if own == shape:
        return var
    if own == shape[:-1]:
        return var.unsqueeze(-1)
    differing = [mine for mine, size in zip(own, shape, strict=False) if mine != size]
    if len(own) != len(shape) or differing != [1]:
        raise ValueError(f"var is of incorrect size: {list(own)} for an input of {list(shape)}")
    return var


def _check_variances(values):
    if (values < 0).any():
        raise ValueError("var has negative entry/entries")
