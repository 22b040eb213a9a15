"""Batch, stochastic and mini-batch gradient descent on the same data, from the same start.

    python examples/batch_sizes.py --out batch_sizes.png

The gradient of the loss is taken over all images (batch), over one (stochastic) or over some (mini-batch). Fewer images
an update: more updates in the same number of epochs, but each follows a noisier gradient and so needs a smaller
learning rate; and a processor gets through fewer images in a second, one small product at a time.
"""

import argparse
import math
import sys
import time
from pathlib import Path
from typing import NamedTuple

from _checkpoint import check_folder
from _digits import CLASSES, Digits, add_data, load_digits
from _outputs import check_libraries, new_figure
from _program import exit_code_of, positive_int, seed
from _training import count_correct
from mnist_mlp import build_network

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F
from tinygrad_fr import nn, optim
from tinygrad_fr.utils.data import DataLoader, TensorDataset
from tinygrad_fr.utils.files import replacing

IMAGES = 1000
HIDDEN = 32
MEASUREMENTS = 5  # of the loss on all images, in each epoch that has so many updates


class Method(NamedTuple):
    name: str
    batch_size: int
    lr: float  # about the largest with which it does not jump about
    colour: str


METHODS = (
    Method("batch", IMAGES, 0.2, "tab:blue"),
    Method("mini-batch", 32, 0.1, "tab:green"),
    Method("stochastic", 1, 0.01, "tab:orange"),
)


class Point(NamedTuple):
    """How far the descent has come."""

    epochs: float
    updates: int
    seconds: float  # spent on updates, not on measuring
    loss: float


def descend(method: Method, data: TensorDataset, model: nn.Module, epochs: int) -> list[Point]:
    """Plain gradient descent; the loss on all of ``data`` at the start and several times an epoch."""
    x, y = data.tensors
    batches = DataLoader(data, batch_size=method.batch_size, shuffle=True)
    optimizer = optim.SGD(model.parameters(), lr=method.lr)
    between = max(1, len(batches) // MEASUREMENTS)
    path = [Point(0, 0, 0.0, loss_on(model, x, y))]
    updates, seconds, start = 0, 0.0, time.perf_counter()
    for _ in range(epochs):
        for images, labels in batches:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
            updates += 1
            if updates % between == 0 or updates == epochs * len(batches):
                seconds += time.perf_counter() - start
                path.append(Point(updates / len(batches), updates, seconds, loss_on(model, x, y)))
                start = time.perf_counter()
    return path


@torch.no_grad()
def loss_on(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    return F.cross_entropy(model(x), y).item()


@torch.no_grad()
def accuracy_on(model: nn.Module, digits: Digits) -> float:
    x, y = digits.test.tensors
    return count_correct(model(digits.standardise(x)), y) / len(y)


def draw(paths: dict[Method, list[Point]], title: str, file: Path) -> None:
    """The loss against epochs, and against the time that the updates took."""
    figure = new_figure(10, 4.6)
    figure.suptitle(title)
    by_epochs, by_seconds = figure.subplots(1, 2, sharey=True)
    for method, path in paths.items():
        losses = [point.loss for point in path]
        by_epochs.plot([point.epochs for point in path], losses, color=method.colour, label=described(method))
        by_seconds.plot([1000 * point.seconds for point in path[1:]], losses[1:], color=method.colour)
    by_epochs.set(xlabel="epochs", ylabel="training loss (cross-entropy, nats)", title="For the same images seen")
    by_epochs.xaxis.get_major_locator().set_params(integer=True)
    by_seconds.set(xlabel="time spent on updates (ms)", title="For the same time spent", xscale="log", yscale="log")
    for axes in (by_epochs, by_seconds):
        axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=len(paths), fontsize=9)
    with replacing(file) as png:
        figure.savefig(png, format="png", dpi=150)


def described(method: Method) -> str:
    images = {IMAGES: "all images", 1: "1 image"}.get(method.batch_size, f"{method.batch_size} images")
    return f"{method.name}: {images} an update, rate {method.lr:g}"


def run(options: argparse.Namespace) -> None:
    if options.out:
        check_out(options.out)
    digits = load_digits(options.data)
    x, y = (tensor[:IMAGES] for tensor in digits.train.tensors)
    data = TensorDataset(digits.standardise(x), y)
    sizes = [math.prod(digits.image_shape), HIDDEN, CLASSES]
    print(f"{digits.source}: {len(data):,} images, network {'-'.join(map(str, sizes))}, {options.epochs} epochs")
    print("method      images an update   learning rate  updates  seconds   final loss   test accuracy")
    for method in METHODS[:2]:
        descend(method, data, build_network(sizes), epochs=1)  # loads the kernels, which no method is to be charged for
    paths = {}
    for method in METHODS:
        torch.manual_seed(options.seed)  # the same start for all
        model = build_network(sizes)
        path = paths[method] = descend(method, data, model, options.epochs)
        print(
            f"{method.name:<10}  {min(method.batch_size, len(data)):>16,}   {method.lr:>13g}  {path[-1].updates:>7,}  "
            f"{path[-1].seconds:>7.2f}   {path[-1].loss:>10.4f}   {accuracy_on(model, digits):>13.4f}",
            flush=True,
        )
    if options.out:
        draw(paths, f"Three ways of gradient descent: {len(data):,} images of {digits.name}", options.out)
        print(f"drawn: {options.out}")


def check_out(path: Path) -> None:
    """Find out before the descents whether the figure can be drawn."""
    if path.suffix.lower() != ".png":
        raise ValueError(f"--out: expected the name of a .png file, got {path}")
    check_folder(path.parent, "--out")
    check_libraries("matplotlib")


def main(arguments: list[str] | None = None) -> int:
    """Run the program; the exit code."""
    parser = argparse.ArgumentParser(description="Compare batch, stochastic and mini-batch gradient descent.")
    add_data(parser)
    parser.add_argument("--epochs", type=positive_int, default=20, metavar="N")
    parser.add_argument("--seed", type=seed, default=0, metavar="N", help="fixes every random choice")
    parser.add_argument("--out", type=Path, metavar="FILE", help="draw the three curves into this PNG file")
    return exit_code_of("batch_sizes.py", lambda: run(parser.parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
