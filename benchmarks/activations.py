"""Activation functions, forward, into an array that is there: one pass over memory where the library can."""

from collections.abc import Callable
from typing import Any

import numpy as np

TITLE = "Activation functions, forward, float32"
LIBRARIES = ("tinygrad_fr", "numpy", "torch", "jax")
THREADS = (1, 2)
FUNCTIONS = ("relu", "sigmoid", "tanh", "exp")
SIZES = (4_096, 65_536, 262_144)


def cases(library: str) -> dict[str, Callable[[], Any]]:
    """Every function at every size."""
    generator = np.random.default_rng(0)
    arrays = {size: generator.standard_normal(size, np.float32) for size in SIZES}
    timed = _LIBRARIES[library]()
    return {f"{name}, {size:,} floats": timed(name, x) for name in FUNCTIONS for size, x in arrays.items()}


Timed = Callable[[str, np.ndarray], Callable[[], Any]]


def _ours() -> Timed:
    import tinygrad_fr as torch

    return _into_numpy_array({name: getattr(torch, name).op.forward for name in FUNCTIONS})


def _numpy() -> Timed:
    return _into_numpy_array({"relu": numpy_relu, "sigmoid": numpy_sigmoid, "tanh": np.tanh, "exp": np.exp})


def numpy_relu(x: np.ndarray, *, out: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0, out=out)


def numpy_sigmoid(x: np.ndarray, *, out: np.ndarray) -> np.ndarray:
    np.negative(x, out=out)
    np.exp(out, out=out)
    np.add(out, 1, out=out)
    return np.reciprocal(out, out=out)


def _into_numpy_array(functions: dict[str, Callable[..., Any]]) -> Timed:
    def timed(name: str, x: np.ndarray) -> Callable[[], Any]:
        function, out = functions[name], np.empty_like(x)
        return lambda: function(x, out=out)

    return timed


def _torch() -> Timed:
    import torch

    # torch.relu takes no out=; clamp_min is the same function, and does
    functions = {"relu": lambda x, out: torch.clamp_min(x, 0, out=out)}

    def timed(name: str, x: np.ndarray) -> Callable[[], Any]:
        function, a = functions.get(name) or getattr(torch, name), torch.from_numpy(x)
        out = torch.empty_like(a)
        return lambda: function(a, out=out)

    return timed


def _jax() -> Timed:
    import jax
    import jax.numpy as jnp

    def timed(name: str, x: np.ndarray) -> Callable[[], Any]:
        function = jax.jit(jnp.exp if name == "exp" else getattr(jax.nn, name))
        a = jnp.array(x)
        return lambda: function(a).block_until_ready()

    return timed


_LIBRARIES = {"tinygrad_fr": _ours, "numpy": _numpy, "torch": _torch, "jax": _jax}
