"""Optimiser updates: one parameter array at a time, in place, in one pass over memory.

Learning rates and their like come in a float64 array ``hyper`` and the step count in an array, because a recorded step
reads them anew at each replay. The formulas and the order of operations are PyTorch's; the arithmetic is strict and
each element is on its own, so that neither threads nor vectors change a bit. Running averages of a gradient that stays
zero sink through the subnormal numbers, where each operation would take a hundred times longer: they count as 0.
"""

import math
from typing import Any

import numba
import numpy as np

from ._jit import kernel, worth_threads
from ._layout import FLOAT32, FLOAT64, plain
from .simd import flush_subnormals, restore_subnormals


def _strict(function=None, **options) -> Any:
    """A kernel whose floating point operations are those written, in their order."""
    return kernel(function, fastmath=False, **options)


_CHUNK = 1 << 13  # elements that one thread takes at a time


# ---------------------------------------------------------------------------------------------------------------
# Stochastic gradient descent.


@_strict
def _sgd(p, g, hyper, maximize):
    before = flush_subnormals()
    number = p.dtype.type
    lr, weight_decay = number(hyper[0]), number(hyper[3])
    for i in range(p.size):
        d = -g[i] if maximize else g[i]
        if weight_decay != 0:
            d = d + weight_decay * p[i]
        p[i] = p[i] - lr * d
    restore_subnormals(before)


@_strict
def _sgd_momentum(p, g, buf, hyper, nesterov, first, maximize):
    before = flush_subnormals()
    number = p.dtype.type
    lr, momentum, fresh, weight_decay = number(hyper[0]), number(hyper[1]), number(1 - hyper[2]), number(hyper[3])
    for i in range(p.size):
        d = -g[i] if maximize else g[i]
        if weight_decay != 0:
            d = d + weight_decay * p[i]
        velocity = d if first else momentum * buf[i] + fresh * d
        buf[i] = velocity
        p[i] = p[i] - lr * (d + momentum * velocity if nesterov else velocity)
    restore_subnormals(before)


