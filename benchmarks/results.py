"""The results of a benchmark as rows, one for each case and library, and as tables to read."""

from typing import Any

from .harness import Results
from .libraries import COMPILED, FLOOR, OURS

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


def annotated(rows: list[Row]) -> list[str]:
    """The text of each row: its time, and for others than ours the ratios to ours, eager and compiled."""
    compiled = {row["case"]: row["median_s"] for row in rows if row["library"] == COMPILED}

    def text(row: Row) -> str:
        ratios = [row["ratio_to_ours"]] if row["library"] != OURS else []
        if row["library"] not in (OURS, COMPILED) and row["case"] in compiled:
            ratios.append(row["median_s"] / compiled[row["case"]])
        return time_text(row["median_s"]) + (f" ({' / '.join(map(ratio_text, ratios))})" if ratios else "")

    return [text(row) for row in rows]


def show(rows: list[Row], markdown: bool) -> str:
    """Cases down, libraries across; and where the floor was measured, how far each is from it."""
    found = [lay_out(across(rows, annotated(rows)), markdown)]
    shares = times_the_floor(rows)
    if shares:
        found += ["Times the floor:", lay_out(across(*shares), markdown)]
    return "\n\n".join(found)


def times_the_floor(rows: list[Row]) -> tuple[list[Row], list[str]] | None:
    """The rows of the cases that have a floor, and how many times as long as it each takes; None without any."""
    floors = {row["case"]: row["median_s"] for row in rows if row["library"] == FLOOR}
    above = [row for row in rows if row["library"] != FLOOR and row["case"] in floors]
    return (above, [ratio_text(row["median_s"] / floors[row["case"]]) for row in above]) if above else None


Cells = list[list[str]]  # the texts of a table, its head first


def across(rows: list[Row], texts: list[str]) -> Cells:
    """The texts of the rows as a table: cases down, libraries across."""
    labels = list(dict.fromkeys(row["library"] for row in rows))
    by_case: dict[str, dict[str, str]] = {}
    for row, text in zip(rows, texts, strict=True):
        by_case.setdefault(row["case"], {})[row["library"]] = text
    return [["", *labels]] + [[case, *(found.get(label, "") for label in labels)] for case, found in by_case.items()]


def lay_out(cells: Cells, markdown: bool) -> str:
    """A table to read on the terminal, or in Markdown."""
    if markdown:
        head, *body = ["| " + " | ".join(text.replace("|", "\\|") for text in line) + " |" for line in cells]
        return "\n".join([head, "|---|" + "---:|" * (len(cells[0]) - 1), *body])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        [text.ljust(widths[0]) if i == 0 else text.rjust(widths[i]) for i, text in enumerate(line)] for line in cells
    ]
    return "\n".join(map("  ".join, lines))
