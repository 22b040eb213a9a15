"""compile(): the function that runs eagerly once, is recorded once, and then replayed."""

import copy
import functools
import os
import sys
import threading
import traceback
import types
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..autograd import Tensor, dtypes, enable_grad, grad, no_grad
from ..autograd.dispatch import apply
from ..autograd.mode import thread
from ..autograd.node import Node, OutputNode
from ..autograd.tensor import make, wrap
from ..nn import Module
from .program import Instance, source_of
from .purity import Unsafe
from .recorded import Recorded, Result
from .recording import Recording
from .signature import Arguments, Place, describe, flatten, key_of_tensors, rebuild
from .world import World

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
    mode = None if mode == "default" else mode
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


_all: "weakref.WeakSet[Compiled]" = weakref.WeakSet()


def _after_fork() -> None:
    """In a forked child, whose copy of a lock may be that of a thread that is not there."""
    for compiled in list(_all):
        compiled.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Compiled:
    """A function that is replayed where it can be."""

    is_compiled = True

    def __init__(self, function: Callable[..., Any]):
        self._function = self.captured_function = function
        self._kinds: OrderedDict[Any, _Kind] = OrderedDict()
        self._latest_key: Any = None
        self._latest: _Kind | None = None
        self._lock = threading.RLock()
        _all.add(self)
        self._eager = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        mode = thread.mode
        if self._eager or mode.recorder is not None:
            return self._function(*args, **kwargs)
        with self._lock:
            # what stands from here to _replay is done at every replay: it shall cost microseconds
            tensors: Sequence[Tensor] = args
            key = key_of_tensors(args) if not kwargs else None
            if key is None:
                given = describe(args, kwargs)
                key, tensors = given.key, given.tensors
            key = (key, mode.grad, mode.inference, dtypes.get_default_dtype())
            kind = self._latest if key == self._latest_key else self._kind(key)
            if kind is None:
                return self._function(*args, **kwargs)
            for recorded in kind.programs:
                instance = self._instance(recorded, tensors)
                if instance is not None:
                    return _replay(recorded, instance, self._function, args, kwargs, tensors)
                if self._eager:
                    return self._function(*args, **kwargs)
            return self._record(kind, args, kwargs)

    def renew(self) -> None:
        """Begin anew with the lock and with the arrays of the programs."""
        self._lock = threading.RLock()
        for kind in self._kinds.values():
            for recorded in kind.programs:
                recorded.recipe.forget_instances()

    def __repr__(self) -> str:
        return f"<compiled {self._function!r}>"

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return self if owner is None else types.MethodType(self, owner)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Compiled":
        return compile(copy.deepcopy(self._function, memo))

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
        self._latest_key, self._latest = key, kind
        return kind

    # --- recording -----------------------------------------------------------------------------------------------

    def _record(self, kind: "_Kind", args: Any, kwargs: Any) -> Any:
        """Run the function once more, and note what it does."""
        try:
            recording = self._recording(describe(args, kwargs))
        except Exception as error:
            self._give_up(_mistake(error), Mistake)
            recording = None
        if recording is None:
            return self._function(*args, **kwargs)
        result = recording.run(self._function, args, kwargs)
        try:
            recording.finish()
        except Exception as error:
            self._give_up(_mistake(error), Mistake)
            return result
        if recording.problem is not None:
            self._give_up(recording.problem, Mistake if recording.trace.failed else UserWarning)
        elif recording.recorded is not None:
            kind.add(recording.recorded)
        return result

    def _recording(self, given: Arguments) -> Recording | None:
        """What will hear the next call; None where that one should not be recorded."""
        try:
            world = World([("the function", self._function), *[("an argument", each) for each in given.objects]])
        except Unsafe as error:
            self._give_up(str(error))
            return None
        tensors = (*world.tensors.values(), *given.tensors)
        if any(each.grad is not None and each.grad._requires_grad for each in tensors):
            return None  # gradients with a graph of their own: rare, and not for replays
        return Recording(given, world)

    def _give_up(self, reason: str, category: type[UserWarning] = UserWarning) -> None:
        """Run eagerly from now on, and say why."""
        self._eager = True
        self._kinds.clear()
        self._latest_key = self._latest = None
        name = getattr(self._function, "__qualname__", type(self._function).__name__)
        warnings.warn(f"{name} runs without compilation from now on: {reason}", category, stacklevel=_depth() + 1)

    # --- replaying -----------------------------------------------------------------------------------------------

    def _instance(self, recorded: Recorded, tensors: Sequence[Tensor]) -> Instance | None:
        """What to run, if the state that the program relies on is as it was; else None, and perhaps for good."""
        if not recorded.fits(tensors):
            changed = recorded.difference()
            if changed is not None and not changed.structure:
                self._give_up(f"{changed.what} has changed")
            if changed is not None or not recorded.fits(tensors):
                return None
        try:
            return recorded.recipe.instance()
        except Exception as error:
            self._give_up(_mistake(error), Mistake)
            return None


class Mistake(UserWarning):
    """compile() failed through a fault of its own: the program goes on eagerly."""


