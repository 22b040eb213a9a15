"""Scalar functions for use inside kernels, in a form that LLVM turns into vector instructions.

`math.exp` in a Numba loop is one library call an element; these are straight-line polynomials without branches, so a
loop over them runs eight floats at a time. Called from Python they are as correct but of no use: call the kernels.

Greatest error, in units in the last place (ULP) of the correctly rounded result, measured by the tests over the whole
range of each function:

=================  =======  =======
function           float32  float64
=================  =======  =======
exp                1.1      1.1
exp_nonpositive    1.1      1.1
log                1.0      1.0
tanh               2.5      2.6
sigmoid            2.2      2.2
=================  =======  =======

Infinities, NaN, signed zeros and subnormal numbers are handled everywhere.

The flags matter. ``contract`` lets a multiply and an add fuse, which makes range reduction more exact. ``reassoc``
would cancel the two steps of range reduction and the rounding constant algebraically, and must stay off.
"""

from typing import Any

import numba.extending
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import overload

from ._jit import inlined

FLAGS = {"contract"}

intrinsic: Any = numba.extending.intrinsic  # what it makes is called without the typing context: no checker knows


# ---------------------------------------------------------------------------------------------------------------
# Instructions that Python has no operator for.


def _reinterpret(source, target):
    """An intrinsic that reads the bits of a number of type ``source`` as one of type ``target``."""

    @intrinsic
    def reinterpret(typing_context, x):
        if x != source:
            raise TypingError(f"expected {source}, got {x}")

        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], context.get_value_type(target))

        return target(source), generate

    return reinterpret


_bits32 = _reinterpret(types.float32, types.int32)
_bits64 = _reinterpret(types.float64, types.int64)
_float32 = _reinterpret(types.int32, types.float32)
_float64 = _reinterpret(types.int64, types.float64)


def _llvm(operation, arity):
    """The intrinsic of LLVM named ``operation``, on ``arity`` floats of one type."""

    def generate(context, builder, signature, arguments):
        number = arguments[0].type
        name = f"llvm.{operation}.{'f32' if number == ir.FloatType() else 'f64'}"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(number, [number] * arity), name)
        return builder.call(function, arguments)

    return generate


@intrinsic
def maximum(typing_context, x, y):
    """The larger of two floats of one type; NaN if one of them is NaN. Vectorises, also as a reduction."""
    return x(x, x), _llvm("maximum", 2)


@intrinsic
def minimum(typing_context, x, y):
    """The smaller of two floats of one type; NaN if one of them is NaN. Vectorises, also as a reduction."""
    return x(x, x), _llvm("minimum", 2)


@intrinsic
def absolute(typing_context, x):
    """The magnitude of a float: its sign bit cleared, also for NaN and -0."""
    return x(x), _llvm("fabs", 1)


@intrinsic
def copysign(typing_context, magnitude, sign):
    """``magnitude`` with the sign of ``sign``, two floats of one type."""
    return magnitude(magnitude, magnitude), _llvm("copysign", 2)


@intrinsic
def prefer_wide_vectors(typing_context):
    """Let LLVM use the widest vectors in the kernel that calls this, as pays where exp takes most of the time.

    By itself it stops at 256 bits on processors with AVX-512, for the sake of code around the loops.
    """

    def generate(context, builder, signature, arguments):
        # llvmlite's own add() refuses attributes that it does not know
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        return context.get_dummy_value()

    return types.none(), generate


# ---------------------------------------------------------------------------------------------------------------
# exp(x) = 2^n exp(r) with n = round(x / ln 2) and r = x - n ln 2, so that |r| <= ln(2) / 2 (Cody and Waite, "Software
# Manual for the Elementary Functions", 1980). The polynomials interpolate (exp(r) - 1 - r) / r^2 at Chebyshev nodes.
#
# Adding 1.5 * 2^23 to a float32 of small size rounds it to an integer, which then stands in its lowest bits: that
# spares a conversion that is undefined for NaN.

