"""Order: sorting, the largest elements, distinct ones, where values belong among sorted ones."""

import math

import numpy as np

from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from ..autograd.mode import tell_read
from ..autograd.tensor import Tensor, constant, plain
from . import return_types
from .axes import numpy_names
from .shape import canonical_dim, existing_dim

# --- sorted ------------------------------------------------------------------------------------------------------


@op
def _argsort(x, *, dim, descending, out=None):
    """Where the elements in order come from; equal ones keep their order, NaN is the largest."""
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    backwards = np.flip(np.argsort(np.flip(x, dim), axis=dim, kind="stable"), dim)
    return np.subtract(x.shape[dim] - 1, backwards)


@public
@numpy_names
def sort(input, dim=-1, descending=False, *, stable=False):
    """The elements in order along ``dim``, and where they were; equal ones always keep their order.  -> two (*)."""
    indices = argsort(input, dim, descending)
    return return_types.sort(input.gather(dim, indices), indices)


@public
@numpy_names
def argsort(input, dim=-1, descending=False, *, stable=False):
    """Where the elements in order along ``dim`` come from; equal ones always keep their order.  (*) -> (*) int64."""
    dim = canonical_dim(dim, input.ndim)
    if input.ndim == 0:
        return constant(np.zeros((), np.int64))
    return apply(_argsort.op, (input,), {"dim": dim, "descending": bool(descending)})


@public
def msort(input):
    """The elements in order along the first axis.  (*) -> (*)."""
    return sort(input, 0).values


@op
def _argtop(x, *, k, dim, largest, out=None):
    """Where the ``k`` largest or smallest elements are, from the outermost inwards; NaN is the largest."""
    order = _argsort.op.forward(x, dim=dim, descending=largest)
    return order[(slice(None),) * dim + (slice(k),)].copy()


@public
@numpy_names
def topk(input, k, dim=-1, largest=True, sorted=True):
    """The ``k`` largest (or smallest) elements along ``dim`` in order, and where they are."""
    dim = canonical_dim(dim, input.ndim)
    if not 0 <= k <= (input._array.shape[dim] if input.ndim else 1):
        raise RuntimeError(f"selected index k out of range: {k} of shape {list(input.shape)} along dim {dim}")
    if input.ndim == 0:
        return return_types.topk(input.clone(), constant(np.zeros((), np.int64)))
    indices = apply(_argtop.op, (input,), {"k": int(k), "dim": dim, "largest": bool(largest)})
    return return_types.topk(input.gather(dim, indices), indices)


@public
@numpy_names
def kthvalue(input, k, dim=-1, keepdim=False):
    """The k-th smallest element along ``dim``, counted from 1, and where it is."""
    dim = canonical_dim(dim, input.ndim)
    size = input._array.shape[dim] if input.ndim else 1
    if size == 0:
        raise IndexError(f"kthvalue(): Expected reduction dim {dim} to have non-zero size.")
    if not 1 <= k <= size:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}: {k} of {size}")
    if input.ndim == 0:
        return return_types.kthvalue(input.clone(), constant(np.zeros((), np.int64)))
    indices = argsort(input, dim).narrow(dim, k - 1, 1)
    values = input.gather(dim, indices)
    if not keepdim:
        values, indices = values.squeeze(dim), indices.squeeze(dim)
    return return_types.kthvalue(values, indices)


# --- distinct elements -------------------------------------------------------------------------------------------


def _sorted_distinct(x, dim):
    """Where distinct slices occur first, in order, and which of them each slice is."""
    _, first, inverse = np.unique(x, return_index=True, return_inverse=True, axis=dim, equal_nan=False)
    return first, inverse