@_strict(parallel=True)
def _sgd_momentum_parallel(p, g, buf, hyper, nesterov, first, maximize):
    for chunk in numba.prange((p.size + _CHUNK - 1) // _CHUNK):
        begin, end = chunk * _CHUNK, min((chunk + 1) * _CHUNK, p.size)
        _sgd_momentum(p[begin:end], g[begin:end], buf[begin:end], hyper, nesterov, first, maximize)


# ---------------------------------------------------------------------------------------------------------------
# Adam. The bias corrections are numbers of the step, found once in float64.


@numba.njit(inline="always")
def _adam_numbers(step, hyper, decoupled, number):
    """What all elements share: step size, bias correction, eps, both forms of weight decay, rates of the averages."""
    lr, beta1, beta2, eps, weight_decay = hyper
    step_size = number(lr / (1 - beta1**step))
    correction = number(1 / math.sqrt(1 - beta2**step))
    keep = number(1 - lr * weight_decay if decoupled else 1.0)
    penalty = number(0.0 if decoupled else weight_decay)
    return step_size, correction, number(eps), keep, penalty, number(1 - beta1), number(beta2), number(1 - beta2)


@_strict
def _adam(p, g, m, v, step, hyper, decoupled, maximize):
    before = flush_subnormals()
    step_size, correction, eps, keep, penalty, new1, old2, new2 = _adam_numbers(step, hyper, decoupled, p.dtype.type)
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
    restore_subnormals(before)


@_strict(parallel=True)
def _adam_parallel(p, g, m, v, step, hyper, decoupled, maximize):
    for chunk in numba.prange((p.size + _CHUNK - 1) // _CHUNK):
        begin, end = chunk * _CHUNK, min((chunk + 1) * _CHUNK, p.size)
        _adam(p[begin:end], g[begin:end], m[begin:end], v[begin:end], step, hyper, decoupled, maximize)


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
def _adam_amsgrad(p, g, m, v, vmax, step, hyper, decoupled, maximize):
    # In pieces that stay in the cache, and two loops: LLVM gives up on one loop over five arrays that might overlap.
    before = flush_subnormals()
    step_size, correction, eps, keep, penalty, new1, old2, new2 = _adam_numbers(step, hyper, decoupled, p.dtype.type)
    for begin in range(0, p.size, 1024):
        piece = slice(begin, min(begin + 1024, p.size))
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
    restore_subnormals(before)


# ---------------------------------------------------------------------------------------------------------------
# The functions.


def sgd(p, g, buf, hyper, *, nesterov, first, maximize=False):
    """One step of gradient descent, changing ``p`` and ``buf`` in place.  p, g, buf: (*); hyper: (4,) float64.

    ``hyper`` is [lr, momentum, dampening, weight_decay]. With d = g + weight_decay * p (-g to maximize)::

        buf = d if first else momentum * buf + (1 - dampening) * d
        p   = p - lr * (d + momentum * buf if nesterov else buf)

    and p = p - lr * d where momentum is 0; ``buf`` may then be None.
    Source: the formula of PyTorch's ``SGD`` (Sutskever et al., 2013, with the learning rate outside the velocity).
    """
    _check_hyper(hyper, 4)
    if hyper[1] == 0.0:
        _update(_sgd, None, (p, g), hyper, maximize)
    elif buf is None:
        raise ValueError(f"momentum is {hyper[1]}, but no momentum buffer was given")
    else:
        _update(_sgd_momentum, _sgd_momentum_parallel, (p, g, buf), hyper, nesterov, first, maximize)


def adam(p, g, m, v, vmax, step, hyper, *, decoupled, amsgrad=False, maximize=False):
    """One step of Adam, changing ``p``, ``m``, ``v`` (and ``vmax`` for amsgrad) in place.  p, g, m, v, vmax: (*).

    ``hyper``, (5,) float64, is [lr, beta1, beta2, eps, weight_decay]; ``step``, of one element, counts this step too::

        d = g + weight_decay * p                    or, decoupled (AdamW), p = p * (1 - lr * weight_decay)
        m = beta1 * m + (1 - beta1) * d
        v = beta2 * v + (1 - beta2) * d * d         amsgrad: vmax = max(vmax, v), and vmax for v below
        p = p - lr / (1 - beta1**step) * m / (sqrt(v / (1 - beta2**step)) + eps)

    Source: Kingma and Ba, 2015; Loshchilov and Hutter, 2019 (AdamW); Reddi et al., 2018 (amsgrad).
    """
    _check_hyper(hyper, 5)
    count = step.item()
    if not amsgrad:
        _update(_adam, _adam_parallel, (p, g, m, v), count, hyper, decoupled, maximize)
    elif vmax is None:
        raise ValueError("amsgrad needs vmax, the array of the largest v so far; got None")
    else:
        _update(_adam_amsgrad, None, (p, g, m, v, vmax), count, hyper, decoupled, maximize)


# An element of Adam takes some 0.4 ns, and a parallel region 2.4 us.
_PARALLEL_SIZE = 1 << 15


def _check_hyper(hyper, size):
    if hyper.dtype != FLOAT64 or hyper.shape != (size,):
        raise ValueError(f"expected hyper of shape ({size},) and dtype float64, got {hyper.shape} and {hyper.dtype}")


def _update(loop, parallel_loop, arrays, *numbers):
    """Run ``loop(p, g, *states, *numbers)`` on the flat ``arrays`` (p, g, *states)."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    for x in arrays:
        if x.shape != shape or x.dtype is not dtype or not x.flags.carray:
            _check_arrays(arrays)
            _update_copies(loop, arrays, numbers)
            return
    if dtype is not FLOAT32 and dtype is not FLOAT64:
        _check_arrays(arrays)
    if parallel_loop is not None and worth_threads(arrays[0].size, _PARALLEL_SIZE):
        loop = parallel_loop
    loop(*[x.ravel() for x in arrays], *numbers)


def _update_copies(loop, arrays, numbers):
    """The same for arrays of any layout: on copies, all but the gradient copied back."""
    copies = [plain(x) for x in arrays]
    loop(*[x.ravel() for x in copies], *numbers)
    for i, x in enumerate(arrays):
        if i != 1 and copies[i] is not x:
            x[...] = copies[i]


def _check_arrays(arrays):
    p = arrays[0]
    if p.dtype not in (FLOAT32, FLOAT64):
        raise TypeError(f"expected p of dtype float32 or float64, got {p.dtype}")
    for i, x in enumerate(arrays[1:]):
        if x.shape != p.shape or x.dtype != p.dtype:
            name = "the gradient" if i == 0 else "the optimiser's state"
            wanted = f"shape {p.shape} and dtype {p.dtype}, as the parameter"
            raise ValueError(f"expected {name} of {wanted}, got {x.shape} and {x.dtype}")
