"""Normalisation by the mean and the variance of groups of elements, and its gradients, on float32 and float64 arrays.

One form serves batch, layer, group, instance and root-mean-square normalisation: an array is seen as
(outer, batch, groups, channels, plane). Statistics are over batch, channels and plane: there is a mean and a variance
for each of (outer, groups). The weight and the bias are (groups, channels). So batch normalisation of (N, C, H, W) is
one of (1, N, C, 1, H W), in C groups; layer normalisation of (N, D) is one of (N, 1, 1, D, 1), in N groups; and group
normalisation of (N, C, H, W) is one of (N, 1, G, C / G, H W), in N G groups. Where batch is not 1, outer and channels
are.

``statistics`` (2, outer * groups) float64 are the means and 1 / sqrt(variance + eps). Means are subtracted in two
parts, the mean rounded to the type of the array and the rest, so that a large mean costs no accuracy.
"""

import math

import numpy as np

from . import vecmath
from ._jit import inlined, kernel, merged
from ._launch import launch, not_in_a_program
from ._layout import FLOAT32, FLOAT64, INT64, check_same, deliver, destination, number_bits, plain
from ._scalar import float64
from ._threads import pool_for, spread
from .reduce import total

# What normalises: the array's own mean and variance, its own mean square about 0, or a mean and a variance given.
_OWN, _ABOUT_ZERO, _GIVEN = 0, 1, 2

_NOTHING = {dtype: np.empty(0, dtype) for dtype in (FLOAT32, FLOAT64, INT64)}
_BY_COUNT = number_bits(math.nan)  # as a momentum


def normalize(x, weight=None, bias=None, mean=None, variance=None, *, sizes, eps, centred=True, out=None):
    """(x - mean) / sqrt(variance + eps) weight + bias, and the statistics that its backward needs.

    x: any shape, seen as ``sizes``; weight, bias: (groups, channels), in any shape -> that of x; (2, outer * groups).
    The mean and variance are x's own unless they are given, (groups,), which is for outer 1; with ``centred=False`` the
    mean is 0. ``out`` is the pair of arrays to write to.
    """
    x = plain(x)
    result_out, statistics_out = (None, None) if out is None else out
    result = destination(result_out, x.shape, x.dtype)
    statistics = destination(statistics_out, (2, sizes[0] * sizes[2]), FLOAT64, "statistics")
    vectors = [_vector(each, x.dtype) for each in (weight, bias, mean, variance)]
    mode = _mode(centred, mean is not None)
    flat, flat_result = x.reshape(-1), result.reshape(-1)
    launch(_normalize, pool_for(x.size), flat, *vectors, number_bits(eps), *sizes, mode, flat_result, statistics)
    return (result, statistics) if out is None else (deliver(result, result_out), deliver(statistics, statistics_out))


def normalize_backward(g, x, weight, statistics, *, sizes, centred=True, given=False, out=(None, None, None)):
    """The gradients of normalize for x, weight and bias, from g, that of the result.

    g, x: one shape -> that shape, and twice that of ``weight``, which is (groups * channels,) if it is None. Where the
    mean and the variance were ``given``, they do not vary with x. Scratch memory: up to `_MOST_PARTS` times the two
    last gradients, in float64.
    """
    g, x = plain(g, "g"), plain(x)
    check_same(g, x, ("g", "x"))
    shape = (sizes[2] * sizes[3],) if weight is None else weight.shape
    targets = [destination(each, like, x.dtype) for each, like in zip(out, (x.shape, shape, shape), strict=True)]
    flat = [each.reshape(-1) for each in (g, x, _vector(weight, x.dtype))]
    flat_targets = [each.reshape(-1) for each in targets]
    launch(_backward, pool_for(2 * x.size), *flat, statistics, *sizes, _mode(centred, given), *flat_targets)
    return tuple(map(deliver, targets, out))


def _vector(values, dtype):
    """Values as a flat array, which is empty where there are none."""
    return _NOTHING[dtype] if values is None else plain(values).reshape(-1)


def _mode(centred, given):
    if given:
        return _GIVEN
    return _OWN if centred else _ABOUT_ZERO


