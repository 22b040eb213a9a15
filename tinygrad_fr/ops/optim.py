"""Optimiser updates as in-place ops: they pass the dispatch like any other, and a recorder hears them.

What changes from step to step comes in tensors: ``hyper``, the learning rate and its like, and the count of steps.
"""

from .. import kernels as k
from ..autograd.dispatch import op
from ..autograd.inplace import write
from ..autograd.tensor import Tensor


@op
def _sgd(p, g, buf, hyper, *, nesterov, first, maximize, out):
    """p after one step of gradient descent; ``buf``, the velocity, changes with it."""
    k.optim.sgd(p, g, buf, hyper, nesterov=nesterov, first=first, maximize=maximize)
    return out


@op
def _adam(p, g, m, v, vmax, step, hyper, *, decoupled, amsgrad, maximize, out):
    """p after one step of Adam; ``m``, ``v``, ``vmax`` and the count ``step`` change with it."""
    step.fill(step.item() + 1)  # a tenth of the cost of step += 1
    k.optim.adam(p, g, m, v, vmax, step, hyper, decoupled=decoupled, amsgrad=amsgrad, maximize=maximize)
    return out


def sgd_(p, g, buf, hyper, params):
    """One step of gradient descent on ``p``, in place.  p, g, buf: (*); hyper: (4,) float64.

    ``hyper`` is [lr, momentum, dampening, weight_decay]; ``params`` are nesterov, first and maximize. The formula
    stands in ``kernels.optim.sgd``.
    """
    return write(_sgd.op, p, (g, buf, hyper), params)


def adam_(p, g, m, v, vmax, step, hyper, params):
    """One step of Adam on ``p``, in place.  p, g, m, v, vmax: (*); step: (), counted up; hyper: (5,) float64.

    ``hyper`` is [lr, beta1, beta2, eps, weight_decay]; ``params`` are decoupled, amsgrad and maximize. The formula
    stands in ``kernels.optim.adam``.
    """
    return write(_adam.op, p, (g, m, v, vmax, step, hyper), params)


def clear_grad(parameter: Tensor, set_to_none: bool) -> None:
    """Forget the gradient of a leaf, or set it to 0 outside any graph."""
    if set_to_none or parameter.grad is None:
        parameter.grad = None
    else:
        parameter.grad = parameter.grad.detach()
        parameter.grad.zero_()
