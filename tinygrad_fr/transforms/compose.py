"""Transforms made of others, or of any function."""

from collections.abc import Callable, Sequence
from typing import Any


class Compose:
    """One transform after the other."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]):
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __batch__(self, images: Any) -> Any:
        if type(self) is not Compose:
            return NotImplemented
        for transform in self.transforms:
            of_many = getattr(type(transform), "__batch__", None)
            images = NotImplemented if of_many is None else of_many(transform, images)
            if images is NotImplemented:
                break
        return images

    def __repr__(self) -> str:
        return "\n".join([f"{type(self).__name__}(", *(f"    {transform}" for transform in self.transforms), ")"])


class Lambda:
    """Any function as a transform.  TypeError: ``lambd`` cannot be called."""

    def __init__(self, lambd: Callable[[Any], Any]):
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
