"""What the transforms share: how they are called, and drawing from the default generator."""

from typing import Any

from ..ops.random import rand, randint


class Transform:
    """A transform is called with an image; a subclass says in ``forward`` what it gives."""

    def __call__(self, img: Any) -> Any:
        return self.forward(img)

    def forward(self, img: Any) -> Any:
        """The image changed."""
        raise NotImplementedError(f"{type(self).__name__} must say what it does, in forward")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


# Draws come from the default generator: `manual_seed` fixes them, and each worker of a DataLoader has its own stream.


def uniform(low: float, high: float) -> float:
    """A number between two."""
    return low + (high - low) * rand(1).item()


def whole(low: int, high: int) -> int:
    """A whole number from ``low`` to ``high``, both of them too."""
    return int(randint(low, high + 1, (1,)).item())


def happens(probability: float) -> bool:
    """True with a probability."""
    return rand(1).item() < probability
