"""Convolution over one, two or three axes, and its gradients, on the register tiles of the matrix product.

`shape` says what a convolution is, `laid` lays out what windows see, copies columns from there and adds them back;
`forward`, `input_gradient` and `weight_gradient` are the loops, `tiles` what they share, `direct` has tiles for few
outputs. No columns of a whole input are ever made.

``windows`` are six tuples with a number for each axis: sizes, kernel, stride, before (how many zeros lie before the
axis), dilation, counts (of windows); `ops.windows.Windows` is one. The names of axes: samples N, channels C, outputs O.
Arrays of two dtypes are a TypeError, an array whose shape does not fit is a ValueError.
"""

import functools
import math
from typing import Any

import numba
import numpy as np
from numba import types

from .._jit import compiled_for
from .._launch import launch
from .._layout import FLOAT32, FLOAT64, deliver, destination, plain
from .._threads import pool_for
from ..gemm import _KERNELS
from ..gemm.blocking import PARALLEL
from ..gemm.micro import MASK, NO_GATE, RELU
from .direct import table_for
from .forward import IN_ORDER, OUTPUTS_LAST, TURNED, convolve
from .input_gradient import spread_back
from .shape import in_one_row, numbers_of, sees_itself, turned_around
from .weight_gradient import weigh

# An input gradient for windows of stride 1 is the convolution by the weight turned around where that has rows enough,
# and at most so many times as many windows.
TURNED_ROWS, TURNED_WINDOWS = 16, 1.1

_GATES = {None: NO_GATE, "relu": RELU}


def convolution(x, weight, bias=None, *, windows, groups=1, activation=None, mask=None, out=None):
    """The products of each kernel with what each window sees, plus bias.

    x: (N, C, *sizes), weight: (O, C/G, *kernel), bias: (O,) -> (N, O, *counts). ``activation`` is None or "relu",
    applied before the result leaves the registers; ``mask``, of the shape of the result, puts +0 where it is 0 or less:
    relu's backward. ``out`` receives the result and must not overlap the operands.
    """
    sizes, _, _, _, _, counts = windows
    x, weight = plain(x), plain(weight, "weight")
    _check("x", x, (len(x), weight.shape[1] * groups, *sizes), weight)
    return _convolved(x, weight, bias, counts, windows, groups, IN_ORDER, _gate(activation, mask), mask, out)


def input_gradient(y, weight, bias=None, *, windows, groups=1, activation=None, mask=None, out=None):
    """The adjoint of `convolution` by its input, the transposed convolution, plus bias.

    y: (N, O, *counts), weight: (O, C/G, *kernel), bias: (C,) -> (N, C, *sizes). The others as in
    `convolution`.
    """
    sizes, _, stride, _, _, counts = windows
    y, weight = plain(y, "y"), plain(weight, "weight")
    _check("y", y, (len(y), len(weight), *counts), weight)
    gate = _gate(activation, mask)
    if sees_itself(windows):
        return _convolved(y, weight, bias, sizes, windows, groups, OUTPUTS_LAST, gate, mask, out)
    if set(stride) == {1} and (len(weight) == groups or _turning_pays(weight, sizes, counts)):
        return _convolved(y, weight, bias, sizes, turned_around(windows), groups, TURNED, gate, mask, out)
    kernels, channels = _KERNELS_OF[y.dtype], weight.shape[1] * groups
    result = destination(out, (len(y), channels, *sizes), y.dtype)
    bias, mask = kernels.vector(bias, channels), _mask(mask, result)
    if result.size:
        numbers = numbers_of(len(y), channels, len(weight), groups, windows)
        pool = pool_for(y.size * weight[0].size, PARALLEL)
        arrays = y.ravel(), weight.ravel(), bias, result.ravel()
        launch(kernels.spread_back, pool, kernels.table, *arrays, numbers, gate, mask)
    return deliver(result, out)


