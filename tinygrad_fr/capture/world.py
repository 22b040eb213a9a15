"""The Python state that a function reaches: what a captured step relies on staying as it is.

A replay runs no Python of the function. So everything it could have read is found beforehand, from its code: closure
variables, globals, attributes of objects, elements of containers, and so on from there. Before each replay all of it
must still be the very same objects.
"""

import builtins
import collections
import functools
import inspect
import itertools
import operator
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .. import random as generators
from ..autograd import Tensor
from ..autograd.mode import _ModeSwitch
from ..nn import Module
from ..optim import Optimizer
from . import stamps
from .bytecode import catches, mentions
from .purity import (
    Unsafe,
    check_attribute,
    check_builtin,
    check_class,
    check_function,
    check_generators,
    imported,
    is_ours,
    is_plain_object,
    is_pure,
    is_user,
)
from .watching import ALL, Watches, attribute_of_each, is_immutable, of_each, padded

_READS_ANY_NAME = {"getattr", "vars", "hasattr", "__dict__", "attrgetter", "dir", "__getattribute__"}
_READS_CLASS = {"type", "__class__"}
_COMPARING = {"__eq__", "__lt__", "__le__", "__gt__", "__ge__"}  # as dataclasses have them: they only compare classes
_MAKING = {"__init__", "__new__", "__init_subclass__"}  # methods that only run where a class is used to make something
_OF_EVERY_CLASS = {"__module__", "__doc__", "__dict__", "__weakref__"} | {
    "__abstractmethods__",
    "__annotations__",
    "__dataclass_fields__",
    "__dataclass_params__",
    "__firstlineno__",
    "__hash__",
    "__match_args__",
    "__orig_bases__",
    "__parameters__",
    "__qualname__",
    "__repr__",
    "__slots__",
    "__static_attributes__",
}
_MODULE_DICTS = ("_parameters", "_buffers", "_modules", "_forward_pre_hooks", "_forward_hooks", "_backward_hooks")

_SEQUENCES: tuple[Any, ...] = (list, tuple, set, frozenset, collections.deque)
_INNER = (
    "_has_stepped",
    "_hyper",
    "_launches",
    "_non_persistent_buffers_set",
    "_state_hooks",
)  # attributes that only the library itself reads

Reached = list[tuple[str, Any]]  # objects, and what they are called


