"""Looking at what comes before it is used: element types, labels, indices, probabilities."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.dispatch import apply, op


@op
def _checked(x, *, check, out=None):
    """x itself, after ``check(x)`` has not raised."""
    check(x)
    return x


def check_values(tensor: Tensor, check: Callable[[Any], None]) -> None:
    """Let ``check(array)`` raise if it must; as an op call, so that a recorded step checks its own values."""
    apply(_checked.op, (tensor,), {"check": check})


def check_kind(name: str, dtype: np.dtype, kinds: str) -> None:
    """NotImplementedError unless elements are of one of the ``kinds``: 'f' floating point, 'iu' integers, 'b' bool."""
    if dtype.kind not in kinds:
        raise NotImplementedError(f"'{name}' is not implemented for {dtype} tensors")


def check_floating(name: str, tensor: Tensor) -> None:
    """RuntimeError unless the tensor is of a floating point type."""
    if not tensor.is_floating_point():
        raise RuntimeError(
            f"{name}(): expected a floating point tensor, got {tensor.dtype.name}; convert it with .float()"
        )


def check_tensors(name: str, *values: Any) -> None:
    """TypeError unless all are tensors: where PyTorch takes no numbers."""
    for value in values:
        if not isinstance(value, Tensor):
            raise TypeError(f"{name}(): expected a Tensor, got {type(value).__name__}")
