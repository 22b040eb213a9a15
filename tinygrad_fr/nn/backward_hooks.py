"""Full backward hooks of modules: functions that see the gradients of a call's results and of its arguments.

The tensors that go into a call, and those that come out of it, pass through one node each of the graph.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..autograd import Tensor
from ..autograd.function import Function
from ..autograd.mode import tell_read, thread
from ..ops.creation import full_like

Gradients = tuple[Any, ...]


class _Boundary(Function):
    """Tensors as they are; ``seen(gradients)`` gives the gradients that go on."""

    @staticmethod
    def forward(ctx: Any, seen: Callable[[Gradients], Sequence[Any]], *tensors: Tensor) -> Gradients:
        ctx.set_materialize_grads(False)
        ctx.seen = seen
        return tensors

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Gradients:
        return None, *ctx.seen(gradients)


def _through(seen: Callable[[Gradients], Sequence[Any]], values: Gradients, places: list[int]) -> Gradients:
    """The values with the tensors at ``places`` behind a boundary."""
    passed = dict(zip(places, _Boundary.apply(seen, *[values[i] for i in places]), strict=True))
    return tuple(passed.get(i, value) for i, value in enumerate(values))


def _differentiated(values: Gradients) -> list[int]:
    """The places of the tensors that want a gradient."""
    if not thread.mode.grad:
        return []
    return [i for i, value in enumerate(values) if isinstance(value, Tensor) and value.requires_grad]


class BackwardCall:
    """One call of a module with backward hooks, from its arguments to its results and back.

    ``hooks`` are pairs: a function, and whether it is called before the gradients pass through the module.
    """

    def __init__(self, module: Any, hooks: Sequence[tuple[Callable[..., Any], bool]]):
        self.module = module
        self.before = [hook for hook, is_before in hooks if is_before]
        self.after = [hook for hook, is_before in hooks if not is_before]
        self.args: Gradients = ()
        self.inner: list[int] = []  # which arguments are behind a boundary
        self.outer: list[int] = []  # which results are
        self.several = False
        self.count = 0
        self.grad_output: Gradients | None = None

    def enter(self, args: Gradients) -> Gradients:
        """The arguments that ``forward`` gets."""
        tell_read(f"a full backward hook of {self.module._get_name()}")  # a captured step would not call it
        self.args = tuple(value.detach() if isinstance(value, Tensor) else None for value in args)
        self.inner = _differentiated(args)
        return _through(self._leave_module, args, self.inner) if self.inner else args

    def leave(self, result: Any) -> Any:
        """The result that the caller gets."""
        self.several = isinstance(result, tuple)
        results = result if self.several else (result,)
        if not all(isinstance(each, Tensor) for each in results[:1]):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received "
                f"{type(results[0])}",
                stacklevel=4,
            )
            return result
        self.outer, self.count = _differentiated(results), len(results)
        if not self.outer:
            return result
        passed = _through(self._enter_module, results, self.outer)
        return passed if self.several else passed[0]

    def _enter_module(self, gradients: Gradients) -> Sequence[Any]:
        """The gradients of the results, on their way into the module."""
        found = dict(zip(self.outer, gradients, strict=True))
        grad_output = tuple(found.get(i) for i in range(self.count))
        for hook in self.before:
            grad_output = _replaced(hook(self.module, grad_output), grad_output, "Backward pre hook", "grad_output")
        self.grad_output = grad_output
        if not self.inner:
            self._tell_at_once(grad_output)
        return [grad_output[i] for i in self.outer]

    def _tell_at_once(self, grad_output: Gradients) -> None:
        """No argument wants a gradient: the hooks are told of the results' alone."""
        if self.after:
            warnings.warn(
                "Full backward hook is firing when gradients are computed with respect to module outputs since no "
                "inputs require gradients.",
                stacklevel=2,
            )
        for hook in self.after:
            given = hook(self.module, (None,) * len(self.args), grad_output)
            if given is not None and not (isinstance(given, tuple) and all(each is None for each in given)):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always return None or None for "
                    "all gradients."
                )

    def _leave_module(self, gradients: Gradients) -> Sequence[Any]:
        """The gradients of the arguments, on their way out of the module."""
        if self.grad_output is None:  # the results were of a form that hooks are not told of
            return gradients
        found = dict(zip(self.inner, gradients, strict=True))
        grad_input = tuple(
            full_like(arg, 0) if arg is not None and found.get(i) is None else found.get(i)
            for i, arg in enumerate(self.args)
        )
        for hook in self.after:
            given = hook(self.module, grad_input, self.grad_output)
            grad_input = _replaced(given, grad_input, "Backward hook", "grad_input")
        self.grad_output = None
        return [grad_input[i] for i in self.inner]


def _replaced(given: Any, before: Gradients, kind: str, name: str) -> Gradients:
    """What a hook gave in the place of the gradients ``before``; those if it gave None."""
    if given is None:
        return before
    given = given if isinstance(given, tuple) else (given,)
    if len(given) != len(before):
        raise RuntimeError(f"{kind} returned an invalid number of {name}, got {len(given)}, but expected {len(before)}")
    return given
