"""What the programs leave in the folder of --out: text, tables, the history, figures."""

import csv
import importlib.util
import io
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _training import Epoch, Training

import tinygrad_fr as torch
from tinygrad_fr.utils.files import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LIBRARIES = {"scikit-learn": "sklearn", "matplotlib": "matplotlib"}
TRAINING, VALIDATION = "tab:blue", "tab:orange"


def check_libraries(*names: str) -> None:
    """ImportError if the report and the figures cannot be made for want of one of these libraries."""
    missing = [name for name in names if importlib.util.find_spec(LIBRARIES[name]) is None]
    if missing:
        raise ImportError(f"--out needs {' and '.join(missing)}: pip install 'tinygrad_fr[examples]'")


# --- text --------------------------------------------------------------------------------------------------------


def write_text(path: Path, text: str) -> None:
    with replacing(path) as file:
        file.write(text.encode())


def write_history(folder: Path, history: list[Epoch]) -> None:
    """One line an epoch, with all the digits of its numbers but for the seconds."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy", "seconds"])
    writer.writerows([*epoch[:-1], f"{epoch.seconds:.3f}"] for epoch in history)
    write_text(folder / "history.csv", text.getvalue())


def report_text(training: Training, data: dict[str, Any], test: str, outcome: dict[str, Any]) -> str:
    """The run, the ``data``, the network and its training; then what its ``test`` gave, and the ``outcome`` of it."""
    best = training.best_epoch()
    assert best is not None
    seconds = sum(epoch.seconds for epoch in training.history)
    course = {
        "epochs": f"{len(training.history)} of {training.options.epochs}, in {seconds:.1f} s",
        "best epoch": f"{best.epoch}, validation loss {best.val_loss:.4f}",
    }
    sections = {
        "Run": table(run_settings(training)),
        "Data": table(data),
        "Network": training.network(),
        "Training": table(course),
        "Test": f"{test}\n\n{table(outcome)}",
    }
    return "\n".join([f"{title}\n{text}\n" for title, text in sections.items()])


def run_settings(training: Training) -> dict[str, Any]:
    names = (*training.shaping, "patience", "compile")
    versions = f"tinygrad_fr {torch.__version__}, NumPy {np.__version__}, Python {platform.python_version()}"
    options = {name.replace("_", " "): in_words(getattr(training.options, name)) for name in names}
    return {**options, "threads": torch.get_num_threads(), "versions": versions}


def in_words(value: Any) -> Any:
    """The value of an option; of several their list, or that there are none."""
    return (" ".join(map(str, value)) or "none") if isinstance(value, list) else value


def table(rows: dict[str, Any]) -> str:
    return "\n".join([f"  {name + ':':<15} {value}" for name, value in rows.items()])


# --- figures -----------------------------------------------------------------------------------------------------


def new_figure(width: float, height: float) -> "Figure":
    from matplotlib.figure import Figure  # without pyplot: no window system, no state shared with the caller

    return Figure(figsize=(width, height), layout="constrained")


def write_figures(folder: Path, figures: "dict[str, Figure]") -> None:
    """Each into the PNG file of its name."""
    for name, figure in figures.items():
        with replacing(folder / f"{name}.png") as file:
            figure.savefig(file, format="png", dpi=150)


def learning_curves(training: Training, title: str) -> "Figure":
    """Loss and accuracy against epochs, on the training and the validation set."""
    history, best = training.history, training.best_epoch()
    figure = new_figure(10, 4.2)
    figure.suptitle(f"Learning curves: {title}")
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