def _runs(x, dim):
    """Where slices begin that differ from the one before, and in which run each slice is."""
    rows = np.moveaxis(x, dim, 0).reshape(x.shape[dim], x.size // max(x.shape[dim], 1))
    begins = np.ones(len(rows), bool)
    begins[1:] = (rows[1:] != rows[:-1]).any(1)
    return np.flatnonzero(begins), np.cumsum(begins) - 1


@op
def _distinct(x, *, dim, find, out=None):
    """The positions that stand for all."""
    return find(x, dim)[0]


@op
def _membership(x, *, dim, find, out=None):
    """For each slice the number of the one that stands for it."""
    return find(x, dim)[1].reshape(-1)


def _deduplicated(name, input, return_inverse, return_counts, dim, find):
    tell_read(f"{name}(), whose result has as many elements as there are different ones")
    input, flat = input.detach(), dim is None
    dim = 0 if flat else existing_dim(dim, input.ndim)
    shape = input._array.shape
    if not flat and 0 in shape[:dim] + shape[dim + 1 :]:
        raise RuntimeError(f"There are 0 sized dimensions, and they aren't selected, so {name} cannot be applied")
    slices = input.reshape(-1) if flat else input
    params = {"dim": dim, "find": find}
    results = [slices.index_select(dim, apply(_distinct.op, (slices,), params))]
    if return_inverse or return_counts:
        inverse = apply(_membership.op, (slices,), params)
        results += [inverse.reshape(shape) if flat else inverse] * bool(return_inverse)
        results += [inverse.bincount(minlength=len(results[0]))] * bool(return_counts)
    return tuple(results) if len(results) > 1 else results[0]


@public
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """The distinct elements, or slices along ``dim``, in order; which of them each one is, and how often they occur."""
    return _deduplicated("unique", input, return_inverse, return_counts, dim, _sorted_distinct)


@public
def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The elements, or slices along ``dim``, each once where it follows itself; inverse and counts as in `unique`."""
    return _deduplicated("unique_consecutive", input, return_inverse, return_counts, dim, _runs)


# --- among sorted values -----------------------------------------------------------------------------------------


@op
def _searchsorted(bounds, x, *, right, kind, out=None):
    """For each element how many of the sorted bounds, in the last axis, lie before it."""
    side = "right" if right else "left"
    if bounds.ndim == 1:
        return np.asarray(np.searchsorted(bounds, x, side)).astype(kind)
    found = np.empty(x.shape, kind)
    for row in np.ndindex(bounds.shape[:-1]):
        found[row] = np.searchsorted(bounds[row], x[row], side)
    return found


@public(method=False)
def searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None):
    """Where elements belong in sorted ones: before equal ones, or after them (``right``).  (*, N), (*, M) -> (*, M)."""
    if side not in (None, "left", "right"):
        raise RuntimeError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True"
        )
    input = input if isinstance(input, Tensor) else constant(np.asarray(plain(input), sorted_sequence._array.dtype))
    if sorted_sequence.ndim == 0:
        raise RuntimeError("torch.searchsorted(): input value and boundary: the boundaries need at least one axis")
    if sorted_sequence.ndim != 1 and sorted_sequence._array.shape[:-1] != input._array.shape[:-1]:
        raise RuntimeError(
            f"torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
            f"tensor and input value tensor must match, but we got boundaries tensor {list(sorted_sequence.shape)} and "
            f"input value tensor {list(input.shape)}"
        )
    common = dtypes.promote_types(input.dtype, sorted_sequence.dtype)
    sorted_sequence, input = sorted_sequence.to(common), input.to(common)
    if sorter is not None:
        sorted_sequence = sorted_sequence.gather(-1, sorter)
    kind = np.dtype(np.int32 if out_int32 else np.int64)
    return apply(_searchsorted.op, (sorted_sequence, input), {"right": right or side == "right", "kind": kind})


@public(method=False)
def bucketize(input, boundaries, *, out_int32=False, right=False):
    """Between which of the sorted (N,) boundaries elements lie: bounds[i-1] < x <= bounds[i], or <= and < (right)."""
    if boundaries.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@op
def _isin(x, candidates, *, invert, out=None):
    """Which elements of x are among the candidates."""
    return np.asarray(np.isin(x, candidates, invert=invert))


@public(method=False)
def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """Which elements are among ``test_elements`` (or are not, with ``invert``).  (*) -> (*) bool."""
    if not isinstance(elements, Tensor) and not isinstance(test_elements, Tensor):
        raise TypeError("isin(): at least one of elements and test_elements must be a Tensor")
    elements, test_elements = (
        each if isinstance(each, Tensor) else constant(np.asarray(plain(each))) for each in (elements, test_elements)
    )
    return apply(_isin.op, (elements, test_elements), {"invert": bool(invert)})


@op
def _histc(x, *, bins, low, high, out=None):
    """How many elements lie in each of ``bins`` parts of low ... high."""
    if low == high:
        low, high = (x.min(), x.max()) if x.size else (0, 0)
    if low == high:
        low, high = low - 1, high + 1
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"range of [{low}, {high}] is not finite")
    inside = x[(x >= low) & (x <= high)]
    places = np.minimum(((inside - low) / (high - low) * bins).astype(np.int64), bins - 1)
    return np.bincount(places, minlength=bins).astype(x.dtype)


@public
def histc(input, bins=100, min=0, max=0):
    """How many elements lie in each of ``bins`` equal parts of min ... max, by default of those of the elements."""
    if not input.is_floating_point():
        raise NotImplementedError(f'"histogram_cpu" not implemented for {input.dtype.name}')
    if bins <= 0:
        raise RuntimeError("bins must be > 0")
    if min > max:
        raise RuntimeError("max must be larger than min")
    return apply(_histc.op, (input.detach(),), {"bins": int(bins), "low": float(min), "high": float(max)})
