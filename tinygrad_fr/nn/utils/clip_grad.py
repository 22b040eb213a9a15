"""Keeping gradients from growing too large.

Gradients of one dtype are measured and scaled by kernels made for it, others by the ops that say the same. ``foreach``
is how PyTorch schedules the work; here it changes nothing.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from ...autograd import Tensor, no_grad
from ...autograd.inplace import write_each
from ...ops import clipping
from ...ops.creation import tensor
from ...ops.joining import stack


def _as_list(tensors: Tensor | Iterable[Tensor]) -> list[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters: list[Tensor]) -> list[Any]:
    return [each.grad for each in parameters if each.grad is not None]


def _are_of_one_dtype(tensors: Sequence[Tensor]) -> bool:
    """Whether all are float32, or all float64."""
    dtype = tensors[0].dtype
    return dtype.is_floating_point and all(each.dtype is dtype for each in tensors)


def _norm_of_all(tensors: list[Tensor], order: float) -> Tensor:
    has_extreme = order != math.inf or all(each.numel() for each in tensors)
    if order > 0 and has_extreme and _are_of_one_dtype(tensors):
        return clipping.total_norm(*tensors, order=order)
    return stack([each.norm(order) for each in tensors]).norm(order)


@no_grad()
def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of ``tensors`` together.  -> ()."""
    norm_type, tensors = float(norm_type), _as_list(tensors)
    if not tensors:
        return tensor(0.0)
    total = _norm_of_all(tensors, norm_type)
    if error_if_nonfinite and not total.isfinite():
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    return total


def _are_independent(gradients: list[Tensor], max_norm: Any, total_norm: Any) -> bool:
    """Whether one launch after the other may scale the gradients: no write changes the norm or another gradient."""
    if not isinstance(max_norm, (int, float)) or not isinstance(total_norm, Tensor) or total_norm.ndim:
        return False
    tensors = [*gradients, total_norm]
    return _are_of_one_dtype(tensors) and len({id(each._version) for each in tensors}) == len(tensors)


@no_grad()
def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Any, foreach: bool | None = None
) -> None:
    """Scale all gradients in place by max_norm / total_norm, where that is below 1."""
    gradients = _gradients(_as_list(parameters))
    if gradients and _are_independent(gradients, max_norm, total_norm):
        write_each(clipping.scale_to_norm.op, (gradients,), total_norm, {"most": float(max_norm)})
        return
    factor = (max_norm / (total_norm + 1e-6)).clamp(max=1.0)
    for g in gradients:
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
