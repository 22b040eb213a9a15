"""One training step of 784-H-10 with Adam: forward, softmax cross-entropy, backward, update.

The images are random, and the rate so small that the net stays as it was drawn: a trained net would have gradients of 0
and subnormal numbers after some thousand steps on the same batch, and a faster library would get there sooner.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import by_hand
from .harness import Unavailable

TITLE = "One training step of a 784-H-10 network with Adam, float32"
LIBRARIES = (
    "tinygrad_fr",
    "tinygrad_fr compiled",
    "numpy",
    "torch",
    "torch fused",
    "torch compiled",
    "jax",
    "scikit-learn",
    "floor",
)
THREADS = (1, 2)
NETS = ((128, 64), (512, 128), (1024, 256), (128, 1))  # hidden units, batch
LR = 1e-6

Step = Callable[[], Any]  # gives the loss before it


def cases(library: str) -> dict[str, Step]:
    """A step of each net."""
    return {_name(hidden, batch): step(library, batch, _widths(hidden)) for hidden, batch in NETS}


def floors() -> Any:
    """The kernels of each case."""
    from . import floor

    return {_name(hidden, batch): floor.training_step(batch, _widths(hidden)) for hidden, batch in NETS}


def _name(hidden: int, batch: int) -> str:
    return f"784-{hidden}-10, batch {batch}"


def _widths(hidden: int) -> tuple[int, ...]:
    return by_hand.PIXELS, hidden, by_hand.CLASSES


def step(library: str, batch: int, widths: tuple[int, ...]) -> Step:
    """A training step of a net of these widths on a random batch, which is the same for every library."""
    generator = np.random.default_rng(0)
    x = generator.random((batch, widths[0]), np.float32)
    y = generator.integers(0, widths[-1], batch)
    special = {"numpy": _numpy, "jax": _jax, "scikit-learn": _scikit_learn}
    return special[library](widths, x, y) if library in special else _torch_like(library, widths, x, y)


def _torch_like(library: str, widths: tuple[int, ...], images: np.ndarray, labels: np.ndarray) -> Step:
    torch = by_hand.torch_like(library)
    model = by_hand.torch_net(torch, *widths)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR, **({"fused": True} if library == "torch fused" else {}))
    criterion = torch.nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = compiled(torch, step) if library.endswith("compiled") else step
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    if library == "torch compiled":
        _try(run, x, y)
    return lambda: run(x, y)


def compiled(torch: Any, step: Any) -> Any:
    """The step by `compile` of tinygrad_fr or of PyTorch, which else would expect more shapes than it gets."""
    return torch.compile(step, dynamic=False) if torch.__name__ == "torch" else torch.compile(step)


def _try(run: Callable[..., Any], *arguments: Any) -> None:
    """Unavailable where PyTorch cannot compile: it needs a C++ compiler, and a Python that it supports."""
    try:
        run(*arguments)
    except Exception as error:
        raise Unavailable((str(error).strip() or type(error).__name__).splitlines()[0]) from error


def _numpy(widths: tuple[int, ...], x: np.ndarray, y: np.ndarray) -> Step:
    _, hidden, _ = widths
    net = by_hand.NumpyNet(hidden, LR)
    return lambda: net.step(x, y)


def _jax(widths: tuple[int, ...], images: np.ndarray, labels: np.ndarray) -> Step:
    import jax

    step, state = by_hand.jax_net_step(LR), by_hand.jax_start(by_hand.initial_parameters(*widths))
    x, y = jax.numpy.array(images), jax.numpy.array(labels)

    def run() -> Any:
        nonlocal state
        state, loss = step(state, x, y)
        jax.block_until_ready(state)
        return loss

    return run


def _scikit_learn(widths: tuple[int, ...], x: np.ndarray, y: np.ndarray) -> Step:
    """The same step by `partial_fit`, on parameters that scikit-learn draws."""
    net = scikit_learn_net(widths[1:-1], len(x), LR)
    net.partial_fit(x, y, classes=np.arange(widths[-1]))

    def run() -> Any:
        net.partial_fit(x, y)
        return net.loss_

    return run


def scikit_learn_net(hidden: tuple[int, ...], batch: int, lr: float) -> Any:
    """The same net: hidden layers with ReLU, Adam, no penalty on the weights."""
    from sklearn.neural_network import MLPClassifier

    options: Any = {"alpha": 0, "batch_size": batch, "learning_rate_init": lr, "random_state": 0}
    return MLPClassifier(hidden, **options)
