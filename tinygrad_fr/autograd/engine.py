"""Backpropagation: gradients flow through the nodes from the newest to the oldest.

Every node carries its number of creation, and an op can only use results that existed before: so the nodes that are
reached, sorted by number, are in topological order. Nothing here recurses; a chain of a million ops is a loop.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from . import hooks
from .mode import thread
from .node import Node, OutputNode
from .tensor import Tensor, wrap

Edge = Node | Tensor  # where a gradient goes: the node of an op, or a leaf

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
    inputs: Any = None,
) -> None:
    """Add the gradients of ``tensors`` to the ``.grad`` of the leaves they were computed from (or of ``inputs``)."""
    roots = _as_tuple(tensors)
    seeds = _seeds(roots, _as_tuple(grad_tensors, len(roots)))
    targets = None
    if inputs is not None:
        targets = _as_tuple(inputs)
        if not targets:
            raise RuntimeError("'inputs' argument to backward() cannot be empty.")
    found = _propagate(roots, seeds, create_graph if retain_graph is None else retain_graph, create_graph, targets)
    if targets is None:
        for leaf, (g, fresh) in found.items():
            _accumulate(leaf, g, fresh, create_graph)
    else:
        for tensor in targets:
            g, fresh = found.get(_edge(tensor), (None, False))
            if g is not None:
                _accumulate(tensor, g, fresh, create_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the sum of ``outputs`` with respect to ``inputs``; no ``.grad`` is touched.

    With ``create_graph=True`` they are part of the graph, and can be differentiated again.
    """
    if is_grads_batched:
        raise NotImplementedError("grad() has no is_grads_batched; call it once for each vector")
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True.")
    roots, targets = _as_tuple(outputs), _as_tuple(inputs)
    for tensor in targets:
        if not tensor._requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    seeds = _seeds(roots, _as_tuple(grad_outputs, len(roots)))
    found = _propagate(roots, seeds, create_graph if retain_graph is None else retain_graph, create_graph, targets)
    results = []
    for tensor in targets:
        g, _ = found.get(_edge(tensor), (None, False))
        if g is None and materialize_grads:
            g = np.zeros_like(tensor._array)
        if g is None and not allow_unused:
            raise RuntimeError(
                "One of the differentiated Tensors appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )
        results.append(g if g is None or isinstance(g, Tensor) else wrap(np.array(g)))
    return tuple(results)


def _as_tuple(value: Any, length: int = 1) -> tuple[Any, ...]:
    if value is None:
        return (None,) * length
    return (value,) if isinstance(value, Tensor) else tuple(value)


def _seeds(roots: Iterable[Tensor], given: Sequence[Any]) -> list[Tensor]:
    """The gradient to start from at each root: the given one, or 1 for a single element."""
    seeds = []
    for i, (root, seed) in enumerate(zip(roots, given, strict=True)):
        if not root._requires_grad:
            raise RuntimeError(
                f"element {i} of tensors does not require grad and does not have a grad_fn: no tensor that it was "
                "computed from has requires_grad=True, or it was computed under no_grad()"
            )
        if seed is None:
            if root._array.size != 1:
                raise RuntimeError(
                    "grad can be implicitly created only for scalar outputs: this one has shape "
                    f"{list(root.shape)}; reduce it (.sum() or .mean()) or pass the gradient"
                )
            seed = wrap(np.ones(root._array.shape, root._array.dtype))
        elif not isinstance(seed, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(seed).__name__}")
        elif seed._array.shape != root._array.shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{i}] has a shape of {list(seed.shape)} and output[{i}] has a shape "
                f"of {list(root.shape)}."
            )
        seeds.append(seed)
    return seeds


def _edge(tensor: Tensor) -> Edge:
    return tensor._node or tensor


# ---------------------------------------------------------------------------------------------------------------
# The flow of gradients.


