"""Products of matrices and vectors."""

import numpy as np
from hypothesis import strategies as st

from tinygrad_fr.kernels import reference
from tinygrad_fr.ops import matmul as matmul_ops

from .. import strategies as draws
from .record import OpSpec, drawn, sides


def _linear(x, weight, bias):
    return reference.linear(x.reshape(x.shape[0] * x.shape[1], x.shape[2]), weight, bias).reshape(
        (*x.shape[:-1], weight.shape[0])
    )


def _product(x, y):
    return np.matmul(x.astype(np.float64), y.astype(np.float64)).astype(x.dtype)


def _inner(x, y):
    return np.inner(x.astype(np.float64), y.astype(np.float64)).astype(x.dtype)


def _added(product):
    """A twin of `addmm` and its kin, from that of the product."""
    return lambda x, y, z, beta, alpha: (beta * x + alpha * product(y, z)).astype(x.dtype)


def _sum(name, product, *letters):
    """A product added to something, of the shape of the product or with axes missing in front."""
    return OpSpec(
        name,
        _added(product),
        shapes=lambda max_dims, max_side: sides(*letters)(max_dims, max_side).map(_all_there),
        integers="",
        params=drawn(beta=(1, 0.5, 0), alpha=(1, 2)),
        extremes=False,
        steps=64,
    )


def _all_there(shapes):
    return tuple(tuple(max(side, 1) for side in shape) for shape in shapes)


def _matrices(max_dims, max_side):
    """Two shapes that `matmul` takes: vectors, matrices and batches that broadcast."""
    side = st.integers(0, max_side)

    @st.composite
    def shapes(draw):
        m, k, n = draw(side), draw(side), draw(side)
        first, second = draw(draws.broadcastable(2, max(max_dims - 2, 0), max_side))
        x = draw(st.sampled_from(((k,), (m, k), (*first, m, k))))
        y = draw(st.sampled_from(((k,), (k, n), (*second, k, n))))
        return x, y

    return shapes()


def _tail(max_dims, max_side):
    """Three shapes, of which the last two broadcast to the first: the product, and the sum with it."""
    return st.tuples(*[st.integers(1, max_side)] * 3, st.booleans()).map(
        lambda d: ((d[2],) if d[3] else (d[0], d[2]), (d[0], d[1]), (d[1], d[2]))
    )


MATMUL = [
    OpSpec("matmul", _product, shapes=_matrices, operator="matmul", extremes=False, steps=64),
    OpSpec("mm", _product, shapes=sides("mk", "kn"), extremes=False, steps=64),
    OpSpec("mv", _product, shapes=sides("mk", "k"), extremes=False, steps=64),
    OpSpec("bmm", _product, shapes=sides("bmk", "bkn"), extremes=False, steps=64),
    OpSpec("dot", _product, shapes=sides("k", "k"), extremes=False, steps=64),
    OpSpec("outer", np.outer, shapes=sides("m", "n")),
    OpSpec("vdot", _product, shapes=sides("k", "k"), extremes=False, steps=64),
    OpSpec("inner", _inner, shapes=sides("mk", "abk"), extremes=False, steps=64),
    OpSpec(
        "addmm",
        _added(_product),
        shapes=_tail,
        integers="",
        params=drawn(beta=(1, 0.5, 0), alpha=(1, 2)),
        extremes=False,
        steps=64,
    ),
    _sum("addmv", _product, "m", "mk", "k"),
    _sum("baddbmm", _product, "bmn", "bmk", "bkn"),
    _sum("addbmm", lambda x, y: _product(x, y).sum(0), "mn", "bmk", "bkn"),
    _sum("addr", np.outer, "mn", "m", "n"),
    OpSpec(
        "linear",
        _linear,
        shapes=sides("amk", "nk", "n"),
        integers=None,
        extremes=False,
        steps=64,
        call=matmul_ops.linear,
        methods=(),
    ),
]


SPECS = [*MATMUL]
