"""Joining tensors."""

import itertools

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch

from .. import strategies as draws
from .record import OpSpec, drawn, several_alike, sides


def _joined(max_dims, max_side):
    """Shapes that differ in the first axis only."""

    @st.composite
    def shapes(draw):
        rest = draw(draws.shapes(max_dims - 1, max_side))
        return tuple((draw(st.integers(0, 3)), *rest) for _ in range(draw(st.integers(1, 3))))

    return shapes()


def _block_diagonal(*xs):
    xs = [np.atleast_2d(each) for each in xs]
    result = np.zeros(np.sum([each.shape for each in xs], axis=0), xs[0].dtype)
    row = column = 0
    for each in xs:
        result[row : row + each.shape[0], column : column + each.shape[1]] = each
        row, column = row + each.shape[0], column + each.shape[1]
    return result


def _several(max_dims, max_side):
    """Shapes of any kind, of at most ``max_dims`` axes."""
    return st.lists(draws.shapes(max_dims, max_side), min_size=1, max_size=3).map(tuple)


def _stacked(name):
    """NumPy's function of this name, on tensors of one shape."""
    return OpSpec(
        name, lambda *xs: getattr(np, name)(xs), call=lambda *xs: getattr(torch, name)(xs), shapes=several_alike
    )


JOINING = [
    *map(_stacked, ("hstack", "vstack", "dstack", "column_stack")),
    OpSpec("row_stack", lambda *xs: np.vstack(xs), call=lambda *xs: torch.row_stack(xs), shapes=several_alike),
    *[OpSpec(f"atleast_{n}d", getattr(np, f"atleast_{n}d")) for n in (1, 2, 3)],
    OpSpec(
        "atleast_2d_of_several",
        lambda *xs: np.atleast_2d(*xs),
        call=lambda *xs: torch.atleast_2d(xs),
        shapes=_several,
    ),
    OpSpec("block_diag", _block_diagonal, shapes=lambda max_dims, max_side: _several(min(max_dims, 2), max_side)),
    OpSpec(
        "cartesian_prod",
        lambda *xs: np.stack([each.ravel() for each in np.meshgrid(*xs, indexing="ij")], 1),
        shapes=sides("m", "n", "k"),
    ),
    OpSpec(
        "combinations",
        lambda x, r, with_replacement: np.array(
            list((itertools.combinations_with_replacement if with_replacement else itertools.combinations)(x, r)),
            x.dtype,
        ).reshape((-1, r) if r else 0),
        shapes=sides("m"),
        params=drawn(r=(0, 1, 2, 3), with_replacement=(False, True)),
    ),
    OpSpec("cat", lambda *xs: np.concatenate(xs), call=lambda *xs: torch.cat(xs), shapes=_joined),
    OpSpec("concat", lambda *xs: np.concatenate(xs), call=lambda *xs: torch.concat(xs, 0), shapes=_joined),
    OpSpec("concatenate", lambda *xs: np.concatenate(xs), call=lambda *xs: torch.concatenate(xs), shapes=_joined),
    OpSpec(
        "stack",
        lambda *xs, dim: np.stack(xs, dim),
        call=lambda *xs, dim: torch.stack(xs, dim),
        shapes=several_alike,
        params=lambda draw, shapes: {"dim": draws.axis(draw, (*shapes[0], 1))},
    ),
]


SPECS = [*JOINING]
