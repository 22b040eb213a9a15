"""Tensors that a module knows as its own: parameters, which are trained, and buffers, which are kept beside them."""

from typing import Any

import numpy as np

from ..autograd import Tensor, dtypes
from ..autograd.tensor import _fill


class Parameter(Tensor):
    """A tensor that becomes a parameter of the module it is assigned to.

    It shares the memory of ``data`` (a Tensor; without one it is empty) and wants a gradient unless told otherwise.
    """

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True):
        _share(self, data)
        self.requires_grad = requires_grad

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class Buffer(Tensor):
    """A tensor that becomes a buffer of the module it is assigned to: kept and moved with it, not trained.

    It shares the memory of ``data``; with ``persistent=False`` it is left out of the module's ``state_dict``.
    """

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True):
        _share(self, data)
        self.persistent = persistent


def _share(out: Tensor, data: Any) -> None:
    """Make ``out`` a leaf on the memory of ``data``, with the same count of in-place writes."""
    if data is None:
        _fill(out, np.empty(0, dtypes.get_default_dtype().numpy))
        return
    if not isinstance(data, Tensor):
        raise TypeError(f"expected a Tensor, got {type(data).__name__}; make one of it with tensor(...)")
    _fill(out, data._array)
    if data._version is not None:
        out._version = data._version
