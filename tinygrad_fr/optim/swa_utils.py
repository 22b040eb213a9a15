"""Averages of the parameters of a model over its training, and the rates for it.  Source: Izmailov et al., 2018."""

import copy
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any

from ..autograd import Tensor, dtypes, no_grad
from ..nn import Module
from ..ops.creation import tensor
from .lr_scheduler.scheduler import LRScheduler, checked_optimizer, one_a_group
from .optimizer import Optimizer

Tensors = Iterable[Tensor]


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[[Tensors, Tensors, Any], None]:
    """For `AveragedModel`: decay * average + (1 - decay) * parameter.  ValueError: a decay outside 0 ... 1."""
    return _of_each(get_ema_avg_fn(decay))


def get_ema_avg_fn(decay: float = 0.999) -> Callable[[Tensor, Tensor, Any], Tensor]:
    """The same, of one parameter."""
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")
    return no_grad()(lambda average, current, num_averaged: average + (current - average) * (1 - decay))


def get_swa_multi_avg_fn() -> Callable[[Tensors, Tensors, Any], None]:
    """For `AveragedModel`: the mean of all parameters so far."""
    return _of_each(get_swa_avg_fn())


def get_swa_avg_fn() -> Callable[[Tensor, Tensor, Any], Tensor]:
    """The same, of one parameter."""
    return no_grad()(lambda average, current, num_averaged: average + (current - average) / (num_averaged + 1))


def _of_each(function: Callable[[Tensor, Tensor, Any], Tensor]) -> Callable[[Tensors, Tensors, Any], None]:
    """``function`` of each average and its parameter, written into the average."""

    @no_grad()
    def of_all(averages: Tensors, currents: Tensors, num_averaged: Any) -> None:
        for average, current in zip(averages, currents, strict=True):
            average.copy_(function(average, current, num_averaged))

    return of_all


class AveragedModel(Module):
    """A copy of a model whose parameters are averages: `update_parameters` takes those of the model into account.

    ``avg_fn(average, parameter, num_averaged)`` gives a new average, ``multi_avg_fn`` of lists changes it in place; the
    default is the mean. ``use_buffers``: buffers are averaged, too, else they are those of the model.
    """

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Callable[[Tensor, Tensor, Any], Tensor] | None = None,
        multi_avg_fn: Callable[[Tensors, Tensors, Any], None] | None = None,
        use_buffers: bool = False,
    ):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=dtypes.int64))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The result of the averaged model."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the parameters of the model into the average; the first are the average."""
        averages, currents = self._averaged(self.module), self._averaged(model)
        if self.n_averaged == 0:
            _copy(averages, currents)
        else:
            default = _of_each(get_swa_avg_fn() if self.avg_fn is None else self.avg_fn)
            (self.multi_avg_fn or default)(averages, currents, self.n_averaged)
        if not self.use_buffers:
            _copy(self.module.buffers(), model.buffers())
        self.n_averaged += 1

    def _averaged(self, model: Module) -> list[Tensor]:
        buffers = model.buffers() if self.use_buffers else ()
        return [each.detach() for each in itertools.chain(model.parameters(), buffers)]


def _copy(targets: Tensors, sources: Tensors) -> None:
    for target, source in zip(targets, sources, strict=True):
        target.detach().copy_(source.detach())


class SWALR(LRScheduler):
    """From the rate that there is to ``swa_lr`` in ``anneal_epochs`` steps, along half a cosine or a line."""

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ):
        rates = one_a_group("swa_lr", checked_optimizer(optimizer), swa_lr)
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        for rate, group in zip(rates, optimizer.param_groups, strict=True):
            group["swa_lr"] = rate
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _next_rates(self) -> list[float]:
        step = max(1, self._step_count - 1) if self.anneal_epochs == 0 else self._step_count - 1
        before, now = self._part(step - 1), self._part(step)
        groups = self.optimizer.param_groups
        return [group["swa_lr"] * now + _first_rate(group, before) * (1 - now) for group in groups]

    def _part(self, step: int) -> float:
        """How much of the way is done after so many steps."""
        part = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return part if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * part)) / 2


def _first_rate(group: dict[str, Any], part: float) -> float:
    """The rate where the way begins, of which ``part`` is done."""
    return group["swa_lr"] if part == 1 else (group["lr"] - part * group["swa_lr"]) / (1 - part)
