"""Functions of the user that see gradients as they are computed."""

import itertools
import weakref
from collections.abc import Callable
from typing import Any

from .mode import thread
from .tensor import Tensor, note_change

_next_key = itertools.count().__next__


class RemovableHandle:
    """Takes a registered hook away again: ``handle.remove()``, or at the end of ``with handle:``."""

    def __init__(self, hooks: dict[Any, Any]):
        self.hooks = hooks
        self.id = _next_key()

    def remove(self) -> None:
        self.hooks.pop(self.id, None)
        note_change()

    def __enter__(self):
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def add_hook(hooks: dict[Any, Any], hook: Callable[..., Any]) -> RemovableHandle:
    """Put ``hook`` into ``hooks`` and give the handle that removes it."""
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    note_change()
    return handle


def register_hook(self: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Call ``hook(grad)`` when the tensor's gradient is computed; a Tensor it returns replaces the gradient."""
    if not self._requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    node = self._node
    if node is None:
        return add_hook(extra(self).setdefault("hooks", {}), hook)
    if node.hooks is None:
        node.hooks = {}
    return add_hook(node.hooks, hook)


def register_post_accumulate_grad_hook(self: Tensor, hook: Callable[[Tensor], None]) -> RemovableHandle:
    """Call ``hook(tensor)`` once the leaf's ``.grad`` holds the new gradient."""
    if self._node is not None or not self._requires_grad:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    return add_hook(extra(self).setdefault("post_hooks", {}), hook)


def retain_grad(self: Tensor) -> None:
    """Let backward leave a gradient on this tensor, though an op made it."""
    if not self._requires_grad:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    node = self._node
    if node is None or "retain" in extra(self):
        return
    extra(self)["retain"] = True
    node.retaining = weakref.ref(self)
    if node.hooks is None:
        node.hooks = {}


Tensor.register_hook = register_hook  # type: ignore[method-assign]
Tensor.register_post_accumulate_grad_hook = register_post_accumulate_grad_hook  # type: ignore[method-assign]
Tensor.retain_grad = retain_grad  # type: ignore[method-assign]


def extra(tensor: Tensor) -> dict[str, Any]:
    """The dictionary of what few tensors have, made at its first use."""
    if tensor._extra is None:
        tensor._extra = {}
    return tensor._extra


def run(hooks: dict[Any, Any] | None, g: Any) -> Any:
    """The gradient after every hook has seen, and perhaps replaced, it."""
    recorder = thread.mode.recorder
    if hooks and recorder is not None:
        recorder.hooked()
    for hook in tuple(hooks.values()) if hooks else ():
        replaced = hook(g)
        if replaced is not None:
            if not isinstance(replaced, Tensor) or replaced._array.shape != g._array.shape:
                raise RuntimeError(f"a hook must return None or a Tensor of shape {list(g.shape)}, got {replaced!r}")
            g = replaced
    return g
