"""Borders around the last axes."""

import math

import numpy as np

from ..autograd.dispatch import apply, op
from ..autograd.tensor import constant
from .convert import converted


@op
def _pad(x, *, widths, value, out=None):
    """x with ``widths`` elements of ``value`` before and after it along each axis."""
    return np.pad(x, widths, constant_values=value)


@_pad.vjp()
def _(g, x_shape, widths):
    return g[tuple(slice(before, before + size) for size, (before, _) in zip(x_shape, widths, strict=True))]


def pad(input, pad, mode="constant", value=None):
    """A border around the last axes: ``pad`` is (left, right, top, bottom, ...); a negative width cuts off.

    mode: 'constant' (of ``value``), 'reflect' (without the edge itself), 'replicate' (the edge), 'circular'.
    """
    pad = tuple(int(each) for each in pad)
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise RuntimeError(
            f"Padding length should be divisible by two and at most twice the number of dimensions of the input: got "
            f"{len(pad)} widths for shape {list(input.shape)}"
        )
    if not pad:
        return input.clone()
    widths = ((0, 0),) * (input.ndim - len(pad) // 2) + tuple(zip(pad[-2::-2], pad[::-2], strict=True))
    if mode == "constant":
        return _constant(input, widths, 0 if value is None else value)
    if value not in (None, 0):
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in _POSITIONS:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if len(pad) not in (2, 4, 6) or input.ndim not in (len(pad) // 2 + 1, len(pad) // 2 + 2):
        raise NotImplementedError(
            f"Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now: got {len(pad)} widths for "
            f"shape {list(input.shape)}"
        )
    for axis, (before, after) in enumerate(widths):
        if before or after:
            input = _continued(input, axis, before, after, mode)
    return input


def _constant(input, widths, value):
    shape = input._array.shape
    cuts = [(max(-before, 0), size + min(after, 0)) for size, (before, after) in zip(shape, widths, strict=True)]
    if any(start > end for start, end in cuts):
        raise RuntimeError(f"pad: the negative widths in {widths} cut more from shape {list(shape)} than there is")
    if min(min(pair) for pair in widths) < 0:
        input = input[tuple(slice(*cut) for cut in cuts)]
    widths = tuple((max(before, 0), max(after, 0)) for before, after in widths)
    value = converted(value, input._array.dtype).item()
    return apply(_pad.op, (input,), {"widths": widths, "value": value})


# Which element stands at places that may lie outside 0 ... size-1.
_POSITIONS = {
    "reflect": lambda places, size: size - 1 - np.abs(size - 1 - np.abs(places)),
    "replicate": lambda places, size: np.clip(places, 0, size - 1),
    "circular": lambda places, size: places % size,
}


def _continued(input, axis, before, after, mode):
    size = input._array.shape[axis]
    widest = {"reflect": size - 1, "circular": size}.get(mode, math.inf)
    if size == 0 or max(before, after) > widest or size + before + after < 1:
        raise RuntimeError(
            f"Padding size should be less than the corresponding input dimension, but got: padding ({before}, {after}) "
            f"at dimension {axis} of input {list(input.shape)} with mode {mode!r}"
        )
    positions = _POSITIONS[mode](np.arange(-before, size + after), size)
    return input[(slice(None),) * axis + (constant(positions),)]
