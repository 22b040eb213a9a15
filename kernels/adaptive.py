"""Optimiser updates that fit the step of each element to the gradients it has had; _tables.py says how they run.

What all elements of a parameter share is found in float64, once a step; the loops over the elements round it to their
own type, as PyTorch does.
"""

import numpy as np

from ._tables import (
    Launch,
    check_hyper,
    count_step,
    count_steps,
    direction,
    parts,
    piece,
    put_scalar,
    row_by_row,
    scalar,
    strict,
)
from ._threads import spread

# ---------------------------------------------------------------------------------------------------------------
# Adagrad.


@strict
def _adagrad_piece(table, row, begin, end, like, counts, hyper, maximize):
    p, g = piece(table, row, 0, begin, end, like), piece(table, row, 1, begin, end, like)
    total = piece(table, row, 2, begin, end, like)
    number = p.dtype.type
    step_size = number(-hyper[0] / (1 + (counts[row] - 1) * hyper[1]))
    weight_decay, eps = number(hyper[2]), number(hyper[3])
    for i in range(p.size):
        d = direction(p[i], g[i], weight_decay, maximize)
        square = total[i] + d * d
        total[i] = square
        p[i] = p[i] + step_size * d / (np.sqrt(square) + eps)


@strict
def _adagrad_part(part, table, like, counts, hyper, maximize):
    row_by_row(_adagrad_piece, part, table, like, (counts, hyper, maximize))


@strict
def _adagrad(pool, table, like, hyper, maximize):
    counts = count_steps(table)
    spread(pool, _adagrad_part, parts(table), (table, like, counts, hyper, maximize))


def adagrad(p, g, total, steps, hyper, *, maximize=False, launch=None):
    """One step of Adagrad for all parameters, changing ``p``, ``total`` and ``steps`` in place.

    ``p``, ``g``, ``total``: lists of arrays, those of one place of one shape (*) and dtype; ``steps``: the counts of
    steps, float arrays of one element; ``hyper``, (4,) float64, is [lr, lr_decay, weight_decay, eps]::

        t     = t + 1
        d     = g + weight_decay * p
        total = total + d * d
        p     = p - lr / (1 + (t - 1) * lr_decay) * d / (sqrt(total) + eps)

    Source: Duchi, Hazan and Singer, 2011.
    """
    check_hyper(hyper, 4)
    (launch or Launch()).run(_adagrad, [p, total], g, [steps], hyper, maximize)


# ---------------------------------------------------------------------------------------------------------------
# RMSprop.


@strict
def _rmsprop_piece(table, row, begin, end, like, hyper, centered, moving, maximize):
    # Loops over few arrays each: LLVM gives up on one over five that might overlap.
    p, g = piece(table, row, 0, begin, end, like), piece(table, row, 1, begin, end, like)
    square, mean = piece(table, row, 2, begin, end, like), piece(table, row, 3, begin, end, like)
    number = p.dtype.type
    step_size, alpha, new = number(-hyper[0]), number(hyper[1]), number(1 - hyper[1])
    eps, weight_decay, momentum = number(hyper[2]), number(hyper[3]), number(hyper[4])
    d, size = np.empty_like(p), np.empty_like(p)
    for i in range(p.size):
        d[i] = direction(p[i], g[i], weight_decay, maximize)
        square[i] = alpha * square[i] + new * d[i] * d[i]
    if centered:
        for i in range(p.size):
            mean[i] = mean[i] + new * (d[i] - mean[i])
            size[i] = np.sqrt(square[i] - mean[i] * mean[i]) + eps
    else:
        for i in range(p.size):
            size[i] = np.sqrt(square[i]) + eps
    if moving:
        velocity = piece(table, row, 3 + centered, begin, end, like)
        for i in range(p.size):
            velocity[i] = momentum * velocity[i] + d[i] / size[i]
            p[i] = p[i] + step_size * velocity[i]
    else:
        for i in range(p.size):
            p[i] = p[i] + step_size * d[i] / size[i]


@strict
def _rmsprop_part(part, table, like, hyper, centered, moving, maximize):
    row_by_row(_rmsprop_piece, part, table, like, (hyper, centered, moving, maximize))


