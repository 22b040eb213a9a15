"""What the code of a function tells without running it: the names it reads, its imports, whether it catches errors."""

import dis
import functools
import types
from typing import NamedTuple


class Mentions(NamedTuple):
    """The names in a code object and in those inside of it.

    globals     those that it reads or sets
    attributes  of whatever objects
    pairs       (global, attribute) where one directly follows the other
    whole       the globals that are also used in other ways than by such an attribute
    imports     the modules that it imports
    """

    globals: tuple[str, ...]
    attributes: frozenset[str]
    pairs: tuple[tuple[str, str], ...]
    whole: frozenset[str]
    imports: tuple[str, ...]


_GLOBAL = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
_ATTRIBUTE = ("LOAD_ATTR", "LOAD_METHOD", "STORE_ATTR", "DELETE_ATTR", "LOAD_SUPER_ATTR", "IMPORT_FROM")
_BETWEEN = ("PRECALL", "PUSH_NULL", "CACHE", "EXTENDED_ARG")


@functools.cache
def mentions(code: types.CodeType) -> Mentions:
    """The names that a code object mentions."""
    globals_: dict[str, None] = {}
    attributes: set[str] = set()
    pairs: dict[tuple[str, str], None] = {}
    whole: set[str] = set()
    imports: list[str] = []
    last = None  # the global that was read just before
    for each in dis.get_instructions(code):
        if each.opname in _BETWEEN:
            continue
        if each.opname in _ATTRIBUTE:
            attributes.add(each.argval)
            pairs.update({(last, each.argval): None} if last is not None else {})
        elif last is not None:
            whole.add(last)
        last = each.argval if each.opname in _GLOBAL else None
        if each.opname in (*_GLOBAL, "STORE_GLOBAL", "DELETE_GLOBAL"):
            globals_[each.argval] = None
        elif each.opname == "IMPORT_NAME":
            imports.append(each.argval)
    for inner in map(mentions, _inner(code)):
        globals_.update(dict.fromkeys(inner.globals))
        attributes |= inner.attributes
        pairs.update(dict.fromkeys(inner.pairs))
        whole |= inner.whole
        imports += inner.imports
    if "getattr" in globals_:
        attributes.update(each for each in code.co_consts if isinstance(each, str))
    return Mentions(tuple(globals_), frozenset(attributes), tuple(pairs), frozenset(whole), tuple(imports))


@functools.cache
def catches(code: types.CodeType) -> bool:
    """Whether a code object has a ``try``; each ``with`` has a handler of its own, which does not count."""
    names = [each.opname for each in dis.get_instructions(code)]
    return names.count("PUSH_EXC_INFO") > names.count("WITH_EXCEPT_START") or any(map(catches, _inner(code)))


def _inner(code: types.CodeType) -> list[types.CodeType]:
    """The code of the functions, classes and comprehensions inside."""
    return [each for each in code.co_consts if isinstance(each, types.CodeType)]
