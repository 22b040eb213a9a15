"""Borders."""

import numpy as np
from hypothesis import strategies as st

from tinygrad_fr.ops import padding

from .record import OpSpec, at_least

_NUMPY_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _widths(pad, ndim):
    return [(0, 0)] * (ndim - len(pad) // 2) + [pad[i : i + 2] for i in range(len(pad) - 2, -1, -2)]


def _padded(x, pad, mode="constant", value=None):
    widths = _widths(pad, x.ndim)
    wider = [[max(each, 0) for each in pair] for pair in widths]
    options = {"constant_values": value or 0} if mode == "constant" else {}
    result = np.pad(x, wider, _NUMPY_MODES[mode], **options) if x.ndim else x
    cut = zip(result.shape, widths, strict=True)
    return result[tuple(slice(max(-before, 0), size + min(after, 0)) for size, (before, after) in cut)]


def _constant(draw, shapes):
    sizes = shapes[0][::-1][: draw(st.integers(0, 2))]
    pad = [draw(st.integers(-(size // 2), 2)) for size in sizes for _ in range(2)]
    return {"pad": tuple(pad), "value": draw(st.sampled_from((None, 0, 2)))}


def _continued(mode):
    def params(draw, shapes):
        sizes = shapes[0][::-1][: len(shapes[0]) - 1]
        most = {"reflect": 1, "circular": 2}.get(mode, 3)
        return {"pad": tuple(draw(st.integers(-1, most)) for size in sizes for _ in range(2)), "mode": mode}

    return params


PADDING = [
    OpSpec("pad", _padded, call=padding.pad, params=_constant),
    *[
        OpSpec(
            f"pad_{mode}",
            _padded,
            call=padding.pad,
            params=_continued(mode),
            shapes=at_least(2, 3),
        )
        for mode in ("reflect", "replicate", "circular")
    ],
]


SPECS = [*PADDING]
