"""Softmax, its logarithm and cross-entropy, on float32 and float64 arrays.

The kernels see rows: arrays (N, C) whose last axis is the one to normalise. They work on blocks of rows that stay in
the nearest cache, pass by pass, so that exp runs over a whole block and not over one short row.

Every function takes ``out=``, the array to write to, which may be an input.
"""

import numpy as np
from numpy import empty

from . import vecmath
from ._jit import inlined, kernel
from ._layout import INT64, axis_index, check_out, check_same, deliver, destination, plain
from .reduce import largest, total


def softmax(x, dim, *, out=None):
    """exp(x) / sum(exp(x)) along the axis ``dim``. x: (*) -> (*)."""
    return _by_rows(_softmax, dim, out, plain(x))


def softmax_backward(g, y, dim, *, out=None):
    """The gradient of softmax, y (g - sum(g y)), with y = softmax(x). g, y: (*) -> (*)."""
    return _by_rows(_softmax_backward, dim, out, *_plain_pair(g, y))


def log_softmax(x, dim, *, out=None):
    """x - log(sum(exp(x))) along the axis ``dim``. x: (*) -> (*)."""
    return _by_rows(_log_softmax, dim, out, plain(x))


def log_softmax_backward(g, y, dim, *, out=None):
    """The gradient of log_softmax, g - exp(y) sum(g), with y = log_softmax(x). g, y: (*) -> (*)."""
    return _by_rows(_log_softmax_backward, dim, out, *_plain_pair(g, y))


def cross_entropy(x, target, *, reduction="mean", ignore_index=-100, out=None):
    """The negative log-likelihood of the classes ``target`` under softmax(x), and what its backward needs.

    x: (N, C), target: (N,) int64 -> loss: (N,) for reduction "none", else (); lse: (N,), log(sum(exp(x))) of each row.
    Rows whose target is ``ignore_index`` count for nothing; the mean is over the others (NaN if there are none).
    ``out`` is the pair of arrays (loss, lse) to write to.
    IndexError for a target that is neither a class nor ``ignore_index``.
    """
    x, target = _checked(x, target)
    mode = _mode(reduction)
    n = x.shape[0]
    loss_out, lse_out = (None, None) if out is None else out
    loss = destination(loss_out, (n,) if mode == _NONE else (), x.dtype, "loss")
    lse = destination(lse_out, (n,), x.dtype, "lse")
    if _cross_entropy(x, target, mode, ignore_index, loss.ravel(), lse):
        _raise_bad_target(target, x.shape[1], ignore_index)
    return deliver(loss, loss_out), deliver(lse, lse_out)


def cross_entropy_backward(g, x, target, lse, *, reduction="mean", ignore_index=-100, out=None):
    """The gradient of cross_entropy for x: g (softmax(x) - one_hot(target)), over the number of rows for the mean.

    g: (N,) for reduction "none", else (); x: (N, C), target: (N,) int64, lse: (N,) -> (N, C).
    IndexError for a target that is neither a class nor ``ignore_index``.
    """
    x, target = _checked(x, target)
    mode = _mode(reduction)
    n = x.shape[0]
    g, lse = plain(g, "g"), plain(lse, "lse")
    expected = (n,) if mode == _NONE else ()
    if g.shape != expected or lse.shape != (n,):
        raise ValueError(f"expected g of shape {expected} and lse of shape {(n,)}, got {g.shape} and {lse.shape}")
    if g.dtype != x.dtype or lse.dtype != x.dtype:
        raise TypeError(f"expected g, x and lse of one dtype, got {g.dtype}, {x.dtype} and {lse.dtype}")
    result = destination(out, x.shape, x.dtype)
    if result is x:
        x = x.copy()
    if _cross_entropy_backward(g.ravel(), x, target, lse, mode, ignore_index, result):
        _raise_bad_target(target, x.shape[1], ignore_index)
    return deliver(result, out)


# ---------------------------------------------------------------------------------------------------------------
# From any axis to rows.


def _plain_pair(g, y):
    g, y = plain(g, "g"), plain(y, "y")
    if g.shape != y.shape or g.dtype is not y.dtype:
        check_same(g, y, ("g", "y"))
    return g, y


def _by_rows(kernel, dim, out, *arrays):
    """Run ``kernel(*arrays, out)`` over plain arrays of one shape, with their axis ``dim`` as the last of two."""
    shape, dtype = arrays[0].shape, arrays[0].dtype
    if out is None and len(shape) == 2 and dim in (1, -1):  # the usual case, sooner done
        result = empty(shape, dtype)
        kernel(*arrays, result)
        return result
    axis = axis_index(dim, len(shape))
    if axis < len(shape) - 1:
        return _by_moved_rows(kernel, axis, out, arrays)
    result = destination(out, shape, dtype)
    kernel(*[_as_rows(x.copy() if x is result else x) for x in arrays], _as_rows(result))
    return deliver(result, out)


