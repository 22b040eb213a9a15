"""Pooling layers.  All: (N, C, *) -> (N, C, *); without N too."""

from collections.abc import Callable
from typing import Any

from ..autograd import Tensor
from ..ops import adaptive_pooling, pooling
from ..ops.windows import per_axis
from .module import Module


class _ExtremePool(Module):
    """The largest, or smallest, element of each window; with ``return_indices`` also where in its plane it is."""

    _function: Callable[..., Any]

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return self._function(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, dilation={self.dilation}, "
            f"ceil_mode={self.ceil_mode}"
        )


class _MaxUnpool(Module):
    """Zeros with the elements of the input at the places from which max pooling took them."""

    _axes: int
    _function: Callable[..., Tensor]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0):
        super().__init__()
        self.kernel_size = per_axis("kernel_size", kernel_size, self._axes)
        self.stride = self.kernel_size if stride is None else per_axis("stride", stride, self._axes)
        self.padding = per_axis("padding", padding, self._axes)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return self._function(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool1d(Module):
    """The mean of each window over the last axis; ``count_include_pad`` counts the zeros of the padding."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ):
        super().__init__()
        self.kernel_size = per_axis("kernel_size", kernel_size, 1)
        self.stride = self.kernel_size if stride is None else per_axis("stride", stride, 1)
        self.padding = per_axis("padding", padding, 1)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return pooling.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPool(Module):
    """The mean of each window, or its sum over ``divisor_override``."""

    _function: Callable[..., Tensor]

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return self._function(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )  # fmt: skip

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _LPPool(Module):
    """(sum x^p)^(1/p) of each window, p = ``norm_type``."""

    _function: Callable[..., Tensor]

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False):
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class _AdaptiveAvgPool(Module):
    """The means of as many windows as ``output_size`` says, which divide the axes; None keeps an axis."""

    _function: Callable[..., Tensor]

    def __init__(self, output_size: Any):
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class _AdaptiveMaxPool(Module):
    """The largest elements of as many windows as ``output_size`` says, which divide the axes; None keeps an axis."""

    _function: Callable[..., Any]

    def __init__(self, output_size: Any, return_indices: bool = False):
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        return self._function(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"


class MaxPool1d(_ExtremePool):
    """The largest element of each window over the last axis."""

    _function = staticmethod(pooling.max_pool1d)


class MaxPool2d(_ExtremePool):
    """The largest element of each window over the last two axes."""

    _function = staticmethod(pooling.max_pool2d)


class MaxPool3d(_ExtremePool):
    """The largest element of each window over the last three axes."""

    _function = staticmethod(pooling.max_pool3d)


class MinPool1d(_ExtremePool):
    """The smallest element of each window over the last axis; PyTorch has no such layer."""

    _function = staticmethod(pooling.min_pool1d)


class MinPool2d(_ExtremePool):
    """The smallest element of each window over the last two axes; PyTorch has no such layer."""

    _function = staticmethod(pooling.min_pool2d)


class MinPool3d(_ExtremePool):
    """The smallest element of each window over the last three axes; PyTorch has no such layer."""

    _function = staticmethod(pooling.min_pool3d)


class MaxUnpool1d(_MaxUnpool):
    """The partial inverse of `MaxPool1d`: zeros where nothing was taken."""

    _axes = 1
    _function = staticmethod(pooling.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """The partial inverse of `MaxPool2d`: zeros where nothing was taken."""

    _axes = 2
    _function = staticmethod(pooling.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """The partial inverse of `MaxPool3d`: zeros where nothing was taken."""

    _axes = 3
    _function = staticmethod(pooling.max_unpool3d)


class AvgPool2d(_AvgPool):
    """The mean of each window over the last two axes."""

    _function = staticmethod(pooling.avg_pool2d)


class AvgPool3d(_AvgPool):
    """The mean of each window over the last three axes."""

    _function = staticmethod(pooling.avg_pool3d)


class LPPool1d(_LPPool):
    """(sum x^p)^(1/p) of each window over the last axis."""

    _function = staticmethod(pooling.lp_pool1d)


class LPPool2d(_LPPool):
    """(sum x^p)^(1/p) of each window over the last two axes."""

    _function = staticmethod(pooling.lp_pool2d)


class LPPool3d(_LPPool):
    """(sum x^p)^(1/p) of each window over the last three axes."""

    _function = staticmethod(pooling.lp_pool3d)


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """The means of windows that divide the last axis."""

    _function = staticmethod(adaptive_pooling.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """The means of windows that divide the last two axes."""

    _function = staticmethod(adaptive_pooling.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """The means of windows that divide the last three axes."""

    _function = staticmethod(adaptive_pooling.adaptive_avg_pool3d)


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """The largest elements of windows that divide the last axis."""

    _function = staticmethod(adaptive_pooling.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """The largest elements of windows that divide the last two axes."""

    _function = staticmethod(adaptive_pooling.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """The largest elements of windows that divide the last three axes."""

    _function = staticmethod(adaptive_pooling.adaptive_max_pool3d)
