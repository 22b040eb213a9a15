"""Copies of arrays of any layout."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import as_strided

from tinygrad_fr.kernels import copying, reference
from tinygrad_fr.kernels._launch import NotNative, collect
from tinygrad_fr.kernels.program import Program

DTYPES = (np.float32, np.float64, np.int32, np.int64, np.bool_, np.float16)


@st.composite
def any_layout(draw):
    """An array of up to five axes: permuted, in steps, backwards, repeated."""
    shape = draw(st.lists(st.integers(0, 5), max_size=5))
    shape = [each * draw(st.sampled_from((1, 1, 40))) for each in shape][:3] + shape[3:]
    dtype = draw(st.sampled_from(DTYPES))
    steps = [draw(st.sampled_from((1, 1, 2))) for _ in shape]
    sizes = [each * step for each, step in zip(shape, steps, strict=True)]
    x = np.random.default_rng(0).integers(0, 100, sizes).astype(dtype)
    x = x[tuple(slice(None, None, step * draw(st.sampled_from((1, -1)))) for step in steps)]
    x = x.transpose(draw(st.permutations(range(x.ndim))))
    return np.broadcast_to(x, (2, *x.shape)) if draw(st.booleans()) and x.size < 10_000 else x


@given(any_layout())
def test_elements_in_order(x):
    copied = copying.copy(x)
    np.testing.assert_array_equal(copied, reference.copy(x))
    assert copied.dtype == x.dtype
    assert copied.flags.carray
    assert not np.shares_memory(copied, x)


@given(any_layout())
def test_as_a_launch(x):
    """What a program copies, it copies anew at each run."""
    x = np.array(x, order="K")
    out = np.empty(x.shape, x.dtype)
    try:
        with collect() as launches:
            copying.copy(x, out=out)
    except NotNative:
        assert x.itemsize < 4 or x.ndim > 4
        return
    if x.size:
        out.fill(0)
        x[...] = 1 - x
        Program(launches).run()
    np.testing.assert_array_equal(out, x)


@pytest.mark.parametrize("shape", [(300, 400), (64, 32, 128), (5, 70, 3, 40), (20_000, 2), (2, 20_000)])
def test_large_transposed(shape):
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    for axis in range(len(shape)):
        np.testing.assert_array_equal(copying.copy(x.swapaxes(axis, -1)), x.swapaxes(axis, -1).copy())


def test_windows_that_overlap():
    x = np.arange(30_000.0)
    windows = as_strided(x, (20_000, 5), (8, 16))
    np.testing.assert_array_equal(copying.copy(windows), windows.copy())
