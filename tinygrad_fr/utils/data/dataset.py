"""Datasets: collections of examples, and ways to join and split them."""

import bisect
import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from ... import kernels
from ...autograd import Tensor
from ...autograd.tensor import wrap
from ...random import Generator
from .sampler import permutation

T = TypeVar("T")

_INTEGERS = {int, np.int64, np.int32}  # and not bool, which as an index means something else


class Dataset(Generic[T]):
    """A map from an index to an example. Subclasses write ``__getitem__``, and ``__len__`` for most samplers.

    A subclass may add ``__getitems__(indices)``, which gives the examples of a whole batch as a list; and
    ``__getbatch__(indices)``, which makes the batch itself of an array (N,) of int64: what `default_collate` would
    make of the examples, bit for bit. It may give NotImplemented, then they are fetched and joined one by one; which a
    class must do for subclasses that have examples of their own.
    """

    def __getitem__(self, index: Any) -> T:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: "Dataset[T]") -> "ConcatDataset[T]":
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T], Iterable[T]):
    """A stream of examples: subclasses write ``__iter__``. There are no indices, so nothing to shuffle."""

    def __add__(self, other: Dataset[T]) -> "ChainDataset":  # type: ignore[override]
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """The examples are the rows of tensors of one length.  tensors: (N, *), (N, *), ...

    AssertionError: first axes that differ.
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor):
        sizes = [tensor.shape[0] for tensor in tensors]
        if len(set(sizes)) > 1:
            raise AssertionError(f"Size mismatch between tensors: the first axis has sizes {sizes}")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)  # type: ignore[index]

    def __getbatch__(self, indices: np.ndarray) -> Any:
        if type(self) is not TensorDataset or not self.tensors:
            return NotImplemented
        if any(type(tensor) is not Tensor or tensor.requires_grad for tensor in self.tensors):
            return NotImplemented  # a gradient flows back through indexing
        return [wrap(kernels.gather.take_rows(tensor.numpy(), indices)) for tensor in self.tensors]

    def __len__(self) -> int:
        return self.tensors[0].shape[0]


class ConcatDataset(Dataset[T]):
    """Datasets one after the other."""

    datasets: list[Dataset[T]]
    cumulative_sizes: list[int]

    def __init__(self, datasets: Iterable[Dataset]):
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = list(itertools.accumulate(len(each) for each in self.datasets))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, index: int) -> T:
        size = len(self)
        if index < 0:
            if index < -size:
                raise ValueError("absolute value of index should not exceed dataset length")
            index += size
        if index >= size:
            raise IndexError(f"index {index} is out of range for a dataset of length {size}")
        which = bisect.bisect_right(self.cumulative_sizes, index)
        before = self.cumulative_sizes[which - 1] if which else 0
        return self.datasets[which][index - before]


class ChainDataset(IterableDataset):
    """Streams one after the other."""

    def __init__(self, datasets: Iterable[Dataset]):
        self.datasets = datasets

    def __iter__(self) -> Iterator[Any]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield from dataset

    def __len__(self) -> int:
        return sum(len(dataset) for dataset in self.datasets)  # type: ignore[arg-type]


class Subset(Dataset[T]):
    """The examples of ``dataset`` at ``indices``."""

    dataset: Dataset[T]
    indices: Sequence[int]

    def __init__(self, dataset: Dataset[T], indices: Sequence[int]):
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> T:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: Sequence[int]) -> list[T]:
        return examples(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)


def examples(dataset: Dataset[T], indices: Sequence[int]) -> list[T]:
    """The examples at ``indices``, by one call where the dataset offers one."""
    take_all = getattr(dataset, "__getitems__", None)
    return take_all(indices) if take_all else [dataset[i] for i in indices]


def random_split(
    dataset: Dataset[T], lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset[T]]:
    """Split a dataset at random into parts of these lengths, or of these fractions of its length, which sum to 1.

    What rounding the fractions down leaves over goes to the first parts, one example each.
    ValueError: lengths that do not sum to the length of the dataset, or a fraction outside [0, 1].
    """
    total = len(dataset)  # type: ignore[arg-type]
    sizes = _sizes_of_fractions(total, lengths) if _are_fractions(lengths) else list(lengths)
    if sum(sizes) != total:
        raise ValueError(
            "Sum of input lengths does not equal the length of the input dataset! "
            f"The lengths {list(lengths)} sum to {sum(lengths)}, the dataset has {total} examples"
        )
    order = permutation(total, generator).tolist()
    ends = itertools.accumulate(int(size) for size in sizes)
    return [Subset(dataset, order[end - int(size) : end]) for size, end in zip(sizes, ends, strict=True)]


def _are_fractions(lengths: Sequence[int | float]) -> bool:
    return math.isclose(sum(lengths), 1) and sum(lengths) <= 1


def _sizes_of_fractions(total: int, fractions: Sequence[int | float]) -> list[int]:
    for i, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ValueError(f"Fraction at index {i} is not between 0 and 1: {fraction}")
    sizes = [math.floor(total * fraction) for fraction in fractions]
    for i in range(total - sum(sizes)):
        sizes[i % len(sizes)] += 1
    for i, size in enumerate(sizes):
        if size == 0:
            warnings.warn(
                f"Length of split at index {i} is 0. This might result in an empty dataset.", UserWarning, stacklevel=3
            )
    return sizes


def batch_function(dataset: Any) -> Callable[[np.ndarray], Any] | None:
    """What makes a whole batch of an array of indices, or NotImplemented for some; None if nothing does."""
    if type(dataset) is Subset:
        inner, indices = batch_function(dataset.dataset), as_indices(dataset.indices)
        return None if inner is None or indices is None else _OfSubset(inner, indices)
    method = getattr(type(dataset), "__getbatch__", None)
    return None if method is None else partial(method, dataset)


class _OfSubset:
    """The batch function of a Subset."""

    def __init__(self, inner: Callable[[np.ndarray], Any], indices: np.ndarray):
        self.inner = inner
        self.indices = indices

    def __call__(self, batch: np.ndarray) -> Any:
        return self.inner(self.indices[batch])


def as_indices(batch: Any) -> np.ndarray | None:
    """Indices as an array (N,) of integers; None where they are anything else that a dataset may understand."""
    if isinstance(batch, (np.ndarray, Tensor)):
        array = np.asarray(batch)
    elif isinstance(batch, (list, tuple, range)) and set(map(type, batch)) <= _INTEGERS:
        array = np.array(batch)
    else:
        return None
    return array.astype(np.int64, copy=False) if array.ndim == 1 and array.dtype.kind == "i" else None
