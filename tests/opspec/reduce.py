"""Reductions, and what runs along an axis."""

import numpy as np
from hypothesis import strategies as st

from tinygrad_fr.kernels import reference
from tinygrad_fr.ops import class_loss

from .. import strategies as draws
from .record import OpSpec, at_least, axis, constant, drawn


def _dims(dim, ndim):
    return tuple(range(ndim)) if dim in (None, ()) or ndim == 0 else dim


def reduced(function):
    """A twin of a reduction, from NumPy's function."""

    def twin(x, dim=None, keepdim=False):
        return np.asarray(function(x, axis=_dims(dim, x.ndim), keepdims=keepdim))

    return twin


def along(function):
    """A twin of a function along one axis, which treats a 0-d array as one of a single element."""

    def twin(x, dim, **options):
        return np.asarray(function(np.atleast_1d(x), dim, **options)).reshape(x.shape)

    return twin


def _mean(x, dim=None, keepdim=False):
    total = reduced(np.sum)(x, dim, keepdim)
    count = x.size // total.size if total.size else 1
    return total / np.asarray(count, x.dtype)


def _variance(x, dim=None, correction=1, keepdim=False):
    dims = _dims(dim, x.ndim)
    dims = (dims,) if isinstance(dims, int) else dims
    count = int(np.prod([x.shape[each] for each in dims]))
    centred = x - np.mean(x, axis=dims, keepdims=True)
    total = np.sum(centred * centred, axis=dims, keepdims=keepdim)
    return total / np.asarray(max(count - correction, 0), x.dtype)


def _norm(x, p=2, dim=None, keepdim=False):
    dims = _dims(dim, x.ndim)
    if p in (2, "fro"):
        return np.sqrt(np.sum(x * x, axis=dims, keepdims=keepdim))
    if p == np.inf:
        return np.max(np.abs(x), axis=dims, keepdims=keepdim)
    return np.sum(np.abs(x) ** p, axis=dims, keepdims=keepdim) ** (1 / p)


def _flat_argument(function):
    def twin(x, dim=None, keepdim=False):
        if x.ndim == 0:
            return np.zeros((), np.int64)
        return np.asarray(function(x, axis=dim, keepdims=keepdim))

    return twin


def _with_positions(value, position):
    def twin(x, dim=None, keepdim=False):
        if dim is None:
            return value(x)
        if x.ndim == 0:
            return x, np.zeros((), np.int64)
        return value(x, axis=dim, keepdims=keepdim), position(x, axis=dim, keepdims=keepdim)

    return twin


def _reduction(draw, shapes):
    return {"dim": draws.axes(draw, shapes[0]), "keepdim": draw(st.booleans())}


def _axis_or_all(draw, shapes):
    dim = draw(st.sampled_from((None, draws.axis(draw, shapes[0]))))
    return {"dim": dim, "keepdim": dim is not None and draw(st.booleans())}


def _classes(draw, shapes):
    rows, columns = shapes[0]
    target = draw(st.lists(st.integers(0, columns - 1) | st.just(-100), min_size=rows, max_size=rows))
    target = np.array(target, np.int64)
    reduction = draw(st.sampled_from(("none", "sum", "mean") if (target >= 0).any() else ("none", "sum")))
    return {"target": target, "reduction": reduction, "ignore_index": -100}


REDUCTIONS = [
    OpSpec("sum", reduced(np.sum), params=_reduction, integers="int64"),
    OpSpec("mean", _mean, params=_reduction, integers=None),
    OpSpec(
        "var",
        _variance,
        integers=None,
        steps=256,
        extremes=False,
        params=lambda draw, shapes: {**_reduction(draw, shapes), "correction": draw(st.sampled_from((0, 1)))},
        shapes=at_least(1, 2),
    ),
    OpSpec(
        "std",
        lambda x, **options: np.sqrt(_variance(x, **options)),
        integers=None,
        steps=256,
        extremes=False,
        params=lambda draw, shapes: {**_reduction(draw, shapes), "correction": draw(st.sampled_from((0, 1)))},
        shapes=at_least(1, 2),
    ),
    OpSpec(
        "norm",
        _norm,
        integers=None,
        steps=64,
        extremes=False,
        shapes=at_least(1, 1),
        params=lambda draw, shapes: {
            **_reduction(draw, shapes),
            "p": draw(st.sampled_from((1, 2, 3, 2.5, np.inf, "fro"))),
        },
    ),
    OpSpec("amax", reduced(np.max), params=_reduction, shapes=at_least(0, 1)),
    OpSpec("amin", reduced(np.min), params=_reduction, shapes=at_least(0, 1)),
    constant("argmax", _flat_argument(np.argmax), params=_axis_or_all, shapes=at_least(0, 1), integers="int64"),
    constant("argmin", _flat_argument(np.argmin), params=_axis_or_all, shapes=at_least(0, 1), integers="int64"),
    OpSpec("max", _with_positions(np.max, np.argmax), params=_axis_or_all, shapes=at_least(0, 1)),
    OpSpec("min", _with_positions(np.min, np.argmin), params=_axis_or_all, shapes=at_least(0, 1)),
    constant("all", reduced(np.all), params=_reduction, integers="bool"),
    constant("any", reduced(np.any), params=_reduction, integers="bool"),
    constant(
        "count_nonzero",
        lambda x, dim: np.asarray(np.count_nonzero(x, axis=_dims(dim, x.ndim))),
        integers="int64",
        params=lambda draw, shapes: {"dim": draws.axes(draw, shapes[0])},
    ),
    OpSpec("cumsum", along(lambda x, dim: np.cumsum(x, axis=dim, dtype=x.dtype)), params=axis, integers="int64"),
    OpSpec("softmax", reference.softmax, params=axis, integers="float", extremes=False),
    OpSpec("log_softmax", reference.log_softmax, params=axis, integers="float", extremes=False),
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
