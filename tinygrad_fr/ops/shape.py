"""Shapes: views of the same memory where that is possible, and joining tensors."""

import builtins
import math
import operator

import numpy as np

from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply, apply_view, op
from ..autograd.functional import use_stack
from ..autograd.tensor import Tensor


def canonical_dim(dim, ndim):
    """``dim`` counted from the front; IndexError as PyTorch's where there is no such axis."""
    around = builtins.max(ndim, 1)
    if not -around <= dim < around:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-around}, {around - 1}], but got {dim})"
        )
    return dim % around


def canonical_dims(dim, ndim):
    """A tuple of distinct axes counted from the front; None, or nothing, means all."""
    if dim is None or (isinstance(dim, (tuple, list)) and not dim):
        return tuple(range(ndim))
    dims = (dim,) if isinstance(dim, int) else tuple(dim)
    dims = tuple(canonical_dim(int(each), ndim) for each in dims)
    if len(set(dims)) != len(dims):
        raise RuntimeError(f"dim {dims} appears multiple times in the list of dims")
    return dims if ndim else ()


def sizes(shape):
    """The sizes meant by ``f(2, 3)``, ``f((2, 3))`` or ``f(torch.Size([2, 3]))``, as a tuple of int."""
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = shape[0]
    return tuple(map(operator.index, shape))


# --- views -------------------------------------------------------------------------------------------------------


@op(view=True)
def _reshape(x, *, shape, out=None):
    """The same elements in the same memory, with other axes."""
    part = x.reshape(shape)  # with copy=False it takes twice as long
    shared = part.base is x or (x.base is not None and part.base is x.base)
    return part if shared else x.reshape(shape, copy=False)


@_reshape.vjp()
def _(g, x_shape):
    return g.reshape(x_shape)


def _resolve(shape, tensor):
    """``shape`` with its -1, if any, filled in; RuntimeError where the number of elements differs."""
    total = tensor._array.size
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    if any(size < -1 for size in shape):
        raise RuntimeError(f"invalid shape dimension in {list(shape)}")
    known = math.prod([size for size in shape if size != -1])
    if -1 in shape:
        if known == 0:
            raise RuntimeError(
                f"cannot reshape tensor of {total} elements into shape {list(shape)} because the unspecified "
                "dimension size -1 can be any value and is ambiguous"
            )
        shape = tuple(total // known if size == -1 else size for size in shape)
        known = math.prod(shape)
    if known != total:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {total} (shape {list(tensor.shape)})")
    return shape


def _new_sizes(shape, tensor):
    """`sizes` for a new shape; NumPy would take any negative size for -1."""
    for size in shape:
        if size.__class__ is not int or size < -1:
            break
    else:
        return shape
    shape = sizes(shape)
    return _resolve(shape, tensor) if shape and builtins.min(shape) < -1 else shape


@public
def reshape(input, *shape):
    """The elements in the order they are, with new axes: a view where possible, else a copy.  -1 is filled in."""
    shape = _new_sizes(shape, input)
    try:
        return apply_view(_reshape.op, input, {"shape": shape})
    except ValueError:  # NumPy says that it would have to copy, or that the sizes do not fit
        return apply_view(_reshape.op, input.contiguous(), {"shape": _resolve(shape, input)})


@public(function_name=None)
def view(self, *shape):
    """As `reshape`, but never a copy: RuntimeError where the memory does not allow it."""
    if len(shape) == 1 and isinstance(shape[0], dtypes.dtype):
        raise NotImplementedError("view(dtype), a reinterpretation of the bytes, is not supported; use to(dtype)")
    shape = _new_sizes(shape, self)
    try:
        return apply_view(_reshape.op, self, {"shape": shape})
    except ValueError:
        _resolve(shape, self)  # raises where the sizes do not fit
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across "
            "two contiguous subspaces). Use .reshape(...) instead."
        ) from None


@public(function_name=None)
def view_as(self, other):
    """`view` in the shape of ``other``."""
    return self.view(other.shape)


