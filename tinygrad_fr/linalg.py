"""Linear algebra, by the names of torch.linalg.  ``import tinygrad_fr.linalg``."""

from .ops.linalg import (
    LinAlgError,
    cholesky,
    cross,
    det,
    inv,
    matrix_power,
    multi_dot,
    slogdet,
    solve,
    vecdot,
)
from .ops.matmul import matmul
from .ops.norms import matrix_norm, norm, vector_norm

__all__ = [
    "LinAlgError",
    "cholesky",
    "cross",
    "det",
    "inv",
    "matmul",
    "matrix_norm",
    "matrix_power",
    "multi_dot",
    "norm",
    "slogdet",
    "solve",
    "vecdot",
    "vector_norm",
]
