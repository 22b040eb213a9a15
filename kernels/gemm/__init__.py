"""The matrix product, on this project's own register tile: no BLAS.

`micro` holds the tile, `pack` the copying of panels, `macro` the loops and tasks, `blocking` their sizes.
"""

import functools

import numba
import numpy as np
from numba import types

from .._launch import launch
from .._threads import pool_for
from ..simd import VECTOR_BYTES
from .blocking import PARALLEL, WIDE
from .macro import product
from .micro import MASK, NO_GATE, RELU


def matmul(x, y, *, mask=None, out=None):
    """Matrix product of the last two axes.  x: (*, m, k), y: (*, k, n) -> (*, m, n).

    The leading axes broadcast. Operands of any strides are read where they lie. ``mask`` (m, n), for two matrices only,
    puts +0 where it is 0 or less: relu's backward, `activation.relu_backward`, of the product and the result of relu.
    ``out`` receives the result and may overlap the operands. Raises TypeError for dtypes other than two times float32
    or float64, ValueError for shapes that do not match.
    """
    kernels = _KERNELS.get(x.dtype)
    if kernels is None or x.dtype != y.dtype:
        raise _dtype_error(x, y)
    try:
        m, k = x.shape
        rows, n = y.shape
    except ValueError:
        if mask is not None:
            raise ValueError(f"a mask is for the product of two matrices, got {x.shape} and {y.shape}") from None
        return _batched(kernels, x, y, out)
    if rows != k:
        raise ValueError(_mismatch(x, y))
    if mask is not None:
        return _masked(kernels, x, y, mask, out)
    result = np.empty((m, n), kernels.dtype) if out is None else _target(out, (m, n), x, y)
    if m and n:
        pool = pool_for(m * k * n, PARALLEL)
        if n == 1:  # the few rows of the transpose go faster than one column
            kernels.run(pool, y.T, x.T, result.T)
        else:
            kernels.run(pool, x, y, result)
    return result if out is None or out is result else _copied(result, out)


def linear(x, w, b=None, *, activation=None, out=None):
    """Affine map x @ w.T + b, the bias put into the registers first.  x: (m, k), w: (n, k), b: (n,) -> (m, n).

    ``activation`` is None or "relu", applied before the result leaves the registers. ``out`` as in `matmul`. Raises
    TypeError for dtypes other than float32 or float64, the same for all three, and ValueError for shapes that do not
    match.
    """
    kernels = _KERNELS.get(x.dtype)
    if kernels is None or x.dtype != w.dtype:
        raise _dtype_error(x, w)
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[1]:
        raise ValueError(f"linear expects x of shape (m, k) and w of shape (n, k), got {x.shape} and {w.shape}")
    if activation not in _GATES:
        raise ValueError(f"linear expects activation to be None or 'relu', got {activation!r}")
    m, k = x.shape
    n = w.shape[0]
    bias, bias_column = kernels.zeros, 0
    if b is not None:
        bias, bias_column = _bias(b, n, x), x.itemsize
    result = np.empty((m, n), kernels.dtype) if out is None else _target(out, (m, n), x, w, bias)
    if m and n:
        kernels.run(pool_for(m * k * n, PARALLEL), x, w.T, result, bias, bias_column, _GATES[activation])
    return result if out is None or out is result else _copied(result, out)


_GATES = {None: NO_GATE, "relu": RELU}


def weight_gradient(g, x, *, bias=False, out=None, bias_out=None):
    """The gradient of `linear` by its weight, g.T @ x, and with it by its bias, the sum of g over N.

    g: (N, O), x: (N, I) -> (O, I), or with ``bias=True`` or an array ``bias_out`` of shape (O,) for it: the pair
    (O, I), (O,). The sum over N is added up as by `reduce.sum`. Outputs may overlap the operands, not one another.
    Errors as in `matmul`.
    """
    kernels = _KERNELS.get(g.dtype)
    if kernels is None or g.dtype != x.dtype:
        raise _dtype_error(g, x)
    if g.ndim != 2 or x.ndim != 2 or g.shape[0] != x.shape[0]:
        raise ValueError(
            f"weight_gradient expects g of shape (N, O) and x of shape (N, I), got {g.shape} and {x.shape}"
        )
    (rows, m), n = g.shape, x.shape[1]
    result = np.empty((m, n), kernels.dtype) if out is None else _target(out, (m, n), g, x)
    pool = pool_for(m * rows * n, PARALLEL)
    if not bias and bias_out is None:
        if m and n:
            kernels.run(pool, g.T, x, result)
        return result if out is None or out is result else _copied(result, out)
    sums = np.empty(m, kernels.dtype) if bias_out is None else _target(bias_out, (m,), g, x)
    if m:
        kernels.run(pool, g.T, x, result, sums=sums)
    result = result if out is None or out is result else _copied(result, out)
    return result, (sums if bias_out is None or bias_out is sums else _copied(sums, bias_out))


# ---------------------------------------------------------------------------------------------------------------
# Shapes, dtypes and outputs


def _dtype_error(x, y):
    return TypeError(
        f"the matrix product expects two arrays of float32 or two of float64, got {x.dtype} and {y.dtype}: "
        "convert one with astype"
    )


def _mismatch(x, y):
    return (
        f"the matrix product expects x of shape (*, m, k) and y of shape (*, k, n), at least 2-D each, "
        f"got {x.shape} and {y.shape}"
    )