class World:
    """What ``roots``, pairs of a name and an object, reach. `Unsafe` where something cannot be followed.

    watches       what has to stay as it is, also while the function runs
    of_tensors    what each tensor is: its array, its place in the graph, its hooks
    of_gradients  which tensors have a gradient, as it was before the function ran
    """

    def __init__(self, roots: Iterable[tuple[str, Any]]):
        self.tensors: dict[int, Tensor] = {}  # by the identity of the tensor
        self.optimizers: list[Optimizer] = []
        self.generators: list[generators.Generator] = []
        self.watches = Watches()
        self._seen: dict[int, Any] = {}  # alive, so that identities stay theirs
        self._names: set[str] = {"forward", "__call__"}  # of attributes that the code mentions
        self._readers: dict[str, str] = {}  # of those names: a function that mentions it
        self._objects: Reached = []  # whose attributes are found by the names that the code mentions
        self._mentioned: set[tuple[int, str]] = set()  # which of their attributes have been found
        self._called: set[int] = set()  # identities of classes that the code may call, or derive from
        self._of_optimizers: set[int] = set()  # identities of the tensors that only optimizers hold
        self._walk(list(roots))
        if self.generators:
            check_generators(self._names)
        self._watch_what_objects_are()
        self.watches.remember()
        self.of_tensors, self.of_gradients = self._watches_of_tensors()

    def reaches(self, value: Any) -> bool:
        """Whether the object is among those that were found."""
        return id(value) in self._seen

    # --- walking -------------------------------------------------------------------------------------------------

    def _walk(self, pending: Reached) -> None:
        while pending:
            while pending:
                where, value = pending.pop()
                if is_immutable(value) or isinstance(value, np.ufunc) or id(value) in self._seen:
                    continue
                self._seen[id(value)] = value
                pending += self._reached_from(where, value)
            pending = self._attributes_mentioned()

    def _reached_from(self, where: str, value: Any) -> Reached:
        if isinstance(value, Tensor):
            self.tensors[id(value)] = value
            return self._visit_object(where, value) if hasattr(value, "__dict__") else []
        for kinds, visit in _VISITS:
            if isinstance(value, kinds):
                return visit(self, where, value)
        if getattr(type(value), "is_compiled", False):  # a compiled function, which is part of this one
            return [(where, value.captured_function)]
        if is_user(type(value)) or is_plain_object(value):
            return self._visit_object(where, value)
        if is_ours(type(value)):
            return self._visit_object_of_ours(where, value)
        raise Unsafe(f"{where} is a {type(value).__name__}, whose changes cannot be followed")

    # --- containers ----------------------------------------------------------------------------------------------

    def _visit_sequence(self, where: str, value: Any) -> Reached:
        kind: Any = next(each for each in _SEQUENCES if isinstance(value, each))
        if type(value) is not kind:  # it may say in methods of its own what it holds
            self.watches.add(padded(kind.__iter__, value), value, where)
        elif kind not in (tuple, frozenset):
            self.watches.add_container(value, where)
        reached = [(f"{where}[{i}]", each) for i, each in enumerate(kind.__iter__(value))]
        return reached + self._visit_if_users(where, value)

    def _visit_dict(self, where: str, value: dict[Any, Any], structural: int = 0) -> Reached:
        kind: Any = collections.OrderedDict if isinstance(value, collections.OrderedDict) else dict
        keys, values = list(kind.keys(value)), kind.values(value)
        names = [f"{where}[{key!r}]" if isinstance(key, (str, int)) else where for key in keys]
        if is_user(type(value)):
            self.watches.add(padded(kind.keys, value), value, f"the keys of {where}")
            self.watches.add(padded(kind.values, value), value, where)
        else:
            self.watches.add_container(value, where, names, structural)
        reached = [(where, each) for each in keys if not is_immutable(each)]
        return [*reached, *zip(names, values, strict=True), *self._visit_if_users(where, value)]

    def _visit_if_users(self, where: str, value: Any) -> Reached:
        """What a container of the user's own class reaches besides its elements."""
        return self._visit_object(where, value) if is_user(type(value)) else []

    # --- modules, optimizers, generators -------------------------------------------------------------------------

    def _visit_module(self, where: str, module: Module) -> Reached:
        own = vars(module)
        reached = self._visit_object(where, module)
        structure = [name for name in ("training", *_MODULE_DICTS) if name in own]
        for name in structure[1:]:
            reached += self._visit_dict(where, own[name], ALL)
        names = [f"{name!r} of {where}" for name in structure]
        if is_user(type(module)):  # its other attributes are found later, where the code mentions them
            self.watches.add_values(own, structure, where, names, ALL)
            return reached
        others = [name for name in own if name not in (*structure, *_INNER)]
        names = [_attribute(name, where) for name in own]
        self.watches.add_container(own, where, names, 1, keys=False)
        return reached + [(f"{where}.{name}", own[name]) for name in others]

    def _visit_optimizer(self, where: str, optimizer: Optimizer) -> Reached:
        self.optimizers.append(optimizer)
        optimizer._refreshed_hyper()
        reached = self._visit_object(where, optimizer)
        self.watches.add_values(vars(optimizer), ("state", "param_groups"), where, [where] * 2, ALL)
        self.watches.add_container(optimizer.param_groups, where, structural=ALL)
        self.watches.add_container(optimizer.state, where, structural=ALL)
        for hooks in (optimizer._step_pre_hooks, optimizer._step_post_hooks):
            self.watches.add_container(hooks, f"the step hooks of {where}", structural=ALL)
        reached += [("", each) for each in optimizer.state]
        for entries in optimizer.state.values():
            self.watches.add_container(entries, where, structural=ALL, keys=False)
            self._of_optimizers.update(map(id, entries.values()))
            reached += [(where, each) for each in entries.values()]
        for group, (_, hyper) in zip(optimizer.param_groups, optimizer._hyper, strict=False):
            options = [name for name in group if name not in optimizer._data_options]
            self.watches.add_values(group, options, where, [where] * len(options), ALL)
            if optimizer._switch_options:
                self.watches.add(_are_set(optimizer._switch_options), group, where, structural=ALL)
            self.watches.add_size(group, where, ALL)
            self.watches.add_container(group["params"], where, structural=ALL)
            self._of_optimizers.add(id(hyper))
            reached += [(where, each) for each in (*group["params"], hyper)]
        return reached

    def _numbers_of_optimizers(self) -> Reached:
        """The numbers that only updates should read, where the function may read them, too."""
        if self._names.isdisjoint({"param_groups", "state_dict", *_READS_ANY_NAME}):
            return []
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                if self._is_fresh(group, "the numbers"):
                    names = [f"{name!r} of an optimizer" for name in optimizer._data_options]
                    self.watches.add_values(group, optimizer._data_options, "an optimizer", names)
        return []

    def _visit_generator(self, where: str, generator: generators.Generator) -> Reached:
        self.generators.append(generator)
        return []

    def _visit_object_of_ours(self, where: str, value: Any) -> Reached:
        """A dataset, say, whose arrays need no watch: a tensor that came from them would not be known."""
        own = getattr(value, "__dict__", {})
        self.watches.add_container(own, where)
        kinds = (*_SEQUENCES, dict, Tensor, types.FunctionType, types.MethodType)
        return [(f"{where}.{name}", each) for name, each in own.items() if isinstance(each, kinds)]

    # --- objects of the user's -----------------------------------------------------------------------------------

    def _visit_object(self, where: str, value: Any) -> Reached:
        """Attributes are found later, for code that is yet to be found may mention them."""
        self._objects.append((where, value))
        if hasattr(value, "__dict__"):
            self.watches.add_size(vars(value), f"the attributes of {where}", ALL)
        return []

    def _watch_what_objects_are(self) -> None:
        """Watch the classes and dictionaries of objects, both of which may be assigned."""
        others = (type, types.ModuleType, types.FunctionType, Tensor)
        objects = [each for _, each in self._objects if not isinstance(each, others)]
        with_dicts = [each for each in objects if hasattr(each, "__dict__") and is_user(type(each))]
        name = "the class of an object"
        self.watches.add(of_each(type), objects, name, [name] * len(objects), runs=stamps.of_classes(objects))
        names = ["the dictionary of an object"] * len(with_dicts)
        self.watches.add(attribute_of_each("__dict__"), with_dicts, "", names)

    def _visit_attributes(self, where: str, own: Any, names: Iterable[str]) -> Reached:
        names = [name for name in names if name in own]
        self.watches.add_values(own, names, where, [self._attribute_read(name, where) for name in names])
        return [(f"{where}.{name}", own[name]) for name in names]

    def _attribute_read(self, name: str, where: str) -> str:
        """What an attribute is called, with a function that mentions its name: not all of them need be meant by it."""
        reader = self._readers.get(name)
        return _attribute(name, where) + (f" (a name in {reader})" if reader else "")

    def _attributes_mentioned(self) -> Reached:
        """What objects, their classes and Python's modules reach by the names that the code mentions."""
        reached = self._numbers_of_optimizers()
        for where, value in self._objects:
            kinds = _users_kinds(type(value))
            for owner, own in [(where, value), *((kind.__name__, kind) for kind in kinds)]:
                names = [name for name in getattr(own, "__dict__", ()) if self._is_mentioned(name, own)]
                if isinstance(own, types.ModuleType) and is_pure(own):
                    names = self._names.intersection(vars(own))  # getattr(torch, name) is no reason to read it all
                fresh = [name for name in names if self._is_fresh(own, name)]
                if isinstance(own, type) and self._is_fresh(own, "how many there are"):
                    self.watches.add_size(vars(own), f"the attributes of {owner}")
                if isinstance(own, types.ModuleType):
                    reached += [each for name in fresh for each in self._of_python_module(own, owner, name)]
                elif fresh:
                    reached += self._visit_attributes(owner, vars(own), fresh)
            reached += self._visit_slots(where, value, kinds)
            if kinds and id(kinds[0]) not in self._called and self._reads_class(kinds):
                reached.append((where, kinds[0]))
        return [(where, function) for where, each in reached for function in _plain_functions(each)]

    def _visit_slots(self, where: str, value: Any, kinds: list[type]) -> Reached:
        """The attributes that an object has in slots."""
        slots = [
            (name, each) for kind in kinds for name, each in vars(kind).items() if inspect.ismemberdescriptor(each)
        ]
        reached = []
        for name, slot in slots:
            if self._is_mentioned(name, value) and self._is_fresh(value, name):
                if not hasattr(value, name):
                    raise Unsafe(f"{where} has no attribute {name!r} as yet")
                self.watches.add(of_each(slot.__get__), [value], where, [_attribute(name, where)])
                reached.append((f"{where}.{name}", getattr(value, name)))
        return reached

    def _is_fresh(self, own: Any, name: str) -> bool:
        """Whether this attribute of an object has not been found before; from now on it has."""
        fresh = (id(own), name) not in self._mentioned
        self._mentioned.add((id(own), name))
        return fresh

    def _is_mentioned(self, name: str, own: Any) -> bool:
        """Whether code may read an attribute: by its name, by one made at run time, or by what Python does itself."""
        of_class = isinstance(own, type)
        if name in _INNER or (of_class and name in _OF_EVERY_CLASS):
            return False
        if of_class and name in _MAKING:
            return id(own) in self._called
        return name in self._names or self._reads_any_name() or (of_class and name.startswith("__"))

    def _reads_class(self, kinds: list[type]) -> bool:
        """Whether code may call the class of an object that it has: it reads the class, or calls a class method."""
        methods = [name for kind in kinds for name, each in vars(kind).items() if isinstance(each, classmethod)]
        return not self._names.isdisjoint({*_READS_CLASS, *methods})

    def _reads_any_name(self) -> bool:
        return not self._names.isdisjoint(_READS_ANY_NAME)

    def _visit_class(self, where: str, kind: type) -> Reached:
        kinds = _users_kinds(kind)
        if not kinds:
            check_class(where, kind)
        self._called.update(map(id, kinds))
        self._objects += [(each.__name__, each) for each in kinds]
        return []

    # --- functions -----------------------------------------------------------------------------------------------

    def _visit_function(self, where: str, function: types.FunctionType) -> Reached:
        if not is_user(function):
            check_function(where, function)
            return []
        name = function.__qualname__
        if catches(function.__code__):
            raise Unsafe(f"{name} catches exceptions ({function.__code__.co_filename})")
        reached = self._visit_object(name, function)
        parts = ["code", "defaults", "defaults of keywords"]
        read = operator.attrgetter("__code__", "__defaults__", "__kwdefaults__")
        names = [f"the {each} of {name}" for each in parts]
        self.watches.add(read, function, name, names, runs=stamps.of_objects([function]))
        reached += [(f"a default of {name}", each) for each in function.__defaults__ or ()]
        if function.__kwdefaults__:
            reached += self._visit_dict(f"the defaults of {name}", function.__kwdefaults__)
        return reached + self._visit_cells(function) + self._visit_names(function)

    def _visit_names(self, function: types.FunctionType) -> Reached:
        """What a function reaches by the names in its code: globals, builtins, what modules have, imports."""
        name, table = function.__qualname__, function.__globals__
        found = mentions(function.__code__)
        attributes = found.attributes - (_READS_CLASS if function.__name__ in _COMPARING else set())
        self._names |= attributes
        for each in attributes:
            self._readers.setdefault(each, name)
        self._names.update(each for each in found.globals if each in _READS_ANY_NAME or each in _READS_CLASS)
        present = [each for each in found.globals if each in table]
        absent = [each for each in found.globals if each not in table]
        self.watches.add_values(table, present, name, [f"global {each!r} (read by {name})" for each in present])
        names = [f"global {each!r}" for each in absent]
        self.watches.add(of_each(table.__contains__), absent, name, names, runs=stamps.of_objects([table]))
        reached = [(f"{each}()", getattr(builtins, each, None)) for each in absent]
        modules = {each for each in present if isinstance(table[each], types.ModuleType)} - found.whole
        reached += [(f"global {each!r}", table[each]) for each in present if each not in modules]
        for module, attribute in found.pairs:
            if isinstance(table.get(module), types.ModuleType):
                reached += self._of_python_module(table[module], module, attribute)
        return reached + [(each, imported(name, each)) for each in found.imports]

    def _of_python_module(self, module: types.ModuleType, name: str, attribute: str) -> Reached:
        """What ``module.attribute`` reaches."""
        check_attribute(module, name, attribute)
        return self._visit_attributes(name, vars(module), [attribute])

    def _visit_python_module(self, where: str, module: types.ModuleType) -> Reached:
        """A module that is more than the left side of a dot: any name in the code may be one of its."""
        self._objects.append((where, module))
        return []

    def _visit_cells(self, function: types.FunctionType) -> Reached:
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        filled = {name: cell for name, cell in cells if _is_filled(cell)}
        read, names = attribute_of_each("cell_contents"), [f"variable {name!r}" for name in filled]
        cells = tuple(filled.values())
        self.watches.add(read, cells, function.__qualname__, names, runs=stamps.of_objects(cells))
        return [(f"{name!r}", cell.cell_contents) for name, cell in filled.items()]

    def _visit_method(self, where: str, method: types.MethodType) -> Reached:
        self._names.add(method.__func__.__name__)
        return [(f"{type(method.__self__).__name__}", method.__self__), (where, method.__func__)]

    def _visit_partial(self, where: str, partial: functools.partial[Any]) -> Reached:
        return [(where, each) for each in (partial.func, partial.args, partial.keywords)]

    def _visit_builtin(self, where: str, function: Any) -> Reached:
        check_builtin(function)
        owner = getattr(function, "__self__", None)
        if owner is None or isinstance(owner, types.ModuleType):
            check_function(where, function)
            return []
        return [(where, owner)]

    def _nothing(self, where: str, value: Any) -> Reached:
        return []

    # --- tensors -------------------------------------------------------------------------------------------------

    def _watches_of_tensors(self) -> tuple[Watches, Watches]:
        tensors, of_tensors, of_gradients = list(self.tensors.values()), Watches(), Watches()
        for name in ("_array", "_requires_grad", "_node"):
            of_tensors.add(attribute_of_each(name), tensors, "a tensor", structural=ALL)
        for each in tensors:
            of_tensors.add(padded(hooks_of, each), each, "the hooks of a tensor", structural=ALL)
        inner = set() if "state" in self._names else self._of_optimizers  # of which nobody reads a gradient
        outer = [each for each in tensors if id(each) not in inner]
        runs = stamps.of_objects(outer)
        of_gradients.add(_have_no_gradients, outer, "the gradient of a tensor", structural=ALL, runs=runs)
        of_tensors.remember()
        of_gradients.remember()
        return of_tensors, of_gradients


