"""How a tensor prints: as in PyTorch, so that course material and doctests keep their text."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtypes

if TYPE_CHECKING:
    from .tensor import Tensor

PREFIX = "tensor("

Writer = Callable[[Any], str]


@dataclass(frozen=True)
class PrintOptions:
    """What `set_printoptions` sets: digits after the decimal point, when and how to shorten, powers of ten or not."""

    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None  # None: where the elements ask for it


PROFILES = {
    "default": PrintOptions(),
    "short": PrintOptions(precision=2, edgeitems=2),
    "full": PrintOptions(threshold=math.inf),
}
_options = PROFILES["default"]


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None):
    """How tensors print from now on: the named ``profile`` or what was set before, changed where not None.

    ``sci_mode`` is decided for each tensor again unless it is given.
    """
    global _options
    base = _options if profile is None else PROFILES[profile]
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems, "linewidth": linewidth}
    changed = {name: value for name, value in given.items() if value is not None}
    _options = replace(base, sci_mode=sci_mode, **changed)


def describe(tensor: "Tensor") -> str:
    """``tensor([1., 2.], requires_grad=True)``: values, then what differs from a plain float32 or int64 leaf."""
    text = PREFIX + _values(tensor._array)
    for note in _notes(tensor):
        last_line = len(text) - text.rfind("\n") + 1
        fits = last_line + len(note) + 2 <= _options.linewidth
        text += (", " if fits else ",\n" + " " * len(PREFIX)) + note
    return text + ")"


def _notes(tensor: "Tensor") -> list[str]:
    """What the values alone do not show."""
    notes, kind, empty = [], tensor.dtype, tensor._array.size == 0
    if empty and tensor._array.ndim != 1:
        notes.append(f"size={tuple(tensor._array.shape)}")
    obvious = (dtypes.get_default_dtype(),) if empty else (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_)
    if kind not in obvious:
        notes.append(f"dtype={kind}")
    if tensor._node is not None:
        notes.append(f"grad_fn={tensor._node!r}")
    elif tensor._requires_grad:
        notes.append("requires_grad=True")
    return notes


def _values(array: np.ndarray) -> str:
    if array.size == 0:
        return "[]"
    summarise = array.size > _options.threshold
    shown = _edges(array) if summarise else array
    write, width = _float_writer(shown) if array.dtype.kind == "f" else _plain_writer(shown)
    return _nested(array, lambda value: write(value).rjust(width), width, len(PREFIX), summarise)


def _edges(array: np.ndarray) -> np.ndarray:
    """The elements that are shown of an array too large to be shown in full."""
    for axis, size in enumerate(array.shape):
        if size > 2 * _options.edgeitems:
            array = np.take(array, [*range(_options.edgeitems), *range(-_options.edgeitems, 0)], axis)
    return array


def _plain_writer(array: np.ndarray) -> tuple[Writer, int]:
    return str, max(len(str(value)) for value in array.ravel())


def _float_writer(array: np.ndarray) -> tuple[Writer, int]:
    """One form for all elements: whole numbers '2.', else four decimals, or powers of ten for a wide range."""
    values = array.astype(np.float64)
    values = values[np.isfinite(values) & (values != 0)]
    if not values.size:
        return _write_whole, 1
    smallest, largest = np.abs(values).min(), np.abs(values).max()
    whole = bool(np.all(values == np.ceil(values)))
    write: Writer
    wide = largest / smallest > 1000 or largest > 1e8 or (not whole and smallest < 1e-4)
    if wide if _options.sci_mode is None else _options.sci_mode:
        write = lambda value: f"{value:.{_options.precision}e}"  # noqa: E731
    elif whole:
        write = _write_whole
    else:
        write = lambda value: f"{value:.{_options.precision}f}"  # noqa: E731
    return write, max(len(write(value)) for value in values)


def _write_whole(value: Any) -> str:
    return f"{value:.0f}." if np.isfinite(value) else str(value)


def _nested(array: np.ndarray, write: Writer, width: int, indent: int, summarise: bool) -> str:
    """The elements in brackets, one pair an axis, rows under each other; the depth is the number of axes."""
    if array.ndim == 0:
        return write(array[()])
    cut = summarise and len(array) > 2 * _options.edgeitems
    first, last = (array[: _options.edgeitems], array[-_options.edgeitems :]) if cut else (array, array[:0])
    if array.ndim == 1:
        items = [write(each) for each in first] + [" ..."] * cut + [write(each) for each in last]
        return "[" + _wrapped(items, width, indent) + "]"
    rows = [_nested(each, write, width, indent + 1, summarise) for each in first]
    rows += ["..."] * cut + [_nested(each, write, width, indent + 1, summarise) for each in last]
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(rows) + "]"


def _wrapped(items: list[str], width: int, indent: int) -> str:
    """As many items in a line as fit."""
    count = max(1, (_options.linewidth - indent) // (width + 2))
    lines = [", ".join(items[i : i + count]) for i in range(0, len(items), count)]
    return (",\n" + " " * (indent + 1)).join(lines)
