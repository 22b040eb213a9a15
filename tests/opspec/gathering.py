"""Single elements by their positions along one axis."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch

from .. import strategies as draws
from .record import OpSpec, at_least


def _positions(draw, shapes):
    """An index of other size along ``dim``."""
    (shape,) = shapes
    dim = draws.axis(draw, shape)
    sides = tuple(draw(st.integers(0, 3)) if i == dim % len(shape) else size for i, size in enumerate(shape))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return {"dim": dim, "index": rng.integers(0, shape[dim], sides)}


def _meeting(draw, shapes):
    """An index of the shape of the second input; positions may be the same."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return {"index": rng.integers(0, shapes[0][0], shapes[1])}


def _distinct(draw, shapes):
    """The same, without a position twice."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    count, columns = shapes[1]
    chosen = [rng.permutation(shapes[0][0])[:count] for _ in range(columns)]
    return {"index": np.array(chosen, np.int64).reshape(columns, count).T}


def _target_and_source(max_dims, max_side):
    """A matrix, and one of no more rows and columns."""
    side = st.integers(1, max_side)
    return st.tuples(side, side).flatmap(
        lambda shape: st.tuples(st.just(shape), st.tuples(st.integers(0, shape[0]), st.integers(1, shape[1])))
    )


def _each(index):
    """Pairs of a place of the index and the place it names along the first axis."""
    return ((place, (index[place], place[1])) for place in np.ndindex(index.shape))


def _scattered(x, y, index):
    result = x.copy()
    for place, target in _each(index):
        result[target] = y[place]
    return result


def _reduced(reduce, include_self):
    """What scatter_reduce gives, element by element."""
    combine = {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum}.get(reduce, np.add)

    def twin(x, y, index):
        result, counts = x.copy(), np.full(x.shape, int(include_self))
        for place, target in _each(index):
            result[target] = combine(result[target], y[place]) if counts[target] else y[place]
            counts[target] += 1
        if reduce == "mean":
            counts = np.maximum(counts, 1)
            result = result / counts.astype(x.dtype) if x.dtype.kind == "f" else result // counts
        return result.astype(x.dtype)

    return twin


def _scatter_reduce(reduce, include_self):
    return OpSpec(
        f"scatter_{reduce}{'' if include_self else '_of_others'}",
        _reduced(reduce, include_self),
        call=lambda x, y, index: torch.scatter_reduce(x, 0, index, y, reduce, include_self=include_self),
        methods=(),
        in_place=(),
        shapes=_target_and_source,
        params=_meeting,
        extremes=False,
    )


GATHERING = [
    OpSpec("gather", lambda x, dim, index: np.take_along_axis(x, index, dim), params=_positions, shapes=at_least(1, 1)),
    OpSpec(
        "scatter",
        _scattered,
        call=lambda x, y, index: torch.scatter(x, 0, index, y),
        methods=(),
        in_place=(),
        shapes=_target_and_source,
        params=_distinct,
    ),
    OpSpec(
        "scatter_of_number",
        lambda x, dim, index: np.where(
            np.isin(np.arange(x.shape[0]), index).reshape((-1,) + (1,) * (x.ndim - 1)), x.dtype.type(3), x
        ),
        call=lambda x, dim, index: x.scatter(0, index.reshape((-1,) + (1,) * (x.ndim - 1)).expand(-1, *x.shape[1:]), 3),
        methods=(),
        in_place=(),
        params=lambda draw, shapes: {"dim": 0, "index": np.array([shapes[0][0] - 1, 0])},
        shapes=at_least(1, 1),
    ),
    OpSpec(
        "scatter_add",
        _reduced("sum", True),
        call=lambda x, y, index: torch.scatter_add(x, 0, index, y),
        methods=(),
        in_place=(),
        shapes=_target_and_source,
        params=_meeting,
        extremes=False,
    ),
    *[
        _scatter_reduce(reduce, include_self)
        for reduce in ("sum", "prod", "mean", "amax", "amin")
        for include_self in (True, False)
    ],
]


SPECS = [*GATHERING]
