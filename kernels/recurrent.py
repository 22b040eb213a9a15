"""Recurrent layers: all steps of one layer in one direction, forward and backward, on float32 and float64 arrays.

Sequences come packed: the steps one after the other, the longest sequence first, so that each step has the first
sequences of the one before it. They are cut into parts of some sequences, and each part goes through all its steps by
itself: at every step products with the weights, on the register tiles of `gemm`, and one pass of activations while the
rows are in the nearest cache. No element depends on how the sequences are cut, so neither do its bits.

The weights are copied once a call, in panels as the tiles read them: that is scratch memory of their size. Backward
takes as much again for the gradients of the sums of all steps, (S, G*H), for a GRU twice.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import functools
import itertools
from collections import namedtuple

import numpy as np
from numpy import empty

from . import gemm, vecmath
from ._jit import inlined, kernel, merged
from ._launch import launch
from ._layout import check_out, deliver, destination, plain
from ._threads import _THREADS, pool_for, spread
from .gemm.blocking import DOTS, FEW_ROWS, MOST_ROWS, NV, PARALLEL, WIDE
from .gemm.macro import _tabled
from .gemm.micro import DOT_SLOT, DOTS_SLOT, NO_GATE, tile_slot
from .gemm.pack import pack_panel
from .simd import CACHE_LINE, VECTOR_BYTES, address, call, keep, prefetch, word

TANH, RELU, LSTM, GRU = range(4)
MODES = {"RNN_TANH": TANH, "RNN_RELU": RELU, "LSTM": LSTM, "GRU": GRU}
GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}  # what the rows of the weights are for, each of size H

# What the input contributes is computed step by step where there are so many sequences, and where the weights for it
# have at most so many bytes: with the others they stay in the second-level cache.
ROWS, NEAR = 8, 1 << 18

# The most sequences of a part: what they read and write at a step stays near. Of sequences that have different lengths
# there are more parts than threads, for not all take as long.
MOST, MOST_UNEVEN = 64, 8


# ---------------------------------------------------------------------------------------------------------------
# Wrappers.


def recurrence(x, h, c, w_ih, w_hh, b_ih, b_hh, *, mode, sizes, backwards, out=None):
    """All steps of a layer in one direction, and what its backward needs.

    x: (S, I), the first ``sizes[t]`` sequences at each step t, S in all; h, c: (N, H), the state at the start or None
    for zeros, c of an LSTM only; w_ih: (G*H, I), w_hh: (G*H, H), b_ih, b_hh: (G*H,) or None, with G = `GATES`.

    -> result: (S + N, H), of an LSTM (S + 2 N, H): h after each step, after the last step of each sequence, and then c;
    gates: (S, G*H), the gates as activated, (0, 0) of an RNN; before: (1, S, H), of an LSTM (2, S, H): h and c before
    each step; inner: (S, H), tanh(c) of an LSTM, of a GRU W_hn h + b_hn, (0, 0) of an RNN. ``out`` is those four.
    ValueError for shapes that do not fit, TypeError for dtypes other than one of float32 and float64.
    """
    _check(mode, sizes, x=x, h=h, c=c, w_ih=w_ih, w_hh=w_hh, b_ih=b_ih, b_hh=b_hh)
    x, w_ih, w_hh = plain(x), plain(w_ih), plain(w_hh)
    outs = (None,) * 4 if out is None else out
    shapes = _shapes(mode, sizes, w_hh)
    results = [destination(each, shape, x.dtype) for each, shape in zip(outs, shapes, strict=True)]
    result, gates, before, inner = results
    sums = gates if GATES[mode] > 1 else result[: len(x)]
    if not _by_steps(sizes, w_ih):
        gemm.linear(x, w_ih, b_ih, out=sums)
        x, w_ih, b_ih = _nothing(x, 2), _nothing(x, 2), None
    launch(
        _recurrence, *_common(mode, sizes, backwards, w_ih, w_hh), x, _or_nothing(b_ih, x, 1), _or_nothing(b_hh, x, 1),
        _or_nothing(h, x, 2), _or_nothing(c, x, 2), result, sums, before.reshape(-1, w_hh.shape[1]), inner,
    )  # fmt: skip
    return tuple(map(deliver, results, outs))


def recurrence_backward(
    g, x, w_ih, w_hh, result, gates, before, inner, *, mode, sizes, backwards, needs, out=(None,) * 7
):
    """The gradients of x, h, c, w_ih, w_hh, b_ih and b_hh, or None where ``needs`` says so, from that of the result.

    g: as the result; the rest as in `recurrence`, and what it gave. ``out`` is an array for each gradient, or None.
    """
    g, result, w_ih, w_hh = plain(g, "g"), plain(result), plain(w_ih), plain(w_hh)
    (total, _), samples, (rows, hidden), dtype = x.shape, sizes[0], w_hh.shape, x.dtype
    for_sums = empty((total, rows), dtype)
    for_others = empty((total, rows), dtype) if mode == "GRU" else for_sums
    for_h = _where(out[1], (samples, hidden), dtype)
    for_c = _where(out[2], (samples if mode == "LSTM" else 0, hidden), dtype)
    by_steps = needs[0] and _by_steps(sizes, w_ih)
    for_x = _where(out[0], x.shape, dtype) if by_steps else _nothing(x, 2)
    for_biases = [
        _where(each, (rows,), dtype) if need else _nothing(x, 1) for need, each in zip(needs[5:], out[5:], strict=True)
    ]
    launch(
        _recurrence_backward, *_common(mode, sizes, backwards, w_ih if by_steps else for_x, w_hh), g, result, gates,
        before.reshape(-1, hidden), inner, for_sums, for_others, for_x, for_h, for_c, *for_biases,
    )  # fmt: skip
    if not by_steps:
        for_x = gemm.matmul(for_sums, w_ih, out=out[0]) if needs[0] else None
    for_w_ih = gemm.weight_gradient(for_sums, x, out=out[3]) if needs[3] else None
    for_w_hh = gemm.weight_gradient(for_others, before[0], out=out[4]) if needs[4] else None
    gradients = for_x, for_h, for_c, for_w_ih, for_w_hh, *for_biases
    return tuple([each if need else None for each, need in zip(gradients, needs, strict=True)])


def _check(mode, sizes, **arrays):
    """Raise where shapes or dtypes do not fit: kernels check no bounds."""
    x, w_hh = arrays["x"], arrays["w_hh"]
    if w_hh.ndim != 2 or x.ndim != 2:
        raise ValueError(f"expected x and w_hh of two axes, got shapes {x.shape} and {w_hh.shape}")
    hidden = w_hh.shape[1]
    rows, state = GATES[mode] * hidden, (sizes[0], hidden)
    expected = {
        "x": (sum(sizes), x.shape[1]), "w_ih": (rows, x.shape[1]), "w_hh": (rows, hidden), "b_ih": (rows,),
        "b_hh": (rows,), "h": state, "c": state,
    }  # fmt: skip
    for name, each in arrays.items():
        if each is not None and each.shape != expected[name]:
            raise ValueError(f"expected {name} of shape {expected[name]}, got {each.shape}")
        if each is not None and each.dtype != x.dtype:
            raise TypeError(f"expected {name} of the dtype of x, {x.dtype}, got {each.dtype}")
    if any(later > size for size, later in itertools.pairwise((*sizes, 0))):
        raise ValueError("expected no step to have more sequences than the one before it, or less than none")


def _shapes(mode, sizes, w_hh):
    """The shapes of what `recurrence` gives."""
    rows, hidden = w_hh.shape
    total, samples = sum(sizes), sizes[0]
    states = 2 if mode == "LSTM" else 1
    gates, inner = ((total, rows), (total, hidden)) if GATES[mode] > 1 else ((0, 0), (0, 0))
    return (total + states * samples, hidden), gates, (states, total, hidden), inner


def _by_steps(sizes, w_ih):
    """Whether what the input contributes is computed step by step."""
    return sizes[0] >= ROWS and 0 < w_ih.nbytes <= NEAR


def _common(mode, sizes, backwards, w_ih, w_hh):
    """The first arguments of both kernels."""
    pool = pool_for(sum(sizes) * w_hh.size, PARALLEL)
    return pool, gemm._KERNELS[w_hh.dtype].table, MODES[mode], _steps(sizes), int(backwards), w_ih, w_hh


@functools.lru_cache(maxsize=64)
def _steps(sizes):
    """Of each step how many sequences have it, and the first of its rows.  -> (2, T); a layer asks again and again."""
    return np.array((sizes, np.cumsum((0, *sizes[:-1]))), np.int64)


def _or_nothing(x, like, axes):
    """The array, or one without elements for None."""
    return _nothing(like, axes) if x is None else plain(x)


def _nothing(like, axes):
    return empty((0,) * axes, like.dtype)


def _where(out, shape, dtype):
    """``out``, or a new array."""
    if out is None:
        return empty(shape, dtype)
    check_out(out, shape, dtype)
    return out


# ---------------------------------------------------------------------------------------------------------------
# Products with weights that are packed once and used at every step.


@merged
def _widest(rows):
    """Of how many vectors the panels are, for products of so many rows."""
    return WIDE if rows <= FEW_ROWS else NV


@merged
def _whole(columns, size):
    """The bytes of a row of so many columns in whole vectors."""
    return (columns * size + VECTOR_BYTES - 1) // VECTOR_BYTES * VECTOR_BYTES


@kernel
def _pack(part, like, source, lane, step, k, columns, widest, target):
    """One panel of y: (k, columns), whose columns lie ``lane`` bytes apart and whose rows ``step``."""
    size = like.itemsize
    width = VECTOR_BYTES // size
    first = part * widest * width
    left, column = min(widest, (columns - first + width - 1) // width), first
    while left:
        vectors = _tabled(left)
        count = min(vectors * width, columns - column)
        into = target + k * column * size
        pack_panel(like.dtype, source + column * lane, lane, step, count, k, into, vectors * VECTOR_BYTES, size)
        column += vectors * width
        left -= vectors


@inlined
def _multiply(like, table, rows, k, columns, widest, x, x_row, y, out, out_row):
    """out = start + x @ y, of ``rows`` rows.

    ``y`` is the address of its panels, of at most ``widest`` vectors, that of start, and the stride of its rows.
    """
    size = like.itemsize
    panels, start, start_row = y
    width = VECTOR_BYTES // size
    left, column = (columns + width - 1) // width, 0
    while left:
        vectors = _tabled(min(left, widest))
        most = MOST_ROWS[vectors]
        tiles = (rows + most - 1) // most
        base, extra = divmod(rows, tiles)
        count = min(vectors * width, columns - column)
        row, byte, panel = 0, column * size, panels + k * column * size
        for taller in range(1, -1, -1):
            number, height = (extra if taller else tiles - extra), base + taller
            if number:
                operands = x + row * x_row, x_row, size, height * x_row, panel, vectors * VECTOR_BYTES
                edge = start + row * start_row + byte, start_row, out + row * out_row + byte, out_row
                function = word(table + 8 * tile_slot(height, vectors))
                call(function, (count, number, k, *operands, *edge, NO_GATE, 0, 0))
                row += number * height
        left -= vectors
        column += vectors * width


# ---------------------------------------------------------------------------------------------------------------
# Loops over the numbers of a row, each over few arrays: LLVM vectorises no loop over many that may overlap.


@inlined
def _sigmoid(x):
    vecmath.prefer_wide_vectors()
    for j in range(np.uint64(x.size)):
        x[j] = vecmath.sigmoid(x[j])


@inlined
def _tanh(x):
    vecmath.prefer_wide_vectors()
    for j in range(np.uint64(x.size)):
        x[j] = vecmath.tanh(x[j])


@inlined
def _copy(x, out):
    for j in range(np.uint64(x.size)):
        out[j] = x[j]


@inlined
def _add(x, total):
    for j in range(np.uint64(x.size)):
        total[j] += x[j]


@inlined
def _lstm_row(gates, h, c, out, inner):
    """i, f, g, o of one row activated; c = f c + i g, h = o tanh(c)."""
    vecmath.prefer_wide_vectors()
    n = c.size
    _sigmoid(gates[: 2 * n])
    _tanh(gates[2 * n : 3 * n])
    _sigmoid(gates[3 * n :])
    i, f, g, o = gates[:n], gates[n : 2 * n], gates[2 * n : 3 * n], gates[3 * n :]
    for j in range(np.uint64(n)):
        c[j] = f[j] * c[j] + i[j] * g[j]
    for j in range(np.uint64(n)):
        inner[j] = vecmath.tanh(c[j])
    for j in range(np.uint64(n)):
        h[j] = o[j] * inner[j]
    _copy(h, out)


@inlined
def _gru_row(gates, h, out, inner):
    """r, z and n = tanh(x + r inner) of one row activated; h = (1 - z) n + z h."""
    vecmath.prefer_wide_vectors()
    size = h.size
    _sigmoid(gates[: 2 * size])
    r, z, n = gates[:size], gates[size : 2 * size], gates[2 * size :]
    for j in range(np.uint64(size)):
        n[j] = vecmath.tanh(n[j] + r[j] * inner[j])
    for j in range(np.uint64(size)):
        h[j] = n[j] + z[j] * (h[j] - n[j])
    _copy(h, out)


@inlined
def _simple_row(mode, out, h):
    """h = tanh or relu of the sums in one row of the output."""
    zero = h.dtype.type(0)
    if mode == TANH:
        _tanh(out)
    else:
        for j in range(np.uint64(out.size)):
            out[j] = zero if out[j] <= zero else out[j]
    _copy(out, h)


@inlined
def _lstm_gradients(gates, before, inner, h, c, out):
    """From the gradients of h and c after a step: those of the sums of the gates, of c before it; h begins at 0."""
    n = c.size
    one = h.dtype.type(1)
    i, f, g, o = gates[:n], gates[n : 2 * n], gates[2 * n : 3 * n], gates[3 * n :]
    for_i, for_f, for_g, for_o = out[:n], out[n : 2 * n], out[2 * n : 3 * n], out[3 * n :]
    for j in range(np.uint64(n)):
        for_o[j] = h[j] * inner[j] * o[j] * (one - o[j])
    for j in range(np.uint64(n)):
        c[j] += h[j] * o[j] * (one - inner[j] * inner[j])
    for j in range(np.uint64(n)):
        for_i[j] = c[j] * g[j] * i[j] * (one - i[j])
    for j in range(np.uint64(n)):
        for_g[j] = c[j] * i[j] * (one - g[j] * g[j])
    for j in range(np.uint64(n)):
        for_f[j] = c[j] * before[j] * f[j] * (one - f[j])
    for j in range(np.uint64(n)):
        c[j] *= f[j]
    h[:] = 0


@inlined
def _gru_gradients(gates, before, inner, h, out, hidden_out):
    """From the gradient of h after a step: those of the sums, of the input's and of the state's; h begins at z h."""
    size = h.size
    one = h.dtype.type(1)
    r, z, n = gates[:size], gates[size : 2 * size], gates[2 * size :]
    for_r, for_z, for_n = out[:size], out[size : 2 * size], out[2 * size :]
    for j in range(np.uint64(size)):
        for_n[j] = h[j] * (one - z[j]) * (one - n[j] * n[j])
    for j in range(np.uint64(size)):
        for_z[j] = h[j] * (before[j] - n[j]) * z[j] * (one - z[j])
    for j in range(np.uint64(size)):
        for_r[j] = for_n[j] * inner[j] * r[j] * (one - r[j])
    for j in range(np.uint64(size)):
        hidden_out[2 * size + j] = for_n[j] * r[j]
    _copy(out[: 2 * size], hidden_out)
    for j in range(np.uint64(size)):
        h[j] *= z[j]


@inlined
def _simple_gradients(mode, y, h, out):
    """From the gradient of h after a step that of the sums; h begins at 0."""
    one = h.dtype.type(1)
    if mode == TANH:
        for j in range(np.uint64(h.size)):
            out[j] = h[j] * (one - y[j] * y[j])
    else:
        for j in range(np.uint64(h.size)):
            out[j] = h.dtype.type(0) if y[j] <= 0 else h[j]
    h[:] = 0


# ---------------------------------------------------------------------------------------------------------------
# All steps.

# How it is done, and where the weights are: the addresses of those of the input, of the state, and of what r multiplies
# in a GRU. A single sequence takes those of the state as they lie, in rows of ``h_row`` bytes; else that is 0.
Plan = namedtuple("Plan", "table mode backwards parts widest of_x of_h of_n h_row")


@merged
def _parts(steps, pool):
    """Into how many parts the sequences are cut."""
    samples, of_longest = steps[0, 0], steps[0, steps.shape[1] - 1]
    most = MOST if samples == of_longest else MOST_UNEVEN
    return min(samples, max(pool[_THREADS], (samples + most - 1) // most))


@kernel
def _recurrence(pool, table, mode, steps, backwards, w_ih, w_hh, x, b_ih, b_hh, h0, c0, result, sums, before, inner):
    """Fill result, before and inner (see `recurrence`), and sums with the gates, of an RNN with h.

    Without x, the sums have what it contributes.
    """
    samples, size = steps[0, 0], result.itemsize
    (columns, hidden), (total, inputs) = w_hh.shape, (sums.shape[0], x.shape[1])
    if samples == 0:
        return
    _start(result[total : total + samples], h0)
    _start(result[total + samples :], c0)
    parts = _parts(steps, pool)
    widest = _widest((samples + parts - 1) // parts)
    joined = 2 * hidden if mode == GRU else columns  # of the sums, those to which state and input contribute alike
    h_row, x_row, of_h = hidden * size, inputs * size, address(w_hh)  # strides of one row may be anything
    of_n = of_h + joined * h_row
    row = 0 if samples == 1 else _whole(joined, size) + _whole(columns - joined, size)
    memory = np.empty(hidden * row + inputs * _whole(columns, size) + CACHE_LINE, np.uint8)
    of_x = address(memory) + -address(memory) % CACHE_LINE
    _pack_all(pool, result, address(w_ih), x_row, size, inputs, columns, widest, of_x)
    if samples > 1:
        h_panels = of_x + inputs * _whole(columns, size)
        n_panels = h_panels + hidden * _whole(joined, size)
        _pack_all(pool, result, of_h, h_row, size, hidden, joined, widest, h_panels)
        _pack_all(pool, result, of_n, h_row, size, hidden, columns - joined, widest, n_panels)
        of_h, of_n, h_row = h_panels, n_panels, 0
    b = np.zeros(columns + hidden, result.dtype)  # of the gates, and behind them of what r multiplies in a GRU
    _add(b_ih, b)
    _add(b_hh[:joined], b)
    _add(b_hh[joined:], b[columns:])
    plan = Plan(table, mode, backwards, parts, widest, of_x, of_h, of_n, h_row)
    spread(pool, _recurrence_part, parts, (pool, plan, steps, x, b, result, sums, before, inner))
    keep(memory)


@inlined
def _start(state, given):
    """The state at the start: as given, or zeros."""
    if given.size:
        state[:] = given
    else:
        state[:] = 0


@inlined
def _pack_all(pool, like, source, lane, step, k, columns, widest, target):
    """The panels of y: (k, columns), whose columns lie ``lane`` bytes apart and whose rows ``step``."""
    vectors = _whole(columns, like.itemsize) // VECTOR_BYTES
    spread(pool, _pack, (vectors + widest - 1) // widest, (like, source, lane, step, k, columns, widest, target))


@kernel
def _recurrence_part(part, pool, plan, steps, x, b, result, sums, before, inner):
    """All steps of some of the sequences."""
    samples, total, count = steps[0, 0], sums.shape[0], steps.shape[1]
    low, high = part * samples // plan.parts, (part + 1) * samples // plan.parts
    h, c = result[total : total + samples], result[total + samples :]
    for index in range(count):
        t = count - 1 - index if plan.backwards else index
        rows, first = min(high, steps[0, t]) - low, steps[1, t] + low
        if rows <= 0:
            continue
        _sum_up(pool, plan, rows, first, x, h[low:], b, sums, inner)
        for i in range(rows):
            row, own = first + i, h[low + i]
            _copy(own, before[row])
            if plan.mode == LSTM:
                _copy(c[low + i], before[total + row])
                _lstm_row(sums[row], own, c[low + i], result[row], inner[row])
            elif plan.mode == GRU:
                _gru_row(sums[row], own, result[row], inner[row])
            else:
                _simple_row(plan.mode, result[row], own)


@inlined
def _sum_up(pool, plan, rows, first, x, h, b, sums, inner):
    """The sums of some rows, those of what r multiplies in a GRU in ``inner``; h: (rows or more, H)."""
    size, hidden, columns = sums.itemsize, h.shape[1], sums.shape[1]
    out, out_row, bias = address(sums) + first * sums.strides[0], sums.strides[0], address(b)
    if x.size:
        left, left_row = address(x) + first * x.strides[0], x.strides[0]
        y = plan.of_x, bias, 0
        _multiply(b, plan.table, rows, x.shape[1], columns, plan.widest, left, left_row, y, out, out_row)
    else:
        for i in range(first, first + rows):
            _add(b[:columns], sums[i])
    joined = 2 * hidden if plan.mode == GRU else columns
    y = plan.of_h, out, out_row
    _multiply_state(pool, plan, rows, joined, h, y, out, out_row)
    if plan.mode == GRU:
        y = plan.of_n, bias + columns * size, 0
        _multiply_state(pool, plan, rows, hidden, h, y, address(inner) + first * inner.strides[0], inner.strides[0])


@inlined
def _multiply_state(pool, plan, rows, columns, h, y, out, out_row):
    """out = start + h @ y, of so many rows; ``y`` as in `_multiply`, or of a single row where its columns lie."""
    hidden, h_at, row = h.shape[1], address(h), h.strides[0]
    if plan.h_row:
        parts = 1 if hidden * columns < PARALLEL else max(1, pool[_THREADS])
        spread(pool, _dots, parts, (plan, parts, hidden, columns, h_at, y, out, h.itemsize))
    else:
        _multiply(h, plan.table, rows, hidden, columns, plan.widest, h_at, row, y, out, out_row)


@kernel
def _dots(part, plan, parts, k, columns, x, y, out, size):
    """Some columns of a product of one row, along k; ``y``: the addresses of its columns, and of start."""
    weights, start, _ = y
    groups = (columns + DOTS - 1) // DOTS
    column, end = part * groups // parts * DOTS, min(columns, (part + 1) * groups // parts * DOTS)
    while column < end:
        count = DOTS if end - column >= DOTS else 1
        function = word(plan.table + 8 * (DOTS_SLOT if count == DOTS else DOT_SLOT))
        at, byte = weights + column * plan.h_row, column * size
        call(function, (k, x, at, plan.h_row, start + byte, out + byte, NO_GATE, 0))
        column += count


@kernel
def _recurrence_backward(
    pool, table, mode, steps, backwards, w_ih, w_hh, g, result, gates, before, inner, for_sums, for_others, for_x, h, c,
    for_b_ih, for_b_hh,
):  # fmt: skip
    """Fill for_sums, for_others, for_x, the gradients of the sums and x; h and c, those of the state; the biases'.

    Those of the biases are added up of each sequence by itself, and then of all.
    """
    samples, size, total = steps[0, 0], result.itemsize, for_sums.shape[0]
    (columns, hidden), inputs = w_hh.shape, for_x.shape[1]
    joined = 2 * hidden if mode == GRU else columns
    totals = np.zeros((samples, columns + hidden if for_b_ih.size or for_b_hh.size else 0), result.dtype)
    if samples == 0:
        for_b_ih[:] = 0
        for_b_hh[:] = 0
        return
    h[:] = g[total : total + samples]
    c[:] = g[total + samples :]
    parts = _parts(steps, pool)
    widest = _widest((samples + parts - 1) // parts)
    memory = np.empty(columns * (_whole(hidden, size) + _whole(inputs, size)) + CACHE_LINE, np.uint8)
    of_h = address(memory) + -address(memory) % CACHE_LINE
    of_x = of_h + columns * _whole(hidden, size)
    _pack_all(pool, g, address(w_hh), size, w_hh.strides[0], columns, hidden, widest, of_h)
    _pack_all(pool, g, address(w_ih), size, w_ih.strides[0], columns, inputs, widest, of_x)
    plan = Plan(table, mode, backwards, parts, widest, of_x, of_h, 0, 0)
    arrays = plan, steps, g, result, gates, before, inner, for_sums, for_others, for_x, h, c, totals
    spread(pool, _backward_part, parts, arrays)
    keep(memory)
    _add_up(totals, 0, for_b_ih)
    _add_up(totals, 0, for_b_hh[:joined])
    _add_up(totals, columns, for_b_hh[joined:])


@inlined
def _add_up(totals, first, out):
    """The sums over the rows, of the columns from the first on."""
    sums = np.zeros(out.size)
    for i in range(totals.shape[0]):
        row = totals[i, first:]
        for j in range(np.uint64(out.size)):
            sums[j] += row[j]
    for j in range(out.size):
        out[j] = sums[j]


@kernel
def _backward_part(part, plan, steps, g, result, gates, before, inner, for_sums, for_others, for_x, h, c, totals):
    """All steps of some of the sequences, from the last one."""
    samples, (total, columns), count, hidden = steps[0, 0], for_sums.shape, steps.shape[1], h.shape[1]
    low, high = part * samples // plan.parts, (part + 1) * samples // plan.parts
    for index in range(count):
        t = index if plan.backwards else count - 1 - index
        rows, first = min(high, steps[0, t]) - low, steps[1, t] + low
        if rows <= 0:
            continue
        for i in range(rows):
            row, own = first + i, h[low + i]
            _add(g[row], own)
            if plan.mode == LSTM:
                _lstm_gradients(gates[row], before[total + row], inner[row], own, c[low + i], for_sums[row])
            elif plan.mode == GRU:
                _gru_gradients(gates[row], before[row], inner[row], own, for_sums[row], for_others[row])
            else:
                _simple_gradients(plan.mode, result[row], own, for_sums[row])
            if totals.size:
                _add(for_sums[row], totals[low + i])
                if plan.mode == GRU:
                    _add(for_others[row, 2 * hidden :], totals[low + i, columns:])
        if index + 1 < count:
            following = low + steps[1, t + 1 if plan.backwards else t - 1]
            _bring(rows, following, total, g, gates if gates.size else result, before, inner)
        left, left_row = address(for_others) + first * for_others.strides[0], for_others.strides[0]
        _add_product(plan, rows, columns, left, left_row, plan.of_h, h[low:])
        if for_x.size:
            for_x[first : first + rows] = 0
            left = address(for_sums) + first * left_row
            _add_product(plan, rows, columns, left, left_row, plan.of_x, for_x[first:])


@inlined
def _add_product(plan, rows, k, x, x_row, panels, out):
    """out += x @ y, of so many rows."""
    y = panels, address(out), out.strides[0]
    _multiply(out, plan.table, rows, k, out.shape[1], plan.widest, x, x_row, y, address(out), out.strides[0])


@inlined
def _bring(rows, first, total, g, gates, before, inner):
    """Bring nearer, while products are made, the rows that the next step reads."""
    _bring_rows(rows, first, g)
    _bring_rows(rows, first, gates)
    _bring_rows(rows, first, inner)
    _bring_rows(rows, before.shape[0] - total + first, before)  # the last state is the one that is read


@inlined
def _bring_rows(rows, first, x):
    if x.size:
        begin = address(x) + first * x.strides[0]
        for line in range(begin, begin + rows * x.strides[0], CACHE_LINE):
            prefetch(line)
