"""Records what PyTorch gives for the calls of layer_cases.py.  Run: python record_layers.py > layers.json

Needs PyTorch; the tests need only the file. All in float64; an array is a flat list of its elements and its shape.
"""

import json
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F
from layer_cases import FUNCTIONS, LAYERS, NAMED, PACKED, SEVERAL_INPUTS, numbers
from torch.nn.utils import rnn


def filled(shape, phase=0.0):
    return torch.tensor(numbers(shape, phase), dtype=torch.float64).reshape(shape).requires_grad_()


def plain(tensor):
    """The elements to 13 digits, and the shape."""
    values = tensor.detach().flatten().tolist()
    return {"values": [float(f"{each:.13g}") for each in values], "shape": list(tensor.shape)}


def tensors_of(results):
    if isinstance(results, torch.Tensor):
        return [results]
    return [] if results is None else [each for part in results for each in tensors_of(part)]


def with_gradients(results, leaves):
    """The results, and the gradients of the leaves for the upstream gradients cos(0), cos(1), ..."""
    results = tensors_of(results)
    wanted = [each for each in results if each.requires_grad]
    seeds = [torch.arange(each.numel(), dtype=torch.float64).cos().reshape(each.shape) for each in wanted]
    gradients = torch.autograd.grad(wanted, leaves, seeds, allow_unused=True)
    gradients = [torch.zeros_like(leaf) if g is None else g for leaf, g in zip(leaves, gradients, strict=True)]
    return {"results": list(map(plain, results)), "gradients": list(map(plain, gradients))}


def called(name, shapes, options):
    leaves = [filled(shape, phase) for phase, shape in enumerate(shapes)]
    named = dict(zip(NAMED.get(name, ()), leaves[1:], strict=False))
    return with_gradients(getattr(F, name)(*(leaves[:1] if named else leaves), **named, **options), leaves)


def made(name, arguments, options):
    """A layer in float64 whose parameters are filled with numbers."""
    layer = getattr(nn, name)(*arguments, **options).double()
    with torch.no_grad():
        for phase, parameter in enumerate(layer.parameters()):
            parameter.copy_(filled(parameter.shape, 10 + phase) / 2)
    return layer


def layer_calls(name, arguments, options, shapes):
    layer = made(name, arguments, options)
    inputs = [filled(shape, phase) for phase, shape in enumerate(shapes)]
    calls = [inputs] if name in SEVERAL_INPUTS else [[each] for each in inputs]
    training = [with_gradients(layer(*call), [*call, *layer.parameters()]) for call in calls]
    state = {key: plain(value.double()) for key, value in layer.state_dict().items()}
    layer.eval()
    evaluated = list(map(plain, tensors_of(layer(*calls[-1]))))
    return {"repr": repr(layer), "training": training, "state": state, "evaluation": evaluated}


def packed(name, options, lengths, enforce_sorted):
    layer = made(name, (3, 4), options)
    sequences = [filled((length, 3), phase) for phase, length in enumerate(lengths)]
    batch_first = options.get("batch_first", False)
    padded = rnn.pad_sequence(sequences, batch_first, 0.5)
    given = rnn.pack_padded_sequence(padded, torch.tensor(lengths), batch_first, enforce_sorted)
    output, state = layer(given)
    back, found = rnn.pad_packed_sequence(output, batch_first, -1.0, 5)
    record = with_gradients([padded, given.data, output.data, state, back], [*sequences, *layer.parameters()])
    return record | {"lengths": found.tolist(), "batch_sizes": given.batch_sizes.tolist()}


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    record = {
        "torch": torch.__version__.split("+")[0],
        "functions": [called(*case) for case in FUNCTIONS],
        "layers": [layer_calls(*case) for case in LAYERS],
        "packed": [packed(*case) for case in PACKED],
    }
    print(json.dumps(record))
