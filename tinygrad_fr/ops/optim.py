"""Optimiser updates as in-place ops: they pass the dispatch like any other, and a recorder hears them.

One call updates all parameters of a group. What changes from step to step comes in tensors: ``hyper``, the learning
rate and its like, and the counts of steps.
"""

from .. import kernels as k
from ..autograd.dispatch import op
from ..autograd.inplace import write_rows
from ..autograd.tensor import Tensor


@op
def _sgd(rows, hyper, *, nesterov, first, maximize):
    """Each p after one step of gradient descent; its velocity changes with it.  Rows (p, g) or (p, g, velocity)."""
    k.optim.sgd(rows, hyper, nesterov=nesterov, first=first, maximize=maximize)


@op
def _adam(rows, hyper, *, decoupled, amsgrad, maximize):
    """Each p after one step of Adam; its averages and its count change with it.  Rows (p, g, m, v, [vmax,] step)."""
    steps = [row[-1] for row in rows]
    k.optim.adam([row[:-1] for row in rows], steps, hyper, decoupled=decoupled, amsgrad=amsgrad, maximize=maximize)


def sgd_(rows, hyper, params):
    """One step of gradient descent on the first tensor of each row, in place; ``kernels.optim.sgd`` has the formula.

    ``rows`` (p, g) or, with momentum, (p, g, velocity); ``hyper``, (4,) float64, [lr, momentum, dampening,
    weight_decay]; ``params`` are nesterov, first and maximize.
    """
    write_rows(_sgd.op, rows, hyper, params)


def adam_(rows, hyper, params):
    """One step of Adam on the first tensor of each row, in place; ``kernels.optim.adam`` has the formula.

    ``rows`` (p, g, m, v, step) or, for amsgrad, (p, g, m, v, vmax, step); ``hyper``, (5,) float64, [lr, beta1, beta2,
    eps, weight_decay]; ``params`` are decoupled, amsgrad and maximize.
    """
    write_rows(_adam.op, rows, hyper, params)


def clear_grad(parameter: Tensor, set_to_none: bool) -> None:
    """Forget the gradient of a leaf, or set it to 0 outside any graph."""
    if set_to_none or parameter.grad is None:
        parameter.grad = None
    else:
        parameter.grad = parameter.grad.detach()
        parameter.grad.zero_()
