"""Datasets, samplers and the DataLoader: PyTorch's semantics, its errors, and threads that end."""

import threading
import time
import weakref
from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_fr as torch
from tinygrad_fr.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    get_worker_info,
    random_split,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pairs(n=10):
    return TensorDataset(torch.arange(n * 2, dtype=torch.float32).reshape(n, 2), torch.arange(n))


class Squares(Dataset):
    """Examples made one by one, by Python."""

    def __init__(self, n=10, bad=None):
        self.n, self.bad = n, bad

    def __len__(self):
        return self.n

    def __getitem__(self, index):
        if index == self.bad:
            raise KeyError(f"no example {index}")
        return index, index**2


class Counting(IterableDataset):
    def __init__(self, n=7):
        self.n = n

    def __iter__(self):
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        return iter(range(worker, self.n, workers))


class CountingWithLength(Counting):
    def __len__(self):
        return self.n


def numbers(loader):
    """The second item of every batch, as lists."""
    return [batch[1].tolist() for batch in loader]


# ---------------------------------------------------------------------------------------------------------------
# Datasets.


def test_tensor_dataset():
    data = pairs()
    x, y = data[3]
    assert x.tolist() == [6, 7]
    assert y.item() == 3
    assert data[-1][1].item() == 9
    assert data[2:4][1].tolist() == [2, 3]
    assert len(data) == 10
    with pytest.raises(IndexError):
        data[10]
    with pytest.raises(AssertionError, match=r"Size mismatch .*\[2, 3\]"):
        TensorDataset(torch.ones(2), torch.ones(3))


def test_concat_dataset():
    joined = pairs(3) + Squares(2) + Squares(4)
    assert isinstance(joined, ConcatDataset)
    assert len(joined) == 9
    assert joined[3] == (0, 0)
    assert joined[8] == joined[-1] == (3, 9)
    assert ConcatDataset([Squares(2), Squares(4)]).cumulative_sizes == [2, 6]
    for index, error in ((9, IndexError), (-10, ValueError)):
        with pytest.raises(error):
            joined[index]
    with pytest.raises(AssertionError, match="empty"):
        ConcatDataset([])
    with pytest.raises(AssertionError, match="IterableDataset"):
        ConcatDataset([Counting()])


def test_chained_streams():
    assert list(Counting(2) + Counting(3)) == [0, 1, 0, 1, 2]
    assert len(CountingWithLength(2) + CountingWithLength(3)) == 5


def test_subset():
    part = Subset(Subset(Squares(), [5, 6, 7]), [2, 0])
    assert [part[0], part[1], part[-1]] == [(7, 49), (5, 25), (5, 25)]
    assert len(part) == 2
    assert Subset(pairs(), [4, 2])[[0, 1]][1].tolist() == [4, 2]
    with pytest.raises(IndexError):
        part[2]


def test_a_dataset_must_say_how_to_get_an_example():
    with pytest.raises(NotImplementedError, match="__getitem__"):
        Dataset()[0]
    with pytest.raises(NotImplementedError, match="__iter__"):
        iter(Sampler())


def lengths_of(parts):
    return [len(part) for part in parts]


def test_random_split():
    parts = random_split(Squares(), [7, 3], generator=seeded(1))
    assert lengths_of(parts) == [7, 3]
    indices = [i for part in parts for i in part.indices]
    assert sorted(indices) == list(range(10))
    assert indices != list(range(10))
    again = random_split(Squares(), [7, 3], generator=seeded(1))
    assert [part.indices for part in parts] == [part.indices for part in again]


@pytest.mark.parametrize(
    ("fractions", "sizes"),
    [([0.5, 0.5], [5, 5]), ([0.33, 0.33, 0.34], [4, 3, 3]), ([0.45, 0.45, 0.1], [5, 4, 1]), ([1.0], [10])],
)
def test_random_split_by_fractions(fractions, sizes):
    assert lengths_of(random_split(range(10), fractions)) == sizes


@pytest.mark.parametrize("lengths", [[3, 6], [0.5, 0.6], [0.3, 0.3], [11]])
def test_random_split_refuses_other_sums(lengths):
    with pytest.raises(ValueError, match=r"Sum of input lengths .* 10 examples"):
        random_split(range(10), lengths)


