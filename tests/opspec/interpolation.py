"""Interpolation."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr.nn.functional as F

from .record import OpSpec
from .windows import images


def _matrix(mode, size, count, align_corners):
    """The weight of each element of an axis in each place.  -> (count, size)."""
    result = np.zeros((count, size))
    for i in range(count):
        if mode == "nearest":
            result[i, i * size // count] = 1
            continue
        place = i * (size - 1) / max(count - 1, 1) if align_corners else (i + 0.5) * size / count - 0.5
        place = max(place, 0) if mode == "bilinear" else place
        for tap in range(int(np.floor(place)) - 1, int(np.floor(place)) + 3):
            result[i, min(max(tap, 0), size - 1)] += _kernel(mode, abs(place - tap))
    return result


def _kernel(mode, distance):
    """The weight of an element at a distance from the place."""
    if mode == "bilinear":
        return max(0, 1 - distance)
    if distance <= 1:
        return 1.25 * distance**3 - 2.25 * distance**2 + 1
    return -0.75 * (distance**3 - 5 * distance**2 + 8 * distance - 4) if distance < 2 else 0


def _read(x, size, mode, align_corners=None):
    rows = _matrix(mode, x.shape[2], size[0], align_corners)
    columns = _matrix(mode, x.shape[3], size[1], align_corners)
    return np.einsum("nchw,ih,jw->ncij", x.astype(np.float64), rows, columns).astype(x.dtype)


def _options(mode):
    def params(draw, shapes):
        size = tuple(draw(st.integers(1, 5)) for _ in range(2))
        corners = {} if mode == "nearest" else {"align_corners": draw(st.booleans())}
        return {"size": size, "mode": mode} | corners

    return params


SPECS = [
    OpSpec(
        f"interpolate {mode}",
        _read,
        shapes=images(2, least=1),
        params=_options(mode),
        integers=None,
        extremes=False,
        call=F.interpolate,
        methods=(),
        steps=64,
    )
    for mode in ("nearest", "bilinear", "bicubic")
]
