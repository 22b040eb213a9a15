"""MNIST from local files: small ones made here, and the real ones where they are."""

import gzip
import hashlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr.autograd import Tensor
from tinygrad_fr.datasets import MNIST, FashionMNIST, default_root

IMAGES = (np.arange(5 * 28 * 28) % 251).astype(np.uint8).reshape(5, 28, 28)
LABELS = np.array([5, 0, 4, 9, 2], np.uint8)
NAMES = {True: MNIST.file_names[0], False: MNIST.file_names[1]}


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


def write_mnist(folder, images=IMAGES, labels=LABELS, train=True, packed=False):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(NAMES[train], (images, labels), strict=True):
        content = idx_bytes(array)
        path = folder / (name + ".gz" if packed else name)
        path.write_bytes(gzip.compress(content) if packed else content)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("folder", ["", "MNIST/raw"])
@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("root", [str, Path])
def test_finds_the_files(tmp_path, packed, folder, train, root):
    write_mnist(tmp_path / folder, train=train, packed=packed)
    digits = MNIST(root(tmp_path), train=train)
    assert isinstance(digits.data, Tensor)
    np.testing.assert_array_equal(digits.data.numpy(), IMAGES)
    np.testing.assert_array_equal(digits.targets.numpy(), LABELS)
    assert digits.data.numpy().dtype == np.uint8
    assert digits.targets.numpy().dtype == np.int64
    assert len(digits) == 5
    with pytest.raises(RuntimeError, match="Dataset not found"):
        MNIST(tmp_path, train=not train)


def test_the_folder_of_torchvision_comes_first_and_each_file_is_found_on_its_own(tmp_path):
    write_mnist(tmp_path, labels=LABELS[::-1].copy())
    write_mnist(tmp_path / "MNIST/raw", packed=True)
    np.testing.assert_array_equal(MNIST(tmp_path).targets.numpy(), LABELS)
    (tmp_path / "MNIST/raw" / (NAMES[True][1] + ".gz")).unlink()
    np.testing.assert_array_equal(MNIST(tmp_path).targets.numpy(), LABELS[::-1])


def test_items_are_pil_images_and_ints(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    write_mnist(tmp_path)
    image, label = MNIST(tmp_path)[2]
    assert isinstance(image, image_module.Image)
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), IMAGES[2])
    assert label == 4
    assert type(label) is int
    digits = MNIST(tmp_path, transform=lambda image: np.asarray(image).sum(), target_transform=lambda label: -label)
    assert digits[3] == (IMAGES[3].sum(), -9)
    with pytest.raises(IndexError):
        digits[5]


def test_without_pillow_the_error_says_what_to_install(tmp_path, monkeypatch):
    write_mnist(tmp_path)
    digits = MNIST(tmp_path)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"tinygrad_fr\[examples\]"):
        digits[0]


def test_classes():
    assert MNIST.classes[7] == "7 - seven"
    assert len(MNIST.classes) == 10


class Scale:
    def __repr__(self):
        return "Scale(\n    1/255\n)"


def test_repr_is_torchvisions(tmp_path):
    write_mnist(tmp_path)
    head = f"Dataset MNIST\n    Number of datapoints: 5\n    Root location: {tmp_path}\n    Split: Train"
    assert repr(MNIST(tmp_path)) == head
    transformed = "\n    StandardTransform\nTransform: Scale(\n               1/255\n           )"
    assert repr(MNIST(tmp_path, transform=Scale())) == head + transformed
    assert MNIST(tmp_path).class_to_idx["7 - seven"] == 7


