"""Stamps: words of Python objects' memory, which differ whenever the objects refer to something else than before.

To ask Python for some hundred references takes microseconds, and brings every object that they refer to into the cache.
In the memory of their owners they are words, and as long as no word has changed, no reference has.

In CPython an object lies at its identity: the count of references to it, its class, and then what it is made of. The
second word that a dictionary is made of is a number that no dictionary had before its last change (PEP 509), and those
of an ordered one have the like for its order; a list has how many elements there are, and where.
"""

import collections
import sys
import types
from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import kernels
from ..autograd import Tensor

Run = tuple[int, int, int]  # as kernels.words has it

# Whether memory is as said above. Later versions of Python are about to take the number away from dictionaries.
_WORD = 8
_IS_KNOWN = (
    sys.implementation.name == "cpython"
    and sys.version_info[:2] == (3, 11)
    and object.__basicsize__ == 2 * _WORD  # it is more in some builds for debugging
)

# The types whose references are all in their own memory, or show there; of plain dictionaries one word is enough.
_WHOLE = (list, collections.OrderedDict, types.FunctionType, types.CellType, Tensor)
_DICTIONARIES = (dict, collections.defaultdict)


def of_objects(owners: Iterable[Any]) -> list[Run]:
    """The words that change whenever one of these objects refers to another; none where they are not known."""
    runs = [_of_object(each) for each in owners]
    return [each for each in runs if each is not None] if _IS_KNOWN and None not in runs else []


def of_classes(owners: Iterable[Any]) -> list[Run]:
    """The words that change whenever one of these objects gets another class."""
    return [(id(each) + _WORD, 1, 0) for each in owners] if _IS_KNOWN else []


def _of_object(owner: Any) -> Run | None:
    kind = type(owner)
    if kind in _DICTIONARIES:
        return id(owner) + 3 * _WORD, 1, 0
    if kind in _WHOLE or isinstance(owner, Tensor):
        return id(owner) + _WORD, kind.__basicsize__ // _WORD - 1, len(owner) if kind is list else 0
    return None


class Stamps:
    """The words of some runs, as they are when this is made."""

    def __init__(self, runs: list[Run]):
        self._runs = np.array(runs, np.int64).reshape(-1, 3)
        self._words = kernels.words.take(self._runs)

    def first_change(self) -> int:
        """The number of the first run that is not as it was, or -1."""
        return kernels.words.first_change(self._runs, self._words)
