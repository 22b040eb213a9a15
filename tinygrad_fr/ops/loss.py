"""Softmax cross-entropy, fused: no array of probabilities is stored."""

from .. import kernels as k
from ..autograd.dispatch import op
from .checks import check_values
from .indexing import where


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
