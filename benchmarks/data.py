"""The training images of MNIST where they are found, else random images of the same shape, and their name says so."""

from pathlib import Path

import numpy as np

from tinygrad_fr.datasets import MNIST, default_root

COUNT, PIXELS, CLASSES = 60_000, 784, 10


def training_images() -> tuple[np.ndarray, np.ndarray, str]:
    """Standardised images and their labels, and what they are.  (N, 784) float32, (N,) int64."""
    try:
        train = MNIST()
    except RuntimeError:
        generator = np.random.default_rng(0)
        images = generator.standard_normal((COUNT, PIXELS), np.float32)
        return images, generator.integers(0, CLASSES, COUNT), f"random images, {COUNT:,}"
    images = train.data.numpy().reshape(len(train), -1) / np.float32(255)
    images -= images.mean(dtype=np.float64)
    images /= images.std(dtype=np.float64)
    return images, train.targets.numpy(), f"MNIST, {len(images):,} images"


def compressed_files() -> tuple[Path, Path] | None:
    """MNIST's training images and labels as .gz files, where they are found."""
    names = ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
    for place in (default_root() / "MNIST" / "raw", default_root()):
        images, labels = (place / name for name in names)
        if images.is_file() and labels.is_file():
            return images, labels
    return None
