"""examples/mnist_mlp.py, on small data and for few epochs: options, files, early stopping, interruptions."""

import csv
import os
import pickle
import random
import re
import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import _outputs
import _report
import mnist_mlp
import numpy as np
import pytest

import tinygrad_fr as torch

from .conftest import EXAMPLES
from .idx_files import NAMES, write_mnist

LAST_LINE = re.compile(r"test accuracy: (0\.\d{4}|1\.0000)$")
QUICK = ("--epochs", "3", "--hidden", "16", "--threads", "1")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> Path:
    """A folder with 300 made-up images in MNIST's format."""
    return write_mnist(tmp_path_factory.mktemp("mnist"))


@pytest.fixture
def run(capsys, threads):
    """Runs the program in this process."""

    def run(*arguments: str | Path) -> Namespace:
        code = mnist_mlp.main([str(each) for each in arguments])
        captured = capsys.readouterr()
        return Namespace(code=code, out=captured.out, err=captured.err, last=captured.out.rstrip("\n").split("\n")[-1])

    return run


def start(*arguments: str | Path, **settings) -> subprocess.Popen:
    """Runs the program in a process of its own."""
    command = [sys.executable, str(EXAMPLES / "mnist_mlp.py"), *map(str, arguments)]
    quiet = {**os.environ, "TINYGRAD_FR_QUIET": "1"}
    return subprocess.Popen(command, env=quiet, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)


def read_history(folder: Path) -> list[dict[str, str]]:
    with open(folder / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


def without_seconds(history: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


def weights(folder: Path) -> dict[str, bytes]:
    return {name: each.numpy().tobytes() for name, each in torch.load(folder / "weights.safetensors").items()}


# --- options -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--epochs", "0"], "--epochs: expected a whole number above 0"),
        (["--epochs", "2.5"], "--epochs"),
        (["--hidden", "256", "-1"], "--hidden"),
        (["--batch-size", "none"], "--batch-size"),
        (["--lr", "nan"], "--lr: expected a number above 0"),
        (["--lr", "inf"], "--lr"),
        (["--dropout", "1"], "--dropout: expected a number from 0 to below 1"),
        (["--optimizer", "lbfgs"], "--optimizer"),
        (["--seed", str(2**64)], "--seed"),
        (["--patience", "0"], "--patience"),
        (["--threads", "0"], "--threads"),
        (["--threads", "100000"], "--threads: expected 1 to"),
        (["--resume"], "--resume: needs --checkpoint"),
        (["--unheard-of"], "--unheard-of"),
        (["stray"], "stray"),
    ],
)
def test_a_bad_argument_exits_with_2_and_is_named(arguments, told, capsys):
    with pytest.raises(SystemExit) as exit:
        mnist_mlp.main(arguments)
    assert exit.value.code == 2
    assert told in capsys.readouterr().err


def test_a_run_prints_every_epoch_the_classes_and_last_the_test_accuracy(run, images):
    result = run("--data", images, *QUICK, "--no-compile")
    assert result.code == 0
    assert result.err == ""
    assert LAST_LINE.match(result.last)
    assert len(re.findall(r"^epoch \d/3   training loss .* accuracy .* validation loss .* s$", result.out, re.M)) == 3
    assert "precision" in result.out
    assert "220 training, 20 validation and 60 test images" in result.out


def test_a_compiled_step_gives_the_same_results(run, images, tmp_path):
    outputs = {}
    for way in ("--compile", "--no-compile"):
        result = run("--data", images, *QUICK, way, "--out", tmp_path / way)
        assert (result.code, result.err) == (0, "")
        outputs[way] = (tmp_path / way / "weights.safetensors").read_bytes(), result.last
    assert outputs["--compile"] == outputs["--no-compile"]


def test_a_network_without_hidden_layers_learns(run, images):
    result = run("--data", images, "--hidden", "--epochs", "5", "--lr", "0.01", "--threads", "1")
    assert float(result.last.split()[-1]) > 0.9


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_optimizer_learns(run, images, optimizer):
    result = run("--data", images, *QUICK, "--optimizer", optimizer, "--lr", "0.01")
    assert float(result.last.split()[-1]) > 0.5


def test_the_program_runs_from_any_folder_and_writes_nothing_unasked(images, tmp_path):
    process = start("--data", images, *QUICK, cwd=tmp_path)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0
    assert LAST_LINE.match(out.splitlines()[-1])
    assert err == ""  # no progress bar where there is no terminal
    assert list(tmp_path.iterdir()) == []


