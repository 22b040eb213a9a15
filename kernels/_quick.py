"""Small calls: from Python straight into machine code.

Numba's own way into a compiled function looks for its version by the types of all arguments, and makes each array known
to its memory manager. That takes half a microsecond, in which ten thousand numbers are multiplied. A quick function
is one of Python's own built-in functions instead. It reads the headers of the arrays where they lie, and if they are
just what a kernel was compiled for it makes the result, runs the kernel on the calling thread alone, and gives the
result. Anything else, be it large, of another dtype or layout, wrong, or to be put down for a program, it declines by
giving None: then the caller goes the long way, which compiles the kernel if need be and `learn`s where its code is.

All it knows is in a table of words that the function is bound to, so the machine code is the same in every process and
is kept on disk as that of any kernel.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import ctypes
import functools
import importlib
import platform
import sys
from collections.abc import Callable
from typing import Any

import llvmlite.ir as ir
import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic

from ._jit import inlined, kernel
from ._launch import COLLECTORS, Launch
from ._layout import FLOAT32, FLOAT64
from ._threads import _packed
from .program import _RETURNED, _RETURNED_NONE, _call, code_of
from .simd import INDEX, POINTER, set_word, word

DTYPES = FLOAT32, FLOAT64

# The words of a table: what has to be recognised, what is called, and numbers.
_COLLECTING, _ARRAY, _NONE, _NEW = range(4)  # the number of collectors; ndarray; None; PyArray_NewFromDescr
_COUNT, _LEAST = 4, 5  # the number of arguments; the work from which on a call is not small
_DTYPE, _CODE = 6, 8  # float32 and float64, and for each of them the machine code of the kernel, or 0
_READ, _ALIKE = 10, 11  # of maps and reductions: how many arrays are read; whether it is a map
_POOL, _POOL_SIZE, _TILES = 10, 11, 12  # of a product: the pool without threads; for each dtype its table of tiles
_AXES_OF = 10  # of long calls: for each argument how many axes it has, or 0 for an integer
_WORDS = 24

# Where an array's header has what (PyArrayObject: the same in all of NumPy 1 and 2, on 64-bit machines), in bytes.
_TYPE_AT, _DATA_AT, _AXES_AT, _SHAPE_AT, _STRIDES_AT, _DTYPE_AT, _FLAGS_AT = 8, 16, 24, 32, 40, 56, 64
_INT = (1 << 32) - 1  # the number of axes and the flags have 32 bits
_C_ORDER, _ALIGNED, _WRITEABLE = 0x1, 0x100, 0x400
_PLAIN = _C_ORDER | _ALIGNED
_LIST_LENGTH_AT = 16

_MAP_WORDS, _PRODUCT_WORDS, _LONG_WORDS = 32, 48, 64  # enough for all arguments, and numbers that `_call` takes
_NO_WORDS, _PRODUCT_PADDING = (0,) * _LONG_WORDS, (0,) * (_PRODUCT_WORDS - 35)


# ---------------------------------------------------------------------------------------------------------------
# Functions of Python and NumPy. An object is its address; 0 stands for none, where an exception has been set.


def _function(name, result):
    """The code generator of a call of a function that Python exports, on words."""

    def generate(context, builder, signature, values):
        kind = ir.FunctionType(result, [INDEX] * len(values))
        answer = builder.call(cgutils.get_or_insert_function(builder.module, kind, name), values)
        return context.get_dummy_value() if result == ir.VoidType() else answer

    return generate


@intrinsic
def _hold(typingctx, x):
    """Count one more reference to an object."""
    return types.void(types.intp), _function("Py_IncRef", ir.VoidType())


@intrinsic
def _drop(typingctx, x):
    """Count one reference less to an object."""
    return types.void(types.intp), _function("Py_DecRef", ir.VoidType())


@intrinsic
def _integer(typingctx, x):
    """The value of an int of Python's that has 64 bits."""
    return types.intp(types.intp), _function("PyLong_AsLongLong", INDEX)


@intrinsic
def _real(typingctx, x):
    """The bits of a real number of Python's as a float64."""

    def generate(context, builder, signature, values):
        number = _function("PyFloat_AsDouble", ir.DoubleType())(context, builder, signature, values)
        return builder.bitcast(number, INDEX)

    return types.intp(types.intp), generate


