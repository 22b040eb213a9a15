"""Jacobians, Hessians, and their products with vectors, of functions of tensors.

A function takes one Tensor or several, and gives one or a tuple; results have that structure. The inputs are taken as
new leaves; with ``create_graph=True`` the results can be differentiated again, also towards what the inputs were
computed from. ``strict=True`` refuses functions of which a result does not depend on an input: else that is a zero.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .engine import grad
from .mode import enable_grad
from .tensor import Tensor, wrap

Tensors = Tensor | tuple[Tensor, ...]
Function = Callable[..., Any]

# Joins tensors along a new first axis, registered by the ops: stack(tensors) -> Tensor
_stack: Callable[[Sequence[Tensor]], Tensor]


def use_stack(function: Callable[[Sequence[Tensor]], Tensor]) -> None:
    """Register the op that joins tensors along a new first axis."""
    global _stack
    _stack = function


# ---------------------------------------------------------------------------------------------------------------
# What users call.


def vjp(func: Function, inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(inputs), v J): the products of ``v``, of the shape of the results, with the Jacobian.

    ``v`` may be left out for a single result of one element, where it is 1.
    """
    call = _Call("vjp", func, inputs, create_graph, strict)
    vectors = call.vectors(v, call.outputs, call.several_outputs, "the user-provided function returns")
    products = call.gradients(call.outputs, call.inputs, vectors, create_graph)
    return call.results(), call.like_inputs(products)


def jvp(func: Function, inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(inputs), J v): the products of the Jacobian with ``v``, of the shape of the inputs.

    ``v`` may be left out for a single input of one element, where it is 1. By differentiating u J, which is linear in
    u, for u: twice the cost of `vjp`.
    """
    call = _Call("jvp", func, inputs, create_graph, strict)
    vectors = call.vectors(v, call.inputs, call.several_inputs, "the input to the user-provided function is")
    us = tuple(_zeros_like(each).requires_grad_() for each in call.outputs)
    products = call.gradients(call.outputs, call.inputs, us, True)
    return call.results(), call.like_outputs(_of_us(call, products, us, vectors, create_graph))


def jacobian(
    func: Function,
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The derivative of each element of the results by each of the inputs.  -> (*result, *input), or tuples of those.

    For several results a tuple, for several inputs a tuple of each of its elements. NotImplementedError: ``vectorize``,
    or another strategy than 'reverse-mode'.
    """
    _refuse(vectorize, "strategy", strategy)
    call = _Call("jacobian", func, inputs, create_graph, strict)
    rows = tuple(call.like_inputs(_jacobian_of(call, output, create_graph)) for output in call.outputs)
    return rows if call.several_outputs else rows[0]


