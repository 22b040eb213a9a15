"""Transforms that move pixels: sizes, cuts, mirror images, turns."""

import math
from collections.abc import Sequence
from typing import Any

from ._base import Transform, happens, uniform, whole
from .functional import InterpolationMode, get_dimensions
from .functional import geometry as F
from .functional._images import checked_interpolation


class Resize(Transform):
    """An image of another size; see `functional.resize`."""

    def __init__(
        self,
        size: Any,
        interpolation: Any = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ):
        if not isinstance(size, (int, Sequence)):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size = size
        self.interpolation = checked_interpolation(interpolation)
        self.max_size = max_size
        self.antialias = antialias

    def forward(self, img: Any) -> Any:
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def __repr__(self) -> str:
        options = f"interpolation={self.interpolation.value}, max_size={self.max_size}, antialias={self.antialias}"
        return f"Resize(size={self.size}, {options})"


class CenterCrop(Transform):
    """The middle of an image; see `functional.center_crop`."""

    def __init__(self, size: Any):
        self.size = _size(size)

    def forward(self, img: Any) -> Any:
        return F.center_crop(img, self.size)

    def __repr__(self) -> str:
        return f"CenterCrop(size={self.size})"


class Pad(Transform):
    """More around an image; see `functional.pad`."""

    def __init__(self, padding: Any, fill: Any = 0, padding_mode: str = "constant"):
        F.checked_padding(padding, padding_mode)
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, img: Any) -> Any:
        return F.pad(img, self.padding, self.fill, self.padding_mode)

    def __repr__(self) -> str:
        return f"Pad(padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode})"


class RandomHorizontalFlip(Transform):
    """Left and right exchanged with probability ``p``."""

    def __init__(self, p: float = 0.5):
        self.p = p

    def forward(self, img: Any) -> Any:
        return F.hflip(img) if happens(self.p) else img

    def __repr__(self) -> str:
        return f"RandomHorizontalFlip(p={self.p})"


class RandomVerticalFlip(Transform):
    """Top and bottom exchanged with probability ``p``."""

    def __init__(self, p: float = 0.5):
        self.p = p

    def forward(self, img: Any) -> Any:
        return F.vflip(img) if happens(self.p) else img

    def __repr__(self) -> str:
        return f"RandomVerticalFlip(p={self.p})"


class RandomCrop(Transform):
    """A part of size (height, width) from anywhere in an image, after ``padding`` it as `Pad` does.

    ``pad_if_needed``: also as much as a smaller image needs.  ValueError: a smaller image.
    """

    def __init__(
        self,
        size: Any,
        padding: Any = None,
        pad_if_needed: bool = False,
        fill: Any = 0,
        padding_mode: str = "constant",
    ):
        self.size = _size(size)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img: Any, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """(top, left, height, width) of a part drawn at random."""
        _, rows, columns = get_dimensions(img)
        height, width = output_size
        if rows < height or columns < width:
            raise ValueError(f"Required crop size {(height, width)} is larger than input image size {(rows, columns)}")
        return whole(0, rows - height), whole(0, columns - width), height, width

    def forward(self, img: Any) -> Any:
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        if self.pad_if_needed:
            _, rows, columns = get_dimensions(img)
            missing = [max(self.size[1] - columns, 0), max(self.size[0] - rows, 0)]
            img = F.pad(img, missing, self.fill, self.padding_mode) if any(missing) else img
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self) -> str:
        return f"RandomCrop(size={self.size}, padding={self.padding})"


class RandomResizedCrop(Transform):
    """A part of an image, resized: ``scale`` are limits of its share of the area, ``ratio`` of width / height."""

    def __init__(
        self,
        size: Any,
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Any = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ):
        self.size = _size(size)
        self.scale = _range("Scale", scale)
        self.ratio = _range("Ratio", ratio)
        self.interpolation = checked_interpolation(interpolation)
        self.antialias = antialias

    @staticmethod
    def get_params(img: Any, scale: Sequence[float], ratio: Sequence[float]) -> tuple[int, int, int, int]:
        """(top, left, height, width) of a part drawn at random; the middle, where ten draws did not fit."""
        _, rows, columns = get_dimensions(img)
        for _ in range(10):
            area = rows * columns * uniform(*scale)
            shape = math.exp(uniform(math.log(ratio[0]), math.log(ratio[1])))
            width, height = round(math.sqrt(area * shape)), round(math.sqrt(area / shape))
            if 0 < width <= columns and 0 < height <= rows:
                return whole(0, rows - height), whole(0, columns - width), height, width
        height, width = rows, columns
        if columns / rows < min(ratio):
            height = round(columns / min(ratio))
        elif columns / rows > max(ratio):
            width = round(rows * max(ratio))
        return (rows - height) // 2, (columns - width) // 2, height, width

    def forward(self, img: Any) -> Any:
        part = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *part, self.size, self.interpolation, self.antialias)

    def __repr__(self) -> str:
        scale, ratio = (tuple(round(each, 4) for each in given) for given in (self.scale, self.ratio))
        return (
            f"RandomResizedCrop(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


class RandomRotation(Transform):
    """An image turned by up to ``degrees``, or between (least, most); see `functional.rotate`."""

    def __init__(
        self,
        degrees: Any,
        interpolation: Any = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Any = None,
        fill: Any = 0,
    ):
        self.degrees = _around_zero("degrees", degrees)
        self.interpolation = checked_interpolation(interpolation)
        self.expand = expand
        self.center = _checked_pair("center", center)
        self.fill = 0 if fill is None else fill

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """An angle drawn at random."""
        return uniform(*degrees)

    def forward(self, img: Any) -> Any:
        angle = self.get_params(self.degrees)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, self.fill)

    def __repr__(self) -> str:
        center = "" if self.center is None else f", center={self.center}"
        return (
            f"RandomRotation(degrees={self.degrees}, interpolation={self.interpolation.value}, expand={self.expand}"
            f"{center}, fill={self.fill})"
        )


