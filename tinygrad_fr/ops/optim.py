"""Optimiser updates as in-place ops: they pass the dispatch like any other, and a recorder hears them.

One call updates all parameters of a group: each input but the last is a list of Tensors, one for each parameter, and
empty where the method in this form has no such state. What changes from step to step comes in tensors: ``hyper``, the
learning rate and its like, and the counts of steps. The formulas stand in the kernels of the same names.
"""

from .. import kernels as k
from ..autograd.dispatch import op
from ..autograd.mode import thread
from ..autograd.tensor import Tensor


@op(launches=True)
def sgd(p, g, velocity, hyper, *, nesterov, first, maximize, launch):
    """Each p after one step of gradient descent; its velocity changes with it."""
    k.optim.sgd(p, g, velocity, hyper, nesterov=nesterov, first=first, maximize=maximize, launch=launch)


@op(launches=True)
def adam(p, g, m, v, vmax, step, hyper, *, decoupled_weight_decay, amsgrad, maximize, launch):
    """Each p after one step of Adam; its averages and its count change with it."""
    k.optim.adam(
        p,
        g,
        m,
        v,
        vmax,
        step,
        hyper,
        decoupled=decoupled_weight_decay,
        amsgrad=amsgrad,
        maximize=maximize,
        launch=launch,
    )


@op(launches=True)
def adagrad(p, g, total, step, hyper, *, maximize, launch):
    """Each p after one step of Adagrad; its sum of squares and its count change with it."""
    k.adaptive.adagrad(p, g, total, step, hyper, maximize=maximize, launch=launch)


@op(launches=True)
def rmsprop(p, g, square, mean, velocity, step, hyper, *, maximize, launch):
    """Each p after one step of RMSprop; its averages and its count change with it."""
    k.adaptive.rmsprop(p, g, square, mean, velocity, step, hyper, maximize=maximize, launch=launch)


@op(launches=True)
def adadelta(p, g, square, moved, step, hyper, *, maximize, launch):
    """Each p after one step of Adadelta; its averages and its count change with it."""
    k.adaptive.adadelta(p, g, square, moved, step, hyper, maximize=maximize, launch=launch)


@op(launches=True)
def rprop(p, g, before, size, step, hyper, *, maximize, launch):
    """Each p after one step of Rprop; its last gradient, its step size and its count change with it."""
    k.adaptive.rprop(p, g, before, size, step, hyper, maximize=maximize, launch=launch)


@op(launches=True)
def asgd(p, g, average, step, eta, mu, hyper, *, maximize, launch):
    """Each p after one step of averaged gradient descent; its average and its numbers change with it."""
    k.adaptive.asgd(p, g, average, step, eta, mu, hyper, maximize=maximize, launch=launch)


@op(launches=True)
def adamax(p, g, mean, largest, step, hyper, *, maximize, launch):
    """Each p after one step of Adamax; its averages and its count change with it."""
    k.moments.adamax(p, g, mean, largest, step, hyper, maximize=maximize, launch=launch)


@op(launches=True)
def nadam(p, g, mean, square, step, product, hyper, *, decoupled_weight_decay, maximize, launch):
    """Each p after one step of NAdam; its averages and its numbers change with it."""
    k.moments.nadam(
        p, g, mean, square, step, product, hyper, decoupled=decoupled_weight_decay, maximize=maximize, launch=launch
    )


@op(launches=True)
def radam(p, g, mean, square, step, hyper, *, decoupled_weight_decay, maximize, launch):
    """Each p after one step of RAdam; its averages and its count change with it."""
    k.moments.radam(p, g, mean, square, step, hyper, decoupled=decoupled_weight_decay, maximize=maximize, launch=launch)


def new_launch():
    """What an update keeps from step to step: the param ``launch``."""
    return k._tables.Launch()


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
