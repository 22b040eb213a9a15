"""What a result must say beside its figures: when, on which machine, which versions, how."""

import datetime
import os
import platform

from .harness import Results
from .libraries import BY_LABEL, COMPILED, FLOOR, OURS


def lines(measured: Results, threads: tuple[int, ...], rounds: int) -> list[str]:
    """The caption of a table or a figure."""
    from tinygrad_fr.command_line import processor_name  # here: the processes of the other libraries do not need it

    labels = list(dict.fromkeys(label for label, _ in measured))
    counts = " and ".join(map(str, threads))
    best = f"each library at its better of {counts} threads" if len(threads) > 1 else f"threads: {counts}"
    processors = os.cpu_count() or 1
    today = datetime.date.today()
    versions = dict.fromkeys(BY_LABEL[each].version for each in labels if each != FLOOR)
    found = [
        f"{today.day} {today:%B %Y}; {processor_name()}, {processors} processor{'s' * (processors > 1)}; {best}; "
        f"median of {rounds} round{'s' * (rounds > 1)}",
        ", ".join([f"Python {platform.python_version()}", *versions]),
    ]
    if FLOOR in labels:
        from . import floor

        found += floor.lines(measured)
    return found


def notation(measured: Results) -> str:
    """What the numbers beside the times are."""
    labels = {label for label, _ in measured}
    if COMPILED in labels:
        return (
            f"(2.0x / 3.0x) beside a time: so many times as long as {OURS} takes, and as {COMPILED} takes; above 1, "
            "ours is faster"
        )
    return f"(2.0x) beside a time: so many times as long as {OURS} takes; above 1, {OURS} is faster"
