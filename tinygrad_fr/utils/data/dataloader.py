"""DataLoader: batches of a dataset, in order or shuffled, loaded ahead by threads where asked."""

import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from ...autograd.device import check_device
from ...random import Generator
from .collate import default_collate, default_convert
from .dataset import Dataset, IterableDataset, as_indices, batch_function, examples
from .sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler, batches_in, index_batches, new_seed
from .workers import END, Workers, WorkersHang

T = TypeVar("T")

_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class DataLoader(Generic[T]):
    """Iterate over a dataset in batches.

    ``dataset``: has ``__getitem__`` and ``__len__``, or is an IterableDataset.  ``batch_size`` examples are joined by
    ``collate_fn`` (`default_collate`); with None examples come one by one.  ``shuffle`` visits them in a new random
    order each time; ``sampler`` or ``batch_sampler`` give another order.  ``drop_last`` leaves out a last batch that is
    not full.  ``generator`` is where the order is drawn from.

    ``num_workers`` threads of this process load ``prefetch_factor`` (2) batches each ahead of the program, in order
    unless ``in_order`` is False; they share the dataset. An exception in one of them is raised where the batch was to
    come, with a note that names the worker; ``timeout`` is how many seconds to wait for a batch (0: for ever).
    ``worker_init_fn(worker_id)`` runs first in each thread; ``persistent_workers`` keeps the threads from one pass to
    the next. ``pin_memory`` and ``pin_memory_device`` change nothing on the CPU.

    A dataset that makes whole batches (``__getbatch__``: TensorDataset, MNIST with the transforms of this package, and
    Subsets of them) is asked for those, unless there is a ``collate_fn``; the batches are the same, bit for bit.
    """

    def __init__(
        self,
        dataset: Dataset[T],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler | Iterable | None = None,
        batch_sampler: Sampler[list] | Iterable[list] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[T]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ):
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context)
        check_device(pin_memory_device or None)
        iterable = isinstance(dataset, IterableDataset)
        if iterable:
            _check_iterable(shuffle, sampler, batch_sampler)
        _check_exclusive(batch_size, shuffle, sampler, batch_sampler, drop_last)
        if batch_sampler is not None:
            batch_size = None
        elif not iterable:
            if sampler is None:
                sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)  # type: ignore[arg-type]
            if batch_size is not None:
                batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        elif batch_size is not None:
            BatchSampler([], batch_size, drop_last)  # only for its checks

        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        batched = batch_size is not None or batch_sampler is not None
        self.collate_fn = collate_fn or (default_collate if batched else default_convert)
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.generator = generator
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.in_order = in_order
        self.persistent_workers = persistent_workers
        self._kept_workers: Workers | None = None
        self._ready = True

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _FIXED and getattr(self, "_ready", False):
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    def __len__(self) -> int:
        """The number of batches. TypeError where the dataset or the sampler has no length."""
        if isinstance(self.dataset, IterableDataset):
            size = len(self.dataset)  # type: ignore[arg-type]
            return size if self.batch_size is None else batches_in(size, self.batch_size, self.drop_last)
        return len(self.batch_sampler if self.batch_sampler is not None else self.sampler)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        if self.num_workers == 0:
            batches, (fetch,) = self._work(1)
            return itertools.takewhile(lambda batch: batch is not END, map(fetch, batches))
        return self._iterate_with_workers()

    def _work(self, workers: int) -> tuple[Iterator[Any], list[Callable[[Any], Any]]]:
        """What is to be fetched, and a function for each worker that fetches one of it."""
        collate = self.collate_fn
        if isinstance(self.dataset, IterableDataset):
            streams = [_Stream(self.dataset, self.batch_size, self.drop_last, collate) for _ in range(workers)]
            return itertools.repeat(None), list(streams)
        if self.batch_sampler is None:
            return iter(self.sampler), [_FetchOne(self.dataset, collate)] * workers  # type: ignore[arg-type]
        one_by_one = _FetchBatch(self.dataset, collate)
        whole = batch_function(self.dataset) if collate is default_collate else None
        if whole is not None:
            return index_batches(self.batch_sampler), [_FetchWhole(whole, one_by_one)] * workers
        return iter(self.batch_sampler), [one_by_one] * workers

    def _iterate_with_workers(self) -> Iterator[Any]:
        seed = new_seed(self.generator)
        workers = self._kept_workers or Workers(self.num_workers, self.dataset, seed, self.worker_init_fn)
        if self.persistent_workers and self._kept_workers is None:
            self._kept_workers = workers
            weakref.finalize(self, workers.stop, wait=False)
        hanging = False
        try:
            batches, fetchers = self._work(self.num_workers)
            ahead = max(1, self.num_workers * (self.prefetch_factor or 0))
            yield from workers.run(fetchers, batches, seed, ahead, self.timeout, self.in_order)
        except WorkersHang:
            hanging = True
            raise
        finally:
            if not self.persistent_workers:
                workers.stop(wait=not hanging)


