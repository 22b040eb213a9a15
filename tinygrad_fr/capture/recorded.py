"""A recorded call: its recipe, when it fits, and how to give back what the function returns."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .. import random as generators
from ..autograd import Tensor
from ..autograd.tensor import changes
from .program import Recipe
from .signature import form
from .watching import Difference, Stamped, Watches
from .world import World


class Recorded:
    """A recipe with what is needed around it: when it fits, and how to give back what the function returns.

    structure   what the function returns, with a number in the place of each tensor
    results     for each of those numbers where the tensor comes from
    live        the numbers of the results from which gradients may still flow
    targets     the tensors that those gradients reach; an argument as its number
    read        the tensors that the backwards read, whose writes must be noticed; arguments, results as ('...', number)
    writes      the numbers of the arguments that are written, each as often as it is
    """

    def __init__(self, recipe: Recipe, worlds: list[World], objects: list[Any]):
        self.recipe = recipe
        self._worlds = worlds
        self._objects = objects  # which the key knows by identity: alive, so that identities stay theirs
        self.optimizers = [optimizer for each in worlds for optimizer in each.optimizers]
        self.structure: Any = None
        self.results: list[Result] = []
        self.live: list[int] = []
        self.targets: list[Any] = []
        self.read: list[Any] = []
        self.writes: list[int] = []
        self.generator: np.ndarray | None = None
        self._watch()
        self._forms: list[Any] = []  # (leaf, what of its gradient the calls rely on)
        self._aliases: list[Any] = []  # (number of an argument, the tensor whose array it is, whether it is that)
        self._used: list[np.ndarray] = []  # arrays of tensors that are read or written, beside the arguments
        self._owners: set[int] | None = set()  # identities of those that own their memory; None where not all are known

    def _watch(self) -> None:
        """Put the watches of all worlds together; those of the tensors apart, for they need not be asked each time."""
        worlds = self._worlds
        always = Watches.together(each for world in worlds for each in (world.watches, world.of_gradients))
        self._always = Stamped(always)
        self._of_tensors = Watches.together(world.of_tensors for world in worlds)
        self._changes: object = None  # when the tensors were last looked at

    def _tensors_are_same(self) -> bool:
        now = changes[0]  # before they are looked at: another thread may change one meanwhile
        if now is not self._changes:
            if not self._of_tensors.same():
                return False
            self._changes = now
        return True

    def fits(self, tensors: Sequence[Tensor]) -> bool:
        """Whether all that the recipe relies on beside the key of the arguments is as it was."""
        if not (self._always.same() and self._tensors_are_same()):
            return False
        if self.generator is not None and generators.default_generator._state is not self.generator:
            return False
        if self._forms and not all(each.grad is not None and form(each.grad) == was for each, was in self._forms):
            return False
        for i, tensor, is_itself in self._aliases:
            if tensors[i]._array is not tensor._array or (tensors[i] is tensor) != is_itself:
                return False
        return not self.overlap(tensors)

    def difference(self) -> Difference | None:
        """What of the Python state changed; other objects of the same value are no change from now on."""
        for world in self._worlds:
            for each in (world.watches, world.of_tensors, world.of_gradients):
                found = each.difference()
                if found is not None:
                    return found
        self._watch()
        return None

    def take_aliases(self, arguments: list[Tensor], tensors: Iterable[Tensor]) -> None:
        """Note which arguments are tensors that the function reaches anyway."""
        pairs = [(i, each, other) for i, each in enumerate(arguments) for other in tensors]
        self._aliases = [(i, other, each is other) for i, each, other in pairs if each._array is other._array]

    def take_sources(self) -> None:
        """Note what the gradients are like that the calls read or write."""
        leaves = [each for each in self.recipe.sources if isinstance(each, Tensor)]
        self._forms = [(each, form(each.grad)) for each in leaves]

    def overlap(self, tensors: Sequence[Tensor]) -> bool:
        """Whether an argument shares memory with another, or with a tensor that is used, and one of them is written."""
        if not (self.writes or self.recipe.bumps):
            return False
        if self._owners is not None:  # the frequent case
            owners = set()
            for each in tensors:
                owners.add(id(_owner(each._array)))
            if len(owners) == len(tensors) and _UNKNOWN not in owners:
                return not self._owners.isdisjoint(owners)
        arrays = list({id(each._array): each._array for each in tensors}.values())  # one given twice is one argument
        pairs = itertools.combinations(arrays, 2)
        return any(np.may_share_memory(*pair) for pair in (*pairs, *itertools.product(arrays, self._used)))

    def take_used(self) -> None:
        """Note which tensors the calls read or write, beside the arguments."""
        roots = {each.root for call in self.recipe.calls() for each in (*call.reads(), *call.writes)}
        self._used = [each.tensor._array for each in roots if each.tensor is not None]
        owners = {id(_owner(each)) for each in self._used}
        self._owners = None if _UNKNOWN in owners else owners

    @property
    def is_pure(self) -> bool:
        """Whether running the function again changes nothing."""
        return self.generator is None and not (self.writes or self.recipe.bumps or self.recipe.grads)


class Result:
    """Where a tensor that the function returns comes from: an argument, a tensor that was there, or a value."""

    __slots__ = (
        "argument",
        "gradient_of",
        "inference",
        "requires_grad",
        "same",
        "shared",
        "spent",
        "steps",
        "tensor",
        "value",
    )

    def __init__(self):
        self.argument: int | None = None
        self.tensor: Tensor | None = None
        self.gradient_of: Any = None  # it is the gradient that the function leaves on this leaf
        self.value: int | None = None  # its place among the results of the recipe
        self.same = False  # it is the very argument or tensor
        self.shared = False  # others share its memory
        self.steps: list[Any] = []  # else the views that lead to it
        self.requires_grad = False
        self.inference = False
        self.spent: Any = None  # the op whose node backward has used up


def _owner(array: np.ndarray) -> Any:
    """The array whose memory it is; None where that is not known."""
    base = array.base
    if base is None:
        return array
    return base if type(base) is np.ndarray and base.base is None else None


_UNKNOWN = id(None)