def test_random_split_at_the_edges():
    with pytest.raises(ValueError, match="Fraction at index 1"):
        random_split(range(10), [0.3, -0.3, 1.0])
    with pytest.warns(UserWarning, match="split at index 2 is 0"):
        assert lengths_of(random_split(range(3), [0.5, 0.5, 0.0])) == [2, 1, 0]


# ---------------------------------------------------------------------------------------------------------------
# Samplers.


def test_sequential_and_random_samplers():
    assert list(SequentialSampler(range(4))) == [0, 1, 2, 3]
    sampler = RandomSampler(range(50), generator=seeded(2))
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert list(RandomSampler(range(50), generator=seeded(2))) == first
    assert all(type(i) is int for i in first)


def test_random_sampler_of_another_number():
    many = list(RandomSampler(range(10), num_samples=25))
    assert len(many) == 25
    assert sorted(many[:10]) == sorted(many[10:20]) == list(range(10))
    assert len(set(many[20:])) == 5
    drawn = list(RandomSampler(range(10), replacement=True, num_samples=1000))
    assert set(drawn) == set(range(10))
    assert len(RandomSampler(range(10), replacement=True)) == 10


def test_weighted_random_sampler():
    drawn = list(WeightedRandomSampler([0.0, 1.0, 0.0, 3.0], 4000, generator=seeded(3)))
    assert set(drawn) == {1, 3}
    assert 0.2 < drawn.count(1) / 4000 < 0.3
    without = WeightedRandomSampler([0.1, 1.0, 3.0], 3, replacement=False)
    assert len(without) == 3
    assert sorted(without) == [0, 1, 2]
    assert set(WeightedRandomSampler(torch.tensor([0.0, 2.0]), 5)) == {1}


def test_subset_random_sampler():
    sampler = SubsetRandomSampler([3, 5, 8], generator=seeded(4))
    assert sorted(sampler) == [3, 5, 8]
    assert len({tuple(sampler) for _ in range(50)}) == 6


def test_batch_sampler():
    assert list(BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert len(BatchSampler(range(5), 2, False)) == 3
    assert len(BatchSampler(range(5), 2, True)) == 2


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: RandomSampler(range(3), replacement=1), TypeError, "replacement should be a boolean value"),
        (lambda: RandomSampler(range(3), num_samples=0), ValueError, "positive integer value, but got num_samples=0"),
        (lambda: RandomSampler([]), ValueError, "positive integer value, but got num_samples=0"),
        (lambda: WeightedRandomSampler([1.0], 0), ValueError, "num_samples=0"),
        (lambda: WeightedRandomSampler([[0.1]], 2), ValueError, r"1d sequence .* \(1, 1\)"),
        (lambda: WeightedRandomSampler([1.0], 2, replacement=1), ValueError, "replacement should be a boolean value"),
        (lambda: list(WeightedRandomSampler([-1.0, 1.0], 2)), RuntimeError, "< 0"),
        (lambda: list(WeightedRandomSampler([0.1, 1.0], 3, replacement=False)), RuntimeError, "cannot sample"),
        (lambda: BatchSampler(range(3), 0, False), ValueError, "batch_size=0"),
        (lambda: BatchSampler(range(3), True, False), ValueError, "batch_size=True"),
        (lambda: BatchSampler(range(3), 2, 0), ValueError, "drop_last should be a boolean value"),
    ],
)
def test_samplers_refuse(make, error, message):
    with pytest.raises(error, match=message):
        make()


# ---------------------------------------------------------------------------------------------------------------
# Collating.


def test_default_collate_joins_what_examples_are_made_of():
    for batch, expected, dtype in (
        ([1, 2], [1, 2], torch.int64),
        ([1.0, 2.0], [1, 2], torch.float64),
        ([True, False], [True, False], torch.bool),
        ([1, 2.5], [1, 2.5], torch.float32),
        ([np.float32(1), np.float32(2)], [1, 2], torch.float32),
        ([np.ones(2), np.zeros(2)], [[1, 1], [0, 0]], torch.float64),
        ([np.ones(1, ">i4"), np.zeros(1, ">i4")], [[1], [0]], torch.int32),
        ([torch.ones(2), torch.zeros(2)], [[1, 1], [0, 0]], torch.float32),
    ):
        joined = default_collate(batch)
        assert joined.tolist() == expected
        assert joined.dtype == dtype


