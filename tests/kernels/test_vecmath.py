"""The error of the vector functions in units in the last place, over their whole range, and their special values.

float32 is compared with float64 on every 4,099th of all numbers, and on every 61st with ``HYPOTHESIS_PROFILE=long``;
float64 with the wider type of C, where the platform has one.
"""

import math
import os
from typing import Any

import numpy as np
import pytest

from tinygrad_fr.kernels import vecmath
from tinygrad_fr.kernels._jit import FASTMATH, inlined
from tinygrad_fr.kernels._scalar import FUSED

from .strategies import DTYPES

# What the docstring of vecmath states, in ULP of the correctly rounded result: (float32, float64).
STATED = {
    "exp": (1.0, 1.1),
    "exp_nonpositive": (1.0, 1.1),
    "expm1": (1.6, 2.2),
    "log": (1.2, 0.9),
    "log1p": (1.7, 1.4),
    "log1pexp": (2.0, 1.7),
    "tanh": (1.9, 2.2),
    "sigmoid": (1.8, 1.7),
    "erf": (1.1, 1.3),
}

# Of which it states the error relative to the number or to 1, whichever is larger, in float32; in float64 they are the
# functions above, or as exact.
NEARLY = {"exp_nearly": 1.6e-7, "log1pexp_nearly": 1.2e-7, "normal_cdf": 1.2e-7, "sigmoid_nearly": 1.2e-7}
FUNCTIONS = (*STATED, *NEARLY)
IN_RANGE_1 = ("tanh", "sigmoid", "erf", "normal_cdf", "sigmoid_nearly")
UP_TO_0 = ("exp_nonpositive", "exp_nearly")

STRIDE = 61 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 4099
SLICE = 1 << 20  # numbers looked at at a time

_KERNELS = """
def vectors(x, out):
    vecmath.prefer_wide_vectors()
    for i in range(x.size):
        out[i] = vecmath.{name}(x[i])

def narrow(x, out):
    for i in range(x.size):
        out[i] = vecmath.{name}(x[i])

def among_others(x, out, total):
    for i in range(x.size):
        y = vecmath.{name}(x[i])
        total[0] += y * x[i]
        out[i] = y

def one_by_one(x, out):
    for i in range(x.size):
        if x[i] != x.dtype.type(12345.0):
            out[i] = vecmath.{name}(x[i])
            total = out[i]
"""


FORMS = ("vectors", "narrow", "among_others", "one_by_one")


def _forms(name):
    """The function in four kinds of loop, compiled as kernels are, but not kept in their cache."""
    written = {"vecmath": vecmath}
    exec(_KERNELS.format(name=name), written)
    return {form: inlined(written[form], fastmath=FASTMATH) for form in FORMS}


KERNELS = {name: _forms(name) for name in FUNCTIONS}


# ---------------------------------------------------------------------------------------------------------------
# The exact values.


def exact_sigmoid(x):
    z = np.exp(-np.abs(x))
    return np.where(x < 0, z, 1) / (1 + z)


