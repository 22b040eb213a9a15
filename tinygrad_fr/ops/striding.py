"""Views of memory in steps of one's own: windows that overlap, any strides."""

import numpy as np
from numpy.lib.array_utils import byte_bounds
from numpy.lib.stride_tricks import sliding_window_view

from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from ..autograd.inplace import become
from ..autograd.mode import tell_read
from .arrays import add_at
from .shape import canonical_dim, sizes

# --- windows along one axis --------------------------------------------------------------------------------------


@op(view=True)
def _unfold(x, *, dim, size, step, out=None):
    """The windows of ``size`` along ``dim``, each ``step`` after the one before, as a last axis."""
    windows = sliding_window_view(x, size, dim, writeable=x.flags.writeable and step >= size)
    return windows[(slice(None),) * dim + (slice(None, None, step),)]


@_unfold.vjp()
def _(g, x_shape, dim, size, step):
    return apply(_fold.op, (g,), {"shape": x_shape, "dim": dim, "size": size, "step": step})


@op
def _fold(x, *, shape, dim, size, step, out=None):
    """Zeros of ``shape`` to which the windows x are added: an element in several windows gets all."""
    result = np.zeros(shape, x.dtype)
    before, count = (slice(None),) * dim, x.shape[dim]
    for i in range(size):
        result[(*before, slice(i, i + (count - 1) * step + 1, step))] += x[..., i]
    return result


@_fold.vjp()
def _(g, dim, size, step):
    return apply(_unfold.op, (g,), {"dim": dim, "size": size, "step": step})


@public(function_name=None)
def unfold(self, dimension, size, step):
    """The windows of ``size`` along an axis, each ``step`` after the one before: a view, with them as a last axis."""
    dim = canonical_dim(dimension, self.ndim)
    tensor = self if self.ndim else self.reshape(1)
    total = tensor._array.shape[dim]
    if size < 0 or size > total:
        raise RuntimeError(f"maximum size for tensor at dimension {dim} is {total} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    found = apply(_unfold.op, (tensor,), {"dim": dim, "size": int(size), "step": int(step)})
    return found if self.ndim else found.reshape(size)


# --- any strides -------------------------------------------------------------------------------------------------


def _owner(array):
    """The array whose memory ``array`` shows a part of."""
    while hasattr(array.base, "base"):  # an array, or what NumPy puts between the two where it makes windows
        array = array.base
    return array


def _memory(array):
    """All the memory of which ``array`` is a part, as bytes."""
    owner = _owner(array)
    if not owner.flags.forc:
        raise NotImplementedError("as_strided: memory with gaps, which came from elsewhere, is not supported")
    return owner.reshape(-1, order="A").view(np.uint8)


def _offset(array):
    """At which element of its memory ``array`` begins."""
    start, _ = byte_bounds(_owner(array))
    return (array.__array_interface__["data"][0] - start) // array.itemsize


@op(view=True)
def _as_strided(x, *, size, stride, shift, strides, out=None):
    """The elements in steps of ``stride`` from the one ``shift`` after the first; those of x are ``strides`` apart."""
    start = (_offset(x) + shift) * x.itemsize
    return np.ndarray(size, x.dtype, _memory(x), start, [each * x.itemsize for each in stride])


@_as_strided.vjp()
def _(g, x_shape, size, stride, shift, strides):
    layouts = {"shape": x_shape, "strides": strides, "size": size, "stride": stride, "shift": shift}
    return apply(_unstrided.op, (g,), layouts)


@op
def _unstrided(x, *, shape, strides, size, stride, shift, out=None):
    """What lies in the same place: x, of one layout, added up in memory and read in another; shares among equals."""
    read, written, length = _places(shape, strides, size, stride, shift)
    memory, shares = np.zeros(length, x.dtype), np.zeros(length, x.dtype)
    add_at(memory, 0, 1, written, x)
    add_at(shares, 0, 1, read, np.ones(read.shape, x.dtype))
    return np.asarray(memory[read] / shares[read])


@_unstrided.vjp()
def _(g, shape, strides, size, stride, shift):
    layouts = {"shape": shape, "strides": strides, "size": size, "stride": stride, "shift": shift}
    return apply(_restrided.op, (g,), layouts)


@op
def _restrided(x, *, shape, strides, size, stride, shift, out=None):
    """The transpose of that: the elements of x, in their own layout, read in steps of ``stride``."""
    written, read, length = _places(shape, strides, size, stride, shift)
    memory, shares = np.zeros(length, x.dtype), np.zeros(length, x.dtype)
    add_at(memory, 0, 1, written, x)
    add_at(shares, 0, 1, written, np.ones(written.shape, x.dtype))
    return np.asarray(memory[read] / np.maximum(shares[read], 1))


@_restrided.vjp()
def _(g, shape, strides, size, stride, shift):
    layouts = {"shape": shape, "strides": strides, "size": size, "stride": stride, "shift": shift}
    return apply(_unstrided.op, (g,), layouts)


def _places(shape, strides, size, stride, shift):
    """Where in memory the elements of two layouts lie, from the lowest on, and how many places there are."""
    first, second = _positions(shape, strides, 0), _positions(size, stride, shift)
    low = min(first.min(initial=0), second.min(initial=0))
    high = max(first.max(initial=0), second.max(initial=0))
    return first - low, second - low, high - low + 1


def _positions(shape, strides, start):
    """Where the elements lie that are ``strides`` apart along the axes."""
    found = np.full(shape, start)
    for axis, (size, step) in enumerate(zip(shape, strides, strict=True)):
        found += step * np.arange(size).reshape((-1,) + (1,) * (len(shape) - axis - 1))
    return found


@public
def as_strided(input, size, stride, storage_offset=None):
    """A view of the memory of ``input`` in any steps, counted in elements from its beginning, ``storage_offset``.

    The memory of a tensor made from a part of a NumPy array begins where that of the array does.
    """
    size, stride = sizes((size,)), sizes((stride,))
    if len(size) != len(stride):
        raise RuntimeError(f"mismatch in length of strides and shape: {list(stride)} and {list(size)}")
    if min(stride, default=0) < 0:
        raise RuntimeError(f"as_strided: Negative strides are not supported at the moment, got strides: {list(stride)}")
    if min(size, default=0) < 0:
        raise RuntimeError(f"Storage size calculation overflowed with sizes={list(size)} and strides={list(stride)}")
    base = input if input._view is None else input._view.base
    if not base._array.flags.c_contiguous:
        raise NotImplementedError("as_strided: memory whose elements are not in the order of the axes is not supported")
    tell_read("as_strided(), which looks at memory beyond a tensor")
    own = _offset(input._array)
    offset = own if storage_offset is None else storage_offset
    _check_inside(input._array, size, stride, offset)
    params = {"size": size, "stride": stride, "shift": offset - own, "strides": input.stride()}
    return apply(_as_strided.op, (input,), params)


def _check_inside(array, size, stride, offset):
    needed = 0 if 0 in size else offset + 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    there = _memory(array).size // array.itemsize
    if offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {offset}")
    if needed > there:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset}, and itemsize "
            f"{array.itemsize} requiring a storage size of {needed * array.itemsize} are out of bounds for storage of "
            f"size {there * array.itemsize}"
        )


@public(function_name=None)
def as_strided_(input, size, stride, storage_offset=None):
    """`as_strided` of the tensor itself: it shows its memory in another way."""
    return become(input, lambda tensor: as_strided(tensor, size, stride, storage_offset), "as_strided")


@public(function_name=None)
def storage_offset(self):
    """At which element of its memory the tensor begins."""
    tell_read("storage_offset()")
    return _offset(self._array)
