"""Functions on one number for use inside kernels, in a form that LLVM turns into vector instructions.

`math.exp` in a Numba loop is one library call an element; these are straight-line polynomials without branches, so a
loop over them runs sixteen floats at a time. Called from Python they are as correct but of no use: call the kernels.

Greatest error, in units in the last place (ULP) of the correctly rounded result, over the whole range of each function,
on processors that multiply and add with one rounding (where they cannot, up to 1 more):

=================  =======  =======
function           float32  float64
=================  =======  =======
exp                1.0      1.1
exp_nonpositive    1.0      1.1
expm1              1.6      2.2
log                1.2      0.9
log1p              1.7      1.4
log1pexp           2.0      1.7
tanh               1.9      2.2
sigmoid            1.8      1.7
erf                1.1      1.3
=================  =======  =======

normal_cdf, sigmoid_nearly and log1pexp_nearly are for what needs no more: in float32 their error is below 1.2e-7,
absolute or relative, whichever is larger. The relative error of exp_nearly is below 1.6e-7 + 8.4e-8 |x|.

Infinities, NaN, signed zeros and subnormal numbers are handled everywhere. The bits of a result depend on nothing but
the argument: no instruction leaves it to the compiler how to round (see `_scalar`).
"""

import numpy as np
from numba import types
from numba.extending import overload

from ._scalar import (
    SCALES,
    absolute,
    bits32,
    bits64,
    copysign,
    exactly,
    float32,
    float64,
    fma,
    like,
    maximum,
    minimum,
    polynomial,
    prefer_wide_vectors,
    times_power_of_two,
)

__all__ = [
    "absolute",
    "copysign",
    "erf",
    "exactly",
    "exp",
    "exp_nearly",
    "exp_nonpositive",
    "expm1",
    "fma",
    "like",
    "log",
    "log1p",
    "log1pexp",
    "log1pexp_nearly",
    "maximum",
    "minimum",
    "normal_cdf",
    "normal_cdf_and_density",
    "prefer_wide_vectors",
    "sigmoid",
    "sigmoid_nearly",
    "tanh",
]


def _singles(*numbers):
    return tuple(np.float32(number) for number in numbers)


# ---------------------------------------------------------------------------------------------------------------
# exp(x) = 2^n exp(r) with n = round(x / ln 2) and r = x - n ln 2, so that |r| <= ln(2) / 2 (Cody and Waite, "Software
# Manual for the Elementary Functions", 1980). The polynomials are minimax approximations (Remez's algorithm).
#
# Adding 1.5 * 2^23 to a float32 of small size rounds it to an integer, which then stands in its lowest bits: that
# spares a conversion that is undefined for NaN. With 127 more, 23 bits to the left they are 2^n.

_LOG2E32 = np.float32(1.4426950408889634)
_ROUND32 = np.float32(1.5 * 2.0**23)
_ROUND32_BITS = np.int32(0x4B400000)
_MINUS_LN2_HIGH32 = np.float32(-0.693145751953125)  # its last bits are 0: n times it is exact
_MINUS_LN2_LOW32 = np.float32(-1.428606765330187e-06)
_MINUS_LN2_32 = np.float32(-0.6931471805599453)
_LEAST32 = np.float32(-104.0)  # exp is 0 below
_MOST32 = np.float32(89.0)  # and inf above
_TWO_TO_MINUS_24 = np.float32(2.0**-24)
# (exp(r) - 1) / r
_E32 = _singles(
    1.0, 0.4999987483024597, 0.1666654348373413, 0.041700348258018494, 0.008366554044187069, 0.001190217211842537
)
# (exp(r) - 1 - r) / r^2
_M32 = _singles(
    0.4999999815588995, 0.16666543668816416, 0.041667199543776755, 0.008366514090612176, 0.0013882526378453243
)

