"""Differences, integrals over samples, covariances."""

import numpy as np

import tinygrad_fr as torch

from .. import strategies as draws
from .record import OpSpec, at_least, axis, drawn


def _table(max_dims, max_side):
    """Some series of four samples or more: fewer are always perfectly correlated."""
    return draws.shapes(2, max(max_side, 5), min_dims=2, min_side=4).map(lambda shape: (shape,))


def _order_and_axis(draw, shapes):
    return {**drawn(n=(0, 1, 2))(draw, shapes), **axis(draw, shapes)}


def _in_its_type(function):
    """A function of NumPy that computes in double precision, giving the type of its input."""
    return lambda x: function(x).astype(x.dtype)


SPECS = [
    OpSpec("diff", lambda x, n, dim: np.diff(x, n, dim), shapes=at_least(1), params=_order_and_axis, extremes=False),
    *[
        OpSpec(
            name,
            lambda y, dim: np.trapezoid(y, axis=dim),
            shapes=at_least(1),
            params=axis,
            integers="float",
            extremes=False,
        )
        for name in ("trapezoid", "trapz")
    ],
    OpSpec(
        "trapezoid at positions",
        lambda y: np.trapezoid(y, np.arange(y.shape[-1]) ** 2.0).astype(y.dtype),
        call=lambda y: torch.trapezoid(y, torch.arange(y.shape[-1]).to(y.dtype) ** 2),
        methods=(),
        shapes=at_least(1),
        integers="",
        extremes=False,
    ),
    OpSpec("cov", _in_its_type(np.cov), shapes=_table, integers="float", extremes=False, steps=64),
    OpSpec(
        "corrcoef",
        _in_its_type(np.corrcoef),
        shapes=_table,
        integers="float",
        extremes=False,
        steps=64,
        floats=(np.float64,),
    ),
]
