"""Variances, and what depends on the order of the elements: medians, quantiles, the most frequent one."""

import builtins
import math

import numpy as np

from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from ..autograd.tensor import Tensor, constant
from . import return_types
from .arithmetic import lerp
from .axes import numpy_names
from .checks import check_kind, check_values
from .indexing import where
from .reduce import taken_at
from .shape import canonical_dim, canonical_dims

# --- variances ---------------------------------------------------------------------------------------------------


@public
@numpy_names
def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The mean squared distance from the mean, over N - correction (1 unless given).  (*) -> () or the axes left."""
    return _var_mean(input, dim, unbiased, keepdim, correction)[0]


@public
@numpy_names
def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The square root of `var`; its derivative where it is 0 is 0.  (*) -> () or the axes left."""
    return root(_var_mean(input, dim, unbiased, keepdim, correction)[0])


@public(method=False)
@numpy_names
def var_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """`var` and `mean`.  (*) -> () or the axes left, twice."""
    return _var_mean(input, dim, unbiased, keepdim, correction)


@public(method=False)
@numpy_names
def std_mean(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """`std` and `mean`.  (*) -> () or the axes left, twice."""
    variance, mean = _var_mean(input, dim, unbiased, keepdim, correction)
    return root(variance), mean


def _var_mean(input, dim, unbiased, keepdim, correction):
    if not input.is_floating_point():
        raise RuntimeError(f"std and var only support floating point dtypes, got {input.dtype.name}")
    if isinstance(dim, bool):  # var(input, unbiased)
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError("var() takes unbiased or correction, which mean the same, but not both")
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    dims = canonical_dims(dim, input.ndim)
    count = math.prod([input._array.shape[each] for each in dims])
    mean = input.mean(dims, keepdim=True)
    centred = input - mean
    variance = (centred * centred).sum(dims, keepdim=keepdim) / builtins.max(count - correction, 0)
    return variance, mean if keepdim else mean.reshape(variance.shape)


def root(x, p: float = 2):
    """x^(1/p) with a derivative of 0, not infinity, where x is 0."""
    zero = x == 0
    ones = x.masked_fill(zero, 1.0)
    return (ones.sqrt() if p == 2 else ones.pow(1 / p)).masked_fill(zero, 0.0)


# --- medians -----------------------------------------------------------------------------------------------------


@op
def _median_place(x, *, dim, ignores_nan, out=None):
    """Where the median along ``dim`` is: the lower one of two, or a NaN where there is one and it counts."""
    order = np.argsort(x, axis=dim, kind="stable")  # NaN last
    numbers = np.sum(x == x, axis=dim, keepdims=True)
    middle = np.maximum(numbers - 1, 0) // 2
    if not ignores_nan:
        middle = np.where(numbers < x.shape[dim], numbers, middle)
    return np.take_along_axis(order, middle, dim)


@op
def _median_of_all(x, *, ignores_nan, out=None):
    """The median of all elements."""
    if not x.size:
        return np.full((), np.nan).astype(x.dtype)
    flat = x.reshape(-1)
    return flat[_median_place.op.forward(flat, dim=0, ignores_nan=ignores_nan)].reshape(())


@_median_of_all.vjp()
def _(g, x, result):
    chosen = ((x == result) | ((x != x) & (result != result))).to(g.dtype)
    return g * (chosen / chosen.sum())


def _median(name, ignores_nan, meaning):
    kind = getattr(return_types, name)

    @numpy_names
    def median(input, dim=None, keepdim=False):
        check_kind(name, input._array.dtype, "fiu")
        if dim is None:
            return apply(_median_of_all.op, (input,), {"ignores_nan": ignores_nan})
        dim = canonical_dim(dim, input.ndim)
        rows = input if input.ndim else input.reshape(1)
        if not rows._array.shape[dim]:
            raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")
        place = apply(_median_place.op, (rows,), {"dim": dim, "ignores_nan": ignores_nan})
        return taken_at(kind, rows, place, dim, keepdim and input.ndim > 0)

    median.__name__ = median.__qualname__ = name
    median.__doc__ = f"The median {meaning}, the lower one of two; with ``dim`` (values, indices).  (*) -> ()."
    return public(median)


median = _median("median", False, "of all elements, NaN among them")
nanmedian = _median("nanmedian", True, "of what is not NaN")


# --- quantiles ---------------------------------------------------------------------------------------------------


@public
@numpy_names
def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The value below which a part ``q`` of the elements lies, NaN where one is NaN; q is a number or (Q,).

    (*) -> () or the axes left, behind (Q,).  ``interpolation``: 'linear', 'lower', 'higher', 'nearest', 'midpoint'.
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation)


