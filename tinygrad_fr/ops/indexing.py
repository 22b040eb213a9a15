"""Reading and writing parts of a tensor: slices, integer arrays, masks; where a condition holds."""

import functools
import math
import operator
from typing import Any

import numpy as np

from .. import kernels as k
from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply, apply_view, broadcast, op
from ..autograd.inplace import write
from ..autograd.tensor import Tensor, constant, plain
from .arrays import add_at
from .convert import converted
from .splitting import unbind

# An index is applied in two steps, as PyTorch does: first what gives a view (ints, slices, None), then the integer
# arrays. Each step is described by something hashable, in which ARRAY stands for an integer array.
ARRAY = "array"
ALL = ("slice", None, None, None)
Static = tuple[Any, ...]


class _Index:
    """An index in its two steps: ``view`` gives a view, of which ``places`` and ``arrays`` take elements."""

    def __init__(self, index: Any):
        self.view: Static = ()
        self.places: Static = ()
        self.arrays: list[Tensor] = []
        self.masks: list[tuple[int, tuple[int, ...]]] = []  # at which place, of which shape
        for item in index if isinstance(index, tuple) else (index,):
            self._read(item)
        if self.view.count(Ellipsis) > 1:
            raise IndexError("an index can only have a single ellipsis ('...')")

    def _read(self, item: Any) -> None:
        if item is None:
            self._add(None, ALL)
        elif item is Ellipsis:
            self._add(Ellipsis, Ellipsis)
        elif isinstance(item, slice):
            bounds = [None if each is None else operator.index(each) for each in _bounds(item)]
            self._add(("slice", *bounds), ALL)
        elif _is_single_truth(item):  # x[True] is x[None]; x[False] has no elements
            self._add(None, ARRAY)
            self.arrays.append(constant(np.zeros(int(bool(item)), np.int64)))
        elif isinstance(item, (list, Tensor, np.ndarray, range)) and not _is_single_integer(item):
            self._read_array(_as_index_tensor(item))
        else:
            self.view = (*self.view, _integer(item))

    def _read_array(self, tensor: Tensor) -> None:
        if _is_mask(tensor):
            self.masks.append((len(self.places), tensor._array.shape))
            found = nonzero(tensor, as_tuple=True)
        else:
            found = (tensor.to(dtypes.int64),)
        for each in found:
            self._add(ALL, ARRAY)
            self.arrays.append(each)

    def _add(self, step: Any, place: Any) -> None:
        self.view = (*self.view, step)
        self.places = (*self.places, place)

    def viewed(self, tensor: Tensor) -> Tensor:
        """The first step: ``tensor`` itself where there is nothing to do."""
        used = sum(1 for each in self.view if each is not None and each is not Ellipsis)
        if used > tensor.ndim:
            raise IndexError(f"too many indices for tensor of dimension {tensor.ndim} (got {used})")
        nothing = self.arrays and all(each == ALL or each is Ellipsis for each in self.view)
        part = tensor if nothing else apply_view(_slice.op, tensor, {"index": self.view})
        for place, shape in self.masks:
            self._check_mask(place, shape, part._array.shape)
        if Ellipsis in self.places and len(self.places) - 1 == part.ndim:
            # it stands for no axis; NumPy would take the arrays around it for apart, and put their axes in front
            self.places = tuple(each for each in self.places if each is not Ellipsis)
        return part

    def _check_mask(self, place: int, shape: tuple[int, ...], indexed: tuple[int, ...]) -> None:
        axis = place if Ellipsis not in self.places[:place] else len(indexed) - (len(self.places) - place)
        if indexed[axis : axis + len(shape)] != shape:
            raise IndexError(
                f"The shape of the mask {list(shape)} at index {axis} does not match the shape of the indexed tensor "
                f"{list(indexed)} at index {axis}"
            )


def _bounds(item: slice) -> tuple[Any, Any, Any]:
    if item.step is not None and operator.index(item.step) <= 0:
        raise ValueError(f"step must be greater than zero, got {item.step}; use flip() to reverse an axis")
    return item.start, item.stop, item.step