def _masked(kernels, x, y, mask, out):
    (m, k), n = x.shape, y.shape[1]
    if mask.shape != (m, n) or mask.dtype != x.dtype:
        raise ValueError(
            f"mask is expected to have shape {(m, n)} and dtype {x.dtype}, those of the product, "
            f"got {mask.shape} and {mask.dtype}"
        )
    mask = np.ascontiguousarray(mask)
    result = np.empty((m, n), kernels.dtype) if out is None else _target(out, (m, n), x, y, mask)
    if m and n:
        pool = pool_for(m * k * n, PARALLEL)
        if n == 1:
            kernels.run(pool, y.T, x.T, result.T, gate=MASK, mask=mask.T)
        else:
            kernels.run(pool, x, y, result, gate=MASK, mask=mask)
    return result if out is None or out is result else _copied(result, out)


def _bias(b, n, x):
    if b.dtype != x.dtype:
        raise TypeError(f"linear expects b of the dtype of x, {x.dtype}, got {b.dtype}")
    if b.shape != (n,):
        raise ValueError(f"linear expects b of shape ({n},), one for each row of w, got {b.shape}")
    return np.ascontiguousarray(b)


def _target(out, shape, *operands):
    """``out`` itself where a kernel may write there, else a new array to be copied into it."""
    if out.shape != shape or out.dtype != operands[0].dtype:
        raise ValueError(
            f"out is expected to have shape {shape} and dtype {operands[0].dtype}, got {out.shape} and {out.dtype}"
        )
    if not out.flags.carray:
        if not out.flags.writeable:
            raise ValueError("out is read-only")
        return np.empty(shape, out.dtype)
    for operand in operands:
        if _overlap(out, operand):
            return np.empty(shape, out.dtype)
    return out


def _overlap(x, y):
    """Whether two arrays may share memory; two that own theirs share it only when they are the same."""
    if x.base is None and y.base is None:
        return x is y
    return np.may_share_memory(x, y)


def _copied(result, out):
    out[...] = result
    return out


# ---------------------------------------------------------------------------------------------------------------
# Batches


def _batched(kernels, x, y, out):
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-2]:
        raise ValueError(_mismatch(x, y))
    try:
        batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    except ValueError:
        raise ValueError(_mismatch(x, y) + ": their leading axes do not broadcast") from None
    shape = (*batch, x.shape[-2], y.shape[-1])
    result = np.empty(shape, x.dtype) if out is None else _target(out, shape, x, y)
    if result.size:
        _run_batch(kernels, np.broadcast_to(x, batch + x.shape[-2:]), np.broadcast_to(y, batch + y.shape[-2:]), result)
    return result if out is None or out is result else _copied(result, out)


def _run_batch(kernels, x, y, out):
    """Run the kernel over as many leading axes as have one step each; loop in Python over the rest."""
    if x.ndim > 3 and not (_collapses(x) and _collapses(y)):
        for one_x, one_y, one_out in zip(x, y, out, strict=True):
            _run_batch(kernels, one_x, one_y, one_out)
        return
    count, (x_step, y_step, out_step) = 1, (0, 0, 0)
    if x.ndim > 2:
        count = out.size // (out.shape[-2] * out.shape[-1])
        x_step, y_step, out_step = x.strides[-3], y.strides[-3], out.strides[-3]
    (m, n), k = out.shape[-2:], x.shape[-1]
    pool = pool_for(count * m * k * n, PARALLEL)
    first = (0,) * (x.ndim - 2)
    kernels.run(pool, x[first], y[first], out[first], batch=(count, x_step, y_step, out_step))


def _collapses(x):
    """Whether all leading axes of x can be walked with the step of the last of them."""
    return all(x.strides[i] == x.strides[i + 1] * x.shape[i + 1] for i in range(x.ndim - 3))


# ---------------------------------------------------------------------------------------------------------------
# Compilation


class _Kernels:
    """The product for one dtype, compiled once for all layouts.

    A signature of arrays with any strides, read-only and unaligned, accepts every array of its dtype; with compilation
    at call time switched off, Numba converts to it instead of compiling one more version for each layout.
    """

    def __init__(self, dtype):
        self.dtype = dtype
        self.zeros = np.zeros(WIDE * VECTOR_BYTES // dtype.itemsize, dtype)
        self.no_mask, self.no_sums = np.empty((0, 0), dtype), np.empty(0, dtype)

    def run(self, pool, x, y, out, bias=None, bias_column=0, gate=NO_GATE, mask=None, sums=None, batch=(1, 0, 0, 0)):
        """Launch the product of non-empty operands."""
        bias = self.zeros if bias is None else bias
        mask = self.no_mask if mask is None else mask
        sums = self.no_sums if sums is None else sums
        launch(self.product, pool, x, y, out, bias, bias_column, gate, mask, sums, *batch)

    @functools.cached_property
    def product(self):
        element = numba.from_dtype(self.dtype)
        operand = types.Array(element, 2, "A", readonly=True, aligned=False)
        result = types.Array(element, 2, "A")
        bias = types.Array(element, 1, "C", readonly=True, aligned=False)
        pool = types.Array(types.int64, 1, "C")
        product.disable_compile(False)
        sums = types.Array(element, 1, "C")
        index = types.intp
        product.compile((pool, operand, operand, result, bias, index, index, operand, sums, *[index] * 4))
        product.disable_compile()
        return product


_KERNELS = {dtype: _Kernels(dtype) for dtype in (np.dtype(np.float32), np.dtype(np.float64))}
