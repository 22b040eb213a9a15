"""Optimiser updates as in-place ops: they pass the dispatch like any other, and a recorder hears them.

One call updates all parameters of a group. What changes from step to step comes in tensors: ``hyper``, the learning
rate and its like, and the counts of steps.
"""

from .. import kernels as k
from ..autograd.dispatch import op
from ..autograd.inplace import write_each
from ..autograd.mode import thread
from ..autograd.tensor import Tensor


@op(launches=True)
def _sgd(p, g, velocity, hyper, *, nesterov, first, maximize, launch):
    """Each p after one step of gradient descent; its velocity changes with it."""
    k.optim.sgd(p, g, velocity, hyper, nesterov=nesterov, first=first, maximize=maximize, launch=launch)


@op(launches=True)
def _adam(p, g, m, v, vmax, step, hyper, *, decoupled, amsgrad, maximize, launch):
    """Each p after one step of Adam; its averages and its count change with it."""
    k.optim.adam(p, g, m, v, vmax, step, hyper, decoupled=decoupled, amsgrad=amsgrad, maximize=maximize, launch=launch)


def new_launch():
    """What an update keeps from step to step: the param ``launch``."""
    return k.optim.Launch()


def sgd_(p, g, velocity, hyper, params):
    """One step of gradient descent on each p, in place.  p, g, velocity: lists of Tensors; hyper: (4,) float64.

    ``hyper`` is [lr, momentum, dampening, weight_decay]; ``params`` are nesterov, first, maximize and launch. The
    formula stands in ``kernels.optim.sgd``; without momentum ``velocity`` is empty.
    """
    write_each(_sgd.op, (p, g, velocity), hyper, params)


def adam_(p, g, m, v, vmax, step, hyper, params):
    """One step of Adam on each p, in place.  p, g, m, v, vmax, step: lists of Tensors; hyper: (5,) float64.

    ``hyper`` is [lr, beta1, beta2, eps, weight_decay]; ``params`` are decoupled, amsgrad, maximize and launch. The
    formula stands in ``kernels.optim.adam``; without amsgrad ``vmax`` is empty.
    """
    write_each(_adam.op, (p, g, m, v, vmax, step), hyper, params)


def clear_grad(parameter: Tensor, set_to_none: bool) -> None:
    """Forget the gradient of a leaf, or set it to 0 outside any graph."""
    if set_to_none or parameter.grad is None:
        parameter.grad = None
        recorder = thread.mode.recorder
        if recorder is not None:
            recorder.cleared(parameter)
    else:
        parameter.grad = parameter.grad.detach()
        parameter.grad.zero_()
