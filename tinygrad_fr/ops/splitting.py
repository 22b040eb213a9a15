"""Parts of a tensor along an axis: views."""

import builtins
import operator

import numpy as np

from ..autograd.binding import public
from ..autograd.tensor import Tensor
from .axes import numpy_names
from .shape import canonical_dim


def _dim_of(name, dim, tensor):
    if tensor.ndim == 0:
        raise RuntimeError(f"{name} expects at least a 1-dimensional tensor")
    return canonical_dim(dim, tensor.ndim)


@public
@numpy_names
def narrow(input, dim, start, length):
    """The part start ... start+length of the axis ``dim``, a view."""
    dim = _dim_of("narrow", dim, input)
    start, total = operator.index(start), input._array.shape[dim]
    if not -total <= start <= total:
        raise IndexError(f"start out of range (expected to be in range of [-{total}, {total}], but got {start})")
    start += total if start < 0 else 0
    if length < 0 or start + length > total:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({total}).")
    return input[(slice(None),) * dim + (slice(start, start + length),)]


@public
def split(tensor, split_size_or_sections, dim=0):
    """Parts of a size (the last may be smaller), or of the sizes of a list, along ``dim``: a tuple of views."""
    dim = _dim_of("split", dim, tensor)
    total = tensor._array.shape[dim]
    if isinstance(split_size_or_sections, int):
        size = split_size_or_sections
        if size < 0 or (size == 0 and total):
            raise RuntimeError(f"split expects split_size be non-negative and not 0, but got split_size={size}")
        lengths = [builtins.min(size, total - start) for start in range(0, total, size)] if total else [0]
    else:
        lengths = list(split_size_or_sections)
        if builtins.sum(lengths) != total:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {total} (input tensor's size at dimension "
                f"{dim}), but got split_sizes={lengths}"
            )
    starts = np.cumsum([0, *lengths])
    return tuple(narrow(tensor, dim, int(start), length) for start, length in zip(starts, lengths, strict=False))


@public
@numpy_names
def chunk(input, chunks, dim=0):
    """At most ``chunks`` parts of equal size (the last may be smaller) along ``dim``: a tuple of views."""
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    total = input._array.shape[_dim_of("chunk", dim, input)]
    return split(input, -(-total // chunks) if total else [0] * chunks, dim)


@public
@numpy_names
def unbind(input, dim=0):
    """The slices along ``dim``, as a tuple of views without that axis."""
    dim = canonical_dim(dim, input.ndim)
    return tuple(input[(slice(None),) * dim + (i,)] for i in range(input._array.shape[dim]))


@public
@numpy_names
def select(input, dim, index):
    """The slice at position ``index`` along ``dim``, without that axis, a view."""
    if input.ndim == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim = canonical_dim(dim, input.ndim)
    size = input._array.shape[dim]
    if not -size <= index < size:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at dimension {dim}"
        )
    return input[(slice(None),) * dim + (index,)]


@public
def split_with_sizes(input, split_sizes, dim=0):
    """`split` into parts of the sizes of a list."""
    return split(input, list(split_sizes), dim)


@public
@numpy_names
def tensor_split(input, indices_or_sections, dim=0):
    """So many parts of almost equal size (the first ones larger), or parts between the positions of a list: views."""
    if input.ndim == 0:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    dim = canonical_dim(dim, input.ndim)
    cuts = indices_or_sections.tolist() if isinstance(indices_or_sections, Tensor) else indices_or_sections
    if isinstance(cuts, int):
        cuts = _even_cuts(cuts, input._array.shape[dim])
    bounds = zip([None, *cuts], [*cuts, None], strict=True)
    return tuple(input[(slice(None),) * dim + (slice(start, end),)] for start, end in bounds)


def _even_cuts(sections, total):
    """Where to cut an axis of size ``total`` into ``sections`` parts."""
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    size, larger = divmod(total, sections)
    return [i * size + builtins.min(i, larger) for i in range(1, sections)]


def _splits(name, axis, dims):
    """``hsplit``, ``vsplit`` or ``dsplit``: `tensor_split` along one axis, into equal parts if a number is given."""

    def split(input, indices_or_sections):
        if input.ndim < dims:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {dims} dimension{'s' * (dims > 1)}, but got a tensor "
                f"with {input.ndim} dimensions!"
            )
        dim = axis if input.ndim > 1 else 0
        sections, size = indices_or_sections, input._array.shape[dim]
        if isinstance(sections, int) and (sections <= 0 or size % sections):
            raise RuntimeError(
                f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {size} is not "
                f"divisible by the split_size {sections}!"
            )
        return tensor_split(input, indices_or_sections, dim)

    split.__name__ = split.__qualname__ = name
    split.__doc__ = f"Equal parts, or parts between positions, along axis {axis}: a tuple of views."
    return public(split)


hsplit = _splits("hsplit", 1, 1)
vsplit = _splits("vsplit", 0, 2)
dsplit = _splits("dsplit", 2, 3)
