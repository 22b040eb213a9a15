"""One training step of 784-H-10 with Adam: forward, softmax cross-entropy, backward, update.

The images are random, and the rate so small that the net stays as it was drawn: a trained net would have gradients of 0
and subnormal numbers after some thousand steps on the same batch, and a faster library would get there sooner.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import by_hand

TITLE = "One training step of a 784-H-10 network with Adam, float32"
LIBRARIES = ("tinygrad_fr", "numpy", "torch", "torch fused", "jax", "scikit-learn")
THREADS = (1, 2)
NETS = ((128, 64), (512, 128), (1024, 256), (128, 1))  # hidden units, batch
LR = 1e-6


def cases(library: str) -> dict[str, Callable[[], Any]]:
    """Functions that make a step and give the loss before it."""
    timed = {"numpy": _numpy, "jax": _jax, "scikit-learn": _scikit_learn}.get(library) or _torch_like(library)
    found = {}
    for hidden, batch in NETS:
        generator = np.random.default_rng(0)
        x = generator.random((batch, by_hand.PIXELS), np.float32)
        y = generator.integers(0, by_hand.CLASSES, batch)
        found[f"784-{hidden}-10, batch {batch}"] = timed(hidden, x, y)
    return found


def _torch_like(library: str) -> Callable[[int, np.ndarray, np.ndarray], Callable[[], Any]]:
    torch = by_hand.torch_like(library)
    options = {"fused": True} if library == "torch fused" else {}

    def timed(hidden: int, images: np.ndarray, labels: np.ndarray) -> Callable[[], Any]:
        model = by_hand.torch_net(torch, hidden)
        optimizer = torch.optim.Adam(model.parameters(), lr=LR, **options)
        criterion = torch.nn.CrossEntropyLoss()
        x, y = torch.from_numpy(images), torch.from_numpy(labels)

        def run() -> Any:
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.detach()

        return run

    return timed


def _numpy(hidden: int, x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    net = by_hand.NumpyNet(hidden, LR)
    return lambda: net.step(x, y)


def _jax(hidden: int, images: np.ndarray, labels: np.ndarray) -> Callable[[], Any]:
    import jax

    step, state = by_hand.jax_net_step(LR), by_hand.jax_start(by_hand.initial_parameters(hidden))
    x, y = jax.numpy.array(images), jax.numpy.array(labels)

    def run() -> Any:
        nonlocal state
        state, loss = step(state, x, y)
        jax.block_until_ready(state)
        return loss

    return run


def _scikit_learn(hidden: int, x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    """The same step by `partial_fit`, on parameters that scikit-learn draws."""
    net = scikit_learn_net(hidden, len(x), LR)
    net.partial_fit(x, y, classes=np.arange(by_hand.CLASSES))

    def run() -> Any:
        net.partial_fit(x, y)
        return net.loss_

    return run


def scikit_learn_net(hidden: int, batch: int, lr: float) -> Any:
    """The same net: one hidden layer with ReLU, Adam, no penalty on the weights."""
    from sklearn.neural_network import MLPClassifier

    options: Any = {"alpha": 0, "batch_size": batch, "learning_rate_init": lr, "random_state": 0}
    return MLPClassifier((hidden,), **options)
