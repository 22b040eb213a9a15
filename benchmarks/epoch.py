"""One epoch of 784-128-10 with Adam, batch 64, on a net that is new each time; and one pass of the loader alone.

``tinygrad_fr`` and ``torch`` run the same lines, with a DataLoader of a TensorDataset, shuffled. ``tinygrad_fr
compiled`` has the same loader, and one compiled step for all epochs, as JAX has: the net takes back the parameters it
began with (Adam keeps its averages). The others get the form that suits them best: an order drawn for the epoch, and
rows taken by it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import by_hand, data
from .mlp import scikit_learn_net
from .training import compiled

TITLE = "One epoch of 784-128-10, batch 64, Adam, float32"
LIBRARIES = (
    "tinygrad_fr",
    "tinygrad_fr compiled",
    "torch",
    "torch hand-tuned",
    "jax",
    "numpy",
    "scikit-learn",
    "floor",
)
THREADS = (1, 2)
HIDDEN, BATCH, LR = 128, 64, 1e-3
ONLY = "loading only"


def cases(library: str) -> dict[str, Callable[[], Any]]:
    """Functions that give the loss of the last batch, or for the loader alone that batch."""
    x, y, name = data.training_images()
    timed = _LIBRARIES[library](x, y)
    return {name: timed[0], **{f"{name}, {ONLY}": each for each in timed[1:]}}


def floors() -> Any:
    """The kernels of the steps, the last of them on what is left over; loading copies every row once."""
    from . import floor

    x, y, name = data.training_images()
    whole, rest = divmod(len(x), BATCH)
    load = floor.copy(x.nbytes + y.nbytes)
    steps = whole * floor.training_step(BATCH, _widths()) + (floor.training_step(rest, _widths()) if rest else [])
    return {name: [load, *steps], f"{name}, {ONLY}": [load]}


def _widths() -> tuple[int, int, int]:
    return by_hand.PIXELS, HIDDEN, by_hand.CLASSES


Runs = tuple[Callable[[], Any], ...]  # the epoch, and where loading is a step of its own, the loader


def _ours(x: np.ndarray, y: np.ndarray) -> Runs:
    return _through_loader(by_hand.torch_like("tinygrad_fr"), x, y)


def _ours_compiled(x: np.ndarray, y: np.ndarray) -> Runs:
    torch = by_hand.torch_like("tinygrad_fr")
    loader = _loader(torch, x, y)
    model = by_hand.torch_net(torch, *_widths())
    start = {name: each.clone() for name, each in model.state_dict().items()}
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    criterion = torch.nn.CrossEntropyLoss()

    def step(images: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss

    compiled_step = compiled(torch, step)

    def run() -> Any:
        model.load_state_dict(start)
        for images, labels in loader:
            loss = compiled_step(images, labels)
        return loss.detach()

    return (run,)


def _torch(x: np.ndarray, y: np.ndarray) -> Runs:
    return _through_loader(by_hand.torch_like("torch"), x, y)


def _loader(torch: Any, x: np.ndarray, y: np.ndarray) -> Any:
    train = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    return torch.utils.data.DataLoader(train, batch_size=BATCH, shuffle=True)


def _through_loader(torch: Any, x: np.ndarray, y: np.ndarray) -> Runs:
    loader = _loader(torch, x, y)
    criterion = torch.nn.CrossEntropyLoss()

    def run() -> Any:
        model = by_hand.torch_net(torch, *_widths())
        optimizer = torch.optim.Adam(model.parameters(), lr=LR)
        for images, labels in loader:
            loss = criterion(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.detach()

    def load() -> Any:
        for batch in loader:
            last = batch
        return last

    return run, load


def _torch_by_hand(images: np.ndarray, labels: np.ndarray) -> Runs:
    """Rows taken by an index tensor, and the fused Adam."""
    torch = by_hand.torch_like("torch")
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    cross_entropy = torch.nn.functional.cross_entropy

    def batches() -> Any:
        for index in torch.randperm(len(x)).split(BATCH):
            yield x.index_select(0, index), y.index_select(0, index)

    def run() -> Any:
        model = by_hand.torch_net(torch, *_widths())
        optimizer = torch.optim.Adam(model.parameters(), lr=LR, fused=True)
        for images, labels in batches():
            loss = cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.detach()

    def load() -> Any:
        for batch in batches():
            last = batch
        return last

    return run, load


def _numpy(x: np.ndarray, y: np.ndarray) -> Runs:
    generator = np.random.default_rng(0)

    def batches() -> Any:
        order = generator.permutation(len(x))
        for start in range(0, len(x), BATCH):
            index = order[start : start + BATCH]
            yield x.take(index, axis=0), y.take(index)

    def run() -> Any:
        net = by_hand.NumpyNet(HIDDEN, LR)
        for images, labels in batches():
            loss = net.step(images, labels)
        return loss

    def load() -> Any:
        for batch in batches():
            last = batch
        return last

    return run, load


def _jax(images: np.ndarray, labels: np.ndarray) -> Runs:
    """Taking the rows is part of the compiled step; the data stay with JAX."""
    import jax

    step = by_hand.jax_step(by_hand.jax_dense, LR)
    x, y = jax.numpy.array(images), jax.numpy.array(labels)
    generator = np.random.default_rng(0)
    indexed_step = jax.jit(lambda state, x, y, index: step(state, x[index], y[index]), donate_argnums=0)

    def run() -> Any:
        state = by_hand.jax_start(by_hand.initial_parameters(*_widths()))
        order = generator.permutation(len(x)).astype(np.int32)
        for start in range(0, len(order), BATCH):
            state, loss = indexed_step(state, x, y, order[start : start + BATCH])
        jax.block_until_ready(state)
        return loss

    return (run,)


def _scikit_learn(x: np.ndarray, y: np.ndarray) -> Runs:
    """`partial_fit` goes through the data once, in shuffled batches."""

    def run() -> Any:
        net = scikit_learn_net((HIDDEN,), BATCH, LR)
        net.partial_fit(x, y, classes=np.arange(by_hand.CLASSES))
        return net.loss_

    return (run,)


_LIBRARIES = {
    "tinygrad_fr": _ours,
    "tinygrad_fr compiled": _ours_compiled,
    "torch": _torch,
    "torch hand-tuned": _torch_by_hand,
    "numpy": _numpy,
    "jax": _jax,
    "scikit-learn": _scikit_learn,
}
