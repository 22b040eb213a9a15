"""What a small op costs beside its arithmetic, against the libraries that are installed.

    python -m benchmarks.overhead [--rounds 9] [--json FILE]

Each library runs in a process of its own, one thread, and the rounds take turns: in each round every process measures
every case once (the best of a few repetitions), so that all see the same hours of the machine. The table gives the
median over the rounds and its ratio to ours. An op's overhead is its forward plus the recording of the graph.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import timeit
from collections.abc import Callable
from statistics import median
from typing import Any

LIBRARIES = ("tinygrad_fr", "torch", "mygrad", "micrograd")
SCALAR_CHAIN = "z = s*s + s; z = z*s; z.backward()"


def cases(library: str) -> dict[str, Callable[[], Any]]:
    """What is measured, by name; every library has those it can do."""
    if library == "micrograd":
        from micrograd.engine import Value

        return {SCALAR_CHAIN: scalar_chain(Value(2.0))}
    if library == "mygrad":
        import mygrad

        s, x, y = mygrad.tensor(2.0), mygrad.tensor([1.0] * 8), mygrad.tensor([1.0] * 8)
        return {SCALAR_CHAIN: scalar_chain(s), "x + y, 8 floats": lambda: x + y, "x * y, 8 floats": lambda: x * y}
    return torch_cases(importlib.import_module(library))


def torch_cases(torch: Any) -> dict[str, Callable[[], Any]]:
    torch.set_num_threads(1)
    s = torch.tensor(2.0, requires_grad=True)
    x, y = torch.rand(8, requires_grad=True), torch.rand(8, requires_grad=True)
    plain = torch.rand(8)
    return {
        SCALAR_CHAIN: scalar_chain(s),
        "s * s, 0-d": lambda: s * s,
        "x + y, 8 floats": lambda: x + y,
        "x * y, 8 floats": lambda: x * y,
        "x / y, 8 floats": lambda: x / y,
        "x * 2.0, 8 floats": lambda: x * 2.0,
        "x.exp(), 8 floats": lambda: x.exp(),
        "x.relu(), 8 floats": lambda: x.relu(),
        "x.tanh(), 8 floats": lambda: x.tanh(),
        "x.sum(), 8 floats": lambda: x.sum(),
        "x.reshape(2, 4)": lambda: x.reshape(2, 4),
        "x[2:6]": lambda: x[2:6],
        "x * x, no gradient": lambda: plain * plain,
    }


def scalar_chain(s: Any) -> Callable[[], Any]:
    def run() -> Any:
        z = s * s + s
        z = z * s
        z.backward()

    return run


# --- one process a library ---------------------------------------------------------------------------------------


def serve(library: str) -> None:
    """Measure all cases once for every line on standard input; answer each with a line of JSON, in microseconds."""
    measured = cases(library)
    counts = {name: max(1, int(0.01 / best_time(run, 20))) for name, run in measured.items()}
    print("ready", flush=True)
    for _ in sys.stdin:
        print(json.dumps({name: best_time(run, counts[name]) * 1e6 for name, run in measured.items()}), flush=True)


def best_time(run: Callable[[], Any], count: int) -> float:
    """Seconds a call: the best of five times ``count`` calls, after a warm-up."""
    return min(timeit.repeat(run, number=count, repeat=6)[1:]) / count


def measure(libraries: list[str], rounds: int) -> dict[str, dict[str, float]]:
    """The median over the rounds, by library and case."""
    servers = {
        library: subprocess.Popen(
            [sys.executable, "-m", "benchmarks.overhead", "--serve", library],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for library in libraries
    }
    results: dict[str, list[dict[str, float]]] = {library: [] for library in libraries}
    try:
        for server in servers.values():
            server.stdout.readline()
        for _ in range(rounds):
            for library, server in servers.items():
                server.stdin.write("\n")
                server.stdin.flush()
                results[library].append(json.loads(server.stdout.readline()))
    finally:
        for server in servers.values():
            server.stdin.close()
            server.wait()
    return {
        library: {name: median(each[name] for each in measured) for name in measured[0]}
        for library, measured in results.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="The cost of a small op.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", help="write the results to this file")
    parser.add_argument("--serve", choices=LIBRARIES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    installed = [library for library in LIBRARIES if importlib.util.find_spec(library)]
    results = measure(installed, arguments.rounds)
    ours = results["tinygrad_fr"]
    print(f"{'microseconds, and ratio to ours':36s}" + "".join(f"{library:>18s}" for library in installed))
    for name in ours:
        cells = [results[library].get(name) for library in installed]
        shown = ["" if each is None else f"{each:.2f} ({each / ours[name]:.2f}x)" for each in cells]
        print(f"{name:36s}" + "".join(f"{each:>18s}" for each in shown))
    if arguments.json:
        rows = [
            {
                "benchmark": "overhead",
                "case": name,
                "library": library,
                "threads": 1,
                "median_s": value * 1e-6,
                "ratio_to_ours": value / ours[name],
            }
            for library in installed
            for name, value in results[library].items()
        ]
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
