"""The one dispatch point: what an op is, and how a call of it computes, records and tells the recorder.

An op is a function on arrays. Its derivative rules stand right under it, one for each input, written on Tensors in
other ops, so that derivatives of any order follow. The names of a rule's arguments say what it needs: ``g`` is the
gradient of the result, then any input, ``result``, a static parameter, ``x_shape`` or ``x_dtype`` of an input ``x``.
Only what the rules in question name is kept.
"""

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import dtypes
from .dtypes import F32, F64
from .mode import thread
from .node import Node
from .tensor import Tensor, make, wrap
from .views import enter

RESULT = "result"


class Rule:
    """The derivative for one input: ``function(g, ...)``, and the places in ``saved`` that its arguments stand at."""

    __slots__ = ("function", "names", "on_arrays", "places")

    def __init__(self, function: Callable[..., Any], on_arrays: bool):
        self.function = function
        self.names = tuple(inspect.signature(function).parameters)[1:]
        self.on_arrays = on_arrays
        self.places: tuple[int, ...] = ()

    def run(self, g: Any, saved: Sequence[Any]) -> Any:
        """The gradient, from that of the result and what the call saved."""
        return self.function(g, *[saved[place] for place in self.places])


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

    def __init__(self, forward: Callable[..., Any], kind: str, view: bool, keeps: tuple[str, ...]):
        parameters = inspect.signature(forward).parameters.values()
        self.name = forward.__name__.lstrip("_")
        self.forward = forward
        self.kind = kind  # 'arithmetic', 'float', 'compare', or '' where the op takes its inputs as they are
        self.view = view  # the result shares memory with the first input
        self.keeps = keeps  # what forward returns after the result, for the backward on arrays alone
        self.variadic = any(each.kind is each.VAR_POSITIONAL for each in parameters)
        self.inputs = tuple(each.name for each in parameters if each.kind is not each.KEYWORD_ONLY)
        self.tail = len(self.inputs) - self.variadic  # where a variadic input (``*xs``), which comes last, begins
        self.params = tuple(each.name for each in parameters if each.kind is each.KEYWORD_ONLY and each.name != "out")
        self.rules: dict[int, Rule] = {}  # by input; the inputs of a variadic tail share one
        self.backward: Any = None  # all gradients in one pass on arrays, for the first order
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

    def fused_backward(self, function):
        """Declare one pass on arrays for all gradients: ``function(g, ...)`` gives one array an input, or None.

        The argument ``needs`` tells for each input whether its gradient is wanted; only what the rules for those read
        is then there to read.
        """
        self.backward = self._place(Rule(function, True))
        self._tabulate()
        return function

    def composed(self, function):
        """Declare the reference: ``function(*inputs, **params)``, the same op composed of other ops.

        Derivatives of higher order go through it; the fused backward is tested against it.
        """
        self.reference = function
        self.differentiable = True
        return function

    def _place(self, rule: Rule) -> Rule:
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
        """The gradient of each input in ``parents`` as an array, or None; no graph is recorded."""
        saved = node.saved
        if self.backward is not None:
            return self._fused(saved, g)
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
            gradients = tuple(None if each is None else wrap(each) for each in self._fused(node.saved, g._array))
            recorder = thread.mode.recorder
            if recorder is not None:
                recorder(f"{self.name}_backward", (g, *node.saved), {}, gradients)
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

    def _fused(self, saved: Any, g: Any) -> tuple[Any, ...]:
        gradients = self.backward.run(np.asarray(g), saved)
        return gradients if type(gradients) is tuple else (gradients,)

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
        out._node = source if isinstance(source, Node) else Node(_ALIAS, (source,), (), (), 0, value.shape)
        out._requires_grad = True
    return out


def _alias(tensor: Tensor) -> Tensor:
    """The same values with a node of their own in the graph."""
    out = wrap(tensor._array)
    out._node = Node(_ALIAS, (tensor._node or tensor,), (), (), 0, tensor._array.shape)
    out._requires_grad = True
    return out


