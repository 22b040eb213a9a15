"""Writing the result of an op into its first input."""

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import dtypes
from .dispatch import apply, broadcast, prepare, record
from .mode import FORWARD, IN_PLACE, set_grad_enabled, tell_read, thread
from .node import Node
from .op import Op
from .tensor import Tensor, constant, note_change, wrap
from .views import living_views, walk


def write(op: Op, target: Tensor, others: tuple[Any, ...], params: dict[str, Any]) -> Tensor:
    """``target[...] = op(target, *others)``, seen by the graph and by the version checks."""
    mode = thread.mode
    inputs = _in_type_of(op, target, others) if op.kind else (target, *others)
    check_writable(op.name, target)
    if op.kind:
        _check_shape(op, target, inputs)
    records = (
        mode.grad and op.differentiable and any(isinstance(each, Tensor) and each._requires_grad for each in inputs)
    )
    arrays = [each._array if isinstance(each, Tensor) else each for each in inputs]
    if records:
        _check_recorded(op.name, target)
        inputs, saved_arrays = _keep_old_values(inputs, arrays)
    mode.quietly(op.forward, *arrays, **params, out=target._array)
    bump(target)
    if records:
        node = record(op, inputs, saved_arrays, target._array, (), params, target._version)
        assert node is not None
        rebase(target, node)
    if mode.recorder is not None:
        mode.recorder.call(op, IN_PLACE, inputs, params, target)
    return target


def write_each(op: Op, columns: Sequence[list[Tensor]], shared: Tensor, params: dict[str, Any]) -> None:
    """``op(*columns, shared)``, which writes into all tensors of the first column: one call, outside the graph."""
    mode = thread.mode
    targets = columns[0]
    for target in targets:
        check_writable(op.name, target)
    arrays = [[each._array for each in column] for column in columns]
    mode.quietly(op.forward, *arrays, shared._array, **params)
    for target in targets:
        bump(target)
    if mode.recorder is not None:
        mode.recorder.call(op, IN_PLACE, (*columns, shared), params, targets)


def bump(target: Tensor) -> None:
    """Count one in-place write."""
    if target._version is not None:
        target._version[0] += 1


def check_writable(name: str, target: Tensor) -> None:
    """Raise where PyTorch refuses an in-place write: leaves in the graph, inference tensors outside their mode."""
    mode = thread.mode
    if target._version is None and not mode.inference:
        raise RuntimeError(
            f"Inplace update to inference tensor outside InferenceMode is not allowed ({name}_). "
            "You can make a clone to get a normal tensor before doing inplace update."
        )
    if not target._array.flags.writeable:
        raise RuntimeError(
            f"unsupported operation ({name}_): more than one element of the written-to tensor of shape "
            f"{list(target.shape)} refers to a single memory location, or its memory is read-only. Please clone() the "
            "tensor before performing the operation."
        )
    if not mode.grad:
        return
    if target._requires_grad and target._node is None:
        raise RuntimeError(
            f"a leaf Variable that requires grad is being used in an in-place operation ({name}_). "
            "Write under no_grad(), or use the out-of-place form."
        )
    view = target._view
    if view is None or not (view.base._requires_grad or target._requires_grad):
        return
    _check_recorded(name, target)
    if view.base._requires_grad and view.base._node is None:
        raise RuntimeError(
            f"a view of a leaf Variable that requires grad is being used in an in-place operation ({name}_). "
            "Write under no_grad(), or use the out-of-place form."
        )


def _check_recorded(name: str, target: Tensor) -> None:
    if target._view is not None and not target._view.recorded:
        raise RuntimeError(
            f"A view was created in no_grad mode, or is an input that a Function or a module with backward hooks gave "
            f"back, and is being modified inplace with grad mode enabled ({name}_). Make the view outside no_grad, or "
            "clone it, or write under no_grad."
        )


def _in_type_of(op: Op, target: Tensor, others: tuple[Any, ...]) -> tuple[Any, ...]:
    """The inputs in the dtype of ``target``, refused where that would lose the category of the result."""
    if op.check is not None:
        op.check(target, *others)
    kind = dtypes.result_type(target, *others)
    if op.kind == "float" and not kind.is_floating_point:
        kind = dtypes.get_default_dtype()
    if not dtypes.can_cast(kind, target.dtype):
        raise RuntimeError(
            f"result type {kind.name} can't be cast to the desired output type {target.dtype.name} ({op.name}_)"
        )
    others = tuple(each.to(target.dtype) if isinstance(each, Tensor) else each for each in others)
    return prepare(op, (target, *others))


def _check_shape(op: Op, target: Tensor, inputs: tuple[Any, ...]) -> None:
    shape = broadcast(op.name, *[each._array for each in inputs if isinstance(each, Tensor)])
    if shape != target._array.shape:
        raise RuntimeError(
            f"output with shape {list(target.shape)} doesn't match the broadcast shape {list(shape)} ({op.name}_)"
        )


