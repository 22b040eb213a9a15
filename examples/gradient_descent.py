"""Gradient descent on f(x) = x^2 - x + 1, from 5 with rate 0.3: 5, 2.3, 1.22, ... to 1/2.

The derivative comes from `backward`. The descent stops when it is smaller than a threshold.
"""

import argparse
from pathlib import Path

import numpy as np

from tinygrad_fr import Tensor


def f(x):
    """x^2 - x + 1, of a number, an array or a Tensor; its minimum is 3/4, at 1/2."""
    return x**2 - x + 1


def descend(start: float, rate: float, threshold: float, most_steps: int = 1000) -> list[tuple[float, float]]:
    """Every (x, f'(x)) on the way down, until |f'(x)| < threshold."""
    path: list[tuple[float, float]] = []
    x = Tensor(start, dtype=np.float64, requires_grad=True)
    while len(path) < most_steps:
        f(x).backward()
        slope = x.grad.item()
        path.append((x.item(), slope))
        if abs(slope) < threshold:
            break
        x = (x - rate * x.grad).detach().requires_grad_()
    return path


def draw(path: list[tuple[float, float]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    xs = np.array([x for x, _ in path])
    reach = max(abs(xs - 0.5).max() * 1.25, 1)
    grid = np.linspace(0.5 - reach, 0.5 + reach, 400)
    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    axes.plot(grid, f(grid), color="tab:blue", label="$f(x) = x^2 - x + 1$")
    axes.plot(xs, f(xs), "o-", color="tab:red", markersize=4, label=f"{len(path) - 1} steps of gradient descent")
    axes.plot(0.5, 0.75, "*", color="tab:green", markersize=14, label="minimum, at $x = 1/2$")
    for i, (x, offset) in enumerate(zip(xs, [(10, -4), (10, -4), (14, -2)], strict=False)):
        axes.annotate(f"$x_{i} = {x:.3g}$", (x, f(x)), textcoords="offset points", xytext=offset)
    axes.set(xlabel="x", ylabel="f(x)", title="Gradient descent")
    axes.legend()
    figure.savefig(file, dpi=150)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description="Gradient descent on x^2 - x + 1.")
    parser.add_argument("--start", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=0.3, help="learning rate; the descent diverges from 1 on")
    parser.add_argument("--threshold", type=float, default=1e-3, help="stop where |f'(x)| is below")
    parser.add_argument("--plot", type=Path, help="draw the path into this PNG file")
    arguments = parser.parse_args()

    path = descend(arguments.start, arguments.rate, arguments.threshold)
    print("step         x     f'(x)")
    for step, (x, slope) in enumerate(path):
        print(f"{step:4d} {x:9.4f} {slope:9.4f}")
    if arguments.plot:
        draw(path, arguments.plot)
        print(f"drawn: {arguments.plot}")


if __name__ == "__main__":
    main()
