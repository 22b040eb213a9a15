"""Arguments and results: their tensors, and what remains of them without."""

from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.device import device
from ..autograd.dtypes import dtype


class Refused(Exception):
    """Something that is neither a tensor, a container of such nor a plain value; the message names it."""


class Place:
    """Stands in a structure where a tensor was."""

    __slots__ = ("number",)

    def __init__(self, number: int):
        self.number = number


_PLAIN = (type(None), bool, int, float, complex, str, bytes, dtype, device, np.dtype, type(Ellipsis), slice, range)


def flatten(value: Any) -> tuple[list[Tensor], Any]:
    """The tensors in a result, each once, and the structure that `rebuild` takes. `Refused` for other objects."""
    tensors: list[Tensor] = []
    numbers: dict[int, int] = {}

    def reduce(each: Any) -> Any:
        if isinstance(each, Tensor):
            if id(each) not in numbers:
                numbers[id(each)] = len(tensors)
                tensors.append(each)
            return Place(numbers[id(each)])
        if isinstance(each, dict) and type(each) is dict:
            return {key: reduce(one) for key, one in each.items()}
        if isinstance(each, tuple) and hasattr(each, "_fields"):
            return type(each)(*map(reduce, each))
        if type(each) in (list, tuple):
            return type(each)(map(reduce, each))
        if isinstance(each, _PLAIN):
            return each
        raise Refused(f"a {type(each).__name__}")

    return tensors, reduce(value)


def rebuild(structure: Any, tensors: list[Tensor]) -> Any:
    """The result with ``tensors`` in their places, its containers made anew."""
    if isinstance(structure, Place):
        return tensors[structure.number]
    if isinstance(structure, dict):
        return {key: rebuild(each, tensors) for key, each in structure.items()}
    if isinstance(structure, tuple) and hasattr(structure, "_fields"):
        return type(structure)(*[rebuild(each, tensors) for each in structure])
    if isinstance(structure, (list, tuple)):
        return type(structure)([rebuild(each, tensors) for each in structure])
    return structure


def form(tensor: Tensor) -> tuple[Any, ...]:
    """What of a tensor a recorded call relies on."""
    array = tensor._array
    return (
        array.shape,
        array.dtype,
        array.strides,
        tensor._requires_grad,
        tensor._node is None,
        tensor.grad is None,
        array.flags.aligned,
        array.flags.writeable,
        tensor._version is None,
        type(tensor),
    )


def describe(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Tensor], tuple[Any, ...], list[Any]]:
    """The tensors among the arguments, a key of everything else about them, and the objects known by identity."""
    tensors: list[Tensor] = []
    objects: list[Any] = []

    def key(each: Any) -> Any:
        if isinstance(each, Tensor):
            tensors.append(each)
            same = next(i for i, other in enumerate(tensors) if other is each)
            return (Tensor, same, form(each))
        if isinstance(each, float):
            return (float, repr(each))  # 0.0 and -0.0 are two, NaN is one
        if isinstance(each, slice):
            return (slice, key(each.start), key(each.stop), key(each.step))
        if isinstance(each, _PLAIN):
            return (type(each), each)
        if isinstance(each, (list, tuple)):
            return (type(each), *map(key, each))
        if isinstance(each, dict):
            return (dict, *[(key(name), key(one)) for name, one in each.items()])
        objects.append(each)
        return (object, id(each))

    return tensors, (key(args), key(kwargs) if kwargs else None), objects
