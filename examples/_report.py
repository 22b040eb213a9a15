"""What a training leaves behind: how the network does on each class, the history, and three figures."""

import csv
import importlib.util
import io
import platform
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _digits import CLASSES

import tinygrad_fr as torch
from tinygrad_fr.utils.files import replacing

if TYPE_CHECKING:
    import argparse

    from matplotlib.figure import Figure
    from mnist_mlp import Epoch, Training

NAMES = [str(digit) for digit in range(CLASSES)]
TRAINING, VALIDATION = "tab:blue", "tab:orange"
MOST_MISTAKES = 24


LIBRARIES = {"scikit-learn": "sklearn", "matplotlib": "matplotlib"}


def check_libraries(*names: str) -> None:
    """ImportError if the report and the figures cannot be made for want of one of these libraries."""
    missing = [name for name in names if importlib.util.find_spec(LIBRARIES[name]) is None]
    if missing:
        raise ImportError(f"--out needs {' and '.join(missing)}: pip install 'tinygrad_fr[examples]'")


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


# --- files -------------------------------------------------------------------------------------------------------


def write_files(folder: Path, options: "argparse.Namespace", training: "Training", results: Results) -> None:
    write_history(folder, training.history)
    write_text(folder / "report.txt", report_text(options, training, results))
    figures = {
        "learning_curves.png": learning_curves(training),
        "confusion_matrix.png": confusion_matrix(results),
        "mistakes.png": mistakes(results, training.digits.test.tensors[0].numpy(), training.digits.image_shape),
    }
    for name, figure in figures.items():
        with replacing(folder / name) as file:
            figure.savefig(file, format="png", dpi=150)


def write_history(folder: Path, history: "list[Epoch]") -> None:
    """One line an epoch, with all the digits of its numbers but for the seconds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds"])
    writer.writerows([*epoch[:-1], f"{epoch.seconds:.3f}"] for epoch in history)
    write_text(folder / "history.csv", text.getvalue())


def write_text(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())


def report_text(options: "argparse.Namespace", training: "Training", results: Results) -> str:
    best = training.best_epoch()
    assert best is not None
    wrong = int((results.predicted != results.labels).sum())
    seconds = sum(epoch.seconds for epoch in training.history)
    return "\n".join(
        [
            "Run",
            *table(run_settings(options)),
            "",
            "Data",
            *table({"source": training.digits.source, "images": training.images()}),
            "",
            "Network",
            training.network(),
            "",
            "Training",
            *table(
                {
                    "epochs": f"{len(training.history)} of {options.epochs}, in {seconds:.1f} s",
                    "best epoch": f"{best.epoch}, validation loss {best.val_loss:.4f}",
                }
            ),
            "",
            "Test",
            results.per_class(),
            "",
            *table(
                {
                    "test loss": f"{results.loss:.4f}",
                    "mistakes": f"{wrong:,} of {len(results.labels):,}",
                    "test accuracy": f"{results.accuracy:.4f}",
                }
            ),
            "",
        ]
    )


def run_settings(options: "argparse.Namespace") -> dict[str, Any]:
    hidden = " ".join(map(str, options.hidden)) or "none"
    names = ("epochs", "batch_size", "lr", "optimizer", "dropout", "seed", "patience", "compile")
    versions = f"tinygrad_fr {torch.__version__}, NumPy {np.__version__}, Python {platform.python_version()}"
    others = {name.replace("_", " "): getattr(options, name) for name in names}
    return {"hidden": hidden, **others, "threads": torch.get_num_threads(), "versions": versions}


def table(rows: dict[str, Any]) -> list[str]:
    return [f"  {name + ':':<15} {value}" for name, value in rows.items()]


# --- figures -----------------------------------------------------------------------------------------------------


def new_figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure  # without pyplot: no window system, no state shared with the caller

    return Figure(figsize=(width, height), layout="constrained")


def learning_curves(training: "Training") -> "Figure":
    """Loss and accuracy against epochs, on the training and the validation set."""
    history, best = training.history, training.best_epoch()
    figure = new_figure(10, 4.2)
    figure.suptitle(f"Learning curves: {training.digits.name}, {'-'.join(map(str, training.sizes))}")
    losses, accuracies = figure.subplots(1, 2)
    epochs = [epoch.epoch for epoch in history]
    for axes, quantity, scale, unit in ((losses, "loss", 1, "cross-entropy, nats"), (accuracies, "accuracy", 100, "%")):
        for name, prefix, colour in (("training", "train", TRAINING), ("validation", "val", VALIDATION)):
            values = [scale * getattr(epoch, f"{prefix}_{quantity}") for epoch in history]
            axes.plot(epochs, values, "o-", color=colour, markersize=4, label=name)
            if name == "validation" and best is not None:
                axes.plot(best.epoch, values[best.epoch - 1], "*", color=colour, markersize=15, markeredgecolor="black",
                          label=f"best epoch: {best.epoch}", zorder=3)  # fmt: skip
        axes.set(xlabel="epoch", ylabel=f"{quantity} ({unit})", title=quantity.capitalize())
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    return figure


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
