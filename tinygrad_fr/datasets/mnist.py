"""MNIST: 70,000 handwritten digits of 28 by 28 pixels (LeCun, Cortes and Burges)."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..autograd import Tensor
from ..autograd.tensor import wrap
from ..utils.data import Dataset
from . import idx


class MNIST(Dataset[tuple[Any, Any]]):
    """Handwritten digits: (image, label) pairs, 60,000 to train and 10,000 to test.

    The four files are looked for in ``root/MNIST/raw`` and in ``root``, plain or with ``.gz``. An image is a
    ``PIL.Image`` as ``transform`` receives it, the label an int as ``target_transform`` receives it. ``data`` (N, 28,
    28) uint8 and ``targets`` (N,) int64 are all of them as Tensors.

    RuntimeError: the files are not there; ValueError: one of them is damaged, or they do not belong together.
    """

    classes: ClassVar[list[str]] = [
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    ]
    file_names = (
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
    )

    data: Tensor
    targets: Tensor

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
    ):
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        self.train = train
        self.transform = transform
        self.target_transform = target_transform
        images_path, labels_path = self._find_files(download)
        images, labels = _read_images(images_path), _read_labels(labels_path, len(self.classes))
        if len(images) != len(labels):
            raise ValueError(
                f"{images_path} holds {len(images)} images but {labels_path} holds {len(labels)} labels; "
                "expected one label for each image"
            )
        self.data = wrap(images)
        self.targets = wrap(labels.astype(np.int64))

    @property
    def raw_folder(self) -> str:
        """Where the files belong: ``root/MNIST/raw``."""
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The label of each class name."""
        return {name: i for i, name in enumerate(self.classes)}

    def _find_files(self, download: bool) -> list[Path]:
        """The images and the labels of this half of the data."""
        places = [_places(Path(self.raw_folder), Path(self.root), name) for name in self.file_names[not self.train]]
        found = [next((place for place in each if place.is_file()), None) for each in places]
        missing = [place for each, file in zip(places, found, strict=True) if file is None for place in each]
        if not missing:
            return [file for file in found if file is not None]
        looked_for = "".join(f"\n  {place}" for place in missing)
        if download:
            raise NotImplementedError(
                f"download=True is not supported yet. Put the files in {self.raw_folder}; looked for:{looked_for}"
            )
        raise RuntimeError(f"Dataset not found. Put the files in {self.raw_folder}; looked for:{looked_for}")

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image: Any = _as_pil_image(_array(self.data)[index])
        target: Any = int(_array(self.targets)[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __getbatch__(self, indices: np.ndarray) -> Any:
        """Images (N, C, H, W) and labels (N,), where the transform is one that changes many images at once."""
        changed = getattr(type(self.transform), "__batch__", None)
        if changed is None or self.target_transform is not None or not self._has_plain_items():
            return NotImplemented
        images = changed(self.transform, self.data.numpy().take(indices, axis=0))
        if not isinstance(images, Tensor):
            return NotImplemented
        return [images, wrap(self.targets.numpy().take(indices).astype(np.int64, copy=False))]

    def _has_plain_items(self) -> bool:
        """Whether the items are those of this class, and the data, which users may assign, what was read or alike."""
        if type(self).__getitem__ is not MNIST.__getitem__ or hasattr(self, "__getitems__"):
            return False
        if type(self.data) is not Tensor or type(self.targets) is not Tensor or self.targets.requires_grad:
            return False
        images, labels = self.data.detach().numpy(), self.targets.numpy()
        return images.dtype == np.uint8 and images.ndim == 3 and labels.dtype.kind in "iu" and labels.ndim == 1

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        lines = [
            f"Dataset {type(self).__name__}",
            f"    Number of datapoints: {len(self)}",
            f"    Root location: {self.root}",
            f"    Split: {'Train' if self.train else 'Test'}",
        ]
        if self.transform is not None or self.target_transform is not None:
            lines.append("    StandardTransform")  # as torchvision's, whose next lines are not indented
        lines += _described(self.transform, "Transform: ") + _described(self.target_transform, "Target transform: ")
        return "\n".join(lines)


def _places(raw_folder: Path, root: Path, name: str) -> list[Path]:
    return [folder / (name + ending) for folder in (raw_folder, root) for ending in ("", ".gz")]


def _read_images(path: Path) -> np.ndarray:
    images = idx.read(path)
    if images.dtype != np.uint8 or images.shape[1:] != (28, 28):
        raise ValueError(
            f"{path}: expected images of shape (N, 28, 28) and uint8, got {images.shape} and {images.dtype}"
        )
    return images


def _read_labels(path: Path, classes: int) -> np.ndarray:
    labels = idx.read(path)
    if labels.dtype != np.uint8 or labels.ndim != 1:
        raise ValueError(f"{path}: expected labels of shape (N,) and uint8, got {labels.shape} and {labels.dtype}")
    if labels.size and labels.max() >= classes:
        where = int(labels.argmax())
        raise ValueError(f"{path}: expected labels from 0 to {classes - 1}, got {labels[where]} at position {where}")
    return labels


def _array(values: Any) -> Any:
    """What is indexed: the array of a Tensor; users may assign arrays and lists too."""
    return values.numpy() if isinstance(values, Tensor) else values


def _as_pil_image(pixels: np.ndarray) -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "the images of a dataset are PIL images, which need Pillow: pip install 'tinygrad_fr[examples]'; "
            "or use its .data and .targets, which do not"
        ) from error
    return Image.fromarray(np.asarray(pixels))


def _described(transform: Any, head: str) -> list[str]:
    """The lines of a transform's repr behind ``head``, all at one depth."""
    if transform is None:
        return []
    first, *others = repr(transform).splitlines()
    return [head + first] + [" " * len(head) + line for line in others]