def hessian(
    func: Function,
    inputs: Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The second derivatives of a function of one element.  -> (*input, *input), or a tuple of tuples of those.

    NotImplementedError: ``vectorize``, or another strategy than 'reverse-mode'.
    """
    _refuse(vectorize, "outer_jacobian_strategy", outer_jacobian_strategy)

    def gradient(*arguments: Tensor) -> Any:
        call = _Call("hessian", func, arguments, True, strict)
        call.check_single_element()
        return call.gradients(call.outputs, call.inputs, (None,), True)

    rows = jacobian(gradient, _as_tuple("hessian", "inputs", inputs), create_graph, strict)
    return rows if isinstance(inputs, tuple) else rows[0][0]


def vhp(func: Function, inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(inputs), v H): the products of ``v`` with the Hessian of a function of one element."""
    call = _Call("vhp", func, inputs, create_graph, strict)
    call.check_single_element()
    vectors = call.vectors(v, call.inputs, call.several_inputs, "the input to the user-provided function is")
    slopes = call.gradients(call.outputs, call.inputs, (None,), True)
    products = call.gradients(slopes, call.inputs, vectors, create_graph)
    return call.results(), call.like_inputs(products)


def hvp(func: Function, inputs: Tensors, v: Any = None, create_graph: bool = False, strict: bool = False) -> Any:
    """(func(inputs), H v): the products of the Hessian of a function of one element with ``v``.

    The Hessian is symmetric, and `vhp` gives the same at half the cost, where second derivatives are continuous.
    """
    call = _Call("hvp", func, inputs, create_graph, strict)
    call.check_single_element()
    vectors = call.vectors(v, call.inputs, call.several_inputs, "the input to the user-provided function is")
    slopes = call.gradients(call.outputs, call.inputs, (None,), True)
    us = tuple(_zeros_like(each).requires_grad_() for each in call.inputs)
    products = call.gradients(slopes, call.inputs, us, True)
    return call.results(), call.like_inputs(_of_us(call, products, us, vectors, create_graph))


# ---------------------------------------------------------------------------------------------------------------
# How.


class _Call:
    """A call of the function on new leaves: its inputs and outputs as tuples, and how results are given back."""

    def __init__(self, name: str, func: Function, inputs: Any, create_graph: bool, strict: bool):
        self.name = name
        self.create_graph = create_graph
        self.strict = strict
        self.several_inputs = isinstance(inputs, tuple)
        with enable_grad():
            self.inputs = tuple(_as_leaf(each, create_graph) for each in _as_tuple(name, "inputs", inputs))
            outputs = func(*self.inputs)
        self.several_outputs = isinstance(outputs, tuple)
        self.outputs = _as_tuple(name, "outputs of the user-provided function", outputs)
        for i, output in enumerate(self.outputs):
            if strict and not output.requires_grad:
                raise RuntimeError(
                    f"Output {i} of the user-provided function does not require gradients. The outputs must be "
                    "computed in a differentiable manner from the input when running in strict mode."
                )

    def check_single_element(self) -> None:
        if self.several_outputs or self.outputs[0].numel() != 1:
            raise RuntimeError(
                f"The function given to {self.name} should return a single Tensor with a single element, but it gave "
                f"{len(self.outputs)} of shapes {[list(each.shape) for each in self.outputs]}"
            )

    def vectors(self, v: Any, like: tuple[Tensor, ...], several: bool, whose: str) -> tuple[Tensor | None, ...]:
        """``v`` as a tuple; RuntimeError unless it has the shapes of ``like``."""
        if v is None:
            if len(like) != 1 or like[0].numel() != 1:
                raise RuntimeError(f"The vector v can only be None if {whose} a single Tensor with a single element.")
            return (_zeros_like(like[0]) + 1,)
        vectors = _as_tuple(self.name, "v", v)
        if len(vectors) != len(like) or isinstance(v, tuple) != several:
            raise RuntimeError(f"v is a tuple of invalid length: should be {len(like)} but got {len(vectors)}.")
        for i, (each, other) in enumerate(zip(vectors, like, strict=True)):
            if each.shape != other.shape:
                raise RuntimeError(
                    f"Entry {i} in v has invalid size: should be {list(other.shape)} but got {list(each.shape)}."
                )
        return vectors

    def gradients(
        self, outputs: Sequence[Tensor], inputs: Sequence[Tensor], vectors: Sequence[Any], create_graph: bool
    ) -> tuple[Tensor, ...]:
        """The gradient for each input, a zero where no output depends on it."""
        pairs = [(each, vector) for each, vector in zip(outputs, vectors, strict=True) if each.requires_grad]
        found: Sequence[Tensor | None] = [None] * len(inputs)
        if pairs:
            roots, seeds = zip(*pairs, strict=True)
            found = grad(roots, inputs, seeds, retain_graph=True, create_graph=create_graph, allow_unused=True)
        for i, each in enumerate(found):
            self._check_dependence(i, each, create_graph)
        return tuple(_zeros_like(x) if g is None else g for x, g in zip(inputs, found, strict=True))

    def _check_dependence(self, i: int, gradient: Tensor | None, create_graph: bool) -> None:
        if not self.strict:
            return
        if gradient is None:
            raise RuntimeError(
                f"{self.name}: the output of the user-provided function is independent of input {i}. This is not "
                "allowed in strict mode."
            )
        if create_graph and not gradient.requires_grad:
            raise RuntimeError(
                f"{self.name}: the jacobian of the user-provided function is independent of input {i}. This is not "
                "allowed in strict mode when create_graph=True."
            )

    def results(self) -> Any:
        """What the function gave."""
        return self.like_outputs(self.outputs)

    def like_outputs(self, tensors: Sequence[Tensor]) -> Any:
        return self._given(tensors, self.several_outputs)

    def like_inputs(self, tensors: Sequence[Tensor]) -> Any:
        return self._given(tensors, self.several_inputs)

    def _given(self, tensors: Sequence[Tensor], several: bool) -> Any:
        kept = tuple(each if self.create_graph else each.detach() for each in tensors)
        return kept if several else kept[0]


def _jacobian_of(call: _Call, output: Tensor, create_graph: bool) -> tuple[Tensor, ...]:
    """The derivative of one result by each input, a row for each element of the result."""
    rows = []
    for j in range(output.numel()):
        one = np.zeros_like(output._array)
        one.reshape(-1)[j] = 1
        rows.append(call.gradients((output,), call.inputs, (wrap(one),), create_graph))
    if not rows:
        return tuple(wrap(np.zeros((*output.shape, *each.shape), each._array.dtype)) for each in call.inputs)
    with enable_grad():
        return tuple(
            _stack(column).reshape(*output.shape, *each.shape)
            for column, each in zip(zip(*rows, strict=True), call.inputs, strict=True)
        )


def _of_us(call: _Call, products: Sequence[Tensor], us: Any, vectors: Any, create_graph: bool) -> tuple[Tensor, ...]:
    """The derivative of u J by u, times ``vectors``: J v. Zero where u J does not depend on u."""
    return call.gradients(products, us, vectors, create_graph)


def _as_leaf(tensor: Tensor, create_graph: bool) -> Tensor:
    """The same values as a new tensor: of the graph where that goes on, else a leaf."""
    if create_graph and tensor.requires_grad:
        return tensor.view_as(tensor)
    return tensor.detach().requires_grad_()


def _as_tuple(name: str, what: str, value: Any) -> tuple[Tensor, ...]:
    values = value if isinstance(value, tuple) else (value,)
    for i, each in enumerate(values):
        if not isinstance(each, Tensor):
            raise TypeError(
                f"The {what} given to {name} must be either a Tensor or a tuple of Tensors but the value at index {i} "
                f"has type {type(each)}."
            )
    return values


def _zeros_like(tensor: Tensor) -> Tensor:
    return wrap(np.zeros_like(tensor._array))


def _refuse(vectorize: bool, name: str, strategy: str) -> None:
    if vectorize:
        raise NotImplementedError("vectorize=True is not supported")
    if strategy != "reverse-mode":
        raise NotImplementedError(f"{name}={strategy!r} is not supported, only 'reverse-mode'")
