"""Rates that fall, or rise, by a formula."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from ..optimizer import Optimizer
from .scheduler import LRScheduler, checked_optimizer, state_of_callable

Factor = Callable[[int], float]


class _ByFunctions(LRScheduler):
    """Rates by a function of the number of steps, or one for each group."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | list[Factor] | tuple[Factor, ...], last_epoch: int):
        count = len(checked_optimizer(optimizer).param_groups)
        functions = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * count
        if len(functions) != count:
            raise ValueError(f"Expected {count} lr_lambdas, but got {len(functions)}")
        for function in functions:
            if not callable(function):
                raise TypeError(f"lr_lambda should be a function, but got {type(function).__name__}")
        self.lr_lambdas = functions
        super().__init__(optimizer, last_epoch)

    def _factors(self) -> list[float]:
        return [function(self.last_epoch) for function in self.lr_lambdas]

    def state_dict(self) -> dict[str, Any]:
        """All that the scheduler knows but its optimiser; of the functions, the attributes of objects alone."""
        return {**super().state_dict(), "lr_lambdas": [state_of_callable(each) for each in self.lr_lambdas]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave; the functions stay the scheduler's own."""
        for function, saved in zip(self.lr_lambdas, state_dict["lr_lambdas"], strict=True):
            if saved is not None:
                vars(function).update(saved)
        super().load_state_dict({**state_dict, "lr_lambdas": self.lr_lambdas})


class LambdaLR(_ByFunctions):
    """The initial rate times ``lr_lambda(number of steps)``: one function for all groups, or a list."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | list[Factor], last_epoch: int = -1):
        super().__init__(optimizer, lr_lambda, last_epoch)

    def _next_rates(self) -> list[float]:
        return [rate * factor for rate, factor in zip(self.base_lrs, self._factors(), strict=True)]


class MultiplicativeLR(_ByFunctions):
    """The rate before times ``lr_lambda(number of steps)``: one function for all groups, or a list."""

    def __init__(self, optimizer: Optimizer, lr_lambda: Factor | list[Factor], last_epoch: int = -1):
        super().__init__(optimizer, lr_lambda, last_epoch)

    def _next_rates(self) -> list[float]:
        if self._is_initial:
            return self._rates()
        return [rate * factor for rate, factor in zip(self._rates(), self._factors(), strict=True)]


class StepLR(LRScheduler):
    """The rate falls by the factor ``gamma`` every ``step_size`` steps."""

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1):
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _next_rates(self) -> list[float]:
        falls = self.last_epoch != 0 and self.last_epoch % self.step_size == 0
        return self._scaled(self.gamma) if falls else self._rates()

    def _rates_at(self, epoch: int) -> list[float]:
        return [rate * self.gamma ** (epoch // self.step_size) for rate in self.base_lrs]


class MultiStepLR(LRScheduler):
    """The rate falls by the factor ``gamma`` after each of the numbers of steps in ``milestones``."""

    def __init__(self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1):
        self.milestones = dict(Counter(milestones))  # how often each is given
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _next_rates(self) -> list[float]:
        times = self.milestones.get(self.last_epoch)
        return self._scaled(self.gamma**times) if times else self._rates()

    def _rates_at(self, epoch: int) -> list[float]:
        passed = bisect_right(sorted(Counter(self.milestones).elements()), epoch)
        return [rate * self.gamma**passed for rate in self.base_lrs]


class ConstantLR(LRScheduler):
    """The rate is multiplied by ``factor`` for the first ``total_iters`` steps."""

    def __init__(self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1):
        if factor > 1.0 or factor < 0:
            raise ValueError("Constant multiplicative factor expected to be between 0 and 1.")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _next_rates(self) -> list[float]:
        if self.last_epoch == 0:
            return self._scaled(self.factor)
        return self._scaled(1.0 / self.factor) if self.last_epoch == self.total_iters else self._rates()

    def _rates_at(self, epoch: int) -> list[float]:
        factor = 1.0 if epoch >= self.total_iters else self.factor
        return [rate * factor for rate in self.base_lrs]


class LinearLR(LRScheduler):
    """The factor of the rate goes from ``start_factor`` to ``end_factor`` in ``total_iters`` equal steps."""

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ):
        if start_factor > 1.0 or start_factor <= 0:
            raise ValueError("Starting multiplicative factor expected to be greater than 0 and less or equal to 1.")
        if end_factor > 1.0 or end_factor < 0:
            raise ValueError("Ending multiplicative factor expected to be between 0 and 1.")
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def _next_rates(self) -> list[float]:
        if self.last_epoch == 0:
            return self._scaled(self.start_factor)
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._rates()
        rise = self.end_factor - self.start_factor
        return self._scaled(1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise))

    def _rates_at(self, epoch: int) -> list[float]:
        rise = self.end_factor - self.start_factor
        factor = self.start_factor + rise * min(self.total_iters, epoch) / self.total_iters
        return [rate * factor for rate in self.base_lrs]


class ExponentialLR(LRScheduler):
    """The rate falls by the factor ``gamma`` at each step."""

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1):
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def _next_rates(self) -> list[float]:
        return self._rates() if self._is_initial else self._scaled(self.gamma)

    def _rates_at(self, epoch: int) -> list[float]:
        return [rate * self.gamma**epoch for rate in self.base_lrs]


class PolynomialLR(LRScheduler):
    """The rate falls to 0 in ``total_iters`` steps, as (1 - steps / total_iters)^power."""

    def __init__(self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1):
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def _next_rates(self) -> list[float]:
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._rates()
        left, before = (1.0 - steps / self.total_iters for steps in (self.last_epoch, self.last_epoch - 1))
        return self._scaled((left / before) ** self.power)

    def _rates_at(self, epoch: int) -> list[float]:
        left = 1.0 - min(self.total_iters, epoch) / self.total_iters
        return [rate * left**self.power for rate in self.base_lrs]
