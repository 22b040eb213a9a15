"""Losses that bring pairs and triplets of vectors nearer to each other, or further apart."""

from .distance import pairwise_distance
from .loss import check_loss_options, reduced
from .rounding import minimum


def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """input where the target is 1, max(0, margin - input) where it is -1.  (*), (*) -> () or (*)."""
    check_loss_options(size_average, reduce, reduction)
    similar = input.masked_fill(target == -1, 0.0)
    different = (margin - input).clamp(min=0).masked_fill(target == 1, 0.0)
    return reduced(similar + different, reduction)


def margin_ranking_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"):
    """max(0, margin - target (input1 - input2)): input1 ranks higher where the target is 1, lower where it is -1.

    (*), (*), (*) -> () or (*).
    """
    check_loss_options(size_average, reduce, reduction)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: "
            f"{input1.shape}, input2: {input2.shape}, target: {target.shape} "
        )
    return reduced((-target * (input1 - input2) + margin).clamp(min=0), reduction)


def cosine_embedding_loss(input1, input2, target, margin=0.0, size_average=None, reduce=None, reduction="mean"):
    """1 - cos where the target is 1, max(0, cos - margin) where it is -1, with the cosine of input1 and input2.

    (N, D), (N, D), (N,) -> () or (N,);  (D,), (D,), () -> ().
    """
    check_loss_options(size_average, reduce, reduction)
    _check_pairs(input1, input2, target)
    product, first, second = ((x * y).sum(-1) for x, y in ((input1, input2), (input1, input1), (input2, input2)))
    cosine = product / ((first + _TINY) * (second + _TINY)).sqrt()
    similar = (1 - cosine).masked_fill(target != 1, 0.0)
    different = (cosine - margin).clamp(min=0).masked_fill(target != -1, 0.0)
    return reduced(similar + different, reduction)


_TINY = 1e-12  # keeps the cosine of a vector of zeros finite


def _check_pairs(input1, input2, target):
    if target.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if not input1.ndim == input2.ndim == target.ndim + 1:
        raise RuntimeError(
            f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found inputs with sizes "
            f"{list(input1.shape)} and {list(input2.shape)}."
        )


def triplet_margin_loss(
    anchor,
    positive,
    negative,
    margin=1.0,
    p=2.0,
    eps=1e-6,
    swap=False,
    size_average=None,
    reduce=None,
    reduction="mean",
):
    """max(0, margin + |anchor - positive| - |anchor - negative|).  (*, D), (*, D), (*, D) -> () or (*).

    The distances are those of `pairwise_distance`. ``swap`` takes |positive - negative| instead of the last where it is
    smaller. Source: Balntas et al., 2016.
    """
    check_loss_options(size_average, reduce, reduction)

    def distance(x, y):
        return pairwise_distance(x, y, p, eps)

    return triplet_margin_with_distance_loss(
        anchor, positive, negative, distance_function=distance, margin=margin, swap=swap, reduction=reduction
    )


def triplet_margin_with_distance_loss(
    anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"
):
    """As `triplet_margin_loss`, with ``distance_function(x, y)``; without one with `pairwise_distance`."""
    check_loss_options(None, None, reduction)
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs"
        )
    distance = pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    far = minimum(far, distance(positive, negative)) if swap else far
    return reduced((margin + near - far).clamp(min=0), reduction)
