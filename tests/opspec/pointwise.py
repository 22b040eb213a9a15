"""Ops of each element."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch
from tinygrad_fr.kernels import reference
from tinygrad_fr.ops import activation, pointwise

from .. import strategies as draws
from .record import OpSpec, constant, drawn, two


def _round_to_zero(x, y):
    return np.trunc(x / y) if x.dtype.kind == "f" else (np.trunc(x.astype(float) / y)).astype(x.dtype)


def _positive_pair(name, twin, **options):
    return OpSpec(name, twin, inputs=(draws.real, draws.positive), shapes=two, **options)


UNARY = [
    OpSpec("sigmoid", reference.sigmoid, integers="float"),
    OpSpec("tanh", reference.tanh, integers="float"),
    OpSpec("relu", lambda x: np.maximum(x, 0)),
    OpSpec(
        "leaky_relu",
        lambda x, negative_slope: np.where(x > 0, x, x * x.dtype.type(negative_slope)),
        integers="",
        params=drawn(negative_slope=(0.01, 0.3, 0.0)),
    ),
    OpSpec("silu", reference.silu, integers="float", call=activation.silu),
    OpSpec(
        "gelu",
        reference.gelu,
        integers="float",
        call=activation.gelu,
        params=drawn(approximate=("none", "tanh")),
    ),
    OpSpec(
        "softplus",
        reference.softplus,
        integers="float",
        call=activation.softplus,
        params=drawn(beta=(1.0, 0.5), threshold=(20.0, 1.01)),
    ),
    OpSpec("exp", np.exp, integers="float"),
    OpSpec("log", np.log, inputs=(draws.positive,), integers="float"),
    OpSpec("log1p", np.log1p, inputs=(draws.positive,), integers="float"),
    OpSpec("sin", np.sin, integers="float"),
    OpSpec("cos", np.cos, integers="float"),
    OpSpec("sqrt", np.sqrt, inputs=(draws.positive,), integers="float"),
    OpSpec("rsqrt", lambda x: 1 / np.sqrt(x), inputs=(draws.positive,), integers="float"),
    OpSpec("reciprocal", lambda x: 1 / x, inputs=(draws.positive,), integers="float"),
    OpSpec("neg", np.negative, methods=("neg", "__neg__")),
    OpSpec("abs", np.abs, methods=("abs", "__abs__")),
    OpSpec("sign", np.sign),
    OpSpec("square", np.square),
    OpSpec("floor", np.floor),
    OpSpec("ceil", np.ceil),
    OpSpec("round", np.rint),
    OpSpec("trunc", np.trunc),
    OpSpec(
        "clamp",
        lambda x, min=None, max=None: np.clip(x, min, max),
        in_place=("clamp_",),
        params=lambda draw, shapes: draw(st.sampled_from(({"min": -1}, {"max": 1}, {"min": -1, "max": 2}))),
    ),
    OpSpec("expm1", np.expm1, integers="float"),
    OpSpec("erf", reference.erf, integers="float"),
    OpSpec("log1pexp", lambda x: np.logaddexp(x, 0), integers="float", call=pointwise.log1pexp),
    constant("isnan", np.isnan, integers="bool"),
    constant("isinf", np.isinf, integers="bool"),
    constant("isfinite", np.isfinite, integers="bool"),
    constant("logical_not", np.logical_not, integers="bool"),
]


BINARY = [
    OpSpec(
        "add", lambda x, y, alpha=1: x + y * x.dtype.type(alpha), shapes=two, operator="add", params=drawn(alpha=(1, 2))
    ),
    OpSpec(
        "sub", lambda x, y, alpha=1: x - y * x.dtype.type(alpha), shapes=two, operator="sub", params=drawn(alpha=(1, 2))
    ),
    OpSpec("mul", np.multiply, shapes=two, operator="mul"),
    _positive_pair("div", np.divide, operator="truediv", integers="float"),
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
        "bce",
        lambda x, y: -(y * np.maximum(np.log(x), -100) + (1 - y) * np.maximum(np.log1p(-x), -100)),
        inputs=(draws.fraction, draws.fraction),
        shapes=two,
        integers="",
        extremes=False,
        call=pointwise.bce,
    ),
    OpSpec(
        "bce_of_logits",
        lambda x, y: np.logaddexp(x, 0) - x * y,
        shapes=two,
        integers="float",
        extremes=False,
        call=pointwise.bce_of_logits,
    ),
    OpSpec("maximum", np.maximum, shapes=two),
    OpSpec("minimum", np.minimum, shapes=two),
    *[
        constant(name, getattr(np, long), shapes=two, integers="bool", methods=(name, f"__{name}__"))
        for name, long in (
            ("eq", "equal"),
            ("ne", "not_equal"),
            ("lt", "less"),
            ("le", "less_equal"),
            ("gt", "greater"),
            ("ge", "greater_equal"),
        )
    ],
    *[
        constant(name, getattr(np, name), shapes=two, integers="bool")
        for name in ("logical_and", "logical_or", "logical_xor")
    ],
]


BITWISE = [
    *[
        constant(
            f"bitwise_{name}", getattr(np, f"bitwise_{name}"), shapes=two, operator=name, floats=(np.int64, np.uint8)
        )
        for name in ("and", "or", "xor")
    ],
    constant("bitwise_not", np.invert, methods=("bitwise_not", "__invert__"), floats=(np.int64, np.uint8)),
]


SPECS = [*UNARY, *BINARY, *BITWISE]