@strict
def _rmsprop(pool, table, like, hyper, centered, moving, maximize):
    count_steps(table)
    spread(pool, _rmsprop_part, parts(table), (table, like, hyper, centered, moving, maximize))


def rmsprop(p, g, square, mean, velocity, steps, hyper, *, maximize=False, launch=None):
    """One step of RMSprop for all parameters, changing them, their states and ``steps`` in place.

    ``p``, ``g``, ``square``, ``mean``, ``velocity``: lists of arrays, those of one place of one shape (*) and dtype, of
    which ``mean`` is empty unless the average is centred, and ``velocity`` without momentum; ``steps``: the counts of
    steps, float arrays of one element; ``hyper``, (5,) float64, is [lr, alpha, eps, weight_decay, momentum]::

        d      = g + weight_decay * p
        square = alpha * square + (1 - alpha) * d * d
        mean   = alpha * mean + (1 - alpha) * d                 centred: square - mean**2 for square below
        p      = p - lr * d / (sqrt(square) + eps)              or, with momentum,
        velocity = momentum * velocity + d / (sqrt(square) + eps),  p = p - lr * velocity

    Source: Tieleman and Hinton, 2012; centred: Graves, 2013.
    """
    check_hyper(hyper, 5)
    columns = [p, square, *[column for column in (mean, velocity) if column]]
    (launch or Launch()).run(_rmsprop, columns, g, [steps], hyper, bool(mean), bool(velocity), maximize)


# ---------------------------------------------------------------------------------------------------------------
# Adadelta.


@strict
def _adadelta_piece(table, row, begin, end, like, hyper, maximize):
    p, g = piece(table, row, 0, begin, end, like), piece(table, row, 1, begin, end, like)
    square, moved = piece(table, row, 2, begin, end, like), piece(table, row, 3, begin, end, like)
    number = p.dtype.type
    step_size, rho, new = number(-hyper[0]), number(hyper[1]), number(1 - hyper[1])
    eps, weight_decay = number(hyper[2]), number(hyper[3])
    for i in range(p.size):
        d = direction(p[i], g[i], weight_decay, maximize)
        average = rho * square[i] + new * d * d
        step = np.sqrt(moved[i] + eps) / np.sqrt(average + eps) * d
        square[i] = average
        moved[i] = rho * moved[i] + new * step * step
        p[i] = p[i] + step_size * step


@strict
def _adadelta_part(part, table, like, hyper, maximize):
    row_by_row(_adadelta_piece, part, table, like, (hyper, maximize))


@strict
def _adadelta(pool, table, like, hyper, maximize):
    count_steps(table)
    spread(pool, _adadelta_part, parts(table), (table, like, hyper, maximize))


def adadelta(p, g, square, moved, steps, hyper, *, maximize=False, launch=None):
    """One step of Adadelta for all parameters, changing ``p``, ``square``, ``moved`` and ``steps`` in place.

    ``p``, ``g``, ``square``, ``moved``: lists of arrays, those of one place of one shape (*) and dtype; ``steps``: the
    counts of steps, float arrays of one element; ``hyper``, (4,) float64, is [lr, rho, eps, weight_decay]::

        d      = g + weight_decay * p
        square = rho * square + (1 - rho) * d * d
        step   = sqrt(moved + eps) / sqrt(square + eps) * d
        moved  = rho * moved + (1 - rho) * step * step
        p      = p - lr * step

    Source: Zeiler, 2012.
    """
    check_hyper(hyper, 4)
    (launch or Launch()).run(_adadelta, [p, square, moved], g, [steps], hyper, maximize)


# ---------------------------------------------------------------------------------------------------------------
# Rprop.


@strict
def _rprop_piece(table, row, begin, end, like, hyper, maximize):
    p, g = piece(table, row, 0, begin, end, like), piece(table, row, 1, begin, end, like)
    before, size = piece(table, row, 2, begin, end, like), piece(table, row, 3, begin, end, like)
    number = p.dtype.type
    less, more, least, most = number(hyper[0]), number(hyper[1]), number(hyper[2]), number(hyper[3])
    one, zero = number(1), number(0)
    for i in range(p.size):
        d = -g[i] if maximize else g[i]
        agrees = d * before[i]
        factor = more if agrees > 0 else less if agrees < 0 else one if agrees == 0 else agrees  # NaN stays
        length = size[i] * factor
        length = least if length < least else length
        length = most if length > most else length
        d = zero if agrees < 0 else d
        before[i] = d
        size[i] = length
        p[i] = p[i] - (one if d > 0 else -one if d < 0 else d) * length


