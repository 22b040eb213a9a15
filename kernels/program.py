"""A program: launches of compiled kernels that one call repeats, without Python between them.

Every kernel is a C function that Numba compiled. It takes a place for its result, one for an exception, and then the
parts of its arguments: an integer is one word, an array is the words [owner, parent, elements, bytes of an element,
address, shape..., strides...]. A program keeps the words of all its launches in one array and hands them to the very
same machine code that a single call runs, so its results have the same bits.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

from collections.abc import Callable
from typing import Any

import llvmlite.ir as ir
import numba
import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic

from ._jit import kernel
from ._launch import FINE, Launch, NotNative
from .simd import INDEX, POINTER, address

# How many words a function may be given: it may take fewer, for on all processors here the caller clears them away.
_COUNTS = (8, 16, 24, 32, 48, 64, 96, 128, 160)

_FUNCTION, _WORDS, _COUNT, _CHECKED = range(4)  # the columns of a program's table
_ADDRESS_WORD = 4  # of an array

_RETURNED, _RETURNED_NONE = 0, -2  # what a compiled function answers, unless it raises


# ---------------------------------------------------------------------------------------------------------------
# Calling a function by its address.


def _caller(module, count):
    """The function that calls another, by its address, with ``count`` words."""
    kind = ir.FunctionType(ir.IntType(32), [INDEX, POINTER, POINTER, POINTER])
    caller = ir.Function(module, kind, f"call_with_{count}_words")
    caller.linkage = "internal"
    builder = ir.IRBuilder(caller.append_basic_block())
    function, words, result, exception = caller.args
    values = [
        builder.load(builder.gep(words, [ir.Constant(INDEX, i)], source_etype=INDEX), typ=INDEX) for i in range(count)
    ]
    compiled = ir.FunctionType(ir.IntType(32), [POINTER, POINTER] + [INDEX] * count)
    callee = builder.inttoptr(function, ir.PointerType(compiled))
    builder.ret(builder.call(callee, [result, exception, *values]))
    return caller


@intrinsic
def _call(typingctx, function, words, count, result):
    """Call a compiled function with ``count`` words, one of `_COUNTS`; gives its answer."""

    def generate(context, builder, signature, values):
        function, words, count, result = values
        words, result = builder.inttoptr(words, POINTER), builder.inttoptr(result, POINTER)
        exception = cgutils.alloca_once(builder, POINTER)
        answer = cgutils.alloca_once(builder, ir.IntType(32))
        done = builder.append_basic_block("called")
        switch = builder.switch(count, done)
        for each in _COUNTS:
            caller = _caller(builder.module, each)
            block = builder.append_basic_block()
            switch.add_case(ir.Constant(INDEX, each), block)
            with builder.goto_block(block):
                builder.store(builder.call(caller, [function, words, result, exception]), answer)
                builder.branch(done)
        builder.position_at_end(done)
        return builder.sext(builder.load(answer, typ=ir.IntType(32)), INDEX)

    return types.intp(*[types.intp] * 4), generate


@kernel
def _run(table, words, result):
    """Make all launches; gives -1, or the number of the first that failed."""
    for row in range(table.shape[0]):
        place = address(words) + table[row, _WORDS] * words.itemsize
        answer = _call(table[row, _FUNCTION], place, table[row, _COUNT], address(result))
        if answer not in (_RETURNED, _RETURNED_NONE) or (table[row, _CHECKED] and result[0] != FINE):
            return row
    return -1


@kernel
def _address(x):
    return address(x)


@kernel
def _move(words, places, offsets, x):
    """Let the words at ``places`` be addresses in the array x."""
    for i in range(places.size):
        words[places[i]] = address(x) + offsets[i]


# ---------------------------------------------------------------------------------------------------------------
# Programs.


class Program:
    """Launches to be made again and again, in one call. `NotNative` where an argument is neither array nor integer."""

    def __init__(self, launches: list[Launch]):
        self._launches = launches  # keeps the arrays alive
        rows, words = [], []
        for each in launches:
            own = words_of(each)
            rows.append((code_of(each), len(words), len(own), each.complain is not None))
            words += own
        self._table = np.array(rows, np.int64).reshape(-1, 4)
        self._words = np.array(words, np.int64)
        self._result = np.zeros(8, np.int64)
        self.before_complaint: Callable[[], None] | None = None  # called before a kernel's complaint reads its arrays

    def run(self) -> None:
        """Make the launches, in their order."""
        failed = _run(self._table, self._words, self._result)
        if failed >= 0:
            self._raise(failed)

    def _raise(self, row: int) -> None:
        launch = self._launches[row]
        if launch.complain is not None and self._result[0] != FINE:
            if self.before_complaint is not None:
                self.before_complaint()
            launch.complain(int(self._result[0]))
        raise MemoryError(f"{launch.kernel.__name__} could not be finished: there is not enough memory")

    def places_of(self, array: np.ndarray) -> "Places":
        """Where the program's words are addresses inside ``array``."""
        begin, end = _address(array), _address(array) + array.nbytes
        places = []
        for (_, first, _, _), launch in zip(self._table.tolist(), self._launches, strict=True):
            for argument in launch.arguments:
                if isinstance(argument, np.ndarray) and begin <= self._words[first + _ADDRESS_WORD] < end:
                    places.append(first + _ADDRESS_WORD)
                first += len(_words(argument))
        return Places(self, np.array(places, np.int64), self._words[places] - begin)


class Places:
    """The words of a program that are addresses in one array, to be moved to another of the same layout."""

    def __init__(self, program: Program, places: np.ndarray, offsets: np.ndarray):
        self._program = program
        self._places = places
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._places)

    def move_to(self, array: np.ndarray) -> None:
        """Let the program read and write ``array``, which the caller keeps alive."""
        _move(self._program._words, self._places, self._offsets, array)


def words_of(launch: Launch) -> list[int]:
    """The words of the arguments of a launch, as many as one of `_COUNTS`; `NotNative` where they cannot be given."""
    words = [word for argument in launch.arguments for word in _words(argument)]
    count = next((count for count in _COUNTS if count >= len(words)), None)
    if count is None:
        raise NotNative(f"{len(words)} words of arguments")
    return words + [0] * (count - len(words))


def _words(argument: Any) -> list[int]:
    """The words of one argument."""
    if isinstance(argument, np.ndarray):
        return [0, 0, argument.size, argument.itemsize, argument.ctypes.data, *argument.shape, *argument.strides]
    if isinstance(argument, (int, np.integer, np.bool_)):
        return [int(argument)]
    raise NotNative(f"an argument of type {type(argument).__name__}")


def code_of(launch: Launch) -> int:
    """The address of the machine code for these arguments."""
    kinds = tuple(numba.typeof(argument) for argument in launch.arguments)
    overloads = launch.kernel.overloads
    compiled = overloads.get(kinds) or next((each for own, each in overloads.items() if _fit(own, kinds)), None)
    if compiled is None:
        launch.kernel.compile(kinds)
        compiled = overloads[kinds]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)


def _fit(own: tuple[Any, ...], kinds: tuple[Any, ...]) -> bool:
    """Whether code compiled for ``own`` types reads the words of arguments of ``kinds`` rightly."""
    return len(own) == len(kinds) and all(map(_reads, own, kinds))


def _reads(own: Any, kind: Any) -> bool:
    if isinstance(own, types.Array) and isinstance(kind, types.Array):
        return (own.dtype, own.ndim) == (kind.dtype, kind.ndim) and own.layout in ("A", kind.layout)
    return own == kind