def test_the_default_root(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_FR_DATA", str(tmp_path))
    assert default_root() == tmp_path
    write_mnist(tmp_path)
    assert MNIST().root == tmp_path
    np.testing.assert_array_equal(MNIST().targets.numpy(), LABELS)
    monkeypatch.setenv("TINYGRAD_FR_DATA", os.path.join("~", "digits"))
    assert default_root() == Path.home() / "digits"
    monkeypatch.setenv("TINYGRAD_FR_DATA", "")
    assert default_root().parts[-2:] == ("tinygrad_fr", "data")


def test_fashion_is_never_read_from_the_files_of_mnist(tmp_path):
    for folder in ("", "MNIST/raw"):
        write_mnist(tmp_path / folder)
    with pytest.raises(RuntimeError, match="Dataset not found") as error:
        FashionMNIST(tmp_path)
    assert str(tmp_path / "FashionMNIST" / "raw" / NAMES[True][0]) in str(error.value)
    write_mnist(tmp_path / "FashionMNIST/raw", labels=LABELS[::-1].copy())
    clothes = FashionMNIST(tmp_path)
    np.testing.assert_array_equal(clothes.targets.numpy(), LABELS[::-1])
    np.testing.assert_array_equal(MNIST(tmp_path).targets.numpy(), LABELS)
    assert clothes.class_to_idx["Ankle boot"] == 9
    assert repr(clothes).startswith("Dataset FashionMNIST\n    Number of datapoints: 5\n")


def test_data_and_targets_may_be_assigned(tmp_path):
    pytest.importorskip("PIL")
    write_mnist(tmp_path)
    digits = MNIST(tmp_path)
    chosen = digits.targets > 3
    digits.data, digits.targets = digits.data[chosen], digits.targets[chosen]
    assert [label for _, label in digits] == [5, 4, 9]
    np.testing.assert_array_equal(np.asarray(digits[1][0]), IMAGES[2])
    digits.data, digits.targets = IMAGES, [1, 2, 3, 4, 5]
    assert digits[3][1] == 4
    np.testing.assert_array_equal(np.asarray(digits[3][0]), IMAGES[3])


# ---------------------------------------------------------------------------------------------------------------
# Errors.


def test_missing_files_are_listed(tmp_path):
    with pytest.raises(RuntimeError, match="Dataset not found") as error:
        MNIST(tmp_path, train=False)
    for name in NAMES[False]:
        for place in (tmp_path / "MNIST/raw" / name, tmp_path / f"{name}.gz"):
            assert str(place) in str(error.value)
    assert "download=True" in str(error.value)


BAD = [
    (IMAGES[:4], LABELS, "4 images .* 5 labels"),
    (IMAGES, np.array([1, 2, 10, 3, 11], np.uint8), "labels from 0 to 9, got 11 at position 4"),
    (IMAGES[:, :27].copy(), LABELS, r"shape \(N, 28, 28\) and uint8, got \(5, 27, 28\)"),
    (LABELS, LABELS, r"shape \(N, 28, 28\) and uint8, got \(5,\)"),
    (IMAGES, IMAGES, r"labels of shape \(N,\) and uint8, got \(5, 28, 28\)"),
]


@pytest.mark.parametrize(("images", "labels", "message"), BAD)
def test_files_that_do_not_fit(tmp_path, images, labels, message):
    write_mnist(tmp_path, images, labels)
    with pytest.raises(ValueError, match=message):
        MNIST(tmp_path)


def test_a_damaged_file_is_named(tmp_path):
    write_mnist(tmp_path, packed=True)
    path = tmp_path / (NAMES[True][0] + ".gz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=rf"{path.name}: .*Delete the damaged file, then download=True"):
        MNIST(tmp_path)


# ---------------------------------------------------------------------------------------------------------------
# The real files.


@pytest.fixture(scope="module")
def real_root():
    beside = Path(__file__).resolve().parents[3] / "shared" / "mnist"
    root = Path(os.environ.get("TINYGRAD_FR_DATA", beside))
    try:
        MNIST(root, train=False)
    except RuntimeError:
        pytest.skip(f"the real MNIST is not in {root}; TINYGRAD_FR_DATA may name its folder")
    return root


def check_content(digits):
    """The bytes of the files have the hashes by which downloads are known."""
    for name, array in zip(NAMES[digits.train], (digits.data, digits.targets.to(torch.uint8)), strict=True):
        known = next(hashes for file, *hashes in MNIST.resources if file == f"{name}.gz")
        assert hashlib.sha256(idx_bytes(array.numpy())).hexdigest() == known[1]


def test_the_real_training_images(real_root):
    digits = MNIST(real_root)
    assert digits.data.shape == (60000, 28, 28)
    assert digits.targets.shape == (60000,)
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(digits.targets.numpy()).tolist() == counts
    check_content(digits)


def test_the_real_test_images(real_root):
    digits = MNIST(real_root, train=False)
    assert digits.data.shape == (10000, 28, 28)
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(digits.targets.numpy()).tolist() == counts
    check_content(digits)
