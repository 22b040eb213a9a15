"""Watching references: whether Python objects still hold the very same objects as before.

Every replay asks this of some hundred references, so the answer is one pass in C, with no Python between them.
"""

import gc
import itertools
import operator
import types
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..autograd.device import device
from ..autograd.dtypes import dtype

ALL = 1 << 30  # of the references of a reading


class Difference(NamedTuple):
    """What changed. A change of ``structure`` (train or eval, a new layer) asks for another program."""

    what: str
    structure: bool


class Reading(NamedTuple):
    """References: ``read(owner)`` gives them, at least one and always equally many; first those that are structure.

    ``names`` are what they are called, or None: ``what[number]``.
    """

    read: Callable[[Any], Iterable[Any]]
    owner: Any
    what: str
    names: list[str] | None
    structural: int

    def now(self) -> list[Any]:
        """What is there; nothing where something is gone."""
        try:
            return list(self.read(self.owner))
        except _GONE:
            return []

    def difference(self, i: int) -> Difference:
        """The change of reference number i."""
        return Difference(f"{self.what}[{i}]" if self.names is None else self.names[i], i < self.structural)


class Container(NamedTuple):
    """A list, dictionary, set or queue: its elements, how many there are, and the keys of a dictionary."""

    owner: Any
    count: int
    keys: tuple[str, ...]  # where all are strings: else they are among the references
    what: str
    names: list[str] | None
    structural: int

    def difference(self, i: int | None = None) -> Difference:
        """The change of reference number i, or of how many elements there are."""
        if i is None:
            return Difference(f"{self.what} (how many there are)", self.structural > 0)
        i = i * self.count // len(_references(self.owner))  # which may be keys and values
        return Difference(self.names[i] if self.names else f"{self.what}[{i}]", i < self.structural)


_GONE = (KeyError, AttributeError, ValueError)  # what reading raises: an item, an attribute, a variable is gone


class Watches:
    """References and sizes that have to stay as they are."""

    def __init__(self):
        self._containers: list[Container] = []  # of which all elements are watched
        self._sizes: list[Container] = []  # of which only the size is
        self._readings: list[Reading] = []

    # --- what is watched -----------------------------------------------------------------------------------------

    def add(self, read: Any, owner: Any, what: str, names: list[str] | None = None, structural: int = 0) -> None:
        """Watch the references ``read(owner)``, if there are any."""
        reading = Reading(read, owner, what, names, structural)
        if reading.now():
            self._readings.append(reading)

    def add_size(self, owner: Sized, what: str, structural: int = 0) -> None:
        """Watch how many elements there are."""
        self._sizes.append(Container(owner, len(owner), (), what, None, structural))

    def add_container(
        self, owner: Any, what: str, names: list[str] | None = None, structural: int = 0, keys: bool = True
    ) -> None:
        """Watch the elements of a list, dictionary, set or queue, and how many there are; the keys where ``keys``."""
        own = tuple(owner) if keys and isinstance(owner, dict) and all(type(each) is str for each in owner) else ()
        self._containers.append(Container(owner, len(owner), own, what, names, structural))

    def add_values(self, table: Any, keys: Iterable[Any], what: str, names: list[str], structural: int = 0) -> None:
        """Watch the values of some keys of a dictionary."""
        keys = tuple(keys)
        if keys:
            read = operator.itemgetter(*keys) if len(keys) > 1 else operator.itemgetter(*keys, *keys)
            self.add(read, table, what, names * (1 + (len(keys) == 1)), structural)

    # --- staying the same ----------------------------------------------------------------------------------------

    def remember(self) -> None:
        """Take what is there now for what has to be there."""
        filled = [each for each in self._containers if each.count]
        all_sizes = {id(each.owner): each for each in (*self._sizes, *self._containers)}.values()
        self._empty = [each.owner for each in all_sizes if not each.count]
        self._sized = [each.owner for each in all_sizes if each.count]
        self._counts = [each.count for each in all_sizes if each.count]
        self._with_keys = [each.owner for each in filled if each.keys]
        self._keys = [key for each in filled for key in each.keys]
        self._filled = [each.owner for each in filled]
        self._known_references = _references(*self._filled)
        self._reads = [each.read for each in self._readings]
        self._owners = [each.owner for each in self._readings]
        self._known = [each for reading in self._readings for each in reading.now()]

    def same(self) -> bool:
        """Whether everything is the very same object as before, and nothing is more or less."""
        try:
            return (
                not any(self._empty)
                and list(map(len, self._sized)) == self._counts
                and list(_chained(self._with_keys)) == self._keys
                and all(map(_is, _references(*self._filled), self._known_references))
                and all(map(_is, _chained(map(_call, self._reads, self._owners)), self._known))
            )
        except _GONE:
            return False

    def difference(self) -> Difference | None:
        """What changed, if anything did; other objects of the same value are no change."""
        for each in (*self._sizes, *self._containers):
            if len(each.owner) != each.count or (each.keys and tuple(each.owner) != each.keys):
                return each.difference()
        before = iter(self._known_references)
        for each in self._containers:
            i = _first_change(_references(each.owner) if each.count else [], before)
            if i is not None:
                return each.difference(i)
        before = iter(self._known)
        for each in self._readings:
            now = each.now()
            i = _first_change(now, before) if now else 0
            if i is not None:
                return each.difference(i)
        self.remember()
        return None

    @staticmethod
    def together(parts: Iterable["Watches"]) -> "Watches":
        """All watches of the parts in one, which remembers what they remember."""
        whole, parts = Watches(), list(parts)
        for name in ("_containers", "_sizes", "_readings"):
            setattr(whole, name, [each for part in parts for each in getattr(part, name)])
        whole.remember()
        whole._known_references = [each for part in parts for each in part._known_references]
        whole._known = [each for part in parts for each in part._known]
        return whole


