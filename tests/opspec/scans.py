"""What runs along an axis."""

import numpy as np

from .record import OpSpec, axis


def _along(function):
    """A twin of a function along one axis, which treats a 0-d array as one of a single element."""

    def twin(x, dim):
        return np.asarray(function(np.atleast_1d(x), dim)).reshape(x.shape)

    return twin


def _latest_extreme(is_better):
    """A twin of `cummax` or `cummin`, element by element."""

    def of_row(row):
        places = np.zeros(row.shape, np.int64)
        best = 0
        for i, value in enumerate(row):
            if is_better(value, row[best]) or value != value:
                best = i
            places[i] = best
        return places

    def twin(x, dim):
        places = np.apply_along_axis(of_row, dim, np.atleast_1d(x)) if x.size else np.zeros(x.shape, np.int64)
        values = np.take_along_axis(np.atleast_1d(x), np.atleast_1d(places), dim) if x.size else x
        return values.reshape(x.shape), places.reshape(x.shape)

    return twin


SPECS = [
    OpSpec("cumsum", _along(lambda x, dim: np.cumsum(x, dim, x.dtype)), params=axis, integers="int64", extremes=False),
    OpSpec("cumprod", _along(lambda x, dim: np.cumprod(x, dim, x.dtype)), params=axis, integers="int64", steps=64),
    OpSpec("logcumsumexp", _along(np.logaddexp.accumulate), params=axis, integers=None, steps=64),
    OpSpec("cummax", _latest_extreme(lambda new, old: new >= old), params=axis),
    OpSpec("cummin", _latest_extreme(lambda new, old: new <= old), params=axis),
]
