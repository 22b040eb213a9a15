"""Moving elements between channels and places."""

import numpy as np
from hypothesis import strategies as st

from .record import OpSpec, drawn


def _images(channels, side):
    """(*, channels n, side h, side w), with up to two axes in front."""

    def shapes(max_dims, max_side):
        size = st.integers(0, 2)
        batch = st.lists(size, max_size=2).map(tuple)
        return st.tuples(batch, size, size, size).map(
            lambda drawn: ((*drawn[0], channels * drawn[1], side * drawn[2], side * drawn[3]),)
        )

    return shapes


def _pixel_shuffle(x, upscale_factor):
    r = upscale_factor
    *batch, channels, height, width = x.shape
    result = np.empty((*batch, channels // r**2, height * r, width * r), x.dtype)
    for i in range(r):
        for j in range(r):
            result[..., i::r, j::r] = x[..., i * r + j :: r**2, :, :]
    return result


def _pixel_unshuffle(x, downscale_factor):
    r = downscale_factor
    *batch, channels, height, width = x.shape
    result = np.empty((*batch, channels * r**2, height // r, width // r), x.dtype)
    for i in range(r):
        for j in range(r):
            result[..., i * r + j :: r**2, :, :] = x[..., i::r, j::r]
    return result


def _channel_shuffle(x, groups):
    each = x.shape[1] // groups
    order = [group * each + i for i in range(each) for group in range(groups)]
    return x[:, order]


def _grouped(max_dims, max_side):
    size = st.integers(0, 3)
    return st.tuples(size, size, size).map(lambda drawn: ((drawn[0], 6 * drawn[1], drawn[2]),))


SPECS = [
    OpSpec("pixel_shuffle", _pixel_shuffle, shapes=_images(4, 1), params=drawn(upscale_factor=(1, 2))),
    OpSpec("pixel_unshuffle", _pixel_unshuffle, shapes=_images(1, 2), params=drawn(downscale_factor=(1, 2))),
    OpSpec("channel_shuffle", _channel_shuffle, shapes=_grouped, params=drawn(groups=(1, 2, 3))),
]
