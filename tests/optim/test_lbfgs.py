"""LBFGS: PyTorch's recorded steps, saving, closures, what is refused."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim

from . import valleys

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "lbfgs.json").read_text())["cases"]


@pytest.mark.parametrize("name", valleys.CASES)
def test_steps_are_pytorchs(name):
    for found, expected in zip(valleys.run(torch, name), GOLDEN[name], strict=True):
        assert found[3:] == expected[3:]
        for one, other in zip(found[:3], expected[:3], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", valleys.CASES)
def test_saving_and_loading_goes_on_as_if_nothing_had_happened(name):
    p, q, optimizer, closure = valleys.start(torch, name)
    optimizer.step(closure)
    optimizer.step(closure)
    other_p, other_q, other, other_closure = valleys.start(torch, name)
    with torch.no_grad():
        other_p.copy_(p)
        other_q.copy_(q)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    optimizer.step(closure)
    other.step(other_closure)
    assert torch.equal(p, other_p)
    assert torch.equal(q, other_q)


def test_it_finds_the_minimum():
    p, q, optimizer, closure = valleys.start(torch, "Rosenbrock, strong Wolfe")
    for _ in range(20):
        optimizer.step(closure)
    np.testing.assert_allclose(p.detach().numpy(), 1, atol=1e-3)
    np.testing.assert_allclose(q.detach().numpy(), 1, atol=1e-3)
    before = optimizer.state[p]["n_iter"]
    optimizer.step(closure)  # nothing is left to do
    assert optimizer.state[p]["n_iter"] <= before + 1


def test_a_linear_regression_in_float32_with_parameters_without_gradients():
    torch.manual_seed(0)
    model, unused = nn.Linear(3, 1), nn.Parameter(torch.ones(2))
    x = torch.randn(50, 3)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 3
    optimizer = optim.LBFGS([*model.parameters(), unused], line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        return loss

    with torch.no_grad():
        optimizer.step(closure)
    assert closure().item() < 1e-6
    np.testing.assert_allclose(model.weight.detach().numpy(), [[1, -2, 0.5]], atol=1e-3)
    assert unused.tolist() == [1, 1]


def test_a_compiled_step_runs_eagerly_with_a_warning():
    p = torch.ones(2, requires_grad=True)
    optimizer = optim.LBFGS([p], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    step = torch.compile(lambda: optimizer.step(closure))
    step()
    with pytest.warns(UserWarning, match="LBFGS|closure|optimizer"):
        step()
    step()
    assert p.abs().max().item() < 1e-3


P = torch.ones(2, requires_grad=True)
REFUSED = {
    "lr": (ValueError, "Invalid learning rate: -1", lambda: optim.LBFGS([P], lr=-1)),
    "groups": (ValueError, "doesn't support per-parameter", lambda: optim.LBFGS([{"params": [P]}, {"params": []}])),
    "search": (
        RuntimeError,
        "only 'strong_wolfe' is supported",
        lambda: optim.LBFGS([P], line_search_fn="x").step(lambda: (P * P).sum()),
    ),
    "closure": (TypeError, "closure", lambda: optim.LBFGS([P]).step()),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_arguments_are_refused(name):
    kind, words, call = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()
