"""Adam."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..autograd import Tensor, dtypes
from ..autograd.tensor import wrap
from ..ops.optim import adam_
from .optimizer import Group, Optimizer, check_at_least_zero, refuse

_STATE = ("exp_avg", "exp_avg_sq", "step")
_LARGEST = "max_exp_avg_sq"


class Adam(Optimizer):
    """Steps by running averages of the gradient and of its square.  With d = g + weight_decay p::

        m = beta1 * m + (1 - beta1) * d
        v = beta2 * v + (1 - beta2) * d^2
        p = p - lr * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)

    ``decoupled_weight_decay`` is `AdamW`; ``amsgrad`` takes the largest v so far. ``foreach`` and ``fused`` are how
    PyTorch schedules the work; here it is always one pass, and they change nothing.
    Source: Kingma and Ba, 2015; amsgrad: Reddi et al., 2018.
    """

    _hyper_names = ("lr", "beta1", "beta2", "eps", "weight_decay")
    _data_options = ("lr", "betas", "eps", "weight_decay")

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
        refuse(capturable=capturable, differentiable=differentiable)
        check_at_least_zero("learning rate", lr)
        check_at_least_zero("epsilon value", eps)
        for i, beta in enumerate(betas):
            if not 0.0 <= beta < 1.0:
                raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
        check_at_least_zero("weight_decay value", weight_decay)
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

    def _hyper_values(self, group: Group) -> tuple[float, ...]:
        beta1, beta2 = group["betas"]
        return (group["lr"], beta1, beta2, group["eps"], group["weight_decay"])

    def _update(self, group: Group, hyper: Tensor, launch: Any) -> None:
        amsgrad = group["amsgrad"]
        chosen = [p for p in group["params"] if p.grad is not None]
        if not chosen:
            return
        states = [self.state[p] or self._start(p, amsgrad) for p in chosen]
        gradients = [p.grad for p in chosen]
        means, squares, steps = ([state[name] for state in states] for name in _STATE)
        largest = [state[_LARGEST] for state in states] if amsgrad else []
        params = {
            "decoupled": group["decoupled_weight_decay"],
            "amsgrad": amsgrad,
            "maximize": group["maximize"],
            "launch": launch,
        }
        adam_(chosen, gradients, means, squares, largest, steps, hyper, params)

    def _start(self, p: Tensor, amsgrad: bool) -> dict[str, Any]:
        """The state of a parameter before its first step."""
        *averages, step = _STATE
        averages += [_LARGEST] * amsgrad
        state = self.state[p]
        state[step] = wrap(np.zeros((), dtypes.get_default_dtype().numpy))
        state.update({name: wrap(np.zeros_like(p._array)) for name in averages})
        return state
