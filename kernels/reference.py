"""A plain NumPy twin of every kernel: same name, same signature, same result up to rounding.

This is what the kernels are tested against, so it is written to be obviously right, not to be fast. Sums are taken in
float64 and rounded once.
"""

import math

import numpy as np

from .pooling import NOWHERE


def _give(result, out, dtype):
    """``result`` in ``dtype``, in the array ``out`` if one was given."""
    result = np.asarray(result).astype(dtype)
    if out is None:
        return result
    out[...] = result
    return out


# ---------------------------------------------------------------------------------------------------------------
# activation.py


def exp(x, *, out=None):
    return _give(np.exp(x.astype(np.float64)), out, x.dtype)


def expm1(x, *, out=None):
    return _give(np.expm1(x.astype(np.float64)), out, x.dtype)


def log(x, *, out=None):
    return _give(np.log(x.astype(np.float64)), out, x.dtype)


def log1p(x, *, out=None):
    return _give(np.log1p(x.astype(np.float64)), out, x.dtype)


def log1pexp(x, *, out=None):
    return _give(np.logaddexp(x.astype(np.float64), 0), out, x.dtype)


def erf(x, *, out=None):
    return _give(_in_float64(math.erf, x), out, x.dtype)


def _in_float64(function, x):
    """A function of Python's on every element."""
    return np.asarray(np.frompyfunc(function, 1, 1)(np.asarray(x, np.float64)), np.float64)


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


def hardtanh(x, low=-1.0, high=1.0, *, out=None):
    return _give(np.clip(x, x.dtype.type(low), x.dtype.type(high)), out, x.dtype)


def hardtanh_backward(g, x, low=-1.0, high=1.0, *, out=None):
    return _give(np.where((x <= x.dtype.type(low)) | (x >= x.dtype.type(high)), 0, g), out, g.dtype)


def hardsigmoid(x, *, out=None):
    return _give(np.clip(x.astype(np.float64) + 3, 0, 6) / 6, out, x.dtype)


def hardsigmoid_backward(g, x, *, out=None):
    return _give(np.where((x > -3) & (x < 3), g.astype(np.float64) / 6, 0), out, g.dtype)


def hardswish(x, *, out=None):
    return _give(x * np.clip(x.astype(np.float64) + 3, 0, 6) / 6, out, x.dtype)


def hardswish_backward(g, x, *, out=None):
    slope = np.where(x < 3, x.astype(np.float64) / 3 + 0.5, 1)
    return _give(np.where(x <= -3, 0, g * np.where(x == x, slope, 1)), out, g.dtype)


def threshold(x, bound, value, *, out=None):
    return _give(np.where(x <= x.dtype.type(bound), value, x), out, x.dtype)


def threshold_backward(g, x, bound, *, out=None):
    return _give(np.where(x <= x.dtype.type(bound), 0, g), out, g.dtype)


def hardshrink(x, bound=0.5, *, out=None):
    return _give(np.where(np.abs(x) <= x.dtype.type(bound), 0, x), out, x.dtype)


def softshrink(x, bound=0.5, *, out=None):
    nearer = x - np.copysign(np.float64(x.dtype.type(bound)), x)
    return _give(np.where(np.abs(x) <= x.dtype.type(bound), 0, nearer), out, x.dtype)


def shrink_backward(g, x, bound=0.5, *, out=None):
    return _give(np.where(np.abs(x) <= x.dtype.type(bound), 0, g), out, g.dtype)


def sigmoid(x, *, out=None):
    z = np.exp(-np.abs(x.astype(np.float64)))
    return _give(np.where(x < 0, z, 1.0) / (1.0 + z), out, x.dtype)


def sigmoid_backward(g, y, *, out=None):
    return _give(g * (1 - y) * y, out, g.dtype)


def tanh(x, *, out=None):
    return _give(np.tanh(x.astype(np.float64)), out, x.dtype)


def tanh_backward(g, y, *, out=None):
    return _give(g * (1 - y * y), out, g.dtype)


def elu(x, alpha=1.0, scale=1.0, rate=1.0, *, out=None):
    x64 = x.astype(np.float64)
    return _give(scale * np.where(x64 > 0, x64, alpha * np.expm1(rate * x64)), out, x.dtype)


def elu_backward(g, x, alpha=1.0, scale=1.0, rate=1.0, *, out=None):
    x64 = x.astype(np.float64)
    return _give(g * (scale * np.where(x64 <= 0, alpha * rate * np.exp(rate * x64), 1)), out, g.dtype)


