"""What the optimisers share that keep the same states for each parameter."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..autograd import Tensor, dtypes
from ..autograd.inplace import write_each
from ..autograd.op import Op
from ..autograd.tensor import wrap
from .optimizer import NUMBERS, Group, Optimizer, check_at_least_zero, check_betas, refuse


class Stateful(Optimizer):
    """An optimiser whose states begin with the first gradient of a parameter, and that updates a group in one launch.

    A subclass says in ``_op`` by which op, in ``_states`` which states it takes, in the op's order, in
    ``_static_options`` which options it takes as they are, and in ``_initial`` with what the states begin.
    """

    _op: Op
    _states: tuple[str, ...] = ()
    _static_options: tuple[str, ...] = ("maximize",)

    def _initial(self, group: Group) -> dict[str, float]:
        """The number that each state begins with, in the order of state_dict; a state that is left out is not kept."""
        raise NotImplementedError(f"{type(self).__name__} must say with what its states begin, in _initial")

    def _update(self, group: Group, hyper: Tensor, launch: Any) -> None:
        chosen = [p for p in group["params"] if p.grad is not None]
        if not chosen:
            return
        initial = self._initial(group)
        states = [self.state[p] or self._start(p, initial) for p in chosen]
        columns = [[state[name] for state in states] if name in initial else [] for name in self._states]
        params = {name: group[name] for name in self._static_options}
        write_each(self._op, (chosen, [p.grad for p in chosen], *columns), hyper, {**params, "launch": launch})

    def _start(self, p: Tensor, initial: dict[str, float]) -> dict[str, Any]:
        """The state of a parameter before its first step."""
        number = dtypes.get_default_dtype().numpy
        state = self.state[p]
        for name, value in initial.items():
            state[name] = wrap(np.array(value, number) if name in NUMBERS else np.full_like(p._array, value))
        return state


class Averaging(Stateful):
    """What Adam and its relatives share: a learning rate, betas of running averages, an eps, a weight decay."""

    _hyper_names = ("lr", "beta1", "beta2", "eps", "weight_decay")
    _data_options = ("lr", "betas", "eps", "weight_decay")

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        refuse(capturable=defaults["capturable"], differentiable=defaults["differentiable"])
        check_at_least_zero("learning rate", defaults["lr"])
        check_at_least_zero("epsilon value", defaults["eps"])
        check_betas(defaults["betas"])
        check_at_least_zero("weight_decay value", defaults["weight_decay"])
        super().__init__(params, defaults)

    def _hyper_values(self, group: Group) -> tuple[float, ...]:
        return (group["lr"], *group["betas"], group["eps"], group["weight_decay"])