_LOG2E32 = np.float32(1.4426950408889634)
_ROUND32 = np.float32(1.5 * 2.0**23)
_ROUND32_BITS = np.int32(0x4B400000)
_LN2_HIGH32 = np.float32(0.693145751953125)  # its last bits are 0: n times it is exact
_LN2_LOW32 = np.float32(1.428606765330187e-06)
_LEAST32 = np.float32(-104.0)  # exp is 0 below
_MOST32 = np.float32(89.0)  # and inf above
_TWO_TO_MINUS_24 = np.float32(2.0**-24)
_E32 = tuple(
    np.float32(c) for c in (0.5, 0.16666576845993977, 0.04166655443768594, 0.008363202971575856, 0.0013926213466332299)
)

_LOG2E64 = np.float64(1.4426950408889634)
_ROUND64 = np.float64(1.5 * 2.0**52)
_ROUND64_BITS = np.int64(0x4338000000000000)
_LN2_HIGH64 = np.float64(0.6931471803691238)
_LN2_LOW64 = np.float64(1.9082149293851713e-10)
_LEAST64 = np.float64(-746.0)
_MOST64 = np.float64(710.0)
_TWO_TO_MINUS_54 = 2.0**-54
_E64 = (
    0.5000000000000001,
    0.16666666666666669,
    0.04166666666662399,
    0.008333333333330044,
    0.0013888888917282431,
    0.00019841269863111848,
    2.480152118904348e-05,
    2.755726837591803e-06,
    2.7620139377025166e-07,
    2.510042601076515e-08,
)


@inlined(fastmath=FLAGS)
def _power_of_two32(n):
    """2^n for -127 < n < 128, by writing the exponent bits."""
    return _float32(np.int32((n + 127) << 23))


@inlined(fastmath=FLAGS)
def _power_of_two64(n):
    return _float64(np.int64((n + 1023) << 52))


@inlined(fastmath=FLAGS)
def _expm1_reduced32(r):
    """exp(r) - 1 for |r| <= ln(2) / 2."""
    q = _E32[3] + r * _E32[4]
    q = _E32[2] + r * q
    q = _E32[1] + r * q
    q = _E32[0] + r * q
    return r + (r * r) * q


@inlined(fastmath=FLAGS)
def _expm1_reduced64(r):
    # Estrin's scheme: pairs side by side, for a shorter chain of dependent operations than Horner's.
    r2 = r * r
    r4 = r2 * r2
    low = (_E64[0] + r * _E64[1]) + r2 * (_E64[2] + r * _E64[3])
    high = (_E64[4] + r * _E64[5]) + r2 * (_E64[6] + r * _E64[7])
    q = low + r4 * (high + r4 * (_E64[8] + r * _E64[9]))
    return r + r2 * q


@inlined(fastmath=FLAGS)
def _exp32(x):
    x = _LEAST32 if x < _LEAST32 else x  # comparisons with NaN are false: NaN stays
    x = _MOST32 if x > _MOST32 else x
    shifted = x * _LOG2E32 + _ROUND32
    n = np.int32(_bits32(shifted) - _ROUND32_BITS)
    whole = shifted - _ROUND32
    r = (x - whole * _LN2_HIGH32) - whole * _LN2_LOW32
    # Two factors, because 2^n alone may be out of range where the product is not (n = 128, and subnormal results).
    half = np.int32(n >> 1)
    power = np.float32(1.0) + _expm1_reduced32(r)
    return (power * _power_of_two32(half)) * _power_of_two32(np.int32(n - half))


@inlined(fastmath=FLAGS)
def _exp_nonpositive32(x):
    x = _LEAST32 if x < _LEAST32 else x
    shifted = x * _LOG2E32 + _ROUND32
    n = np.int32(_bits32(shifted) - _ROUND32_BITS)
    whole = shifted - _ROUND32
    r = (x - whole * _LN2_HIGH32) - whole * _LN2_LOW32
    # 2^n may be subnormal, 2^(n + 24) is not: one factor that depends on n is enough.
    power = np.float32(1.0) + _expm1_reduced32(r)
    return (power * _power_of_two32(np.int32(n + 24))) * _TWO_TO_MINUS_24


@inlined(fastmath=FLAGS)
def _exp64(x):
    x = _LEAST64 if x < _LEAST64 else x
    x = _MOST64 if x > _MOST64 else x
    shifted = x * _LOG2E64 + _ROUND64
    n = _bits64(shifted) - _ROUND64_BITS
    whole = shifted - _ROUND64
    r = (x - whole * _LN2_HIGH64) - whole * _LN2_LOW64
    half = n >> 1
    power = 1.0 + _expm1_reduced64(r)
    return (power * _power_of_two64(half)) * _power_of_two64(n - half)


