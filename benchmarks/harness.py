"""How times are taken: the libraries take turns, each in processes of its own, one for each thread count.

In each round every process times every case once, one process after the other, so that all see the same hours of the
machine; the result is the median over the rounds. These machines are noisy: quote ratios, not times.
"""

import contextlib
import gc
import json
import os
import subprocess
import sys
import time
import timeit
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

from tqdm import tqdm

TIMING_S = 0.02  # one timing repeats a fast case for this long
CASE_S = 0.3  # a turn takes timings of one case for about this long, and at least one
MOST_TIMINGS = 6
WARM_UP_S = 0.2  # of each case, at the start of every process: functions compile, threads wake, caches fill
SLOW_S = 1.0  # a first call that took so long has warmed up enough; if it compiled, the first turn sets that right
PAUSE_S = 0.05  # between turns: idle threads of the last process go to sleep
ROUNDS = 9
LEAST_ROUNDS = 3
LIMIT_S = 240.0  # no further round begins that would end later, unless --rounds asks for it

Case = Callable[[], Any]
Times = dict[str, float]  # seconds by case
Results = dict[tuple[str, int], Times]  # by label and thread count

_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


# --- in the process of one library and thread count --------------------------------------------------------------


def use_processors(count: int) -> None:
    """Keep this process on ``count`` processors: JAX reads no variable, it takes as many threads as it may run on."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def serve(cases: dict[str, Case]) -> None:
    """Time all cases once for every line on standard input; answer each with a line of JSON, in seconds."""
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # what a library prints is no answer
        times = {name: warm_up(run) for name, run in cases.items()}
        print("ready", file=answers, flush=True)
        for _ in sys.stdin:
            times = {name: best_time(run, plan(times[name])) for name, run in cases.items()}
            print(json.dumps(times), file=answers, flush=True)


class Plan(NamedTuple):
    """How a case is timed in a turn: the best of so many timings, each of so many calls."""

    timings: int
    calls: int


def warm_up(run: Case) -> float:
    """Run a case for a while, or once where that is long; gives the seconds of a call, roughly."""
    start = time.perf_counter()
    run()
    first = time.perf_counter() - start
    if first > SLOW_S:
        return first
    calls, start = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - start < WARM_UP_S:
        run()
        calls += 1
    return (time.perf_counter() - start) / calls


def plan(seconds: float) -> Plan:
    """How to time a case whose calls take about so long."""
    calls = max(1, int(TIMING_S / seconds))
    return Plan(min(MOST_TIMINGS, max(1, int(CASE_S / (calls * seconds)))), calls)


def best_time(run: Case, plan: Plan) -> float:
    """Seconds a call: the best timing of a turn; the first does not count, where there are others.

    The best, because other programs on the machine only ever make it slower; the median is taken over the rounds.
    Garbage is collected as it is in a user's program, which `timeit` would turn off.
    """
    timings = timeit.repeat(run, setup=gc.enable, number=plan.calls, repeat=plan.timings)
    return min(timings[1:] or timings) / plan.calls


# --- taking turns ------------------------------------------------------------------------------------------------


class Server:
    """A process that times the cases of one library with one number of threads, whenever it is asked."""

    def __init__(self, name: str, label: str, threads: int):
        self.described = f"{label}, {threads} thread" + "s" * (threads > 1)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks", name, "--serve", label, "--threads", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **dict.fromkeys(_THREAD_SETTINGS, str(threads))},
        )

    def wait_until_ready(self) -> None:
        self._answer()

    def turn(self) -> Times:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return json.loads(self._answer())

    def _answer(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            raise RuntimeError(f"the process of {self.described} ended early with code {code}; its error stands above")
        return line

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate()


def thread_counts(wanted: tuple[int, ...]) -> tuple[int, ...]:
    """Those of the counts for which this machine has processors."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return tuple(sorted({min(count, here) for count in wanted}))


def measure(name: str, labels: list[str], threads: tuple[int, ...], rounds: int | None) -> tuple[Results, int]:
    """The median over the rounds, and how many there were.

    ``rounds=None`` takes `ROUNDS`, or fewer where those would take longer than `LIMIT_S`.
    RuntimeError: a process of a library failed.
    """
    wanted = [(label, count) for label in labels for count in threads]
    measured: dict[tuple[str, int], list[Times]] = {key: [] for key in wanted}
    start, done = time.monotonic(), 0
    total = rounds or ROUNDS
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(_bar(len(wanted) * (total + 1)))
        servers: dict[tuple[str, int], Server] = {}
        for key in wanted:
            servers[key] = Server(name, *key)
            stack.callback(servers[key].stop)
            progress.set_description(f"{name}: preparing {servers[key].described}", refresh=progress.mininterval < 1)
            servers[key].wait_until_ready()
            progress.update()
        while done < total:
            round_start = time.monotonic()
            progress.set_description(f"{name}: round {done + 1} of {total}", refresh=False)
            for key, server in servers.items():
                time.sleep(PAUSE_S)
                measured[key].append(server.turn())
                progress.update()
            done += 1
            next_end = 2 * time.monotonic() - round_start - start
            if rounds is None and done >= LEAST_ROUNDS and next_end > LIMIT_S:
                break
    return {key: _medians(turns) for key, turns in measured.items()}, done


def _medians(turns: list[Times]) -> Times:
    return {case: median(each[case] for each in turns) for case in turns[0]}


def _bar(turns: int) -> tqdm:
    """A bar of progress on standard error; where that is a file, a line of it now and then."""
    return tqdm(total=turns, unit="turn", leave=False, mininterval=0.1 if sys.stderr.isatty() else 10)
