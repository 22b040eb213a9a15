"""Lengths, distances and angles of vectors; products of two vectors."""

import math

from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import broadcast


def normalize(input, p=2.0, dim=1, eps=1e-12, out=None):
    """The input over its norm of order ``p`` along ``dim``, which counts as at least ``eps``.  (*) -> (*)."""
    if out is not None:
        raise NotImplementedError("normalize: out= is not supported; use the result")
    return input / input.norm(p, dim, keepdim=True).clamp(min=eps)


@public(method=False)
def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """x1 . x2 / (|x1| |x2|) on ``dim``, broadcast; a norm counts as at least ``eps``.  (*), (*) -> the other axes."""
    kind = dtypes.result_type(x1, x2)
    if not kind.is_floating_point:
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {kind.name}")
    shape = broadcast("cosine_similarity", x1._array, x2._array)
    first, second = (normalize(each.to(kind).expand(shape), 2, dim, eps) for each in (x1, x2))
    return (first * second).sum(dim)


@public(method=False)
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """The norm of order ``p`` of x1 - x2 + eps along the last axis; broadcast.  (*, D), (*, D) -> (*) or (*, 1)."""
    return (x1 - x2 + eps).norm(p, -1, keepdim)


@public(method=False)
def bilinear(input1, input2, weight, bias=None):
    """input1 @ weight[o] @ input2 + bias[o], for each o.  (*, I), (*, J), (O, I, J), (O,) -> (*, O)."""
    *batch, first = input1._array.shape
    outputs, rows, columns = weight._array.shape
    if [*batch, columns] != list(input2._array.shape) or first != rows:
        raise RuntimeError(
            f"bilinear: input1 {list(input1.shape)} and input2 {list(input2.shape)} do not fit weight "
            f"{list(weight.shape)}: expected (*, {rows}) and (*, {columns}), with the same *"
        )
    count = math.prod(batch)
    by_first = weight.permute(1, 0, 2).reshape(rows, outputs * columns)
    halves = (input1.reshape(count, rows) @ by_first).reshape(count, outputs, columns)
    result = (halves @ input2.reshape(count, columns, 1)).reshape((*batch, outputs))
    return result if bias is None else result + bias
