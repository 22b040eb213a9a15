"""Backpropagation: gradients flow through the nodes from the newest to the oldest.

Every node carries its number of creation, and an op can only use results that existed before it. So the newest node
with a gradient pending has received all of it: a heap of numbers gives a topological order without looking at the
graph first. Nothing here recurses; a chain of a million ops is a loop.
"""

import operator
from collections.abc import Callable, Iterable, Sequence
from heapq import heappop, heappush
from typing import Any

import numpy as np

from . import hooks
from .mode import thread
from .node import Node, OutputNode
from .tensor import Tensor, constant, wrap

Edge = Any  # where a gradient goes: the Node of an op, or a leaf Tensor

# Summing an array over axes, registered by the ops: reduce(x, axes, keepdims) -> array
_sum_array: Callable[..., np.ndarray] = lambda x, axes: np.add.reduce(x, axes, keepdims=True)  # noqa: E731


def use_sum(function: Callable[..., np.ndarray]) -> None:
    """Register the kernel that sums an array over axes, keeping them: ``function(x, axes)``."""
    global _sum_array
    _sum_array = function


# ---------------------------------------------------------------------------------------------------------------
# What users call.


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of ``tensors`` to the ``.grad`` of the leaves they were computed from (or of ``inputs``)."""
    if grad_variables is not None:
        raise NotImplementedError("backward: grad_variables is not supported: PyTorch deprecated it; use grad_tensors")
    roots = _as_tuple(tensors)
    seeds = _seeds(roots, grad_tensors)
    targets = None if inputs is None else _as_tuple(inputs)
    if targets == ():
        raise RuntimeError("'inputs' argument to backward() cannot be empty.")
    keep = create_graph if retain_graph is None else retain_graph
    found, fresh = _propagate(roots, seeds, keep, create_graph, targets)
    if targets is None:
        for leaf, g in found.items():
            if leaf._grad is None and leaf._extra is None and leaf in fresh and g.flags.c_contiguous:
                leaf._grad = wrap(g)  # the usual case, sooner done
            else:
                _accumulate(leaf, g, leaf in fresh, create_graph)
    else:
        for tensor in targets:
            g = found.get(_edge(tensor))
            if g is not None:
                _accumulate(tensor, g, False, create_graph)


def _tensor_backward(
    self: Tensor,
    gradient: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradient of this tensor to the ``.grad`` of every leaf it was computed from (or of ``inputs``).

    ``gradient`` is dL/d(this tensor), of its shape; it may be left out for a single element, where it is 1.
    """
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


