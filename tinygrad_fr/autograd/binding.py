"""Where users find an op: as a function of the package, a method of Tensor, an operator, an in-place form."""

from collections.abc import Callable
from typing import Any

from .inplace import write
from .op import Op
from .tensor import Tensor

namespace: dict[str, Callable[..., Any]] = {}  # the functions of the package: tinygrad_fr.NAME


def public(
    function: Any = None, *, method: bool | str = True, function_name: str | None = "", operator: str = ""
) -> Any:
    """Bind an op, or a function around one, as a function of the package, a Tensor method and an operator.

    ``method`` may be another name; ``function_name=None`` makes it a method alone. ``operator='add'`` binds
    ``__add__``, ``__radd__`` and, where there is an in-place form, ``__iadd__``. An element-wise op gets its in-place
    form (``tanh_``) with it.
    """
    if function is None:
        return lambda function: public(function, method=method, function_name=function_name, operator=operator)
    name = function.__name__.lstrip("_")
    if function_name is not None:
        namespace[function_name or name] = function
    if method:
        setattr(Tensor, method if isinstance(method, str) else name, function)
    made: Op | None = getattr(function, "op", None)
    writes_back = made is not None and made.kind in ("arithmetic", "float")
    in_place = _in_place_form(function) if writes_back else None
    if in_place is not None and method:
        setattr(Tensor, in_place.__name__, in_place)
    if operator:
        setattr(Tensor, f"__{operator}__", function)
        if made is not None and len(made.inputs) == 2 and made.kind != "compare":
            setattr(Tensor, f"__r{operator}__", lambda self, other: function(other, self))
            setattr(Tensor, f"__i{operator}__", in_place)
    return function


def _in_place_form(function: Any) -> Callable[..., Any]:
    def of_one(self):
        return write(function.op, self, (), {})

    def of_two(self, other):
        return write(function.op, self, (other,), {})

    in_place = of_one if len(function.op.inputs) == 1 else of_two
    in_place.__name__ = in_place.__qualname__ = f"{function.op.name}_"
    in_place.__doc__ = f"`{function.op.name}`, written into the tensor itself."
    return in_place
