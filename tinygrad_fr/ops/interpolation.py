"""Interpolation: axes read at other places than their elements'."""

import functools
import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import kernels as k
from ..autograd.dispatch import apply, op
from .adaptive_pooling import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d

_CUBIC = -0.75  # the slope of the kernel of Keys (1981) at distance 1, as in PyTorch and OpenCV


class Reading(NamedTuple):
    """How an axis of ``size`` elements is read at ``count`` places that are ``step`` elements apart."""

    size: int
    count: int
    step: float
    method: str
    align_corners: bool
    single: bool  # whether places are rounded as float32 numbers


def _taps(reading: Reading) -> Sequence[tuple[np.ndarray, np.ndarray | None]]:
    """For each element that takes part in a place its position and weight; without weights for one alone."""
    if reading.method.startswith("nearest"):
        return [(np.minimum(_nearest(reading), reading.size - 1), None)]
    numbers = np.arange(reading.count)
    places = numbers * reading.step if reading.align_corners else (numbers + 0.5) * reading.step - 0.5
    if reading.method == "linear":
        places = np.maximum(places, 0)
    below = np.floor(places)
    part = places - below
    weights = (1 - part, part) if reading.method == "linear" else _cubic_weights(part)
    first = below.astype(np.int64) - (len(weights) // 2 - 1)
    return [(np.clip(first + tap, 0, reading.size - 1), weight) for tap, weight in enumerate(weights)]


def _nearest(reading):
    """The position of the element for each place, with PyTorch's rounding: at ties it decides."""
    kind = np.float32 if reading.single else np.float64
    numbers, step = np.arange(reading.count), np.float64(reading.step)
    if reading.method == "nearest":
        places = numbers.astype(kind) * kind(step)
    else:
        places = ((numbers + 0.5) * step - 0.5).astype(kind) + kind(0.5)
    return np.floor(places.astype(np.float32)).astype(np.int64)


def _cubic_weights(part):
    """The weights of the four elements around a place, ``part`` of the way from the second to the third."""
    return _outer_cubic(1 + part), _inner_cubic(part), _inner_cubic(1 - part), _outer_cubic(2 - part)


def _inner_cubic(distance):
    return ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance**2 + 1


def _outer_cubic(distance):
    return ((_CUBIC * distance - 5 * _CUBIC) * distance + 8 * _CUBIC) * distance - 4 * _CUBIC


@functools.lru_cache(maxsize=256)
def _plan(readings: tuple[Reading, ...], backward: bool, dtype: np.dtype) -> Any:
    """How the kernel reads the axes, or gives back what it has read."""
    tables = [k.interpolation.table(each.size, _taps(each)) for each in readings]
    return k.interpolation.plan([k.interpolation.adjoint(each) for each in tables] if backward else tables, dtype)


# ---------------------------------------------------------------------------------------------------------------
# Ops: reading axes, and its adjoint.


@op(launches=True)
def _read_at(x, *, readings, out=None):
    """The axes after the first two, read at other places.  (N, C, *sizes) -> (N, C, *counts)."""
    return k.interpolation.read(x, _plan(readings, False, x.dtype), out=out)


@_read_at.vjp()
def _(g, readings):
    return apply(_spread_from.op, (g,), {"readings": readings})


@_read_at.backward
def _(g, readings, out=None):
    return k.interpolation.read(g, _plan(readings, True, g.dtype), out=out)


@op(launches=True)
def _spread_from(x, *, readings, out=None):
    """For each element of the axes the sum over the places that read it.  (N, C, *counts) -> (N, C, *sizes)."""
    return k.interpolation.read(x, _plan(readings, True, x.dtype), out=out)


@_spread_from.vjp()
def _(g, readings):
    return apply(_read_at.op, (g,), {"readings": readings})


# ---------------------------------------------------------------------------------------------------------------
# The function.

_AXES = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}  # how many axes a mode is for
_LINEAR = ("linear", "bilinear", "trilinear")
_AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}