class Plan:
    """Which slots of an op are filled for one choice of inputs that want a gradient, and from where."""

    __slots__ = ("empty", "fillers", "inputs", "result")

    def __init__(self, op: Op, needs: tuple[bool, ...]):
        wanted: set[str] = set()
        for i, need in enumerate(needs):
            rule = op.rule(i)
            if need and rule is not None:
                wanted.update(rule.names)
        if op.backward is not None:
            names = set(op.backward.names)
            if "needs" in names:  # it reads what the rules of those inputs read, and no other array
                names -= {*op.inputs, RESULT}
            wanted.update(names)
        if op.reference is not None:
            wanted.update(op.inputs)
            wanted.update(op.params)
        fillers = [(place, self._filler(op, name, needs)) for place, name in enumerate(op.slots) if name in wanted]
        self.fillers = tuple((place, fill) for place, fill in fillers if fill is not None)
        self.empty = [None] * len(op.slots)
        self.inputs = tuple(i for i in range(len(needs)) if op.inputs[min(i, len(op.inputs) - 1)] in wanted)
        self.result = RESULT in wanted

    @staticmethod
    def _filler(op: Op, name: str, needs: tuple[bool, ...]) -> Callable[..., Any] | None:
        """How to read slot ``name`` from a call's (arrays, result, kept, params)."""
        if name in op.inputs:
            at = op.inputs.index(name)
            if op.variadic and at == op.tail:
                return lambda arrays, *_: tuple(arrays[at:])
            return lambda arrays, *_: arrays[at]
        if name == RESULT:
            return lambda arrays, result, *_: result
        if name in op.keeps:
            at = op.keeps.index(name)
            return lambda arrays, result, kept, params: kept[at]
        if name == "needs":
            return lambda *_: needs
        if name == "position":  # which of the variadic inputs: filled in when the rule runs
            return None
        if name == "shapes":
            return lambda arrays, *_: tuple(array.shape for array in arrays)
        source, _, attribute = name.rpartition("_")
        if source in op.inputs and attribute in ("shape", "dtype"):
            at = op.inputs.index(source)
            return lambda arrays, *_: getattr(arrays[at], attribute)
        return lambda arrays, result, kept, params: params[name]


def _identity(x, *, out=None):
    return x


_ALIAS = Op(_identity, "", False, ())
_ALIAS.vjp(on_arrays=True)(lambda g: g)


# ---------------------------------------------------------------------------------------------------------------
# Calling an op. `apply` serves every op; `unary` and `binary` make it shorter for the most frequent shapes of call.


def apply(op: Op, inputs: tuple[Any, ...], params: dict[str, Any]) -> Any:
    """Call ``op`` on tensors (or constants: numbers, None) with static ``params``; gives the resulting Tensor."""
    if op.kind:
        inputs = prepare(op, inputs)
    arrays = [each._array if isinstance(each, Tensor) else each for each in inputs]
    mode = thread.mode
    kept = ()
    if op.keeps:
        array, *kept = mode.quietly(op.forward, *arrays, **params)
    else:
        try:
            array = mode.quietly(op.forward, *arrays, **params)
        except ValueError:
            if op.kind:
                broadcast(op.name, *arrays)
            raise
    # under inference mode results are inference tensors, unless they are views of ordinary ones
    version = None if mode.inference and not op.view else [0]
    node = record(op, inputs, arrays, array, kept, params, version) if mode.grad and op.differentiable else None
    out = make(array, node, version)
    if op.view:
        enter(inputs[0], out, op, params, mode.grad)
    if mode.recorder is not None:
        mode.recorder(op.name, inputs, params, out)
    return out


def broadcast(name: str, *arrays: Any) -> tuple[int, ...]:
    """The shape to which the arrays broadcast; RuntimeError, with the shapes, where they do not."""
    shapes = [each.shape for each in arrays if isinstance(each, np.ndarray)]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        first, second = next((a, b) for a in shapes for b in shapes if not _broadcasts(a, b))
        axis = next(i for i in range(-1, -len(first) - 1, -1) if not _broadcasts(first[i:][:1], second[i:][:1]))
        raise RuntimeError(
            f"{name}: The size of tensor a ({first[axis]}) must match the size of tensor b ({second[axis]}) at "
            f"non-singleton dimension {max(len(first), len(second)) + axis}: shapes {list(first)} and {list(second)}"
        ) from None


def _broadcasts(first: tuple[int, ...], second: tuple[int, ...]) -> bool:
    return all(a == b or 1 in (a, b) for a, b in zip(first[::-1], second[::-1], strict=False))


