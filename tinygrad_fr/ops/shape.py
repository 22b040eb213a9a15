"""Shapes: views of the same memory where that is possible."""

import builtins
import functools
import math
import operator

import numpy as np

from .. import kernels as k
from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply, apply_view, broadcast, op
from ..autograd.inplace import become
from ..autograd.tensor import Size, Tensor
from .axes import numpy_names


def canonical_dim(dim, ndim):
    """``dim`` counted from the front; IndexError as PyTorch's where there is no such axis."""
    around = builtins.max(ndim, 1)
    if not -around <= dim < around:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-around}, {around - 1}], but got {dim})"
        )
    return dim % around


def existing_dim(dim, ndim):
    """`canonical_dim`, but a tensor without axes has none."""
    if ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return canonical_dim(dim, ndim)


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
def view(self, *shape, dtype=None):
    """As `reshape`, but never a copy: RuntimeError where the memory does not allow it; of a dtype, see `_bits`."""
    if dtype is not None or (len(shape) == 1 and isinstance(shape[0], dtypes.dtype)):
        return _view_as(self, dtype or shape[0])
    shape = _new_sizes(shape, self)
    try:
        return apply_view(_reshape.op, self, {"shape": shape})
    except ValueError:
        _resolve(shape, self)  # raises where the sizes do not fit
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across "
            "two contiguous subspaces). Use .reshape(...) instead."
        ) from None


def _view_as(tensor, kind):
    old, new = tensor._array.itemsize, kind.itemsize
    if kind is tensor.dtype:
        return view(tensor, tensor.shape)
    if old != new and tensor.ndim == 0:
        raise RuntimeError(
            f"self.dim() cannot be 0 to view {tensor.dtype.name} as {kind.name} (different element sizes)"
        )
    if old != new and tensor.stride(-1) != 1:
        raise RuntimeError(f"self.stride(-1) must be 1 to view {tensor.dtype.name} as {kind.name}")
    if new > old and (tensor._array.shape[-1] * old) % new:
        raise RuntimeError(
            f"self.size(-1) must be divisible by {new // old} to view {tensor.dtype.name} as {kind.name} (different "
            f"element sizes), but got {tensor._array.shape[-1]}"
        )
    return apply(_bits.op, (tensor,), {"kind": kind.numpy})


@op(view=True)
def _bits(x, *, kind, out=None):
    """The bytes of the elements read as another type, along the last axis; no gradient goes through it."""
    return x.view(kind)


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
@numpy_names
def unflatten(input, dim, sizes):
    """Cut the axis ``dim`` into axes of ``sizes``, one of which may be -1."""
    dim = existing_dim(dim, input.ndim)
    shape, sizes = input._array.shape, tuple(sizes)
    if sizes.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
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
    return _reversed(input)


def _reversed(tensor):
    return apply_view(_permute.op, tensor, {"dims": tuple(range(tensor._array.ndim - 1, -1, -1))})


def _matrix_transpose(name):
    """A property: the last two axes exchanged."""

    def exchange(tensor):
        if tensor.ndim == 1:
            raise RuntimeError(
                f"tensor.{name} is only supported on matrices or batches of matrices. Got {tensor.ndim}-D tensor."
            )
        return transpose(tensor, -2, -1) if tensor.ndim else tensor

    return property(exchange, doc="The last two axes exchanged.")


def _matrix(tensor):
    if tensor.ndim not in (0, 2):
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {tensor.ndim}-D tensor.")
    return t(tensor)


Tensor.T = property(_reversed, doc="The axes in reverse order.")  # type: ignore
Tensor.H = property(_matrix, doc="A matrix transposed: elements are real.")  # type: ignore
Tensor.mT, Tensor.mH = _matrix_transpose("mT"), _matrix_transpose("mH")  # type: ignore


@public
def adjoint(input):
    """The last two axes exchanged, for elements are real; a view."""
    if input.ndim == 0:
        return input
    if input.ndim < 2:
        raise RuntimeError("tensor.adjoint() is only supported on matrices or batches of matrices. Got 1-D tensor.")
    return transpose(input, -2, -1)


@public
def swapaxes(input, axis0, axis1):
    """`transpose`, by NumPy's name."""
    return transpose(input, axis0, axis1)


@public
def swapdims(input, dim0, dim1):
    """`transpose`, by another name."""
    return transpose(input, dim0, dim1)


@public
def movedim(input, source, destination):
    """Axes ``source`` moved to the places ``destination``, a view."""
    source, destination = ((dims,) if isinstance(dims, int) else tuple(dims) for dims in (source, destination))
    if len(source) != len(destination):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(source)} dims) should contain the same number "
            f"of dims as destination ({list(destination)} dims)"
        )
    source, destination = ([canonical_dim(each, input.ndim) for each in dims] for dims in (source, destination))
    for name, dims in (("source", source), ("destination", destination)):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({dims})")
    rest = iter([each for each in range(input.ndim) if each not in source])
    placed = dict(zip(destination, source, strict=True))
    return input.permute(tuple(placed[i] if i in placed else next(rest) for i in range(input.ndim)))


@public
def moveaxis(input, source, destination):
    """`movedim`, by NumPy's name."""
    return movedim(input, source, destination)


@public
@numpy_names
def squeeze(input, dim=None):
    """Without its axes of size 1, or without ``dim`` where its size is 1; a view."""
    shape = input._array.shape
    dims = canonical_dims(dim, input.ndim) if dim != () else ()
    return input.view(tuple(size for i, size in enumerate(shape) if not (i in dims and size == 1)))


@public
@numpy_names
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


@public(method=False)
def broadcast_shapes(*shapes):
    """The shape to which tensors of these shapes are broadcast together."""
    shapes = [(shape,) if isinstance(shape, int) else tuple(shape) for shape in shapes]
    for size in [each for shape in shapes for each in shape if each < 0]:
        raise RuntimeError(f"Trying to create tensor with negative dimension {size}: {list(shapes)}")
    try:
        return Size(np.broadcast_shapes(*shapes))
    except ValueError:
        raise RuntimeError(
            "Shape mismatch: objects cannot be broadcast to a single shape: " + ", ".join(str(list(s)) for s in shapes)
        ) from None


@public(method=False)
def broadcast_tensors(*tensors):
    """The tensors, each expanded to the shape of all: views."""
    tensors = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    shape = broadcast("broadcast_tensors", *[each._array for each in tensors])
    return tuple(each.expand(shape) for each in tensors)


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


# --- copies --------------------------------------------------------------------------------------


@op(launches=True)
def _clone(x, *, out=None):
    """A copy."""
    return k.copying.copy(x, out=out)


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


# --- in place: the tensor itself gets another shape ---------------------------------------------------------------


def _in_place(function):
    """``squeeze_`` of `squeeze`, and so on."""

    @functools.wraps(function)
    def reshaped(self, *args, **kwargs):
        return become(self, lambda tensor: function(tensor, *args, **kwargs), f"{function.__name__}_")

    reshaped.__name__ = reshaped.__qualname__ = f"{function.__name__}_"
    reshaped.__doc__ = f"`{function.__name__}` of the tensor itself: it shows the same memory in another way."
    public(reshaped, function_name=None)


for _function in (squeeze, unsqueeze, t, transpose, swapaxes, swapdims):
    _in_place(_function)
