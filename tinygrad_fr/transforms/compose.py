"""Transforms made of others, or of any function; by chance, too."""

from collections.abc import Callable, Sequence
from typing import Any

from ..ops.creation import tensor
from ..ops.random import multinomial, randperm
from ._base import happens


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


class RandomApply:
    """All transforms, with probability ``p``, or none."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: float = 0.5):
        self.transforms = transforms
        self.p = p

    def __call__(self, img: Any) -> Any:
        return Compose(self.transforms)(img) if happens(self.p) else img

    def __repr__(self) -> str:
        return "\n".join(["RandomApply(", f"    p={self.p}", *(f"    {each}" for each in self.transforms), ")"])


class RandomOrder:
    """All transforms, in an order drawn anew each time."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]):
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for i in randperm(len(self.transforms)).tolist():
            img = self.transforms[i](img)
        return img

    def __repr__(self) -> str:
        return "\n".join(["RandomOrder(", *(f"    {each}" for each in self.transforms), ")"])


class RandomChoice:
    """One of the transforms: each is as likely, or as its weight in ``p`` says."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]], p: Sequence[float] | None = None):
        if p is not None and len(p) != len(transforms):
            raise ValueError(f"expected a weight for each of {len(transforms)} transforms, but got {len(p)}")
        self.transforms = transforms
        self.p = p

    def __call__(self, img: Any) -> Any:
        weights = tensor([1.0] * len(self.transforms) if self.p is None else list(self.p))
        return self.transforms[int(multinomial(weights, 1).item())](img)

    def __repr__(self) -> str:
        return "\n".join(["RandomChoice(", *(f"    {each}" for each in self.transforms), f")(p={self.p})"])
