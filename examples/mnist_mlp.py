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
import sys
from itertools import pairwise

from _digits import CLASSES, Digits, DigitsTraining, add_data, load_digits
from _program import (
    add_pace,
    add_run,
    check_outputs,
    end_on_request,
    exit_code_of,
    new_parser,
    parse_run,
    positive_int,
    probability,
    train_and_report,
)
from _report import report

import tinygrad_fr as torch
from tinygrad_fr import nn, optim

OPTIMIZERS = {
    "adam": optim.Adam,
    "adamw": optim.AdamW,
    "sgd": lambda parameters, lr: optim.SGD(parameters, lr=lr, momentum=0.9),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the program; the exit code."""
    return exit_code_of("mnist_mlp.py", lambda: run(parse(arguments)))


def run(options: argparse.Namespace) -> None:
    check_outputs(options)
    digits = load_digits(options.data)
    training = Training(options, digits)
    heading = f"{digits.source}: {training.images()}\n{training.network()}, {options.optimizer} at {options.lr:g}"
    test_accuracy = train_and_report(options, training, heading, report)
    print(f"test accuracy: {test_accuracy:.4f}")


# --- network and training ----------------------------------------------------------------------------------------


def build_network(sizes: list[int], dropout: float = 0.0) -> nn.Sequential:
    """Linear layers from each size to the next; ReLU, and dropout if any, between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


class Training(DigitsTraining):
    """A network on its way: all that decides how the training goes on."""

    program = "mnist_mlp.py"
    shaping = ("hidden", "epochs", "batch_size", "lr", "optimizer", "dropout", "seed")

    def __init__(self, options: argparse.Namespace, digits: Digits):
        super().__init__(options, digits)
        sizes = [math.prod(digits.image_shape), *options.hidden, CLASSES]
        self.name = "-".join(map(str, sizes))
        self.model = build_network(sizes, options.dropout)
        self.optimizer = OPTIMIZERS[options.optimizer](self.model.parameters(), lr=options.lr)
        self.criterion = nn.CrossEntropyLoss()
        self.step = torch.compile(self.train_step) if options.compile else self.train_step

    def train_step(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """One update of the weights; gives the loss before it, and the scores.  (N, H*W), (N,) -> (), (N, 10)."""
        self.optimizer.zero_grad()
        scores = self.scores(x)
        loss = self.criterion(scores, y)
        loss.backward()
        self.optimizer.step()
        return loss, scores


# --- options -----------------------------------------------------------------------------------------------------


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = new_parser("Train a multi-layer perceptron on MNIST.")
    add = parser.add_argument
    add_data(parser)
    add(
        "--hidden",
        type=positive_int,
        nargs="*",
        default=[256, 128],
        metavar="N",
        help="sizes of the hidden layers (256 128)",
    )
    add_pace(parser, epochs=10, batch_size=64, lr=1e-3)
    add("--optimizer", choices=OPTIMIZERS, default="adam", help="how the weights follow the gradient (%(default)s)")
    add(
        "--dropout",
        type=probability,
        default=0.2,
        metavar="P",
        help="share of hidden units dropped in training (%(default)s)",
    )
    add_run(parser)
    return parse_run(parser, arguments)


if __name__ == "__main__":
    end_on_request()
    sys.exit(main())
