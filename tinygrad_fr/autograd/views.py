"""Views: tensors that share the memory of another, and how they came from it."""

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from .tensor import Tensor

if TYPE_CHECKING:
    from .op import Op

Step = tuple["Op", dict[str, Any]]


class View:
    """A tensor is ``op(parent, **params)`` and shares its memory; ``base`` is the tensor at the end of such a chain."""

    __slots__ = ("base", "op", "params", "parent", "recorded")

    def __init__(self, parent: "View | None", base: Tensor, op: "Op", params: dict[str, Any], recorded: bool):
        self.parent = parent
        self.base = base
        self.op = op
        self.params = params
        self.recorded = recorded  # made while the graph was recorded

    @property
    def steps(self) -> tuple[Step, ...]:
        """The view ops that lead from the base to this view, in order."""
        steps = []
        view: View | None = self
        while view is not None:
            steps.append((view.op, view.params))
            view = view.parent
        return tuple(reversed(steps))


def enter(parent: Tensor, out: Tensor, op: "Op", params: dict[str, Any], recorded: bool) -> None:
    """Note that ``out`` is ``op(parent)`` and shares its memory, as it shares its version counter."""
    came = parent._view
    if came is None:
        base = parent
    else:
        base, recorded = came.base, recorded and came.recorded
    out._view = View(came, base, op, params, recorded)
    extra = base._extra
    if extra is None:
        extra = base._extra = {}
    views = extra.get("views")
    if views is None:
        views = extra["views"] = []
    elif len(views) >= 16 and len(views) & (len(views) - 1) == 0:  # at each power of two, forget the dead
        views[:] = [each for each in views if each() is not None]
    views.append(weakref.ref(out))


def living_views(base: Tensor) -> list[Tensor]:
    """The views of ``base`` that still exist."""
    references = base._extra.get("views", ()) if base._extra is not None else ()
    return [view for reference in references if (view := reference()) is not None]


def walk(array: np.ndarray, steps: tuple[Step, ...]) -> np.ndarray:
    """The part of ``array`` that ``steps`` lead to, sharing its memory."""
    for op, params in steps:
        array = op.forward(array, **params)
    return array
