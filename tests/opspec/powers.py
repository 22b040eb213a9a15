"""Powers and roots."""

import numpy as np

import tinygrad_fr as torch

from .. import strategies as draws
from .record import OpSpec, drawn, two

SPECS = [
    OpSpec("square", np.square),
    OpSpec("sqrt", np.sqrt, inputs=(draws.positive,), integers="float"),
    OpSpec("rsqrt", lambda x: 1 / np.sqrt(x), inputs=(draws.positive,), integers="float"),
    OpSpec("reciprocal", lambda x: 1 / x, inputs=(draws.positive,), integers="float"),
    OpSpec("pow", np.power, inputs=(draws.positive, draws.real), shapes=two, operator="pow", integers="", steps=64),
    OpSpec(
        "power_of_number",
        lambda x, exponent: np.power(x, exponent),
        call=lambda x, exponent: x**exponent,
        methods=(),
        in_place=(),
        inputs=(draws.positive,),
        params=drawn(exponent=(0, 1, 2, 3, -1, 0.5, -2.5, 2.0)),
        integers="",
        extremes=False,
        steps=64,
    ),
    OpSpec(
        "number_to_a_power",
        lambda x, base: np.power(x.dtype.type(base), x),
        call=lambda x, base: torch.pow(base, x),
        methods=(),
        params=drawn(base=(2, 0.5, 1.0)),
        integers="",
        extremes=False,
        steps=64,
    ),
    OpSpec(
        "float_power",
        lambda x, y: np.power(x.astype(np.float64), y.astype(np.float64)),
        inputs=(draws.positive, draws.real),
        shapes=two,
        integers="float64",
        floats=(np.float64,),  # other types cannot be written in place
        steps=64,
    ),
    OpSpec(
        "ldexp", lambda x, y: x * np.power(x.dtype.type(2), y), shapes=two, integers="float", extremes=False, steps=64
    ),
    OpSpec("hypot", np.hypot, shapes=two, integers=None),
]
