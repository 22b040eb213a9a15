"""A recorded call as something to replay: its recipe, and instances of it, each with arrays of its own."""

import functools
import operator
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.mode import thread
from ..autograd.tensor import changes, make
from .binding import Arrays, Bound
from .memory import Arena, strides_of
from .trace import Call, Layout, Value

_SMALL = 1 << 12  # bytes: arguments up to here are copied, which costs less than moving a program's words


class Backward:
    """The calls by which gradients flow from those results that are ``used`` to the targets."""

    def __init__(self, used: tuple[bool, ...], calls: list[Call], gradients: list[Value | None]):
        self.used = used
        self.calls = calls
        self.gradients = gradients


class Recipe:
    """What to do at each replay; made once, of a trace.

    arguments   the values of the tensors that the function is given; ``sources`` says which are gradients of leaves
                (here and below, a leaf that is an argument itself is its number)
    forward     the calls; ``backwards``: those that turn ``seeds`` into gradients, where results want gradients
    results     the values that the function returns
    grads       (leaf, value or None): what its ``.grad`` becomes
    cleared     the leaves whose ``.grad`` is taken away before anything else
    bumps       counters of writes to count up, each as often as it is there
    """

    def __init__(self, arguments: list[Value], sources: list[Any], forward: list[Call]):
        self.arguments = arguments
        self.sources = sources
        self.forward = forward
        self.backwards: list[Backward] = []
        self.seeds: list[Value] = []
        self.results: list[Value] = []
        self.grads: list[tuple[Any, Value | None]] = []
        self.cleared: list[Any] = []
        self.bumps: list[list[int]] = []
        self._instances: list[Instance] = []

    def lists_of_calls(self) -> list[list[Call]]:
        """The calls of the forward, and those of each backward."""
        return [self.forward, *[backward.calls for backward in self.backwards]]

    def calls(self) -> list[Call]:
        """All calls, those of the backwards after those of the forward."""
        return [call for calls in self.lists_of_calls() for call in calls]

    def kept(self) -> list[Value]:
        """The gradients that are left on leaves, or handed to the engine."""
        left = [value for _, value in self.grads if value is not None]
        return left + [each for backward in self.backwards for each in backward.gradients if each is not None]

    def number_arguments(self, arguments: list[Tensor]) -> None:
        """Name leaves that are arguments by their numbers, for at a replay they will be other tensors."""
        numbers = {id(each): i for i, each in reversed(list(enumerate(arguments)))}
        self.sources = [each if each is None else numbers.get(id(each), each) for each in self.sources]
        self.grads = [(numbers.get(id(leaf), leaf), value) for leaf, value in self.grads]
        self.cleared = [numbers.get(id(leaf), leaf) for leaf in self.cleared]

    def prepare(self) -> None:
        """Plan the memory, now that everything is known."""
        kept = self.kept()
        self.owned = {each.root for each in kept if each.is_made and each.root.constant is None}
        self.written = {each.root for call in self.calls() for each in call.writes}
        later = [call for backward in self.backwards for call in backward.calls]
        self._arena = Arena(self.forward, later, [*self.results, *kept], self.owned)
        self._values = self._all_values()
        self.renewed = [each for each in self._values if each.constant is not None and each in self.written]

    def _all_values(self) -> list[Value]:
        """Every value; those that share memory come after those whose memory it is."""
        found: dict[Value, None] = dict.fromkeys([*self.arguments, *self.seeds])
        for call in self.calls():
            for each in (*call.reads(), *call.writes, *[each for each in call.outputs if each is not None]):
                found.update(dict.fromkeys(_with_bases(each)))
        for each in (*self.results, *self.owned):
            found.update(dict.fromkeys(_with_bases(each)))
        return list(found)

    def arrays(self) -> Arrays:
        """An array for every value; those of the program's own are new."""
        arrays: Arrays = self._arena.arrays()
        for each in self._values:
            if each not in arrays:
                arrays[each] = _array(each, arrays, self.written)
        return arrays

    def views_of(self, argument: Value) -> list[Value]:
        """The values that share the memory of an argument, in an order in which they can be made."""
        return [each for each in self._values if each.base is not None and each.root is argument]

    def instance(self) -> "Instance":
        """An instance that nobody else holds; a new one where there is none."""
        for each in self._instances:
            if sys.getrefcount(each) == _UNHELD and each.lends_nothing():
                return each
        made = Instance(self)
        if len(self._instances) < _MOST_KEPT:  # others go with those who hold them
            self._instances.append(made)
        return made

    def forget_instances(self) -> None:
        """Let go of all instances: in a forked child one may have been in the middle of a run."""
        self._instances = []


_MOST_KEPT = 4  # instances of a recipe that wait for the next call
_UNHELD = 3  # references to an instance: the list of them, the loop over it, the call that counts
_HELD_BY_LEAF = 3  # references to a gradient: the leaf, a list or variable, the call that counts
_GRAD, _ARRAY = operator.attrgetter("_grad"), operator.attrgetter("_array")
_is = operator.is_


