"""Comparisons of whole tensors."""

import numpy as np

from .record import constant, two

WHOLE = [
    constant("equal", np.array_equal, shapes=two, integers="bool"),
    constant("isclose", np.isclose, shapes=two, integers="bool"),
    constant("allclose", np.allclose, shapes=two, integers="bool"),
]


SPECS = [*WHOLE]
