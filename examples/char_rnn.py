"""Train a recurrent network to predict the next letter of a text, then let it write.

    python examples/char_rnn.py                          an LSTM reads the source of Python's standard library
    python examples/char_rnn.py --text FILE              any UTF-8 text: a novel, a play, a program
    python examples/char_rnn.py --cell gru               or rnn: other ways to remember
    python examples/char_rnn.py --out DIR                keep the weights, the history, a report, what it wrote, figures
    python examples/char_rnn.py --checkpoint DIR         after an interruption, add --resume and it goes on
    python examples/char_rnn.py --checkpoint DIR --resume --prompt "def " --temperature 0.3    write again, when trained

The text is cut in three by position: the network learns from the first part, training stops when the loss on the second
no longer falls, and the third is the test. What it is measured by is counting: an n-gram model takes the probability
of a letter from how often it followed the n - 1 before it. Its context ends there; that of the network has no end.

Learning goes through the text as reading does. It lies in columns side by side, and a window of a few letters of each
is learnt from at a time. The next window begins with what was remembered at the end of this one, but gradients do not
flow back into it: the network remembers farther than it is taught to (truncated backpropagation through time).
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from _letters import CELLS, LetterNetwork, forget, gradient_norms, remember, write
from _letters_report import Results, write_report
from _ngram import NGram, cross_entropy
from _program import (
    add_pace,
    add_run,
    check_outputs,
    end_on_request,
    exit_code_of,
    new_parser,
    parse_run,
    positive_float,
    positive_int,
    save_weights,
    train_and_report,
)
from _text import Text, Windows, load_text, whole
from _training import Training as AnyTraining

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F
from tinygrad_fr import nn, optim
from tinygrad_fr.utils.data import DataLoader

ORDER = 5  # of the longest n-gram model
PROMPT = 60  # letters of the test text
ENOUGH_TO_COMPARE = 500_000  # letters that all three cells learn from for the figure of their gradients
LONGEST_GRADIENT = 1.0  # a longer one is made that long: once in a while they explode, and one step undoes many


def main(arguments: list[str] | None = None) -> int:
    """Run the program; the exit code."""
    return exit_code_of("char_rnn.py", lambda: run(parse(arguments)))


def run(options: argparse.Namespace) -> None:
    check_outputs(options)
    text = load_text(options.text)
    training = Training(options, text)
    heading = f"{text.source}: {training.letters()}\n{training.network()}, Adam at {options.lr:g}"
    loss = train_and_report(options, training, heading, report)
    print(f"test cross-entropy: {loss:.4f}")


# --- training ----------------------------------------------------------------------------------------------------


class Training(AnyTraining):
    """A network on its way through a text."""

    program = "char_rnn.py"
    model: LetterNetwork
    shaping = ("cell", "hidden", "layers", "steps", "epochs", "batch_size", "lr", "seed")

    def __init__(self, options: argparse.Namespace, text: Text):
        super().__init__(options)
        self.text = text
        self.check_length()
        self.validation, self.test = (whole(part, options.batch_size) for part in (text.validation, text.test))
        self.validation_batches = self.windows(self.validation)
        self.model = LetterNetwork(options.cell, len(text.alphabet), options.hidden, options.layers)
        self.optimizer = optim.Adam(self.model.parameters(), lr=options.lr)
        self.criterion = nn.CrossEntropyLoss()
        self.memory = self.model.empty_memory(options.batch_size)
        self.step = torch.compile(self.train_step) if options.compile else self.train_step

    def check_length(self) -> None:
        """ValueError: the text is too short for one update, or for validation."""
        columns, needed = self.options.batch_size, shortest(self.options)
        if len(self.text.train) < needed or len(self.text.validation) <= columns:
            raise ValueError(
                f"{self.text.source} is too short, with {len(self.text.train):,} letters to learn from and "
                f"{len(self.text.validation):,} for validation: {columns} columns of {self.options.steps} letters take "
                f"{needed:,} and {columns + 1:,}. Give a longer text, or smaller --batch-size and --steps"
            )

    def windows(self, text: np.ndarray) -> DataLoader:
        return DataLoader(Windows(text, self.options.batch_size, self.options.steps), batch_size=None)

    def train_epoch(self, title: str) -> tuple[float, float]:
        """One pass over the text. Windows begin elsewhere each time: gradients end always, but not always there."""
        columns, steps = self.options.batch_size, self.options.steps
        start = int(torch.randint(steps, ()))
        end = len(self.text.train) - steps + start + 1  # as many letters whatever the start
        self.train_batches = self.windows(whole(self.text.train[start:end], columns * steps))
        forget(self.memory)
        return super().train_epoch(title)

    def train_step(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """One update of the weights; gives the loss before it, and the scores.  (T, N), (T*N,) -> (), (T*N, V)."""
        self.optimizer.zero_grad()
        scores, memory = self.model(x, self.memory)
        loss = self.criterion(scores, y)
        loss.backward()
        remember(self.memory, memory)
        nn.utils.clip_grad_norm_(self.model.parameters(), LONGEST_GRADIENT)
        self.optimizer.step()
        return loss, scores

    def predict(self, batches: DataLoader) -> tuple[torch.Tensor, torch.Tensor]:
        forget(self.memory)
        return super().predict(batches)

    def scores(self, x: torch.Tensor) -> torch.Tensor:
        scores, memory = self.model(x, self.memory)
        remember(self.memory, memory)
        return scores

    def settings(self) -> dict[str, Any]:
        return {**super().settings(), "text": self.text.fingerprint()}

    def letters(self) -> str:
        train, validation, test = len(self.text.train), len(self.text.validation), len(self.text.test)
        counts = f"{train:,} training, {validation:,} validation and {test:,} test letters"
        return f"{counts}, {len(self.text.alphabet) - 1} different ones and {self.text.rare():.2%} rare ones"


def shortest(options: argparse.Namespace) -> int:
    """How many letters one update takes, wherever its window begins."""
    return (options.batch_size + 1) * options.steps + 1


# --- test --------------------------------------------------------------------------------------------------------


def report(options: argparse.Namespace, training: Training) -> float:
    """Print the test and what the network writes, and write the files of --out; gives the cross-entropy of the test."""
    results = test(training)
    print(results.table(), flush=True)
    written = {temperature: going_on(options, training, temperature) for temperature in options.temperature}
    for temperature, letters in written.items():
        print(f"\n--- written at temperature {temperature:g}, the prompt first\n{letters}")
    print("---", flush=True)
    if options.out:
        save_weights(options.out, training)
        write_report(options.out, training, results, written, *compare_memories(options, training.text))
        print(f"written to {options.out}: weights, history, report, what it wrote, and figures")
    return results.test[options.cell]


def test(training: Training) -> Results:
    """The network beside the n-gram models, which count in the training text."""
    text = training.text
    counted = NGram(text.train, text.validation, len(text.alphabet), ORDER)
    return Results(*[losses(training, counted, part) for part in (training.validation, training.test)])


def losses(training: Training, counted: NGram, text: np.ndarray) -> dict[str, float]:
    """The cross-entropies of all models on the same letters, by name, the simplest first."""
    names = ["uniform", *[f"{n}-gram" for n in range(1, ORDER + 1)]]
    by_counting = zip(names, map(cross_entropy, counted.probabilities(text)), strict=True)
    by_network = F.cross_entropy(*training.predict(training.windows(text))).item()
    return {**dict(by_counting), training.options.cell: by_network}


def going_on(options: argparse.Namespace, training: Training, temperature: float) -> str:
    """The prompt, and how the network goes on. The same options give the same text, also when a run is resumed."""
    text = training.text
    prompt = text.encode(options.prompt) if options.prompt else text.test[:PROMPT]
    torch.manual_seed(options.seed)
    return text.decode(np.concatenate([prompt, write(training.model, prompt, options.length, temperature)]))


def compare_memories(options: argparse.Namespace, text: Text) -> tuple[dict[str, list[np.ndarray]], int]:
    """The `gradient_norms` of all cells, as they begin and after some updates; and the number of these.

    -> two (T, N) for each cell, int.
    """
    beginning = replace(text, train=text.train[: max(ENOUGH_TO_COMPARE, shortest(options))])
    norms, updates = {}, 0
    for cell in CELLS:
        training = Training(argparse.Namespace(**{**vars(options), "cell": cell}), beginning)
        x, y = training.validation_batches.dataset[0]
        last = y[-options.batch_size :]
        fresh = gradient_norms(training.model, x, last)
        training.train_epoch(f"{cell}, for the figure of gradients")
        norms[cell] = [fresh, gradient_norms(training.model, x, last)]
        updates = len(training.train_batches)
    return norms, updates


# --- options -----------------------------------------------------------------------------------------------------


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = new_parser("Train a recurrent network to predict the next letter of a text, then let it write.")
    add = parser.add_argument
    add("--text", type=Path, metavar="FILE", help="any UTF-8 text (default: the source of Python's standard library)")
    add("--cell", choices=CELLS, default="lstm", help="how the network remembers (%(default)s)")
    add("--hidden", type=positive_int, default=128, metavar="N", help="numbers it remembers in (%(default)s)")
    add(
        "--layers",
        type=positive_int,
        default=1,
        metavar="N",
        help="recurrent layers, each on the one before (%(default)s)",
    )
    add("--steps", type=positive_int, default=64, metavar="N", help="letters that gradients flow back (%(default)s)")
    add_pace(parser, epochs=10, batch_size=32, lr=4e-3, items="columns of text")
    add(
        "--prompt", metavar="TEXT", help="what the network goes on from when it writes (the beginning of the test text)"
    )
    add("--length", type=positive_int, default=400, metavar="N", help="letters it writes (%(default)s)")
    add(
        "--temperature",
        type=positive_float,
        nargs="+",
        default=[0.5, 1.0],
        metavar="T",
        help="how freely it writes: near 0 only what is likeliest, 1 by its probabilities (0.5 1)",
    )
    add_run(parser)
    return parse_run(parser, arguments)


if __name__ == "__main__":
    end_on_request()
    sys.exit(main())
