"""Matrix products (m, k) @ (k, n), written m x k x n: squares, the products of a Linear layer, and the shapes of nets.

The products of a layer lie in memory as the layer has them: some are of transposed arrays. All others are contiguous.
"""

from collections.abc import Callable
from itertools import product as every
from pathlib import Path
from statistics import geometric_mean
from typing import Any

import numpy as np

from . import results
from .harness import Pace, Results
from .libraries import FLOOR, OURS
from .results import Cells, Row

TITLE = "Matrix products m x k x n, float32"
LIBRARIES = ("tinygrad_fr", "numpy", "torch", "jax", "floor")
THREADS = (1, 2)
PACE = Pace(timing=0.002, case=0.014, least=3, warm_up=0.01)  # there are many
SQUARES = (16, 32, 64, 128, 256, 512, 1024, 2048)
LAYER = (64, 784, 128)  # batch, inputs, outputs
OUTER, INNER = (1, 10, 64, 128, 256), (10, 64, 128, 784)  # m and n of the shapes of nets; k
SHOWN = ((64, 784, 128), (1024, 1024, 1024))  # whose share of the peak is said in words
IN_GRID = ("numpy", "torch")  # whose ratios are shown for the shapes of nets
ONE_THREAD = ", one thread"  # ends the name of a case whose libraries all had one thread

Sizes = tuple[int, int, int]  # m, k, n


def cases(library: str) -> dict[str, Callable[[], Any]]:
    """Each product, into an array that is there (JAX gives a new one)."""
    product = _PRODUCTS[library]()
    return {case: product(*_factors(case)) for case in _names()}


def _names() -> list[str]:
    """All cases; those that are square and of a net stand among the squares."""
    return list(dict.fromkeys([*_squares(), *_of_a_layer(), *_of_nets()]))


def _squares() -> list[str]:
    return [_name(size, size, size) for size in SQUARES]


def _of_a_layer() -> list[str]:
    n, inputs, outputs = LAYER
    return [
        f"{_name(n, inputs, outputs)} (x @ w.T)",
        f"{_name(n, outputs, inputs)} (g @ w)",
        f"{_name(inputs, n, outputs)} (x.T @ g)",
        f"{_name(outputs, n, inputs)} (g.T @ x)",
    ]


def _of_nets() -> list[str]:
    return [_name(m, k, n) for m, n, k in every(OUTER, OUTER, INNER)]


def _name(m: int, k: int, n: int) -> str:
    return f"{m}x{k}x{n}"


def _sizes(case: str) -> Sizes:
    """What the name of a case begins with."""
    m, k, n = map(int, case.partition(",")[0].split()[0].split("x"))
    return m, k, n


def _factors(case: str) -> tuple[np.ndarray, np.ndarray]:
    """The arrays of a case, in the layout that its name says."""
    m, k, n = _sizes(case)
    left, _, right = case.partition(" @ ")
    x = _draw(k, m).T if left.endswith(".T") else _draw(m, k)
    y = _draw(n, k).T if right.endswith(".T)") else _draw(k, n)
    return x, y


def _draw(rows: int, columns: int) -> np.ndarray:
    return np.random.default_rng(rows + 1000 * columns).standard_normal((rows, columns), np.float32)


def floors() -> Any:
    """One kernel a case."""
    from . import floor

    return {case: [floor.product(*_sizes(case))] for case in _names()}


def more_rows(rows: list[Row], measured: Results) -> list[Row]:
    """Every case once more with one thread for all."""
    alone = {key: times for key, times in measured.items() if key[1] == 1}
    return [{**row, "case": row["case"] + ONE_THREAD} for row in results.rows("matmul", alone)]


Product = Callable[[np.ndarray, np.ndarray], Callable[[], Any]]


def _ours() -> Product:
    from tinygrad_fr.kernels import gemm

    return _into_numpy_array(gemm.matmul)


def _numpy() -> Product:
    return _into_numpy_array(np.matmul)


