"""Activations of each element, and what losses are composed of."""

import numpy as np

from tinygrad_fr.kernels import reference
from tinygrad_fr.ops import activation, pointwise

from .. import strategies as draws
from .record import OpSpec, drawn, two

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
    OpSpec("log1pexp", lambda x: np.logaddexp(x, 0), integers="float", call=pointwise.log1pexp),
]


BINARY = [
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
]


SPECS = [*UNARY, *BINARY]