Tensor.backward = _tensor_backward  # type: ignore[attr-defined]


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the sum of ``outputs`` with respect to ``inputs``; no ``.grad`` is touched.

    With ``create_graph=True`` they are part of the graph, and can be differentiated again.
    """
    if not only_inputs:
        raise NotImplementedError("grad: only_inputs=False is not supported: PyTorch deprecated it; use backward()")
    if is_grads_batched:
        raise NotImplementedError("grad() has no is_grads_batched; call it once for each vector")
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True.")
    roots, targets = _as_tuple(outputs), _as_tuple(inputs)
    for tensor in targets:
        if not tensor._requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    seeds = _seeds(roots, grad_outputs)
    keep = create_graph if retain_graph is None else retain_graph
    found, _ = _propagate(roots, seeds, keep, create_graph, targets)
    results = []
    for tensor in targets:
        g = found.get(_edge(tensor))
        if g is None and materialize_grads:
            g = np.zeros_like(tensor._array)
        if g is None and not allow_unused:
            raise RuntimeError(
                "One of the differentiated Tensors appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )
        results.append(g if g is None or isinstance(g, Tensor) else wrap(np.array(g)))
    return tuple(results)


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return (value,) if isinstance(value, Tensor) else tuple(value)


def _seeds(roots: tuple[Tensor, ...], given: Any) -> list[Any]:
    """The gradient to start from at each root."""
    if given is None:
        return [_seed(i, root, None) for i, root in enumerate(roots)]
    given = _as_tuple(given)
    if len(given) != len(roots):
        raise RuntimeError(f"got {len(roots)} tensors and {len(given)} gradients")
    return [_seed(i, root, each) for i, (root, each) in enumerate(zip(roots, given, strict=True))]


def _seed(i: int, root: Tensor, given: Any) -> Any:
    """The gradient to start from at root number ``i``: the given Tensor, or a 1 for a single element."""
    if not root._requires_grad:
        raise RuntimeError(
            f"element {i} of tensors does not require grad and does not have a grad_fn: no tensor that it was "
            "computed from has requires_grad=True, or it was computed under no_grad()"
        )
    array = root._array
    if given is None:
        if array.ndim == 0:
            return array.dtype.type(1)
        if array.size == 1:
            return np.full_like(array, 1)
        raise RuntimeError(
            "grad can be implicitly created only for scalar outputs: this one has shape "
            f"{list(root.shape)}; reduce it (.sum() or .mean()) or pass the gradient"
        )
    if not isinstance(given, Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(given).__name__}")
    if given._array.shape != array.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[{i}] has a shape of {list(given.shape)} and output[{i}] has a shape "
            f"of {list(root.shape)}."
        )
    return given if given._array.dtype is array.dtype else given.to(root.dtype)


def _edge(tensor: Tensor) -> Edge:
    return tensor._node or tensor


# ---------------------------------------------------------------------------------------------------------------
# The flow of gradients.


def _propagate(roots, seeds, keep: bool, create_graph: bool, targets) -> tuple[dict[Edge, Any], set[Edge]]:
    """Run the derivatives; gives the gradient that arrived at every leaf, or at every target, and which are fresh.

    Gradients travel as bare arrays, unless a graph of them is wanted or somebody listens: then as Tensors.
    """
    mode = thread.mode
    wanted = None if targets is None else {_edge(tensor) for tensor in targets}
    useful = None if wanted is None else _leading_to(wanted, roots)
    as_tensors = create_graph or mode.recorder is not None
    thread.mode = mode.with_grad if create_graph else mode.without_grad
    try:
        if as_tensors:
            return _flow_of_tensors(roots, seeds, keep, create_graph, wanted, useful), set()
        return _flow_of_arrays(roots, seeds, keep, wanted, useful)
    finally:
        thread.mode = mode


def _flow_of_arrays(roots, seeds, keep: bool, wanted, useful) -> tuple[dict[Edge, Any], set[Edge]]:
    """Gradients as NumPy arrays; a 0-d one is a NumPy number, which computes ten times faster.

    This is the inner loop of backward: plain, not short. A gradient is fresh when its array was made for one edge
    alone, so that a second gradient may be added to it in place and a leaf may keep it.
    """
    pending: dict[Edge, Any] = {}  # what has arrived at an edge
    heap: list[Any] = []  # the nodes among the edges, the newest first
    fresh: set[Edge] = set()
    found: dict[Edge, Any] = {}
    quietly = thread.mode.quietly
    for root, seed in zip(roots, seeds, strict=True):
        edge, g = root._node or root, seed._array if isinstance(seed, Tensor) else seed
        if edge in pending:
            g = pending[edge] + g
        elif root._node is not None:
            heappush(heap, (edge.number, edge))
        pending[edge] = g
    while heap:
        node = heappop(heap)[1]
        g = pending.pop(node)
        if node.hooks is not None:
            g = _tell(node, wrap(np.asarray(g)), True)._array
        parents = node.parents
        if wanted is not None:
            if node in wanted:
                found[node] = g
            parents = _towards(useful, parents)
            if parents is None:
                continue
        if isinstance(node, OutputNode):
            _into_place(pending, heap, node, g)
            continue
        saved = node.saved if node.saved is not None and not node.counters else node.check_unchanged()
        op = node.op
        rules = op.array_rules
        if op.run_backward is not None:
            gradients = op.run_backward(g if g.__class__ is _ndarray else np.asarray(g), saved)
        elif rules is None:
            gradients = op.array_gradients(node, parents, g)
        else:
            if g.__class__ is not _ndarray and node.counters:
                saved = [value[()] if value.__class__ is _ndarray else value for value in saved]
            gradients = quietly(rules, parents, g, saved)
        for parent, gradient in zip(parents, gradients):  # noqa: B905 - strict=True takes its time
            if parent is None or gradient is None:
                continue
            is_node = isinstance(parent, Node)
            shape = parent.shape if is_node else parent._array.shape  # type: ignore[union-attr]
            if gradient.shape != shape:
                gradient = sum_to(np.asarray(gradient), shape)
            before = pending.get(parent)
            if before is None:
                pending[parent] = gradient
                if is_node:
                    heappush(heap, (parent.number, parent))
                # made by the rule for this parent alone: neither passed on, nor a view, nor a saved value
                if gradient.__class__ is _ndarray and gradient is not g and gradient.base is None:
                    for value in saved:
                        if value is gradient:
                            break
                    else:
                        fresh.add(parent)
            elif parent in fresh:
                quietly(_add, before, gradient, before)
            else:
                total = pending[parent] = quietly(_plus, before, gradient)
                if total.__class__ is _ndarray:
                    fresh.add(parent)
        if not keep and node.counters:
            node.saved = None
    for leaf, g in pending.items():
        if leaf._extra is not None and "hooks" in leaf._extra:
            g = hooks.run(leaf._extra["hooks"], wrap(np.asarray(g)))._array
            fresh.discard(leaf)
        if wanted is None or leaf in wanted:
            found[leaf] = g
    return found, fresh


_ndarray = np.ndarray
_add = np.add
_plus = operator.add


def _flow_of_tensors(roots, seeds, keep: bool, create_graph: bool, wanted, useful) -> dict[Edge, Any]:
    """Gradients as Tensors, computed by op calls, which record a graph where one is wanted."""
    pending: dict[Edge, Any] = {}
    heap: list[Any] = []
    found: dict[Edge, Any] = {}

    def deliver(edge: Edge, g: Tensor) -> None:
        is_node = isinstance(edge, Node)
        shape = edge.shape if is_node else edge._array.shape
        if g._array.shape != shape:
            g = g.sum_to_size(shape)
        before = pending.get(edge)
        if before is None and is_node:
            heappush(heap, (edge.number, edge))
        pending[edge] = g if before is None else before + g

    for root, seed in zip(roots, seeds, strict=True):
        seed = seed if isinstance(seed, Tensor) else constant(np.asarray(seed))
        deliver(_edge(root), seed if create_graph else seed.detach())
    while heap:
        node = heappop(heap)[1]
        g = pending.pop(node)
        if node.hooks is not None:
            g = _tell(node, g, False)
        parents = node.parents
        if wanted is not None:
            if node in wanted:
                found[node] = g
            parents = _towards(useful, parents)
            if parents is None:
                continue
        if isinstance(node, OutputNode):
            _into_place(pending, heap, node, g)
            continue
        node.check_unchanged()
        for parent, gradient in zip(parents, _differentiated(node, parents, g, create_graph), strict=True):
            if parent is not None and gradient is not None:
                deliver(parent, gradient)
        if not keep and node.counters:
            node.saved = None
    for leaf, g in pending.items():
        if leaf._extra is not None:
            g = hooks.run(leaf._extra.get("hooks"), g)
        if wanted is None or leaf in wanted:
            found[leaf] = g
    return found


def _differentiated(node: Node, parents: Any, g: Any, create_graph: bool) -> Any:
    """The gradient of each parent as a Tensor, or None; the recorder is told."""
    recorder = thread.mode.recorder
    if recorder is None:
        return node.op.tensor_gradients(node, parents, g, create_graph)
    try:
        gradients = node.op.tensor_gradients(node, parents, g, create_graph)
    except Exception:
        recorder.not_differentiated(node)
        raise
    recorder.differentiated(node, gradients)
    return gradients


def _towards(useful: set[Any], parents: Iterable[Any]) -> list[Any] | None:
    """The parents on a way to a target, None at the places of the others; None where there is no such parent."""
    kept = [each if each in useful else None for each in parents]
    return None if all(each is None for each in kept) else kept


def _leading_to(wanted: set[Edge], roots: Iterable[Tensor]) -> set[Any]:
    """The targets, and the nodes behind ``roots`` from which one can be reached."""
    stack = [root._node for root in roots if root._node is not None]
    seen = set(stack)
    while stack:
        for parent in stack.pop().parents:
            if isinstance(parent, Node) and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    useful: set[Any] = set(wanted)
    for node in sorted(seen, key=lambda node: -node.number):  # the oldest first
        if not useful.isdisjoint(node.parents):
            useful.add(node)
    return useful


def _into_place(pending: dict[Edge, Any], heap: list[Any], node: OutputNode, g: Any) -> None:
    """Put the gradient of one of several results among those of the op."""
    parent: Any = node.parents[0]
    gathered = pending.get(parent)
    if gathered is None:
        gathered = pending[parent] = [None] * len(parent.shape)
        heappush(heap, (parent.number, parent))
    before = gathered[node.index]  # a result that backward saved and used has a second node for it
    gathered[node.index] = g if before is None else before + g


def _tell(node: Node, g: Tensor, copy: bool) -> Tensor:
    """Run the hooks of a node's gradient; leave it (a copy) on the tensor that asked to retain it."""
    g = hooks.run(node.hooks, g)
    tensor = None if node.retaining is None else node.retaining()
    if tensor is not None:
        kept = wrap(g._array.copy()) if copy else g
        tensor._grad = kept if tensor._grad is None else tensor._grad + kept
    return g


