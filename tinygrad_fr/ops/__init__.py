"""Every op: its function on arrays, and right under it the rule of its derivative, on Tensors.

Importing a module binds its ops to the Tensor class and enters them into ``namespace``, the functions of the package.
"""

from ..autograd.binding import namespace
from . import (
    activation,
    arithmetic,
    class_loss,
    compare,
    convert,
    creation,
    distance,
    embedding,
    embedding_loss,
    indexing,
    loss,
    matmul,
    optim,
    piecewise,
    pointwise,
    random,
    reduce,
    shape,
    shuffle,
    stochastic,
)

__all__ = [
    "activation",
    "arithmetic",
    "class_loss",
    "compare",
    "convert",
    "creation",
    "distance",
    "embedding",
    "embedding_loss",
    "indexing",
    "loss",
    "matmul",
    "namespace",
    "optim",
    "piecewise",
    "pointwise",
    "random",
    "reduce",
    "shape",
    "shuffle",
    "stochastic",
]