def mish(x, *, out=None):
    x64 = x.astype(np.float64)
    return _give(x64 * np.tanh(np.logaddexp(x64, 0)), out, x.dtype)


def mish_backward(g, x, *, out=None):
    x64 = x.astype(np.float64)
    t = np.tanh(np.logaddexp(x64, 0))
    return _give(g * (t + x64 * ((1 - t * t) * sigmoid(x64))), out, x.dtype)


def silu(x, *, out=None):
    x64 = x.astype(np.float64)
    return _give(x64 * sigmoid(x64), out, x.dtype)


def silu_backward(g, x, *, out=None):
    x64 = x.astype(np.float64)
    s = sigmoid(x64)
    return _give(g * (s * (1 + x64 * (1 - s))), out, x.dtype)


def _normal_cdf(x):
    return _in_float64(lambda each: 0.5 * math.erfc(-each / math.sqrt(2)), x)


def _sigmoid_for_gelu(x):
    """s = (1 + tanh(u)) / 2 = sigmoid(2u), 1 - s, and the derivative of 2u."""
    u = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return sigmoid(2 * u), sigmoid(-2 * u), 2 * math.sqrt(2 / math.pi) * (1 + 3 * 0.044715 * x**2)


def gelu(x, approximate="none", *, out=None):
    x64 = x.astype(np.float64)
    probability = _normal_cdf(x64) if approximate == "none" else _sigmoid_for_gelu(x64)[0]
    return _give(x64 * probability, out, x.dtype)


def gelu_backward(g, x, approximate="none", *, out=None):
    x64 = x.astype(np.float64)
    if approximate == "none":
        derivative = _normal_cdf(x64) + x64 * np.exp(-0.5 * x64 * x64) / math.sqrt(2 * math.pi)
    else:
        s, rest, slope = _sigmoid_for_gelu(x64)
        change = x64 * (s * rest)
        derivative = s + np.where(change == 0, 0, change * slope)
    return _give(g * derivative, out, x.dtype)


def softplus(x, beta=1.0, threshold=20.0, *, out=None):
    scaled = beta * x.astype(np.float64)
    return _give(np.where(scaled > threshold, x, np.logaddexp(scaled, 0) / beta), out, x.dtype)


def softplus_backward(g, x, beta=1.0, threshold=20.0, *, out=None):
    scaled = beta * x.astype(np.float64)
    return _give(np.where(scaled > threshold, g, g * sigmoid(scaled)), out, x.dtype)


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


# ---------------------------------------------------------------------------------------------------------------
# random.py


def philox(counter, key):
    """Philox 4x32-10 on whole arrays.  counter: (4, *), key: (2, *), 32-bit words -> (4, *) uint32."""
    c = [np.asarray(word, np.uint64) for word in counter]
    k = [np.asarray(word, np.uint64) for word in key]
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        product0, product1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(product1 >> half) ^ c[1] ^ k[0], product1 & low, (product0 >> half) ^ c[3] ^ k[1], product0 & low]
        k = [(k[0] + np.uint64(0x9E3779B9)) & low, (k[1] + np.uint64(0xBB67AE85)) & low]
    return np.stack(c).astype(np.uint32)


def _words(state, blocks):
    """The next 4 * blocks 32-bit words of a generator, as uint64, advancing its state."""
    seed, counter = int(state[0]), np.arange(blocks, dtype=np.uint64) + state[1]
    halves = np.stack([counter & np.uint64(0xFFFFFFFF), counter >> np.uint64(32), *np.zeros((2, blocks), np.uint64)])
    state[1:] += np.uint64(blocks)
    return philox(halves, [seed & 0xFFFFFFFF, seed >> 32]).T.ravel().astype(np.uint64)


