"""examples/mnist_cnn.py, on small data and for few epochs; what it shares with mnist_mlp.py is tested there."""

import os
import re
from argparse import Namespace
from pathlib import Path

import _cnn_figures
import mnist_cnn
import numpy as np
import pytest
from _distortion import RandomDistortion
from scipy import ndimage

import tinygrad_fr as torch

from .idx_files import write_mnist

QUICK = ("--epochs", "1", "--threads", "1")


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    """A folder with 150 made-up images in MNIST's format."""
    return write_mnist(tmp_path_factory.mktemp("mnist"), train=120, test=30)


@pytest.fixture
def run(capsys, threads):
    """Runs the program in this process."""

    def run(*arguments: str | Path) -> Namespace:
        code = mnist_cnn.main([str(each) for each in arguments])
        captured = capsys.readouterr()
        return Namespace(code=code, out=captured.out, err=captured.err, last=captured.out.rstrip("\n").split("\n")[-1])

    return run


def kept(folder: Path) -> dict:
    """What the checkpoint in a folder holds, but for how long the epochs took."""
    state = torch.load(folder / "checkpoint.safetensors")["state"]
    for epoch in state["history"]:
        del epoch["seconds"]
    return {name: bits(each) for name, each in state.items()}


def bits(state):
    """The same dictionaries and lists, with the bytes of tensors in their place."""
    if isinstance(state, dict):
        return {name: bits(each) for name, each in state.items()}
    if isinstance(state, list):
        return [bits(each) for each in state]
    return state.numpy().tobytes() if isinstance(state, torch.Tensor) else state


# --- the program -------------------------------------------------------------------------------------------------


def test_a_run_leaves_weights_history_report_and_figures(run, images, tmp_path):
    result = run("--data", images, *QUICK, "--out", tmp_path)
    assert (result.code, result.err) == (0, "")
    assert re.match(r"test accuracy: (0\.\d{4}|1\.0000)$", result.last)
    figures = {"learning_curves", "confusion_matrix", "mistakes", "filters", "feature_maps", "augmentation"}
    assert {path.stem for path in tmp_path.glob("*.png")} == figures
    assert {path.name for path in tmp_path.iterdir() if path.suffix != ".png"} == {
        "weights.safetensors", "history.csv", "report.txt",
    }  # fmt: skip
    report = (tmp_path / "report.txt").read_text()
    for part in ("augment:        True", "61,706 parameters", "110 training, 10 validation and 30 test images"):
        assert part in report


def test_a_compiled_step_gives_the_same_results(run, images, tmp_path):
    for way in ("--compile", "--no-compile"):
        result = run("--data", images, "--batch-size", "20", *QUICK, way, "--checkpoint", tmp_path / way)
        assert (result.code, result.err) == (0, "")
    assert kept(tmp_path / "--compile") == kept(tmp_path / "--no-compile")


def test_a_resumed_run_ends_with_the_same_bits(run, images, tmp_path, monkeypatch):
    options = ("--data", images, "--epochs", "3", "--batch-size", "40")
    assert run(*options, "--threads", "1", "--checkpoint", tmp_path / "uninterrupted").code == 0

    def interrupted(training, title):
        if len(training.history) == 1:
            training.step(*next(iter(training.train_batches)))
            raise KeyboardInterrupt
        return train_epoch(training, title)

    train_epoch = mnist_cnn.Training.train_epoch
    folder = ("--checkpoint", tmp_path / "resumed")
    with monkeypatch.context() as patch:
        patch.setattr(mnist_cnn.Training, "train_epoch", interrupted)
        assert run(*options, *folder, "--threads", "1").code == 130
    result = run(*options, *folder, "--resume", "--threads", str(os.cpu_count()))
    assert "continuing after epoch 1" in result.out
    assert kept(tmp_path / "resumed") == kept(tmp_path / "uninterrupted")


def test_augmentation_can_be_left_out_but_not_when_a_run_is_resumed(run, images, tmp_path):
    assert run("--data", images, *QUICK, "--no-augment", "--checkpoint", tmp_path).code == 0
    result = run("--data", images, *QUICK, "--checkpoint", tmp_path, "--resume")
    assert result.code == 1
    assert "--augment: False there, True here" in result.err


def test_without_mnist_the_small_digits_are_taken(run, small_digits, tmp_path):
    result = run("--epochs", "5", "--lr", "0.005", "--threads", "1", "--out", tmp_path)
    assert result.code == 0
    assert "8x8 digits instead" in result.err
    assert float(result.last.split()[-1]) > 0.7


def test_a_bad_argument_exits_with_2(capsys):
    with pytest.raises(SystemExit) as exit:
        mnist_cnn.main(["--augment", "often"])
    assert exit.value.code == 2


# --- the network -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "last"), [((28, 28), (16, 5, 5)), ((32, 30), (16, 6, 5)), ((8, 8), (16, 2, 2))])
def test_the_network_takes_images_of_any_size(size, last):
    layers = _cnn_figures.activations(mnist_cnn.build_lenet(*size), torch.rand(1, size[0] * size[1]))
    assert layers["conv1"].shape == (6, *size)
    assert layers["pool2"].shape == last
    assert [layers[name].shape for name in ("relu3", "relu4", "linear5")] == [(120,), (84,), (10,)]


# --- augmentation ------------------------------------------------------------------------------------------------


def test_pixels_between_pixels_are_interpolated_and_outside_is_0():
    rng = np.random.default_rng(0)
    images = rng.random((3, 5, 7), np.float32)
    y, x = rng.uniform(-3, 9, (2, 3, 20)).astype(np.float32)
    expected = [
        ndimage.map_coordinates(image, [ys, xs], order=1, mode="grid-constant")
        for image, ys, xs in zip(images, y, x, strict=True)
    ]
    bordered = torch.from_numpy(images.reshape(3, -1)), torch.from_numpy(y + 1), torch.from_numpy(x + 1)
    np.testing.assert_allclose(RandomDistortion(5, 7).pixels_at(*bordered), expected, atol=1e-5)


def test_no_distortion_within_limits_of_0():
    images = torch.randint(0, 256, (4, 35), dtype=torch.uint8)
    assert (RandomDistortion(5, 7, degrees=0, scale=0, shift=0)(images) == images).all()


def test_each_image_is_distorted_otherwise_within_the_limits():
    torch.manual_seed(0)
    blob = torch.zeros(20, 20)
    blob[9:11, 13:15] = 1  # 4 to the right of the centre
    variants = RandomDistortion(20, 20, degrees=30, scale=0.2, shift=0.1)(blob.flatten().expand(500, -1))
    y, x = np.array([ndimage.center_of_mass(each) for each in variants.numpy().reshape(-1, 20, 20)]).T
    distance = np.hypot(y - 9.5, x - 9.5)
    assert 1 < distance.min() < distance.max() < (4 + 2 * 2**0.5) / 0.8 + 0.5
    assert len(np.unique(y)) > 490
    assert abs(y.mean() - 9.5) < 0.2