def _propagate(roots, seeds, keep: bool, create_graph: bool, targets) -> dict[Edge, tuple[Any, bool]]:
    """Run the derivatives; gives the gradient that arrived at every leaf, or at every target, and whether it is fresh.

    Gradients travel as bare arrays, unless a graph of them is wanted or somebody listens: then as Tensors.
    """
    mode = thread.mode
    flow = _TensorFlow(create_graph) if create_graph or mode.recorder is not None else _ArrayFlow()
    order = _reachable(roots)
    wanted = None if targets is None else {_edge(tensor) for tensor in targets}
    useful = None if wanted is None else _leading_to(wanted, order)
    pending: dict[Edge, Any] = {}
    fresh: set[Edge] = set()  # whose pending gradient belongs to nobody else, so that it may be added to in place
    found: dict[Edge, tuple[Any, bool]] = {}
    thread.mode = mode.replace(grad=create_graph)
    try:
        for root, seed in zip(roots, seeds, strict=True):
            _deliver(flow, _edge(root), flow.start(seed, create_graph), False, pending, fresh)
        for node in order:
            g = pending.pop(node, None)
            if g is None:
                continue
            if node.hooks is not None or node.retaining is not None:
                g = _tell(flow, node, g)
            if wanted is not None and node in wanted:
                found[node] = (g, False)
            if isinstance(node, OutputNode):
                if useful is None or node.parents[0] in useful:
                    _into_place(pending, node, g)
                continue
            parents = node.parents if useful is None else [each if each in useful else None for each in node.parents]
            if useful is not None and not any(parents):
                continue
            node.check_unchanged()
            gradients = flow.gradients(node, parents, g)
            saved = node.saved
            for parent, gradient in zip(parents, gradients, strict=True):
                if parent is not None and gradient is not None:
                    _deliver(flow, parent, gradient, flow.is_fresh(gradient, g, saved), pending, fresh)
            if not keep and node.counters:
                node.saved = None
        for leaf in [edge for edge in pending if isinstance(edge, Tensor)]:
            g = pending[leaf]
            if leaf._extra is not None and "hooks" in leaf._extra:
                g = flow.unwrap(hooks.run(leaf._extra["hooks"], flow.wrap(g)))
                fresh.discard(leaf)
            if wanted is None or leaf in wanted:
                found[leaf] = (g, leaf in fresh)
    finally:
        thread.mode = mode
    return found


def _reachable(roots: Iterable[Tensor]) -> list[Node]:
    """The nodes behind ``roots``, newest first."""
    seen = {root._node for root in roots if root._node is not None}
    stack = list(seen)
    while stack:
        for parent in stack.pop().parents:
            if isinstance(parent, Node) and parent not in seen:
                seen.add(parent)
                stack.append(parent)
    return sorted(seen, key=_number, reverse=True)


def _leading_to(wanted: set[Edge], order: list[Node]) -> set[Any]:
    """The targets, and the nodes from which one can be reached."""
    useful: set[Any] = set(wanted)
    for node in reversed(order):
        if not useful.isdisjoint(node.parents):
            useful.add(node)
    return useful


def _number(node: Node) -> int:
    return node.number


def _deliver(flow: Any, edge: Edge, g: Any, is_fresh: bool, pending: dict[Edge, Any], fresh: set[Edge]) -> None:
    """Add ``g`` to what has arrived at ``edge``. The first gradient is borrowed, later ones are added in place."""
    shape = edge.shape if isinstance(edge, Node) else edge._array.shape
    if g.shape != shape:
        g, is_fresh = flow.sum_to(g, shape), True
    before = pending.get(edge)
    if before is None:
        pending[edge] = g
        if is_fresh:
            fresh.add(edge)
    elif edge in fresh:
        pending[edge] = flow.add_to(before, g)
    else:
        pending[edge] = flow.add(before, g)
        fresh.add(edge)


def _into_place(pending: dict[Edge, Any], node: OutputNode, g: Any) -> None:
    """Put the gradient of one of several results among those of the op."""
    parent = node.parents[0]
    assert isinstance(parent, Node)
    pending.setdefault(parent, [None] * len(parent.shape))[node.index] = g