# ---------------------------------------------------------------------------------------------------------------
# Ways to fetch one batch.


class _FetchBatch:
    """Batches of examples that a dataset gives one by one."""

    def __init__(self, dataset: Dataset, collate: Callable[[list], Any]):
        self.dataset = dataset
        self.collate = collate

    def __call__(self, batch: list) -> Any:
        return self.collate(examples(self.dataset, batch))


class _FetchWhole:
    """Batches that a dataset makes at once, or where it cannot, of examples one by one."""

    def __init__(self, whole: Callable[[Any], Any], one_by_one: _FetchBatch):
        self.whole = whole
        self.one_by_one = one_by_one

    def __call__(self, batch: Any) -> Any:
        indices = as_indices(batch)
        if indices is None:
            return self.one_by_one(batch)
        made = self.whole(indices)
        return self.one_by_one(indices.tolist()) if made is NotImplemented else made


class _FetchOne:
    """Single examples."""

    def __init__(self, dataset: Dataset, convert: Callable[[Any], Any]):
        self.dataset = dataset
        self.convert = convert

    def __call__(self, index: Any) -> Any:
        return self.convert(self.dataset[index])


class _Stream:
    """The batches of an IterableDataset one after the other, then `END`."""

    def __init__(
        self, dataset: IterableDataset, batch_size: int | None, drop_last: bool, collate: Callable[[Any], Any]
    ):
        self.dataset = dataset
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.collate = collate
        self.source: Iterator[Any] | None = None

    def __call__(self, _: None) -> Any:
        if self.source is None:
            self.source = iter(self.dataset)  # in the worker, where get_worker_info() says which part is its own
        if self.batch_size is None:
            example = next(self.source, END)
            return END if example is END else self.collate(example)
        batch = list(itertools.islice(self.source, self.batch_size))
        if not batch or (self.drop_last and len(batch) < self.batch_size):
            return END
        return self.collate(batch)


# ---------------------------------------------------------------------------------------------------------------
# Which options go together.


def _check_workers(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool, context: Any
) -> None:
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to load in the calling thread.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError("prefetch_factor option could only be specified with num_workers > 0")
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")
    if context is not None and num_workers == 0:
        raise ValueError(f"multiprocessing_context can only be used with num_workers > 0, but got {num_workers=}")
    if context is not None:
        raise NotImplementedError(
            "multiprocessing_context: the workers of a DataLoader are threads of this process; leave the option out"
        )


def _check_iterable(shuffle: Any, sampler: Any, batch_sampler: Any) -> None:
    for name, value in (("shuffle", shuffle or None), ("sampler", sampler), ("batch_sampler", batch_sampler)):
        if value is not None:
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
            )


def _check_exclusive(batch_size: Any, shuffle: Any, sampler: Any, batch_sampler: Any, drop_last: bool) -> None:
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError("batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
    if batch_size is None and drop_last:
        raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
