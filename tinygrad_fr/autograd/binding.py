"""Where users find an op: as a function of the package, a method of Tensor, an operator, an in-place form."""

import functools
from collections.abc import Callable
from typing import Any

from . import dtypes
from .inplace import check_writable, write
from .mode import thread
from .op import Op
from .tensor import Tensor

namespace: dict[str, Callable[..., Any]] = {}  # the functions of the package: tinygrad_fr.NAME


def public(
    function: Any = None,
    *,
    method: bool | str = True,
    function_name: str | None = "",
    operator: str = "",
    in_place: bool | None = None,
) -> Any:
    """Bind an op, or a function around one, as a function of the package, a Tensor method and an operator.

    ``method`` may be another name; ``function_name=None`` makes it a method alone. ``operator='add'`` binds
    ``__add__``, ``__radd__`` and, where there is an in-place form, ``__iadd__``. An element-wise op gets its in-place
    form (``tanh_``) with it unless ``in_place=False``; a function around ops gets one by ``in_place=True``.
    """
    if function is None:
        return lambda function: public(
            function, method=method, function_name=function_name, operator=operator, in_place=in_place
        )
    name = function.__name__.lstrip("_")
    if function_name is not None:
        namespace[function_name or name] = function
    if method:
        setattr(Tensor, method if isinstance(method, str) else name, function)
    made: Op | None = getattr(function, "op", None)
    wanted = in_place or (in_place is None and made is not None and made.kind != "")
    form = _in_place_form(function, name) if wanted else None
    if form is not None and method:
        setattr(Tensor, form.__name__, form)
    if operator:
        setattr(Tensor, f"__{operator}__", function)
        if made is not None and len(made.inputs) == 2 and made.kind != "compare":
            setattr(Tensor, f"__r{operator}__", lambda self, other: function(other, self))
            setattr(Tensor, f"__i{operator}__", form)
    return function


def alias(name: str, *others: str) -> None:
    """Bind under ``others`` what is bound under ``name``: the function, the method, the in-place form."""
    for other in others:
        if name in namespace:
            namespace[other] = namespace[name]
        for ending in ("", "_"):
            bound = vars(Tensor).get(name + ending)
            if bound is not None:
                setattr(Tensor, other + ending, bound)


def _in_place_form(function: Any, name: str) -> Callable[..., Any]:
    made: Op | None = getattr(function, "op", None)
    if made is None or made.kind == "compare":
        in_place = _copying_back(function, name)
    else:
        in_place = _writing_of_one(made) if len(made.inputs) == 1 else _writing_of_two(made)
    in_place.__name__ = in_place.__qualname__ = f"{name}_"
    in_place.__doc__ = f"`{name}`, written into the tensor itself."
    return in_place


def _writing_of_one(made: Op) -> Callable[..., Any]:
    return lambda input: write(made, input, (), {})


def _writing_of_two(made: Op) -> Callable[..., Any]:
    return lambda input, other: write(made, input, (other,), {})


def _copying_back(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """``function``, its result copied into the tensor; where it is recorded, computed from a copy, which stays."""

    @functools.wraps(function)
    def in_place(input, *args, **kwargs):
        check_writable(name, input)
        result = function(input.clone() if thread.mode.grad else input, *args, **kwargs)
        if not dtypes.can_cast(result.dtype, input.dtype):
            raise RuntimeError(
                f"result type {result.dtype.name} can't be cast to the desired output type {input.dtype.name} ({name}_)"
            )
        return input.copy_(result)

    return in_place
