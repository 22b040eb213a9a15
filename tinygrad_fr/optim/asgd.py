"""Averaged stochastic gradient descent."""

from collections.abc import Iterable
from typing import Any

from ..ops.optim import asgd
from .optimizer import Group, check_at_least_zero, refuse
from .stateful import Stateful


class ASGD(Stateful):
    """Gradient descent with steps that shrink, and an average of the parameters.  With d = g + weight_decay p::

        p   = p * (1 - lambd * eta) - eta * d
        ax  = ax + mu * (p - ax)
        eta = lr / (1 + lambd * lr * t)^alpha
        mu  = 1 / max(1, t - t0)

    The average is the state ``ax``: from step ``t0`` on it gathers, before it follows the parameter.
    ``foreach`` is how PyTorch schedules the work; here it is always one pass, and it changes nothing.
    Source: Polyak and Juditsky, 1992.
    """

    _hyper_names = ("lr", "lambd", "alpha", "t0", "weight_decay")
    _data_options = ("lr", "lambd", "alpha", "t0", "weight_decay")
    _op = asgd.op
    _states = ("ax", "step", "eta", "mu")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        refuse(differentiable=differentiable, capturable=capturable)
        check_at_least_zero("learning rate", lr)
        check_at_least_zero("weight_decay value", weight_decay)
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _initial(self, group: Group) -> dict[str, float]:
        return {"step": 0.0, "eta": group["lr"], "mu": 1.0, "ax": 0.0}
