"""From recorded calls to what a replay runs: native programs where kernels can be launched, Python between them."""

import copy
import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import kernels
from ..autograd.mode import BACKWARD, IN_PLACE
from .trace import Call, Value

Arrays = dict[Value, np.ndarray]
Run = Callable[[], None]


class Bound:
    """Calls bound to arrays: ``run()`` makes them all, under ``quietly``."""

    def __init__(self, calls: Iterable[Call], arrays: Arrays):
        self.programs: list[Any] = []
        self.read_by_python: set[Value] = set()  # the roots of what calls in Python use
        self._runs: list[Run] = []
        pending: list[Any] = []
        for call in calls:
            if call.is_view:
                continue
            launches = self._launches(call, arrays)
            if launches is None:
                self._close(pending)
                pending = []
                self._runs.append(_python_run(call, arrays))
                self.read_by_python.update(each.root for each in (*call.reads(), *call.writes))
            else:
                pending += launches
        self._close(pending)
        self.is_native = len(self._runs) == len(self.programs)
        self.run: Run = self._runs[0] if len(self._runs) == 1 else self._run_all

    def _run_all(self) -> None:
        for run in self._runs:
            run()

    def _close(self, launches: list[Any]) -> None:
        """Make a program of the launches so far."""
        if not launches:
            return
        program = kernels.program.Program(launches)
        self.programs.append(program)
        self._runs.append(program.run)

    def _launches(self, call: Call, arrays: Arrays) -> list[Any] | None:
        """What the call launches, if that is all it does."""
        if not _is_launches(call):
            return None
        if _has_tables(call) and any(each.root.argument is not None for each in call.reads()):
            return None  # programs cannot move arrays whose addresses are in tables
        try:
            with kernels._launch.collect() as launches:
                result, targets = _call(call, arrays)
            for each in launches:
                kernels.program.words_of(each)  # raises where an argument is no array or integer
        except kernels._launch.NotNative:
            return None
        if not launches or not _same(result, targets):  # without launches it has computed at once
            return None
        return launches


def _is_launches(call: Call) -> bool:
    """Whether an op declares that it does nothing but launch kernels into the arrays that it is given."""
    if call.form == BACKWARD:
        return call.op.backward_launches
    return call.op.launches and (call.form == IN_PLACE or any(True for _ in call.makes()))


def _has_tables(call: Call) -> bool:
    """Whether it is an update of an optimiser's, whose kernels see its arrays through tables of addresses."""
    return "launch" in call.params


def _call(call: Call, arrays: Arrays) -> tuple[Any, Any]:
    """Call the op into the arrays of its outputs; gives its result, and those arrays."""
    inputs = _resolved(call.inputs, arrays)
    if call.form == BACKWARD:
        targets = [None if each is None else arrays[each] for each in call.outputs]
        target = targets[0] if len(targets) == 1 else tuple(targets)
        return _fused_backward(call, inputs, arrays)(out=target), target
    params = _own_params(call)
    if call.each:
        return call.op.forward(*inputs, **params), None
    if call.form == IN_PLACE:
        target = arrays[call.writes[0]]
        return call.op.forward(*inputs, **params, out=target), target
    targets = [arrays[each] for each in call.outputs if each is not None]
    target = targets[0] if len(targets) == 1 else tuple(targets)
    return call.op.forward(*inputs, **params, out=target), target


def _fused_backward(call: Call, inputs: Any, arrays: Arrays) -> Callable[..., Any]:
    """The fused backward of an op with its arguments."""
    backward = call.op.backward
    saved = [inputs[1 + place] for place in backward.places]
    return functools.partial(backward.function, inputs[0], *saved, **_options(call, arrays))


def _options(call: Call, arrays: Arrays) -> dict[str, Any]:
    return {name: _resolved(each, arrays) for name, each in call.params.items()}


def _own_params(call: Call) -> dict[str, Any]:
    """The params, with a launch of an optimiser's that knows none of the arrays yet."""
    if not _has_tables(call):
        return call.params
    return {**call.params, "launch": copy.copy(call.params["launch"])}


def _same(result: Any, targets: Any) -> bool:
    """Whether the result is in the targets themselves."""
    if isinstance(targets, tuple):
        return isinstance(result, tuple) and all(map(_same, result, targets))
    return targets is None or result is targets


def _resolved(inputs: Any, arrays: Arrays) -> Any:
    """The inputs with arrays in the place of values."""
    if isinstance(inputs, Value):
        return arrays[inputs]
    if type(inputs) in (list, tuple):
        return type(inputs)([_resolved(each, arrays) for each in inputs])
    return inputs


# ---------------------------------------------------------------------------------------------------------------
# In Python: the op's own function, its result copied into its place unless it is there already.


def _python_run(call: Call, arrays: Arrays) -> Run:
    """Arrays that stay are found once; where an argument is among them, which changes, all are found at each run."""
    if any(each.root.argument is not None for each in (*call.reads(), *call.writes)):
        return lambda: _python_call(call, arrays)()
    return _python_call(call, arrays)


def _python_call(call: Call, arrays: Arrays) -> Run:
    inputs = _resolved(call.inputs, arrays)
    op, forward, params = call.op, call.op.forward, _own_params(call)
    if call.each:
        return lambda: forward(*inputs, **params)
    if call.form == IN_PLACE:
        target = arrays[call.writes[0]]
        return lambda: forward(*inputs, **params, out=target)
    targets = [None if each is None or each.call is not call else arrays[each] for each in call.outputs]
    if call.form == BACKWARD:
        backward = _fused_backward(call, inputs, arrays)
        return _copying(backward if len(targets) > 1 else lambda: (backward(),), targets)
    if op.keeps:
        return _copying(lambda: forward(*inputs, **params), targets)
    target = targets[0]
    if target is None:  # it gives one of its inputs
        return lambda: forward(*inputs, **params)

    def run() -> None:
        result = forward(*inputs, **params, out=target)
        if result is not target:
            target[...] = result

    return run


def _copying(function: Callable[[], Iterable[Any]], targets: list[Any]) -> Run:
    def run() -> None:
        for result, target in zip(function(), targets, strict=True):
            if target is not None:
                target[...] = result

    return run
