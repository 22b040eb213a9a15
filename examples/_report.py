"""How a network does on digits: on each class, where it confuses them, its worst mistakes."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from _digits import CLASSES, DigitsTraining
from _outputs import learning_curves, new_figure, report_text, write_figures, write_history, write_text
from _program import save_weights

import tinygrad_fr.nn.functional as F

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from matplotlib.figure import Figure

NAMES = [str(digit) for digit in range(CLASSES)]
MOST_MISTAKES = 24


class Results:
    """How the network does on the test set.  labels: (N,), probabilities: (N, 10), loss: the mean cross-entropy."""

    def __init__(self, labels: np.ndarray, probabilities: np.ndarray, loss: float):
        self.labels = labels
        self.probabilities = probabilities
        self.predicted = probabilities.argmax(1)
        self.loss = loss

    @property
    def accuracy(self) -> float:
        return float((self.predicted == self.labels).mean())

    @cached_property
    def confusion(self) -> np.ndarray:
        """How many images of each class were taken for each.  -> (10, 10): true class, predicted class."""
        counts = np.zeros((CLASSES, CLASSES), np.int64)
        np.add.at(counts, (self.labels, self.predicted), 1)
        return counts

    def per_class(self) -> str:
        """Precision, recall, F1 and number of images of each class, as a table."""
        try:
            from sklearn.metrics import classification_report
        except ImportError:
            return "(precision and recall of each class need scikit-learn: pip install 'tinygrad_fr[examples]')"
        options: dict[str, Any] = {"labels": range(CLASSES), "target_names": NAMES, "digits": 4, "zero_division": 0}
        return str(classification_report(self.labels, self.predicted, **options)).rstrip()

    def worst_mistakes(self) -> np.ndarray:
        """Which images were taken for another class, those first where the network was surest.  -> (M,)."""
        wrong = np.flatnonzero(self.predicted != self.labels)
        return wrong[np.argsort(-self.probabilities[wrong].max(1), kind="stable")]


def report(options: "argparse.Namespace", training: DigitsTraining) -> float:
    """Test the network, print how it does on each class, and write the files of --out; gives the test accuracy."""
    results = test(training)
    print(results.per_class())
    if options.out:
        save_weights(options.out, training)
        write_report(options.out, training, results)
        print(f"written to {options.out}: weights, history, report and figures")
    return results.accuracy


def test(training: DigitsTraining) -> Results:
    """The network as it is, on the test set."""
    scores, labels = training.predict(training.test_batches)
    return Results(labels.numpy(), F.softmax(scores, dim=1).numpy(), F.cross_entropy(scores, labels).item())


def write_report(folder: "Path", training: DigitsTraining, results: Results) -> None:
    """The history, the report, and figures of the course of the training and of its results."""
    wrong = int((results.predicted != results.labels).sum())
    data = {"source": training.digits.source, "images": training.images()}
    outcome = {
        "test loss": f"{results.loss:.4f}",
        "mistakes": f"{wrong:,} of {len(results.labels):,}",
        "test accuracy": f"{results.accuracy:.4f}",
    }
    write_history(folder, training.history)
    write_text(folder / "report.txt", report_text(training, data, results.per_class(), outcome))
    figures = {
        "learning_curves": learning_curves(training, f"{training.digits.name}, {training.name}"),
        "confusion_matrix": confusion_matrix(results),
        "mistakes": mistakes(results, training.digits.test.tensors[0].numpy(), training.digits.image_shape),
    }
    write_figures(folder, figures | training.figures())


# --- figures -----------------------------------------------------------------------------------------------------


def confusion_matrix(results: Results) -> "Figure":
    """Counts of images by true and predicted class; the colours show the mistakes, as shares of their class."""
    counts = results.confusion
    shares = 100 * counts / np.maximum(counts.sum(1, keepdims=True), 1)
    off_diagonal = np.ma.masked_array(shares, np.eye(CLASSES, dtype=bool))
    figure = new_figure(7.2, 6.2)
    axes = figure.subplots()
    most = max(float(off_diagonal.max()), 1e-9)
    image = axes.imshow(off_diagonal, cmap="Reds", vmin=0, vmax=most)
    axes.imshow(np.ma.masked_array(np.ones_like(shares), ~np.eye(CLASSES, dtype=bool)), cmap="Greens", vmin=0, vmax=4)
    for true, predicted in np.argwhere(counts):
        dark = true != predicted and shares[true, predicted] > 0.6 * most
        axes.text(predicted, true, f"{counts[true, predicted]:,}", ha="center", va="center", fontsize=9,
                  color="white" if dark else "black")  # fmt: skip
    axes.set(
        xlabel="predicted class",
        ylabel="true class",
        xticks=range(CLASSES),
        yticks=range(CLASSES),
        title=f"Confusion matrix: {100 * results.accuracy:.2f}% of {len(results.labels):,} test images right",
    )
    figure.colorbar(image, label="mistakes (% of the true class)", shrink=0.85)
    return figure


def mistakes(results: Results, images: np.ndarray, shape: tuple[int, int]) -> "Figure":
    """The images that were taken for another class with the most confidence.  images: (N, H*W)."""
    wrong = results.worst_mistakes()
    shown = wrong[:MOST_MISTAKES]
    columns = 8
    rows = max(1, -(-len(shown) // columns))
    figure = new_figure(10, 1.65 * rows + 0.5)
    if not len(shown):
        figure.text(0.5, 0.4, f"No mistakes among {len(images):,} test images", ha="center", fontsize=14)
        return figure
    which = f"The {len(shown)} surest of" if len(shown) < len(wrong) else "All"
    figure.suptitle(f"{which} {len(wrong):,} mistakes among {len(images):,} test images, and their probability")
    for axes in figure.subplots(rows, columns, squeeze=False).flat:
        axes.set_axis_off()
    for axes, i in zip(figure.axes, shown, strict=False):
        axes.imshow(images[i].reshape(shape), cmap="gray_r")
        sure = 100 * results.probabilities[i].max()
        axes.set_title(f"{results.labels[i]}, read as {results.predicted[i]}\n{sure:.1f}%", fontsize=9)
    return figure
