"""One recorded op call: what backward needs of it, and nothing more."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .tensor import Tensor

_next_number = itertools.count(0, -1).__next__


class Node:
    """An op call in the graph.

    op       what was called; knows the derivative
    parents  for each input: the Node that made it, the leaf Tensor itself, or None where no gradient is wanted
    saved    the values the derivative reads, in the order of ``op.slots``; None once backward has freed them
    counters the version counters of the saved arrays, and ``version`` their sum when they were saved
    shape    of the result: gradients that arrive have this shape, or are summed to it
    number   falls with every node, so that a heap gives the newest first: creation order is a topological order
    hooks    functions called with the gradient of the result; None where neither they nor ``retaining`` are set
    retaining  a weak reference to the tensor whose ``.grad`` is wanted though this node made it, or None
    """

    __slots__ = (
        "__weakref__",
        "counters",
        "hooks",
        "number",
        "op",
        "parents",
        "retaining",
        "saved",
        "shape",
        "version",
    )

    def __init__(self, op, parents, saved, counters, version, shape):
        self.op: Any = op
        self.parents: tuple[Node | Tensor | None, ...] = parents
        self.saved: Any = saved
        self.counters: Sequence[list[int]] = counters
        self.version: int = version
        self.shape: tuple[int, ...] = shape
        self.number: int = _next_number()
        self.hooks: dict[Any, Any] | None = None
        self.retaining: Any = None

    def name(self) -> str:
        """The name PyTorch would print, such as 'MulBackward0'."""
        return "".join(part.capitalize() for part in self.op.name.split("_")) + "Backward0"

    def __repr__(self) -> str:
        return f"<{self.name()}>"

    @property
    def next_functions(self) -> tuple[tuple["Node | Tensor | None", int], ...]:
        """The nodes this one hands gradients to, as (node, 0); a leaf tensor stands for itself."""
        return tuple((parent, 0) for parent in self.parents)

    def check_unchanged(self) -> Any:
        """What was saved; raises where it was freed, or an array of it changed in place since."""
        if self.saved is None:
            raise RuntimeError(
                f"Trying to backward through the graph a second time: the values saved by '{self.op.name}' have "
                "already been freed. Pass retain_graph=True to the first backward() or grad() call if you need "
                "a second one."
            )
        now = 0
        for counter in self.counters:
            now += counter[0]
        if now != self.version:
            raise RuntimeError(
                f"one of the variables needed for gradient computation has been modified by an inplace operation: "
                f"a tensor saved by '{self.op.name}' (result of shape {list(self.shape)}) was changed after it was "
                "saved. Use the out-of-place form of the op that changed it, or clone() before changing."
            )
        return self.saved


class OutputNode(Node):
    """One result of an op with several: hands its gradient to its place among those of the op's node."""

    __slots__ = ("index",)

    def __init__(self, op, parent, index, shape):
        super().__init__(op, (parent,), (), (), 0, shape)
        self.index: int = index