@public(function_name=None)
def reshape_as(self, other):
    """`reshape` to the shape of ``other``."""
    return self.reshape(other.shape)


@public
def flatten(input, start_dim=0, end_dim=-1):
    """Merge the axes start_dim ... end_dim into one.  (N, C, H, W) -> (N, C*H*W) for start_dim=1."""
    shape = input._array.shape
    first, last = canonical_dim(start_dim, len(shape)), canonical_dim(end_dim, len(shape))
    if first > last:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    merged = math.prod(shape[first : last + 1])
    return input.reshape((*shape[:first], merged, *shape[last + 1 :]))


@public
def unflatten(input, dim, sizes):
    """Cut the axis ``dim`` into axes of ``sizes``, one of which may be -1."""
    dim = canonical_dim(dim, input.ndim)
    shape, sizes = input._array.shape, tuple(sizes)
    if -1 in sizes:
        rest = builtins.abs(math.prod(sizes))
        sizes = tuple(shape[dim] // builtins.max(rest, 1) if size == -1 else size for size in sizes)
    if math.prod(sizes) != shape[dim]:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} ({shape[dim]})"
        )
    return input.reshape((*shape[:dim], *sizes, *shape[dim + 1 :]))


@public
def ravel(input):
    """All elements in one axis."""
    return input.reshape(-1)


@op(view=True)
def _permute(x, *, dims, out=None):
    """The axes in another order."""
    return x.transpose(dims)


@_permute.vjp()
def _(g, dims):
    return g.permute(tuple(int(each) for each in np.argsort(dims)))


@public
def permute(input, *dims):
    """The axes in the order ``dims``, a view.  (A, B, C) -> (C, A, B) for dims (2, 0, 1)."""
    dims = tuple(canonical_dim(each, input.ndim) for each in sizes(dims))
    if sorted(dims) != list(range(input.ndim)):
        raise RuntimeError(
            f"permute: dims {list(dims)} are no permutation of the {input.ndim} axes of {list(input.shape)}"
        )
    return apply_view(_permute.op, input, {"dims": dims})


@public
def transpose(input, dim0, dim1):
    """Two axes exchanged, a view."""
    ndim = input._array.ndim
    dims = list(range(ndim))
    dim0, dim1 = canonical_dim(dim0, ndim), canonical_dim(dim1, ndim)
    if dims:
        dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return apply_view(_permute.op, input, {"dims": tuple(dims)})


