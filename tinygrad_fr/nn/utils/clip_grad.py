"""Keeping gradients from growing too large.

``foreach`` is how PyTorch schedules the work; here it changes nothing.
"""

from collections.abc import Iterable
from typing import Any

from ...autograd import Tensor, no_grad
from ...ops.creation import tensor
from ...ops.joining import stack


def _as_list(tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: list[Tensor]) -> list[Any]:
    return [each.grad for each in parameters if each.grad is not None]


@no_grad()
def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of ``tensors`` together.  -> ()."""
    norm_type = float(norm_type)
    norms = [each.norm(norm_type) for each in _as_list(tensors)]
    if not norms:
        return tensor(0.0)
    total = stack(norms).norm(norm_type)
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    return total


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Any, foreach: bool | None = None
) -> None:
    """Scale all gradients in place by max_norm / total_norm, where that is below 1."""
    factor = (max_norm / (total_norm + 1e-6)).clamp(max=1.0)
    for g in _gradients(_as_list(parameters)):
        g.mul_(factor)


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients in place so that their norm together is at most ``max_norm``; returns what it was.  -> ()."""
    parameters = _as_list(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


@no_grad()
def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Limit every element of every gradient to -clip_value ... clip_value, in place."""
    clip_value = float(clip_value)
    for g in _gradients(_as_list(parameters)):
        g.clamp_(-clip_value, clip_value)
