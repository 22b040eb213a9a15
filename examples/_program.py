"""How the programs that train run: exit codes, signals, the folders of --out and --checkpoint, common options."""

import argparse
import math
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from _checkpoint import Checkpoint, check_folder
from _outputs import check_libraries, write_history
from _training import Training, described

import tinygrad_fr as torch


def exit_code_of(program: str, run: Callable[[], None]) -> int:
    """0 after ``run``; 1 after an error, which is told; 130 after Ctrl-C, 143 after a request to terminate."""
    try:
        run()
    except KeyboardInterrupt as stop:
        ignore_signals()
        return 128 + (stop.args[0] if stop.args else signal.SIGINT)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 1
    return 0


# --- signals -----------------------------------------------------------------------------------------------------


def ignore_signals() -> None:
    """A second Ctrl-C does not disturb what is done after the first, up to the end of the program."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def end_on_request() -> None:
    """From now on a request to terminate ends the program as Ctrl-C does."""

    def terminate(number: int, frame: Any) -> None:
        raise KeyboardInterrupt(number)

    signal.signal(signal.SIGTERM, terminate)


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
    checkpoint = Checkpoint(options.checkpoint, training.program, training.settings())
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


def train_and_report(
    options: argparse.Namespace,
    training: Training,
    heading: str,
    report: Callable[[argparse.Namespace, Any], float],
) -> float:
    """The whole course, told line by line: all epochs, then the best weights are put to the test; gives its result."""
    checkpoint = open_checkpoint(options, training)
    with saving_when_interrupted(options, training):
        print(heading, flush=True)
        for epoch in training.epochs():
            print(described(epoch, options.epochs), flush=True)
            if checkpoint:
                checkpoint.save(training.state())
        training.take_best_weights()
        print(training.outcome(), flush=True)
        return report(options, training)


def save_weights(folder: Path, training: Training) -> None:
    """The best weights so far; in the first epoch those of the moment."""
    torch.save(training.best_weights or training.model.state_dict(), folder / "weights.safetensors")


@contextmanager
def saving_when_interrupted(options: argparse.Namespace, training: Training) -> Iterator[None]:
    """Ctrl-C, or a request to terminate, in its block does not lose what has been learnt."""
    try:
        yield
    except KeyboardInterrupt:
        ignore_signals()
        save_interrupted(options, training)
        raise


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


# --- options -----------------------------------------------------------------------------------------------------


def new_parser(description: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        description=description,
        epilog="Without --out and --checkpoint no result is kept. Ctrl-C saves the best weights so far to --out.",
    )


def add_pace(parser: argparse.ArgumentParser, epochs: int, batch_size: int, lr: float, items: str = "images") -> None:
    """How long, in what steps and how fast to learn, with these defaults; a batch is of ``items``."""
    add = parser.add_argument
    add(
        "--epochs",
        type=positive_int,
        default=epochs,
        metavar="N",
        help="passes over the training set, at most (%(default)s)",
    )
    add(
        "--batch-size",
        type=positive_int,
        default=batch_size,
        metavar="N",
        help=f"{items} between two updates (%(default)s)",
    )
    add("--lr", type=positive_float, default=lr, help="learning rate at first; it falls linearly (%(default)s)")


def add_run(parser: argparse.ArgumentParser, patience: int = 5) -> None:
    """The seed, when to stop, how to compute, and where to keep the results."""
    add = parser.add_argument
    add("--seed", type=seed, default=0, metavar="N", help="fixes every random choice (%(default)s)")
    add(
        "--patience",
        type=positive_int,
        default=patience,
        metavar="N",
        help="epochs to wait for a better loss (%(default)s)",
    )
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


def parse_run(parser: argparse.ArgumentParser, arguments: list[str] | None) -> argparse.Namespace:
    """The options, after `add_run`; the number of threads is set as they say."""
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