@intrinsic
def _failed(typingctx):
    """Not 0 where an exception has been set."""
    return types.intp(), _function("PyErr_Occurred", INDEX)


@intrinsic
def _release(typingctx):
    """Give the interpreter lock to other threads; gives what `_acquire` needs."""
    return types.intp(), _function("PyEval_SaveThread", INDEX)


@intrinsic
def _acquire(typingctx, state):
    """Wait for the interpreter lock."""
    return types.void(types.intp), _function("PyEval_RestoreThread", ir.VoidType())


@intrinsic
def _out_of_memory(typingctx):
    """Set a MemoryError; gives 0."""
    return types.intp(), _function("PyErr_NoMemory", INDEX)


@intrinsic
def _make(typingctx, new, kind, dtype, axes, shape):
    """A new array, by PyArray_NewFromDescr at the address ``new``, which takes a reference to the dtype."""

    def generate(context, builder, signature, values):
        new, kind, dtype, axes, shape = values
        none, flags = ir.Constant(INDEX, 0), ir.Constant(ir.IntType(32), 0)
        arguments = kind, dtype, builder.trunc(axes, ir.IntType(32)), shape, none, none, flags, none
        function = ir.FunctionType(INDEX, [argument.type for argument in arguments])
        return builder.call(builder.inttoptr(new, ir.PointerType(function)), arguments)

    return types.intp(*[types.intp] * 5), generate


# ---------------------------------------------------------------------------------------------------------------
# Headers of arrays.


@inlined
def _known(table, x):
    """Which of `DTYPES` an object is an array of, or -1. A subclass of ndarray is none."""
    if word(x + _TYPE_AT) == word(table + 8 * _ARRAY):
        dtype = word(x + _DTYPE_AT)
        if dtype == word(table + 8 * _DTYPE):
            return 0
        if dtype == word(table + 8 * (_DTYPE + 1)):
            return 1
    return -1


@inlined
def _has(x, flags):
    return word(x + _FLAGS_AT) & flags == flags


@inlined
def _axes(x):
    return word(x + _AXES_AT) & _INT


@inlined
def _length(x, axis):
    return word(word(x + _SHAPE_AT) + 8 * axis)


@inlined
def _size(x):
    size = 1
    for axis in range(_axes(x)):
        size *= _length(x, axis)
    return size


@inlined
def _alike(x, y):
    """Whether two arrays have one shape."""
    same = _axes(x) == _axes(y)
    for axis in range(_axes(x) if same else 0):
        same = same and _length(x, axis) == _length(y, axis)
    return same


@inlined
def _new(table, dtype, axes, shape):
    """A new array; ``shape`` is the address of its lengths."""
    kind = word(table + 8 * (_DTYPE + dtype))
    _hold(kind)
    return _make(word(table + 8 * _NEW), word(table + 8 * _ARRAY), kind, axes, shape)


@inlined
def _put_array(into, size, item, data):
    """Write the words of an array before its shape, where zeros are; gives the address behind them."""
    set_word(into + 16, size)
    set_word(into + 24, item)
    set_word(into + 32, data)
    return into + 40


@inlined
def _put_flat(into, x, dtype):
    """Write the words of an array whose elements are in order as those of one axis."""
    into = _put_array(into, _size(x), 4 << dtype, word(x + _DATA_AT))
    set_word(into, _size(x))
    set_word(into + 8, 4 << dtype)
    return into + 16


@inlined
def _busy(table, count):
    """Whether launches may have to be put down now, or the arguments are not as many as the kernel's."""
    return word(word(table + 8 * _COLLECTING)) != 0 or count != word(table + 8 * _COUNT)


@inlined
def _none(table):
    """What says that a call is declined."""
    _hold(word(table + 8 * _NONE))
    return word(table + 8 * _NONE)


@inlined
def _finish(code, words, count, result):
    """Run a kernel that writes into the array ``result``, of which the caller has a reference; gives the array."""
    answer = _call(code, words, count, _packed((0,)))
    if answer in (_RETURNED, _RETURNED_NONE):
        return result
    _drop(result)
    return _out_of_memory()


