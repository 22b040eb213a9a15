"""Making a batch of examples."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...autograd import Tensor, dtypes
from ...autograd.tensor import wrap
from ...ops.joining import stack


def default_collate(batch: Sequence[Any]) -> Any:
    """Join examples into a batch with one more axis in front.

    Tensors, NumPy arrays and numbers become one Tensor (Python floats a float64 one, as in PyTorch); tuples, lists and
    dicts are joined item by item, a tuple to a list; strings and bytes stay a list.
    TypeError for anything else, RuntimeError for shapes or lengths that differ.
    """
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(list(batch))
    if isinstance(first, (np.ndarray, np.generic)):
        return _join_arrays(batch)
    if isinstance(first, float):
        return wrap(np.array(batch, np.float64))
    if isinstance(first, int):
        numbers = np.array(batch)
        return wrap(numbers.astype(dtypes.get_default_dtype().numpy) if numbers.dtype.kind == "f" else numbers)
    if isinstance(first, (str, bytes)):
        return list(batch)
    if isinstance(first, Mapping):
        return _rebuilt(first, {key: default_collate([example[key] for example in batch]) for key in first})
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*map(default_collate, _transposed(batch)))
    if isinstance(first, tuple):
        return [default_collate(items) for items in _transposed(batch)]
    if isinstance(first, Sequence):
        return _rebuilt(first, [default_collate(items) for items in _transposed(batch)])
    raise TypeError(_unsupported(type(first)))


def default_convert(data: Any) -> Any:
    """Turn the NumPy arrays inside an example into Tensors and leave the rest: what happens without batches."""
    if isinstance(data, (np.ndarray, np.generic)):
        array = np.asarray(data)
        return data if array.dtype.kind in "SUO" else wrap(_supported(array))
    if isinstance(data, Mapping):
        return _rebuilt(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*map(default_convert, data))
    if isinstance(data, tuple):
        return [default_convert(item) for item in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _rebuilt(data, [default_convert(item) for item in data])
    return data


def _join_arrays(batch: Sequence[Any]) -> Tensor:
    shapes = [np.shape(array) for array in batch]
    for i, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise RuntimeError(
                f"stack expects each array to be equal size, but got {list(shapes[0])} at entry 0 "
                f"and {list(shape)} at entry {i}"
            )
    return wrap(_supported(np.stack(batch)))


def _supported(array: np.ndarray) -> np.ndarray:
    """``array`` in native byte order and a dtype that tensors have. TypeError otherwise."""
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    if native.dtype not in dtypes.FROM_NUMPY:
        raise TypeError(_unsupported(array.dtype))
    return native


def _transposed(batch: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The first items of all examples, then the second ones, and so on."""
    lengths = {len(example) for example in batch}
    if len(lengths) > 1:
        raise RuntimeError(f"each element in list of batch should be of equal size, but got sizes {sorted(lengths)}")
    return list(zip(*batch, strict=True))


def _rebuilt(model: Any, plain: Any) -> Any:
    """``plain`` as a collection of the type of ``model`` where that type can be made of it."""
    make: Callable[[Any], Any] = type(model)
    try:
        return make(plain)
    except TypeError:
        return plain


def _unsupported(kind: Any) -> str:
    return f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {kind}"
