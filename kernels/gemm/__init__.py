"""The matrix product, on this project's own register tile: no BLAS.

`micro` holds the tile, `pack` the copying of panels, `macro` the loops, `plan` what they are to do, `blocking` sizes.
"""

import functools

import numba
import numpy as np
from numba import types
from numpy import empty

from .._jit import compiled_for
from .._launch import launch, not_in_a_program
from .._quick import DTYPES, quick_long, quick_product
from .._threads import ALONE, pool_for
from .blocking import PARALLEL, WEIGHT_ROWS
from .macro import batch_of_products, fused, product
from .micro import MASK, NO_GATE, RELU, TABLE_SLOTS, fill_table
from .plan import TURNED_X, TURNED_Y


def matmul(x, y, *, mask=None, out=None):
    """Matrix product of the last two axes.  x: (*, m, k), y: (*, k, n) -> (*, m, n).

    The leading axes broadcast. Operands of any strides are read where they lie. ``mask`` (m, n), for two matrices only,
    puts +0 where it is 0 or less: relu's backward, `activation.relu_backward`, of the product and the result of relu.
    ``out`` receives the result and may overlap the operands. Raises TypeError for dtypes other than two times float32
    or float64, ValueError for shapes that do not match.
    """
    if mask is None:
        quick = _QUICK.call(x, y, out)
        if quick is not None:
            return quick
    try:
        m, k = x.shape
        rows, n = y.shape
    except ValueError:
        return _batched(x, y, mask, out)
    if rows != k:
        raise ValueError(_mismatch(x, y))
    dtype = x.dtype
    kernels = _KERNELS.get(dtype)
    if kernels is None or y.dtype is not dtype:
        kernels = _kernels_for(x, y)
    if out is None:
        out = empty((m, n), dtype)
    elif out.shape != (m, n) or out.dtype is not dtype or not out.flags.writeable:
        _check_out("out", out, (m, n), x)
    work = m * k * n
    pool = ALONE if work < PARALLEL else pool_for(work, PARALLEL)
    if mask is not None:
        _run_masked(kernels, pool, x, y, mask, out)
    elif m and n:
        _launch(_QUICK_LARGE, kernels.product, pool, kernels.table, x, y, out)
        if work < PARALLEL:
            _QUICK.learn(dtype, kernels.product, ALONE, kernels.table, x, y, out)
    return out


def linear(x, w, b=None, *, activation=None, out=None):
    """Affine map x @ w.T + b, the bias put into the registers first.  x: (m, k), w: (n, k), b: (n,) -> (m, n).

    ``activation`` is None or "relu", applied before the result leaves the registers. ``out`` as in `matmul`. Raises
    TypeError for dtypes other than float32 or float64, the same for all three, and ValueError for shapes that do not
    match.
    """
    try:
        (m, k), (n, columns) = x.shape, w.shape
        gate = _GATES[activation]
    except (ValueError, KeyError):
        m, k, n, columns, gate = 0, 0, 0, -1, NO_GATE
    if columns != k:
        _refuse_linear(x, w, activation)
    dtype = x.dtype
    kernels = _KERNELS.get(dtype)
    if kernels is None or w.dtype is not dtype:
        kernels = _kernels_for(x, w)
    if b is None:
        b = kernels.empty
    elif b.dtype is not dtype or b.shape != (n,):
        _check_bias(b, n, x)
    if out is None:
        out = empty((m, n), dtype)
    elif out.shape != (m, n) or out.dtype is not dtype or not out.flags.writeable:
        _check_out("out", out, (m, n), x)
    if m and n:
        pool = pool_for(max(m, WEIGHT_ROWS) * k * n, PARALLEL)
        _launch_fused(kernels, pool, TURNED_Y, x, w, out, b, gate, kernels.no_mask, kernels.empty)
    return out


_GATES = {None: NO_GATE, "relu": RELU}


