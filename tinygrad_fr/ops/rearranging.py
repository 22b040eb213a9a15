"""Elements repeated, or in another order: copies."""

import numpy as np

from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from ..autograd.mode import tell_read
from ..autograd.tensor import Tensor, constant
from .axes import numpy_names
from .creation import checked
from .shape import canonical_dim, canonical_dims, existing_dim, sizes


@public(function_name=None)
def repeat(self, *repeats):
    """Copies of the tensor side by side, ``repeats`` times along each axis."""
    repeats, own = sizes(repeats), self._array.shape
    if len(repeats) < len(own):
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor")
    checked(repeats)
    padded = (1,) * (len(repeats) - len(own)) + own
    spread = [size for times, own_size in zip(repeats, padded, strict=True) for size in (times, own_size)]
    column = [size for own_size in padded for size in (1, own_size)]
    target = [times * own_size for times, own_size in zip(repeats, padded, strict=True)]
    return self.reshape(column).expand(spread).clone().reshape(target)


@public
def tile(input, *dims):
    """`repeat`, where ``dims`` may name fewer axes than there are: the last ones."""
    dims = sizes(dims)
    return input.repeat((1,) * (input.ndim - len(dims)) + dims)


@public
@numpy_names
def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Each slice along ``dim`` (each element, without one) ``repeats`` times; a tensor says for each how often.

    Of one tensor of counts alone: each position as often as its count says.
    """
    if repeats is None:
        input, repeats, dim = constant(np.arange(input.numel())), input, 0
    if dim is None:
        input, dim = input.reshape(-1), 0
    dim = existing_dim(dim, input.ndim)
    positions = _repeated(repeats, input._array.shape[dim])
    if output_size is not None and output_size != positions.size:
        raise RuntimeError(f"allocated size does not match required size: {output_size} given, {positions.size} needed")
    return input[(slice(None),) * dim + (constant(positions),)]


def _repeated(repeats, size):
    """The positions 0 ... size-1, each as often as ``repeats`` says."""
    if isinstance(repeats, Tensor):
        if repeats._array.dtype not in (np.int64, np.int32):
            raise NotImplementedError(f"repeat_interleave: repeats must be int64 or int32, got {repeats.dtype.name}")
        if repeats.ndim > 1:
            raise RuntimeError(f"repeats must be 0-dim or 1-dim tensor, got shape {list(repeats.shape)}")
        if repeats.numel() not in (1, size):
            raise RuntimeError(f"repeats must have the same size as input along dim, {size}, but got {repeats.numel()}")
        tell_read("repeat_interleave(), whose result has as many elements as the counts say")
        repeats = repeats._array
    if np.any(np.less(repeats, 0)):
        raise RuntimeError("repeats can not be negative")
    return np.repeat(np.arange(size), repeats)


@op
def _roll(x, *, shifts, dims, out=None):
    """The elements moved on by ``shifts`` along ``dims``, the last ones to the front."""
    return np.asarray(np.roll(x, shifts, dims), order="C")


@_roll.vjp()
def _(g, shifts, dims):
    return apply(_roll.op, (g,), {"shifts": tuple(-each for each in shifts), "dims": dims})


@public
def roll(input, shifts, dims=None):
    """Elements moved on by ``shifts`` along ``dims``, the last ones to the front; without dims, along all flattened."""
    shifts = _several(shifts)
    if not shifts:
        raise RuntimeError("`shifts` required")
    if dims is None or dims == ():
        if len(shifts) != 1:
            raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:0")
        return roll(input.reshape(-1), shifts, 0).reshape(input.shape)
    dims = _several(dims)
    if len(shifts) != len(dims):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}")
    dims = tuple(existing_dim(each, input.ndim) for each in dims)
    return apply(_roll.op, (input,), {"shifts": shifts, "dims": dims})


def _several(value):
    """A tuple of ints, of one or several."""
    return sizes(value if isinstance(value, (tuple, list)) else (value,))


@public
def rot90(input, k=1, dims=(0, 1)):
    """Turned by k quarter turns in the plane of two axes, from the first towards the second."""
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    first, second = (canonical_dim(each, input.ndim) for each in dims)
    if first == second:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    turns = {0: (), 1: (second,), 2: (first, second), 3: (first,)}[k % 4]
    turned = flip(input, turns)
    return turned.transpose(first, second) if k % 2 else turned


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


@public
def fliplr(input):
    """The order along the second axis reversed, in a copy.  (A, B, *) -> (A, B, *)."""
    if input.ndim < 2:
        raise RuntimeError(f"Input must be >= 2-d, got {input.ndim}-d")
    return flip(input, 1)


@public
def flipud(input):
    """The order along the first axis reversed, in a copy.  (A, *) -> (A, *)."""
    if input.ndim < 1:
        raise RuntimeError("Input must be >= 1-d, got 0-d")
    return flip(input, 0)
