"""compile(): the function that runs eagerly once, is recorded once, and then replayed."""

import copy
import functools
import threading
import types
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import random as generators
from ..autograd import Tensor, dtypes
from ..autograd.mode import thread
from ..autograd.node import Node, OutputNode
from ..autograd.tensor import make, wrap
from ..nn import Module
from .program import Instance
from .recording import Recorded, Recording, Result, returned
from .signature import describe
from .world import Unsafe, World

_MOST_KINDS = 64  # of calls (shapes, Python arguments) that are remembered
_MOST_PROGRAMS = 8  # for each kind: train and eval, with and without gradients there, ...


def compile(
    model: Any = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: str = "inductor",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
) -> Any:
    """A function or Module that does what ``model`` does, faster: recorded once, then replayed without its Python.

    Call one runs eagerly, call two records, call three replays; each new shape, dtype or layout of the tensors, each
    value of other arguments, train or eval and grad mode begins anew. After each call everything is as ``model`` would
    have left it. What cannot be replayed safely (a value read with ``item()``, an attribute that changes) runs eagerly
    for good, with one warning that says what and where. Of what ``model`` does beside computing with tensors, such as
    writing a file in a library's function, only the first two calls remain.

    Also a decorator, with or without parentheses. NotImplementedError for options other than their defaults.
    """
    defaults = {"fullgraph": False, "dynamic": None, "backend": "inductor", "mode": None, "options": None}
    given = {"fullgraph": fullgraph, "dynamic": dynamic, "backend": backend, "mode": mode, "options": options}
    for name, value in given.items():
        if value != defaults[name]:
            raise NotImplementedError(f"compile({name}={value!r}) is not supported; there is one way to compile")
    if model is None:
        return functools.partial(compile, disable=disable)
    if disable or isinstance(model, (Compiled, _CompiledModule)):
        return model
    if isinstance(model, Module):
        return _compiled_module(model)
    if not callable(model):
        raise TypeError(f"compile expects a function or a Module, got {type(model).__name__}")
    return functools.update_wrapper(Compiled(model), model, updated=())


class Compiled:
    """A function that is replayed where it can be."""

    def __init__(self, function: Callable[..., Any]):
        self._function = function
        self._kinds: OrderedDict[Any, _Kind] = OrderedDict()
        self._lock = threading.RLock()
        self._eager = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        mode = thread.mode
        if self._eager or mode.recorder is not None:
            return self._function(*args, **kwargs)
        with self._lock:
            tensors, key, objects = describe(args, kwargs)
            kind = self._kind((key, mode.grad, mode.inference, dtypes.get_default_dtype()))
            if kind is None:
                return self._function(*args, **kwargs)
            for recorded in kind.programs:
                if self._fits(recorded, tensors):
                    return _replay(recorded, tensors)
                if self._eager:
                    return self._function(*args, **kwargs)
            return self._record(kind, args, kwargs, tensors, objects)

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return self if owner is None else types.MethodType(self, owner)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Compiled":
        return functools.update_wrapper(Compiled(copy.deepcopy(self._function, memo)), self._function, updated=())

    def __reduce__(self):
        return compile, (self._function,)

    def _kind(self, key: Any) -> "_Kind | None":
        """What is known of calls of this kind; None at the first, or where the arguments cannot be compared."""
        try:
            kind = self._kinds.get(key)
        except TypeError:
            return None
        if kind is None:
            self._kinds[key] = _Kind()
            if len(self._kinds) > _MOST_KINDS:
                self._kinds.popitem(last=False)
            return None
        self._kinds.move_to_end(key)
        return kind

    # --- recording -----------------------------------------------------------------------------------------------

    def _record(self, kind: "_Kind", args: Any, kwargs: Any, tensors: list[Tensor], objects: list[Any]) -> Any:
        """Run the function once more, and note what it does."""
        roots = [("the function", self._function), *[("an argument", each) for each in objects]]
        try:
            world = World(roots)
        except Unsafe as error:
            self._give_up(str(error))
            return self._function(*args, **kwargs)
        recording = Recording(self._function, args, kwargs, tensors, world)
        if recording.problem is not None:
            self._give_up(recording.problem)
        elif recording.recorded is not None:
            kind.add(recording.recorded)
        return recording.result

    def _give_up(self, reason: str) -> None:
        """Run eagerly from now on, and say why."""
        self._eager = True
        self._kinds.clear()
        name = getattr(self._function, "__qualname__", type(self._function).__name__)
        warnings.warn(f"{name} runs without compilation from now on: {reason}", UserWarning, stacklevel=4)

    # --- replaying -----------------------------------------------------------------------------------------------

    def _fits(self, recorded: Recorded, tensors: list[Tensor]) -> bool:
        """Whether the state that the program relies on is as it was."""
        world = recorded.world
        if not world.same():
            changed = world.difference()
            if changed is not None:
                if not changed.structure:
                    self._give_up(f"{changed.what} has changed")
                return False
        return recorded.leaves.same() and (
            recorded.generator is None or generators.default_generator._state is recorded.generator
        )


class _Kind:
    """The programs for one kind of call, the latest first."""

    def __init__(self):
        self.programs: list[Recorded] = []

    def add(self, recorded: Recorded) -> None:
        self.programs = [recorded, *self.programs[: _MOST_PROGRAMS - 1]]