def weight_gradient(g, x, *, bias=False, out=None, bias_out=None):
    """The gradient of `linear` by its weight, g.T @ x, and with it by its bias, the sum of g over N.

    g: (N, O), x: (N, I) -> (O, I), or with ``bias=True`` or an array ``bias_out`` of shape (O,) for it: the pair
    (O, I), (O,). The sum is added up as by `reduce.sum` (but for O = 1), so it has the same bits. Outputs may overlap
    the operands, not one another. Errors as in `matmul`.
    """
    if g.ndim != 2 or x.ndim != 2 or g.shape[0] != x.shape[0]:
        raise ValueError(
            f"weight_gradient expects g of shape (N, O) and x of shape (N, I), got {g.shape} and {x.shape}"
        )
    kernels = _kernels_for(g, x)
    (rows, m), n = g.shape, x.shape[1]
    if out is None:
        out = empty((m, n), x.dtype)
    else:
        _check_out("out", out, (m, n), x)
    sums = kernels.empty
    if bias_out is not None:
        _check_out("bias_out", bias_out, (m,), x)
        sums = bias_out
    elif bias:
        sums = bias_out = empty(m, x.dtype)
    if out.size or sums.size:
        pool = pool_for(m * max(rows, WEIGHT_ROWS) * n, PARALLEL)
        none = kernels.empty
        _launch_fused(kernels, pool, TURNED_X, g, x, out, none, NO_GATE, kernels.no_mask, sums)
    return out if bias_out is None else (out, bias_out)


# ---------------------------------------------------------------------------------------------------------------
# Shapes, dtypes and outputs


def _mismatch(x, y):
    return (
        f"the matrix product expects x of shape (*, m, k) and y of shape (*, k, n), at least 2-D each, "
        f"got {x.shape} and {y.shape}"
    )


def _kernels_for(x, y):
    kernels = _KERNELS.get(x.dtype)
    if kernels is None or x.dtype != y.dtype:
        raise TypeError(
            f"the matrix product expects two arrays of float32 or two of float64, got {x.dtype} and {y.dtype}: "
            "convert one with astype"
        )
    return kernels


def _refuse_linear(x, w, activation):
    if activation not in _GATES:
        raise ValueError(f"linear expects activation to be None or 'relu', got {activation!r}")
    raise ValueError(f"linear expects x of shape (m, k) and w of shape (n, k), got {x.shape} and {w.shape}")


def _check_bias(b, n, x):
    if b.dtype != x.dtype:
        raise TypeError(f"linear expects b of the dtype of x, {x.dtype}, got {b.dtype}")
    if b.shape != (n,):
        raise ValueError(f"linear expects b of shape ({n},), one for each row of w, got {b.shape}")


def _check_out(name, out, shape, x):
    if out.shape != shape or out.dtype != x.dtype:
        raise ValueError(
            f"{name} is expected to have shape {shape} and dtype {x.dtype}, got {out.shape} and {out.dtype}"
        )
    if not out.flags.writeable:
        raise ValueError(f"{name} is read-only")


def _run_masked(kernels, pool, x, y, mask, out):
    if mask.shape != out.shape or mask.dtype != x.dtype:
        raise ValueError(
            f"mask is expected to have shape {out.shape} and dtype {x.dtype}, those of the product, "
            f"got {mask.shape} and {mask.dtype}"
        )
    if out.size:
        _launch_fused(kernels, pool, 0, x, y, out, kernels.empty, MASK, mask, kernels.empty)


def _launch_fused(kernels, pool, *arguments):
    _launch(_QUICK_FUSED, kernels.fused, pool, kernels.table, *arguments)


def _launch(quick, kernel, *arguments):
    """`launch`, by the shorter way where it is known."""
    if quick.call(*arguments) is None:
        launch(kernel, *arguments)
        quick.learn(arguments[-1].dtype, kernel, *arguments)


# ---------------------------------------------------------------------------------------------------------------
# Batches


