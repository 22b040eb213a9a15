"""Reading and writing slices along one axis, and elements of all flattened, by their positions."""

import inspect

import numpy as np

from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply
from ..autograd.inplace import write
from ..autograd.tensor import Tensor, constant, plain
from .axes import numpy_names
from .checks import check_values
from .convert import converted
from .gathering import as_vector, check_bounds, gather
from .indexing import ALL, ARRAY, _accumulate, _put, _take, where
from .shape import broadcast_shapes, canonical_dim, existing_dim

# --- slices along one axis ---------------------------------------------------------------------------------------


def _slices(name, input, dim, index, kinds=(np.int64,), negative=False):
    """``dim`` counted from the front and the vector of positions along it, checked."""
    dim = canonical_dim(dim, input.ndim)
    if index._array.dtype not in kinds:
        expected = "/".join(np.dtype(each).name for each in kinds)
        raise RuntimeError(f"{name}(): Expected dtype {expected} for index, got {index.dtype.name}")
    if index.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, got shape {list(index.shape)}")
    size = input._array.shape[dim] if input.ndim else 1
    index = as_vector(index.to(dtypes.int64))
    if negative:
        index = where(index < 0, index + size, index)
    check_bounds(index, dim, size)
    return dim, index


def _at(dim, index):
    """The inputs and parameters by which the ops of `indexing` take slices."""
    return (index,), {"static": (ALL,) * dim + (ARRAY,)}


@public
@numpy_names
def index_select(input, dim, index):
    """The slices of ``input`` at the positions ``index`` (1-D) along ``dim``."""
    dim, index = _slices("index_select", input, dim, index, (np.int64, np.int32))
    if input.ndim == 0 and index.numel() > 1:
        raise RuntimeError(f"index_select(): Index to scalar can have only 1 value, got {index.numel()} value(s)")
    if input.ndim == 0:
        return input.clone()
    arrays, params = _at(dim, index)
    return apply(_take.op, (input, *arrays), params)


def _source(name, input, dim, index, source):
    """``source`` as slices along ``dim`` of ``input``, one for each position."""
    if source._array.dtype is not input._array.dtype:
        raise RuntimeError(
            f"{name}_(): self and source expected to have the same dtype, but got (self) {input.dtype.name} and "
            f"(source) {source.dtype.name}"
        )
    own, given = as_vector(input)._array.shape, as_vector(source)._array.shape
    if len(own) != len(given) or own[:dim] != given[:dim] or own[dim + 1 :] != given[dim + 1 :]:
        raise RuntimeError(
            f"{name}_(): source tensor shape must match self tensor shape, excluding the specified dimension. Got "
            f"self.shape = {list(input.shape)} source.shape = {list(source.shape)}"
        )
    if given[dim] != index.numel():
        kind = IndexError if name == "index_copy" else RuntimeError
        raise kind(
            f"{name}_(): Number of indices ({index.numel()}) should be equal to source.size(dim): ({given[dim]}), for "
            f"dim: {dim}"
        )
    return as_vector(source)


def _slice_writer(name, prepare, made, document):
    """``name`` and ``name_``: ``made`` writes what ``prepare`` gives at slices."""

    def copy(input, *args, **kwargs):
        others, params = prepare(input, *args, **kwargs)
        return apply(made.op, (as_vector(input), *others), params).reshape(input.shape)

    def in_place(self, *args, **kwargs):
        others, params = prepare(self, *args, **kwargs)
        write(made.op, as_vector(self), others, params)
        return self

    copy.__name__ = copy.__qualname__ = name
    in_place.__name__ = in_place.__qualname__ = f"{name}_"
    copy.__doc__, in_place.__doc__ = document, f"`{name}`, written into the tensor itself."
    copy.__signature__ = in_place.__signature__ = inspect.signature(prepare)
    public(numpy_names(in_place), function_name=None)
    return public(numpy_names(copy))


def _adding(input, dim, index, source, *, alpha=1):
    dim, index = _slices("index_add", input, dim, index, (np.int64, np.int32))
    source = _source("index_add", input, dim, index, source)
    if isinstance(alpha, float) and not input.is_floating_point():
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    arrays, params = _at(dim, index)
    return (source if alpha == 1 else source * alpha, *arrays), params


