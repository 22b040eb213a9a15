"""MNIST: 70,000 handwritten digits of 28 by 28 pixels (LeCun, Cortes and Burges); and Fashion-MNIST, in its form."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..autograd import Tensor
from ..autograd.tensor import wrap
from ..kernels import _folders
from ..utils.data import Dataset
from . import idx


def default_root() -> Path:
    """Where datasets are kept: the folder that the variable TINYGRAD_FR_DATA names, else one in the user's cache."""
    named = os.environ.get("TINYGRAD_FR_DATA")
    return Path(named).expanduser() if named else _folders.user_cache() / "tinygrad_fr" / "data"


class MNIST(Dataset[tuple[Any, Any]]):
    """Handwritten digits: (image, label) pairs, 60,000 to train and 10,000 to test.

    The four files are looked for in ``root/MNIST/raw`` and in ``root``, plain or with ``.gz``; ``root`` is
    `default_root()` unless given. ``download`` fetches those of the four that are in neither from ``mirrors``, a list
    of addresses that may be assigned, into ``root/MNIST/raw`` and checks what came by its SHA-256. Files that are there
    are read as they are, never replaced: a damaged one is an error that names it, to be deleted by hand.

    An image is a ``PIL.Image`` as ``transform`` receives it, the label an int as ``target_transform`` receives it.
    ``data`` (N, 28, 28) uint8 and ``targets`` (N,) int64 are all of them as Tensors.

    RuntimeError: the files are not there, or no mirror has them; ValueError: one of them is damaged, or they do not
    belong together; OSError: they cannot be read, or not be written when downloading.
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
    mirrors: ClassVar[list[str]] = [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ]
    # name, SHA-256 of the file as the mirrors have it, and of what it unpacks to: it may have been compressed anew
    resources: ClassVar[list[tuple[str, ...]]] = [
        (
            "train-images-idx3-ubyte.gz",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        (
            "train-labels-idx1-ubyte.gz",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        (
            "t10k-images-idx3-ubyte.gz",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        (
            "t10k-labels-idx1-ubyte.gz",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ]
    file_names = (
        ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
        ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
    )

    data: Tensor
    targets: Tensor

    def __init__(
        self,
        root: str | os.PathLike[str] | None = None,
        train: bool = True,
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        download: bool = False,
    ):
        self.root = os.path.expanduser(root) if isinstance(root, str) else default_root() if root is None else root
        self.train = train
        self.transform = transform
        self.target_transform = target_transform
        if download:
            self.download()
        images, labels = self._read()
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

    def download(self) -> None:
        """Fetch those of the four files that are not there, each from the first mirror that has it."""
        missing = [each for each in self.resources if self._find(each[0].removesuffix(".gz")) is None]
        if missing:
            from .download import download

            download(missing, self.mirrors, self.raw_folder)

    def _read(self) -> tuple[np.ndarray, np.ndarray]:
        """The images and the labels of this half of the data."""
        images_path, labels_path = self._found_files()
        try:
            images, labels = _read_images(images_path), _read_labels(labels_path, len(self.classes))
            if len(images) != len(labels):
                raise ValueError(
                    f"{images_path} holds {len(images)} images but {labels_path} holds {len(labels)} labels; "
                    "expected one label for each image"
                )
        except ValueError as error:
            raise ValueError(f"{error}. Delete the damaged file, then download=True fetches it again") from error
        return images, labels

    def _found_files(self) -> list[Path]:
        names = self.file_names[not self.train]
        found = [self._find(name) for name in names]
        missing = [
            place for name, file in zip(names, found, strict=True) if file is None for place in self._places(name)
        ]
        if missing:
            looked_for = "".join(f"\n  {place}" for place in missing)
            raise RuntimeError(
                "Dataset not found. You can use download=True to download it, or put the files in "
                f"{self.raw_folder}; looked for:{looked_for}"
            )
        return [file for file in found if file is not None]

    def _find(self, name: str) -> Path | None:
        return next((place for place in self._places(name) if place.is_file()), None)

    def _places(self, name: str) -> list[Path]:
        """The files that ``name`` may be, plain or compressed, in the order of preference."""
        return [folder / (name + ending) for folder in self._search_folders() for ending in ("", ".gz")]

    def _search_folders(self) -> list[Path]:
        return [Path(self.raw_folder), Path(self.root)]

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


class FashionMNIST(MNIST):
    """Images of clothing in place of digits (Xiao, Rasul and Vollgraf, 2017), else as `MNIST`.

    The names of the files are those of MNIST. So that the one is never read as the other, they are looked for in
    ``root/FashionMNIST/raw`` only.
    """

    classes: ClassVar[list[str]] = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]
    mirrors: ClassVar[list[str]] = [
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ]
    resources: ClassVar[list[tuple[str, ...]]] = [
        ("train-images-idx3-ubyte.gz", "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        ("train-labels-idx1-ubyte.gz", "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        ("t10k-images-idx3-ubyte.gz", "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        ("t10k-labels-idx1-ubyte.gz", "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    ]

    def _search_folders(self) -> list[Path]:
        return [Path(self.raw_folder)]


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
