"""Reading and writing parts of a tensor: slices, integer arrays, masks; gather, where, masked_fill."""

import operator
from typing import Any

import numpy as np

from ..autograd import dtypes
from ..autograd.inplace import write
from ..autograd.op import apply, op, public
from ..autograd.tensor import Tensor, plain, wrap
from .shape import canonical_dim, unbind

# An index is split in two: a static part, hashable, in which ARRAY stands for an integer array, and those arrays.
ARRAY = "array"
Static = tuple[Any, ...]


def _parse(index: Any, shape: tuple[int, ...]) -> tuple[Static, list[Tensor]]:
    """The static part and the integer arrays of ``index``, checked against ``shape``."""
    items = index if isinstance(index, tuple) else (index,)
    static: list[Any] = []
    arrays: list[Tensor] = []
    for item in items:
        if item is None or item is Ellipsis:
            static.append(item)
        elif isinstance(item, slice):
            static.append(("slice", *[None if each is None else operator.index(each) for each in _bounds(item)]))
        elif _is_single_truth(item):
            static.append(None)  # x[True] is x[None]; x[False] has no elements
            static.append(ARRAY)
            arrays.append(wrap(np.zeros(int(bool(item)), np.int64)))
        elif isinstance(item, (list, Tensor, np.ndarray, range)) and not _is_single_integer(item):
            found = _integer_arrays(item)
            static.extend([ARRAY] * len(found))
            arrays.extend(found)
        else:
            static.append(_integer(item))
    return _check(tuple(static), arrays, shape)


def _bounds(item: slice) -> tuple[Any, Any, Any]:
    if item.step is not None and operator.index(item.step) <= 0:
        raise ValueError(f"step must be greater than zero, got {item.step}; use flip() to reverse an axis")
    return item.start, item.stop, item.step


def _is_single_integer(item: Any) -> bool:
    return isinstance(item, Tensor) and item.ndim == 0 and item._array.dtype.kind in "iu"


def _is_single_truth(item: Any) -> bool:
    if isinstance(item, (Tensor, np.ndarray)):
        return item.ndim == 0 and np.asarray(plain(item)).dtype.kind == "b"
    return isinstance(item, (bool, np.bool_))


def _integer(item: Any) -> int:
    try:
        return operator.index(item)
    except TypeError:
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
            f"(got {type(item).__name__})"
        ) from None


def _integer_arrays(item: Any) -> list[Tensor]:
    """An integer array as int64; a mask as the positions of its True elements, one array an axis."""
    tensor = (
        item if isinstance(item, Tensor) else wrap(np.asarray(plain(list(item) if isinstance(item, range) else item)))
    )
    array = tensor._array
    if array.dtype.kind == "b":
        return list(nonzero(tensor, as_tuple=True))
    if array.dtype.kind not in "iu":
        if array.size == 0 and not isinstance(item, Tensor):
            return [wrap(array.astype(np.int64))]
        raise IndexError(f"tensors used as indices must be long, int, byte or bool tensors, got {tensor.dtype.name}")
    return [tensor if array.dtype == np.int64 else tensor.to(dtypes.int64)]


def _check(static: Static, arrays: list[Tensor], shape: tuple[int, ...]) -> tuple[Static, list[Tensor]]:
    """IndexError where there are more indices than axes."""
    used = sum(1 for each in static if each is not None and each is not Ellipsis)
    if static.count(Ellipsis) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if used > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)} (got {used})")
    return static, arrays


def _numpy_index(static: Static, arrays: tuple[np.ndarray, ...]) -> tuple[Any, ...]:
    remaining = iter(arrays)
    return tuple(
        next(remaining) if item is ARRAY or item == ARRAY else slice(*item[1:]) if isinstance(item, tuple) else item
        for item in static
    )


# --- slices: views -----------------------------------------------------------------------------------------------


@op(view=True)
def _slice(x, *, index, out=None):
    """The part of x that ints, slices, None and Ellipsis select."""
    part = x[_numpy_index(index, ())]
    return part if type(part) is np.ndarray else x[(*_numpy_index(index, ()), ...)]


@_slice.vjp()
def _(g, x_shape, index):
    return apply(_unslice.op, (g,), {"shape": x_shape, "index": index})


