"""tinygrad_fr: automatic differentiation over compiled kernels, with PyTorch's names.

``import tinygrad_fr as torch`` and a program for dense tensors on the CPU runs. Names load when they are first used:
importing the package imports NumPy alone, and ``tinygrad_fr.kernels`` does not need the rest.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_SUBPACKAGES = (
    *("autograd", "capture", "datasets", "kernels", "linalg", "nn", "ops", "optim", "random", "special", "transforms"),
    "utils",
)


def __getattr__(name: str) -> Any:
    if name in _SUBPACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "compile":  # by itself, for it loads the kernels
        return importlib.import_module(f"{__name__}.capture").compile
    if not name.startswith("__"):
        names = importlib.import_module(f"{__name__}._names").public_names()
        globals().update({each: value for each, value in names.items() if each not in globals()})
        if name in names:
            return names[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    names = importlib.import_module(f"{__name__}._names").public_names()
    return sorted({*globals(), *names, *_SUBPACKAGES, "compile"})
