"""Handwritten digits for the examples: MNIST, or the small ones that come with scikit-learn; training on them."""

import argparse
import os
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _training import Training

import tinygrad_fr as torch
from tinygrad_fr import datasets
from tinygrad_fr.utils.data import DataLoader, TensorDataset, random_split

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLASSES = 10
VALIDATION_SHARE = 1 / 12  # of the training set: 5,000 of MNIST's 60,000


@dataclass
class Digits:
    """Images, one in a row of bytes, and their labels.  train, test: N items (H*W,) uint8, () int64."""

    name: str
    source: str
    image_shape: tuple[int, int]
    train: TensorDataset
    test: TensorDataset
    mean: float  # of the training pixels
    std: float

    def standardise(self, x: torch.Tensor) -> torch.Tensor:
        """Pixels less their mean, in units of their standard deviation.  (N, H*W) uint8 -> (N, H*W) float32.

        This is done batch by batch. Bytes take a quarter of the memory that floats take, and of the time to fetch
        them from it, which makes up for it.
        """
        return (x.float() - self.mean) / self.std

    def fingerprint(self) -> dict[str, Any]:
        """By what another run can tell that its data are the same: name, shapes, and a checksum of the labels."""
        parts = {"training": self.train, "test": self.test}
        shapes = {name: list(part.tensors[0].shape) for name, part in parts.items()}
        labels = b"".join(part.tensors[1].numpy().tobytes() for part in parts.values())
        return {"name": self.name, **shapes, "labels": f"{zlib.crc32(labels):08x}"}


def load_digits(folder: Path | None = None) -> Digits:
    """MNIST in ``folder``, else in $TINYGRAD_FR_DATA, else in the user's cache, else downloaded, else the 8x8 digits.

    A folder that is named must hold MNIST. RuntimeError, ValueError: it does not; they name the file.
    """
    root = folder or datasets.default_root()
    if folder or os.environ.get("TINYGRAD_FR_DATA"):
        return load_mnist(root)
    try:
        return load_mnist(root)
    except RuntimeError:
        return _download(root) or load_small_digits()


def load_mnist(root: Path) -> Digits:
    """MNIST's four files in ``root``, read side by side: what takes time is to unpack them."""
    with ThreadPoolExecutor() as threads:
        train, test = threads.map(partial(datasets.MNIST, root), (True, False))
    halves = [(part.data.numpy(), part.targets.numpy()) for part in (train, test)]
    return _digits("MNIST", f"MNIST in {root}", *halves)


def load_small_digits() -> Digits:
    """1,797 images of 8x8 pixels that come with scikit-learn; a fixed fifth of each class is the test set."""
    try:
        from sklearn.datasets import load_digits as load
        from sklearn.model_selection import train_test_split
    except ImportError as error:
        raise ImportError(
            "there is no MNIST, and the small digits in its place come with scikit-learn, which is not installed: "
            "pip install 'tinygrad_fr[examples]', or name a folder with MNIST's files"
        ) from error
    images, labels = load(return_X_y=True)
    rest, fifth = train_test_split(np.arange(len(labels)), test_size=0.2, random_state=0, stratify=labels)
    images = images.reshape(-1, 8, 8).astype(np.uint8)
    name = "scikit-learn's 8x8 digits"
    return _digits(name, name, (images[rest], labels[rest]), (images[fifth], labels[fifth]))


def _download(root: Path) -> Digits | None:
    """MNIST, fetched into ``root``; None where that fails, which is said on standard error."""
    print(f"MNIST is not in {root}: downloading it", file=sys.stderr, flush=True)
    try:
        datasets.MNIST(root, train=False, download=True)
        return load_mnist(root)
    except (OSError, RuntimeError) as error:
        print(f"{error}\nTaking scikit-learn's 8x8 digits instead; --data names a folder of MNIST", file=sys.stderr)
        return None


def _digits(
    name: str, source: str, train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]
) -> Digits:
    """``train``, ``test``: images (N, H, W) uint8 and labels (N,)."""
    images = train[0]
    if len(images) < 2 or not len(test[0]):
        raise ValueError(f"{source}: expected 2 training images and a test image at least, got {len(images)} and "
                         f"{len(test[0])}")  # fmt: skip
    sample = images[:3000]  # more would change the mean by less than a hundredth
    return Digits(name, source, images.shape[1:], _dataset(*train), _dataset(*test), sample.mean(), sample.std() or 1.0)


def _dataset(images: np.ndarray, labels: np.ndarray) -> TensorDataset:
    return TensorDataset(
        torch.from_numpy(images.reshape(len(images), -1)), torch.from_numpy(labels.astype(np.int64, copy=False))
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """The option that `load_digits` follows."""
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="folder of MNIST's IDX files (default: $TINYGRAD_FR_DATA, the cache)",
    )


class DigitsTraining(Training):
    """Training on digits, of which a part is kept for validation."""

    name: str  # of the network, for titles

    def __init__(self, options: argparse.Namespace, digits: Digits):
        super().__init__(options)
        held_out = max(1, int(len(digits.train) * VALIDATION_SHARE))
        self.train, self.validation = random_split(digits.train, [len(digits.train) - held_out, held_out])
        self.digits = digits
        self.train_batches = DataLoader(self.train, batch_size=options.batch_size, shuffle=True)
        self.validation_batches = DataLoader(self.validation, batch_size=1000)
        self.test_batches = DataLoader(digits.test, batch_size=1000)

    def scores(self, x: torch.Tensor) -> torch.Tensor:
        """Of each class for each image.  (N, H*W) uint8 -> (N, 10)."""
        return self.model(self.digits.standardise(x))

    def settings(self) -> dict[str, Any]:
        return super().settings() | {"data": self.digits.fingerprint()}

    def figures(self) -> "dict[str, Figure]":
        """Figures of the program's own, for the folder of --out."""
        return {}

    def images(self) -> str:
        train, validation, test = len(self.train), len(self.validation), len(self.digits.test)
        return f"{train:,} training, {validation:,} validation and {test:,} test images"
