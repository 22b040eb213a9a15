"""Bags of rows of a table, each reduced to one."""

import numpy as np

from ..autograd.dispatch import op
from .checks import check_values
from .creation import arange, zeros
from .embedding import embedding


@op
def _bag_of_each(offsets, *, length, out=None):
    """The bag of each of ``length`` places, where bags begin at ``offsets``.  (B,) int -> (length,) int64."""
    return np.searchsorted(offsets, np.arange(length), side="right") - 1


def embedding_bag(
    input,
    weight,
    offsets=None,
    max_norm=None,
    norm_type=2.0,
    scale_grad_by_freq=False,
    mode="mean",
    sparse=False,
    per_sample_weights=None,
    include_last_offset=False,
    padding_idx=None,
):
    """The sum, mean or largest entries of the rows of each bag.  (B, L) int, (N, D) -> (B, D).

    Bag i of ``input`` (L,) begins at ``offsets[i]``; with ``include_last_offset`` the last of them ends the last bag.
    ``per_sample_weights`` are factors of the rows of a sum. Rows ``padding_idx`` are left out; an empty bag gives 0.
    """
    _check_options(mode, scale_grad_by_freq, input, per_sample_weights)
    input, offsets, count = _flat_bags(input, offsets, include_last_offset)
    bags = _bag_of_each(offsets, length=input.shape[0])
    rows = embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
    is_row = (input == input) if padding_idx is None else input != padding_idx % weight.shape[0]
    sizes = zeros(count, dtype=weight.dtype).index_add(0, bags, is_row.to(weight.dtype)).unsqueeze(1)
    if mode == "max":
        return _largest(rows.masked_fill(~is_row.unsqueeze(1), -np.inf), bags, sizes)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    sums = zeros(count, weight.shape[1], dtype=weight.dtype)
    sums = sums.index_add(0, bags, rows.masked_fill(~is_row.unsqueeze(1), 0.0))
    return sums / sizes.clamp(min=1) if mode == "mean" else sums


def _largest(rows, bags, sizes):
    base = zeros(sizes.shape[0], rows.shape[1], dtype=rows.dtype)
    largest = base.scatter_reduce(0, bags.unsqueeze(1).expand(rows.shape), rows, "amax", include_self=False)
    return largest.masked_fill(sizes == 0, 0.0)


def _check_options(mode, scale_grad_by_freq, input, per_sample_weights):
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if per_sample_weights is None:
        return
    if mode != "sum":
        raise NotImplementedError(f"per_sample_weights are only supported with mode='sum', got mode='{mode}'")
    if per_sample_weights.shape != input.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({list(per_sample_weights.shape)}) is not None, then it must have "
            f"the same shape as the input ({list(input.shape)})"
        )


def _flat_bags(input, offsets, include_last_offset):
    """The input in one row, where its bags begin, and how many there are."""
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError("if input is 2D, then offsets has to be None, as input is treated is a mini-batch of bags")
        count, length = input.shape
        return input.reshape(-1), arange(count) * length, count
    if input.ndim != 1:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if offsets is None:
        raise ValueError("offsets has to be a 1D Tensor but got None")
    if offsets.ndim != 1:
        raise ValueError("offsets has to be a 1D Tensor")
    _check_offsets(offsets, input.shape[0], include_last_offset)
    if not include_last_offset:
        return input, offsets, offsets.shape[0]
    return input, offsets[:-1], offsets.shape[0] - 1


def _check_offsets(offsets, length, include_last_offset):
    def check(values):
        if include_last_offset and not values.size:
            raise RuntimeError("include_last_offset: number of offsets should be at least 1")
        if values.size and values[0] != 0:
            raise RuntimeError(f"offsets[0] has to be 0, i.e., the first bag begins at the start, got {values[0]}")
        if values.size and values[-1] > length:
            raise RuntimeError(f"offsets[-1] can not be greater than input's length {length}, got {values[-1]}")
        if (np.diff(values) < 0).any():
            raise RuntimeError("offsets have to be in ascending order")
        if include_last_offset and values[-1] != length:
            raise NotImplementedError(f"include_last_offset: offsets[-1] has to be {length}, got {values[-1]}")

    check_values(offsets, check)
