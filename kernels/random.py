"""Random draws from a counter: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).

A block of 128 random bits is a pure function of a key and a counter, so a draw depends neither on the number of
threads nor on how the work was cut. The state of a generator is a uint64 array ``[seed, offset]``: the key, and the
counter of the first block not yet used. Every draw takes its blocks from ``offset`` on and advances ``state[1]`` in
place; the state is an array so that a recorded step draws anew each time it is replayed.

Element ``i`` of a draw comes from block ``i // k``, where k is 4 for 32-bit and 2 for 64-bit elements. The kernels
are compiled with strict floating point: the same seed gives the same bits in a vector loop and in its remainder.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import functools
import math
from typing import Any

import numba
import numpy as np

from ._jit import kernel
from ._launch import launch
from ._layout import check_out, deliver, destination, number_bits, plain
from ._scalar import float64
from ._threads import add_to_word, pool_for, spread
from .simd import address


def _strict(function=None, **options) -> Any:
    """A kernel whose floating point operations are those written, in their order."""
    return kernel(function, fastmath=False, **options)


# Numba writes these into the calling loop before LLVM sees it; a call in the loop would keep it from vectorising.
# They are never compiled on their own, so neither flags nor the cache concern them.
_inlined = numba.njit(inline="always")

# ---------------------------------------------------------------------------------------------------------------
# Philox. Every word is held in 64 bits, so that one multiplication gives both halves of a product.

_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_KEY_STEP_0 = np.uint64(0x9E3779B9)  # the golden ratio
_KEY_STEP_1 = np.uint64(0xBB67AE85)  # sqrt(3) - 1
_LOW_HALF = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ZERO = np.uint64(0)


@_inlined
def _philox(c0, c1, c2, c3, k0, k1):
    """Ten rounds on a counter of four 32-bit words under a key of two: four random words, each in a uint64."""
    for _ in range(10):
        product0 = _MULTIPLIER_0 * c0
        product1 = _MULTIPLIER_1 * c2
        c0 = (product1 >> _HALF) ^ c1 ^ k0
        c1 = product1 & _LOW_HALF
        c2 = (product0 >> _HALF) ^ c3 ^ k1
        c3 = product0 & _LOW_HALF
        k0 = (k0 + _KEY_STEP_0) & _LOW_HALF
        k1 = (k1 + _KEY_STEP_1) & _LOW_HALF
    return c0, c1, c2, c3


@_inlined
def _block(seed, counter):
    """The four random words of block ``counter`` of the generator ``seed``."""
    return _philox(counter & _LOW_HALF, counter >> _HALF, _ZERO, _ZERO, seed & _LOW_HALF, seed >> _HALF)


@_strict
def _philox_words(out, counter, key):
    words = _philox(counter[0], counter[1], counter[2], counter[3], key[0], key[1])
    for i in range(4):
        out[i] = words[i]


def philox(counter, key):
    """One block of Philox 4x32-10.  counter: (4,), key: (2,), 32-bit words -> (4,) uint32."""
    out = np.empty(4, np.uint32)
    _philox_words(out, np.array(counter, np.uint64), np.array(key, np.uint64))
    return out


# ---------------------------------------------------------------------------------------------------------------
# From words to numbers. Conversions go through int32, which every processor converts in vectors.


@_inlined
def _unit32(word):
    """24 bits as a float32 in [0, 1)."""
    return np.float32(np.int32(word >> np.uint64(8))) * np.float32(2.0**-24)


@_inlined
def _unit64(word0, word1):
    """53 bits as a float64 in [0, 1)."""
    high = np.float64(np.int32(word0 >> np.uint64(5)))  # 27 bits
    low = np.float64(np.int32(word1 >> np.uint64(6)))  # 26 bits
    return (high * 67108864.0 + low) * 2.0**-53


@_inlined
def _below(word0, word1, bound):
    """floor(w * bound / 2**64) for the 64 bits w of two words: in [0, bound), biased by at most bound / 2**64."""
    bound0 = bound & _LOW_HALF
    bound1 = bound >> _HALF
    middle = word1 * bound0 + ((word0 * bound0) >> _HALF)
    carry = word0 * bound1 + (middle & _LOW_HALF)
    return word1 * bound1 + (middle >> _HALF) + (carry >> _HALF)


# The logarithm below is e ln 2 + log m with m in [sqrt(1/2), sqrt 2), and log m = 2 artanh s with s = (m-1)/(m+1),
# |s| < 0.172: the series of artanh. Sine and cosine are their Taylor series on [-pi/4, pi/4], where they converge fast.


@_inlined
def _log32(x):
    """log(x) for a normal positive float32."""
    bits = np.float32(x).view(np.int32)
    exponent = (bits - np.int32(0x3F3504F3)) >> np.int32(23)
    mantissa = np.int32(bits - (exponent << np.int32(23))).view(np.float32)
    s = (mantissa - np.float32(1)) / (mantissa + np.float32(1))
    z = s * s
    series = np.float32(1 / 9)
    series = series * z + np.float32(1 / 7)
    series = series * z + np.float32(1 / 5)
    series = series * z + np.float32(1 / 3)
    series = series * z + np.float32(1)
    return np.float32(exponent) * np.float32(math.log(2)) + np.float32(2) * s * series


@_inlined
def _log64(x):
    """log(x) for a normal positive float64."""
    bits = np.float64(x).view(np.int64)
    exponent = (bits - np.int64(0x3FE6A09E667F3BCD)) >> np.int64(52)
    mantissa = np.int64(bits - (exponent << np.int64(52))).view(np.float64)
    s = (mantissa - 1.0) / (mantissa + 1.0)
    z = s * s
    series = 1 / 21
    series = series * z + 1 / 19
    series = series * z + 1 / 17
    series = series * z + 1 / 15
    series = series * z + 1 / 13
    series = series * z + 1 / 11
    series = series * z + 1 / 9
    series = series * z + 1 / 7
    series = series * z + 1 / 5
    series = series * z + 1 / 3
    series = series * z + 1.0
    return np.float64(np.int32(exponent)) * math.log(2) + 2.0 * s * series


@_inlined
def _sine_cosine32(x):
    """sin(x), cos(x) for a float32 in [-pi/4, pi/4]."""
    z = x * x
    sine = np.float32(1 / 362880)
    sine = sine * z - np.float32(1 / 5040)
    sine = sine * z + np.float32(1 / 120)
    sine = sine * z - np.float32(1 / 6)
    sine = sine * z + np.float32(1)
    cosine = np.float32(-1 / 3628800)
    cosine = cosine * z + np.float32(1 / 40320)
    cosine = cosine * z - np.float32(1 / 720)
    cosine = cosine * z + np.float32(1 / 24)
    cosine = cosine * z - np.float32(1 / 2)
    cosine = cosine * z + np.float32(1)
    return x * sine, cosine


@_inlined
def _sine_cosine64(x):
    """sin(x), cos(x) for a float64 in [-pi/4, pi/4]."""
    z = x * x
    sine = 1 / 355687428096000
    sine = sine * z - 1 / 1307674368000
    sine = sine * z + 1 / 6227020800
    sine = sine * z - 1 / 39916800
    sine = sine * z + 1 / 362880
    sine = sine * z - 1 / 5040
    sine = sine * z + 1 / 120
    sine = sine * z - 1 / 6
    sine = sine * z + 1.0
    cosine = -1 / 6402373705728000
    cosine = cosine * z + 1 / 20922789888000
    cosine = cosine * z - 1 / 87178291200
    cosine = cosine * z + 1 / 479001600
    cosine = cosine * z - 1 / 3628800
    cosine = cosine * z + 1 / 40320
    cosine = cosine * z - 1 / 720
    cosine = cosine * z + 1 / 24
    cosine = cosine * z - 1 / 2
    cosine = cosine * z + 1.0
    return x * sine, cosine


@_inlined
def _turned(sine, cosine, quadrant):
    """The sine and cosine of an angle moved on by ``quadrant`` right angles, 0 to 4."""
    odd = quadrant & 1 == 1
    s = cosine if odd else sine
    c = sine if odd else cosine
    s = -s if quadrant & 2 == 2 else s
    c = -c if (quadrant + 1) & 2 == 2 else c
    return s, c


@_inlined
def _normal_pair32(word0, word1):
    """Box and Muller (1958): two independent standard normals from two words, at most 6.7 in size."""
    u = (np.float32(np.int32(word0 >> np.uint64(1))) + np.float32(0.5)) * np.float32(2.0**-31)  # in (0, 1]
    radius = np.sqrt(np.float32(-2) * _log32(u))
    turns = np.float32(4) * _unit32(word1)
    quadrant = np.floor(turns + np.float32(0.5))
    sine, cosine = _sine_cosine32((turns - quadrant) * np.float32(math.pi / 2))
    sine, cosine = _turned(sine, cosine, np.int32(quadrant))
    return radius * cosine, radius * sine


@_inlined
def _normal_pair64(word0, word1, word2, word3):
    """Box and Muller (1958): two independent standard normals from four words, at most 8.6 in size."""
    radius = np.sqrt(-2.0 * _log64(1.0 - _unit64(word0, word1)))  # 1 - u is in (0, 1]
    turns = 4.0 * _unit64(word2, word3)
    quadrant = np.floor(turns + 0.5)
    sine, cosine = _sine_cosine64((turns - quadrant) * (math.pi / 2))
    sine, cosine = _turned(sine, cosine, np.int32(quadrant))
    return radius * cosine, radius * sine


# ---------------------------------------------------------------------------------------------------------------
# The state.


@_strict
def _advance(state, blocks, used):
    """Advance the state by ``blocks``; ``used`` becomes what it was. Threads that do so at once take other blocks."""
    used[0] = state[0]
    used[1] = np.uint64(add_to_word(address(state[1:]), 0, np.int64(blocks)))  # wraps at 2**64


# ---------------------------------------------------------------------------------------------------------------
# The loops. Each fills ``out``, whose size is a multiple of a block's elements, from block ``state[1] + start`` on.


@_strict
def _uniform32(out, state, start, low, span, largest):
    seed, first = state[0], state[1] + np.uint64(start)
    for i in range(out.size // 4):
        a, b, c, d = _block(seed, first + np.uint64(i))
        out[4 * i] = min(low + span * _unit32(a), largest)
        out[4 * i + 1] = min(low + span * _unit32(b), largest)
        out[4 * i + 2] = min(low + span * _unit32(c), largest)
        out[4 * i + 3] = min(low + span * _unit32(d), largest)


@_strict
def _uniform64(out, state, start, low, span, largest):
    seed, first = state[0], state[1] + np.uint64(start)
    for i in range(out.size // 2):
        a, b, c, d = _block(seed, first + np.uint64(i))
        out[2 * i] = min(low + span * _unit64(a, b), largest)
        out[2 * i + 1] = min(low + span * _unit64(c, d), largest)


@_strict
def _normal32(out, state, start, mean, std):
    seed, first = state[0], state[1] + np.uint64(start)
    for i in range(out.size // 4):
        a, b, c, d = _block(seed, first + np.uint64(i))
        x0, x1 = _normal_pair32(a, b)
        x2, x3 = _normal_pair32(c, d)
        out[4 * i] = mean + std * x0
        out[4 * i + 1] = mean + std * x1
        out[4 * i + 2] = mean + std * x2
        out[4 * i + 3] = mean + std * x3


@_strict
def _normal64(out, state, start, mean, std):
    seed, first = state[0], state[1] + np.uint64(start)
    for i in range(out.size // 2):
        a, b, c, d = _block(seed, first + np.uint64(i))
        x0, x1 = _normal_pair64(a, b, c, d)
        out[2 * i] = mean + std * x0
        out[2 * i + 1] = mean + std * x1


@_strict
def _integers(out, state, start, low, count):
    seed, first = state[0], state[1] + np.uint64(start)
    for i in range(out.size // 2):
        a, b, c, d = _block(seed, first + np.uint64(i))
        out[2 * i] = low + np.int64(_below(a, b, count))
        out[2 * i + 1] = low + np.int64(_below(c, d, count))


@_strict
def _permutation(out, picks, state):
    """Fisher and Yates, inside out: element i goes to the end, then changes places with a pick among 0 ... i."""
    seed, first = state[0], state[1]
    for i in range(picks.size // 2):
        a, b, c, d = _block(seed, first + np.uint64(i))
        picks[2 * i] = _below(a, b, np.uint64(2 * i + 1))
        picks[2 * i + 1] = _below(c, d, np.uint64(2 * i + 2))
    for i in range(out.size):
        out[i] = out[picks[i]]
        out[picks[i]] = i


@_strict
def _bernoulli32(out, state, start, p):
    seed, first = state[0], state[1] + np.uint64(start)
    for i in range(out.size // 4):
        a, b, c, d = _block(seed, first + np.uint64(i))
        out[4 * i] = _unit32(a) < p[4 * i]
        out[4 * i + 1] = _unit32(b) < p[4 * i + 1]
        out[4 * i + 2] = _unit32(c) < p[4 * i + 2]
        out[4 * i + 3] = _unit32(d) < p[4 * i + 3]


@_strict
def _bernoulli64(out, state, start, p):
    seed, first = state[0], state[1] + np.uint64(start)
    for i in range(out.size // 2):
        a, b, c, d = _block(seed, first + np.uint64(i))
        out[2 * i] = _unit64(a, b) < p[2 * i]
        out[2 * i + 1] = _unit64(c, d) < p[2 * i + 1]


@_strict
def _kept(out, x, seed, first, threshold, scale):
    """An element is kept, and scaled, where its 32-bit word is at least ``threshold``; elsewhere it is times 0.

    ``first`` is the block of the first four elements. The last block may have fewer.
    """
    zero = out.dtype.type(0)
    blocks = out.size // 4
    for i in range(blocks):
        a, b, c, d = _block(seed, first + np.uint64(i))
        out[4 * i] = x[4 * i] * (scale if a >= threshold else zero)
        out[4 * i + 1] = x[4 * i + 1] * (scale if b >= threshold else zero)
        out[4 * i + 2] = x[4 * i + 2] * (scale if c >= threshold else zero)
        out[4 * i + 3] = x[4 * i + 3] * (scale if d >= threshold else zero)
    words = _block(seed, first + np.uint64(blocks))
    for i in range(4 * blocks, out.size):
        out[i] = x[i] * (scale if words[i % 4] >= threshold else zero)


_PART = 1 << 12  # elements that one thread takes at a time
_PARALLEL = 1 << 14  # below, one thread is sooner done


@_strict
def _kept_part(part, out, x, used, threshold, scale):
    start, stop = part * _PART, min((part + 1) * _PART, out.size)
    _kept(out[start:stop], x[start:stop], used[0], used[1] + np.uint64(start // 4), threshold, scale)


@_strict
def _dropout(pool, x, threshold, scale, used, out):
    """Drop what the state ``used`` says; ``scale`` is given by its bits, as a float64."""
    factor = out.dtype.type(float64(scale))
    spread(pool, _kept_part, (out.size + _PART - 1) // _PART, (out, x, used, np.uint64(threshold), factor))


@_strict
def _draw_dropout(pool, x, threshold, scale, state, out, used):
    """Take the blocks that dropout needs from the state, which is then ``used``, and drop."""
    _advance(state, (out.size + 3) // 4, used)
    _dropout(pool, x, threshold, scale, used, out)


# ---------------------------------------------------------------------------------------------------------------
# The functions. Each takes its blocks from the state first, so that two threads never draw the same ones.


def _take(state, blocks):
    """A copy of ``state`` as it was, after advancing it by ``blocks``."""
    used = np.empty_like(state)
    _advance(state, blocks, used)
    return used


def _blocks(elements, per_block):
    return (elements + per_block - 1) // per_block


def _result(out, shape, dtype):
    """``out`` if one was given, of this shape and dtype, else a new array."""
    if out is None:
        return np.empty(shape, dtype)
    check_out(out, tuple(shape), dtype)
    return out


def _fill(loop, out, used, per_block, *arguments):
    """Fill ``out``, of any layout, by ``loop``. Arrays among the arguments are flat and of the size of ``out``."""
    if not out.flags.carray:
        plain_out = np.empty(out.shape, out.dtype)
        _fill(loop, plain_out, used, per_block, *arguments)
        out[...] = plain_out
        return
    flat = out.ravel()
    rest = flat.size % per_block
    if rest == 0:
        loop(flat, used, 0, *arguments)
        return
    whole = flat.size - rest
    loop(flat[:whole], used, 0, *_each_array(arguments, lambda x: x[:whole]))
    # The last block is drawn whole, and as much of it kept as there is room for.
    last = np.empty(per_block, flat.dtype)
    padding = np.zeros(per_block - rest, flat.dtype)
    loop(last, used, whole // per_block, *_each_array(arguments, lambda x: np.concatenate([x[whole:], padding])))
    flat[whole:] = last[:rest]


def _each_array(arguments, change):
    return [change(argument) if isinstance(argument, np.ndarray) else argument for argument in arguments]


def _float_dtype(dtype):
    dtype = np.dtype(dtype)
    if dtype != np.float32 and dtype != np.float64:
        raise TypeError(f"expected dtype float32 or float64, got {dtype}")
    return dtype


@functools.lru_cache(maxsize=64)
def _interval(low, high, dtype):
    """low, high - low, and the largest number below high, in ``dtype``."""
    if not low <= high:
        raise RuntimeError(f"uniform expects low <= high, got low={low} and high={high}")
    if not float(high) - float(low) <= float(np.finfo(dtype).max):
        raise RuntimeError(f"uniform expects high - low to be finite in {dtype}, got low={low} and high={high}")
    low, high = dtype.type(low), dtype.type(high)
    return low, high - low, np.nextafter(high, low)


def uniform(shape, dtype, state, *, low=0.0, high=1.0, out=None):
    """Uniform draws in [low, high): 24 random bits for float32, 53 for float64.  -> shape.

    RuntimeError: low > high, or an interval wider than the dtype holds.
    """
    dtype = _float_dtype(dtype)
    low, span, largest = _interval(low, high, dtype)
    y = _result(out, shape, dtype)
    per_block = 16 // dtype.itemsize
    used = _take(state, _blocks(y.size, per_block))
    _fill(_uniform32 if per_block == 4 else _uniform64, y, used, per_block, low, span, largest)
    return y


def normal(shape, dtype, state, *, mean=0.0, std=1.0, out=None):
    """Normal draws: mean + std * sqrt(-2 ln u1) * (cos, sin)(2 pi u2) (Box and Muller, 1958), always finite.  -> shape.

    RuntimeError: std < 0.
    """
    dtype = _float_dtype(dtype)
    if not std >= 0.0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    y = _result(out, shape, dtype)
    per_block = 16 // dtype.itemsize
    used = _take(state, _blocks(y.size, per_block))
    _fill(_normal32 if per_block == 4 else _normal64, y, used, per_block, dtype.type(mean), dtype.type(std))
    return y


def integers(shape, state, low, high, *, out=None):
    """Integers in [low, high).  -> shape, int64.

    By multiply-shift on 64 bits: no probability is off by more than (high - low) / 2**64 of itself.
    RuntimeError: low >= high, or a bound outside int64.
    """
    low, high = int(low), int(high)
    if low >= high:
        raise RuntimeError(f"integers expects low < high, got low={low} >= high={high}")
    if low < -(2**63) or high > 2**63:
        raise RuntimeError(f"integers expects bounds that fit int64, got low={low} and high={high}")
    y = _result(out, shape, np.dtype(np.int64))
    used = _take(state, _blocks(y.size, 2))
    _fill(_integers, y, used, 2, np.int64(low), np.uint64(high - low))
    return y


def permutation(n, state):
    """A random order of 0 ... n-1 (Fisher and Yates).  -> (n,) int64."""
    blocks = _blocks(n, 2)
    out = np.empty(n, np.int64)
    _permutation(out, np.empty(2 * blocks, np.int64), _take(state, blocks))
    return out


def bernoulli(p, state, *, out=None):
    """1 with probability p, else 0, for each element of p in [0, 1].  p: (*) float -> (*), the same dtype."""
    p = plain(p, "p")
    y = _result(out, p.shape, p.dtype)
    per_block = 16 // p.itemsize
    used = _take(state, _blocks(y.size, per_block))
    _fill(_bernoulli32 if per_block == 4 else _bernoulli64, y, used, per_block, p.ravel())
    return y


@functools.lru_cache(maxsize=64)
def _dropout_numbers(p):
    """The word below which an element is dropped, and the factor of the others, by the bits of a float64."""
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    return round(p * 2**32), number_bits(1.0 / (1.0 - p) if p < 1.0 else 0.0)


def dropout(x, p, state, *, out=None):
    """Set each element to 0 with probability p and scale the others by 1 / (1 - p).  x: (*) -> (*), used.

    ``used`` is the state before the draw; `dropout_backward` finds the same elements from it, so no mask is kept.
    ``out`` is a pair of arrays for both. A dropped NaN or infinity is NaN, as in PyTorch.
    ValueError: p outside [0, 1].
    """
    x = plain(x)
    numbers = _dropout_numbers(p)
    own, own_used = (None, None) if out is None else out
    y, used = destination(own, x.shape, x.dtype), destination(own_used, state.shape, state.dtype, "used")
    launch(_draw_dropout, pool_for(x.size, _PARALLEL), x.ravel(), *numbers, state, y.ravel(), used)
    return deliver(y, own), deliver(used, own_used)


def dropout_backward(g, p, used, *, out=None):
    """The gradient of `dropout` for the elements it dropped when its state was ``used``.  g: (*) -> (*)."""
    g = plain(g, "g")
    numbers = _dropout_numbers(p)
    dx = destination(out, g.shape, g.dtype)
    launch(_dropout, pool_for(g.size, _PARALLEL), g.ravel(), *numbers, used, dx.ravel())
    return deliver(dx, out)
