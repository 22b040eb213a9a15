"""Threads that load batches ahead of the program that consumes them.

Batch number n goes to worker n modulo their number. A task carries the queue its result goes to, so that a pass which
was given up leaves nothing behind that the next one could mistake for its own.
"""

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from ...random import own_stream

END = object()  # what a task gives when its worker's stream has run out


@dataclass
class WorkerInfo:
    """Who a worker is: its number, how many there are, its seed, and the dataset (shared, not a copy)."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_local = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """The worker that runs this code; None in a thread that is no worker of a DataLoader."""
    return getattr(_local, "info", None)


class _Pass:
    """One pass over the data: the queue of its results, and whether it was given up."""

    def __init__(self, seed: int):
        self.seed = seed
        self.results: SimpleQueue = SimpleQueue()
        self.cancelled = False


class Workers:
    """``count`` threads, each with a queue of tasks of its own."""

    def __init__(self, count: int, dataset: Any, seed: int, init: Callable[[int], None] | None):
        self._queues: list[SimpleQueue] = [SimpleQueue() for _ in range(count)]
        self._threads = []
        for i, queue in enumerate(self._queues):
            info = WorkerInfo(i, count, seed + i, dataset)
            # The thread holds the queue and not this object, so that an unused loader can be freed and stop it.
            thread = threading.Thread(
                target=_work, args=(info, queue, init), name=f"DataLoader worker {i}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def stop(self, wait: bool = True) -> None:
        """End the threads, each after the task it is at."""
        for queue in self._queues:
            queue.put(None)
        if wait:
            for thread in self._threads:
                thread.join()

    def run(
        self,
        fetchers: Sequence[Callable[[Any], Any]],
        batches: Iterable[Any],
        seed: int,
        ahead: int,
        timeout: float,
        in_order: bool,
    ) -> Iterator[Any]:
        """``fetchers[worker](batch)`` for each of ``batches``, at most ``ahead`` of them not yet consumed.

        Each task draws random numbers from a stream of its own, so the results do not depend on the threads' timing.
        A fetcher that gives `END` gets no more tasks. RuntimeError if nothing arrives for ``timeout`` seconds.
        """
        current = _Pass(seed)
        try:
            yield from self._results(current, fetchers, iter(batches), ahead, timeout or None, in_order)
        finally:
            current.cancelled = True

    def _results(
        self,
        current: _Pass,
        fetchers: Sequence[Callable[[Any], Any]],
        batches: Iterator[Any],
        ahead: int,
        timeout: float | None,
        in_order: bool,
    ) -> Iterator[Any]:
        live = list(range(len(fetchers)))
        turn = itertools.count()
        sent = received = 0
        arrived: dict[int, tuple[int, Any, BaseException | None]] = {}
        while True:
            while live and sent - received < ahead and (batch := next(batches, END)) is not END:
                worker = live[next(turn) % len(live)]
                self._queues[worker].put((sent, fetchers[worker], batch, current))
                sent += 1
            if received == sent:
                return
            worker, *value, error = self._receive(current, received, arrived, timeout, in_order)
            received += 1
            if error is not None:
                raise error
            if value[0] is not END:
                yield value.pop()  # kept here no longer: the batch is freed when the program drops it
            elif worker in live:
                live.remove(worker)

    def _receive(
        self, current: _Pass, wanted: int, arrived: dict, timeout: float | None, in_order: bool
    ) -> tuple[int, Any, BaseException | None]:
        """The result number ``wanted``, or the next that arrives where order does not matter."""
        while wanted not in arrived:
            try:
                number, *result = current.results.get(timeout=timeout)
            except Empty:
                raise WorkersHang(f"DataLoader timed out after {timeout} seconds") from None
            arrived[number if in_order else wanted] = tuple(result)
        return arrived.pop(wanted)


class WorkersHang(RuntimeError):
    """No worker gave a result in time."""


def _work(info: WorkerInfo, queue: SimpleQueue, init: Callable[[int], None] | None) -> None:
    """What a thread does: one task after the other until it gets None."""
    _local.info = info
    failure = _failure_of(init, info)
    while (task := queue.get()) is not None:
        number, fetch, batch, current = task
        if current.cancelled:
            continue
        if failure is not None:
            current.results.put((number, info.id, None, failure))
            continue
        try:
            with own_stream(current.seed + number):
                result = info.id, fetch(batch), None
        except BaseException as error:  # carried to the consumer, whatever it is
            _name_worker(error)
            result = info.id, None, error
        current.results.put((number, *result))
        del task, fetch, batch, current, result  # a waiting thread keeps no batch alive


def _failure_of(init: Callable[[int], None] | None, info: WorkerInfo) -> BaseException | None:
    if init is None:
        return None
    try:
        with own_stream(info.seed):
            init(info.id)
    except BaseException as error:  # given to the consumer in place of the first batch
        _name_worker(error)
        return error
    return None


def _name_worker(error: BaseException) -> None:
    error.add_note(f"raised in {threading.current_thread().name}")
