"""Train a multi-layer perceptron to read handwritten digits.

    python examples/mnist_mlp.py                       MNIST where it is found, else scikit-learn's 8x8 digits
    python examples/mnist_mlp.py --data DIR            MNIST's four IDX files, plain or .gz, in DIR or DIR/MNIST/raw
    python examples/mnist_mlp.py --hidden 512 --epochs 20 --dropout 0.3

The network is the one of the courses: pixels in, hidden layers with ReLU, ten scores out, softmax cross-entropy.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
from tqdm import tqdm

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.datasets import MNIST
from tinygrad_fr.utils.data import DataLoader, TensorDataset

CLASSES = 10
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tinygrad_fr" / "data"
OPTIMIZERS = {
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "sgd": lambda parameters, lr: optim.SGD(parameters, lr=lr, momentum=0.9),
}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a multi-layer perceptron on MNIST.")
    parser.add_argument("--data", type=Path, help="folder of MNIST's IDX files (default: $TINYGRAD_FR_DATA, the cache)")
    parser.add_argument("--hidden", type=positive_int, nargs="*", default=[256, 128], help="sizes of the hidden layers")
    parser.add_argument("--epochs", type=positive_int, default=10)
    parser.add_argument("--batch-size", type=positive_int, default=64)
    parser.add_argument(
        "--lr", type=positive_float, default=1e-3, help="learning rate at first; it falls linearly, epoch by epoch"
    )
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adam")
    parser.add_argument("--dropout", type=probability, default=0.2, help="share of hidden units dropped in training")
    parser.add_argument("--seed", type=int, default=0, help="fixes every random choice")
    return parser.parse_args(arguments)


def positive_int(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def positive_float(text: str) -> float:
    value = number(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def probability(text: str) -> float:
    value = number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to below 1, got {text!r}")
    return value


def number(text: str) -> float:
    with suppress(ValueError):
        return float(text)
    raise argparse.ArgumentTypeError(f"expected a number, got {text!r}")


# --- data --------------------------------------------------------------------------------------------------------


def load_digits(folder: Path | None) -> tuple[TensorDataset, TensorDataset, str]:
    """(training set, test set, name). A folder that is named must hold MNIST; only otherwise is there a fallback."""
    named = folder or (Path(os.environ["TINYGRAD_FR_DATA"]) if os.environ.get("TINYGRAD_FR_DATA") else None)
    if named is not None:
        return (*load_mnist(named), f"MNIST in {named}")
    try:
        return (*load_mnist(CACHE), f"MNIST in {CACHE}")
    except RuntimeError:
        print(
            f"MNIST is not in {CACHE} and --data was not given: using scikit-learn's 8x8 digits instead",
            file=sys.stderr,
        )
        return (*load_small_digits(), "scikit-learn's 8x8 digits")


def load_mnist(folder: Path) -> tuple[TensorDataset, TensorDataset]:
    train, test = MNIST(folder, train=True), MNIST(folder, train=False)
    pixels = train.data.numpy()
    mean, std = pixels.mean() / 255, pixels.std() / 255
    return as_mnist_dataset(train, mean, std), as_mnist_dataset(test, mean, std)


def as_mnist_dataset(part: MNIST, mean: float, std: float) -> TensorDataset:
    return as_dataset(part.data.numpy() / np.float32(255), part.targets.numpy(), mean, std)


def load_small_digits() -> tuple[TensorDataset, TensorDataset]:
    """1,797 images of 8x8 pixels that come with scikit-learn; a fixed fifth is the test set."""
    from sklearn.datasets import load_digits as load
    from sklearn.model_selection import train_test_split

    images, labels = load(return_X_y=True)
    rest, fifth = train_test_split(np.arange(len(labels)), test_size=0.2, random_state=0, stratify=labels)
    mean, std = images[rest].mean(), images[rest].std()
    return as_dataset(images[rest], labels[rest], mean, std), as_dataset(images[fifth], labels[fifth], mean, std)


def as_dataset(images: np.ndarray, labels: np.ndarray, mean: float, std: float) -> TensorDataset:
    """Standardised pixels in one row an image, and labels.  (N, H, W), (N,) -> N items (H*W,), ()."""
    x = (images.reshape(len(images), -1).astype(np.float32) - np.float32(mean)) / np.float32(std)
    return TensorDataset(torch.from_numpy(x), torch.from_numpy(labels.astype(np.int64)))


# --- network and training ----------------------------------------------------------------------------------------


def build_network(features: int, hidden: list[int], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size in hidden:
        layers += [nn.Linear(features, size), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
        features = size
    return nn.Sequential(*layers, nn.Linear(features, CLASSES))


def train_epoch(model: nn.Module, loader: DataLoader, optimizer: optim.Optimizer, title: str) -> tuple[float, float]:
    """One pass over the training set; gives its mean loss and accuracy."""
    model.train()
    criterion = nn.CrossEntropyLoss()
    seen, total_loss, correct = 0, 0.0, 0
    with tqdm(loader, desc=title, unit="batch", leave=False, disable=None) as progress:
        for x, y in progress:
            scores = model(x)
            loss = criterion(scores, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen += len(y)
            total_loss += loss.item() * len(y)
            correct += count_correct(scores, y)
            progress.set_postfix(loss=f"{total_loss / seen:.4f}", accuracy=f"{correct / seen:.4f}", refresh=False)
    return total_loss / seen, correct / seen


@torch.no_grad()
def accuracy(model: nn.Module, loader: DataLoader) -> float:
    """The share of the examples whose largest score is that of their class."""
    model.eval()
    seen, correct = 0, 0
    for x, y in loader:
        correct += count_correct(model(x), y)
        seen += len(y)
    return correct / seen


def count_correct(scores: torch.Tensor, y: torch.Tensor) -> int:
    return int((scores.argmax(1) == y).sum())


def batches(arguments: argparse.Namespace, train: TensorDataset, test: TensorDataset) -> Iterator[DataLoader]:
    yield DataLoader(train, batch_size=arguments.batch_size, shuffle=True)
    yield DataLoader(test, batch_size=1000)


def main(arguments: argparse.Namespace) -> None:
    torch.manual_seed(arguments.seed)
    train, test, name = load_digits(arguments.data)
    train_loader, test_loader = batches(arguments, train, test)
    model = build_network(train.tensors[0].size(1), arguments.hidden, arguments.dropout)
    optimizer = OPTIMIZERS[arguments.optimizer](model.parameters(), lr=arguments.lr)
    print(f"{name}: {len(train):,} training and {len(test):,} test images")
    print(
        f"{model}\n{sum(p.numel() for p in model.parameters()):,} parameters, {arguments.optimizer} at {arguments.lr:g}"
    )
    for epoch in range(1, arguments.epochs + 1):
        optimizer.param_groups[0]["lr"] = arguments.lr * (1 - (epoch - 1) / arguments.epochs)
        start = time.perf_counter()
        loss, train_accuracy = train_epoch(model, train_loader, optimizer, f"epoch {epoch}/{arguments.epochs}")
        seconds = time.perf_counter() - start
        print(f"epoch {epoch:2d}  loss {loss:.4f}  training accuracy {train_accuracy:.4f}  {seconds:.2f} s", flush=True)
    print(f"test accuracy: {accuracy(model, test_loader):.4f}")


if __name__ == "__main__":
    try:
        main(parse_arguments())
    except KeyboardInterrupt:
        sys.exit(130)
    except (OSError, RuntimeError, ValueError) as error:
        sys.exit(f"mnist_mlp.py: {error}")
