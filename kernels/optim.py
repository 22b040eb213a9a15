"""Optimiser updates of gradient descent and of Adam; _tables.py says how they run."""

import math

import numpy as np

from ._tables import Launch
from ._tables import check_hyper as _check_hyper
from ._tables import count_steps as _count_steps
from ._tables import part_of_strict as _part_of_strict
from ._tables import parts as _parts
from ._tables import piece as _piece
from ._tables import row_by_row as _row_by_row
from ._tables import strict as _strict
from ._threads import spread

# ---------------------------------------------------------------------------------------------------------------
# Stochastic gradient descent.


@_strict
def _sgd_piece(table, row, begin, end, like, hyper, maximize):
    p, g = _piece(table, row, 0, begin, end, like), _piece(table, row, 1, begin, end, like)
    number = p.dtype.type
    lr, weight_decay = number(hyper[0]), number(hyper[3])
    for i in range(p.size):
        d = -g[i] if maximize else g[i]
        if weight_decay != 0:
            d = d + weight_decay * p[i]
        p[i] = p[i] - lr * d


@_strict
def _sgd_part(part, table, like, hyper, maximize):
    _row_by_row(_sgd_piece, part, table, like, (hyper, maximize))


@_strict
def _sgd_momentum_piece(table, row, begin, end, like, hyper, nesterov, first, maximize):
    p, g = _piece(table, row, 0, begin, end, like), _piece(table, row, 1, begin, end, like)
    buf = _piece(table, row, 2, begin, end, like)
    number = p.dtype.type
    lr, momentum, fresh, weight_decay = number(hyper[0]), number(hyper[1]), number(1 - hyper[2]), number(hyper[3])
    for i in range(p.size):
        d = -g[i] if maximize else g[i]
        if weight_decay != 0:
            d = d + weight_decay * p[i]
        velocity = d if first else momentum * buf[i] + fresh * d
        buf[i] = velocity
        p[i] = p[i] - lr * (d + momentum * velocity if nesterov else velocity)


@_strict
def _sgd_momentum_part(part, table, like, hyper, nesterov, first, maximize):
    _row_by_row(_sgd_momentum_piece, part, table, like, (hyper, nesterov, first, maximize))


@_strict
def _sgd(pool, table, like, hyper, maximize):
    spread(pool, _sgd_part, _parts(table), (table, like, hyper, maximize))


@_strict
def _sgd_momentum(pool, table, like, hyper, nesterov, first, maximize):
    spread(pool, _sgd_momentum_part, _parts(table), (table, like, hyper, nesterov, first, maximize))


# ---------------------------------------------------------------------------------------------------------------
# Adam. The bias corrections are numbers of the step, found in float64.


@_part_of_strict
def _adam_numbers(step, hyper, decoupled, number):
    """What all elements share: step size, bias correction, eps, both forms of weight decay, rates of the averages."""
    lr, beta1, beta2, eps, weight_decay = hyper
    step_size = number(lr / (1 - beta1**step))
    correction = number(1 / math.sqrt(1 - beta2**step))
    keep = number(1 - lr * weight_decay if decoupled else 1.0)
    penalty = number(0.0 if decoupled else weight_decay)
    return step_size, correction, number(eps), keep, penalty, number(1 - beta1), number(beta2), number(1 - beta2)


@_strict
def _adam_piece(table, row, begin, end, like, counts, hyper, decoupled, maximize):
    p, g = _piece(table, row, 0, begin, end, like), _piece(table, row, 1, begin, end, like)
    m, v = _piece(table, row, 2, begin, end, like), _piece(table, row, 3, begin, end, like)
    step_size, correction, eps, keep, penalty, new1, old2, new2 = _adam_numbers(
        counts[row], hyper, decoupled, p.dtype.type
    )
    for i in range(p.size):
        x = p[i] * keep
        d = -g[i] if maximize else g[i]
        if penalty != 0:
            d = d + penalty * x
        mean = m[i] + new1 * (d - m[i])
        square = old2 * v[i] + new2 * d * d
        m[i] = mean
        v[i] = square
        p[i] = x - step_size * mean / (np.sqrt(square) * correction + eps)


@_strict
def _adam_part(part, table, like, counts, hyper, decoupled, maximize):
    _row_by_row(_adam_piece, part, table, like, (counts, hyper, decoupled, maximize))


@_strict
def _squares(p, g, v, vmax, penalty, old2, new2, maximize):
    for i in range(p.size):
        d = -g[i] if maximize else g[i]
        if penalty != 0:
            d = d + penalty * p[i]
        square = old2 * v[i] + new2 * d * d
        v[i] = square
        vmax[i] = vmax[i] if vmax[i] >= square else square


