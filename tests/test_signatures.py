"""Every public name that PyTorch has too takes the same parameters with the same defaults.  Runs where PyTorch is.

PyTorch's compiled functions have no Python signature: their parameters are read from the schemas of its operators.
What differs on purpose stands in `INTENDED`, with the reason.
"""

import fnmatch
import importlib
import inspect
from dataclasses import dataclass
from typing import Any

import pytest

import tinygrad_fr
from tinygrad_fr import _names

torch = pytest.importorskip("torch")

MODULES = (
    *("nn", "nn.functional", "nn.init", "nn.utils", "nn.utils.rnn"),
    *("optim", "optim.lr_scheduler", "utils.data", "autograd", "autograd.functional"),
)

# Parameters of PyTorch's operators that are left out everywhere: they choose where results lie in memory.
NOWHERE = {"out", "layout", "memory_format", "names", "pin_memory", "sparse_grad", "out_dtype"}
# Creation functions take these, though the operators' schemas leave them to the Python layer.
EVERYWHERE = {"requires_grad", "dtype", "device", "layout", "pin_memory"}

# What differs, by the reason: "name: difference", where * stands for anything.
INTENDED = {
    "one function serves the package, the method and nn.functional, and takes what each of them takes": (
        "torch.[cs]elu: has inplace",
        "torch.rrelu: has inplace",
        "torch.threshold: has inplace",
        "torch.*dropout: *",
        "Tensor.split: * split_size*",
    ),
    "PyTorch's Python layer takes more, or calls it otherwise, than the operator behind it": (
        "*.nonzero: has as_tuple",
        "*.*max_pool?d: has return_indices",
        "*rrelu*: * generator",
        "nn.functional.elu_: * *scale",
        "torch.tensor: lacks t",
        "torch.as_tensor: lacks t",
        "*.sort: lacks reverse",
        "torch.isin: lacks *element",
        "Tensor.copy_: lacks other",
        "Tensor.to: lacks other",
        "Tensor.expand: * implicit",
        "nn.Module.to: has *",
        "nn.RNNBase.forward: has hx",
    ),
    "sizes come one by one too": tuple(
        f"{name}: {difference}"
        for name in (
            "torch.empty",
            "torch.ones",
            "torch.zeros",
            "torch.rand*",
            "Tensor.new_*",
            "Tensor.expand",
            "Tensor.view",
        )
        for difference in ("has shape", "* size")
    ),
    "the name in its documentation, for overloads that call it by several": (
        "*split: * *sections",
        "*split: lacks indices",
    ),
    "one function serves torch.linalg too, which calls the matrix A": tuple(
        f"torch.{name}: {difference}"
        for name in ("det", "slogdet", "matrix_power")
        for difference in ("* input", "has A")
    ),
    "``from`` is a word of Python's": ("Tensor.uniform_: * from*", "Tensor.random_: * from*"),
    "not supported": (
        "torch.from_dlpack: lacks *",
        "Tensor.*pin*: * device",
        "autograd.grad*check: lacks *",
    ),
    "None stands for the same": (
        "utils.data.random_split: default of generator",
        "torch.save: * pickle_module",
        "torch.rand*: default of dtype",
        "torch.tri?_indices: default of dtype",
    ),
    "one signature for several, where the first argument may be the last bound": (
        "torch.arange: default of end",
        "torch.randint*: default of *",
        "torch.repeat_interleave: default of repeats",
    ),
    "a method of the engine's": ("torch.detach_: * input", "torch.detach_: has self"),
    "any number of operands": ("torch.result_type: *",),
    "belongs to the way that PyTorch saves": ("torch.save: * _disable_byteorder_record",),
    "a decorator's argument, which nobody names": ("autograd.*_grad: * *func*",),
}


# ---------------------------------------------------------------------------------------------------------------
# What each library says of a function.

REQUIRED = "required"
_BY_POSITION = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
)


@dataclass(frozen=True)
class Parameter:
    """One parameter: its name, whether it may be given by position, its default or REQUIRED."""

    name: str
    positional: bool
    default: Any = REQUIRED


Signature = list[Parameter]


def of_python(function: Any) -> Signature | None:
    """The signature of a Python function or class; None for compiled ones, and those that only pass arguments on."""
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    named = [each for each in found if each.kind is not each.VAR_KEYWORD and each.name not in ("args", "kwargs")]
    if found and not named:
        return None
    return [
        Parameter(each.name, each.kind in _BY_POSITION, REQUIRED if each.default is each.empty else each.default)
        for each in named
    ]


def of_operator(name: str) -> list[Signature]:
    """The signatures of an operator's overloads on tensors, but for those that write their results to arguments."""
    return [
        [_of_argument(each) for each in schema.arguments]
        for schema in torch._C._jit_get_schemas_for_operator(f"aten::{name}")
        if _is_plain(schema)
    ]


def _is_plain(schema: Any) -> bool:
    arguments = schema.arguments
    writes = any(each.alias_info and each.alias_info.is_write for each in arguments[1:])
    on_tensors = "Tensor" in str(schema) and (not arguments or arguments[0].name != "a")
    return on_tensors and not writes and "Dimname" not in str(schema)


def _of_argument(argument: Any) -> Parameter:
    name = "input" if argument.name == "self" else argument.name
    default = argument.default_value if argument.has_default_value() else REQUIRED
    return Parameter(name, not argument.kwarg_only, default)