def test_a_seed_and_the_number_of_threads_fix_every_bit(run, images, tmp_path):
    counts = ("1", "1", str(os.cpu_count()))
    for i, count in enumerate(counts):
        run("--data", images, *QUICK, "--threads", count, "--out", tmp_path / str(i))
    assert weights(tmp_path / "0") == weights(tmp_path / "1") == weights(tmp_path / "2")
    run("--data", images, *QUICK, "--seed", "1", "--out", tmp_path / "other")
    assert weights(tmp_path / "other") != weights(tmp_path / "0")


# --- data --------------------------------------------------------------------------------------------------------


def test_without_mnist_the_small_digits_are_taken_and_said_so(run, small_digits):
    result = run("--epochs", "4", "--lr", "0.003", "--threads", "1")
    assert result.code == 0
    assert "downloading it" in result.err
    assert "http://localhost:1/train-images-idx3-ubyte.gz: no connection" in result.err
    assert "8x8 digits instead" in result.err
    assert "1,318 training, 119 validation and 360 test images" in result.out
    assert float(result.last.split()[-1]) > 0.9


def test_a_folder_without_mnist_is_an_error_that_names_the_files(run, tmp_path):
    result = run("--data", tmp_path / "nowhere")
    assert result.code == 1
    assert str(tmp_path / "nowhere") in result.err
    assert "train-images-idx3-ubyte" in result.err
    assert "Traceback" not in result.err
    assert result.out == ""


