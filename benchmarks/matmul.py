"""Matrix products (m, k) @ (k, n), written m x k x n; those of a Linear layer lie in memory as the layer has them."""

from collections.abc import Callable
from typing import Any

import numpy as np

TITLE = "Matrix products m x k x n, float32"
LIBRARIES = ("tinygrad_fr", "numpy", "torch", "jax")
THREADS = (1, 2)
LAYER = (64, 784, 128)  # batch, inputs, outputs
SQUARES = (256, 512, 1024)


def cases(library: str) -> dict[str, Callable[[], Any]]:
    """Each product, into an array that is there (JAX gives a new one)."""
    generator = np.random.default_rng(0)

    def draw(rows: int, columns: int) -> np.ndarray:
        return generator.standard_normal((rows, columns), np.float32)

    n, inputs, outputs = LAYER
    x, w, g = draw(n, inputs), draw(outputs, inputs), draw(n, outputs)
    factors = {
        f"{n}x{inputs}x{outputs}": (x, draw(inputs, outputs)),
        f"{n}x{inputs}x{outputs} (x @ w.T)": (x, w.T),
        f"{n}x{outputs}x{inputs} (g @ w)": (g, w),
        f"{inputs}x{n}x{outputs} (x.T @ g)": (x.T, g),
        f"{outputs}x{n}x{inputs} (g.T @ x)": (g.T, x),
        f"{n}x{outputs}x10": (g, draw(outputs, 10)),
        **{f"{size}x{size}x{size}": (draw(size, size), draw(size, size)) for size in SQUARES},
    }
    product = _PRODUCTS[library]()
    return {name: product(x, y) for name, (x, y) in factors.items()}


Product = Callable[[np.ndarray, np.ndarray], Callable[[], Any]]


def _ours() -> Product:
    from tinygrad_fr.kernels import gemm

    return _into_numpy_array(gemm.matmul)


def _numpy() -> Product:
    return _into_numpy_array(np.matmul)


def _into_numpy_array(function: Callable[..., Any]) -> Product:
    def timed(x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
        out = np.empty((x.shape[0], y.shape[1]), np.float32)
        return lambda: function(x, y, out=out)

    return timed


def _torch() -> Product:
    import torch

    def timed(x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
        a, b, out = torch.from_numpy(x), torch.from_numpy(y), torch.empty(x.shape[0], y.shape[1])
        return lambda: torch.matmul(a, b, out=out)

    return timed


def _jax() -> Product:
    import jax
    import jax.numpy as jnp

    def timed(x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
        # JAX has no strides: a transpose is part of the compiled function, which need not copy it
        left, right = x.flags.c_contiguous, y.flags.c_contiguous
        a, b = jnp.array(x if left else x.T), jnp.array(y if right else y.T)
        product = jax.jit(lambda a, b: (a if left else a.T) @ (b if right else b.T))
        return lambda: product(a, b).block_until_ready()

    return timed


_PRODUCTS = {"tinygrad_fr": _ours, "numpy": _numpy, "torch": _torch, "jax": _jax}
