"""Colours and values: brighter, more contrast, other hues, grey, blurred, erased."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...autograd.tensor import wrap
from ._images import checked_image, checked_tensor, get_dimensions, library, of_each_channel, pil, pixels_of
from .convert import pil_to_tensor, to_pil_image

RED, GREEN, BLUE = 0.2989, 0.587, 0.114  # their weights in grey (ITU-R BT.601)


# ---------------------------------------------------------------------------------------------------------------
# Adjusted.


def adjust_brightness(img: Any, brightness_factor: float) -> Any:
    """Values times a factor: 0 is black, 1 the image."""
    _check_factor("brightness_factor", brightness_factor)
    if checked_image(img):
        return pil("ImageEnhance").Brightness(img).enhance(brightness_factor)
    return _blended(img, "adjust_brightness", np.zeros(()), brightness_factor)


def adjust_contrast(img: Any, contrast_factor: float) -> Any:
    """Distances from the mean grey times a factor: 0 is grey, 1 the image."""
    _check_factor("contrast_factor", contrast_factor)
    if checked_image(img):
        return pil("ImageEnhance").Contrast(img).enhance(contrast_factor)
    pixels = pixels_of(img, "adjust_contrast")
    grey = _grey(pixels) if _check_channels(img) == 3 else pixels.astype(np.float64)
    if pixels.dtype.kind != "f":
        grey = np.floor(grey)
    mean = grey.mean(axis=(-3, -2, -1) if grey.ndim > 2 else (-2, -1), keepdims=True)
    return _blended(img, "adjust_contrast", mean, contrast_factor)


def adjust_saturation(img: Any, saturation_factor: float) -> Any:
    """Distances from the grey image times a factor: 0 is grey, 1 the image."""
    _check_factor("saturation_factor", saturation_factor)
    if checked_image(img):
        return pil("ImageEnhance").Color(img).enhance(saturation_factor)
    if _check_channels(img) == 1:
        return img
    pixels = pixels_of(img, "adjust_saturation")
    grey = _grey(pixels)
    return _blended(img, "adjust_saturation", grey if pixels.dtype.kind == "f" else np.floor(grey), saturation_factor)


def adjust_hue(img: Any, hue_factor: float) -> Any:
    """Hues moved around the circle by a part of it, from -0.5 to 0.5."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    if checked_image(img):
        return _pil_with_hue(img, hue_factor)
    if _check_channels(img) == 1:
        return img
    pixels = pixels_of(img, "adjust_hue")
    bound = _bound(pixels.dtype)
    moved = _with_hue(np.moveaxis(pixels, -3, 0) / bound, hue_factor) * bound
    moved = np.moveaxis(moved, 0, -3)
    return wrap(np.ascontiguousarray(moved if pixels.dtype.kind == "f" else np.rint(moved), pixels.dtype))


def adjust_gamma(img: Any, gamma: float, gain: float = 1) -> Any:
    """gain * value^gamma, of values from 0 to 1: more than 1 makes shadows darker."""
    _check_factor("gamma", gamma)
    if checked_image(img):
        table = [int((255 + 1 - 1e-3) * gain * (value / 255.0) ** gamma) for value in range(256)]
        mode = img.mode
        image = img.convert("RGB")
        return image.point([min(each, 255) for each in table] * 3).convert(mode)
    pixels = pixels_of(img, "adjust_gamma")
    bound = _bound(pixels.dtype)
    values = np.clip(gain * (pixels / bound) ** gamma, 0, 1)
    if pixels.dtype.kind == "f":
        return wrap(values.astype(pixels.dtype))
    return wrap(np.minimum(values * (bound + 1 - 1e-3), bound).astype(pixels.dtype))


def invert(img: Any) -> Any:
    """Light and dark exchanged."""
    if checked_image(img):
        return pil("ImageOps").invert(img)
    return _bound(img._array.dtype) - img


def _pil_with_hue(img: Any, factor: float) -> Any:
    if img.mode in ("L", "1", "I", "F"):
        return img
    hue, saturation, value = img.convert("HSV").split()
    turned = np.asarray(hue).astype(np.int64) + int(factor * 255)  # around the circle: modulo 256
    hue = pil("Image").fromarray((turned % 256).astype(np.uint8))
    return pil("Image").merge("HSV", (hue, saturation, value)).convert(img.mode)


def _with_hue(rgb: np.ndarray, factor: float) -> np.ndarray:
    """Red, green and blue from 0 to 1 with the hue moved.  (3, ...) -> (3, ...).  Source: Smith, 1978."""
    red, green, blue = rgb
    value, chroma = rgb.max(0), np.ptp(rgb, axis=0)
    safe = np.where(chroma == 0, 1, chroma)
    of_red, of_green, of_blue = (green - blue) / safe, (blue - red) / safe + 2, (red - green) / safe + 4
    sextant = np.where(value == red, of_red, np.where(value == green, of_green, of_blue))
    hue = np.where(chroma == 0, 0, sextant / 6 + factor) % 1.0
    places = (np.array([5.0, 3.0, 1.0]).reshape(3, *[1] * hue.ndim) + hue * 6) % 6
    return value - chroma * np.clip(np.minimum(places, 4 - places), 0, 1)