def _accumulate(leaf: Tensor, g: Any, fresh: bool, create_graph: bool) -> None:
    """Add ``g`` to ``leaf.grad``, whose array belongs to the leaf alone."""
    before = leaf._grad
    if isinstance(g, Tensor):
        _accumulate_by_ops(leaf, g, create_graph)
    elif before is None:
        owned = fresh and type(g) is np.ndarray and g.flags.c_contiguous
        leaf._grad = wrap(g if owned else np.array(g, order="C"))
    elif before._requires_grad:
        leaf._grad = before + wrap(np.asarray(g))
    else:
        array = before._array
        if g.__class__ is _ndarray:
            thread.mode.quietly(_add, array, g, array)
        else:  # a number: NumPy adds it to a 0-d array three times faster in this way
            array[()] = thread.mode.quietly(_plus, array[()], g)
        if before._version is not None:
            before._version[0] += 1
    if leaf._extra is not None:
        post_hooks = tuple(leaf._extra.get("post_hooks", {}).values())
        if post_hooks and thread.mode.recorder is not None:
            thread.mode.recorder.hooked()
        for hook in post_hooks:
            hook(leaf)


def _accumulate_by_ops(leaf: Tensor, g: Tensor, create_graph: bool) -> None:
    """As `_accumulate`, by op calls: into the graph where one is wanted, and heard by a recorder."""
    mode, before = thread.mode, leaf._grad
    thread.mode = mode.with_grad if create_graph else mode.without_grad
    try:
        if before is None:
            leaf._grad = g.clone()
        elif create_graph or before._requires_grad:
            leaf._grad = before + g
        else:
            before.add_(g)
    finally:
        thread.mode = mode


def sum_to(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum ``g`` over the axes along which an input of ``shape`` was broadcast."""
    extra = g.ndim - len(shape)
    axes = tuple(i for i in range(g.ndim) if i < extra or (shape[i - extra] == 1 and g.shape[i] != 1))
    return thread.mode.quietly(_sum_array, g, axes).reshape(shape) if axes else g.reshape(shape)
