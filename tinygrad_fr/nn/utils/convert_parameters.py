"""All parameters of a model as one vector, and back."""

import math
from collections.abc import Iterable
from typing import Any

from ...autograd import Tensor
from ...ops.joining import cat


def parameters_to_vector(parameters: Iterable[Any]) -> Tensor:
    """The elements of all parameters in one axis, part of the graph.  -> (number of elements,)."""
    return cat([each.reshape(-1) for each in parameters])


def vector_to_parameters(vec: Any, parameters: Iterable[Tensor]) -> None:
    """Let the parameters hold the elements of ``vec``, in order; they share its memory."""
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected a Tensor, but got: {type(vec).__name__}")
    start = 0
    for parameter in parameters:
        stop = start + math.prod(parameter.shape)
        parameter.data = vec[start:stop].view(parameter.shape).data
        start = stop
