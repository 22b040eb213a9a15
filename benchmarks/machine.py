"""What this machine can reach: multiply-adds in registers, and copying between arrays, on some threads.

Both are measured beside the libraries, in a process and in turns like theirs (see `floor`), because the speed of a
shared machine changes from minute to minute. Each figure is the best of a few timings, as it is for the libraries.

The kernels are written with LLVM's vectors, so that they use the widest registers of the processor, which Numba's own
loops do not.
"""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from typing import Any, NamedTuple

import llvmlite.ir as ir
import numba
import numba.extending
import numpy as np
from numba.core import types

from tinygrad_fr.kernels import simd

intrinsic: Any = numba.extending.intrinsic  # what it makes is called without the typing context: no checker knows

SIZES = tuple(1 << power for power in range(14, 27))  # bytes of both arrays of a copy: 16 KB to 64 MB
TIMINGS = 5
TIMING_S = 0.003  # one timing repeats its work for this long

SUMS = 12  # chains of multiply-adds in flight: enough for two units with a latency of 5 cycles, and for 16 registers
UNROLLED = 8  # multiply-adds of each chain in one turn of the loop
FLOPS = 2 * SUMS * UNROLLED * simd.lanes(ir.FloatType())  # of one turn
VECTORS = 8  # loaded, then stored, in one turn of the copying loop
BLOCK = VECTORS * simd.VECTOR_BYTES

Work = Callable[[int, int], Any]  # (thread, how often) -> nothing of interest; does not hold the interpreter's lock


class Machine(NamedTuple):
    """What some threads reach together at one moment."""

    flops: float  # float32 operations a second: a multiply-add counts as two
    copied: dict[int, float]  # bytes read plus bytes written a second, by the bytes of both arrays

    def bandwidth(self, working_set: float) -> float:
        """Bytes a second where so many bytes are in use: between two sizes of the curve, on a line over log(size).

        Below the smallest size and above the largest it stays what it is there.
        """
        sizes = sorted(self.copied)
        return float(np.interp(np.log(working_set), np.log(sizes), [self.copied[size] for size in sizes]))


def measure(threads: int) -> Machine:
    """Measure it now, in a third of a second (and another for compiling, the first time)."""
    with _pool(threads) as pool:
        flops = _best_rate(pool, threads, FLOPS, lambda _, times: _multiply(times, np.float32(0.5)))
        copied = {size: _copy_rate(pool, threads, size) for size in SIZES}
    return Machine(threads * flops, copied)


def _pool(threads: int) -> ThreadPoolExecutor:
    """Threads that stay on a processor each: new ones may share one for some milliseconds, until the system notices."""
    if not hasattr(os, "sched_setaffinity"):
        return ThreadPoolExecutor(threads)
    processors = cycle(sorted(os.sched_getaffinity(0)))
    return ThreadPoolExecutor(threads, initializer=lambda: os.sched_setaffinity(0, {next(processors)}))


def _copy_rate(pool: ThreadPoolExecutor, threads: int, size: int) -> float:
    """Bytes a second of all threads; each copies its own part, again and again."""
    part = max(BLOCK, size // 2 // threads // BLOCK * BLOCK)
    arrays = [(_aligned(part, 0), _aligned(part, 2048)) for _ in range(threads)]

    def copy(thread: int, times: int) -> None:
        source, target = arrays[thread]
        _copy(source, target, times)

    return threads * _best_rate(pool, threads, 2 * part, copy)


def _aligned(size: int, beyond: int) -> np.ndarray:
    """Bytes that begin so far beyond a page: arrays at the same place of a page get in each other's way."""
    memory = np.ones(size + 2 * 4096, np.uint8)
    start = -memory.ctypes.data % 4096 + beyond
    return memory[start : start + size]


def _best_rate(pool: ThreadPoolExecutor, threads: int, amount: float, work: Work) -> float:
    """``amount`` a second of one thread, while all of them do the work ``amount`` stands for again and again."""
    work(0, 1)  # compiles it, the first time
    times = 1
    while (seconds := min(_together(pool, threads, work, times) for _ in range(2))) < TIMING_S / 2:
        times *= max(2, min(100, int(TIMING_S / seconds)))
    times = max(1, round(times * TIMING_S / seconds))
    return amount * times / min(_together(pool, threads, work, times) for _ in range(TIMINGS))


def _together(pool: ThreadPoolExecutor, threads: int, work: Work, times: int) -> float:
    """Seconds from the first thread's start to the last one's end."""
    line = threading.Barrier(threads)

    def run(thread: int) -> tuple[float, float]:
        line.wait()
        start = time.perf_counter()
        work(thread, times)
        return start, time.perf_counter()

    starts, ends = zip(*pool.map(run, range(threads)), strict=True)
    return max(ends) - min(starts)


# --- the kernels -------------------------------------------------------------------------------------------------


@intrinsic
def _chains(typing_context: Any, times: Any, x: Any) -> Any:
    """Apply v -> v * x + x to SUMS vectors, UNROLLED times in each of ``times`` rounds; gives the sum of all lanes.

    With x below 1 the vectors tend to x / (1 - x) and stay normal numbers. The optimiser cannot do without any of them.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        count, x = arguments[0], simd.broadcast(builder, arguments[1])
        before, loop, after = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        i = builder.phi(simd.INDEX)
        starts = [builder.phi(x.type) for _ in range(SUMS)]
        sums = list(starts)
        for _ in range(UNROLLED):
            sums = [simd.multiply_add(builder, each, x, x) for each in sums]
        following = builder.add(i, simd.constant(1))
        i.add_incoming(simd.constant(0), before)
        i.add_incoming(following, loop)
        for k, (start, end) in enumerate(zip(starts, sums, strict=True)):
            start.add_incoming(ir.Constant(x.type, [float(k)] * x.type.count), before)
            start.add_incoming(end, loop)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
        builder.position_at_end(after)
        total = sums[0]
        for each in sums[1:]:
            total = builder.fadd(total, each)
        return simd.sum_lanes(builder, total)

    return types.float32(types.int64, types.float32), generate


@intrinsic
def _copy_block(typing_context: Any, source: Any, target: Any) -> Any:
    """Copy BLOCK bytes from one address to another: whole vectors, all loaded before the first is stored."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, target = (builder.inttoptr(each, simd.POINTER) for each in arguments)
        kind, width = simd.vector(ir.FloatType()), simd.VECTOR_BYTES
        loaded = [simd.load(builder, simd.offset(builder, source, i * width), kind) for i in range(VECTORS)]
        for i, each in enumerate(loaded):
            simd.store(builder, each, simd.offset(builder, target, i * width))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


chains: Any = _chains
copy_block: Any = _copy_block


@numba.njit(nogil=True)
def _multiply(times, x):
    """``times`` rounds of multiply-adds, on one thread. Were x a constant, the compiler would leave some out."""
    return chains(times, x)


@numba.njit(nogil=True)
def _copy(source, target, times):
    """Copy one array into the other, ``times`` times, on one thread.  uint8 (N,), (N,); N a multiple of BLOCK."""
    start, end = simd.address(source), simd.address(target)
    for _ in range(times):
        for i in range(0, source.size, BLOCK):
            copy_block(start + i, end + i)
    simd.keep(source)
    simd.keep(target)
