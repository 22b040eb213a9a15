"""Turns, medians, rows and tables, on times that are made up or not looked at."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import harness, libraries, results
from benchmarks.harness import Plan

ROOT = Path(__file__).parents[2]
KEYS = ["benchmark", "case", "library", "threads", "median_s", "ratio_to_ours"]

MEASURED = {
    ("tinygrad_fr", 1): {"small": 2e-6, "large": 4e-3},
    ("tinygrad_fr", 2): {"small": 3e-6, "large": 2e-3},
    ("torch", 1): {"small": 5e-6, "large": 6e-3},
    ("torch", 2): {"small": 1e-6, "large": 7e-3},
    ("torch fused", 1): {"large": 1e-3},
    ("torch fused", 2): {"large": 3.0},
}


def test_rows_have_one_entry_a_case_and_library_at_its_best_threads():
    rows = results.rows("made up", MEASURED)
    assert all(list(row) == KEYS for row in rows)
    assert [(row["case"], row["library"], row["threads"], row["median_s"]) for row in rows] == [
        ("small", "tinygrad_fr", 1, 2e-6),
        ("small", "torch", 2, 1e-6),
        ("large", "tinygrad_fr", 2, 2e-3),
        ("large", "torch", 1, 6e-3),
        ("large", "torch fused", 1, 1e-3),
    ]
    assert [row["ratio_to_ours"] for row in rows] == pytest.approx([1, 0.5, 1, 3, 0.5])
    json.dumps(rows)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (4.7123e-7, "0.47 µs"),
        (1.2345e-6, "1.23 µs"),
        (471.4e-6, "471 µs"),
        (999.6e-6, "1.00 ms"),
        (12.34e-3, "12.3 ms"),
        (0.9999, "1.00 s"),
        (75.0, "75.0 s"),
    ],
)
def test_times_have_three_digits_and_a_unit(seconds, text):
    assert results.time_text(seconds) == text


@pytest.mark.parametrize(("ratio", "text"), [(0.123, "0.12x"), (0.997, "1.0x"), (2.34, "2.3x"), (120.4, "120x")])
def test_ratios_have_two_digits(ratio, text):
    assert results.ratio_text(ratio) == text


def test_tables():
    rows = results.rows("made up", MEASURED)
    assert results.show(rows, markdown=False).splitlines() == [
        "       tinygrad_fr            torch      torch fused",
        "small      2.00 µs  1.00 µs (0.50x)                 ",
        "large      2.00 ms   6.00 ms (3.0x)  1.00 ms (0.50x)",
    ]
    assert results.show(rows, markdown=True).splitlines() == [
        "|  | tinygrad_fr | torch | torch fused |",
        "|---|---:|---:|---:|",
        "| small | 2.00 µs | 1.00 µs (0.50x) |  |",
        "| large | 2.00 ms | 6.00 ms (3.0x) | 1.00 ms (0.50x) |",
    ]


def test_a_case_with_a_bar_in_its_name_stays_one_column():
    rows = [{**row, "case": "a | b"} for row in results.rows("made up", MEASURED)]
    assert r"| a \| b |" in results.show(rows, markdown=True)


WITH_FLOOR = {
    ("tinygrad_fr", 1): {"step": 4e-3, "loading": 3e-3},
    ("tinygrad_fr compiled", 1): {"step": 2e-3},
    ("torch", 1): {"step": 8e-3},
    ("floor", 1): {"step": 1e-3, "something else": 1.0},
}


def test_others_stand_beside_both_of_ours_and_all_beside_the_floor():
    shown = results.show(results.rows("made up", WITH_FLOOR), markdown=False)
    assert [line.rstrip() for line in shown.splitlines()] == [
        "         tinygrad_fr  tinygrad_fr compiled                  torch                    floor",
        "step         4.00 ms       2.00 ms (0.50x)  8.00 ms (2.0x / 4.0x)  1.00 ms (0.25x / 0.50x)",
        "loading      3.00 ms",
        "",
        "Times the floor:",
        "",
        "      tinygrad_fr  tinygrad_fr compiled  torch",
        "step         4.0x                  2.0x   8.0x",
    ]


# --- one process -------------------------------------------------------------------------------------------------


def answers(monkeypatch, prepare):
    """What a process answers that is asked for two turns."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n\n"))
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    written = sys.stdout
    harness.serve(prepare)
    return list(map(json.loads, written.getvalue().splitlines()))


