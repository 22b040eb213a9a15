"""Reductions over some or all axes."""

import builtins
import math
from typing import NamedTuple

import numpy as np

from .. import kernels as k
from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from ..autograd.engine import use_sum
from ..autograd.mode import tell_read
from ..autograd.tensor import Tensor
from .arithmetic import maximum, minimum
from .shape import canonical_dim, canonical_dims


def _stretch(g, shape, dims, keepdim):
    """A reduced gradient with its axes of size 1 back, stretched to ``shape``."""
    if not keepdim:
        g = g.reshape(tuple(1 if i in dims else size for i, size in enumerate(shape)))
    return g.expand(shape)


@op
def _sum(x, *, dims, keepdim, out=None):
    """The sum over ``dims``."""
    return k.reduce.sum(x, dims, keepdim)


@_sum.vjp()
def _(g, x_shape, dims, keepdim):
    return _stretch(g, x_shape, dims, keepdim)


use_sum(lambda x, axes: k.reduce.sum(x, axes, True))


@public
def sum(input, dim=None, keepdim=False, *, dtype=None):
    """The sum over the axes ``dim``, or all; integers and bool add up as int64.  (*) -> () or the axes left."""
    if dtype is not None:
        input = input.to(dtype)
    return apply(_sum.op, (input,), {"dims": canonical_dims(dim, input._array.ndim), "keepdim": keepdim})


@op
def _mean(x, *, dims, keepdim, out=None):
    """The mean over ``dims``."""
    return k.reduce.mean(x, dims, keepdim)


@_mean.vjp()
def _(g, x_shape, dims, keepdim):
    count = math.prod([x_shape[dim] for dim in dims])
    return _stretch(g / count, x_shape, dims, keepdim) if count else _stretch(g, x_shape, dims, keepdim)


@public
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
def var(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The mean squared distance from the mean, over N - correction (1 unless given).  (*) -> () or the axes left."""
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    dims = canonical_dims(dim, input._array.ndim)
    count = math.prod([input._array.shape[each] for each in dims])
    centred = input - input.mean(dims, keepdim=True)
    return (centred * centred).sum(dims, keepdim=keepdim) / builtins.max(count - correction, 0)


@public
def std(input, dim=None, unbiased=None, keepdim=False, *, correction=None):
    """The square root of `var`; its derivative where it is 0 is 0.  (*) -> () or the axes left."""
    return _root(input.var(dim, unbiased, keepdim, correction=correction))


def _extreme(name, kernel, meaning):
    """``amax`` or ``amin``: equal extremes share the gradient."""

    def forward(x, *, dims, keepdim, out=None):
        return kernel(x, dims, keepdim)

    forward.__name__ = name
    extreme = op(forward)

    @extreme.vjp()
    def _(g, x, result, dims, keepdim):
        shape = tuple(x.shape)
        chosen = (x == _stretch(result, shape, dims, keepdim)).to(g.dtype)
        shares = chosen / chosen.sum(dims, keepdim=True)
        return _stretch(g, shape, dims, keepdim) * shares

    def reduction(input, dim=(), keepdim=False):
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

    def reduction(input, dim=None, keepdim=False):
        dim = None if dim is None else canonical_dim(dim, input.ndim)
        return apply(position.op, (input,), {"dim": dim, "keepdim": keepdim})

    reduction.__name__ = reduction.__qualname__ = name
    reduction.__doc__ = f"Where the {meaning} element is along ``dim``, or in all elements flattened.  -> int64."
    return public(reduction)


argmax = _position("argmax", lambda *arguments: k.reduce.argmax(*arguments), "largest")
argmin = _position("argmin", lambda *arguments: k.reduce.argmin(*arguments), "smallest")


class _Named(NamedTuple):
    """A result in two parts."""

    values: Tensor
    indices: Tensor


def _extreme_with_indices(name, extreme, position, pairwise):
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
        indices = position(input, dim, keepdim=True)
        values = input.gather(dim, indices) if input.ndim else input.clone()
        if not keepdim and input.ndim:
            values, indices = values.squeeze(dim), indices.squeeze(dim)
        return _Named(values, indices)

    reduction.__name__ = reduction.__qualname__ = name
    reduction.__doc__ = f"The {name}imum: of all elements; with ``dim`` (values, indices); with a tensor, element-wise."
    return public(reduction)


max = _extreme_with_indices("max", amax, argmax, maximum)
min = _extreme_with_indices("min", amin, argmin, minimum)


def _truth(name, function):
    def forward(x, *, dims, keepdim, out=None):
        found = np.asarray(function(x, axis=dims, keepdims=keepdim))
        return found.astype(np.uint8) if x.dtype == np.uint8 else found  # as PyTorch: bytes were its first bool

    forward.__name__ = name
    truth = op(forward)

    def reduction(input, dim=None, keepdim=False):
        return apply(truth.op, (input,), {"dims": canonical_dims(dim, input._array.ndim), "keepdim": keepdim})

    reduction.__name__ = reduction.__qualname__ = name
    reduction.__doc__ = f"Whether {name} elements over the axes ``dim`` are true.  (*) -> bool."
    return public(reduction)


all = _truth("all", np.all)
any = _truth("any", np.any)


@public
def norm(input, p=2, dim=None, keepdim=False):
    """(sum |x|^p)^(1/p) over the axes ``dim``; p may be inf; 'fro' is 2.  (*) -> () or the axes left.

    Its derivative where the norm is 0 is 0.
    """
    if not input.is_floating_point():
        raise RuntimeError(
            f"norm(): expected a floating point tensor, got {input.dtype.name}; convert it with .float()"
        )
    if p in ("fro", 2):
        return _root((input * input).sum(dim, keepdim=keepdim))
    if p == float("inf"):
        return input.abs().amax(() if dim is None else dim, keepdim=keepdim)
    if p == 1:
        return input.abs().sum(dim, keepdim=keepdim)
    if not isinstance(p, (int, float)) or p <= 0:
        raise NotImplementedError(f"norm: p={p!r} is not supported; expected a positive number, inf or 'fro'")
    return _root(input.abs().pow(p).sum(dim, keepdim=keepdim), p)


def _root(x, p=2):
    """x^(1/p) with a derivative of 0, not infinity, where x is 0."""
    zero = x == 0
    root = x.masked_fill(zero, 1.0)
    return (root.sqrt() if p == 2 else root.pow(1 / p)).masked_fill(zero, 0.0)


@public
def count_nonzero(input, dim=None):
    """How many elements are not 0, over the axes ``dim``.  -> int64."""
    return (input != 0).sum(dim)


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


@public
def cumsum(input, dim, *, dtype=None):
    """The running sum along ``dim``.  (*) -> (*)."""
    input = input if dtype is None else input.to(dtype)
    if not input.is_floating_point():
        input = input.to(dtypes.int64)
    return apply(_cumsum.op, (input,), {"dim": canonical_dim(dim, input.ndim)})


@op
def _cumsum(x, *, dim, out=None):
    """The running sum along ``dim``."""
    return np.cumsum(x, axis=dim, dtype=x.dtype).reshape(x.shape)


@_cumsum.vjp()
def _(g, dim):
    return g.flip(dim).cumsum(dim).flip(dim) if g.ndim else g
