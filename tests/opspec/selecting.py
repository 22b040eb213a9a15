"""Slices along an axis, and elements of all flattened, by their positions."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch

from .. import strategies as draws
from .record import OpSpec, at_least


def _rows(draw, shapes):
    dim = draws.axis(draw, shapes[0])
    index = draw(st.lists(st.integers(0, shapes[0][dim] - 1), max_size=4))
    return {"dim": dim, "index": np.array(index, np.int64)}


def _target_and_slices(max_dims, max_side):
    """A matrix, and one of as many columns and no more rows."""
    side = st.integers(1, max_side)
    return st.tuples(side, st.integers(0, max_side)).flatmap(
        lambda shape: st.tuples(st.just(shape), st.tuples(st.integers(0, shape[0]), st.just(shape[1])))
    )


def _named_rows(draw, shapes, apart=False):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    (rows, _), (count, _) = shapes
    return {"index": rng.permutation(rows)[:count] if apart else rng.integers(0, rows, count)}


def _apart(draw, shapes):
    return _named_rows(draw, shapes, apart=True)


def _added(x, y, index, alpha=1):
    result = x.copy()
    for row, position in enumerate(index):
        result[position] += alpha * y[row]
    return result


def _put(x, y, index):
    result = x.copy()
    result[index] = y
    return result


def _filled(x, dim, index, value):
    result = x.copy()
    np.moveaxis(result, dim, 0)[index] = value
    return result


def _elements(draw, shapes):
    total = int(np.prod(shapes[0]))
    count = draw(st.integers(0, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return {"index": rng.integers(-total, total, count if total else 0)}


def _put_flat(x, y, index, accumulate):
    result = x.copy()
    if accumulate:
        np.add.at(result.reshape(-1), index, y.ravel())
    else:
        result.reshape(-1)[index] = y.ravel()
    return result


def _flat_places(accumulate):
    def params(draw, shapes):
        rng = np.random.default_rng(draw(st.integers(0, 2**32)))
        total, count = (int(np.prod(shape)) for shape in shapes)
        return {"index": rng.integers(0, total, count) if accumulate else rng.permutation(total)[:count]}

    return params


def _slices(name, twin, params, call, **options):
    return OpSpec(name, twin, call=call, methods=(), in_place=(), shapes=_target_and_slices, params=params, **options)


SELECTING = [
    OpSpec("index_select", lambda x, dim, index: np.take(x, index, axis=dim), params=_rows, shapes=at_least(1, 1)),
    _slices("index_add", _added, _named_rows, lambda x, y, index: torch.index_add(x, 0, index, y), extremes=False),
    _slices(
        "index_add_scaled",
        lambda x, y, index: _added(x, y, index, 2),
        _named_rows,
        lambda x, y, index: torch.index_add(x, 0, index, y, alpha=2),
        extremes=False,
    ),
    _slices("index_copy", _put, _apart, lambda x, y, index: torch.index_copy(x, 0, index, y)),
    OpSpec(
        "index_fill",
        _filled,
        params=lambda draw, shapes: {**_rows(draw, shapes), "value": draw(st.sampled_from((0, 3)))},
        shapes=at_least(1, 1),
    ),
    _slices("index_put", _put, _apart, lambda x, y, index: torch.index_put(x, (index,), y)),
    _slices(
        "index_put_accumulated",
        _added,
        _named_rows,
        lambda x, y, index: torch.index_put(x, (index,), y, accumulate=True),
        extremes=False,
    ),
    OpSpec("take", lambda x, index: x.ravel()[index], params=_elements),
    *[
        OpSpec(
            name,
            lambda x, y, index, accumulate=accumulate: _put_flat(x, y, index, accumulate),
            call=lambda x, y, index, accumulate=accumulate: torch.put(x, index, y, accumulate),
            methods=(),
            in_place=(),
            shapes=_target_and_slices,
            params=_flat_places(accumulate),
            extremes=False,
        )
        for name, accumulate in (("put", False), ("put_accumulated", True))
    ],
    OpSpec(
        "take_along_dim",
        lambda x, indices, dim: np.take_along_axis(x, indices, dim),
        params=lambda draw, shapes: {
            "indices": np.array([[draw(st.integers(0, shapes[0][1] - 1))] * 2]),
            "dim": 1,
        },
        shapes=lambda max_dims, max_side: st.tuples(st.integers(1, max_side), st.integers(1, max_side)).map(
            lambda shape: (shape,)
        ),
    ),
]


SPECS = [*SELECTING]
