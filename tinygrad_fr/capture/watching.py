"""Watching references: whether Python objects still hold the very same objects as before.

Every replay asks this of some hundred references, so the answer is one pass in C, with no Python between them.
"""

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

    ``names`` are what they are called, or None: ``what[number]``. Where ``read`` is None the owner is iterated.
    """

    read: Callable[[Any], Iterable[Any]] | None
    owner: Any
    what: str
    names: list[str] | None
    structural: int

    def now(self) -> list[Any]:
        """What is there; nothing where something is gone."""
        try:
            return list(self.owner if self.read is None else self.read(self.owner))
        except _GONE:
            return []

    def difference(self, i: int) -> Difference:
        """The change of reference number i."""
        return Difference(f"{self.what}[{i}]" if self.names is None else self.names[i], i < self.structural)


class Size(NamedTuple):
    """How many elements ``owner`` has; ``count`` is how many it had."""

    owner: Sized
    count: int
    what: str
    structure: bool

    def difference(self) -> Difference:
        return Difference(f"{self.what} (how many there are)", self.structure)


_GONE = (KeyError, AttributeError, ValueError)  # what reading raises: an item, an attribute, a variable is gone


class Watches:
    """References and sizes that have to stay as they are."""

    def __init__(self):
        self._elements: list[Reading] = []  # those without ``read``
        self._readings: list[Reading] = []
        self._sizes: list[Size] = []

    # --- what is watched -----------------------------------------------------------------------------------------

    def add(self, read: Any, owner: Any, what: str, names: list[str] | None = None, structural: int = 0) -> None:
        """Watch the references ``read(owner)``, if there are any."""
        reading = Reading(read, owner, what, names, structural)
        if reading.now():
            self._readings.append(reading)

    def add_size(self, owner: Sized, what: str, structural: int = 0) -> None:
        """Watch how many elements there are."""
        self._sizes.append(Size(owner, len(owner), what, structural > 0))

    def add_elements(self, owner: Any, what: str, names: list[str] | None = None, structural: int = 0) -> None:
        """Watch the elements of a list, tuple or view of a dictionary, and how many there are."""
        self.add_size(owner, what, structural)
        if len(owner):
            self._elements.append(Reading(None, owner, what, names, structural))

    def add_values(self, table: Any, keys: Iterable[Any], what: str, names: list[str], structural: int = 0) -> None:
        """Watch the values of some keys of a dictionary."""
        keys = tuple(keys)
        if keys:
            read = operator.itemgetter(*keys) if len(keys) > 1 else operator.itemgetter(*keys, *keys)
            self.add(read, table, what, names * (1 + (len(keys) == 1)), structural)

    # --- staying the same ----------------------------------------------------------------------------------------

    def remember(self) -> None:
        """Take what is there now for what has to be there."""
        known = [each.now() for each in self._elements], [each.now() for each in self._readings]
        self._known_elements, self._known = (list(_chained(each)) for each in known)
        self._owners_of_elements = [each.owner for each in self._elements]
        self._reads = [each.read for each in self._readings]
        self._owners = [each.owner for each in self._readings]
        self._empty = [each.owner for each in self._sizes if not each.count]
        self._sized = [each.owner for each in self._sizes if each.count]
        self._counts = [each.count for each in self._sizes if each.count]

    def same(self) -> bool:
        """Whether everything is the very same object as before, and nothing is more or less."""
        try:
            return (
                not any(self._empty)
                and list(map(len, self._sized)) == self._counts
                and all(map(_is, _chained(self._owners_of_elements), self._known_elements))
                and all(map(_is, _chained(map(_call, self._reads, self._owners)), self._known))
            )
        except _GONE:
            return False

    def difference(self) -> Difference | None:
        """What changed, if anything did; other objects of the same value are no change."""
        for size in self._sizes:
            if len(size.owner) != size.count:
                return size.difference()
        known = iter(self._known_elements), iter(self._known)
        for readings, before in zip((self._elements, self._readings), known, strict=True):
            for reading in readings:
                found = _difference(reading, before)
                if found is not None:
                    return found
        self.remember()
        return None

    @staticmethod
    def together(parts: Iterable["Watches"]) -> "Watches":
        """All watches of the parts in one, which remembers what they remember."""
        whole = Watches()
        for name in ("_elements", "_readings", "_sizes"):
            setattr(whole, name, [each for part in parts for each in getattr(part, name)])
        whole.remember()
        whole._known_elements = [each for part in parts for each in part._known_elements]
        whole._known = [each for part in parts for each in part._known]
        return whole


def _difference(reading: Reading, before: Iterator[Any]) -> Difference | None:
    """The first change in a reading; ``before`` goes on with the references that it had."""
    now = reading.now()
    if not now:
        return reading.difference(0)
    for i, one in enumerate(now):
        other = next(before)
        if one is not other and not _same_value(one, other):
            return reading.difference(i)
    return None


_is, _call, _chained = operator.is_, operator.call, itertools.chain.from_iterable


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


class _Nowhere:
    """Stands where there is nothing."""


_NOWHERE = _Nowhere()
