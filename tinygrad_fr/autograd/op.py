"""What an op is: its function on arrays, its derivative rules, what a call saves for them.

An op is a function on arrays. Its derivative rules stand right under it, one for each input, written on Tensors in
other ops, so that derivatives of any order follow. The names of a rule's arguments say what it needs: ``g`` is the
gradient of the result, then any input, ``result``, a static parameter, ``x_shape`` or ``x_dtype`` of an input ``x``.
Only what the rules in question name is kept.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .mode import BACKWARD, thread
from .node import Node
from .tensor import Tensor, wrap

RESULT = "result"
_OPTIONS = ("out", "mask")  # arguments of a fused backward that are not saved


class Rule:
    """The derivative for one input: ``function(g, ...)``, and the places in ``saved`` that its arguments stand at."""

    __slots__ = ("function", "names", "on_arrays", "places")

    def __init__(self, function: Callable[..., Any], on_arrays: bool):
        self.function = function
        self.names = tuple(name for name in inspect.signature(function).parameters if name not in _OPTIONS)[1:]
        self.on_arrays = on_arrays
        self.places: tuple[int, ...] = ()

    def run(self, g: Any, saved: Sequence[Any]) -> Any:
        """The gradient, from that of the result and what the call saved."""
        return self.function(g, *[saved[place] for place in self.places])


def _in_one_expression(rule: Rule, inputs: int) -> Callable[..., Any]:
    """``run(g, saved)``, a tuple of gradients by a rule for all inputs, written out: it is called often."""
    call = f"rule(g{''.join(f', saved[{place}]' for place in rule.places)})"
    return eval(f"lambda g, saved: {f'({call},)' if inputs == 1 else call}", {"rule": rule.function})


def _all_at_once(rules: Sequence[Rule]) -> Callable[..., Any]:
    """``run(parents, g, saved)``, the gradients by all ``rules``, written out as one expression: it is called often."""
    calls = []
    for i, rule in enumerate(rules):
        arguments = "".join(f", saved[{place}]" for place in rule.places)
        calls.append(f"None if parents[{i}] is None else rule{i}(g{arguments}), ")
    functions = {f"rule{i}": rule.function for i, rule in enumerate(rules)}
    return eval(f"lambda parents, g, saved: ({''.join(calls)})", functions)


class Op:
    """A named function on arrays with its derivatives; made by the decorators `op`, `unary` and `binary`."""

    def __init__(
        self, forward: Callable[..., Any], kind: str, view: bool, keeps: tuple[str, ...], launches: bool = False
    ):
        parameters = inspect.signature(forward).parameters.values()
        self.name = forward.__name__.lstrip("_")
        self.forward = forward
        self.kind = kind  # 'arithmetic', 'float', 'compare', or '' where the op takes its inputs as they are
        self.view = view  # the result shares memory with the first input
        self.keeps = keeps  # what forward returns after the result, for the backward on arrays alone
        # Looks at the inputs before they are brought into one type: ``check(*inputs)`` raises for what the op refuses.
        self.check: Callable[..., None] | None = None
        # What the kernels of this op do in passing, for captured steps: {"relu": params}, relu of the result comes from
        # the call with those params; ``masked_by``: the fused backward takes the result of such an op, of which the
        # first input came, as ``mask``, and gives the gradient of that op's input.
        self.epilogues: dict[str, dict[str, Any]] = {}
        self.masked_by: tuple[str, ...] = ()
        # The op on one element, as kernels write it: "{x} + {y}" of its inputs; and so its fused backward.
        self.scalar: str | None = None
        self.backward_scalar: str | None = None
        self.launches = launches  # forward only launches compiled kernels, which write into ``out``
        self.backward_launches = False  # the same of the fused backward
        self.variadic = any(each.kind is each.VAR_POSITIONAL for each in parameters)
        self.inputs = tuple(each.name for each in parameters if each.kind is not each.KEYWORD_ONLY)
        self.tail = len(self.inputs) - self.variadic  # where a variadic input (``*xs``), which comes last, begins
        self.params = tuple(each.name for each in parameters if each.kind is each.KEYWORD_ONLY and each.name != "out")
        self.rules: dict[int, Rule] = {}  # by input; the inputs of a variadic tail share one
        self.backward: Any = None  # all gradients in one pass on arrays, for the first order
        self.run_backward: Any = None  # the same as run(g, saved), a tuple
        self.reference: Any = None  # the same function composed of other ops
        self.slots: tuple[str, ...] = (*self.inputs, RESULT)
        self.differentiable = False
        # For `unary` and `binary`: which of (input, result), or (x, y, result), are saved, by the inputs that want a
        # gradient: 1 the first, 2 the second, 3 both.
        self.saves: list[tuple[bool, ...]] = [(False,) * (len(self.inputs) + 1)] * 4
        # All rules as run(parents, g, saved), where all are written in operators alone and nothing is fused.
        self.array_rules: Callable[..., Any] | None = None
        self._plans: dict[tuple[bool, ...], Plan] = {}

    # --- declaring derivatives -----------------------------------------------------------------------------------

    def vjp(self, *names: str, on_arrays: bool = False):
        """Declare the rule for inputs ``names`` (default: the first): ``rule(g, ...) -> gradient of that input``.

        ``on_arrays=True`` promises that the rule is written in operators alone: the engine then runs the same lines
        on bare arrays where no graph of the derivative is wanted.
        """

        def declare(function):
            for name in names or self.inputs[:1]:
                self.rules[self.inputs.index(name)] = self._place(Rule(function, on_arrays))
            self._tabulate()
            return function

        return declare

    def fused_backward(self, function=None, *, scalar=None):
        """Declare one pass on arrays for all gradients: ``function(g, ...)`` gives one array an input, or None.

        The argument ``needs`` tells for each input whether its gradient is wanted; only what the rules for those read
        is then there to read. An argument ``out``, of as many arrays as there are inputs (one for one input), promises
        that the function only launches compiled kernels, which write there; ``scalar`` is the function on one element.
        """
        if function is None:
            return lambda function: self.fused_backward(function, scalar=scalar)
        self.backward_scalar = scalar
        self.backward = self._place(Rule(function, True))
        self.backward_launches = "out" in inspect.signature(function).parameters
        self.run_backward = _in_one_expression(self.backward, len(self.inputs))
        self._tabulate()
        return function

    def composed(self, function):
        """Declare the reference: ``function(*inputs, **params)``, the same op composed of other ops.

        Derivatives of higher order go through it; the fused backward is tested against it.
        """
        self.reference = function
        self.slots += tuple(name for name in self.params if name not in self.slots)
        self.differentiable = True
        return function

    def _place(self, rule: Rule) -> Rule:
        if self.view and not {*self.inputs, RESULT}.isdisjoint(rule.names):
            raise TypeError(f"the rule of the view op {self.name!r} reads arrays: see dispatch.apply_view")
        known = [*self.slots]
        known += [name for name in rule.names if name not in known]
        self.slots = tuple(known)
        rule.places = tuple(known.index(name) for name in rule.names)
        self.differentiable = True
        return rule

    def _tabulate(self) -> None:
        """Bring the tables of the hot path up to date with the rules."""
        rules = [self.rules.get(i) for i in range(len(self.inputs))]
        everywhere = set(self.backward.names) if self.backward else set()
        for needs in (1, 2, 3):
            names = everywhere.union(*[rule.names for i, rule in enumerate(rules) if rule and needs >> i & 1])
            self.saves[needs] = tuple(name in names for name in (*self.inputs, RESULT))
        plain = self.backward is None and not self.variadic and all(rule and rule.on_arrays for rule in rules)
        self.array_rules = _all_at_once([rule for rule in rules if rule]) if plain else None

    # --- what a call saves ---------------------------------------------------------------------------------------

    def rule(self, i: int) -> Rule | None:
        """The rule for input ``i`` of a call."""
        return self.rules.get(min(i, self.tail) if self.variadic else i)

    def plan(self, needs: tuple[bool, ...]) -> "Plan":
        """What to save when the inputs marked in ``needs`` want a gradient."""
        plan = self._plans.get(needs)
        if plan is None:
            plan = self._plans[needs] = Plan(self, needs)
        return plan

    # --- applying them -------------------------------------------------------------------------------------------

    def array_gradients(self, node: Node, parents: Any, g: Any) -> Sequence[Any]:
        """The gradient of each input in ``parents`` as an array, or None, by the rules; no graph is recorded."""
        saved = node.saved
        gradients = []
        for i, parent in enumerate(parents):
            rule = self.rule(i)
            if parent is None or rule is None:
                gradients.append(None)
            elif rule.on_arrays:
                gradients.append(thread.mode.quietly(rule.run, g, saved))
            else:
                values = [_as_constant(saved[place]) for place in rule.places]
                gradient = rule.function(wrap(np.asarray(g)), *self._with_position(rule, values, i))
                gradients.append(None if gradient is None else gradient._array)
        return gradients

    def tensor_gradients(self, node: Node, parents: Any, g: Tensor, create_graph: bool) -> tuple[Any, ...]:
        """The gradient of each input in ``parents`` as a Tensor, or None, by op calls: they record and are heard."""
        if self.backward is not None and not create_graph:
            gradients = tuple(None if each is None else wrap(each) for each in self.run_backward(g._array, node.saved))
            recorder = thread.mode.recorder
            if recorder is not None:
                recorder.call(self, BACKWARD, (g, *node.saved), {}, gradients)
            return gradients
        tensors = [self._saved_tensor(node, place) for place in range(len(self.slots))]
        if self.reference is not None:
            return self._through_reference(parents, tensors, g)
        gradients = []
        for i, parent in enumerate(parents):
            rule = self.rule(i)
            if parent is None or rule is None:
                gradients.append(None)
            else:
                values = [tensors[place] for place in rule.places]
                gradients.append(rule.function(g, *self._with_position(rule, values, i)))
        return tuple(gradients)

    def _with_position(self, rule: Rule, values: list[Any], i: int) -> list[Any]:
        if self.variadic and "position" in rule.names:
            values[rule.names.index("position")] = i - self.tail
        return values

    def _saved_tensor(self, node: Node, place: int) -> Any:
        """What is saved at ``place``, with arrays as the tensors they were, connected to the graph."""
        value = node.saved[place]
        name = self.slots[place]
        if name in self.inputs:
            at = self.inputs.index(name)
            if self.variadic and at == self.tail:
                return value and tuple(map(connected, value, node.parents[at:]))
            return connected(value, node.parents[at])
        return connected(value, node) if name == RESULT else _as_constant(value)

    def _through_reference(self, parents: Any, tensors: list[Any], g: Tensor) -> tuple[Any, ...]:
        """Differentiate the composed form, recording; its inputs are aliases, so that only it is passed through."""
        from .engine import grad  # the engine stands on this module

        heads = [tensors[i] if parent is None else _alias(tensors[i]) for i, parent in enumerate(parents)]
        params = {name: tensors[self.slots.index(name)] for name in self.params}
        result = self.reference(*heads, **params)
        wanted = [i for i, parent in enumerate(parents) if parent is not None]
        found = iter(grad(result, [heads[i] for i in wanted], g, create_graph=True, allow_unused=True))
        return tuple(next(found) if i in wanted else None for i in range(len(heads)))


def _as_constant(value: Any) -> Any:
    """A saved array as a tensor outside the graph; anything else as it is."""
    if isinstance(value, np.ndarray):
        return wrap(value)
    if isinstance(value, tuple) and value and isinstance(value[0], np.ndarray):
        return tuple(wrap(each) for each in value)
    return value


def connected(value: Any, source: Any) -> Any:
    """A saved array as the tensor it was: made by node ``source``, or the leaf ``source`` itself."""
    if not isinstance(value, np.ndarray):
        return value
    if isinstance(source, Tensor) and source._array is value:
        return source
    out = wrap(value)
    if source is not None:
        out._node = source if isinstance(source, Node) else Node(ALIAS, (source,), _NOTHING_SAVED, (), 0, value.shape)
        out._requires_grad = True
    return out


def _alias(tensor: Tensor) -> Tensor:
    """The same values with a node of their own in the graph."""
    out = wrap(tensor._array)
    out._node = Node(ALIAS, (tensor._node or tensor,), _NOTHING_SAVED, (), 0, tensor._array.shape)
    out._requires_grad = True
    return out


class Plan:
    """What a call saves for one choice of inputs that want a gradient."""

    __slots__ = ("counted", "inputs", "result", "save")

    def __init__(self, op: Op, needs: tuple[bool, ...]):
        wanted: set[str] = set()
        for i, need in enumerate(needs):
            rule = op.rule(i)
            if need and rule is not None:
                wanted.update(rule.names)
        if op.backward is not None:
            names = set(op.backward.names)
            if "needs" in names and op.rules:  # it reads what the rules of those inputs read, and no other array
                names -= {*op.inputs, RESULT}
            wanted.update(names)
        if op.reference is not None:
            wanted.update(op.inputs)
            wanted.update(op.params)
        self.inputs = tuple(i for i in range(len(needs)) if op.inputs[min(i, len(op.inputs) - 1)] in wanted)
        self.result = RESULT in wanted
        self.counted = self.result or bool(self.inputs)  # whether an array is saved, which must then stay as it is
        # save(arrays, result, kept, params) -> the slots of the op, None where one is not wanted; written out as one
        # expression, as it is called at every recorded call
        values = ", ".join(_source(op, name, needs) if name in wanted else "None" for name in op.slots)
        self.save: Callable[..., tuple[Any, ...]] = eval(f"lambda arrays, result, kept, params: ({values},)")


def _source(op: Op, name: str, needs: tuple[bool, ...]) -> str:
    """The expression for slot ``name`` of a call: (arrays, result, kept, params)."""
    if name in op.inputs:
        at = op.inputs.index(name)
        return f"tuple(arrays[{at}:])" if op.variadic and at == op.tail else f"arrays[{at}]"
    if name == RESULT:
        return "result"
    if name in op.keeps:
        return f"kept[{op.keeps.index(name)}]"
    if name == "needs":
        return repr(needs)
    if name == "position":  # which of the variadic inputs: filled in when the rule runs
        return "None"
    if name == "shapes":
        return "tuple([array.shape for array in arrays])"
    source, _, attribute = name.rpartition("_")
    if source in op.inputs and attribute in ("shape", "dtype"):
        return f"arrays[{op.inputs.index(source)}].{attribute}"
    return f"params[{name!r}]"


def _identity(x, *, out=None):
    return x


ALIAS = Op(_identity, "", False, ())
_NOTHING_SAVED = (None,) * len(ALIAS.slots)
ALIAS.vjp(on_arrays=True)(lambda g: g)
