"""Activation functions with bounds, and smooth ones that are composed."""

import numpy as np

from tinygrad_fr.kernels import reference
from tinygrad_fr.ops import piecewise

from .. import strategies as draws
from .record import OpSpec, axis, drawn


def _spec(name, twin, integers=None, **options):
    """An op that is a function of ``nn.functional`` first of all."""
    return OpSpec(name, twin, integers=integers, call=getattr(piecewise, name), **options)


def _elu(x, alpha=1.0, scale=1.0, rate=1.0):
    return np.where(x > 0, scale * x, scale * alpha * np.expm1(rate * np.minimum(x, 0)))


def _softplus(x):
    return np.logaddexp(x, x.dtype.type(0))


def _hard_sigmoid(x):
    return np.clip(x + 3, 0, 6) / 6


def _channels_and_slopes(max_dims, max_side):
    """(N, C, *) and (C,), or any shape and (1,)."""
    several = draws.shapes(max_dims, max_side, min_dims=2, min_side=1).map(lambda shape: (shape, (shape[1],)))
    return several | draws.shapes(max_dims, max_side).map(lambda shape: (shape, (1,)))


def _prelu(x, weight):
    weight = weight.reshape(-1, *[1] * (x.ndim - 2)) if weight.size > 1 else weight.reshape(())
    return np.where(x > 0, x, weight * x)


def _with_even_axis(max_dims, max_side):
    return draws.shapes(max_dims, max_side // 2, min_dims=1).map(lambda shape: (tuple(2 * side for side in shape),))


def _glu(x, dim):
    first, second = np.split(x, 2, dim)
    return first / (1 + np.exp(-second))


SPECS = [
    _spec("elu", _elu, params=drawn(alpha=(1.0, 0.3))),
    _spec("selu", lambda x: _elu(x, 1.6732632423543772, 1.0507009873554805)),
    _spec("celu", lambda x, alpha: _elu(x, alpha, rate=1 / alpha), params=drawn(alpha=(1.0, 0.3, -2.0))),
    _spec(
        "hardtanh",
        lambda x, min_val, max_val: np.clip(x, x.dtype.type(min_val), x.dtype.type(max_val)),
        integers="same",
        params=drawn(min_val=(-1.0, -0.3), max_val=(1, 2.0)),
    ),
    _spec("relu6", lambda x: np.clip(x, x.dtype.type(0), x.dtype.type(6)), integers="same"),
    _spec("hardsigmoid", _hard_sigmoid),
    _spec("hardswish", lambda x: x * _hard_sigmoid(x)),
    _spec(
        "threshold",
        lambda x, threshold, value: np.where(x > threshold, x, np.where(np.isnan(x), x, x.dtype.type(value))),
        integers="same",
        params=drawn(threshold=(0, 0.6), value=(-2, 7)),
    ),
    _spec(
        "hardshrink",
        lambda x, lambd: np.where(np.abs(x) <= lambd, x.dtype.type(0), x),
        params=drawn(lambd=(0.5, 0, 1.0)),
        methods=("hardshrink",),
    ),
    _spec(
        "softshrink",
        lambda x, lambd: np.sign(x) * np.maximum(np.abs(x) - x.dtype.type(lambd), 0),
        params=drawn(lambd=(0.5, 0, 1.0)),
    ),
    _spec("prelu", _prelu, integers="same", shapes=_channels_and_slopes, methods=("prelu",)),
    _spec("logsigmoid", lambda x: -_softplus(-x), integers="float"),
    _spec("softsign", lambda x: x / (1 + np.abs(x)), integers="float"),
    _spec("tanhshrink", lambda x: x - np.tanh(x), integers="float"),
    _spec("mish", reference.mish, integers="float"),
    _spec("glu", _glu, integers="float", shapes=_with_even_axis, params=lambda draw, shapes: axis(draw, shapes)),
]
