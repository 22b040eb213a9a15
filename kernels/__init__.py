"""The compiled kernels: arrays in, arrays out.

This package knows NumPy and Numba, nothing of Tensor, gradients or modules. Its modules load when they are first
named (``kernels.activation.relu``), so that importing the package costs nothing and Numba is only loaded by
programs that compute with it.
"""

import importlib
from types import ModuleType


def __getattr__(name: str) -> ModuleType:
    """Import the module ``name`` of this package at its first use."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{__name__}.{name}":
            raise
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
