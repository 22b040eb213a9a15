"""Convolutions and their transposes, and the layers of windows as columns."""

import math
from collections.abc import Callable
from typing import Any

from ..autograd import Tensor
from ..ops import convolution, windows
from ..ops.creation import empty
from ..ops.padding import pad
from ..ops.windows import per_axis
from . import init
from .module import Module
from .options import WithOptions
from .parameter import Parameter

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What all convolutions share: the parameters, their starting values, what is printed."""

    _axes: int
    _function: Callable[..., Tensor]
    transposed: bool
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias,
        padding_mode, device, dtype,
    ):  # fmt: skip
        super().__init__()
        axes = self._axes
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(f"{name} must be divisible by groups, got {channels} and {groups}")
        if padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {set(_PADDING_MODES)}, but got padding_mode='{padding_mode}'"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = per_axis("kernel_size", kernel_size, axes)
        self.stride = per_axis("stride", stride, axes)
        self.padding: Any = padding if isinstance(padding, str) else per_axis("padding", padding, axes)
        self.dilation = per_axis("dilation", dilation, axes)
        self.output_padding = per_axis("output_padding", output_padding, axes)
        self.groups = groups
        self.padding_mode = padding_mode
        channels = (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        shape = (channels[0], channels[1] // groups, *self.kernel_size)
        self.weight = Parameter(empty(shape, device=device, dtype=dtype))
        self.register_parameter("bias", Parameter(empty(out_channels, dtype=dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new starting values: uniform in +-1 / sqrt(elements of a kernel)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        fan_in = math.prod(self.weight.shape[1:])
        if self.bias is not None and fan_in:
            bound = 1 / math.sqrt(fan_in)
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        none, ones = (0,) * self._axes, (1,) * self._axes
        parts = [
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}",
            f"padding={self.padding}" if self.padding != none else "",
            f"dilation={self.dilation}" if self.dilation != ones else "",
            f"output_padding={self.output_padding}" if self.output_padding != none else "",
            f"groups={self.groups}" if self.groups != 1 else "",
            "bias=False" if self.bias is None else "",
            f"padding_mode={self.padding_mode}" if self.padding_mode != "zeros" else "",
        ]
        return ", ".join(part for part in parts if part)


class _Conv(_ConvNd):
    """A convolution; ``padding`` may be 'same' or 'valid', ``padding_mode`` says what lies beyond the ends.

    ``weight`` is (out_channels, in_channels / groups, *kernel_size), ``bias`` (out_channels,).
    """

    transposed = False

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f"Invalid padding string {padding!r}, should be one of {{'valid', 'same'}}")
        if padding == "same" and any(each != 1 for each in per_axis("stride", stride, self._axes)):
            raise ValueError("padding='same' is not supported for strided convolutions")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, 0, groups, bias, padding_mode, device,
            dtype,
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = pad(input, self._around(), self.padding_mode), 0
        return self._function(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)

    def _around(self) -> tuple[int, ...]:
        """How many elements lie before and after each axis, the last axis first."""
        if isinstance(self.padding, str):
            spans = zip(self.dilation, self.kernel_size, strict=True)
            totals = [d * (k - 1) if self.padding == "same" else 0 for d, k in spans]
        else:
            totals = [2 * each for each in self.padding]
        return tuple(each for total in reversed(totals) for each in (total // 2, total - total // 2))


class Conv1d(_Conv):
    """The products of kernels with every part of the input, and a bias.  (N, C, L) -> (N, O, L_out); without N too."""

    _axes = 1
    _function = staticmethod(convolution.conv1d)


class Conv2d(_Conv):
    """The products of kernels with every part of the input, and a bias.  (N, C, H, W) -> (N, O, H_out, W_out)."""

    _axes = 2
    _function = staticmethod(convolution.conv2d)


class Conv3d(_Conv):
    """The products of kernels with every part of the input, and a bias.  (N, C, D, H, W) -> (N, O, D', H', W')."""

    _axes = 3
    _function = staticmethod(convolution.conv3d)


class _ConvTranspose(_ConvNd):
    """The adjoint of a convolution by its input: with stride s it makes axes about s times as long.

    ``weight`` is (in_channels, out_channels / groups, *kernel_size), ``bias`` (out_channels,). ``output_padding``
    elements more are at the end of each axis.
    """

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ):
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {self._get_name()}')
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, output_padding, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """``output_size``, the sizes of the last axes, decides where a stride leaves several sizes open."""
        output_padding = self.output_padding if output_size is None else self._for_size(input, output_size)
        return self._function(
            input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation
        )

    def _for_size(self, input: Tensor, output_size: Any) -> tuple[int, ...]:
        """The output padding that gives ``output_size``."""
        axes, wanted = self._axes, tuple(output_size)
        wanted = wanted[-axes:] if len(wanted) in (axes + 1, axes + 2) and len(wanted) == input.ndim else wanted
        if len(wanted) != axes:
            raise ValueError(
                f"{self._get_name()}: for {input.ndim}D input, output_size must have {axes} or {input.ndim} elements "
                f"(got {len(output_size)})"
            )
        each = zip(input.shape[-axes:], self.stride, self.padding, self.dilation, self.kernel_size, strict=True)
        least = tuple((count - 1) * s - 2 * p + d * (k - 1) + 1 for count, s, p, d, k in each)
        most = tuple(size + s - 1 for size, s in zip(least, self.stride, strict=True))
        if not all(low <= size <= high for low, size, high in zip(least, wanted, most, strict=True)):
            raise ValueError(
                f"requested an output size of {list(wanted)}, but valid sizes range from {list(least)} to {list(most)} "
                f"(for an input of {list(input.shape[-axes:])})"
            )
        return tuple(size - low for size, low in zip(wanted, least, strict=True))


class ConvTranspose1d(_ConvTranspose):
    """The adjoint of `Conv1d` by its input, and a bias.  (N, C, L) -> (N, O, L_out); without N too."""

    _axes = 1
    _function = staticmethod(convolution.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """The adjoint of `Conv2d` by its input, and a bias.  (N, C, H, W) -> (N, O, H_out, W_out); without N too."""

    _axes = 2
    _function = staticmethod(convolution.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """The adjoint of `Conv3d` by its input, and a bias.  (N, C, D, H, W) -> (N, O, D', H', W'); without N too."""

    _axes = 3
    _function = staticmethod(convolution.conv_transpose3d)


class Unfold(WithOptions):
    """What each window sees as a column.  (N, C, H, W) -> (N, C*K, L); without N too."""

    _shown = ("kernel_size", "dilation", "padding", "stride")

    def __init__(self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1):
        super().__init__(kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride)

    def forward(self, input: Tensor) -> Tensor:
        return windows.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(WithOptions):
    """Each column added where its window sees: the adjoint of `Unfold`.  (N, C*K, L) -> (N, C, H, W); without N too."""

    _shown = ("output_size", "kernel_size", "dilation", "padding", "stride")

    def __init__(self, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1):
        super().__init__(
            output_size=output_size, kernel_size=kernel_size, dilation=dilation, padding=padding, stride=stride
        )

    def forward(self, input: Tensor) -> Tensor:
        return windows.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)
