"""The error of the vector functions in units in the last place, over their whole range, and their special values."""

import numpy as np
import pytest

from tinygrad_fr.kernels import vecmath
from tinygrad_fr.kernels._jit import inlined

from .strategies import DTYPES

# What the docstring of vecmath states, in ULP of the correctly rounded result: (float32, float64).
STATED = {
    "exp": (1.1, 1.1),
    "exp_nonpositive": (1.1, 1.1),
    "log": (1.0, 1.0),
    "tanh": (2.5, 2.6),
    "sigmoid": (2.2, 2.2),
}


# Compiled as kernels are, but not kept in their cache, which knows of no change in this file.


@inlined
def _exp(x, out):
    for i in range(x.size):
        out[i] = vecmath.exp(x[i])


@inlined
def _exp_nonpositive(x, out):
    for i in range(x.size):
        out[i] = vecmath.exp_nonpositive(x[i])


@inlined
def _log(x, out):
    for i in range(x.size):
        out[i] = vecmath.log(x[i])


@inlined
def _tanh(x, out):
    for i in range(x.size):
        out[i] = vecmath.tanh(x[i])


@inlined
def _sigmoid(x, out):
    for i in range(x.size):
        out[i] = vecmath.sigmoid(x[i])


def exact_sigmoid(x):
    z = np.exp(-np.abs(x))
    return np.where(x < 0, z, 1) / (1 + z)


KERNELS = {"exp": _exp, "exp_nonpositive": _exp_nonpositive, "log": _log, "tanh": _tanh, "sigmoid": _sigmoid}
EXACT = {"exp": np.exp, "exp_nonpositive": np.exp, "log": np.log, "tanh": np.tanh, "sigmoid": exact_sigmoid}


def samples(dtype):
    """Numbers of every exponent and sign, numbers where the functions bend, and the special ones."""
    random = np.random.default_rng(0)
    info = np.finfo(dtype)
    bits = random.integers(0, 2**info.bits, 200_000, dtype=np.uint64).astype(f"uint{info.bits}").view(dtype)
    bend = random.uniform(-110, 110, 200_000)
    far = random.uniform(-760, 760, 100_000)
    small = np.exp(random.uniform(-40, 3, 100_000)) * random.choice([-1, 1], 100_000)
    near_one = 1 + random.uniform(-0.5, 1, 100_000)
    edges = [0, 1, 88.5, 88.7228, 88.7229, 89, 103.9, 104, 709.78, 709.79, 745, 746, info.tiny, info.smallest_subnormal]
    edges = np.array([*edges, info.max, np.inf])
    special = np.concatenate([edges, -edges, [np.nan]])
    with np.errstate(over="ignore"):
        return np.concatenate([bits, *(part.astype(dtype) for part in (bend, far, small, near_one, special))])


def computed_and_exact(name, dtype):
    x = samples(dtype)
    if name == "exp_nonpositive":
        x = x[~(x > 1)]
    y = np.empty_like(x)
    KERNELS[name](x, y)
    wide = np.float64 if dtype == np.float32 else np.longdouble
    with np.errstate(all="ignore"):
        return x, y, EXACT[name](x.astype(wide))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", KERNELS)
def test_error_is_as_stated(name, dtype):
    if dtype == np.float64 and np.finfo(np.longdouble).nmant <= np.finfo(np.float64).nmant:
        pytest.skip("no type wider than float64 on this platform to compare with")
    x, y, exact = computed_and_exact(name, dtype)
    with np.errstate(all="ignore"):
        rounded = exact.astype(dtype)
        steps = np.abs(y.astype(exact.dtype) - exact) / np.spacing(np.abs(rounded)).astype(exact.dtype)
    finite = np.isfinite(rounded)
    worst = np.argmax(np.where(finite, steps, 0))
    assert steps[worst] <= STATED[name][dtype == np.float64], (
        f"{name}({x[worst]!r}) = {y[worst]!r}, not {exact[worst]!r}"
    )
    np.testing.assert_array_equal(y[~finite], rounded[~finite])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["exp", "exp_nonpositive", "tanh", "sigmoid"])
def test_results_stay_in_range(name, dtype):
    _, y, _ = computed_and_exact(name, dtype)
    low = -1 if name == "tanh" else 0
    high = {"exp": np.inf, "exp_nonpositive": 2.8}.get(name, 1)
    inside = (low <= y) & (y <= high)
    assert (inside | np.isnan(y)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_tanh_of_tiny_numbers_is_the_number_with_its_sign(dtype):
    info = np.finfo(dtype)
    x = np.array([0.0, -0.0, info.smallest_subnormal, -info.tiny, 1e-30], dtype)
    y = np.empty_like(x)
    _tanh(x, y)
    np.testing.assert_array_equal(y, x)
    np.testing.assert_array_equal(np.signbit(y), np.signbit(x))


@pytest.mark.parametrize("name", KERNELS)
def test_a_call_from_python_gives_the_same(name):
    for number in (np.float32(0.7), np.float64(0.7)):
        result = getattr(vecmath, name)(number)
        assert abs(result - EXACT[name](number)) <= 4 * np.spacing(number)


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(("dtype", "vector"), [(np.float32, " x float>"), (np.float64, " x double>")])
def test_loops_become_vector_instructions(name, dtype, vector):
    x = np.ones(100, dtype)
    KERNELS[name](x, np.empty_like(x))
    codes = [code for types, code in KERNELS[name].inspect_llvm().items() if types[0].dtype.name == x.dtype.name]
    assert vector in codes[0]
