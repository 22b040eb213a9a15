"""Running sums, products and extremes along an axis."""

import numpy as np

from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from . import return_types
from .axes import numpy_names
from .checks import check_kind
from .joining import cat
from .shape import canonical_dim


def _for_sums(input, dtype):
    """``input`` in the type in which sums and products of it run: integers as int64."""
    if dtype is not None:
        return input.to(dtype)
    return input if input.is_floating_point() else input.to(dtypes.int64)


def _by_doubling(combine, x, dim):
    """``combine`` of all elements up to each: of 2, then of 4, then of 8 ..., by ops of any order of derivative."""
    length, reach = x._array.shape[dim], 1
    while reach < length:
        rest = length - reach
        combined = combine(x.narrow(dim, 0, rest), x.narrow(dim, reach, rest))
        x = cat([x.narrow(dim, 0, reach), combined], dim)
        reach *= 2
    return x


def _from_the_end(g, factors):
    """s[i] = g[i] + factors[i] s[i + 1], along the first axis: what running functions hand back."""
    s = g.copy()
    for i in range(len(s) - 2, -1, -1):
        s[i] += factors[i] * s[i + 1]
    return s


# --- sums --------------------------------------------------------------------------------------------------------


@public(in_place=True)
@numpy_names
def cumsum(input, dim, *, dtype=None):
    """The running sum along ``dim``; integers add up as int64.  (*) -> (*)."""
    return apply(_cumsum.op, (_for_sums(input, dtype),), {"dim": canonical_dim(dim, input.ndim)})


@op
def _cumsum(x, *, dim, out=None):
    """The running sum along ``dim``."""
    return np.cumsum(x, axis=dim, dtype=x.dtype).reshape(x.shape)


@_cumsum.vjp()
def _(g, dim):
    return g.flip(dim).cumsum(dim).flip(dim) if g.ndim else g


@public
@numpy_names
def logcumsumexp(input, dim):
    """log(cumsum(exp(input))) along ``dim``, without overflow.  (*) -> (*)."""
    check_kind("logcumsumexp", input._array.dtype, "f")
    dim = canonical_dim(dim, input.ndim)
    return apply(_logcumsumexp.op, (input,), {"dim": dim}) if input.ndim else input.clone()


@op
def _logcumsumexp(x, *, dim, out=None):
    """The logarithm of the running sum of exp(x) along ``dim``."""
    return np.logaddexp.accumulate(x, axis=dim)


@_logcumsumexp.backward
def _(g, x, result, dim):
    g, x, result = (np.moveaxis(each, dim, 0) for each in (g, x, result))
    gradient = _ratio_of_exps(x, result) * _from_the_end(g, _ratio_of_exps(result[:-1], result[1:]))
    return np.moveaxis(gradient, 0, dim)


def _ratio_of_exps(x, y):
    """exp(x) / exp(y), and 1 where both are equal, infinite ones too."""
    return np.where(x == y, x.dtype.type(1), np.exp(x - y))


@_logcumsumexp.reference
def _(x, dim):
    return _by_doubling(lambda first, second: first.logaddexp(second), x, dim)


# --- products ----------------------------------------------------------------------------------------------------


@public(in_place=True)
@numpy_names
def cumprod(input, dim, *, dtype=None):
    """The running product along ``dim``; integers as int64.  (*) -> (*)."""
    input, dim = _for_sums(input, dtype), canonical_dim(dim, input.ndim)
    return apply(_cumprod.op, (input,), {"dim": dim}) if input.ndim else input.clone()


@op
def _cumprod(x, *, dim, out=None):
    """The running product along ``dim``."""
    return np.cumprod(x, axis=dim, dtype=x.dtype)


@_cumprod.backward
def _(g, x, result, dim):
    g, x, result = (np.moveaxis(each, dim, 0) for each in (g, x, result))
    gradient = _from_the_end(g, x[1:])
    gradient[1:] *= result[:-1]
    return np.moveaxis(gradient, 0, dim)


@_cumprod.reference
def _(x, dim):
    return _by_doubling(lambda first, second: first * second, x, dim)


# --- extremes ----------------------------------------------------------------------------------------------------


def _running_extreme(name, extreme, meaning):
    """``cummax`` or ``cummin``: the elements are taken from where they are, so the gradient goes there."""

    def forward(x, *, dim, out=None):
        latest = (x == extreme.accumulate(x, axis=dim)) | (x != x)
        places = np.arange(x.shape[dim]).reshape([-1 if i == dim else 1 for i in range(x.ndim)])
        return np.maximum.accumulate(np.where(latest, places, 0), axis=dim)

    forward.__name__ = f"_{name}_places"
    places = op(forward)
    kind = getattr(return_types, name)

    @numpy_names
    def running(input, dim):
        dim = canonical_dim(dim, input.ndim)
        if not input.ndim:
            return kind(input.clone(), (input != input).to(dtypes.int64) * 0)
        indices = apply(places.op, (input,), {"dim": dim})
        return kind(input.gather(dim, indices), indices)

    running.__name__ = running.__qualname__ = name
    running.__doc__ = f"The {meaning} element so far along ``dim``, and where it last was; NaN wins.  (*) -> (*), (*)."
    return public(running)


cummax = _running_extreme("cummax", np.maximum, "largest")
cummin = _running_extreme("cummin", np.minimum, "smallest")