def test_default_collate_goes_into_collections():
    Point = namedtuple("Point", "x y")
    assert default_collate(["a", "b"]) == ["a", "b"]
    numbers_and_names = default_collate([(1, "a"), (2, "b")])
    assert numbers_and_names[0].tolist() == [1, 2]
    assert numbers_and_names[1] == ["a", "b"]
    assert default_collate([{"a": 1}, {"a": 2}])["a"].tolist() == [1, 2]
    point = default_collate([Point(1, 2), Point(3, 4)])
    assert isinstance(point, Point)
    assert point.y.tolist() == [2, 4]
    assert default_collate([[1, 2.0], [3, 4.0]])[1].tolist() == [2, 4]


def test_default_collate_keeps_the_graph():
    x = torch.ones(2, requires_grad=True)
    default_collate([x, x]).sum().backward()
    assert x.grad.tolist() == [2, 2]


@pytest.mark.parametrize(
    ("batch", "error", "message"),
    [
        ([None], TypeError, "found <class 'NoneType'>"),
        ([np.array("a")], TypeError, "found <U1"),
        ([(1, 2), (1,)], RuntimeError, "equal size"),
        ([np.ones(2), np.ones(3)], RuntimeError, r"equal size, but got \[2\] at entry 0 and \[3\] at entry 1"),
        ([torch.ones(2), torch.ones(3)], RuntimeError, "equal size"),
    ],
)
def test_default_collate_refuses(batch, error, message):
    with pytest.raises(error, match=message):
        default_collate(batch)


# ---------------------------------------------------------------------------------------------------------------
# DataLoader.


def test_34000_examples_in_batches_of_500_are_68_iterations():
    loader = DataLoader(TensorDataset(torch.arange(34000)), batch_size=500, shuffle=True)
    assert len(loader) == 68
    assert sum(1 for _ in loader) == 68


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["tensors", "subset", "squares"]),
    st.integers(1, 20),
    st.integers(1, 7),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0, 1, 3]),
)
def test_every_example_comes_once(kind, n, batch_size, shuffle, drop_last, num_workers):
    data = {"tensors": pairs(n), "subset": Subset(pairs(n + 5), range(5, n + 5)), "squares": Squares(n)}[kind]
    loader = DataLoader(data, batch_size, shuffle, drop_last=drop_last, num_workers=num_workers, generator=seeded(n))
    batches = [(x, y.tolist()) for x, y in loader]
    assert len(batches) == len(loader)
    sizes = [len(y) for _, y in batches]
    assert all(size == batch_size for size in sizes[:-1])
    seen = [i for _, y in batches for i in y]
    whole = [data[i][1] if kind == "squares" else data[i][1].item() for i in range(n)]
    if drop_last:
        assert len(seen) == n // batch_size * batch_size
        assert set(seen) <= set(whole)
    else:
        assert sorted(seen) == whole
    if not shuffle:
        assert seen == whole[: len(seen)]
    if kind != "squares":
        assert all(x.tolist() == [[2 * i, 2 * i + 1] for i in y] for x, y in batches)


def test_shuffled_batches_of_tensors_are_those_of_single_examples():
    class Plain(TensorDataset):
        """No longer a TensorDataset itself, so its examples are fetched one by one."""

    fast, plain = pairs(23), Plain(*pairs(23).tensors)
    for wrapped in (lambda data: data, lambda data: Subset(Subset(data, range(20)), [7, 3, 3, 11, -1])):
        one = DataLoader(wrapped(fast), batch_size=4, shuffle=True, generator=seeded(5))
        other = DataLoader(wrapped(plain), batch_size=4, shuffle=True, generator=seeded(5))
        for _ in range(2):
            for (x, y), (x2, y2) in zip(one, other, strict=True):
                assert x.tolist() == x2.tolist()
                assert y.tolist() == y2.tolist()
                assert x.dtype == x2.dtype


class Numbered(Dataset):
    """Makes whole batches itself, but not of indices beyond ``last``; counts them."""

    def __init__(self, last=100):
        self.last = last
        self.whole = self.single = 0

    def __len__(self):
        return 10

    def __getitem__(self, index):
        self.single += 1
        return index, -float(index)

    def __getbatch__(self, indices):
        assert indices.dtype == np.int64
        if indices.max() > self.last:
            return NotImplemented
        self.whole += 1
        return [torch.from_numpy(indices.copy()), torch.from_numpy(-indices.astype(np.float64))]


