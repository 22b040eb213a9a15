"""Between PIL images, arrays and Tensors, and between dtypes."""

from typing import Any

import numpy as np

from ...autograd import Tensor, dtypes
from ...ops.creation import as_tensor, from_numpy
from ._images import is_pil_image, pil, pixels_of

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
    elif is_pil_image(pic):
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


def _pixels(pic: Any) -> np.ndarray:
    """The pixels of a PIL image, those of mode 1 as 0 and 255.  -> (H, W) or (H, W, C)."""
    if pic.mode.startswith("I;16"):
        return np.array(pic).astype(np.int16)
    pixels = np.array(pic, _WIDE_PIXELS.get(pic.mode, np.uint8))
    return 255 * pixels if pic.mode == "1" else pixels


def pil_to_tensor(pic: Any) -> Tensor:
    """A PIL image as a Tensor of its own dtype, nothing scaled.  -> (C, H, W).  TypeError: no PIL image."""
    if not is_pil_image(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    pixels = np.array(pic) if pic.mode == "1" else _pixels(pic)
    return from_numpy(np.atleast_3d(pixels).transpose(2, 0, 1)).contiguous()


def to_pil_image(pic: Any, mode: str | None = None) -> Any:
    """A Tensor (C, H, W) or (H, W), or an array (H, W, C) or (H, W), as a PIL image.

    Numbers of floating point are taken to be 0 ... 1, and become bytes. ``mode``: else L, LA, RGB or RGBA by the number
    of channels, and for one channel of int16 I;16, of int32 I, of an array of float32 F.
    TypeError: neither Tensor nor array, or a dtype without a mode; ValueError: other numbers of axes or channels.
    """
    if isinstance(pic, Tensor):
        pixels = _channels_last(pic)
    elif isinstance(pic, np.ndarray):
        pixels = pic if pic.ndim != 2 else pic[:, :, None]
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    if pixels.ndim != 3:
        raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
    if pixels.shape[2] > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {pixels.shape[2]} channels.")
    usual = _MODES.get((pixels.shape[2], pixels.dtype.name))
    if usual is None:
        raise TypeError(f"Input type {pixels.dtype} is not supported for {pixels.shape[2]} channels")
    pixels = np.ascontiguousarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    if pixels.dtype == np.int16:
        pixels = pixels.view(np.uint16)
    image = pil("Image").fromarray(pixels)
    return image if mode in (None, usual) else _in_mode(pixels, mode)


_MODES = {(1, "uint8"): "L", (2, "uint8"): "LA", (3, "uint8"): "RGB", (4, "uint8"): "RGBA"} | {
    (1, "int16"): "I;16",
    (1, "int32"): "I",
    (1, "float32"): "F",
}
_CHANNELS = {"L": 1, "P": 1, "LA": 2, "RGB": 3, "YCbCr": 3, "HSV": 3, "RGBA": 4, "CMYK": 4, "RGBX": 4}


def _in_mode(pixels: np.ndarray, mode: str) -> Any:
    """Bytes as an image of a mode, which says what the channels mean.  ValueError: the mode has other channels."""
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    if pixels.dtype != np.uint8 or _CHANNELS.get(mode) != channels:
        raise ValueError(f"Incorrect mode ({mode}) supplied for {channels} channels of {pixels.dtype}")
    height, width = pixels.shape[:2]
    return pil("Image").frombytes(mode, (width, height), pixels.tobytes())


def _channels_last(pic: Tensor) -> np.ndarray:
    pixels = pixels_of(pic, "to_pil_image")
    if pixels.ndim == 2:
        pixels = pixels[None]
    if pixels.dtype.kind == "f":
        pixels = (pixels * pixels.dtype.type(255)).astype(np.uint8)
    return pixels.transpose(1, 2, 0) if pixels.ndim == 3 else pixels


def convert_image_dtype(image: Tensor, dtype: Any = dtypes.float32) -> Tensor:
    """An image in another dtype, its range with it: 0 ... 1 of floating point, 0 ... the largest integer.

    RuntimeError: from float32 to int32 or int64, or from float64 to int64, which have more integers than that numbers.
    """
    kind = dtypes.as_dtype(dtype)
    if image.dtype is kind:
        return image
    if image.is_floating_point():
        if kind.is_floating_point:
            return image.to(kind)
        wide = (dtypes.int32, dtypes.int64) if image.dtype is dtypes.float32 else (dtypes.int64,)
        if kind in wide:
            raise RuntimeError(f"The cast from {image.dtype} to {kind} cannot be performed safely.")
        return (image * (_largest(kind) + 1.0 - 1e-3)).to(kind)
    largest = _largest(image.dtype)
    if kind.is_floating_point:
        return image.to(kind) / largest
    wanted = _largest(kind)
    if largest > wanted:
        return (image // ((largest + 1) // (wanted + 1))).to(kind)
    return image.to(kind) * ((wanted + 1) // (largest + 1))


def _largest(kind: dtypes.dtype) -> int:
    return 1 if kind is dtypes.bool_ else int(np.iinfo(kind.numpy).max)
