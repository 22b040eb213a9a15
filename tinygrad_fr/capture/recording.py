"""Recording one call of a function: its trace, what it returns and what it leaves, as a recipe."""

import itertools
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..autograd import Tensor, grad
from ..autograd.mode import recording
from ..autograd.node import Node
from ..autograd.tensor import wrap
from .program import Recipe
from .rewriting import rewrite
from .signature import Refused, flatten, rebuild
from .trace import Trace, Value
from .world import World


class Recorded:
    """A recipe with what is needed around it: how to give back what the function returns.

    structure   what the function returns, with a number in the place of each tensor
    results     for each of those numbers where the tensor comes from
    live        the numbers of the results from which gradients may still flow
    targets     the tensors that those gradients reach, arguments as their numbers
    counters    the tensors that the backward reads, whose writes it must notice; arguments as their numbers
    """

    def __init__(self, recipe: Recipe, world: World):
        self.recipe = recipe
        self.world = world
        self.structure: Any = None
        self.results: list[Result] = []
        self.live: list[int] = []
        self.targets: list[Any] = []
        self.counters: list[Any] = []
        self.writes: list[int] = []  # the number of an argument, each time it is written
        self.generator: np.ndarray | None = None
        self.leaves = Leaves([])


class Result:
    """Where a tensor that the function returns comes from: an argument, a tensor that was there, or a value."""

    __slots__ = ("argument", "gradient_of", "requires_grad", "spent", "tensor", "value")

    def __init__(self):
        self.argument: int | None = None
        self.tensor: Tensor | None = None
        self.gradient_of: Tensor | None = None
        self.value: int | None = None  # its place among the results of the recipe
        self.requires_grad = False
        self.spent: Any = None  # the op whose node backward has used up


class Recording:
    """One call of ``function``, recorded. ``problem`` says why it cannot be replayed; ``recorded`` is None then."""

    def __init__(self, function: Any, args: Any, kwargs: Any, arguments: list[Tensor], world: World):
        self.arguments = arguments
        self.world = world
        self.trace = Trace(arguments, world)
        self.recorded: Recorded | None = None
        self.passing = False  # nothing is wrong, but the state was still being made: record again
        self._tensors = [*world.tensors.values(), *arguments]
        before = [(each, each._array, each._requires_grad, each._node, each.grad) for each in self._tensors]
        with recording(self.trace):
            self.result = function(*args, **kwargs)
        self._find_changes(before)
        if self.problem is None and not self.passing:
            self._finish(before)

    @property
    def problem(self) -> str | None:
        return self.trace.problem

    def _find_changes(self, before: list[Any]) -> None:
        """Note what the call changed of the state that a replay would not change."""
        changed = self.world.difference()
        if changed is not None:
            self.passing = changed.structure
            if not changed.structure:
                self._refuse(f"it changes {changed.what}")
            return
        for tensor, array, requires_grad, node, _ in before:
            if tensor._array is not array or tensor._requires_grad != requires_grad or tensor._node is not node:
                self._refuse(f"it changes what a tensor of shape {list(tensor.shape)} is (its data, or its graph)")

    def _refuse(self, problem: str) -> None:
        if self.trace.problem is None:
            self.trace.problem = problem

    # --- what the call leaves ------------------------------------------------------------------------------------

    def _finish(self, before: list[Any]) -> None:
        trace = self.trace
        recipe = Recipe(trace.arguments, trace.sources, trace.calls)
        recorded = Recorded(recipe, self.world)
        try:
            tensors, recorded.structure = flatten(self.result)
        except Refused as error:
            self._refuse(f"it returns {error}")
            return
        self._take_gradients(recipe, before)
        for tensor in tensors:
            recorded.results.append(self._result(tensor, recipe))
        roots = [each.root for each in recipe.results]
        if len(set(roots)) < len(roots):
            self._refuse("two of the tensors that it returns share memory")
        self._take_writes(recorded)
        live = [i for i, each in enumerate(tensors) if _is_live(each, recorded.results[i])]
        if live and self.problem is None:
            self._record_backward(recorded, [tensors[i] for i in live])
            recorded.live = live
        if self.problem is None:
            recorded.generator = trace.generator
            recorded.leaves = Leaves(list(self.world.tensors.values()), {id(each[0]): each[4] is None for each in before})
            rewrite(recipe)
            recipe.prepare()
            self.recorded = recorded

    def _take_gradients(self, recipe: Recipe, before: list[Any]) -> None:
        for tensor, _, _, _, old in {id(each[0]): each for each in before}.values():
            new = tensor.grad
            if new is old:
                continue
            value = None if new is None else self.trace.find(new._array)
            if new is not None and (value is None or not value.is_made or new._requires_grad):
                self._refuse("it sets the gradient of a tensor to a tensor that was there, or that has a graph")
            recipe.grads.append((tensor, value))

    def _result(self, tensor: Tensor, recipe: Recipe) -> Result:
        result = Result()
        for i, each in enumerate(self.arguments):
            if tensor is each:
                result.argument = i
                return result
        if id(tensor) in self.world.tensors:
            result.tensor = tensor
            return result
        for leaf, value in recipe.grads:
            if value is not None and leaf.grad is tensor:
                result.gradient_of = leaf
                return result
        value = self.trace.find(tensor._array)
        if value is None or not value.is_made:
            self._refuse(f"it returns a tensor of shape {list(tensor.shape)} that shares memory with one it was given, "
                         "or was not made by ops")
            return result
        result.requires_grad = tensor._requires_grad
        if tensor._node is not None and not _flows(tensor._node):
            result.spent = tensor._node.op
        if value not in recipe.results:
            recipe.results.append(value)
        result.value = recipe.results.index(value)
        return result

    def _take_writes(self, recorded: Recorded) -> None:
        for call in self.trace.calls:
            for each in call.writes:
                root = each.root
                if root.argument is not None:
                    recorded.writes.append(root.argument)
                elif root.tensor is not None and root.tensor._version is not None:
                    recorded.recipe.bumps.append(root.tensor._version)

    # --- gradients that are asked for later ----------------------------------------------------------------------

    def _record_backward(self, recorded: Recorded, live: list[Tensor]) -> None:
        """Record how gradients flow from the results to what the function was given."""
        trace, recipe = self.trace, recorded.recipe
        wanted = {id(each): each for each in self._tensors if each._requires_grad}
        seeds = [wrap(np.ones_like(each._array)) for each in live]
        forward = list(trace.calls)
        given = len(trace.arguments)
        recipe.seeds = [trace.take_argument(each) for each in seeds]
        del trace.arguments[given:], trace.sources[given:]
        if not wanted:
            self._refuse("gradients flow from its results to tensors that it was seen neither given nor to reach")
            return
        with recording(trace):
            found = grad(live, list(wanted.values()), seeds, retain_graph=True, allow_unused=True)
        recipe.forward, recipe.backward = forward, trace.calls[len(forward) :]
        numbers = {id(each): i for i, each in reversed(list(enumerate(self.arguments)))}
        for tensor, gradient in zip(wanted.values(), found, strict=True):
            if gradient is not None:
                recorded.targets.append(numbers.get(id(tensor), tensor))
                recipe.gradients.append(trace.find(gradient._array))
        recorded.counters = self._read_by(recipe.backward)

    def _read_by(self, calls: Iterable[Any]) -> list[Any]:
        """The tensors, or numbers of arguments, that calls read."""
        roots = {each.root for call in calls for each in call.reads()}
        arguments = [each.argument for each in roots if each.argument is not None]
        numbers = [i for i in arguments if i < len(self.arguments)]
        return [*numbers, *[each.tensor for each in roots if each.tensor is not None]]


