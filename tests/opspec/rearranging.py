"""Repeated, and in another order."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch

from .. import strategies as draws
from .record import OpSpec, at_least, axis


def _repeats(draw, shapes):
    extra = draw(st.integers(0, 1))
    return {
        "repeats": tuple(
            draw(st.lists(st.integers(0, 2), min_size=len(shapes[0]) + extra, max_size=len(shapes[0]) + extra))
        )
    }


def _flip_axes(draw, shapes):
    count = len(shapes[0])
    return {"dims": tuple(draw(st.lists(st.integers(0, count - 1), unique=True)))}


def _shifts(draw, shapes):
    shift = st.integers(-5, 5)
    if not shapes[0] or draw(st.booleans()):
        dims = (None, axis(draw, shapes)["dim"]) if shapes[0] else (None,)
        return {"shifts": draw(shift), "dims": draw(st.sampled_from(dims))}
    dims = [draws.axis(draw, shapes[0]) for _ in range(2)]
    return {"shifts": (draw(shift), draw(shift)), "dims": tuple(dims)}


def _quarter_turns(draw, shapes):
    dims = draw(st.permutations(range(len(shapes[0]))))[:2]
    return {"k": draw(st.integers(-5, 5)), "dims": (dims[0], dims[1] - len(shapes[0]))}


REARRANGING = [
    OpSpec(
        "tile",
        lambda x, dims: np.tile(x, dims),
        params=lambda draw, shapes: {"dims": tuple(draw(st.lists(st.integers(0, 2), max_size=3)))},
        call=lambda x, dims: torch.tile(x, dims),
        methods=(),
    ),
    OpSpec(
        "repeat_interleave",
        lambda x, repeats, dim: np.repeat(x, repeats, dim),
        params=lambda draw, shapes: {"repeats": draw(st.integers(0, 3)), **axis(draw, shapes)},
        shapes=at_least(1),
    ),
    OpSpec(
        "repeat_interleave_by_counts",
        lambda x, repeats: np.repeat(x, repeats),
        params=lambda draw, shapes: {
            "repeats": np.array([draw(st.integers(0, 2)) for _ in range(int(np.prod(shapes[0])))], np.int64)
        },
        call=lambda x, repeats: torch.repeat_interleave(x, repeats),
        methods=(),
    ),
    OpSpec("roll", lambda x, shifts, dims: np.roll(x, shifts, dims), params=_shifts),
    OpSpec("rot90", lambda x, k, dims: np.rot90(x, k, dims), params=_quarter_turns, shapes=at_least(2)),
    OpSpec("fliplr", lambda x: np.fliplr(x), shapes=at_least(2)),
    OpSpec("flipud", lambda x: np.flipud(x), shapes=at_least(1)),
    OpSpec(
        "repeat",
        lambda x, repeats: np.tile(x, repeats),
        params=_repeats,
        call=lambda x, repeats: x.repeat(*repeats),
        methods=("repeat",),
    ),
    OpSpec(
        "flip",
        lambda x, dims: np.flip(x, dims).copy(),
        params=_flip_axes,
        call=lambda x, dims: torch.flip(x, dims),
        shapes=at_least(1),
        methods=(),
    ),
]


SPECS = [*REARRANGING]