def test_serve_answers_each_line_and_keeps_what_libraries_print_out_of_it(monkeypatch):
    cases = {"one": lambda: print("noise"), "two": lambda: None}
    no_time = harness.Pace(timing=0, case=0, warm_up=0)
    figures, *turns = answers(monkeypatch, lambda: ({"one": [1.0]}, harness.timer(cases, no_time)))
    assert figures == {"figures": {"one": [1.0]}}
    assert [set(turn) for turn in turns] == [{"one", "two"}] * 2


def test_what_is_unavailable_says_why_and_ends(monkeypatch):
    def prepare():
        print("noise")
        raise harness.Unavailable("no compiler")

    assert answers(monkeypatch, prepare) == [{"unavailable": "no compiler"}]


@pytest.mark.parametrize(
    ("milliseconds", "plan"),
    [(0.001, (6, 20000)), (3, (6, 6)), (30, (6, 1)), (110, (2, 1)), (200, (1, 1)), (9000, (1, 1))],
)
def test_slow_cases_are_timed_less(milliseconds, plan):
    timings, calls = harness.plan(milliseconds / 1000)
    assert timings == plan[0]
    assert calls == pytest.approx(plan[1], rel=0.01)


@pytest.mark.parametrize(("first", "later", "calls"), [(0.5, 0.02, 12), (0.5, 0.3, 2), (5.0, 5.0, 1)])
def test_warming_up_ends(monkeypatch, first, later, calls):
    now, called = 0.0, 0

    def run():
        nonlocal now, called
        now += later if called else first
        called += 1

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    assert harness.warm_up(run) == pytest.approx(later)
    assert called == pytest.approx(calls, abs=1)


def test_a_turn_is_planned_by_the_last(monkeypatch):
    planned = []
    monkeypatch.setattr(harness, "warm_up", lambda run, seconds: 5.0)
    monkeypatch.setattr(harness, "best_time", lambda run, plan: planned.append(plan) or 0.001)
    turn = harness.timer({"case": lambda: None})
    assert [turn(), turn()] == [{"case": 0.001}] * 2
    assert planned == [Plan(1, 1), Plan(6, 20)]


def test_a_benchmark_may_be_in_a_hurry():
    hurry = harness.Pace(timing=0.002, case=0.01, least=2)
    assert harness.plan(0.001, hurry) == Plan(5, 2)
    assert harness.plan(0.1, hurry) == Plan(2, 1)


def test_the_first_timing_does_not_count_where_there_are_others(monkeypatch):
    monkeypatch.setattr(harness.timeit, "repeat", lambda run, setup, number, repeat: [1.0, 4.0, 6.0][:repeat])
    assert harness.best_time(lambda: None, Plan(timings=3, calls=2)) == 2.0
    assert harness.best_time(lambda: None, Plan(timings=1, calls=2)) == 0.5


# --- turns -------------------------------------------------------------------------------------------------------


class FakeServer:
    """Answers with made-up times, and keeps account."""

    log: list[str] = []  # noqa: RUF012
    times = iter(())
    answers: dict[str, dict] = {}  # noqa: RUF012

    def __init__(self, name, label, threads):
        self.described = f"{label} {threads}"

    def wait_until_ready(self):
        self.log.append(f"ready {self.described}")
        return self.answers.get(self.described, {"figures": {}})

    def turn(self):
        self.log.append(self.described)
        return {"case": next(self.times)}

    def stop(self):
        self.log.append(f"stop {self.described}")


