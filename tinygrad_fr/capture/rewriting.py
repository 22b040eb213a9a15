"""Making recorded calls fewer: copies that nobody needs, ops that one kernel does together."""

from .program import Recipe
from .trace import Call, Value


def rewrite(recipe: Recipe) -> None:
    """Rewrite the calls of a recipe in place."""
    _Copies(recipe).remove()


class _Copies:
    """Removes copies of arrays that are not used but for the copy: the original then takes its place."""

    def __init__(self, recipe: Recipe):
        self._recipe = recipe
        calls = recipe.calls()
        self._last: dict[Value, int] = {}
        for i, call in enumerate(calls):
            for each in (*call.reads(), *call.writes):
                self._last[each.root] = i
        self._instead: dict[Value, Value] = {}
        self._kept = {each.root for each in (*recipe.results, *recipe.seeds)}

    def remove(self) -> None:
        recipe = self._recipe
        place = 0
        for calls in (recipe.forward, *[each.calls for each in recipe.backwards]):
            for call in list(calls):
                if self._is_needless(call, place):
                    calls.remove(call)
                place += 1
        if self._instead:
            self._replace()

    def _is_needless(self, call: Call, place: int) -> bool:
        if call.op.name != "clone" or call.form:
            return False
        (source,), (copy,) = call.inputs, call.outputs
        source = self._instead.get(source, source)
        if copy is None or source.base is not None or not source.is_made or source.constant is not None:
            return False
        if self._last[source.root] != place or source in self._kept:
            return False
        if source.layout.strides != copy.layout.strides or source.layout.dtype != copy.layout.dtype:
            return False
        self._instead[copy] = source
        self._last[source] = max(self._last.get(copy, place), place)
        if copy in self._kept:
            self._kept.add(source)
        return True

    def _replace(self) -> None:
        recipe = self._recipe
        for call in recipe.calls():
            call.inputs = self._put(call.inputs)
            call.writes = [self._put(each) for each in call.writes]
            for each in call.outputs:
                if each is not None and each.base is not None:
                    each.base = self._put(each.base)
        recipe.results = [self._put(each) for each in recipe.results]
        for backward in recipe.backwards:
            backward.gradients = [self._put(each) for each in backward.gradients]
        recipe.grads = [(leaf, self._put(each)) for leaf, each in recipe.grads]

    def _put(self, each):
        if isinstance(each, (list, tuple)):
            return type(each)([self._put(one) for one in each])
        return self._instead.get(each, each) if isinstance(each, Value) else each
