"""The one dispatch point: how a call of an op computes, records and tells the recorder; declaring ops.

`apply` serves every op; `apply_view`, `unary` and `binary` are shorter, for the most frequent shapes of call.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import dtypes
from .dtypes import F32, F64
from .mode import FORWARD, thread
from .node import Node
from .op import Op
from .tensor import Tensor, make, wrap
from .views import enter


def apply(op: Op, inputs: tuple[Any, ...], params: dict[str, Any], kept_too: list[Tensor] | None = None) -> Any:
    """Call ``op`` on tensors (or constants: numbers, None) with static ``params``; gives the resulting Tensor.

    What the op keeps for its backward is added to the list ``kept_too``, as tensors outside the graph.
    """
    if op.view:
        return apply_view(op, inputs[0], params)
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
    version = None if mode.inference else [0]
    node = record(op, inputs, arrays, array, kept, params, version) if mode.grad and op.differentiable else None
    out = make(array, node, version)
    if mode.recorder is not None:
        mode.recorder.call(op, FORWARD, inputs, params, out, kept)
    if kept_too is not None:
        kept_too += map(wrap, kept)
    return out


def apply_view(op: Op, input: Tensor, params: dict[str, Any]) -> Tensor:
    """`apply` for an op whose result shares the memory of ``input``, also its being an inference tensor or not.

    It computes nothing that NumPy could warn of, and its rule reads no array that would have to stay as it is.
    """
    mode = thread.mode
    part = op.forward(input._array, **params)
    node = None
    if input._requires_grad and mode.grad:
        saved = (op._plans.get(_ONE) or op.plan(_ONE)).save((input._array,), part, (), params)
        node = Node(op, (input._node or input,), saved, (), 0, part.shape)
    out = make(part, node, input._version)
    enter(input, out, op, params, mode.grad)
    if mode.recorder is not None:
        mode.recorder.call(op, FORWARD, (input,), params, out)
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
        parents = tuple(
            [(each._node or each) if isinstance(each, Tensor) and each._requires_grad else None for each in inputs]
        )
        needs = tuple([parent is not None for parent in parents])
        if True not in needs:
            return None
    plan = op._plans.get(needs) or op.plan(needs)
    saved = plan.save(arrays, result, kept, params)
    if not plan.counted:
        return Node(op, parents, saved, (), 0, result.shape)
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


def _not_a_tensor(op: Op, value: Any) -> TypeError:
    """The error for a number, list or array where a function takes a tensor."""
    return TypeError(
        f"{op.name}(): argument 'input' (position 1) must be Tensor, not {type(value).__name__}; "
        "make one by torch.tensor(...)"
    )


def _refuse_inference(op: Op, tensor: Tensor) -> Any:
    """Raise: a tensor without a version counter was made under inference_mode."""
    raise RuntimeError(
        f"Inference tensors cannot be saved for backward, and '{op.name}' needs one of shape {list(tensor.shape)}. "
        "To work around, clone() it outside inference_mode."
    )


def prepare(op: Op, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The inputs in the one dtype that ``op`` computes in; Python numbers stay numbers where that is harmless."""
    if len(inputs) == 1 and isinstance(inputs[0], Tensor) and inputs[0]._array.dtype in _FLOATS:
        return inputs
    operands = tuple(each if isinstance(each, (Tensor, bool, int, float)) else _as_operand(op, each) for each in inputs)
    if op.check is not None:
        op.check(*operands)
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


def op(
    function: Any = None, *, kind: str = "", view: bool = False, keeps: tuple[str, ...] = (), launches: bool = False
) -> Any:
    """Declare an op of any number of inputs (positional) and static parameters (keyword-only).

    ``launches=True`` promises that the function, given ``out``, only launches compiled kernels that write there.
    """
    if function is None:
        return lambda function: op(function, kind=kind, view=view, keeps=keeps, launches=launches)
    made = Op(function, kind, view, keeps, launches)
    if made.variadic:

        def call(*inputs, **params):
            return apply(made, inputs, params)

    else:

        def call(*inputs, **params):
            return apply(made, inputs + (None,) * (len(made.inputs) - len(inputs)), params)

    return _attach(call, made, function)


def unary(kind: str = "float", *, launches: bool = False, scalar: str | None = None) -> Any:
    """Declare an element-wise op of one input, ``forward(x, *, out)``; the shortest way through the dispatch.

    ``scalar``: the op on one element ``{x}``, as kernels write it, so that captured steps may join it with others.
    """

    def declare(function):
        made = Op(function, kind, False, (), launches)
        made.scalar = scalar
        forward = made.forward
        only_float = kind == "float"
        saves = made.saves

        def call(input):
            try:
                x = input._array
            except AttributeError:
                raise _not_a_tensor(made, input) from None
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
                mode.recorder.call(made, FORWARD, (input,), {}, out)
            return out

        return _attach(call, made, function)

    return declare


def binary(kind: str = "arithmetic", *, scalar: str | None = None) -> Any:
    """Declare an element-wise op of two inputs that broadcast, ``forward(x, y, *, out)``; ``scalar`` as in `unary`."""

    def declare(function):
        made = Op(function, kind, False, ())
        made.scalar = scalar
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
                counter_x = (input._version or _refuse_inference(made, input)) if save_x else _ZERO
                counter_y = (other._version or _refuse_inference(made, other)) if save_y else _ZERO
                total = counter_x[0] + counter_y[0]
                counters = (counter_x, counter_y) if save_x or save_y else ()
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
                mode.recorder.call(
                    made, FORWARD, (x if input is _CONSTANT else input, y if other is _CONSTANT else other), {}, out
                )
            return out

        return _attach(call, made, function)

    return declare


_NUMBERS = (float, int)
_ZERO = [0]  # a version counter that stands for none
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
