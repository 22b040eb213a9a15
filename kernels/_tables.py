"""What all optimiser updates share: all parameters in one launch, in place, in one pass over memory.

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

from typing import Any

import numpy as np

from ._jit import inlined, kernel, merged
from ._launch import launch, not_in_a_program
from ._layout import FLOAT32, FLOAT64, plain
from ._threads import equal_part, equal_parts, pool_for
from .simd import address, array_at, flush_subnormals, restore_subnormals


def strict(function=None, **options) -> Any:
    """A kernel whose floating point operations are those written, in their order."""
    return kernel(function, fastmath=False, **options)


part_of_strict = inlined(fastmath=False)

PART = 1 << 13  # elements that one thread takes at a time, at most
_TOGETHER = 8  # the number of parts is a multiple of this, so that up to so many threads get equally many

# The columns of a table: the addresses of up to five arrays, the parameter first and its gradient second, ...
_ARRAYS = 5
_SIZE = 5  # ... the number of their elements, ...
_FIRST = 6  # ... how many elements lie before them, in the rows above, ...
_SCALARS = 7  # ... and where up to three states of one number are: address and bytes, 4 or 8, of each.
_COLUMNS = 13


# ---------------------------------------------------------------------------------------------------------------
# Tables.


@strict
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


@strict
def _enter_gradient(table, row, g):
    table[row, 1] = address(g)


@strict
def _enter_scalar(table, row, place, x):
    table[row, _SCALARS + 2 * place], table[row, _SCALARS + 2 * place + 1] = address(x), x.itemsize


@part_of_strict
def _end(table, row):
    """How many elements lie in a row and those above."""
    return table[row, _FIRST] + table[row, _SIZE]


@part_of_strict
def _elements(table):
    """How many elements all rows have."""
    return _end(table, table.shape[0] - 1)


@part_of_strict
def parts(table):
    """How many parts they are cut into."""
    return equal_parts(_elements(table), PART, _TOGETHER)


@part_of_strict
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


@part_of_strict
def piece(table, row, column, begin, end, like):
    """The elements of an array from ``begin`` on, below ``end`` and in this row, as an array like ``like``."""
    count = min(end, _end(table, row)) - begin
    return array_at(table[row, column] + (begin - table[row, _FIRST]) * like.itemsize, count, like)


@merged
def row_by_row(update, part, table, like, numbers):
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


@part_of_strict
def scalar(table, row, place):
    """The state number ``place`` of those that are one number; the count of steps is number 0."""
    where = table[row, _SCALARS + 2 * place]
    if table[row, _SCALARS + 2 * place + 1] == 4:
        return np.float64(array_at(where, 1, _SINGLE)[0])
    return array_at(where, 1, _DOUBLE)[0]


@part_of_strict
def rounded(table, row, place, value):
    """``value`` in the type of that state."""
    return np.float64(np.float32(value)) if table[row, _SCALARS + 2 * place + 1] == 4 else value


@part_of_strict
def put_scalar(table, row, place, value):
    """Write that state; gives it as it is kept."""
    where = table[row, _SCALARS + 2 * place]
    if table[row, _SCALARS + 2 * place + 1] == 4:
        array_at(where, 1, _SINGLE)[0] = value
    else:
        array_at(where, 1, _DOUBLE)[0] = value
    return rounded(table, row, place, value)


_SINGLE, _DOUBLE = np.empty(0, np.float32), np.empty(0, np.float64)


@part_of_strict
def count_step(table, row):
    """Count the steps of a row up by one; gives the count."""
    return put_scalar(table, row, 0, scalar(table, row, 0) + 1)


@strict
def count_steps(table):
    """Count all steps up by one; gives the counts.  -> (rows,) float64."""
    counts = np.empty(table.shape[0])
    for row in range(table.shape[0]):
        counts[row] = count_step(table, row)
    return counts


@part_of_strict
def direction(p, g, weight_decay, maximize):
    """The gradient of an element, with the weight decay."""
    d = -g if maximize else g
    return d + weight_decay * p if weight_decay != 0 else d


# ---------------------------------------------------------------------------------------------------------------
# Launches.


class _Part:
    """The rows of one dtype: their table, and copies of those arrays that do not lie one element after the other."""

    def __init__(self, dtype, places, rows, scalars):
        self.dtype = dtype
        self.places = places
        self.shapes = [rows[place][0].shape for place in places]
        self.size = sum(rows[place][0].size for place in places)
        self.table = np.empty((len(places), _COLUMNS), np.int64)
        self.copies = []  # (array, its copy)
        for i, place in enumerate(places):
            flat = [self._flat(x) for x in rows[place]]
            _enter(self.table, i, *flat, *flat[:1] * (_ARRAYS - 1 - len(flat)))
            for which, x in enumerate(scalars[place]):
                _enter_scalar(self.table, i, which, _checked_scalar(x))

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

    def run(self, update, columns, gradients, scalars, *numbers):
        """Run ``update`` on all rows.

        ``columns``: lists of the parameters, and of each of their states; ``scalars``: of each state that is one number
        for a parameter, the count of steps first.
        """
        identities = [id(x) for column in (*columns, *scalars) for x in column]
        if identities != self._identities:
            self._parts = _parts_of(list(zip(*columns, strict=True)), _rows_of(scalars, len(columns[0])))
            self._arrays, self._identities = [list(column) for column in (*columns, *scalars)], identities
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


def _rows_of(columns, count):
    return list(zip(*columns, strict=True)) if columns else [()] * count


def _parts_of(rows, scalars):
    """One part for each dtype; a parameter that is given twice changes once after the other."""
    for row in rows:
        _check_row(row)
    if len({id(row[0]) for row in rows}) < len(rows):
        return [_Part(row[0].dtype, [i], rows, scalars) for i, row in enumerate(rows)]
    places = {}
    for i, row in enumerate(rows):
        places.setdefault(row[0].dtype, []).append(i)
    return [_Part(dtype, chosen, rows, scalars) for dtype, chosen in places.items()]


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


def _checked_scalar(x):
    if x.dtype not in (FLOAT32, FLOAT64) or x.size != 1 or not x.flags.carray:
        raise TypeError(f"expected a count of steps, or its like, as one float32 or float64, got {x.dtype} {x.shape}")
    return x.ravel()


def check_hyper(hyper, size):
    if hyper.dtype != FLOAT64 or hyper.shape != (size,):
        raise ValueError(f"expected hyper of shape ({size},) and dtype float64, got {hyper.shape} and {hyper.dtype}")
