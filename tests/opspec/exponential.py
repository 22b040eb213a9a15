"""Exponentials and logarithms."""

import numpy as np

from .. import strategies as draws
from .record import OpSpec, drawn, two


def _xlogy(x, y):
    return np.where((x == 0) & ~np.isnan(y), x.dtype.type(0), x * np.log(y))


def _logit(x, eps):
    kept = x if eps is None else np.clip(x, eps, 1 - eps)
    return np.log(kept / (1 - kept))


SPECS = [
    OpSpec("exp", np.exp, integers="float"),
    OpSpec("exp2", np.exp2, integers="float"),
    OpSpec("expm1", np.expm1, integers="float"),
    OpSpec("log", np.log, inputs=(draws.positive,), integers="float"),
    OpSpec("log1p", np.log1p, inputs=(draws.positive,), integers="float"),
    OpSpec("log2", np.log2, inputs=(draws.positive,), integers="float"),
    OpSpec("log10", np.log10, inputs=(draws.positive,), integers="float"),
    OpSpec("logaddexp", np.logaddexp, shapes=two, integers=None),
    OpSpec("logaddexp2", np.logaddexp2, shapes=two, integers=None),
    OpSpec("xlogy", _xlogy, inputs=(draws.real, draws.positive), shapes=two, integers="float"),
    OpSpec("logit", _logit, inputs=(draws.fraction,), integers="float", params=drawn(eps=(None, 1e-6)), steps=64),
]
