"""How much memory training takes: the growth of a process while it builds a net and trains it for some steps.

Each net of each library has a process of its own, which has trained a tiny net before: the library with its threads,
compilers and loaded kernels is there, and what is added are the batch, parameters, gradients, the averages of Adam,
activations, and what is kept or compiled for these shapes. It is the peak of the resident set, of which Linux keeps
account.
"""

import subprocess
import sys
from pathlib import Path

from . import mlp

STEPS = 6  # compiled steps run, then record, then replay
_STATUS = Path("/proc/self/status")


def growth(library: str, batch: int, widths: tuple[int, ...]) -> int:
    """Bytes that a process of its own grows by. RuntimeError: it failed."""
    command = [sys.executable, "-m", "benchmarks.memory", library, str(batch), *map(str, widths)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise RuntimeError(f"the memory of {library} could not be measured; the error stands above")
    return int(done.stdout.split()[-1])


def grow(library: str, batch: int, widths: tuple[int, ...]) -> int:
    """Train in this process; gives by how many bytes it grew, at its peak."""
    train(library, 2, (3, 4, 2))
    before = resident()
    forget_peak()
    train(library, batch, widths)
    return max(0, peak() - before)


def train(library: str, batch: int, widths: tuple[int, ...]) -> None:
    step = mlp.step(library, batch, widths)
    for _ in range(STEPS):
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
    _, library_, batch_, *widths_ = sys.argv
    print(grow(library_, int(batch_), tuple(map(int, widths_))))
