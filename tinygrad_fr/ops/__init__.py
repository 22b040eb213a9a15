"""Every op: its function on arrays, and right under it the rule of its derivative, on Tensors.

Importing a module binds its ops to the Tensor class and enters them into ``namespace``, the functions of the package.
"""

from ..autograd.binding import namespace
from . import (
    activation,
    arithmetic,
    compare,
    contraction,
    convert,
    creation,
    exponential,
    indexing,
    linalg,
    logic,
    loss,
    matmul,
    optim,
    pointwise,
    powers,
    random,
    reduce,
    rounding,
    scans,
    shape,
    special,
    statistics,
    trigonometric,
)

__all__ = [
    "activation",
    "arithmetic",
    "compare",
    "contraction",
    "convert",
    "creation",
    "exponential",
    "indexing",
    "linalg",
    "logic",
    "loss",
    "matmul",
    "namespace",
    "optim",
    "pointwise",
    "powers",
    "random",
    "reduce",
    "rounding",
    "scans",
    "shape",
    "special",
    "statistics",
    "trigonometric",
]
