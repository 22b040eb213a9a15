"""Recurrent layers and packed sequences: what the records do not say; what is refused."""

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.autograd import gradcheck, gradgradcheck
from tinygrad_fr.nn.utils import rnn


def draw(*shape, seed=0, dtype=np.float64):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype(dtype)).requires_grad_()


KINDS = {
    "RNN": lambda **options: nn.RNN(2, 3, **options),
    "LSTM": lambda **options: nn.LSTM(2, 3, **options),
    "LSTM projected": lambda **options: nn.LSTM(2, 3, proj_size=2, **options),
    "GRU": lambda **options: nn.GRU(2, 3, **options),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def flat(results):
    if isinstance(results, torch.Tensor):
        return (results,)
    return tuple(each for part in results if part is not None for each in flat(part))


@every_kind
def test_derivatives(kind):
    torch.manual_seed(0)
    layer = KINDS[kind](bias=False).double()
    x, weight = draw(2, 1, 2), layer.weight_hh_l0
    assert gradcheck(lambda x, _: flat(layer(x)), [x, weight])
    assert gradgradcheck(lambda x, _: layer(x)[0], [x, weight])


@every_kind
@pytest.mark.parametrize("samples", [1, 9])
def test_derivatives_by_all(kind, samples):
    """By the input, the state at the start and all weights; of the output and of the state at the end."""
    torch.manual_seed(1)
    layer = KINDS[kind](bidirectional=True).double()
    x = draw(2, samples, 2)
    states = tuple(draw(*each.shape, seed=3) for each in flat(layer(x)[1]))
    hx = states if kind.startswith("LSTM") else states[0]
    assert gradcheck(lambda x, *_: flat(layer(x, hx)), [x, *states, *layer.parameters()])


@every_kind
def test_packed_is_each_sequence_by_itself(kind):
    layer = KINDS[kind](num_layers=2, bidirectional=True).double()
    sequences = [draw(length, 2, seed=length) for length in (2, 5, 1, 4)]
    packed, state = layer(rnn.pack_sequence(sequences, enforce_sorted=False))
    outputs, states = rnn.unpack_sequence(packed), flat(state)
    for i, sequence in enumerate(sequences):
        output, state = layer(sequence)
        np.testing.assert_allclose(outputs[i].detach().numpy(), output.detach().numpy(), atol=1e-12)
        for found, expected in zip(states, flat(state), strict=True):
            np.testing.assert_allclose(found[:, i].detach().numpy(), expected.detach().numpy(), atol=1e-12)


@every_kind
def test_initial_states_of_packed_sequences_follow_their_sequences(kind):
    layer = KINDS[kind]().double()
    lengths = (1, 3, 2)
    sequences = [draw(length, 2, seed=length) for length in lengths]
    states = tuple(
        torch.zeros(*each.shape).double() + draw(*each.shape, seed=7) for each in flat(layer(draw(4, 3, 2))[1])
    )
    given = states if kind.startswith("LSTM") else states[0]
    packed, _ = layer(rnn.pack_sequence(sequences, enforce_sorted=False), given)
    for i, (sequence, output) in enumerate(zip(sequences, rnn.unpack_sequence(packed), strict=True)):
        own = tuple(each[:, i] for each in states)
        expected, _ = layer(sequence, own if kind.startswith("LSTM") else own[0])
        np.testing.assert_allclose(output.detach().numpy(), expected.detach().numpy(), atol=1e-12)


@every_kind
def test_float32_agrees_with_float64(kind):
    layer = KINDS[kind](num_layers=2)
    x = draw(6, 2, 2, dtype=np.float32)
    narrow, wide = flat(layer(x)), flat(layer.double()(x.double()))
    for one, other in zip(narrow, wide, strict=True):
        np.testing.assert_allclose(one.detach().numpy(), other.detach().numpy(), rtol=1e-4, atol=1e-5)


@every_kind
def test_the_steps_are_those_of_the_cell(kind):
    if kind == "LSTM projected":
        return
    layer = KINDS[kind]()
    cell = getattr(nn, f"{kind}Cell")(2, 3)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, state = draw(3, 4, 2, dtype=np.float32), None
    for step, expected in zip(x, layer(x)[0], strict=True):
        state = cell(step, state)
        np.testing.assert_allclose(flat(state)[0].detach().numpy(), expected.detach().numpy(), atol=1e-6)


def test_a_long_sequence_costs_no_more_a_step():
    """The gradient of each step is not as large as the whole sequence: 2000 steps need no minutes, nor gigabytes."""
    layer = nn.RNN(1, 1)
    x = torch.zeros(2000, 1, 1, requires_grad=True)
    layer(x)[0].sum().backward()
    assert x.grad.shape == x.shape


def test_packing_and_padding_are_differentiable():
    """By index: the gradients are those of the elements that were taken, in any order of the lengths."""
    for batch_first in (False, True):
        x = draw(4, 3, 2) if not batch_first else draw(3, 4, 2)
        weights = draw(3, 5, 2, seed=1) if batch_first else draw(5, 3, 2, seed=1)

        def run(x, batch_first=batch_first, weights=weights):
            packed = rnn.pack_padded_sequence(x, [2, 4, 1], batch_first, enforce_sorted=False)
            padded, lengths = rnn.pad_packed_sequence(packed, batch_first, padding_value=2.0, total_length=5)
            assert lengths.tolist() == [2, 4, 1]
            return padded * weights

        assert gradcheck(run, [x])
        assert gradgradcheck(run, [x])


def test_an_empty_batch():
    for make in KINDS.values():
        output, state = make(bidirectional=True)(torch.zeros(3, 0, 2))
        assert output.shape[:2] == (3, 0)
        assert all(each.shape[:2] == (2, 0) for each in flat(state))


def test_dropout_between_layers_in_training_alone():
    torch.manual_seed(0)
    layer = nn.GRU(2, 3, 2, dropout=0.5)
    x = torch.ones(4, 1, 2)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])
    with pytest.warns(UserWarning, match="num_layers greater than 1"):
        nn.GRU(2, 3, dropout=0.5)


