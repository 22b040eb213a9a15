"""What a recorded call computed: its op calls, the arrays they read and made, and what it leaves behind."""

import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from .. import random as generators
from ..autograd import Tensor
from ..autograd.mode import BACKWARD, FORWARD, IN_PLACE, Recorder
from ..autograd.op import Op
from ..autograd.tensor import wrap
from .world import World


class Layout(NamedTuple):
    """What of an array holds for every replay."""

    shape: tuple[int, ...]
    dtype: np.dtype
    strides: tuple[int, ...]
    nbytes: int
    is_plain: bool  # C-contiguous

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize


class Value:
    """One array of a recorded call, and where a replay finds it.

    array     as it was when recorded, as long as that goes on
    layout    of it, and of the arrays in its place at replays
    tensor    the tensor whose array it is, where that was there before the call; else None
    argument  the number of the argument that it is, or None
    constant  a copy of its content, where it is made of numbers of the program
    base      the value whose memory it shares, of which ``call`` makes the view; else None
    call      the call that makes it, or None
    """

    __slots__ = ("argument", "array", "base", "call", "constant", "layout", "tensor")

    def __init__(self, array: np.ndarray):
        self.array: Any = array
        self.layout = Layout(array.shape, array.dtype, array.strides, array.nbytes, array.flags.c_contiguous)
        self.tensor: Tensor | None = None
        self.argument: int | None = None
        self.constant: np.ndarray | None = None
        self.base: Value | None = None
        self.call: Call | None = None

    @property
    def root(self) -> "Value":
        """The value that owns the memory."""
        value = self
        while value.base is not None:
            value = value.base
        return value

    @property
    def is_made(self) -> bool:
        """Whether the memory is the program's own."""
        root = self.root
        return root.tensor is None and root.argument is None


class Call:
    """One op call. ``inputs`` are Values, constants, and tuples and lists of them."""

    __slots__ = ("each", "form", "inputs", "op", "outputs", "params", "writes")

    def __init__(self, op: Op, form: str, inputs: Any, params: dict[str, Any]):
        self.op = op
        self.form = form
        self.inputs = inputs
        self.params = params
        self.outputs: list[Value | None] = []  # what it gives
        self.writes: list[Value] = []  # what it changes
        self.each = False  # whether it changes each array of its first input

    def __repr__(self) -> str:
        return f"{self.op.name}{self.form}"

    def reads(self) -> Iterator[Value]:
        """The values among the inputs."""
        return values_in((*self.inputs, *self.params.values()))

    def makes(self) -> Iterator[Value]:
        """The outputs whose memory this call fills."""
        return (each for each in self.outputs if each is not None and each.call is self and each.base is None)

    @property
    def is_view(self) -> bool:
        """Whether it only looks at memory in another way."""
        first = self.outputs[0] if self.form == FORWARD else None
        return first is not None and first.call is self and first.base is not None


def values_in(inputs: Any) -> Iterator[Value]:
    """The values in nested lists and tuples."""
    for each in inputs:
        if isinstance(each, Value):
            yield each
        elif isinstance(each, (list, tuple)):
            yield from values_in(each)


_SEED = 1 << 30  # the number of an argument that is the gradient of a result


def share_memory(one: Value, other: Value) -> bool:
    """Whether two values may lie in the same memory, while their arrays are there: tensors from outside may overlap."""
    one, other = one.root, other.root
    if one is other:
        return True
    return not one.is_made and not other.is_made and bool(np.may_share_memory(one.array, other.array))


# Ops whose results have a shape that depends on values.
_SHAPED_BY_DATA = ("nonzero",)


