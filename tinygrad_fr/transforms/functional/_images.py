"""What both kinds of images, PIL's and Tensors (..., H, W), have in common; the optional libraries."""

import enum
import importlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...autograd.mode import tell_read
from ...autograd.tensor import wrap


class InterpolationMode(enum.Enum):
    """How pixels between pixels are found."""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


_OF_PIL = {  # by PIL's numbers, which are accepted, too
    0: InterpolationMode.NEAREST,
    1: InterpolationMode.LANCZOS,
    2: InterpolationMode.BILINEAR,
    3: InterpolationMode.BICUBIC,
    4: InterpolationMode.BOX,
    5: InterpolationMode.HAMMING,
}


def checked_interpolation(mode: Any) -> InterpolationMode:
    """An InterpolationMode, or one of PIL's numbers, as the former.  TypeError, ValueError for anything else."""
    if isinstance(mode, int) and not isinstance(mode, bool):
        if mode not in _OF_PIL:
            raise ValueError(f"unknown interpolation {mode}")
        return _OF_PIL[mode]
    if not isinstance(mode, InterpolationMode):
        raise TypeError(
            "Argument interpolation should be a InterpolationMode or a corresponding Pillow integer constant, got "
            f"{mode!r}"
        )
    return mode


def pil_number(mode: InterpolationMode) -> int:
    """The number that PIL has for an interpolation."""
    nearest = mode in (InterpolationMode.NEAREST, InterpolationMode.NEAREST_EXACT)
    return 0 if nearest else next(number for number, each in _OF_PIL.items() if each is mode)


def library(name: str, package: str) -> Any:
    """An optional library.  ImportError, with the command that installs it, where it is missing."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(f'this transform needs {package}: pip install "tinygrad_fr[vision]"') from error


def pil(name: str) -> Any:
    """A module of Pillow."""
    return library(f"PIL.{name}", "Pillow")


def is_pil_image(img: Any) -> bool:
    """Whether it is an image of PIL."""
    image_module = sys.modules.get("PIL.Image")  # whoever has an image has imported it
    return image_module is not None and isinstance(img, image_module.Image)


def checked_image(img: Any) -> bool:
    """Whether an image is PIL's; TypeError unless it is that or a Tensor of at least two axes."""
    if is_pil_image(img):
        return True
    if not isinstance(img, Tensor) or img.ndim < 2:
        what = f"a Tensor of shape {list(img.shape)}" if isinstance(img, Tensor) else type(img)
        raise TypeError(f"img should be PIL Image or Tensor (..., H, W). Got {what}")
    return False


def checked_tensor(img: Any) -> Tensor:
    """A Tensor image.  TypeError: anything else."""
    if checked_image(img):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    return img


def get_dimensions(img: Any) -> list[int]:
    """[channels, height, width]."""
    if checked_image(img):
        width, height = img.size
        return [len(img.getbands()), height, width]
    return [1 if img.ndim == 2 else img.shape[-3], img.shape[-2], img.shape[-1]]


def get_image_size(img: Any) -> list[int]:
    """[width, height]."""
    return get_dimensions(img)[:0:-1]


def get_image_num_channels(img: Any) -> int:
    """How many channels an image has."""
    return get_dimensions(img)[0]


def pixels_of(img: Tensor, name: str) -> np.ndarray:
    """The array of a Tensor, for a transform that has no derivative.  NotImplementedError where one is wanted."""
    if img.requires_grad:
        raise NotImplementedError(f"{name} has no derivative; detach() the image first")
    tell_read(f"the transform {name}")
    return img._array


def of_each_channel(img: Tensor, name: str, function: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """``function`` of each channel, in floating point, rounded to the dtype of the image.  (..., H, W) -> the same."""
    pixels = pixels_of(img, name)
    kind = pixels.dtype
    numbers = pixels if kind.kind == "f" else pixels.astype(np.float64)
    channels = [function(each) for each in numbers.reshape(-1, *numbers.shape[-2:])]
    result = np.stack(channels) if channels else numbers.reshape(0, *numbers.shape[-2:])
    return wrap(as_dtype(result.reshape(*pixels.shape[:-2], *result.shape[-2:]), kind))


def as_dtype(numbers: np.ndarray, kind: np.dtype) -> np.ndarray:
    """Numbers in a dtype: for integers rounded, and cut to those that it has."""
    if kind.kind in "ui":
        limits = np.iinfo(kind)
        numbers = np.clip(np.rint(numbers), limits.min, limits.max)
    return np.ascontiguousarray(numbers, kind)
