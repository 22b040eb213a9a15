"""Recurrent cells: one step of many sequences at once; and how a layer goes through all steps of them.

Sequences come packed: the steps one after the other, the longest sequence first, so that each step has the first
sequences of the one before it. What the input contributes is computed for all steps in one product.
"""

import itertools

from .. import kernels as k
from ..autograd.dispatch import op
from .activation import relu, sigmoid, tanh
from .creation import zeros
from .joining import cat
from .matmul import linear

# ---------------------------------------------------------------------------------------------------------------
# Cells: from what the input contributes (N, gates*H), the state, and the recurrent weights (w_hh, b_hh, w_hr) to the
# next state, whose first part (N, H) is the output.


def _simple_cell(activation):
    def cell(from_input, state, w_hh, b_hh, w_hr):
        return (activation(from_input + linear(state[0], w_hh, b_hh)),)

    return cell


def lstm_cell(from_input, state, w_hh, b_hh, w_hr):
    """c' = f c + i g, h' = o tanh(c') with gates i, f, o.  Source: Hochreiter and Schmidhuber, 1997; Gers et al., 2000.

    With ``w_hr`` (P, H), h' is projected: w_hr h' (Sak et al., 2014).
    """
    h, c = state
    i, f, g, o = (from_input + linear(h, w_hh, b_hh)).chunk(4, 1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
    return (h if w_hr is None else linear(h, w_hr)), c


def gru_cell(from_input, state, w_hh, b_hh, w_hr):
    """h' = (1 - z) n + z h with gates r, z and n = tanh(x + r h).  Source: Cho et al., 2014."""
    (h,) = state
    x_r, x_z, x_n = from_input.chunk(3, 1)
    h_r, h_z, h_n = linear(h, w_hh, b_hh).chunk(3, 1)
    new = tanh(x_n + sigmoid(x_r + h_r) * h_n)
    return (new + sigmoid(x_z + h_z) * (h - new),)


GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}  # what the rows of the weights are for, each of size H
CELLS = {
    "RNN_TANH": _simple_cell(tanh),
    "RNN_RELU": _simple_cell(relu),
    "LSTM": lstm_cell,
    "GRU": gru_cell,
}


# ---------------------------------------------------------------------------------------------------------------
# Layers.


def run(mode, data, sizes, state, weights, backwards=False):
    """One layer in one direction.  data: (sum of sizes, I), state: of (N, H) -> (sum of sizes, H), state after the end.

    ``sizes`` says how many sequences each step has; ``state`` holds None for zeros; ``weights`` is (w_ih, w_hh, b_ih,
    b_hh, w_hr), None where absent.
    """
    *weights, w_hr = weights
    if w_hr is not None:
        return _composed(mode, data, sizes, state, (*weights, w_hr), backwards)
    h, c = state if mode == "LSTM" else (*state, None)
    try:
        result = _recurrence(data, h, c, *weights, mode=mode, sizes=tuple(sizes), backwards=backwards)
    except ValueError as error:  # shapes that do not fit
        raise RuntimeError(str(error)) from None
    total = data._array.shape[0]
    ends = range(total, result._array.shape[0] + 1, sizes[0]) if sizes[0] else (0,) * (1 + len(state))
    return result[:total], tuple(result[begin:end] for begin, end in itertools.pairwise(ends))


@op(keeps=("gates", "before", "inner"), launches=True)
def _recurrence(x, h, c, w_ih, w_hh, b_ih, b_hh, *, mode, sizes, backwards, out=None):
    """A layer in one direction: its output and below it the state after the end.

    (S, I), (N, H), of an LSTM (N, H), (G*H, I), (G*H, H), (G*H,), (G*H,) -> (S + N, H), of an LSTM (S + 2 N, H).
    """
    options = {"mode": mode, "sizes": sizes, "backwards": backwards}
    return k.recurrent.recurrence(x, h, c, w_ih, w_hh, b_ih, b_hh, **options, out=out)


@_recurrence.backward
def _(g, x, w_ih, w_hh, result, gates, before, inner, mode, sizes, backwards, needs, out=(None,) * 7):
    options = {"mode": mode, "sizes": sizes, "backwards": backwards, "needs": needs}
    return k.recurrent.recurrence_backward(g, x, w_ih, w_hh, result, gates, before, inner, **options, out=out)


@_recurrence.reference
def _(x, h, c, w_ih, w_hh, b_ih, b_hh, *, mode, sizes, backwards):
    state, weights = (h, c) if mode == "LSTM" else (h,), (w_ih, w_hh, b_ih, b_hh, None)
    output, state = _composed(mode, x, sizes, state, weights, backwards)
    return cat([output, *state])


# --- composed of the steps of a cell ---


def _composed(mode, data, sizes, state, weights, backwards):
    """`run`, step by step."""
    cell, (w_ih, w_hh, b_ih, b_hh, w_hr) = CELLS[mode], weights
    samples, hidden = sizes[0], w_hh._array.shape[1]
    if state[0] is None:
        state = initial_state(mode, (samples, w_ih._array.shape[0] // GATES[mode]), hidden, data.dtype)
    steps = _pieces(linear(data, w_ih, b_ih), sizes)
    walk = _backwards if backwards else _forwards
    outputs, state = walk(lambda step, state: cell(step, state, w_hh, b_hh, w_hr), steps, state)
    return (cat(outputs) if len(outputs) > 1 else outputs[0]), state


def _forwards(cell, steps, state):
    outputs, ended = [], []
    for step in steps:
        going_on, before = step._array.shape[0], state[0]._array.shape[0]
        if going_on < before:
            ended.append(tuple(each[going_on:] for each in state))
            state = tuple(each[:going_on] for each in state)
        state = cell(step, state)
        outputs.append(state[0])
    if ended:
        state = tuple(cat(parts) for parts in zip(state, *reversed(ended), strict=True))
    return outputs, state


def _backwards(cell, steps, first):
    """From the last step to the first: sequences begin, from the state ``first``, where they end."""
    outputs, state = [], tuple(each[:0] for each in first)
    for step in reversed(steps):
        begun, now = state[0]._array.shape[0], step._array.shape[0]
        if now > begun:
            new = tuple(each[begun:now] for each in first)
            state = tuple(cat(parts) for parts in zip(state, new, strict=True)) if begun else new
        state = cell(step, state)
        outputs.append(state[0])
    return outputs[::-1], state


def _pieces(x, sizes):
    """x cut into parts of ``sizes`` along its first axis, by halves.

    The gradient of a part is as large as what it was cut from: so all of them take n log n, not n^2.
    """
    if len(sizes) == 1:
        return [x]
    half = len(sizes) // 2
    start = sum(sizes[:half])
    return _pieces(x[:start], sizes[:half]) + _pieces(x[start:], sizes[half:])


def initial_state(mode, shape, projected, dtype):
    """Zeros: h, (*, H) or (*, P) if projected; for an LSTM also c, (*, H)."""
    h = zeros(*shape[:-1], projected or shape[-1], dtype=dtype)
    return (h, zeros(*shape, dtype=dtype)) if mode == "LSTM" else (h,)