# ---------------------------------------------------------------------------------------------------------------
# The functions, as `quick(table, arguments, count)`: the addresses of the table and of the arguments' addresses.


@inlined
def _map(table, arguments, count):
    """A kernel(*arrays, *numbers, out) over arrays whose elements are in order, which it is given flat.

    A map's have one shape, it takes the bits of reals, and ``out`` may be None; a reduction takes integers.
    """
    if _busy(table, count):
        return _none(table)
    first, out = word(arguments), word(arguments + 8 * (count - 1))
    dtype, alike = _known(table, first), word(table + 8 * _ALIKE)
    if dtype < 0 or _size(first) >= word(table + 8 * _LEAST) or word(table + 8 * (_CODE + dtype)) == 0:
        return _none(table)
    words = _packed(_NO_WORDS)
    into = words
    for i in range(word(table + 8 * _READ)):
        x = word(arguments + 8 * i)
        if _known(table, x) != dtype or not _has(x, _PLAIN) or (alike and not _alike(first, x)):
            return _none(table)
        into = _put_flat(into, x, dtype)
    for i in range(word(table + 8 * _READ), count - 1):
        x = word(arguments + 8 * i)
        number = _real(x) if alike else _integer(x)
        if _failed():
            return 0
        set_word(into, number)
        into += 8
    if alike and out == word(table + 8 * _NONE):
        out = _new(table, dtype, _axes(first), word(first + _SHAPE_AT))
        if out == 0:
            return out
    elif _known(table, out) != dtype or not _has(out, _PLAIN | _WRITEABLE) or (alike and not _alike(first, out)):
        return _none(table)
    else:
        _hold(out)
    _put_flat(into, out, dtype)
    return _finish(word(table + 8 * (_CODE + dtype)), words, _MAP_WORDS, out)


@inlined
def _matrix(x, dtype):
    """The words of a matrix."""
    m, n = _length(x, 0), _length(x, 1)
    steps = word(x + _STRIDES_AT)
    return 0, 0, m * n, 4 << dtype, word(x + _DATA_AT), m, n, word(steps), word(steps + 8)


@inlined
def _product(table, arguments, count):
    """The kernel(pool, tiles, x, y, out) of the product of two matrices; ``out`` may be None."""
    if _busy(table, count):
        return _none(table)
    x, y, out = word(arguments), word(arguments + 8), word(arguments + 16)
    dtype = _known(table, x)
    if dtype < 0 or _known(table, y) != dtype:
        return _none(table)
    code = word(table + 8 * (_CODE + dtype))
    if code == 0 or _axes(x) != 2 or _axes(y) != 2 or _length(x, 1) != _length(y, 0):
        return _none(table)
    m, n = _length(x, 0), _length(y, 1)
    if m * n == 0 or m * n * _length(x, 1) >= word(table + 8 * _LEAST):
        return _none(table)
    if out == word(table + 8 * _NONE):
        out = _new(table, dtype, 2, _packed((m, n)))
        if out == 0:
            return out
    elif (
        _known(table, out) == dtype
        and _axes(out) == 2
        and _length(out, 0) == m
        and _length(out, 1) == n
        and _has(out, _WRITEABLE)
    ):
        _hold(out)
    else:
        return _none(table)
    size = word(table + 8 * _POOL_SIZE)
    pool = 0, 0, size, 8, word(table + 8 * _POOL), size, 8
    tiles = word(table + 8 * (_TILES + dtype))
    words = (*pool, tiles, *_matrix(x, dtype), *_matrix(y, dtype), *_matrix(out, dtype), *_PRODUCT_PADDING)
    return _finish(code, _packed(words), _PRODUCT_WORDS, out)


