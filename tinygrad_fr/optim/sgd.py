"""Stochastic gradient descent."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..autograd.inplace import write_each
from ..autograd.tensor import wrap
from ..ops.optim import sgd
from .optimizer import Group, Optimizer, check_at_least_zero, refuse


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted.  With d = g + weight_decay p (-g to ``maximize``)::

        velocity = momentum * velocity + (1 - dampening) * d      (d at the first step)
        p        = p - lr * (d + momentum * velocity if nesterov else velocity)

    ``foreach`` and ``fused`` are how PyTorch schedules the work; here it is always one pass, and they change nothing.
    Source: Sutskever et al., 2013.
    """

    _hyper_names = ("lr", "momentum", "dampening", "weight_decay")
    _data_options = ("lr", "momentum", "dampening", "weight_decay")
    _switch_options = ("momentum",)

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        refuse(differentiable=differentiable)
        check_at_least_zero("learning rate", lr)
        check_at_least_zero("momentum value", momentum)
        check_at_least_zero("weight_decay value", weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _update(self, group: Group, hyper: Tensor, launch: Any) -> None:
        chosen = [p for p in group["params"] if p.grad is not None]
        params = {"nesterov": group["nesterov"], "maximize": group["maximize"]}
        if group["momentum"] == 0:
            _step(chosen, [], hyper, {**params, "first": False, "launch": launch})
            return
        new = [p for p in chosen if self._velocity(p) is None]
        _step(new, [self._start(p) for p in new], hyper, {**params, "first": True, "launch": None})
        going = [p for p in chosen if p not in set(new)] if new else chosen
        _step(going, [self._velocity(p) for p in going], hyper, {**params, "first": False, "launch": launch})

    def _velocity(self, p: Tensor) -> Tensor | None:
        return self.state[p].get("momentum_buffer")

    def _start(self, p: Tensor) -> Tensor:
        """The velocity of a parameter before its first step."""
        velocity = self.state[p]["momentum_buffer"] = wrap(np.zeros_like(p._array))
        return velocity


def _step(chosen: list[Tensor], velocities: list[Any], hyper: Tensor, params: dict[str, Any]) -> None:
    if chosen:
        write_each(sgd.op, (chosen, [p.grad for p in chosen], velocities), hyper, params)
