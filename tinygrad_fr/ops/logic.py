"""Truth values and bits; no op here has a derivative."""

import numpy as np

from ..autograd.binding import public
from ..autograd.dispatch import binary, unary
from .checks import check_kind

# --- truth values ------------------------------------------------------------------------------------------------


def _logical(name, function, meaning):
    def forward(x, y, *, out=...):
        return function(x, y, out=out)

    forward.__name__ = name
    forward.__doc__ = f"{meaning} of the truth values.  (*), (*) -> (*) bool."
    return public(binary("compare")(forward))


logical_and = _logical("logical_and", np.logical_and, "Both")
logical_or = _logical("logical_or", np.logical_or, "Either")
logical_xor = _logical("logical_xor", np.logical_xor, "One but not both")


@public
@unary("compare")
def logical_not(x, *, out=...):
    """Where the element is 0 or False.  (*) -> (*) bool."""
    return np.logical_not(x, out=out)


# --- bits --------------------------------------------------------------------------------------------------------


def _bitwise(name, function, operator):
    def forward(x, y, *, out=...):
        check_kind(name, np.result_type(x, y), "iub")
        return function(x, y, out=out)

    forward.__name__ = name
    forward.__doc__ = f"The bits of both by '{operator}'; for bool, the truth values.  (*), (*) -> (*)."
    return public(binary("arithmetic")(forward), operator=operator)


bitwise_and = _bitwise("bitwise_and", np.bitwise_and, "and")
bitwise_or = _bitwise("bitwise_or", np.bitwise_or, "or")
bitwise_xor = _bitwise("bitwise_xor", np.bitwise_xor, "xor")


@public(operator="invert")
@unary("arithmetic")
def bitwise_not(x, *, out=...):
    """Every bit turned; for bool, not.  (*) -> (*)."""
    check_kind("bitwise_not", x.dtype, "iub")
    return np.invert(x, out=out)


@public(operator="lshift")
@binary()
def bitwise_left_shift(x, y, *, out=...):
    """The bits of input moved up by other places, broadcast.  (*), (*) -> (*)."""
    check_kind("bitwise_left_shift", np.result_type(x, y), "iu")
    return np.left_shift(x, y, out=out)


@public(operator="rshift")
@binary()
def bitwise_right_shift(x, y, *, out=...):
    """The bits of input moved down by other places, broadcast.  (*), (*) -> (*)."""
    check_kind("bitwise_right_shift", np.result_type(x, y), "iu")
    return np.right_shift(x, y, out=out)