def _is_single_integer(item: Any) -> bool:
    return isinstance(item, Tensor) and item.ndim == 0 and item._array.dtype.kind in "iu"


def _is_single_truth(item: Any) -> bool:
    if isinstance(item, Tensor):
        return item.ndim == 0 and _is_mask(item)
    return isinstance(item, (bool, np.bool_)) or (
        isinstance(item, np.ndarray) and item.shape == () and item.dtype == bool
    )


def _is_mask(tensor: Tensor) -> bool:
    return tensor._array.dtype in (np.bool_, np.uint8)


def _integer(item: Any) -> int:
    try:
        return operator.index(item)
    except TypeError:
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
            f"(got {type(item).__name__})"
        ) from None


def _as_index_tensor(item: Any) -> Tensor:
    if isinstance(item, Tensor):
        tensor = item
    else:
        array = np.asarray(plain(list(item) if isinstance(item, range) else item))
        tensor = constant(array.astype(np.int64) if array.size == 0 else array)
    if tensor._array.dtype.kind not in "iub":
        raise IndexError(f"tensors used as indices must be long, int, byte or bool tensors, got {tensor._array.dtype}")
    return tensor


def _numpy_index(static: Static, arrays: tuple[np.ndarray, ...]) -> tuple[Any, ...]:
    remaining = iter(arrays)
    return tuple(
        next(remaining) if item is ARRAY or item == ARRAY else slice(*item[1:]) if isinstance(item, tuple) else item
        for item in static
    )


@functools.lru_cache(maxsize=1024)
def _numpy_view(static: Static) -> tuple[Any, ...]:
    """`_numpy_index` without arrays; programs ask for the same parts again and again."""
    return _numpy_index(static, ())


# --- slices: views -----------------------------------------------------------------------------------------------


@op(view=True)
def _slice(x, *, index, out=None):
    """The part of x that ints, slices, None and Ellipsis select."""
    items = _numpy_view(index)
    part = x[items]
    return part if part.__class__ is np.ndarray else x[(*items, ...)]


@_slice.vjp()
def _(g, x_shape, index):
    return apply(_unslice.op, (g,), {"shape": x_shape, "index": index})


@op(launches=True)
def _unslice(x, *, shape, index, out=None):
    """Zeros of ``shape`` with x at ``index``."""
    begin = _first_row(index, shape) if x.dtype.kind == "f" and x.size >= _MANY else None
    if begin is not None:
        return k.placing.place(x, begin, shape, out=out)
    k._launch.not_in_a_program("NumPy places the elements")
    result = np.zeros(shape, x.dtype)
    result[_numpy_index(index, ())] = x
    return result


_MANY = 1 << 13  # elements; below, NumPy places them as fast


def _first_row(index, shape):
    """The first of the rows that ``index`` selects, if it selects whole rows that follow one another."""
    items = _numpy_view(index)
    if len(items) != 1 or not isinstance(items[0], slice):
        return None
    start, stop, step = items[0].indices(shape[0])
    return start if step == 1 and start < stop else None


@_unslice.vjp()
def _(g, index):
    return apply_view(_slice.op, g, {"index": index})


# --- integer arrays: copies --------------------------------------------------------------------------------------


@op
def _take(x, *indices, static, out=None):
    """The elements of x at integer arrays (NumPy's advanced indexing)."""
    try:
        return np.asarray(x[_numpy_index(static, indices)], order="C")
    except IndexError as error:
        raise _explained(error, x) from None


@_take.vjp("x")
def _(g, x_shape, indices, static):
    return apply(_put_add.op, (g, *indices), {"shape": x_shape, "static": static})


@op
def _put_add(x, *indices, shape, static, out=None):
    """Zeros of ``shape`` to which x is added at integer arrays; an element named twice gets both."""
    result = np.zeros(shape, x.dtype)
    _add_at(result, static, indices, x)
    return result


@_put_add.vjp("x")
def _(g, indices, static):
    return apply(_take.op, (g, *indices), {"static": static})


