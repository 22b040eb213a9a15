"""Sums, products and quotients."""

import numpy as np

import tinygrad_fr as torch

from .. import strategies as draws
from .record import OpSpec, constant, drawn, three, two


def _round_to_zero(x, y):
    return np.trunc(x / y) if x.dtype.kind == "f" else (np.trunc(x.astype(float) / y)).astype(x.dtype)


def _positive_pair(name, twin, **options):
    return OpSpec(name, twin, inputs=(draws.real, draws.positive), shapes=two, **options)


SUMS = [
    OpSpec(
        "add", lambda x, y, alpha=1: x + y * x.dtype.type(alpha), shapes=two, operator="add", params=drawn(alpha=(1, 2))
    ),
    OpSpec(
        "sub", lambda x, y, alpha=1: x - y * x.dtype.type(alpha), shapes=two, operator="sub", params=drawn(alpha=(1, 2))
    ),
    OpSpec("rsub", lambda x, y, alpha: y - x * x.dtype.type(alpha), shapes=two, params=drawn(alpha=(1, 3))),
    OpSpec("mul", np.multiply, shapes=two, operator="mul"),
    OpSpec(
        "addcmul",
        lambda x, y, z, value: x + y * z * x.dtype.type(value),
        shapes=three,
        params=drawn(value=(1, 2)),
        extremes=False,
    ),
    OpSpec(
        "addcdiv",
        lambda x, y, z, value: x + y / z * x.dtype.type(value),
        inputs=(draws.real, draws.real, draws.positive),
        shapes=three,
        params=drawn(value=(1, 0.5)),
        integers=None,
        extremes=False,
    ),
    OpSpec(
        "lerp",
        lambda x, y, weight: x + weight * (y - x),
        shapes=three,
        inputs=(draws.real, draws.real, draws.real),
        integers=None,
        extremes=False,
    ),
    OpSpec(
        "lerp_by_number",
        lambda x, y, weight: x + x.dtype.type(weight) * (y - x),
        call=lambda x, y, weight: torch.lerp(x, y, weight),
        shapes=two,
        integers=None,
        params=drawn(weight=(0.25, 0.75, 1.5)),
        methods=("lerp",),
        in_place=("lerp_",),
        extremes=False,
    ),
]


QUOTIENTS = [
    _positive_pair("div", np.divide, operator="truediv", integers="float"),
    _positive_pair("true_divide", np.divide, integers="float"),
    _positive_pair(
        "div_trunc",
        _round_to_zero,
        call=lambda x, y: torch.div(x, y, rounding_mode="trunc"),
        methods=(),
        extremes=False,
    ),
    _positive_pair(
        "div_floor",
        np.floor_divide,
        call=lambda x, y: torch.div(x, y, rounding_mode="floor"),
        methods=(),
        extremes=False,
    ),
    constant(
        "floor_divide",
        np.floor_divide,
        inputs=(draws.real, draws.positive),
        shapes=two,
        operator="floordiv",
        extremes=False,
    ),
    _positive_pair("remainder", np.remainder, operator="mod", extremes=False),
    _positive_pair("fmod", np.fmod),
    constant("gcd", np.gcd, shapes=two, floats=(np.int64, np.int32)),
    constant("lcm", np.lcm, shapes=two, floats=(np.int64, np.int32)),
]


SPECS = [*SUMS, *QUOTIENTS]
