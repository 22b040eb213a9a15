"""Signs and magnitudes."""

import numpy as np

from .record import OpSpec, constant, two


def _sign(x):
    return np.where(np.isnan(x), x.dtype.type(0), np.sign(x))


SPECS = [
    OpSpec("neg", np.negative, methods=("neg", "__neg__")),
    OpSpec("positive", np.positive, methods=("positive", "__pos__")),
    OpSpec("abs", np.abs, methods=("abs", "__abs__")),
    OpSpec("sign", _sign),
    constant("signbit", np.signbit, integers="bool"),
    OpSpec("copysign", np.copysign, shapes=two, integers="float"),
]
