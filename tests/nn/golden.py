"""What PyTorch gave, recorded by tests/golden/record_nn.py."""

import json
from pathlib import Path

import numpy as np

import tinygrad_fr as torch
from tinygrad_fr.nn import functional as F

RECORDED = json.loads((Path(__file__).parents[1] / "golden" / "nn.json").read_text())


# PyTorch's derivative of these has a constant that it rounds to float32
ROUNDED = {"hardsigmoid": 1e-7}


def value(recorded):
    """A recorded argument, tensors as tensors."""
    if isinstance(recorded, dict):
        return torch.tensor(recorded["tensor"], dtype=getattr(torch, recorded["dtype"]))
    return recorded


def name(case):
    options = {key: "..." if isinstance(given, dict) else given for key, given in case["options"].items()}
    return f"{case['function']} {options}"


def check(case):
    """Our function gives the recorded result, and the recorded gradients for the recorded upstream gradient."""
    arguments = [value(each) for each in case["arguments"]]
    wanted = zip(arguments, case["differentiated"], strict=True)
    leaves = [each.requires_grad_() for each, is_wanted in wanted if is_wanted]
    result = getattr(F, case["function"])(*arguments, **{key: value(each) for key, each in case["options"].items()})
    assert result.dtype is torch.float64
    np.testing.assert_allclose(result.detach().numpy(), case["result"], rtol=1e-12, atol=1e-12)
    seed = torch.arange(result.numel()).double().cos().reshape(result.shape)
    gradients = torch.autograd.grad(result, leaves, seed)
    for gradient, expected in zip(gradients, case["gradients"], strict=True):
        np.testing.assert_allclose(gradient.numpy(), expected, rtol=ROUNDED.get(case["function"], 1e-8), atol=1e-12)