def _by_moved_rows(kernel, axis, out, arrays):
    """The same for an axis that is not the last: it is moved there, and the result back."""
    moved = [np.ascontiguousarray(np.moveaxis(x, axis, -1)) for x in arrays]
    result = empty(moved[0].shape, moved[0].dtype)
    kernel(*[_as_rows(x) for x in moved], _as_rows(result))
    result = np.moveaxis(result, -1, axis)
    if out is None:
        return np.ascontiguousarray(result)
    check_out(out, result.shape, result.dtype)
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


def _checked(x, target):
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
    return plain(x), target if target.flags.carray else np.array(target, INT64, order="C")


def _raise_bad_target(target, classes, ignore_index):
    bad = (target != ignore_index) & ((target < 0) | (target >= classes))
    row = int(bad.argmax())
    raise IndexError(
        f"Target {target[row]} is out of bounds: expected a class from 0 to {classes - 1}, "
        f"or ignore_index ({ignore_index}), in row {row} of {len(target)}"
    )


# ---------------------------------------------------------------------------------------------------------------
# The compiled loops. Rows are parts of flat arrays, given by their bounds (see reduce.py).
#
# A row that holds NaN or inf, or nothing but -inf, comes out as NaN without special care, because x - max(x) does.

BLOCK = 2048  # elements worked on at a time: 8 or 16 KB