def test_weights():
    layer = nn.LSTM(2, 3, 2, bidirectional=True)
    assert [len(each) for each in layer.all_weights] == [4] * 4
    assert layer.all_weights[0][0] is layer.weight_ih_l0
    assert layer.flatten_parameters() is None
    bound = 1 / np.sqrt(3)
    assert all(np.abs(each.detach().numpy()).max() <= bound for each in layer.parameters())


def test_packed_sequences():
    packed = rnn.pack_sequence([torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0])])
    assert packed.data.tolist() == [1, 4, 2, 3]
    assert packed.batch_sizes.tolist() == [2, 1, 1]
    assert packed.sorted_indices is None
    assert packed.double().data.dtype is torch.float64
    assert packed.float() is packed
    assert rnn.PackedSequence((packed.data, packed.batch_sizes)).batch_sizes is packed.batch_sizes
    padded, lengths = rnn.pad_packed_sequence(packed, padding_value=-1, total_length=4)
    assert padded.tolist() == [[1, 4], [2, -1], [3, -1], [-1, -1]]
    assert lengths.tolist() == [3, 1]
    assert [each.tolist() for each in rnn.unpad_sequence(padded, lengths)] == [[1, 2, 3], [4]]
    unsorted = rnn.pack_padded_sequence(torch.tensor([[1.0, 0.0], [2.0, 3.0]]), [1, 2], True, False)
    assert unsorted.sorted_indices.tolist() == [1, 0]
    assert unsorted.data.tolist() == [2, 1, 3]
    left = rnn.pad_sequence([torch.ones(1), torch.ones(2)], padding_side="left", batch_first=True)
    assert left.tolist() == [[0, 1], [1, 1]]


zeros = torch.zeros


def with_other_weights():
    layer = nn.LSTM(2, 3)
    layer.weight_hh_l0 = nn.Parameter(zeros(11, 3))
    return layer