@inlined(fastmath=FLAGS)
def _exp_nonpositive64(x):
    x = _LEAST64 if x < _LEAST64 else x
    shifted = x * _LOG2E64 + _ROUND64
    n = _bits64(shifted) - _ROUND64_BITS
    whole = shifted - _ROUND64
    r = (x - whole * _LN2_HIGH64) - whole * _LN2_LOW64
    power = 1.0 + _expm1_reduced64(r)
    return (power * _power_of_two64(n + 54)) * _TWO_TO_MINUS_54


# ---------------------------------------------------------------------------------------------------------------
# log(x) = n ln 2 + log(1 + f) with x = 2^n (1 + f) and sqrt(1/2) <= 1 + f < sqrt(2). With s = f / (2 + f),
# log(1 + f) = 2 artanh(s) = f - (f^2 / 2 - s (f^2 / 2 + R)), R = s^2 (2/3 + 2/5 s^2 + ...): the first term is exact,
# and what is subtracted is small (the form of FreeBSD's msun library, with polynomials of our own).

_L32 = tuple(np.float32(c) for c in (0.6666666655404201, 0.4000012221181065, 0.2855077863319183, 0.2333161447184619))
_SQRT_HALF_BITS32 = np.int32(0x3F3504F3)
_SMALLEST_NORMAL32 = np.float32(2.0**-126)
_SUBNORMAL_SCALE32 = np.float32(2.0**23)
_INF32 = np.float32(np.inf)
_NAN32 = np.float32(np.nan)

_L64 = (
    0.666666666666667,
    0.3999999999989889,
    0.2857142862625492,
    0.22222211089210891,
    0.18182892443641324,
    0.15331611397780873,
    0.14617810618909677,
)
_SQRT_HALF_BITS64 = np.int64(0x3FE6A09E667F3BCD)
_SMALLEST_NORMAL64 = 2.0**-1022
_SUBNORMAL_SCALE64 = 2.0**52


@inlined(fastmath=FLAGS)
def _log32(x):
    subnormal = x < _SMALLEST_NORMAL32
    scaled = x * _SUBNORMAL_SCALE32 if subnormal else x
    # Counted from sqrt(1/2), the exponent field is n, and the rest is the fraction of 1 + f above sqrt(1/2).
    offset = np.int32(_bits32(scaled) - _SQRT_HALF_BITS32)
    n = np.int32(offset >> 23)
    f = _float32(np.int32((offset & np.int32(0x007FFFFF)) + _SQRT_HALF_BITS32)) - np.float32(1.0)
    whole = np.float32(n) - (np.float32(23.0) if subnormal else np.float32(0.0))

    s = f / (np.float32(2.0) + f)
    z = s * s
    tail = z * (_L32[0] + z * (_L32[1] + z * (_L32[2] + z * _L32[3])))
    half_square = np.float32(0.5) * f * f
    correction = s * (half_square + tail) + whole * _LN2_LOW32
    result = whole * _LN2_HIGH32 - ((half_square - correction) - f)

    result = result if x < _INF32 else x  # inf and NaN are their own logarithms
    result = -_INF32 if x == np.float32(0.0) else result
    return _NAN32 if x < np.float32(0.0) else result


@inlined(fastmath=FLAGS)
def _log64(x):
    subnormal = x < _SMALLEST_NORMAL64
    scaled = x * _SUBNORMAL_SCALE64 if subnormal else x
    offset = _bits64(scaled) - _SQRT_HALF_BITS64
    n = offset >> 52
    f = _float64((offset & 0x000FFFFFFFFFFFFF) + _SQRT_HALF_BITS64) - 1.0
    whole = np.float64(n) - (52.0 if subnormal else 0.0)

    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    tail = z * (
        (_L64[0] + z * _L64[1]) + z2 * ((_L64[2] + z * _L64[3]) + z2 * ((_L64[4] + z * _L64[5]) + z2 * _L64[6]))
    )
    half_square = 0.5 * f * f
    correction = s * (half_square + tail) + whole * _LN2_LOW64
    result = whole * _LN2_HIGH64 - ((half_square - correction) - f)

    result = result if x < np.inf else x
    result = -np.inf if x == 0.0 else result
    return np.nan if x < 0.0 else result


