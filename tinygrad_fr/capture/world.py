"""The Python state that a function reaches: what a captured step relies on staying as it is.

A replay runs no Python of the function. So everything it could have read is found beforehand, from its code: closure
variables, globals, attributes of objects, elements of containers, and so on from there. Before each replay all of it
must still be the very same objects; that is one pass in C over a few dozen references.
"""

import builtins
import dis
import functools
import itertools
import operator
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import random as generators
from ..autograd import Tensor
from ..autograd.device import device
from ..autograd.dtypes import dtype
from ..autograd.mode import _ModeSwitch
from ..nn import Module
from ..optim import Optimizer


class Unsafe(Exception):
    """The function cannot be captured, for the reason that the message gives."""


class Difference(NamedTuple):
    """What changed. A change of ``structure`` (train or eval, a new layer) asks for another program."""

    what: str
    structure: bool


_IMMUTABLE = (type(None), bool, int, float, complex, str, bytes, dtype, device, np.dtype, np.generic, slice, range)
_OTHERS = (type(Ellipsis), type(NotImplemented), np.ufunc)

# Modules whose functions give the same for the same arguments and change nothing.
_PURE = {"abc", "builtins", "cmath", "collections", "contextlib", "copy", "dataclasses", "enum", "fractions"} | {
    "functools",
    "itertools",
    "math",
    "numbers",
    "numpy",
    "operator",
    "statistics",
    "string",
    "types",
    "typing",
    "tinygrad_fr",
}
_IMPURE_OF_NUMPY = ("random", "save", "load")
_IMPURE_OF_OURS = {"get_num_threads", "get_rng_state", "initial_seed", "load", "manual_seed", "save", "seed"} | {
    "set_default_dtype",
    "set_num_threads",
    "set_rng_state",
}
_IMPURE_OF_GENERATORS = ("get_state", "initial_seed", "manual_seed", "seed", "set_state")
_IMPURE_BUILTINS = {
    each: name
    for name in ("print", "input", "open", "next", "exec", "eval", "globals", "locals", "__import__")
    if (each := getattr(builtins, name, None)) is not None
}
_READS_ANY_NAME = {"getattr", "vars", "hasattr", "__dict__", "attrgetter", "dir", "__getattribute__"}
_OF_EVERY_CLASS = {"__module__", "__doc__", "__dict__", "__weakref__", "__init__", "__new__", "__init_subclass__"} | {
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
_MODULE_DICTS = ("_parameters", "_buffers", "_modules", "_forward_pre_hooks", "_forward_hooks")


class _Nowhere:
    """What stands after the last reference, and in empty places."""


_NOWHERE = _Nowhere()


class World:
    """What ``roots``, pairs of a name and an object, reach. `Unsafe` where something cannot be followed."""

    def __init__(self, roots: Iterable[tuple[str, Any]]):
        self.tensors: dict[int, Tensor] = {}  # by the identity of the tensor
        self.optimizers: list[Optimizer] = []
        self.generators: list[generators.Generator] = []
        self._watches: list[_Watch] = []
        self._seen: dict[int, Any] = {}  # alive, so that identities stay theirs
        self._names: set[str] = {"forward", "__call__"}  # of attributes that the code mentions
        self._objects: list[tuple[str, Any]] = []  # of classes of the user's
        self._mentioned: set[tuple[int, str]] = set()  # which of their attributes have been found
        self._walk(list(roots))
        drawn = self._names.intersection(_IMPURE_OF_GENERATORS) if self.generators else ()
        if drawn:
            raise Unsafe(f"it uses {min(drawn)}() of a generator")
        self._views = [watch.values for watch in self._watches]
        self.remember()

    # --- staying the same ----------------------------------------------------------------------------------------

    def remember(self) -> None:
        """Take what is there now for what has to be there."""
        self._known = [*itertools.chain.from_iterable(self._views), _NOWHERE]

    def same(self) -> bool:
        """Whether everything is the very same object as before."""
        now = itertools.chain(itertools.chain.from_iterable(self._views), (_NOWHERE,))
        return all(map(operator.is_, now, self._known))

    def difference(self) -> Difference | None:
        """What changed, if anything did; other objects of the same value are no change."""
        place = 0
        for watch in self._watches:
            count = watch.count
            before = self._known[place : place + count]
            place += count
            now = list(watch.values)
            if len(now) != count:
                return Difference(f"{watch.what} (how many there are)", watch.structure)
            for i, (one, other) in enumerate(zip(before, now, strict=True)):
                if one is not other and not _equal(one, other):
                    return watch.difference(i)
        self.remember()
        return None

    # --- walking -------------------------------------------------------------------------------------------------

    def _walk(self, pending: list[tuple[str, Any]]) -> None:
        while pending:
            while pending:
                where, value = pending.pop()
                if isinstance(value, (*_IMMUTABLE, *_OTHERS)) or id(value) in self._seen:
                    continue
                self._seen[id(value)] = value
                pending += self._reached_from(where, value)
            pending = self._methods_mentioned()

    def _reached_from(self, where: str, value: Any) -> list[tuple[str, Any]]:
        if isinstance(value, Tensor):
            self.tensors[id(value)] = value
            if getattr(value, "__dict__", None):
                self._objects.append((where, value))
            return []
        for kinds, visit in _VISITS:
            if isinstance(value, kinds):
                return visit(self, where, value)
        if getattr(type(value), "is_compiled", False):  # a compiled function, which is part of this one
            return [(where, value.captured_function)]
        if _is_user(type(value)):
            return self._visit_object(where, value)
        raise Unsafe(f"{where} is a {type(value).__name__}, whose changes cannot be followed")

    def _watch(self, what: str, values: Any, names: list[str] | None = None, structure: bool = False) -> None:
        self._watches.append(_Watch(what, values, names, structure))

    def _visit_container(self, where: str, value: Any) -> list[tuple[str, Any]]:
        self._watch(where, value)
        return [(f"{where}[{i}]", each) for i, each in enumerate(value)]

    def _visit_dict(self, where: str, value: dict[Any, Any], structure: bool = False) -> list[tuple[str, Any]]:
        names = [f"{where}[{key!r}]" if isinstance(key, (str, int)) else where for key in value]
        self._watch(where, value.values(), names, structure)
        if not structure:
            self._watch(f"the keys of {where}", value.keys(), list(names))
        return list(zip(names, value.values(), strict=True))

    def _visit_module(self, where: str, module: Module) -> list[tuple[str, Any]]:
        own = vars(module)
        reached = []
        for name in _MODULE_DICTS:
            if name in own:
                reached += self._visit_dict(where, own[name], structure=True)
        self._watch(where, _Attributes(own, ("training",)), [f"'training' of {where}"], structure=True)
        if _is_user(type(module)):
            self._visit_object(where, module)
        else:
            names = [name for name in own if name not in (*_MODULE_DICTS, "training", "_non_persistent_buffers_set")]
            reached += self._visit_attributes(where, own, names)
        return reached

    def _visit_optimizer(self, where: str, optimizer: Optimizer) -> list[tuple[str, Any]]:
        self.optimizers.append(optimizer)
        optimizer._refreshed_hyper()
        self._watch(where, _Attributes(vars(optimizer), ("state", "param_groups")), structure=True)
        self._watch(where, optimizer.param_groups, structure=True)
        self._watch(where, optimizer.state.values(), structure=True)
        reached = [("", each) for each in optimizer.state]
        for entries in optimizer.state.values():
            reached += self._visit_dict(where, entries, structure=True)
        for group, (_, hyper) in zip(optimizer.param_groups, optimizer._hyper, strict=False):
            names = [name for name in group if name not in optimizer._data_options]
            self._watch(where, _Attributes(group, tuple(names)), structure=True)
            self._watch(where, _Count(group), structure=True)
            self._watch(where, group["params"], structure=True)
            if "param_groups" in self._names:  # the function may read the numbers that only the update should read
                names = [f"{name!r} of {where}" for name in optimizer._data_options]
                self._watch(where, _Attributes(group, optimizer._data_options), names)
            reached += [(where, each) for each in (*group["params"], hyper)]
        return reached

    def _visit_generator(self, where: str, generator: generators.Generator) -> list[tuple[str, Any]]:
        self.generators.append(generator)
        return []

    def _visit_object(self, where: str, value: Any) -> list[tuple[str, Any]]:
        self._objects.append((where, value))
        if hasattr(value, "__dict__"):
            self._watch(f"the attributes of {where}", _Count(vars(value)), structure=True)
        return []

    def _visit_attributes(self, where: str, own: Any, names: Iterable[str]) -> list[tuple[str, Any]]:
        names = tuple(name for name in names if name in own)
        if names:
            self._watch(where, _Attributes(own, names), [f"attribute {name!r} of {where}" for name in names])
        return [(f"{where}.{name}", own[name]) for name in names]

    def _methods_mentioned(self) -> list[tuple[str, Any]]:
        """What the objects of the user's classes reach by the names that the code mentions."""
        reached = []
        for where, value in self._objects:
            kinds = [kind for kind in type(value).__mro__ if _is_user(kind)]
            for owner, own in [(where, value), *((kind.__name__, kind) for kind in kinds)]:
                names = [name for name in getattr(own, "__dict__", ()) if self._is_mentioned(name, own is not value)]
                fresh = [name for name in names if (id(own), name) not in self._mentioned]
                self._mentioned.update((id(own), name) for name in fresh)
                reached += self._visit_attributes(owner, vars(own), fresh) if fresh else []
        return [(where, _plain_function(each)) for where, each in reached]

    def _is_mentioned(self, name: str, of_class: bool) -> bool:
        """Whether code may read an attribute: by its name, by one made at run time, or by what Python does itself."""
        if of_class and name in _OF_EVERY_CLASS:
            return False
        any_name = not self._names.isdisjoint(_READS_ANY_NAME)
        return any_name or name in self._names or (of_class and name.startswith("__"))

    def _visit_class(self, where: str, kind: type) -> list[tuple[str, Any]]:
        if _is_user(kind):
            self._objects.append((where, kind))
        elif _root(kind) not in _PURE and not issubclass(kind, BaseException):
            raise Unsafe(f"{where} is {kind.__name__} of {_root(kind)}, whose effects cannot be followed")
        return []

    def _visit_function(self, where: str, function: types.FunctionType) -> list[tuple[str, Any]]:
        if not _is_user(function):
            self._check_pure(where, function)
            return []
        name = function.__qualname__
        imported = _imports(function.__code__)
        if imported:
            raise Unsafe(f"{name} imports {imported[0]} while it runs")
        if _catches(function.__code__):
            raise Unsafe(f"{name} catches exceptions ({function.__code__.co_filename})")
        globals_, attributes, of_globals = _mentioned(function.__code__)
        self._names |= attributes
        self._names.update(each for each in globals_ if each in _READS_ANY_NAME)
        present = tuple(each for each in globals_ if each in function.__globals__)
        if present:
            names = [f"global {each!r} (read by {name})" for each in present]
            self._watch(name, _Attributes(function.__globals__, present), names)
        hidden = tuple(each for each in globals_ if each not in present)
        if hidden:
            self._watch(name, _Absent(function.__globals__, hidden), [f"global {each!r}" for each in hidden])
        reached = [(f"global {each!r}", function.__globals__[each]) for each in present]
        reached += [(f"{each}()", getattr(builtins, each, None)) for each in globals_ if each not in present]
        for module, attribute in of_globals:
            reached += self._of_python_module(function.__globals__.get(module), module, attribute)
        reached += self._visit_cells(function)
        reached += self._visit_defaults(function)
        return reached

    def _of_python_module(self, module: Any, name: str, attribute: str) -> list[tuple[str, Any]]:
        """What ``module.attribute`` reaches."""
        if not isinstance(module, types.ModuleType):
            return []
        root = module.__name__.partition(".")[0]
        if root == "numpy" and attribute in _IMPURE_OF_NUMPY:
            raise Unsafe(f"it uses {name}.{attribute}")
        if root == "tinygrad_fr" and attribute in _IMPURE_OF_OURS:
            raise Unsafe(f"it uses {name}.{attribute}")
        if root in _PURE:
            return self._visit_attributes(name, vars(module), [attribute])
        if root in sys.stdlib_module_names or not _is_user(module):
            raise Unsafe(f"it uses {name}.{attribute}, whose effects cannot be followed")
        return self._visit_attributes(name, vars(module), [attribute])

    def _visit_cells(self, function: types.FunctionType) -> list[tuple[str, Any]]:
        names = function.__code__.co_freevars
        cells = function.__closure__ or ()
        filled = [(name, cell) for name, cell in zip(names, cells, strict=True) if _is_filled(cell)]
        if filled:
            cells = [cell for _, cell in filled]
            self._watch(function.__qualname__, _Cells(cells), [f"variable {name!r}" for name, _ in filled])
        return [(f"{name!r}", cell.cell_contents) for name, cell in filled]

    def _visit_defaults(self, function: types.FunctionType) -> list[tuple[str, Any]]:
        defaults = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        return [(f"a default of {function.__qualname__}", each) for each in defaults]

    def _visit_method(self, where: str, method: types.MethodType) -> list[tuple[str, Any]]:
        self._names.add(method.__func__.__name__)
        return [(f"{type(method.__self__).__name__}", method.__self__), (where, method.__func__)]

    def _visit_partial(self, where: str, partial: functools.partial[Any]) -> list[tuple[str, Any]]:
        return [(where, each) for each in (partial.func, partial.args, partial.keywords)]

    def _visit_builtin(self, where: str, function: Any) -> list[tuple[str, Any]]:
        if function in _IMPURE_BUILTINS:
            raise Unsafe(f"it calls {_IMPURE_BUILTINS[function]}()")
        owner = getattr(function, "__self__", None)
        if owner is None or isinstance(owner, types.ModuleType):
            self._check_pure(where, function)
            return []
        return [(where, owner)]

    def _check_pure(self, where: str, function: Any) -> None:
        if _root(function) == "tinygrad_fr" and getattr(function, "__name__", "") in _IMPURE_OF_OURS:
            raise Unsafe(f"it uses {function.__name__}()")
        if _root(function) not in _PURE:
            raise Unsafe(f"it uses {where} of {_root(function)}, whose effects cannot be followed")

    def _nothing(self, where: str, value: Any) -> list[tuple[str, Any]]:
        return []


_VISITS: tuple[tuple[Any, Callable[..., list[tuple[str, Any]]]], ...] = (
    (Module, World._visit_module),
    (Optimizer, World._visit_optimizer),
    (generators.Generator, World._visit_generator),
    ((list, tuple), World._visit_container),
    (dict, World._visit_dict),
    (types.FunctionType, World._visit_function),
    (types.MethodType, World._visit_method),
    (functools.partial, World._visit_partial),
    ((types.BuiltinFunctionType, types.MethodWrapperType, types.WrapperDescriptorType), World._visit_builtin),
    ((types.MethodDescriptorType, types.ModuleType, property, _Nowhere, _ModeSwitch), World._nothing),
    (type, World._visit_class),
)


def hooks_of(tensor: Tensor) -> tuple[Any, ...]:
    """The functions that are called with the gradient of a leaf."""
    extra = tensor._extra
    if extra is None:
        return ()
    return (*extra.get("hooks", {}).values(), *extra.get("post_hooks", {}).values())


class _Watch:
    """A group of references: a live view of them, and what each is called."""

    def __init__(self, what: str, values: Any, names: list[str] | None, structure: bool):
        self.what = what
        self.values = values
        self.names = names
        self.structure = structure
        self.count = sum(1 for _ in values)

    def difference(self, i: int) -> Difference:
        return Difference(f"{self.what}[{i}]" if self.names is None else self.names[i], self.structure)


class _Attributes:
    """A live view of some values of a dictionary."""

    def __init__(self, own: Any, names: tuple[str, ...]):
        self._own = own
        self._names = names
        self._get = operator.itemgetter(*names)

    def __iter__(self) -> Iterator[Any]:
        try:
            found = self._get(self._own)
        except KeyError:
            return iter(())
        return iter(found) if len(self._names) > 1 else iter((found,))


class _Absent:
    """A live view of names that a dictionary does not have: builtins, until a global hides them."""

    def __init__(self, own: dict[str, Any], names: tuple[str, ...]):
        self._own = own
        self._names = names

    def __iter__(self) -> Iterator[Any]:
        return map(self._own.get, self._names, itertools.repeat(_NOWHERE))


class _Count:
    """A live view of how many entries a dictionary has: one that is new may hide an attribute of the class."""

    def __init__(self, own: dict[str, Any]):
        self._own = own

    def __iter__(self) -> Iterator[Any]:
        return iter((len(self._own),))


class _Cells:
    """A live view of closure variables."""

    def __init__(self, cells: list[Any]):
        self._cells = cells

    def __iter__(self) -> Iterator[Any]:
        return iter([cell.cell_contents if _is_filled(cell) else _NOWHERE for cell in self._cells])


def _is_filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - reading an empty cell raises
    except ValueError:
        return False
    return True


def _equal(one: Any, other: Any) -> bool:
    """Whether two objects are the same value of a type that cannot change."""
    if type(one) is not type(other):
        return False
    if isinstance(one, types.MethodType):
        return one.__func__ is other.__func__ and one.__self__ is other.__self__
    if isinstance(one, tuple):
        return len(one) == len(other) and all(a is b or _equal(a, b) for a, b in zip(one, other, strict=True))
    if not isinstance(one, _IMMUTABLE):
        return False
    return bool(one == other) or (one != one and other != other)


@functools.cache
def _mentioned(code: types.CodeType) -> tuple[tuple[str, ...], frozenset[str], tuple[tuple[str, str], ...]]:
    """The globals that a code object reads, the attributes, and which attributes of which globals."""
    globals_: dict[str, None] = {}
    attributes: set[str] = set()
    of_globals: dict[tuple[str, str], None] = {}
    last = None
    for each in dis.get_instructions(code):
        if each.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            globals_[each.argval] = None
            last = each.argval
        elif each.opname in ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR"):
            attributes.add(each.argval)
            if last is not None:
                of_globals[last, each.argval] = None
            last = None
        elif each.opname not in ("PRECALL", "PUSH_NULL", "CACHE", "EXTENDED_ARG"):
            if each.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                globals_[each.argval] = None
            last = None
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names, inside, pairs = _mentioned(inner)
            globals_.update(dict.fromkeys(names))
            attributes |= inside
            of_globals.update(dict.fromkeys(pairs))
    return tuple(globals_), frozenset(attributes), tuple(of_globals)


@functools.cache
def _imports(code: types.CodeType) -> list[str]:
    """The modules that a code object imports, but those without effects."""
    names = [each.argval for each in dis.get_instructions(code) if each.opname == "IMPORT_NAME"]
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            names += _imports(inner)
    return [name for name in names if name.partition(".")[0] not in _PURE]


@functools.cache
def _catches(code: types.CodeType) -> bool:
    """Whether a code object has a ``try``; each ``with`` has a handler of its own, which does not count."""
    names = [each.opname for each in dis.get_instructions(code)]
    return names.count("PUSH_EXC_INFO") > names.count("WITH_EXCEPT_START") or any(
        _catches(inner) for inner in code.co_consts if isinstance(inner, types.CodeType)
    )


def _plain_function(value: Any) -> Any:
    """The function in a static method, class method or property."""
    if isinstance(value, (staticmethod, classmethod)):
        return value.__func__
    return value.fget if isinstance(value, property) else value


def _root(value: Any) -> str:
    name = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    return (name or "builtins").partition(".")[0]


def _is_user(value: Any) -> bool:
    """Whether a class, function or module is the user's own: of no library."""
    return _is_users_root(_root(value))


@functools.cache
def _is_users_root(root: str) -> bool:
    if root == "tinygrad_fr" or (root in sys.stdlib_module_names and root != "__main__"):
        return False
    file = getattr(sys.modules.get(root), "__file__", None) or ""
    return "site-packages" not in file and "dist-packages" not in file
