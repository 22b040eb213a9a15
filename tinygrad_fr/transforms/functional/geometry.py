"""Images cut, mirrored, resized and turned: by Pillow, and for Tensors by SciPy and Pillow channel by channel."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...autograd.tensor import wrap
from ._images import (
    InterpolationMode,
    checked_image,
    checked_interpolation,
    get_dimensions,
    library,
    of_each_channel,
    pil,
    pil_number,
    pixels_of,
)

# ---------------------------------------------------------------------------------------------------------------
# Mirrored and cut.


def hflip(img: Any) -> Any:
    """Left and right exchanged."""
    if checked_image(img):
        return pil("ImageOps").mirror(img)
    return img.flip(-1)


def vflip(img: Any) -> Any:
    """Top and bottom exchanged."""
    if checked_image(img):
        return pil("ImageOps").flip(img)
    return img.flip(-2)


def crop(img: Any, top: int, left: int, height: int, width: int) -> Any:
    """The part of an image from a corner on; what lies outside the image is 0."""
    if checked_image(img):
        return img.crop((left, top, left + width, top + height))
    _, rows, columns = get_dimensions(img)
    bottom, right = top + height, left + width
    inside = img[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    missing = [
        min(max(-left, 0), width),
        min(max(-top, 0), height),
        min(max(right - columns, 0), width),
        min(max(bottom - rows, 0), height),
    ]
    return pad(inside, missing) if any(missing) else inside


def center_crop(img: Any, output_size: Any) -> Any:
    """The middle of an image, of size (height, width), or one number for both; around a smaller image there is 0."""
    height, width = _pair(output_size)
    _, rows, columns = get_dimensions(img)
    if width > columns or height > rows:
        left, top = max(width - columns, 0) // 2, max(height - rows, 0) // 2
        right, bottom = (max(width - columns, 0) + 1) // 2, (max(height - rows, 0) + 1) // 2
        img = pad(img, [left, top, right, bottom])
        _, rows, columns = get_dimensions(img)
    return crop(img, round((rows - height) / 2.0), round((columns - width) / 2.0), height, width)


_PADDING_MODES = ("constant", "edge", "reflect", "symmetric")  # NumPy's names, too


def pad(img: Any, padding: Any, fill: Any = 0, padding_mode: str = "constant") -> Any:
    """More around an image: ``padding`` on all sides, [left and right, top and bottom], or [left, top, right, bottom].

    ``padding_mode``: 'constant' (``fill``, one number or one a channel), 'edge', 'reflect' or 'symmetric'; negative
    padding cuts.
    """
    sides = checked_padding(padding, padding_mode)
    if not checked_image(img):
        return wrap(_padded(pixels_of(img, "pad"), sides, fill, padding_mode))
    pixels = np.asarray(img)
    channels_first = pixels if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    padded = _padded(channels_first, sides, fill, padding_mode)
    return _as_pil(padded if padded.ndim == 2 else padded.transpose(1, 2, 0), img)


def _padded(pixels: np.ndarray, sides: Sequence[int], fill: Any, mode: Any) -> np.ndarray:
    """(..., H, W) -> (..., top + H + bottom, left + W + right)."""
    left, top, right, bottom = sides
    rows, columns = pixels.shape[-2:]
    inside = pixels[..., max(-top, 0) : rows - max(-bottom, 0), max(-left, 0) : columns - max(-right, 0)]
    around = [(0, 0)] * (pixels.ndim - 2) + [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))]
    if mode != "constant":
        return np.pad(inside, around, mode=mode)
    is_inside = np.pad(np.ones(inside.shape[-2:], bool), around[-2:])
    fills = np.array(_fills(fill, pixels.shape[-3] if pixels.ndim > 2 else 1), pixels.dtype)
    return np.where(is_inside, np.pad(inside, around), fills.reshape(-1, 1, 1) if pixels.ndim > 2 else fills)


def checked_padding(padding: Any, padding_mode: str) -> tuple[int, int, int, int]:
    """(left, top, right, bottom).  TypeError, ValueError: no padding, another mode."""
    if padding_mode not in _PADDING_MODES:
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
    if isinstance(padding, (int, float)):
        padding = [padding]
    if not isinstance(padding, (tuple, list)):
        raise TypeError("Got inappropriate padding arg")
    if len(padding) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple")
    return tuple(int(each) for each in (*padding, *padding, *padding, *padding)[:4])  # type: ignore[return-value]


# ---------------------------------------------------------------------------------------------------------------
# Resized.


def resize(
    img: Any,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Any:
    """An image of another size: (height, width), or the length of the shorter side, by one number.

    ``max_size``: the length that the longer side is held to, for one number. Where it becomes smaller, each pixel is a
    mean of those that it covers; ``antialias=False``, for Tensors, is not supported.
    """
    interpolation = checked_interpolation(interpolation)
    height, width = _new_size(img, size, max_size)
    if [height, width] == get_dimensions(img)[1:]:
        return img
    number = pil_number(interpolation)
    if checked_image(img):
        return img.resize((width, height), number)
    if not antialias and interpolation in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC):
        raise NotImplementedError("antialias=False is not supported")
    image = pil("Image")

    def resized(channel: np.ndarray) -> np.ndarray:
        return np.asarray(image.fromarray(channel.astype(np.float32)).resize((width, height), number))

    return of_each_channel(img, "resize", resized)


def _new_size(img: Any, size: Any, max_size: int | None) -> tuple[int, int]:
    """(height, width)."""
    if isinstance(size, (list, tuple)) and len(size) not in (1, 2):
        raise ValueError("Size must be an int or a 1 or 2 element tuple/list")
    lengths = [size] if isinstance(size, int) else list(size)
    if len(lengths) == 2:
        if max_size is not None:
            raise ValueError(
                "max_size should only be passed if size specifies the length of the smaller edge, i.e. size should be "
                "an int or a sequence of length 1"
            )
        return lengths[0], lengths[1]
    (shorter,) = lengths
    _, height, width = get_dimensions(img)
    longer = int(shorter * max(height, width) / min(height, width))
    if max_size is not None:
        if max_size <= shorter:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested size for the smaller edge size = "
                f"{size}"
            )
        if longer > max_size:
            shorter, longer = int(max_size * shorter / longer), max_size
    return (longer, shorter) if width <= height else (shorter, longer)


def resized_crop(
    img: Any,
    top: int,
    left: int,
    height: int,
    width: int,
    size: Any,
    interpolation: Any = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> Any:
    """`crop`, then `resize`."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