def _batched(x, y, mask, out):
    if mask is not None:
        raise ValueError(f"a mask is for the product of two matrices, got {x.shape} and {y.shape}")
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-2]:
        raise ValueError(_mismatch(x, y))
    kernels = _kernels_for(x, y)
    try:
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        raise ValueError(_mismatch(x, y) + ": their leading axes do not broadcast") from None
    shape = (*batch, x.shape[-2], y.shape[-1])
    result = np.empty(shape, x.dtype) if out is None else _target(out, shape, x, y)
    if result.size:
        _run_batch(kernels, np.broadcast_to(x, batch + x.shape[-2:]), np.broadcast_to(y, batch + y.shape[-2:]), result)
    if out is None or out is result:
        return result
    out[...] = result
    return out


def _target(out, shape, x, y):
    """``out`` itself where a kernel may write there, else a new array to be copied into it."""
    _check_out("out", out, shape, x)
    if out.flags.carray and not np.may_share_memory(out, x) and not np.may_share_memory(out, y):
        return out
    not_in_a_program("the output of a batch of products overlaps an operand, or is not in order")
    return np.empty(shape, out.dtype)


def _run_batch(kernels, x, y, out):
    """Run the kernel over as many leading axes as have one step each; loop in Python over the rest."""
    if x.ndim > 3 and not (_collapses(x) and _collapses(y)):
        for one_x, one_y, one_out in zip(x, y, out, strict=True):
            _run_batch(kernels, one_x, one_y, one_out)
        return
    count, steps = 1, (0, 0, 0)
    if x.ndim > 2:
        count = out.size // (out.shape[-2] * out.shape[-1])
        steps = x.strides[-3], y.strides[-3], out.strides[-3]
    pool = pool_for(out.size * x.shape[-1], PARALLEL)
    first = (0,) * (x.ndim - 2)
    launch(kernels.batch, pool, kernels.table, x[first], y[first], out[first], count, *steps)


def _collapses(x):
    """Whether all leading axes of x can be walked with the step of the last of them."""
    return all(x.strides[i] == x.strides[i + 1] * x.shape[i + 1] for i in range(x.ndim - 3))


# ---------------------------------------------------------------------------------------------------------------
# Compilation


class _Kernels:
    """The products for one dtype, compiled once for all layouts.

    A signature of arrays with any strides, read-only and unaligned, accepts every array of its dtype; with compilation
    at call time switched off, Numba converts to it instead of compiling one more version for each layout.
    """

    def __init__(self, dtype):
        self.empty, self.no_mask = np.empty(0, dtype), np.empty((0, 0), dtype)
        element = numba.from_dtype(dtype)
        self._pool = types.Array(types.int64, 1, "C")
        self._vector, self._matrix = (types.Array(element, d, "A", readonly=True, aligned=False) for d in (1, 2))
        self._sums, self._result = (types.Array(element, d, "A") for d in (1, 2))

    @functools.cached_property
    def table(self):
        """The address of the table of compiled tiles."""
        self._table = np.zeros(TABLE_SLOTS, np.int64)
        fill_table(self._table, self.empty)
        return self._table.ctypes.data

    @functools.cached_property
    def product(self):
        return self._compiled(product, self._matrix, self._matrix, self._result)

    @functools.cached_property
    def batch(self):
        return self._compiled(batch_of_products, self._matrix, self._matrix, self._result, *[types.intp] * 4)

    @functools.cached_property
    def fused(self):
        matrix = self._matrix
        operands = types.intp, matrix, matrix, self._result
        return self._compiled(fused, *operands, self._vector, types.intp, matrix, self._sums)

    def _compiled(self, function, *signature):
        return compiled_for(function, (self._pool, types.intp, *signature))


_KERNELS = {dtype: _Kernels(dtype) for dtype in DTYPES}
_QUICK = quick_product(PARALLEL)
_QUICK_LARGE, _QUICK_FUSED = quick_long(2, 2, 2), quick_long(0, 2, 2, 2, 1, 0, 2, 1)