@op
def _put(x, value, *indices, static, out=None):
    """x with ``value`` at integer arrays."""
    out = copied(x, out)
    try:
        out[_numpy_index(static, indices)] = value
    except IndexError as error:
        raise _explained(error, x) from None
    return out


@_put.vjp("x")
def _(g, indices, static):
    return apply(_zero_at.op, (g, *indices), {"static": static})


@_put.vjp("value")
def _(g, value_shape, indices, static):
    return apply(_take.op, (g, *indices), {"static": static}).sum_to_size(value_shape)


@op
def _accumulate(x, value, *indices, static, out=None):
    """x to which ``value`` is added at integer arrays; an element named twice gets both."""
    out = copied(x, out)
    try:
        _add_at(out, static, indices, value)
    except IndexError as error:
        raise _explained(error, x) from None
    return out


@_accumulate.vjp("x")
def _(g):
    return g


@_accumulate.vjp("value")
def _(g, value_shape, indices, static):
    return apply(_take.op, (g, *indices), {"static": static}).sum_to_size(value_shape)


def _add_at(out, static, indices, x):
    """Add x to ``out``, in place, at integer arrays."""
    places = _numpy_index(_for_each_axis(static, out.ndim), indices)
    is_array = [place.__class__ is np.ndarray for place in places]
    first, end = is_array.index(True), out.ndim - is_array[::-1].index(True)
    if not all(is_array[first:end]):  # NumPy puts the axes of arrays that are apart in front of all others
        first, end = 0, out.ndim
    found = places[first] if end - first == 1 else _counted_as_one(out.shape[first:end], places[first:end])
    add_at(out, first, end, found, np.broadcast_to(x, out.shape[:first] + found.shape + out.shape[end:]))


def _counted_as_one(sizes, index):
    """The places that an index of axes of these sizes names, counted in them flattened."""
    return np.arange(math.prod(sizes)).reshape(sizes)[index]


def _for_each_axis(static, ndim):
    """``static`` without an Ellipsis, and with what it says of every axis."""
    place = static.index(Ellipsis) if Ellipsis in static else len(static)
    named = static[:place], static[place + 1 :]
    return named[0] + (ALL,) * (ndim - len(named[0]) - len(named[1])) + named[1]


def copied(x, out):
    """Where an op that changes some elements of x writes: a copy of it, or ``out``, which is x or becomes like it."""
    if out is None:
        return x.copy()
    if out is not x:
        np.copyto(out, x)
    return out


@op
def _zero_at(x, *indices, static, out=None):
    """x with 0 at integer arrays."""
    result = x.copy()
    result[_numpy_index(static, indices)] = 0
    return result


@_zero_at.vjp("x")
def _(g, indices, static):
    return apply(_zero_at.op, (g, *indices), {"static": static})


def _simple(index: Any) -> Static | None:
    """What `_Index.view` would be of ints and slices of ints alone, the frequent case; None for anything else."""
    view = []
    for item in index if index.__class__ is tuple else (index,):
        if item.__class__ is slice:
            start, stop = item.start, item.stop
            if not (
                item.step is None
                and (start is None or start.__class__ is int)
                and (stop is None or stop.__class__ is int)
            ):
                return None
            view.append(("slice", start, stop, None))
        elif item.__class__ is int:
            view.append(item)
        else:
            return None
    return tuple(view)


def getitem(self, index):
    """``tensor[index]``: a view for ints, slices, None and ``...``; a copy for integer tensors and masks."""
    try:
        simple = _simple(index)
        if simple is not None and len(simple) <= self._array.ndim:
            return apply_view(_slice.op, self, {"index": simple})
        index = _Index(index)
        part = index.viewed(self)
    except IndexError as error:
        raise _explained(error, self._array) from None
    return apply(_take.op, (part, *index.arrays), {"static": index.places}) if index.arrays else part