def interpolate(
    input,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    """The axes after the first two read at other places.  (N, C, *) -> (N, C, *size), or * times scale_factor.

    ``mode``: nearest, nearest-exact, linear, bilinear, bicubic, trilinear, area. With ``align_corners`` the first and
    last places are those of the first and last elements.
    """
    axes = input.ndim - 2
    _check_mode(input, mode, align_corners, antialias)
    sizes, factors = _new_sizes(input, size, scale_factor, recompute_scale_factor)
    old = input._array.shape[2:]
    if min(*old, *sizes) < 1 or input._array.shape[1] < 1:
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input {list(input.shape)} and output "
            f"{list(sizes)}"
        )
    if mode == "area":
        return _AREA[axes](input, sizes)
    single = input._array.dtype == np.float32
    each = zip(old, sizes, factors, strict=True)
    readings = tuple(_reading(*numbers, mode, bool(align_corners), single) for numbers in each)
    return apply(_read_at.op, (input,), {"readings": readings})


def _reading(before, after, factor, mode, align_corners, single):
    """How an axis of ``before`` elements is read at ``after`` places, by a ``factor`` if one is given."""
    if mode in _LINEAR and before == after:  # as PyTorch, whatever the factor: the places are the elements'
        factor = None
    if align_corners:
        step = (before - 1) / (after - 1) if after > 1 else 0.0
    else:
        step = before / after if factor is None else 1 / factor
        step = float(np.float32(step)) if single else step
    method = "linear" if mode in _LINEAR else "cubic" if mode == "bicubic" else mode
    return Reading(before, after, step, method, align_corners, single)


def _new_sizes(input, size, scale_factor, recompute_scale_factor):
    """The new sizes, and the factors from which the places follow: None where they follow from the sizes."""
    old, axes = input._array.shape[2:], input.ndim - 2
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if size is not None:
        if recompute_scale_factor:
            raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
        sizes = tuple(size) if isinstance(size, (tuple, list)) else (size,) * axes
        _check_count(old, sizes, "output size of")
        if not all(hasattr(each, "__index__") for each in sizes):
            raise TypeError(f"interpolate: expected size to be an int or a tuple of ints, got {size!r}")
        return sizes, (None,) * axes
    factors = tuple(scale_factor) if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * axes
    _check_count(old, factors, "scale_factor of shape")
    sizes = tuple(math.floor(each * factor) for each, factor in zip(old, factors, strict=True))
    return sizes, (None,) * axes if recompute_scale_factor else tuple(map(float, factors))


def _check_count(old, given, what):
    if len(given) != len(old):
        raise ValueError(
            f"Input and output must have the same number of spatial dimensions, but got input with spatial dimensions "
            f"of {list(old)} and {what} {given}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and "
            "one number for each of d1 ... dK."
        )


def _check_mode(input, mode, align_corners, antialias):
    if antialias:
        raise NotImplementedError("interpolate(antialias=True) is not supported")
    if mode not in (*_AXES, "nearest", "nearest-exact", "area") or input.ndim not in (3, 4, 5):
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.ndim}D) for the modes: nearest | "
            f"linear | bilinear | bicubic | trilinear | area | nearest-exact (got {mode})"
        )
    if align_corners is not None and mode not in _AXES:
        raise ValueError(
            "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
        )
    if _AXES.get(mode, input.ndim - 2) != input.ndim - 2:
        raise NotImplementedError(f"Got {input.ndim}D input, but {mode} mode needs {_AXES[mode] + 2}D input")
    if not input.is_floating_point():
        raise NotImplementedError(f"interpolate of {input.dtype.name} is not supported; convert it with .float()")


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """`interpolate`, by its older name."""
    warnings.warn("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.", stacklevel=2)
    return interpolate(input, size, scale_factor, mode, align_corners)
