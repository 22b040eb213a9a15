"""Adadelta."""

from collections.abc import Iterable
from typing import Any

from ..ops.optim import adadelta
from .optimizer import Group, check_at_least_zero, refuse
from .stateful import Stateful


class Adadelta(Stateful):
    """Steps as large as those before, over the size of the gradients.  With d = g + weight_decay p::

        v    = rho * v + (1 - rho) * d^2
        step = sqrt(u + eps) / sqrt(v + eps) * d
        u    = rho * u + (1 - rho) * step^2
        p    = p - lr * step

    ``foreach`` is how PyTorch schedules the work; here it is always one pass, and it changes nothing.
    Source: Zeiler, 2012.
    """

    _hyper_names = ("lr", "rho", "eps", "weight_decay")
    _data_options = ("lr", "rho", "eps", "weight_decay")
    _op = adadelta.op
    _states = ("square_avg", "acc_delta", "step")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        refuse(capturable=capturable, differentiable=differentiable)
        check_at_least_zero("learning rate", lr)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        check_at_least_zero("epsilon value", eps)
        check_at_least_zero("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _initial(self, group: Group) -> dict[str, float]:
        return {"step": 0.0, "square_avg": 0.0, "acc_delta": 0.0}
