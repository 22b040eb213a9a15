"""Rates along a cosine.  Source: Loshchilov and Hutter, 2017."""

import math

from ..optimizer import Optimizer
from .scheduler import LRScheduler


def _half_cosine(low: float, high: float, part: float) -> float:
    """From ``high`` at part 0 to ``low`` at part 1."""
    return low + (high - low) * (1 + math.cos(math.pi * part)) / 2


class CosineAnnealingLR(LRScheduler):
    """From the initial rate to ``eta_min`` in ``T_max`` steps along half a cosine, and up again the same way."""

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1):
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _next_rates(self) -> list[float]:
        if self._is_initial:
            return self._rates()
        if self._step_count == 1 and self.last_epoch > 0:
            return self._rates_at(self.last_epoch)
        if (self.last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:  # the first step up, from where the cosine is -1
            rise = (1 - math.cos(math.pi / self.T_max)) / 2
            pairs = zip(self._rates(), self.base_lrs, strict=True)
            return [rate + (base - self.eta_min) * rise for rate, base in pairs]
        now, before = (1 + math.cos(math.pi * step / self.T_max) for step in (self.last_epoch, self.last_epoch - 1))
        return [now / before * (rate - self.eta_min) + self.eta_min for rate in self._rates()]

    def _rates_at(self, epoch: int) -> list[float]:
        return [_half_cosine(self.eta_min, rate, epoch / self.T_max) for rate in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """From the initial rate to ``eta_min`` along half a cosine, again and again: in T_0 steps, T_0 T_mult, ...

    ``step(epoch)`` may be given a fraction, such as epoch + batch / batches.
    """

    def __init__(self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1):
        if T_0 <= 0 or not isinstance(T_0, int):
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if T_mult < 1 or not isinstance(T_mult, int):
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (float, int)):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}")
        self.T_0 = T_0
        self.T_i = T_0  # the steps of this round
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch  # those of them that were taken
        super().__init__(optimizer, last_epoch)

    def _next_rates(self) -> list[float]:
        return [_half_cosine(self.eta_min, rate, self.T_cur / self.T_i) for rate in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Set the rates that come next, or those after ``epoch`` steps, which may be a fraction."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            self._find_round(epoch)
        self.last_epoch = math.floor(epoch)
        self._set(self.get_lr)

    def _find_round(self, epoch: float) -> None:
        """Find the round that step ``epoch`` lies in, and how many of its steps are taken."""
        if epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        if epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            rounds = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
            self.T_cur = epoch - self.T_0 * (self.T_mult**rounds - 1) / (self.T_mult - 1)
            self.T_i = self.T_0 * self.T_mult**rounds