def _tell(flow: Any, node: Node, g: Any) -> Any:
    """Run the hooks of a node's gradient; leave it on the tensor that asked to retain it."""
    told = hooks.run(node.hooks, flow.wrap(g))
    tensor = None if node.retaining is None else node.retaining()
    if tensor is not None:
        before = tensor.grad
        tensor.grad = wrap(told._array.copy()) if isinstance(flow, _ArrayFlow) else told
        if before is not None:
            tensor.grad = before + tensor.grad
    return flow.unwrap(told)


def _accumulate(leaf: Tensor, g: Any, fresh: bool, create_graph: bool) -> None:
    """Add ``g`` to ``leaf.grad``, whose array belongs to the leaf alone."""
    before = leaf.grad
    if isinstance(g, Tensor) and create_graph:
        leaf.grad = g if before is None else before + g
    else:
        array = g._array if isinstance(g, Tensor) else g
        if before is None:
            leaf.grad = wrap(array if fresh and array.flags.c_contiguous else np.array(array, order="C"))
        elif before._requires_grad:
            leaf.grad = before + wrap(np.asarray(array))
        else:
            np.add(before._array, array, out=before._array)
            if before._version is not None:
                before._version[0] += 1
    if leaf._extra is not None:
        for hook in tuple(leaf._extra.get("post_hooks", {}).values()):
            hook(leaf)


class _ArrayFlow:
    """Gradients as NumPy arrays (a 0-d one may be a NumPy number)."""

    def start(self, seed: Tensor, create_graph: bool) -> Any:
        return seed._array

    def wrap(self, g: Any) -> Tensor:
        return wrap(np.asarray(g))

    def unwrap(self, g: Tensor) -> Any:
        return g._array

    def gradients(self, node: Node, parents: Any, g: Any) -> tuple[Any, ...]:
        return node.op.array_gradients(node, parents, g)

    def is_fresh(self, gradient: Any, g: Any, saved: tuple[Any, ...]) -> bool:
        """Whether a rule made this array for the parent alone: it is neither passed on, a view, nor a saved value."""
        if gradient is g or type(gradient) is not np.ndarray or gradient.base is not None:
            return False
        return all(gradient is not value for value in saved)

    def sum_to(self, g: Any, shape: tuple[int, ...]) -> Any:
        return sum_to(np.asarray(g), shape)

    def add(self, a: Any, b: Any) -> Any:
        return a + b

    def add_to(self, a: Any, b: Any) -> Any:
        return np.add(a, b, out=a) if type(a) is np.ndarray else a + b


class _TensorFlow:
    """Gradients as Tensors, computed by op calls, which record a graph where one is wanted."""

    def __init__(self, create_graph: bool):
        self.create_graph = create_graph

    def start(self, seed: Tensor, create_graph: bool) -> Tensor:
        return seed if create_graph else seed.detach()

    def wrap(self, g: Tensor) -> Tensor:
        return g

    def unwrap(self, g: Tensor) -> Tensor:
        return g

    def gradients(self, node: Node, parents: Any, g: Any) -> tuple[Any, ...]:
        return node.op.tensor_gradients(node, parents, g, self.create_graph)

    def is_fresh(self, gradient: Any, g: Any, saved: Any) -> bool:
        return False

    def sum_to(self, g: Any, shape: tuple[int, ...]) -> Any:
        return g.sum_to_size(shape)

    def add(self, a: Any, b: Any) -> Any:
        return a + b

    add_to = add


def sum_to(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum ``g`` over the axes along which an input of ``shape`` was broadcast."""
    extra = g.ndim - len(shape)
    axes = tuple(i for i in range(g.ndim) if i < extra or (shape[i - extra] == 1 and g.shape[i] != 1))
    return _sum_array(g, axes).reshape(shape) if axes else g.reshape(shape)
