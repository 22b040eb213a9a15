"""python -m tinygrad_fr: what it prints, what it compiles, what it removes."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import tinygrad_fr as torch
from tinygrad_fr import command_line, datasets
from tinygrad_fr.kernels import _jit, _threads

ROOT = Path(__file__).parent.parent


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty folder of kernels, as NUMBA_CACHE_DIR would name it."""
    monkeypatch.setattr(_jit.config, "CACHE_DIR", str(tmp_path))
    _jit.cache_folder.cache_clear()
    yield tmp_path / "tinygrad_fr"
    _jit.cache_folder.cache_clear()


def run(*arguments, **environment):
    """A run of the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "tinygrad_fr", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=600,
    )


# --- arguments -----------------------------------------------------------------------------------------------------


def test_without_a_command_it_prints_its_help_and_exits_with_2():
    printed = run()
    assert printed.returncode == 2
    assert printed.stdout == ""
    for command in ("info", "warmup", "clear-cache"):
        assert command in printed.stderr


@pytest.mark.parametrize("arguments", [["unknown"], ["info", "--xml"], ["warmup", "float64"], ["clear-cache", "-x"]])
def test_bad_arguments_exit_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        command_line.main(arguments)
    assert stopped.value.code == 2
    assert "usage: python -m tinygrad_fr" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["info", "-h"], ["warmup", "-h"], ["clear-cache", "-h"]])
def test_help(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        command_line.main(arguments)
    assert stopped.value.code == 0
    assert "usage: python -m tinygrad_fr" in capsys.readouterr().out


# --- info ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    folder = tmp_path / "data of mine"
    monkeypatch.setattr(datasets, "default_root", lambda: folder)
    return folder


def test_info_as_json(cache, data_folder, capsys):
    stale = cache / "0123456789abcdef"
    stale.mkdir(parents=True)
    (stale / "optim._sgd-1.py311.1.nbc").write_bytes(bytes(1_500_000))
    (stale / "optim._sgd-1.py311.nbi").write_bytes(bytes(100_000))
    assert command_line.main(["info", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["versions"]["tinygrad_fr"] == torch.__version__
    for library in ("python", "numpy", "numba", "llvmlite", "safetensors"):
        assert found["versions"][library][0].isdigit()
    assert set(found["optional libraries"]) == {"scikit-learn", "matplotlib", "pillow"}
    assert found["processor"]["vector bits"] in (128, 256, 512)
    assert found["processor"]["name"]
    assert found["threads"] == {"number": torch.get_num_threads(), "layer": _threads.LAYER}
    assert found["kernel cache"] == {
        "folder": str(cache),
        "writable": True,
        "kernels": 0,
        "megabytes": 0.0,
        "megabytes of all versions": 1.6,
        "stale versions": 1,
        "megabytes of stale versions": 1.6,
    }
    assert found["data"] == {"folder": str(data_folder), "MNIST": False, "FashionMNIST": False}


def test_info_as_text_says_the_same(cache, data_folder, capsys, monkeypatch):
    monkeypatch.setenv("TINYGRAD_FR_VECTOR_BITS", "256")
    assert command_line.main(["info"]) == 0
    printed = capsys.readouterr().out
    for title, section in command_line.facts().items():
        assert f"{title}\n" in printed
        assert all(f"  {name}  " in printed for name in section)
    assert str(data_folder) in printed
    assert "TINYGRAD_FR_VECTOR_BITS" in printed


def test_info_of_what_is_missing(cache, data_folder, capsys, monkeypatch):
    monkeypatch.setattr(command_line, "OPTIONAL_LIBRARIES", ("no-such-library",))
    monkeypatch.setattr(command_line, "CPU_INFO", data_folder / "nothing")
    assert command_line.main(["info"]) == 0
    printed = capsys.readouterr().out
    assert "no-such-library" in printed
    assert " -\n" in printed


def test_info_in_a_process_of_its_own(tmp_path):
    printed = run("info", "--json", TINYGRAD_FR_DATA=str(tmp_path), NUMBA_CACHE_DIR=str(tmp_path))
    assert printed.returncode == 0, printed.stderr
    found = json.loads(printed.stdout)
    assert found["data"]["folder"] == str(tmp_path)
    assert found["kernel cache"]["folder"] == str(tmp_path / "tinygrad_fr")


@pytest.mark.skipif("TINYGRAD_FR_DATA" not in os.environ, reason="TINYGRAD_FR_DATA names no folder with MNIST")
def test_info_finds_mnist(cache, monkeypatch):
    monkeypatch.setattr(datasets, "default_root", lambda: Path(os.environ["TINYGRAD_FR_DATA"]))
    assert command_line.facts()["data"]["MNIST"] is True


def test_info_lists_every_library_the_package_needs():
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {each.split(">=")[0] for each in needed}
    assert names <= set(command_line.LIBRARIES)


# --- clear-cache ---------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(cache):
    """A cache of two versions with files that are not ours beside; gives (the files to go, the files to stay)."""
    gone = [
        cache / "0123456789abcdef" / name for name in ("a.py311.nbi", "a.py311.1.nbc", "a.py311.nbi.tmp.1f", "b.nbc")
    ] + [cache / "fedcba9876543210" / "a.py311.nbi"]
    kept = [
        cache.parent / "other" / "0123456789abcdef" / "a.nbi",
        cache.parent / "a.nbc",
        cache / "a.nbi",
        cache / "data" / "MNIST" / "raw" / "train.gz",
        cache / "data" / "a.nbi",
        cache / "0123456789abcdeg" / "a.nbi",
        cache / "0123456789ABCDEF" / "a.nbi",
        cache / "0123456789abcde" / "a.nbi",
        cache / "fedcba9876543210" / "notes.txt",
        cache / "fedcba9876543210" / "folder.nbc" / "a.nbi",
    ]
    for path in (*gone, *kept):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(100_000))
    return gone, kept


def test_clear_cache_removes_compiled_kernels_and_nothing_else(cache, filled, capsys):
    gone, kept = filled
    assert command_line.main(["clear-cache"]) == 0
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)
    assert not (cache / "0123456789abcdef").exists()
    assert capsys.readouterr().out == f"removed 5 files of compiled kernels from {cache}: 0.5 MB freed\n"
    assert command_line.main(["clear-cache"]) == 0
    assert "removed 0 files" in capsys.readouterr().out


def test_a_dry_run_removes_nothing(cache, filled, capsys):
    assert command_line.main(["clear-cache", "--dry-run"]) == 0
    assert all(path.exists() for paths in filled for path in paths)
    assert capsys.readouterr().out == f"would remove 5 files of compiled kernels from {cache}: 0.5 MB\n"


def test_clear_cache_does_not_follow_links(cache, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "a.nbi").write_bytes(b"")
    cache.mkdir()
    (cache / "0123456789abcdef").symlink_to(elsewhere)
    assert command_line.main(["clear-cache"]) == 0
    assert (elsewhere / "a.nbi").exists()


def test_clear_cache_without_a_folder(cache, capsys):
    assert command_line.main(["clear-cache"]) == 0
    assert "removed 0 files" in capsys.readouterr().out
    assert not cache.exists()


def test_clear_cache_says_what_could_not_be_removed(cache, filled, capsys, monkeypatch):
    def refused(self, missing_ok=False):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(command_line.Path, "unlink", refused)
    assert command_line.main(["clear-cache"]) == 1
    assert "Permission denied" in capsys.readouterr().err


# --- warmup --------------------------------------------------------------------------------------------------------

TRAINING = """
import numpy as np
import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.kernels import _jit
from tinygrad_fr.utils.data import DataLoader, TensorDataset

