"""Samplers: the order in which the examples of a dataset are visited."""

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from ...autograd.tensor import wrap
from ...ops.random import multinomial, randint, randperm
from ...random import Generator

T_co = TypeVar("T_co", covariant=True)


def permutation(n: int, generator: Generator | None) -> np.ndarray:
    """A random order of 0 ... n-1.  -> (n,) int64."""
    return randperm(n, generator=generator).numpy()


def _integers(n: int, count: int, generator: Generator | None) -> np.ndarray:
    return randint(n, (count,), generator=generator).numpy()


def new_seed(generator: Generator | None) -> int:
    """A seed drawn from ``generator``."""
    return int(_integers(2**63 - 1, 1, generator)[0])


class Sampler(Generic[T_co]):
    """Base of all samplers: ``__iter__`` gives indices, or lists of indices, of a dataset."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError("Subclasses of Sampler should implement __iter__.")


class _IndexSampler(Sampler[int]):
    """A sampler whose indices are known when it starts, as one array."""

    def index_array(self) -> np.ndarray:
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        yield from self.index_array().tolist()


class SequentialSampler(_IndexSampler):
    """0, 1, 2, ..."""

    def __init__(self, data_source: Sized):
        self.data_source = data_source

    def index_array(self) -> np.ndarray:
        return np.arange(len(self.data_source))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(_IndexSampler):
    """A new random order each time, or with ``replacement`` independent draws.

    ``num_samples`` is the length of the dataset by default; more than that without replacement takes several orders.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ):
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        _check_bool("replacement", replacement, TypeError)
        _check_positive("num_samples", self.num_samples)

    @property
    def num_samples(self) -> int:
        """How many indices one pass gives."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def index_array(self) -> np.ndarray:
        n = len(self.data_source)
        if self.replacement:
            return _integers(n, self.num_samples, self.generator)
        orders = [permutation(n, self.generator) for _ in range(-(-self.num_samples // n))]
        return np.concatenate(orders)[: self.num_samples]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(_IndexSampler):
    """The given indices in a new random order each time."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None):
        self.indices = indices
        self.generator = generator

    def index_array(self) -> np.ndarray:
        return np.asarray(self.indices, np.int64)[permutation(len(self.indices), self.generator)]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(_IndexSampler):
    """``num_samples`` indices of 0 ... len(weights)-1, each drawn with probability in proportion to its weight."""

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ):
        _check_positive("num_samples", num_samples)
        _check_bool("replacement", replacement)
        self.weights = wrap(np.array(weights, np.float64))
        if self.weights.ndim != 1:
            raise ValueError(
                f"weights should be a 1d sequence but given weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def index_array(self) -> np.ndarray:
        return multinomial(self.weights, self.num_samples, self.replacement, generator=self.generator).numpy()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of ``batch_size`` indices of another sampler; the last may be shorter, unless ``drop_last``."""

    def __init__(self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool):
        _check_positive("batch_size", batch_size)
        _check_bool("drop_last", drop_last)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) < self.batch_size and self.drop_last:
                return
            yield batch

    def __len__(self) -> int:
        return batches_in(len(self.sampler), self.batch_size, self.drop_last)  # type: ignore[arg-type]


def batches_in(size: int, batch_size: int, drop_last: bool) -> int:
    """The number of batches of ``size`` examples."""
    return size // batch_size if drop_last else -(-size // batch_size)


_INDEX_SAMPLERS = (SequentialSampler, RandomSampler, SubsetRandomSampler, WeightedRandomSampler)


def index_batches(batch_sampler: Any) -> Iterator[Any]:
    """The batches of any batch sampler: as arrays, cut from a single one, where our own samplers make them."""
    sampler: Any = batch_sampler.sampler if type(batch_sampler) is BatchSampler else None
    if type(sampler) not in _INDEX_SAMPLERS:
        yield from batch_sampler
        return
    size = batch_sampler.batch_size
    indices = sampler.index_array()
    for begin in range(0, batches_in(indices.size, size, batch_sampler.drop_last) * size, size):
        yield indices[begin : begin + size]


def _check_positive(name: str, value: Any) -> None:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value <= 0:
        raise ValueError(f"{name} should be a positive integer value, but got {name}={value}")


def _check_bool(name: str, value: Any, error: type[Exception] = ValueError) -> None:
    if not isinstance(value, bool):
        raise error(f"{name} should be a boolean value, but got {name}={value}")
