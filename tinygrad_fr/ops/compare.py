"""Comparisons and tests for special values: results are bool and have no derivative."""

import numpy as np

from ..autograd.binding import alias, public
from ..autograd.dispatch import apply, binary, op, unary
from ..autograd.mode import tell_read
from ..autograd.tensor import Tensor
from .arrays import deliver


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

alias("ne", "not_equal")
alias("lt", "less")
alias("le", "less_equal")
alias("gt", "greater")
alias("ge", "greater_equal")


def _equality(comparison, otherwise):
    """``==`` with something that is no number is False, as for other Python objects."""

    def compare(self, other):
        return comparison(self, other) if isinstance(other, _COMPARABLE) else otherwise

    return compare


_COMPARABLE = (Tensor, bool, int, float, np.ndarray, np.generic)
Tensor.__eq__ = _equality(eq, False)  # type: ignore
Tensor.__ne__ = _equality(ne, True)  # type: ignore


def _test(name, function, meaning, otherwise=False):
    """A test that only floating point elements can pass, or fail where ``otherwise`` is True."""

    def forward(x, *, out=...):
        return function(x, out=out) if x.dtype.kind == "f" else deliver(np.full(x.shape, otherwise), out)

    forward.__name__ = name
    forward.__doc__ = f"Where the element is {meaning}.  (*) -> (*) bool."
    return public(unary("compare")(forward), in_place=False)


isnan = _test("isnan", np.isnan, "NaN")
isinf = _test("isinf", np.isinf, "infinite")
isposinf = _test("isposinf", lambda x, out: np.equal(x, np.inf, out=out), "+inf")
isneginf = _test("isneginf", lambda x, out: np.equal(x, -np.inf, out=out), "-inf")
isfinite = _test("isfinite", np.isfinite, "neither infinite nor NaN", otherwise=True)


@public
def isreal(input):
    """True everywhere: there are no complex numbers here.  (*) -> (*) bool."""
    return input == input if not input.is_floating_point() else (input == input) | isnan(input)


@public
def is_nonzero(input):
    """Whether the one element of the tensor is not 0; RuntimeError where there is not one."""
    if input._array.size != 1:
        raise RuntimeError(f"Boolean value of Tensor with {input._array.size} elements is ambiguous")
    return bool(input.item())


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
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"isclose: rtol and atol must be greater than or equal to zero, got {rtol} and {atol}")
    return apply(_isclose.op, (input, other), {"rtol": rtol, "atol": atol, "equal_nan": equal_nan})


@op
def _isclose(x, y, *, rtol, atol, equal_nan, out=None):
    """Where |x - y| <= atol + rtol |y|."""
    return np.asarray(np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=equal_nan))


@public
def allclose(input, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    """Whether every |input - other| <= atol + rtol |other|."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all())
