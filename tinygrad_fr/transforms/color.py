"""Transforms that change values: colours, grey, blur, erased parts."""

import math
from collections.abc import Sequence
from typing import Any

from ..ops.random import randn, randperm
from ._base import Transform, happens, uniform, whole
from .functional import color as F
from .functional import convert, get_dimensions
from .functional._images import checked_tensor

Limits = tuple[float, float] | None


class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue changed by chance, in an order drawn anew each time.

    Each factor is drawn between max(0, 1 - value) and 1 + value, the hue's between -value and value; or (least, most).
    """

    def __init__(self, brightness: Any = 0, contrast: Any = 0, saturation: Any = 0, hue: Any = 0):
        self.brightness = _limits("brightness", brightness)
        self.contrast = _limits("contrast", contrast)
        self.saturation = _limits("saturation", saturation)
        self.hue = _limits("hue", hue, center=0.0, least=-0.5, most=0.5)

    @staticmethod
    def get_params(
        brightness: Limits, contrast: Limits, saturation: Limits, hue: Limits
    ) -> tuple[Any, float | None, float | None, float | None, float | None]:
        """(order of the four, their factors), drawn at random; None for what does not change."""
        order = randperm(4)
        drawn = [None if each is None else uniform(*each) for each in (brightness, contrast, saturation, hue)]
        return (order, *drawn)  # type: ignore[return-value]

    def forward(self, img: Any) -> Any:
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        functions = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for i in order.tolist():
            if factors[i] is not None:
                img = functions[i](img, factors[i])
        return img

    def __repr__(self) -> str:
        names = ("brightness", "contrast", "saturation", "hue")
        return f"ColorJitter({', '.join(f'{name}={getattr(self, name)}' for name in names)})"


class Grayscale(Transform):
    """An image in grey, of 1 or 3 equal channels."""

    def __init__(self, num_output_channels: int = 1):
        self.num_output_channels = num_output_channels

    def forward(self, img: Any) -> Any:
        return F.rgb_to_grayscale(img, self.num_output_channels)

    def __repr__(self) -> str:
        return f"Grayscale(num_output_channels={self.num_output_channels})"


class RandomGrayscale(Transform):
    """An image in grey, of as many channels as before, with probability ``p``."""

    def __init__(self, p: float = 0.1):
        self.p = p

    def forward(self, img: Any) -> Any:
        channels = get_dimensions(img)[0]
        return F.rgb_to_grayscale(img, channels) if happens(self.p) else img

    def __repr__(self) -> str:
        return f"RandomGrayscale(p={self.p})"


class RandomInvert(Transform):
    """Light and dark exchanged with probability ``p``."""

    def __init__(self, p: float = 0.5):
        self.p = p

    def forward(self, img: Any) -> Any:
        return F.invert(img) if happens(self.p) else img

    def __repr__(self) -> str:
        return f"RandomInvert(p={self.p})"


class GaussianBlur(Transform):
    """A blur whose width is ``sigma``, or is drawn between (least, most); see `functional.gaussian_blur`."""

    def __init__(self, kernel_size: Any, sigma: Any = (0.1, 2.0)):
        sizes = [kernel_size] if isinstance(kernel_size, (int, float)) else list(kernel_size)
        if len(sizes) not in (1, 2):
            raise ValueError("Kernel size should be a tuple/list of two integers")
        if any(size <= 0 or size % 2 == 0 for size in sizes):
            raise ValueError("Kernel size value should be an odd and positive number.")
        self.kernel_size = (sizes[0], sizes[-1])
        if isinstance(sigma, (int, float)):
            sigma = (sigma, sigma)
        if not isinstance(sigma, Sequence) or len(sigma) not in (1, 2):
            raise TypeError("sigma should be a single number or a list/tuple with length 2.")
        if not 0.0 < sigma[0] <= sigma[-1]:
            raise ValueError(f"sigma values should be positive and of the form (min, max). Got {tuple(sigma)}")
        self.sigma = (float(sigma[0]), float(sigma[-1]))

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """A width drawn at random."""
        return uniform(sigma_min, sigma_max)

    def forward(self, img: Any) -> Any:
        return F.gaussian_blur(img, self.kernel_size, self.get_params(*self.sigma))

    def __repr__(self) -> str:
        return f"GaussianBlur(kernel_size={self.kernel_size}, sigma={self.sigma})"


class RandomErasing(Transform):
    """A rectangle of a Tensor image (..., C, H, W) erased with probability ``p``.

    ``scale`` are limits of its share of the area, ``ratio`` of height / width; ``value`` is what it holds then: one
    number, one a channel, or 'random' for normal draws. ``inplace`` writes into the image.
    Source: Zhong et al., 2020.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: Any = 0,
        inplace: bool = False,
    ):
        if not isinstance(value, (int, float, str, tuple, list)):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        if scale[0] > scale[1] or ratio[0] > ratio[1]:
            raise ValueError(f"Scale and ratio should be of kind (min, max), got {scale} and {ratio}")
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        if p < 0 or p > 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    @staticmethod
    def get_params(
        img: Any, scale: Sequence[float], ratio: Sequence[float], value: list[float] | None = None
    ) -> tuple[int, int, int, int, Any]:
        """(top, left, height, width, values) of a rectangle drawn at random; ``value`` None stands for normal draws.

        The whole image as it is, where ten draws did not fit.
        """
        channels, rows, columns = get_dimensions(img)
        for _ in range(10):
            area = rows * columns * uniform(*scale)
            shape = math.exp(uniform(math.log(ratio[0]), math.log(ratio[1])))
            height, width = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
            if height < rows and width < columns:
                values = randn(channels, height, width) if value is None else img.new_tensor(value).view(-1, 1, 1)
                return whole(0, rows - height), whole(0, columns - width), height, width, values
        return 0, 0, rows, columns, img

    def forward(self, img: Any) -> Any:
        if not happens(self.p):
            return img
        value: list[Any] = [self.value] if isinstance(self.value, (int, float)) else list(self.value)
        channels = get_dimensions(checked_tensor(img))[0]
        if self.value != "random" and len(value) not in (1, channels):
            raise ValueError(
                f"If value is a sequence, it should have either a single value or {channels} (number of input channels)"
            )
        drawn = self.get_params(img, self.scale, self.ratio, None if self.value == "random" else value)
        return F.erase(img, *drawn, inplace=self.inplace)

    def __repr__(self) -> str:
        names = ("p", "scale", "ratio", "value", "inplace")
        return f"RandomErasing({', '.join(f'{name}={getattr(self, name)}' for name in names)})"


