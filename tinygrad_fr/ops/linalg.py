"""Linear algebra: products of several matrices, determinants, inverses, factors."""

import math

import numpy as np

from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from ..autograd.tensor import constant
from . import return_types
from .checks import check_floating
from .creation import eye
from .joining import cat
from .matmul import matmul
from .shape import canonical_dim

# --- products ----------------------------------------------------------------------------------------------------


def multi_dot(tensors):
    """The product of several matrices, in the order of fewest multiplications; the first and last may be vectors.

    (M, K), (K, ...), ..., (..., N) -> (M, N).
    """
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    first, *between, last = tensors
    for i, each in enumerate(between, 1):
        if each.ndim != 2:
            raise RuntimeError(f"multi_dot(): tensor {i} must be 2D but got {each.ndim}D")
    if first.ndim not in (1, 2) or last.ndim not in (1, 2):
        raise RuntimeError(f"multi_dot(): the first and last must be 1D or 2D but got {first.ndim}D and {last.ndim}D")
    left = first if first.ndim == 2 else first.unsqueeze(0)
    right = last if last.ndim == 2 else last.unsqueeze(1)
    matrices = [left, *between, right]
    sizes = [*(each._array.shape[0] for each in matrices), right._array.shape[1]]
    product = _in_order(matrices, _cheapest_splits(sizes), 0, len(matrices) - 1)
    if first.ndim == 1:
        product = product.squeeze(0)
    return product.squeeze(-1) if last.ndim == 1 else product


def _cheapest_splits(sizes):
    """Where to cut each run of matrices first..last, of ``sizes[i]`` by ``sizes[i + 1]``, for the fewest products."""
    count = len(sizes) - 1
    cost, cut = {(i, i): 0 for i in range(count)}, {}
    for length in range(1, count):
        for first in range(count - length):
            last = first + length
            ways = {
                at: cost[first, at] + cost[at + 1, last] + sizes[first] * sizes[at + 1] * sizes[last + 1]
                for at in range(first, last)
            }
            cut[first, last] = min(ways, key=ways.__getitem__)
            cost[first, last] = ways[cut[first, last]]
    return cut


def _in_order(matrices, cut, first, last):
    if first == last:
        return matrices[first]
    at = cut[first, last]
    return matmul(_in_order(matrices, cut, first, at), _in_order(matrices, cut, at + 1, last))


@public(method=False)
def chain_matmul(*matrices):
    """The product of several matrices, in the order of fewest multiplications.  (M, K), ..., (..., N) -> (M, N)."""
    return multi_dot(matrices) if len(matrices) != 1 else matrices[0]


def matrix_power(A, n):
    """The product of ``n`` times A, of its inverse for n < 0.  (..., N, N) -> (..., N, N)."""
    _check_square("linalg.matrix_power", A)
    if n < 0:
        A, n = inv(A), -n
    result = eye(A._array.shape[-1], dtype=A.dtype).expand(A.shape).clone() if n == 0 else None
    while n:
        if n % 2:
            result = A if result is None else matmul(result, A)
        A, n = matmul(A, A) if n > 1 else A, n // 2
    return result


def cross(input, other, *, dim=-1):
    """The cross product along an axis of size 3.  (*), (*) -> (*)."""
    if input.ndim != other.ndim:
        raise RuntimeError(
            f"linalg.cross: inputs must have the same number of dimensions, got {input.ndim} and {other.ndim}."
        )
    dim = canonical_dim(dim, input.ndim)
    if input._array.shape[dim] != 3 or other._array.shape[dim] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {input._array.shape[dim]} and "
            f"{other._array.shape[dim]}"
        )
    return _turned(input, dim, 1) * _turned(other, dim, 2) - _turned(input, dim, 2) * _turned(other, dim, 1)


def _turned(x, dim, by):
    """The three elements along ``dim`` moved up by ``by``, those in front to the end."""
    return cat([x.narrow(dim, by, 3 - by), x.narrow(dim, 0, by)], dim)


def _cross_of_any(input, other, dim=None):
    """The cross product along ``dim``, by default the first axis of size 3.  (*), (*) -> (*)."""
    if dim is None:
        threes = [i for i, size in enumerate(input._array.shape) if size == 3]
        if not threes:
            raise RuntimeError(f"no dimension of size 3 in input, of shape {list(input.shape)}")
        dim = threes[0]
    return cross(input, other, dim=dim)


_cross_of_any.__name__ = _cross_of_any.__qualname__ = "cross"
public(_cross_of_any)


def vecdot(x, y, *, dim=-1):
    """The sum of products along ``dim``, broadcast.  (*, K), (*, K) -> (*)."""
    check_floating("linalg.vecdot", x)
    return (x * y).sum(dim)


# --- determinants, inverses, factors: computed by NumPy's LAPACK -------------------------------------------------


class LinAlgError(RuntimeError):
    """A matrix that has no inverse, or no factor."""


def _check_square(name, A):
    if not A.is_floating_point():
        raise RuntimeError(f"{name}: Expected a floating point tensor as input. Got {A.dtype.name}")
    if A.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    rows, columns = A._array.shape[-2:]
    if rows != columns:
        raise RuntimeError(f"{name}: A must be batches of square matrices, but they are {rows} by {columns} matrices")


def _by_lapack(name, function, *arrays):
    try:
        return np.asarray(function(*arrays))
    except np.linalg.LinAlgError as error:
        raise LinAlgError(f"{name}: {error} (of shape {list(arrays[0].shape)})") from None


