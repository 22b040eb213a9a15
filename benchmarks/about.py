"""What a result must say beside its figures: when, on which machine, which versions, how."""

import datetime
import os
import platform

from .libraries import BY_LABEL


def lines(labels: list[str], threads: tuple[int, ...], rounds: int) -> list[str]:
    """The caption of a table or a figure."""
    from tinygrad_fr.command_line import processor_name  # here: the processes of the other libraries do not need it

    counts = " and ".join(map(str, threads))
    best = f"each library at its better of {counts} threads" if len(threads) > 1 else f"threads: {counts}"
    processors = os.cpu_count() or 1
    today = datetime.date.today()
    return [
        f"{today.day} {today:%B %Y}; {processor_name()}, {processors} processor{'s' * (processors > 1)}; {best}; "
        f"median of {rounds} round{'s' * (rounds > 1)}",
        ", ".join([f"Python {platform.python_version()}", *dict.fromkeys(BY_LABEL[each].version for each in labels)]),
        "(2.0x) beside a time: so many times as long as tinygrad_fr takes; above 1, tinygrad_fr is faster",
    ]
