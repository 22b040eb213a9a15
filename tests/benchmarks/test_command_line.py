"""Arguments, and the files that are written; what is refused is refused before anything is measured."""

import importlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import NAMES, command_line, conv, data, floor, harness, libraries, machine, memory
from benchmarks.libraries import FLOOR, Library

from .test_harness import KEYS, MEASURED, ROOT


@pytest.fixture
def quick(monkeypatch):
    """Results that are made up, and a list of what was to be measured."""
    asked = []

    def measure(name, labels, threads, rounds):
        asked.append((name, labels, threads, rounds))
        return MEASURED, rounds or 9

    monkeypatch.setattr(harness, "measure", measure)
    return asked


@pytest.fixture
def only_torch_is_missing(monkeypatch):
    monkeypatch.setattr(Library, "is_installed", property(lambda self: self.module != "torch"))
    monkeypatch.setattr(Library, "version", property(lambda self: f"{self.install} 1.0"))


def refused(capsys, *arguments):
    """What the command says when it ends with code 2."""
    with pytest.raises(SystemExit) as ended:
        command_line.main([str(each) for each in arguments])
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["speed"], ["overhead", "--rounds", "0"], ["mlp", "--rounds", "many"]])
def test_bad_arguments_show_the_usage(capsys, quick, arguments):
    assert "usage: python -m benchmarks" in refused(capsys, *arguments)
    assert quick == []


@pytest.mark.parametrize("markdown", [[], ["--markdown"]])
@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_measured_shown_drawn_and_written(
    capsys, monkeypatch, only_torch_is_missing, tmp_path, name, markdown
):
    asked = []

    def measure(*arguments):
        asked.append(arguments)
        return made_up(*arguments), 2

    monkeypatch.setattr(harness, "measure", measure)
    monkeypatch.setenv("TINYGRAD_FR_DATA", str(tmp_path))
    monkeypatch.setattr(data, "COUNT", 200)
    monkeypatch.setattr(memory, "growth", lambda benchmark, library, *_: dict.fromkeys(memory.HEADINGS, len(library)))
    file, figure = tmp_path / "results.json", tmp_path / "figure.png"
    assert command_line.main([name, "--rounds", "2", "--json", str(file), "--plot", str(figure), *markdown]) == 0
    assert asked[0][0] == name
    assert asked[0][3] == 2
    rows = json.loads(file.read_text(encoding="utf-8"))
    assert rows
    more = {*memory.HEADINGS, conv.RATE, conv.SHARE}
    assert all([key for key in row if key not in more] == KEYS for row in rows)
    assert figure.stat().st_size > 0
    assert ("|---|" in capsys.readouterr().out) == bool(markdown)


def made_up(name, labels, threads, rounds):
    """Results for all cases of a benchmark, where these are known without its libraries."""
    benchmark = importlib.import_module(f"benchmarks.{name}")
    cases = list(benchmark.floors()) if FLOOR in labels else ["small", "large"]
    results = {(label, count): dict.fromkeys(cases, 1e-3 / count) for label in labels for count in threads}
    for count in threads if FLOOR in labels else ():
        results[FLOOR, count] = floor.turn(benchmark.floors(), machine.Machine(count * 1e12, {1024: 1e11}))
    return results


def test_a_figure_needs_a_format_that_is_known(capsys, quick, tmp_path):
    said = refused(capsys, "mlp", "--plot", tmp_path / "figure.jpg")
    assert ".png, .svg, .pdf" in said
    assert "figure.jpg" in said
    assert quick == []


@pytest.mark.parametrize("option", ["--json", "--plot"])
def test_a_folder_must_be_there(capsys, quick, tmp_path, option):
    said = refused(capsys, "mlp", option, tmp_path / "missing" / "file.png")
    assert str(tmp_path / "missing") in said
    assert "No such file or directory" in said
    assert quick == []


@pytest.mark.parametrize("option", ["--json", "--plot"])
def test_a_folder_is_no_file(capsys, quick, tmp_path, option):
    (tmp_path / "folder.png").mkdir()
    assert "is a folder" in refused(capsys, "mlp", option, tmp_path / "folder.png")
    assert quick == []


