"""Linear algebra."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch
from tinygrad_fr import linalg

from .. import strategies as draws
from .record import OpSpec, drawn, sides


def _in_double(function):
    """A twin that computes in float64."""
    return lambda *arrays, **options: _narrowed(
        function(*[each.astype(np.float64) for each in arrays], **options), arrays[0].dtype
    )


def _narrowed(result, dtype):
    if isinstance(result, tuple):
        return tuple(np.asarray(each).astype(dtype) for each in result)
    return np.asarray(result).astype(dtype)


def _regular(x):
    """Matrices that are far from singular ones, whatever x: of a large diagonal."""
    return x / 8 - 2 * np.eye(x.shape[-1])


def _regular_tensor(x):
    return x / 8 - 2 * torch.eye(x.shape[-1], dtype=x.dtype)


def _positive_definite(x):
    """Symmetric matrices, of a large diagonal."""
    return (x + np.swapaxes(x, -1, -2)) / 16 + 2 * np.eye(x.shape[-1])


def _positive_definite_tensor(x):
    return (x + x.mT) / 16 + 2 * torch.eye(x.shape[-1], dtype=x.dtype)


def _squares(max_dims, max_side):
    side, batch = st.integers(1, min(max_side, 3)), st.integers(1, 2)
    return st.tuples(batch, side, st.booleans()).map(lambda d: ((d[0], d[1], d[1]) if d[2] else (d[1], d[1]),))


def _equations(max_dims, max_side):
    side = st.integers(1, min(max_side, 3))
    return st.tuples(st.integers(1, 2), side, side, st.booleans()).map(
        lambda d: ((d[0], d[1], d[1]) if d[3] else (d[1], d[1]), (d[0], d[1], d[2]))
    )


def _of_regular(name, function, twin, shapes=_squares, **options):
    """An op of matrices that have an inverse; the first input is made one."""
    return OpSpec(
        name,
        _in_double(lambda x, *others, **params: twin(_regular(x), *others, **params)),
        call=lambda x, *others, **params: function(_regular_tensor(x), *others, **params),
        shapes=shapes,
        integers="",
        extremes=False,
        steps=256,
        methods=(),
        **options,
    )


def _of_positive_definite(name, function, twin):
    return OpSpec(
        name,
        _in_double(lambda x: twin(_positive_definite(x))),
        call=lambda x: function(_positive_definite_tensor(x)),
        shapes=_squares,
        integers="",
        extremes=False,
        steps=256,
        methods=(),
    )


def _vectors_of_three(max_dims, max_side):
    return draws.broadcastable(2, max_dims - 1, max_side).map(
        lambda found: tuple((*(1,) * (max(map(len, found)) - len(each)), *each, 3) for each in found)
    )


PRODUCTS = [
    OpSpec(
        "chain_matmul",
        lambda *xs: np.linalg.multi_dot(xs),
        shapes=lambda max_dims, max_side: sides("ab", "bc", "cd")(max_dims, max_side),
        extremes=False,
        steps=64,
    ),
    OpSpec(
        "linalg.multi_dot",
        lambda *xs: np.linalg.multi_dot(xs),
        call=lambda *xs: linalg.multi_dot(xs),
        shapes=sides("a", "ab", "bc", "c"),
        extremes=False,
        steps=64,
    ),
    OpSpec(
        "cross",
        lambda x, y, dim: np.cross(x, y, axis=dim),
        shapes=_vectors_of_three,
        params=drawn(dim=(-1,)),
        extremes=False,
    ),
    OpSpec(
        "linalg.vecdot",
        lambda x, y: np.sum(x * y, -1),
        call=linalg.vecdot,
        shapes=sides("ab", "ab"),
        integers=None,
        extremes=False,
    ),
    _of_regular("matrix_power", torch.matrix_power, np.linalg.matrix_power, params=drawn(n=(1, 2, 3, -1, -2))),
]


FACTORS = [
    _of_regular("det", torch.det, np.linalg.det),
    _of_regular("slogdet", lambda x: torch.slogdet(x).logabsdet, lambda x: np.linalg.slogdet(x).logabsdet),
    _of_regular("inverse", torch.inverse, np.linalg.inv),
    _of_regular("linalg.solve", linalg.solve, np.linalg.solve, shapes=_equations),
    _of_positive_definite("logdet", torch.logdet, lambda x: np.log(np.linalg.det(x))),
    _of_positive_definite("cholesky", torch.cholesky, np.linalg.cholesky),
]


SPECS = [*PRODUCTS, *FACTORS]
