"""Pooling layers.  All: (N, C, *) -> (N, C, *); without N too."""

from collections.abc import Callable
from typing import Any

from ..autograd import Tensor
from ..ops import adaptive_pooling, pooling
from ..ops.windows import per_axis
from .options import WithOptions


class _Pool(WithOptions):
    """What the layers share: windows move by their own size where no stride is given."""

    _axes: int  # where options are kept as one number for each axis
    _function: Callable[..., Any]
    _shown = ("kernel_size", "stride", "padding")

    ceil_mode: bool
    return_indices: bool

    def __init__(self, **options: Any):
        if options.get("stride", ()) is None:
            options["stride"] = options["kernel_size"]
        super().__init__(**options)

    def _for_axes(self, *names: str) -> None:
        for name in names:
            setattr(self, name, per_axis(name, getattr(self, name), self._axes))


class _ExtremePool(_Pool):
    """The largest, or smallest, element of each window; with ``return_indices`` also where in its plane it is."""

    _shown = ("kernel_size", "stride", "padding", "dilation", "ceil_mode")

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ):
        super().__init__(
            kernel_size=kernel_size, stride=stride, padding=padding, dilation=dilation, return_indices=return_indices,
            ceil_mode=ceil_mode,
        )  # fmt: skip

    def forward(self, input: Tensor) -> Any:
        return self._function(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode, self.return_indices
        )


class _MaxUnpool(_Pool):
    """Zeros with the elements of the input at the places from which max pooling took them."""

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0):
        super().__init__(kernel_size=kernel_size, stride=stride, padding=padding)
        self._for_axes("kernel_size", "stride", "padding")

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return self._function(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class AvgPool1d(_Pool):
    """The mean of each window over the last axis; ``count_include_pad`` counts the zeros of the padding."""

    _axes = 1

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ):
        super().__init__(kernel_size=kernel_size, stride=stride, padding=padding, ceil_mode=ceil_mode)
        self._for_axes("kernel_size", "stride", "padding")
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return pooling.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad
        )


class _AvgPool(_Pool):
    """The mean of each window, or its sum over ``divisor_override``."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ):
        super().__init__(kernel_size=kernel_size, stride=stride, padding=padding, ceil_mode=ceil_mode)
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return self._function(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            self.divisor_override,
        )  # fmt: skip


class _LPPool(_Pool):
    """(sum x^p)^(1/p) of each window, p = ``norm_type``."""

    _shown = ("norm_type", "kernel_size", "stride", "ceil_mode")

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False):
        super().__init__(kernel_size=kernel_size, ceil_mode=ceil_mode)
        self.norm_type = norm_type
        self.stride = stride  # shown as it is given

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class _AdaptiveAvgPool(_Pool):
    """The means of as many windows as ``output_size`` says, which divide the axes; None keeps an axis."""

    _shown = ("output_size",)

    def __init__(self, output_size: Any):
        super().__init__(output_size=output_size)

    def forward(self, input: Tensor) -> Tensor:
        return self._function(input, self.output_size)


class _AdaptiveMaxPool(_Pool):
    """The largest elements of as many windows as ``output_size`` says, which divide the axes; None keeps an axis."""

    _shown = ("output_size",)

    def __init__(self, output_size: Any, return_indices: bool = False):
        super().__init__(output_size=output_size, return_indices=return_indices)

    def forward(self, input: Tensor) -> Any:
        return self._function(input, self.output_size, self.return_indices)


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