def test_the_folder_of_the_environment_variable_must_hold_mnist_too(run, tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_FR_DATA", str(tmp_path))
    result = run()
    assert result.code == 1
    assert str(tmp_path) in result.err


def test_the_environment_variable_names_the_data(run, images, monkeypatch):
    monkeypatch.setenv("TINYGRAD_FR_DATA", str(images))
    assert f"MNIST in {images}: 220 training" in run(*QUICK).out


@pytest.mark.parametrize("name", NAMES)
def test_a_damaged_file_is_named(run, name, tmp_path):
    path = write_mnist(tmp_path) / f"{name}.gz"
    path.write_bytes(path.read_bytes()[:-20])
    result = run("--data", tmp_path, *QUICK)
    assert result.code == 1
    assert str(path) in result.err


def test_too_few_images_are_an_error(run, tmp_path):
    result = run("--data", write_mnist(tmp_path, train=1), *QUICK)
    assert result.code == 1
    assert "expected 2 training images" in result.err


# --- files -------------------------------------------------------------------------------------------------------


@pytest.fixture
def finished(run, small_digits, tmp_path):
    """A run on the small digits with all its files in ``out``."""
    result = run("--epochs", "4", "--lr", "0.003", "--threads", "1", "--out", tmp_path / "out")
    assert result.code == 0
    return Namespace(out=tmp_path / "out", last=result.last)


def test_out_holds_weights_history_report_and_figures(finished):
    names = "weights.safetensors history.csv report.txt learning_curves.png confusion_matrix.png mistakes.png"
    assert {path.name for path in finished.out.iterdir()} == set(names.split())
    for path in finished.out.glob("*.png"):
        assert path.read_bytes().startswith(PNG)

    lines = (finished.out / "history.csv").read_text().splitlines()
    assert lines[0] == "epoch,train_loss,train_accuracy,val_loss,val_accuracy,seconds"
    rows = [list(map(float, line.split(","))) for line in lines[1:]]
    assert [row[0] for row in rows] == [1, 2, 3, 4]
    assert all(0 <= share <= 1 for row in rows for share in (row[2], row[4]))

    state = torch.load(finished.out / "weights.safetensors")
    assert {name: tuple(each.shape) for name, each in state.items()} == {
        "0.weight": (256, 64), "0.bias": (256,), "3.weight": (128, 256), "3.bias": (128,), "6.weight": (10, 128),
        "6.bias": (10,),
    }  # fmt: skip

    report = (finished.out / "report.txt").read_text()
    for part in ("seed:           0", "8x8 digits", "50,826 parameters", "support", "macro avg", "best epoch"):
        assert part in report
    assert report.rstrip().endswith(finished.last.split()[-1])


def test_the_weights_that_are_kept_are_those_of_the_best_epoch(run, images, tmp_path):
    options = ["--data", images, "--hidden", "32", "--epochs", "12", "--lr", "0.1", "--patience", "4", "--threads", "1"]
    result = run(*options, "--out", tmp_path)
    losses = [float(row["val_loss"]) for row in read_history(tmp_path)]
    best = int(np.argmin(losses))
    assert best + 4 == len(losses) - 1 < 11, "this run is meant to stop early, 4 epochs after its best one"
    assert "no better validation loss for 4 epochs" in result.out
    assert f"weights of epoch {best + 1}," in result.out

    options = mnist_mlp.parse([str(each) for each in options])
    training = mnist_mlp.Training(options, mnist_mlp.load_digits(images))
    training.model.load_state_dict(torch.load(tmp_path / "weights.safetensors"))
    assert training.validate()[0] == losses[best]


def test_a_loss_that_is_not_a_number_is_told(run, images, tmp_path):
    result = run("--data", images, *QUICK, "--optimizer", "sgd", "--lr", "1e30", "--out", tmp_path)
    assert result.code == 0
    assert "not a number: try a smaller --lr" in result.out
    assert LAST_LINE.match(result.last)


def test_no_mistakes_and_a_class_without_images_can_be_drawn(tmp_path):
    labels = np.array([0, 1, 2, 2])
    results = _report.Results(labels, np.eye(10)[labels], loss=0.0)
    figures = [_report.mistakes(results, np.zeros((4, 64), np.uint8), (8, 8)), _report.confusion_matrix(results)]
    assert figures[0].texts[0].get_text() == "No mistakes among 4 test images"
    for i, figure in enumerate(figures):
        figure.savefig(tmp_path / f"{i}.png")
    assert "9     0.0000" in results.per_class()


def test_the_surest_mistakes_come_first():
    probabilities = np.full((3, 10), 0.01)
    probabilities[[0, 1, 2], [5, 6, 7]] = [0.6, 0.9, 0.8]
    results = _report.Results(np.array([1, 6, 1]), probabilities, loss=1.0)
    assert results.worst_mistakes().tolist() == [2, 0]
    assert results.confusion[1, [5, 7]].tolist() == [1, 1]


@pytest.mark.parametrize("option", ["--out", "--checkpoint"])
def test_a_folder_that_cannot_be_written_is_found_before_the_training(run, images, tmp_path, option):
    (tmp_path / "file").write_text("")
    result = run("--data", images, option, tmp_path / "file" / "folder")
    assert result.code == 1
    assert result.out == ""
    assert str(tmp_path / "file" / "folder") in result.err
    assert option in result.err


def test_missing_libraries_are_found_before_the_training(run, images, tmp_path, monkeypatch):
    monkeypatch.setattr(_outputs.importlib.util, "find_spec", lambda name: None)
    result = run("--data", images, "--out", tmp_path)
    assert result.code == 1
    assert result.out == ""
    assert "--out needs scikit-learn and matplotlib: pip install" in result.err


def test_without_scikit_learn_a_run_that_writes_no_files_goes_through(run, images, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    result = run("--data", images, *QUICK)
    assert result.code == 0
    assert "need scikit-learn" in result.out
    assert LAST_LINE.match(result.last)


# --- interruptions -----------------------------------------------------------------------------------------------


LONGER = ("--epochs", "6", "--hidden", "24", "--patience", "6", "--dropout", "0.3", "--threads", "1")


@pytest.fixture(scope="module")
def uninterrupted(images, tmp_path_factory):
    """What a run of the settings LONGER gives that nothing interrupts."""
    out = tmp_path_factory.mktemp("uninterrupted")
    process = start("--data", images, *LONGER, "--out", out)
    last = process.communicate(timeout=100)[0].splitlines()[-1]
    return Namespace(weights=weights(out), history=without_seconds(read_history(out)), last=last)


def same_as(uninterrupted: Namespace, out: Path, last: str) -> bool:
    return (weights(out), without_seconds(read_history(out)), last) == (
        uninterrupted.weights,
        uninterrupted.history,
        uninterrupted.last,
    )


@pytest.mark.parametrize("moment", [0, 1, 3, 6])
def test_a_resumed_run_ends_with_the_same_bits(run, images, tmp_path, monkeypatch, uninterrupted, moment):
    """Interrupted in the middle of the epoch after ``moment``, or at the end."""
    options = ("--data", images, *LONGER, "--checkpoint", tmp_path / "kept", "--out", tmp_path / "out")
    train_epoch = mnist_mlp.Training.train_epoch

    def interrupted(training, title):
        if len(training.history) == moment:
            torch.rand(10)  # the stream has gone on
            raise KeyboardInterrupt
        return train_epoch(training, title)

    with monkeypatch.context() as patch:
        patch.setattr(mnist_mlp.Training, "train_epoch", interrupted)
        assert run(*options).code == (130 if moment < 6 else 0)
    assert len(read_history(tmp_path / "out")) == moment
    result = run(*options, "--resume", "--threads", str(os.cpu_count()))
    assert result.code == 0
    assert f"continuing after epoch {moment}" in result.out
    assert same_as(uninterrupted, tmp_path / "out", result.last)


def test_runs_killed_at_any_moment_are_resumed_to_the_same_bits(images, tmp_path, uninterrupted):
    options = ("--data", images, *LONGER, "--checkpoint", tmp_path / "kept", "--out", tmp_path / "out", "--resume")
    chance = random.Random(time.time_ns())  # another moment in every run of the tests
    (tmp_path / "kept").mkdir()
    moments = [("images", 0.05), ("epoch 1/6", 0.02), ("epoch 3/6", 0.02), ("epoch 6/6", 1.0)]
    for beginning, longest in moments:
        process = start(*options)
        assert process.stdout is not None
        next((line for line in process.stdout if beginning in line), None)
        time.sleep(chance.uniform(0, longest))
        process.kill()
        process.communicate()
    process = start(*options)
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    assert same_as(uninterrupted, tmp_path / "out", out.splitlines()[-1])


def test_patience_may_change_when_a_run_is_resumed(run, images, tmp_path):
    options = ["--data", images, "--hidden", "32", "--epochs", "12", "--lr", "0.1", "--threads", "1"]
    kept = ("--checkpoint", tmp_path / "kept", "--out", tmp_path / "out")
    run(*options, *kept, "--patience", "1")
    stopped = len(read_history(tmp_path / "out"))
    run(*options, *kept, "--patience", "12", "--resume")
    assert stopped < len(read_history(tmp_path / "out")) == 12
    run(*options, "--patience", "12", "--out", tmp_path / "at once")
    assert weights(tmp_path / "out") == weights(tmp_path / "at once")


@pytest.mark.parametrize(
    ("name", "code", "epochs", "moment"),
    [
        ("SIGINT", 130, "2000", "parameters"),  # in the first epoch
        ("SIGINT", 130, "2000", " 5/2000 "),
        ("SIGINT", 130, "1", "weights of epoch 1"),  # while the report is made
        ("SIGTERM", 143, "2000", " 3/2000 "),
    ],
)
def test_a_signal_saves_the_best_weights(images, tmp_path, name, code, epochs, moment):
    kept = ("--checkpoint", tmp_path / "kept", "--out", tmp_path / "out")
    process = start(
        "--data", images, "--hidden", "16", "--threads", "1", "--epochs", epochs, "--patience", epochs, *kept
    )
    assert process.stdout is not None
    assert any(moment in line for line in process.stdout)
    process.send_signal(getattr(signal, name))
    time.sleep(0.02)
    process.send_signal(getattr(signal, name))  # while the first one is answered
    _, err = process.communicate(timeout=100)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert str(tmp_path / "out" / "weights.safetensors") in err
    assert torch.load(tmp_path / "out" / "weights.safetensors")["0.weight"].shape == (16, 784)
    assert torch.load(tmp_path / "kept" / "checkpoint.safetensors")["kind"].startswith("checkpoint")
    assert (tmp_path / "out" / "history.csv").read_text().startswith("epoch,train_loss")
    assert not list(tmp_path.rglob("*.part"))


def test_ctrl_c_while_the_data_are_loaded(run, monkeypatch):
    def interrupted(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(mnist_mlp, "load_digits", interrupted)
    assert run().code == 130


def test_ctrl_c_without_a_folder_says_that_nothing_was_kept(run, images, monkeypatch):
    def interrupted(training, title):
        raise KeyboardInterrupt

    monkeypatch.setattr(mnist_mlp.Training, "train_epoch", interrupted)
    result = run("--data", images, *QUICK)
    assert result.code == 130
    assert "nothing was kept" in result.err


# --- checkpoints -------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(run, images, tmp_path):
    """The checkpoint of a finished run of the settings QUICK."""
    assert run("--data", images, *QUICK, "--checkpoint", tmp_path).code == 0
    return tmp_path / "checkpoint.safetensors"


@pytest.mark.parametrize(
    ("setting", "there", "here"),
    [
        ("--hidden", "[16]", "[8]"),
        ("--epochs", "3", "4"),
        ("--batch-size", "64", "32"),
        ("--lr", "0.001", "0.01"),
        ("--optimizer", "adam", "sgd"),
        ("--dropout", "0.2", "0.0"),
        ("--seed", "0", "5"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused(run, images, kept, setting, there, here):
    before = kept.read_bytes()
    result = run("--data", images, *QUICK, setting, here.strip("[]"), "--checkpoint", kept.parent, "--resume")
    assert result.code == 1
    assert result.out == ""
    assert str(kept) in result.err
    assert f"{setting}: {there} there, {here} here" in result.err
    assert "same settings" in result.err
    assert kept.read_bytes() == before


def test_a_checkpoint_of_other_data_is_refused(run, kept, tmp_path_factory):
    others = write_mnist(tmp_path_factory.mktemp("others"), train=120)
    result = run("--data", others, *QUICK, "--checkpoint", kept.parent, "--resume")
    assert result.code == 1
    assert "data: " in result.err


def test_a_checkpoint_is_not_overwritten_by_a_new_run(run, images, kept):
    before = kept.read_bytes()
    result = run("--data", images, *QUICK, "--checkpoint", kept.parent)
    assert result.code == 1
    assert str(kept) in result.err
    assert "--resume" in result.err
    assert kept.read_bytes() == before


def damaged(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[: len(content) // 3],
        damaged,
        lambda content: pickle.dumps({"state": 1}),
        lambda content: b"some text",
    ],
    ids=["empty", "cut", "cut short", "a bit changed", "pickle", "text"],
)
def test_a_checkpoint_that_cannot_be_read_is_refused(run, images, kept, change):
    kept.write_bytes(change(kept.read_bytes()))
    before = kept.read_bytes()
    result = run("--data", images, *QUICK, "--checkpoint", kept.parent, "--resume")
    assert result.code == 1
    assert result.out == ""
    assert str(kept) in result.err
    assert "another folder" in result.err
    assert "Traceback" not in result.err
    assert kept.read_bytes() == before


def test_weights_are_no_checkpoint(run, images, kept):
    torch.save({"0.weight": torch.ones(3)}, kept)
    result = run("--data", images, *QUICK, "--checkpoint", kept.parent, "--resume")
    assert result.code == 1
    assert f"{kept} is no checkpoint of mnist_mlp.py" in result.err


def test_resuming_needs_the_folder(run, images, tmp_path):
    result = run("--data", images, "--checkpoint", tmp_path / "nowhere", "--resume")
    assert result.code == 1
    assert str(tmp_path / "nowhere") in result.err
    assert not (tmp_path / "nowhere").exists()


def test_resuming_before_the_first_checkpoint_starts_from_the_beginning(run, images, tmp_path):
    result = run("--data", images, *QUICK, "--checkpoint", tmp_path, "--resume")
    assert result.code == 0
    assert "no checkpoint yet: starting from the beginning" in result.err


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on the size of files stands in for a full disk")
def test_a_full_disk_leaves_the_checkpoint_before(run, images, tmp_path, monkeypatch, uninterrupted):
    import resource

    options = ("--data", images, *LONGER, "--checkpoint", tmp_path / "kept", "--out", tmp_path / "out")
    validate = mnist_mlp.Training.validate

    def fill_the_disk(training):
        if len(training.history) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        return validate(training)

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(mnist_mlp.Training, "validate", fill_the_disk)
            result = run(*options)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert result.code == 1
    assert "could not write" in result.err
    assert str(tmp_path / "kept" / "checkpoint.safetensors") in result.err
    assert "--resume" in result.err
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["checkpoint.safetensors"]
    result = run(*options, "--resume")
    assert "continuing after epoch 2" in result.out
    assert same_as(uninterrupted, tmp_path / "out", result.last)


# --- the real data -----------------------------------------------------------------------------------------------


@pytest.mark.skipif("TINYGRAD_FR_DATA" not in os.environ, reason="needs MNIST, in the folder TINYGRAD_FR_DATA")
def test_mnist(run):
    result = run("--epochs", "1", "--hidden", "64", "--batch-size", "128", "--lr", "0.002", "--threads", "1")
    assert result.code == 0
    assert "55,000 training, 5,000 validation and 10,000 test images" in result.out
    assert float(result.last.split()[-1]) > 0.94