def test_a_dataset_that_makes_whole_batches():
    data = Numbered()
    assert numbers(DataLoader(data, 4)) == [[0, -1, -2, -3], [-4, -5, -6, -7], [-8, -9]]
    assert numbers(DataLoader(data, 4, num_workers=2)) == numbers(DataLoader(data, 4))
    assert sorted(y for batch in numbers(DataLoader(data, 3, shuffle=True)) for y in batch) == list(range(-9, 1))
    assert numbers(DataLoader(data, batch_sampler=[np.array([3, 1], np.int32)])) == [[-3, -1]]
    assert numbers(DataLoader(Subset(Subset(data, [5, 6, 7]), torch.tensor([2, 0])), 2)) == [[-7, -5]]
    assert data.single == 0
    assert data.whole == 3 * 3 + 4 + 1 + 1
    assert next(iter(DataLoader(data, 4, collate_fn=len))) == 4
    assert next(iter(DataLoader(data, None))) == [0, 0]
    assert (data.whole, data.single) == (15, 5)


def test_batches_that_a_dataset_does_not_make_are_fetched_one_by_one():
    data = Numbered(last=5)
    batches = list(DataLoader(data, 4))
    assert [batch[0].tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert all(batch[1].dtype == torch.float64 for batch in batches)
    assert (data.whole, data.single) == (1, 6)


@pytest.mark.parametrize(
    "batch",
    [
        [3, 1],
        [-1],
        (2, 2),
        [np.int64(3), np.int32(1), 0],
        np.array([4, 0]),
        torch.tensor([4, 0]),
        [torch.tensor(4), torch.tensor(0)],
        [True, True],
        [np.True_],
        [slice(0, 2), slice(3, 5)],
        [[0, 1], [2, 3]],
        np.array([[0, 1], [2, 3]]),
        [None],
        range(2, 4),
    ],
    ids=repr,
)
def test_indices_of_any_kind_mean_what_they_mean_to_the_dataset(batch):
    data = pairs(5)
    expected = default_collate([data[i] for i in batch])
    came = next(iter(DataLoader(data, batch_sampler=[batch])))
    for one, other in zip(came, expected, strict=True):
        assert one.tolist() == other.tolist()
        assert one.shape == other.shape


@pytest.mark.parametrize("batch", [[5], [0, -6], [1.5], ["a"], [], [2**70]])
def test_indices_that_a_dataset_refuses(batch):
    data = pairs(5)
    with pytest.raises((IndexError, TypeError, OverflowError, ValueError)) as alone:
        default_collate([data[i] for i in batch])
    with pytest.raises(alone.type):
        next(iter(DataLoader(data, batch_sampler=[batch])))


@pytest.mark.parametrize("num_workers", [0, 1, 2])
@pytest.mark.parametrize("kind", ["whole", "single"])
def test_a_batch_is_freed_when_the_program_drops_it(kind, num_workers):
    data = pairs(8) if kind == "whole" else Subset(list(torch.arange(8)), range(8))
    batches = iter(DataLoader(data, 2, num_workers=num_workers))
    for _ in range(4):
        batch = next(batches)
        tensor = batch[0] if kind == "whole" else batch
        watched = weakref.ref(tensor)
        del batch, tensor
        assert watched() is None
    assert next(batches, None) is None


def test_batches_are_copies():
    data = pairs(4)
    for x, _ in DataLoader(data, batch_size=2):
        x.zero_()
    assert data.tensors[0].sum().item() == sum(range(8))


def test_gradients_flow_back_to_the_tensors_of_a_dataset():
    weights = torch.ones(6, requires_grad=True)
    for (x,) in DataLoader(TensorDataset(weights), batch_size=4):
        (x * 3).sum().backward()
    assert weights.grad.tolist() == [3] * 6


def test_samplers_of_any_kind():
    assert numbers(DataLoader(pairs(), sampler=[3, 1], batch_size=2)) == [[3, 1]]
    assert numbers(DataLoader(pairs(), batch_sampler=[[3], [1, 2]])) == [[3], [1, 2]]
    assert numbers(DataLoader(Squares(), batch_sampler=BatchSampler([3, 1, 2], 2, True))) == [[9, 1]]
    assert len(DataLoader(pairs(), batch_sampler=[[3], [1, 2]])) == 2
    assert list(DataLoader(Squares(3), batch_size=None)) == [[0, 0], [1, 1], [2, 4]]
    arrays = list(DataLoader([np.ones(2), 3, "a"], batch_size=None))
    assert arrays[0].tolist() == [1, 1]
    assert arrays[1:] == [3, "a"]


def test_collate_fn_is_used():
    assert list(DataLoader(Squares(3), batch_size=2, collate_fn=list)) == [[(0, 0), (1, 1)], [(2, 4)]]
    assert [len(batch) for batch in DataLoader(pairs(3), batch_size=2, collate_fn=list)] == [2, 1]


def test_streams():
    assert [batch.tolist() for batch in DataLoader(Counting(), batch_size=3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [batch.tolist() for batch in DataLoader(Counting(), batch_size=3, drop_last=True)] == [[0, 1, 2], [3, 4, 5]]
    assert list(DataLoader(Counting(3), batch_size=None)) == [0, 1, 2]
    assert len(DataLoader(CountingWithLength(), batch_size=2)) == 4
    with pytest.raises(TypeError):
        len(DataLoader(Counting()))
    shared = DataLoader(Counting(), batch_size=2, num_workers=2)  # the workers take every second number each
    assert [batch.tolist() for batch in shared] == [[0, 2], [1, 3], [4, 6], [5]]
    assert sorted(DataLoader(Counting(50), batch_size=None, num_workers=3)) == list(range(50))


BATCHES = BatchSampler(range(10), 2, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"shuffle": True, "sampler": SequentialSampler(range(3))},
            "sampler option is mutually exclusive with shuffle",
        ),
        ({"batch_sampler": BATCHES, "batch_size": 2}, "batch_sampler option is mutually exclusive"),
        ({"batch_sampler": BATCHES, "shuffle": True}, "batch_sampler option is mutually exclusive"),
        ({"batch_sampler": BATCHES, "sampler": [1]}, "batch_sampler option is mutually exclusive"),
        ({"batch_sampler": BATCHES, "drop_last": True}, "batch_sampler option is mutually exclusive"),
        ({"batch_size": None, "drop_last": True}, "mutually exclusive with drop_last"),
        ({"batch_size": 0}, "batch_size should be a positive integer value, but got batch_size=0"),
        ({"batch_size": 2.5}, "but got batch_size=2.5"),
        ({"num_workers": -1}, "num_workers option should be non-negative"),
        ({"timeout": -1}, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, "prefetch_factor option could only"),
        ({"prefetch_factor": -1, "num_workers": 1}, "prefetch_factor option should be non-negative"),
        ({"persistent_workers": True}, "persistent_workers option needs num_workers > 0"),
        ({"multiprocessing_context": "fork"}, "num_workers=0"),
    ],
)
def test_options_that_exclude_each_other(options, message):
    with pytest.raises(ValueError, match=message):
        DataLoader(pairs(), **options)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}])