def record(op: Op, inputs, arrays, result, kept, params, result_counter) -> Node | None:
    """The node of a call, or None where no input wants a gradient."""
    if len(inputs) == 1:  # the frequent case, by the shortest way
        tensor = inputs[0]
        if not tensor._requires_grad:
            return None
        needs, parents = _ONE, (tensor._node or tensor,)
    else:
        needs = tuple([isinstance(each, Tensor) and each._requires_grad for each in inputs])
        if True not in needs:
            return None
        parents = tuple([(each._node or each) if need else None for each, need in zip(inputs, needs)])  # noqa: B905
    plan = op._plans.get(needs) or op.plan(needs)
    saved = plan.empty.copy()
    for place, fill in plan.fillers:
        saved[place] = fill(arrays, result, kept, params)
    counters, version = [], 0
    for i in plan.inputs:
        if isinstance(inputs[i], Tensor):
            counter = inputs[i]._version or _refuse_inference(op, inputs[i])
            counters.append(counter)
            version += counter[0]
    if plan.result:
        counters.append(result_counter)
        version += result_counter[0]
    return Node(op, parents, saved, counters, version, result.shape)


_ONE = (True,)


def _refuse_inference(op: Op, tensor: Tensor) -> Any:
    """Raise: a tensor without a version counter was made under inference_mode."""
    raise RuntimeError(
        f"Inference tensors cannot be saved for backward, and '{op.name}' needs one of shape {list(tensor.shape)}. "
        "To work around, clone() it outside inference_mode."
    )


