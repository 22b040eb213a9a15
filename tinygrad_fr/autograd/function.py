"""`Function`: an op of the user's own, with a forward and a backward written on Tensors."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .inplace import bump, check_writable, rebase
from .mode import no_grad, thread
from .node import Node, OutputNode
from .op import ALIAS, connected
from .tensor import Tensor, constant, note_change, wrap
from .views import enter


class Context:
    """What forward hands to backward: ``ctx.save_for_backward(...)``, and any attribute."""

    def __init__(self):
        self._to_save: tuple[Tensor | None, ...] = ()
        self._saved: list[tuple[Any, int | None, int | None]] = []  # (array, which input, which output)
        self._current: Any = None  # the node, while backward runs
        self._dirty: tuple[Tensor, ...] = ()
        self._constant: tuple[Tensor, ...] = ()
        self._materialize = True
        self.needs_input_grad: tuple[bool, ...] = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep inputs, outputs or intermediate tensors for backward, which reads ``ctx.saved_tensors``."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, Tensor):
                raise TypeError(f"save_for_backward can only save Tensors, but got {type(tensor).__name__}")
        self._to_save = tensors

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """The tensors saved in forward, connected to the graph as they were."""
        node = self._current
        if node is None:
            raise RuntimeError("saved_tensors can be read in backward only")
        node.check_unchanged()
        return tuple(self._restore(node, *entry) for entry in self._saved)

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say which inputs forward changed in place; they must be among its results."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say which results have no gradient."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether missing gradients reach backward as zeros (True) or as None."""
        self._materialize = value

    def _keep(self, inputs: tuple[Any, ...], outputs: tuple[Any, ...]) -> None:
        for tensor in self._to_save:
            among_inputs = [i for i, each in enumerate(inputs) if each is tensor]
            among_outputs = [i for i, each in enumerate(outputs) if each is tensor]
            array = None if tensor is None else tensor._array
            if among_outputs:
                self._saved.append((array, None, among_outputs[0]))
            elif among_inputs:
                self._saved.append((array, among_inputs[0], None))
            else:
                self._saved.append((array, None, None))
        self._to_save = ()

    def _restore(self, node: Node, array: Any, which_input: int | None, which_output: int | None) -> Tensor | None:
        if array is None:
            return None
        if which_input is not None:
            return connected(array, node.parents[which_input])
        if which_output is not None:
            several = bool(node.shape) and isinstance(node.shape[0], tuple)
            return connected(array, OutputNode(node.op, node, which_output, array.shape) if several else node)
        return wrap(array)


class _FunctionOp:
    """What a node of a user's function calls to differentiate: its ``backward``."""

    array_rules = run_backward = None

    def __init__(self, function: type["Function"], context: Context, inputs: Any, outputs: Any):
        self.name = function.__name__
        self.function = function
        self.context = context
        self.several = len(outputs) > 1
        self.inputs = [_form(each) for each in inputs]
        self.outputs = [_form(each) for each in outputs]

    def array_gradients(self, node: Node, parents: Any, g: Any) -> tuple[Any, ...]:
        gs = g if self.several else [g]
        gradients = self._run(node, [None if each is None else wrap(np.asarray(each)) for each in gs])
        # as views, for the user's arrays are not for the engine to add to or to keep
        return tuple(None if each is None else each._array.view() for each in gradients)

    def tensor_gradients(self, node: Node, parents: Any, g: Any, create_graph: bool) -> tuple[Any, ...]:
        return self._run(node, g if self.several else [g])

    def _run(self, node: Node, gs: list[Any]) -> tuple[Any, ...]:
        context = self.context
        if context._materialize:
            gs = [
                constant(np.zeros(*form)) if each is None and form is not None else each
                for each, form in zip(gs, self.outputs, strict=True)
            ]
        context._current = node
        try:
            gradients = self.function.backward(context, *gs)
        finally:
            context._current = None
        gradients = gradients if isinstance(gradients, tuple) else (gradients,)
        extra = gradients[len(node.parents) :]
        if len(gradients) < len(node.parents) or any(each is not None for each in extra):
            raise RuntimeError(
                f"function {self.name}Backward returned an incorrect number of gradients "
                f"(expected {len(node.parents)}, got {len(gradients)})"
            )
        wanted = zip(gradients, node.parents, strict=False)
        return tuple(None if parent is None else self._fit(i, each) for i, (each, parent) in enumerate(wanted))

    def _fit(self, i: int, gradient: Any) -> Tensor | None:
        """The gradient that backward gave for input ``i``, in that input's shape and dtype."""
        if gradient is None:
            return None
        if not isinstance(gradient, Tensor):
            raise TypeError(f"{self.name}Backward: gradient {i} is a {type(gradient).__name__}, expected a Tensor")
        shape, kind = self.inputs[i]
        try:
            gradient = gradient if gradient._array.shape == shape else gradient.sum_to_size(shape)
        except RuntimeError:
            raise RuntimeError(
                f"Function {self.name}Backward returned an invalid gradient at index {i} - got "
                f"{list(gradient.shape)} but expected shape compatible with {list(shape)}"
            ) from None
        return gradient if gradient._array.dtype == kind else gradient.to(kind)


