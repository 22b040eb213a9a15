"""Adamax."""

from collections.abc import Iterable
from typing import Any

from ..ops.optim import adamax
from .optimizer import Group
from .stateful import Averaging


class Adamax(Averaging):
    """`Adam` with the largest gradient, which fades, in place of the root mean square.  With d = g + weight_decay p::

        m = beta1 * m + (1 - beta1) * d
        u = max(beta2 * u, |d| + eps)
        p = p - lr / (1 - beta1^t) * m / u

    ``foreach`` is how PyTorch schedules the work; here it is always one pass, and it changes nothing.
    Source: Kingma and Ba, 2015.
    """

    _op = adamax.op
    _states = ("exp_avg", "exp_inf", "step")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ):
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _initial(self, group: Group) -> dict[str, float]:
        return {"step": 0.0, "exp_avg": 0.0, "exp_inf": 0.0}