def exact_log1pexp(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def exact_erf(x):
    """The error function, in the type of x: that of C in float64, beyond it by its series of positive terms.

    erf(x) = 2 / sqrt(pi) exp(-x^2) x (1 + 2 x^2 / 3 + (2 x^2)^2 / (3 * 5) + ...).
    """
    if x.dtype == np.float64:
        return np.asarray(np.frompyfunc(math.erf, 1, 1)(x), np.float64)
    size = np.minimum(np.abs(x), 7)
    term = total = size
    for n in range(1, 300):
        term = term * (2 * size * size) / (2 * n + 1)
        total = total + term
    root_of_pi = np.sqrt(x.dtype.type(np.pi) + x.dtype.type(1.2246467991473532e-16))
    return np.copysign(2 / root_of_pi * np.exp(-size * size) * total, x)


def exact_normal_cdf(x):
    return np.array([0.5 * math.erfc(-each / math.sqrt(2)) for each in x])


EXACT: dict[str, Any] = {name: getattr(np, name, None) for name in STATED} | {
    "exp_nonpositive": np.exp,
    "log1pexp": exact_log1pexp,
    "sigmoid": exact_sigmoid,
    "erf": exact_erf,
    "exp_nearly": np.exp,
    "log1pexp_nearly": exact_log1pexp,
    "normal_cdf": exact_normal_cdf,
    "sigmoid_nearly": exact_sigmoid,
}


# ---------------------------------------------------------------------------------------------------------------
# The numbers that are looked at.


def edges(dtype):
    """Numbers where the functions bend, and the special ones."""
    info = np.finfo(dtype)
    found = [0, 0.5, 1, 88.375, 88.5, 88.7228, 88.7229, 89, 103.9, 104, 709.78, 709.79, 745, 746, 1 - info.epsneg]
    found += [info.tiny, info.smallest_subnormal, 1000 * info.smallest_subnormal, info.max, np.inf, 2**24, 2**53]
    found = np.array(found)
    return np.concatenate([found, -found, [np.nan]])


def doubles():
    """float64 numbers of every exponent and sign, and many where the functions bend."""
    random = np.random.default_rng(0)
    yield random.integers(0, 2**64, 50_000, dtype=np.uint64).view(np.float64)
    yield random.uniform(-6, 6, 150_000)
    yield random.uniform(-760, 760, 30_000)
    yield np.exp(random.uniform(-40, 3, 50_000)) * random.choice([-1, 1], 50_000)
    yield 1 + random.uniform(-0.5, 1, 50_000)
    with np.errstate(all="ignore"):
        yield edges(np.float64)


def singles():
    """float32 numbers, evenly among all bit patterns."""
    for start in range(0, 2**32, STRIDE * SLICE):
        stop = min(start + STRIDE * SLICE, 2**32)
        yield np.arange(start, stop, STRIDE, dtype=np.uint64).astype(np.uint32).view(np.float32)
    with np.errstate(all="ignore"):
        yield edges(np.float32).astype(np.float32)


def samples(name, dtype):
    for x in singles() if dtype == np.float32 else doubles():
        chosen = x[~(x > 1)] if name in UP_TO_0 else x
        if chosen.size:
            yield chosen


def computed(name, x, form="vectors"):
    y = np.empty_like(x)
    KERNELS[name][form](x, y, *([np.zeros(1, x.dtype)] if form == "among_others" else []))
    return y


def exact(name, x):
    """The value, in a wider type."""
    with np.errstate(all="ignore"):
        return EXACT[name](x.astype(np.float64 if x.dtype == np.float32 else np.longdouble))


def ulps(y, wide):
    """The error in ULP of the correctly rounded result; 0 where both are infinite of one sign, or NaN."""
    with np.errstate(all="ignore"):
        rounded = wide.astype(y.dtype)
        steps = np.abs(y.astype(wide.dtype) - wide) / np.spacing(np.abs(rounded)).astype(wide.dtype)
    finite = np.isfinite(rounded)
    same = (y == rounded) | (np.isnan(y) & np.isnan(rounded))
    return np.where(finite, np.where(np.isnan(steps), np.inf, steps), np.where(same, 0, np.inf))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", STATED)
def test_error_is_as_stated(name, dtype):
    if dtype == np.float64 and np.finfo(np.longdouble).nmant <= np.finfo(np.float64).nmant:
        pytest.skip("no type wider than float64 on this platform to compare with")
    allowed = STATED[name][dtype == np.float64] + (not FUSED)
    for x in samples(name, dtype):
        y, wide = computed(name, x), exact(name, x)
        errors = ulps(y, wide)
        worst = np.argmax(errors)
        assert errors[worst] <= allowed, f"{name}({x[worst]!r}) = {y[worst]!r}, not {wide[worst]!r}: {errors[worst]}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NEARLY)
def test_what_is_nearly_exact_is_as_near_as_stated(name, dtype):
    x = np.concatenate([np.linspace(-120, 0, 200_001), np.linspace(-6, 0, 200_001)]).astype(dtype)
    x = x if name in UP_TO_0 else np.concatenate([x, -x])
    y, wide = computed(name, x), exact(name, x)
    size = wide if name == "exp_nearly" else np.maximum(1, np.abs(wide))
    allowed = NEARLY[name] if dtype == np.float32 else 4 * np.finfo(np.float64).eps
    if name == "exp_nearly":
        allowed = allowed + np.abs(x) * 0.7 * np.finfo(dtype).eps
    tiny = 2 * float(np.finfo(dtype).smallest_subnormal)
    assert (np.abs(y - wide) <= allowed * (1 if FUSED else 2) * size + tiny).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_nearly_exact_knows_the_ends(dtype):
    x = np.array([np.nan, -np.inf, -1e30, 0], dtype)
    for name, expected in {"exp_nearly": [0, 0, 1], "normal_cdf": [0, 0, 0.5], "sigmoid_nearly": [0, 0, 0.5]}.items():
        np.testing.assert_array_equal(computed(name, x), [np.nan, *expected])
    x = np.array([np.inf, 1e30, 40], dtype)
    for name in ("normal_cdf", "sigmoid_nearly"):
        np.testing.assert_array_equal(computed(name, x), 1)
    np.testing.assert_array_equal(computed("log1pexp_nearly", x), x)


def bits(x):
    return x.view(np.int32 if x.dtype == np.float32 else np.int64)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_same_bits_in_every_loop(name, dtype):
    """Vectors, what is left over, other widths, scalar code, beside other sums that the compiler may reorder."""
    with np.errstate(all="ignore"):
        x = np.concatenate([next(doubles())[:500], np.linspace(-8, 8, 511), edges(dtype)]).astype(dtype)
    x = x[~np.isnan(x) & ~((x > 1) & (name in UP_TO_0))]
    expected = bits(computed(name, x))
    for form in FORMS:
        np.testing.assert_array_equal(bits(computed(name, x, form)), expected)
    for start, stop in [(0, 1), (1, 4), (3, 10), (5, 28), (0, 31), (2, 99), (7, 700)]:
        np.testing.assert_array_equal(bits(computed(name, x[start:stop])), expected[start:stop])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["exp", "exp_nonpositive", "log1pexp", *IN_RANGE_1])
