"""Chains of element-wise calls as one call, which goes over the elements once and keeps nothing between."""

from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from ..autograd.mode import BACKWARD, FORWARD
from ..ops.chain import chain
from .trace import Call, Value, share_memory

_MOST_INPUTS = 8
_LONGEST = 600  # characters of an expression
_TYPES = (np.dtype(np.float32), np.dtype(np.float64))


class Expression(NamedTuple):
    """What a call computes of each element: ``text`` names input i as {xi}."""

    text: str
    inputs: tuple[Any, ...]
    calls: int


def join_chains(calls: list[Call], uses: Counter[Value]) -> None:
    """Put one call in the place of element-wise ones whose results only the next of them reads."""
    expressions = {call: found for call in calls if (found := _expression(call)) is not None}
    for call in list(calls):
        if call in expressions:
            expressions[call] = _absorb(call, calls, expressions, uses)
    for call in calls:
        found = expressions.get(call)
        if found is not None and found.calls > 1:
            call.op, call.form, call.inputs, call.params = chain.op, FORWARD, found.inputs, {"expression": found.text}


def _absorb(call: Call, calls: list[Call], expressions: dict[Call, Expression], uses: Counter[Value]) -> Expression:
    """The expression of a call with those of its inputs in it; the calls that made these are gone."""
    found = expressions[call]
    for each in found.inputs:
        first = each.call if isinstance(each, Value) else None
        if first is None or first not in expressions or first not in calls or uses[each] != 1:
            continue
        joined = _joined(found, each, expressions[first])
        if joined is not None and not _written_between(first, call, calls):
            found = joined
            calls.remove(first)
    return found


def _joined(second: Expression, between: Value, first: Expression) -> Expression | None:
    """The second expression with the first in the place of an input; None where it grows too long."""
    inputs = [each for each in second.inputs if each is not between]
    places: dict[str, str] = {}
    for i, each in enumerate(second.inputs):
        places[f"x{i}"] = "" if each is between else f"{{x{_place(inputs, each)}}}"
    inner = {f"x{i}": f"{{x{_place(inputs, each)}}}" for i, each in enumerate(first.inputs)}
    text = first.text.format(**inner)
    text = second.text.format(**{name: place or f"({text})" for name, place in places.items()})
    if len(inputs) > _MOST_INPUTS or len(text) > _LONGEST:
        return None
    return Expression(text, tuple(inputs), second.calls + first.calls)


def _place(inputs: list[Any], value: Any) -> int:
    """Where a value is among the inputs, at the end if it was not there. Numbers are put in each time."""
    for i, each in enumerate(inputs):
        if each is value:
            return i
    inputs.append(value)
    return len(inputs) - 1


def _written_between(first: Call, second: Call, calls: list[Call]) -> bool:
    """Whether what the first call reads is changed before the second."""
    between = calls[calls.index(first) + 1 : calls.index(second)]
    return any(share_memory(each, other) for call in between for each in call.writes for other in first.reads())


def _expression(call: Call) -> Expression | None:
    """What a call computes of each element, where it is an element-wise one on plain arrays of one shape."""
    text, inputs = _template(call)
    out = call.outputs[0] if len(call.outputs) == 1 else None
    if text is None or out is None or out.call is not call or out.base is not None:
        return None
    if not out.layout.is_plain or out.layout.dtype not in _TYPES:
        return None
    if not all(_is_input(each, out) for each in inputs.values()):
        return None
    found: list[Any] = []
    places = {name: f"{{x{_place(found, each)}}}" for name, each in inputs.items()}
    return Expression(text.format(**places), tuple(found), 1)


def _template(call: Call) -> tuple[str | None, dict[str, Any]]:
    """The expression that the op of a call declares, and what its names stand for."""
    op = call.op
    if call.form == FORWARD and not call.params:
        return op.scalar, dict(zip(op.inputs, call.inputs, strict=False))
    if call.form == BACKWARD and not call.params and len(op.inputs) == 1:
        names = {name: call.inputs[1 + op.slots.index(name)] for name in op.backward.names}
        return op.backward_scalar, {"g": call.inputs[0], **names}
    return None, {}


def _is_input(value: Any, out: Value) -> bool:
    """Whether an input is an array like ``out``, a single element, or a number."""
    if not isinstance(value, Value):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if value.layout.dtype is not out.layout.dtype and value.layout.dtype != out.layout.dtype:
        return False
    return value.layout.shape == () or (value.layout.shape == out.layout.shape and value.layout.is_plain)
