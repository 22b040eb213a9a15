"""Recurrent layers compiled: the same bits as eagerly; sequences of other lengths each time."""

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.nn.utils import rnn

from .harness import may_fall_back, same_as_eager, values

LAYERS = {
    "RNN": lambda: nn.RNN(3, 4),
    "RNN, relu": lambda: nn.RNN(3, 4, nonlinearity="relu", bias=False),
    "LSTM": lambda: nn.LSTM(3, 4),
    "LSTM of several layers": lambda: nn.LSTM(3, 4, 2, bidirectional=True, dropout=0.3),
    "LSTM, projected": lambda: nn.LSTM(3, 4, proj_size=2),
    "GRU": lambda: nn.GRU(3, 4),
    "GRU in both directions": lambda: nn.GRU(3, 4, batch_first=True, bidirectional=True),
}
SHAPES = {"few sequences": (5, 2, 3), "many": (4, 9, 3)}
every_layer = pytest.mark.parametrize("name", LAYERS)
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())


def flat(state):
    return state if isinstance(state, tuple) else (state,)


@every_layer
@every_shape
@same_as_eager
def test_training_and_evaluation(compile, name, shape):
    """The loss is of the output at all steps and of the state at the end; the next step begins from that state."""
    layer = LAYERS[name]()
    optimizer = optim.Adam(layer.parameters(), lr=0.01)

    def run(x, state):
        output, state = layer(x, state)
        return output.square().mean() + sum(each.sum() for each in flat(state)), state

    def step(x, state):
        optimizer.zero_grad()
        loss, state = run(x, state)
        loss.backward()
        optimizer.step()
        return loss.detach(), [each.detach() for each in flat(state)]

    train, evaluate = compile(step), compile(run)
    state = None

    def call(i):
        nonlocal state
        layer.train(i % 3 != 2)
        given = state if state is None or isinstance(layer, nn.LSTM) else state[0]
        if i % 3 == 2:
            with torch.no_grad():
                return evaluate(values(i, *shape), given)
        loss, state = train(values(i, *shape), given)
        return loss, layer

    return call


@may_fall_back(rtol=1e-6)
def test_lengths_that_change(compile):
    layer = nn.LSTM(3, 4, bidirectional=True)

    def run(x, lengths):
        layer.zero_grad()
        packed = rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        padded, _ = rnn.pad_packed_sequence(layer(packed)[0])
        padded.square().sum().backward()
        return padded

    step = compile(run)

    def call(i):
        lengths = torch.from_numpy(np.random.default_rng(i // 2).integers(1, 5, 3))
        return step(values(i, 4, 3, 3), lengths), layer

    return call