def test_a_stream_has_no_order_to_choose(options):
    with pytest.raises(ValueError, match=f"IterableDataset: expected unspecified {next(iter(options))} option"):
        DataLoader(Counting(), **options)
    assert len(list(DataLoader(Counting(), shuffle=False))) == 7


def test_other_options():
    with pytest.raises(ValueError, match="num_samples=0"):
        DataLoader([], shuffle=True)
    assert list(DataLoader([])) == []
    with pytest.raises(NotImplementedError, match="multiprocessing_context"):
        DataLoader(pairs(), num_workers=1, multiprocessing_context="fork")
    with pytest.raises(RuntimeError, match="cuda"):
        DataLoader(pairs(), pin_memory=True, pin_memory_device="cuda")
    assert numbers(DataLoader(pairs(2), pin_memory=True)) == [[0], [1]]


@pytest.mark.parametrize("name", ["batch_size", "sampler", "batch_sampler", "drop_last", "dataset"])
def test_what_is_fixed_once_it_is_made(name):
    with pytest.raises(ValueError, match=f"{name} attribute should not be set"):
        setattr(DataLoader(pairs()), name, 3)


# ---------------------------------------------------------------------------------------------------------------
# Workers.


@pytest.fixture(autouse=True)
def _no_thread_stays():
    before = set(threading.enumerate())
    yield
    for _ in range(100):
        if set(threading.enumerate()) <= before:
            break
        time.sleep(0.01)  # a thread that was told to stop but not waited for
    assert set(threading.enumerate()) <= before


class Slow(Squares):
    """The first examples take longest."""

    def __getitem__(self, index):
        time.sleep(0.02 if index < 2 else 0.0)
        return super().__getitem__(index)


