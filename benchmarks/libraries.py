"""The libraries that are compared, by label: one library may take part in several ways ("torch", "torch fused")."""

import importlib.metadata
import importlib.util
from collections.abc import Iterable
from typing import NamedTuple

OURS = "tinygrad_fr"
COMPILED = "tinygrad_fr compiled"
FLOOR = "floor"  # no library: what the machine allows, measured beside the libraries


class Library(NamedTuple):
    """What a label stands for: the module to import, and the name to install."""

    module: str
    install: str

    @property
    def is_installed(self) -> bool:
        return importlib.util.find_spec(self.module) is not None

    @property
    def version(self) -> str:
        return f"{self.install} {importlib.metadata.version(self.install)}"


_TORCH = Library("torch", "torch")

BY_LABEL = {
    OURS: Library(OURS, OURS),
    COMPILED: Library(OURS, OURS),  # the whole step by tinygrad_fr.compile
    "numpy": Library("numpy", "numpy"),
    "torch": _TORCH,
    "torch foreach": _TORCH,  # optimisers that update all tensors together
    "torch fused": _TORCH,  # optimisers in one compiled pass
    "torch compiled": _TORCH,  # the whole step by torch.compile
    "torch hand-tuned": _TORCH,  # what an expert writes instead of the usual lines
    "jax": Library("jax", "jax"),
    "scikit-learn": Library("sklearn", "scikit-learn"),
    "mygrad": Library("mygrad", "mygrad"),
    "micrograd": Library("micrograd", "micrograd"),
    FLOOR: Library("numba", "numba"),  # what its kernels are written with
}


def installed(labels: Iterable[str]) -> list[str]:
    """Those of the labels whose library can be imported."""
    return [label for label in labels if BY_LABEL[label].is_installed]


def how_to_install(labels: Iterable[str]) -> str:
    """The command that installs what the labels stand for."""
    return "pip install " + " ".join(dict.fromkeys(BY_LABEL[label].install for label in labels))


def select(labels: Iterable[str], wanted: list[str]) -> list[str]:
    """Ours and the floor, and those of the labels that are asked for: by label, or by library for all of its labels.

    ValueError: a name that is none of them, or is not installed.
    """
    labels = list(labels)
    chosen = {OURS, COMPILED, FLOOR}
    for name in wanted:
        meant = [label for label in labels if name in (label, *BY_LABEL[label])]
        if not meant:
            raise ValueError(f"unknown library {name!r}; this benchmark has: {', '.join(map(repr, labels))}")
        if not installed(meant):
            raise ValueError(f"{name!r} is not installed: {how_to_install(meant)}")
        chosen.update([name] if name in meant else meant)
    return [label for label in labels if label in chosen]