@public
def t(input):
    """A matrix transposed, a view; fewer axes stay as they are.  (A, B) -> (B, A)."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return input if input.ndim < 2 else transpose(input, 0, 1)


def _reversed(tensor):
    return apply_view(_permute.op, tensor, {"dims": tuple(range(tensor._array.ndim - 1, -1, -1))})


Tensor.T = property(_reversed, doc="The axes in reverse order.")  # type: ignore
Tensor.mT = property(lambda self: _matrix_transpose(self), doc="The last two axes exchanged.")  # type: ignore


def _matrix_transpose(tensor):
    if tensor.ndim < 2:
        raise RuntimeError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got {tensor.ndim}-D tensor."
        )
    return transpose(tensor, -2, -1)


@public
def movedim(input, source, destination):
    """Axes ``source`` moved to the places ``destination``, a view."""
    source = (source,) if isinstance(source, int) else tuple(source)
    destination = (destination,) if isinstance(destination, int) else tuple(destination)
    source = [canonical_dim(each, input.ndim) for each in source]
    destination = [canonical_dim(each, input.ndim) for each in destination]
    rest = iter([each for each in range(input.ndim) if each not in source])
    placed = dict(zip(destination, source, strict=True))
    return input.permute(tuple(placed[i] if i in placed else next(rest) for i in range(input.ndim)))


@public
def squeeze(input, dim=None):
    """Without its axes of size 1, or without ``dim`` where its size is 1; a view."""
    shape = input._array.shape
    dims = canonical_dims(dim, input.ndim) if dim != () else ()
    return input.view(tuple(size for i, size in enumerate(shape) if not (i in dims and size == 1)))


@public
def unsqueeze(input, dim):
    """With an axis of size 1 put in at ``dim``; a view."""
    shape = input._array.shape
    dim = canonical_dim(dim, len(shape) + 1)
    return apply_view(_unsqueeze.op, input, {"shape": (*shape[:dim], 1, *shape[dim:]), "dim": dim})


@op(view=True)
def _unsqueeze(x, *, shape, dim, out=None):
    """An axis of size 1 at ``dim``."""
    return x.reshape(shape)  # never a copy; expand_dims takes far longer


@_unsqueeze.vjp()
def _(g, x_shape):
    return g.reshape(x_shape)


@op(view=True)
def _expand(x, *, shape, out=None):
    """Axes of size 1 repeated without a copy."""
    return np.broadcast_to(x, shape)


@_expand.vjp()
def _(g, x_shape):
    return g.sum_to_size(x_shape)


@public(function_name=None)
def expand(self, *shape):
    """Axes of size 1 stretched to ``shape`` (-1 keeps a size), without a copy: elements share memory."""
    shape, own = sizes(shape), self._array.shape
    if len(shape) < len(own):
        raise RuntimeError(
            f"expand: the number of sizes provided ({len(shape)}) must be greater or equal to the number of dimensions "
            f"in the tensor ({len(own)})"
        )
    new = len(shape) - len(own)
    target = tuple(own[i - new] if size == -1 and i >= new else size for i, size in enumerate(shape))
    if -1 in target[:new]:
        raise RuntimeError("The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension")
    for i, size in enumerate(target):
        if i >= new and own[i - new] not in (1, size):
            raise RuntimeError(
                f"The expanded size of the tensor ({size}) must match the existing size ({own[i - new]}) at "
                f"non-singleton dimension {i}.  Target sizes: {list(target)}.  Tensor sizes: {list(own)}"
            )
    return apply_view(_expand.op, self, {"shape": target})


@public(function_name=None)
def expand_as(self, other):
    """`expand` to the shape of ``other``."""
    return self.expand(other.shape)


@public
def broadcast_to(input, size):
    """`expand` as a function."""
    return input.expand(size)


@public(function_name=None)
def sum_to_size(self, *size):
    """Summed over the axes along which a tensor of ``size`` would be broadcast to this one."""
    shape, own = sizes(size), self._array.shape
    extra = len(own) - len(shape)
    dims = tuple(i for i in range(len(own)) if i < extra or (shape[i - extra] == 1 and own[i] != 1))
    if extra < 0 or any(i not in dims and own[i] != shape[i - extra] for i in range(len(own))):
        raise RuntimeError(f"size {list(shape)} is not expandable to size {list(own)}.")
    summed = self.sum(dims, keepdim=True) if dims else self
    return summed.reshape(shape) if extra else summed


# --- copies, types, joining --------------------------------------------------------------------------------------


@op
def _clone(x, *, out=None):
    """A copy."""
    return np.array(x, order="C")


@_clone.vjp(on_arrays=True)
def _(g):
    return g


@public
def clone(input, *, memory_format=None):
    """A copy with memory of its own, part of the graph."""
    if memory_format is not None:
        raise NotImplementedError("clone(memory_format=...) is not supported: there is one memory format")
    return apply(_clone.op, (input,), {})


@public(function_name=None)
def contiguous(self):
    """The tensor itself where its elements lie in order, else a copy."""
    return self if self._array.flags.c_contiguous else apply(_clone.op, (self,), {})


@op
def _cat(*xs, dim, out=None):
    """The inputs one after the other along ``dim``."""
    return np.concatenate(xs, axis=dim)


@_cat.vjp("xs")
def _(g, position, shapes, dim):
    start = builtins.sum(shape[dim] for shape in shapes[:position])
    return g.narrow(dim, start, shapes[position][dim])


@public(method=False)
def cat(tensors, dim=0):
    """The tensors one after the other along the axis ``dim``.  [(A, C), (B, C)] -> (A+B, C)."""
    tensors = [each for each in tensors if each._array.shape != (0,)] or list(tensors)
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    first = tensors[0]._array.shape
    if not first:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    dim = canonical_dim(dim, len(first))
    for i, each in enumerate(tensors):
        shape = each._array.shape
        if len(shape) != len(first) or shape[:dim] != first[:dim] or shape[dim + 1 :] != first[dim + 1 :]:
            raise RuntimeError(
                f"Sizes of tensors must match except in dimension {dim}. Expected {list(first)} but got {list(shape)} "
                f"for tensor number {i} in the list."
            )
    return apply(_cat.op, _in_one_type(tensors), {"dim": dim})


def _in_one_type(tensors):
    kind = tensors[0]._array.dtype
    if all(each._array.dtype is kind for each in tensors):
        return tuple(tensors)
    common = tensors[0].dtype
    for each in tensors[1:]:
        common = dtypes.promote_types(common, each.dtype)
    return tuple(each.to(common) for each in tensors)


concatenate = public(cat, method=False, function_name="concat")


@public(method=False)
def stack(tensors, dim=0):
    """The tensors, all of one shape, along a new axis ``dim``.  [(C,), (C,)] -> (2, C)."""
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    for i, each in enumerate(tensors):
        if each._array.shape != tensors[0]._array.shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(tensors[0].shape)} at entry 0 and "
                f"{list(each.shape)} at entry {i}"
            )
    return cat([unsqueeze(each, dim) for each in tensors], canonical_dim(dim, tensors[0].ndim + 1))


use_stack(stack)


@public
def narrow(input, dim, start, length):
    """The part start ... start+length of the axis ``dim``, a view."""
    dim = canonical_dim(dim, input.ndim)
    if start < 0:
        start += input._array.shape[dim]
    if length < 0 or start < 0 or start + length > input._array.shape[dim]:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({input._array.shape[dim]}).")
    return input[(slice(None),) * dim + (slice(start, start + length),)]


@public
def split(tensor, split_size_or_sections, dim=0):
    """Parts of a size (the last may be smaller), or of the sizes of a list, along ``dim``: a tuple of views."""
    dim = canonical_dim(dim, tensor.ndim)
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
def chunk(input, chunks, dim=0):
    """At most ``chunks`` parts of equal size (the last may be smaller) along ``dim``: a tuple of views."""
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    total = input._array.shape[canonical_dim(dim, input.ndim)]
    return split(input, -(-total // chunks) if total else [0] * chunks, dim)


@public
def unbind(input, dim=0):
    """The slices along ``dim``, as a tuple of views without that axis."""
    dim = canonical_dim(dim, input.ndim)
    return tuple(input[(slice(None),) * dim + (i,)] for i in range(input._array.shape[dim]))


@public(function_name=None)
def repeat(self, *repeats):
    """Copies of the tensor side by side, ``repeats`` times along each axis."""
    repeats, own = sizes(repeats), self._array.shape
    if len(repeats) < len(own):
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    padded = (1,) * (len(repeats) - len(own)) + own
    spread = [size for times, own_size in zip(repeats, padded, strict=True) for size in (times, own_size)]
    column = [size for own_size in padded for size in (1, own_size)]
    target = [times * own_size for times, own_size in zip(repeats, padded, strict=True)]
    return self.reshape(column).expand(spread).reshape(target)


@op
def _flip(x, *, dims, out=None):
    """The order along ``dims`` reversed."""
    return np.flip(x, dims).copy()


@_flip.vjp()
def _(g, dims):
    return g.flip(dims)


@public
def flip(input, *dims):
    """The order of the elements along the axes ``dims`` reversed, in a copy."""
    dims = sizes(dims)
    return apply(_flip.op, (input,), {"dims": canonical_dims(dims, input.ndim)}) if dims else input.clone()
