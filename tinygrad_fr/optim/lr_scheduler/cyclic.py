"""Rates that rise and fall, and momenta that fall and rise with them."""

import math
from collections.abc import Callable
from typing import Any

from ..optimizer import Optimizer
from .scheduler import LRScheduler, checked_optimizer, one_a_group, state_of_callable


class _WithMomentum(LRScheduler):
    """Also sets the momentum of each group, or its beta1."""

    cycle_momentum: bool
    use_beta1: bool

    def _start_momentum(self, base: list[float], largest: list[float], last_epoch: int) -> None:
        """Begin with the largest momentum.  ValueError: an optimiser without."""
        options = self.optimizer.defaults
        if "momentum" not in options and "betas" not in options:
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
        self.use_beta1 = "betas" in options
        if last_epoch == -1:
            self._set_momentum(largest)
            for group, low, high in zip(self.optimizer.param_groups, base, largest, strict=True):
                group["max_momentum"], group["base_momentum"] = high, low

    def _set_momentum(self, momenta: list[float]) -> None:
        for group, momentum in zip(self.optimizer.param_groups, momenta, strict=True):
            if self.use_beta1:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum


class CyclicLR(_WithMomentum):
    """From ``base_lr`` up to ``max_lr`` in ``step_size_up`` steps, down in ``step_size_down``, again and again.

    How high: 'triangular' always the same, 'triangular2' half as high each time, 'exp_range' gamma^steps; or
    ``scale_fn`` of the number of the cycle or of the steps, by ``scale_mode``. The momentum, or beta1, goes the other
    way. Source: Smith, 2017.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ):
        self.optimizer = checked_optimizer(optimizer)
        base_lrs = one_a_group("base_lr", optimizer, base_lr)
        if last_epoch == -1:
            for rate, group in zip(base_lrs, optimizer.param_groups, strict=True):
                group["lr"] = rate
        self.max_lrs = one_a_group("max_lr", optimizer, max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode if scale_fn else ("iterations" if mode == "exp_range" else "cycle")
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums = one_a_group("base_momentum", optimizer, base_momentum)
            self.max_momentums = one_a_group("max_momentum", optimizer, max_momentum)
            self._start_momentum(self.base_momentums, self.max_momentums, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """How high the cycle ``x`` goes, or step ``x``, by ``scale_mode``."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "exp_range":
            return self.gamma**x
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else 1.0

    def _next_rates(self) -> list[float]:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        part = 1.0 + self.last_epoch / self.total_size - cycle
        up = part / self.step_ratio if part <= self.step_ratio else (part - 1) / (self.step_ratio - 1)
        high = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            ranges = zip(self.base_momentums, self.max_momentums, strict=True)
            self._set_momentum([most - (most - least) * up * high for least, most in ranges])
        return [least + (most - least) * up * high for least, most in zip(self.base_lrs, self.max_lrs, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """All that the scheduler knows but its optimiser; of a scale_fn, the attributes of an object alone."""
        return {**super().state_dict(), "_scale_fn_custom": state_of_callable(self._scale_fn_custom)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` gave; a scale_fn stays the scheduler's own."""
        saved = state_dict["_scale_fn_custom"]
        if saved is not None:
            vars(self._scale_fn_custom).update(saved)
        super().load_state_dict({**state_dict, "_scale_fn_custom": self._scale_fn_custom})


class OneCycleLR(_WithMomentum):
    """One cycle: from max_lr / div_factor up to ``max_lr`` in the part ``pct_start`` of the steps, then down.

    Down to the initial rate / final_div_factor, along a cosine or a line; ``three_phase`` goes down to the initial rate
    first, as fast as up. The momentum, or beta1, goes the other way. How many steps: ``total_steps``, or ``epochs``
    times ``steps_per_epoch``. Source: Smith and Topin, 2018.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ):
        self.optimizer = checked_optimizer(optimizer)
        self.total_steps = _number_of_steps(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._schedule_phases = _phases(pct_start * self.total_steps, self.total_steps - 1, three_phase)
        self._anneal_func_type = anneal_strategy
        max_lrs = one_a_group("max_lr", optimizer, max_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, max_lrs, strict=True):
                group["initial_lr"] = rate / div_factor
                group["max_lr"] = rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            base_momentums = one_a_group("base_momentum", optimizer, base_momentum)
            max_momentums = one_a_group("max_momentum", optimizer, max_momentum)
            self._start_momentum(base_momentums, max_momentums, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _next_rates(self) -> list[float]:
        if self.last_epoch > self.total_steps:
            raise ValueError(
                f"Tried to step {self.last_epoch} times. The specified number of total steps is {self.total_steps}"
            )
        phase, part = self._place()
        if self.cycle_momentum:
            self._set_momentum(self._between(phase["start_momentum"], phase["end_momentum"], part))
        return self._between(phase["start_lr"], phase["end_lr"], part)

    def _place(self) -> tuple[dict[str, Any], float]:
        """The phase of this step, and which part of it is done."""
        start = 0.0
        for phase in self._schedule_phases[:-1]:
            if self.last_epoch <= phase["end_step"]:
                break
            start = phase["end_step"]
        else:
            phase = self._schedule_phases[-1]
        return phase, (self.last_epoch - start) / (phase["end_step"] - start)

    def _between(self, start: str, end: str, part: float) -> list[float]:
        """For each group, the value between two of its options."""
        pairs = [(group[start], group[end]) for group in self.optimizer.param_groups]
        if self._anneal_func_type == "linear":
            return [(last - first) * part + first for first, last in pairs]
        return [last + (first - last) / 2.0 * (math.cos(math.pi * part) + 1) for first, last in pairs]


def _number_of_steps(total: int | None, epochs: int | None, steps_per_epoch: int | None) -> int:
    if total is not None:
        return _positive("total_steps", total)
    if epochs is None or steps_per_epoch is None:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    return _positive("epochs", epochs) * _positive("steps_per_epoch", steps_per_epoch)


def _positive(name: str, number: int) -> int:
    if not isinstance(number, int) or number <= 0:
        raise ValueError(f"Expected positive integer {name}, but got {number}")
    return number


def _phases(rising: float, last: int, three: bool) -> list[dict[str, Any]]:
    """The phases, up to which step each goes, and the options of a group that rate and momentum go from and to."""
    up = ("initial_lr", "max_lr", "max_momentum", "base_momentum")
    if three:
        down = ("max_lr", "initial_lr", "base_momentum", "max_momentum")
        out = ("initial_lr", "min_lr", "max_momentum", "max_momentum")
        phases = [(float(rising) - 1, *up), (float(2 * rising) - 2, *down), (last, *out)]
    else:
        phases = [(float(rising) - 1, *up), (last, "max_lr", "min_lr", "base_momentum", "max_momentum")]
    names = ("end_step", "start_lr", "end_lr", "start_momentum", "end_momentum")
    return [dict(zip(names, phase, strict=True)) for phase in phases]
