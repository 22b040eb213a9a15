"""Looking at values before they are used: labels, indices, probabilities."""

from collections.abc import Callable
from typing import Any

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
