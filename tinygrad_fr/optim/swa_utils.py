"""Averages of the parameters of a model over its training.  Source: Izmailov et al., 2018."""

import copy
import itertools
from collections.abc import Callable, Iterable
from typing import Any

from ..autograd import Tensor, dtypes, no_grad
from ..nn import Module
from ..ops.creation import tensor

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