class ToPILImage(Transform):
    """A Tensor (C, H, W) or an array (H, W, C) as a PIL image; see `functional.to_pil_image`."""

    def __init__(self, mode: str | None = None):
        self.mode = mode

    def forward(self, img: Any) -> Any:
        return convert.to_pil_image(img, self.mode)

    def __repr__(self) -> str:
        return "ToPILImage()" if self.mode is None else f"ToPILImage(mode={self.mode})"


class PILToTensor(Transform):
    """A PIL image as a Tensor of its own dtype; see `functional.pil_to_tensor`."""

    def forward(self, img: Any) -> Any:
        return convert.pil_to_tensor(img)


class ConvertImageDtype(Transform):
    """A Tensor image in another dtype, its range with it; see `functional.convert_image_dtype`."""

    def __init__(self, dtype: Any):
        self.dtype = dtype

    def forward(self, img: Any) -> Any:
        return convert.convert_image_dtype(img, self.dtype)


def _limits(name: str, given: Any, center: float = 1.0, least: float = 0.0, most: float = math.inf) -> Limits:
    """Where a factor is drawn; None where it is ``center`` always."""
    if isinstance(given, (int, float)):
        if given < 0:
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        low, high = center - float(given), center + float(given)
        low = max(low, 0.0) if center else low
    elif isinstance(given, (tuple, list)) and len(given) == 2:
        low, high = float(given[0]), float(given[1])
    else:
        raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
    if not least <= low <= high <= most:
        raise ValueError(f"{name} values should be between ({least}, {most}), but got {[low, high]}.")
    return None if low == high == center else (low, high)