def test_workers_keep_the_order():
    assert numbers(DataLoader(Slow(9), batch_size=2, num_workers=3)) == [[0, 1], [4, 9], [16, 25], [36, 49], [64]]


def test_in_order_false_takes_what_is_there_first():
    released = threading.Event()

    class FirstIsLast(Squares):
        def __getitem__(self, index):
            if index == 0:
                released.wait()
            return super().__getitem__(index)

    batches = iter(DataLoader(FirstIsLast(6), num_workers=2, in_order=False, timeout=10))
    came = [next(batches)[1].item()]
    released.set()
    came += [value for _, value in batches]
    assert came[0] == 1
    assert sorted(came) == [i**2 for i in range(6)]


def test_workers_load_ahead_but_not_further_than_asked():
    fetched = []

    class Recording(Squares):
        def __getitem__(self, index):
            fetched.append(index)
            return super().__getitem__(index)

    batches = iter(DataLoader(Recording(100), num_workers=2, prefetch_factor=3))
    next(batches)
    for _ in range(100):
        if len(fetched) >= 6:
            break
        time.sleep(0.01)
    time.sleep(0.02)
    assert sorted(fetched) == list(range(6))
    batches.close()


def test_an_exception_reaches_the_consumer_with_the_name_of_the_worker():
    loader = DataLoader(Squares(10, bad=5), batch_size=2, num_workers=2)
    batches = iter(loader)
    assert next(batches)[1].tolist() == [0, 1]
    assert next(batches)[1].tolist() == [4, 9]
    with pytest.raises(KeyError, match="no example 5") as error:
        next(batches)
    assert error.value.__notes__ == ["raised in DataLoader worker 0"]
    assert "__getitem__" in [entry.name for entry in error.traceback]


def test_threads_end_when_the_consumer_stops_early():
    for _ in DataLoader(Squares(1000), num_workers=3):
        break
    batches = iter(DataLoader(Squares(1000), num_workers=3))
    next(batches)
    del batches
    assert not [thread for thread in threading.enumerate() if "DataLoader" in thread.name]


def test_worker_init_fn_and_worker_info():
    started = []

    def start(worker):
        info = get_worker_info()
        started.append((worker, info.id, info.num_workers, info.dataset.n, threading.current_thread().name))

    assert len(list(DataLoader(Squares(), num_workers=2, worker_init_fn=start))) == 10
    assert sorted(started) == [(i, i, 2, 10, f"DataLoader worker {i}") for i in range(2)]
    assert get_worker_info() is None


def test_a_worker_that_cannot_start_says_so():
    def start(worker):
        raise OSError(f"worker {worker} has no disk")

    with pytest.raises(OSError, match="has no disk") as error:
        list(DataLoader(Squares(), num_workers=2, worker_init_fn=start))
    assert error.value.__notes__ == ["raised in DataLoader worker 0"]


def test_timeout():
    blocked = threading.Event()

    class Stuck(Squares):
        def __getitem__(self, index):
            blocked.wait()
            return index

    with pytest.raises(RuntimeError, match=r"timed out after 0.05 seconds"):
        list(DataLoader(Stuck(), num_workers=1, timeout=0.05))
    blocked.set()


def test_persistent_workers_start_once():
    started = []
    loader = DataLoader(Squares(5), num_workers=2, persistent_workers=True, worker_init_fn=started.append)
    next(iter(loader))  # a pass that is given up disturbs no later one
    assert numbers(loader) == numbers(loader) == [[0], [1], [4], [9], [16]]
    assert sorted(started) == [0, 1]
    assert sum("DataLoader" in thread.name for thread in threading.enumerate()) == 2
    del loader  # and with it the threads


class Noisy(Dataset):
    def __len__(self):
        return 12

    def __getitem__(self, index):
        time.sleep(0.001 * (index % 3))
        return torch.rand(2), index


def test_random_draws_in_workers_do_not_depend_on_their_timing():
    state = torch.get_rng_state()
    runs = []
    for workers in (1, 2, 3, 3):
        torch.manual_seed(6)
        runs.append([batch[0].tolist() for batch in DataLoader(Noisy(), batch_size=2, num_workers=workers)])
    assert all(run == runs[0] for run in runs)
    values = [value for batch in runs[0] for example in batch for value in example]
    assert len(set(values)) == 24
    torch.set_rng_state(state)