def prepare(op: Op, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The inputs in the one dtype that ``op`` computes in; Python numbers stay numbers where that is harmless."""
    operands = tuple(each if isinstance(each, (Tensor, bool, int, float)) else _as_operand(op, each) for each in inputs)
    kind = dtypes.result_type(*operands)
    if op.kind == "float" and not kind.is_floating_point:
        kind = dtypes.get_default_dtype()
    return tuple(_cast(each, kind) for each in operands)


def _as_operand(op: Op, value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return wrap(dtypes.canonical(value))
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{op.name}(): expected a Tensor or a number, got {type(value).__name__}")


def _cast(operand: Any, kind: dtypes.dtype) -> Any:
    if isinstance(operand, Tensor):
        return operand if operand._array.dtype is kind.numpy else operand.to(kind)
    if kind.is_floating_point:
        return float(operand)
    if kind.category == 1:  # as in C, an integer number wraps to the tensor's type
        return np.array(int(operand)).astype(kind.numpy)
    return operand


# ---------------------------------------------------------------------------------------------------------------
# Declaring an op.


def op(function: Any = None, *, kind: str = "", view: bool = False, keeps: tuple[str, ...] = ()) -> Any:
    """Declare an op of any number of inputs (positional) and static parameters (keyword-only)."""
    if function is None:
        return lambda function: op(function, kind=kind, view=view, keeps=keeps)
    made = Op(function, kind, view, keeps)
    if made.variadic:

        def call(*inputs, **params):
            return apply(made, inputs, params)

    else:

        def call(*inputs, **params):
            return apply(made, inputs + (None,) * (len(made.inputs) - len(inputs)), params)

    return _attach(call, made, function)


def unary(kind: str = "float") -> Any:
    """Declare an element-wise op of one input, ``forward(x, *, out)``; the shortest way through the dispatch."""

    def declare(function):
        made = Op(function, kind, False, ())
        forward = made.forward
        only_float = kind == "float"
        saves = made.saves

        def call(input):
            try:
                x = input._array
            except AttributeError:
                return apply(made, (input,), {})
            if only_float and x.dtype is not F32 and x.dtype is not F64:
                return apply(made, (input,), {})
            mode = thread.mode
            y = mode.quietly(forward, x)
            node, version = None, [0]
            if input._requires_grad and mode.grad and made.differentiable:
                save_x, save_y = saves[1]
                if save_x:
                    counter = input._version or _refuse_inference(made, input)
                    saved = (x, y if save_y else None)
                    node = Node(made, (input._node or input,), saved, (counter,), counter[0], y.shape)
                else:
                    node = Node(made, (input._node or input,), (None, y), (version,), 0, y.shape)
            out = make(y, node, None if mode.inference else version)
            if mode.recorder is not None:
                mode.recorder(made.name, (input,), {}, out)
            return out

        return _attach(call, made, function)

    return declare


def binary(kind: str = "arithmetic") -> Any:
    """Declare an element-wise op of two inputs that broadcast, ``forward(x, y, *, out)``."""

    def declare(function):
        made = Op(function, kind, False, ())
        forward = made.forward
        only_float = kind == "float"
        saves = made.saves

        def call(input, other):
            try:
                x, y = input._array, other._array
            except AttributeError:
                # a floating point tensor with a Python number, which stays one: NumPy lets it take the array's type
                if input.__class__ in _NUMBERS and isinstance(other, Tensor) and other._array.dtype in _FLOATS:
                    x, y, input = input, other._array, _CONSTANT
                elif other.__class__ in _NUMBERS and isinstance(input, Tensor) and input._array.dtype in _FLOATS:
                    x, y, other = input._array, other, _CONSTANT
                else:
                    return apply(made, (input, other), {})
            else:
                if x.dtype is not y.dtype or (only_float and x.dtype is not F32 and x.dtype is not F64):
                    return apply(made, (input, other), {})
            mode = thread.mode
            try:
                z = mode.quietly(forward, x, y)
            except ValueError:
                broadcast(made.name, x, y)
                raise
            node, version = None, [0]
            needs = input._requires_grad + 2 * other._requires_grad
            if needs and mode.grad and made.differentiable:
                save_x, save_y, save_z = saves[needs]
                counter_x = (input._version or _refuse_inference(made, input)) if save_x else None
                counter_y = (other._version or _refuse_inference(made, other)) if save_y else None
                if save_x and save_y:
                    counters, total = (counter_x, counter_y), counter_x[0] + counter_y[0]
                elif save_x or save_y:
                    counter = counter_x or counter_y
                    counters, total = (counter,), counter[0]
                else:
                    counters, total = (), 0
                if save_z:
                    counters = (*counters, version)
                node = Node(
                    made,
                    ((input._node or input) if needs & 1 else None, (other._node or other) if needs & 2 else None),
                    (x if save_x else None, y if save_y else None, z if save_z else None),
                    counters,
                    total,
                    z.shape,
                )
            out = make(z, node, None if mode.inference else version)
            if mode.recorder is not None:
                mode.recorder(
                    made.name, (x if input is _CONSTANT else input, y if other is _CONSTANT else other), {}, out
                )
            return out

        return _attach(call, made, function)

    return declare


_NUMBERS = (float, int)
_FLOATS = (F32, F64)
_CONSTANT = wrap(np.zeros(()))  # stands for a Python number where `binary` looks for an input's node


def _attach(call: Any, made: Op, function: Callable[..., Any]) -> Any:
    """Give the callable the name and documentation of the forward, and the decorators for the derivatives."""
    call.__name__ = call.__qualname__ = made.name
    call.__doc__ = function.__doc__
    call.__module__ = function.__module__
    call.op = made
    call.vjp = made.vjp
    call.backward = made.fused_backward
    call.reference = made.composed
    return call


# ---------------------------------------------------------------------------------------------------------------
# Where users find an op.

namespace: dict[str, Callable[..., Any]] = {}  # the functions of the package: tinygrad_fr.NAME


def public(
    function: Any = None, *, method: bool | str = True, function_name: str | None = "", operator: str = ""
) -> Any:
    """Bind an op, or a function around one, as a function of the package, a Tensor method and an operator.

    ``method`` may be another name; ``function_name=None`` makes it a method alone. ``operator='add'`` binds
    ``__add__``, ``__radd__`` and, where there is an in-place form, ``__iadd__``. An element-wise op gets its in-place
    form (``tanh_``) with it.
    """
    if function is None:
        return lambda function: public(function, method=method, function_name=function_name, operator=operator)
    name = function.__name__.lstrip("_")
    if function_name is not None:
        namespace[function_name or name] = function
    if method:
        setattr(Tensor, method if isinstance(method, str) else name, function)
    made: Op | None = getattr(function, "op", None)
    writes_back = made is not None and made.kind in ("arithmetic", "float")
    in_place = _in_place_form(function) if writes_back else None
    if in_place is not None and method:
        setattr(Tensor, in_place.__name__, in_place)
    if operator:
        setattr(Tensor, f"__{operator}__", function)
        if made is not None and len(made.inputs) == 2 and made.kind != "compare":
            setattr(Tensor, f"__r{operator}__", lambda self, other: function(other, self))
            setattr(Tensor, f"__i{operator}__", in_place)
    return function


def _in_place_form(function: Any) -> Callable[..., Any]:
    from .inplace import write  # inplace.py stands on this module

    def in_place(self, *others):
        return write(function.op, self, others, {})

    in_place.__name__ = in_place.__qualname__ = f"{function.op.name}_"
    in_place.__doc__ = f"`{function.op.name}`, written into the tensor itself."
    return in_place
