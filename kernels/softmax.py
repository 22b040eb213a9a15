"""Softmax, its logarithm and cross-entropy, on float32 and float64 arrays.

Where the axis to normalise is the last, the kernels see rows: arrays (N, C). Threads share them in parts of some rows,
and each works on blocks of rows that stay in the nearest cache, so that exp runs over a whole block and not over one
short row. Along another axis they see arrays (outer, C, inner), of which they take strips: some columns of one outer.

Every function takes ``out=``, the array to write to, which may be an input.
"""

import math

import numpy as np

from . import vecmath
from ._jit import inlined, kernel
from ._launch import FINE, checked, launch
from ._layout import INT64, axis_index, check_same, deliver, destination, plain
from ._threads import pool_for, spread
from .activation import apart
from .copying import copy
from .reduce import largest, total


def softmax(x, dim, *, out=None):
    """exp(x) / sum(exp(x)) along the axis ``dim``. x: (*) -> (*)."""
    return _along_axis(_softmax, _softmax_of_columns, dim, out, plain(x))


def softmax_backward(g, y, dim, *, out=None):
    """The gradient of softmax, y (g - sum(g y)), with y = softmax(x). g, y: (*) -> (*)."""
    return _along_axis(_softmax_backward, _softmax_backward_of_columns, dim, out, *_plain_pair(g, y))


def log_softmax(x, dim, *, out=None):
    """x - log(sum(exp(x))) along the axis ``dim``. x: (*) -> (*)."""
    return _along_axis(_log_softmax, _log_softmax_of_columns, dim, out, plain(x))


def log_softmax_backward(g, y, dim, *, out=None):
    """The gradient of log_softmax, g - exp(y) sum(g), with y = log_softmax(x). g, y: (*) -> (*)."""
    return _along_axis(_log_softmax_backward, _log_softmax_backward_of_columns, dim, out, *_plain_pair(g, y))


def cross_entropy(x, target, *, reduction="mean", ignore_index=-100, out=None):
    """The negative log-likelihood of the classes ``target`` under softmax(x), and what its backward needs.

    x: (N, C), target: (N,) int64 -> loss: (N,) for reduction "none", else (); lse: (N,), log(sum(exp(x))) of each row.
    Rows whose target is ``ignore_index`` count for nothing; the mean is over the others (NaN if there are none).
    ``out`` is the pair of arrays (loss, lse) to write to.
    IndexError for a target that is neither a class nor ``ignore_index``.
    """
    x, target = _fitting(x, target)
    mode = _mode(reduction)
    n, classes = x.shape
    loss_out, lse_out = (None, None) if out is None else out
    loss = destination(loss_out, (n,) if mode == _NONE else (), x.dtype, "loss")
    lse = destination(lse_out, (n,), x.dtype, "lse")

    def complain(row):
        _raise_bad_target(target, row, classes, ignore_index)

    checked(_cross_entropy, complain, pool_for(x.size), x, target, mode, ignore_index, loss.ravel(), lse)
    return (loss, lse) if out is None else (deliver(loss, loss_out), deliver(lse, lse_out))


def cross_entropy_backward(g, x, target, lse, *, reduction="mean", ignore_index=-100, out=None):
    """The gradient of cross_entropy for x: g (softmax(x) - one_hot(target)), over the number of rows for the mean.

    g: (N,) for reduction "none", else (); x: (N, C), target: (N,) int64, lse: (N,) -> (N, C).
    IndexError for a target that is neither a class nor ``ignore_index``.
    """
    x, target = _fitting(x, target)
    mode = _mode(reduction)
    n, classes = x.shape
    g, lse = plain(g, "g"), plain(lse, "lse")
    expected = (n,) if mode == _NONE else ()
    if g.shape != expected or lse.shape != (n,):
        raise ValueError(f"expected g of shape {expected} and lse of shape {(n,)}, got {g.shape} and {lse.shape}")
    if g.dtype != x.dtype or lse.dtype != x.dtype:
        raise TypeError(f"expected g, x and lse of one dtype, got {g.dtype}, {x.dtype} and {lse.dtype}")
    result = destination(out, x.shape, x.dtype)

    def complain(row):
        _raise_bad_target(target, row, classes, ignore_index)

    pool = pool_for(x.size)
    checked(_cross_entropy_backward, complain, pool, g.ravel(), x, target, lse, mode, ignore_index, result)
    return deliver(result, out)


