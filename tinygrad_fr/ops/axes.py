"""The axes of reductions: NumPy's names for them."""

import functools

_NUMPY_NAMES = {"axis": "dim", "keepdims": "keepdim"}


def numpy_names(function):
    """Let ``function`` take ``axis`` and ``keepdims`` for ``dim`` and ``keepdim``, as PyTorch does."""

    @functools.wraps(function)
    def call(*args, **named):
        for theirs, ours in _NUMPY_NAMES.items() if named else ():
            if theirs in named:
                if ours in named:
                    raise TypeError(f"{function.__name__}() got {theirs} and {ours}, which mean the same")
                named[ours] = named.pop(theirs)
        return function(*args, **named)

    return call