def _into_numpy_array(function: Callable[..., Any]) -> Product:
    def timed(x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
        out = np.empty((x.shape[0], y.shape[1]), np.float32)
        return lambda: function(x, y, out=out)

    return timed


def _torch() -> Product:
    import torch

    def timed(x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
        a, b, out = torch.from_numpy(x), torch.from_numpy(y), torch.empty(x.shape[0], y.shape[1])
        return lambda: torch.matmul(a, b, out=out)

    return timed


def _jax() -> Product:
    import jax
    import jax.numpy as jnp

    def timed(x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
        # JAX has no strides: a transpose is part of the compiled function, which need not copy it
        left, right = x.flags.c_contiguous, y.flags.c_contiguous
        a, b = jnp.array(x if left else x.T), jnp.array(y if right else y.T)
        product = jax.jit(lambda a, b: (a if left else a.T) @ (b if right else b.T))
        return lambda: product(a, b).block_until_ready()

    return timed


_PRODUCTS = {"tinygrad_fr": _ours, "numpy": _numpy, "torch": _torch, "jax": _jax}


# --- what is shown -----------------------------------------------------------------------------------------------


def show(rows: list[Row], markdown: bool) -> str:
    """Squares and the layer as tables, the shapes of nets as a grid, and what it comes to."""
    shares = shares_of_peak(rows)
    best = [row for row in rows if not row["case"].endswith(ONE_THREAD) and row["library"] != FLOOR]
    of_nets = [row for row in best if _is_of_a_net(row["case"]) and row["library"] in (OURS, *IN_GRID)]
    others = [row for row in best if row["case"] in (*_squares(), *_of_a_layer())]
    peers = [label for label in dict.fromkeys(row["library"] for row in of_nets) if label != OURS]
    found = [results.lay_out(_with_shares(others, shares), markdown)]
    notes = ["our time"] + ([f"that of {' / '.join(peers)} over it"] if peers else [])
    notes += ["the share of the FMA peak on one thread"] if shares else []
    found += [f"Shapes of nets: {', '.join(notes)}."]
    found += [results.lay_out(_grid(of_nets, shares), markdown), "\n".join(summary(rows))]
    return "\n\n".join(found)


def _is_of_a_net(case: str) -> bool:
    m, k, n = _sizes(case)
    return "(" not in case and m in OUTER and n in OUTER and k in INNER


def shares_of_peak(rows: list[Row]) -> dict[str, float]:
    """Which part of the FMA peak of one thread ours reaches on one thread, by case; empty without the floor.

    The floor of a large product is its flops at that peak, of a small or flat one the copying of its arrays.
    """
    alone = [row for row in rows if row["case"].endswith(ONE_THREAD)]
    rates = {label: {} for label in (FLOOR, OURS)}
    for row in alone:
        m, k, n = _sizes(row["case"])
        if row["library"] in rates:
            rates[row["library"]][row["case"].removesuffix(ONE_THREAD)] = 2 * m * k * n / row["median_s"]
    peak = max(rates[FLOOR].values(), default=0)
    return {case: rate / peak for case, rate in rates[OURS].items()} if peak else {}


def _with_shares(rows: list[Row], shares: dict[str, float]) -> Cells:
    head, *body = results.across(rows, results.annotated(rows))
    if not shares:
        return [head, *body]
    return [[*head, "of the FMA peak, one thread"], *([*line, _percent(shares[line[0]])] for line in body)]


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"


def _grid(rows: list[Row], shares: dict[str, float]) -> Cells:
    """m and n down, k across."""
    texts: dict[Sizes, list[str]] = {}
    for row in rows:
        ours = row["library"] == OURS
        text = results.time_text(row["median_s"]) if ours else results.ratio_text(row["ratio_to_ours"])
        texts.setdefault(_sizes(row["case"]), []).append(text)

    def cell(m: int, k: int, n: int) -> str:
        time, *ratios = texts[m, k, n]
        share = [_percent(shares[_name(m, k, n)])] if shares else []
        return ", ".join([time] + ([" / ".join(ratios)] if ratios else []) + share)

    body = [[f"m = {m}, n = {n}", *(cell(m, k, n) for k in INNER)] for m, n in every(OUTER, OUTER)]
    return [["", *(f"k = {k}" for k in INNER)], *body]


def summary(rows: list[Row]) -> list[str]:
    """The geometric means over the shapes of nets, where ours loses, and the shares of the peak that count most."""
    found = []
    for label in dict.fromkeys(row["library"] for row in rows if row["library"] not in (OURS, FLOOR)):
        for end, how in (("", "at its best threads"), (ONE_THREAD, "one thread each")):
            ratios = {row["case"]: row["ratio_to_ours"] for row in rows if _counts(row, label, end)}
            if ratios:
                found.append(f"{label} over ours, {how}: {_mean_text(ratios)}")
    shares = shares_of_peak(rows)
    named = {case: shares[case] for case in (_name(*sizes) for sizes in SHOWN) if case in shares}
    if named:
        text = ", ".join(f"{case} {_percent(share)}" for case, share in named.items())
        found.append(f"Of the FMA peak on one thread: {text}")
    return [line + "  " for line in found]  # in Markdown each stays a line


def _counts(row: Row, label: str, end: str) -> bool:
    alone = row["case"].endswith(ONE_THREAD)
    return row["library"] == label and alone == bool(end)


def _mean_text(ratios: dict[str, float]) -> str:
    """The mean over the shapes of nets, and the cases below 1 among all."""
    of_nets = [ratio for case, ratio in ratios.items() if _is_of_a_net(case)]
    below = {case: ratio for case, ratio in ratios.items() if ratio < 1}
    worst = min(ratios, key=lambda case: ratios[case])
    return (
        f"geometric mean over {len(of_nets)} shapes of nets {geometric_mean(of_nets):.2f}x; "
        f"{len(below)} of all {len(ratios)} products below 1.0x, the least {ratios[worst]:.2f}x at "
        f"{worst.removesuffix(ONE_THREAD)}"
    )


# --- the figure --------------------------------------------------------------------------------------------------


def draw(rows: list[Row], title: str, caption: list[str], path: Path) -> None:
    """Rates of squares and of a layer; below, maps of the shapes of nets: ratios to each peer, shares of the peak."""
    from matplotlib.figure import Figure

    from . import plot

    best = [row for row in rows if not row["case"].endswith(ONE_THREAD)]
    maps = _maps(rows)
    figure = Figure(figsize=(11.5, 4.2 + 2.9 * len(maps)), layout="constrained")
    heights = [3.6, *[2.9] * len(maps)]
    top, *below = figure.subfigures(len(heights), 1, squeeze=False, height_ratios=heights).ravel()
    left, right = top.subplots(1, 2).ravel()
    _draw_squares(left, [row for row in best if row["case"] in _squares()])
    _draw_layer(right, [row for row in best if "(" in row["case"]])
    for subfigure, (heading, values, is_share) in zip(below, maps, strict=True):
        _draw_maps(subfigure, heading, values, is_share)
    figure.suptitle(title, fontsize=13, fontweight="bold")
    figure.supxlabel("\n".join(caption), fontsize=7, color="0.35")
    plot.save(figure, path)


def _maps(rows: list[Row]) -> list[tuple[str, dict[Sizes, float], bool]]:
    """What is drawn as maps: (heading, value by sizes, whether it is a share)."""
    found = []
    for label in IN_GRID:
        ratios = {_sizes(row["case"]): row["ratio_to_ours"] for row in rows if _counts(row, label, "")}
        if ratios:
            found.append(
                (f"time of {label} over ours, each at its best threads (above 1 ours is faster)", ratios, False)
            )
    shares = {_sizes(case): share for case, share in shares_of_peak(rows).items() if "(" not in case}
    return [*found, ("ours on one thread: share of the FMA peak", shares, True)] if shares else found


def _draw_squares(axes: Any, rows: list[Row]) -> None:
    """Flops a second against the size, a line a library."""
    from . import plot

    for label in dict.fromkeys(row["library"] for row in rows):
        points = [(_sizes(row["case"])[0], _rate(row)) for row in rows if row["library"] == label]
        style: dict[str, Any] = {"linestyle": "--", "color": "0.4"} if label == FLOOR else {"marker": "o"}
        style = {"color": plot.COLOURS[label], "linewidth": 2.2 if label == OURS else 1.4, **style}
        axes.plot(*zip(*points, strict=True), label=label, markersize=4, **style)
    axes.set_xscale("log", base=2)
    axes.set_xticks(SQUARES, list(map(str, SQUARES)), fontsize=8)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("squares: m = k = n")
    _finish_rates(axes)
    axes.legend(frameon=False, fontsize=8)


def _draw_layer(axes: Any, rows: list[Row]) -> None:
    """Flops a second of the products of a layer, a group a product, a bar a library."""
    from . import plot

    labels = list(dict.fromkeys(row["library"] for row in rows))
    names = list(dict.fromkeys(row["case"] for row in rows))
    width = 0.8 / max(1, len(labels))
    for row in rows:
        place = names.index(row["case"]) + (labels.index(row["library"]) - (len(labels) - 1) / 2) * width
        axes.bar(place, _rate(row), width * 0.9, color=plot.COLOURS[row["library"]])
    axes.set_xticks(range(len(names)), [name.replace(" (", "\n(") for name in names], fontsize=8)
    axes.set_xlabel("products of a Linear layer, as they lie in memory")
    _finish_rates(axes)


def _rate(row: Row) -> float:
    m, k, n = _sizes(row["case"])
    return 2 * m * k * n / row["median_s"] / 1e9


def _finish_rates(axes: Any) -> None:
    axes.set_ylabel("GFLOP/s, each at its best threads")
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _draw_maps(figure: Any, heading: str, values: dict[Sizes, float], is_share: bool) -> None:
    """A map a k, with m down and n across."""
    from matplotlib.colors import LogNorm, Normalize

    norm = Normalize(0, 1) if is_share else LogNorm(1 / 3, 3)
    colours = "YlGn" if is_share else "RdBu"
    figure.suptitle(heading, fontsize=10, fontweight="bold")
    for axes, k in zip(figure.subplots(1, len(INNER), squeeze=False)[0], INNER, strict=True):
        grid = np.array([[values[m, k, n] for n in OUTER] for m in OUTER])
        image = axes.imshow(grid, cmap=colours, norm=norm, aspect="auto")
        for (i, j), value in np.ndenumerate(grid):
            dark = abs(norm(value) - 0.5) > 0.38 if not is_share else value > 0.7
            text = _percent(value) if is_share else f"{value:.1f}" if value >= 0.95 else f"{value:.2f}"
            axes.text(j, i, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")
        axes.set_xticks(range(len(OUTER)), list(map(str, OUTER)), fontsize=8)
        axes.set_yticks(range(len(OUTER)), list(map(str, OUTER)), fontsize=8)
        axes.set_title(f"k = {k}", fontsize=9)
        axes.set_xlabel("n", fontsize=8)
        axes.set_ylabel("m", fontsize=8)
        axes.spines[:].set_visible(False)
    bar = figure.colorbar(image, ax=figure.axes, shrink=0.9, pad=0.01)
    bar.ax.tick_params(labelsize=7)
    ticks = (0, 0.25, 0.5, 0.75, 1) if is_share else (1 / 3, 1 / 2, 1, 2, 3)
    bar.set_ticks(ticks, labels=[_percent(tick) if is_share else f"{tick:.2g}x" for tick in ticks])
    bar.minorticks_off()
