"""Layers of windows and sequences, and normalisation, compiled: whole training steps, buffers, evaluation."""

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim

from .harness import may_fall_back, same_as_eager, values

ROUNDING = 1e-5


def training(compile, model, *shape, rtol=None):
    """Steps of SGD on ``model`` with other values each time; every third one is an evaluation."""
    optimizer = optim.SGD(model.parameters(), lr=0.05)

    def step(x):
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    train, evaluate = compile(step), compile(model)

    def call(i):
        model.train(i % 3 != 2)
        return (evaluate if i % 3 == 2 else train)(values(i, *shape)), model

    return call


class Last(nn.Module):
    """The output of a recurrent layer at all steps, without its state."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        return self.layer(x)[0]


MODELS = {
    "convolutions": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(4, 4, 3, padding="same", groups=2, padding_mode="reflect"),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(16, 3),
        ),
        (3, 2, 8, 8),
    ),
    "sequences of features": (
        lambda: nn.Sequential(
            nn.Conv1d(2, 4, 3, stride=2),
            nn.InstanceNorm1d(4, affine=True, track_running_stats=True),
            nn.AdaptiveMaxPool1d(3),
            nn.ConvTranspose1d(4, 2, 3, stride=2, output_padding=1),
            nn.GroupNorm(1, 2),
            nn.LPPool1d(2, 2),
        ),
        (3, 2, 9),
    ),
    "images to images": (
        lambda: nn.Sequential(
            nn.ReplicationPad2d(1),
            nn.Conv2d(1, 3, 3),
            nn.LocalResponseNorm(2),
            nn.AdaptiveAvgPool2d((3, 4)),
            nn.ConvTranspose2d(3, 2, 2, stride=2),
            nn.Upsample(size=(5, 7), mode="bicubic", align_corners=False),
            nn.Upsample(scale_factor=1.5),
            nn.ZeroPad2d((1, 0, 0, 2)),
            nn.MinPool2d(3, 2),
        ),
        (2, 1, 5, 6),
    ),
    "cumulative averages": (
        lambda: nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, momentum=None), nn.RMSNorm(3), nn.LayerNorm(3)),
        (5, 4),
    ),
    "RNN": (lambda: Last(nn.RNN(3, 4, nonlinearity="relu")), (5, 2, 3)),
    "LSTM": (lambda: Last(nn.LSTM(3, 4, 2, bidirectional=True, dropout=0.3)), (5, 2, 3)),
    "GRU": (lambda: Last(nn.GRU(3, 4, batch_first=True)), (2, 5, 3)),
}


@pytest.mark.parametrize("name", MODELS)
@same_as_eager(rtol=ROUNDING)
def test_training_and_evaluation(compile, name):
    make, shape = MODELS[name]
    return training(compile, make(), *shape)


@same_as_eager
def test_running_statistics_move_once_a_call(compile):
    layer = nn.BatchNorm1d(3)
    call = compile(lambda x: layer(x).sum())

    def step(i):
        call(values(i, 4, 3))
        assert layer.num_batches_tracked.item() == i + 1
        return layer

    return step


@same_as_eager(rtol=ROUNDING)
def test_a_convolution_without_gradients(compile):
    layer = nn.Conv2d(2, 3, 3).eval()
    infer = compile(layer)

    def call(i):
        with torch.no_grad():
            return infer(values(i, 1 + i // 3, 2, 5, 5))

    return call


@same_as_eager(rtol=ROUNDING)
def test_cells_step_by_step(compile):
    cell = nn.LSTMCell(3, 4)

    def run(x):
        state = cell(x[0])
        for each in x[1:]:
            state = cell(each, state)
        state[0].sum().backward()
        return state

    step = compile(run)

    def call(i):
        cell.zero_grad()
        return step(values(i, 4, 2, 3)), cell

    return call


@may_fall_back(rtol=ROUNDING)
def test_packed_sequences(compile):
    layer = nn.GRU(3, 4, bidirectional=True)

    def run(x):
        packed = nn.utils.rnn.pack_padded_sequence(x, [4, 2, 1])
        return nn.utils.rnn.pad_packed_sequence(layer(packed)[0])

    step = compile(run)
    return lambda i: step(values(i, 4, 3, 3))


@same_as_eager
def test_unpooling_puts_back_where_pooling_took(compile):
    def run(x):
        values, places = nn.functional.max_pool2d(x, 2, return_indices=True)
        return nn.functional.max_unpool2d(values, places, 2), places

    step = compile(run)
    return lambda i: step(values(i, 2, 1, 4, 4))


@same_as_eager
def test_nan_passes_through_pooling(compile):
    step = compile(lambda x: nn.functional.max_pool1d(x, 2))
    return lambda i: step(values(i, 1, 1, 4) * (np.nan if i % 2 else 1))
