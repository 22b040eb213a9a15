"""The norm of all elements of several arrays, and shrinking them by it: how gradients are clipped.

Arrays are cut into parts of one size, whatever the number of threads. Each part is measured in float64, which holds
powers of float32 numbers that are too large for float32, and then the parts are put together. Beside the arrays that
takes one float64 for each part.
"""

import math

import numpy as np

from . import vecmath
from ._jit import inlined, kernel
from ._launch import launch
from ._layout import PARALLEL_ELEMENTS, deliver, destination, number_bits, plain
from ._scalar import float64
from ._threads import pool_for, spread
from .reduce import largest, total

PART = 1 << 13  # elements


def norm(arrays, order, *, out=None):
    """(sum |x|^order)^(1/order) over the elements of all arrays, for an order above 0; for inf, the largest |x|.

    ``arrays``: at least one, any shapes and one dtype.  -> ().
    """
    flat = [plain(x).ravel() for x in arrays]
    counts = [-(-x.size // PART) for x in flat]
    measures = np.empty(sum(counts))
    measure = _measure if order in (1, 2, math.inf) else _measure_powers
    bits, done = number_bits(order), 0
    for x, count in zip(flat, counts, strict=True):
        launch(measure, pool_for(x.size, PARALLEL_ELEMENTS), x, bits, measures[done : done + count])
        done += count
    result = destination(out, (), flat[0].dtype)
    launch(_put_together, measures, bits, result.ravel())
    return deliver(result, out)


def scale_to_norm(arrays, norm, most):
    """Multiply all arrays, in place, by most / (norm + 1e-6), or by 1 where that is above 1.

    ``arrays``: any shapes and one dtype, that of ``norm``: ().  Source: PyTorch's ``clip_grad_norm_``.
    """
    bits = number_bits(most)
    for x in arrays:
        scaled = plain(x)
        launch(_scale, pool_for(x.size, PARALLEL_ELEMENTS), scaled.ravel(), norm.ravel(), bits)
        deliver(scaled, x)


# ---------------------------------------------------------------------------------------------------------------
# The compiled loops over flat arrays. Real parameters are given by their bits.


@inlined
def _bounds(part, x):
    """The first element of a part and the one after its last, unsigned: only then loops become vector instructions."""
    return np.uint64(part * PART), np.uint64(min((part + 1) * PART, x.size))


@kernel
def _measure_part(part, x, order, measures):  # 1, 2 or inf
    start, stop = _bounds(part, x)
    result = 0.0
    if order == 2:
        for i in range(start, stop):
            result += np.float64(x[i]) * np.float64(x[i])
    elif order == 1:
        for i in range(start, stop):
            result += np.float64(abs(x[i]))
    else:
        most = x.dtype.type(0)
        for i in range(start, stop):
            most = vecmath.maximum(most, abs(x[i]))
        result = np.float64(most)
    measures[part] = result


@kernel
def _measure_powers_part(part, x, order, measures):
    start, stop = _bounds(part, x)
    result = 0.0
    for i in range(start, stop):
        result += vecmath.exp(order * vecmath.log(np.float64(abs(x[i]))))
    measures[part] = result


@kernel
def _measure(pool, x, order, measures):
    spread(pool, _measure_part, measures.size, (x, float64(order), measures))


@kernel
def _measure_powers(pool, x, order, measures):
    spread(pool, _measure_powers_part, measures.size, (x, float64(order), measures))


@kernel
def _put_together(measures, order, out):
    order = float64(order)
    if order == np.inf:
        out[0] = largest(measures, 0, measures.size)
    elif order == 2:
        out[0] = np.sqrt(total(measures, 0, measures.size))
    else:
        out[0] = total(measures, 0, measures.size) ** (1 / order)


@kernel
def _scale_part(part, x, factor):
    start, stop = _bounds(part, x)
    for i in range(start, stop):
        x[i] *= factor


@kernel
def _scale(pool, x, norm, most):
    number = x.dtype.type
    factor = number(float64(most)) / (norm[0] + number(1e-6))
    if factor > 1:  # NaN stays
        factor = number(1)
    spread(pool, _scale_part, (x.size + PART - 1) // PART, (x, factor))
