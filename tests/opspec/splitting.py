"""Parts along an axis."""

import numpy as np
from hypothesis import strategies as st

from .. import strategies as draws
from .record import OpSpec, at_least, axis, sides


def _split(x, split_size_or_sections, dim=0):
    size = split_size_or_sections
    cuts = np.arange(size, x.shape[dim], size) if isinstance(size, int) else np.cumsum(size)[:-1]
    return np.split(x, cuts, axis=dim)


def _chunk(x, chunks, dim=0):
    total = x.shape[dim]
    if total == 0:
        return [x] * chunks
    return _split(x, -(-total // chunks), dim)


def _part(draw, shapes):
    dim = draws.axis(draw, shapes[0])
    start = draw(st.integers(0, shapes[0][dim]))
    return {"dim": dim, "start": start, "length": draw(st.integers(0, shapes[0][dim] - start))}


def _sections(draw, shapes):
    dim = draws.axis(draw, shapes[0])
    total = shapes[0][dim]
    cut = draw(st.integers(0, total))
    return {"split_size_or_sections": draw(st.sampled_from((1, 2, [cut, total - cut]))), "dim": dim}


def _position(draw, shapes):
    dim = draws.axis(draw, shapes[0])
    size = shapes[0][dim]
    return {"dim": dim, "index": draw(st.integers(-size, size - 1))}


def _cuts(draw, shapes):
    positions = draw(st.lists(st.integers(0, 5), max_size=3))
    return {"indices_or_sections": draw(st.sampled_from((1, 2, 3, sorted(positions)))), **axis(draw, shapes)}


def _between(x, indices_or_sections, dim):
    return np.array_split(x, indices_or_sections, axis=dim)


def _equal_parts(name, dims, dim):
    """``hsplit`` and the like: NumPy's, of arrays whose axis divides."""

    def params(draw, shapes):
        size = shapes[0][dim if len(shapes[0]) > 1 else 0]
        return {"indices_or_sections": draw(st.sampled_from((1, max(size, 1), [1], [0, 2])))}

    return OpSpec(name, getattr(np, name), params=params, shapes=at_least(dims) if dims < 3 else sides("mnk"))


SPLITTING = [
    OpSpec(
        "narrow",
        lambda x, dim, start, length: np.take(x, range(start, start + length), axis=dim),
        params=_part,
        shapes=at_least(1),
    ),
    OpSpec("split", _split, params=_sections, shapes=at_least(1, 1)),
    OpSpec(
        "chunk",
        _chunk,
        params=lambda draw, shapes: {"chunks": draw(st.integers(1, 4)), **axis(draw, shapes)},
        shapes=at_least(1),
    ),
    OpSpec(
        "unbind",
        lambda x, dim: [np.take(x, i, axis=dim) for i in range(x.shape[dim])],
        params=axis,
        shapes=at_least(1),
    ),
    OpSpec("select", lambda x, dim, index: np.take(x, index, axis=dim), params=_position, shapes=at_least(1, 1)),
    OpSpec(
        "split_with_sizes",
        lambda x, split_size_or_sections, dim: _split(x, [split_size_or_sections, x.shape[dim]], dim)[:1],
        params=lambda draw, shapes: {"split_size_or_sections": 1, **axis(draw, shapes)},
        call=lambda x, split_size_or_sections, dim: x.split_with_sizes(
            [split_size_or_sections, x.shape[dim] - split_size_or_sections], dim
        )[:1],
        methods=(),
        shapes=at_least(1, 1),
    ),
    OpSpec("tensor_split", _between, params=_cuts, shapes=at_least(1)),
    _equal_parts("hsplit", 1, 1),
    _equal_parts("vsplit", 2, 0),
    _equal_parts("dsplit", 3, 2),
]


SPECS = [*SPLITTING]