@public
@numpy_names
def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The `quantile` of what is not NaN.  (*) -> () or the axes left, behind (Q,)."""
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation)


def _quantile(name, input, q, dim, keepdim, interpolation):
    q = _as_parts(name, input, q)
    if interpolation not in _BETWEEN:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )
    if not input._array.size:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    rows = input.reshape(-1) if dim is None or input.ndim == 0 else input.movedim(canonical_dim(dim, input.ndim), -1)
    rows = rows.gather(-1, apply(_order.op, (rows,), {}))
    numbers, size = (rows == rows).sum(-1, keepdim=True), rows._array.shape[-1]
    rank = q.reshape(-1) * (numbers - 1).clamp(min=0)
    if name == "quantile":
        rank = where(numbers < size, (size - 1.0), rank)  # which is a NaN
    result = _BETWEEN[interpolation](rows, rank).movedim(-1, 0)
    if keepdim:
        result = result.unsqueeze(1 + canonical_dim(dim, input.ndim)) if dim is not None and input.ndim else result
        result = result.reshape((-1, *[1] * input.ndim)) if dim is None else result
    return result if q.ndim else result.squeeze(0)


def _as_parts(name, input, q):
    """``q`` as a tensor; RuntimeError where it, or the type of ``input``, does not fit."""
    if not input.is_floating_point():
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype, got {input.dtype.name}")
    if not isinstance(q, Tensor):
        q = constant(np.asarray(q, input._array.dtype))
    if q.dtype is not input.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor, got {q.dtype.name}")
    if q.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor, got shape {list(q.shape)}")

    def check(parts):
        if not ((parts >= 0) & (parts <= 1)).all():
            raise RuntimeError(f"{name}() q values must be in the range [0, 1]")

    check_values(q, check)
    return q


@op
def _order(x, *, out=None):
    """The places of the elements of each row in ascending order, NaN last."""
    return np.argsort(x, axis=-1, kind="stable")


def _at(rows, rank):
    return rows.gather(-1, rank.to(dtypes.int64))


# From sorted rows and a rank that is no whole number, to a value.
_BETWEEN = {
    "linear": lambda rows, rank: lerp(_at(rows, rank.floor()), _at(rows, rank.ceil()), rank - rank.floor()),
    "midpoint": lambda rows, rank: lerp(_at(rows, rank.floor()), _at(rows, rank.ceil()), 0.5),
    "lower": lambda rows, rank: _at(rows, rank.floor()),
    "higher": lambda rows, rank: _at(rows, rank.ceil()),
    "nearest": lambda rows, rank: _at(rows, rank.round()),
}


# --- the most frequent one ---------------------------------------------------------------------------------------


@op
def _mode_place(x, *, dim, out=None):
    """Where the smallest of the most frequent elements along ``dim`` last is."""
    x = np.moveaxis(x, dim, -1)
    order = np.argsort(x, axis=-1, kind="stable")
    ordered = np.take_along_axis(x, order, -1)
    places = np.arange(x.shape[-1])
    begins = np.ones(x.shape, bool)
    begins[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    so_far = places - np.maximum.accumulate(np.where(begins, places, 0), axis=-1)
    place = np.take_along_axis(order, np.argmax(so_far, axis=-1, keepdims=True), -1)
    return np.moveaxis(place, -1, dim)


@public
@numpy_names
def mode(input, dim=-1, keepdim=False):
    """The most frequent element along ``dim``, the smallest of several, and where it last is.  -> (values, indices)."""
    dim = canonical_dim(dim, input.ndim)
    rows = input if input.ndim else input.reshape(1)
    if not rows._array.shape[dim]:
        raise IndexError(f"mode(): Expected reduction dim {dim} to have non-zero size.")
    place = apply(_mode_place.op, (rows,), {"dim": dim})
    return taken_at(return_types.mode, rows, place, dim, keepdim and input.ndim > 0)
