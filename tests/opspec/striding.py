"""Windows and strides."""

import numpy as np
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view

import tinygrad_fr as torch

from .. import strategies as draws
from .record import OpSpec, at_least


def _window(draw, shapes):
    dim = draws.axis(draw, shapes[0])
    return {"dimension": dim, "size": draw(st.integers(0, shapes[0][dim])), "step": draw(st.integers(1, 3))}


def _unfolded(x, dimension, size, step):
    axis = dimension % x.ndim
    return sliding_window_view(x, size, axis)[(slice(None),) * axis + (slice(None, None, step),)]


def _crossed(x):
    """Rows that overlap, read from the second element on."""
    return np.array([x.ravel()[1:3], x.ravel()[2:4]])


WINDOWS = [
    OpSpec("unfold", _unfolded, call=torch.Tensor.unfold, methods=("unfold",), params=_window, shapes=at_least(1, 1)),
    OpSpec(
        "as_strided",
        _crossed,
        call=lambda x: torch.as_strided(x.contiguous().clone(), (2, 2), (1, 1), 1),
        methods=(),
        in_place=(),
        shapes=lambda max_dims, max_side: st.sampled_from((((4,),), ((2, 2),), ((3, 2),))),
    ),
]


SPECS = [*WINDOWS]
