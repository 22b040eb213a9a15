"""``python -m benchmarks``: arguments, checks before the minutes of measuring, and what is shown after."""

import argparse
import importlib
import json
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import NAMES, about, harness, libraries, results


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure tinygrad_fr beside the libraries that are installed; benchmarks/README.md says how.",
    )
    found.add_argument("name", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    found.add_argument("--json", type=Path, metavar="FILE", help="write the results to this file")
    found.add_argument("--plot", type=Path, metavar="FILE", help="draw them into this file: .png, .svg or .pdf")
    found.add_argument("--markdown", action="store_true", help="print the table as Markdown")
    found.add_argument(
        "--rounds",
        type=positive_int,
        metavar="N",
        help=f"rounds to take the median of (default: {harness.ROUNDS}, fewer where that takes too long)",
    )
    found.add_argument("--libraries", nargs="+", metavar="LIBRARY", help="measure only these beside ours and the floor")
    found.add_argument("--serve", metavar="LABEL", help=argparse.SUPPRESS)  # the process of one library
    found.add_argument("--threads", type=positive_int, default=1, help=argparse.SUPPRESS)
    return found


def positive_int(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def main(arguments: list[str] | None = None) -> int:
    """Run one benchmark; gives the exit code."""
    options = parser().parse_args(arguments)
    if options.serve:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asks for the times ends this one
        harness.use_processors(options.threads)  # before any library looks how many there are
        harness.serve(lambda: turns_of(options.name, options.serve, options.threads))
        return 0
    benchmark = importlib.import_module(f".{options.name}", __package__)
    try:
        check_files(options)
        labels = choose_libraries(benchmark.LIBRARIES, options.libraries)
    except (ValueError, OSError) as error:
        parser().error(str(error))
    threads = harness.thread_counts(benchmark.THREADS)
    try:
        measured, rounds = harness.measure(options.name, labels, threads, options.rounds)
        rows = results.rows(options.name, measured)
        rows += benchmark.more_rows(rows, measured) if hasattr(benchmark, "more_rows") else []
    except RuntimeError as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("python -m benchmarks: interrupted, nothing was written", file=sys.stderr)
        return 130
    caption = about.lines(measured, threads, rounds)
    print(getattr(benchmark, "show", results.show)(rows, options.markdown), end="\n\n")
    print("\\\n".join(caption) if options.markdown else "\n".join([*caption, about.notation(measured)]))
    try:
        write_files(options, benchmark, rows, caption)
    except OSError as error:
        print(f"python -m benchmarks: {error}", file=sys.stderr)
        return 1
    return 0


def turns_of(name: str, label: str, threads: int) -> tuple[harness.Figures, Callable[[], harness.Times]]:
    """What the process of one library must compute like all others, and what it does in each turn."""
    benchmark = importlib.import_module(f".{name}", __package__)
    if label == libraries.FLOOR:
        from . import floor

        return {}, floor.prepare(benchmark.floors(), threads)
    cases = benchmark.cases(label)
    figures = benchmark.figures(cases) if hasattr(benchmark, "figures") else {}
    return figures, harness.timer(cases, getattr(benchmark, "PACE", harness.USUAL))


# --- before measuring --------------------------------------------------------------------------------------------


def choose_libraries(labels: tuple[str, ...], wanted: list[str] | None) -> list[str]:
    """The labels to measure: those asked for, else all that are installed; says which are not."""
    if wanted:
        return libraries.select(labels, wanted)
    found = libraries.installed(labels)
    missing = [label for label in labels if label not in found]
    if missing:
        print(f"not installed, left out: {', '.join(missing)} ({libraries.how_to_install(missing)})", file=sys.stderr)
    return found


def check_files(options: argparse.Namespace) -> None:
    """ValueError or OSError where the results could not be written after all."""
    if options.plot:
        from . import plot

        plot.refuse_early(options.plot)
    for path in filter(None, (options.json, options.plot)):
        check_writable(path)


def check_writable(path: Path) -> None:
    if path.is_dir():
        raise ValueError(f"expected a file to write, {str(path)!r} is a folder")
    if path.exists() and not path.is_file():
        return  # a pipe or a terminal
    folder = path.resolve().parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"cannot write {str(path)!r}: the folder {str(folder)!r}: {error.strerror}") from None


# --- after measuring ---------------------------------------------------------------------------------------------


def write_files(options: argparse.Namespace, benchmark: Any, rows: list[results.Row], caption: list[str]) -> None:
    """Write the results and draw them, as far as asked for."""
    if options.json:
        from tinygrad_fr.utils.files import replacing

        with replacing(options.json) as file:
            file.write(json.dumps(rows, indent=1, ensure_ascii=False).encode() + b"\n")
    if options.plot:
        from . import plot

        getattr(benchmark, "draw", plot.draw)(rows, benchmark.TITLE, caption, options.plot)
