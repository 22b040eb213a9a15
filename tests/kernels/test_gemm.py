"""The matrix product against NumPy's in float64: shapes, layouts, batches, NaN, threads, outputs, errors."""

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tinygrad_fr.kernels import _jit, _threads, activation, gemm, reduce, reference
from tinygrad_fr.kernels.gemm import plan
from tinygrad_fr.kernels.gemm.blocking import KC, MR, PARALLEL

DTYPES = (np.float32, np.float64)
LAYOUTS = ("C", "F", "stepped", "reversed", "read-only", "repeated", "unaligned")

# Sides on both sides of every edge: vectors, tiles, blocks.
sides = st.integers(0, 9) | st.integers(10, 70) | st.sampled_from((127, 128, 129))
dtypes = st.sampled_from(DTYPES)
layouts = st.sampled_from(LAYOUTS)
seeds = st.integers(0, 2**32 - 1)


def draw(rng, shape, dtype, layout="C"):
    """Random numbers of this shape in memory of this layout."""
    x = rng.standard_normal(shape).astype(dtype)
    if layout == "F":
        return np.asfortranarray(x)
    if layout == "stepped":
        wide = np.zeros((*shape[:-2], 2 * shape[-2], 3 * shape[-1]), dtype)[..., ::2, ::3]
        wide[...] = x
        return wide
    if layout == "reversed":
        return x[..., ::-1, ::-1]
    if layout == "read-only":
        x.flags.writeable = False
    if layout == "repeated":
        return np.broadcast_to(x[..., :1, :], shape)
    if layout == "unaligned":
        memory = np.zeros(x.nbytes + 1, np.uint8)[1:].view(dtype).reshape(shape)
        memory[...] = x
        return memory
    return x


def check(result, x, y, b=None):
    """Compare with the product in float64, within the error bound of a sum of k products."""
    expected = np.matmul(x.astype(np.float64), y.astype(np.float64))
    scale = np.matmul(np.abs(x).astype(np.float64), np.abs(y).astype(np.float64))
    if b is not None:
        expected, scale = expected + b, scale + np.abs(b)
    assert result.shape == expected.shape
    assert result.dtype == x.dtype
    bound = (x.shape[-1] + 2) * np.finfo(x.dtype).eps * scale
    assert np.all(np.abs(result - expected) <= bound)


@given(sides, sides, sides, dtypes, layouts, layouts, seeds)
def test_matmul_any_layout(m, k, n, dtype, x_layout, y_layout, seed):
    rng = np.random.default_rng(seed)
    x, y = draw(rng, (m, k), dtype, x_layout), draw(rng, (k, n), dtype, y_layout)
    before = x.copy(), y.copy()
    check(gemm.matmul(x, y), x, y)
    assert np.array_equal(x, before[0])
    assert np.array_equal(y, before[1])


@given(sides, sides, sides, dtypes, layouts, layouts, st.sampled_from(("none", "plain", "stepped")), seeds)
def test_linear(m, k, n, dtype, x_layout, w_layout, bias, seed):
    rng = np.random.default_rng(seed)
    x, w = draw(rng, (m, k), dtype, x_layout), draw(rng, (n, k), dtype, w_layout)
    b = {"none": None, "plain": draw(rng, (1, n), dtype)[0], "stepped": draw(rng, (1, n), dtype, "stepped")[0]}[bias]
    result = gemm.linear(x, w, b)
    check(result, x, w.T, b)
    assert np.allclose(result, reference.linear(x, w, b), rtol=1e-3, atol=1e-3)


# ---------------------------------------------------------------------------------------------------------------
# What is fused with the product: the same bits as one after the other


def with_specials(rng, x):
    """x with a few zeros of both signs, NaN and infinities."""
    special = rng.choice(np.array([0.0, -0.0, np.nan, np.inf, -np.inf], x.dtype), 4)
    if x.size:
        x.reshape(-1)[rng.integers(x.size, size=4)] = special
    return x


def same_bits(x, y):
    assert x.shape == y.shape
    assert x.dtype == y.dtype
    assert np.array_equal(x.view(np.uint8), y.view(np.uint8)), (x, y)


@given(sides, sides, sides, dtypes, layouts, layouts, st.booleans(), seeds)
def test_linear_with_relu(m, k, n, dtype, x_layout, w_layout, has_bias, seed):
    rng = np.random.default_rng(seed)
    x, w = draw(rng, (m, k), dtype, x_layout), draw(rng, (n, k), dtype, w_layout)
    b = with_specials(rng, rng.standard_normal(n).astype(dtype)) if has_bias else None
    result = gemm.linear(x, w, b, activation="relu")
    same_bits(result, activation.relu(gemm.linear(x, w, b)))
    twin = reference.linear(x, w, b, activation="relu")
    assert np.allclose(result, twin, rtol=1e-3, atol=1e-3, equal_nan=True)