model = nn.Sequential(
    nn.Linear(784, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.2), nn.Linear(128, 10)
)
for method in (optim.Adam, optim.AdamW, optim.SGD, lambda p, lr: optim.SGD(p, lr=lr, momentum=0.9)):
    optimizer = method(model.parameters(), lr=0.01)
    for batch in (64, 1):
        x, y = torch.from_numpy(np.ones((batch, 784), np.float32)), torch.randint(0, 10, (batch,))
        for _ in range(2):
            scores = model(x)
            loss = nn.CrossEntropyLoss()(scores, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            (loss.item(), (scores.argmax(1) == y).sum().item())
model.eval()
with torch.no_grad():
    scores = model(torch.rand(1000, 784))
    scores.softmax(1).max(1), (scores.argmax(1) == torch.randint(0, 10, (1000,))).float().mean()
data = TensorDataset(torch.rand(70, 784), torch.zeros(70).long())
for images, labels in DataLoader(data, batch_size=64, shuffle=True):
    pass
nn.functional.dropout(torch.rand(5, 3))
print(_jit.compilation.count)
"""


def test_after_a_warmup_nothing_is_compiled(tmp_path):
    environment = {"NUMBA_CACHE_DIR": str(tmp_path)}
    first = run("warmup", **environment)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("compiled ")
    assert str(tmp_path) in first.stdout
    assert f"{len(command_line.PIECES)}/{len(command_line.PIECES)}" in first.stderr
    assert all(name in first.stderr for name in command_line.PIECES)
    assert "compiling kernels" not in first.stderr  # the notice of other programs

    second = run("warmup", **environment)
    assert second.returncode == 0
    assert second.stdout.startswith("nothing to compile; ")
    assert first.stdout.split("; ")[1] == second.stdout.split("; ")[1]

    training = subprocess.run(
        [sys.executable, "-c", TRAINING],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
        timeout=600,
    )
    assert training.stdout.strip() == "0"


@pytest.fixture
def one_piece(monkeypatch):
    """A warmup of a single piece, which compiles nothing and notes the default dtype it ran in."""
    ran_in = []
    monkeypatch.setattr(command_line, "PIECES", {"piece": lambda: ran_in.append(torch.get_default_dtype())})
    monkeypatch.setattr(_jit.compilation, "announced", _jit.compilation.announced)
    return ran_in


def test_warmup_for_float64_too(cache, one_piece, capsys):
    assert command_line.main(["warmup", "--float64"]) == 0
    assert one_piece == [torch.float32, torch.float64]
    assert "piece, float64" in capsys.readouterr().err
    assert command_line.main(["warmup"]) == 0
    assert one_piece[2:] == [torch.float32]


def test_a_warmup_that_cannot_keep_anything(one_piece, cache, capsys):
    cache.write_text("a file where the folder should be")
    assert command_line.main(["warmup"]) == 1
    assert one_piece == []
    printed = capsys.readouterr().err
    assert str(cache) in printed
    assert "NUMBA_CACHE_DIR" in printed


def test_a_warmup_on_a_full_disk(cache, monkeypatch, one_piece, capsys):
    compilation = _jit.compilation
    monkeypatch.setattr(compilation, "lost", compilation.lost)

    def lose():
        compilation.lost += 3

    monkeypatch.setitem(command_line.PIECES, "piece", lose)
    assert command_line.main(["warmup"]) == 1
    assert "3 kernels could not be written" in capsys.readouterr().err


def test_kernels_that_could_not_be_kept_are_counted(cache, monkeypatch):
    compilation = _jit.compilation
    for name in ("count", "lost", "announced"):
        monkeypatch.setattr(compilation, name, 0 if name != "announced" else True)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    kernel = _jit.kernel(lambda x: x + 1)
    monkeypatch.setattr(_jit.FunctionCache, "save_overload", full)
    assert kernel(1) == 2
    assert (compilation.count, compilation.lost) == (1, 1)