def _units(state, n, dtype):
    """n numbers in [0, 1): 24 bits of a word for float32, 53 bits of two for float64."""
    if dtype == np.float32:
        return (_words(state, -(-n // 4))[:n] >> np.uint64(8)) * 2.0**-24
    pairs = _words(state, -(-n // 2)).reshape(-1, 2)[:n]
    return ((pairs[:, 0] >> np.uint64(5)) * 2.0**26 + (pairs[:, 1] >> np.uint64(6))) * 2.0**-53


def _size(shape):
    return int(np.prod(shape, dtype=np.int64))


def uniform(shape, dtype, state, *, low=0.0, high=1.0, out=None):
    low, high = np.dtype(dtype).type(low), np.dtype(dtype).type(high)
    u = _units(state, _size(shape), dtype).astype(dtype)
    y = low + u * (high - low)
    return _give(np.where(y >= high, np.nextafter(high, low), y).reshape(shape), out, dtype)


def normal(shape, dtype, state, *, mean=0.0, std=1.0, out=None):
    n, dtype = _size(shape), np.dtype(dtype).type
    if dtype == np.float32:
        words = _words(state, -(-n // 4)).reshape(-1, 2)
        u1 = (((words[:, 0] >> np.uint64(1)).astype(dtype) + dtype(0.5)) * dtype(2.0**-31)).astype(np.float64)
        u2 = (words[:, 1] >> np.uint64(8)) * 2.0**-24
    else:
        u = _units(state, n + n % 2, dtype).reshape(-1, 2)
        u1, u2 = 1 - u[:, 0], u[:, 1]
    angle = 2 * np.pi * u2
    z = np.sqrt(-2 * np.log(u1)) * np.stack([np.cos(angle), np.sin(angle)])
    return _give(mean + std * z.T.ravel()[:n].reshape(shape), out, dtype)


def _picks(state, bounds):
    """For each bound, an integer in [0, bound) by multiply-shift, with integers of any size."""
    pairs = _words(state, -(-len(bounds) // 2)).reshape(-1, 2)
    return [(int(w0) + (int(w1) << 32)) * bound >> 64 for (w0, w1), bound in zip(pairs, bounds, strict=False)]


def integers(shape, state, low, high, *, out=None):
    picks = _picks(state, [high - low] * _size(shape))
    return _give(np.array([low + pick for pick in picks], np.int64).reshape(shape), out, np.int64)


def permutation(n, state):
    order = list(range(n))
    for i, pick in enumerate(_picks(state, range(1, n + 1))):
        order[i] = order[pick]
        order[pick] = i
    return np.array(order, np.int64)


def bernoulli(p, state, *, out=None):
    return _give(_units(state, p.size, p.dtype).reshape(p.shape) < p, out, p.dtype)


def dropout(x, p, state, *, out=None):
    own, own_used = (None, None) if out is None else out
    used = _give(state.copy(), own_used, state.dtype)
    state[1:] += np.uint64(-(-x.size // 4))
    return dropout_backward(x, p, used, out=own), used


def dropout_backward(g, p, used, *, out=None):
    kept = _words(used.copy(), -(-g.size // 4))[: g.size].reshape(g.shape) >= np.uint64(round(p * 2**32))
    scale = 1 / (1 - p) if p < 1 else 0.0
    return _give(g * (kept * scale).astype(g.dtype), out, g.dtype)


# ---------------------------------------------------------------------------------------------------------------
# optim.py


def sgd(p, g, buf, hyper, **options):
    for i in range(len(p)):
        _sgd(p[i], g[i], buf[i] if buf else None, hyper, **options)


def _sgd(p, g, buf, hyper, *, nesterov, first, maximize=False):
    lr, momentum, dampening, weight_decay = hyper
    d = -g if maximize else g
    if weight_decay != 0:
        d = d + weight_decay * p
    if momentum != 0:
        buf[...] = d if first else momentum * buf + (1 - dampening) * d
        d = d + momentum * buf if nesterov else buf
    p[...] = p - lr * d


def adam(p, g, m, v, vmax, steps, hyper, **options):
    for i in range(len(p)):
        _adam(p[i], g[i], m[i], v[i], vmax[i] if vmax else None, steps[i], hyper, **options)


def _adam(p, g, m, v, vmax, step, hyper, *, decoupled, amsgrad=False, maximize=False):
    lr, beta1, beta2, eps, weight_decay = hyper
    step += 1
    d = -g if maximize else g
    if decoupled:
        p[...] = p * (1 - lr * weight_decay)
    elif weight_decay != 0:
        d = d + weight_decay * p
    m[...] = beta1 * m + (1 - beta1) * d
    v[...] = beta2 * v + (1 - beta2) * d * d
    square = v
    if amsgrad:
        vmax[...] = np.maximum(vmax, v)
        square = vmax
    correction1, correction2 = 1 - beta1 ** step.item(), 1 - beta2 ** step.item()
    p[...] = p - lr / correction1 * m / (np.sqrt(square / correction2) + eps)


# ---------------------------------------------------------------------------------------------------------------
# adaptive.py


def _decayed(p, g, weight_decay, maximize):
    """The gradient with the weight decay."""
    return (-g if maximize else g) + weight_decay * p


def _each(update, columns, hyper, options):
    """``update`` of each parameter, with None for the states that it does not have."""
    for row in zip(*[column or [None] * len(columns[0]) for column in columns], strict=True):
        update(*row, *hyper, **options)


def adagrad(*columns, **options):
    _each(_adagrad, columns[:-1], columns[-1], options)


def _adagrad(p, g, total, step, lr, lr_decay, weight_decay, eps, *, maximize=False):
    d = _decayed(p, g, weight_decay, maximize)
    total += d * d
    p -= lr / (1 + step.item() * lr_decay) * d / (np.sqrt(total) + eps)
    step += 1


def rmsprop(*columns, **options):
    _each(_rmsprop, columns[:-1], columns[-1], options)


def _rmsprop(p, g, square, mean, velocity, step, lr, alpha, eps, weight_decay, momentum, *, maximize=False):
    step += 1
    d = _decayed(p, g, weight_decay, maximize)
    square[...] = alpha * square + (1 - alpha) * d * d
    variance = square
    if mean is not None:
        mean[...] = alpha * mean + (1 - alpha) * d
        variance = square - mean * mean
    scaled = d / (np.sqrt(variance) + eps)
    if velocity is not None:
        velocity[...] = scaled = momentum * velocity + scaled
    p -= lr * scaled


def adadelta(*columns, **options):
    _each(_adadelta, columns[:-1], columns[-1], options)


def _adadelta(p, g, square, moved, step, lr, rho, eps, weight_decay, *, maximize=False):
    step += 1
    d = _decayed(p, g, weight_decay, maximize)
    square[...] = rho * square + (1 - rho) * d * d
    delta = np.sqrt((moved + eps) / (square + eps)) * d
    moved[...] = rho * moved + (1 - rho) * delta * delta
    p -= lr * delta


def rprop(*columns, **options):
    _each(_rprop, columns[:-1], columns[-1], options)


def _rprop(p, g, before, size, step, less, more, least, most, *, maximize=False):
    step += 1
    d = -g if maximize else g
    turns = np.sign(d * before)
    size[...] = np.clip(size * np.select([turns > 0, turns < 0], [more, less], 1), least, most)
    before[...] = np.where(turns < 0, 0, d)
    p -= np.sign(before) * size


def asgd(*columns, **options):
    _each(_asgd, columns[:-1], columns[-1], options)


def _asgd(p, g, average, step, eta, mu, lr, lambd, alpha, t0, weight_decay, *, maximize=False):
    step += 1
    d = _decayed(p, g, weight_decay, maximize)
    p[...] = p * (1 - lambd * eta.item()) - eta.item() * d
    average += mu.item() * (p - average)
    eta[...] = lr / (1 + lambd * lr * step.item()) ** alpha
    mu[...] = 1 / max(1, step.item() - t0)


# ---------------------------------------------------------------------------------------------------------------
# moments.py


def adamax(*columns, **options):
    _each(_adamax, columns[:-1], columns[-1], options)


def _adamax(p, g, mean, largest, step, lr, beta1, beta2, eps, weight_decay, *, maximize=False):
    step += 1
    d = _decayed(p, g, weight_decay, maximize)
    mean[...] = beta1 * mean + (1 - beta1) * d
    largest[...] = np.maximum(beta2 * largest, np.abs(d) + eps)
    p -= lr / (1 - beta1 ** step.item()) * mean / largest


def _averaged(p, g, mean, square, lr, beta1, beta2, weight_decay, decoupled, maximize):
    """Take the decoupled weight decay, update both averages; gives the gradient."""
    if decoupled:
        p *= 1 - lr * weight_decay
    d = _decayed(p, g, 0 if decoupled else weight_decay, maximize)
    mean[...] = beta1 * mean + (1 - beta1) * d
    square[...] = beta2 * square + (1 - beta2) * d * d
    return d


def nadam(*columns, **options):
    _each(_nadam, columns[:-1], columns[-1], options)


def _nadam(p, g, mean, square, step, product, lr, beta1, beta2, eps, weight_decay, decay, *, decoupled, maximize=False):
    step += 1
    t = step.item()
    d = _averaged(p, g, mean, square, lr, beta1, beta2, weight_decay, decoupled, maximize)
    now, following = (beta1 * (1 - 0.96 ** (each * decay) / 2) for each in (t, t + 1))
    product *= now
    so_far = product.item()
    nesterov = (1 - now) / (1 - so_far) * d + following / (1 - so_far * following) * mean
    p -= lr * nesterov / (np.sqrt(square / (1 - beta2**t)) + eps)


def radam(*columns, **options):
    _each(_radam, columns[:-1], columns[-1], options)


def _radam(p, g, mean, square, step, lr, beta1, beta2, eps, weight_decay, *, decoupled, maximize=False):
    step += 1
    t = step.item()
    _averaged(p, g, mean, square, lr, beta1, beta2, weight_decay, decoupled, maximize)
    rho = 2 / (1 - beta2) - 1
    length = rho - 2 * t * beta2**t / (1 - beta2**t)
    update = mean / (1 - beta1**t)
    if length > 5:
        rectified = math.sqrt((length - 4) * (length - 2) * rho / ((rho - 4) * (rho - 2) * length))
        update = update * rectified * math.sqrt(1 - beta2**t) / (np.sqrt(square) + eps)
    p -= lr * update


# ---------------------------------------------------------------------------------------------------------------
# clipping.py


def norm(arrays, order, *, out=None):
    elements = np.concatenate([x.ravel() for x in arrays])
    return _give(np.linalg.norm(elements.astype(np.float64), order), out, elements.dtype)


def scale_to_norm(arrays, norm, most):
    factor = np.minimum(most / (norm + norm.dtype.type(1e-6)), 1)
    for x in arrays:
        x *= factor


# ---------------------------------------------------------------------------------------------------------------
# normalization.py


def _seen(sizes, x, *vectors):
    """x as (outer, batch, groups, channels, plane), vectors as what broadcasts with it; in float64."""
    groups = sizes[2]
    wide = [None if each is None else np.asarray(each, np.float64) for each in vectors]
    wide = [None if each is None else each.reshape(1, 1, groups, each.size // groups, 1) for each in wide]
    return x.astype(np.float64).reshape(sizes), *wide


def _group_means(x):
    """The mean over batch, channels and plane, which stay as axes of size 1; 0 of nothing."""
    return x.sum((1, 3, 4), keepdims=True) / max(1, x.shape[1] * x.shape[3] * x.shape[4])


def normalize(x, weight=None, bias=None, mean=None, variance=None, *, sizes, eps, centred=True, out=None):
    wide, weight, bias, mean, variance = _seen(sizes, x, weight, bias, mean, variance)
    if mean is None:
        mean = _group_means(wide) * centred
        variance = _group_means(np.square(wide - mean))
    root = 1 / np.sqrt(variance + eps)
    result = (wide - mean) * root * (1 if weight is None else weight) + (0 if bias is None else bias)
    result_out, statistics_out = (None, None) if out is None else out
    statistics = np.stack([mean.reshape(-1), root.reshape(-1)])
    return _give(result.reshape(x.shape), result_out, x.dtype), _give(statistics, statistics_out, np.float64)


def normalize_backward(g, x, weight, statistics, *, sizes, centred=True, given=False, out=(None, None, None)):
    shape = (sizes[2] * sizes[3],) if weight is None else weight.shape
    wide_x, weight = _seen(sizes, x, np.ones(shape) if weight is None else weight)
    wide_g = g.astype(np.float64).reshape(sizes)
    mean, root = statistics.reshape(2, sizes[0], 1, sizes[2], 1, 1)
    y, weighted = (wide_x - mean) * root, wide_g * weight
    pulled = 0 if given else y * _group_means(weighted * y) + _group_means(weighted) * centred
    of_vectors = [each.sum((0, 1, 4)).reshape(shape) for each in (wide_g * y, wide_g)]
    results = (root * (weighted - pulled)).reshape(x.shape), *of_vectors
    return tuple(_give(each, target, x.dtype) for each, target in zip(results, out, strict=True))


def move(mean=None, variance=None, tracked=None, *, statistics, momentum, count, eps):
    if tracked is not None:
        tracked += 1
    share = 1 / tracked.item() if tracked is not None and momentum is None else momentum
    new = statistics[0], (1 / np.square(statistics[1]) - eps) * (count / max(1, count - 1))
    for running, each in zip((mean, variance), new, strict=True):
        if running is not None and count:
            running[...] = (1 - share) * running + share * each.reshape(-1, running.size).mean(0)


# ---------------------------------------------------------------------------------------------------------------
# gather.py


def take_rows(x, indices):
    return x[indices]


def rows(x, index, *, out=None):
    return _give(x[index], out, x.dtype)


# ---------------------------------------------------------------------------------------------------------------
# scatter.py


def add_at(out, places, g):
    for a, j, b in np.ndindex(g.shape):
        out[a, places[j] if places.ndim == 1 else places[a, j, b], b] += g[a, j, b]


def add_rows(g, index, size, *, padding_idx=None, by_frequency=False, out=None):
    result = np.zeros((size, g.shape[-1]), g.dtype)
    np.add.at(result, index, g)
    if by_frequency:
        result /= np.maximum(np.bincount(index.ravel(), minlength=size), 1)[:, None].astype(g.dtype)
    if padding_idx is not None:
        result[padding_idx] = 0
    return _give(result, out, g.dtype)


# ---------------------------------------------------------------------------------------------------------------
# pooling.py


def largest(x, plan, *, out=None):
    result, codes = np.full(x.shape[:2] + plan.counts, -np.inf), np.full(x.shape[:2] + plan.counts, NOWHERE)
    for plane, window, places in _windows(x, plan):
        for place in places:
            number, best = x[plane].reshape(-1)[place], result[plane][window]
            if codes[plane][window] == NOWHERE or number > best or number != number:
                result[plane][window], codes[plane][window] = number, place
    codes = np.where(result <= 0, ~codes, codes)
    pair = (None, None) if out is None else out
    return _give(result, pair[0], x.dtype), _give(codes, pair[1], np.int32)


def largest_backward(g, codes, plan, *, positive=False, out=None):
    result = np.zeros(g.shape[:2] + plan.sizes, g.dtype)
    for plane in np.ndindex(g.shape[:2]):
        for number, code in zip(g[plane].reshape(-1), codes[plane].reshape(-1), strict=True):
            place = code if code >= 0 or positive else ~code
            if 0 <= place < result[plane].size:
                result[plane].reshape(-1)[place] += number
    return _give(result, out, g.dtype)


def take(x, codes, plan, *, out=None):
    result = np.zeros(codes.shape)
    for where in np.ndindex(codes.shape):
        plane, place = x[where[:2]].reshape(-1), max(codes[where], ~codes[where])
        result[where] = plane[place] if place < plane.size else 0
    return _give(result, out, x.dtype)


def window_sum(x, plan, divisors=None, *, out=None):
    result = np.zeros(x.shape[:2] + plan.counts)
    for plane, window, places in _windows(x, plan):
        result[plane][window] = x[plane].reshape(-1)[places].sum(dtype=np.float64)
    return _give(result if divisors is None else result / divisors, out, x.dtype)


def window_spread(x, plan, divisors=None, *, out=None):
    result = np.zeros(x.shape[:2] + plan.sizes)
    values = x if divisors is None else x / divisors
    for plane, window, places in _windows(result, plan):
        result[plane].reshape(-1)[places] += values[plane][window]
    return _give(result, out, x.dtype)


def _windows(x, plan):
    """Each plane of x, each window, and the places in the plane that it sees, in their order."""
    for plane in np.ndindex(x.shape[:2]):
        for window in np.ndindex(plan.counts):
            each = zip(plan.axes, window, strict=True)
            seen = [axis.first[i] + axis.step * np.arange(axis.seen[i]) for axis, i in each]
            yield plane, window, np.ravel_multi_index(np.ix_(*seen), plan.sizes).reshape(-1)


# ---------------------------------------------------------------------------------------------------------------
# interpolation.py


def read(x, tables):
    result = x.astype(np.float64)
    for axis, table in enumerate(tables, 2):
        result = np.moveaxis(np.moveaxis(result, axis, -1) @ matrix(table).T, -1, axis)
    return result.astype(x.dtype)


def matrix(table):
    """What a table does to an axis, as a matrix (count, size)."""
    result = np.zeros((table.count, table.size))
    for i in range(table.count):
        for entry in range(table.first[i], table.first[i + 1]):
            result[i, table.places[entry]] += table.weights[entry]
    return result


# ---------------------------------------------------------------------------------------------------------------
# gemm


def matmul(x, y, *, mask=None, out=None):
    product = np.matmul(x.astype(np.float64), y.astype(np.float64))
    return _give(product if mask is None else np.where(mask <= 0, 0, product), out, x.dtype)


def linear(x, w, b=None, *, activation=None, out=None):
    product = np.matmul(x.astype(np.float64), w.astype(np.float64).T)
    result = product if b is None else product + b
    return _give(np.where(result <= 0, 0, result) if activation == "relu" else result, out, x.dtype)


def weight_gradient(g, x, *, bias=False, out=None, bias_out=None):
    weight = _give(np.matmul(g.astype(np.float64).T, x.astype(np.float64)), out, g.dtype)
    if not bias and bias_out is None:
        return weight
    return weight, _give(g.astype(np.float64).sum(0), bias_out, g.dtype)


# ---------------------------------------------------------------------------------------------------------------
# convolution


def convolution(x, weight, bias=None, *, windows, groups=1, activation=None, mask=None, out=None):
    kernels = weight.astype(np.float64).reshape(groups, -1, *weight.shape[1:])
    result = np.zeros((groups, len(x), weight.shape[0] // groups, *windows[5]))
    padded = _padded(x, windows)
    for tap, seen in _taps_seen(padded, windows):
        result += np.einsum("ngc...,goc->gno...", _grouped(padded[(..., *seen)], groups), kernels[(..., *tap)])
    return _give(_gated(_plus(_ungrouped(result), bias), activation, mask), out, x.dtype)


def input_gradient(y, weight, bias=None, *, windows, groups=1, activation=None, mask=None, out=None):
    kernels = weight.astype(np.float64).reshape(groups, -1, *weight.shape[1:])
    shape = (len(y), weight.shape[1] * groups)
    padded = _padded(np.zeros((*shape, *windows[0])), windows)
    for tap, seen in _taps_seen(padded, windows):
        padded[(..., *seen)] += _ungrouped(np.einsum("ngo...,goc->gnc...", _grouped(y, groups), kernels[(..., *tap)]))
    inside = (slice(before, before + size) for size, before in zip(windows[0], windows[3], strict=True))
    return _give(_gated(_plus(padded[(..., *inside)], bias), activation, mask), out, y.dtype)


def convolution_weight_gradient(y, x, *, windows, groups=1, bias=False, out=None, bias_out=None):
    padded = _padded(x, windows)
    result = np.zeros((groups, y.shape[1] // groups, x.shape[1] // groups, *windows[1]))
    for tap, seen in _taps_seen(padded, windows):
        pair = _grouped(y, groups), _grouped(padded[(..., *seen)], groups)
        flat = (each.reshape(*each.shape[:3], math.prod(each.shape[3:])) for each in pair)
        result[(..., *tap)] = np.einsum("ngoi,ngci->goc", *flat)
    weight = _give(result.reshape(y.shape[1], *result.shape[2:]), out, x.dtype)
    return (weight, bias_gradient(y, out=bias_out)) if bias or bias_out is not None else weight


def bias_gradient(y, *, out=None):
    return _give(y.astype(np.float64).sum((0, *range(2, y.ndim))), out, y.dtype)


def _padded(x, windows):
    """x with zeros around it, as far as windows may see."""
    sizes, kernel, stride, before, dilation, counts = windows
    spans = zip(counts, stride, kernel, dilation, strict=True)
    ends = ((count - 1) * s + (k - 1) * d + 1 for count, s, k, d in spans)
    around = [(b, max(0, end - b - size)) for size, b, end in zip(sizes, before, ends, strict=True)]
    return np.pad(x.astype(np.float64), [(0, 0), (0, 0), *around])


def _taps_seen(padded, windows):
    """For each tap, which elements of the padded array it sees."""
    _, kernel, stride, _, dilation, counts = windows
    for tap in np.ndindex(*kernel):
        each = zip(tap, stride, dilation, counts, strict=True)
        yield tap, tuple(slice(t * d, t * d + (count - 1) * s + 1, s) for t, s, d, count in each)


def _grouped(x, groups):
    """(N, G*C, *) -> (N, G, C, *)."""
    return x.astype(np.float64).reshape(len(x), groups, x.shape[1] // groups, *x.shape[2:])


def _ungrouped(x):
    """(G, N, C, *) -> (N, G*C, *)."""
    groups, samples, channels, *rest = x.shape
    return x.swapaxes(0, 1).reshape(samples, groups * channels, *rest)


def _plus(x, bias):
    return x if bias is None else x + bias.astype(np.float64).reshape(-1, *(1,) * (x.ndim - 2))


def _gated(x, activation, mask):
    decider = x if activation == "relu" else mask
    return x if decider is None else np.where(decider <= 0, 0, x)


# ---------------------------------------------------------------------------------------------------------------
# recurrent.py


def _walk(sizes, backwards):
    """The rows of each step, in the order in which they are gone through."""
    ends = np.cumsum(sizes)
    steps = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    return steps[::-1] if backwards else steps


def recurrence(x, h, c, w_ih, w_hh, b_ih, b_hh, *, mode, sizes, backwards, out=None):
    h, c, b_ih, b_hh = (None if each is None else each.astype(np.float64) for each in (h, c, b_ih, b_hh))
    x64, w_ih64, w_hh64 = (each.astype(np.float64) for each in (x, w_ih, w_hh))
    total, samples, hidden = len(x), sizes[0], w_hh.shape[1]
    h = np.zeros((samples, hidden)) if h is None else h
    c = np.zeros((samples, hidden)) if c is None else c
    from_input = x64 @ w_ih64.T + (0 if b_ih is None else b_ih)
    output, gates, inner = np.zeros((total, hidden)), np.zeros((total, len(w_hh))), np.zeros((total, hidden))
    before = np.zeros((2, total, hidden))
    for rows in _walk(sizes, backwards):
        n = rows.stop - rows.start
        before[0, rows], before[1, rows] = h[:n], c[:n]
        from_state = h[:n] @ w_hh64.T + (0 if b_hh is None else b_hh)
        if mode == "LSTM":
            i, f, g, o = np.split(from_input[rows] + from_state, 4, 1)
            i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
            c[:n] = f * c[:n] + i * g
            inner[rows] = np.tanh(c[:n])
            h[:n] = o * inner[rows]
            gates[rows] = np.hstack((i, f, g, o))
        elif mode == "GRU":
            (x_r, x_z, x_n), (h_r, h_z, h_n) = np.split(from_input[rows], 3, 1), np.split(from_state, 3, 1)
            r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
            new, inner[rows] = np.tanh(x_n + r * h_n), h_n
            h[:n] = (1 - z) * new + z * h[:n]
            gates[rows] = np.hstack((r, z, new))
        else:
            h[:n] = (np.tanh if mode == "RNN_TANH" else relu)(from_input[rows] + from_state)
        output[rows] = h[:n]
    states = [h, c] if mode == "LSTM" else [h]
    none = np.zeros((0, 0))
    kept = (none, none) if mode.startswith("RNN") else (gates, inner)
    results = np.vstack((output, *states)), kept[0], before[: len(states)], kept[1]
    outs = (None,) * 4 if out is None else out
    return tuple(_give(each, one, x.dtype) for each, one in zip(results, outs, strict=True))


def recurrence_backward(
    g, x, w_ih, w_hh, result, gates, before, inner, *, mode, sizes, backwards, needs, out=(None,) * 7
):
    doubles = [each.astype(np.float64) for each in (g, x, w_ih, w_hh, result, gates, before, inner)]
    g, x64, w_ih64, w_hh64, result, gates, before, inner = doubles
    total, samples = len(x), sizes[0]
    for_h, for_c = g[total : total + samples].copy(), g[total + samples :].copy()
    for_sums = np.zeros((total, len(w_hh)))  # of what the input contributes
    for_others = np.zeros((total, len(w_hh)))  # of what the state contributes
    for rows in _walk(sizes, backwards)[::-1]:
        n = rows.stop - rows.start
        dh = for_h[:n] + g[rows]
        if mode == "LSTM":
            i, f, new, o = np.split(gates[rows], 4, 1)
            dc = for_c[:n] + dh * o * (1 - inner[rows] ** 2)
            parts = dc * new * i * (1 - i), dc * before[1, rows] * f * (1 - f), dc * i * (1 - new**2)
            for_sums[rows] = for_others[rows] = np.hstack((*parts, dh * inner[rows] * o * (1 - o)))
            for_c[:n], direct = dc * f, 0
        elif mode == "GRU":
            r, z, new = np.split(gates[rows], 3, 1)
            dn, dz = dh * (1 - z) * (1 - new**2), dh * (before[0, rows] - new) * z * (1 - z)
            dr = dn * inner[rows] * r * (1 - r)
            for_sums[rows], for_others[rows] = np.hstack((dr, dz, dn)), np.hstack((dr, dz, dn * r))
            direct = dh * z
        else:
            y = result[rows]
            for_sums[rows] = for_others[rows] = dh * (1 - y**2) if mode == "RNN_TANH" else np.where(y <= 0, 0, dh)
            direct = 0
        for_h[:n] = direct + for_others[rows] @ w_hh64
    gradients = (
        for_sums @ w_ih64, for_h, for_c, for_sums.T @ x64, for_others.T @ before[0], for_sums.sum(0), for_others.sum(0),
    )  # fmt: skip
    every = zip(gradients, needs, out, strict=True)
    return tuple(_give(each, one, x.dtype) if need else None for each, need, one in every)


# ---------------------------------------------------------------------------------------------------------------
# copying.py


def copy(x, *, out=None):
    return _give(x, out, x.dtype)


# ---------------------------------------------------------------------------------------------------------------
# placing.py


def place(x, begin, shape, *, out=None):
    result = np.zeros(shape, x.dtype)
    result[begin : begin + len(x)] = x
    return _give(result, out, x.dtype)