def _with_bases(value: Value) -> list[Value]:
    """The value after those that it is a view of."""
    chain = [value]
    while chain[-1].base is not None:
        chain.append(chain[-1].base)
    return chain[::-1]


def _array(value: Value, arrays: Arrays, written: set[Value]) -> np.ndarray:
    """The array of a value that has no place in the arena."""
    if value.base is not None:
        return view(value, arrays)
    if value.tensor is not None:
        return value.tensor._array
    if value.constant is not None and value not in written:
        return value.constant
    array = np.ndarray(value.layout.shape, value.layout.dtype, strides=strides_of(value.layout))
    if value.argument is not None and array.strides != value.layout.strides:  # an argument with gaps keeps them
        array = _with_gaps(value.layout)
    return array


def view(value: Value, arrays: Arrays) -> np.ndarray:
    """The array of a value that shares the memory of another, made from that of the other."""
    call = value.call
    assert call is not None
    inputs = [arrays[each] if isinstance(each, Value) else each for each in call.inputs]
    return call.op.forward(*inputs, **call.params)


def _with_gaps(like: Layout) -> np.ndarray:
    """A new array of the shape and strides of ``like``, none of which is negative."""
    span = sum((size - 1) * stride for size, stride in zip(like.shape, like.strides, strict=True)) + like.itemsize
    return np.ndarray(like.shape, like.dtype, np.empty(max(span, 0), np.uint8), strides=like.strides)