def _keep_old_values(inputs: tuple[Any, ...], arrays: list[Any]) -> tuple[tuple[Any, ...], list[Any]]:
    """The inputs as they are before the write: the target, and whatever shares its memory, by a copy."""
    counter = inputs[0]._version
    shares = [isinstance(each, Tensor) and each._version is counter for each in inputs]
    arrays = [array.copy() if share else array for array, share in zip(arrays, shares, strict=True)]
    olds = zip(inputs, arrays, shares, strict=True)
    kept = tuple(stand_in(each, array) if share else each for each, array, share in olds)
    recorder = thread.mode.recorder
    if recorder is not None:
        for each, old in zip(inputs, kept, strict=True):
            if old is not each:
                recorder.call(_COPY, FORWARD, (each,), {}, old)
    return kept, arrays


# --- another shape in place --------------------------------------------------------------------------------------


def become(tensor: Tensor, view: Callable[[Tensor], Tensor], name: str) -> Tensor:
    """Let ``tensor`` itself be the view that ``view`` makes of it; ``name`` is for messages."""
    check_writable(name, tensor)
    tell_read(f"{name}_(), which gives a tensor another shape")
    before = tensor if tensor._view is not None else stand_in(tensor, tensor._array)
    before._version = tensor._version
    with set_grad_enabled(thread.mode.grad or tensor._node is not None):
        out = view(before)
    if out is before:
        return tensor
    if before is not tensor:
        _hand_over_views(tensor, before)
    tensor._array, tensor._view = out._array, out._view
    if out._node is not None:
        _set_history(tensor, out._node)
    note_change()
    return tensor


def _hand_over_views(tensor: Tensor, base: Tensor) -> None:
    """Let the views of ``tensor``, and itself, be views of ``base``."""
    living = living_views(tensor)
    for each in living:
        view = each._view
        while view is not None:
            view.base, view = base, view.parent
    base._extra = {"views": [weakref.ref(each) for each in (*living, tensor)]}
    if tensor._extra is not None:
        tensor._extra.pop("views", None)


# --- the graph after a write -------------------------------------------------------------------------------------


def rebase(target: Tensor, node: Node) -> None:
    """``target`` was written in place and ``node`` is its new history: change its graph, its base's and the views'.

    Recorded as functions, a write through a view makes a new base out of the old one and the written part; after it
    every living view of that base is a view of the new one.
    """
    view = target._view
    if view is None:
        base, base_node = target, node
    else:
        base = view.base
        written = wrap(target._array)
        written._node, written._requires_grad = node, True
        before = stand_in(base, base._array)
        arrays = [base._array, target._array]
        base_node = record(_SCATTER, (before, written), arrays, base._array, (), {"steps": view.steps}, [0])
    _set_history(base, base_node)
    for living in living_views(base):
        view = living._view
        if view is not None:
            params = {"steps": view.steps}
            part = _WALK if view.recorded else _UNRECORDED
            _set_history(living, record(part, (base,), [base._array], living._array, (), params, [0]))


def _set_history(tensor: Tensor, node: Node | None) -> None:
    """``tensor`` is now what ``node`` made; a gradient that it retains is that of its new value."""
    before = tensor._node
    tensor._node, tensor._requires_grad = node, True
    note_change()
    if tensor.retains_grad and node is not None and before is not None and node is not before:
        node.retaining, before.retaining = before.retaining, None
        node.hooks = {} if node.hooks is None else node.hooks


def stand_in(tensor: Tensor, array: np.ndarray) -> Tensor:
    """A tensor at the place of ``tensor`` in the graph as it is now, with the values ``array``."""
    out = wrap(array)
    out._node, out._requires_grad = tensor._node, tensor._requires_grad
    return out


# --- the two ops of that history: cut a part out, put a part in; each is the other's derivative ------------------


def _view_part(x, *, steps, out=None):
    return walk(np.asarray(x, order="C"), steps)  # as the base is, where a step goes by places in memory


def _view_scatter(x, part, *, steps, out=None):
    result = x.copy()
    walk(result, steps)[...] = part
    return result


def _copied(x, *, out=None):
    return x.copy()


def _unrecorded_view(x, *, steps, out=None):
    return walk(x, steps)


_UNRECORDED = Op(_unrecorded_view, "", False, ())


@_UNRECORDED.vjp()
def _(g):
    raise RuntimeError(
        "A view was created in no_grad mode and its base or another view of its base has been modified inplace with "
        "grad mode enabled: what its gradient should be is not clear. Make the view outside no_grad, detach() it, or "
        "write under no_grad."
    )


_COPY = Op(_copied, "", False, ())
_WALK = Op(_view_part, "", False, ())
_SCATTER = Op(_view_scatter, "", False, ())


@_WALK.vjp()
def _(g, x_shape, steps):
    return apply(_SCATTER, (constant(np.zeros(x_shape, g._array.dtype)), g), {"steps": steps})


@_SCATTER.vjp("x")
def _(g, part_shape, steps):
    return apply(_SCATTER, (g, constant(np.zeros(part_shape, g._array.dtype))), {"steps": steps})


@_SCATTER.vjp("part")
def _(g, steps):
    return apply(_WALK, (g,), {"steps": steps})