# ---------------------------------------------------------------------------------------------------------------
# Turned, moved, scaled and sheared.

_TURNING = (InterpolationMode.NEAREST, InterpolationMode.BILINEAR, InterpolationMode.BICUBIC)


def rotate(
    img: Any,
    angle: float,
    interpolation: Any = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Any = None,
    fill: Any = None,
) -> Any:
    """An image turned by ``angle`` degrees, counter-clockwise, around its middle or ``center`` (x, y).

    ``expand``: so large that all of it is there, which takes its middle for the center. ``fill``, one number or one a
    channel, is what comes in from outside, else 0.
    """
    interpolation = _checked_turning(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if center is not None and len(center) != 2:
        raise ValueError("Argument center should be a sequence of length 2")
    if checked_image(img):
        return img.rotate(angle, pil_number(interpolation), expand, center, fillcolor=_fill_of_pil(img, fill))
    _, height, width = get_dimensions(img)
    middle = (width / 2, height / 2)
    inverse = _inverse_affine(middle if center is None or expand else center, -float(angle), (0, 0), 1.0, (0, 0))
    if not expand:
        return _transformed(img, "rotate", inverse, (height, width), interpolation, fill)
    size = _size_around(inverse, height, width)
    inverse[:, 2] = middle - inverse[:, :2] @ [size[1] / 2, size[0] / 2]  # the middle comes from the middle
    return _transformed(img, "rotate", inverse, size, interpolation, fill)


def affine(
    img: Any,
    angle: float,
    translate: Sequence[int],
    scale: float,
    shear: Any,
    interpolation: Any = InterpolationMode.NEAREST,
    fill: Any = None,
    center: Any = None,
) -> Any:
    """An image turned by ``angle`` degrees, clockwise, then moved by ``translate`` (x, y), scaled and sheared.

    ``shear``: degrees along x, or (x, y); around the middle of the image or ``center`` (x, y). ``fill``, one number or
    one a channel, is what comes in from outside, else 0.
    """
    interpolation = _checked_turning(interpolation)
    if not isinstance(angle, (int, float)):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError("Argument scale should be positive")
    if center is not None and len(center) != 2:
        raise ValueError("Argument center should be a sequence of length 2")
    shears = _shears(shear)
    _, height, width = get_dimensions(img)
    middle = (width / 2, height / 2) if center is None else center
    inverse = _inverse_affine(middle, float(angle), translate, scale, shears)
    if not checked_image(img):
        return _transformed(img, "affine", inverse, (height, width), interpolation, fill)
    transform = pil("Image").Transform.AFFINE
    number = pil_number(interpolation)
    return img.transform((width, height), transform, inverse.ravel(), number, fillcolor=_fill_of_pil(img, fill))


def _checked_turning(interpolation: Any) -> InterpolationMode:
    interpolation = checked_interpolation(interpolation)
    if interpolation not in _TURNING:
        raise ValueError(f"interpolation {interpolation.value} is not one of {[each.value for each in _TURNING]}")
    return interpolation


def _shears(shear: Any) -> tuple[float, float]:
    if isinstance(shear, (int, float)):
        return (float(shear), 0.0)
    if not isinstance(shear, (list, tuple)):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    if len(shear) not in (1, 2):
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    return (float(shear[0]), float(shear[-1]))


def _inverse_affine(
    center: Sequence[float], angle: float, translate: Sequence[float], scale: float, shear: Sequence[float]
) -> np.ndarray:
    """The matrix from the places (x, y, 1) of the result to those of the image.  -> (2, 3).

    The inverse of: shear along x, shear along y, turn, scale, all around the center; then move.
    """
    turn, shear_x, shear_y = (math.radians(each) for each in (angle, *shear))
    turned = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    sheared_y, sheared_x = np.array([[1, 0], [-math.tan(shear_y), 1]]), np.array([[1, -math.tan(shear_x)], [0, 1]])
    backward = np.linalg.inv(scale * turned @ sheared_y @ sheared_x)
    moved = np.asarray(center, float) + np.asarray(translate, float)
    return np.column_stack([backward, np.asarray(center, float) - backward @ moved])


def _size_around(inverse: np.ndarray, height: int, width: int) -> tuple[int, int]:
    """The size (height, width) that all of the turned image needs."""
    corners = np.array([[-width, -height], [-width, height], [width, height], [width, -height]]) / 2
    turned = np.round(corners @ np.linalg.inv(inverse[:, :2]).T + np.array([width, height]) / 2, 6)
    lengths = np.ceil(turned.max(0)) - np.floor(turned.min(0))
    return int(lengths[1]), int(lengths[0])


def _transformed(
    img: Tensor, name: str, inverse: np.ndarray, size: tuple[int, int], interpolation: InterpolationMode, fill: Any
) -> Tensor:
    """A Tensor whose pixels are taken at other places: those of pixels lie in their middles."""
    ndimage = library("scipy.ndimage", "SciPy")
    order = {InterpolationMode.NEAREST: 0, InterpolationMode.BILINEAR: 1, InterpolationMode.BICUBIC: 3}[interpolation]
    matrix = inverse[::-1, 1::-1]  # rows and columns, where inverse has x and y
    offset = inverse[::-1, 2] + matrix @ [0.5, 0.5] - 0.5
    # a place that rounding has brought just beside a pixel is that pixel's
    matrix, offset = np.round(matrix, 12), np.round(offset, 9)
    fills = iter(_fills(fill, get_dimensions(img)[0]) * math.prod(img.shape[:-3]))

    def turned(channel: np.ndarray) -> np.ndarray:
        return ndimage.affine_transform(
            channel, matrix, offset, size, order=order, mode="grid-constant", cval=next(fills)
        )

    return of_each_channel(img, name, turned)


# ---------------------------------------------------------------------------------------------------------------
# Arguments.


def _pair(size: Any) -> tuple[int, int]:
    """(height, width), from one number or a sequence of one or two."""
    lengths = [size] if isinstance(size, (int, float)) else list(size)
    return int(lengths[0]), int(lengths[-1])


def _fills(fill: Any, channels: int) -> list[float]:
    """A number for each channel."""
    if fill is None or isinstance(fill, (int, float)):
        return [fill or 0] * channels
    if len(fill) not in (1, channels):
        raise ValueError(
            "The number of elements in 'fill' does not match the number of channels of the image "
            f"({len(fill)} != {channels})"
        )
    return list(fill) if len(fill) == channels else list(fill) * channels


def _fill_of_pil(img: Any, fill: Any) -> Any:
    """A number or a tuple, as the mode of the image has it."""
    kind = float if img.mode == "F" else int
    fills = [kind(each) for each in _fills(fill, len(img.getbands()))]
    return tuple(fills) if len(fills) > 1 else fills[0]


def _as_pil(pixels: np.ndarray, like: Any) -> Any:
    """Pixels as an image of the mode, and the palette, of another."""
    image = pil("Image").fromarray(np.ascontiguousarray(pixels))
    if like.mode == "P":
        image.putpalette(like.getpalette())
    return image if image.mode in (like.mode, "P") else image.convert(like.mode)