def _mistake(error: Exception) -> str:
    """What went wrong, and where."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"compile() is at fault, please report {type(error).__name__}: {error} ({last.filename}, line {last.lineno})"


def _depth() -> int:
    """How many frames of this package lie above the function that asks, itself included."""
    depth, frame = 0, sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "tinygrad_fr":
        depth, frame = depth + 1, frame.f_back
    return depth


class _Kind:
    """The programs for one kind of call, the latest first."""

    def __init__(self):
        self.programs: list[Recorded] = []

    def add(self, recorded: Recorded) -> None:
        self.programs = [recorded, *self.programs[: _MOST_PROGRAMS - 1]]


# ---------------------------------------------------------------------------------------------------------------
# Replaying.


def _replay(
    recorded: Recorded, instance: Instance, function: Any, args: Any, kwargs: Any, tensors: Sequence[Tensor]
) -> Any:
    """Run the program and give what the function would return."""
    recipe = recorded.recipe
    for optimizer in recorded.optimizers:
        optimizer._refresh_hyper()
    instance.run(tensors)
    for i in recorded.writes:
        version = source_of(recipe.sources[i], i, tensors)._version
        if version is not None:
            version[0] += 1
    values = [make(each.copy(), None, [0]) for each in instance.results]
    results = [_result(each, values, tensors) for each in recorded.results]
    if recorded.live:
        _connect(recorded, instance, _Call(function, args, kwargs, tensors), results)
    return results[0] if recorded.structure.__class__ is Place else rebuild(recorded.structure, results)


def _result(result: Result, values: list[Tensor], tensors: Sequence[Tensor]) -> Tensor:
    if result.gradient_of is not None:
        return source_of(result.gradient_of, 0, tensors)
    if result.value is None:
        return _from_input(result, tensors)
    out = values[result.value]
    if result.steps:
        with no_grad():
            out = _viewed(out, result)
    elif result.shared:
        out = out.detach()
    if result.inference:
        out._version = None
    out._requires_grad = result.requires_grad
    if result.spent is not None:
        out._node = Node(result.spent, (), None, (), 0, out._array.shape)
    return out


def _from_input(result: Result, tensors: Sequence[Tensor]) -> Tensor:
    """A result that is an argument or a tensor that was there, or a view of one."""
    tensor = result.tensor if result.argument is None else tensors[result.argument]
    assert tensor is not None
    if result.same:
        return tensor
    return _viewed(tensor if result.requires_grad else tensor.detach(), result)


def _viewed(tensor: Tensor, result: Result) -> Tensor:
    for op, params in result.steps:
        tensor = apply(op, (tensor,), params)
    return tensor


# ---------------------------------------------------------------------------------------------------------------
# Gradients of what was returned.


def _connect(recorded: Recorded, instance: Instance, call: "_Call", results: list[Tensor]) -> None:
    """Put a node that runs the recorded backward behind the results that gradients flow from."""
    live = [results[i] for i in recorded.live]
    tensors = call.tensors
    targets = [tensors[each] if isinstance(each, int) else each for each in recorded.targets]
    places = {"argument": tensors, "result": results}
    read = [each if kind == "tensor" else places[kind][each] for kind, each in recorded.read]
    counters = [each._version for each in read if each._version is not None]
    op = _Backward(recorded, call, [each._array.shape for each in live])
    parents = tuple(each._node or each for each in targets)
    shape = op.shapes if op.several else op.shapes[0]
    node = Node(op, parents, (instance,), [*counters, [0]], sum(each[0] for each in counters), shape)
    for i, out in enumerate(live):
        out._node = OutputNode(op, node, i, op.shapes[i]) if op.several else node


class _Backward:
    """What the node of a replayed function differentiates with: its recorded backward."""

    name = "compiled"
    array_rules = run_backward = None

    def __init__(self, recorded: Recorded, call: "_Call", shapes: list[Any]):
        self.recorded = recorded
        self.call = call
        self.several = len(shapes) > 1
        self.shapes = tuple(shapes)

    def array_gradients(self, node: Node, parents: Any, g: Any) -> list[Any]:
        instance: Instance = node.saved[0]
        seeds = g if self.several else [g]
        used = tuple(each is not None for each in seeds)
        backward = next((each for each in self.recorded.recipe.backwards if each.used == used), None)
        if backward is None:  # no gradient flows to anything that the function was given
            return []
        return instance.run_backward(backward, seeds)

    def tensor_gradients(self, node: Node, parents: Any, g: Any, create_graph: bool) -> list[Any]:
        gs = g if self.several else [g]
        if create_graph:
            return self._by_running_again(parents, gs)
        arrays = [None if each is None else each._array for each in gs]
        found = self.array_gradients(node, parents, arrays if self.several else arrays[0])
        return [None if each is None else wrap(each) for each in found]

    def _by_running_again(self, parents: Any, gs: list[Any]) -> list[Any]:
        """Gradients with a graph of their own: the function runs eagerly, and its graph is differentiated."""
        recorded, call = self.recorded, self.call
        if not (recorded.is_pure and recorded.difference() is None):
            raise RuntimeError(
                "this compiled function cannot be differentiated twice (create_graph=True), for it draws random "
                "numbers or changes tensors: call the function that was compiled instead"
            )
        with enable_grad():
            tensors, _, _ = flatten(call.function(*call.args, **call.kwargs))
        outputs = [tensors[i] for i in recorded.live]
        targets = [call.tensors[each] if isinstance(each, int) else each for each in recorded.targets]
        used = [i for i, each in enumerate(gs) if each is not None]
        wanted = [i for i, parent in enumerate(parents) if parent is not None]
        found = iter(
            grad(
                [outputs[i] for i in used],
                [targets[i] for i in wanted],
                [gs[i] for i in used],
                create_graph=True,
                allow_unused=True,
            )
        )
        return [next(found) if i in wanted else None for i in range(len(parents))]


class _Call(NamedTuple):
    """One call of a compiled function."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    tensors: Sequence[Tensor]


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