def setitem(self, index, value):
    """``tensor[index] = value``, broadcast and converted; the graph sees it."""
    index = _Index(index)
    kind = self._array.dtype
    value = value.to(self.dtype) if isinstance(value, Tensor) else constant(converted(plain(value), kind))
    try:
        part = index.viewed(self)
    except IndexError as error:
        raise _explained(error, self._array) from None
    if index.arrays:
        write(_put.op, part, (_broadcastable(value, part, index), *index.arrays), {"static": index.places})
    else:
        part.copy_(_without_leading_ones(value, part.ndim))


def _broadcastable(value, part, index):
    """``value`` as it can be written at the arrays of ``index``; RuntimeError where its shape does not fit."""
    arrays = tuple(each._array for each in index.arrays)
    try:
        shape = part._array[_numpy_index(index.places, arrays)].shape
    except IndexError as error:
        raise _explained(error, part._array) from None
    value = _without_leading_ones(value, len(shape))
    if not _fits(value._array.shape, shape):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(value.shape)} cannot be broadcast to indexing result of "
            f"shape {list(shape)}"
        )
    return value


def _fits(shape, target):
    """Whether ``shape`` broadcasts to ``target``."""
    return len(shape) <= len(target) and all(a in (1, b) for a, b in zip(shape[::-1], target[::-1], strict=False))


def _without_leading_ones(value, axes):
    """``value`` with no more than ``axes`` axes, if those in front of them have size 1."""
    while value.ndim > axes and value._array.shape[0] == 1:
        value = value.squeeze(0)
    return value


def _explained(error, array):
    return IndexError(f"{error} (indexing a tensor of shape {list(array.shape)})")


Tensor.__getitem__ = getitem
Tensor.__setitem__ = setitem


def _put_call(self, indices, values, accumulate):
    """The op, its inputs and parameters of an `index_put`."""
    index = _Index(tuple(slice(None) if each is None else each for each in indices))
    if not index.arrays:
        raise IndexError("index_put: expected at least one tensor among the indices")
    if values._array.dtype is not self._array.dtype:
        raise RuntimeError(
            f"Index put requires the source and destination dtypes match, got {self.dtype.name} for the destination "
            f"and {values.dtype.name} for the source."
        )
    made = _accumulate if accumulate else _put
    part = index.viewed(self)
    if part is not self:
        raise NotImplementedError("index_put: a mask without axes is not supported; use tensor[mask] = values")
    values = _broadcastable(values, part, index)
    return made.op, (values, *index.arrays), {"static": index.places}


@public
def index_put(input, indices, values, accumulate=False):
    """A copy with ``values`` at a tuple of integer tensors or masks, or with them added there: all that meet."""
    made, others, params = _put_call(input, indices, values, accumulate)
    return apply(made, (input, *others), params)


@public
def index_put_(input, indices, values, accumulate=False):
    """`index_put`, written into the tensor itself."""
    made, others, params = _put_call(input, indices, values, accumulate)
    return write(made, input, others, params)


# --- by condition ------------------------------------------------------------------------------------------------


@op
def _where(condition, x, y, *, out=None):
    """x where the condition holds, else y."""
    return np.where(condition, x, y)


@_where.vjp("x")
def _(g, condition):
    return apply(_where.op, (condition, g, constant(np.zeros((), g._array.dtype))), {})


@_where.vjp("y")
def _(g, condition):
    return apply(_where.op, (condition, constant(np.zeros((), g._array.dtype)), g), {})


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
    broadcast("where", *[each._array for each in (condition, input, other) if isinstance(each, Tensor)])
    x, y = (
        each.to(kind) if isinstance(each, Tensor) else constant(converted(plain(each), kind.numpy))
        for each in (input, other)
    )
    return apply(_where.op, (condition, x, y), {})


@public(function_name=None, method="where")
def _where_of(self, condition, other):
    """The tensor where ``condition`` holds, else other, broadcast.  (*) -> (*)."""
    return where(condition, self, other)


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


@public
def argwhere(input):
    """The positions of the elements that are not 0, one in a row.  -> (count, axes)."""
    return nonzero(input)
