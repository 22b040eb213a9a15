"""What a thread does with op calls: record gradients or not, inference, and who listens to every call."""

import contextvars
import functools
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

FORWARD, IN_PLACE, BACKWARD = "", "_", "_backward"  # the forms of an op call, as its name shows them


class Recorder:
    """Who listens to a thread: hears every op call, and what happens to values beside them."""

    def call(self, op: Any, form: str, inputs: Any, params: dict[str, Any], outputs: Any, kept: Any = ()) -> None:
        """``op`` was called in one of the forms `FORWARD`, `IN_PLACE` (the outputs are written), `BACKWARD` (fused)."""

    def made(self, outputs: Any) -> None:
        """A function of the user's own, whose ops were heard, has made the node of ``outputs``."""

    def differentiated(self, node: Any, gradients: Any) -> None:
        """The derivative of ``node`` was computed: for each input its gradient, or None."""

    def not_differentiated(self, node: Any) -> None:
        """Computing it raised."""

    def constant(self, array: np.ndarray) -> None:
        """``array`` was made of numbers of the program, not of other tensors."""

    def hooked(self) -> None:
        """Functions of the user's are called with a gradient."""

    def cleared(self, leaf: Any) -> None:
        """The gradient of ``leaf`` was taken away."""

    def read(self, how: str) -> None:
        """Values leave the tensors, or come in, in a way that no op call shows: ``how``."""


class Mode:
    """An immutable setting of one thread. ``recorder`` hears every op call.

    ``quietly(function, *arguments)`` calls without NumPy's warnings of overflow and the like: infinity and NaN are
    ordinary results here. It is a context whose error state is "ignore", at a twentieth of the cost of
    ``np.errstate``; as it cannot be entered twice, nothing that is called quietly may call an op.
    """

    def __init__(self, grad: bool, inference: bool, recorder: Recorder | None, quietly: Callable[..., Any]):
        self.grad = grad
        self.inference = inference
        self.recorder = recorder
        self.quietly = quietly

    def replace(self, **changes: Any) -> "Mode":
        """This mode with some settings changed."""
        now = {"grad": self.grad, "inference": self.inference, "recorder": self.recorder, "quietly": self.quietly}
        return Mode(**(now | changes))

    @functools.cached_property
    def with_grad(self) -> "Mode":
        """This mode, recording the graph."""
        return self if self.grad else self.replace(grad=True)

    @functools.cached_property
    def without_grad(self) -> "Mode":
        """This mode, recording no graph."""
        return self.replace(grad=False) if self.grad else self


class _Thread(threading.local):
    """``thread.mode`` is the mode of the thread that asks."""

    mode: Mode

    def __init__(self):
        context = contextvars.Context()
        context.run(np.seterr, all="ignore")
        self.mode = Mode(grad=True, inference=False, recorder=None, quietly=context.run)


thread = _Thread()


class _ModeSwitch:
    """A context manager and function decorator that changes the thread's mode while it lasts."""

    def __init__(self, **changes: Any):
        self._changes = changes
        self._before: list[Mode] = []  # a stack, so that one switch may be entered twice

    def __enter__(self):
        self._before.append(thread.mode)
        thread.mode = thread.mode.replace(**self._changes)
        return self

    def __exit__(self, *exception: object) -> None:
        thread.mode = self._before.pop()

    def __call__(self, function):
        @functools.wraps(function)
        def switched(*args, **kwargs):
            with _ModeSwitch(**self._changes):
                return function(*args, **kwargs)

        return switched


class no_grad(_ModeSwitch):
    """Record no graph: results of ops inside do not require a gradient.  ``with no_grad():`` or ``@no_grad()``."""

    def __new__(cls, function: Any = None) -> Any:
        return super().__new__(cls) if function is None else cls()(function)  # also @no_grad, without parentheses

    def __init__(self):
        super().__init__(grad=False)


class enable_grad(_ModeSwitch):
    """Record the graph again, inside `no_grad`."""

    def __new__(cls, function: Any = None) -> Any:
        return super().__new__(cls) if function is None else cls()(function)

    def __init__(self):
        super().__init__(grad=True)


class inference_mode(_ModeSwitch):
    """As `no_grad`, and the tensors made inside can never take part in a graph."""

    def __new__(cls, mode: Any = True) -> Any:
        return cls()(mode) if callable(mode) else super().__new__(cls)

    def __init__(self, mode: bool = True):
        super().__init__(grad=not mode, inference=bool(mode))


class set_grad_enabled(_ModeSwitch):
    """Record the graph or not, by ``mode``; as a plain call it takes effect at once."""

    def __init__(self, mode: bool):
        super().__init__(grad=bool(mode))
        self._outside = thread.mode
        thread.mode = thread.mode.replace(grad=bool(mode))

    def __enter__(self):
        super().__enter__()
        self._before[-1] = self._outside  # leave to what was before the call, not after it
        return self

    def __call__(self, function):
        thread.mode = self._outside  # as a decorator it acts inside the function alone
        return super().__call__(function)


class recording(_ModeSwitch):
    """Let ``recorder`` hear every op call of this thread, gradients included."""

    def __init__(self, recorder: Recorder | None):
        super().__init__(recorder=recorder)


def tell_read(how: str) -> None:
    """Tell the recorder, if there is one, that values leave the tensors or come in: ``how``."""
    recorder = thread.mode.recorder
    if recorder is not None:
        recorder.read(how)


def is_grad_enabled() -> bool:
    """Whether ops of this thread record the graph."""
    return thread.mode.grad


def is_inference_mode_enabled() -> bool:
    """Whether this thread is inside `inference_mode`."""
    return thread.mode.inference