@inlined
def _long(table, arguments, count):
    """A kernel(pool, tiles, *arguments), of integers and of arrays that the caller has checked but for their kind.

    It may take its time: other threads may run Python meanwhile.
    """
    if _busy(table, count):
        return _none(table)
    words = _packed(_NO_WORDS)
    pool = word(arguments)
    into = _put_array(words, _size(pool), 8, word(pool + _DATA_AT))
    set_word(into, _size(pool))
    set_word(into + 8, 8)
    into += 16
    dtype = -1
    for i in range(1, count):
        x, axes = word(arguments + 8 * i), word(table + 8 * (_AXES_OF + i))
        if axes == 0:
            set_word(into, _integer(x))
            if _failed():
                return 0
            into += 8
            continue
        known = _known(table, x)
        if known < 0 or _axes(x) != axes or (dtype >= 0 and known != dtype):
            return _none(table)
        dtype = known
        into = _put_array(into, _size(x), 4 << dtype, word(x + _DATA_AT))
        for axis in range(axes):
            set_word(into + 8 * axis, _length(x, axis))
            set_word(into + 8 * (axes + axis), word(word(x + _STRIDES_AT) + 8 * axis))
        into += 16 * axes
    code = word(table + 8 * (_CODE + dtype))
    if code == 0:
        return _none(table)
    state = _release()
    answer = _call(code, words, _LONG_WORDS, _packed((0,)))
    _acquire(state)
    if answer not in (_RETURNED, _RETURNED_NONE):
        return _out_of_memory()
    _hold(pool)
    return pool


@intrinsic
def _entry(typingctx, function):
    """The address of ``PyObject *entry(PyObject *table, PyObject *const *arguments, Py_ssize_t count)``."""
    signature = function.get_call_type(typingctx, (types.intp,) * 3, {})

    def generate(context, builder, entry_signature, values):
        compiled = function.dispatcher.get_compile_result(signature)
        context.active_code_library.add_linking_library(compiled.library)
        kind = ir.FunctionType(INDEX, [INDEX] * 3)
        name = builder.module.get_unique_name(f"entry.{compiled.fndesc.llvm_func_name}")
        entry = ir.Function(builder.module, kind, name)
        entry.linkage = "internal"
        inner = ir.IRBuilder(entry.append_basic_block())
        array, arguments, count = entry.args
        data = inner.inttoptr(inner.add(array, ir.Constant(INDEX, _DATA_AT)), POINTER)
        callee = context.declare_function(builder.module, compiled.fndesc)
        _, result = context.call_conv.call_function(
            inner, callee, signature.return_type, signature.args, [inner.load(data, typ=INDEX), arguments, count]
        )
        inner.ret(result)
        return builder.ptrtoint(entry, INDEX)

    return types.intp(function), generate


@kernel
def _addresses():
    return _entry(_map), _entry(_product), _entry(_long)


_MAP, _PRODUCT, _LONG = range(3)  # the places of the entries


# ---------------------------------------------------------------------------------------------------------------
# In Python.


