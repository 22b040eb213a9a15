"""How much memory training takes, as the resident set of a process tells, of which Linux keeps account.

Each net of each library has a process of its own, which has trained a small net of the same kind before: the library
with its threads, compilers and loaded kernels is there. Then it

1. builds the net and trains it for some steps: what is added, at its peak, are the batch, parameters, gradients, the
   averages of Adam, activations, and what is kept or compiled for these shapes;
2. trains it for many more steps: by how much the process has grown from the end of the first to the end of the last,
   which is nothing but noise where all memory is used again; and how far the peak of these steps is above what stood
   before them, which is what a step takes and gives back to the system.
"""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import results
from .harness import Results
from .libraries import COMPILED, OURS
from .results import Cells, Row, across, lay_out, ratio_text

STEPS = 20  # compiled steps run, then record, then replay
MORE_STEPS = 200
LIBRARIES = (OURS, COMPILED, "torch")  # whose memory is measured
ADDED, GROWN, ABOVE = "peak_bytes", "grown_bytes", "step_peak_bytes"  # in the rows
HEADINGS = {
    ADDED: "Memory that training adds, its batch included:",
    GROWN: f"By how much {MORE_STEPS} more steps make the process grow:",
    ABOVE: "How far their peak is above what stood before them:",
}

_STATUS = Path("/proc/self/status")


# --- in the process that asks ------------------------------------------------------------------------------------


def more_rows(rows: list[Row], measured: Results) -> list[Row]:
    """No rows more, but the memory in those of `LIBRARIES`, many more steps included."""
    measure([row for row in rows if row["library"] in LIBRARIES], MORE_STEPS)
    return []


def measure(rows: list[Row], more_steps: int = 0) -> None:
    """Put the memory of its library and case into each row."""
    for row in rows:
        row |= growth(row["benchmark"], row["library"], row["case"], more_steps)


def growth(benchmark: str, library: str, case: str, more_steps: int = 0) -> dict[str, int]:
    """The figures of a process of its own, in bytes. RuntimeError: it failed."""
    command = [sys.executable, "-m", "benchmarks.memory", benchmark, library, case, str(more_steps)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"the memory of {library} could not be measured; the error stands above")
    return json.loads(done.stdout.splitlines()[-1])


def show(rows: list[Row], markdown: bool) -> str:
    """The times, how far they are from the floor, and the memory."""
    found = [results.show(rows, markdown)]
    for figure, heading in HEADINGS.items():
        having = [row for row in rows if figure in row]
        if having:
            found += [heading, lay_out(_cells(having, figure), markdown)]
    return "\n\n".join(found)


def _cells(rows: list[Row], figure: str) -> Cells:
    """Ratios stand only beside what training adds: what grows is mostly next to nothing, and the rest may be."""
    ours = {row["case"]: row[figure] for row in rows if row["library"] == OURS}

    def text(row: Row) -> str:
        with_ratio = figure == ADDED and row["library"] != OURS
        return mebibytes(row[figure]) + (f" ({ratio_text(row[figure] / ours[row['case']])})" if with_ratio else "")

    return across(rows, list(map(text, rows)))


def mebibytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MiB"


# --- in the process of one library and case ----------------------------------------------------------------------


def grow(benchmark: Any, library: str, case: str, more_steps: int) -> dict[str, int]:
    """Train a net of the benchmark in this process; gives the figures, in bytes."""
    net = benchmark.nets()[case]
    repeat(benchmark.step(library, benchmark.small(net)), STEPS)
    before = resident()
    forget_peak()
    step = benchmark.step(library, net)
    repeat(step, STEPS)
    figures = {ADDED: max(0, peak() - before)}
    if more_steps:
        before = resident()
        forget_peak()
        repeat(step, more_steps)
        figures |= {GROWN: resident() - before, ABOVE: peak() - before}
    return figures


def repeat(step: Any, times: int) -> None:
    for _ in range(times):
        step()


def resident() -> int:
    """Bytes of memory that this process has; where the system does not say, the most it has had."""
    return _status("VmRSS")


def peak() -> int:
    """The most it has had, since `forget_peak` where the system can forget it."""
    return _status("VmHWM")


def forget_peak() -> None:
    """Begin the account of the peak anew."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return  # no Linux, or not allowed: growth below an earlier peak is not seen


def _status(field: str) -> int:
    if not _STATUS.exists():
        import resource  # which Windows does not have

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    _, benchmark_, library_, case_, more_steps_ = sys.argv
    print(json.dumps(grow(importlib.import_module(f".{benchmark_}", __package__), library_, case_, int(more_steps_))))
