"""How a benchmark is made: the libraries take turns, each in a process of its own.

A benchmark is a module of this package with

    LIBRARIES             who takes part, where installed; the first is tinygrad_fr
    THREADS               the thread counts to try; each library is quoted at its best one
    cases(library)        {case: function to be timed}, for the library of this process

In each round every process measures every case once, one process after the other, so that all see the same hours of
the machine; the result is the median over the rounds. These machines are noisy: quote ratios, not times.
"""

import argparse
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import timeit
from collections.abc import Callable
from statistics import median
from typing import Any

NAMES = ("overhead", "matmul", "mlp")
OURS = "tinygrad_fr"
TURN_S = 0.02  # how long one timing of one case takes
WARM_UP_S = 0.2  # of each case, at the start of every process: threads wake, caches fill

Times = dict[str, float]  # seconds by case


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", help="write the results to this file")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    benchmark = importlib.import_module(f".{arguments.name}", __package__)
    if arguments.serve:
        serve(benchmark.cases(arguments.serve))
        return
    installed = [each for each in benchmark.LIBRARIES if importlib.util.find_spec(each)]
    results = measure(arguments.name, installed, benchmark.THREADS, arguments.rounds)
    print(table(results))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows(arguments.name, results), file, indent=1)


# --- one process a library and thread count ----------------------------------------------------------------------


def serve(cases: dict[str, Callable[[], Any]]) -> None:
    """Time all cases once for every line on standard input; answer each with a line of JSON, in seconds."""
    counts = {name: warm_up(run) for name, run in cases.items()}
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps({name: best_time(run, counts[name]) for name, run in cases.items()}), flush=True)


def warm_up(run: Callable[[], Any]) -> int:
    """Run for a while; gives how many calls fill a turn."""
    run()
    calls, start = 0, timeit.default_timer()
    while timeit.default_timer() - start < WARM_UP_S:
        run()
        calls += 1
    return max(1, int(calls * TURN_S / WARM_UP_S))


def best_time(run: Callable[[], Any], count: int) -> float:
    """Seconds a call: the best of five times ``count`` calls, after one that is not counted.

    The best, because other programs on the machine only ever make it slower; the median is taken over the rounds.
    """
    return min(timeit.repeat(run, number=count, repeat=6)[1:]) / count


# --- taking turns ------------------------------------------------------------------------------------------------


def measure(name: str, libraries: list[str], threads: tuple[int, ...], rounds: int) -> dict[tuple[str, int], Times]:
    """The median over the rounds, by (library, threads) and case."""
    servers = {(library, count): start(name, library, count) for library in libraries for count in threads}
    measured: dict[tuple[str, int], list[Times]] = {key: [] for key in servers}
    try:
        for server in servers.values():
            answer(server)
        for done in range(rounds):
            for key, server in servers.items():
                server.stdin.write("\n")
                server.stdin.flush()
                measured[key].append(answer(server))
            print(f"\rround {done + 1} of {rounds}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
    finally:
        for server in servers.values():
            server.stdin.close()
            server.wait()
    return {key: {case: median(each[case] for each in turns) for case in turns[0]} for key, turns in measured.items()}


def start(name: str, library: str, threads: int) -> Any:
    limits = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), str(threads)
    )
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks", name, "--serve", library],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **limits},
    )


def answer(server: Any) -> Any:
    line = server.stdout.readline()
    if not line:
        raise RuntimeError(f"{' '.join(server.args)} ended early; its error stands above")
    return None if line == "ready\n" else json.loads(line)


# --- showing -----------------------------------------------------------------------------------------------------


def best_of(results: dict[tuple[str, int], Times], library: str, case: str) -> tuple[float, int] | None:
    """(seconds, threads) of a library at its best thread count."""
    found = [(times[case], count) for (each, count), times in results.items() if each == library and case in times]
    return min(found) if found else None


def table(results: dict[tuple[str, int], Times]) -> str:
    """Microseconds at the best thread count, and the ratio to ours."""
    libraries = list(dict.fromkeys(library for library, _ in results))
    lines = [f"{'microseconds (ratio to ours)':36s}" + "".join(f"{library:>20s}" for library in libraries)]
    for case in next(times for (library, _), times in results.items() if library == OURS):
        ours, _ = best_of(results, OURS, case) or (float("nan"), 0)
        cells = [best_of(results, library, case) for library in libraries]
        shown = ["" if each is None else f"{each[0] * 1e6:.2f} ({each[0] / ours:.2f}x)" for each in cells]
        lines.append(f"{case:36s}" + "".join(f"{each:>20s}" for each in shown))
    return "\n".join(lines)


def rows(name: str, results: dict[tuple[str, int], Times]) -> list[dict[str, Any]]:
    """The results as a list of {benchmark, case, library, threads, median_s, ratio_to_ours}."""
    found = []
    for (library, count), times in results.items():
        for case, seconds in times.items():
            ours = best_of(results, OURS, case)
            found.append(
                {
                    "benchmark": name,
                    "case": case,
                    "library": library,
                    "threads": count,
                    "median_s": seconds,
                    "ratio_to_ours": seconds / ours[0] if ours else None,
                }
            )
    return found
