"""Which code may be left out of a replay: the user's own is followed, of libraries only what has no effects."""

import builtins
import functools
import sys
import types
from typing import Any


class Unsafe(Exception):
    """The function cannot be captured, for the reason that the message gives."""


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
_PLAIN_OBJECTS = (  # of the standard library: attributes, no more
    "types.SimpleNamespace",
    "argparse.Namespace",
    "dataclasses._HAS_DEFAULT_FACTORY_CLASS",
    "dataclasses._MISSING_TYPE",
)


def check_builtin(function: Any) -> None:
    """`Unsafe` for a function of Python's that reads or writes what cannot be followed."""
    if function in _IMPURE_BUILTINS:
        raise Unsafe(f"it calls {_IMPURE_BUILTINS[function]}()")


def check_function(where: str, function: Any) -> None:
    """`Unsafe` for a function of a library that has effects."""
    if is_ours(function) and getattr(function, "__name__", "") in _IMPURE_OF_OURS:
        raise Unsafe(f"it uses {function.__name__}()")
    if not is_pure(function):
        raise Unsafe(f"it uses {where} of {_root(function)}, whose effects cannot be followed")


def check_class(where: str, kind: type) -> None:
    """`Unsafe` for a class of a library whose making may have effects."""
    if not is_pure(kind) and not issubclass(kind, BaseException):
        raise Unsafe(f"{where} is {kind.__name__} of {_root(kind)}, whose effects cannot be followed")


def check_attribute(module: types.ModuleType, name: str, attribute: str) -> None:
    """`Unsafe` for ``module.attribute`` that has effects; ``name`` is what the module is called."""
    if _root(module) == "numpy" and attribute in _IMPURE_OF_NUMPY:
        raise Unsafe(f"it uses {name}.{attribute}")
    if is_ours(module) and attribute in _IMPURE_OF_OURS:
        raise Unsafe(f"it uses {name}.{attribute}")
    if not (is_pure(module) or is_user(module)):
        raise Unsafe(f"it uses {name}.{attribute}, whose effects cannot be followed")


def check_generators(names: set[str]) -> None:
    """`Unsafe` where code that has a generator mentions what reads or sets its state."""
    drawn = names.intersection(_IMPURE_OF_GENERATORS)
    if drawn:
        raise Unsafe(f"it uses {min(drawn)}() of a generator")


def imported(function: str, name: str) -> Any:
    """The module that a function imports while it runs."""
    if name.partition(".")[0] not in _PURE or name not in sys.modules:
        raise Unsafe(f"{function} imports {name} while it runs")
    return sys.modules[name]


def is_pure(value: Any) -> bool:
    """Whether a function, class or module is of those that have no effects."""
    return _root(value) in _PURE


def is_ours(value: Any) -> bool:
    """Whether a function, class or module is this package's."""
    return _root(value) == "tinygrad_fr"


def is_plain_object(value: Any) -> bool:
    """Whether an object of the standard library is nothing but its attributes."""
    return f"{type(value).__module__}.{type(value).__qualname__}" in _PLAIN_OBJECTS


def _root(value: Any) -> str:
    name = value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", None)
    return (name or "builtins").partition(".")[0]


def is_user(value: Any) -> bool:
    """Whether a class, function or module is the user's own: of no library."""
    return _is_users_root(_root(value))


@functools.cache
def _is_users_root(root: str) -> bool:
    if root == "tinygrad_fr" or (root in sys.stdlib_module_names and root != "__main__"):
        return False
    file = getattr(sys.modules.get(root), "__file__", None) or ""
    return "site-packages" not in file and "dist-packages" not in file