@op
def _unslice(x, *, shape, index, out=None):
    """Zeros of ``shape`` with x at ``index``."""
    result = np.zeros(shape, x.dtype)
    result[_numpy_index(index, ())] = x
    return result


@_unslice.vjp()
def _(g, index):
    return apply(_slice.op, (g,), {"index": index})


# --- integer arrays: copies --------------------------------------------------------------------------------------


@op
def _take(x, *indices, static, out=None):
    """The elements of x at integer arrays (NumPy's advanced indexing)."""
    return np.asarray(x[_numpy_index(static, indices)])


@_take.vjp("x")
def _(g, x_shape, indices, static):
    return apply(_put_add.op, (g, *indices), {"shape": x_shape, "static": static})


@op
def _put_add(x, *indices, shape, static, out=None):
    """Zeros of ``shape`` to which x is added at integer arrays; an element named twice gets both."""
    result = np.zeros(shape, x.dtype)
    np.add.at(result, _numpy_index(static, indices), x)
    return result


@_put_add.vjp("x")
def _(g, indices, static):
    return apply(_take.op, (g, *indices), {"static": static})


@op
def _put(x, value, *indices, static, out):
    """x with ``value`` at integer arrays."""
    out[_numpy_index(static, indices)] = value
    return out


@_put.vjp("x")
def _(g, indices, static):
    keep = wrap(np.ones(g._array.shape, g._array.dtype))
    keep._array[_numpy_index(static, tuple(each._array for each in indices))] = 0
    return g * keep


@_put.vjp("value")
def _(g, value_shape, indices, static):
    return apply(_take.op, (g, *indices), {"static": static}).sum_to_size(value_shape)


def getitem(self, index):
    """``tensor[index]``: a view for ints, slices, None and ``...``; a copy for integer tensors and masks."""
    static, arrays = _parse(index, self._array.shape)
    try:
        if arrays:
            return apply(_take.op, (self, *arrays), {"static": static})
        return apply(_slice.op, (self,), {"index": static})
    except IndexError as error:
        raise _explained(error, self) from None


def setitem(self, index, value):
    """``tensor[index] = value``, broadcast and converted; the graph sees it."""
    static, arrays = _parse(index, self._array.shape)
    value = value if isinstance(value, Tensor) else wrap(np.asarray(plain(value)))
    value = value.to(self.dtype)
    try:
        if not arrays:
            apply(_slice.op, (self,), {"index": static}).copy_(_without_leading_ones(value, self, static))
        else:
            write(_put.op, self, (value, *arrays), {"static": static})
    except IndexError as error:
        raise _explained(error, self) from None
    except ValueError as error:  # NumPy's words for shapes that do not fit
        raise RuntimeError(f"shape mismatch: cannot write a value of shape {list(value.shape)}: {error}") from None


def _without_leading_ones(value, target, static):
    """``value`` with as many axes as the part it is written to: leading axes of size 1 are dropped."""
    axes = target._array[_numpy_index(static, ())].ndim
    while value.ndim > axes and value._array.shape[0] == 1:
        value = value.squeeze(0)
    return value


def _explained(error, tensor):
    return IndexError(f"{error} (indexing a tensor of shape {list(tensor.shape)})")


Tensor.__getitem__ = getitem
Tensor.__setitem__ = setitem


# --- by position along one axis ----------------------------------------------------------------------------------


@op
def _gather(x, index, *, dim, out=None):
    """x[..., index[...], ...] along ``dim``."""
    return x[_along(index, dim)]


@_gather.vjp("x")
def _(g, index, x_shape, dim):
    return apply(_scatter_add.op, (g, index), {"shape": x_shape, "dim": dim})


@op
def _scatter_add(x, index, *, shape, dim, out=None):
    """Zeros of ``shape`` to which x is added at ``index`` along ``dim``."""
    result = np.zeros(shape, x.dtype)
    np.add.at(result, _along(index, dim), x)
    return result


@_scatter_add.vjp("x")
def _(g, index, dim):
    return apply(_gather.op, (g, index), {"dim": dim})


def _along(index, dim):
    """NumPy's index for "position along ``dim``, own place along the others"."""
    places = np.ogrid[tuple(slice(size) for size in index.shape)]
    return tuple(index if i == dim else place for i, place in enumerate(places))


