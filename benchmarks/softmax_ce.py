"""Softmax cross-entropy of N rows of C scores, written N x C: the loss and its gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import by_hand

TITLE = "Softmax cross-entropy N x C, forward and backward, float32"
LIBRARIES = ("tinygrad_fr", "numpy", "torch", "jax")
THREADS = (1, 2)
SIZES = ((64, 10), (8192, 10), (1024, 1000))


def cases(library: str) -> dict[str, Callable[[], Any]]:
    """Functions that give (loss, gradient)."""
    generator = np.random.default_rng(0)
    timed = {"numpy": _numpy, "jax": _jax}.get(library) or _torch_like(library)
    found = {}
    for rows, classes in SIZES:
        x = generator.standard_normal((rows, classes), np.float32)
        found[f"{rows}x{classes}"] = timed(x, generator.integers(0, classes, rows))
    return found


def _torch_like(library: str) -> Callable[[np.ndarray, np.ndarray], Callable[[], Any]]:
    torch = by_hand.torch_like(library)
    cross_entropy = torch.nn.functional.cross_entropy

    def timed(x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
        scores, target = torch.from_numpy(x).requires_grad_(), torch.from_numpy(y)

        def run() -> Any:
            scores.grad = None
            loss = cross_entropy(scores, target)
            loss.backward()
            return loss.detach(), scores.grad

        return run

    return timed


def _numpy(x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    return lambda: by_hand.numpy_cross_entropy(x, y)


def _jax(x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    import jax
    import jax.numpy as jnp

    function = jax.jit(jax.value_and_grad(by_hand.jax_cross_entropy))
    scores, target = jnp.array(x), jnp.array(y)
    return lambda: jax.block_until_ready(function(scores, target))
