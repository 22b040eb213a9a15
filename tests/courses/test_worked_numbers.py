"""The figures that the courses work out by hand (M15, M16, M20, M30, and the pieces of M09, M11, M29)."""

import math

import numpy as np
import pytest

import tinygrad_fr as torch
from examples.gradient_descent import descend
from tinygrad_fr import nn
from tinygrad_fr.utils.data import DataLoader, TensorDataset


def test_m15_a_4_3_1_network_has_19_parameters():
    model = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 1), nn.Sigmoid())
    weights = sum(p.numel() for name, p in model.named_parameters() if name.endswith("weight"))
    biases = sum(p.numel() for name, p in model.named_parameters() if name.endswith("bias"))
    assert weights == 4 * 3 + 3
    assert biases == 3 + 1
    assert weights + biases == 19


@pytest.mark.parametrize(("output", "cost"), [(0.79, 0.0441), (0.34, 0.4356)])
def test_m16_cost_of_an_output_against_1(output, cost):
    loss = nn.MSELoss()(torch.tensor([output], dtype=torch.float64), torch.tensor([1.0], dtype=torch.float64))
    assert loss.item() == pytest.approx(cost, abs=1e-12)


def test_m20_an_epoch_of_34000_examples_in_batches_of_500_has_68_iterations():
    loader = DataLoader(TensorDataset(torch.zeros(34_000, 1)), batch_size=500)
    assert len(loader) == 68
    assert sum(1 for _ in loader) == 68


def test_m30_gradient_descent_on_x2_minus_x_plus_1():
    path = descend(start=5.0, rate=0.3, threshold=1e-9)
    xs, slopes = zip(*path, strict=True)
    assert xs[:3] == pytest.approx([5.0, 2.3, 1.22], abs=1e-12)
    assert slopes[:3] == pytest.approx([9.0, 3.6, 1.44], abs=1e-12)
    assert xs[-1] == pytest.approx(0.5, abs=1e-9)


def test_m30_a_rate_too_large_leads_away_and_a_small_one_is_slow():
    away = descend(start=5.0, rate=1.1, threshold=1e-3, most_steps=20)
    assert abs(away[-1][0]) > 5
    slow = descend(start=5.0, rate=0.003, threshold=1e-3, most_steps=20)
    assert slow[-1][0] > 4


def test_m01_the_derivative_of_the_sigmoid_neuron():
    a, w = torch.tensor([0.2, 0.7]), torch.tensor([0.5, -1.0], requires_grad=True)
    b = torch.tensor(0.1, requires_grad=True)
    s = torch.sigmoid((a * w).sum() + b)
    s.backward()
    value = 1 / (1 + math.exp(-(0.2 * 0.5 - 0.7 + 0.1)))
    assert s.item() == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(w.grad.numpy(), value * (1 - value) * a.numpy(), rtol=1e-6)
    assert b.grad.item() == pytest.approx(value * (1 - value), rel=1e-6)


def test_m09_softmax_gives_probabilities():
    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3), nn.Softmax(dim=1))
    out = model(torch.randn(4, 6))
    assert out.shape == (4, 3)
    assert bool(((out > 0) & (out < 1)).all())
    np.testing.assert_allclose(out.sum(1).detach().numpy(), 1, rtol=1e-6)


def test_m11_the_loss_is_minus_log_of_the_probability_of_the_class_and_the_cost_its_mean():
    scores = torch.tensor([[1.0, 2.0, 0.5], [0.0, 0.0, 3.0]], dtype=torch.float64)
    classes = torch.tensor([1, 0])
    f = scores.softmax(1)
    by_hand = [-math.log(f[0, 1].item()), -math.log(f[1, 0].item())]
    losses = nn.CrossEntropyLoss(reduction="none")(scores, classes)
    np.testing.assert_allclose(losses.numpy(), by_hand, rtol=1e-12)
    assert nn.NLLLoss()(f.log(), classes).item() == pytest.approx(sum(by_hand) / 2, rel=1e-12)
    assert nn.CrossEntropyLoss()(scores, classes).item() == pytest.approx(sum(by_hand) / 2, rel=1e-12)
