"""The decks' PyTorch programs, with their import lines changed and completed where a deck abbreviates."""

import itertools

import numpy as np
import pytest

import tinygrad_fr as torch
import tinygrad_fr.nn as nn
import tinygrad_fr.nn.functional as F
import tinygrad_fr.optim as optim


def test_m09_sequential_of_the_introduction():
    D_in, H, D_out = 12, 7, 4
    model = torch.nn.Sequential(
        torch.nn.Linear(D_in, H),
        torch.nn.ReLU(),
        torch.nn.Linear(H, D_out),
        torch.nn.Softmax(dim=1),
    )
    assert model(torch.rand(3, D_in)).shape == (3, D_out)


def test_m32_handling_tensors():
    x = torch.tensor([[1, 2], [3, 4]])
    assert x.dtype == torch.int64
    X = np.array([[1.0, 2.0], [3.0, 4.0]])
    shared = torch.from_numpy(X)
    X[0, 0] = 9
    assert shared[0, 0].item() == 9
    tensor1, tensor2 = torch.rand(X.shape), torch.rand(X.shape)
    np.testing.assert_array_equal((tensor1 + tensor2).numpy(), tensor1.numpy() + tensor2.numpy())
    np.testing.assert_array_equal((tensor1 * tensor2).numpy(), tensor1.numpy() * tensor2.numpy())
    assert isinstance(tensor1.numpy(), np.ndarray)
    assert torch.squeeze(torch.zeros(1, 5, 1)).shape == (5,)


# Définir la classe MLP
class MLP(nn.Module):
    def __init__(self, n_features):
        super(MLP, self).__init__()  # noqa: UP008 - as in the deck
        self.fc1 = nn.Linear(n_features, 5)
        self.fc2 = nn.Linear(5, 3)
        self.fc3 = nn.Linear(3, 1)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return torch.sigmoid(self.fc3(x))


def test_m32_training_the_mlp():
    from sklearn.metrics import classification_report

    torch.manual_seed(1)
    points = torch.rand(200, 2)
    labels = (points.sum(1, keepdim=True) > 1).float()
    model = MLP(2)
    criterion = nn.BCELoss()
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    first = criterion(model(points), labels).item()
    for _ in range(400):
        y_pred = model(points)
        train_loss = criterion(y_pred, labels)
        optimizer.zero_grad()
        train_loss.backward()
        optimizer.step()
    assert train_loss.item() < 0.5 * first
    report = classification_report(labels.numpy().ravel(), (model(points).detach().numpy() > 0.5).ravel())
    assert "accuracy" in report


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_m29_linear_logistic_and_deep(layers):
    sizes = [3] + [8] * layers
    hidden = [module for a, b in itertools.pairwise(sizes) for module in (nn.Linear(a, b), nn.Sigmoid())]
    x, y = torch.randn(50, 3), torch.randn(50, 1)
    for head, criterion, target in (
        (nn.Identity(), nn.MSELoss(), y),
        (nn.Sigmoid(), nn.BCELoss(), (y > 0).float()),
    ):
        model = nn.Sequential(*hidden, nn.Linear(sizes[-1], 1), head)
        optimizer = optim.Adam(model.parameters(), lr=0.05)
        losses = []
        for _ in range(40):
            loss = criterion(model(x), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[-1] < losses[0]


def test_m29_linear_regression_finds_the_line():
    x = torch.linspace(-1, 1, 50).reshape(-1, 1)
    y = 3 * x - 0.5
    model = nn.Linear(1, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.3)
    for _ in range(200):
        loss = F.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert model.weight.item() == pytest.approx(3, abs=1e-3)
    assert model.bias.item() == pytest.approx(-0.5, abs=1e-3)
