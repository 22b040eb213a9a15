"""Batches of MNIST made at once are those of its items one by one, bit for bit; and when they are made so."""

import gzip
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinygrad_fr as torch
from tinygrad_fr.datasets import MNIST, FashionMNIST
from tinygrad_fr.transforms import Compose, Lambda, Normalize, ToTensor
from tinygrad_fr.utils.data import DataLoader, Subset, default_collate, random_split

pytest.importorskip("PIL")

COUNT = 40
IMAGES = np.random.default_rng(0).integers(0, 256, (COUNT, 28, 28), np.uint8)
LABELS = (np.arange(COUNT) * 7 % 10).astype(np.uint8)
NORMALIZED = Compose([ToTensor(), Normalize((0.1307,), (0.3081,))])


def idx_bytes(array):
    return bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("digits")
    for raw in (folder, folder / "FashionMNIST" / "raw", folder / "Counted" / "raw"):
        raw.mkdir(parents=True, exist_ok=True)
        for name, array in zip(MNIST.file_names[0], (IMAGES, LABELS), strict=True):
            (raw / f"{name}.gz").write_bytes(gzip.compress(idx_bytes(array)))
    return folder


def collate_one_by_one(examples):
    return default_collate(examples)


def same(one, other):
    assert type(one) is type(other)
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    assert one.is_contiguous()
    assert one.numpy().tobytes() == other.numpy().tobytes()


def compare(dataset, **options):
    """Both ways through the data, from the same order."""
    loaders = [
        DataLoader(dataset, generator=torch.Generator().manual_seed(3), collate_fn=collate, **options)
        for collate in (None, collate_one_by_one)
    ]
    for (x, y), (x2, y2) in zip(*loaders, strict=True):
        same(x, x2)
        same(y, y2)


def is_made_at_once(dataset, monkeypatch):
    """Whether a batch comes without an item."""
    with monkeypatch.context() as patch:
        calls = []
        original = type(dataset).__getbatch__
        patch.setattr(type(dataset), "__getbatch__", lambda self, i: calls.append(original(self, i)) or calls[-1])
        next(iter(DataLoader(dataset, 4)))
    return bool(calls) and calls[0] is not NotImplemented


TRANSFORMS = st.sampled_from(
    [
        ToTensor(),
        NORMALIZED,
        Compose([NORMALIZED, Normalize(0.5, torch.tensor([3.0]))]),
        Compose([ToTensor(), Normalize((float("nan"),), (1e-30,))]),
        Compose([ToTensor(), Lambda(lambda x: x[:, ::2])]),
        Lambda(lambda image: np.asarray(image, np.int32)),
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    transform=TRANSFORMS,
    indices=st.lists(st.integers(-COUNT, COUNT - 1), min_size=1, max_size=2 * COUNT),
    batch_size=st.integers(1, 30),
    nested=st.booleans(),
    num_workers=st.sampled_from([0, 0, 1, 2]),
)
def test_batches_of_any_indices(root, transform, indices, batch_size, nested, num_workers):
    digits = MNIST(root, transform=transform)
    part = Subset(digits, indices)
    if nested:
        part = Subset(part, np.arange(len(indices))[::-1])
    compare(part, batch_size=batch_size, shuffle=True, num_workers=num_workers)


def test_shapes_and_dtypes(root):
    x, y = next(iter(DataLoader(MNIST(root, transform=NORMALIZED), batch_size=7)))
    assert (x.shape, x.dtype) == ((7, 1, 28, 28), torch.float32)
    assert (y.shape, y.dtype) == ((7,), torch.int64)
    x.zero_()  # the batch is the program's own
    np.testing.assert_array_equal(MNIST(root).data.numpy(), IMAGES)


def test_whole_passes(root):
    digits = MNIST(root, transform=NORMALIZED)
    for options in ({"batch_size": 16, "shuffle": True}, {"batch_size": 9, "drop_last": True}, {"num_workers": 2}):
        compare(digits, **options)
    for part in random_split(digits, [0.7, 0.3]):
        compare(part, batch_size=8, shuffle=True)


class Halved(MNIST):
    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        return image / 2, label


class Listed(MNIST):
    def __getitems__(self, indices):
        return [(torch.zeros(1), i) for i in indices]


class Bigger(ToTensor):
    def __call__(self, pic):
        return super().__call__(pic) * 2


class Counted(MNIST):
    """Another class with MNIST's own items."""

    classes: ClassVar[list[str]] = MNIST.classes


@pytest.mark.parametrize(
    ("kind", "transform", "target_transform", "at_once"),
    [
        (MNIST, NORMALIZED, None, True),
        (FashionMNIST, ToTensor(), None, True),
        (Counted, ToTensor(), None, True),
        (MNIST, Compose([ToTensor(), Lambda(abs)]), None, False),
        (MNIST, Bigger(), None, False),
        (MNIST, ToTensor(), lambda label: -label, False),
        (Halved, ToTensor(), None, False),
        (Listed, ToTensor(), None, False),
    ],
)
def test_when_batches_are_made_at_once(root, monkeypatch, kind, transform, target_transform, at_once):
    dataset = kind(root, transform=transform, target_transform=target_transform)
    compare(dataset, batch_size=6, shuffle=True)
    assert is_made_at_once(dataset, monkeypatch) == at_once


@pytest.mark.parametrize(
    ("data", "targets", "at_once"),
    [
        (torch.from_numpy(IMAGES[:5]), torch.arange(5), True),
        (torch.from_numpy(IMAGES[:5, 3:9, :20]), torch.arange(5, dtype=torch.int32), True),
        (torch.from_numpy(IMAGES[::3, ::2, ::2]), torch.from_numpy(LABELS[::3]), True),
        (torch.from_numpy(IMAGES[:5].astype(np.float32)), torch.arange(5), False),
        (torch.from_numpy(IMAGES[:5, :, :, None].repeat(3, 3)), torch.arange(5), False),
        (torch.from_numpy(IMAGES[:5]), torch.arange(5).to(torch.float32) / 2, False),
        (torch.from_numpy(IMAGES[:5]), torch.tensor([True, False, True, True, False]), False),
        (torch.from_numpy(IMAGES[:5]), [3, 1, 4, 1, 5], False),
        (IMAGES[:5], LABELS[:5], False),
    ],
)
def test_data_that_was_assigned(root, monkeypatch, data, targets, at_once):
    digits = MNIST(root, transform=ToTensor())
    digits.data, digits.targets = data, targets
    compare(digits, batch_size=2)
    assert is_made_at_once(digits, monkeypatch) == at_once


def test_a_transform_may_be_exchanged_at_any_time(root):
    digits = MNIST(root, transform=ToTensor())
    batches = iter(DataLoader(digits, batch_size=4))
    assert next(batches)[0].max().item() <= 1
    digits.transform = NORMALIZED
    assert next(batches)[0].max().item() > 2


@pytest.mark.parametrize(
    "transform", [None, Compose([]), Normalize(0.5, 0.5), Compose([ToTensor(), Normalize(0.5, 0.0)]), ToTensor]
)
def test_errors_are_those_of_single_items(root, transform):
    digits = MNIST(root, transform=transform)
    with pytest.raises((TypeError, ValueError)) as alone:
        default_collate([digits[0], digits[1]])
    with pytest.raises(alone.type) as whole:
        next(iter(DataLoader(digits, batch_size=2)))
    assert str(whole.value) == str(alone.value)


def test_an_index_beyond_the_end(root):
    with pytest.raises(IndexError):
        next(iter(DataLoader(MNIST(root, transform=ToTensor()), batch_sampler=[[0, COUNT]])))
