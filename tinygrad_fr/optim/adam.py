"""Adam."""

from collections.abc import Iterable
from typing import Any

from ..ops.optim import adam
from .optimizer import Group
from .stateful import Averaging


class Adam(Averaging):
    """Steps by running averages of the gradient and of its square.  With d = g + weight_decay p::

        m = beta1 * m + (1 - beta1) * d
        v = beta2 * v + (1 - beta2) * d^2
        p = p - lr * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)

    ``decoupled_weight_decay`` is `AdamW`; ``amsgrad`` takes the largest v so far. ``foreach`` and ``fused`` are how
    PyTorch schedules the work; here it is always one pass, and they change nothing.
    Source: Kingma and Ba, 2015; amsgrad: Reddi et al., 2018.
    """

    _op = adam.op
    _states = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq", "step")
    _static_options = ("decoupled_weight_decay", "amsgrad", "maximize")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ):
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _initial(self, group: Group) -> dict[str, float]:
        initial = {"step": 0.0, "exp_avg": 0.0, "exp_avg_sq": 0.0}
        return {**initial, "max_exp_avg_sq": 0.0} if group["amsgrad"] else initial
