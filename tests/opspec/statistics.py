"""Variances, and what depends on the order of the elements."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch

from .record import OpSpec, at_least, axis
from .reduce import axis_or_all, dims_of, reduction


def _variance(x, dim=None, correction=1, keepdim=False):
    dims = dims_of(dim, x.ndim)
    dims = (dims,) if isinstance(dims, int) else dims
    count = int(np.prod([x.shape[each] for each in dims]))
    centred = x - np.mean(x, axis=dims, keepdims=True)
    total = np.sum(centred * centred, axis=dims, keepdims=keepdim)
    return np.asarray(total / np.asarray(max(count - correction, 0), x.dtype))


def _mean(x, dim=None, keepdim=False, **options):
    return np.asarray(np.mean(x, axis=dims_of(dim, x.ndim), keepdims=keepdim))


def _corrected(draw, shapes):
    return {**reduction(draw, shapes), "correction": draw(st.sampled_from((0, 1, 0.5)))}


def _spread(name, twin):
    return OpSpec(
        name, twin, integers=None, steps=256, extremes=False, params=_corrected, shapes=at_least(1, 2)
    )  # fmt: skip


def _row_by_row(choose):
    """A twin that takes, of each row, the element at the place that ``choose(row)`` gives."""

    def twin(x, dim=None, keepdim=False):
        if dim is None:
            return x.ravel()[choose(x.ravel())].reshape(())
        rows = np.atleast_1d(x)
        places = np.expand_dims(np.apply_along_axis(choose, dim, rows), dim)
        values = np.take_along_axis(rows, places, dim)
        if keepdim and x.ndim:
            return values, places
        return values.squeeze(dim), places.squeeze(dim)

    return twin


def _middle(row):
    missing = np.flatnonzero(np.isnan(row))
    return missing[0] if len(missing) else sorted(range(len(row)), key=row.__getitem__)[(len(row) - 1) // 2]


def _middle_of_numbers(row):
    there = [i for i in range(len(row)) if not np.isnan(row[i])]
    return sorted(there, key=row.__getitem__)[(len(there) - 1) // 2] if there else 0


def _most_frequent(row):
    counts = [(row == each).sum() for each in row]
    value = min(each for each, count in zip(row, counts, strict=True) if count == max(counts))
    return np.flatnonzero(row == value)[-1]


def _part_and_reduction(draw, shapes):
    return {
        **axis_or_all(draw, shapes),
        "q": draw(st.sampled_from((0.0, 0.3, 0.5, 1.0))),
        "interpolation": draw(st.sampled_from(("linear", "lower", "higher", "midpoint"))),
    }


def _quantile(function):
    def twin(x, q, dim, keepdim, interpolation):
        dim = dim if x.ndim else None
        return np.asarray(function(x.astype(np.float64), q, dim, method=interpolation, keepdims=keepdim)).astype(
            x.dtype
        )

    return twin


def _of_several_parts(draw, shapes):
    parts = np.sort(np.random.default_rng(draw(st.integers(0, 2**32))).random(3))
    return {**axis_or_all(draw, shapes), "q": parts}


SPECS = [
    _spread("var", _variance),
    _spread("std", lambda x, **options: np.sqrt(_variance(x, **options))),
    _spread("var_mean", lambda x, **options: (_variance(x, **options), _mean(x, **options))),
    _spread("std_mean", lambda x, **options: (np.sqrt(_variance(x, **options)), _mean(x, **options))),
    OpSpec("median", _row_by_row(_middle), params=axis_or_all, shapes=at_least(0, 1)),
    OpSpec("nanmedian", _row_by_row(_middle_of_numbers), params=axis_or_all, shapes=at_least(0, 1)),
    OpSpec(
        "mode",
        lambda x, dim: _row_by_row(_most_frequent)(x, dim),
        params=axis,
        shapes=at_least(0, 1),
        extremes=False,
    ),
    *[
        OpSpec(
            name,
            _quantile(function),
            params=_part_and_reduction,
            shapes=at_least(0, 1),
            integers=None,
            extremes=False,
        )
        for name, function in (("quantile", np.quantile), ("nanquantile", np.nanquantile))
    ],
    OpSpec(
        "quantiles",
        lambda x, q, dim, keepdim: np.quantile(x, q, dim if x.ndim else None, keepdims=keepdim),
        call=torch.quantile,
        methods=("quantile",),
        params=_of_several_parts,
        shapes=at_least(0, 1),
        integers="",
        extremes=False,
        floats=(np.float64,),
    ),
]
