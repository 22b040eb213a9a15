"""The threads of the kernels: ``spread(pool, function, count, arguments)`` in compiled code, `pool_for` outside.

Results never depend on them: kernels cut their work into parts whose sizes ignore the number of threads.

The parts of a job are claimed one by one, by the thread that wants the result as well as by the pool's. So a thread of
the pool that is asleep, or that the system lets wait, costs nothing but its help; a forked process, whose copy of the
pool has no threads, computes alone; and a second thread that comes while the pool is busy does its work itself.

A pool is an array of int64 words, on which compiled code works by atomic instructions. Idle threads look for work again
and again for some milliseconds, then ever more rarely: to wake a thread takes longer than most kernels.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import atexit
import operator
import os
import platform
import threading

import llvmlite.ir as ir
import numpy as np
from numba.core import cgutils, types
from numba.extending import intrinsic

from ._jit import config, inlined, kernel, merged
from .simd import INDEX, POINTER, address, keep

_MOST = 64  # threads that a pool has room for

# The words. What several threads write has a line of the cache to itself.
_LINE = 8
_THREADS = 0  # how many threads share a job, the one that brings it included
_TASK, _ARGUMENTS, _COUNT, _SHARES = 1, 2, 3, 4  # the job: the addresses of its code and arguments; its parts, sharers
_STOP = 5  # threads end when it is not 0
_LOCK, _DONE, _JOB = _LINE, 2 * _LINE, 3 * _LINE  # who may set a job; how many parts are done; the number of the job
_NEXT = 4 * _LINE  # a line for each thread: the number of the job and, in the lower half, the next part of its share
_WORDS = _NEXT + _MOST * _LINE

_HALF = 32  # bits
_LOWER = (1 << _HALF) - 1
_NO_PART = (1 << 31) - 1  # beyond all parts

# How often an idle thread looks for work before it begins to sleep (some 5 ms); the shortest and longest sleeps.
_LOOKS = 50_000
_SHORT_US, _LONG_US = 50, 10_000

# How often a thread that has done its share looks at another that does not get on, before it helps (some 10 us).
_PATIENCE = 200


# ---------------------------------------------------------------------------------------------------------------
# Instructions.


def _on_word(emit, arguments):
    """What an intrinsic on a word of a pool returns; ``emit(builder, pointer, *arguments)`` gives its result."""

    def generate(context, builder, signature, values):
        place = builder.add(values[0], builder.shl(values[1], ir.Constant(INDEX, 3)))
        return emit(builder, builder.inttoptr(place, POINTER), *values[2:])

    return types.intp(*[types.intp] * (2 + arguments)), generate


@intrinsic
def _read(typingctx, words, i):
    """Word i, and with it all that was written before it was."""
    return _on_word(lambda builder, at: builder.load_atomic(at, "seq_cst", 8, typ=INDEX), 0)


@intrinsic
def _write(typingctx, words, i, value):
    """Set word i; gives what it was."""
    return _on_word(lambda builder, at, x: builder.atomic_rmw("xchg", at, x, "seq_cst"), 1)


@intrinsic
def add_to_word(typingctx, words, i, value):
    """Add to the 64-bit word i from an address on, at once for all threads; gives what it was."""
    return _on_word(lambda builder, at, x: builder.atomic_rmw("add", at, x, "seq_cst"), 1)


@intrinsic
def _swap(typingctx, words, i, expected, value):
    """Set word i if it is what is expected; gives 1 if it was, else 0."""

    def emit(builder, at, before, after):
        return builder.zext(builder.extract_value(builder.cmpxchg(at, before, after, "seq_cst"), 1), INDEX)

    return _on_word(emit, 2)


_MACHINE = platform.machine().lower()
_POSIX = os.name == "posix"  # elsewhere the functions that let a thread rest have other names, untried as yet


@intrinsic
def _pause(typingctx):
    """Tell the processor that this is a loop that waits."""

    def generate(context, builder, signature, values):
        if _MACHINE in ("x86_64", "amd64"):
            _instruction(builder, "llvm.x86.sse2.pause", [])
        elif _MACHINE in ("aarch64", "arm64"):
            _instruction(builder, "llvm.aarch64.hint", [ir.Constant(ir.IntType(32), 1)])
        return context.get_dummy_value()

    return types.void(), generate


def _instruction(builder, name, arguments, result=None):
    """Call a function that LLVM or the C library has, on ints."""
    kind = ir.FunctionType(result or ir.VoidType(), [ir.IntType(32)] * len(arguments))
    builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


@intrinsic
def _let_others_run(typingctx):
    """Give the processor to a thread that waits for one."""

    def generate(context, builder, signature, values):
        if _POSIX:
            _instruction(builder, "sched_yield", [], ir.IntType(32))
        return context.get_dummy_value()

    return types.void(), generate


@intrinsic
def _sleep(typingctx, microseconds):
    def generate(context, builder, signature, values):
        if _POSIX:
            _instruction(builder, "usleep", [builder.trunc(values[0], ir.IntType(32))], ir.IntType(32))
        return context.get_dummy_value()

    return types.void(types.intp), generate


# ---------------------------------------------------------------------------------------------------------------
# Tasks: a compiled function and its arguments, as two addresses.


@intrinsic
def _task(typingctx, function, arguments):
    """The address of ``void task(packed arguments, i)``, which calls ``function(i, *arguments)``."""
    signature = function.get_call_type(typingctx, (types.intp, *arguments), {})

    def generate(context, builder, task_signature, values):
        compiled = function.dispatcher.get_compile_result(signature)
        context.active_code_library.add_linking_library(compiled.library)
        kind = ir.FunctionType(ir.VoidType(), [POINTER, INDEX])
        task = ir.Function(
            builder.module, kind, builder.module.get_unique_name(f"task.{compiled.fndesc.llvm_func_name}")
        )
        task.linkage = "internal"
        inner = ir.IRBuilder(task.append_basic_block())
        packed = inner.load(task.args[0], typ=values[1].type, align=1)
        unpacked = [inner.extract_value(packed, i) for i in range(len(arguments))]
        callee = context.declare_function(builder.module, compiled.fndesc)
        context.call_conv.call_function(inner, callee, signature.return_type, signature.args, [task.args[1], *unpacked])
        inner.ret_void()
        return builder.ptrtoint(task, INDEX)

    return types.intp(function, arguments), generate


@intrinsic
def _packed(typingctx, arguments):
    """The address of a copy of the arguments in the frame of the function that asks; it keeps nothing alive."""

    def generate(context, builder, signature, values):
        slot = cgutils.alloca_once(builder, values[0].type)
        builder.store(values[0], slot, align=1)
        return builder.ptrtoint(slot, INDEX)

    return types.intp(arguments), generate


@intrinsic
def _call(typingctx, task, arguments, part):
    """Call a task by its addresses."""

    def generate(context, builder, signature, values):
        kind = ir.FunctionType(ir.VoidType(), [POINTER, INDEX])
        task = builder.inttoptr(values[0], ir.PointerType(kind))
        builder.call(task, [builder.inttoptr(values[1], POINTER), values[2]])
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp), generate


# ---------------------------------------------------------------------------------------------------------------
# Jobs.


@merged
def spread(pool, function, count, arguments):
    """Call the compiled ``function(i, *arguments)`` for every i below ``count``, on the threads of ``pool``.

    The calls may come in any order and at the same time; an exception would go unnoticed.
    """
    task, packed = _task(function, arguments), _packed(arguments)
    if pool[_THREADS] < 2 or count < 2:
        for part in range(count):
            _call(task, packed, part)
    else:
        _run(address(pool), task, packed, count)
    keep(arguments)  # the addresses alone would let an array of the caller's go


@inlined
def _run(pool, task, arguments, count):
    """Share a job out, take part in it, and wait until it is done."""
    if not _swap(pool, _LOCK, 0, 1):  # the pool is at another job: that of another thread, or one that this is part of
        for part in range(count):
            _call(task, arguments, part)
        return
    shares = min(_read(pool, _THREADS), count)
    job = _read(pool, _JOB) + 1
    _write(pool, _TASK, task)
    _write(pool, _ARGUMENTS, arguments)
    _write(pool, _COUNT, count)
    _write(pool, _SHARES, shares)
    _write(pool, _DONE, 0)
    for share in range(shares):
        _write(pool, _NEXT + share * _LINE, (job << _HALF) | (share * count // shares))
    _write(pool, _JOB, job)  # the one word that idle threads look at
    _take_parts(pool, 0)
    looks = 0
    while _read(pool, _DONE) < count:
        looks += 1
        _wait(looks)
    for share in range(shares):
        _write(pool, _NEXT + share * _LINE, (job << _HALF) | _NO_PART)
    _write(pool, _LOCK, 0)


@inlined
def _take_parts(pool, thread):
    """Do what is left of the thread's share of the job, then what is left of the others'; gives how many parts.

    A share that another thread is at is left to it as long as it gets on: what that thread has worked on lies in its
    cache, and to fetch it from there may take longer than the work.
    """
    done = 0
    shares = _read(pool, _SHARES)
    for i in range(shares):
        done += _take_share(pool, (thread + i) % shares, _PATIENCE if i else 0)
    return done


@inlined
def _take_share(pool, share, patience):
    """Do the parts of a share that nobody has claimed; gives how many.

    With ``patience``, one that another thread has begun is watched for so many looks at a time without any change.

    A part is claimed by counting up the word of its share, which only succeeds if that is still the word that was read
    first: then what was read of the job in between belongs together. While a job is set, the words are at `_NO_PART`.
    """
    done = looks = 0
    before = own = -1
    while True:
        word = _read(pool, _NEXT + share * _LINE)
        part = word & _LOWER
        task, arguments = _read(pool, _TASK), _read(pool, _ARGUMENTS)
        count, shares = _read(pool, _COUNT), _read(pool, _SHARES)
        if part == _NO_PART or shares <= share or part >= (share + 1) * count // shares:
            break
        if patience and part > share * count // shares and word != own:
            looks = looks + 1 if word == before else 0
            before = word
            if looks < patience:
                _pause()
                continue
        if _swap(pool, _NEXT + share * _LINE, word, word + 1):
            own = word + 1  # for as long as nobody else claims a part
            _call(task, arguments, part)
            done += 1
    if done:
        add_to_word(pool, _DONE, done)  # once for all: threads that count together hinder each other
    return done


@inlined
def _wait(looks):
    """What a thread does between two looks for work."""
    if looks % 64:
        _pause()
    else:
        _let_others_run()


@kernel
def _work(pool, thread):
    """The life of a thread of the pool, which does not hold the interpreter's lock."""
    words = address(pool)
    looks, microseconds = 0, _SHORT_US
    known = -1  # the job that was there when this thread last looked
    while _read(words, _STOP) == 0:
        job = _read(words, _JOB)
        if job != known and thread < _read(words, _THREADS):
            known = job
            _take_parts(words, thread)
            looks, microseconds = 0, _SHORT_US
        elif looks < _LOOKS:
            looks += 1
            _wait(looks)
        else:
            _sleep(microseconds)
            microseconds = min(2 * microseconds, _LONG_US)


