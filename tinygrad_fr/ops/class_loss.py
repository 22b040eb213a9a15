"""Losses of scores of classes: softmax cross-entropy, margins.

Softmax cross-entropy is fused: no array of probabilities is stored.
"""

import math
from typing import Any

import numpy as np

from .. import kernels as k
from ..autograd.dispatch import op
from ..autograd.tensor import Tensor
from .activation import log_softmax, relu
from .checks import check_values
from .embedding import one_hot
from .indexing import where
from .loss import check_loss_options, reduced


@op(keeps=("lse",), launches=True)
def softmax_cross_entropy(x, target, *, reduction, ignore_index, out=None):
    """-log softmax(x)[target] for each row, ignoring rows of class ``ignore_index``.  (N, C), (N,) -> () or (N,)."""
    return k.softmax.cross_entropy(x, target, reduction=reduction, ignore_index=ignore_index, out=out)


@softmax_cross_entropy.backward
def _(g, x, target, lse, reduction, ignore_index, out=(None, None)):
    options = {"reduction": reduction, "ignore_index": ignore_index}
    return k.softmax.cross_entropy_backward(g, x, target, lse, **options, out=out[0]), None


@softmax_cross_entropy.reference
def _(x, target, *, reduction, ignore_index):
    return nll(x.log_softmax(1), target, None, reduction, ignore_index)


def nll(log_probabilities, target, weight, reduction, ignore_index):
    """-weight[target] log_probabilities[target], reduced; the mean is over the weights.  (N, C), (N,) -> () or (N,)."""
    kept = target != ignore_index
    index = where(kept, target, target * 0)
    _check_classes(index, log_probabilities._array.shape[1])
    chosen = log_probabilities.gather(1, index.unsqueeze(1)).squeeze(1)
    factor = kept.to(log_probabilities.dtype)
    if weight is not None:
        factor = factor * weight[index]
    losses = -(chosen * factor).masked_fill(~kept, 0.0)
    if reduction == "none":
        return losses
    return losses.sum() if reduction == "sum" else losses.sum() / factor.sum()


def _check_classes(index, classes):
    def check(values):
        if values.size and (values.min() < 0 or values.max() >= classes):
            bad = values[(values < 0) | (values >= classes)][0]
            raise IndexError(f"Target {bad} is out of bounds: expected a class from 0 to {classes - 1}")

    check_values(index, check)


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
    logs = log_softmax(rows, 1)
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
        return reduced(losses, reduction)
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
    logs = log_softmax(input, dim)
    if weight is not None:
        logs = logs * _class_weights(weight, input).reshape((-1,) + (1,) * (input.ndim - dim - 1))
    losses = -(logs * target).sum(dim)
    return losses.sum() / (input.numel() / count) if reduction == "mean" else reduced(losses, reduction)


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
            raise ValueError(f"expected one target for an input of shape {list(shape)}, got shape {list(indices)}")
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


# --- margins -----------------------------------------------------------------------------------------------------


def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"):
    """sum over the other classes j of max(0, margin - input[target] + input[j])^p / C.  (N, C), (N,) -> () or (N,).

    ``p`` is 1 or 2; ``weight`` (C,) weighs the losses by their target. (C,) and () are one example.
    """
    check_loss_options(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    rows, classes, shape = _rows_of_margins(input, target)
    count = rows._array.shape[1]
    _check_margin_targets(classes, 0, count)
    missed = relu(margin - rows.gather(1, classes.unsqueeze(1)) + rows)
    missed = missed.square() if p == 2 else missed
    losses = missed.masked_fill(one_hot(classes, count) == 1, 0.0).sum(1) / count
    if weight is not None:
        if weight.numel() != count:
            raise RuntimeError(f"inconsistent weight size, expected {count} but got {list(weight.shape)}")
        losses = losses * weight[classes]
    return _in_shape(reduced(losses, reduction), shape, reduction)


def _rows_of_margins(input, target):
    """The scores as (N, C), the classes as (N,), and the shape of the losses."""
    _check_scores(input)
    _check_long(target)
    batch = input._array.shape[:-1]
    if target.ndim > 1 or (batch or (1,)) != (target._array.shape or (1,)):
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch "
            f"size). Expected target size {list(batch)}, but got {list(target.shape)}. Input has shape "
            f"{list(input.shape)}."
        )
    return input.reshape(-1, input._array.shape[-1] if input.ndim else 1), target.reshape(-1), target._array.shape


def _check_scores(input):
    if input.ndim > 2 or 0 in input._array.shape[-1:]:
        raise RuntimeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {list(input.shape)}"
        )


def _check_long(target):
    if target._array.dtype != np.int64:
        raise RuntimeError(f"expected scalar type Long but found {target.dtype.name}; convert the target with .long()")


def _check_margin_targets(target, lowest, count):
    def check(values):
        if values.size and (values.min() < lowest or values.max() >= count):
            bad = values[(values < lowest) | (values >= count)].flat[0]
            raise RuntimeError(f"target out of range: {bad}, expected {lowest} to {count - 1}")

    check_values(target, check)


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """sum over the classes i of the target and j of the others of max(0, 1 - input[i] + input[j]) / C.

    input: (N, C); target: (N, C) int64, the classes of each row in front of the first -1; -> () or (N,). (C,) is one.
    """
    check_loss_options(size_average, reduce, reduction)
    _check_scores(input)
    _check_long(target)
    if target._array.shape != input._array.shape:
        raise RuntimeError(f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}")
    count = input._array.shape[-1] if input.ndim else 1
    rows, classes = input.reshape(-1, count), target.reshape(-1, count)
    _check_margin_targets(classes, -1, count)
    listed = _listed(classes)
    scores = rows.gather(1, classes.masked_fill(~listed, 0))
    missed = relu(1 - scores.unsqueeze(2) + rows.unsqueeze(1))  # (N, i, j)
    counts = listed.unsqueeze(2) & ~_among(classes, listed).unsqueeze(1)
    losses = missed.masked_fill(~counts, 0.0).sum((1, 2)) / count
    return _in_shape(reduced(losses, reduction), input._array.shape[:-1], reduction)


@op
def _listed(target, *, out=None):
    """Which places of each row are in front of its first -1.  (N, C) -> (N, C) bool."""
    return np.logical_and.accumulate(target >= 0, axis=1)


@op
def _among(target, listed, *, out=None):
    """Which classes each row lists.  (N, C), (N, C) -> (N, C) bool."""
    found = np.zeros(target.shape, bool)
    rows, places = np.nonzero(listed)
    found[rows, target[rows, places]] = True
    return found