@strict
def _rprop_part(part, table, like, hyper, maximize):
    row_by_row(_rprop_piece, part, table, like, (hyper, maximize))


@strict
def _rprop(pool, table, like, hyper, maximize):
    count_steps(table)
    spread(pool, _rprop_part, parts(table), (table, like, hyper, maximize))


def rprop(p, g, before, size, steps, hyper, *, maximize=False, launch=None):
    """One step of Rprop for all parameters, changing ``p``, ``before``, ``size`` and ``steps`` in place.

    ``p``, ``g``, ``before``, ``size``: lists of arrays, those of one place of one shape (*) and dtype; ``steps``: the
    counts of steps, float arrays of one element; ``hyper``, (4,) float64, is [eta-, eta+, least, most]::

        size   = size * eta+ where g * before > 0, size * eta- where it is < 0, cut to least ... most
        before = 0 where g * before < 0, else g
        p      = p - sign(before) * size

    Source: Riedmiller and Braun, 1993, in the form of Igel and Hüsken, 2000, that takes no step back (iRprop-).
    """
    check_hyper(hyper, 4)
    (launch or Launch()).run(_rprop, [p, before, size], g, [steps], hyper, maximize)


# ---------------------------------------------------------------------------------------------------------------
# Averaged gradient descent. Step size and weight of the average are states of one number.


@strict
def _asgd_sizes(table, hyper):
    """Count the steps; of each row the step size and the weight of the average of this step, put down those of the
    next.  -> (rows, 2)."""
    lr, lambd, alpha, t0 = hyper[0], hyper[1], hyper[2], hyper[3]
    sizes = np.empty((table.shape[0], 2))
    for row in range(table.shape[0]):
        t = count_step(table, row)
        sizes[row, 0], sizes[row, 1] = scalar(table, row, 1), scalar(table, row, 2)
        put_scalar(table, row, 1, lr / (1 + lambd * lr * t) ** alpha)
        put_scalar(table, row, 2, 1 / max(1.0, t - t0))
    return sizes


@strict
def _asgd_piece(table, row, begin, end, like, sizes, hyper, maximize):
    p, g = piece(table, row, 0, begin, end, like), piece(table, row, 1, begin, end, like)
    average = piece(table, row, 2, begin, end, like)
    number = p.dtype.type
    step_size, weight = number(-sizes[row, 0]), number(sizes[row, 1])
    keep, weight_decay = number(1 - hyper[1] * sizes[row, 0]), number(hyper[4])
    for i in range(p.size):
        x = p[i] * keep + step_size * direction(p[i], g[i], weight_decay, maximize)
        p[i] = x
        average[i] = x if weight == 1 else average[i] + (x - average[i]) * weight


@strict
def _asgd_part(part, table, like, sizes, hyper, maximize):
    row_by_row(_asgd_piece, part, table, like, (sizes, hyper, maximize))


@strict
def _asgd(pool, table, like, hyper, maximize):
    sizes = _asgd_sizes(table, hyper)
    spread(pool, _asgd_part, parts(table), (table, like, sizes, hyper, maximize))


def asgd(p, g, average, steps, etas, mus, hyper, *, maximize=False, launch=None):
    """One step of averaged gradient descent for all parameters, changing all but ``g`` and ``hyper`` in place.

    ``p``, ``g``, ``average``: lists of arrays, those of one place of one shape (*) and dtype; ``steps``, ``etas``,
    ``mus``: the counts of steps, the step sizes and the weights of the average, float arrays of one element; ``hyper``,
    (5,) float64, is [lr, lambd, alpha, t0, weight_decay]::

        t       = t + 1
        d       = g + weight_decay * p
        p       = p * (1 - lambd * eta) - eta * d
        average = average + mu * (p - average)
        eta     = lr / (1 + lambd * lr * t)**alpha
        mu      = 1 / max(1, t - t0)

    Source: Polyak and Juditsky, 1992.
    """
    check_hyper(hyper, 5)
    (launch or Launch()).run(_asgd, [p, average], g, [steps, etas, mus], hyper, maximize)