# ---------------------------------------------------------------------------------------------------------------
# tanh(x) = -e / (2 + e) with e = exp(-2|x|) - 1: nothing overflows, and for small |x| nothing cancels.

_TANH_LEAST32 = np.float32(-40.0)  # e is -1 to the last bit below
_TANH_LEAST64 = np.float64(-80.0)


@inlined(fastmath=FLAGS)
def _tanh32(x):
    y = np.float32(-2.0) * absolute(x)
    y = _TANH_LEAST32 if y < _TANH_LEAST32 else y
    shifted = y * _LOG2E32 + _ROUND32
    n = np.int32(_bits32(shifted) - _ROUND32_BITS)
    whole = shifted - _ROUND32
    r = (y - whole * _LN2_HIGH32) - whole * _LN2_LOW32
    scale = _power_of_two32(n)
    e = scale * _expm1_reduced32(r) + (scale - np.float32(1.0))
    return copysign(e / (np.float32(2.0) + e), x)


@inlined(fastmath=FLAGS)
def _tanh64(x):
    y = -2.0 * absolute(x)
    y = _TANH_LEAST64 if y < _TANH_LEAST64 else y
    shifted = y * _LOG2E64 + _ROUND64
    n = _bits64(shifted) - _ROUND64_BITS
    whole = shifted - _ROUND64
    r = (y - whole * _LN2_HIGH64) - whole * _LN2_LOW64
    scale = _power_of_two64(n)
    e = scale * _expm1_reduced64(r) + (scale - 1.0)
    return copysign(e / (2.0 + e), x)


# ---------------------------------------------------------------------------------------------------------------
# sigmoid(x) = 1 / (1 + z) for x >= 0 and z / (1 + z) for x < 0, with z = exp(-|x|), which never overflows.


@inlined(fastmath=FLAGS)
def _sigmoid32(x):
    z = _exp_nonpositive32(-absolute(x))
    return (z if x < np.float32(0.0) else np.float32(1.0)) / (np.float32(1.0) + z)


@inlined(fastmath=FLAGS)
def _sigmoid64(x):
    z = _exp_nonpositive64(-absolute(x))
    return (z if x < 0.0 else 1.0) / (1.0 + z)


# ---------------------------------------------------------------------------------------------------------------
# The names that kernels use. Numba picks the version by the type of x; the bodies are for calls from Python.


def _is_single(x):
    return getattr(x, "dtype", None) == np.float32


def exp(x):
    """e to the power x, for one float. Overflows to inf above 88.72 (float32) and 709.78 (float64)."""
    return _exp32(x) if _is_single(x) else _exp64(x)


def exp_nonpositive(x):
    """e to the power x for one float that is at most 0, or but little above: faster than exp."""
    return _exp_nonpositive32(x) if _is_single(x) else _exp_nonpositive64(x)


def log(x):
    """The natural logarithm of one float: -inf at 0, NaN below."""
    return _log32(x) if _is_single(x) else _log64(x)


def tanh(x):
    """The hyperbolic tangent of one float, also exact to the last bits for tiny x."""
    return _tanh32(x) if _is_single(x) else _tanh64(x)


def sigmoid(x):
    """1 / (1 + exp(-x)) for one float, with a small relative error also where it is nearly 0."""
    return _sigmoid32(x) if _is_single(x) else _sigmoid64(x)


def _overload(function, single, double):
    """Make ``function`` usable in compiled code: ``single`` for a float32, ``double`` for a float64."""

    @overload(function, jit_options={"fastmath": FLAGS, "nogil": True, "error_model": "numpy"}, strict=False)
    def choose(x):
        if x == types.float32:
            return lambda x: single(x)
        if x == types.float64:
            return lambda x: double(x)
        return None


_overload(exp, _exp32, _exp64)
_overload(exp_nonpositive, _exp_nonpositive32, _exp_nonpositive64)
_overload(log, _log32, _log64)
_overload(tanh, _tanh32, _tanh64)
_overload(sigmoid, _sigmoid32, _sigmoid64)
