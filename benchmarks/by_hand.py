"""What one writes in NumPy or JAX where there is no library of networks: a net of Linear layers, and Adam.

The net has ReLU between its layers and softmax cross-entropy, and is mostly 784-H-10; parameters stand in PyTorch's
order and layout: (H, 784), (H,), (10, H), (10,).
"""

import math
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np

PIXELS, CLASSES = 784, 10
BETA1, BETA2, EPS = 0.9, 0.999, 1e-8

Arrays = list[np.ndarray]


def initial_parameters(*widths: int) -> Arrays:
    """Those of Linear layers between these widths."""
    return draw_parameters((outputs, inputs) for inputs, outputs in pairwise(widths))


def draw_parameters(weights: Iterable[tuple[int, ...]]) -> Arrays:
    """Each weight, of shape (outputs, inputs, ...), and its bias: uniform within 1 / sqrt(what an output sees).

    That is how layers begin; the numbers are the same for every library.
    """
    generator = np.random.default_rng(0)
    found: Arrays = []
    for shape in weights:
        bound = 1 / math.sqrt(math.prod(shape[1:]))
        found += [generator.uniform(-bound, bound, each).astype(np.float32) for each in (shape, shape[:1])]
    return found


# --- NumPy: results go into arrays that are there, where NumPy can ------------------------------------------------


def numpy_cross_entropy(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean of -log softmax(x)[y], and its gradient.  x: (N, C), y: (N,) -> (), (N, C)."""
    rows = np.arange(len(y))
    shifted = x - x.max(1, keepdims=True)
    g = np.exp(shifted)
    totals = g.sum(1, keepdims=True)
    loss = (np.log(totals[:, 0]) - shifted[rows, y]).mean()
    g /= totals
    g[rows, y] -= 1
    g /= len(y)
    return loss, g


class NumpyAdam:
    """Adam, one array after the other, in place."""

    def __init__(self, parameters: Arrays, lr: float):
        self.lr, self.steps = lr, 0
        self.state = [(p, np.zeros_like(p), np.zeros_like(p), np.empty_like(p)) for p in parameters]

    def step(self, gradients: Arrays) -> None:
        self.steps += 1
        step_size = self.lr / (1 - BETA1**self.steps)
        correction = 1 / math.sqrt(1 - BETA2**self.steps)
        for (p, m, v, work), g in zip(self.state, gradients, strict=True):
            m *= BETA1
            m += np.multiply(g, 1 - BETA1, out=work)
            v *= BETA2
            np.multiply(g, g, out=work)
            work *= 1 - BETA2
            v += work
            np.sqrt(v, out=work)
            work *= correction
            work += EPS
            np.divide(m, work, out=work)
            work *= step_size
            p -= work


class NumpyNet:
    """The net of one hidden layer, and its training step."""

    def __init__(self, hidden: int, lr: float):
        self.parameters = initial_parameters(PIXELS, hidden, CLASSES)
        self.optimizer = NumpyAdam(self.parameters, lr)

    def step(self, x: np.ndarray, y: np.ndarray) -> float:
        w1, b1, w2, b2 = self.parameters
        h = x @ w1.T
        h += b1
        np.maximum(h, 0, out=h)
        scores = h @ w2.T
        scores += b2
        loss, g = numpy_cross_entropy(scores, y)
        g_h = g @ w2
        g_h *= h > 0
        self.optimizer.step([g_h.T @ x, g_h.sum(0), g.T @ h, g.sum(0)])
        return loss


# --- JAX: whole steps compiled, old arrays given up for the new ---------------------------------------------------


def jax_cross_entropy(x: Any, y: Any) -> Any:
    import jax
    import jax.numpy as jnp

    return -jnp.take_along_axis(jax.nn.log_softmax(x), y[:, None], axis=1).mean()


def jax_adam(state: Any, gradients: Any, lr: float) -> Any:
    """One step on (parameters, m, v, count), lists of arrays and a number; gives the same anew."""
    import jax.numpy as jnp

    parameters, m, v, count = state
    count = count + 1
    step_size = lr / (1 - BETA1**count)
    correction = 1 / jnp.sqrt(1 - BETA2**count)
    m = [BETA1 * a + (1 - BETA1) * g for a, g in zip(m, gradients, strict=True)]
    v = [BETA2 * a + (1 - BETA2) * g * g for a, g in zip(v, gradients, strict=True)]
    parameters = [
        p - step_size * a / (jnp.sqrt(b) * correction + EPS) for p, a, b in zip(parameters, m, v, strict=True)
    ]
    return parameters, m, v, count


def jax_start(parameters: Arrays) -> Any:
    """The state before the first step: (parameters, m, v, count)."""
    import jax.numpy as jnp

    p = [jnp.array(each) for each in parameters]
    return p, [jnp.zeros_like(each) for each in p], [jnp.zeros_like(each) for each in p], jnp.zeros((), jnp.float32)


def jax_dense(parameters: Any, x: Any) -> Any:
    """The scores of Linear layers with ReLU between them."""
    import jax.numpy as jnp

    *hidden, (w, b) = zip(parameters[::2], parameters[1::2], strict=True)
    for each_w, each_b in hidden:
        x = jnp.maximum(x @ each_w.T + each_b, 0)
    return x @ w.T + b


def jax_step(scores: Callable[[Any, Any], Any], lr: float) -> Callable[[Any, Any, Any], tuple[Any, Any]]:
    """A compiled function (state, x, y) -> (state, loss), which gives up the state it receives.

    ``scores``: those of the net, of (parameters, x).
    """
    import jax

    def loss_of(parameters: Any, x: Any, y: Any) -> Any:
        return jax_cross_entropy(scores(parameters, x), y)

    def step(state: Any, x: Any, y: Any) -> tuple[Any, Any]:
        loss, gradients = jax.value_and_grad(loss_of)(state[0], x, y)
        return jax_adam(state, gradients, lr), loss

    return jax.jit(step, donate_argnums=0)


# --- PyTorch's names: tinygrad_fr and PyTorch by the same lines ---------------------------------------------------


def torch_net(torch: Any, *widths: int) -> Any:
    """The net of nn's layers, with the parameters that all begin with."""
    return begin_with(torch, torch.nn.Sequential(*torch_dense(torch, *widths)), initial_parameters(*widths))


def torch_dense(torch: Any, *widths: int) -> list[Any]:
    """Linear layers with ReLU between them."""
    nn = torch.nn
    layers = [each for inputs, outputs in pairwise(widths) for each in (nn.Linear(inputs, outputs), nn.ReLU())]
    return layers[:-1]


def begin_with(torch: Any, model: Any, parameters: Arrays) -> Any:
    """The model, its parameters changed to these."""
    with torch.no_grad():
        for p, values in zip(model.parameters(), parameters, strict=True):
            p.copy_(torch.from_numpy(values))
    return model


def torch_like(label: str) -> Any:
    """The package tinygrad_fr, or torch for all of its labels."""
    import importlib

    name = label.split()[0]
    package = importlib.import_module(name)
    for part in ("nn", "nn.functional", "optim", "utils.data"):
        importlib.import_module(f"{name}.{part}")
    return package
