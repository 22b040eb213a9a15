"""Differences of neighbours, integrals over samples, covariances: what experiments compute from their series."""

from ..autograd import dtypes
from ..autograd.binding import public
from .axes import numpy_names
from .joining import cat
from .rounding import clamp
from .shape import canonical_dim


@public
@numpy_names
def diff(input, n=1, dim=-1, prepend=None, append=None):
    """The ``n``-th differences of neighbours along ``dim``, between what is put before and after.  (N,) -> (N-n,)."""
    if not input.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional, got a tensor of shape []")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = canonical_dim(dim, input.ndim)
    parts = [each for each in (prepend, input, append) if each is not None]
    series = cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, series.shape[dim])):
        left, right = _neighbours(series, dim)
        series = left ^ right if series.dtype is dtypes.bool_ else right - left
    return series


def _neighbours(series, dim):
    """All elements along ``dim`` but the last, all but the first."""
    rest = max(series.shape[dim] - 1, 0)
    return series.narrow(dim, 0, rest), series.narrow(dim, series.shape[dim] - rest, rest)


@public(method=False)
@numpy_names
def trapezoid(y, x=None, *, dx=None, dim=-1):
    """The integral along ``dim`` by the trapezoidal rule, at positions ``x`` or in steps of ``dx``.  (N,) -> ()."""
    if x is not None and dx is not None:
        raise TypeError("trapezoid(): expected x or dx, got both")
    dim = canonical_dim(dim, y.ndim)
    left, right = _neighbours(y, dim)
    heights = (left + right) / 2
    if x is None:
        return heights.sum(dim) * (1 if dx is None else dx)
    widths = diff(x, dim=0 if x.ndim == 1 else dim)
    if x.ndim == 1:
        widths = widths.reshape([-1 if axis == dim else 1 for axis in range(y.ndim)])
    return (heights * widths).sum(dim)


trapz = public(trapezoid, method=False, function_name="trapz")


@public
def cov(input, *, correction=1, fweights=None, aweights=None):
    """The covariances of the rows, or the variance of one series.  (V, N) -> (V, V), (N,) -> ()."""
    if fweights is not None or aweights is not None:
        raise NotImplementedError("cov() with fweights or aweights is not supported")
    if input.ndim > 2:
        raise RuntimeError(f"cov(): expected input to have two or fewer dimensions, got shape {list(input.shape)}")
    rows = input.reshape(1, -1) if input.ndim < 2 else input
    if not rows.is_floating_point():
        rows = rows.to(dtypes.get_default_dtype())
    centred = rows - rows.mean(1, keepdim=True)
    products = centred @ centred.T / max(rows.shape[1] - correction, 0)
    return products if input.ndim == 2 else products.reshape(())


@public
def corrcoef(input):
    """Pearson's correlations of the rows: covariances over both standard deviations.  (V, N) -> (V, V)."""
    found = cov(input)
    if not found.ndim:
        return found / found
    deviations = found.diagonal().sqrt()
    return clamp(found / deviations[:, None] / deviations[None, :], -1, 1)