class Instance:
    """A recipe bound to arrays of its own."""

    def __init__(self, recipe: Recipe):
        self.arrays = arrays = recipe.arrays()
        self._recipe = recipe
        self._forward = Bound(recipe.forward, arrays)
        self._backwards: dict[tuple[bool, ...], Bound] = {}  # bound when they are first needed
        self._renewed = [(arrays[each], each.constant) for each in recipe.renewed]
        self._arguments = [
            _Argument(i, each, recipe, arrays)
            for i, each in enumerate(recipe.arguments)
            if each.argument == i  # a tensor that is given twice is one argument
        ]
        self._attach(self._forward)
        self._seeds = [arrays[each] for each in recipe.seeds]
        self.results = [arrays[each] for each in recipe.results]
        self._grads = [(leaf, None if value is None else arrays[value]) for leaf, value in recipe.grads]
        self.lent = [arrays[each] for each in recipe.owned]
        self._note_overwritten()
        self._bumps = recipe.bumps
        self._take_references()

    def _note_overwritten(self) -> None:
        """Find the leaves whose gradients the next replay replaces whatever they are, with the arrays of those."""
        sources = self._recipe.sources
        pairs = [(leaf, array) for leaf, array in self._grads if array is not None and isinstance(leaf, Tensor)]
        pairs = [pair for pair in pairs if not any(pair[0] is each for each in sources)]
        self._leaves = [leaf for leaf, _ in pairs]
        self._gradients = [array for _, array in pairs]
        self._alone = [_HELD_BY_LEAF] * len(pairs)
        self._leaves_have_gradients = False  # those of the last replay
        self._changes: object = None  # when they got them, if all that the replay leaves are theirs

    def lends_nothing(self) -> bool:
        """Whether nobody holds one of the arrays that this instance lent.

        That a leaf still has its last gradient does not count where the next replay replaces it anyway.
        """
        references = self._references_now()
        self._leaves_have_gradients = False
        if references == self._references:
            return True
        grads = list(map(_GRAD, self._leaves))
        if (
            references == self._references_of_leaves
            and list(map(sys.getrefcount, grads)) == self._alone
            and all(map(_is, map(_ARRAY, grads), self._gradients))
        ):
            self._leaves_have_gradients = True
            return True  # the frequent case: every leaf has its last gradient
        return list(map(operator.sub, references, self._held_by_these_leaves(grads))) == self._references

    def _held_by_these_leaves(self, grads: list[Tensor | None]) -> list[int]:
        """For every lent array, how many leaves have it as their gradient, which nobody else has."""
        held = [0] * len(self.lent)
        while grads:
            grad, array = grads.pop(), self._gradients[len(grads)]
            if grad is not None and grad._array is array and sys.getrefcount(grad) == _HELD_BY_LEAF:
                held[next(i for i, each in enumerate(self.lent) if each is array)] += 1
        return held

    def run(self, tensors: Sequence[Tensor]) -> None:
        """Run the forward calls for these arguments, and leave the gradients that they leave."""
        for array, content in self._renewed:
            array[...] = content
        for argument in self._arguments:
            argument.place(source_of(argument.leaf, argument.index, tensors)._array)
        try:
            _run(self._forward)
        except Exception:
            for leaf in self._recipe.cleared:
                _tensor(leaf, tensors)._grad = None
            raise
        for counter in self._bumps:
            counter[0] += 1
        if not (self._leaves_have_gradients and self._changes is changes[0]):
            self._leave_gradients(tensors)

    def _leave_gradients(self, tensors: Sequence[Tensor]) -> None:
        """Let the leaves have their gradients. Those that they have, and nobody else, are as good as new ones."""
        for leaf, array in self._grads:
            _tensor(leaf, tensors)._grad = None if array is None else make(array, None, [0])
        if len(self._leaves) == len(self._grads):
            self._changes = changes[0]

    def _attach(self, bound: Bound) -> None:
        """Let the arguments reach these calls."""
        for argument in self._arguments:
            argument.attach(bound)
        for program in bound.programs:
            program.before_complaint = functools.partial(_show, self._arguments)  # which does not hold the instance

    def run_backward(self, backward: Backward, seeds: list[np.ndarray | None]) -> list[np.ndarray | None]:
        """The gradients, from those of the results that are used; arrays of their own until they are let go of."""
        bound = self._backwards.get(backward.used)
        if bound is None:
            bound = self._backwards[backward.used] = Bound(backward.calls, self.arrays)
            self._attach(bound)
            self._take_references()
        held = self._held()
        for array, seed in zip(self._seeds, seeds, strict=True):
            if seed is not None:
                array[...] = seed
        _run(bound)
        arrays = [None if each is None else self.arrays[each] for each in backward.gradients]
        gradients = self._owned(arrays, copied=bool(held))
        for array, content in held:
            array[...] = content
        return gradients

    def _held(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The arrays lent to somebody who still has them, with copies: a second backward must not change them."""
        now = self._references_now()
        pairs = zip(self.lent, now, self._references, strict=True)
        return [(array, array.copy()) for array, one, other in pairs if one != other]

    def _take_references(self) -> None:
        """Note how many references to the lent arrays there are, while nobody else has one, or the leaves alone."""
        self._references = self._references_now()
        held = [sum(each is array for each in self._gradients) for array in self.lent]
        self._references_of_leaves = list(map(operator.add, self._references, held))

    def _references_now(self) -> list[int]:
        return list(map(sys.getrefcount, self.lent))

    def _owned(self, gradients: list[np.ndarray | None], copied: bool) -> list[np.ndarray | None]:
        """The gradients, each as an array that is only the receiver's."""
        own: list[np.ndarray | None] = []
        for each in gradients:
            lent = not copied and any(each is array for array in self.lent)
            taken = any(each is other for other in own)
            own.append(each if each is None or (lent and not taken) else each.copy())
        return own


def _show(arguments: list["_Argument"]) -> None:
    """Copy the arguments to where the kernels were bound to them, for a complaint to look at."""
    for argument in arguments:
        argument.show()


def _tensor(leaf: Any, tensors: Sequence[Tensor]) -> Tensor:
    """A leaf, which may be the number of an argument."""
    return tensors[leaf] if isinstance(leaf, int) else leaf


def source_of(leaf: Any, i: int, tensors: Sequence[Tensor]) -> Tensor:
    """Argument number i: a tensor that the function is given, or the gradient that a leaf has."""
    if leaf is None:
        return tensors[i]
    grad = _tensor(leaf, tensors)._grad
    assert grad is not None  # the program would not fit
    return grad


def _run(bound: Bound) -> None:
    if bound.is_native:
        bound.run()
    else:
        thread.mode.quietly(bound.run)


class _Argument:
    """How one argument reaches the calls: small ones are copied, for others the programs are moved."""

    def __init__(self, index: int, value: Value, recipe: Recipe, arrays: Arrays):
        self.index = index
        self.leaf = recipe.sources[index]
        self._value = value
        self._home = arrays[value]
        self._arrays = arrays
        self._given = self._home
        self._copied = value.layout.nbytes <= _SMALL and value not in recipe.written
        self._places: list[Any] = []
        self._views: list[Value] | None = None  # where Python reads the argument: those values that share its memory
        self._recipe = recipe

    def attach(self, bound: Bound) -> None:
        """Reach these calls, too; at once where there is something to reach them with."""
        if self._copied:
            return
        places = [each for program in bound.programs if len(each := program.places_of(self._home))]
        for each in places if self._given is not self._home else []:
            each.move_to(self._given)
        self._places += places
        if self._views is None and self._value in bound.read_by_python:
            self._views = self._recipe.views_of(self._value)
            self.place(self._given)

    def place(self, array: np.ndarray) -> None:
        """Let the calls read, and write, ``array``."""
        if self._copied:
            self._home[...] = array
            return
        self._given = array  # alive until the next replay
        for places in self._places:
            places.move_to(array)
        if self._views is not None:
            self._arrays[self._value] = array
            for each in self._views:
                self._arrays[each] = view(each, self._arrays)

    def show(self) -> None:
        if self._given is not self._home and self._home.flags.writeable:
            self._home[...] = self._given
