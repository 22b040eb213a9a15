"""Finding where NaN comes from: while anomalies are detected, each op call is remembered with its place in the program.

A recorder of the thread does it, so that nothing is paid for it elsewhere; compiled functions run eagerly meanwhile.
"""

import traceback
import warnings
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from .mode import BACKWARD, Mode, Recorder, tell_read, thread
from .node import Node
from .tensor import Tensor

UNKNOWN = "No forward pass information available. Enable detect anomaly during forward pass for more information."
_PACKAGE = str(Path(__file__).parents[1])
_places: "weakref.WeakKeyDictionary[Node, str]" = weakref.WeakKeyDictionary()  # where in the program a node was made


class _Detector(Recorder):
    """Remembers where nodes are made and, with ``check_nan``, refuses gradients that contain NaN.

    A recorder that was there ``before`` goes on hearing all.
    """

    def __init__(self, check_nan: bool, before: Recorder | None):
        self.check_nan = check_nan
        self.before = before
        self.listening = before or Recorder()

    def call(self, op: Any, form: str, inputs: Any, params: dict[str, Any], outputs: Any, kept: Any = ()) -> None:
        if form != BACKWARD:
            self.made(outputs if isinstance(outputs, (list, tuple)) else (outputs,))
        self.listening.call(op, form, inputs, params, outputs, kept)

    def made(self, outputs: Any) -> None:
        nodes = [each._node for each in outputs if isinstance(each, Tensor) and each._node is not None]
        place = _place() if nodes else ""
        for node in nodes:
            _places[node] = place
            for parent in node.parents:  # the op of one of several results
                if isinstance(parent, Node) and parent.op is node.op:
                    _places.setdefault(parent, place)

    def differentiated(self, node: Node, gradients: Any) -> None:
        for i, gradient in enumerate(gradients):
            if self.check_nan and gradient is not None and np.isnan(gradient._array).any():
                self.not_differentiated(node)
                raise RuntimeError(f"Function '{node.name()}' returned nan values in its {i}th output.")

    def not_differentiated(self, node: Node) -> None:
        known = f"Traceback of forward call that caused the error:\n{_places.get(node)}"
        where = known if node in _places else UNKNOWN
        warnings.warn(f"Error detected in {node.name()}. {where}", stacklevel=2)

    def constant(self, array: np.ndarray) -> None:
        self.listening.constant(array)

    def hooked(self) -> None:
        self.listening.hooked()

    def cleared(self, leaf: Any) -> None:
        self.listening.cleared(leaf)

    def read(self, how: str) -> None:
        self.listening.read(how)


def _place() -> str:
    """The stack of the program, without the library's own frames at its end."""
    stack = traceback.extract_stack()
    while len(stack) > 1 and stack[-1].filename.startswith(_PACKAGE):
        stack.pop()
    return "".join(stack.format())


def _switched(mode: Mode, on: bool, check_nan: bool) -> Mode:
    """``mode`` with anomalies detected, or not."""
    before = mode.recorder.before if isinstance(mode.recorder, _Detector) else mode.recorder
    return mode.replace(recorder=_Detector(check_nan, before) if on else before)


class set_detect_anomaly:
    """Detect anomalies in this thread, or not, by ``mode``: at once, and until the end where it is used by ``with``.

    See `detect_anomaly`.
    """

    def __init__(self, mode: bool, check_nan: bool = True):
        tell_read("the detection of anomalies")
        self._before = thread.mode.recorder
        thread.mode = _switched(thread.mode, mode, check_nan)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exception: object) -> None:
        thread.mode = thread.mode.replace(recorder=self._before)


class detect_anomaly:
    """Inside, a backward that gives NaN is an error, which names the op; a warning shows where forward called it.

    ``check_nan=False``: the place of the forward call alone, for errors that backward raises itself. It takes many
    times longer, and belongs to the thread.
    """

    def __init__(self, check_nan: bool = True):
        self._check_nan = check_nan
        self._inside: list[set_detect_anomaly] = []
        warnings.warn(
            "Anomaly Detection has been enabled. This mode will increase the runtime and should only be enabled for "
            "debugging.",
            stacklevel=2,
        )

    def __enter__(self) -> None:
        self._inside.append(set_detect_anomaly(True, self._check_nan))

    def __exit__(self, *exception: object) -> None:
        self._inside.pop().__exit__(*exception)


def is_anomaly_enabled() -> bool:
    """Whether anomalies are detected in this thread."""
    return isinstance(thread.mode.recorder, _Detector)


def is_anomaly_check_nan_enabled() -> bool:
    """Whether NaN in a gradient is an error in this thread."""
    recorder = thread.mode.recorder
    return isinstance(recorder, _Detector) and recorder.check_nan
