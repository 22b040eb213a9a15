"""Making recorded calls fewer: copies that nobody needs, ops that one kernel does in passing."""

from collections import Counter
from typing import Any

from ..autograd.mode import BACKWARD, FORWARD
from .chains import join_chains
from .program import Recipe
from .trace import Call, Value, share_memory


def rewrite(recipe: Recipe) -> None:
    """Rewrite the calls of a recipe in place."""
    _remove_copies(recipe)
    for calls in recipe.lists_of_calls():
        _join(calls, recipe, _with_epilogue)
        _join(calls, recipe, _with_mask)
        join_chains(calls, _uses(recipe))


# ---------------------------------------------------------------------------------------------------------------
# An op whose result only the next one reads, and which can do that one's work in passing.


def _join(calls: list[Call], recipe: Recipe, joined: Any) -> None:
    """Put ``joined(first, second)``, where it is not None, in the place of two calls."""
    uses = _uses(recipe)
    for second in list(calls):
        for each in second.reads():
            first = each.call
            if first not in calls or uses[each] != 1 or each.base is not None or _is_written(second, each, calls):
                continue
            if joined(first, second, each):
                calls.remove(second)
                break


def _is_written(second: Call, between: Value, calls: list[Call]) -> bool:
    """Whether something else that the second call reads is written: it is to be read sooner than it was."""
    others = [each for each in second.reads() if each is not between]
    return any(share_memory(each, other) for call in calls for each in call.writes for other in others)


def _uses(recipe: Recipe) -> Counter[Value]:
    """How often each value is read, written or kept."""
    uses: Counter[Value] = Counter()
    for call in recipe.calls():
        uses.update(call.reads())
        uses.update(call.writes)
        uses.update(each.base for each in call.outputs if each is not None and each.base is not None)
    uses.update(recipe.results)
    uses.update(recipe.kept())
    return uses


def _with_epilogue(first: Call, second: Call, between: Value) -> bool:
    """relu(linear(x)): the kernel of the first op applies the second before its result leaves the registers."""
    params = first.op.epilogues.get(second.op.name)
    if first.form != FORWARD or second.form != FORWARD or params is None or len(second.inputs) != 1:
        return False
    if not set(params).isdisjoint(name for name, value in first.params.items() if value is not None):
        return False
    if first.outputs != [between] or not _writes_like(second.outputs, between):
        return False
    first.params = {**first.params, **params}
    _take_outputs(first, 0, second)
    return True


def _with_mask(first: Call, second: Call, between: Value) -> bool:
    """relu's backward of the gradient that another backward gives its first input."""
    if first.form != BACKWARD or second.form != BACKWARD or second.op.name not in first.op.masked_by:
        return False
    result = second.inputs[1 + second.op.slots.index("result")]
    if first.outputs[0] is not between or second.inputs[0] is not between or not _writes_like(second.outputs, between):
        return False
    if first.params or not isinstance(result, Value):
        return False
    first.params = {"mask": result}
    _take_outputs(first, 0, second)
    return True


def _writes_like(outputs: list[Value | None], between: Value) -> bool:
    """Whether a call gives one new array of the layout of ``between``."""
    return len(outputs) == 1 and outputs[0] is not None and outputs[0].layout == between.layout


def _take_outputs(first: Call, place: int, second: Call) -> None:
    """Let the first call give, at ``place``, what the second gave."""
    (made,) = second.outputs
    assert made is not None
    first.outputs[place] = made
    made.call = first


# ---------------------------------------------------------------------------------------------------------------
# Copies of arrays that are not used but for the copy: the original takes its place.


def _remove_copies(recipe: Recipe) -> None:
    last = {each.root: i for i, call in enumerate(recipe.calls()) for each in (*call.reads(), *call.writes)}
    kept = {each.root for each in (*recipe.results, *recipe.seeds)}
    instead: dict[Value, Value] = {}
    place = 0
    for calls in recipe.lists_of_calls():
        for call in list(calls):
            pair = _needless_copy(call, place, last, kept, instead)
            if pair is not None:
                copy, source = pair
                instead[copy] = source
                last[source] = max(last.get(copy, place), place)
                kept.update({source} if copy in kept else ())
                calls.remove(call)
            place += 1
    if instead:
        _put_in_place(recipe, instead)


def _needless_copy(call: Call, place: int, last: Any, kept: Any, instead: Any) -> tuple[Value, Value] | None:
    """The copy that a call makes and its source, where the source is the program's own and not used afterwards."""
    if call.op.name != "clone" or call.form != FORWARD:
        return None
    (source,), (copy,) = call.inputs, call.outputs
    source = instead.get(source, source)
    if copy is None or source.base is not None or not source.is_made or source.constant is not None:
        return None
    if last[source] != place or source in kept or source.layout != copy.layout:
        return None
    return copy, source


def _put_in_place(recipe: Recipe, instead: dict[Value, Value]) -> None:
    def put(each: Any) -> Any:
        if type(each) in (list, tuple):
            return type(each)([put(one) for one in each])
        return instead.get(each, each) if isinstance(each, Value) else each

    for call in recipe.calls():
        call.inputs, call.writes = put(call.inputs), put(call.writes)
        for each in call.outputs:
            if each is not None and each.base is not None:
                each.base = put(each.base)
    recipe.results = put(recipe.results)
    recipe.grads = [(leaf, put(each)) for leaf, each in recipe.grads]
    for backward in recipe.backwards:
        backward.gradients = put(backward.gradients)