# ---------------------------------------------------------------------------------------------------------------
# Replaying.


def _replay(recorded: Recorded, tensors: list[Tensor]) -> Any:
    recipe = recorded.recipe
    for optimizer in recorded.world.optimizers:
        optimizer._refreshed_hyper()
    instance = recipe.instance()
    given = [
        tensors[i]._array if leaf is None else leaf.grad._array  # type: ignore[union-attr]
        for i, leaf in enumerate(recipe.sources)
    ]
    instance.run(given)
    for i in recorded.writes:
        _count_write(tensors, recipe.sources, i)
    arrays = [each.copy() for each in instance.results]
    results = [_result(each, arrays, tensors) for each in recorded.results]
    if recorded.live:
        _connect(recorded, instance, tensors, results)
    return returned(recorded.structure, results)


def _count_write(tensors: list[Tensor], sources: list[Tensor | None], i: int) -> None:
    leaf = sources[i]
    written = tensors[i] if leaf is None else leaf.grad
    if written is not None and written._version is not None:
        written._version[0] += 1


def _result(result: Result, arrays: list[np.ndarray], tensors: list[Tensor]) -> Tensor:
    if result.argument is not None:
        return tensors[result.argument]
    if result.tensor is not None:
        return result.tensor
    if result.gradient_of is not None:
        assert result.gradient_of.grad is not None
        return result.gradient_of.grad
    assert result.value is not None
    array = arrays[result.value]
    if result.spent is not None:
        return make(array, Node(result.spent, (), None, (), 0, array.shape), [0])
    out = make(array, None, None if thread.mode.inference else [0])
    out._requires_grad = result.requires_grad
    return out


def _connect(recorded: Recorded, instance: Instance, tensors: list[Tensor], results: list[Tensor]) -> None:
    """Put the node of the recorded backward behind the results that gradients flow from."""
    live = [results[i] for i in recorded.live]
    targets = [tensors[each] if isinstance(each, int) else each for each in recorded.targets]
    counters = [tensors[each]._version if isinstance(each, int) else each._version for each in recorded.counters]
    counters = [each for each in counters if each is not None]
    op = _Backward(recorded, len(live) > 1, [(each._array.shape, each._array.dtype) for each in live])
    shapes = tuple(each._array.shape for each in live)
    parents = tuple(each._node or each for each in targets)
    version = sum(each[0] for each in counters)
    node = Node(op, parents, (instance,), [*counters, [0]], version, shapes if op.several else shapes[0])
    for i, out in enumerate(live):
        out._node = OutputNode(op, node, i, shapes[i]) if op.several else node
        out._requires_grad = True


class _Backward:
    """What the node of a replayed function calls: its recorded backward."""

    name = "compiled"
    array_rules = run_backward = None

    def __init__(self, recorded: Recorded, several: bool, forms: list[Any]):
        self.recorded = recorded
        self.several = several
        self.forms = forms

    def array_gradients(self, node: Node, parents: Any, g: Any) -> list[Any]:
        instance: Instance = node.saved[0]
        gs = g if self.several else [g]
        seeds = [
            np.zeros(shape, kind) if each is None else each for each, (shape, kind) in zip(gs, self.forms, strict=True)
        ]
        return _own(instance.run_backward(seeds), instance)

    def tensor_gradients(self, node: Node, parents: Any, g: Any, create_graph: bool) -> list[Any]:
        if create_graph:
            raise RuntimeError(
                "a compiled function cannot be differentiated twice (create_graph=True): call the function itself"
            )
        gs = g if self.several else [g]
        arrays = self.array_gradients(node, parents, [None if each is None else each._array for each in gs]
                                      if self.several else g._array)
        return [None if each is None else wrap(each) for each in arrays]


def _own(gradients: list[np.ndarray | None], instance: Instance) -> list[np.ndarray | None]:
    """The gradients, each with an array that is not used again until it is let go of."""
    own: list[np.ndarray | None] = []
    for each in gradients:
        lent = each is not None and any(each is array for array in instance.lent)
        taken = any(each is other for other in own)
        own.append(each if each is None or (lent and not taken) else each.copy())
    return own


# ---------------------------------------------------------------------------------------------------------------
# Modules.


class _CompiledModule:
    """The mixin of compiled modules: a second body for the state of the module that was compiled."""

    _compiled: Compiled
    _original: Module

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._compiled(*args, **kwargs)

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return compile(copy.deepcopy(self._original, memo))

    def __reduce_ex__(self, protocol: Any) -> Any:
        return compile, (self._original,)

    def _get_name(self) -> str:
        return self._original._get_name()


def _compiled_module(module: Module) -> Any:
    """A Module of the class of ``module`` and with its attributes, whose calls are compiled."""
    kind = type(module)
    made = type(kind.__name__, (_CompiledModule, kind), {"__slots__": ("_compiled", "_original")})
    compiled = made.__new__(made)
    object.__setattr__(compiled, "__dict__", module.__dict__)
    object.__setattr__(compiled, "_original", module)
    object.__setattr__(compiled, "_compiled", Compiled(module))
    return compiled