@pytest.fixture
def fake(monkeypatch):
    FakeServer.log, FakeServer.answers = [], {}
    monkeypatch.setattr(harness, "Server", FakeServer)
    monkeypatch.setattr(harness, "PAUSE_S", 0)
    return FakeServer


def test_libraries_take_turns_and_the_median_counts(fake):
    fake.times = iter([1.0, 10.0, 5.0, 30.0, 2.0, 20.0])
    medians, rounds = harness.measure("made up", ["a", "b"], (1,), 3)
    assert rounds == 3
    assert medians == {("a", 1): {"case": 2.0}, ("b", 1): {"case": 20.0}}
    assert fake.log == ["ready a 1", "ready b 1", *["a 1", "b 1"] * 3, "stop b 1", "stop a 1"]


def test_what_is_unavailable_is_left_out_and_said(fake, capsys):
    fake.times = iter([1.0, 2.0])
    fake.answers = {"b 1": {"unavailable": "no compiler"}}
    medians, _ = harness.measure("made up", ["a", "b"], (1, 2), 1)
    assert list(medians) == [("a", 1), ("a", 2)]
    assert "ready b 2" not in fake.log
    assert "left out: b: no compiler" in capsys.readouterr().err


def test_cases_in_which_a_library_computes_something_else_are_left_out_and_said(fake, capsys):
    fake.times = iter([1.0] * 6)
    ours = {"case": [2.0, 1.0], "case of ours alone": [3.0]}
    fake.answers = {"a 1": {"figures": ours}, "b 1": {"figures": {"case": [2.0, 1.000001]}}}
    assert harness.measure("made up", ["a", "b"], (1,), 1)[0]["b", 1] == {"case": 1.0}
    assert "left out" not in capsys.readouterr().err
    fake.answers["b 2"] = {"figures": {"case": [2.0, 1.001]}}
    medians, _ = harness.measure("made up", ["a", "b"], (1, 2), 1)
    assert medians == {("a", 1): {"case": 1.0}, ("a", 2): {"case": 1.0}, ("b", 1): {}, ("b", 2): {}}
    assert "left out: case of b, which computes [2.0, 1.001] instead of [2.0, 1.0]" in capsys.readouterr().err


def test_slow_benchmarks_take_fewer_rounds_unless_asked_for(fake, monkeypatch):
    monkeypatch.setattr(harness, "LIMIT_S", 0)
    fake.times = iter([1.0] * 20)
    assert harness.measure("made up", ["a"], (1,), None)[1] == harness.LEAST_ROUNDS
    assert harness.measure("made up", ["a"], (1,), 5)[1] == 5


def test_processes_are_stopped_when_one_fails(fake, monkeypatch):
    def fail(self):
        raise RuntimeError("ended early")

    monkeypatch.setattr(fake, "turn", fail)
    with pytest.raises(RuntimeError, match="ended early"):
        harness.measure("made up", ["a", "b"], (1, 2), 3)
    assert {"stop a 1", "stop a 2", "stop b 1", "stop b 2"} <= set(fake.log)


def test_thread_counts_fit_the_machine(monkeypatch):
    monkeypatch.setattr(harness.os, "sched_getaffinity", lambda _: {3}, raising=False)
    assert harness.thread_counts((1, 2)) == (1,)
    monkeypatch.setattr(harness.os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert harness.thread_counts((1, 2)) == (1, 2)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to processors")
def test_a_process_of_one_thread_stays_on_one_processor():
    code = "import os; from benchmarks import harness; harness.use_processors(1); print(len(os.sched_getaffinity(0)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT).stdout.strip() == "1"


def test_a_process_that_ends_early_is_named(monkeypatch):
    monkeypatch.chdir(ROOT)
    server = harness.Server("overhead", "no such library", 1)
    try:
        with pytest.raises(RuntimeError, match="no such library, 1 thread ended early with code 1"):
            server.wait_until_ready()
    finally:
        server.stop()


def test_labels_of_one_library_share_its_install():
    assert libraries.how_to_install(["torch", "torch fused", "scikit-learn"]) == "pip install torch scikit-learn"
