"""Reductions, and what runs along an axis."""

import numpy as np
from hypothesis import strategies as st

from tinygrad_fr.kernels import reference
from tinygrad_fr.ops import class_loss

from .. import strategies as draws
from .record import OpSpec, at_least, axis, constant, drawn


def dims_of(dim, ndim):
    return tuple(range(ndim)) if dim in (None, ()) or ndim == 0 else dim


def reduced(function):
    """A twin of a reduction, from NumPy's function."""

    def twin(x, dim=None, keepdim=False):
        return np.asarray(function(x, axis=dims_of(dim, x.ndim), keepdims=keepdim))

    return twin


def _mean(x, dim=None, keepdim=False):
    total = reduced(np.sum)(x, dim, keepdim)
    count = x.size // total.size if total.size else 1
    return total / np.asarray(count, x.dtype)


def _prod(x, dim=None, keepdim=False):
    return np.asarray(np.prod(x, axis=dim if x.ndim else None, keepdims=keepdim and dim is not None))


def _logsumexp(x, dim, keepdim):
    return np.asarray(np.logaddexp.reduce(x, axis=dims_of(dim, x.ndim), keepdims=keepdim)) if x.ndim else x


def _flat_argument(function):
    def twin(x, dim=None, keepdim=False):
        if x.ndim == 0:
            return np.zeros((), np.int64)
        return np.asarray(function(x, axis=dim, keepdims=keepdim))

    return twin


def with_positions(value, position):
    def twin(x, dim=None, keepdim=False):
        if dim is None:
            return value(x)
        if x.ndim == 0:
            return x, np.zeros((), np.int64)
        return value(x, axis=dim, keepdims=keepdim), position(x, axis=dim, keepdims=keepdim)

    return twin


def reduction(draw, shapes):
    return {"dim": draws.axes(draw, shapes[0]), "keepdim": draw(st.booleans())}


def axis_or_all(draw, shapes):
    dim = draw(st.sampled_from((None, draws.axis(draw, shapes[0]))))
    return {"dim": dim, "keepdim": dim is not None and draw(st.booleans())}


def _classes(draw, shapes):
    rows, columns = shapes[0]
    target = draw(st.lists(st.integers(0, columns - 1) | st.just(-100), min_size=rows, max_size=rows))
    target = np.array(target, np.int64)
    reduction = draw(st.sampled_from(("none", "sum", "mean") if (target >= 0).any() else ("none", "sum")))
    return {"target": target, "reduction": reduction, "ignore_index": -100}


REDUCTIONS = [
    OpSpec("sum", reduced(np.sum), params=reduction, integers="int64"),
    OpSpec("mean", _mean, params=reduction, integers=None),
    OpSpec("nansum", reduced(np.nansum), params=reduction, integers="int64"),
    OpSpec(
        "nanmean",
        lambda x, **options: (
            reduced(np.nansum)(x, **options) / reduced(np.sum)(~np.isnan(x), **options).astype(x.dtype)
        ),
        params=reduction,
        integers=None,
    ),
    OpSpec("logsumexp", _logsumexp, params=reduction, integers="", extremes=False),
    OpSpec("prod", _prod, params=axis_or_all, integers="int64", steps=64),
    OpSpec("amax", reduced(np.max), params=reduction, shapes=at_least(0, 1)),
    OpSpec("amin", reduced(np.min), params=reduction, shapes=at_least(0, 1)),
    constant("argmax", _flat_argument(np.argmax), params=axis_or_all, shapes=at_least(0, 1), integers="int64"),
    constant("argmin", _flat_argument(np.argmin), params=axis_or_all, shapes=at_least(0, 1), integers="int64"),
    OpSpec("max", with_positions(np.max, np.argmax), params=axis_or_all, shapes=at_least(0, 1)),
    OpSpec("min", with_positions(np.min, np.argmin), params=axis_or_all, shapes=at_least(0, 1)),
    OpSpec(
        "aminmax",
        lambda x, dim, keepdim: tuple(reduced(each)(x, dim, keepdim) for each in (np.min, np.max)),
        params=axis_or_all,
        shapes=at_least(0, 1),
    ),
    constant("all", reduced(np.all), params=reduction, integers="bool"),
    constant("any", reduced(np.any), params=reduction, integers="bool"),
    constant(
        "count_nonzero",
        lambda x, dim: np.asarray(np.count_nonzero(x, axis=dims_of(dim, x.ndim))),
        integers="int64",
        params=lambda draw, shapes: {"dim": draws.axes(draw, shapes[0])},
    ),
    OpSpec("softmax", reference.softmax, params=axis, integers=None, extremes=False),
    OpSpec("log_softmax", reference.log_softmax, params=axis, integers=None, extremes=False),
    OpSpec(
        "softmax_cross_entropy",
        lambda x, **options: reference.cross_entropy(x, **options)[0],
        params=_classes,
        integers=None,
        shapes=lambda max_dims, max_side: st.tuples(st.integers(0, 4), st.integers(1, max_side)).map(
            lambda shape: (shape,)
        ),
        call=lambda x, target, **options: class_loss.softmax_cross_entropy(x, target, **options),
        extremes=False,
    ),
    constant(
        "bincount",
        lambda x, minlength: np.bincount(x, minlength=minlength),
        integers="int64",
        floats=(np.int64, np.uint8),
        inputs=(lambda rng, shape: rng.integers(0, 6, shape),),
        params=drawn(minlength=(0, 9)),
        shapes=lambda max_dims, max_side: draws.shapes(1, max_side, min_dims=1).map(lambda shape: (shape,)),
    ),
]


SPECS = [*REDUCTIONS]
