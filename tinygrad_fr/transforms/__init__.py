"""Changes to images on their way from a dataset to a network, under torchvision's names.

A transform is called with one image. One that can do the same to many at once says so by a method

    __batch__(images)  ->  the changed images, or NotImplemented

where ``images`` is what a dataset holds, pixels (N, H, W) or (N, H, W, C) of uint8 as an ndarray, or the Tensor (N, C,
H, W) that an earlier transform made of them, its own to overwrite. The result has the bits that one image after the
other would have. NotImplemented stands for whatever is not so plain, errors too: then images go one by one.
"""

from . import functional
from .compose import Compose, Lambda
from .image import Normalize, ToTensor

__all__ = ["Compose", "Lambda", "Normalize", "ToTensor", "functional"]
