"""The figure of a benchmark: bars of time, one group a case, one bar a library."""

import importlib.util
from pathlib import Path
from typing import Any

from tinygrad_fr.utils.files import replacing

from .libraries import COMPILED, FLOOR, OURS
from .results import Row, annotated, time_text

SUFFIXES = (".png", ".svg", ".pdf")
WIDE = 20.0  # from this ratio of the longest to the shortest time on, the axis is logarithmic
BAR = 0.19  # inches from bar to bar
GAP = 0.16  # inches between groups

# the palette of Okabe and Ito, whose colours the colour-blind tell apart too, and darker or lighter shades of it
COLOURS = {
    OURS: "#d55e00",
    COMPILED: "#8a2b00",
    "numpy": "#999999",
    "torch": "#0072b2",
    "torch foreach": "#003f63",
    "torch fused": "#56b4e9",
    "torch compiled": "#4b6cb7",
    "torch hand-tuned": "#8ecbe8",
    "jax": "#009e73",
    "scikit-learn": "#e69f00",
    "mygrad": "#cc79a7",
    "micrograd": "#5b4a8a",
    FLOOR: "#d9d9d9",
}


def refuse_early(path: Path) -> None:
    """Whatever of drawing can be known to fail before anything is measured. ValueError says what to do."""
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"expected a file ending in {', '.join(SUFFIXES)}, got {str(path)!r}")
    if importlib.util.find_spec("matplotlib") is None:
        raise ValueError("drawing needs matplotlib: pip install matplotlib")


def draw(rows: list[Row], title: str, caption: list[str], path: Path) -> None:
    """Draw the rows into a PNG, SVG or PDF file, by its suffix."""
    from matplotlib.figure import Figure

    positions, cases = _layout(rows)
    height = -min(positions) + BAR
    figure = Figure(figsize=(9, height + 1.9), layout="constrained")
    axes = figure.add_subplot()
    seen = set()
    for row, position, text in zip(rows, positions, annotated(rows), strict=True):
        label = row["library"]
        name = "_" * (label in seen) + label  # the legend leaves out names that begin so
        seen.add(label)
        axes.barh(position, row["median_s"], height=BAR * 0.88, color=COLOURS[label], label=name)
        _write_beside(axes, row, position, text)
    axes.set_yticks(list(cases.values()), list(cases), fontsize=9)
    axes.set_ylim(-height, BAR)
    _set_time_axis(axes, [row["median_s"] for row in rows])
    axes.set_ylabel("case")
    figure.suptitle(title, fontsize=13, fontweight="bold")
    above = 1 + BAR / 2 / height
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, above), borderaxespad=0, ncols=6, frameon=False, fontsize=8)
    figure.supxlabel("\n".join(caption), fontsize=7, color="0.35")
    save(figure, path)


def save(figure: Any, path: Path) -> None:
    """Write a figure, whole or not at all, in the format of the path's suffix."""
    with replacing(path) as file:
        figure.savefig(file, format=path.suffix.lower()[1:], dpi=150)


def _layout(rows: list[Row]) -> tuple[list[float], dict[str, float]]:
    """The height of each bar, downwards from 0, and of the middle of each case."""
    positions: list[float] = []
    members: dict[str, list[float]] = {}
    for row in rows:
        if positions:
            positions.append(positions[-1] - BAR - GAP * (row["case"] not in members))
        else:
            positions.append(0.0)
        members.setdefault(row["case"], []).append(positions[-1])
    return positions, {case: sum(each) / len(each) for case, each in members.items()}


def _write_beside(axes: Any, row: Row, position: float, text: str) -> None:
    """The time, and for others than ours the ratios, at the end of a bar."""
    axes.annotate(
        text,
        (row["median_s"], position),
        xytext=(4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7.5,
        fontweight="bold" if row["library"] in (OURS, COMPILED) else "normal",
    )


def _set_time_axis(axes: Any, times: list[float]) -> None:
    """Times in their units; logarithmic where they lie far apart."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    wide = max(times) > WIDE * min(times)
    if wide:
        axes.set_xscale("log")
        span = max(times) / min(times)
        axes.set_xlim(min(times) / span**0.08, max(times) * span**0.26)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if span < 1e3 else (1,)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_xlim(0, max(times) * 1.28)
    axes.xaxis.set_major_formatter(FuncFormatter(tick_text))
    axes.set_xlabel("time of one call, with its unit" + ", logarithmic" * wide + " (shorter is better)")
    axes.grid(axis="x", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def tick_text(seconds: float, _: int) -> str:
    """A round time, without the decimals that measured ones have."""
    number, unit = time_text(seconds).split()
    return f"{float(number):g} {unit}"
