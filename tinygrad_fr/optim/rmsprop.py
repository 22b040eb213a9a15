"""RMSprop."""

from collections.abc import Iterable
from typing import Any

from ..ops.optim import rmsprop
from .optimizer import Group, check_at_least_zero, refuse
from .stateful import Stateful


class RMSprop(Stateful):
    """Steps by the gradient over the root of a running average of its square.  With d = g + weight_decay p::

        v = alpha * v + (1 - alpha) * d^2
        m = alpha * m + (1 - alpha) * d                 (``centered``: v - m^2 stands for v below)
        p = p - lr * d / (sqrt(v) + eps)                (``momentum``: p = p - lr * velocity, where
        velocity = momentum * velocity + d / (sqrt(v) + eps))

    ``foreach`` is how PyTorch schedules the work; here it is always one pass, and it changes nothing.
    Source: Tieleman and Hinton, 2012; centered: Graves, 2013.
    """

    _hyper_names = ("lr", "alpha", "eps", "weight_decay", "momentum")
    _data_options = ("lr", "alpha", "eps", "weight_decay", "momentum")
    _switch_options = ("momentum",)
    _op = rmsprop.op
    _states = ("square_avg", "grad_avg", "momentum_buffer", "step")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        refuse(capturable=capturable, differentiable=differentiable)
        check_at_least_zero("learning rate", lr)
        check_at_least_zero("epsilon value", eps)
        check_at_least_zero("momentum value", momentum)
        check_at_least_zero("weight_decay value", weight_decay)
        check_at_least_zero("alpha value", alpha)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _initial(self, group: Group) -> dict[str, float]:
        initial = {"step": 0.0, "square_avg": 0.0}
        if group["momentum"] > 0:
            initial["momentum_buffer"] = 0.0
        if group["centered"]:
            initial["grad_avg"] = 0.0
        return initial
