"""Layers without parameters that are their options."""

from typing import Any

from .module import Module


class WithOptions(Module):
    """A layer whose options are attributes, some of which are shown."""

    _shown: tuple[str, ...]

    kernel_size: Any
    stride: Any
    padding: Any
    dilation: Any
    output_size: Any

    def __init__(self, **options: Any):
        super().__init__()
        for name, value in options.items():
            setattr(self, name, value)

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={getattr(self, name)}" for name in self._shown)
