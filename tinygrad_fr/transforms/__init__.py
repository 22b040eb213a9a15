"""Changes to images on their way from a dataset to a network, under torchvision's names.

A transform is called with one image. One that can do the same to many at once says so by a method

    __batch__(images)  ->  the changed images, or NotImplemented

where ``images`` is what a dataset holds, pixels (N, H, W) or (N, H, W, C) of uint8 as an ndarray, or the Tensor (N, C,
H, W) that an earlier transform made of them, its own to overwrite. The result has the bits that one image after the
other would have. NotImplemented stands for whatever is not so plain, errors too: then images go one by one.
"""

from . import functional
from .color import (
    ColorJitter,
    ConvertImageDtype,
    GaussianBlur,
    Grayscale,
    PILToTensor,
    RandomErasing,
    RandomGrayscale,
    RandomInvert,
    ToPILImage,
)
from .compose import Compose, Lambda, RandomApply, RandomChoice, RandomOrder
from .functional import InterpolationMode
from .geometry import (
    CenterCrop,
    Pad,
    RandomAffine,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
    Resize,
)
from .image import Normalize, ToTensor

__all__ = [
    "CenterCrop",
    "ColorJitter",
    "Compose",
    "ConvertImageDtype",
    "GaussianBlur",
    "Grayscale",
    "InterpolationMode",
    "Lambda",
    "Normalize",
    "PILToTensor",
    "Pad",
    "RandomAffine",
    "RandomApply",
    "RandomChoice",
    "RandomCrop",
    "RandomErasing",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomInvert",
    "RandomOrder",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
    "Resize",
    "ToPILImage",
    "ToTensor",
    "functional",
]
