"""Truth values and bits."""

import numpy as np

from .record import constant, two


def _places(rng, shape):
    return rng.integers(0, 6, shape)


TRUTH = [
    *[
        constant(name, getattr(np, name), shapes=two, integers="bool", in_place=())
        for name in ("logical_and", "logical_or", "logical_xor")
    ],
    constant("logical_not", np.logical_not, integers="bool", in_place=()),
]


BITS = [
    *[
        constant(
            f"bitwise_{name}", getattr(np, f"bitwise_{name}"), shapes=two, operator=name, floats=(np.int64, np.uint8)
        )
        for name in ("and", "or", "xor")
    ],
    constant("bitwise_not", np.invert, methods=("bitwise_not", "__invert__"), floats=(np.int64, np.uint8)),
    *[
        constant(
            f"bitwise_{direction}_shift",
            getattr(np, f"{direction}_shift"),
            inputs=(_places,),
            shapes=two,
            operator=f"{direction[0]}shift",
            floats=(np.int64, np.uint8),
        )
        for direction in ("left", "right")
    ],
]


SPECS = [*TRUTH, *BITS]