def _blended(img: Tensor, name: str, other: np.ndarray, factor: float) -> Tensor:
    """factor * img + (1 - factor) * other, cut to the range of its dtype."""
    pixels = pixels_of(img, name)
    mixed = np.clip(factor * pixels + (1.0 - factor) * other, 0, _bound(pixels.dtype))
    return wrap(np.ascontiguousarray(mixed, pixels.dtype))


def _bound(kind: np.dtype) -> int:
    """The value of white."""
    return 1 if kind.kind in "fb" else int(np.iinfo(kind).max)


def _check_factor(name: str, value: float) -> None:
    if value < 0:
        raise ValueError(f"{name} ({value}) is not non-negative.")


def _check_channels(img: Tensor) -> int:
    channels = get_dimensions(img)[0]
    if channels not in (1, 3):
        raise TypeError(f"Input image tensor permitted channel values are [1, 3], but found {channels}")
    return channels


# ---------------------------------------------------------------------------------------------------------------
# Grey.


def to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """A PIL image in grey, of 1 or 3 equal channels."""
    _check_outputs(num_output_channels)
    if not checked_image(img):
        raise TypeError("Input should be PIL Image")
    grey = img.convert("L")
    return grey if num_output_channels == 1 else pil("Image").merge("RGB", (grey, grey, grey))


def rgb_to_grayscale(img: Any, num_output_channels: int = 1) -> Any:
    """An image in grey, of 1 or 3 equal channels.  (..., 3, H, W) -> (..., num_output_channels, H, W)."""
    if checked_image(img):
        return to_grayscale(img, num_output_channels)
    _check_outputs(num_output_channels)
    if img.ndim < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {img.ndim}")
    pixels = pixels_of(img, "rgb_to_grayscale")
    grey = pixels if _check_channels(img) == 1 else _grey(pixels).astype(pixels.dtype)
    return wrap(np.repeat(grey, num_output_channels, axis=-3))


def _grey(pixels: np.ndarray) -> np.ndarray:
    """(..., 3, H, W) -> (..., 1, H, W) of floating point."""
    red, green, blue = (pixels[..., i : i + 1, :, :] for i in range(3))
    return RED * red + GREEN * green + BLUE * blue


def _check_outputs(channels: int) -> None:
    if channels not in (1, 3):
        raise ValueError("num_output_channels should be either 1 or 3")


# ---------------------------------------------------------------------------------------------------------------
# Blurred and erased.


def gaussian_blur(img: Any, kernel_size: Any, sigma: Any = None) -> Any:
    """A mean of ``kernel_size`` pixels, one odd number or (x, y), by a bell of width ``sigma``; at the edges mirrored.

    ``sigma``: one number or (x, y), else 0.3 * ((kernel_size - 1) * 0.5 - 1) + 0.8.
    """
    sizes = _two(kernel_size, "kernel_size")
    if any(size % 2 == 0 or size < 1 for size in sizes):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {kernel_size}")
    sigmas = [0.3 * ((size - 1) * 0.5 - 1) + 0.8 for size in sizes] if sigma is None else _two(sigma, "sigma")
    if any(each <= 0 for each in sigmas):
        raise ValueError(f"sigma should have positive values. Got {sigma}")
    if checked_image(img):
        return to_pil_image(gaussian_blur(pil_to_tensor(img), sizes, sigmas), mode=img.mode)
    _, height, width = get_dimensions(img)
    if sizes[0] // 2 >= width or sizes[1] // 2 >= height:
        raise RuntimeError(f"kernel_size {sizes} is too large for an image of {height} x {width}")
    ndimage = library("scipy.ndimage", "SciPy")
    along_x, along_y = (_bell(int(size), each) for size, each in zip(sizes, sigmas, strict=True))

    def blurred(channel: np.ndarray) -> np.ndarray:
        rows = ndimage.correlate1d(channel, along_x, axis=1, mode="mirror")
        return ndimage.correlate1d(rows, along_y, axis=0, mode="mirror")

    return of_each_channel(img, "gaussian_blur", blurred)


def _bell(size: int, sigma: float) -> np.ndarray:
    """(size,), summing to 1."""
    places = np.arange(size) - (size - 1) / 2
    bell = np.exp(-0.5 * (places / sigma) ** 2)
    return bell / bell.sum()


def _two(value: Any, name: str) -> list[Any]:
    values: Sequence[Any] = [value] if isinstance(value, (int, float)) else value
    if len(values) not in (1, 2):
        raise ValueError(f"If {name} is a sequence its length should be 2. Got {len(values)}")
    return [values[0], values[-1]]


def erase(img: Any, i: int, j: int, h: int, w: int, v: Any, inplace: bool = False) -> Any:
    """An image with ``v`` in ``h`` rows from ``i`` on and ``w`` columns from ``j`` on.  Of Tensors alone."""
    img = checked_tensor(img) if inplace else checked_tensor(img).clone()
    img[..., i : i + h, j : j + w] = v
    return img
