"""Diagonals, and what lies below and above them."""

import numpy as np

from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from ..autograd.inplace import write
from .axes import numpy_names
from .creation import finish, numpy_dtype
from .shape import canonical_dim

# --- one diagonal ------------------------------------------------------------------------------------------------


@op(view=True)
def _diagonal(x, *, offset, dim1, dim2, out=None):
    """The elements with equal positions along two axes, up to ``offset``, as a last axis."""
    found = x.diagonal(offset, dim1, dim2)
    found.flags.writeable = x.flags.writeable  # NumPy's is read-only for its own reasons
    return found


@_diagonal.vjp()
def _(g, x_shape, offset, dim1, dim2):
    return apply(_undiagonal.op, (g,), {"shape": x_shape, "offset": offset, "dim1": dim1, "dim2": dim2})


@op
def _undiagonal(x, *, shape, offset, dim1, dim2, out=None):
    """Zeros of ``shape`` with x on a diagonal."""
    result = np.zeros(shape, x.dtype)
    _diagonal.op.forward(result, offset=offset, dim1=dim1, dim2=dim2)[...] = x
    return result


@_undiagonal.vjp()
def _(g, offset, dim1, dim2):
    return diagonal(g, offset, dim1, dim2)


@public
def diagonal(input, offset=0, dim1=0, dim2=1):
    """A diagonal of the plane of two axes, as a last axis, a view; ``offset`` above or below the main one."""
    if input.ndim < 2:
        canonical_dim(dim2, input.ndim)
        raise RuntimeError(f"diagonal: needs two axes, got shape {list(input.shape)}")
    first, second = canonical_dim(dim1, input.ndim), canonical_dim(dim2, input.ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return apply(_diagonal.op, (input,), {"offset": int(offset), "dim1": first, "dim2": second})


@public
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Zeros with the last axis on a diagonal of two new axes.  (*, N) -> (*, N, N) for offset 0."""
    first, second = canonical_dim(dim1, input.ndim + 1), canonical_dim(dim2, input.ndim + 1)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    *rest, length = input._array.shape
    for dim in sorted((first, second)):
        rest.insert(dim, length + abs(offset))
    params = {"shape": tuple(rest), "offset": int(offset), "dim1": first, "dim2": second}
    return apply(_undiagonal.op, (input,), params)


@public
def diag(input, diagonal=0):
    """A matrix with a vector on its diagonal, or the diagonal of a matrix, in a copy.  (N,) -> (N, N)."""
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    return _diagonal_of(input, diagonal).clone()


_diagonal_of = diagonal  # by another name, where an argument has this one


@public
def diagflat(input, offset=0):
    """A matrix with all elements on its diagonal.  (*) -> (N, N)."""
    return diag_embed(input.reshape(-1), offset)


@public
def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    """A copy of ``input`` with ``src`` on a diagonal."""
    result = input.clone()
    _write_part(diagonal(result, offset, dim1, dim2), src, "diagonal")
    return result


@public
@numpy_names
def select_scatter(input, src, dim, index):
    """A copy of ``input`` with ``src`` as the slice at ``index`` along ``dim``."""
    result = input.clone()
    _write_part(result.select(dim, index), src, "slice")
    return result


@public
@numpy_names
def slice_scatter(input, src, dim=0, start=None, end=None, step=1):
    """A copy of ``input`` with ``src`` as the part start:end:step of the axis ``dim``."""
    result = input.clone()
    _write_part(result[(slice(None),) * canonical_dim(dim, input.ndim) + (slice(start, end, step),)], src, "slice")
    return result


def _write_part(part, src, name):
    if part._array.shape != src._array.shape:
        raise RuntimeError(
            f"expected src to have a size equal to the {name} of self. src size = {list(src.shape)}, {name} size = "
            f"{list(part.shape)}"
        )
    part.copy_(src)


@public(function_name=None)
def fill_diagonal_(self, fill_value, wrap=False):
    """Write a number on the main diagonal; with ``wrap`` on, below a tall matrix again from the left."""
    shape = self._array.shape
    if len(shape) < 2:
        raise RuntimeError("dimensions must larger than 1")
    if len(shape) > 2 and len(set(shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    blocks = [self]
    if wrap and len(shape) == 2:
        blocks = [self[start:] for start in range(0, shape[0], shape[1] + 1)]
    for block in blocks:
        length = min(block._array.shape)
        block[(_positions(length),) * block.ndim] = fill_value
    return self


def _positions(length):
    return list(range(length))


# --- triangles ---------------------------------------------------------------------------------------------------


def _triangle(name, function, meaning):
    """``tril`` or ``triu``, with the in-place form and the positions."""

    def forward(x, *, diagonal, out=None):
        part = function(x, diagonal)
        if out is None:
            return part
        out[...] = part
        return out

    forward.__name__ = name
    triangle = op(forward)
    triangle.vjp()(lambda g, diagonal: cut(g, diagonal))

    def cut(input, diagonal=0):
        _check_matrices(name, input)
        return apply(triangle.op, (input,), {"diagonal": int(diagonal)})

    def cut_(self, diagonal=0):
        _check_matrices(name, self)
        return write(triangle.op, self, (), {"diagonal": int(diagonal)})

    def indices(row, col, offset=0, *, dtype=dtypes.int64, device=None, layout=None):
        if row < 0 or col < 0:
            raise RuntimeError(f"row and col must be non-negative, got row {row}, col {col}")
        found = np.argwhere(function(np.ones((row, col)), offset)).T
        return finish(np.ascontiguousarray(found, numpy_dtype(dtype)), False, device, layout=layout)

    cut.__name__ = cut.__qualname__ = name
    cut_.__name__ = cut_.__qualname__ = f"{name}_"
    indices.__name__ = indices.__qualname__ = f"{name}_indices"
    cut.__doc__ = f"The elements {meaning} the diagonal and on it, 0 elsewhere.  (*, A, B) -> (*, A, B)."
    cut_.__doc__ = f"`{name}`, written into the tensor itself."
    indices.__doc__ = f"The positions {meaning} the diagonal of a matrix and on it.  -> (2, count)."
    public(cut_, function_name=None)
    public(indices, method=False)
    return public(cut)


def _check_matrices(name, tensor):
    if tensor.ndim < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")


tril = _triangle("tril", np.tril, "below")
triu = _triangle("triu", np.triu, "above")
