"""Comparisons and tests for special values."""

import numpy as np

from .record import constant, two

EACH = [
    *[
        constant(name, getattr(np, long), shapes=two, integers="bool", methods=(name, f"__{name}__"), in_place=())
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
        constant(name, getattr(np, name), integers="bool")
        for name in ("isnan", "isinf", "isfinite", "isposinf", "isneginf")
    ],
]


WHOLE = [
    constant("equal", np.array_equal, shapes=two, integers="bool"),
    constant("isclose", np.isclose, shapes=two, integers="bool"),
    constant("allclose", np.allclose, shapes=two, integers="bool"),
]


SPECS = [*EACH, *WHOLE]
