"""What all programs that train share: epochs with early stopping, and all of it that is needed to go on later."""

import argparse
import math
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, NamedTuple

import numpy as np

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F
from tinygrad_fr import nn, optim
from tinygrad_fr.utils.data import DataLoader


class Epoch(NamedTuple):
    """What was measured in an epoch; the training figures are means over its batches, as the weights moved on."""

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float

    @property
    def rank(self) -> float:
        """The lower, the better; a loss that is not a number comes last."""
        return math.inf if math.isnan(self.val_loss) else self.val_loss


class Training:
    """A network on its way. A program's own class sets what is declared here, and has its own ``train_step``."""

    program: ClassVar[str]  # the name of its file
    shaping: ClassVar[tuple[str, ...]]  # the options that shape the course of the training, in the report's order

    model: nn.Module
    optimizer: optim.Optimizer
    step: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]  # train_step, compiled or not
    train_batches: DataLoader
    validation_batches: DataLoader

    def __init__(self, options: argparse.Namespace):
        torch.manual_seed(options.seed)
        self.options = options
        self.history: list[Epoch] = []
        self.best_weights: dict[str, torch.Tensor] | None = None

    def epochs(self) -> Iterator[Epoch]:
        """Train, epoch by epoch, to the last one or until the validation loss has not fallen for some time."""
        while len(self.history) < self.options.epochs and not self.is_out_of_patience():
            start = time.perf_counter()
            number = len(self.history) + 1
            self.optimizer.param_groups[0]["lr"] = self.learning_rate(number)
            trained = self.train_epoch(f"epoch {number}/{self.options.epochs}")
            epoch = Epoch(number, *trained, *self.validate(), seconds=time.perf_counter() - start)
            best = self.best_epoch()
            if best is None or epoch.rank < best.rank:
                self.best_weights = {name: weight.clone() for name, weight in self.model.state_dict().items()}
            self.history.append(epoch)
            yield epoch

    def learning_rate(self, epoch: int) -> float:
        """It falls linearly from --lr in epoch 1."""
        return self.options.lr * (1 - (epoch - 1) / self.options.epochs)

    def train_epoch(self, title: str) -> tuple[float, float]:
        """One pass over the training set; gives its mean loss and accuracy."""
        self.model.train()
        seen, total_loss, correct = 0, 0.0, 0
        with progress_bar(self.train_batches, title) as (batches, show):
            for x, y in batches:
                loss, scores = self.step(x, y)
                seen += len(y)
                total_loss += loss.item() * len(y)
                correct += count_correct(scores, y)
                show(total_loss / seen, correct / seen)
        return total_loss / seen, correct / seen

    def validate(self) -> tuple[float, float]:
        """Loss and accuracy on what is kept for validation."""
        scores, y = self.predict(self.validation_batches)
        return F.cross_entropy(scores, y).item(), count_correct(scores, y) / len(y)

    @torch.no_grad()
    def predict(self, batches: DataLoader) -> tuple[torch.Tensor, torch.Tensor]:
        """The scores of all items, and their labels.  -> (N, C), (N,)."""
        self.model.eval()
        scores, labels = zip(*[(self.scores(x), y) for x, y in batches], strict=True)
        return torch.cat(scores), torch.cat(labels)

    def scores(self, x: torch.Tensor) -> torch.Tensor:
        """Of the items of a batch as its loader gives them.  -> (N, C)."""
        return self.model(x)

    # --- which epoch was best

    def best_epoch(self) -> Epoch | None:
        """The first one with the lowest validation loss."""
        return min(self.history, key=lambda epoch: epoch.rank, default=None)

    def is_out_of_patience(self) -> bool:
        best = self.best_epoch()
        return best is not None and len(self.history) - best.epoch >= self.options.patience

    def take_best_weights(self) -> None:
        if self.best_weights is not None:
            self.model.load_state_dict(self.best_weights)

    # --- stopping and going on

    def state(self) -> dict[str, Any]:
        """All that a later process needs to go on as if nothing had happened."""
        return {
            "weights": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "history": [epoch._asdict() for epoch in self.history],
            "best_weights": self.best_weights,
        }

    def load_state(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        self.history = [Epoch(**epoch) for epoch in state["history"]]
        self.best_weights = state["best_weights"]

    def settings(self) -> dict[str, Any]:
        """What shapes the course of the training; --patience only says where it ends."""
        return {f"--{name.replace('_', '-')}": getattr(self.options, name) for name in self.shaping}

    # --- in words

    def network(self) -> str:
        parameters = sum([parameter.numel() for parameter in self.model.parameters()])
        return f"{self.model}\n{parameters:,} parameters"

    def outcome(self) -> str:
        """How the training ended, and which weights are tested."""
        best = self.best_epoch()
        assert best is not None
        line = f"weights of epoch {best.epoch}, whose validation loss of {best.val_loss:.4f} is the lowest"
        if len(self.history) < self.options.epochs:
            line = f"stopped: no better validation loss for {self.options.patience} epochs\n{line}"
        if math.isnan(self.history[-1].train_loss):
            line += "\nthe loss is not a number: try a smaller --lr"
        return line


def count_correct(scores: torch.Tensor, y: torch.Tensor) -> int:
    """For how many items the largest score is that of their class.  (N, C), (N,) -> int."""
    return int(np.count_nonzero(scores.detach().numpy().argmax(1) == y.numpy()))


def described(epoch: Epoch, epochs: int) -> str:
    return (
        f"epoch {epoch.epoch:{len(str(epochs))}}/{epochs}   "
        f"training loss {epoch.train_loss:.4f}, accuracy {epoch.train_accuracy:.4f}   "
        f"validation loss {epoch.val_loss:.4f}, accuracy {epoch.val_accuracy:.4f}   {epoch.seconds:.2f} s"
    )


@contextmanager
def progress_bar(batches: DataLoader, title: str) -> Iterator[tuple[Iterable, Any]]:
    """The batches, and a function that shows loss and accuracy: a bar on a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield batches, lambda loss, accuracy: None
        return
    from tqdm import tqdm

    with tqdm(batches, desc=title, unit="batch", leave=False) as bar:
        yield (
            bar,
            lambda loss, accuracy: bar.set_postfix_str(f"loss={loss:.4f}, accuracy={accuracy:.4f}", refresh=False),
        )
