"""Layers that put elements around the last axes.  All: (N, C, *) -> (N, C, *); without N too."""

from typing import Any

from ..autograd import Tensor
from ..ops.padding import pad
from ..ops.windows import per_axis
from .module import Module


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