def _first_change(now: list[Any], before: Iterator[Any]) -> int | None:
    """The number of the first reference that is no longer as the next of ``before``."""
    for i, one in enumerate(now):
        other = next(before, _NOWHERE)
        if one is not other and not _same_value(one, other):
            return i
    return None


class _Nowhere:
    """Stands where there is nothing."""


_NOWHERE = _Nowhere()
_references = gc.get_referents  # the elements; of a dictionary the values, and its keys if not all are strings
_is, _chained = operator.is_, itertools.chain.from_iterable
_call: Any = operator.call


# ---------------------------------------------------------------------------------------------------------------
# Values that cannot change.

IMMUTABLE = {type(None), bool, int, float, complex, str, bytes, dtype, device, slice, range, type(Ellipsis)} | {
    type(NotImplemented)
}


def is_immutable(value: Any) -> bool:
    """Whether a value is of a type that cannot change; subclasses of the user's may."""
    return type(value) in IMMUTABLE or isinstance(value, (np.dtype, np.generic))


def _same_value(one: Any, other: Any) -> bool:
    """Whether two objects are the same value of a type that cannot change; NaN is NaN, -0.0 is not 0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, types.MethodType):
        return one.__func__ is other.__func__ and one.__self__ is other.__self__
    if type(one) is tuple:
        return len(one) == len(other) and all(a is b or _same_value(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, (slice, range)):
        return _same_value((one.start, one.stop, one.step), (other.start, other.stop, other.step))
    if isinstance(one, (float, complex, np.generic)):
        return is_immutable(one) and repr(one) == repr(other)
    return is_immutable(one) and bool(one == other)


# ---------------------------------------------------------------------------------------------------------------
# Ways to read.


def of_each(function: Callable[[Any], Any]) -> Callable[[Any], Iterator[Any]]:
    """Reads ``function`` of every object of a sequence."""
    return partial(map, function)


def attribute_of_each(name: str) -> Callable[[Any], Iterator[Any]]:
    """Reads an attribute of every object of a sequence."""
    return partial(map, operator.attrgetter(name))


def padded(function: Callable[[Any], Iterable[Any]], owner: Any) -> Callable[[Any], Iterator[Any]]:
    """Reads what ``function`` gives, which may become more or less than now. The only way that runs in Python."""
    count = sum(1 for _ in function(owner))

    def read(owner: Any) -> Iterator[Any]:
        return itertools.islice(itertools.chain(function(owner), itertools.repeat(_NOWHERE)), count + 1)

    return read