# ---------------------------------------------------------------------------------------------------------------
# Equal parts of many elements: then each thread has the same elements whenever a job comes again.

_ALIGNED = 16  # elements: parts begin at a multiple, which is a line of the cache or more


@inlined
def equal_parts(size, most, multiple):
    """How many parts of at most ``most`` elements: a multiple, so that up to so many threads end together."""
    return multiple * ((size + multiple * most - 1) // (multiple * most))


@inlined
def equal_part(part, size, most, multiple):
    """The first element of one of `equal_parts`, and the one after its last."""
    count = equal_parts(size, most, multiple)
    each = (size + count - 1) // count
    each += -each % _ALIGNED
    return min(size, part * each), min(size, (part + 1) * each)


# ---------------------------------------------------------------------------------------------------------------
# The pool of this process.

ALONE = np.zeros(_WORDS, np.int64)  # a pool without threads

# Below this much work (elements or bytes) one thread is done sooner; kernels that know better say their own measure.
PARALLEL_WORK = 1 << 16

MOST_THREADS = min(config.NUMBA_NUM_THREADS, _MOST) if _POSIX else 1

LAYER = "own pool" if MOST_THREADS > 1 else "serial"

_lock = threading.Lock()
_pool: np.ndarray | None = None
_workers: list[threading.Thread] = []
_threads: int = MOST_THREADS


def pool_for(work: int, least: int = PARALLEL_WORK) -> np.ndarray:
    """The pool to spread ``work`` over: that of this process where there is enough of it, else `ALONE`."""
    if work < least or _threads == 1:
        return ALONE
    return _pool if _pool is not None else _start()


def set_num_threads(threads: int) -> None:
    """Use at most ``threads`` threads in every kernel, from 1 to the number of processors.

    TypeError for anything but an int, ValueError outside.
    """
    global _threads
    if isinstance(threads, bool) or not hasattr(threads, "__index__"):
        raise TypeError(f"set_num_threads expects an int, got {type(threads).__name__}")
    if not 1 <= threads <= MOST_THREADS:
        raise ValueError(f"expected 1 to {MOST_THREADS} threads, got {threads}")
    with _lock:
        _threads = operator.index(threads)
        if _pool is not None:
            _pool[_THREADS] = min(_threads, len(_workers) + 1)


def get_num_threads() -> int:
    """The most threads that a kernel uses."""
    return _threads


def _start() -> np.ndarray:
    """Make the pool and its threads; they begin to work as soon as they are there."""
    global _pool
    with _lock:
        if _pool is None:
            pool = np.zeros(_WORDS, np.int64)
            pool[_NEXT::_LINE] = _NO_PART
            pool[_STOP] = 1
            _work(pool, 0)  # loads its code here: a thread that does holds a lock of Numba's, which a fork would copy
            pool[_STOP] = 0
            _pool = pool  # as yet without threads
            _start_workers(pool)
            pool[_THREADS] = min(_threads, len(_workers) + 1)
    return _pool


def _start_workers(pool: np.ndarray) -> None:
    """Start the threads, or as many of them as the system grants."""
    for number in range(1, MOST_THREADS):
        worker = threading.Thread(target=_work, args=(pool, number), name=f"kernels {number}", daemon=True)
        try:
            worker.start()
        except RuntimeError:
            return
        _workers.append(worker)


@atexit.register
def _stop() -> None:
    """End the threads, before the interpreter takes their code away."""
    if _pool is not None:
        _pool[_THREADS], _pool[_STOP] = 1, 1
        for worker in _workers:
            worker.join()


def _forget() -> None:
    """In a forked child, which has only the thread that forked: the pool is made anew when it is needed."""
    global _lock, _pool
    _lock, _pool = threading.Lock(), None
    _workers.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
