"""examples/char_rnn.py, on short texts: what is read, counted, learnt and written; files, errors, interruptions."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import _letters
import _letters_report
import _ngram
import _text
import char_rnn
import numpy as np
import pytest

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F

from .conftest import EXAMPLES

LAST_LINE = re.compile(r"test cross-entropy: \d\.\d{4}$")
SMALL = ("--hidden", "8", "--batch-size", "8", "--steps", "8", "--lr", "0.02", "--threads", "1", "--length", "40")
QUICK = (*SMALL, "--epochs", "2", "--no-compile")
FRENCH = "le chêne un jour dit au roseau vous avez bien sujet d'accuser la nature un roitelet pour vous est un fardeau"
GREEK = "μῆνιν ἄειδε θεὰ πηληϊάδεω ἀχιλῆος οὐλομένην ἣ μυρία ἀχαιοῖς ἄλγεα ἔθηκε πολλὰς δὲ ἰφθίμους ψυχὰς ἄϊδι"


def text_of(words: str, count: int = 500) -> str:
    """Words in any order, some to a line."""
    chance = random.Random(0)
    return "".join([chance.choice(words.split()) + chance.choice("   \n") for _ in range(count)])


@pytest.fixture(scope="session")
def french(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("text") / "fable.txt"
    path.write_text(text_of(FRENCH), encoding="utf-8")
    return path


@pytest.fixture
def run(capsys, threads):
    """Runs the program in this process."""

    def run(*arguments: str | Path) -> Namespace:
        code = char_rnn.main([str(each) for each in arguments])
        captured = capsys.readouterr()
        return Namespace(code=code, out=captured.out, err=captured.err, last=captured.out.rstrip("\n").split("\n")[-1])

    return run


def start(*arguments: str | Path) -> subprocess.Popen:
    """Runs the program in a process of its own."""
    command = [sys.executable, str(EXAMPLES / "char_rnn.py"), *map(str, arguments)]
    quiet = {**os.environ, "TINYGRAD_FR_QUIET": "1"}
    return subprocess.Popen(command, env=quiet, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def outcome(result: Namespace, checkpoint: Path) -> tuple[str, dict[str, bytes], list[dict[str, float]]]:
    """What a run leaves, but for the seconds: what it printed in the end, its weights, its history."""
    state = torch.load(checkpoint / "checkpoint.safetensors")["state"]
    weights = {name: each.numpy().tobytes() for name, each in state["weights"].items()}
    history = [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in state["history"]]
    return result.out.partition("weights of epoch")[2], weights, history


def network(cell: str, letters: int = 9, hidden: int = 5, layers: int = 1) -> _letters.LetterNetwork:
    torch.manual_seed(3)
    return _letters.LetterNetwork(cell, letters, hidden, layers)


# --- text --------------------------------------------------------------------------------------------------------


def test_the_parts_of_a_text_follow_each_other(french):
    text = _text.load_text(french)
    parts = [text.decode(part) for part in (text.train, text.validation, text.test)]
    letters = french.read_text(encoding="utf-8")
    held_out = len(letters) // 20
    assert [len(part) for part in parts] == [len(letters) - 2 * held_out, held_out, held_out]
    rare = set(letters) - set(text.alphabet)
    assert "".join(parts) == "".join(_text.STAND_IN if letter in rare else letter for letter in letters)
    assert text.source == str(french)


def test_an_alphabet_is_that_of_the_training_part(tmp_path):
    (tmp_path / "text").write_text("ab" * 450 + "xyz" * 30 + "aé" * 5)
    text = _text.load_text(tmp_path / "text")
    assert text.alphabet == "\N{REPLACEMENT CHARACTER}ab"
    assert text.decode(text.test).endswith("a\N{REPLACEMENT CHARACTER}" * 5)
    assert text.rare() == pytest.approx(95 / 1000)


def test_an_alphabet_has_its_most_frequent_letters_first_and_an_end():
    letters = "".join(chr(0x4E00 + i) * (200 - i) for i in range(150))
    assert _text.find_alphabet(letters) == _text.STAND_IN + "".join(chr(0x4E00 + i) for i in range(99))
    assert _text.find_alphabet("a" * 10 + "b" * 9 + "\ufffd" * 50) == "\ufffda"


@pytest.mark.parametrize(
    "content",
    ["\ufeffété\r\nchêne", "e\u0301te\u0301\nche\u0302ne"],
    ids=["byte order mark and \\r\\n", "accents apart"],
)
def test_the_same_text_written_otherwise_is_the_same(tmp_path, content):
    (tmp_path / "text").write_bytes(content.encode())
    assert _text.read_text(tmp_path / "text") == "été\nchêne"


def test_the_library_is_a_text_of_a_million_letters():
    text = _text.load_text()
    assert len(text.train) > 10**6
    assert {"def", "class", "return"} <= set(re.findall(r"\w+", text.decode(text.validation)))
    assert f"{len(_text.MODULES)} modules" in text.source
    assert text.rare() < 0.001
    assert text.fingerprint() == _text.load_text().fingerprint()


def test_a_python_without_sources(run, monkeypatch):
    monkeypatch.setattr(_text, "MODULES", ("builtins", "there.is.none"))
    result = run(*QUICK)
    assert result.code == 1
    assert "give --text FILE" in result.err


def test_windows_go_through_columns_of_the_text_in_order():
    text = np.arange(32, dtype=np.uint8)
    windows = _text.Windows(text, columns=3, steps=4)
    assert [tuple(x.shape) for x, _ in windows] == [(4, 3), (4, 3), (2, 3)]
    x = torch.cat([x for x, _ in windows])
    assert x.T.flatten().tolist() == list(range(30))
    for x, y in windows:
        assert y.view(x.shape).tolist() == (x + 1).tolist()
    assert len(windows) == 3


def test_whole_leaves_one_letter_more_than_is_predicted():
    text = np.arange(100, dtype=np.uint8)
    assert [len(_text.whole(text, unit)) for unit in (1, 10, 33, 99)] == [100, 91, 100, 100]


# --- counting ----------------------------------------------------------------------------------------------------


def test_counting_by_hand(monkeypatch):
    """ababb: a twice and b three times; ab twice, ba once, bb once."""
    monkeypatch.setattr(_ngram, "PRIORS", (1.0,))
    model = _ngram.NGram(np.array([0, 1, 0, 1, 1], np.uint8), np.array([0, 1], np.uint8), letters=2, order=3)
    p_a, p_b = (2 + 1 / 2) / 6, (3 + 1 / 2) / 6
    b_after_a, a_after_b, b_after_b = (2 + p_b) / 3, (1 + p_a) / 3, (1 + p_b) / 3
    a_after_ab, b_after_bb = (1 + a_after_b) / 3, b_after_b  # ab was followed twice; bb never
    uniform, one, two, three = model.probabilities(np.array([0, 1, 0, 1, 1, 1], np.uint8))
    np.testing.assert_allclose(uniform, 0.5)
    np.testing.assert_allclose(one, [p_a, p_b, p_a, p_b, p_b, p_b])
    np.testing.assert_allclose(two, [p_a, b_after_a, a_after_b, b_after_a, b_after_b, b_after_b])
    np.testing.assert_allclose(three[[0, 1, 2, 5]], [p_a, b_after_a, a_after_ab, b_after_bb])
    assert _ngram.cross_entropy(one) == pytest.approx(-np.log([p_b, p_a, p_b, p_b, p_b]).mean())


def test_probabilities_add_up_to_one_after_each_context(french):
    text = _text.load_text(french)
    letters = len(text.alphabet)
    model = _ngram.NGram(text.train, text.validation, letters, order=4)
    for context in (text.train[:3], text.train[-3:], np.zeros(3, np.uint8)):
        each = np.array([[*context, letter] for letter in range(letters)], np.uint8)
        given = [[p[-1] for p in model.probabilities(row)] for row in each]
        np.testing.assert_allclose(np.sum(given, axis=0), 1)


def test_the_priors_are_the_best_for_the_validation_text(french, monkeypatch):
    text = _text.load_text(french)
    best = _ngram.NGram(text.train, text.validation, len(text.alphabet), 3)
    found = _ngram.cross_entropy(best.probabilities(text.validation)[3])
    for prior in _ngram.PRIORS:
        other = _ngram.NGram(text.train, text.validation, len(text.alphabet), 3)
        other.priors[2] = prior
        assert found <= _ngram.cross_entropy(other.probabilities(text.validation)[3])


# --- the network -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", _letters.CELLS)
def test_windows_with_what_is_remembered_give_what_the_whole_text_gives(cell):
    model = network(cell, layers=2)
    x = torch.randint(9, (7, 3))
    whole, end = model(x, model.empty_memory(3))
    memory = model.empty_memory(3)
    parts = []
    for part in (x[:4], x[4:]):
        scores, new = model(part, memory)
        _letters.remember(memory, new)
        parts.append(scores)
    np.testing.assert_allclose(torch.cat(parts).detach(), whole.detach(), rtol=1e-5, atol=1e-6)
    for one, other in zip(_letters.parts_of(memory), _letters.parts_of(end), strict=True):
        np.testing.assert_allclose(one, other.detach(), rtol=1e-5, atol=1e-6)
    _letters.forget(memory)
    assert all((part == 0).all() for part in _letters.parts_of(memory))


@pytest.mark.parametrize("cell", _letters.CELLS)
def test_gradient_norms_are_those_of_finite_differences(cell):
    model = network(cell).double()
    x, y = torch.randint(9, (4, 2)), torch.randint(9, (2,))

    def loss(start) -> float:
        memory = model.empty_memory(2)
        for part, values in zip(_letters.parts_of(memory), start, strict=True):
            part.copy_(torch.tensor(values))
        with torch.no_grad():
            scores, _ = model(x, memory)
        return F.cross_entropy(scores[-2:], y, reduction="sum").item()

    parts = len(_letters.parts_of(model.empty_memory(2)))
    slopes = np.zeros((parts, 1, 2, 5))
    for place in np.ndindex(slopes.shape):
        step = np.zeros(slopes.shape)
        step[place] = 1e-5
        slopes[place] = (loss(step) - loss(-step)) / 2e-5
    norms = _letters.gradient_norms(model, x, y)
    assert norms.shape == (4, 2)
    np.testing.assert_allclose(norms[0], np.sqrt((slopes**2).sum((0, 1, 3))), rtol=1e-7)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_writing_is_drawing_and_a_low_temperature_takes_the_likeliest():
    model, prompt = network("gru"), np.array([1, 2, 3])

    def written(seed: int, temperature: float) -> list[int]:
        torch.manual_seed(seed)
        return _letters.write(model, prompt, 30, temperature).tolist()

    assert written(0, 1.0) == written(0, 1.0) != written(1, 1.0)
    assert written(0, 1e-4) == written(1, 1e-4)
    with torch.no_grad():
        letters = [*prompt, *written(0, 1e-4)]
        scores, _ = model(torch.tensor(letters).unsqueeze(1), model.empty_memory(1))
    assert (1 + scores[2:-1, 1:].argmax(1)).tolist() == letters[3:]


def test_the_stand_in_is_never_written():
    model = network("rnn")
    with torch.no_grad():
        model.output.bias[0] = 100
    assert (_letters.write(model, np.array([0]), 50, 1.0) > 0).all()


# --- runs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", _letters.CELLS)
def test_a_run_with_each_cell(run, french, cell):
    result = run("--text", french, *QUICK, "--cell", cell)
    assert (result.code, result.err) == (0, "")
    assert LAST_LINE.match(result.last)
    assert len(re.findall(r"^epoch \d/2   training loss .* validation loss .* s$", result.out, re.M)) == 2
    table = dict(re.findall(r"^(uniform|\d-gram|rnn|gru|lstm) +(\d\.\d{4})", result.out, re.M))
    assert list(table) == ["uniform", "1-gram", "2-gram", "3-gram", "4-gram", "5-gram", cell]
    assert float(table[cell]) < float(table["1-gram"])
    assert result.last.endswith(table[cell])
    assert "written at temperature 0.5" in result.out


def test_a_compiled_step_gives_the_same_bits(run, french, tmp_path):
    ways = ("--compile", "--no-compile")
    results = [run("--text", french, *QUICK, way, "--checkpoint", tmp_path / way) for way in ways]
    assert [result.err for result in results] == ["", ""]
    assert outcome(results[0], tmp_path / ways[0]) == outcome(results[1], tmp_path / ways[1])


def test_a_network_remembers_farther_than_counting(run, tmp_path):
    """Each line ends with the letter it begins with: after six dots, counting up to four letters back is blind."""
    chance = random.Random(0)
    lines = [letter + "......" + letter + "\n" for letter in chance.choices("abcd", k=1500)]
    (tmp_path / "text").write_text("".join(lines))
    options = ("--hidden", "24", "--steps", "27", "--batch-size", "8", "--epochs", "8", "--lr", "0.02", "--no-compile")
    result = run("--text", tmp_path / "text", *options)
    table = {name: float(loss) for name, loss in re.findall(r"^(\S+) +(\d\.\d{4})", result.out, re.M)}
    assert table["lstm"] < 0.7 * table["5-gram"]


def test_the_files_of_a_run(run, tmp_path):
    (tmp_path / "text").write_text(text_of(GREEK), encoding="utf-8")
    result = run("--text", tmp_path / "text", *QUICK, "--out", tmp_path / "out", "--prompt", "θεὰ")
    assert (result.code, result.err) == (0, "")
    written = (tmp_path / "out" / "written.txt").read_text(encoding="utf-8")
    at_a_half, at_one = re.findall(r"--- temperature [\d.]+\n(.{43})\n", written, re.DOTALL)
    assert at_a_half != at_one
    for letters in (at_a_half, at_one):
        assert letters.startswith("θεὰ")
        assert set(letters) <= set(GREEK) | {"\n"}
        assert letters in result.out
    for name in ("learning_curves.png", "next_letters.png", "gradient_norms.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")
    report = (tmp_path / "out" / "report.txt").read_text(encoding="utf-8")
    for part in ("cell:           lstm", "5-gram", "best epoch", "alphabet", "LSTM(64, 8)", result.last.split()[-1]):
        assert part in report
    assert len((tmp_path / "out" / "history.csv").read_text().splitlines()) == 3
    assert torch.load(tmp_path / "out" / "weights.safetensors")["recurrent.weight_hh_l0"].shape == (32, 8)


def test_a_seed_and_the_number_of_threads_fix_every_bit(run, french, tmp_path):
    options = {"1": ("1", "0"), "all": (str(os.cpu_count()), "0"), "other": ("1", "1")}
    outcomes = {}
    for name, (threads, seed) in options.items():
        result = run("--text", french, *QUICK, "--threads", threads, "--seed", seed, "--checkpoint", tmp_path / name)
        outcomes[name] = outcome(result, tmp_path / name)
    assert outcomes["1"] == outcomes["all"] != outcomes["other"]


def test_training_stops_when_validation_no_longer_improves(run, french, tmp_path):
    result = run("--text", french, *SMALL, "--no-compile", "--epochs", "30", "--lr", "0.5", "--patience", "1")
    assert result.code == 0
    assert "no better validation loss for 1 epochs" in result.out


def test_a_loss_that_is_not_a_number_is_told(run, french):
    result = run("--text", french, *QUICK, "--lr", "1e38")
    assert result.code == 1
    assert "not a number: try a smaller --lr" in result.out
    assert "nan" in result.err


@pytest.mark.parametrize("letters", ["ab", "a$b\t漢"])
def test_any_letters_can_be_drawn(letters, tmp_path):
    chance = np.random.default_rng(0)
    (tmp_path / "text").write_text("".join(chance.choice(list(letters), 900)), encoding="utf-8")
    text = _text.load_text(tmp_path / "text")
    figure = _letters_report.next_letters(network("rnn", len(text.alphabet)), text)
    assert len(figure.axes) == 3  # of two rows, and the colours
    shown = [each.get_text() for each in figure.axes[0].texts]
    assert len(shown) == 40 * (1 + min(5, len(text.alphabet)))


def test_perplexity():
    assert _letters_report.perplexity(np.log(27)) == pytest.approx(27)
    assert _letters_report.perplexity(1e9) == np.inf


# --- errors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--cell", "transformer"], "--cell"),
        (["--hidden", "0"], "--hidden"),
        (["--steps", "-1"], "--steps"),
        (["--temperature", "0"], "--temperature: expected a number above 0"),
        (["--length", "many"], "--length"),
        (["--resume"], "--resume: needs --checkpoint"),
    ],
)
def test_a_bad_argument_exits_with_2_and_is_named(arguments, told, capsys):
    with pytest.raises(SystemExit) as exit:
        char_rnn.main(arguments)
    assert exit.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "at least, got 0"),
        (b"A word.", "at least, got 7"),
        (b"a few words " * 20, "too short"),
        ("le chêne".encode("latin1"), "not UTF-8: the byte 0xea at place 5"),
        (b"\x89PNG\r\n\x1a\n", "not UTF-8: the byte 0x89 at place 0"),
    ],
    ids=["empty", "a word", "short", "latin1", "a picture"],
)
def test_a_file_that_is_no_text_to_learn_from(run, tmp_path, content, told):
    (tmp_path / "text").write_bytes(content)
    result = run("--text", tmp_path / "text")
    assert result.code == 1
    assert result.out == ""
    assert str(tmp_path / "text") in result.err
    assert told in result.err


def test_a_file_that_is_not_there(run, tmp_path):
    for path in (tmp_path / "nowhere", tmp_path):
        result = run("--text", path)
        assert result.code == 1
        assert f"cannot read {path}" in result.err


# --- interruptions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", [0, 2])
def test_a_resumed_run_ends_with_the_same_bits(run, french, tmp_path, monkeypatch, moment):
    """Interrupted in the middle of the epoch after ``moment``."""
    options = ("--text", french, *SMALL, "--epochs", "3", "--no-compile", "--cell", "gru", "--checkpoint")
    at_once = outcome(run(*options, tmp_path / "at once"), tmp_path / "at once")
    train_epoch = char_rnn.Training.train_epoch

    def interrupted(training, title):
        if len(training.history) == moment:
            torch.rand(10)  # the stream has gone on
            raise KeyboardInterrupt
        return train_epoch(training, title)

    with monkeypatch.context() as patch:
        patch.setattr(char_rnn.Training, "train_epoch", interrupted)
        assert run(*options, tmp_path / "kept").code == 130
    result = run(*options, tmp_path / "kept", "--resume")
    assert f"continuing after epoch {moment}" in result.out
    assert outcome(result, tmp_path / "kept") == at_once


def test_a_finished_run_writes_again_from_another_prompt(run, french, tmp_path):
    options = ("--text", french, *QUICK, "--checkpoint", tmp_path)
    first = run(*options)
    again = run(*options, "--resume", "--prompt", "le roseau ", "--temperature", "0.2")
    assert again.last == first.last
    assert "temperature 0.2, the prompt first\nle roseau " in again.out


def test_a_checkpoint_of_another_text_or_cell_is_refused(run, french, tmp_path):
    options = (*QUICK, "--checkpoint", tmp_path / "kept")
    run("--text", french, *options)
    (tmp_path / "text").write_text(text_of(GREEK))
    result = run("--text", tmp_path / "text", *options, "--resume")
    assert result.code == 1
    assert "text: " in result.err
    result = run("--text", french, *options, "--resume", "--cell", "rnn")
    assert result.code == 1
    assert "--cell: lstm there, rnn here" in result.err


def test_ctrl_c_saves_the_best_weights(french, tmp_path):
    process = start("--text", french, *SMALL, "--epochs", "500", "--patience", "500", "--no-compile", "--out", tmp_path)
    assert process.stdout is not None
    assert any(" 2/500 " in line for line in process.stdout)
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)  # while the first one is answered
    _, err = process.communicate(timeout=100)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert torch.load(tmp_path / "weights.safetensors")["recurrent.weight_hh_l0"].shape == (32, 8)
    assert (tmp_path / "history.csv").read_text().startswith("epoch,train_loss")
