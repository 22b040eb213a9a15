"""What a training on a text leaves behind: its measure beside counting, what the network wrote, and three figures."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from _letters import CELLS, LetterNetwork
from _outputs import learning_curves, new_figure, report_text, write_figures, write_history, write_text
from _text import Text

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F

if TYPE_CHECKING:
    from char_rnn import Training
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = dict(zip(CELLS, ("tab:red", "tab:green", "tab:blue"), strict=True))
GUESSES, ROWS, COLUMNS = 5, 3, 40  # in the figure of the next letters
BEFORE = 200  # letters that the network has read before that figure begins


class Results(NamedTuple):
    """Mean cross-entropies, in nats a letter, by the names of the models: from the simplest to the network."""

    validation: dict[str, float]
    test: dict[str, float]

    def table(self) -> str:
        """Of the test."""
        rows = [
            f"{name:<10} {loss:>7.4f} {loss / math.log(2):>7.4f} {perplexity(loss):>11.2f}"
            for name, loss in self.test.items()
        ]
        return "\n".join([f"{'test':<10} {'nats':>7} {'bits':>7} {'perplexity':>11}", *rows])


def perplexity(loss: float) -> float:
    """Among how many letters a choice would be as unsure, were all alike."""
    return math.exp(loss) if loss < 700 else math.inf


# --- files -------------------------------------------------------------------------------------------------------


def write_report(
    folder: Path,
    training: "Training",
    results: Results,
    written: dict[float, str],
    norms: dict[str, list[np.ndarray]],
    updates: int,
) -> None:
    """``written``: by temperature; ``norms``: of gradients, by cell, at the beginning and after ``updates``."""
    text = training.text
    data = {"source": text.source, "letters": training.letters(), "alphabet": repr(text.alphabet)}
    outcome = {"test loss": f"{results.test[training.options.cell]:.4f}"}
    write_history(folder, training.history)
    write_text(folder / "report.txt", report_text(training, data, results.table(), outcome))
    written_at = [f"--- temperature {temperature:g}\n{letters}\n" for temperature, letters in written.items()]
    write_text(folder / "written.txt", "\n".join(written_at))
    figures = {
        "learning_curves": learning_curves_beside_counting(training, results),
        "next_letters": next_letters(training.model, text),
        "gradient_norms": gradient_figure(norms, updates),
    }
    write_figures(folder, figures)


# --- figures -----------------------------------------------------------------------------------------------------


def learning_curves_beside_counting(training: "Training", results: Results) -> "Figure":
    """The learning curves, and as lines the losses of the n-gram models on the same validation text."""
    figure = learning_curves(training, f"{training.options.cell.upper()}, {training.text.source}")
    axes = figure.axes[0]
    _, highest = axes.get_ylim()
    for i, (name, loss) in enumerate(results.validation.items()):
        if name.endswith("gram") and loss < highest + 0.2:  # the simplest would leave no room for the curves
            axes.axhline(loss, color="grey", linestyle="--", linewidth=1)
            place = 0.2 + 0.09 * i  # side by side, for the lines may be near each other
            axes.text(place, loss, name, transform=axes.get_yaxis_transform(), ha="right", va="bottom", fontsize=8)
    return figure


def next_letters(network: LetterNetwork, text: Text) -> "Figure":
    """A piece of the test text, and under each letter what the network took for likeliest before it read it."""
    letters, probabilities = predicted_piece(network, text)
    guesses = np.argsort(-probabilities, axis=1, kind="stable")[:, :GUESSES]
    rows = math.ceil(len(letters) / COLUMNS)
    figure = new_figure(12, 0.3 + 1.85 * rows)
    figure.suptitle("The test text, each letter coloured by the probability it was given; under it the likeliest ones")
    for row, axes in enumerate(figure.subplots(rows, 1, squeeze=False).flat):
        part = slice(row * COLUMNS, (row + 1) * COLUMNS)
        shown = np.column_stack([letters[part], guesses[part]])  # (columns, 1 + GUESSES)
        given = np.take_along_axis(probabilities[part], shown, axis=1)
        draw_row(axes, text, shown, given)
    figure.colorbar(figure.axes[0].images[0], ax=figure.axes, label="probability", shrink=0.9, pad=0.01)
    return figure


def predicted_piece(network: LetterNetwork, text: Text) -> tuple[np.ndarray, np.ndarray]:
    """Some letters of the test text, and the probabilities of all letters before each.  -> (L,), (L, letters)."""
    count = min(ROWS * COLUMNS, len(text.test) - 1)
    start = min(BEFORE, len(text.test) - 1 - count)
    network.eval()
    with torch.no_grad():
        x = torch.tensor(text.test[: start + count]).long().unsqueeze(1)
        scores, _ = network(x, network.empty_memory(1))
    return text.test[start + 1 : start + 1 + count].astype(np.int64), F.softmax(scores[start:], dim=1).numpy()


def draw_row(axes: "Axes", text: Text, shown: np.ndarray, given: np.ndarray) -> None:
    """Letters as they are in the text, those held for likeliest under them.  shown, given: (columns, 1 + GUESSES)."""
    axes.imshow(given.T, cmap="YlGn", vmin=0, vmax=1, aspect="auto")
    axes.axhline(0.5, color="black", linewidth=1.5)
    for (column, line), letter in np.ndenumerate(shown):
        right = line == 0 or letter == shown[column, 0]
        axes.text(column, line, visible(text.alphabet[letter]), ha="center", va="center", family="monospace",
                  parse_math=False, fontsize=13 if line == 0 else 9, weight="bold" if right else "normal",
                  color="white" if given[column, line] > 0.6 else "black" if right else "dimgrey")  # fmt: skip
    axes.set(xlim=(-0.5, COLUMNS - 0.5), xticks=[], yticks=[0, 1], yticklabels=["text", "likeliest"])


def visible(letter: str) -> str:
    return {
        " ": "\N{OPEN BOX}",
        "\n": "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}",
        "\t": "\N{RIGHTWARDS ARROW TO BAR}",
    }.get(letter, letter)


def gradient_figure(norms: dict[str, list[np.ndarray]], updates: int) -> "Figure":
    """How much the loss after the last step depends on what was remembered at each, as cells begin and later.

    Medians over the columns of text, with their quartiles. That fresh gates forget too is part of the truth: they are
    half open, and halve what passes at each step. But they learn to hold, where an RNN has nothing to hold with.
    """
    figure = new_figure(10, 5)
    figure.suptitle("How far back the loss of one letter reaches: its gradient for what was remembered before")
    figure.supxlabel(
        "With first weights all forget. GRU and LSTM learn to hold their gates open to the past; an RNN has none.",
        fontsize=10,
    )
    titles = "With first weights", f"After {updates:,} updates"
    for moment, axes in enumerate(figure.subplots(1, 2, sharey=True)):
        for cell, both in norms.items():
            steps = np.arange(1, len(both[moment]) + 1)
            low, middle, high = np.quantile(both[moment], (0.25, 0.5, 0.75), axis=1)
            axes.plot(steps, middle, color=COLOURS[cell], label=cell.upper())
            axes.fill_between(steps, low, high, color=COLOURS[cell], alpha=0.2, linewidth=0)
        axes.axhline(np.finfo(np.float32).eps, color="grey", linestyle=":", label="lost in float32 beside 1")
        axes.set(xlabel=f"time step (the loss is that of step {len(steps)})", yscale="log", title=titles[moment])
        axes.grid(alpha=0.3)
    figure.axes[0].legend()
    figure.axes[0].set_ylabel("norm of the gradient, median and quartiles")
    return figure