REFUSED = {
    "axes": (ValueError, "LSTM: Expected input to be 2D or 3D, got 4D", lambda: nn.LSTM(2, 3)(zeros(1, 1, 1, 2))),
    "features": (RuntimeError, r"input.size\(-1\) must be equal to input_size", lambda: nn.LSTM(2, 3)(zeros(4, 5))),
    "state axes": (
        RuntimeError,
        "hx should also be 3-D but got 2-D",
        lambda: nn.GRU(2, 3)(zeros(4, 2, 2), zeros(1, 3)),
    ),
    "unbatched state": (RuntimeError, "should also be 2-D", lambda: nn.GRU(2, 3)(zeros(4, 2), zeros(1, 1, 3))),
    "state": (RuntimeError, r"Expected hidden size \(1, 2, 3\)", lambda: nn.GRU(2, 3)(zeros(4, 2, 2), zeros(1, 1, 3))),
    "cell state": (
        RuntimeError,
        r"Expected hidden\[1\] size \(1, 2, 3\), got \[1, 1, 3\]",
        lambda: nn.LSTM(2, 3)(zeros(4, 2, 2), (zeros(1, 2, 3), zeros(1, 1, 3))),
    ),
    "type of the state": (
        RuntimeError,
        "not the same dtype",
        lambda: nn.GRU(2, 3)(zeros(4, 2, 2), zeros(1, 2, 3).double()),
    ),
    "weights": (
        RuntimeError,
        r"expected w_hh of shape \(12, 3\), got \(11, 3\)",
        lambda: with_other_weights()(zeros(4, 2, 2)),
    ),
    "no steps": (RuntimeError, "sequence length to be larger than 0", lambda: nn.LSTM(2, 3)(zeros(0, 2, 2))),
    "type": (ValueError, "does not match weight dtype", lambda: nn.GRU(2, 3)(zeros(4, 2, 2).double())),
    "nonlinearity": (ValueError, "Unknown nonlinearity 'sin'", lambda: nn.RNN(2, 3, nonlinearity="sin")),
    "dropout": (ValueError, "range", lambda: nn.RNN(2, 3, dropout=2)),
    "projection": (ValueError, "smaller than hidden_size", lambda: nn.LSTM(2, 3, proj_size=3)),
    "no projection": (TypeError, "proj_size", lambda: nn.GRU(2, 3, proj_size=2)),
    "input size": (ValueError, "input_size must be greater", lambda: nn.LSTM(0, 2)),
    "hidden size": (ValueError, "hidden_size must be greater", lambda: nn.LSTM(2, 0)),
    "layers": (ValueError, "num_layers must be greater", lambda: nn.LSTM(2, 3, 0)),
    "cell axes": (ValueError, "GRUCell: Expected input to be 1D or 2D", lambda: nn.GRUCell(2, 3)(zeros(1, 1, 2))),
    "cell features": (RuntimeError, "inconsistent input_size: got 3", lambda: nn.GRUCell(2, 3)(zeros(4, 3))),
    "cell batch": (RuntimeError, "Input batch size 4", lambda: nn.GRUCell(2, 3)(zeros(4, 2), zeros(3, 3))),
    "cell hidden": (RuntimeError, "inconsistent hidden_size", lambda: nn.RNNCell(2, 3)(zeros(4, 2), zeros(4, 2))),
    "cell hidden axes": (ValueError, "Expected hidden to be 2D", lambda: nn.RNNCell(2, 3)(zeros(4, 2), zeros(3))),
    "cell nonlinearity": (RuntimeError, "sin", lambda: nn.RNNCell(2, 3, nonlinearity="sin")(zeros(1, 2))),
    "number of lengths": (
        RuntimeError,
        "equal to batch_size",
        lambda: rnn.pack_padded_sequence(zeros(4, 3, 2), [4, 2]),
    ),
    "order": (RuntimeError, "sorted in decreasing", lambda: rnn.pack_padded_sequence(zeros(4, 3, 2), [2, 4, 1])),
    "length 0": (RuntimeError, "greater than 0", lambda: rnn.pack_padded_sequence(zeros(4, 3, 2), [4, 2, 0])),
    "too long": (RuntimeError, "length 5, but", lambda: rnn.pack_padded_sequence(zeros(4, 3, 2), [5, 2, 1])),
    "nothing": (RuntimeError, "empty tensors", lambda: rnn.pack_padded_sequence(zeros(4, 0, 2), [])),
    "total length": (
        ValueError,
        "total_length=2",
        lambda: rnn.pad_packed_sequence(rnn.pack_padded_sequence(zeros(4, 1, 2), [3]), total_length=2),
    ),
    "no sequences": (RuntimeError, "empty list", lambda: rnn.pad_sequence([])),
    "sequences": (RuntimeError, "one shape", lambda: rnn.pad_sequence([zeros(1, 2), zeros(3, 3)])),
    "side": (RuntimeError, "left or right", lambda: rnn.pad_sequence([zeros(1)], padding_side="top")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    kind, words, call = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()