@public
def gather(input, dim, index):
    """The elements of ``input`` at the positions ``index`` along ``dim``.  -> the shape of index."""
    dim = canonical_dim(dim, input.ndim)
    if index._array.dtype != np.int64:
        raise RuntimeError(f"gather(): Expected dtype int64 for index, got {index.dtype.name}")
    if index.ndim != input.ndim:
        raise RuntimeError(
            f"Index tensor must have the same number of dimensions as input tensor ({index.ndim} and {input.ndim})"
        )
    for i, (size, bound) in enumerate(zip(index._array.shape, input._array.shape, strict=True)):
        if i != dim and size > bound:
            raise RuntimeError(
                f"Size does not match at dimension {i} expected index {list(index.shape)} to be no larger than self "
                f"{list(input.shape)} apart from dimension {dim}"
            )
    _check_bounds(index._array, dim, input._array.shape[dim] if input.ndim else 1)
    if input.ndim == 0:
        return input.clone()
    return apply(_gather.op, (input, index), {"dim": dim})


def _check_bounds(index, dim, size):
    if index.size and (index.min() < 0 or index.max() >= size):
        bad = index[(index < 0) | (index >= size)].ravel()[0]
        raise IndexError(f"index {bad} is out of bounds for dimension {dim} with size {size}")


@public
def index_select(input, dim, index):
    """The slices of ``input`` at the positions ``index`` (1-D) along ``dim``."""
    dim = canonical_dim(dim, input.ndim)
    if index.ndim > 1:
        raise IndexError(f"index_select(): Index is supposed to be a vector, got shape {list(index.shape)}")
    _check_bounds(index._array, dim, input._array.shape[dim])
    return input[(slice(None),) * dim + (index,)]


# --- by condition ------------------------------------------------------------------------------------------------


@op
def _where(condition, x, y, *, out=None):
    """x where the condition holds, else y."""
    return np.where(condition, x, y)


@_where.vjp("x")
def _(g, condition):
    return apply(_where.op, (condition, g, wrap(np.zeros((), g._array.dtype))), {})


@_where.vjp("y")
def _(g, condition):
    return apply(_where.op, (condition, wrap(np.zeros((), g._array.dtype)), g), {})


@public(method=False)
def where(condition, input=None, other=None):
    """input where ``condition`` holds, else other, broadcast; with the condition alone, where it holds (`nonzero`)."""
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if condition._array.dtype != np.bool_:
        raise RuntimeError(
            f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype}"
        )
    kind = dtypes.result_type(input, other)
    x, y = (
        each.to(kind) if isinstance(each, Tensor) else wrap(np.asarray(each, kind.numpy)) for each in (input, other)
    )
    return apply(_where.op, (condition, x, y), {})


Tensor.where = lambda self, condition, other: where(condition, self, other)  # type: ignore[attr-defined]


@public
def masked_fill(input, mask, value):
    """``value`` where ``mask`` holds, else input, broadcast.  (*) -> (*)."""
    if mask._array.dtype != np.bool_:
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype.name}")
    if not isinstance(value, Tensor):
        value = wrap(np.asarray(value, input._array.dtype))
    elif value.ndim:
        raise RuntimeError(
            f"masked_fill only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
        )
    return where(mask, value.to(input.dtype), input)


@public(function_name=None)
def masked_fill_(self, mask, value):
    """`masked_fill`, written into the tensor itself."""
    filled = masked_fill(self, mask, value)
    if filled._array.shape != self._array.shape:
        raise RuntimeError(
            f"output with shape {list(self.shape)} doesn't match the broadcast shape {list(filled.shape)}"
        )
    return self.copy_(filled)


@public
def masked_select(input, mask):
    """The elements where ``mask`` holds, in one axis."""
    if mask._array.dtype != np.bool_:
        raise RuntimeError(f"masked_select: expected BoolTensor for mask, got {mask.dtype.name}")
    shape = np.broadcast_shapes(input._array.shape, mask._array.shape)
    return input.expand(shape)[mask.expand(shape)]


@public
def nonzero(input, *, as_tuple=False):
    """The positions of the elements that are not 0.  -> (count, axes), or a tuple with one array an axis."""
    if as_tuple:
        return unbind(nonzero(input if input.ndim else input.reshape(1)), 1)
    return apply(_nonzero.op, (input,), {})


@op
def _nonzero(x, *, out=None):
    """The positions of the elements that are not 0, one in a row."""
    return np.argwhere(x)