def _copying(input, dim, index, source):
    dim, index = _slices("index_copy", input, dim, index)
    arrays, params = _at(dim, index)
    return (_source("index_copy", input, dim, index, source), *arrays), params


def _filling(input, dim, index, value):
    dim, index = _slices("index_fill", input, dim, index, negative=True)
    if not isinstance(value, Tensor):
        value = constant(converted(plain(value), input._array.dtype))
    elif value.ndim:
        raise RuntimeError(
            f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
        )
    arrays, params = _at(dim, index)
    return (value.to(input.dtype), *arrays), params


index_add = _slice_writer(
    "index_add",
    _adding,
    _accumulate,
    "A copy of ``input`` to whose slices at ``index`` along ``dim`` alpha * source is added.",
)
index_copy = _slice_writer(
    "index_copy", _copying, _put, "A copy of ``input`` whose slices at ``index`` along ``dim`` are those of ``source``."
)
index_fill = _slice_writer(
    "index_fill", _filling, _put, "A copy of ``input`` whose slices at ``index`` along ``dim`` hold one number."
)


# --- in all elements flattened -----------------------------------------------------------------------------------


def _flat_positions(name, input, index):
    """The index of elements of ``input`` flattened, counted from the front."""
    if index._array.dtype != np.int64:
        raise RuntimeError(f"{name}(): Expected a long tensor for index, but got {index.dtype.name}")
    total = input.numel()

    def check(positions):
        if positions.size and (positions.min() < -total or positions.max() >= total):
            bad = positions[(positions < -total) | (positions >= total)].ravel()[0]
            raise IndexError(f"out of range: tried to access index {bad} on a tensor of {total} elements.")

    check_values(index, check)
    return index


@public
def take(input, index):
    """The elements of ``input``, flattened, at the positions ``index``.  -> the shape of index."""
    index = _flat_positions("take", input, index)
    return apply(_take.op, (input.reshape(-1), index), {"static": (ARRAY,)})


def _putting(self, index, source, accumulate):
    index = _flat_positions("put_", self, index)
    if source._array.dtype is not self._array.dtype:
        raise RuntimeError(
            f"put_(): self and source expected to have the same dtype, but got self.dtype = {self.dtype.name} and "
            f"source.dtype = {source.dtype.name}"
        )
    if source.numel() != index.numel():
        raise IndexError(
            f"put_(): Expected source and index to have the same number of elements, but got source.numel() = "
            f"{source.numel()}, index.numel() = {index.numel()}"
        )
    made = _accumulate if accumulate else _put
    return made.op, (source.reshape(-1), index.reshape(-1)), {"static": (ARRAY,)}


@public
def put(input, index, source, accumulate=False):
    """A copy of ``input`` with ``source`` at positions of its elements flattened, or with it added there."""
    made, others, params = _putting(input, index, source, accumulate)
    return apply(made, (input.reshape(-1), *others), params).reshape(input.shape)


@public(function_name=None)
def put_(self, index, source, accumulate=False):
    """`put`, written into the tensor itself."""
    made, others, params = _putting(self, index, source, accumulate)
    if not self.is_contiguous():
        return self.copy_(put(self, index, source, accumulate))
    write(made, self.view(-1), others, params)
    return self


@public
@numpy_names
def take_along_dim(input, indices, dim=None):
    """The elements at ``indices`` along ``dim``, broadcast along the other axes; without dim, of all flattened."""
    if indices._array.dtype != np.int64:
        raise RuntimeError(f"torch.take_along_dim(): dtype of indices should be Long but got {indices.dtype.name}")
    if dim is None:
        return take_along_dim(input.reshape(-1), indices.reshape(-1), 0)
    if input.ndim != indices.ndim:
        raise RuntimeError(
            f"torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    dim = existing_dim(dim, input.ndim)
    own, given = list(input.shape), list(indices.shape)
    size, count = own[dim], given[dim]
    own[dim] = given[dim] = 1
    wide, long = list(broadcast_shapes(own, given)), list(broadcast_shapes(own, given))
    wide[dim], long[dim] = size, count
    indices = where(indices < 0, indices + size, indices)
    return gather(input.expand(wide), dim, indices.expand(long))
