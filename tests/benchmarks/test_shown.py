"""What benchmarks show and draw in ways of their own, of results that are made up."""

import pytest

from benchmarks import cnn, conv, floor, matmul, memory, plot, results, rnn, scaling
from benchmarks.libraries import FLOOR, OURS
from benchmarks.machine import Machine


@pytest.fixture
def products(monkeypatch):
    """Rows of a few products: ours reaches half the peak of 1e9 flops a second a thread, with two threads 1.5 times."""
    monkeypatch.setattr(matmul, "SQUARES", (64, 128))
    monkeypatch.setattr(matmul, "OUTER", (1, 10))
    monkeypatch.setattr(matmul, "INNER", (10,))
    monkeypatch.setattr(matmul, "SHOWN", ((64, 64, 64),))
    flops = {case: kernels[0].flops for case, kernels in matmul.floors().items()}

    def times(rate):
        return {case: each / rate for case, each in flops.items()}

    numpy = {**times(5e8), "10x10x10": flops["10x10x10"] / 3e9}
    measured = {
        (OURS, 1): times(5e8),
        (OURS, 2): times(7.5e8),
        ("numpy", 1): numpy,
        ("numpy", 2): times(1e8),
        (FLOOR, 1): {**times(1e9), "1x10x1": 1.0},  # a product whose floor is that of its bytes
        (FLOOR, 2): times(2e9),
    }
    rows = results.rows("matmul", measured)
    return rows + matmul.more_rows(rows, measured)


def test_every_product_is_there_with_one_thread_too(products):
    alone = [row for row in products if row["case"].endswith(", one thread")]
    assert len(alone) == len(products) / 2
    assert {row["threads"] for row in alone} == {1}


def test_shares_of_the_peak_are_those_of_one_thread(products):
    shares = matmul.shares_of_peak(products)
    assert shares == pytest.approx(dict.fromkeys(matmul.floors(), 0.5))
    assert matmul.shares_of_peak([row for row in products if row["library"] != FLOOR]) == {}


def test_products_are_shown_in_two_tables_and_in_words(products):
    first, heading, grid, summary = matmul.show(products, markdown=False).split("\n\n")
    assert first.splitlines()[0].split() == ["tinygrad_fr", "numpy", "of", "the", "FMA", "peak,", "one", "thread"]
    assert [line.split()[0] for line in first.splitlines()[1:]][:3] == ["64x64x64", "128x128x128", "64x784x128"]
    assert first.splitlines()[1].split() == ["64x64x64", "699", "µs", "1.05", "ms", "(1.5x)", "50%"]
    assert heading == "Shapes of nets: our time, that of numpy over it, the share of the FMA peak on one thread."
    assert [line.split("  ")[0] for line in grid.splitlines()[1:]] == [
        "m = 1, n = 1",
        "m = 1, n = 10",
        "m = 10, n = 1",
        "m = 10, n = 10",
    ]
    assert grid.splitlines()[-1].endswith("2.67 µs, 0.25x, 50%")
    mean = (1.5**3 * 0.25) ** 0.25
    assert [line.strip() for line in summary.splitlines()] == [
        f"numpy over ours, at its best threads: geometric mean over 4 shapes of nets {mean:.2f}x; "
        "1 of all 10 products below 1.0x, the least 0.25x at 10x10x10",
        "numpy over ours, one thread each: geometric mean over 4 shapes of nets 0.64x; "
        "1 of all 10 products below 1.0x, the least 0.17x at 10x10x10",
        "Of the FMA peak on one thread: 64x64x64 50%",
    ]


def test_products_are_shown_without_floor_and_peers(products):
    alone = [row for row in products if row["library"] == OURS]
    first, heading, _, summary = (matmul.show(alone, markdown=True) + "\n").split("\n\n")
    assert first.splitlines()[0] == "|  | tinygrad_fr |"
    assert heading == "Shapes of nets: our time."
    assert summary == "\n"


@pytest.fixture
def sweeps():
    times = {case: 1e-3 * batch for case, (batch, _) in scaling.nets().items()}
    measured = {(OURS, 1): times, ("torch", 1): {case: 2 * each for case, each in times.items()}, (FLOOR, 1): times}
    return results.rows("scaling", measured)


@pytest.fixture
def made_up_memory(monkeypatch):
    """Ours takes 3 MiB, others 6; with more steps all grow by half a MiB, and their peaks are 1 MiB above."""

    def growth(benchmark, library, case, more_steps=0):
        figures = {memory.ADDED: (3 if library == OURS else 6) << 20}
        return figures | ({memory.GROWN: 1 << 19, memory.ABOVE: 1 << 20} if more_steps else {})

    monkeypatch.setattr(memory, "growth", growth)


