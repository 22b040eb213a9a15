"""Train a multi-layer perceptron to read handwritten digits.

    python examples/mnist_mlp.py                        MNIST where it is found, else scikit-learn's 8x8 digits
    python examples/mnist_mlp.py --data DIR             MNIST's four IDX files, plain or .gz, in DIR or DIR/MNIST/raw
    python examples/mnist_mlp.py --out DIR              keep the weights, the history, a report and three figures
    python examples/mnist_mlp.py --checkpoint DIR       after an interruption, add --resume and it goes on
    python examples/mnist_mlp.py --hidden 512 --epochs 20 --dropout 0.3

The network is the one of the courses: pixels in, hidden layers with ReLU, ten scores out, softmax cross-entropy. A
part of the training set is kept for validation: training stops when the loss there no longer falls, and the weights
with which it was lowest are the ones that are tested.
"""

import argparse
import math
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from _checkpoint import Checkpoint, check_folder
from _digits import CLASSES, Digits, load_digits
from _report import Results, check_libraries, write_files, write_history

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F
from tinygrad_fr import nn, optim
from tinygrad_fr.utils.data import DataLoader, random_split

VALIDATION_SHARE = 1 / 12  # of the training set: 5,000 of MNIST's 60,000
OPTIMIZERS = {
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "sgd": lambda parameters, lr: optim.SGD(parameters, lr=lr, momentum=0.9),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the program; the exit code."""
    try:
        return run(parse(arguments))
    except KeyboardInterrupt as stop:
        ignore_signals()
        return exit_code(stop)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        print(f"mnist_mlp.py: {error}", file=sys.stderr)
        return 1


def run(options: argparse.Namespace) -> int:
    check_outputs(options)
    digits = load_digits(options.data)
    training = Training(options, digits)
    checkpoint = open_checkpoint(options, training)
    try:
        print(f"{digits.source}: {training.images()}")
        print(f"{training.network()}, {options.optimizer} at {options.lr:g}", flush=True)
        for epoch in training.epochs():
            print(described(epoch, options.epochs), flush=True)
            if checkpoint:
                checkpoint.save(training.state())
        training.take_best_weights()
        print(training.outcome(), flush=True)
        test_accuracy = report(options, training)
    except KeyboardInterrupt as stop:
        ignore_signals()
        save_interrupted(options, training)
        return exit_code(stop)
    print(f"test accuracy: {test_accuracy:.4f}")
    return 0


# --- network and training ----------------------------------------------------------------------------------------


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


def build_network(sizes: list[int], dropout: float = 0.0) -> nn.Sequential:
    """Linear layers from each size to the next; ReLU, and dropout if any, between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


class Training:
    """A network on its way: all that decides how the training goes on."""

    def __init__(self, options: argparse.Namespace, digits: Digits):
        torch.manual_seed(options.seed)
        held_out = max(1, int(len(digits.train) * VALIDATION_SHARE))
        self.train, self.validation = random_split(digits.train, [len(digits.train) - held_out, held_out])
        self.options = options
        self.digits = digits
        self.train_batches = DataLoader(self.train, batch_size=options.batch_size, shuffle=True)
        self.validation_batches = DataLoader(self.validation, batch_size=1000)
        self.sizes = [math.prod(digits.image_shape), *options.hidden, CLASSES]
        self.model = build_network(self.sizes, options.dropout)
        self.optimizer = OPTIMIZERS[options.optimizer](self.model.parameters(), lr=options.lr)
        self.criterion = nn.CrossEntropyLoss()
        self.step = torch.compile(self.train_step) if options.compile else self.train_step
        self.history: list[Epoch] = []
        self.best_weights: dict[str, torch.Tensor] | None = None

    def epochs(self) -> Iterator[Epoch]:
        """Train, epoch by epoch, to the last one or until the validation loss has not fallen for some time."""
        while len(self.history) < self.options.epochs and not self.is_out_of_patience():
            start = time.perf_counter()
            number = len(self.history) + 1
            self.optimizer.param_groups[0]["lr"] = self.options.lr * (1 - (number - 1) / self.options.epochs)
            trained = self.train_epoch(f"epoch {number}/{self.options.epochs}")
            epoch = Epoch(number, *trained, *self.validate(), seconds=time.perf_counter() - start)
            best = self.best_epoch()
            if best is None or epoch.rank < best.rank:
                self.best_weights = {name: weight.clone() for name, weight in self.model.state_dict().items()}
            self.history.append(epoch)
            yield epoch

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

    def train_step(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """One update of the weights; gives the loss before it, and the scores.  (N, H, W), (N,) -> (), (N, 10)."""
        self.optimizer.zero_grad()
        scores = self.model(self.digits.standardise(x))
        loss = self.criterion(scores, y)
        loss.backward()
        self.optimizer.step()
        return loss, scores

    def validate(self) -> tuple[float, float]:
        """Loss and accuracy on the images kept for validation."""
        scores, y = self.predict(self.validation_batches)
        return F.cross_entropy(scores, y).item(), count_correct(scores, y) / len(y)

    @torch.no_grad()
    def predict(self, batches: DataLoader) -> tuple[torch.Tensor, torch.Tensor]:
        """The scores of all images, and their labels.  -> (N, 10), (N,)."""
        self.model.eval()
        scores, labels = zip(*[(self.model(self.digits.standardise(x)), y) for x, y in batches], strict=True)
        return torch.cat(scores), torch.cat(labels)

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
        names = ("hidden", "epochs", "batch_size", "lr", "optimizer", "dropout", "seed")
        return {**{f"--{name.replace('_', '-')}": getattr(self.options, name) for name in names}} | {
            "data": self.digits.fingerprint()
        }

    # --- in words

    def images(self) -> str:
        train, validation, test = len(self.train), len(self.validation), len(self.digits.test)
        return f"{train:,} training, {validation:,} validation and {test:,} test images"

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
    """For how many images the largest score is that of their class.  (N, C), (N,) -> int."""
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


# --- what is kept ------------------------------------------------------------------------------------------------


def check_outputs(options: argparse.Namespace) -> None:
    """Find out before the training whether its results can be kept."""
    if options.checkpoint:
        if options.resume and not options.checkpoint.is_dir():
            raise FileNotFoundError(f"cannot resume: there is no folder {options.checkpoint}")
        check_folder(options.checkpoint, "--checkpoint")
    if options.out:
        check_folder(options.out, "--out")
        check_libraries("scikit-learn", "matplotlib")


def open_checkpoint(options: argparse.Namespace, training: Training) -> Checkpoint | None:
    """The checkpoint of this run, if it is to have one. With --resume, the training is put where that stands."""
    if not options.checkpoint:
        return None
    checkpoint = Checkpoint(options.checkpoint, training.settings())
    if options.resume:
        state = checkpoint.load()
        if state:
            training.load_state(state)
            print(f"continuing after epoch {len(training.history)} of {checkpoint.path}")
            return checkpoint
        print(f"{options.checkpoint} holds no checkpoint yet: starting from the beginning", file=sys.stderr)
    elif checkpoint.path.exists():
        raise FileExistsError(
            f"{checkpoint.path} is there already: continue it with --resume, or give --checkpoint another folder"
        )
    checkpoint.save(training.state())
    return checkpoint


def report(options: argparse.Namespace, training: Training) -> float:
    """Test the network, print how it does on each class, and write the files of --out; gives the test accuracy."""
    scores, labels = training.predict(DataLoader(training.digits.test, batch_size=1000))
    results = Results(labels.numpy(), F.softmax(scores, dim=1).numpy(), F.cross_entropy(scores, labels).item())
    print(results.per_class())
    if options.out:
        save_weights(options.out, training)
        write_files(options.out, options, training, results)
        print(f"written to {options.out}: weights, history, report and figures")
    return results.accuracy


def save_weights(folder: Path, training: Training) -> None:
    """The best weights so far; in the first epoch those of the moment."""
    torch.save(training.best_weights or training.model.state_dict(), folder / "weights.safetensors")


def save_interrupted(options: argparse.Namespace, training: Training) -> None:
    print(f"\ninterrupted after {len(training.history)} of {options.epochs} epochs", file=sys.stderr)
    if options.out:
        save_weights(options.out, training)
        write_history(options.out, training.history)
        print(f"the best weights so far are in {options.out / 'weights.safetensors'}", file=sys.stderr)
    if options.checkpoint:
        print(f"the same command with --resume goes on from the checkpoint in {options.checkpoint}", file=sys.stderr)
    if not options.out and not options.checkpoint:
        print("nothing was kept: neither --out nor --checkpoint was given", file=sys.stderr)


# --- signals -----------------------------------------------------------------------------------------------------


def ignore_signals() -> None:
    """A second Ctrl-C does not disturb what is done after the first, up to the end of the program."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def terminate(number: int, frame: Any) -> None:
    """A request to terminate ends the program as Ctrl-C does."""
    raise KeyboardInterrupt(number)


def exit_code(stop: KeyboardInterrupt) -> int:
    """130 after Ctrl-C, 143 after a request to terminate."""
    return 128 + (stop.args[0] if stop.args else signal.SIGINT)


# --- options -----------------------------------------------------------------------------------------------------


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description="Train a multi-layer perceptron on MNIST.",
        epilog="Without --out and --checkpoint no result is kept. Ctrl-C saves the best weights so far to --out.",
    )
    add = parser.add_argument
    add("--data", type=Path, metavar="DIR", help="folder of MNIST's IDX files (default: $TINYGRAD_FR_DATA, the cache)")
    add(
        "--hidden",
        type=positive_int,
        nargs="*",
        default=[256, 128],
        metavar="N",
        help="sizes of the hidden layers (256 128)",
    )
    add(
        "--epochs",
        type=positive_int,
        default=10,
        metavar="N",
        help="passes over the training set, at most (%(default)s)",
    )
    add("--batch-size", type=positive_int, default=64, metavar="N", help="images between two updates (%(default)s)")
    add("--lr", type=positive_float, default=1e-3, help="learning rate at first; it falls linearly (%(default)s)")
    add("--optimizer", choices=OPTIMIZERS, default="adam", help="how the weights follow the gradient (%(default)s)")
    add(
        "--dropout",
        type=probability,
        default=0.2,
        metavar="P",
        help="share of hidden units dropped in training (%(default)s)",
    )
    add("--seed", type=seed, default=0, metavar="N", help="fixes every random choice (%(default)s)")
    add("--patience", type=positive_int, default=5, metavar="N", help="epochs to wait for a better loss (%(default)s)")
    add("--threads", type=positive_int, metavar="N", help="1 to the number of processors; results do not depend on it")
    add(
        "--compile",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="record the training step once and replay it, which gives the same results sooner (on)",
    )
    add("--out", type=Path, metavar="DIR", help="write weights, history, report and figures into this folder")
    add("--checkpoint", type=Path, metavar="DIR", help="keep here, epoch by epoch, what is needed to continue")
    add("--resume", action="store_true", help="continue the run in --checkpoint, with its settings, to the same end")
    options = parser.parse_args(arguments)
    if options.resume and not options.checkpoint:
        parser.error("argument --resume: needs --checkpoint DIR, the folder of the run to continue")
    if options.threads:
        try:
            torch.set_num_threads(options.threads)
        except ValueError as error:
            parser.error(f"argument --threads: {error}")
    return options


def positive_int(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return int(text)


def seed(text: str) -> int:
    with suppress(ValueError):
        if -(2**63) <= int(text) < 2**64:
            return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number from -2**63 to 2**64 - 1, got {text!r}")


def positive_float(text: str) -> float:
    value = number(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def probability(text: str) -> float:
    value = number(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to below 1, got {text!r}")
    return value


def number(text: str) -> float:
    with suppress(ValueError):
        return float(text)
    raise argparse.ArgumentTypeError(f"expected a number, got {text!r}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, terminate)
    sys.exit(main())