def move(mean=None, variance=None, tracked=None, *, statistics, momentum, count, eps):
    """Move a running mean and variance, (C,), by ``momentum`` towards those of a batch; count it in ``tracked``, ().

    Each of them may be None, and they are changed in place. Of statistics (2, outer * C) the mean over outer is taken;
    the variance is over the ``count`` of elements less 1; where there were no elements, nothing moves. Momentum None
    means 1 / tracked: then a running mean is that of all batches.
    """
    if momentum is None and tracked is None:
        raise TypeError("expected a number for momentum, got None")
    targets = mean, variance, tracked
    dtypes = FLOAT64, FLOAT64, INT64
    flat = [_NOTHING[like] if each is None else _flat(each) for each, like in zip(targets, dtypes, strict=True)]
    bits = _BY_COUNT if momentum is None else number_bits(float(momentum))
    launch(_move, *flat, statistics, bits, count, number_bits(eps))
    for result, target in zip(flat, targets, strict=True):
        if target is not None and not target.flags.carray:
            target[...] = result.reshape(target.shape)


def _flat(values):
    """Values in one row: where they lie, if they are plain, else a copy."""
    if not values.flags.carray:
        not_in_a_program("running statistics are not plain: they are copied")
        values = np.array(values, order="C")
    return values.reshape(-1)


# ---------------------------------------------------------------------------------------------------------------
# The compiled loops, over flat arrays; pieces are given by their bounds, made unsigned (see reduce.py).
#
# Groups are in turn (outer, groups). A part of the work is some of them, and the number of parts depends on the sizes
# alone. Where a group is many short rows (batch normalisation of few elements a channel), vectors run across the
# channels instead, below.

_MOST_PARTS = 32
_PART = 1 << 14  # elements; parts are not smaller than that, where there are so many
_BLOCK = 2048  # elements of which the mean and the squares are taken while they are in the nearest cache
_ROWS = 32  # that are added up in their own dtype before the sum goes on in float64
_SHORT = 64  # elements of a plane below which vectors run across channels
_WIDTH = 256  # columns, or one channel, that one thread takes at a time