class Leaves:
    """The tensors that the function reaches: whose array each must have, and whether a gradient."""

    def __init__(self, tensors: list[Tensor], without_gradient: dict[int, bool] | None = None):
        self._tensors = tensors
        self._arrays = [each._array for each in tensors]
        self._requires = [each._requires_grad for each in tensors]
        self._nodes = [each._node for each in tensors]
        self._empty = [(without_gradient or {})[id(each)] for each in tensors]

    def same(self) -> bool:
        """Whether each is as it was: its array, its place in the graph, hooks, whether it has a gradient."""
        tensors = self._tensors
        return (
            all(map(operator.is_, map(_ARRAY, tensors), self._arrays))
            and all(map(operator.is_, map(_REQUIRES, tensors), self._requires))
            and all(map(operator.is_, map(_NODE, tensors), self._nodes))
            and list(map(operator.is_, map(_GRAD, tensors), _NONE)) == self._empty
            and not any(map(_has_hooks, filter(None, map(_EXTRA, tensors))))
        )


_ARRAY, _REQUIRES, _NODE = map(operator.attrgetter, ("_array", "_requires_grad", "_node"))
_GRAD, _EXTRA = map(operator.attrgetter, ("grad", "_extra"))
_NONE = itertools.repeat(None)


def _has_hooks(extra: dict[str, Any]) -> bool:
    return bool(extra.get("hooks") or extra.get("post_hooks"))


def _is_live(tensor: Tensor, result: Result) -> bool:
    return result.value is not None and tensor._node is not None and result.spent is None


def _flows(node: Node) -> bool:
    """Whether no node that gradients would reach from this one has been used up."""
    stack: list[Any] = [node]
    seen = {node}
    while stack:
        each = stack.pop()
        if each.saved is None:
            return False
        for parent in each.parents:
            if isinstance(parent, Node) and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return True


def returned(structure: Any, tensors: list[Tensor]) -> Any:
    """What the function returns, with ``tensors`` in their places."""
    return rebuild(structure, tensors)


__all__ = ["Recorded", "Recording", "Result", "Value", "returned"]