# ---------------------------------------------------------------------------------------------------------------
# From any axis to rows or columns.


def _plain_pair(g, y):
    g, y = plain(g, "g"), plain(y, "y")
    if g.shape != y.shape or g.dtype is not y.dtype:
        check_same(g, y, ("g", "y"))
    return g, y


def _along_axis(of_rows, of_columns, dim, out, *arrays):
    """Run a kernel over plain arrays of one shape: on (N, C) where the axis ``dim`` is the last, else on columns."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    axis = axis_index(dim, len(shape))
    result = destination(out, shape, dtype)
    if axis >= len(shape) - 1:
        launch(of_rows, pool_for(result.size), *[_as_rows(x) for x in arrays], _as_rows(result))
    else:
        flat = [x.reshape(-1) for x in (*arrays, result)]
        launch(of_columns, pool_for(result.size), *flat, shape[axis], math.prod(shape[axis + 1 :]))
    return deliver(result, out)


def _as_rows(x):
    """A plain array with all axes but the last merged: (N, C)."""
    if x.ndim == 2:
        return x
    columns = x.shape[-1] if x.ndim else 1
    return x.reshape(x.size // columns if columns else 0, columns)


# ---------------------------------------------------------------------------------------------------------------
# What cross-entropy checks.

_NONE, _MEAN, _SUM = 0, 1, 2
_MODES = {"none": _NONE, "mean": _MEAN, "sum": _SUM}


def _mode(reduction):
    mode = _MODES.get(reduction)
    if mode is None:
        raise ValueError(f"{reduction!r} is not a valid value for reduction: expected 'none', 'mean' or 'sum'")
    return mode


def _fitting(x, target):
    """x and target as plain arrays whose shapes and dtypes fit."""
    if x.ndim != 2 or target.ndim != 1:
        raise ValueError(f"expected x of shape (N, C) and target of shape (N,), got {x.shape} and {target.shape}")
    if len(x) != len(target):
        raise ValueError(
            f"Expected input batch_size ({len(x)}) to match target batch_size ({len(target)}): "
            f"got x of shape {x.shape} and target of shape {target.shape}"
        )
    if target.dtype is not INT64 and target.dtype != INT64:
        raise TypeError(f"expected target of dtype int64 (class indices), got {target.dtype}; convert it first")
    return plain(x), target if target.flags.carray else copy(target)


def _raise_bad_target(target, row, classes, ignore_index):
    raise IndexError(
        f"Target {target[row]} is out of bounds: expected a class from 0 to {classes - 1}, "
        f"or ignore_index ({ignore_index}), in row {row} of {len(target)}"
    )


# ---------------------------------------------------------------------------------------------------------------
# The compiled loops. Rows are pieces of flat arrays, given by their bounds (see reduce.py). A function of a part works
# on some rows for one thread; the number of parts depends on the shape alone.
#
# A row that holds NaN or inf, or nothing but -inf, comes out as NaN without special care, because x - max(x) does.

PART = 8192  # elements that a thread takes at a time
BLOCK = 2048  # elements worked on at a time: 8 or 16 KB
SHORT = 32  # columns up to which vectors run across rows instead of along them
NARROW = 16  # elements of a vector
LANES = 64  # rows side by side


@inlined
def _rows_in(elements, columns):
    return max(1, elements // max(1, columns))


@inlined
def _rows_of_a_part(columns):
    """Whole groups of LANES, where the rows are short."""
    rows = _rows_in(PART, columns)
    return max(1, rows // LANES) * LANES if columns <= SHORT else rows


@inlined
def _parts(n, columns):
    rows = _rows_of_a_part(columns)
    return (n + rows - 1) // rows


@inlined
def _part_of(part, n, columns):
    """The first row of a part, and the end."""
    rows = _rows_of_a_part(columns)
    return part * rows, min((part + 1) * rows, n)


@inlined
def _exp(x, start, stop, out, out_start):
    """out[out_start:] = exp(x[start:stop])."""
    vecmath.prefer_wide_vectors()
    first, out_first = np.uint64(start), np.uint64(out_start)
    for k in range(np.uint64(stop - start)):
        out[out_first + k] = vecmath.exp_nonpositive(x[first + k])


@inlined
def _exp_in_place(x, start, stop):
    vecmath.prefer_wide_vectors()
    for k in range(np.uint64(start), np.uint64(stop)):
        x[k] = vecmath.exp_nonpositive(x[k])


@inlined
def _total_of_exp(x, start, stop, number):
    """The sum of exp(x - number)."""
    vecmath.prefer_wide_vectors()
    result = x.dtype.type(0)
    for k in range(np.uint64(start), np.uint64(stop)):
        result += vecmath.exp_nearly(x[k] - number)
    return result


@inlined
def _subtract(x, start, stop, number, out):
    """out = x - number, between the same bounds."""
    for k in range(np.uint64(start), np.uint64(stop)):
        out[k] = x[k] - number


@inlined
def _multiply_in_place(x, start, stop, number):
    for k in range(np.uint64(start), np.uint64(stop)):
        x[k] *= number


# --- softmax -------------------------------------------------------------------------------------------------------


@kernel
def _softmax(pool, x, out):
    spread(pool, _softmax_part, _parts(*x.shape), (x, out))


@inlined
def _softmax_part(part, x2d, out2d):
    n, columns = x2d.shape
    x, out = x2d.reshape(x2d.size), out2d.reshape(out2d.size)
    first, last = _part_of(part, n, columns)
    rows = _rows_in(BLOCK, columns)
    for block in range(first, last, rows):
        stop = min(block + rows, last)
        for i in range(block, stop):
            row, end = i * columns, (i + 1) * columns
            _subtract(x, row, end, largest(x, row, end), out)
        _exp_in_place(out, block * columns, stop * columns)
        for i in range(block, stop):
            row, end = i * columns, (i + 1) * columns
            _multiply_in_place(out, row, end, x.dtype.type(1) / total(out, row, end))


@kernel
def _softmax_backward(pool, g, y, out):
    spread(pool, _softmax_backward_part, _parts(*g.shape), (g, y, out))


@inlined
def _softmax_backward_part(part, g2d, y2d, out2d):
    vecmath.prefer_wide_vectors()
    n, columns = g2d.shape
    g, y, out = g2d.reshape(g2d.size), y2d.reshape(y2d.size), out2d.reshape(out2d.size)
    first, last = _part_of(part, n, columns)
    for i in range(first, last):
        row, end = np.uint64(i * columns), np.uint64((i + 1) * columns)
        dot = g.dtype.type(0)
        for k in range(row, end):
            dot += g[k] * y[k]
        for k in range(row, end):
            out[k] = y[k] * (g[k] - dot)


@kernel
def _log_softmax(pool, x, out):
    spread(pool, _log_softmax_part, _parts(*x.shape), (x, out))


@inlined
def _log_softmax_part(part, x2d, out2d):
    n, columns = x2d.shape
    x, out = x2d.reshape(x2d.size), out2d.reshape(out2d.size)
    first, last = _part_of(part, n, columns)
    rows = _rows_in(BLOCK, columns)
    work = np.empty(rows * columns, x.dtype)
    for block in range(first, last, rows):
        stop = min(block + rows, last)
        for i in range(block, stop):
            row, end = i * columns, (i + 1) * columns
            _subtract(x, row, end, largest(x, row, end), out)
        _exp(out, block * columns, stop * columns, work, 0)
        for i in range(block, stop):
            place = (i - block) * columns
            _subtract(out, i * columns, (i + 1) * columns, vecmath.log(total(work, place, place + columns)), out)


@kernel
def _log_softmax_backward(pool, g, y, out):
    spread(pool, _log_softmax_backward_part, _parts(*g.shape), (g, y, out))


@inlined
def _log_softmax_backward_part(part, g2d, y2d, out2d):
    n, columns = g2d.shape
    g, y, out = g2d.reshape(g2d.size), y2d.reshape(y2d.size), out2d.reshape(out2d.size)
    first, last = _part_of(part, n, columns)
    rows = _rows_in(BLOCK, columns)
    work = np.empty(rows * columns, g.dtype)
    for block in range(first, last, rows):
        stop = min(block + rows, last)
        _exp(y, block * columns, stop * columns, work, 0)
        for i in range(block, stop):
            row, p = np.uint64(i * columns), np.uint64((i - block) * columns)
            sum_of_g = total(g, i * columns, (i + 1) * columns)
            for k in range(np.uint64(columns)):
                out[row + k] = g[row + k] - work[p + k] * sum_of_g


# --- columns: softmax along an axis that is not the last -----------------------------------------------------------
# Vectors run across the columns of a strip, for which the largest elements and the sums are kept.

STRIP = 4096  # elements of a strip, of at least NARROWEST and at most WIDEST columns
NARROWEST, WIDEST = 64, 512


@inlined
def _columns_of_a_strip(size, inner):
    return min(inner, min(WIDEST, max(NARROWEST, STRIP // max(1, size))))


@inlined
def _strips_and_parts(x, size, inner):
    """How many strips there are, and how many parts of some of them."""
    width = max(1, _columns_of_a_strip(size, inner))
    strips = x.size // max(1, size * inner) * ((inner + width - 1) // width)
    together = _rows_in(PART, size * width)
    return strips, (strips + together - 1) // together


@inlined
def _strip(strip, size, inner):
    """The first element of a strip, and how many columns it has."""
    width = _columns_of_a_strip(size, inner)
    strips = (inner + width - 1) // width
    first = strip % strips * width
    return strip // strips * size * inner + first, min(width, inner - first)


@inlined
def _strips_of_part(part, strips, parts):
    return range(part * strips // parts, (part + 1) * strips // parts)


@inlined
def _largest_of_columns(x, start, size, inner, maxima):
    for j in range(maxima.size):
        maxima[j] = -np.inf
    for row in range(size):
        first = np.uint64(start + row * inner)
        for j in range(np.uint64(maxima.size)):
            maxima[j] = vecmath.maximum(maxima[j], x[first + j])


@kernel
def _softmax_of_columns(pool, x, out, size, inner):
    strips, parts = _strips_and_parts(x, size, inner)
    spread(pool, _softmax_of_strips, parts, (x, out, size, inner, strips, parts))


@inlined
def _softmax_of_strips(part, x, out, size, inner, strips, parts):
    vecmath.prefer_wide_vectors()
    for strip in _strips_of_part(part, strips, parts):
        start, width = _strip(strip, size, inner)
        maxima, totals = np.empty(width, x.dtype), np.zeros(width)
        _largest_of_columns(x, start, size, inner, maxima)
        for row in range(size):
            first = np.uint64(start + row * inner)
            for j in range(np.uint64(width)):
                out[first + j] = vecmath.exp_nonpositive(x[first + j] - maxima[j])
            for j in range(np.uint64(width)):
                totals[j] += out[first + j]
        for j in range(width):
            maxima[j] = 1 / totals[j]
        for row in range(size):
            first = np.uint64(start + row * inner)
            for j in range(np.uint64(width)):
                out[first + j] *= maxima[j]


@kernel
def _softmax_backward_of_columns(pool, g, y, out, size, inner):
    strips, parts = _strips_and_parts(g, size, inner)
    spread(pool, _softmax_backward_of_strips, parts, (g, y, out, size, inner, strips, parts))


@inlined
def _softmax_backward_of_strips(part, g, y, out, size, inner, strips, parts):
    vecmath.prefer_wide_vectors()
    for strip in _strips_of_part(part, strips, parts):
        start, width = _strip(strip, size, inner)
        totals, dots = np.zeros(width), np.empty(width, g.dtype)
        for row in range(size):
            first = np.uint64(start + row * inner)
            for j in range(np.uint64(width)):
                totals[j] += g[first + j] * y[first + j]
        for j in range(width):
            dots[j] = totals[j]
        for row in range(size):
            first = np.uint64(start + row * inner)
            for j in range(np.uint64(width)):
                out[first + j] = y[first + j] * (g[first + j] - dots[j])


@kernel
def _log_softmax_of_columns(pool, x, out, size, inner):
    strips, parts = _strips_and_parts(x, size, inner)
    spread(pool, _log_softmax_of_strips, parts, (x, out, size, inner, strips, parts))


@inlined
def _log_softmax_of_strips(part, x, out, size, inner, strips, parts):
    vecmath.prefer_wide_vectors()
    for strip in _strips_of_part(part, strips, parts):
        start, width = _strip(strip, size, inner)
        maxima, logs, totals = np.empty(width, x.dtype), np.empty(width, x.dtype), np.zeros(width)
        _largest_of_columns(x, start, size, inner, maxima)
        for row in range(size):
            first = np.uint64(start + row * inner)
            for j in range(np.uint64(width)):
                logs[j] = vecmath.exp_nonpositive(x[first + j] - maxima[j])
            for j in range(np.uint64(width)):
                totals[j] += logs[j]
        for j in range(width):
            logs[j] = vecmath.log(x.dtype.type(totals[j]))
        for row in range(size):
            first = np.uint64(start + row * inner)
            for j in range(np.uint64(width)):
                out[first + j] = (x[first + j] - maxima[j]) - logs[j]


@kernel
def _log_softmax_backward_of_columns(pool, g, y, out, size, inner):
    strips, parts = _strips_and_parts(g, size, inner)
    spread(pool, _log_softmax_backward_of_strips, parts, (g, y, out, size, inner, strips, parts))


@inlined
def _log_softmax_backward_of_strips(part, g, y, out, size, inner, strips, parts):
    vecmath.prefer_wide_vectors()
    for strip in _strips_of_part(part, strips, parts):
        start, width = _strip(strip, size, inner)
        totals, sums = np.zeros(width), np.empty(width, g.dtype)
        for row in range(size):
            first = np.uint64(start + row * inner)
            for j in range(np.uint64(width)):
                totals[j] += g[first + j]
        for j in range(width):
            sums[j] = totals[j]
        for row in range(size):
            first = np.uint64(start + row * inner)
            for j in range(np.uint64(width)):
                out[first + j] = g[first + j] - vecmath.exp_nonpositive(y[first + j]) * sums[j]


# --- cross-entropy -------------------------------------------------------------------------------------------------


@inlined
def _count_targets(target, classes, ignore_index):
    """How many targets are not ignored, and the first row whose target is no class, or FINE. Runs in vectors."""
    counted, bad = 0, target.size
    for i in range(target.size):
        is_counted = target[i] != ignore_index
        counted += is_counted
        bad = min(bad, i if is_counted & ((target[i] < 0) | (target[i] >= classes)) else target.size)
    return counted, (bad if bad < target.size else FINE)


@kernel
def _cross_entropy(pool, x, target, mode, ignore_index, loss, lse):
    """Fill loss and lse, and return FINE; or do nothing, and return the first row whose target is bad."""
    counted, bad = _count_targets(target, x.shape[1], ignore_index)
    if bad != FINE:
        return bad
    losses = loss if mode == _NONE else np.empty(x.shape[0], x.dtype)
    spread(pool, _cross_entropy_part, _parts(*x.shape), (x, target, ignore_index, losses, lse))
    if mode != _NONE:
        sum_of_losses = 0.0
        for i in range(losses.size):
            sum_of_losses += losses[i]
        loss[0] = sum_of_losses / counted if mode == _MEAN else sum_of_losses
    return bad


@inlined
def _cross_entropy_part(part, x2d, target, ignore_index, losses, lse):
    n, columns = x2d.shape
    x = x2d.reshape(x2d.size)
    first, last = _part_of(part, n, columns)
    work = np.empty((SHORT + 2) * LANES, x.dtype)
    maxima, logs = work[SHORT * LANES : (SHORT + 1) * LANES], work[(SHORT + 1) * LANES :]
    for block in range(first, last, LANES):
        rows = min(LANES, last - block)
        if columns <= SHORT:
            _maxima_and_totals_of_short_rows(x, block * columns, rows, columns, work, maxima, logs)
        else:
            for i in range(rows):
                row, end = (block + i) * columns, (block + i + 1) * columns
                maxima[i] = largest(x, row, end)
                logs[i] = _total_of_exp(x, row, end, maxima[i])
        for i in range(rows):
            logs[i] = vecmath.log(logs[i])
        for i in range(rows):
            lse[block + i] = maxima[i] + logs[i]
            losses[block + i] = 0
            if target[block + i] != ignore_index:
                losses[block + i] = _loss_of_row(logs[i], x2d[block + i, target[block + i]], maxima[i])


@inlined
def _maxima_and_totals_of_short_rows(x, start, rows, columns, work, maxima, totals):
    """For up to LANES rows from x[start], the largest element and the sum of exp(x - largest).

    The rows are transposed into ``work``, so that a vector holds one column of many rows.
    """
    vecmath.prefer_wide_vectors()
    for j in range(columns):
        for i in range(rows):
            work[np.uint64(j * LANES + i)] = x[np.uint64(start + i * columns + j)]
    for i in range(rows):
        maxima[i] = -np.inf
        totals[i] = 0
    for j in range(columns):
        column = work[j * LANES : (j + 1) * LANES]
        for i in range(rows):
            maxima[i] = vecmath.maximum(maxima[i], column[i])
    for j in range(columns):
        column = work[j * LANES : (j + 1) * LANES]
        for i in range(rows):
            totals[i] += vecmath.exp_nearly(column[i] - maxima[i])


@vecmath.exactly
def _loss_of_row(log_total, x, largest):
    """lse - x, in the order that keeps a small loss exact beside a large x."""
    return log_total - (x - largest)


@kernel
def _cross_entropy_backward(pool, g, x, target, lse, mode, ignore_index, out):
    """Fill out, and return FINE; or do nothing, and return the first row whose target is bad."""
    counted, bad = _count_targets(target, x.shape[1], ignore_index)
    if bad != FINE:
        return bad
    divisor = counted if mode == _MEAN else 1
    spread(pool, _cross_entropy_backward_part, _parts(*x.shape), (g, x, target, lse, mode, divisor, ignore_index, out))
    return bad


@inlined
def _cross_entropy_backward_part(part, g, x2d, target, lse, mode, divisor, ignore_index, out2d):
    n, columns = x2d.shape
    first, last = _part_of(part, n, columns)
    out = out2d.reshape(out2d.size)[first * columns : last * columns]
    x = apart(x2d.reshape(x2d.size)[first * columns : last * columns], out)
    scales, common = np.empty(last - first, x.dtype), g[0] / x.dtype.type(divisor)
    for i in range(last - first):
        scale = g[first + i] if mode == _NONE else common
        scales[i] = scale if target[first + i] != ignore_index else x.dtype.type(0)
    if columns <= SHORT:
        _gradients_of_short_rows(x, columns, target[first:last], lse[first:last], scales, out)
    else:
        _gradients_of_long_rows(x, columns, target[first:last], lse[first:last], scales, out)


@inlined
def _gradients_of_short_rows(x, columns, target, lse, scales, out):
    """(exp(x - lse) - one_hot(target)) scale, in whole vectors: the next row takes what is too much.

    Where there is no room for a vector, at the end, it is left at the row.
    """
    vecmath.prefer_wide_vectors()
    whole = (columns + NARROW - 1) // NARROW * NARROW
    for i in range(target.size):
        row, scale, lse_of_row, place = i * columns, scales[i], lse[i], np.int32(target[i])
        width = whole if row + whole <= out.size else columns
        for k in range(np.uint64(width)):
            hot = x.dtype.type(1) if np.int32(k) == place else x.dtype.type(0)
            out[np.uint64(row) + k] = (vecmath.exp_nearly(x[np.uint64(row) + k] - lse_of_row) - hot) * scale


@inlined
def _gradients_of_long_rows(x, columns, target, lse, scales, out):
    """The same; the element at the target is computed apart."""
    vecmath.prefer_wide_vectors()
    for i in range(target.size):
        row, scale, lse_of_row = i * columns, scales[i], lse[i]
        for k in range(np.uint64(row), np.uint64(row + columns)):
            out[k] = vecmath.exp_nearly(x[k] - lse_of_row) * scale
        if scale != 0:
            place = row + target[i]
            out[place] = (vecmath.exp_nearly(x[place] - lse_of_row) - x.dtype.type(1)) * scale
