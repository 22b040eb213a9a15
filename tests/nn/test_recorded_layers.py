"""Layers of windows and sequences, and normalisation: PyTorch's recorded results, gradients, printed form and state."""

import json
from pathlib import Path

import numpy as np
import pytest

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F
from tinygrad_fr import nn
from tinygrad_fr.nn.utils import rnn

from ..golden.layer_cases import FUNCTIONS, LAYERS, NAMED, NORMS, PACKED, SEVERAL_INPUTS, numbers

GOLDEN = Path(__file__).parents[1] / "golden"
RECORDED = json.loads((GOLDEN / "layers.json").read_text())
RECORDED["norms"] = json.loads((GOLDEN / "norms.json").read_text())["layers"]

pytestmark = pytest.mark.filterwarnings("ignore:Initializing zero-element")


def filled(shape, phase=0.0):
    return torch.tensor(numbers(shape, phase), dtype=torch.float64).reshape(shape).requires_grad_()


def tensors_of(results):
    if isinstance(results, torch.Tensor):
        return [results]
    return [] if results is None else [each for part in results for each in tensors_of(part)]


def assert_close(found, recorded, tolerance=1e-11):
    for one, other in zip(found, recorded, strict=True):
        expected = np.array(other["values"]).reshape(other["shape"])
        np.testing.assert_allclose(one.detach().numpy(), expected, rtol=tolerance, atol=tolerance)


def check(results, leaves, recorded):
    """The recorded results, and the recorded gradients of the leaves for the upstream gradients cos(0), cos(1), ..."""
    results = tensors_of(results)
    assert_close(results, recorded["results"])
    wanted = [each for each in results if each.requires_grad]
    seeds = [torch.arange(each.numel()).double().cos().reshape(each.shape) for each in wanted]
    gradients = torch.autograd.grad(wanted, leaves, seeds, allow_unused=True)
    gradients = [torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, gradients, strict=True)]
    assert_close(gradients, recorded["gradients"], 1e-10)


def named(case):
    name, *rest = case
    return f"{name} {rest}"


def paired(**cases):
    """Each case of every list with what is recorded under the list's name."""
    pairs = [pair for key, each in cases.items() for pair in zip(each, RECORDED[key], strict=True)]
    return pytest.mark.parametrize(("case", "recorded"), pairs, ids=[named(case) for case, _ in pairs])


@paired(functions=FUNCTIONS)
def test_functions_are_pytorchs(case, recorded):
    name, shapes, options = case
    leaves = [filled(shape, phase) for phase, shape in enumerate(shapes)]
    keywords = dict(zip(NAMED.get(name, ()), leaves[1:], strict=False))
    check(getattr(F, name)(*(leaves[:1] if keywords else leaves), **keywords, **options), leaves, recorded)


def made(name, arguments, options):
    layer = getattr(nn, name)(*arguments, **options).double()
    with torch.no_grad():
        for phase, parameter in enumerate(layer.parameters()):
            parameter.copy_(filled(parameter.shape, 10 + phase) / 2)
    return layer


@paired(layers=LAYERS, norms=NORMS)
def test_layers_are_pytorchs(case, recorded):
    name, arguments, options, shapes = case
    layer = made(name, arguments, options)
    assert repr(layer) == recorded["repr"]
    inputs = [filled(shape, phase) for phase, shape in enumerate(shapes)]
    calls = [inputs] if name in SEVERAL_INPUTS else [[each] for each in inputs]
    for call, expected in zip(calls, recorded["training"], strict=True):
        check(layer(*call), [*call, *layer.parameters()], expected)
    assert list(layer.state_dict()) == list(recorded["state"])
    assert_close(layer.state_dict().values(), recorded["state"].values())
    assert_close(tensors_of(layer.eval()(*calls[-1])), recorded["evaluation"])


@paired(packed=PACKED)
def test_packed_sequences_are_pytorchs(case, recorded):
    name, options, lengths, enforce_sorted = case
    layer = made(name, (3, 4), options)
    sequences = [filled((length, 3), phase) for phase, length in enumerate(lengths)]
    batch_first = options.get("batch_first", False)
    padded = rnn.pad_sequence(sequences, batch_first, 0.5)
    given = rnn.pack_padded_sequence(padded, torch.tensor(lengths), batch_first, enforce_sorted)
    output, state = layer(given)
    back, found = rnn.pad_packed_sequence(output, batch_first, -1.0, 5)
    check([padded, given.data, output.data, state, back], [*sequences, *layer.parameters()], recorded)
    assert found.tolist() == recorded["lengths"]
    assert given.batch_sizes.tolist() == recorded["batch_sizes"]