_VISITS: tuple[tuple[Any, Callable[..., Reached]], ...] = (
    (Module, World._visit_module),
    (Optimizer, World._visit_optimizer),
    (generators.Generator, World._visit_generator),
    (_SEQUENCES, World._visit_sequence),
    (dict, World._visit_dict),
    (types.FunctionType, World._visit_function),
    (types.MethodType, World._visit_method),
    (functools.partial, World._visit_partial),
    ((types.BuiltinFunctionType, types.MethodWrapperType, types.WrapperDescriptorType), World._visit_builtin),
    (types.ModuleType, World._visit_python_module),
    ((types.MethodDescriptorType, types.MemberDescriptorType, _ModeSwitch), World._nothing),
    (type, World._visit_class),
)


def hooks_of(tensor: Tensor) -> tuple[Any, ...]:
    """The functions that are called with the gradient of a tensor."""
    extra, node = tensor._extra, tensor._node
    found = [] if extra is None else [*extra.get("hooks", {}).values(), *extra.get("post_hooks", {}).values()]
    if node is not None and node.hooks:
        found += node.hooks.values()
    return tuple(found)


_gradient = operator.attrgetter("_grad")


def _have_no_gradients(tensors: list[Tensor]) -> Iterator[bool]:
    return map(operator.is_, map(_gradient, tensors), itertools.repeat(None))


def _are_set(options: tuple[str, ...]) -> Callable[[dict[str, Any]], Iterable[bool]]:
    """A reader of whether options of a group are other than 0."""
    return lambda group: [group[name] != 0 for name in options]


def _attribute(name: str, where: str) -> str:
    return f"attribute {name!r} of {where}"


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - reading an empty cell raises
    except ValueError:
        return False
    return True


def _users_kinds(kind: type) -> list[type]:
    """A class and those that it derives from, as far as they are the user's own."""
    return [each for each in kind.__mro__ if is_user(each)]


def _plain_functions(value: Any) -> list[Any]:
    """The functions in a static method, class method or property; other objects as they are."""
    if isinstance(value, (staticmethod, classmethod)):
        return [value.__func__]
    if isinstance(value, property):
        return [each for each in (value.fget, value.fset, value.fdel) if each is not None]
    return [value]