@given(sides, sides, sides, dtypes, layouts, layouts, layouts, seeds)
def test_product_with_mask(m, k, n, dtype, x_layout, y_layout, mask_layout, seed):
    rng = np.random.default_rng(seed)
    x, y = draw(rng, (m, k), dtype, x_layout), draw(rng, (k, n), dtype, y_layout)
    mask = draw(rng, (m, n), dtype, mask_layout)
    if mask_layout in ("C", "F", "stepped", "unaligned"):
        mask[...] = with_specials(rng, mask.copy())
    result = gemm.matmul(x, y, mask=mask)
    same_bits(result, activation.relu_backward(gemm.matmul(x, y), mask))
    assert np.allclose(result, reference.matmul(x, y, mask=mask), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("m", "k", "n"), [(40, 2 * KC + 3, 70), (300, 1500, 260), (1, 1500, 70), (300, 1500, 1)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_fused_after_the_last_of_several_blocks_of_k(m, k, n, order):
    rng = np.random.default_rng(0)
    x, w, mask = draw(rng, (m, k), np.float32), draw(rng, (n, k), np.float32, order), draw(rng, (m, n), np.float32)
    same_bits(gemm.linear(x, w, activation="relu"), activation.relu(gemm.linear(x, w)))
    same_bits(gemm.matmul(x, w.T, mask=mask), activation.relu_backward(gemm.matmul(x, w.T), mask))


def test_relu_of_nan_is_nan():
    x = np.array([[np.nan], [1], [-1], [0]], np.float32)
    result = gemm.linear(x, np.ones((1, 1), np.float32), np.array([-0.0], np.float32), activation="relu")
    assert np.array_equal(result, [[np.nan], [1], [0], [0]], equal_nan=True)
    assert not np.signbit(result[2:]).any()


def test_mask_may_be_the_output():
    rng = np.random.default_rng(0)
    x, y, mask = (draw(rng, shape, np.float32) for shape in ((70, 30), (30, 50), (70, 50)))
    expected = gemm.matmul(x, y, mask=mask)
    assert gemm.matmul(x, y, mask=mask, out=mask) is mask
    same_bits(mask, expected)


@given(sides, sides, sides, dtypes, layouts, layouts, seeds)
def test_weight_gradient(rows, m, n, dtype, g_layout, x_layout, seed):
    rng = np.random.default_rng(seed)
    g, x = draw(rng, (rows, m), dtype, g_layout), draw(rng, (rows, n), dtype, x_layout)
    weight, bias = gemm.weight_gradient(g, x, bias=True)
    same_bits(weight, gemm.matmul(g.T, x))
    same_bits(gemm.weight_gradient(g, x), weight)
    twins = reference.weight_gradient(g, x, bias=True)
    assert np.allclose(weight, twins[0], rtol=1e-3, atol=1e-3)
    assert np.allclose(bias, twins[1], rtol=1e-5, atol=1e-5)
    if m > 1:  # where one column is left, `sum` adds up a row
        same_bits(bias, reduce.sum(g, 0))


@given(sides, sides, sides, st.sampled_from(("C", "F", "stepped")), seeds)
def test_outputs_of_weight_gradient(rows, m, n, layout, seed):
    rng = np.random.default_rng(seed)
    g, x = draw(rng, (rows, m), np.float32), draw(rng, (rows, n), np.float32)
    expected = gemm.weight_gradient(g, x, bias=True)
    out, bias_out = draw(rng, (m, n), np.float32, layout), draw(rng, (1, m), np.float32, layout)[0]
    weight, bias = gemm.weight_gradient(g, x, out=out, bias_out=bias_out)
    assert weight is out
    assert bias is bias_out
    same_bits(np.array(out, order="C"), expected[0])
    same_bits(bias.copy(), expected[1])


def test_outputs_of_weight_gradient_may_overlap_the_operands():
    rng = np.random.default_rng(0)
    g, x = draw(rng, (40, 40), np.float32), draw(rng, (40, 40), np.float32)
    expected = gemm.weight_gradient(g, x, bias=True)
    kept = g.copy(), x.copy()
    gemm.weight_gradient(g, x, out=x, bias_out=g[3])
    same_bits(x, expected[0])
    same_bits(g[3], expected[1])
    g[...], x[...] = kept
    gemm.weight_gradient(g, x, out=g, bias_out=x[0])
    same_bits(g, expected[0])
    same_bits(x[0], expected[1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transposed", ["NN", "NT", "TN", "TT"])
@pytest.mark.parametrize(
    ("m", "k", "n"),
    [
        (MR + 1, 2 * KC + 3, 7),  # several blocks of k
        (600, 700, 600),  # long rows: both operands are packed in some transposes
        (260, 130, 1100),
        (1, 1500, 300),  # skinny
        (300, 1500, 1),
        (2, 700, 333),
        (3, 1, 333),
        (600, 40, 5),
    ],
)
def test_large_products(m, k, n, transposed, dtype):
    rng = np.random.default_rng(m)
    x = draw(rng, (m, k), dtype, "F" if transposed[0] == "T" else "C")
    y = draw(rng, (k, n), dtype, "F" if transposed[1] == "T" else "C")
    check(gemm.matmul(x, y), x, y)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("order", "CF")
def test_large_products_of_every_other_row(order, dtype):
    rng = np.random.default_rng(0)
    x, y = draw(rng, (1200, 700), dtype, "F")[::2], draw(rng, (700, 600), dtype, order)
    check(gemm.matmul(x, y), x, y)


def test_the_large_products_reach_both_kinds_of_packing():
    apart = np.empty((700, 1200)).T[::2]
    for x, y in ((apart, np.empty((700, 600))), (apart, np.empty((600, 700)).T)):
        shape = {"m": 600, "k": 700, "n": 600, "size": 8, "gate": 0, "batch": 1}
        strides = dict(zip(("x_row", "x_column", "y_row", "y_column"), (*x.strides, *y.strides), strict=True))
        p = plan.Product(**dict.fromkeys(plan.Product._fields, 0) | shape | strides)
        made = plan.plan_of.py_func(p, 1)
        assert made.pack_x
        assert made.pack_y


batches = st.sampled_from(
    [
        ((), (3,)),
        ((2,), ()),
        ((4, 1), (3,)),
        ((2, 3), (2, 3)),
        ((1,), (5,)),
        ((0,), (1,)),
        ((2, 1, 2), (3, 1)),
        ((), ()),
    ]
)


@given(batches, st.integers(0, 20), st.integers(0, 20), st.integers(0, 40), dtypes, layouts, layouts, seeds)
def test_batches_broadcast(batch, m, k, n, dtype, x_layout, y_layout, seed):
    rng = np.random.default_rng(seed)
    x, y = draw(rng, (*batch[0], m, k), dtype, x_layout), draw(rng, (*batch[1], k, n), dtype, y_layout)
    check(gemm.matmul(x, y), x, y)


def test_batch_of_views_with_uneven_steps():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 6, 5, 7))[::2, ::3].transpose(1, 0, 2, 3)
    y = rng.standard_normal((2, 7, 9))[::-1]
    check(gemm.matmul(x, y), x, y)


@given(st.integers(1, 40), st.integers(1, 70), st.integers(1, 40), layouts, seeds)
def test_nan_and_infinity_reach_what_numpy_says(m, k, n, layout, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((m, k)).astype(np.float32), draw(rng, (k, n), np.float32, layout).copy(order="K")
    for array in (x, y):
        special = rng.choice([np.nan, np.inf, -np.inf], 2)
        array[rng.integers(array.shape[0], size=2), rng.integers(array.shape[1], size=2)] = special
    with np.errstate(invalid="ignore"):
        expected = x.astype(np.float64) @ y.astype(np.float64)
    result = gemm.matmul(x, y)
    finite = np.isfinite(expected)
    assert np.array_equal(result[~finite], expected[~finite].astype(np.float32), equal_nan=True)
    assert np.allclose(result[finite], expected[finite], atol=1e-3)


@pytest.mark.parametrize("k", [0, 3])
def test_zero_times_infinity_of_another_column_does_not_leak(k):
    x = np.zeros((3, k), np.float32)
    y = np.full((k, 5), np.inf, np.float32)[:, :2]
    with np.errstate(invalid="ignore"):
        assert np.array_equal(gemm.matmul(x, y), np.zeros((3, k)) @ y, equal_nan=True)


# ---------------------------------------------------------------------------------------------------------------
# Threads, compilation, vectors


@pytest.fixture
def two_threads():
    if _threads.MOST_THREADS == 1:
        pytest.skip("there is one thread only")
    before = _threads.get_num_threads()
    yield
    _threads.set_num_threads(before)


@pytest.mark.parametrize(
    ("m", "k", "n"), [(64, 784, 128), (128, 64, 784), (333, 300, 70), (1, 4000, 900), (700, 900, 1)]
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_threads_never_change_a_bit(m, k, n, order, two_threads):
    assert m * k * n >= PARALLEL
    rng = np.random.default_rng(0)
    x, y = draw(rng, (m, k), np.float32), draw(rng, (k, n), np.float32, order)
    results = []
    mask = draw(rng, (m, n), np.float32)
    for threads in (1, 2):
        _threads.set_num_threads(threads)
        products = gemm.matmul(x, y), gemm.linear(x, y.T, activation="relu"), gemm.matmul(x, y, mask=mask)
        results.append((*products, *gemm.weight_gradient(x.T, y, bias=True)))
    for one, two in zip(*results, strict=True):
        same_bits(one, two)


def test_one_compiled_version_serves_every_layout():
    rng = np.random.default_rng(0)
    gemm.matmul(np.ones((2, 2), np.float32), np.ones((2, 2), np.float32))
    count = _jit.compilation.count
    for layout in LAYOUTS:
        gemm.matmul(draw(rng, (4, 5), np.float32, layout), draw(rng, (5, 6), np.float32, layout))
        gemm.linear(draw(rng, (4, 5), np.float32, layout), draw(rng, (6, 5), np.float32, layout))
    assert _jit.compilation.count == count


ON_OTHER_VECTORS = """
import numpy as np
from tinygrad_fr.kernels import gemm, simd
assert simd.VECTOR_BITS == {bits}
rng = np.random.default_rng(0)
for m, k, n in ((1, 1, 1), (5, 3, 2), (13, 40, 37), (64, 300, 50), (3, 100, 70), (40, 90, 1)):
    x, y, b = rng.standard_normal((m, k)), rng.standard_normal((k, n)), rng.standard_normal(n)
    for left in (x, np.asfortranarray(x), x[::-1].copy()[::-1]):
        for right in (y, np.asfortranarray(y), np.repeat(y, 2, axis=1)[:, ::2]):
            assert np.allclose(gemm.matmul(left, right), x @ y)
            assert np.allclose(gemm.linear(left, right.T, b), x @ y + b)
"""


ONE_DTYPE_AFTER_THE_OTHER = """
import numpy as np
from tinygrad_fr.kernels import gemm
assert gemm.matmul(np.ones((2, 3), np.float32), np.ones((3, 2), np.float32))[0, 0] == 3
assert gemm.matmul(np.ones((200, 300)), np.ones((300, 200)))[0, 0] == 300
"""


def test_the_first_float64_product_may_be_a_threaded_one():
    program = [sys.executable, "-c", ONE_DTYPE_AFTER_THE_OTHER]
    environment = dict(os.environ, TINYGRAD_FR_QUIET="1")
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("bits", [128, 256])
def test_narrower_vectors(bits):
    environment = dict(os.environ, TINYGRAD_FR_VECTOR_BITS=str(bits), TINYGRAD_FR_QUIET="1")
    program = [sys.executable, "-c", ON_OTHER_VECTORS.format(bits=bits)]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------------------------------------------------------
# out=


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.sampled_from(("C", "F", "stepped")), seeds)
def test_out_receives_the_result(m, k, n, layout, seed):
    rng = np.random.default_rng(seed)
    x, y, out = draw(rng, (m, k), np.float32), draw(rng, (k, n), np.float32), draw(rng, (m, n), np.float32, layout)
    assert gemm.matmul(x, y, out=out) is out
    check(out, x, y)
    w = np.ascontiguousarray(y.T)
    assert gemm.linear(x, w, out=out) is out
    check(out, x, y)


@given(st.integers(1, 40), st.integers(0, 3), seeds)
def test_out_may_overlap_the_operands(side, offset, seed):
    rng = np.random.default_rng(seed)
    memory = rng.standard_normal((2 * side + 3) * side).astype(np.float32)
    x = memory[: side * side].reshape(side, side)
    y = rng.standard_normal((side, side)).astype(np.float32)
    out = memory[offset * side : offset * side + side * side].reshape(side, side)
    expected_left, expected_right = gemm.matmul(x, y), gemm.matmul(y, x)
    kept = memory.copy()
    assert np.array_equal(gemm.matmul(x, y, out=out), expected_left)
    memory[...] = kept
    assert np.array_equal(gemm.matmul(y, x, out=out), expected_right)
    memory[...] = kept
    assert np.array_equal(gemm.linear(y, x.T, out=out), expected_right)


def test_out_may_be_the_bias():
    x, w, b = np.ones((1, 3), np.float32), np.ones((4, 3), np.float32), np.arange(4, dtype=np.float32)
    assert np.array_equal(gemm.linear(x, w, b, out=b.reshape(1, 4)), [[3, 4, 5, 6]])


def test_out_of_a_batch():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((3, 4, 5)), rng.standard_normal((5, 6))
    out = np.empty((3, 4, 6))
    assert gemm.matmul(x, y, out=out) is out
    check(out, x, y)


@pytest.mark.parametrize(
    "out",
    [np.empty((2, 3), np.float32), np.empty((2, 4)), np.empty((1, 2, 4), np.float32)],
    ids=["shape", "dtype", "dims"],
)
def test_unfit_out_is_refused(out):
    x, y = np.ones((2, 3), np.float32), np.ones((3, 4), np.float32)
    with pytest.raises(ValueError, match=r"out is expected to have shape \(2, 4\) and dtype float32"):
        gemm.matmul(x, y, out=out)
    with pytest.raises(ValueError, match=r"out is expected to have shape \(2, 4\) and dtype float32"):
        gemm.linear(x, np.ascontiguousarray(y.T), out=out)


def test_read_only_out_is_refused():
    out = np.empty((2, 2), np.float32)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        gemm.matmul(out, out, out=out)


# ---------------------------------------------------------------------------------------------------------------
# Errors


@given(sides, sides, sides, sides)
def test_shapes_that_do_not_match_are_named(m, k, other, n):
    assume(k != other)
    x, y = np.zeros((m, k), np.float32), np.zeros((other, n), np.float32)
    with pytest.raises(ValueError, match=rf"got \({m}, {k}\) and \({other}, {n}\)"):
        gemm.matmul(x, y)
    with pytest.raises(ValueError, match=rf"got \({m}, {k}\) and \({n}, {other}\)"):
        gemm.linear(x, y.T)


@pytest.mark.parametrize(("x", "y"), [((3,), (3, 2)), ((2, 3), (3,)), ((), (1, 1)), ((2, 2, 3), (4, 5))])
def test_vectors_and_mismatched_batches_are_refused(x, y):
    with pytest.raises(ValueError, match="at least 2-D"):
        gemm.matmul(np.zeros(x, np.float32), np.zeros(y, np.float32))


def test_batches_that_do_not_broadcast_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 3, 4\) and \(5, 4, 6\).*do not broadcast"):
        gemm.matmul(np.zeros((2, 3, 4)), np.zeros((5, 4, 6)))


@pytest.mark.parametrize(
    ("x", "y"),
    [("float32", "float64"), ("int64", "int64"), ("float16", "float16"), (">f4", ">f4"), ("complex128", "complex128")],
)
def test_other_dtypes_are_refused(x, y):
    left, right = np.ones((2, 2), x), np.ones((2, 2), y)
    with pytest.raises(TypeError, match=f"got {left.dtype} and {right.dtype}"):
        gemm.matmul(left, right)
    with pytest.raises(TypeError, match=f"got {left.dtype} and {right.dtype}"):
        gemm.linear(left, right)


def test_unfit_masks_and_activations_are_refused():
    x = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"mask is expected to have shape \(2, 2\).*got \(2, 3\)"):
        gemm.matmul(x, x.T, mask=x)
    with pytest.raises(ValueError, match=r"dtype float32.*got \(2, 2\) and float64"):
        gemm.matmul(x, x.T, mask=np.ones((2, 2)))
    with pytest.raises(ValueError, match="two matrices"):
        gemm.matmul(x[None], x.T[None], mask=x)
    with pytest.raises(ValueError, match="None or 'relu', got 'tanh'"):
        gemm.linear(x, x, activation="tanh")


def test_unfit_gradients_and_outputs_are_refused():
    g, x = np.ones((2, 3), np.float32), np.ones((2, 4), np.float32)
    with pytest.raises(ValueError, match=r"g of shape \(N, O\).*got \(3, 2\) and \(2, 4\)"):
        gemm.weight_gradient(g.T, x)
    with pytest.raises(TypeError, match="got float32 and float64"):
        gemm.weight_gradient(g, x.astype(np.float64))
    with pytest.raises(ValueError, match=r"out is expected to have shape \(3, 4\)"):
        gemm.weight_gradient(g, x, out=np.empty((4, 3), np.float32))
    with pytest.raises(ValueError, match=r"bias_out is expected to have shape \(3,\)"):
        gemm.weight_gradient(g, x, bias_out=np.empty(4, np.float32))


def test_unfit_bias_is_refused():
    x = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"b of shape \(2,\).*got \(3,\)"):
        gemm.linear(x, x, np.ones(3, np.float32))
    with pytest.raises(TypeError, match="float64"):
        gemm.linear(x, x, np.ones(2))
