"""Figures of results that are made up."""

from itertools import pairwise

import pytest

from benchmarks import about, libraries, plot, results
from tinygrad_fr.command_line import processor_name

from .test_harness import MEASURED

pytest.importorskip("matplotlib")

ROWS = results.rows("made up", MEASURED)
CLOSE = [{**row, "median_s": 1e-3 * row["ratio_to_ours"]} for row in ROWS]
ONE = [ROWS[0]]


@pytest.mark.parametrize(
    ("suffix", "magic"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")]
)
def test_figures_are_written_by_their_suffix(tmp_path, suffix, magic):
    path = tmp_path / f"figure{suffix}"
    plot.draw(ROWS, "A title", ["a caption", "of two lines"], path)
    assert path.read_bytes().startswith(magic)
    assert list(tmp_path.iterdir()) == [path]


def drawn(monkeypatch, rows, tmp_path):
    """The figure that `draw` makes."""
    from matplotlib.figure import Figure

    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, file, **_: figures.append(self))
    plot.draw(rows, "A title", ["a caption"], tmp_path / "figure.png")
    return figures[0]


@pytest.mark.parametrize(("rows", "scale"), [(ROWS, "log"), (CLOSE, "linear"), (ONE, "linear")])
def test_the_axis_is_logarithmic_where_times_lie_far_apart(monkeypatch, tmp_path, rows, scale):
    (axes,) = drawn(monkeypatch, rows, tmp_path).axes
    assert axes.get_xscale() == scale
    assert ("logarithmic" in axes.get_xlabel()) == (scale == "log")
    assert axes.get_xlim()[1] > max(row["median_s"] for row in rows)


def test_a_figure_says_all_there_is_to_say(monkeypatch, tmp_path):
    figure = drawn(monkeypatch, ROWS, tmp_path)
    (axes,) = figure.axes
    assert figure.get_suptitle() == "A title"
    assert figure.get_supxlabel() == "a caption"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["tinygrad_fr", "torch", "torch fused"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["small", "large"]
    assert [text.get_text() for text in axes.texts] == [
        "2.00 µs",
        "1.00 µs (0.50x)",
        "2.00 ms",
        "6.00 ms (3.0x)",
        "1.00 ms (0.50x)",
    ]
    assert [bar.get_width() for bar in axes.patches] == [row["median_s"] for row in ROWS]


def test_bars_stand_in_groups():
    positions, cases = plot._layout(ROWS)
    steps = [upper - lower for upper, lower in pairwise(positions)]
    assert steps == pytest.approx([plot.BAR, plot.BAR + plot.GAP, plot.BAR, plot.BAR])
    assert cases["small"] == pytest.approx(-plot.BAR / 2)


def test_the_caption_says_when_where_and_what():
    text = "\n".join(about.lines({("tinygrad_fr", 1): {}, ("numpy", 1): {}}, (1, 2), 9))
    for part in (
        processor_name(),
        "1 and 2 threads",
        "median of 9 rounds",
        "Python 3",
        "numpy 2",
        "tinygrad_fr 0",
    ):
        assert part in text


def test_every_library_has_a_colour_of_its_own():
    assert set(plot.COLOURS) == set(libraries.BY_LABEL)
    assert len(set(plot.COLOURS.values())) == len(libraries.BY_LABEL)
