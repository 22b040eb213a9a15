"""Transforms of images."""

from typing import Any

import numpy as np

from ..autograd import Tensor, dtypes
from ..autograd.tensor import wrap
from .functional.convert import channelwise, normalize, to_tensor


class ToTensor:
    """A PIL image or an array of bytes as floating-point numbers in [0, 1], its channels first.

    (H, W) or (H, W, C) -> (C, H, W); see `functional.to_tensor`.
    """

    def __call__(self, pic: Any) -> Tensor:
        return to_tensor(pic)

    def __batch__(self, images: Any) -> Any:
        if type(self) is not ToTensor or not isinstance(images, np.ndarray):
            return NotImplemented
        if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.size == 0:
            return NotImplemented
        channels_first = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
        numbers = channels_first.astype(dtypes.get_default_dtype().numpy, order="C")
        numbers /= numbers.dtype.type(255)
        return wrap(numbers)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Normalize:
    """(image - mean) / std, channel by channel.  (*, C, H, W) -> the same; mean, std: (C,).

    ``inplace`` writes the result into the image. See `functional.normalize`.
    """

    def __init__(self, mean: Any, std: Any, inplace: bool = False):
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def __call__(self, tensor: Tensor) -> Tensor:
        return normalize(tensor, self.mean, self.std, self.inplace)

    def __batch__(self, images: Any) -> Any:
        if type(self) is not Normalize or not isinstance(images, Tensor) or images.ndim != 4:
            return NotImplemented
        if not images.is_floating_point() or images.requires_grad:
            return NotImplemented
        shift, scale = channelwise(self.mean, images.dtype), channelwise(self.std, images.dtype)
        if not all(_fits(each, channels=images.shape[1]) for each in (shift, scale)) or not scale.numpy().all():
            return NotImplemented
        numbers = images.numpy()
        with np.errstate(all="ignore"):  # infinities and NaN pass through
            numbers -= shift.numpy()
            numbers /= scale.numpy()
        return images

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"


def _fits(numbers: Tensor, channels: int) -> bool:
    """Whether there is one number, or one for each channel, and no gradient to follow."""
    return not numbers.requires_grad and numbers.shape in ((), (1, 1, 1), (channels, 1, 1))
