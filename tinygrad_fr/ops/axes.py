"""The axes of reductions: NumPy's names for them, and gradients brought back to what was reduced."""

import functools

_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def numpy_names(function):
    """Let ``function`` take ``axis`` and ``keepdims`` for ``dim`` and ``keepdim``, as PyTorch does."""

    @functools.wraps(function)
    def call(*args, **named):
        if "axis" in named or "keepdims" in named:
            named = _in_our_names(function.__name__, named)
        return function(*args, **named)

    return call


def _in_our_names(name, named):
    """The keyword arguments ``named`` without NumPy's names; TypeError where one is given twice."""
    for theirs, ours in _NUMPY_NAMES.items():
        if theirs in named and ours in named:
            raise TypeError(f"{name}() got {theirs} and {ours}, which mean the same")
    return {_NUMPY_NAMES.get(each, each): value for each, value in named.items()}


def stretch(g, shape, dims, keepdim):
    """A reduced gradient with its axes of size 1 back, stretched to ``shape``."""
    if not keepdim:
        g = g.reshape(tuple(1 if i in dims else size for i, size in enumerate(shape)))
    return g.expand(shape)