@op
def _det(x, *, out=None):
    """The determinant of matrices."""
    return np.asarray(np.linalg.det(x))


@_det.vjp()
def _(g, x, result):
    return (g * result).unsqueeze(-1).unsqueeze(-1) * inv(x).mT


@_det.backward
def _(g, x):
    return g[..., None, None] * _cofactors(x)


def _cofactors(x):
    """The derivative of det(x), from singular values, by which it is there for singular matrices too."""
    u, s, v = np.linalg.svd(x)
    others = np.ones_like(s)
    for i in range(s.shape[-1]):
        others[..., i] = np.prod(np.delete(s, i, axis=-1), axis=-1)
    sign = np.linalg.det(u) * np.linalg.det(v)
    return sign[..., None, None] * ((u * others[..., None, :]) @ v)


def det(A):
    """The determinant.  (..., N, N) -> (...)."""
    _check_square("linalg.det", A)
    return apply(_det.op, (A,), {})


@op
def _sign_of_det(x, *, out=None):
    """The sign of the determinant."""
    return np.asarray(np.linalg.slogdet(x).sign)


@op
def _log_of_det(x, *, out=None):
    """log |det(x)|."""
    return np.asarray(np.linalg.slogdet(x).logabsdet)


@_log_of_det.vjp()
def _(g, x):
    return g.unsqueeze(-1).unsqueeze(-1) * inv(x).mT


def slogdet(A):
    """The sign of the determinant and the logarithm of its magnitude.  (..., N, N) -> (...), (...)."""
    _check_square("linalg.slogdet", A)
    return return_types.linalg_slogdet(apply(_sign_of_det.op, (A,), {}), apply(_log_of_det.op, (A,), {}))


@public
def logdet(input):
    """The logarithm of the determinant, NaN where that is negative.  (..., N, N) -> (...)."""
    sign, logarithm = slogdet(input)
    return logarithm.masked_fill(sign < 0, math.nan)


@op
def _inv(x, *, out=None):
    """The inverse of matrices."""
    return _by_lapack("linalg.inv", np.linalg.inv, x)


@_inv.vjp()
def _(g, result):
    return -(result.mT @ g @ result.mT)


def inv(A):
    """The inverse; LinAlgError where there is none.  (..., N, N) -> (..., N, N)."""
    _check_square("linalg.inv", A)
    return apply(_inv.op, (A,), {})


@op
def _solve(x, y, *, out=None):
    """x^-1 y for matrices."""
    return _by_lapack("linalg.solve", np.linalg.solve, x, y)


@_solve.vjp("x")
def _(g, x, result, x_shape):
    return -(apply(_solve.op, (x.mT, g), {}) @ result.mT).sum_to_size(x_shape)


@_solve.vjp("y")
def _(g, x, y_shape):
    return apply(_solve.op, (x.mT, g), {}).sum_to_size(y_shape)


def solve(A, B, *, left=True):
    """The X with A X = B, or X A = B for left=False; LinAlgError where A is singular.

    (..., N, N), (..., N, K) -> (..., N, K);  (..., N, N), (..., N) -> (..., N).
    """
    _check_square("linalg.solve", A)
    if A.dtype is not B.dtype:
        raise RuntimeError(f"linalg.solve: Expected A and B to have the same dtype, got {A.dtype.name}, {B.dtype.name}")
    if B.ndim == 1 or (B.ndim == A.ndim - 1 and B._array.shape == A._array.shape[:-1]):
        if not left:
            raise RuntimeError(
                "linalg.solve: Vector broadcasting of the left hand side is not supported for left=False."
            )
        return _solve_matrices(A, B.unsqueeze(-1)).squeeze(-1)
    return _solve_matrices(A, B) if left else _solve_matrices(A.mT, B.mT).mT


def _solve_matrices(A, B):
    if A._array.shape[-1] != B._array.shape[-2]:
        raise RuntimeError(
            f"linalg.solve: Incompatible shapes of A and B for the equation AX = B ({list(A.shape)} and "
            f"{list(B.shape)})"
        )
    return apply(_solve.op, (A, B), {})


@op
def _cholesky(x, *, out=None):
    """The lower triangle L with L L^T = x."""
    return _by_lapack("linalg.cholesky", np.linalg.cholesky, x)


@_cholesky.vjp()
def _(g, result):
    # Murray, Differentiation of the Cholesky decomposition, 2016: L^-T P(L^T g) L^-1, P halving the diagonal
    size = result._array.shape[-1]
    halved = constant(np.tril(np.ones((size, size))) - np.eye(size) / 2).to(result.dtype)
    middle = (result.mT @ g) * halved
    found = apply(_solve.op, (result.mT, apply(_solve.op, (result.mT, middle.mT), {}).mT), {})
    return (found + found.mT) / 2


def cholesky(A, *, upper=False):
    """The triangle L with L L^T = A, or its transpose; LinAlgError where A is not positive definite.

    (..., N, N) -> (..., N, N).
    """
    _check_square("linalg.cholesky", A)
    factor = apply(_cholesky.op, (A,), {})
    return factor.mT if upper else factor


public(det)
public(slogdet)
public(matrix_power)


@public
def inverse(input):
    """`inv`.  (..., N, N) -> (..., N, N)."""
    return inv(input)


@public(function_name="cholesky", method="cholesky")
def _cholesky_of(input, upper=False):
    """The triangle L with L L^T = input, or its transpose.  (..., N, N) -> (..., N, N)."""
    return cholesky(input, upper=upper)
