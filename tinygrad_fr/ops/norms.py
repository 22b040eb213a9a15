"""Norms of vectors and matrices, and distances."""

import math

from ..autograd import dtypes
from ..autograd.binding import public
from .axes import numpy_names
from .shape import canonical_dim, canonical_dims
from .statistics import root


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
