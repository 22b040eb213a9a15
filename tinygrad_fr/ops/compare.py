"""Comparisons, logic and tests for special values: results are bool and have no derivative."""

import numpy as np

from ..autograd.binding import public
from ..autograd.dispatch import apply, binary, op, unary
from ..autograd.mode import tell_read
from ..autograd.tensor import Tensor


def _comparison(name, function, operator):
    def forward(x, y, *, out=...):
        return function(x, y, out=out)

    forward.__name__ = name
    forward.__doc__ = f"input {operator} other, broadcast.  (*), (*) -> (*) bool."
    comparison = binary("compare")(forward)
    return public(comparison, operator="" if name in ("eq", "ne") else name)


eq = _comparison("eq", np.equal, "==")
ne = _comparison("ne", np.not_equal, "!=")
lt = _comparison("lt", np.less, "<")
le = _comparison("le", np.less_equal, "<=")
gt = _comparison("gt", np.greater, ">")
ge = _comparison("ge", np.greater_equal, ">=")


def _equality(comparison, otherwise):
    """``==`` with something that is no number is False, as for other Python objects."""

    def compare(self, other):
        return comparison(self, other) if isinstance(other, _COMPARABLE) else otherwise

    return compare


_COMPARABLE = (Tensor, bool, int, float, np.ndarray, np.generic)
Tensor.__eq__ = _equality(eq, False)  # type: ignore
Tensor.__ne__ = _equality(ne, True)  # type: ignore


def _test(name, function, meaning):
    def forward(x, *, out=...):
        return function(x, out=out) if x.dtype.kind == "f" else np.full(x.shape, name == "isfinite")

    forward.__name__ = name
    forward.__doc__ = f"Where the element is {meaning}.  (*) -> (*) bool."
    return public(unary("compare")(forward))


isnan = _test("isnan", np.isnan, "NaN")
isinf = _test("isinf", np.isinf, "infinite")
isfinite = _test("isfinite", np.isfinite, "neither infinite nor NaN")


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


def _bitwise(name, function, operator):
    def forward(x, y, *, out=...):
        if np.result_type(x, y).kind == "f":
            raise RuntimeError(f"'bitwise_{operator}' is not implemented for floating point tensors")
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
    if x.dtype.kind == "f":
        raise RuntimeError("'bitwise_not' is not implemented for floating point tensors")
    return np.invert(x, out=out)


@public
def equal(input, other):
    """Whether both have the same shape and elements."""
    tell_read("equal()")
    return bool(np.array_equal(input._array, other._array))


@public
def isclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Where |input - other| <= atol + rtol |other|.  (*), (*) -> (*) bool."""
    if input._array.dtype != other._array.dtype:
        raise RuntimeError(f"isclose: expected two tensors of one dtype, got {input.dtype} and {other.dtype}")
    return apply(_isclose.op, (input, other), {"rtol": rtol, "atol": atol, "equal_nan": equal_nan})


@op
def _isclose(x, y, *, rtol, atol, equal_nan, out=None):
    """Where |x - y| <= atol + rtol |y|."""
    return np.asarray(np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan))


@public
def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether every |input - other| <= atol + rtol |other|."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())
