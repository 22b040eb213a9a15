"""Circular and hyperbolic functions and their inverses."""

import numpy as np

from .. import strategies as draws
from .record import OpSpec, two


def _above_one(rng, shape):
    return 1 + draws.positive(rng, shape)


SPECS = [
    OpSpec("sin", np.sin, integers="float"),
    OpSpec("cos", np.cos, integers="float"),
    OpSpec("tan", np.tan, inputs=(draws.fraction,), integers="float"),
    OpSpec("sinc", np.sinc, integers="float", extremes=False),
    OpSpec("deg2rad", np.deg2rad, integers="float"),
    OpSpec("rad2deg", np.rad2deg, integers="float"),
    OpSpec("asin", np.arcsin, inputs=(draws.fraction,), integers="float"),
    OpSpec("acos", np.arccos, inputs=(draws.fraction,), integers="float"),
    OpSpec("atan", np.arctan, integers="float"),
    OpSpec("atan2", np.arctan2, shapes=two, integers="float"),
    OpSpec("sinh", np.sinh, integers="float"),
    OpSpec("cosh", np.cosh, integers="float"),
    OpSpec("asinh", np.arcsinh, integers="float"),
    OpSpec("acosh", np.arccosh, inputs=(_above_one,), integers="float"),
    OpSpec("atanh", np.arctanh, inputs=(draws.fraction,), integers="float"),
]
