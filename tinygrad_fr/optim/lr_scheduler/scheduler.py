"""What all schedulers share."""

import types
import warnings
from collections.abc import Callable
from typing import Any

from ..optimizer import Optimizer

EPOCH_IS_DEPRECATED = (
    "The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use "
    "`scheduler.step()` to step the scheduler."
)
TOO_EARLY = (
    "Detected call of `lr_scheduler.step()` before `optimizer.step()`. You should call them in the opposite order: "
    "`optimizer.step()` before `lr_scheduler.step()`. Else the first value of the learning rate schedule is skipped."
)


class LRScheduler:
    """The base of the schedulers: a subclass gives the rates of all groups after another step in `get_lr`.

    ``last_epoch`` is how many steps were taken; to resume, it is given with an optimiser whose groups have their
    'initial_lr'. TypeError: no optimiser; KeyError: 'initial_lr' is missing.
    """

    _is_initial = False  # while the rates are set for the first time
    _get_lr_called_within_step = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        self.optimizer = checked_optimizer(optimizer)
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", group["lr"])
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming scheduler with last_epoch "
                    ">= 0. Load the state_dict of the optimizer first."
                )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self) -> None:
        """Set the rates for the first time."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    # --- rates ---------------------------------------------------------------------------------------------------

    def get_lr(self) -> list[float]:
        """The rate of each group after the step that is being taken; `get_last_lr` tells the rates at any time."""
        if not self._get_lr_called_within_step:
            warnings.warn(
                "To get the last learning rate computed by the scheduler, please use `get_last_lr()`.", stacklevel=2
            )
        return self._next_rates()

    def get_last_lr(self) -> list[float]:
        """The rate of each group."""
        return self._last_lr

    def _next_rates(self) -> list[float]:
        """The rates at ``last_epoch``, from those before."""
        raise NotImplementedError(f"{type(self).__name__} must say what the next rates are, in get_lr")

    def _rates_at(self, epoch: int) -> list[float]:
        """The rates after so many steps, where nothing else changed them."""
        return self.get_lr()

    def _rates(self) -> list[float]:
        """The rates now."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _scaled(self, factor: float) -> list[float]:
        """The rates times a factor."""
        return [rate * factor for rate in self._rates()]

    # --- steps ---------------------------------------------------------------------------------------------------

    def step(self, epoch: int | None = None) -> None:
        """Set the rates that come next; ``epoch`` is PyTorch's old way to set them as after so many steps."""
        if self._step_count == 1 and not self.optimizer._has_stepped:
            warnings.warn(TOO_EARLY, stacklevel=2)
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_IS_DEPRECATED, stacklevel=2)
        self._step_to(epoch)

    def _step_to(self, epoch: int | None) -> None:
        if epoch is None:
            self.last_epoch += 1
            self._set(self.get_lr)
        else:
            self.last_epoch = epoch
            self._set(lambda: self._rates_at(epoch))

    def _set(self, rates: Callable[[], list[float]]) -> None:
        """Give the groups the rates that a function computes, which may call `get_lr`."""
        self._get_lr_called_within_step = True
        try:
            computed = rates()
        finally:
            self._get_lr_called_within_step = False
        for group, rate in zip(self.optimizer.param_groups, computed, strict=True):
            group["lr"] = rate
        self._last_lr = self._rates()

    # --- saving and loading --------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """All that the scheduler knows but its optimiser."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        vars(self).update(state_dict)


def checked_optimizer(optimizer: Any) -> Optimizer:
    """TypeError unless it is one."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
    return optimizer


def one_a_group(name: str, optimizer: Optimizer, value: Any) -> list[Any]:
    """A list or tuple with a value for each group, or one value for all, as a list.  ValueError: another length."""
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has {len(value)} values, param_groups "
            f"has {count}."
        )
    return list(value)


def state_of_callable(function: Any) -> dict[str, Any] | None:
    """What is saved of a callable: the attributes of an object, and nothing of a function."""
    return None if function is None or isinstance(function, types.FunctionType) else vars(function).copy()