class Trace(Recorder):
    """Hears a call of a function.  ``arguments``: its tensors; ``world``: what else it reaches.

    A ``problem`` is the reason why the call cannot be repeated; nothing more is then written down.
    """

    def __init__(self, arguments: list[Tensor], *worlds: World | None):
        self.calls: list[Call] = []
        self.problem: str | None = None
        self.arguments: list[Value] = []
        self.generator: np.ndarray | None = None  # the state of the default generator, if it was drawn from
        self._values: dict[int, Value] = {}  # by the identity of the array
        self.sources: list[Tensor | None] = []  # for each argument: the leaf whose ``.grad`` it is, or None
        self.cleared_first: set[int] = set()  # identities of leaves whose gradients are taken away before all else
        self.has_hooks = False  # functions of the user's were called with gradients
        self.failed = False  # the problem is a fault of this class
        self.unknown = False  # the problem is a tensor that came from nowhere
        tensors = [each for world in worlds if world for each in world.tensors.values()]
        self._externals: dict[int, Tensor] = {id(each._array): each for each in tensors}
        drawn = [each._state for world in worlds if world for each in world.generators]
        self._externals.update((id(each), wrap(each)) for each in drawn)
        leaves = (*tensors, *arguments)
        self._gradients = {id(each.grad._array): each for each in leaves if each.grad is not None}
        for each in arguments:
            self._take_argument(each._array)

    def _take_argument(self, array: np.ndarray, gradient_of: Tensor | None = None) -> Value:
        """The next argument is ``array``: that of a tensor, or of the gradient that a leaf then has."""
        value = self._enter(array)
        if value.argument is None:
            value.argument = len(self.arguments)
        self.arguments.append(value)
        self.sources.append(gradient_of)
        return value

    def release(self) -> None:
        """Let go of the recorded arrays."""
        for each in self._values.values():
            each.array = None
        self._values.clear()

    def take_seed(self, tensor: Tensor) -> Value:
        """The gradient of a result is ``tensor``: like an argument, it changes from time to time."""
        value = self._enter(tensor._array)
        value.argument = _SEED
        return value

    def find(self, array: Any) -> Value | None:
        """The value of an array, if it was heard of."""
        return self._values.get(id(array))

    # --- what the engine tells -----------------------------------------------------------------------------------

    def read(self, how: str) -> None:
        self._stop(f"it reads values by {how}")

    def hooked(self) -> None:
        self.has_hooks = True

    def cleared(self, leaf: Tensor) -> None:
        if not self.calls:
            self.cleared_first.add(id(leaf))

    def constant(self, array: np.ndarray) -> None:
        if self.problem is None and id(array) not in self._values:
            self._enter(array).constant = np.array(array)

    def call(self, op: Op, form: str, inputs: Any, params: dict[str, Any], outputs: Any, kept: Any = ()) -> None:
        if self.problem is not None:
            return
        if op.name in _SHAPED_BY_DATA:
            self._stop(f"the shape of what {op.name}() gives depends on values")
            return
        try:
            self._take_call(op, form, inputs, params, outputs, kept)
        except Exception as error:  # a fault of this class must not break the function
            self.failed = True
            self._stop(f"compile() is at fault, please report {type(error).__name__}: {error}")

    def _take_call(self, op: Op, form: str, inputs: Any, params: dict[str, Any], outputs: Any, kept: Any) -> None:
        call = Call(op, form, tuple([self._input(each, form) for each in inputs]), params)
        if form == IN_PLACE:
            call.each = isinstance(outputs, list)
            call.writes = [self._value_of(each._array) for each in (outputs if call.each else [outputs])]
        elif form == BACKWARD:
            call.outputs = [None if each is None else self._output(call, each._array) for each in outputs]
        else:
            call.outputs = [self._output(call, each) for each in (outputs._array, *kept)]
        self.calls.append(call)

    def _stop(self, problem: str) -> None:
        if self.problem is None:
            self.problem = f"{problem} ({_user_line()})"

    # --- values --------------------------------------------------------------------------------------------------

    def _enter(self, array: np.ndarray) -> Value:
        value = self._values.get(id(array))
        if value is None:
            value = self._values[id(array)] = Value(array)
        return value

    def _output(self, call: Call, array: np.ndarray) -> Value:
        """The value of an array that a call gave: new, a view of an input, or an input itself."""
        value = self._values.get(id(array))
        if value is None:
            value = self._enter(array)
            value.call = call
            if array.base is not None:
                shared = (each for each in call.reads() if np.may_share_memory(array, each.array))
                value.base = next(shared, None)
        return value

    def _input(self, each: Any, form: str) -> Any:
        if isinstance(each, Tensor):
            return self._value_of(each._array)
        if isinstance(each, np.ndarray):
            if each.ndim == 0 and form != BACKWARD:
                self.constant(each)  # unless it is known: a number of the program, in NumPy's form
            return self._value_of(each)
        if type(each) in (tuple, list):
            return type(each)([self._input(one, form) for one in each])
        return each

    def _value_of(self, array: np.ndarray) -> Value:
        value = self._values.get(id(array))
        if value is None:
            leaf = self._gradients.get(id(array))
            if leaf is not None:
                return self._take_argument(array, leaf)
            value = self._enter(array)
            value.tensor = self._externals.get(id(array))
            if value.tensor is None and array is generators.default_generator._state:
                self.generator, value.tensor = array, wrap(array)
            if value.tensor is None and self.problem is None:
                self.unknown = True
                self._stop(
                    f"it uses a tensor of shape {list(array.shape)} that was made neither by an op nor found in "
                    "what the function reaches"
                )
        return value


def _user_line() -> str:
    """The line of the program outside of this package that is being run."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "tinygrad_fr":
        frame = frame.f_back
    return "" if frame is None else f"{frame.f_code.co_filename}, line {frame.f_lineno}"
