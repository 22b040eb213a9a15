"""Sums, products, extremes and truth over some or all axes."""

import math

import numpy as np

from .. import kernels as k
from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from ..autograd.engine import use_sum
from ..autograd.mode import tell_read
from ..autograd.tensor import Tensor
from . import return_types
from .axes import numpy_names, stretch
from .checks import check_floating, check_kind
from .joining import cat
from .rounding import maximum, minimum
from .shape import canonical_dim, canonical_dims

# --- sums --------------------------------------------------------------------------------------------------------


@op
def _sum(x, *, dims, keepdim, out=None):
    """The sum over ``dims``."""
    return k.reduce.sum(x, dims, keepdim)


@_sum.vjp()
def _(g, x_shape, dims, keepdim):
    return stretch(g, x_shape, dims, keepdim)


use_sum(lambda x, axes: k.reduce.sum(x, axes, True))


@public
@numpy_names
def sum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum over the axes ``dim``, or all; integers and bool add up as int64.  (*) -> () or the axes left."""
    input = input if dtype is None else input.to(dtype)
    total = apply(_sum.op, (input,), {"dims": canonical_dims(dim, input._array.ndim), "keepdim": keepdim})
    return total if dtype is None else total.to(dtype)


@op
def _mean(x, *, dims, keepdim, out=None):
    """The mean over ``dims``."""
    return k.reduce.mean(x, dims, keepdim)


@_mean.vjp()
def _(g, x_shape, dims, keepdim):
    count = math.prod([x_shape[dim] for dim in dims])
    return stretch(g / count, x_shape, dims, keepdim) if count else stretch(g, x_shape, dims, keepdim)


@public
@numpy_names
def mean(input, dim=None, keepdim=False, *, dtype=None):
    """The mean over the axes ``dim``, or all; NaN where there is nothing.  (*) -> () or the axes left."""
    if dtype is not None:
        input = input.to(dtype)
    if not input.is_floating_point():
        raise RuntimeError(
            f"mean(): could not infer output dtype. Input dtype must be a floating point dtype. Got: "
            f"{input.dtype.name}; convert it with .float()"
        )
    return apply(_mean.op, (input,), {"dims": canonical_dims(dim, input._array.ndim), "keepdim": keepdim})


@public
@numpy_names
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """The `sum` of what is not NaN.  (*) -> () or the axes left."""
    return input.masked_fill(input != input, 0).sum(dim, keepdim, dtype=dtype)


@public
@numpy_names
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """The `mean` of what is not NaN.  (*) -> () or the axes left."""
    input = input if dtype is None else input.to(dtype)
    check_floating("nanmean", input)
    return input.nansum(dim, keepdim) / (input == input).sum(dim, keepdim)


@public
@numpy_names
def count_nonzero(input, dim=None):
    """How many elements are not 0, over the axes ``dim``.  -> int64."""
    return (input != 0).sum(dim)


@op(kind="float")
def _logsumexp(x, *, dims, keepdim, out=None):
    """log(sum(exp(x))) over ``dims``, from the largest on."""
    largest = np.max(x, axis=dims, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, x.dtype.type(0))
    result = np.asarray(np.log(k.reduce.sum(np.exp(x - largest), dims, True)) + largest)
    return result if keepdim else result.reshape([size for i, size in enumerate(x.shape) if i not in dims])


@_logsumexp.vjp()
def _(g, x, result, dims, keepdim):
    shape = tuple(x.shape)
    return stretch(g, shape, dims, keepdim) * (x - stretch(result, shape, dims, keepdim)).exp()


@public
@numpy_names
def logsumexp(input, dim, keepdim=False):
    """log(sum(exp(input))) over the axes ``dim``, without overflow.  (*) -> the axes left."""
    return apply(_logsumexp.op, (input,), {"dims": canonical_dims(dim, input._array.ndim), "keepdim": keepdim})


# --- products ----------------------------------------------------------------------------------------------------


@op
def _prod(x, *, dim, out=None):
    """The product along ``dim``."""
    return np.asarray(np.prod(x, axis=dim, dtype=x.dtype))


@_prod.backward
def _(g, x, dim):
    return np.expand_dims(g, dim) * _product_of_others(x, dim)


def _product_of_others(x, dim):
    """For each element the product of those before it and those after it along ``dim``; no division, zeros are fine."""
    x = np.moveaxis(x, dim, 0)
    before, after = np.ones_like(x), np.ones_like(x)
    np.cumprod(x[:-1], axis=0, out=before[1:])
    np.cumprod(x[:0:-1], axis=0, out=after[-2::-1])
    return np.moveaxis(before * after, 0, dim)


@_prod.reference
def _(x, dim):
    """By halves: products of two, which have derivatives of any order."""
    while x._array.shape[dim] > 1:
        half = x._array.shape[dim] // 2
        product = x.narrow(dim, 0, half) * x.narrow(dim, half, half)
        odd = x.narrow(dim, 2 * half, x._array.shape[dim] - 2 * half)
        x = cat([product, odd], dim) if odd._array.size else product
    return x.squeeze(dim) if x._array.shape[dim] else x.sum(dim) + 1


@public
@numpy_names
def prod(input, dim=None, keepdim=False, *, dtype=None):
    """The product along the axis ``dim``, or of all elements; integers as int64.  (*) -> () or the axes left."""
    if dtype is not None:
        input = input.to(dtype)
    elif not input.is_floating_point():
        input = input.to(dtypes.int64)
    axis = 0 if dim is None else canonical_dim(dim, input.ndim)
    product = apply(_prod.op, (input.reshape(-1) if dim is None or input.ndim == 0 else input,), {"dim": axis})
    return product.unsqueeze(axis) if keepdim and dim is not None and input.ndim else product


# --- extremes ----------------------------------------------------------------------------------------------------


def _extreme(name, kernel, meaning):
    """``amax`` or ``amin``: equal extremes share the gradient."""

    def forward(x, *, dims, keepdim, out=None):
        return kernel(x, dims, keepdim)

    forward.__name__ = name
    extreme = op(forward)

    @extreme.vjp()
    def _(g, x, result, dims, keepdim):
        shape = tuple(x.shape)
        chosen = (x == stretch(result, shape, dims, keepdim)).to(g.dtype)
        shares = chosen / chosen.sum(dims, keepdim=True)
        return stretch(g, shape, dims, keepdim) * shares

    @numpy_names
    def reduction(input, dim=(), keepdim=False):
        if not input._array.size and dim in (None, (), []):
            raise RuntimeError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0.")
        return apply(extreme.op, (input,), {"dims": canonical_dims(dim, input._array.ndim), "keepdim": keepdim})

    reduction.__name__ = reduction.__qualname__ = name
    reduction.__doc__ = f"The {meaning} element over the axes ``dim``; NaN wins.  (*) -> () or the axes left."
    return public(reduction)


amax = _extreme("amax", lambda *arguments: k.reduce.amax(*arguments), "largest")
amin = _extreme("amin", lambda *arguments: k.reduce.amin(*arguments), "smallest")


def _position(name, kernel, meaning):
    """``argmax`` or ``argmin``: integers, without a derivative."""

    def forward(x, *, dim, keepdim, out=None):
        return kernel(x, dim, keepdim)

    forward.__name__ = name
    position = op(forward)

    @numpy_names
    def reduction(input, dim=None, keepdim=False):
        check_kind(name, input._array.dtype, "fiu")
        dim = None if dim is None else canonical_dim(dim, input.ndim)
        return apply(position.op, (input,), {"dim": dim, "keepdim": keepdim})

    reduction.__name__ = reduction.__qualname__ = name
    reduction.__doc__ = f"Where the {meaning} element is along ``dim``, or in all elements flattened.  -> int64."
    return public(reduction)


argmax = _position("argmax", lambda *arguments: k.reduce.argmax(*arguments), "largest")
argmin = _position("argmin", lambda *arguments: k.reduce.argmin(*arguments), "smallest")


@public
@numpy_names
def aminmax(input, *, dim=None, keepdim=False):
    """`amin` and `amax` along the axis ``dim``, or of all elements, as (min, max).  (*) -> () or the axes left."""
    dims = () if dim is None else dim
    return return_types.aminmax(amin(input, dims, keepdim), amax(input, dims, keepdim))


def taken_at(kind, input, indices, dim, keepdim):
    """The elements at ``indices``, of size 1 along ``dim``, with the indices, as a named tuple ``kind``."""
    values = input.gather(dim, indices) if input.ndim else input.clone()
    if not keepdim and input.ndim:
        values, indices = values.squeeze(dim), indices.squeeze(dim)
    return kind(values, indices)


def _extreme_with_indices(name, extreme, position, pairwise):
    kind = getattr(return_types, name)

    @numpy_names
    def reduction(input, dim=None, keepdim=False, *, other=None):
        if isinstance(dim, Tensor) or other is not None:
            return pairwise(input, dim if other is None else other)
        if dim is None:
            if not input._array.size:
                raise RuntimeError(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0, got shape "
                    f"{list(input.shape)}"
                )
            return extreme(input)
        ranked = input.to(dtypes.uint8) if input.dtype is dtypes.bool_ else input
        return taken_at(kind, input, position(ranked, dim, keepdim=True), dim, keepdim)

    reduction.__name__ = reduction.__qualname__ = name
    reduction.__doc__ = f"The {name}imum: of all elements; with ``dim`` (values, indices); with a tensor, element-wise."
    return public(reduction)


max = _extreme_with_indices("max", amax, argmax, maximum)
min = _extreme_with_indices("min", amin, argmin, minimum)


# --- truth and counts --------------------------------------------------------------------------------------------


def _truth(name, function):
    def forward(x, *, dims, keepdim, out=None):
        found = np.asarray(function(x, axis=dims, keepdims=keepdim))
        return found.astype(np.uint8) if x.dtype == np.uint8 else found  # as PyTorch: bytes were its first bool

    forward.__name__ = name
    truth = op(forward)

    @numpy_names
    def reduction(input, dim=None, keepdim=False):
        return apply(truth.op, (input,), {"dims": canonical_dims(dim, input._array.ndim), "keepdim": keepdim})

    reduction.__name__ = reduction.__qualname__ = name
    reduction.__doc__ = f"Whether {name} elements over the axes ``dim`` are true.  (*) -> bool."
    return public(reduction)


all = _truth("all", np.all)
any = _truth("any", np.any)


@public
def numel(input):
    """The number of elements."""
    return input._array.size


@public
def bincount(input, weights=None, minlength=0):
    """How often each value 0, 1, ... occurs in (N,) integers, or the sum of their weights."""
    values = input._array
    tell_read("bincount(), whose result has as many elements as the largest value asks for")
    if values.ndim != 1 or values.dtype.kind not in "iu" or (values.size and values.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    return apply(_bincount.op, (input, weights), {"minlength": minlength})


@op
def _bincount(x, weights, *, minlength, out=None):
    """How often each value occurs; sums of weights have their type."""
    counts = np.bincount(x, weights, minlength)
    return counts if weights is None or weights.dtype.kind != "f" else counts.astype(weights.dtype)
