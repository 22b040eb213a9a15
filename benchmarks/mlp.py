"""One training step of 784-H-10 with Adam: forward, softmax cross-entropy, backward, update. The images are random."""

from typing import Any

import numpy as np

from . import by_hand, training
from .training import Step

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
    special = {"numpy": _numpy, "scikit-learn": _scikit_learn}
    return special[library](widths, x, y) if library in special else training.step(library, _net(widths), x, y, LR)


def _net(widths: tuple[int, ...]) -> training.Net:
    def model(torch: Any) -> Any:
        return torch.nn.Sequential(*by_hand.torch_dense(torch, *widths))

    return training.Net(model, by_hand.jax_dense, by_hand.initial_parameters(*widths))


def _numpy(widths: tuple[int, ...], x: np.ndarray, y: np.ndarray) -> Step:
    _, hidden, _ = widths
    net = by_hand.NumpyNet(hidden, LR)
    return lambda: net.step(x, y)


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
