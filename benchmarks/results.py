"""The results of a benchmark as rows, one for each case and library, and as tables to read."""

from typing import Any

from .harness import Results
from .libraries import OURS

Row = dict[str, Any]


def rows(name: str, results: Results) -> list[Row]:
    """A list of {benchmark, case, library, threads, median_s, ratio_to_ours}, at each library's best thread count.

    The ratio is the library's time over ours: above 1, ours is faster.
    """
    labels = list(dict.fromkeys(label for label, _ in results))
    found = []
    for case in next(times for (label, _), times in results.items() if label == OURS):
        ours, _ = _best(results, OURS, case)
        for label in labels:
            seconds, threads = _best(results, label, case)
            if threads:
                found.append(
                    {
                        "benchmark": name,
                        "case": case,
                        "library": label,
                        "threads": threads,
                        "median_s": seconds,
                        "ratio_to_ours": seconds / ours,
                    }
                )
    return found


def _best(results: Results, label: str, case: str) -> tuple[float, int]:
    """(seconds, threads) of a library at its best thread count; 0 threads where it has no such case."""
    found = [(times[case], count) for (each, count), times in results.items() if each == label and case in times]
    return min(found, default=(float("nan"), 0))


def time_text(seconds: float) -> str:
    """A time to three digits, in its unit: ``471 µs``."""
    for unit, size in (("µs", 1e-6), ("ms", 1e-3)):
        if seconds < 999.5 * size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds)} s"


def ratio_text(ratio: float) -> str:
    """``2.3x``, to two digits."""
    return f"{ratio:.{1 if ratio >= 0.995 else 2}f}x" if ratio < 99.5 else f"{ratio:.0f}x"


def _three_digits(value: float) -> str:
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{decimals}f}"


def table(rows: list[Row]) -> str:
    """Cases down, libraries across: the time, and for others than ours the ratio to ours."""
    cells = _cells(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        [text.ljust(widths[0]) if i == 0 else text.rjust(widths[i]) for i, text in enumerate(line)] for line in cells
    ]
    return "\n".join(map("  ".join, lines))


def markdown(rows: list[Row]) -> str:
    """The same as a Markdown table."""
    head, *body = ["| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in _cells(rows)]
    columns = head.count("|") - 1
    return "\n".join([head, "|---|" + "---:|" * (columns - 1), *body])


def _cells(rows: list[Row]) -> list[list[str]]:
    """The texts of a table, its head first."""
    labels = list(dict.fromkeys(row["library"] for row in rows))
    by_case: dict[str, dict[str, str]] = {}
    for row in rows:
        text = time_text(row["median_s"])
        if row["library"] != OURS:
            text += f" ({ratio_text(row['ratio_to_ours'])})"
        by_case.setdefault(row["case"], {})[row["library"]] = text
    return [["", *labels]] + [[case, *(texts.get(label, "") for label in labels)] for case, texts in by_case.items()]
