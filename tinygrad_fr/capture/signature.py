"""Arguments and results: their tensors, and what remains of them without."""

import operator
from typing import Any, NamedTuple

import numpy as np

from ..autograd import Tensor
from ..autograd.device import device
from ..autograd.dtypes import dtype
from .watching import is_immutable
from .world import hooks_of


class Refused(Exception):
    """Something that is neither a tensor, a container of such nor a plain value; the message names it."""


class Place:
    """Stands in a structure where a tensor was."""

    __slots__ = ("number",)

    def __init__(self, number: int):
        self.number = number


_PLAIN = {type(None), bool, int, float, complex, str, bytes, dtype, device, type(Ellipsis), slice, range}


def _is_plain(value: Any) -> bool:
    return type(value) in _PLAIN or isinstance(value, np.dtype)


# ---------------------------------------------------------------------------------------------------------------
# Results.


def flatten(value: Any) -> tuple[list[Tensor], Any, list[Any]]:
    """The tensors in a result, each once, the structure that `rebuild` takes, and the lists and dictionaries.

    `Refused` for other objects.
    """
    tensors: list[Tensor] = []
    numbers: dict[int, int] = {}
    containers: list[Any] = []

    def reduce(each: Any) -> Any:
        if isinstance(each, Tensor):
            if id(each) not in numbers:
                numbers[id(each)] = len(tensors)
                tensors.append(each)
            return Place(numbers[id(each)])
        if type(each) in (list, dict):
            if any(each is other for other in containers):
                raise Refused(f"one {type(each).__name__} in two places")
            containers.append(each)
        if type(each) is dict:
            return {key: reduce(one) for key, one in each.items()}
        if isinstance(each, tuple) and hasattr(each, "_fields"):
            return type(each)(*map(reduce, each))
        if type(each) in (list, tuple):
            return type(each)(map(reduce, each))
        if _is_plain(each) or isinstance(each, np.generic):
            return each
        raise Refused(f"a {type(each).__name__}")

    structure = reduce(value)
    return tensors, structure, containers


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


# ---------------------------------------------------------------------------------------------------------------
# Arguments.

_FLAGS = 0x100 | 0x400  # of NumPy's array flags: aligned, writeable


class Arguments(NamedTuple):
    """What a call is given.

    tensors     each time that one is given
    key         of all the rest: equal where a recorded call may be replayed
    objects     those of the user's classes, which the key knows by identity; and classes of named tuples
    containers  the elements of each list and dictionary, by which a change of them shows
    """

    tensors: list[Tensor]
    key: Any
    objects: list[Any]
    containers: list[Any]


def form(tensor: Tensor) -> tuple[Any, ...]:
    """What of a tensor a recorded call relies on."""
    array = tensor._array
    hooks = None if tensor._extra is None and tensor._node is None else (hooks_of(tensor), tensor.retains_grad)
    return (
        array.shape,
        array.dtype,
        array.strides,
        array.flags.num & _FLAGS,
        tensor._requires_grad,
        tensor._node is None,
        tensor.grad is None,
        tensor._version is None,
        type(tensor),
        hooks,
    )


def key_of_tensors(args: tuple[Any, ...]) -> Any:
    """The key of arguments that are all tensors, with an array of its own each: the frequent case. Else None."""
    forms, arrays = [], set()
    for each in args:
        if each.__class__ is not Tensor:
            return None
        forms.append(form(each))
        arrays.add(id(each._array))
    return tuple(forms) if len(arrays) == len(args) else None


def describe(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Arguments:
    """The arguments, as a recorded call sees them."""
    forms = key_of_tensors(args) if not kwargs else None
    if forms is not None:
        return Arguments(list(args), forms, [], [])
    found = Arguments([], None, [], [])
    tensors, _, objects, containers = found

    def key(each: Any) -> Any:
        if isinstance(each, Tensor):
            tensors.append(each)
            same_tensor = next(i for i, other in enumerate(tensors) if other is each)
            same_array = next(i for i, other in enumerate(tensors) if other._array is each._array)
            return (Tensor, same_tensor, same_array, form(each))
        if isinstance(each, (float, complex, np.generic)) and is_immutable(each):
            return (type(each), repr(each))  # 0.0 and -0.0 are two, NaN is one
        if isinstance(each, (slice, range)):
            return (type(each), key(each.start), key(each.stop), key(each.step))
        if _is_plain(each):
            return (type(each), each)
        if type(each) is tuple:
            return (tuple, *map(key, each))
        if isinstance(each, tuple) and hasattr(each, "_fields"):
            objects.append(type(each))
            return (type(each), *map(key, each))
        if type(each) is list:
            containers.append((each, _elements(each)))
            return (list, *map(key, each))
        if type(each) is dict:
            containers.append((each, _elements(each)))
            return (dict, *[(key(name), key(one)) for name, one in each.items()])
        objects.append(each)
        return (object, id(each))

    return found._replace(key=(key(args), key(kwargs) if kwargs else None))


def have_changed(containers: list[Any]) -> bool:
    """Whether lists or dictionaries hold something else than they did."""
    return any(
        len(_elements(container)) != len(before) or not all(map(operator.is_, _elements(container), before))
        for container, before in containers
    )


def _elements(container: Any) -> list[Any]:
    """The elements of a list; the keys and values of a dictionary."""
    return list(container) if isinstance(container, list) else [*container, *container.values()]
