"""Optimiser updates: all parameters in one launch, in place, in one pass over memory.

Learning rates and their like come in a float64 array ``hyper`` and the step counts in arrays, because a recorded step
reads them anew at each replay. The formulas and the order of operations are PyTorch's; the arithmetic is strict and
each element is on its own, so that neither threads nor vectors change a bit. Running averages of a gradient that stays
zero sink through the subnormal numbers, where an x86 processor takes a hundred times longer: there they count as 0.

A launch sees its arrays through a table of addresses, one row a parameter, so that one compiled kernel serves any
number of parameters of any shapes. All elements, row after row, are cut into equal parts, which threads share out:
equal, for then each thread has the same elements at every step, and keeps them in its own cache.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import math
from typing import Any

import numpy as np

from ._jit import inlined, kernel, merged
from ._launch import launch, not_in_a_program
from ._layout import FLOAT32, FLOAT64, plain
from ._threads import equal_part, equal_parts, pool_for, spread
from .simd import address, array_at, flush_subnormals, restore_subnormals


def _strict(function=None, **options) -> Any:
    """A kernel whose floating point operations are those written, in their order."""
    return kernel(function, fastmath=False, **options)


_part_of_strict = inlined(fastmath=False)

PART = 1 << 13  # elements that one thread takes at a time, at most
_TOGETHER = 8  # the number of parts is a multiple of this, so that up to so many threads get equally many

# The columns of a table: the addresses of up to five arrays, the parameter first and its gradient second, ...
_ARRAYS = 5
_SIZE = 5  # ... the number of their elements, ...
_FIRST = 6  # ... how many elements lie before them, in the rows above, ...
_STEP, _STEP_BYTES = 7, 8  # ... and where the count of steps is, a float of 4 or 8 bytes.
_COLUMNS = 9


# ---------------------------------------------------------------------------------------------------------------
# Tables.


@_strict
def _enter(table, row, p, first, second, third):
    """Fill a row with flat arrays of one size; the gradient comes at each step."""
    table[row, 0], table[row, 2], table[row, 3], table[row, 4] = (
        address(p),
        address(first),
        address(second),
        address(third),
    )
    table[row, _SIZE] = p.size
    table[row, _FIRST] = 0 if row == 0 else _end(table, row - 1)


@_strict
def _enter_gradient(table, row, g):
    table[row, 1] = address(g)


@_strict
def _enter_step(table, row, step):
    table[row, _STEP], table[row, _STEP_BYTES] = address(step), step.itemsize


@_part_of_strict
def _end(table, row):
    """How many elements lie in a row and those above."""
    return table[row, _FIRST] + table[row, _SIZE]


@_part_of_strict
def _elements(table):
    """How many elements all rows have."""
    return _end(table, table.shape[0] - 1)


@_part_of_strict
def _parts(table):
    """How many parts they are cut into."""
    return equal_parts(_elements(table), PART, _TOGETHER)


@_part_of_strict
def _row_of(table, element):
    """The row of an element: the last that does not begin beyond it."""
    low, high = 0, table.shape[0]
    while high - low > 1:
        middle = (low + high) // 2
        if table[middle, _FIRST] <= element:
            low = middle
        else:
            high = middle
    return low


@_part_of_strict
def _piece(table, row, column, begin, end, like):
    """The elements of an array from ``begin`` on, below ``end`` and in this row, as an array like ``like``."""
    count = min(end, _end(table, row)) - begin
    return array_at(table[row, column] + (begin - table[row, _FIRST]) * like.itemsize, count, like)


@merged
def _row_by_row(update, part, table, like, numbers):
    """``update(table, row, begin, end, like, *numbers)`` of every row that a part of the elements lies in.

    Merged, for Numba caches no function that hands a compiled one on.
    """
    before = flush_subnormals()
    begin, end = equal_part(part, _elements(table), PART, _TOGETHER)
    row = _row_of(table, begin)
    while begin < end:
        update(table, row, begin, end, like, *numbers)
        begin = _end(table, row)
        row += 1
    restore_subnormals(before)


@_strict
def _count_steps(table):
    """Count all steps up by one; gives the counts.  -> (rows,) float64."""
    counts = np.empty(table.shape[0])
    for row in range(table.shape[0]):
        if table[row, _STEP_BYTES] == 4:
            step32 = array_at(table[row, _STEP], 1, _SINGLE)
            step32[0] += np.float32(1)
            counts[row] = step32[0]
        else:
            step64 = array_at(table[row, _STEP], 1, _DOUBLE)
            step64[0] += 1
            counts[row] = step64[0]
    return counts


_SINGLE, _DOUBLE = np.empty(0, np.float32), np.empty(0, np.float64)


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
# Launches.


class _Part:
    """The rows of one dtype: their table, and copies of those arrays that do not lie one element after the other."""

    def __init__(self, dtype, places, rows, steps):
        self.dtype = dtype
        self.places = places
        self.shapes = [rows[place][0].shape for place in places]
        self.size = sum(rows[place][0].size for place in places)
        self.table = np.empty((len(places), _COLUMNS), np.int64)
        self.copies = []  # (array, its copy)
        for i, place in enumerate(places):
            flat = [self._flat(x) for x in rows[place]]
            _enter(self.table, i, *flat, *flat[:1] * (_ARRAYS - 1 - len(flat)))
            if steps:
                _enter_step(self.table, i, _checked_step(steps[place]))

    def _flat(self, x):
        if not x.flags.carray:
            self.copies.append((x, plain(x)))
            x = self.copies[-1][1]
        return x.ravel()

    def enter_gradients(self, gradients):
        """Enter the gradients of this step; gives what must stay alive while they are used."""
        flat = []
        for i, place in enumerate(self.places):
            g = gradients[place]
            if g.shape != self.shapes[i] or g.dtype is not self.dtype:
                raise _mismatch("the gradient", g, self.shapes[i], self.dtype)
            if not g.flags.carray:
                not_in_a_program("gradients whose elements do not follow one another")
                g = plain(g)
            flat.append(g.ravel())
            _enter_gradient(self.table, i, flat[-1])
        return flat


class Launch:
    """What is known of the arrays that an update changes: kept from step to step, it saves finding out again."""

    def __init__(self):
        self._arrays = []  # alive, so that no other array can be taken for one of them
        self._identities = []
        self._parts = []

    def __reduce__(self):
        return Launch, ()  # a copy knows nothing: its arrays will be others

    def run(self, update, columns, gradients, steps, *numbers):
        """Run ``update`` on all rows. ``columns``: lists of the parameters, and of each of their states."""
        identities = [id(x) for column in (*columns, steps) for x in column]
        if identities != self._identities:
            self._parts = _parts_of(list(zip(*columns, strict=True)), steps)
            self._arrays, self._identities = [list(column) for column in (*columns, steps)], identities
        alive = [part.enter_gradients(gradients) for part in self._parts]
        for part in self._parts:
            if part.copies:
                not_in_a_program("parameters or states whose elements do not follow one another")
            for x, copy in part.copies:
                copy[...] = x
            launch(update, pool_for(part.size, _PARALLEL_SIZE), part.table, _LIKE[part.dtype], *numbers)
            for x, copy in part.copies:
                x[...] = copy
        del alive


_LIKE = {FLOAT32: np.empty(0, np.float32), FLOAT64: np.empty(0, np.float64)}

# An element of Adam takes some 0.4 ns.
_PARALLEL_SIZE = 1 << 14


def _parts_of(rows, steps):
    """One part for each dtype; a parameter that is given twice changes once after the other."""
    for row in rows:
        _check_row(row)
    if len({id(row[0]) for row in rows}) < len(rows):
        return [_Part(row[0].dtype, [i], rows, steps) for i, row in enumerate(rows)]
    places = {}
    for i, row in enumerate(rows):
        places.setdefault(row[0].dtype, []).append(i)
    return [_Part(dtype, chosen, rows, steps) for dtype, chosen in places.items()]


def _check_row(row):
    p = row[0]
    if p.dtype not in (FLOAT32, FLOAT64):
        raise TypeError(f"expected p of dtype float32 or float64, got {p.dtype}")
    for x in row[1:]:
        if x.shape != p.shape or x.dtype != p.dtype:
            raise _mismatch("the optimiser's state", x, p.shape, p.dtype)


def _mismatch(name, x, shape, dtype):
    wanted = f"shape {shape} and dtype {dtype}, as the parameter"
    return ValueError(f"expected {name} of {wanted}, got {x.shape} and {x.dtype}")


def _checked_step(step):
    if step.dtype not in (FLOAT32, FLOAT64) or step.size != 1 or not step.flags.carray:
        raise TypeError(
            f"expected the count of steps as one float32 or float64, got {step.dtype} of shape {step.shape}"
        )
    return step.ravel()


def _check_hyper(hyper, size):
    if hyper.dtype != FLOAT64 or hyper.shape != (size,):
        raise ValueError(f"expected hyper of shape ({size},) and dtype float64, got {hyper.shape} and {hyper.dtype}")


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
        launch.run(_adam, [p, m, v], g, steps, hyper, decoupled, maximize)
    elif len(vmax) < len(p):
        raise ValueError("amsgrad needs vmax, the array of the largest v so far; got none")
    else:
        launch.run(_amsgrad, [p, m, v, vmax], g, steps, hyper, decoupled, maximize)