class _Definition(ctypes.Structure):
    """PyMethodDef: how Python calls a function of C."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("documentation", ctypes.c_char_p),
    )


_FASTCALL = 0x0080  # METH_FASTCALL: the arguments come as an array of objects


def _decline(*arguments: Any) -> None:
    """The quick function where there is none as yet, and on a Python that the others were not made for."""


@functools.cache
def _possible() -> bool:
    """Whether Python's and NumPy's objects lie in memory as this module reads them."""
    if platform.python_implementation() != "CPython" or sys.byteorder != "little" or sys.maxsize >> 32 == 0:
        return False
    if not getattr(sys, "_is_gil_enabled", lambda: True)() or not ctypes.pythonapi:
        return False
    x = np.zeros((2, 3, 4), FLOAT32)[:, ::2]
    header = list((ctypes.c_int64 * 9).from_address(id(x)))
    lengths = (ctypes.c_int64 * 3).from_address(header[_SHAPE_AT // 8])
    steps = (ctypes.c_int64 * 3).from_address(header[_STRIDES_AT // 8])
    return (
        header[_TYPE_AT // 8] == id(np.ndarray)
        and header[_DATA_AT // 8] == x.ctypes.data
        and header[_AXES_AT // 8] & _INT == x.ndim
        and header[_DTYPE_AT // 8] == id(x.dtype) == id(FLOAT32)
        and header[_FLAGS_AT // 8] & _INT == _ALIGNED | _WRITEABLE
        and (tuple(lengths), tuple(steps)) == (x.shape, x.strides)
        and ctypes.c_int64.from_address(id([1, 2, 3]) + _LIST_LENGTH_AT).value == 3
    )


@functools.cache
def _definitions() -> tuple[_Definition, ...]:
    """How Python calls the entries; it reads them again whenever it calls."""
    return tuple(_Definition(b"quick", address, _FASTCALL, None) for address in _addresses())


@functools.cache
def _maker_of_arrays() -> int:
    """The address of PyArray_NewFromDescr, which has the same place in the table of all of NumPy 1 and 2."""
    core = importlib.import_module("numpy._core" if hasattr(np, "_core") else "numpy.core")
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)
    table = pointer(core._multiarray_umath._ARRAY_API, None)
    return (ctypes.c_int64 * 95).from_address(table)[94]


_bind: Any = ctypes.pythonapi.PyCFunction_NewEx
_bind.restype, _bind.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)


class Quick:
    """A quick function, ``call``, and its table. It declines until it has learnt of a kernel."""

    __slots__ = ("_function", "_table", "call", "known")

    def __init__(self, function: int, count: int, least: int):
        self.call: Callable[..., Any] = _decline
        self.known: set[np.dtype] = set()  # of which dtypes it has a kernel
        self._function = function
        self._table = np.zeros(_WORDS, np.int64)
        self._table[[_COUNT, _LEAST]] = count, least

    def learn(self, dtype: np.dtype, kernel: Any, *arguments: Any) -> None:
        """Let calls with arrays of ``dtype`` run the kernel that these arguments would run, unless they do already."""
        if dtype not in self.known and _possible():
            self._learn(dtype, kernel, arguments)

    def _learn(self, dtype: np.dtype, kernel: Any, arguments: tuple[Any, ...]) -> None:
        table = self._table
        table[[_COLLECTING, _ARRAY, _NONE, _NEW]] = (
            id(COLLECTORS) + _LIST_LENGTH_AT,
            id(np.ndarray),
            id(None),
            _maker_of_arrays(),
        )
        table[_DTYPE : _DTYPE + 2] = [id(each) for each in DTYPES]
        table[_CODE + DTYPES.index(dtype)] = code_of(Launch(kernel, arguments, None))
        if self.call is _decline:
            self.call = _bind(ctypes.byref(_definitions()[self._function]), table, None)
        self.known.add(dtype)


def quick_map(arrays: int, parameters: int, least: int) -> Quick:
    """``call(*arrays, *parameters, out)`` of a `Loop`, for arrays of less than ``least`` elements."""
    return _quick_loop(arrays, parameters, least, alike=True)


def quick_reduction(integers: int, least: int) -> Quick:
    """``call(x, *integers, out)`` of a kernel of such arguments, for an x of less than ``least`` elements."""
    return _quick_loop(1, integers, least, alike=False)


def _quick_loop(read: int, numbers: int, least: int, alike: bool) -> Quick:
    quick = Quick(_MAP, read + numbers + 1, least)
    quick._table[[_READ, _ALIKE]] = read, alike
    return quick


class _QuickProduct(Quick):
    __slots__ = ()

    def _learn(self, dtype: np.dtype, kernel: Any, arguments: tuple[Any, ...]) -> None:
        pool, tiles = arguments[:2]  # every call has these: a pool without threads, and the tiles of the dtype
        self._table[[_POOL, _POOL_SIZE, _TILES + DTYPES.index(dtype)]] = pool.ctypes.data, pool.size, tiles
        super()._learn(dtype, kernel, arguments)


def quick_product(least: int) -> Quick:
    """``call(x, y, out)`` of a kernel(pool, tiles, x, y, out), for products of less than ``least`` multiply-adds."""
    return _QuickProduct(_PRODUCT, 3, least)


def quick_long(*axes: int) -> Quick:
    """``call(pool, tiles, *arguments)`` of a kernel that may take its time; gives anything but None where it is called.

    All but the pool are integers (0 axes) or arrays of so many axes, whose lengths the caller answers for, and for
    those that are written being writeable.
    """
    quick = Quick(_LONG, 2 + len(axes), 0)
    quick._table[_AXES_OF : _AXES_OF + 2 + len(axes)] = 1, 0, *axes
    return quick
