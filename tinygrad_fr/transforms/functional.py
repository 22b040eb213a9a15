"""What the transforms do, as functions."""

import sys
from typing import Any

import numpy as np

from ..autograd import Tensor, dtypes
from ..ops.creation import as_tensor, from_numpy

_WIDE_PIXELS = {"I": np.int32, "F": np.float32}  # every other mode of PIL but I;16 has bytes


def to_tensor(pic: Any) -> Tensor:
    """A PIL image or an array as a Tensor, its channels first.  (H, W) or (H, W, C) -> (C, H, W).

    Bytes are divided by 255, so that 0 ... 255 becomes 0 ... 1 in the default dtype; any other dtype is left as it is.
    PIL's modes I, F and I;16 give int32, float32 and int16 (from 32768 on negative: PyTorch's convention); a mode-1
    image gives 0 and 1.
    TypeError: neither image nor array, or a dtype that tensors do not have; ValueError: not of 2 or 3 axes.
    """
    if isinstance(pic, np.ndarray):
        pixels = pic
    elif _is_pil_image(pic):
        pixels = _pixels(pic)
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    if pixels.ndim not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {pixels.ndim} dimensions.")
    image = from_numpy(np.atleast_3d(pixels).transpose(2, 0, 1)).contiguous()
    return image.to(dtypes.get_default_dtype()).div(255) if image.dtype is dtypes.uint8 else image


def normalize(tensor: Tensor, mean: Any, std: Any, inplace: bool = False) -> Tensor:
    """(tensor - mean) / std, channel by channel.  tensor: (*, C, H, W), mean, std: (C,) or one number.

    ``inplace`` writes the result into ``tensor``.
    TypeError: no Tensor, or not of floating point; ValueError: fewer than 3 axes, or a std of 0 in the tensor's dtype;
    RuntimeError: numbers of channels that differ.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ValueError(
            f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {tensor.size()}"
        )
    shift, scale = channelwise(mean, tensor.dtype), channelwise(std, tensor.dtype)
    if (scale.detach().numpy() == 0).any():
        raise ValueError(
            f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by zero. Got std={std}"
        )
    return (tensor if inplace else tensor.clone()).sub_(shift).div_(scale)


def channelwise(values: Any, dtype: dtypes.dtype) -> Tensor:
    """One number for each channel, in the shape that goes with images.  (C,) -> (C, 1, 1)."""
    numbers = as_tensor(values, dtype=dtype)
    return numbers.view(-1, 1, 1) if numbers.ndim == 1 else numbers


def _is_pil_image(pic: Any) -> bool:
    image_module = sys.modules.get("PIL.Image")  # whoever has an image has imported it
    return image_module is not None and isinstance(pic, image_module.Image)


def _pixels(pic: Any) -> np.ndarray:
    """The pixels of a PIL image, those of mode 1 as 0 and 255.  -> (H, W) or (H, W, C)."""
    if pic.mode.startswith("I;16"):
        return np.array(pic).astype(np.int16)
    pixels = np.array(pic, _WIDE_PIXELS.get(pic.mode, np.uint8))
    return 255 * pixels if pic.mode == "1" else pixels
