"""Resilient backpropagation."""

from collections.abc import Iterable
from typing import Any

from ..ops.optim import rprop
from .optimizer import Group, check_at_least_zero, refuse
from .stateful import Stateful


class Rprop(Stateful):
    """Steps by the sign of the gradient alone, for whole batches: longer while it stays, shorter where it turns.

    Where the sign is that of the gradient before, a step size grows by ``etas[1]``; where it is another, it shrinks by
    ``etas[0]``, and the element does not move. Step sizes begin with ``lr`` and stay in ``step_sizes``.
    ``foreach`` is how PyTorch schedules the work; here it is always one pass, and it changes nothing.
    Source: Riedmiller and Braun, 1993; Igel and Hüsken, 2000.
    """

    _hyper_names = ("etaminus", "etaplus", "least", "most")
    _data_options = ("lr", "etas", "step_sizes")  # of lr, only the states begin with it
    _op = rprop.op
    _states = ("prev", "step_size", "step")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ):
        refuse(capturable=capturable, differentiable=differentiable)
        check_at_least_zero("learning rate", lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _hyper_values(self, group: Group) -> tuple[float, ...]:
        return (*group["etas"], *group["step_sizes"])

    def _initial(self, group: Group) -> dict[str, float]:
        return {"step": 0.0, "prev": 0.0, "step_size": group["lr"]}