@_strict
def _amsgrad_piece(table, row, begin, end, like, counts, hyper, decoupled, maximize):
    # In pieces that stay in the cache, and two loops: LLVM gives up on one loop over five arrays that might overlap.
    p, g = _piece(table, row, 0, begin, end, like), _piece(table, row, 1, begin, end, like)
    m, v = _piece(table, row, 2, begin, end, like), _piece(table, row, 3, begin, end, like)
    vmax = _piece(table, row, 4, begin, end, like)
    step_size, correction, eps, keep, penalty, new1, old2, new2 = _adam_numbers(
        counts[row], hyper, decoupled, p.dtype.type
    )
    for first in range(0, p.size, 1024):
        piece = slice(first, min(first + 1024, p.size))
        _squares(p[piece], g[piece], v[piece], vmax[piece], penalty, old2, new2, maximize)
        pp, gg, mm, largest = p[piece], g[piece], m[piece], vmax[piece]
        for i in range(pp.size):
            x = pp[i] * keep
            d = -gg[i] if maximize else gg[i]
            if penalty != 0:
                d = d + penalty * x
            mean = mm[i] + new1 * (d - mm[i])
            mm[i] = mean
            pp[i] = x - step_size * mean / (np.sqrt(largest[i]) * correction + eps)


@_strict
def _amsgrad_part(part, table, like, counts, hyper, decoupled, maximize):
    _row_by_row(_amsgrad_piece, part, table, like, (counts, hyper, decoupled, maximize))


@_strict
def _adam(pool, table, like, hyper, decoupled, maximize):
    counts = _count_steps(table)
    spread(pool, _adam_part, _parts(table), (table, like, counts, hyper, decoupled, maximize))


@_strict
def _amsgrad(pool, table, like, hyper, decoupled, maximize):
    counts = _count_steps(table)
    spread(pool, _amsgrad_part, _parts(table), (table, like, counts, hyper, decoupled, maximize))


# ---------------------------------------------------------------------------------------------------------------
# The functions. They take lists with an array for each parameter, and the launch of the step before, if it was kept.


def sgd(p, g, buf, hyper, *, nesterov, first, maximize=False, launch=None):
    """One step of gradient descent for all parameters, changing ``p`` and ``buf`` in place.

    ``p``, ``g``, ``buf``: lists of arrays, those of one place of one shape (*) and dtype; ``hyper``, (4,) float64, is
    [lr, momentum, dampening, weight_decay]. With d = g + weight_decay * p (-g to maximize)::

        buf = d if first else momentum * buf + (1 - dampening) * d
        p   = p - lr * (d + momentum * buf if nesterov else buf)

    and p = p - lr * d where momentum is 0; ``buf`` may then be empty.
    Source: the formula of PyTorch's ``SGD`` (Sutskever et al., 2013, with the learning rate outside the velocity).
    """
    _check_hyper(hyper, 4)
    launch = launch or Launch()
    if hyper[1] == 0.0:
        launch.run(_sgd, [p], g, [], hyper, maximize)
    elif len(buf) < len(p):
        raise ValueError(f"momentum is {hyper[1]}, but no momentum buffer was given")
    else:
        launch.run(_sgd_momentum, [p, buf], g, [], hyper, nesterov, first, maximize)


def adam(p, g, m, v, vmax, steps, hyper, *, decoupled, amsgrad=False, maximize=False, launch=None):
    """One step of Adam for all parameters, changing ``p``, ``m``, ``v``, ``steps`` (``vmax`` for amsgrad) in place.

    ``p``, ``g``, ``m``, ``v``, ``vmax``: lists of arrays, those of one place of one shape (*) and dtype; ``steps``: the
    counts of steps, float arrays of one element; ``hyper``, (5,) float64, is [lr, beta1, beta2, eps, weight_decay]::

        t = t + 1
        d = g + weight_decay * p                    or, decoupled (AdamW), p = p * (1 - lr * weight_decay)
        m = beta1 * m + (1 - beta1) * d
        v = beta2 * v + (1 - beta2) * d * d         amsgrad: vmax = max(vmax, v), and vmax for v below
        p = p - lr / (1 - beta1**t) * m / (sqrt(v / (1 - beta2**t)) + eps)

    Source: Kingma and Ba, 2015; Loshchilov and Hutter, 2019 (AdamW); Reddi et al., 2018 (amsgrad).
    """
    _check_hyper(hyper, 5)
    launch = launch or Launch()
    if not amsgrad:
        launch.run(_adam, [p, m, v], g, [steps], hyper, decoupled, maximize)
    elif len(vmax) < len(p):
        raise ValueError("amsgrad needs vmax, the array of the largest v so far; got none")
    else:
        launch.run(_amsgrad, [p, m, v, vmax], g, [steps], hyper, decoupled, maximize)
