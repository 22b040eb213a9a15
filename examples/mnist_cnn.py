"""Train LeNet-5, the classical convolutional network, to read handwritten digits.

    python examples/mnist_cnn.py                        MNIST where it is found, else scikit-learn's 8x8 digits
    python examples/mnist_cnn.py --data DIR             MNIST's four IDX files, plain or .gz, in DIR or DIR/MNIST/raw
    python examples/mnist_cnn.py --out DIR              keep the weights, the history, a report and six figures
    python examples/mnist_cnn.py --checkpoint DIR       after an interruption, add --resume and it goes on
    python examples/mnist_cnn.py --no-augment           without augmentation: it overfits

A convolution lays the same small filter on every place of the image: a stroke is found wherever it is. Pooling keeps
the largest of four neighbours, so that it may be a little to the side. Two of each, then three linear layers, make
LeNet-5 (LeCun and others, "Gradient-based learning applied to document recognition", 1998), here with ReLU and max
pooling as one would write it today. Augmentation shows the network each digit a little otherwise in every epoch.
"""

import argparse
import sys
from collections import OrderedDict
from typing import TYPE_CHECKING

from _cnn_figures import augmentation, feature_maps, filters
from _digits import CLASSES, Digits, DigitsTraining, add_data, load_digits
from _distortion import RandomDistortion
from _program import (
    add_pace,
    add_run,
    check_outputs,
    end_on_request,
    exit_code_of,
    new_parser,
    parse_run,
    train_and_report,
)
from _report import report

import tinygrad_fr as torch
from tinygrad_fr import nn, optim

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def main(arguments: list[str] | None = None) -> int:
    """Run the program; the exit code."""
    return exit_code_of("mnist_cnn.py", lambda: run(parse(arguments)))


def run(options: argparse.Namespace) -> None:
    check_outputs(options)
    digits = load_digits(options.data)
    training = Training(options, digits)
    heading = f"{digits.source}: {training.images()}\n{training.network()}, Adam at {options.lr:g}"
    test_accuracy = train_and_report(options, training, heading, report)
    print(f"test accuracy: {test_accuracy:.4f}")


# --- network and training ----------------------------------------------------------------------------------------


def build_lenet(height: int, width: int) -> nn.Sequential:
    """(N, H*W) -> (N, 10). With 28x28 pixels the original: 6 maps of 14x14, 16 of 5x5, then 120 and 84 numbers."""
    padding = 0 if min(height, width) >= 28 else 2  # of small images, nothing would be left
    rows, columns = [(size // 2 + 2 * padding - 4) // 2 for size in (height, width)]
    return nn.Sequential(
        OrderedDict(
            image=nn.Unflatten(1, (1, height, width)),
            conv1=nn.Conv2d(1, 6, kernel_size=5, padding=2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(6, 16, kernel_size=5, padding=padding),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
            linear3=nn.Linear(16 * rows * columns, 120),
            relu3=nn.ReLU(),
            linear4=nn.Linear(120, 84),
            relu4=nn.ReLU(),
            linear5=nn.Linear(84, CLASSES),
        )
    )


class Training(DigitsTraining):
    """LeNet-5 on its way: all that decides how the training goes on."""

    program = "mnist_cnn.py"
    shaping = ("epochs", "batch_size", "lr", "augment", "seed")
    name = "LeNet-5"

    def __init__(self, options: argparse.Namespace, digits: Digits):
        super().__init__(options, digits)
        self.model = build_lenet(*digits.image_shape)
        self.distorted = RandomDistortion(*digits.image_shape)
        self.optimizer = optim.Adam(self.model.parameters(), lr=options.lr)
        self.criterion = nn.CrossEntropyLoss()
        self.step = torch.compile(self.train_step) if options.compile else self.train_step

    def train_step(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """One update of the weights; gives the loss before it, and the scores.  (N, H*W), (N,) -> (), (N, 10)."""
        if self.options.augment:
            x = self.distorted(x)
        self.optimizer.zero_grad()
        scores = self.scores(x)
        loss = self.criterion(scores, y)
        loss.backward()
        self.optimizer.step()
        return loss, scores

    def figures(self) -> "dict[str, Figure]":
        """How the network sees an image of the test set, and how one of the training set is augmented."""
        digits = self.digits
        seen, learnt_from = digits.test.tensors[0][:1], digits.train.tensors[0][0]
        return {
            "filters": filters(self.model),
            "feature_maps": feature_maps(
                self.model, seen.numpy().reshape(digits.image_shape), digits.standardise(seen)
            ),
            "augmentation": augmentation(self.distorted, learnt_from),
        }


# --- options -----------------------------------------------------------------------------------------------------


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = new_parser("Train LeNet-5 on MNIST.")
    add = parser.add_argument
    add_data(parser)
    add_pace(parser, epochs=8, batch_size=64, lr=2e-3)
    add(
        "--augment",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="turn, scale and shift the training images a little, otherwise in every epoch (on)",
    )
    add_run(parser)
    return parse_run(parser, arguments)


if __name__ == "__main__":
    end_on_request()
    sys.exit(main())
