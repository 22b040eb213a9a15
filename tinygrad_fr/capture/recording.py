"""Recording one call of a function: its trace, what it returns and what it leaves, as a recipe."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..autograd import Tensor, grad
from ..autograd.mode import recording
from ..autograd.node import Node
from ..autograd.tensor import wrap
from .program import Backward, Recipe
from .purity import Unsafe
from .recorded import Recorded, Result
from .rewriting import rewrite
from .signature import Arguments, Refused, flatten, have_changed
from .trace import Trace, Value
from .world import World, hooks_of

_MOST_LIVE = 3  # results that want gradients: for each choice of those that are used there is a backward of its own


class Recording:
    """One call of a function: `run` it, then `finish`.

    ``problem`` says why the call cannot be replayed; ``recorded`` is None then.
    """

    def __init__(self, given: Arguments, world: World):
        self._given = given
        self.arguments = arguments = given.tensors
        self.world = world
        self.worlds = [world]
        self._hooks = _world_of_hooks([*world.tensors.values(), *arguments])
        self.trace = Trace(arguments, world, self._hooks)
        self.recorded: Recorded | None = None
        self._tensors = list({id(each): each for each in (*world.tensors.values(), *arguments)}.values())
        self._before = [(each, each._array, each._requires_grad, each._node, each.grad) for each in self._tensors]
        self._options_before = self._options()

    def run(self, function: Any, args: Any, kwargs: Any) -> Any:
        """Call the function, and give what it returns."""
        with recording(self.trace):
            self._result_of_call = function(*args, **kwargs)
        return self._result_of_call

    def finish(self) -> None:
        """Make a recipe of what was heard, if that can be repeated."""
        if self.trace.has_hooks and self._hooks is not None:
            self.worlds.append(self._hooks)
        elif self.trace.has_hooks:
            self._refuse("a hook on a gradient does what cannot be followed")
        if self._options() != self._options_before:
            self._refuse("it changes the options of an optimizer")
        if have_changed(self._given.containers):
            self._refuse("it changes a list or a dictionary that it is given")
        if self._is_repeatable() and self.problem is None:
            self._make()

    @property
    def problem(self) -> str | None:
        return self.trace.problem

    def _options(self) -> list[Any]:
        """The numbers that updates read as data."""
        return [each._hyper_values(group) for each in self.world.optimizers for group in each.param_groups]

    def _refuse(self, problem: str) -> None:
        if self.trace.problem is None:
            self.trace.problem = problem

    def _is_repeatable(self) -> bool:
        """Whether the call left the state that a replay relies on as it was. New state of a layer or an optimiser is
        no problem: it is there from now on, and the next call is recorded."""
        for changed in filter(None, [each.watches.difference() for each in self.worlds]):
            if not changed.structure:
                self._refuse(f"it changes {changed.what}")
            elif self.trace.unknown:
                self.trace.problem = None
            return False
        for tensor, array, requires_grad, node, _ in self._before:
            if tensor._array is not array or tensor._requires_grad != requires_grad or tensor._node is not node:
                self._refuse(f"it changes what a tensor of shape {list(tensor.shape)} is: its data, or its graph")
        return True

    # --- what the call leaves ------------------------------------------------------------------------------------

    def _make(self) -> None:
        trace = self.trace
        recipe = Recipe(trace.arguments, trace.sources, trace.calls)
        recorded = Recorded(recipe, self.worlds, self._given.objects)
        recorded.generator = trace.generator
        try:
            tensors, recorded.structure, containers = flatten(self._result_of_call)
        except Refused as error:
            self._refuse(f"it returns {error}")
            return
        if any(self._was_there(each) for each in containers):
            self._refuse("it returns a list or a dictionary that was there")
        self._take_gradients(recipe)
        recipe.number_arguments(self.arguments)
        recorded.results = [self._result(each, recipe) for each in tensors]
        self._let_share(recorded, tensors)
        self._take_writes(recorded)
        self._take_live(recorded, tensors)
        recorded.take_used()
        recorded.take_sources()
        recorded.take_aliases(self.arguments, list(self.world.tensors.values()))
        if recorded.overlap(self.arguments):
            return
        if self.problem is None:
            rewrite(recipe)
            recipe.prepare()
            self.trace.release()
            self.recorded = recorded

    def _take_gradients(self, recipe: Recipe) -> None:
        for tensor, _, _, _, old in self._before:
            new = tensor.grad
            if new is old:
                continue
            value = None if new is None else self.trace.find(new._array)
            if new is not None and old is not None and new._array is old._array:
                continue  # zero_grad(set_to_none=False) makes a new tensor around the array
            if new is not None and (value is None or not value.is_made or new._requires_grad):
                self._refuse("it sets the gradient of a tensor to a tensor that was there, or that has a graph")
            recipe.grads.append((tensor, value))
            if id(tensor) in self.trace.cleared_first:
                recipe.cleared.append(tensor)

    def _result(self, tensor: Tensor, recipe: Recipe) -> Result:
        result = Result()
        result.requires_grad, result.inference = tensor._requires_grad, tensor._version is None
        leaves = [(leaf, self.arguments[leaf] if isinstance(leaf, int) else leaf) for leaf, _ in recipe.grads]
        result.gradient_of = next((leaf for leaf, each in leaves if each.grad is tensor), None)
        if result.gradient_of is not None:
            return result
        value = self.trace.find(tensor._array)
        if value is None and id(tensor) in self.world.tensors:
            result.tensor, result.same = tensor, True
        elif value is None:
            self._refuse(f"it returns a tensor of shape {list(tensor.shape)} that was not made by ops")
        elif value.is_made:
            result.value = _place_among(recipe.results, value)
            if tensor._node is not None and not _flows(tensor._node):
                result.spent = tensor._node.op
        else:
            self._trace_to_input(result, tensor, value)
        return result

    def _trace_to_input(self, result: Result, tensor: Tensor, value: Value) -> None:
        """Say by which views a result comes from an argument, or from a tensor that was there."""
        result.steps = _steps(value)
        root = value.root
        if root.argument is not None and root.argument < len(self.arguments):
            result.argument = root.argument
            result.same = tensor is self.arguments[root.argument]
        elif root.tensor is not None and id(root.tensor) in self.world.tensors:
            result.tensor = root.tensor
            result.same = tensor is root.tensor
        else:
            self._refuse(f"it returns a tensor of shape {list(tensor.shape)} that shares memory with another")

    def _let_share(self, recorded: Recorded, tensors: list[Tensor]) -> None:
        """Results that share memory are made as views of one."""
        recipe = recorded.recipe
        roots = [recipe.results[each.value].root for each in recorded.results if each.value is not None]
        for i, result in enumerate(recorded.results):
            if result.value is None or roots.count(recipe.results[result.value].root) == 1:
                continue
            value = self.trace.find(tensors[i]._array)
            assert value is not None
            result.steps = _steps(value)
            result.shared = True
            result.value = _place_among(recipe.results, value.root)

    def _take_writes(self, recorded: Recorded) -> None:
        for call in self.trace.calls:
            for each in call.writes:
                root = each.root
                if root.argument is not None:
                    recorded.writes.append(root.argument)
                elif root.tensor is not None and root.tensor._version is not None:
                    recorded.recipe.bumps.append(root.tensor._version)

    def _was_there(self, container: Any) -> bool:
        """Whether a list or dictionary is not of the function's own making."""
        return self.world.reaches(container) or any(container is each for each, _ in self._given.containers)

    # --- gradients that are asked for later ----------------------------------------------------------------------

    def _take_live(self, recorded: Recorded, tensors: list[Tensor]) -> None:
        pairs = list(zip(tensors, recorded.results, strict=True))
        recorded.live = [i for i, (each, result) in enumerate(pairs) if _is_live(each, result)]
        if not recorded.live or self.problem is not None:
            return
        if len(recorded.live) > _MOST_LIVE:
            self._refuse(f"it returns more than {_MOST_LIVE} tensors from which gradients flow")
        elif any(each._requires_grad and each._node is None and result.value is not None for each, result in pairs):
            self._refuse("it returns a leaf that it made, and a tensor from which gradients may flow there")
        else:
            self._record_backwards(recorded, [tensors[i] for i in recorded.live])

    def _record_backwards(self, recorded: Recorded, live: list[Tensor]) -> None:
        """Record how gradients flow from every choice of the results to what the function was given."""
        trace, recipe = self.trace, recorded.recipe
        wanted = [each for each in self._tensors if each._requires_grad]
        recipe.forward = list(trace.calls)
        seeds = [wrap(np.ones_like(each._array)) for each in live]
        recipe.seeds = [trace.take_seed(each) for each in seeds]
        if wanted:
            for used in itertools.product((False, True), repeat=len(live)):
                if any(used):
                    recipe.backwards.append(self._backward(used, live, seeds, wanted))
        numbers = {id(each): i for i, each in reversed(list(enumerate(self.arguments)))}
        recorded.targets = [numbers.get(id(each), each) for each in wanted]
        self._take_read(recorded)

    def _backward(self, used: tuple[bool, ...], live: list[Tensor], seeds: list[Tensor], wanted: Any) -> Backward:
        done = len(self.trace.calls)
        outputs, gs = list(itertools.compress(live, used)), list(itertools.compress(seeds, used))
        with _without_hooks(wanted), recording(self.trace):
            found = grad(outputs, wanted, gs, retain_graph=True, allow_unused=True)
        gradients = [None if each is None else self.trace.find(each._array) for each in found]
        return Backward(used, self.trace.calls[done:], gradients)

    def _take_read(self, recorded: Recorded) -> None:
        """Find the tensors that the backwards read."""
        calls = [call for backward in recorded.recipe.backwards for call in backward.calls]
        roots = {each.root for call in calls for each in call.reads()}
        for root in roots:
            if root.argument is not None and root.argument < len(self.arguments):
                recorded.read.append(("argument", root.argument))
            elif root.tensor is not None:
                recorded.read.append(("tensor", root.tensor))
        for i, result in enumerate(recorded.results):
            if result.value is not None and recorded.recipe.results[result.value].root in roots:
                recorded.read.append(("result", i))


def _world_of_hooks(tensors: list[Tensor]) -> World | None:
    """What the hooks of some tensors reach; None where that cannot be followed."""
    try:
        return World([("a hook", hook) for each in tensors for hook in hooks_of(each)])
    except Unsafe:
        return None


@contextmanager
def _without_hooks(tensors: list[Tensor]) -> Iterator[None]:
    """Keep the hooks of these tensors from being called: the engine calls them when it delivers the gradients."""
    owners = [(each, each._extra, each._node and each._node.hooks) for each in tensors]
    for each, _, _ in owners:
        each._extra = None
        if each._node is not None:
            each._node.hooks = None
    try:
        yield
    finally:
        for each, extra, hooks in owners:
            each._extra = extra
            if each._node is not None:
                each._node.hooks = hooks


def _place_among(values: list[Value], value: Value) -> int:
    if value not in values:
        values.append(value)
    return values.index(value)


def _steps(value: Value) -> list[Any]:
    """The views, as (op, params), that lead from the root of a value to it."""
    steps = []
    while value.base is not None:
        assert value.call is not None
        steps.append((value.call.op, value.call.params))
        value = value.base
    return steps[::-1]


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
