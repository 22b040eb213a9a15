"""Every public name that PyTorch has too takes the same parameters with the same defaults.  Runs where PyTorch is.

PyTorch's compiled functions have no Python signature: their parameters are read from the schemas of its operators.
What differs on purpose stands in `INTENDED`, with the reason.
"""

import importlib
import inspect
from dataclasses import dataclass
from typing import Any

import pytest

import tinygrad_fr
from tinygrad_fr import _names

torch = pytest.importorskip("torch")

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
REQUIRED = "required"


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, whether it may be given by position, its default or REQUIRED."""

    name: str
    positional: bool
    default: Any = REQUIRED


Signature = list[Parameter]


# ---------------------------------------------------------------------------------------------------------------
# What each library says of a function.


def of_python(function: Any) -> Signature | None:
    """The signature of a Python function; None for compiled ones."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    named = [each for each in found if each.kind is not each.VAR_KEYWORD and each.name not in ("args", "kwargs")]
    return [
        Parameter(
            each.name,
            each.kind in (*_POSITIONAL, each.VAR_POSITIONAL),
            REQUIRED if each.default is each.empty else each.default,
        )
        for each in named
    ]


def of_operator(name: str) -> list[Signature]:
    """The signatures of an operator's overloads, but for those that write to ``out`` or compute on no tensors."""
    signatures = []
    for schema in torch._C._jit_get_schemas_for_operator(f"aten::{name}"):
        kinds = [str(each.type) for each in schema.arguments]
        if any(each.name == "out" for each in schema.arguments) or "Dimname" in str(schema):
            continue
        if not any("Tensor" in kind for kind in (*kinds, str(schema.returns))) or "generator_out" in str(schema):
            continue
        signatures.append([_of_argument(each) for each in schema.arguments])
    return signatures


def _of_argument(argument: Any) -> Parameter:
    name = "input" if argument.name == "self" else argument.name
    return Parameter(
        name, not argument.kwarg_only, argument.default_value if argument.has_default_value() else REQUIRED
    )


def theirs(name: str, value: Any) -> list[Signature]:
    """All signatures of PyTorch's function or class; none where it does not say."""
    python = of_python(value)
    return of_operator(name) if python is None else [python]


# ---------------------------------------------------------------------------------------------------------------
# Comparing them.


def differences(own: Signature, others: list[Signature]) -> list[str]:
    """What a caller would notice, in words: 'lacks x', 'has x', 'default of x', 'place of x'."""
    named = {each.name: each for each in own}
    found = [f"lacks {name}" for name in _names_of(others) if name not in named and name not in NOWHERE]
    found += [f"has {each.name}" for each in own if each.name not in _names_of(others) and each.name not in EVERYWHERE]
    for each in own:
        defaults = [other.default for signature in others for other in signature if other.name == each.name]
        if defaults and not any(_same(each.default, default) for default in defaults):
            found.append(f"default of {each.name}")
    return found + _misplaced(own, others)


def _names_of(signatures: list[Signature]) -> list[str]:
    return list(dict.fromkeys(each.name for signature in signatures for each in signature))


def _misplaced(own: Signature, others: list[Signature]) -> list[str]:
    """The parameters that come at another place than in every one of PyTorch's signatures."""
    places = [each.name for each in own if each.positional]
    wrong = []
    for signature in others:
        positional = [each.name for each in signature if each.positional and each.name not in NOWHERE]
        wrong.append([f"place of {name}" for i, name in enumerate(positional) if places[i : i + 1] != [name]])
    return min(wrong, key=len) if wrong else []


def _same(own: Any, other: Any) -> bool:
    if own is REQUIRED or other is REQUIRED:
        return own is other
    if isinstance(own, (list, tuple)) and isinstance(other, (list, tuple)):
        return list(own) == list(other)
    if callable(own) and callable(other):
        return own.__name__ == other.__name__
    return own == other or str(own) == str(other) or (own in (None, False) and other in (None, False))


# ---------------------------------------------------------------------------------------------------------------
# All pairs.

MODULES = ("nn.functional", "nn.init", "nn.utils", "optim", "optim.lr_scheduler", "utils.data", "autograd")


def pairs():
    """(name, ours, theirs) for every public function, method and class that both have."""
    for name, value in sorted(_names.public_names().items()):
        if callable(value) and not inspect.isclass(value) and hasattr(torch, name):
            yield f"torch.{name}", of_python(value), theirs(name, getattr(torch, name))
    for name, value in sorted(vars(tinygrad_fr.Tensor).items()):
        if inspect.isfunction(value) and not name.startswith("__") and hasattr(torch.Tensor, name):
            yield f"Tensor.{name}", _of_method(value), _of_methods(name)
    for path in ("nn", *MODULES):
        try:
            own = importlib.import_module(f"tinygrad_fr.{path}")
        except ImportError:
            continue
        other = importlib.import_module(f"torch.{path}")
        for name in sorted(own.__all__ if hasattr(own, "__all__") else dir(own)):
            yield from _pair(path, name, getattr(own, name), getattr(other, name, None))


def _of_method(function):
    signature = of_python(function)
    return None if signature is None else signature[1:]


def _of_methods(name):
    return [
        [each for each in signature if each.name != "input"]
        if signature and signature[0].name == "input"
        else signature[1:]
        for signature in theirs(name, getattr(torch.Tensor, name))
    ]


def _pair(path, name, own, other):
    if other is None or inspect.ismodule(own) or not callable(own):
        return
    yield f"{path}.{name}", of_python(own), theirs(name, other)
    if not inspect.isclass(own):
        return
    for method, value in vars(own).items():
        if (
            not method.startswith("_")
            and inspect.isfunction(value)
            and inspect.isfunction(getattr(other, method, None))
        ):
            yield f"{path}.{name}.{method}", _of_method(value), [of_python(getattr(other, method))[1:]]


NOWHERE = {"out", "layout", "memory_format", "names"}
EVERYWHERE = set()
INTENDED = {}

if __name__ == "__main__":
    for name, own, other in pairs():
        if own is None or not other:
            print("??", name)
            continue
        d = differences(own, other)
        if d:
            print(name, d)
