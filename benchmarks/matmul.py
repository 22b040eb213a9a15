"""Matrix products (m, k) @ (k, n) in float32, written m x k x n; the three of a Linear layer as the layer has them."""

from collections.abc import Callable
from typing import Any

import numpy as np

LIBRARIES = ("tinygrad_fr", "numpy")
THREADS = (1, 2)
SIZES = ((64, 784, 128), (64, 128, 10), (128, 64, 784), (256, 256, 256), (512, 512, 512), (1024, 1024, 1024))


def cases(library: str) -> dict[str, Callable[[], Any]]:
    """Each product with a preallocated result."""
    if library == "numpy":
        product = np.matmul
    else:
        from tinygrad_fr.kernels import gemm

        product = gemm.matmul
    generator = np.random.default_rng(0)

    def draw(rows: int, columns: int) -> np.ndarray:
        return generator.standard_normal((rows, columns), np.float32)

    def timed(x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
        out = np.empty((x.shape[0], y.shape[1]), np.float32)
        return lambda: product(x, y, out=out)

    found = {f"{m}x{k}x{n}": timed(draw(m, k), draw(k, n)) for m, k, n in SIZES}
    x, w, g = draw(64, 784), draw(128, 784), draw(64, 128)
    found["x @ w.T, x 64x784, w 128x784"] = timed(x, w.T)
    found["g @ w, g 64x128, w 128x784"] = timed(g, w)
    found["g.T @ x, g 64x128, x 64x784"] = timed(g.T, x)
    return found
