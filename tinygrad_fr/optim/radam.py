"""RAdam."""

from collections.abc import Iterable
from typing import Any

from ..ops.optim import radam
from .optimizer import Group
from .stateful import Averaging


class RAdam(Averaging):
    """`Adam` that divides by the root of its squares only as soon as enough of them are known.  Its m and v, and::

        rho(t) = rho - 2 t beta2^t / (1 - beta2^t), with rho = 2 / (1 - beta2) - 1
        r = sqrt((rho(t) - 4) (rho(t) - 2) rho / ((rho - 4) (rho - 2) rho(t)))
        p = p - lr * m / (1 - beta1^t) * r * sqrt(1 - beta2^t) / (sqrt(v) + eps)     where rho(t) > 5, else
        p = p - lr * m / (1 - beta1^t)

    ``decoupled_weight_decay`` takes the decay from the parameter, as `AdamW` does. ``foreach`` is how PyTorch schedules
    the work; here it is always one pass, and it changes nothing.
    Source: Liu et al., 2020.
    """

    _op = radam.op
    _states = ("exp_avg", "exp_avg_sq", "step")
    _static_options = ("decoupled_weight_decay", "maximize")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ):
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _initial(self, group: Group) -> dict[str, float]:
        return {"step": 0.0, "exp_avg": 0.0, "exp_avg_sq": 0.0}