class RandomAffine(Transform):
    """An image turned, moved, scaled and sheared; see `functional.affine`.

    ``degrees`` as in `RandomRotation`; ``translate``: up to these parts of the width and the height; ``scale``: (least,
    most); ``shear``: degrees as in RandomRotation along x, or (least, most) along x and, if four are given, along y.
    """

    def __init__(
        self,
        degrees: Any,
        translate: Any = None,
        scale: Any = None,
        shear: Any = None,
        interpolation: Any = InterpolationMode.NEAREST,
        fill: Any = 0,
        center: Any = None,
    ):
        self.degrees = _around_zero("degrees", degrees)
        self.translate = _checked_pair("translate", translate)
        if translate is not None and not all(0.0 <= each <= 1.0 for each in translate):
            raise ValueError("translation values should be between 0 and 1")
        self.scale = _checked_pair("scale", scale)
        if scale is not None and not all(each > 0 for each in scale):
            raise ValueError("scale values should be positive")
        self.shear = None if shear is None else _around_zero("shear", shear, lengths=(2, 4))
        self.interpolation = checked_interpolation(interpolation)
        self.fill = 0 if fill is None else fill
        self.center = _checked_pair("center", center)

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """(angle, (x, y), scale, (shear along x, along y)) drawn at random; ``img_size``: (width, height)."""
        angle = uniform(*degrees)
        moves = [0, 0]
        if translate is not None:
            most = [part * length for part, length in zip(translate, img_size, strict=True)]
            moves = [round(uniform(-each, each)) for each in most]
        scale = 1.0 if scale_ranges is None else uniform(*scale_ranges)
        along_x = 0.0 if shears is None else uniform(*shears[:2])
        along_y = uniform(*shears[2:]) if shears is not None and len(shears) == 4 else 0.0
        return angle, (moves[0], moves[1]), scale, (along_x, along_y)

    def forward(self, img: Any) -> Any:
        size = get_dimensions(img)[:0:-1]
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, size)
        return F.affine(img, *drawn, interpolation=self.interpolation, fill=self.fill, center=self.center)

    def __repr__(self) -> str:
        shown = [f"degrees={self.degrees}"]
        shown += [f"{name}={getattr(self, name)}" for name in ("translate", "scale", "shear") if getattr(self, name)]
        if self.interpolation is not InterpolationMode.NEAREST:
            shown.append(f"interpolation={self.interpolation.value}")
        shown += [f"{name}={getattr(self, name)}" for name in ("fill", "center") if getattr(self, name)]
        return f"RandomAffine({', '.join(shown)})"


# --- arguments ---------------------------------------------------------------------------------------------------


def _size(size: Any) -> tuple[int, int]:
    """(height, width), from one number or a sequence of one or two."""
    lengths = [size] if isinstance(size, (int, float)) else list(size)
    if len(lengths) not in (1, 2):
        raise ValueError("Please provide only two dimensions (h, w) for size.")
    return int(lengths[0]), int(lengths[-1])


def _range(name: str, limits: Any) -> Sequence[float]:
    """(least, most)."""
    if not isinstance(limits, Sequence):
        raise TypeError(f"{name} should be a sequence")
    if len(limits) != 2 or limits[0] > limits[1]:
        raise ValueError(f"{name} should be of kind (min, max), got {limits}")
    return limits


def _around_zero(name: str, given: Any, lengths: Sequence[int] = (2,)) -> list[float]:
    """(-given, given) of one number, or the limits that are given."""
    if isinstance(given, (int, float)):
        if given < 0:
            raise ValueError(f"If {name} is a single number, it must be positive.")
        return [-float(given), float(given)]
    if not isinstance(given, Sequence):
        raise TypeError(f"{name} should be a sequence of length {' or '.join(map(str, lengths))}.")
    if len(given) not in lengths:
        raise ValueError(f"{name} should be a sequence of length {' or '.join(map(str, lengths))}.")
    return [float(each) for each in given]


def _checked_pair(name: str, given: Any) -> Any:
    if given is None:
        return None
    if not isinstance(given, Sequence):
        raise TypeError(f"{name} should be a sequence of length 2.")
    if len(given) != 2:
        raise ValueError(f"{name} should be a sequence of length 2.")
    return given
