"""Optimiser updates by running averages of the gradient, as Adam's, and of its size; _tables.py says how they run.

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
    rounded,
    row_by_row,
    scalar,
    strict,
)
from ._threads import spread

# ---------------------------------------------------------------------------------------------------------------
# Adamax.


@strict
def _adamax_piece(table, row, begin, end, like, counts, hyper, maximize):
    p, g = piece(table, row, 0, begin, end, like), piece(table, row, 1, begin, end, like)
    mean, largest = piece(table, row, 2, begin, end, like), piece(table, row, 3, begin, end, like)
    number = p.dtype.type
    step_size = number(-hyper[0] / (1 - hyper[1] ** counts[row]))
    new, old, eps, weight_decay = number(1 - hyper[1]), number(hyper[2]), number(hyper[3]), number(hyper[4])
    for i in range(p.size):
        d = direction(p[i], g[i], weight_decay, maximize)
        m = mean[i] + new * (d - mean[i])
        before, now = old * largest[i], np.abs(d) + eps
        u = before if before >= now or before != before else now  # NaN stays
        mean[i] = m
        largest[i] = u
        p[i] = p[i] + step_size * m / u


@strict
def _adamax_part(part, table, like, counts, hyper, maximize):
    row_by_row(_adamax_piece, part, table, like, (counts, hyper, maximize))


@strict
def _adamax(pool, table, like, hyper, maximize):
    counts = count_steps(table)
    spread(pool, _adamax_part, parts(table), (table, like, counts, hyper, maximize))


def adamax(p, g, mean, largest, steps, hyper, *, maximize=False, launch=None):
    """One step of Adamax for all parameters, changing ``p``, ``mean``, ``largest`` and ``steps`` in place.

    ``p``, ``g``, ``mean``, ``largest``: lists of arrays, those of one place of one shape (*) and dtype; ``steps``: the
    counts of steps, float arrays of one element; ``hyper``, (5,) float64, is [lr, beta1, beta2, eps, weight_decay]::

        t       = t + 1
        d       = g + weight_decay * p
        mean    = beta1 * mean + (1 - beta1) * d
        largest = max(beta2 * largest, |d| + eps)
        p       = p - lr / (1 - beta1**t) * mean / largest

    Source: Kingma and Ba, 2015.
    """
    check_hyper(hyper, 5)
    (launch or Launch()).run(_adamax, [p, mean, largest], g, [steps], hyper, maximize)


# ---------------------------------------------------------------------------------------------------------------
# NAdam. The factors of gradient and mean come of products of momenta, which are a state of one number.


@strict
def _nadam_factors(table, hyper):
    """Count the steps; of each row the factors of gradient and mean, the correction of the squares.  -> (rows, 3)."""
    lr, beta1, beta2, momentum_decay = hyper[0], hyper[1], hyper[2], hyper[5]
    factors = np.empty((table.shape[0], 3))
    for row in range(table.shape[0]):
        t = count_step(table, row)
        momentum = beta1 * (1.0 - 0.5 * 0.96 ** (t * momentum_decay))
        following = beta1 * (1.0 - 0.5 * 0.96 ** ((t + 1) * momentum_decay))
        product = put_scalar(table, row, 1, scalar(table, row, 1) * rounded(table, row, 1, momentum))
        factors[row, 0] = -lr * (1.0 - momentum) / (1.0 - product)
        factors[row, 1] = -lr * following / (1.0 - product * following)
        factors[row, 2] = 1 - beta2**t
    return factors


@strict
def _nadam_piece(table, row, begin, end, like, factors, hyper, decoupled, maximize):
    p, g = piece(table, row, 0, begin, end, like), piece(table, row, 1, begin, end, like)
    mean, square = piece(table, row, 2, begin, end, like), piece(table, row, 3, begin, end, like)
    number = p.dtype.type
    of_gradient, of_mean, correction = number(factors[row, 0]), number(factors[row, 1]), number(factors[row, 2])
    new1, old2, new2, eps = number(1 - hyper[1]), number(hyper[2]), number(1 - hyper[2]), number(hyper[3])
    keep = number(1 - hyper[0] * hyper[4] if decoupled else 1.0)
    weight_decay = number(0.0 if decoupled else hyper[4])
    for i in range(p.size):
        x = p[i] * keep
        d = direction(x, g[i], weight_decay, maximize)
        m = mean[i] + new1 * (d - mean[i])
        v = old2 * square[i] + new2 * d * d
        mean[i] = m
        square[i] = v
        size = np.sqrt(v / correction) + eps
        p[i] = x + of_gradient * d / size + of_mean * m / size


@strict
def _nadam_part(part, table, like, factors, hyper, decoupled, maximize):
    row_by_row(_nadam_piece, part, table, like, (factors, hyper, decoupled, maximize))


@strict
def _nadam(pool, table, like, hyper, decoupled, maximize):
    factors = _nadam_factors(table, hyper)
    spread(pool, _nadam_part, parts(table), (table, like, factors, hyper, decoupled, maximize))


def nadam(p, g, mean, square, steps, products, hyper, *, decoupled, maximize=False, launch=None):
    """One step of NAdam for all parameters, changing ``p``, ``mean``, ``square``, ``steps``, ``products`` in place.

    ``p``, ``g``, ``mean``, ``square``: lists of arrays, those of one place of one shape (*) and dtype; ``steps``,
    ``products``: the counts of steps and the products of the momenta, float arrays of one element; ``hyper``, (6,)
    float64, is [lr, beta1, beta2, eps, weight_decay, momentum_decay]::

        t       = t + 1
        d       = g + weight_decay * p              or, decoupled, p = p * (1 - lr * weight_decay)
        mu(t)   = beta1 * (1 - 0.96**(t * momentum_decay) / 2)
        product = product * mu(t)
        mean    = beta1 * mean + (1 - beta1) * d
        square  = beta2 * square + (1 - beta2) * d * d
        step    = (1 - mu(t)) / (1 - product) * d + mu(t + 1) / (1 - product * mu(t + 1)) * mean
        p       = p - lr * step / (sqrt(square / (1 - beta2**t)) + eps)

    Source: Dozat, 2016.
    """
    check_hyper(hyper, 6)
    (launch or Launch()).run(_nadam, [p, mean, square], g, [steps, products], hyper, decoupled, maximize)


# ---------------------------------------------------------------------------------------------------------------
# RAdam.


@strict
def _radam_factors(table, hyper):
    """Count the steps; of each row the corrections of both averages and the rectification, 0 where there is none yet.

    -> (rows, 3).
    """
    beta1, beta2 = hyper[1], hyper[2]
    factors = np.empty((table.shape[0], 3))
    for row in range(table.shape[0]):
        t = count_step(table, row)
        correction = 1 - beta2**t
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * t * beta2**t / correction
        factors[row, 0] = 1 - beta1**t
        factors[row, 1] = np.sqrt(correction)
        factors[row, 2] = 0.0
        if length > 5.0:
            factors[row, 2] = np.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
    return factors


@strict
def _radam_piece(table, row, begin, end, like, factors, hyper, decoupled, maximize):
    p, g = piece(table, row, 0, begin, end, like), piece(table, row, 1, begin, end, like)
    mean, square = piece(table, row, 2, begin, end, like), piece(table, row, 3, begin, end, like)
    number = p.dtype.type
    correction1, root2, rectified = number(factors[row, 0]), number(factors[row, 1]), number(factors[row, 2])
    lr, new1, old2, new2 = number(hyper[0]), number(1 - hyper[1]), number(hyper[2]), number(1 - hyper[2])
    eps = number(hyper[3])
    keep = number(1 - hyper[0] * hyper[4] if decoupled else 1.0)
    weight_decay = number(0.0 if decoupled else hyper[4])
    for i in range(p.size):
        x = p[i] * keep
        d = direction(x, g[i], weight_decay, maximize)
        m = mean[i] + new1 * (d - mean[i])
        v = old2 * square[i] + new2 * d * d
        mean[i] = m
        square[i] = v
        step = m / correction1 * lr
        p[i] = x - (step * (root2 / (np.sqrt(v) + eps)) * rectified if rectified > 0 else step)


@strict
def _radam_part(part, table, like, factors, hyper, decoupled, maximize):
    row_by_row(_radam_piece, part, table, like, (factors, hyper, decoupled, maximize))


@strict
def _radam(pool, table, like, hyper, decoupled, maximize):
    factors = _radam_factors(table, hyper)
    spread(pool, _radam_part, parts(table), (table, like, factors, hyper, decoupled, maximize))


def radam(p, g, mean, square, steps, hyper, *, decoupled, maximize=False, launch=None):
    """One step of RAdam for all parameters, changing ``p``, ``mean``, ``square`` and ``steps`` in place.

    ``p``, ``g``, ``mean``, ``square``: lists of arrays, those of one place of one shape (*) and dtype; ``steps``: the
    counts of steps, float arrays of one element; ``hyper``, (5,) float64, is [lr, beta1, beta2, eps, weight_decay]::

        t      = t + 1
        d      = g + weight_decay * p               or, decoupled, p = p * (1 - lr * weight_decay)
        mean   = beta1 * mean + (1 - beta1) * d
        square = beta2 * square + (1 - beta2) * d * d
        rho    = 2 / (1 - beta2) - 1
        rho(t) = rho - 2 t * beta2**t / (1 - beta2**t)
        step   = mean / (1 - beta1**t)              and, where rho(t) > 5, times
                 sqrt(1 - beta2**t) / (sqrt(square) + eps)
                 * sqrt((rho(t) - 4) (rho(t) - 2) rho / ((rho - 4) (rho - 2) rho(t)))
        p      = p - lr * step

    Source: Liu et al., 2020.
    """
    check_hyper(hyper, 5)
    (launch or Launch()).run(_radam, [p, mean, square], g, [steps], hyper, decoupled, maximize)