def test_memory_is_measured_where_it_is_shown(sweeps, made_up_memory):
    assert scaling.more_rows(sweeps, {}) == []
    assert {row["case"] for row in sweeps if memory.ADDED in row} == set(scaling.WITH_MEMORY)
    *_, heading, table = scaling.show(sweeps, markdown=False).split("\n\n")
    assert heading == "Memory that training adds, its batch included:"
    assert table.splitlines()[0].split() == [OURS, "torch"]
    assert table.splitlines()[1].split() == ["batch", "64", "3.0", "MiB", "6.0", "MiB", "(2.0x)"]


@pytest.mark.parametrize("benchmark", [cnn, rnn])
def test_nets_say_how_much_they_grow(benchmark, made_up_memory):
    case = next(iter(benchmark.nets()))
    measured = {(label, 1): {case: 1e-3} for label in (OURS, "torch", "torch fused", FLOOR)}
    rows = results.rows("nets", measured)
    assert benchmark.more_rows(rows, measured) == []
    *_, before, added, grows, grown, peak, above = benchmark.show(rows, markdown=True).split("\n\n")
    assert [before, grows, peak] == list(memory.HEADINGS.values())
    assert added.splitlines() == [f"|  | {OURS} | torch |", "|---|---:|---:|", f"| {case} | 3.0 MiB | 6.0 MiB (2.0x) |"]
    assert grown.splitlines()[-1] == f"| {case} | 0.5 MiB | 0.5 MiB |"
    assert above.splitlines()[-1] == f"| {case} | 1.0 MiB | 1.0 MiB |"


@pytest.mark.parametrize("with_floor", [True, False])
def test_convolutions_have_rates(monkeypatch, with_floor):
    monkeypatch.setattr(conv, "CONVOLUTIONS", (conv.Convolution((1, 1, 1), 1, 1),))
    flops = {case: sum(kernel.flops for kernel in kernels) for case, kernels in conv.floors().items()}
    assert list(flops.values()) == [2, 6]
    measured = {(OURS, 1): {case: each / 5e10 for case, each in flops.items()}}
    if with_floor:
        measured |= {(FLOOR, count): floor.turn(conv.floors(), Machine(count * 1e11, {1: 1e30})) for count in (1, 2)}
    rows = results.rows("conv", measured)
    assert conv.more_rows(rows, measured) == []
    *_, heading, table = conv.show(rows, markdown=True).split("\n\n")
    assert heading == ("GFLOP/s, and the share of the FMA peak:" if with_floor else "GFLOP/s:")
    assert [line.split(" | ")[1] for line in table.splitlines()[2:]] == 2 * ["50.0 (25%) |" if with_floor else "50.0 |"]


def drawn(monkeypatch, benchmark, rows, tmp_path):
    pytest.importorskip("matplotlib")
    figures = []
    monkeypatch.setattr(plot, "save", lambda figure, path: figures.append(figure))
    benchmark.draw(rows, "A title", ["a caption"], tmp_path / "figure.png")
    return figures[0]


def test_scaling_is_drawn_as_lines_and_bars(monkeypatch, sweeps, made_up_memory, tmp_path):
    scaling.more_rows(sweeps, {})
    figure = drawn(monkeypatch, scaling, sweeps, tmp_path)
    *panels, of_memory = figure.axes
    assert [axes.get_xlabel() for axes in panels] == ["batch size", "hidden units a layer", "hidden layers"]
    for axes, values in zip(panels, scaling.SWEEPS.values(), strict=True):
        assert [line.get_label() for line in axes.lines] == [OURS, "torch", FLOOR]
        assert all(tuple(line.get_xdata()) == values for line in axes.lines)
        assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert [bar.get_height() for bar in of_memory.patches] == [3, 6] * len(scaling.WITH_MEMORY)


def test_products_are_drawn_as_rates_and_maps(monkeypatch, products, tmp_path):
    figure = drawn(monkeypatch, matmul, products, tmp_path)
    squares, layer, *maps = figure.axes
    assert [line.get_label() for line in squares.lines] == [OURS, "numpy", FLOOR]
    assert list(squares.lines[0].get_ydata()) == pytest.approx([0.75, 0.75])
    assert len(layer.patches) == 4 * 3
    texts = [[text.get_text() for text in axes.texts] for axes in maps if axes.texts]
    assert texts == [["1.5", "1.5", "1.5", "0.25"], ["50%"] * 4]


def test_products_of_ours_alone_are_drawn(monkeypatch, products, tmp_path):
    alone = [row for row in products if row["library"] == OURS]
    assert len(drawn(monkeypatch, matmul, alone, tmp_path).axes) == 2
