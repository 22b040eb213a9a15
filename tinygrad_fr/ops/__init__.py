"""Every op: its function on arrays, and right under it the rule of its derivative, on Tensors.

Importing a module binds its ops to the Tensor class and enters them into ``namespace``, the functions of the package.
"""

from ..autograd.binding import namespace
from . import (
    activation,
    adaptive_pooling,
    arithmetic,
    compare,
    convert,
    convolution,
    creation,
    indexing,
    interpolation,
    loss,
    matmul,
    normalization,
    optim,
    pointwise,
    pooling,
    random,
    recurrent,
    reduce,
    shape,
    windows,
)

__all__ = [
    "activation",
    "adaptive_pooling",
    "arithmetic",
    "compare",
    "convert",
    "convolution",
    "creation",
    "indexing",
    "interpolation",
    "loss",
    "matmul",
    "namespace",
    "normalization",
    "optim",
    "pointwise",
    "pooling",
    "random",
    "recurrent",
    "reduce",
    "shape",
    "windows",
]
