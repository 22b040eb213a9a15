"""What the transforms do, as functions of a PIL image or of a Tensor (..., H, W)."""

from ._images import InterpolationMode, get_dimensions, get_image_num_channels, get_image_size
from .color import (
    adjust_brightness,
    adjust_contrast,
    adjust_gamma,
    adjust_hue,
    adjust_saturation,
    erase,
    gaussian_blur,
    invert,
    rgb_to_grayscale,
    to_grayscale,
)
from .convert import convert_image_dtype, normalize, pil_to_tensor, to_pil_image, to_tensor
from .geometry import affine, center_crop, crop, hflip, pad, resize, resized_crop, rotate, vflip

__all__ = [
    "InterpolationMode",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "affine",
    "center_crop",
    "convert_image_dtype",
    "crop",
    "erase",
    "gaussian_blur",
    "get_dimensions",
    "get_image_num_channels",
    "get_image_size",
    "hflip",
    "invert",
    "normalize",
    "pad",
    "pil_to_tensor",
    "resize",
    "resized_crop",
    "rgb_to_grayscale",
    "rotate",
    "to_grayscale",
    "to_pil_image",
    "to_tensor",
    "vflip",
]
