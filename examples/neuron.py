"""Mon premier neurone: one sigmoid neuron, trained sample by sample.

    s = sigmoid(a1 w1 + a2 w2 + b),    a1, a2 in [0, 1]

It learns on which side of a line a point lies. The loop is the one of the course: for each epoch, for each sample,
forward, loss, backward, update; then the accuracy. Nothing but `Tensor` is used.
"""

import argparse

import tinygrad_fr as torch
from tinygrad_fr import Tensor


def make_points(count: int) -> tuple[Tensor, Tensor]:
    """Points of the unit square, and 1 for those above the line a2 = 1.2 - a1, else 0.  -> (count, 2), (count,)."""
    points = torch.rand(count, 2)
    return points, (points.sum(1) > 1.2).float()


def main() -> None:
    parser = argparse.ArgumentParser(description="Train one sigmoid neuron.")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=1.0, help="learning rate")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    points, sides = make_points(arguments.samples)
    w = Tensor([0.0, 0.0], requires_grad=True)
    b = Tensor(0.0, requires_grad=True)

    for epoch in range(1, arguments.epochs + 1):
        total, correct = 0.0, 0
        for a, y in zip(points, sides, strict=True):
            s = torch.sigmoid((a * w).sum() + b)  # forward
            loss = -(y * s.log() + (1 - y) * (1 - s).log())  # -log of the probability given to the right answer
            loss.backward()
            with torch.no_grad():  # the update is no part of what is differentiated
                for parameter in (w, b):
                    parameter -= arguments.lr * parameter.grad
                    parameter.grad = None
            total += loss.item()
            correct += (s.item() > 0.5) == bool(y)
        print(f"epoch {epoch:2d}  loss {total / len(points):.4f}  accuracy {correct / len(points):.3f}")

    w1, w2 = w.tolist()
    print(f"the line it found: a2 = {-b.item() / w2:.2f} - {w1 / w2:.2f} a1")


if __name__ == "__main__":
    main()