@inlined
def _rows_at_once(columns):
    return max(1, BLOCK // max(1, columns))


@inlined
def _exp(x, start, stop, out, out_start):
    """out[out_start:] = exp(x[start:stop])."""
    first, out_first = np.uint64(start), np.uint64(out_start)
    for k in range(np.uint64(stop - start)):
        out[out_first + k] = vecmath.exp_nonpositive(x[first + k])


@inlined
def _exp_in_place(x, start, stop):
    for k in range(np.uint64(start), np.uint64(stop)):
        x[k] = vecmath.exp_nonpositive(x[k])


@inlined
def _subtract(x, start, stop, number, out, out_start):
    """out[out_start:] = x[start:stop] - number."""
    first, out_first = np.uint64(start), np.uint64(out_start)
    for k in range(np.uint64(stop - start)):
        out[out_first + k] = x[first + k] - number


@inlined
def _add_in_place(x, start, stop, number):
    for k in range(np.uint64(start), np.uint64(stop)):
        x[k] += number


@inlined
def _multiply_in_place(x, start, stop, number):
    for k in range(np.uint64(start), np.uint64(stop)):
        x[k] *= number


@kernel
def _softmax(x2d, out2d):
    vecmath.prefer_wide_vectors()
    n, columns = x2d.shape
    x, out = x2d.reshape(x2d.size), out2d.reshape(out2d.size)
    rows = _rows_at_once(columns)
    for block in range(0, n, rows):
        stop = min(block + rows, n)
        for i in range(block, stop):
            row, end = i * columns, (i + 1) * columns
            _subtract(x, row, end, largest(x, row, end), out, row)
        _exp_in_place(out, block * columns, stop * columns)
        for i in range(block, stop):
            row, end = i * columns, (i + 1) * columns
            _multiply_in_place(out, row, end, x.dtype.type(1) / total(out, row, end))


@kernel
def _softmax_backward(g2d, y2d, out2d):
    n, columns = g2d.shape
    g, y, out = g2d.reshape(g2d.size), y2d.reshape(y2d.size), out2d.reshape(out2d.size)
    for i in range(n):
        row, end = np.uint64(i * columns), np.uint64((i + 1) * columns)
        dot = g.dtype.type(0)
        for k in range(row, end):
            dot += g[k] * y[k]
        for k in range(row, end):
            out[k] = y[k] * (g[k] - dot)


@kernel
def _log_softmax(x2d, out2d):
    vecmath.prefer_wide_vectors()
    n, columns = x2d.shape
    x, out = x2d.reshape(x2d.size), out2d.reshape(out2d.size)
    rows = _rows_at_once(columns)
    work = np.empty(rows * columns, x.dtype)
    logs = np.empty(rows, x.dtype)
    for block in range(0, n, rows):
        stop = min(block + rows, n)
        for i in range(block, stop):
            row, end = i * columns, (i + 1) * columns
            _subtract(x, row, end, largest(x, row, end), out, row)
        _exp(out, block * columns, stop * columns, work, 0)
        _log_totals(work, stop - block, columns, logs)
        for i in range(block, stop):
            _add_in_place(out, i * columns, (i + 1) * columns, -logs[i - block])


@inlined
def _log_totals(x, rows, columns, out):
    """out = the logarithm of the sum of each of the rows."""
    for i in range(rows):
        out[i] = total(x, i * columns, (i + 1) * columns)
    for i in range(rows):
        out[i] = vecmath.log(out[i])


@kernel
def _log_softmax_backward(g2d, y2d, out2d):
    vecmath.prefer_wide_vectors()
    n, columns = g2d.shape
    g, y, out = g2d.reshape(g2d.size), y2d.reshape(y2d.size), out2d.reshape(out2d.size)
    rows = _rows_at_once(columns)
    work = np.empty(rows * columns, g.dtype)
    for block in range(0, n, rows):
        stop = min(block + rows, n)
        _exp(y, block * columns, stop * columns, work, 0)
        for i in range(block, stop):
            row, p = np.uint64(i * columns), np.uint64((i - block) * columns)
            sum_of_g = total(g, i * columns, (i + 1) * columns)
            for k in range(np.uint64(columns)):
                out[row + k] = g[row + k] - work[p + k] * sum_of_g


@inlined
def _count_targets(target, classes, ignore_index):
    """How many targets are not ignored, and how many of them are no class."""
    counted = bad = 0
    for i in range(target.size):
        is_counted = target[i] != ignore_index
        counted += is_counted
        bad += is_counted & ((target[i] < 0) | (target[i] >= classes))
    return counted, bad


SHORT = 32  # columns up to which vectors run across rows instead of along them
LANES = 64  # rows side by side


@inlined
def _maxima_and_totals_of_short_rows(x, start, rows, columns, work, maxima, totals):
    """For up to LANES rows from x[start], the largest element and the sum of exp(x - largest).

    The rows are transposed into ``work``, so that a vector holds one column of many rows.
    """
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
            totals[i] += vecmath.exp_nonpositive(column[i] - maxima[i])


@inlined
def _maxima_and_totals_of_long_rows(x, start, rows, columns, work, maxima, totals):
    """The same for rows that fill vectors by themselves."""
    for i in range(rows):
        row, end = start + i * columns, start + (i + 1) * columns
        maxima[i] = largest(x, row, end)
        _subtract(x, row, end, maxima[i], work, 0)
        _exp_in_place(work, 0, columns)
        totals[i] = total(work, 0, columns)


@inlined(fastmath={"contract"})
def _loss_of_row(log_total, x, largest):
    """lse - x, in the order that keeps a small loss exact beside a large x; hence without ``reassoc``."""
    return log_total - (x - largest)


@kernel
def _cross_entropy(x2d, target, mode, ignore_index, loss, lse):
    """Fill loss and lse. Returns the number of bad targets, and does nothing if there are any."""
    vecmath.prefer_wide_vectors()
    n, columns = x2d.shape
    counted, bad = _count_targets(target, columns, ignore_index)
    if bad:
        return bad
    x = x2d.reshape(x2d.size)
    work = np.empty(max(SHORT * LANES, columns), x.dtype)
    maxima, logs = np.empty(LANES, x.dtype), np.empty(LANES, x.dtype)
    sum_of_losses = 0.0
    for block in range(0, n, LANES):
        rows = min(LANES, n - block)
        if columns <= SHORT:
            _maxima_and_totals_of_short_rows(x, block * columns, rows, columns, work, maxima, logs)
        else:
            _maxima_and_totals_of_long_rows(x, block * columns, rows, columns, work, maxima, logs)
        for i in range(rows):
            logs[i] = vecmath.log(logs[i])
        for i in range(rows):
            lse[block + i] = maxima[i] + logs[i]
            row_loss = x.dtype.type(0)
            if target[block + i] != ignore_index:
                row_loss = _loss_of_row(logs[i], x2d[block + i, target[block + i]], maxima[i])
            sum_of_losses += row_loss
            if mode == _NONE:
                loss[block + i] = row_loss
    if mode == _MEAN:
        loss[0] = sum_of_losses / counted
    elif mode == _SUM:
        loss[0] = sum_of_losses
    return bad


@kernel
def _cross_entropy_backward(g, x2d, target, lse, mode, ignore_index, out2d):
    """Fill out. Returns the number of bad targets, and does nothing if there are any."""
    vecmath.prefer_wide_vectors()
    n, columns = x2d.shape
    counted, bad = _count_targets(target, columns, ignore_index)
    if bad:
        return bad
    x, out = x2d.reshape(x2d.size), out2d.reshape(out2d.size)
    divisor = x.dtype.type(counted if mode == _MEAN else 1)
    rows = _rows_at_once(columns)
    for block in range(0, n, rows):
        stop = min(block + rows, n)
        for i in range(block, stop):
            row, end = i * columns, (i + 1) * columns
            _subtract(x, row, end, lse[i], out, row)
        _exp_in_place(out, block * columns, stop * columns)
        for i in range(block, stop):
            row, end = i * columns, (i + 1) * columns
            if target[i] == ignore_index:
                _multiply_in_place(out, row, end, x.dtype.type(0))
                continue
            scale = g[i if mode == _NONE else 0] / divisor
            at_target = (out[row + target[i]] - x.dtype.type(1)) * scale
            _multiply_in_place(out, row, end, scale)
            out[row + target[i]] = at_target
    return bad
