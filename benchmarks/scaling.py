"""What a training step costs as its batch, its hidden layers' width and their number grow; and its memory.

The middle of it all is 784-128-10 at batch 64 with Adam; one of the three is changed at a time.
"""

from pathlib import Path
from typing import Any

from . import by_hand, memory, mlp
from .harness import Pace, Results
from .libraries import COMPILED, FLOOR, OURS
from .results import Row
from .training import Step

TITLE = "A training step against batch, width and depth, float32"
LIBRARIES = ("tinygrad_fr", "tinygrad_fr compiled", "torch", "torch fused", "jax", "floor")
THREADS = (1, 2)
PACE = Pace(timing=0.006, case=0.03, least=3, warm_up=0.03)
BATCH, WIDTH, DEPTH = 64, 128, 1
SWEEPS = {
    "batch": (1, 8, 64, 512, 4096),
    "width": (32, 128, 512, 2048),
    "depth": (1, 4, 16),
}
WITH_MEMORY = ("batch 64", "batch 4096", "width 2048")

Net = tuple[int, tuple[int, ...]]  # batch, widths

show = memory.show


def nets() -> dict[str, Net]:
    """The net of each case."""
    found = {}
    for what, values in SWEEPS.items():
        for value in values:
            size = {"batch": BATCH, "width": WIDTH, "depth": DEPTH, what: value}
            hidden = (size["width"],) * size["depth"]
            found[f"{what} {value}"] = (size["batch"], (by_hand.PIXELS, *hidden, by_hand.CLASSES))
    return found


def small(net: Net) -> Net:
    """A tiny net of the same kind."""
    return 2, (3, 4, 2)


def cases(library: str) -> dict[str, Step]:
    """A step of each net."""
    return {case: step(library, net) for case, net in nets().items()}


def floors() -> Any:
    """The kernels of each case."""
    from . import floor

    return {case: floor.training_step(batch, widths) for case, (batch, widths) in nets().items()}


def step(library: str, net: Net) -> Step:
    """A training step, as in `mlp`."""
    return mlp.step(library, *net)


def more_rows(rows: list[Row], measured: Results) -> list[Row]:
    """No rows more, but the memory in some of them."""
    memory.measure([row for row in rows if row["case"] in WITH_MEMORY and row["library"] in memory.LIBRARIES])
    return []


# --- the figure --------------------------------------------------------------------------------------------------


def draw(rows: list[Row], title: str, caption: list[str], path: Path) -> None:
    """Three panels of lines, both axes logarithmic, and one of bars for the memory."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from . import plot

    figure = Figure(figsize=(11, 9), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    panels = figure.subplots(2, 2).ravel()
    for axes, what in zip(panels, SWEEPS, strict=False):
        _draw_lines(axes, [row for row in rows if row["case"].split()[0] == what], what)
    _draw_memory(panels[-1], [row for row in rows if memory.ADDED in row])
    panels[0].legend(frameon=False, fontsize=9)
    figure.suptitle(title, fontsize=13, fontweight="bold")
    figure.supxlabel("\n".join(caption), fontsize=7, color="0.35")
    plot.save(figure, path)


def _draw_lines(axes: Any, rows: list[Row], what: str) -> None:
    """Time against the value in the name of the case, a line a library."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

    from . import plot

    for label in dict.fromkeys(row["library"] for row in rows):
        points = [(int(row["case"].split()[1]), row["median_s"]) for row in rows if row["library"] == label]
        style: dict[str, Any] = {"linestyle": "--", "color": "0.4"} if label == FLOOR else {"marker": "o"}
        style = {"color": plot.COLOURS[label], "linewidth": 2.2 if label in (OURS, COMPILED) else 1.4, **style}
        axes.plot(*zip(*points, strict=True), label=label, markersize=4, **style)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(SWEEPS[what], [f"{value:,}" for value in SWEEPS[what]])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(plot.tick_text))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(labelsize=8)
    others = {"batch": f"batch {BATCH}", "width": f"width {WIDTH}", "depth": f"{DEPTH} hidden layer"}
    fixed = ", ".join(text for name, text in others.items() if name != what)
    names = {"batch": "batch size", "width": "hidden units a layer", "depth": "hidden layers"}
    axes.set_xlabel(names[what])
    axes.set_ylabel("time of a step")
    axes.set_title(f"{names[what]}; {fixed}", fontsize=10)
    axes.grid(color="0.9", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_memory(axes: Any, rows: list[Row]) -> None:
    """A group of bars a case, a bar a library."""
    from . import plot

    labels = list(dict.fromkeys(row["library"] for row in rows))
    cases_ = list(dict.fromkeys(row["case"] for row in rows))
    width = 0.8 / max(1, len(labels))
    for row in rows:
        place = cases_.index(row["case"]) + (labels.index(row["library"]) - (len(labels) - 1) / 2) * width
        mebibytes = row[memory.ADDED] / (1 << 20)
        axes.bar(place, mebibytes, width * 0.9, color=plot.COLOURS[row["library"]])
        axes.annotate(
            f"{mebibytes:.0f}", (place, mebibytes), (0, 2), textcoords="offset points", ha="center", fontsize=7
        )
    axes.set_xticks(range(len(cases_)), cases_)
    axes.tick_params(labelsize=8)
    axes.set_ylabel("MiB that training adds, its batch included")
    axes.set_title("memory, at its peak", fontsize=10)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
