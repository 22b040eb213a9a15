"""What the kernel tests draw: float arrays of any shape, values and layout, and how results are compared."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

DTYPES = (np.float32, np.float64)
LAYOUTS = ("plain", "fortran", "strided", "reversed", "read-only", "unaligned")

dtypes = st.sampled_from(DTYPES)
layouts = st.sampled_from(LAYOUTS)


def shapes(min_dims=0, max_dims=4, min_side=0, max_side=6):
    """Shapes with 0-d, empty and one-element arrays among them, and now and then a side that fills vectors."""
    small = hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)
    if min_dims == 0:
        small = st.just(()) | small
    return small | st.tuples(*[st.just(1)] * (max(min_dims, 1) - 1), st.sampled_from((31, 67, 130)))


def floats(dtype, special=True):
    """Numbers of ordinary size, and with ``special`` also NaN, infinities, zeros, tiny and huge ones."""
    width = np.dtype(dtype).itemsize * 8
    ordinary = st.floats(-20, 20, width=width, allow_subnormal=False)
    return ordinary | st.floats(width=width) if special else ordinary


@st.composite
def arrays(draw, shape=None, dtype=None, special=True, layout=None):
    """A float array: of drawn shape, dtype and layout where they are not given."""
    shape = draw(shapes()) if shape is None else shape
    dtype = draw(dtypes) if dtype is None else dtype
    values = draw(hnp.arrays(dtype, shape, elements=floats(dtype, special), fill=floats(dtype, special=False)))
    return in_layout(values, draw(layouts) if layout is None else layout)


def in_layout(x, layout):
    """An array equal to x whose elements lie in memory as ``layout`` says."""
    if layout == "read-only":
        x = x.copy()
        x.flags.writeable = False
        return x
    result = _EMPTY_IN_LAYOUT[layout](x.shape, x.dtype)
    result[...] = x
    return result


def empty_in_layout(shape, dtype, layout):
    """An array to write to, filled with 7, whose elements lie in memory as ``layout`` says."""
    return in_layout(np.full(shape, 7, dtype), layout)


def _strided(shape, dtype):
    return np.zeros([2 * n for n in shape], dtype)[(*(slice(None, None, 2) for _ in shape), ...)]


def _reversed(shape, dtype):
    return np.zeros(shape, dtype)[(*(slice(None, None, -1) for _ in shape), ...)]


def _unaligned(shape, dtype):
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    return np.zeros(size + 1, np.uint8)[1:].view(dtype).reshape(shape)


_EMPTY_IN_LAYOUT = {
    "plain": np.zeros,
    "fortran": lambda shape, dtype: np.zeros(shape, dtype, order="F"),
    "strided": _strided,
    "reversed": _reversed,
    "unaligned": _unaligned,
}


def assert_close(result, expected, tolerance=4.0, scale=None):
    """Same shape, dtype, NaN and infinities, and within ``tolerance`` rounding steps (of ``scale`` if given)."""
    assert result.dtype == expected.dtype
    assert result.shape == expected.shape
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(result[~finite], expected[~finite])
    if not finite.any():
        return
    info = np.finfo(expected.dtype)
    with np.errstate(all="ignore"):
        size = np.abs(expected.astype(np.float64)) if scale is None else np.broadcast_to(scale, expected.shape)
        allowed = tolerance * (info.eps * size + float(info.smallest_subnormal))
        error = np.abs(result.astype(np.float64) - expected.astype(np.float64))
    assert (error <= allowed)[finite].all(), f"{result}\nis not\n{expected}"
