"""NAdam."""

from collections.abc import Iterable
from typing import Any

from ..ops.optim import nadam
from .optimizer import Group, check_at_least_zero
from .stateful import Averaging


class NAdam(Averaging):
    """`Adam` with Nesterov's momentum, which grows from step to step.  With d = g + weight_decay p::

        mu(t) = beta1 * (1 - 0.96^(t momentum_decay) / 2)
        m = beta1 * m + (1 - beta1) * d
        v = beta2 * v + (1 - beta2) * d^2
        n = mu(t + 1) * m / (1 - mu(1) ... mu(t + 1)) + (1 - mu(t)) * d / (1 - mu(1) ... mu(t))
        p = p - lr * n / (sqrt(v / (1 - beta2^t)) + eps)

    ``decoupled_weight_decay`` takes the decay from the parameter, as `AdamW` does. ``foreach`` is how PyTorch schedules
    the work; here it is always one pass, and it changes nothing.
    Source: Dozat, 2016.
    """

    _hyper_names = (*Averaging._hyper_names, "momentum_decay")
    _data_options = (*Averaging._data_options, "momentum_decay")
    _op = nadam.op
    _states = ("exp_avg", "exp_avg_sq", "step", "mu_product")
    _static_options = ("decoupled_weight_decay", "maximize")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ):
        check_at_least_zero("momentum_decay value", momentum_decay)
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _hyper_values(self, group: Group) -> tuple[float, ...]:
        return (*super()._hyper_values(group), group["momentum_decay"])

    def _initial(self, group: Group) -> dict[str, float]:
        return {"step": 0.0, "mu_product": 1.0, "exp_avg": 0.0, "exp_avg_sq": 0.0}
