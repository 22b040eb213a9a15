"""Order."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch

from .. import strategies as draws
from .record import OpSpec, at_least, axis, constant, drawn, one, sides


def _sorted(x, dim, descending=False):
    positions = _positions(x, dim, descending)
    return [np.take_along_axis(x, positions, dim), positions]


def _positions(x, dim, descending=False):
    """Of ``-x`` in rising order: equal ones keep their order, NaN is the largest."""
    ranks = np.unique(x, return_inverse=True, equal_nan=True)[1].reshape(x.shape)
    return np.argsort(-ranks if descending else ranks, axis=dim, kind="stable")


def _first(x, k, dim, largest=True):
    part = (slice(None),) * (dim % x.ndim) + (slice(k),)
    return [each[part] for each in _sorted(x, dim, largest)]


def _kth(x, k, dim, keepdim):
    return [np.take(each, [k - 1] if keepdim else k - 1, axis=dim) for each in _sorted(x, dim)]


def _count(draw, shapes, least=0):
    dim = draws.axis(draw, shapes[0])
    return {"k": draw(st.integers(least, shapes[0][dim])), "dim": dim}


def _few(rng, shape):
    """Numbers of which some are equal."""
    return rng.integers(-2, 3, shape)


def _distinct(x):
    return list(np.unique(x, return_inverse=True, return_counts=True, equal_nan=False))


def _runs(x):
    starts = [i for i in range(x.size) if i == 0 or x[i] != x[i - 1]]
    inverse = np.cumsum([i in starts for i in range(x.size)], dtype=np.int64) - 1
    return [x[starts], inverse, np.diff([*starts, x.size]).astype(np.int64)]


def _row_by_row(bounds, x, right):
    bounds = np.sort(bounds)
    side = "right" if right else "left"
    rows = [np.searchsorted(bounds[i], x[i], side) for i in range(len(x))]
    return np.array(rows, np.int64).reshape(x.shape)


SORTING = [
    OpSpec(
        "sort",
        _sorted,
        params=lambda draw, shapes: {**axis(draw, shapes), "descending": draw(st.booleans())},
        shapes=at_least(1),
    ),
    constant(
        "argsort",
        _positions,
        inputs=(_few,),
        params=lambda draw, shapes: {**axis(draw, shapes), "descending": draw(st.booleans())},
        shapes=at_least(1),
        integers="int64",
    ),
    OpSpec("msort", lambda x: _sorted(x, 0)[0], shapes=at_least(1)),
    OpSpec(
        "topk",
        _first,
        params=lambda draw, shapes: {**_count(draw, shapes), "largest": draw(st.booleans())},
        shapes=at_least(1),
    ),
    OpSpec(
        "kthvalue",
        _kth,
        params=lambda draw, shapes: {**_count(draw, shapes, 1), "keepdim": draw(st.booleans())},
        shapes=at_least(1, 1),
    ),
    constant(
        "unique",
        lambda x: _distinct(x),
        inputs=(_few,),
        call=lambda x: torch.unique(x, return_inverse=True, return_counts=True),
        methods=(),
        extremes=False,
    ),
    constant(
        "unique_rows",
        lambda x: np.unique(x, axis=0),
        inputs=(_few,),
        shapes=sides("mn"),
        call=lambda x: torch.unique(x, dim=0) if x.shape[1] else x[:1],
        methods=(),
        extremes=False,
    ),
    constant(
        "unique_consecutive",
        _runs,
        inputs=(_few,),
        shapes=sides("m"),
        call=lambda x: torch.unique_consecutive(x, return_inverse=True, return_counts=True),
        methods=(),
        extremes=False,
    ),
    constant(
        "searchsorted",
        _row_by_row,
        shapes=sides("mk", "mn"),
        params=drawn(right=(False, True)),
        call=lambda bounds, x, right: torch.searchsorted(bounds.sort().values, x, right=right),
        integers="int64",
        extremes=False,
    ),
    constant(
        "bucketize",
        lambda x, right: np.searchsorted(np.array([-1, 0, 1], x.dtype), x, "right" if right else "left"),
        params=drawn(right=(False, True)),
        call=lambda x, right: torch.bucketize(x, torch.tensor([-1, 0, 1]).to(x.dtype), right=right),
        integers="int64",
    ),
    constant(
        "isin",
        lambda x, y, invert: np.isin(x, y, invert=invert),
        inputs=(_few, _few),
        shapes=lambda max_dims, max_side: st.tuples(draws.shapes(max_dims, max_side), draws.shapes(max_dims, max_side)),
        params=drawn(invert=(False, True)),
        integers="bool",
    ),
    constant(
        "histc",
        lambda x, bins, min, max: np.histogram(x, bins, (min, max))[0].astype(x.dtype),
        shapes=one,
        params=drawn(bins=(1, 4), min=(-1,), max=(1, 3)),
        integers=None,
        extremes=False,
    ),
]


SPECS = [*SORTING]
