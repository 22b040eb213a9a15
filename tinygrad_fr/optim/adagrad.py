"""Adagrad."""

from collections.abc import Iterable
from typing import Any

from ..ops.optim import adagrad
from .optimizer import Group, check_at_least_zero, refuse
from .stateful import Stateful


class Adagrad(Stateful):
    """Steps that shrink with the sum of the squares of all gradients so far.  With d = g + weight_decay p::

        sum = sum + d^2
        p   = p - lr / (1 + (t - 1) lr_decay) * d / (sqrt(sum) + eps)

    ``foreach`` and ``fused`` are how PyTorch schedules the work; here it is always one pass, and they change nothing.
    Source: Duchi, Hazan and Singer, 2011.
    """

    _hyper_names = ("lr", "lr_decay", "weight_decay", "eps")
    _data_options = ("lr", "lr_decay", "weight_decay", "eps")
    _op = adagrad.op
    _states = ("sum", "step")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ):
        refuse(differentiable=differentiable)
        check_at_least_zero("learning rate", lr)
        check_at_least_zero("lr_decay value", lr_decay)
        check_at_least_zero("weight_decay value", weight_decay)
        check_at_least_zero("initial_accumulator_value value", initial_accumulator_value)
        check_at_least_zero("epsilon value", eps)
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _initial(self, group: Group) -> dict[str, float]:
        return {"step": 0.0, "sum": self.defaults["initial_accumulator_value"]}
