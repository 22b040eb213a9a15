"""Diagonals and triangles."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch

from .record import OpSpec, at_least, drawn, sides

OFFSETS = (-4, -1, 0, 1, 3)


def _plane(draw, shapes):
    """Two different axes, of either sign, and an offset."""
    ndim = len(shapes[0])
    first, second = draw(st.permutations(range(ndim)))[:2]
    return {"offset": draw(st.sampled_from(OFFSETS)), "dim1": first, "dim2": second - ndim}


def _new_plane(draw, shapes):
    return _plane(draw, ((*shapes[0], 1),))


def _embedded(x, offset, dim1, dim2):
    size = x.shape[-1] + abs(offset)
    result = np.zeros((*x.shape[:-1], size, size), x.dtype)
    rows = np.arange(x.shape[-1]) + max(-offset, 0)
    result[..., rows, rows + offset] = x
    return np.moveaxis(result, (-2, -1), (dim1, dim2))


def _with_diagonal(x, y, offset):
    result = x.copy()
    rows = np.arange(y.size) + max(-offset, 0)
    result[rows, rows + offset] = y
    return result


def _matrix_and_diagonal(max_dims, max_side):
    return st.tuples(st.integers(2, max_side), st.integers(2, max_side)).map(lambda s: (s, (min(s[0], s[1] - 1),)))


def _with_part(x, y, at):
    result = x.copy()
    result[at] = y
    return result


DIAGONAL = [
    OpSpec(
        "diagonal", lambda x, offset, dim1, dim2: np.diagonal(x, offset, dim1, dim2), params=_plane, shapes=at_least(2)
    ),
    OpSpec("diag_embed", _embedded, params=_new_plane, shapes=at_least(1)),
    OpSpec(
        "diag",
        lambda x, diagonal: np.diag(x, diagonal),
        params=drawn(diagonal=OFFSETS),
        shapes=lambda max_dims, max_side: sides("m")(2, max_side) | sides("mn")(2, max_side),
    ),
    OpSpec("diagflat", lambda x, offset: np.diagflat(x, offset), params=drawn(offset=OFFSETS)),
    OpSpec("tril", lambda x, diagonal: np.tril(x, diagonal), params=drawn(diagonal=OFFSETS), shapes=at_least(2)),
    OpSpec("triu", lambda x, diagonal: np.triu(x, diagonal), params=drawn(diagonal=OFFSETS), shapes=at_least(2)),
    OpSpec(
        "diagonal_scatter",
        lambda x, y: _with_diagonal(x, y, 1),
        call=lambda x, y: torch.diagonal_scatter(x, y, 1),
        shapes=_matrix_and_diagonal,
        methods=(),
    ),
    OpSpec(
        "select_scatter",
        lambda x, y: _with_part(x, y, np.s_[:, 1]),
        call=lambda x, y: torch.select_scatter(x, y, 1, -1),
        shapes=lambda max_dims, max_side: st.integers(0, max_side).map(lambda m: ((m, 2), (m,))),
        methods=(),
    ),
    OpSpec(
        "slice_scatter",
        lambda x, y: _with_part(x, y, np.s_[1:6:2]),
        call=lambda x, y: x.slice_scatter(y, 0, 1, 6, 2),
        shapes=lambda max_dims, max_side: st.integers(0, max_side).map(lambda m: ((5, m), (2, m))),
        methods=(),
    ),
]


SPECS = [*DIAGONAL]
