"""Bounds and rounding."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch

from .record import OpSpec, constant, drawn, three, two


def _between_tensors(x, low, high):
    return np.minimum(np.maximum(x, low), high)


SPECS = [
    OpSpec("maximum", np.maximum, shapes=two),
    OpSpec("minimum", np.minimum, shapes=two),
    OpSpec("fmax", np.fmax, shapes=two),
    OpSpec("fmin", np.fmin, shapes=two),
    OpSpec(
        "clamp",
        lambda x, min=None, max=None: np.clip(x, min, max),
        in_place=("clamp_",),
        params=lambda draw, shapes: draw(st.sampled_from(({"min": -1}, {"max": 1}, {"min": -1, "max": 2}))),
    ),
    OpSpec(
        "clamp_between_tensors",
        _between_tensors,
        call=torch.clamp,
        shapes=three,
        methods=("clamp",),
        in_place=("clamp_",),
    ),
    OpSpec("clamp_min", np.maximum, shapes=two),
    OpSpec("clamp_max", np.minimum, shapes=two),
    OpSpec("floor", np.floor),
    OpSpec("ceil", np.ceil),
    OpSpec("round", np.rint),
    OpSpec(
        "round_to_places",
        lambda x, decimals: np.round(x, decimals),
        call=torch.round,
        params=drawn(decimals=(1, 2, -1)),
        methods=("round",),
        in_place=("round_",),
        integers=None,
        extremes=False,
    ),
    OpSpec("trunc", np.trunc),
    OpSpec("frac", lambda x: x - np.trunc(x), integers=None),
    constant("heaviside", np.heaviside, shapes=two, extremes=False),
    OpSpec(
        "nan_to_num",
        np.nan_to_num,
        params=drawn(nan=(0.0, 2.5), posinf=(None, 7.0), neginf=(None, -7.0)),
    ),
]
