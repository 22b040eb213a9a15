"""Views: tensors that share the memory of another, and what an in-place write through one does to the graph.

Recorded as functions, a write through a view makes a new base out of the old one and the written part; after it
every living view of that base is a view of the new one.
"""

import weakref
from typing import Any

import numpy as np

from .hooks import extra
from .node import Node
from .op import Op, apply, record
from .tensor import Tensor, wrap

Step = tuple[Op, dict[str, Any]]


class View:
    """How a tensor came from its base: by ``steps``, each a view op with its static parameters."""

    __slots__ = ("base", "recorded", "steps")

    def __init__(self, base: Tensor, steps: tuple[Step, ...], recorded: bool):
        self.base = base
        self.steps = steps
        self.recorded = recorded  # made while the graph was recorded

    @staticmethod
    def enter(parent: Tensor, out: Tensor, op: Op, params: dict[str, Any], recorded: bool) -> None:
        """Note that ``out`` is ``op(parent)`` and shares its memory and its version counter."""
        came = parent._view
        base, steps = (parent, ()) if came is None else (came.base, came.steps)
        out._version = parent._version
        out._view = View(base, (*steps, (op, params)), recorded and (came is None or came.recorded))
        views = extra(base).setdefault("views", [])
        if len(views) >= 16 and len(views) & (len(views) - 1) == 0:  # at each power of two, forget the dead
            views[:] = [each for each in views if each() is not None]
        views.append(weakref.ref(out))


def walk(array: np.ndarray, steps: tuple[Step, ...]) -> np.ndarray:
    """The part of ``array`` that ``steps`` lead to, sharing its memory."""
    for op, params in steps:
        array = op.forward(array, **params)
    return array


def rebase(target: Tensor, node: Node) -> None:
    """``target`` was written in place and ``node`` is its new history: change its graph, its base's and the views'."""
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
    base._node, base._requires_grad = base_node, True
    for reference in extra(base).get("views", ()):
        living = reference()
        if living is not None and living._view.recorded:
            params = {"steps": living._view.steps}
            living._node = record(_WALK, (base,), [base._array], living._array, (), params, [0])
            living._requires_grad = True


def stand_in(tensor: Tensor, array: np.ndarray) -> Tensor:
    """A tensor at the place of ``tensor`` in the graph as it is now, with the values ``array``."""
    out = wrap(array)
    out._node, out._requires_grad = tensor._node, tensor._requires_grad
    return out


# --- the two ops of that history: cut a part out, put a part in; each is the other's derivative ------------------


def _view_part(x, *, steps, out=None):
    return walk(x, steps)


def _view_scatter(x, part, *, steps, out=None):
    result = x.copy()
    walk(result, steps)[...] = part
    return result


_WALK = Op(_view_part, "", False, ())
_SCATTER = Op(_view_scatter, "", False, ())


@_WALK.vjp()
def _(g, x_shape, steps):
    return apply(_SCATTER, (wrap(np.zeros(x_shape, g._array.dtype)), g), {"steps": steps})


@_SCATTER.vjp("x")
def _(g, part_shape, steps):
    return apply(_SCATTER, (g, wrap(np.zeros(part_shape, g._array.dtype))), {"steps": steps})


@_SCATTER.vjp("part")
def _(g, steps):
    return apply(_WALK, (g,), {"steps": steps})