def theirs(name: str, value: Any) -> list[Signature]:
    """All signatures of PyTorch's function or class; none where it does not say."""
    python = of_python(value)
    return of_operator(name) if python is None else [python]


# ---------------------------------------------------------------------------------------------------------------
# Comparing them.


def differences(own: Signature, others: list[Signature]) -> list[str]:
    """What a caller would notice, in words: 'lacks x', 'has x', 'default of x', 'place of x'."""
    known = _names_of(others)
    named = {each.name for each in own}
    found = [f"lacks {name}" for name in known if name not in named and name not in NOWHERE]
    found += [f"has {each.name}" for each in own if each.name not in known and each.name not in EVERYWHERE]
    found += [f"default of {each.name}" for each in own if not _has_their_default(each, others)]
    return found + _misplaced(own, others)


def _names_of(signatures: list[Signature]) -> list[str]:
    return list(dict.fromkeys(each.name for signature in signatures for each in signature))


def _has_their_default(parameter: Parameter, others: list[Signature]) -> bool:
    """Whether a default is that of one of PyTorch's signatures; None may stand for the lack of the parameter."""
    found = [{each.name: each.default for each in signature}.get(parameter.name) for signature in others]
    return all(each is None for each in found) or any(_same(parameter.default, each) for each in found)


def _same(own: Any, other: Any) -> bool:
    if isinstance(own, (list, tuple)) and isinstance(other, (list, tuple)):
        return list(own) == list(other)
    if isinstance(other, list):  # sizes: one stands for all axes, None for the lack of any
        return other == [own] * len(other) if other else own is None
    if callable(own) and callable(other):
        return own.__name__ == other.__name__
    return own is other or own == other or (own in (None, False) and other in (None, False))


def _misplaced(own: Signature, others: list[Signature]) -> list[str]:
    """The parameters that come at another place than in every one of PyTorch's signatures."""
    places = [each.name for each in own if each.positional]
    left_out = NOWHERE.difference(places)
    wrong = []
    for signature in others:
        positional = [each.name for each in signature if each.positional and each.name not in left_out]
        wrong.append([f"place of {name}" for i, name in enumerate(positional) if places[i : i + 1] != [name]])
    return min(wrong, key=len) if wrong else []


# ---------------------------------------------------------------------------------------------------------------
# All pairs of names.


def pairs():
    """(name, our signature, PyTorch's signatures) of every public function, method and class that both have."""
    for name, value in sorted(_names.public_names().items()):
        if inspect.isfunction(value) and hasattr(torch, name):
            yield f"torch.{name}", of_python(value), theirs(name, getattr(torch, name))
    for name, value in sorted(vars(tinygrad_fr.Tensor).items()):
        if inspect.isfunction(value) and not name.startswith("_") and hasattr(torch.Tensor, name):
            found = theirs(name, getattr(torch.Tensor, name))
            yield f"Tensor.{name}", _without_self(of_python(value)), [_without_self(each) for each in found]
    for path in MODULES:
        yield from _pairs_of_module(path)


def _without_self(signature):
    """The parameters of a method but for the object itself, which operators call input, at any place."""
    if any(each.name == "input" for each in signature):
        return [each for each in signature if each.name != "input"]
    return signature[1:]


def _pairs_of_module(path):
    try:
        own = importlib.import_module(f"tinygrad_fr.{path}")
    except ModuleNotFoundError:
        return
    other = importlib.import_module(f"torch.{path}")
    names = getattr(own, "__all__", None) or [
        name for name, value in vars(own).items() if getattr(value, "__module__", "") == own.__name__
    ]
    for name in sorted(names):
        value, twin = getattr(own, name), getattr(other, name, None)
        if not callable(value) or twin is None or name.startswith("_"):
            continue
        yield f"{path}.{name}", of_python(value), theirs(name, twin)
        if inspect.isclass(value):
            yield from _pairs_of_class(f"{path}.{name}", value, twin)


def _pairs_of_class(name, own, other):
    for method, value in vars(own).items():
        twin = getattr(other, method, None)
        if not method.startswith("_") and inspect.isfunction(value) and inspect.isfunction(twin):
            yield f"{name}.{method}", of_python(value)[1:], [of_python(twin)[1:]]


PAIRS = [(name, own, others) for name, own, others in pairs() if own is not None and others]


@pytest.mark.parametrize(("name", "own", "others"), PAIRS, ids=[name for name, _, _ in PAIRS])
def test_parameters_are_pytorchs(name, own, others):
    unexpected = [each for each in differences(own, others) if not _matching(f"{name}: {each}")]
    assert unexpected == [], f"{name}{own} and PyTorch's {others}"


def _matching(difference):
    patterns = [pattern for group in INTENDED.values() for pattern in group]
    return [pattern for pattern in patterns if fnmatch.fnmatchcase(difference, pattern)]


def test_every_intended_difference_is_there():
    found = [f"{name}: {each}" for name, own, others in PAIRS for each in differences(own, others)]
    used = {pattern for difference in found for pattern in _matching(difference)}
    assert {pattern for group in INTENDED.values() for pattern in group} - used == set()


def test_most_names_are_compared():
    assert len(PAIRS) > 400
