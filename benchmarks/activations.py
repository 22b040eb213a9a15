"""Functions of each element, forward, into an array that is there: one pass over memory where the library can."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .harness import Pace

TITLE = "Functions of each element, forward, float32"
LIBRARIES = ("tinygrad_fr", "numpy", "torch", "jax")
THREADS = (1, 2)
PACE = Pace(timing=0.003, case=0.012, least=3, warm_up=0.02)  # there are many
FUNCTIONS = (
    *("relu", "leaky_relu", "sigmoid", "tanh", "silu", "gelu", "gelu_tanh", "softplus"),
    *("exp", "expm1", "log", "log1p", "erf"),
)
OF_POSITIVE = ("log", "log1p")
SIZES = (4_096, 32_768, 262_144)

Timed = Callable[[str, np.ndarray], Callable[[], Any] | None]


def cases(library: str) -> dict[str, Callable[[], Any]]:
    """Every function that the library has, at every size."""
    timed, found = _LIBRARIES[library](), {}
    for name in FUNCTIONS:
        for size in SIZES:
            run = timed(name, numbers(name, size))
            if run is not None:
                found[f"{name}, {size:,} floats"] = run
    return found


def numbers(name: str, size: int) -> np.ndarray:
    """What the function ``name`` is computed of."""
    x = np.random.default_rng(size).standard_normal(size, np.float32)
    return np.abs(x) + np.float32(1e-3) if name in OF_POSITIVE else x


def _ours() -> Timed:
    from tinygrad_fr.kernels import activation

    functions: dict[str, Any] = {name: getattr(activation, name) for name in FUNCTIONS if hasattr(activation, name)}
    functions["gelu_tanh"] = lambda x, out: activation.gelu(x, "tanh", out=out)
    return _into_numpy_array(functions)


# ---------------------------------------------------------------------------------------------------------------
# NumPy has neither erf nor gelu in its exact form.


def _numpy() -> Timed:
    functions = {name: getattr(np, name) for name in ("tanh", "exp", "expm1", "log", "log1p")}
    by_hand = {"relu": numpy_relu, "leaky_relu": numpy_leaky_relu, "sigmoid": numpy_sigmoid, "silu": numpy_silu}
    return _into_numpy_array(functions | by_hand | {"gelu_tanh": numpy_gelu_tanh, "softplus": numpy_softplus})


def numpy_relu(x: np.ndarray, *, out: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0, out=out)


def numpy_leaky_relu(x: np.ndarray, *, out: np.ndarray) -> np.ndarray:
    np.multiply(x, 0.01, out=out)
    return np.maximum(x, out, out=out)


def numpy_sigmoid(x: np.ndarray, *, out: np.ndarray) -> np.ndarray:
    np.negative(x, out=out)
    np.exp(out, out=out)
    np.add(out, 1, out=out)
    return np.reciprocal(out, out=out)


def numpy_silu(x: np.ndarray, *, out: np.ndarray) -> np.ndarray:
    return np.multiply(numpy_sigmoid(x, out=out), x, out=out)


def numpy_gelu_tanh(x: np.ndarray, *, out: np.ndarray) -> np.ndarray:
    np.multiply(x, x, out=out)
    np.multiply(out, 0.044715, out=out)
    np.add(out, 1, out=out)
    np.multiply(out, x, out=out)
    np.multiply(out, np.sqrt(np.float32(2 / np.pi)), out=out)
    np.tanh(out, out=out)
    np.add(out, 1, out=out)
    np.multiply(out, x, out=out)
    return np.multiply(out, 0.5, out=out)


def numpy_softplus(x: np.ndarray, *, out: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, np.float32(0), out=out)


def _into_numpy_array(functions: dict[str, Callable[..., Any]]) -> Timed:
    def timed(name: str, x: np.ndarray) -> Callable[[], Any] | None:
        if name not in functions:
            return None
        function, out = functions[name], np.empty_like(x)
        return lambda: function(x, out=out)

    return timed


# ---------------------------------------------------------------------------------------------------------------
# PyTorch and JAX.


def _torch() -> Timed:
    import torch

    c = torch._C._nn  # what torch.nn.functional calls, which takes out=
    functions = {
        "relu": lambda x, out: torch.clamp_min(x, 0, out=out),  # the same function, and takes out=
        "leaky_relu": c.leaky_relu,
        "silu": c.silu,
        "gelu": c.gelu,
        "gelu_tanh": lambda x, out: c.gelu(x, approximate="tanh", out=out),
        "softplus": c.softplus,
    }

    def timed(name: str, x: np.ndarray) -> Callable[[], Any]:
        function, a = functions.get(name) or getattr(torch, name), torch.from_numpy(x)
        out = torch.empty_like(a)
        return lambda: function(a, out=out)

    return timed


def _jax() -> Timed:
    import jax
    import jax.numpy as jnp

    functions = {name: getattr(jnp, name) for name in ("exp", "expm1", "log", "log1p")}
    functions |= {"erf": jax.scipy.special.erf, "gelu": lambda x: jax.nn.gelu(x, approximate=False)}
    functions["gelu_tanh"] = jax.nn.gelu

    def timed(name: str, x: np.ndarray) -> Callable[[], Any]:
        function = jax.jit(functions.get(name) or getattr(jax.nn, name))
        a = jnp.array(x)
        return lambda: function(a).block_until_ready()

    return timed


_LIBRARIES = {"tinygrad_fr": _ours, "numpy": _numpy, "torch": _torch, "jax": _jax}