def weight_gradient(y, x, *, windows, groups=1, bias=False, out=None, bias_out=None):
    """The adjoint of `convolution` by its weight, and with it the gradient of its bias.

    y: (N, O, *counts), x: (N, C, *sizes) -> (O, C/G, *kernel), or with ``bias=True`` or an array ``bias_out`` of shape
    (O,) for it: the pair (O, C/G, *kernel), (O,).
    """
    sizes, kernel, _, _, _, counts = windows
    y, x = plain(y, "y"), plain(x)
    outputs, channels = y.shape[1], x.shape[1]
    _check("x", x, (len(y), channels, *sizes), y)
    _check("y", y, (len(y), outputs, *counts), x)
    kernels = _KERNELS_OF[x.dtype]
    result = destination(out, (outputs, channels // groups, *kernel), x.dtype)
    has_bias = bias or bias_out is not None
    sums = destination(bias_out, (outputs,), x.dtype, "bias_out") if has_bias else kernels.empty
    if outputs:
        numbers = numbers_of(len(x), channels, outputs, groups, windows)
        pool = pool_for(y.size * result[0].size, PARALLEL)
        launch(kernels.weigh, pool, *kernels.tables, y.ravel(), x.ravel(), numbers, result.ravel(), sums)
    result = deliver(result, out)
    return (result, deliver(sums, bias_out)) if has_bias else result


def bias_gradient(y, *, out=None):
    """The gradient of a bias for each output: the sum over the others axes.  (N, O, *) -> (O,)."""
    y = plain(y, "y")
    outputs, kernels = y.shape[1], _KERNELS_OF[y.dtype]
    result = destination(out, (outputs,), y.dtype)
    if outputs:
        none = kernels.empty
        numbers = numbers_of(len(y), 0, outputs, 1, in_one_row(y.size // max(1, len(y) * outputs)))
        launch(kernels.weigh, pool_for(y.size), *kernels.tables, y.ravel(), none, numbers, none, result)
    return deliver(result, out)


def _convolved(x, weight, bias, places, windows, groups, order, gate, mask, out):
    """The convolution, or its adjoint where that is the convolution by the weight in another ``order``."""
    outputs = len(weight) if order == IN_ORDER else weight.shape[1] * groups
    kernels = _KERNELS_OF[x.dtype]
    result = destination(out, (len(x), outputs, *places), x.dtype)
    bias, mask = kernels.vector(bias, outputs), _mask(mask, result)
    if result.size:
        numbers = numbers_of(len(x), x.shape[1], outputs, groups, windows)
        pool = pool_for(len(x) * weight.size * (result.size // (len(x) * outputs)), PARALLEL)
        arrays = x.ravel(), weight.ravel(), bias, result.ravel()
        launch(kernels.convolve, pool, *kernels.tables, *arrays, numbers, order, gate, mask)
    return deliver(result, out)


def _turning_pays(weight, sizes, counts):
    return weight.shape[1] >= TURNED_ROWS and math.prod(sizes) <= TURNED_WINDOWS * math.prod(counts)


def _check(name, x, shape, like):
    if x.dtype is not like.dtype:
        raise TypeError(f"expected arrays of one dtype, got {x.dtype} and {like.dtype}")
    if x.shape != shape:
        raise ValueError(f"expected {name} of shape {shape}, got {x.shape}")


def _gate(activation, mask):
    """What happens to a sum before it is stored."""
    if activation not in _GATES:
        raise ValueError(f"expected activation to be None or 'relu', got {activation!r}")
    return _GATES[activation] if mask is None else MASK


def _mask(mask, result):
    """The mask as a flat array; the result itself where there is none."""
    if mask is None:
        return result.ravel()
    mask = plain(mask, "mask")
    _check("mask", mask, result.shape, result)
    return mask.ravel()


class _Kernels:
    """The kernels for one dtype, compiled when they are first called."""

    def __init__(self, dtype):
        self.empty = np.empty(0, dtype)
        element = numba.from_dtype(dtype)
        self._flat, self._numbers = types.Array(element, 1, "C"), types.Array(types.int64, 1, "C")

    @property
    def table(self):
        """The address of the table of compiled tiles."""
        return _KERNELS[self.empty.dtype].table

    @functools.cached_property
    def tables(self):
        """The addresses of that table and of that of the direct tiles."""
        return self.table, table_for(self.empty.dtype).ctypes.data

    @functools.cached_property
    def convolve(self):
        return self._compiled(
            convolve, types.intp, *[self._flat] * 4, self._numbers, types.intp, types.intp, self._flat
        )

    @functools.cached_property
    def spread_back(self):
        return self._compiled(spread_back, *[self._flat] * 4, self._numbers, types.intp, self._flat)

    @functools.cached_property
    def weigh(self):
        return self._compiled(weigh, types.intp, self._flat, self._flat, self._numbers, self._flat, self._flat)

    def _compiled(self, function, *signature):
        return compiled_for(function, (types.Array(types.int64, 1, "C"), types.intp, *signature))

    def vector(self, bias, count):
        """The bias as a plain array, an empty one for None."""
        if bias is None:
            return self.empty
        _check("bias", bias, (count,), self.empty)
        return plain(bias, "bias")


_KERNELS_OF: dict[Any, _Kernels] = {dtype: _Kernels(dtype) for dtype in (FLOAT32, FLOAT64)}