def test_results_stay_in_range(name, dtype):
    x = np.concatenate([np.linspace(-120, 1 if name in UP_TO_0 else 120, 100_001), [-np.inf]]).astype(dtype)
    y = computed(name, x)
    low = -1 if name in ("tanh", "erf") else 0
    high = {"exp": np.inf, "exp_nonpositive": 2.8, "log1pexp": 120}.get(name, 1)
    assert ((low <= y) & (y <= high)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["tanh", "expm1", "log1p"])
def test_of_tiny_numbers_it_is_the_number_with_its_sign(name, dtype):
    info = np.finfo(dtype)
    x = np.array([0.0, -0.0, info.smallest_subnormal, -3 * info.smallest_subnormal, -info.tiny, 1e-30], dtype)
    np.testing.assert_array_equal(bits(computed(name, x)), bits(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_zero_has_its_sign_under_erf(dtype):
    x = np.array([0.0, -0.0], dtype)
    np.testing.assert_array_equal(bits(computed("erf", x)), bits(x))


@pytest.mark.parametrize("name", STATED)
def test_a_call_from_python_gives_the_same(name):
    for number in (np.float32(0.7), np.float64(0.7)):
        result = getattr(vecmath, name)(number)
        expected = exact(name, np.array([number]))[0]
        assert abs(result - expected) <= 4 * np.spacing(number)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize(("dtype", "vector"), [(np.float32, " x float>"), (np.float64, " x double>")])
def test_loops_become_vector_instructions(name, dtype, vector):
    x = np.ones(100, dtype)
    computed(name, x)
    compiled = KERNELS[name]["vectors"].inspect_llvm()
    codes = [code for types, code in compiled.items() if types[0].dtype.name == x.dtype.name]
    assert vector in codes[0]
