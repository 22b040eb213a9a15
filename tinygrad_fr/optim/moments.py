"""What Adam and its kin share: running averages of the gradient and of its size."""

from collections.abc import Iterable
from typing import Any

from .optimizer import Group, check_at_least_zero, check_betas
from .stateful import Stateful


class Moments(Stateful):
    """An optimiser with two rates of averages, ``betas``, whose options are checked here; the rest is a subclass's."""

    _hyper_names: tuple[str, ...] = ("lr", "beta1", "beta2", "eps", "weight_decay")
    _data_options: tuple[str, ...] = ("lr", "betas", "eps", "weight_decay")

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        check_at_least_zero("learning rate", defaults["lr"])
        check_at_least_zero("epsilon value", defaults["eps"])
        check_betas(defaults["betas"])
        check_at_least_zero("weight_decay value", defaults["weight_decay"])
        super().__init__(params, defaults)

    def _hyper_values(self, group: Group) -> tuple[float, ...]:
        beta1, beta2 = group["betas"]
        return (group["lr"], beta1, beta2, group["eps"], group["weight_decay"])
