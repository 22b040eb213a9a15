"""Recurrent layers: all steps of one layer in one direction, forward and backward, on float32 and float64 arrays.

Sequences come packed: the steps one after the other, the longest sequence first, so that each step has the first
sequences of the one before it. What the input contributes is computed for all steps in one matrix product. Then the
sequences are cut into parts of some rows, and each part goes through all its steps by itself: at every step a product
with the recurrent weights, on the register tiles of `gemm`, and one pass of activations while the rows are in the
nearest cache. No element depends on how the rows are cut, so neither do its bits.

The recurrent weights are copied once a call, in panels as the tiles read them: that is scratch memory of their size.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import functools

import numpy as np
from numpy import empty

from . import gemm, vecmath
from ._jit import inlined, kernel, merged
from ._launch import launch
from ._layout import check_out, deliver, destination, plain
from ._threads import _THREADS, pool_for, spread
from .gemm.blocking import FEW_ROWS, KC_FREE, MOST_ROWS, NV, PARALLEL, WIDE
from .gemm.macro import _tabled
from .gemm.micro import NO_GATE, tile_slot
from .gemm.pack import pack_panel
from .simd import CACHE_LINE, VECTOR_BYTES, address, array_at, call, keep, word

TANH, RELU, LSTM, GRU = range(4)
MODES = {"RNN_TANH": TANH, "RNN_RELU": RELU, "LSTM": LSTM, "GRU": GRU}

# What the input contributes is computed step by step where there are so many sequences, and where the weights for it
# have at most so many bytes: with the others they stay in the second-level cache.
ROWS, NEAR = 8, 1 << 18

GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}  # what the rows of the weights are for, each of size H


# ---------------------------------------------------------------------------------------------------------------
# Wrappers.


def forward(x, h, c, w_ih, w_hh, b_ih, b_hh, *, mode, sizes, backwards, out=None):
    """All steps of a layer in one direction, and what its backward needs.

    x: (S, I), the first ``sizes[t]`` sequences at each step t, S in all; h, c: (N, H), the state at the start or None
    for zeros, c of an LSTM only; w_ih: (G*H, I), w_hh: (G*H, H), b_ih, b_hh: (G*H,) or None, with G = `GATES`.

    -> result: (S + N, H), of an LSTM (S + 2 N, H): h after each step, after the last step of each sequence, and then c;
    gates: (S, G*H), the gates as activated, (0, 0) of an RNN; before: (1, S, H), of an LSTM (2, S, H): h and c before
    each step; inner: (S, H), tanh(c) of an LSTM, of a GRU W_hn h + b_hn, (0, 0) of an RNN. ``out`` is those four.
    """
    x, w_ih, w_hh = plain(x, "x"), plain(w_ih, "w_ih"), plain(w_hh, "w_hh")
    outs = (None,) * 4 if out is None else out
    shapes = _shapes(mode, sizes, w_hh)
    results = [destination(each, shape, x.dtype) for each, shape in zip(outs, shapes, strict=True)]
    result, gates, before, inner = results
    sums = gates if GATES[mode] > 1 else result[: len(x)]
    if not _by_steps(sizes, w_ih):
        gemm.linear(x, w_ih, b_ih, out=sums)
        x, w_ih, b_ih = _nothing(x, 2), _nothing(x, 2), None
    launch(
        _forward, *_common(mode, sizes, backwards, w_ih, w_hh), x, *[_or_nothing(each, x, 1) for each in (b_ih, b_hh)],
        *[_or_nothing(each, x, 2) for each in (h, c)], result, sums, before.reshape(-1, w_hh.shape[1]), inner,
    )  # fmt: skip
    return tuple(map(deliver, results, outs))


def _by_steps(sizes, w_ih):
    """Whether what the input contributes is computed step by step.

    The sums are then still near. It needs weights that stay near, too, and as many rows as a tile has.
    """
    return sizes[0] >= ROWS and w_ih.nbytes <= NEAR


def _shapes(mode, sizes, w_hh):
    """The shapes of what `forward` gives."""
    rows, hidden = w_hh.shape
    total, samples = sum(sizes), sizes[0]
    states = 2 if mode == "LSTM" else 1
    simple = GATES[mode] == 1
    none = (0, 0)
    kept = (none if simple else (total, rows)), (states, total, hidden), (none if simple else (total, hidden))
    return (total + states * samples, hidden), *kept


def _common(mode, sizes, backwards, w_ih, w_hh):
    """The first arguments of both kernels."""
    pool = pool_for(sum(sizes) * w_hh.size, PARALLEL)
    return pool, gemm._KERNELS[w_hh.dtype].table, MODES[mode], _numbers(sizes), int(backwards), w_ih, w_hh


@functools.lru_cache(maxsize=64)
def _numbers(sizes):
    """The sizes as an array; a captured step asks for the same ones again and again."""
    return np.array(sizes, np.int64)


def _or_nothing(x, like, axes):
    """The array, or one without elements for None."""
    return _nothing(like, axes) if x is None else plain(x)


def _nothing(like, axes):
    return empty((0,) * axes, like.dtype)


def backward(g, x, w_ih, w_hh, result, gates, before, inner, *, mode, sizes, backwards, needs, out=(None,) * 7):
    """The gradients of x, h, c, w_ih, w_hh, b_ih, b_hh, those that ``needs`` says, from that of the result of `forward`.

    g: as the result; the rest as in `forward`.
    """
    g, result, w_ih, w_hh = plain(g, "g"), plain(result), plain(w_ih), plain(w_hh)
    total, samples = len(x), sizes[0]
    rows, hidden = w_hh.shape
    like = x.dtype
    for_gates, for_h = empty((total, rows), like), _where(out[1], (samples, hidden), like)
    for_hidden = empty((total, rows), like) if mode == "GRU" else for_gates
    for_c = _where(out[2], (samples, hidden) if mode == "LSTM" else (0, 0), like)
    by_steps = needs[0] and _by_steps(sizes, w_ih)
    for_x = _where(out[0], x.shape, like) if by_steps else _nothing(x, 2)
    launch(
        _backward, *_common(mode, sizes, backwards, w_ih if by_steps else for_x, w_hh), g, result, gates,
        before.reshape(-1, hidden), inner, for_gates, for_hidden, for_x, for_h, for_c,
    )  # fmt: skip
    if not by_steps:
        for_x = gemm.matmul(for_gates, w_ih, out=out[0]) if needs[0] else None
    for_w_ih, for_b_ih = _of_weights(for_gates, x, needs[3], needs[5], out[3], out[5])
    for_w_hh, for_b_hh = _of_weights(for_hidden, before[0], needs[4], needs[6], out[4], out[6])
    return (
        for_x, for_h if needs[1] else None, for_c if needs[2] else None, for_w_ih, for_w_hh, for_b_ih, for_b_hh,
    )  # fmt: skip


def _where(out, shape, dtype):
    """``out``, or a new array."""
    if out is None:
        return empty(shape, dtype)
    check_out(out, shape, dtype)
    return out


def _of_weights(g, x, weight, bias, out, bias_out):
    """The gradients of a weight and of its bias, or None."""
    if not weight and not bias:
        return None, None
    if not bias:
        return gemm.weight_gradient(g, x, out=out), None
    for_weight, for_bias = gemm.weight_gradient(g, x, bias=True, out=out, bias_out=bias_out)
    return (for_weight if weight else None), for_bias


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
                call(function, (count, number, k) + operands + edge + (NO_GATE, 0, 0))
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


@merged
def _row_parts(rows, threads):
    """Into how many parts the sequences are cut."""
    return min(rows, max(threads, (rows + 63) // 64))


@kernel
def _forward(pool, table, mode, sizes, backwards, w_ih, w_hh, x, b_ih, b_hh, h0, c0, result, gates, before, inner):
    """Fill result, gates, before and inner (see `forward`); without x, ``gates`` has what it contributes."""
    samples, size = sizes[0], result.itemsize
    (columns, hidden), (total, inputs) = w_hh.shape, (gates.shape[0], x.shape[1])
    if samples == 0:
        return
    h = result[total : total + samples]
    _start(h, h0)
    _start(result[total + samples :], c0)
    parts = _row_parts(samples, pool[_THREADS])
    widest = _widest((samples + parts - 1) // parts)
    joined = 2 * hidden if mode == GRU else columns  # of the sums, those to which state and input contribute alike
    row = _whole(joined, size) + _whole(columns - joined, size)
    memory = np.empty(hidden * row + inputs * _whole(columns, size) + 2 * CACHE_LINE, np.uint8)
    of_h = address(memory) + -address(memory) % CACHE_LINE
    of_n, of_x = of_h + hidden * _whole(joined, size), of_h + hidden * row
    _pack_all(pool, result, address(w_hh), w_hh.strides[0], size, hidden, joined, widest, of_h)
    n_rows = address(w_hh) + joined * w_hh.strides[0]
    _pack_all(pool, result, n_rows, w_hh.strides[0], size, hidden, columns - joined, widest, of_n)
    _pack_all(pool, result, address(w_ih), w_ih.strides[0], size, inputs, columns, widest, of_x)
    b = np.zeros(columns + hidden, gates.dtype)  # behind those of the gates, that which r multiplies in a GRU
    for j in range(b_ih.size):
        b[j] = b_ih[j]
    for j in range(b_hh.size):
        b[j if j < joined else j + hidden] += b_hh[j]
    spread(
        pool, _forward_part, parts,
        (parts, table, mode, sizes, backwards, of_x, of_h, of_n, widest, x, b, result, gates, before, inner),
    )  # fmt: skip
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
    spread(
        pool, _pack, (vectors + widest - 1) // widest, (like, source, lane, step, k, columns, widest, target)
    )


@kernel
def _forward_part(part, parts, table, mode, sizes, backwards, of_x, of_h, of_n, widest, x, b, result, gates, before, inner):
    samples, (total, columns), hidden, size = sizes[0], gates.shape, result.shape[1], result.itemsize
    low, high = part * samples // parts, (part + 1) * samples // parts
    h, c = result[total : total + samples], result[total + samples :]
    joined = 2 * hidden if mode == GRU else columns
    step = total if backwards else 0
    for index in range(sizes.size):
        t = sizes.size - 1 - index if backwards else index
        step -= sizes[t] if backwards else 0
        rows, first = min(high, sizes[t]) - low, step + low
        if rows > 0:
            out, out_row = address(gates) + first * gates.strides[0], gates.strides[0]
            left, left_row = address(x) + first * x.strides[0], x.strides[0]
            if x.size:
                y = of_x, address(b), 0
                _multiply(b, table, rows, x.shape[1], columns, widest, left, left_row, y, out, out_row)
            else:
                for i in range(first, first + rows):
                    _add(b[:columns], gates[i])
            left, left_row = address(h) + low * hidden * size, hidden * size
            y = of_h, out, out_row
            _multiply(b, table, rows, hidden, joined, widest, left, left_row, y, out, out_row)
            if mode == GRU:
                y = of_n, address(b) + columns * size, 0
                out = address(inner) + first * left_row
                _multiply(b, table, rows, hidden, hidden, widest, left, left_row, y, out, left_row)
            for i in range(rows):
                row, sample = first + i, low + i
                _copy(h[sample], before[row])
                if mode == LSTM:
                    _copy(c[sample], before[total + row])
                    _lstm_row(gates[row], h[sample], c[sample], result[row], inner[row])
                elif mode == GRU:
                    _gru_row(gates[row], h[sample], result[row], inner[row])
                else:
                    _simple_row(mode, result[row], h[sample])
        step += 0 if backwards else sizes[t]


@kernel
def _backward(
    pool, table, mode, sizes, backwards, w_ih, w_hh, g, result, gates, before, inner, out, hidden_out, x_out, h, c
):
    """Fill out and hidden_out, the gradients of the sums, h and c, those of the state at the start, and that of x."""
    samples, size = sizes[0], result.itemsize
    (columns, hidden), total, inputs = w_hh.shape, out.shape[0], x_out.shape[1]
    if samples == 0:
        return
    h[:] = g[total : total + samples]
    if mode == LSTM:
        c[:] = g[total + samples :]
    parts = _row_parts(samples, pool[_THREADS])
    widest = _widest((samples + parts - 1) // parts)
    memory = np.empty(columns * (_whole(hidden, size) + _whole(inputs, size)) + CACHE_LINE, np.uint8)
    of_h = address(memory) + -address(memory) % CACHE_LINE
    of_x = of_h + columns * _whole(hidden, size)
    _pack_all(pool, g, address(w_hh), size, w_hh.strides[0], columns, hidden, widest, of_h)
    _pack_all(pool, g, address(w_ih), size, w_ih.strides[0], columns, inputs, widest, of_x)
    spread(
        pool, _backward_part, parts,
        (
            parts, table, mode, sizes, backwards, of_x, of_h, widest, g, result, gates, before, inner, out, hidden_out,
            x_out, h, c,
        ),
    )  # fmt: skip
    keep(memory)


@kernel
def _backward_part(
    part, parts, table, mode, sizes, backwards, of_x, of_h, widest, g, result, gates, before, inner, out, hidden_out,
    x_out, h, c,
):  # fmt: skip
    samples, (total, columns), hidden, size = sizes[0], out.shape, result.shape[1], result.itemsize
    low, high = part * samples // parts, (part + 1) * samples // parts
    inputs = x_out.shape[1]
    step = 0 if backwards else total
    for index in range(sizes.size):
        t = index if backwards else sizes.size - 1 - index
        step -= 0 if backwards else sizes[t]
        rows, first = min(high, sizes[t]) - low, step + low
        if rows > 0:
            for i in range(rows):
                row, sample = first + i, low + i
                _add(g[row], h[sample])
                if mode == LSTM:
                    c_before = before[total + row]
                    _lstm_gradients(gates[row], c_before, inner[row], h[sample], c[sample], out[row])
                elif mode == GRU:
                    _gru_gradients(gates[row], before[row], inner[row], h[sample], out[row], hidden_out[row])
                else:
                    _simple_gradients(mode, result[row], h[sample], out[row])
            offset, x_row = first * columns * size, columns * size
            into, into_row = address(h) + low * hidden * size, hidden * size
            y = of_h, into, into_row
            _multiply(g, table, rows, columns, hidden, widest, address(hidden_out) + offset, x_row, y, into, into_row)
            if x_out.size:
                into, into_row = address(x_out) + first * x_out.strides[0], x_out.strides[0]
                y = of_x, into, into_row
                x_out[first : first + rows] = 0
                _multiply(g, table, rows, columns, inputs, widest, address(out) + offset, x_row, y, into, into_row)
        step += sizes[t] if backwards else 0


@inlined
def _add(x, total):
    for j in range(np.uint64(x.size)):
        total[j] += x[j]
