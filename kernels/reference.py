"""A plain NumPy twin of every kernel: same name, same signature, same result up to rounding.

This is what the kernels are tested against, so it is written to be obviously right, not to be fast. Sums are taken in
float64 and rounded once.
"""

import numpy as np


def _give(result, out, dtype):
    """``result`` in ``dtype``, in the array ``out`` if one was given."""
    result = np.asarray(result).astype(dtype)
    if out is None:
        return result
    out[...] = result
    return out


# ---------------------------------------------------------------------------------------------------------------
# activation.py


def step(x, *, out=None):
    return _give(np.where(np.isnan(x), x, x > 0), out, x.dtype)


def relu(x, *, out=None):
    return _give(np.where(x <= 0, 0, x), out, x.dtype)


def relu_backward(g, y, *, out=None):
    return _give(np.where(y <= 0, 0, g), out, g.dtype)


def leaky_relu(x, slope=0.01, *, out=None):
    return _give(np.where(x > 0, x, x * x.dtype.type(slope)), out, x.dtype)


def leaky_relu_backward(g, x, slope=0.01, *, out=None):
    return _give(np.where(x > 0, g, g * g.dtype.type(slope)), out, g.dtype)


def sigmoid(x, *, out=None):
    z = np.exp(-np.abs(x.astype(np.float64)))
    return _give(np.where(x < 0, z, 1.0) / (1.0 + z), out, x.dtype)


def sigmoid_backward(g, y, *, out=None):
    return _give(g * (1 - y) * y, out, g.dtype)


def tanh(x, *, out=None):
    return _give(np.tanh(x.astype(np.float64)), out, x.dtype)


def tanh_backward(g, y, *, out=None):
    return _give(g * (1 - y * y), out, g.dtype)


# ---------------------------------------------------------------------------------------------------------------
# softmax.py


def _softmax_parts(x, dim):
    """exp(x - max) and its sum along ``dim``, with x - max, in float64."""
    x = np.atleast_1d(x.astype(np.float64))
    shifted = x - x.max(axis=dim, keepdims=True, initial=-np.inf)
    exponentials = np.exp(shifted)
    return shifted, exponentials, exponentials.sum(axis=dim, keepdims=True)


def softmax(x, dim, *, out=None):
    _, exponentials, total = _softmax_parts(x, dim)
    return _give((exponentials / total).reshape(x.shape), out, x.dtype)


def softmax_backward(g, y, dim, *, out=None):
    g64, y64 = np.atleast_1d(g.astype(np.float64)), np.atleast_1d(y.astype(np.float64))
    result = y64 * (g64 - (g64 * y64).sum(axis=dim, keepdims=True))
    return _give(result.reshape(g.shape), out, g.dtype)


def log_softmax(x, dim, *, out=None):
    shifted, _, total = _softmax_parts(x, dim)
    return _give((shifted - np.log(total)).reshape(x.shape), out, x.dtype)


def log_softmax_backward(g, y, dim, *, out=None):
    g64, y64 = np.atleast_1d(g.astype(np.float64)), np.atleast_1d(y.astype(np.float64))
    result = g64 - np.exp(y64) * g64.sum(axis=dim, keepdims=True)
    return _give(result.reshape(g.shape), out, g.dtype)


def cross_entropy(x, target, *, reduction="mean", ignore_index=-100, out=None):
    counted = target != ignore_index
    rows = np.arange(len(x))
    safe_target = np.where(counted, target, 0)
    x64 = x.astype(np.float64)
    largest = x64.max(axis=1, initial=-np.inf)
    log_sum = np.log(np.exp(x64 - largest[:, None]).sum(axis=1))
    losses = np.zeros(len(x))
    losses[counted] = (log_sum - (x64[rows, safe_target] - largest))[counted] if x.size else 0.0
    if reduction == "mean":
        losses = np.divide(losses.sum(), counted.sum())
    elif reduction == "sum":
        losses = losses.sum()
    loss_out, lse_out = (None, None) if out is None else out
    return _give(losses, loss_out, x.dtype), _give(largest + log_sum, lse_out, x.dtype)


def cross_entropy_backward(g, x, target, lse, *, reduction="mean", ignore_index=-100, out=None):
    counted = target != ignore_index
    one_hot = np.arange(x.shape[1]) == target[:, None]
    scale = np.where(counted, g, 0.0).astype(np.float64)
    if reduction == "mean":
        scale = np.where(counted, scale / max(counted.sum(), 1), 0.0)
    probability = np.exp(x.astype(np.float64) - lse.astype(np.float64)[:, None])
    return _give((probability - one_hot) * scale[:, None], out, x.dtype)


# ---------------------------------------------------------------------------------------------------------------
# reduce.py


def sum(x, dim=None, keepdim=False, *, out=None):
    is_float = np.issubdtype(x.dtype, np.floating)
    total = np.sum(x, axis=_axes(dim, x.ndim), keepdims=keepdim, dtype=np.float64 if is_float else np.int64)
    return _give(total, out, x.dtype if is_float else np.int64)


def mean(x, dim=None, keepdim=False, *, out=None):
    axes = _axes(dim, x.ndim)
    total = np.sum(x, axis=axes, keepdims=keepdim, dtype=np.float64)
    count = np.prod([x.shape[axis] for axis in axes], dtype=np.int64)
    return _give(np.divide(total, count), out, x.dtype)


def amax(x, dim=None, keepdim=False, *, out=None):
    return _give(np.max(x, axis=_axes(dim, x.ndim), keepdims=keepdim), out, x.dtype)


def amin(x, dim=None, keepdim=False, *, out=None):
    return _give(np.min(x, axis=_axes(dim, x.ndim), keepdims=keepdim), out, x.dtype)


def argmax(x, dim=None, keepdim=False, *, out=None):
    return _give(_arg(np.argmax, x, dim, keepdim), out, np.int64)


def argmin(x, dim=None, keepdim=False, *, out=None):
    return _give(_arg(np.argmin, x, dim, keepdim), out, np.int64)


def _arg(function, x, dim, keepdim):
    if x.ndim == 0:
        return np.zeros((), np.int64)
    return function(x, axis=dim, keepdims=keepdim)


def _axes(dim, ndim):
    """``dim`` as NumPy wants it: a tuple of axes; None, () or any axis of a 0-d array mean all."""
    if dim is None or dim == () or ndim == 0:
        return tuple(range(ndim))
    return tuple(d % ndim for d in (dim if isinstance(dim, tuple) else (dim,)))