@inlined
def _parts(elements, groups):
    return max(1, min(min(groups, _MOST_PARTS), elements // _PART))


@inlined
def _in_order_of_memory(outer, batch, mode):
    """Outer and batch such that groups need not be gathered over the batch, where they have no sums to wait for."""
    return (batch, outer) if mode == _GIVEN else (outer, batch)


@inlined
def _whole(values, count, number):
    """The values, or where there are none as many as needed of one number."""
    return values if values.size else np.full(count, values.dtype.type(number), values.dtype)


@inlined
def _is_in_columns(outer, channels, plane):
    return outer == 1 and channels == 1 and plane < _SHORT


@inlined
def _strips(groups, plane):
    """How many groups there are in a strip of columns, and how many strips."""
    together = max(1, _WIDTH // max(1, plane))
    return together, (groups + together - 1) // together


@kernel
def _normalize(
    pool, x, weight, bias, mean, variance, eps, outer, batch, groups, channels, plane, mode, out, statistics
):
    eps = float64(eps)
    weight, bias = _whole(weight, groups * channels, 1), _whole(bias, groups * channels, 0)
    if mode == _GIVEN:
        for i in range(groups):
            statistics[0, i] = mean[i]
            statistics[1, i] = 1 / math.sqrt(np.float64(variance[i]) + eps)
    if _is_in_columns(outer, channels, plane):
        together, strips = _strips(groups, plane)
        arguments = (x, weight, bias, eps, batch, groups, plane, together, mode, out, statistics)
        spread(pool, _normalize_strip, strips, arguments)
    else:
        outer, batch = _in_order_of_memory(outer, batch, mode)
        parts = _parts(x.size, outer * groups)
        sizes = (outer, batch, groups, channels, plane)
        spread(pool, _normalize_part, parts, (parts, x, weight, bias, eps, sizes, mode, out, statistics))


@kernel
def _backward(pool, g, x, weight, statistics, outer, batch, groups, channels, plane, mode, out, weight_out, bias_out):
    count = groups * channels
    weight = _whole(weight, count, 1)
    if _is_in_columns(outer, channels, plane):
        together, strips = _strips(groups, plane)
        arguments = (g, x, weight, statistics, batch, groups, plane, together, mode, out, weight_out, bias_out)
        spread(pool, _backward_strip, strips, arguments)
        return
    outer, batch = _in_order_of_memory(outer, batch, mode)
    parts = _parts(x.size, outer * groups)
    sums = np.zeros((parts, 2, count))
    sizes = (outer, batch, groups, channels, plane)
    spread(pool, _backward_part, parts, (parts, g, x, weight, statistics, sizes, mode, out, sums))
    for part in range(1, parts):
        sums[0] += sums[part]
    for i in range(count):
        weight_out[i] = sums[0, 0, i]
        bias_out[i] = sums[0, 1, i]


# --- groups --------------------------------------------------------------------------------------------------------


@inlined
def _normalize_part(part, parts, x, weight, bias, eps, sizes, mode, out, statistics):
    vecmath.prefer_wide_vectors()
    outer, batch, groups, channels, plane = sizes
    length = channels * plane
    for group in range(part * outer * groups // parts, (part + 1) * outer * groups // parts):
        start, step = (group // groups * batch * groups + group % groups) * length, groups * length
        if mode != _GIVEN:
            _measure(x, start, step, batch, length, eps, mode, statistics, group)
        centre, rest, root = _statistics_of(group, statistics, x)
        channel = group % groups * channels
        for row in range(batch):
            begin = start + row * step
            if plane == 1:
                scale, shift = x.dtype.type(root), x.dtype.type(-rest * root)
                _map_features(x, begin, centre, scale, shift, weight, bias, channel, channels, out)
            else:
                for i in range(channels):
                    scale = root * weight[channel + i]
                    shift = bias[channel + i] - rest * scale
                    _map_plane(x, begin + i * plane, plane, centre, x.dtype.type(scale), x.dtype.type(shift), out)


@inlined
def _statistics_of(group, statistics, x):
    """The mean as a number of x's type and what is left of it, and the root; given ones are the same for all outer."""
    column = group % statistics.shape[1]
    centre = x.dtype.type(statistics[0, column])
    return centre, statistics[0, column] - centre, statistics[1, column]


@inlined
def _measure(x, start, step, batch, length, eps, mode, statistics, group):
    """Set the statistics of a group: ``batch`` pieces of ``length`` elements, from start, start + step, ... on."""
    count, mean, squares = 0, 0.0, 0.0
    for row in range(batch):
        begin = start + row * step
        for first in range(begin, begin + length, _BLOCK):
            stop = min(first + _BLOCK, begin + length)
            size = stop - first
            centre = x.dtype.type(0 if mode == _ABOUT_ZERO else total(x, first, stop) / size)
            moment, square = _moments(x, first, stop, centre)
            if mode == _ABOUT_ZERO:
                squares += square
                continue
            # Of the block, and of all so far: Chan, Golub, LeVeque, 1979.
            moment /= size
            share, distance = size / (count + size), centre + moment - mean
            squares += square - moment * moment * size + distance * distance * share * count
            mean += distance * share
            count += size
    statistics[0, group] = mean
    statistics[1, group] = 1 / math.sqrt(squares / max(1, batch * length) + eps)


@inlined
def _moments(x, start, stop, centre):
    """The sums of x - centre, and of its square, in float64 of sums in the dtype."""
    moment = square = x.dtype.type(0)
    for i in range(np.uint64(start), np.uint64(stop)):
        distance = x[i] - centre
        moment += distance
        square += distance * distance
    return np.float64(moment), np.float64(square)


@inlined
def _map_plane(x, start, size, centre, scale, shift, out):
    for i in range(np.uint64(start), np.uint64(start + size)):
        out[i] = (x[i] - centre) * scale + shift


@inlined
def _map_features(x, start, centre, scale, shift, weight, bias, channel, channels, out):
    first, of_weight = np.uint64(start), np.uint64(channel)
    for i in range(np.uint64(channels)):
        normal = (x[first + i] - centre) * scale + shift
        out[first + i] = normal * weight[of_weight + i] + bias[of_weight + i]


@inlined
def _backward_part(part, parts, g, x, weight, statistics, sizes, mode, out, sums):
    vecmath.prefer_wide_vectors()
    outer, batch, groups, channels, plane = sizes
    length = channels * plane
    few = np.zeros((2, groups * channels if plane == 1 else 0), x.dtype)  # of some rows
    first, last = part * outer * groups // parts, (part + 1) * outer * groups // parts
    for group in range(first, last):
        start, step = (group // groups * batch * groups + group % groups) * length, groups * length
        centre, rest, root = _statistics_of(group, statistics, x)
        channel = group % groups * channels
        if plane == 1:
            scale, shift = x.dtype.type(root), x.dtype.type(-rest * root)
            total_g, total_gx = _feature_sums(g, x, start, centre, rest, root, weight, channel, channels)
            _add_features(g, x, start, centre, scale, shift, channel, channels, few)
            if group % _ROWS == 0 or group == last - 1:
                _add_up(few, sums[part])
        else:
            total_g = total_gx = 0.0
            for i in range(channels):
                of_g, of_gx = _plane_sums(g, x, start + i * plane, step, batch, plane, centre)
                of_gx = (of_gx - rest * of_g) * root
                sums[part, 0, channel + i] += of_gx
                sums[part, 1, channel + i] += of_g
                total_g += of_g * weight[channel + i]
                total_gx += of_gx * weight[channel + i]
        slope, shift = _pull(mode, root, rest, total_g, total_gx, batch * length)
        slope, shift = x.dtype.type(slope), x.dtype.type(shift)
        for row in range(batch):
            begin = start + row * step
            if plane == 1:
                _pull_features(g, x, begin, centre, x.dtype.type(root), slope, shift, weight, channel, channels, out)
            else:
                for i in range(channels):
                    scale = x.dtype.type(root * weight[channel + i])
                    _pull_plane(g, x, begin + i * plane, plane, centre, scale, slope, shift, out)


@inlined
def _pull(mode, root, rest, of_g, of_gx, count):
    """What the mean and the variance of a group give to its gradient: slope (x - centre) + shift.

    With y = (x - mean) root that gradient is root (weight g - mean(weight g) - y mean(weight g y)); ``of_g`` and
    ``of_gx`` are the sums of weight g and of weight g y.
    """
    slope = 0.0 if mode == _GIVEN else -root * root * of_gx / count
    return slope, (-root * of_g / count if mode == _OWN else 0.0) - rest * slope


@inlined
def _plane_sums(g, x, start, step, batch, plane, centre):
    """The sums of g and of g (x - centre) over the planes of one channel."""
    of_g = of_gx = 0.0
    for row in range(batch):
        begin = start + row * step
        for first in range(begin, begin + plane, _BLOCK):
            stop = min(first + _BLOCK, begin + plane)
            in_g = in_gx = x.dtype.type(0)
            for i in range(np.uint64(first), np.uint64(stop)):
                in_g += g[i]
                in_gx += g[i] * (x[i] - centre)
            of_g += in_g
            of_gx += in_gx
    return of_g, of_gx


@inlined
def _feature_sums(g, x, start, centre, rest, root, weight, channel, channels):
    """The sums of weight g and of weight g y over one row."""
    of_g = of_gx = 0.0
    for begin in range(0, channels, _BLOCK):
        first, of_weight = np.uint64(start + begin), np.uint64(channel + begin)
        in_g = in_gx = x.dtype.type(0)
        for i in range(np.uint64(min(_BLOCK, channels - begin))):
            weighted = g[first + i] * weight[of_weight + i]
            in_g += weighted
            in_gx += weighted * (x[first + i] - centre)
        of_g += in_g
        of_gx += in_gx
    return of_g, (of_gx - rest * of_g) * root


@inlined
def _add_features(g, x, start, centre, scale, shift, channel, channels, few):
    """Add what a row gives to the gradients of the weight and the bias."""
    first, of_weight = np.uint64(start), np.uint64(channel)
    weight_sums, bias_sums = few[0], few[1]
    for i in range(np.uint64(channels)):
        weight_sums[of_weight + i] += g[first + i] * ((x[first + i] - centre) * scale + shift)
    for i in range(np.uint64(channels)):
        bias_sums[of_weight + i] += g[first + i]


@inlined
def _add_up(few, sums):
    """Add the sums of some rows to those of all, and begin again."""
    for k in range(2):
        for i in range(few.shape[1]):
            sums[k, i] += few[k, i]
            few[k, i] = 0


@inlined
def _pull_plane(g, x, start, size, centre, scale, slope, shift, out):
    for i in range(np.uint64(start), np.uint64(start + size)):
        out[i] = g[i] * scale + ((x[i] - centre) * slope + shift)


@inlined
def _pull_features(g, x, start, centre, root, slope, shift, weight, channel, channels, out):
    first, of_weight = np.uint64(start), np.uint64(channel)
    for i in range(np.uint64(channels)):
        out[first + i] = g[first + i] * weight[of_weight + i] * root + ((x[first + i] - centre) * slope + shift)


# --- columns -------------------------------------------------------------------------------------------------------
# An array (batch, groups, plane) as rows of (groups * plane): each group is some columns, and a strip some groups. What
# is the same for all rows is kept for each column.


@inlined
def _normalize_strip(strip, x, weight, bias, eps, batch, groups, plane, together, mode, out, statistics):
    vecmath.prefer_wide_vectors()
    first, last = strip * together, min((strip + 1) * together, groups)
    start, step, width = first * plane, groups * plane, (last - first) * plane
    columns = np.zeros((3, width), x.dtype)
    centres, scales, shifts = columns[0], columns[1], columns[2]
    if mode != _GIVEN:
        _measure_strip(x, start, step, batch, plane, eps, mode, statistics, first, last, centres)
    for group in range(first, last):
        centre, rest, root = _statistics_of(group, statistics, x)
        scale = root * weight[group]
        for i in range((group - first) * plane, (group - first + 1) * plane):
            centres[i] = centre
            scales[i] = scale
            shifts[i] = bias[group] - rest * scale
    for row in range(batch):
        begin = np.uint64(start + row * step)
        for i in range(np.uint64(width)):
            out[begin + i] = (x[begin + i] - centres[i]) * scales[i] + shifts[i]


@inlined
def _measure_strip(x, start, step, batch, plane, eps, mode, statistics, first, last, centres):
    """Set the statistics of some groups; the centres are 0, and are changed."""
    count = max(1, batch * plane)
    for _ in range(2):  # about 0 at first, then about the mean that gives
        sums = _column_sums(_add_moments, x, x, start, step, batch, centres)
        for group in range(first, last):
            columns = slice((group - first) * plane, (group - first + 1) * plane)
            moment, square = sums[0, columns].sum() / count, sums[1, columns].sum() / count
            moment = 0.0 if mode == _ABOUT_ZERO else moment
            mean = (centres[columns.start] if plane else 0.0) + moment
            statistics[0, group], statistics[1, group] = mean, 1 / math.sqrt(square - moment * moment + eps)
            centres[columns] = x.dtype.type(mean)


@merged
def _column_sums(add, g, x, start, step, batch, centres):
    """What ``add`` adds up over all rows, for each column: (2, columns) float64."""
    sums, few = np.zeros((2, centres.size)), np.zeros((2, centres.size), x.dtype)
    for row in range(batch):
        add(g, x, start + row * step, centres, few)
        if row % _ROWS == 0 or row == batch - 1:
            _add_up(few, sums)
    return sums


@inlined
def _add_moments(_, x, start, centres, sums):
    """Add x - centre, and its square."""
    first, moments, squares = np.uint64(start), sums[0], sums[1]
    for i in range(np.uint64(centres.size)):
        distance = x[first + i] - centres[i]
        moments[i] += distance
        squares[i] += distance * distance


@inlined
def _add_products(g, x, start, centres, sums):
    """Add g, and g (x - centre)."""
    first, of_g, of_gx = np.uint64(start), sums[0], sums[1]
    for i in range(np.uint64(centres.size)):
        of_g[i] += g[first + i]
        of_gx[i] += g[first + i] * (x[first + i] - centres[i])


@inlined
def _backward_strip(strip, g, x, weight, statistics, batch, groups, plane, together, mode, out, weight_out, bias_out):
    vecmath.prefer_wide_vectors()
    first, last = strip * together, min((strip + 1) * together, groups)
    start, step, width = first * plane, groups * plane, (last - first) * plane
    columns = np.zeros((4, width), x.dtype)
    centres, scales, slopes, shifts = columns[0], columns[1], columns[2], columns[3]
    for i in range(width):
        centres[i] = statistics[0, first + i // plane]
    sums = _column_sums(_add_products, g, x, start, step, batch, centres)
    for group in range(first, last):
        own = slice((group - first) * plane, (group - first + 1) * plane)
        _, rest, root = _statistics_of(group, statistics, x)
        of_g = sums[0, own].sum()
        of_gx = (sums[1, own].sum() - rest * of_g) * root
        weight_out[group], bias_out[group] = of_gx, of_g
        slope, shift = _pull(mode, root, rest, weight[group] * of_g, weight[group] * of_gx, batch * plane)
        scales[own], slopes[own], shifts[own] = root * weight[group], slope, shift
    for row in range(batch):
        begin = np.uint64(start + row * step)
        for i in range(np.uint64(width)):
            out[begin + i] = g[begin + i] * scales[i] + ((x[begin + i] - centres[i]) * slopes[i] + shifts[i])


# --- running statistics --------------------------------------------------------------------------------------------


@kernel
def _move(mean, variance, tracked, statistics, momentum, count, eps):
    eps, share, size = float64(eps), float64(momentum), max(1, max(mean.size, variance.size))
    outer = statistics.shape[1] // size
    for i in range(tracked.size):
        tracked[i] += 1
        share = 1 / tracked[i] if share != share else share
    if count == 0:
        return
    for i in range(mean.size):
        new = 0.0
        for k in range(i, outer * size, size):
            new += statistics[0, k]
        mean[i] = (1 - share) * mean[i] + share * (new / outer)
    for i in range(variance.size):
        new = 0.0
        for k in range(i, outer * size, size):
            new += (1 / statistics[1, k]) ** 2 - eps
        variance[i] = (1 - share) * variance[i] + share * (new / outer * count / max(1, count - 1))
