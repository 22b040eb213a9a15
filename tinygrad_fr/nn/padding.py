"""Layers that put elements around the last axes.  All: (N, C, *) -> (N, C, *); without N too."""

from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.tensor import constant
from ..ops.creation import full
from ..ops.indexing import index_select
from ..ops.shape import cat
from ..ops.windows import per_axis
from .module import Module


def pad(input: Tensor, padding: tuple[int, ...], mode: str = "constant", value: float = 0.0) -> Tensor:
    """``input`` with elements before and after its axes; ``padding`` names the last axis first, as PyTorch's does."""
    for i in range(len(padding) // 2):
        before, after = padding[2 * i : 2 * i + 2]
        dim = input.ndim - 1 - i
        if before or after:
            around = _constants if mode == "constant" else _copies
            input = around(input, dim, before, after, value if mode == "constant" else mode)
    return input


def _constants(input, dim, before, after, value):
    shape = input._array.shape
    if shape[dim] + before + after < 0:
        raise RuntimeError(f"padding ({before}, {after}) leaves nothing of dimension {dim} of input {list(shape)}")
    kept = input.narrow(dim, max(0, -before), shape[dim] + min(0, before) + min(0, after))
    parts = [
        full((*shape[:dim], size, *shape[dim + 1 :]), value, dtype=input.dtype)
        for size in (max(0, before), max(0, after))
    ]
    return cat([parts[0], kept, parts[1]], dim)


def _copies(input, dim, before, after, mode):
    size = input._array.shape[dim]
    if mode == "reflect" and max(before, after) >= size:
        raise RuntimeError(
            "Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
            f"({before}, {after}) at dimension {dim} of input {list(input.shape)}"
        )
    if mode == "circular" and max(before, after) > size:
        raise RuntimeError("Padding value causes wrapping around more than once.")
    places = np.arange(-before, size + after)
    if mode == "reflect":
        places = size - 1 - np.abs(size - 1 - np.abs(places))
    elif mode == "replicate":
        places = np.clip(places, 0, size - 1)
    return index_select(input, dim, constant(places % size))


class _Pad(Module):
    """What the layers share: ``padding`` is one number for all sides, or (left, right, top, bottom, front, back)."""

    _axes: int
    _mode: str

    def __init__(self, padding: Any):
        super().__init__()
        self.padding = per_axis("padding", padding, 2 * self._axes)

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (self._axes + 1, self._axes + 2):
            raise RuntimeError(
                f"{self._get_name()}: Expected {self._axes + 1}D or {self._axes + 2}D (batch mode) input, got "
                f"{list(input.shape)}"
            )
        return pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ConstantPad(_Pad):
    """Put ``value`` around the last axes."""

    def __init__(self, padding: Any, value: float):
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    """Put zeros around the last axes."""

    def __init__(self, padding: Any):
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class _ReflectionPad(_Pad):
    """Go on beyond the ends as in a mirror that stands on the last element."""

    _mode = "reflect"


class _ReplicationPad(_Pad):
    """Go on beyond the ends with the last element."""

    _mode = "replicate"


class _CircularPad(_Pad):
    """Go on beyond the ends with the elements from the other end."""

    _mode = "circular"


class ConstantPad1d(_ConstantPad):
    """Put ``value`` around the last axis."""

    _axes = 1


class ConstantPad2d(_ConstantPad):
    """Put ``value`` around the last two axes."""

    _axes = 2


class ConstantPad3d(_ConstantPad):
    """Put ``value`` around the last three axes."""

    _axes = 3


class ZeroPad1d(_ZeroPad):
    """Put zeros around the last axis."""

    _axes = 1


class ZeroPad2d(_ZeroPad):
    """Put zeros around the last two axes."""

    _axes = 2


class ZeroPad3d(_ZeroPad):
    """Put zeros around the last three axes."""

    _axes = 3


class ReflectionPad1d(_ReflectionPad):
    """Go on beyond the ends of the last axis as in a mirror that stands on the last element."""

    _axes = 1


class ReflectionPad2d(_ReflectionPad):
    """Go on beyond the ends of the last two axes as in a mirror that stands on the last element."""

    _axes = 2


class ReflectionPad3d(_ReflectionPad):
    """Go on beyond the ends of the last three axes as in a mirror that stands on the last element."""

    _axes = 3


class ReplicationPad1d(_ReplicationPad):
    """Go on beyond the ends of the last axis with the last element."""

    _axes = 1


class ReplicationPad2d(_ReplicationPad):
    """Go on beyond the ends of the last two axes with the last element."""

    _axes = 2


class ReplicationPad3d(_ReplicationPad):
    """Go on beyond the ends of the last three axes with the last element."""

    _axes = 3


class CircularPad1d(_CircularPad):
    """Go on beyond the ends of the last axis with the elements from the other end."""

    _axes = 1


class CircularPad2d(_CircularPad):
    """Go on beyond the ends of the last two axes with the elements from the other end."""

    _axes = 2


class CircularPad3d(_CircularPad):
    """Go on beyond the ends of the last three axes with the elements from the other end."""

    _axes = 3