def test_a_figure_needs_matplotlib(capsys, quick, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name))
    assert "pip install matplotlib" in refused(capsys, "mlp", "--plot", tmp_path / "figure.png")
    assert quick == []


def test_an_unknown_library_is_named(capsys, quick):
    said = refused(capsys, "mlp", "--libraries", "theano")
    assert "unknown library 'theano'" in said
    assert "'scikit-learn'" in said
    assert quick == []


def test_a_library_that_is_not_installed_is_named(capsys, quick, only_torch_is_missing):
    assert "'torch fused' is not installed: pip install torch" in refused(
        capsys, "mlp", "--libraries", "torch fused", "numpy"
    )
    assert quick == []


def test_missing_libraries_are_left_out_and_said(capsys, quick, only_torch_is_missing):
    command_line.main(["mlp"])
    assert quick[0][1] == ["tinygrad_fr", "tinygrad_fr compiled", "numpy", "jax", "scikit-learn", "floor"]
    assert "left out: torch, torch fused, torch compiled (pip install torch)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("wanted", "labels"),
    [
        (["numpy"], ["numpy"]),
        (["tinygrad_fr"], []),
        (["torch fused"], ["torch fused"]),
        (["torch"], ["torch"]),
        (["sklearn", "jax"], ["jax", "scikit-learn"]),
    ],
)
def test_libraries_are_chosen_by_name(monkeypatch, wanted, labels):
    monkeypatch.setattr(Library, "is_installed", property(lambda self: True))
    mlp = ("tinygrad_fr", "tinygrad_fr compiled", "numpy", "torch", "torch fused", "jax", "scikit-learn", "floor")
    assert libraries.select(mlp, wanted) == ["tinygrad_fr", "tinygrad_fr compiled", *labels, "floor"]


def test_files_are_written(capsys, quick, only_torch_is_missing, tmp_path):
    file, figure = tmp_path / "results.json", tmp_path / "figure.svg"
    assert command_line.main(["mlp", "--json", str(file), "--plot", str(figure), "--markdown"]) == 0
    assert [list(row) for row in json.loads(file.read_text(encoding="utf-8"))] == [KEYS] * 5
    assert figure.stat().st_size > 0
    assert sorted(tmp_path.iterdir()) == [figure, file]
    assert "| large | 2.00 ms |" in capsys.readouterr().out


def test_what_was_measured_is_shown_even_if_it_cannot_be_written(capsys, quick, only_torch_is_missing, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()

    def vanish(*_):
        folder.rmdir()
        return MEASURED, 1

    harness.measure = vanish  # the fixture puts the true one back
    assert command_line.main(["mlp", "--json", str(folder / "results.json")]) == 1
    shown = capsys.readouterr()
    assert "large" in shown.out
    assert "results.json" in shown.err


@pytest.mark.parametrize(("error", "code"), [(RuntimeError("torch ended early"), 1), (KeyboardInterrupt(), 130)])
def test_what_ends_the_measuring_is_said(capsys, quick, only_torch_is_missing, monkeypatch, error, code):
    def fail(*_):
        raise error

    monkeypatch.setattr(harness, "measure", fail)
    assert command_line.main(["mlp"]) == code
    assert (str(error) or "interrupted") in capsys.readouterr().err


def test_from_the_command_to_the_file(tmp_path):
    file = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "softmax_ce", "--rounds", "1", "--libraries", "tinygrad_fr"]
    done = subprocess.run([*command, "--json", file], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    rows = json.loads(file.read_text(encoding="utf-8"))
    assert [(row["benchmark"], row["library"], row["case"]) for row in rows] == [
        ("softmax_ce", "tinygrad_fr", case) for case in ("64x10", "8192x10", "1024x1000")
    ]
    assert all(row["ratio_to_ours"] == 1 and row["median_s"] > 0 and row["threads"] in (1, 2) for row in rows)
    assert "1024x1000" in done.stdout
    assert "median of 1 round\n" in done.stdout


def test_the_readme_names_every_benchmark_and_option():
    readme = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for word in (*(f"`{name}`" for name in NAMES), "--json", "--plot", "--markdown", "--rounds", "--libraries"):
        assert word in readme
    assert Path(ROOT / "benchmarks" / "README.md").is_file()
