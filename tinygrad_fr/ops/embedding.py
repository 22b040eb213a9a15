"""Integers as vectors: rows of a table, one-hot vectors."""

import numpy as np

from .. import kernels as k
from ..autograd.dispatch import apply, op
from ..autograd.mode import no_grad
from .checks import check_values
from .creation import arange


@op(launches=True)
def _rows(weight, index, *, padding_idx, by_frequency, out=None):
    """The rows of ``weight`` that ``index`` names.  (N, D), (*) -> (*, D)."""
    return k.gather.rows(weight, index, out=out)


@_rows.vjp("weight")
def _(g, index, weight_shape, padding_idx, by_frequency):
    return _added_rows(g, index, rows=weight_shape[0], padding_idx=padding_idx, by_frequency=by_frequency)


@op(launches=True)
def _added_rows(g, index, *, rows, padding_idx, by_frequency, out=None):
    """Zeros to whose rows those of ``g`` are added where ``index`` names them, but for ``padding_idx``.

    With ``by_frequency`` each row is divided by how often it is named.
    """
    return k.scatter.add_rows(g, index, rows, padding_idx=padding_idx, by_frequency=by_frequency, out=out)


@_added_rows.vjp("g")
def _(g, index, padding_idx, by_frequency):
    rows = apply(_rows.op, (g, index), {"padding_idx": padding_idx, "by_frequency": by_frequency})
    if by_frequency:
        rows = rows / _frequencies(index, kind=g._array.dtype).unsqueeze(-1)
    return rows if padding_idx is None else rows.masked_fill((index == padding_idx).unsqueeze(-1), 0.0)


@op
def _frequencies(index, *, kind, out=None):
    """How often the number in each place occurs.  (*) -> (*)."""
    return np.bincount(index.ravel())[index].astype(kind)


def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
    """The rows of the table ``weight`` that the integers of ``input`` name.  (*) int, (N, D) -> (*, D).

    The row ``padding_idx`` gets no gradient; with ``scale_grad_by_freq`` every row's is divided by how often the row is
    named. With ``max_norm`` the rows that are named are first shortened, in place, to that norm of order ``norm_type``.
    """
    if sparse:
        raise NotImplementedError("embedding: sparse=True is not supported; gradients are dense")
    if input._array.dtype not in (np.int64, np.int32):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"{input.dtype.name} instead (while checking arguments for embedding)"
        )
    if weight.ndim != 2:
        raise RuntimeError(f"'weight' must be 2-D, got shape {list(weight.shape)}")
    size = weight._array.shape[0]
    padding_idx = _canonical_padding(padding_idx, size)
    if max_norm is not None:  # else the kernel looks at the numbers
        _check_rows(input, size)
        _shorten(weight, input, max_norm, norm_type)
    params = {"padding_idx": padding_idx, "by_frequency": bool(scale_grad_by_freq)}
    return apply(_rows.op, (weight, input), params)


def _canonical_padding(padding_idx, size):
    if padding_idx is None:
        return None
    if not -size <= padding_idx < size:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx % size


def _check_rows(index, size):
    def check(values):
        if values.size and (values.min() < 0 or values.max() >= size):
            bad = values[(values < 0) | (values >= size)].flat[0]
            raise IndexError(f"index out of range in self: {bad} in a table of {size} rows")

    check_values(index, check)


@no_grad()
def _shorten(weight, index, max_norm, norm_type):
    """Scale the rows of ``weight`` that ``index`` names down to the norm ``max_norm``, in place."""
    norms = weight.norm(norm_type, 1, keepdim=True)
    is_named = (_named(index, rows=weight._array.shape[0]) & (norms > max_norm)).to(weight.dtype)
    weight.mul_(is_named * (max_norm / (norms + 1e-7)) + (1 - is_named))


@op
def _named(index, *, rows, out=None):
    """Which numbers below ``rows`` occur.  (*) -> (rows, 1) bool."""
    return np.bincount(index.ravel(), minlength=rows).reshape(rows, 1) > 0


def one_hot(input, num_classes=-1):
    """1 at the class that each integer names, else 0.  (*) -> (*, num_classes) int64; -1: the largest class + 1."""
    classes = input._array
    if classes.dtype != np.int64:
        raise RuntimeError(
            f"one_hot is only applicable to index tensor of type LongTensor, got {input.dtype.name}; use .long()"
        )
    if num_classes < 1:
        if num_classes != -1:
            raise RuntimeError(f"num_classes should be positive, got {num_classes}")
        if classes.size == 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        num_classes = int(input.max()) + 1

    def check(values):
        if values.size and values.min() < 0:
            raise RuntimeError(f"Class values must be non-negative, got {values.min()}")
        if values.size and values.max() >= num_classes:
            raise RuntimeError(
                f"Class values must be smaller than num_classes, got {values.max()} for {num_classes} classes"
            )

    check_values(input, check)
    return (input.unsqueeze(-1) == arange(num_classes)).long()
