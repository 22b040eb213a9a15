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
from . import stamps

ALL = 1 << 30  # of the references of a reading


class Difference(NamedTuple):
    """What changed. A change of ``structure`` (train or eval, a new layer) asks for another program."""

    what: str
    structure: bool


class Reading(NamedTuple):
    """References: ``read(owner)`` gives them, at least one and always equally many; first those that are structure.

    ``names`` are what they are called, or None: ``what[number]``. ``runs`` are words of memory that change whenever
    one of them does, if there are any.
    """

    read: Callable[[Any], Iterable[Any]]
    owner: Any
    what: str
    names: list[str] | None
    structural: int
    runs: list[stamps.Run]

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

    @property
    def runs(self) -> list[stamps.Run]:
        """The words of memory that change whenever an element does, or how many there are; none if not known."""
        return stamps.of_objects([self.owner])

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

    def add(
        self,
        read: Any,
        owner: Any,
        what: str,
        names: list[str] | None = None,
        structural: int = 0,
        runs: Iterable[stamps.Run] = (),
    ) -> None:
        """Watch the references ``read(owner)``, if there are any; none of them changes but with a word of ``runs``."""
        reading = Reading(read, owner, what, names, structural, list(runs))
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
            self.add(read, table, what, names * (1 + (len(keys) == 1)), structural, stamps.of_objects([table]))

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
        questions = {
            self._sizes_are_same: self._empty or self._sized,
            self._keys_are_same: self._keys,
            self._elements_are_same: self._filled,
            self._readings_are_same: self._readings,
        }
        self._questions = [question for question, has_reason in questions.items() if has_reason]

    def same(self) -> bool:
        """Whether everything is the very same object as before, and nothing is more or less."""
        try:
            for is_so in self._questions:
                if not is_so():
                    return False
        except _GONE:
            return False
        return True

    def _sizes_are_same(self) -> bool:
        return not any(self._empty) and list(map(len, self._sized)) == self._counts

    def _keys_are_same(self) -> bool:
        return list(_chained(self._with_keys)) == self._keys

    def _elements_are_same(self) -> bool:
        return all(map(_is, _references(*self._filled), self._known_references))

    def _readings_are_same(self) -> bool:
        return all(map(_is, _chained(map(_call, self._reads, self._owners)), self._known))

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

    def parts(self) -> list[Container | Reading]:
        """All that is watched, each on its own."""
        return [*self._sizes, *self._containers, *self._readings]

    def without(self, parts: set[int]) -> "Watches":
        """The watches but for some parts, given by their identities, as things are now."""
        rest = Watches()
        for name in ("_containers", "_sizes", "_readings"):
            setattr(rest, name, [each for each in getattr(self, name) if id(each) not in parts])
        rest.remember()
        return rest

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


class Stamped:
    """Watches that are asked by stamps, as far as these are known; Python is asked where one has changed.

    What often gets another stamp though it stays the same, such as the globals of a script, is left to Python.
    """

    def __init__(self, watches: Watches):
        self._watches = watches
        self._stamps: stamps.Stamps | None = None
        self._parts: list[Container | Reading] = []  # that of each run
        self._restless: set[int] = set()  # identities of parts
        self._latest: Any = None  # the part whose stamp changed last, ...
        self._quiet = 0  # ... and how often none has since
        self._is_new = True

    def same(self) -> bool:
        """Whether everything is the very same object as before, and nothing is more or less."""
        if self._is_new:  # it may be asked but once: stamps would be in vain
            self._is_new = False
            return self._watches.same()
        if self._stamps is None:
            return self._look()
        changed = self._stamps.first_change()
        if changed < 0:
            self._quiet += 1
            return self._others_are_same()
        part = self._parts[changed]
        if self._quiet < _OFTEN and part is self._latest:
            self._restless.add(id(part))
        self._latest = part
        return self._look()

    def _look(self) -> bool:
        """Ask Python for everything, and take new stamps if it is the same."""
        if not self._watches.same():
            return False
        parts = self._watches.parts()
        pairs = [(run, part) for part in parts if id(part) not in self._restless for run in part.runs]
        stamped = {id(part) for _, part in pairs}
        part_of = dict(pairs)  # several may have the same words
        taken, others = stamps.Stamps(list(part_of)), self._watches.without(stamped)
        if not self._watches.same():  # another thread has changed something meanwhile; later changes show in the stamps
            return False
        self._stamps, self._parts, self._quiet = taken, list(part_of.values()), 0
        self._others_are_same = others.same if others.parts() else _always
        return True


_OFTEN = 4  # replays


def _always() -> bool:
    return True


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