def _form(value: Any) -> Any:
    """The shape and NumPy dtype of a tensor; None for anything else."""
    return (value._array.shape, value._array.dtype) if isinstance(value, Tensor) else None


class Function:
    """An op of your own.

    Write ``forward(ctx, *inputs)`` and ``backward(ctx, *gradients)`` as static methods, and call ``YourOp.apply(...)``.
    backward gives one gradient for each input (None where there is none); written in ops, it can be differentiated.
    """

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The results, from ``(ctx, *inputs)``, or from the inputs alone where `setup_context` is defined."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Save what backward needs, where forward does not take the context."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The gradient of each input, from those of the results."""
        raise NotImplementedError("You must implement the backward for your custom autograd.Function.")

    vjp = backward

    @classmethod
    def apply(cls, *inputs: Any) -> Any:
        """Run forward and record one node for it."""
        context = Context()
        needs = tuple(isinstance(each, Tensor) and each._requires_grad for each in inputs)
        context.needs_input_grad = needs
        with no_grad():
            if cls.setup_context is Function.setup_context:
                output = cls.forward(context, *inputs)
            else:
                output = cls.forward(*inputs)
                cls.setup_context(context, inputs, output)
        outputs = output if isinstance(output, tuple) else (output,)
        for tensor in context._dirty:
            check_writable(cls.__name__, tensor)
            bump(tensor)
        if thread.mode.grad and any(needs):
            outputs = cls._record(context, inputs, outputs, needs)
        return outputs if isinstance(output, tuple) else outputs[0]

    @classmethod
    def _record(cls, context: Context, inputs: Any, outputs: Any, needs: tuple[bool, ...]) -> tuple[Any, ...]:
        context._keep(inputs, outputs)
        dirty = {id(each) for each in context._dirty}
        constant = {id(each) for each in context._constant}
        outputs = tuple(_own(each, inputs, dirty) for each in outputs)
        several = len(outputs) > 1
        op = _FunctionOp(cls, context, inputs, outputs)
        parents = tuple((each._node or each) if need else None for each, need in zip(inputs, needs, strict=True))
        shapes = tuple(getattr(each, "_array", np.empty(0)).shape for each in outputs)
        counters = tuple(
            counter
            for array, which_input, which_output in context._saved
            if (counter := _counter_of(array, which_input, which_output, inputs, outputs)) is not None
        )
        node = Node(op, parents, (), counters, sum(each[0] for each in counters), shapes if several else shapes[0])
        for i, out in enumerate(outputs):
            if not isinstance(out, Tensor) or id(out) in constant or not out.is_floating_point():
                continue
            made = OutputNode(op, node, i, out._array.shape) if several else node
            if id(out) in dirty:
                rebase(out, made)
            else:
                out._node, out._requires_grad = made, True
                note_change()
        if thread.mode.recorder is not None:
            thread.mode.recorder.made(outputs)
        return outputs


def _own(output: Any, inputs: tuple[Any, ...], dirty: set[int]) -> Any:
    """An output that is one of the inputs, unchanged, gets a tensor of its own, which must not be written in place."""
    if not isinstance(output, Tensor) or id(output) in dirty or not any(output is each for each in inputs):
        return output
    own = output.detach()
    enter(output, own, ALIAS, {}, recorded=False)
    return own


def _counter_of(array: Any, which_input: Any, which_output: Any, inputs: Any, outputs: Any) -> list[int] | None:
    if array is None:
        return None
    if which_output is not None:
        return outputs[which_output]._version
    return None if which_input is None else inputs[which_input]._version


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a backward that is not itself differentiable: differentiating through it raises."""

    @functools.wraps(function)
    def backward(ctx, *gradients):
        with no_grad():
            results = function(ctx, *gradients)
        if not thread.mode.grad:
            return results
        results = results if isinstance(results, tuple) else (results,)
        parents = tuple(each._node or each for each in gradients if isinstance(each, Tensor) and each._requires_grad)
        for each in results:
            if isinstance(each, Tensor) and parents:
                each._node = Node(_Refuse(), parents, (), (), 0, each._array.shape)
                each._requires_grad = True
                note_change()
        return results

    return backward


class _Refuse:
    name = "once_differentiable"
    array_rules = run_backward = None

    def array_gradients(self, node: Node, parents: Any, g: Any, create_graph: bool = False) -> Any:
        raise RuntimeError("trying to differentiate twice a function that was marked with @once_differentiable")

    tensor_gradients = array_gradients
