"""How times are taken: the libraries take turns, each in processes of its own, one for each thread count.

In each round every process times every case once, one process after the other, so that all see the same hours of the
machine; the result is the median over the rounds. These machines are noisy: quote ratios, not times.
"""

import contextlib
import functools
import gc
import json
import math
import os
import subprocess
import sys
import time
import timeit
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

from tqdm import tqdm

MOST_TIMINGS = 6  # of one case in a turn
SLOW_S = 1.0  # a first call that took so long has warmed up enough; if it compiled, the first turn sets that right
PAUSE_S = 0.05  # between turns: idle threads of the last process go to sleep
ROUNDS = 9
LEAST_ROUNDS = 3
AGREEMENT = 1e-5  # relative, between the figures of two libraries
LIMIT_S = 240.0  # no further round begins that would end later, unless --rounds asks for it

Case = Callable[[], Any]
Times = dict[str, float]  # seconds by case
Figures = dict[str, list[float]]  # by case: what every library must compute alike
Results = dict[tuple[str, int], Times]  # by label and thread count


class Pace(NamedTuple):
    """How long a case is timed, in seconds. A benchmark of many cases sets its own."""

    timing: float = 0.02  # one timing repeats a fast case for this long
    case: float = 0.3  # a turn takes timings of one case for about this long
    least: int = 1  # but at least so many
    warm_up: float = 0.2  # of each case, as a process starts: functions compile, threads wake, caches fill


USUAL = Pace()

_THREAD_SETTINGS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


# --- in the process of one library and thread count --------------------------------------------------------------


def use_processors(count: int) -> None:
    """Keep this process on ``count`` processors: JAX reads no variable, it takes as many threads as it may run on."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


class Unavailable(Exception):
    """What ``cases`` raises where a way to use a library does not work here: it is left out, and the reason is said."""


def serve(prepare: Callable[[], tuple[Figures, Callable[[], Times]]]) -> None:
    """Call the function that ``prepare`` gives for every line on standard input; answer each with a line of JSON.

    The first answer is {"figures": what else it gives}, or {"unavailable": the reason}, which ends it.
    """
    answers = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):  # what a library prints is no answer
        try:
            figures, turn = prepare()
        except Unavailable as error:
            print(json.dumps({"unavailable": str(error)}), file=answers, flush=True)
            return
        print(json.dumps({"figures": figures}), file=answers, flush=True)
        for _ in sys.stdin:
            print(json.dumps(turn()), file=answers, flush=True)


def timer(cases: dict[str, Case], pace: Pace = USUAL) -> Callable[[], Times]:
    """A function that times all cases once, in seconds a call; they have warmed up by then."""
    times = {name: warm_up(run, pace.warm_up) for name, run in cases.items()}

    def turn() -> Times:
        nonlocal times
        times = {name: best_time(run, plan(times[name], pace)) for name, run in cases.items()}
        return times

    return turn


class Plan(NamedTuple):
    """How a case is timed in a turn: the best of so many timings, each of so many calls."""

    timings: int
    calls: int


def warm_up(run: Case, seconds: float = USUAL.warm_up) -> float:
    """Run a case for a while, or once where that is long; gives the seconds of a call, roughly."""
    start = time.perf_counter()
    run()
    first = time.perf_counter() - start
    if first > SLOW_S:
        return first
    calls, start = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - start < seconds:
        run()
        calls += 1
    return (time.perf_counter() - start) / calls


def plan(seconds: float, pace: Pace = USUAL) -> Plan:
    """How to time a case whose calls take about so long."""
    calls = max(1, int(pace.timing / seconds))
    return Plan(min(MOST_TIMINGS, max(pace.least, int(pace.case / (calls * seconds)))), calls)


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

    def wait_until_ready(self) -> dict[str, Any]:
        """{"figures": what it computes}, or {"unavailable": why the library cannot take part}."""
        return json.loads(self._answer())

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

    What turns out to be unavailable is said and left out, and so is what computes other figures than the first label.
    ``rounds=None`` takes `ROUNDS`, or fewer where those would take longer than `LIMIT_S`.
    RuntimeError: a process of a library failed.
    """
    wanted = [(label, count) for label in labels for count in threads]
    start, done = time.monotonic(), 0
    total = rounds or ROUNDS
    with contextlib.ExitStack() as stack:
        progress = stack.enter_context(_bar(len(wanted) * (total + 1)))
        servers, figures = _start_servers(name, wanted, progress, stack)
        without = _differing(figures, progress)
        measured: dict[tuple[str, int], list[Times]] = {key: [] for key in servers}
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
    return {key: _medians(turns, without[key[0]]) for key, turns in measured.items()}, done


def _start_servers(
    name: str, wanted: list[tuple[str, int]], progress: tqdm, stack: contextlib.ExitStack
) -> tuple[dict[tuple[str, int], Server], dict[tuple[str, int], Figures]]:
    """One process after the other, until it is ready, and its figures; ``stack`` will stop them."""
    servers: dict[tuple[str, int], Server] = {}
    figures: dict[tuple[str, int], Figures] = {}
    unavailable: set[str] = set()
    for label, count in wanted:
        if label not in unavailable:
            server = Server(name, label, count)
            stack.callback(server.stop)
            progress.set_description(f"{name}: preparing {server.described}", refresh=progress.mininterval < 1)
            answer = server.wait_until_ready()
            if "unavailable" in answer:
                progress.write(f"left out: {label}: {answer['unavailable']}", file=sys.stderr)
                unavailable.add(label)
            else:
                servers[label, count], figures[label, count] = server, answer["figures"]
        progress.update()
    return {key: server for key, server in servers.items() if key[0] not in unavailable}, figures


def _differing(figures: dict[tuple[str, int], Figures], progress: tqdm) -> dict[str, set[str]]:
    """For each label the cases in which it computes other figures than the first; they are said."""
    found: dict[str, set[str]] = {label: set() for label, _ in figures}
    expected = next(iter(figures.values()), {})
    close = functools.partial(math.isclose, rel_tol=AGREEMENT)
    for (label, _), of_process in figures.items():
        for case, values in of_process.items():
            if case not in found[label] and not all(map(close, values, expected[case])):
                said = f"left out: {case} of {label}, which computes {values} instead of {expected[case]}"
                progress.write(said, file=sys.stderr)
                found[label].add(case)
    return found


def _medians(turns: list[Times], without: set[str]) -> Times:
    return {case: median(each[case] for each in turns) for case in turns[0] if case not in without}


def _bar(turns: int) -> tqdm:
    """A bar of progress on standard error; where that is a file, a line of it now and then."""
    return tqdm(total=turns, unit="turn", leave=False, mininterval=0.1 if sys.stderr.isatty() else 10)
