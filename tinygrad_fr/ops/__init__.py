"""Every op: its function on arrays, and right under it the rule of its derivative, on Tensors.

Importing a module binds its ops to the Tensor class and enters them into ``namespace``, the functions of the package.
"""

from ..autograd.binding import namespace
from . import (
    activation,
    arithmetic,
    compare,
    convert,
    creation,
    diagonal,
    gathering,
    indexing,
    joining,
    loss,
    matmul,
    optim,
    padding,
    pointwise,
    properties,
    random,
    rearranging,
    reduce,
    selecting,
    shape,
    sorting,
    splitting,
    windows,
)

__all__ = [
    "activation",
    "arithmetic",
    "compare",
    "convert",
    "creation",
    "diagonal",
    "gathering",
    "indexing",
    "joining",
    "loss",
    "matmul",
    "namespace",
    "optim",
    "padding",
    "pointwise",
    "properties",
    "random",
    "rearranging",
    "reduce",
    "selecting",
    "shape",
    "sorting",
    "splitting",
    "windows",
]