_LOG2E64 = np.float64(1.4426950408889634)
_ROUND64 = np.float64(1.5 * 2.0**52)
_ROUND64_BITS = np.int64(0x4338000000000000)
_MINUS_LN2_HIGH64 = np.float64(-0.6931471803691238)
_MINUS_LN2_LOW64 = np.float64(-1.9082149293851713e-10)
_LEAST64 = np.float64(-746.0)
_MOST64 = np.float64(710.0)
_TWO_TO_MINUS_54 = 2.0**-54
_M64 = (
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


@exactly
def _power_of_two32(n):
    """2^n for -127 < n < 128, by writing the exponent bits."""
    return float32(np.int32(np.int32(n + 127) << 23))


@exactly
def _power_of_two64(n):
    return float64(np.int64((n + 1023) << 52))


if SCALES:

    @exactly
    def _scaled32(x, n):
        """x * 2^n, rounded once."""
        return times_power_of_two(x, n)

    @exactly
    def _scaled64(x, n):
        return times_power_of_two(x, np.int32(n))

    _scaled_down32, _scaled_down64 = _scaled32, _scaled64

else:  # the same in two steps, of which the first is exact, as 2^n alone may be out of range where the product is not

    @exactly
    def _scaled32(x, n):
        half = np.int32(n >> 1)
        return (x * _power_of_two32(half)) * _power_of_two32(np.int32(n - half))

    @exactly
    def _scaled64(x, n):
        half = n >> 1
        return (x * _power_of_two64(half)) * _power_of_two64(n - half)

    @exactly
    def _scaled_down32(x, n):  # for n < 100: one factor that depends on n is enough
        return (x * _power_of_two32(np.int32(n + 24))) * _TWO_TO_MINUS_24

    @exactly
    def _scaled_down64(x, n):
        return (x * _power_of_two64(n + 54)) * _TWO_TO_MINUS_54


@exactly
def _reduced32(x):
    """r and n of x."""
    shifted = fma(x, _LOG2E32, _ROUND32)
    whole = shifted - _ROUND32
    r = fma(whole, _MINUS_LN2_LOW32, fma(whole, _MINUS_LN2_HIGH32, x))
    return r, np.int32(bits32(shifted) - _ROUND32_BITS)


@exactly
def _reduced64(x):
    shifted = fma(x, _LOG2E64, _ROUND64)
    whole = shifted - _ROUND64
    r = fma(whole, _MINUS_LN2_LOW64, fma(whole, _MINUS_LN2_HIGH64, x))
    return r, bits64(shifted) - _ROUND64_BITS


@exactly
def _expm1_reduced32(r):
    """exp(r) - 1 for |r| <= ln(2) / 2."""
    return fma(r * r, polynomial(r, _M32), r)


@exactly
def _expm1_reduced64(r):
    return fma(r * r, polynomial(r, _M64), r)


@exactly
def _exp_nonpositive32(x):
    r, n = _reduced32(_LEAST32 if x < _LEAST32 else x)  # comparisons with NaN are false: NaN stays
    return _scaled_down32(fma(r, polynomial(r, _E32), np.float32(1.0)), n)


@exactly
def _exp_nonpositive64(x):
    r, n = _reduced64(_LEAST64 if x < _LEAST64 else x)
    return _scaled_down64(1.0 + _expm1_reduced64(r), n)


@exactly
def _exp32(x):
    r, n = _reduced32(maximum(minimum(x, _MOST32), _LEAST32))
    return _scaled32(fma(r, polynomial(r, _E32), np.float32(1.0)), n)


@exactly
def _exp64(x):
    x = _LEAST64 if x < _LEAST64 else x
    r, n = _reduced64(_MOST64 if x > _MOST64 else x)
    return _scaled64(1.0 + _expm1_reduced64(r), n)


# ---------------------------------------------------------------------------------------------------------------
# exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1), at half its size, so that 2^n is in range up to the overflow.

_EXPM1_LEAST32 = np.float32(-26.0)  # it is -1 to the last bit below
_EXPM1_LEAST64 = np.float64(-54.0)


@exactly
def _expm1_32(x):
    r, n = _reduced32(maximum(minimum(x, _MOST32), _EXPM1_LEAST32))
    half = _power_of_two32(np.int32(n - 1))
    result = np.float32(2.0) * fma(half, _expm1_reduced32(r), half - np.float32(0.5))
    return x if absolute(x) < np.float32(2.0**-25) else result  # -0 and subnormal numbers too


@exactly
def _expm1_64(x):
    y = _EXPM1_LEAST64 if x < _EXPM1_LEAST64 else x
    r, n = _reduced64(_MOST64 if y > _MOST64 else y)
    half = _power_of_two64(n - 1)
    result = 2.0 * fma(half, _expm1_reduced64(r), half - 0.5)
    return x if absolute(x) < 2.0**-54 else result


# ---------------------------------------------------------------------------------------------------------------
# log(x) = n ln 2 + log(1 + f) with x = 2^n (1 + f) and sqrt(1/2) <= 1 + f < sqrt(2). In float32
# log(1 + f) = f + f^2 (-1/2 + f L(f)). In float64 such a polynomial would take longer than a division: there, with
# s = f / (2 + f), log(1 + f) = 2 artanh(s) = f - (f^2 / 2 - s (f^2 / 2 + R)), R = s^2 (2/3 + 2/5 s^2 + ...): the first
# term is exact, and what is subtracted is small (the form of FreeBSD's msun library, with polynomials of our own).
#
# Counted from that of sqrt(1/2), the bits of x hold n where the exponent stands. It is not moved down, but taken 2^23
# times too large. log1p knows its f better than 1 + x does: it is x / 2^n + (1 / 2^n - 1).

_L32 = _singles(
    -0.5,
    0.3333390951156616,
    -0.2500133812427521,
    0.19963105022907257,
    -0.16577570140361786,
    0.14914365112781525,
    -0.14267483353614807,
    0.0870150700211525,
)
_SQRT_HALF_BITS32 = np.int32(0x3F3504F3)
_ONE_BITS32 = np.int32(0x3F800000)
_EXPONENT32 = np.int32(-0x00800000)
_MOST_EXPONENT32 = np.int32(64 << 23)
_EXPONENT_LN2_32 = np.float32(0.6931471805599453 * 2.0**-23)
_TINY32 = np.float32(2.0**-126)
_SUBNORMAL_SCALE32 = np.float32(2.0**23)
_SUBNORMAL_EXPONENT32 = np.float32(23 * 2.0**23)
_INF32 = np.float32(np.inf)

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
_ONE_BITS64 = np.int64(0x3FF0000000000000)
_EXPONENT64 = np.int64(-0x0010000000000000)
_TO_WHOLE64 = np.int64(0x3FF0000000000000)
_TINY64 = 2.0**-1022
_SUBNORMAL_SCALE64 = 2.0**52
_LN2_HIGH64 = np.float64(0.6931471803691238)
_LN2_LOW64 = np.float64(1.9082149293851713e-10)


@exactly
def _log_of_parts32(exponent, f):
    """n ln 2 + log(1 + f) for the exponent 2^23 n."""
    return fma(exponent, _EXPONENT_LN2_32, fma(f * f, polynomial(f, _L32), f))


@exactly
def _log_of_parts64(n, f):
    s = f / (2.0 + f)
    z = s * s
    half_square = 0.5 * f * f
    small = fma(s, fma(z, polynomial(z, _L64), half_square), n * _LN2_LOW64)
    return fma(n, _LN2_HIGH64, f - (half_square - small))


@exactly
def _whole64(exponent):
    """The int64 2^52 n as the float64 n, by instructions that every processor has for vectors."""
    biased = ((exponent + _TO_WHOLE64) >> 52) & 0xFFF
    return float64(biased | 0x4330000000000000) - (2.0**52 + 1023.0)


@exactly
def _log32(x):
    subnormal = x < _TINY32
    bits = bits32(x * _SUBNORMAL_SCALE32 if subnormal else x)
    exponent = np.int32(np.int32(bits - _SQRT_HALF_BITS32) & _EXPONENT32)
    f = float32(np.int32(bits - exponent)) - np.float32(1.0)
    scaled_n = np.float32(exponent) - (_SUBNORMAL_EXPONENT32 if subnormal else np.float32(0.0))
    return _log_or_special32(x, _log_of_parts32(scaled_n, f))


@exactly
def _log64(x):
    subnormal = x < _TINY64
    bits = bits64(x * _SUBNORMAL_SCALE64 if subnormal else x)
    exponent = (bits - _SQRT_HALF_BITS64) & _EXPONENT64
    f = float64(bits - exponent) - 1.0
    n = _whole64(exponent) - (52.0 if subnormal else 0.0)
    return _log_or_special64(x, _log_of_parts64(n, f))


@exactly
def _log_or_special32(x, result):
    """The logarithm of x, which is ``result`` for finite positive numbers."""
    result = result if x < _INF32 else x  # inf and NaN are their own logarithms
    result = result if x >= np.float32(0.0) else np.float32(np.nan)
    return -_INF32 if x == np.float32(0.0) else result


@exactly
def _log_or_special64(x, result):
    result = result if x < np.inf else x
    result = result if x >= 0.0 else np.nan
    return -np.inf if x == 0.0 else result


@exactly
def _log1p32(x):
    y = np.float32(1.0) + x
    exponent = np.int32(np.int32(bits32(y) - _SQRT_HALF_BITS32) & _EXPONENT32)
    inverse = float32(np.int32(_ONE_BITS32 - min(exponent, _MOST_EXPONENT32)))  # beyond, it adds nothing
    f = float32(np.int32(bits32(x) - exponent)) + (inverse - np.float32(1.0))
    result = copysign(_log_of_parts32(np.float32(exponent), f), x)  # for -0
    return _log_or_special32(y, result)


@exactly
def _log1p64(x):
    y = 1.0 + x
    exponent = (bits64(y) - _SQRT_HALF_BITS64) & _EXPONENT64
    n = _whole64(exponent)
    inverse = float64(_ONE_BITS64 - min(exponent, np.int64(512 << 52)))
    f = float64(bits64(x) - exponent) + (inverse - 1.0)
    result = copysign(_log_of_parts64(n, f), x)
    return _log_or_special64(y, result)


# ---------------------------------------------------------------------------------------------------------------
# tanh(x) = (1 - z) / (1 + z) with z = exp(-2|x|) = 2^n (1 + p): nothing overflows, and for small |x| nothing cancels.

_TANH_LEAST32 = np.float32(-40.0)  # z adds nothing to 1 below
_TANH_LEAST64 = np.float64(-80.0)


@exactly
def _tanh32(x):
    y = maximum(np.float32(-2.0) * absolute(x), _TANH_LEAST32)
    shifted = fma(y, _LOG2E32, _ROUND32)
    r = fma(shifted - _ROUND32, _MINUS_LN2_32, y)  # n is small: the last bits of ln 2 do not count
    scale, p = _power_of_two32(np.int32(bits32(shifted) - _ROUND32_BITS)), _expm1_reduced32(r)
    return copysign(fma(scale, p, scale - np.float32(1.0)) / fma(scale, p, scale + np.float32(1.0)), x)


@exactly
def _tanh64(x):
    y = -2.0 * absolute(x)
    r, n = _reduced64(_TANH_LEAST64 if y < _TANH_LEAST64 else y)
    scale, p = _power_of_two64(n), _expm1_reduced64(r)
    return copysign(fma(scale, p, scale - 1.0) / fma(scale, p, scale + 1.0), x)


# ---------------------------------------------------------------------------------------------------------------
# sigmoid(x) = 1 / (1 + z) for x >= 0 and z / (1 + z) = z - z (z / (1 + z)) for x < 0, with z = exp(-|x|), which never
# overflows; the difference is exact to more digits than the quotient.
# log(1 + exp(x)) = max(x, 0) + log(1 + z), where 1 + z needs at most one halving.


@exactly
def _sigmoid32(x):
    z = _exp_nonpositive32(-absolute(x))
    negative = x < np.float32(0.0)
    quotient = (z if negative else np.float32(1.0)) / (np.float32(1.0) + z)
    return fma(-z, quotient, z) if negative else quotient


@exactly
def _sigmoid64(x):
    z = _exp_nonpositive64(-absolute(x))
    negative = x < 0.0
    quotient = (z if negative else 1.0) / (1.0 + z)
    return fma(-z, quotient, z) if negative else quotient


@exactly
def _log1pexp32(x):
    z = _exp_nonpositive32(-absolute(x))
    halved = z > np.float32(0.41421356)
    f = fma(z, np.float32(0.5), np.float32(-0.5)) if halved else z
    logarithm = _log_of_parts32(np.float32(2.0**23) if halved else np.float32(0.0), f)
    return logarithm + (x if x > np.float32(0.0) else np.float32(0.0))


@exactly
def _log1pexp64(x):
    z = _exp_nonpositive64(-absolute(x))
    halved = z > 0.41421356237309503
    f = fma(z, 0.5, -0.5) if halved else z
    return _log_of_parts64(1.0 if halved else 0.0, f) + (x if x > 0.0 else 0.0)


# ---------------------------------------------------------------------------------------------------------------
# erf(x) = x + x P(x^2) for |x| < 1, and 1 - erfc(|x|) with the sign of x beyond, with log(erfc(x)) as a polynomial:
# exact enough for erf, though in the tail not for erfc itself.

_P32 = _singles(
    0.12837916612625122,
    -0.3761262595653534,
    0.11283578723669052,
    -0.026853347197175026,
    0.005187162198126316,
    -0.0007997853099368513,
    7.806903158780187e-05,
)
_C32 = _singles(
    -0.0003415602841414511,
    -1.127089023590088,
    -0.6381451487541199,
    -0.10310643166303635,
    0.021837878972291946,
    -0.002947602653875947,
    0.00018637237371876836,
)
_ERF_IS_ONE32 = np.float32(3.95)

_P64 = (
    0.12837916709551256,
    -0.37612638903183343,
    0.1128379167093695,
    -0.026866170641959168,
    0.005223977596736448,
    -0.0008548325485043306,
    0.00012055280498389239,
    -1.4924465681925325e-05,
    1.6444151141739578e-06,
    -1.618399554279208e-07,
    1.3616716167831812e-08,
    -7.607836011931919e-10,
)
_C64 = (
    -1.0634242523250897e-06,
    -1.128368713695836,
    -0.6366675726233829,
    -0.10263766524789442,
    0.018865410578933046,
    0.0005840327893205515,
    -0.0020987492728486577,
    0.0009199292457624637,
    -0.00023064380556841617,
    2.7998136393903996e-05,
    3.6103858847790626e-06,
    -2.6727531799699096e-06,
    6.876973947132157e-07,
    -1.082123757671987e-07,
    1.0902457375289226e-08,
    -6.517593778566843e-10,
    1.7702653627355788e-11,
)
_ERF_IS_ONE64 = 5.95
_SQRT_HALF64 = 0.7071067811865476


@exactly
def _erf32(x):
    size = absolute(x)
    near = fma(x, polynomial(x * x, _P32), x)
    size = _ERF_IS_ONE32 if size > _ERF_IS_ONE32 else size
    far = np.float32(1.0) - _exp_nonpositive32(polynomial(size, _C32))
    return near if size < np.float32(1.0) else copysign(far, x)


@exactly
def _erf64(x):
    size = absolute(x)
    near = fma(x, polynomial(x * x, _P64), x)
    size = _ERF_IS_ONE64 if size > _ERF_IS_ONE64 else size
    far = 1.0 - _exp_nonpositive64(polynomial(size, _C64))
    return near if size < 1.0 else copysign(far, x)


# ---------------------------------------------------------------------------------------------------------------
# What gelu, silu, softplus and cross-entropy are made of, which needs a small absolute error only. In float32 that
# allows for 2^v with v = x log2(e) as it rounds, and for polynomials that hold where the rest is too small to count.
# With t = |x|, the probability that a standard normal number is above t is 2^T(t), and, beside its density,
# exp(-t^2 / 2) M(t). In float64 the functions above do. tools/minimax.py finds these coefficients, and those of log.

_POWER32 = _singles(
    1.0,
    0.6931470036506653,
    0.24022246897220612,
    0.0555071085691452,
    0.009671294130384922,
    0.0013269569026306272,
)
_TAIL32 = _singles(
    -1.0,
    -1.151106357574463,
    -0.4591960310935974,
    -0.05253833532333374,
    0.007130583748221397,
    -0.00019242700363975018,
    -0.00016173801850527525,
    3.3960615837713704e-05,
    -2.3623742890777066e-06,
)
_MILLS32 = _singles(
    0.5,
    -0.39893436431884766,
    0.24988040328025818,
    -0.13234062492847443,
    0.06077016890048981,
    -0.02384365350008011,
    0.00759989395737648,
    -0.0018267364939674735,
    0.0003016873961314559,
    -2.99025541607989e-05,
    1.3236950735517894e-06,
)
_LOG1P32 = _singles(
    1.0,
    -0.4999888241291046,
    0.3330703675746918,
    -0.24757304787635803,
    0.1880311369895935,
    -0.1307145208120346,
    0.07172461599111557,
    -0.025742026045918465,
    0.0043394858948886395,
)
_LEAST_POWER32 = np.float32(-151.0)  # 2^v is 0 from here on
_MOST_POWER32 = np.float32(128.0)  # and inf
_HALF_LOG2E32 = np.float32(0.7213475204444817)
_MILLS_END32 = np.float32(5.6)  # the density is next to nothing beyond
_DENSITY_AT_0_32 = np.float32(0.3989422804014327)
_DENSITY_AT_0_64 = 0.3989422804014327


@exactly
def _power32(v):
    """2^v for v <= 128, with a relative error of 1.6e-7."""
    v = maximum(v, _LEAST_POWER32)
    shifted = v + _ROUND32
    r = v - (shifted - _ROUND32)
    return _scaled32(polynomial(r, _POWER32), np.int32(bits32(shifted) - _ROUND32_BITS))


@exactly
def _exp_nearly32(x):
    return _power32(x * _LOG2E32)


@exactly
def _normal_cdf32(x):
    tail = _power32(polynomial(absolute(x), _TAIL32))
    return tail if x < np.float32(0.0) else np.float32(1.0) - tail


@exactly
def _normal_cdf64(x):
    z = x * _SQRT_HALF64
    size = absolute(z)
    near = fma(0.5, fma(z, polynomial(z * z, _P64), z), 0.5)
    inner = _ERF_IS_ONE64 if size > _ERF_IS_ONE64 else size
    beyond = (inner - size) * (inner + size)
    tail = 0.5 * _exp_nonpositive64(polynomial(inner, _C64) + beyond)
    far = tail if x < 0.0 else 1.0 - tail
    return near if size < 1.0 else far


@exactly
def _normal_cdf_and_density32(x):
    bell = _power32(-_HALF_LOG2E32 * x * x)
    tail = bell * polynomial(minimum(absolute(x), _MILLS_END32), _MILLS32)
    return tail if x < np.float32(0.0) else np.float32(1.0) - tail, _DENSITY_AT_0_32 * bell


@exactly
def _normal_cdf_and_density64(x):
    return _normal_cdf64(x), _DENSITY_AT_0_64 * _exp_nonpositive64(-0.5 * x * x)


@exactly
def _sigmoid_nearly32(x):
    return np.float32(1.0) / (np.float32(1.0) + _power32(minimum(x * -_LOG2E32, _MOST_POWER32)))


@exactly
def _log1pexp_nearly32(x):
    z = _power32(absolute(x) * -_LOG2E32)
    return fma(z, polynomial(z, _LOG1P32), x if x > np.float32(0.0) else np.float32(0.0))


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


def exp_nearly(x):
    """The same with a relative error of 1.6e-7 + 8.4e-8 |x|: for sums and probabilities, faster still."""
    return _exp_nearly32(x) if _is_single(x) else _exp_nonpositive64(x)


def expm1(x):
    """exp(x) - 1 for one float, with a small relative error also where it is nearly 0."""
    return _expm1_32(x) if _is_single(x) else _expm1_64(x)


def log(x):
    """The natural logarithm of one float: -inf at 0, NaN below."""
    return _log32(x) if _is_single(x) else _log64(x)


def log1p(x):
    """log(1 + x) for one float, with a small relative error also where it is nearly 0."""
    return _log1p32(x) if _is_single(x) else _log1p64(x)


def tanh(x):
    """The hyperbolic tangent of one float, also exact to the last bits for tiny x."""
    return _tanh32(x) if _is_single(x) else _tanh64(x)


def sigmoid(x):
    """1 / (1 + exp(-x)) for one float, with a small relative error also where it is nearly 0."""
    return _sigmoid32(x) if _is_single(x) else _sigmoid64(x)


def log1pexp(x):
    """log(1 + exp(x)) for one float, which never overflows."""
    return _log1pexp32(x) if _is_single(x) else _log1pexp64(x)


def erf(x):
    """The error function of one float, also exact to the last bits for tiny x."""
    return _erf32(x) if _is_single(x) else _erf64(x)


def normal_cdf(x):
    """The probability that a standard normal number is below one float; near 0 only its absolute error is small."""
    return _normal_cdf32(x) if _is_single(x) else _normal_cdf64(x)


def normal_cdf_and_density(x):
    """The same probability, and its derivative: faster than one after the other."""
    return _normal_cdf_and_density32(x) if _is_single(x) else _normal_cdf_and_density64(x)


def sigmoid_nearly(x):
    """1 / (1 + exp(-x)) for one float; near 0 only its absolute error is small."""
    return _sigmoid_nearly32(x) if _is_single(x) else _sigmoid64(x)


def log1pexp_nearly(x):
    """log(1 + exp(x)) for one float; near 0 only its absolute error is small."""
    return _log1pexp_nearly32(x) if _is_single(x) else _log1pexp64(x)


def _overload(function, single, double):
    """Make ``function`` usable in compiled code: ``single`` for a float32, ``double`` for a float64."""

    @overload(function, jit_options={"fastmath": False, "nogil": True, "error_model": "numpy"}, strict=False)
    def choose(x):
        if x == types.float32:
            return lambda x: single(x)
        if x == types.float64:
            return lambda x: double(x)
        return None


_overload(exp, _exp32, _exp64)
_overload(exp_nonpositive, _exp_nonpositive32, _exp_nonpositive64)
_overload(exp_nearly, _exp_nearly32, _exp_nonpositive64)
_overload(expm1, _expm1_32, _expm1_64)
_overload(log, _log32, _log64)
_overload(log1p, _log1p32, _log1p64)
_overload(tanh, _tanh32, _tanh64)
_overload(sigmoid, _sigmoid32, _sigmoid64)
_overload(log1pexp, _log1pexp32, _log1pexp64)
_overload(erf, _erf32, _erf64)
_overload(normal_cdf, _normal_cdf32, _normal_cdf64)
_overload(normal_cdf_and_density, _normal_cdf_and_density32, _normal_cdf_and_density64)
_overload(sigmoid_nearly, _sigmoid_nearly32, _sigmoid64)
_overload(log1pexp_nearly, _log1pexp_nearly32, _log1pexp64)
