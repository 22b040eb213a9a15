"""Linear algebra: norms, distances, products of several matrices, determinants, inverses, factors."""

import math
from typing import NamedTuple

import numpy as np

from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from ..autograd.tensor import Tensor, constant
from .axes import numpy_names
from .checks import check_floating
from .creation import eye
from .matmul import matmul
from .shape import canonical_dim, canonical_dims, cat
from .statistics import root

# --- norms -------------------------------------------------------------------------------------------------------


def vector_norm(x, ord: float = 2, dim=None, keepdim=False, *, dtype=None):
    """(sum |x|^ord)^(1/ord) over the axes ``dim``, or all; ord may be 0 or infinite.  (*) -> () or the axes left.

    Its derivative where the norm is 0 is 0.
    """
    x = _for_norm("linalg.vector_norm", x, dtype)
    if isinstance(ord, str):
        raise TypeError(f"linalg.vector_norm(): expected ord to be a number, got {ord!r}")
    if (ord < 0 or ord == math.inf) and 0 in [x._array.shape[each] for each in canonical_dims(dim, x.ndim)]:
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {ord} norm on an empty tensor because the operation does not have "
            "an identity"
        )
    if ord == 2:
        return root((x * x).sum(dim, keepdim=keepdim))
    if ord == 0:
        return (x != 0).sum(dim, keepdim=keepdim).to(x.dtype)
    size = x.abs()
    if math.isinf(ord):
        return (size.amax if ord > 0 else size.amin)(() if dim is None else dim, keepdim=keepdim)
    return size.sum(dim, keepdim=keepdim) if ord == 1 else root(_powers(size, ord).sum(dim, keepdim=keepdim), ord)


def _powers(x, p):
    """x^p for x >= 0, of which the derivative at 0 is 0 where it would be infinite."""
    if not 0 < p < 1:
        return x.pow(p)
    zero = x == 0
    return x.masked_fill(zero, 1.0).pow(p).masked_fill(zero, 0.0)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """The norm of matrices: 'fro', or the largest (inf, 1) or smallest (-inf, -1) sum of |A| along a row or a column.

    (..., M, N) -> (...).
    """
    A = _for_norm("linalg.matrix_norm", A, dtype)
    if A.ndim < 2:
        raise RuntimeError(f"linalg.matrix_norm: The input tensor A must have at least 2 dimensions, got {A.ndim}.")
    rows, columns = (canonical_dim(each, A.ndim) for each in dim)
    if rows == columns:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got {tuple(dim)}")
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim)
    if ord in ("nuc", 2, -2):
        raise NotImplementedError(f"linalg.matrix_norm: ord={ord!r}, which needs singular values, is not supported")
    if ord not in (1, -1, math.inf, -math.inf):
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    along, across = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = A.abs().sum(along, keepdim=True)
    result = (sums.amax if ord > 0 else sums.amin)(across, keepdim=True)
    return result if keepdim else result.squeeze((rows, columns))


def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """`vector_norm` of all elements or along one axis, `matrix_norm` of matrices or over two axes.  (*) -> ()."""
    dims = (dim,) if isinstance(dim, int) else dim
    if dims is not None and len(dims) not in (1, 2) and ord is not None:
        raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {list(dims)}")
    if ord is None:
        return vector_norm(A, 2, dims, keepdim, dtype=dtype)
    if dims is None and A.ndim not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.ndim}D."
        )
    of_matrices = A.ndim == 2 if dims is None else len(dims) == 2
    if of_matrices or isinstance(ord, str):
        return matrix_norm(A, ord, (-2, -1) if dims is None else dims, keepdim, dtype=dtype)
    return vector_norm(A, ord, dims, keepdim, dtype=dtype)


def _for_norm(name, x, dtype):
    """``x`` in ``dtype``, of which a norm can be taken."""
    if not x.is_floating_point():
        raise RuntimeError(f"{name}: Expected a floating point tensor as input. Got {x.dtype.name}")
    if dtype is None:
        return x
    kind = dtypes.as_dtype(dtype)
    if not kind.is_floating_point or kind.itemsize < x.dtype.itemsize:
        raise RuntimeError(
            f"{name}: the dtype of the input ({x.dtype.name}) should be convertible without narrowing to the specified "
            f"dtype ({kind.name})"
        )
    return x.to(kind)


@numpy_names
def _norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """(sum |input|^p)^(1/p) over the axes ``dim``; p may be 0 or infinite; 'fro' is 2.  (*) -> () or the axes left.

    Its derivative where the norm is 0 is 0.
    """
    if p == "nuc":
        raise NotImplementedError("norm: p='nuc', which needs singular values, is not supported")
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"norm: Order {p} not supported.")
    return vector_norm(input, 2 if p in ("fro", None) else p, dim, keepdim, dtype=dtype)


_norm.__name__ = _norm.__qualname__ = "norm"
public(_norm)


@public
def dist(input, other, p=2):
    """The `norm` of input - other, broadcast.  (*), (*) -> ()."""
    return vector_norm(input - other, p)


@public(method=False)
def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The distance, by the norm ``p``, of each row of x1 from each of x2.  (..., P, M), (..., R, M) -> (..., P, R)."""
    if compute_mode not in _COMPUTE_MODES:
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    if x1.ndim < 2 or x2.ndim < 2:
        raise RuntimeError(f"cdist only supports at least 2D tensors, got: {x1.ndim}D and {x2.ndim}D")
    if x1._array.shape[-1] != x2._array.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1._array.shape[-1]} X2: {x2._array.shape[-1]}"
        )
    if p < 0:
        raise RuntimeError(f"cdist only supports non-negative p values, got {p}")
    for each in (x1, x2):
        if not each.is_floating_point() or each.dtype is not x1.dtype:
            raise RuntimeError(
                f"cdist only supports floating-point dtypes, both the same, got {x1.dtype.name} and {x2.dtype.name}"
            )
    difference = x1.unsqueeze(-2) - x2.unsqueeze(-3)
    return vector_norm(difference, p, -1) if difference._array.shape[-1] else difference.sum(-1)


# In PyTorch they choose the way of computing; here every distance is computed from the differences.
_COMPUTE_MODES = (
    "use_mm_for_euclid_dist_if_necessary",
    "use_mm_for_euclid_dist",
    "donot_use_mm_for_euclid_dist",
)


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


class SignLogAbsDet(NamedTuple):
    """A determinant: its sign, and the logarithm of its magnitude."""

    sign: Tensor
    logabsdet: Tensor


def slogdet(A):
    """The sign of the determinant and the logarithm of its magnitude.  (..., N, N) -> (...), (...)."""
    _check_square("linalg.slogdet", A)
    return SignLogAbsDet(apply(_sign_of_det.op, (A,), {}), apply(_log_of_det.op, (A,), {}))


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
