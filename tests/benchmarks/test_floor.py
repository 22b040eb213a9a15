"""What the machine reaches, and the floors that follow; no test expects a speed."""

import re

import numpy as np
import pytest

from benchmarks import cnn, conv, floor, machine, rnn
from benchmarks.conv import Convolution
from benchmarks.floor import Kernel
from benchmarks.libraries import FLOOR
from benchmarks.machine import Machine

MACHINE = Machine(flops=100.0, copied={1000: 40.0, 16_000: 20.0})


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(machine, "SIZES", (1 << 14, 1 << 15))
    monkeypatch.setattr(machine, "TIMING_S", 1e-5)
    monkeypatch.setattr(machine, "TIMINGS", 2)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_machine_is_measured(quick, threads):
    measured = machine.measure(threads)
    assert measured.flops > 0
    assert list(measured.copied) == [1 << 14, 1 << 15]
    assert all(rate > 0 for rate in measured.copied.values())


def test_the_chains_of_multiply_adds_are_computed():
    rounds = 3
    chains = np.arange(machine.SUMS, dtype=np.float64)
    for _ in range(rounds * machine.UNROLLED):
        chains = chains * 0.5 + 0.5
    lanes = machine.simd.VECTOR_BYTES // 4
    assert machine._multiply(rounds, np.float32(0.5)) == pytest.approx(lanes * chains.sum(), rel=1e-5)


def test_the_compiler_leaves_no_multiply_add_out():
    machine._multiply(1, np.float32(0.5))
    (code,) = machine._multiply.inspect_llvm().values()
    calls = re.findall(r"call <\d+ x float> @llvm\.fmuladd", code)
    assert len(calls) == machine.SUMS * machine.UNROLLED


def test_the_copy_copies():
    source, target = machine._aligned(3 * machine.BLOCK, 0), machine._aligned(3 * machine.BLOCK, 2048)
    source[:] = np.random.default_rng(0).integers(0, 256, source.size)
    assert source.ctypes.data % 4096 == 0
    assert target.ctypes.data % 4096 == 2048
    machine._copy(source, target, 2)
    np.testing.assert_array_equal(source, target)


def test_more_work_is_given_until_a_timing_is_long_enough(monkeypatch):
    asked = []

    def together(pool, threads, work, times):
        asked.append(times)
        return times * 1e-6

    monkeypatch.setattr(machine, "_together", together)
    rate = machine._best_rate(None, 1, 5.0, lambda thread, times: None)
    assert rate == pytest.approx(5e6)
    assert asked[-machine.TIMINGS :] == [3000] * machine.TIMINGS


@pytest.mark.parametrize(("in_use", "rate"), [(10, 40), (1000, 40), (4000, 30), (16_000, 20), (10**9, 20)])
def test_the_bandwidth_is_that_of_the_working_set(in_use, rate):
    assert MACHINE.bandwidth(in_use) == pytest.approx(rate)


def test_a_kernel_takes_its_flops_or_its_bytes():
    assert Kernel(flops=500, bytes=100, working_set=1000).seconds(MACHINE) == 5
    assert Kernel(flops=100, bytes=100, working_set=1000).seconds(MACHINE) == 2.5
    assert Kernel(flops=100, bytes=100, working_set=16_000).seconds(MACHINE) == 5


def test_the_kernels_of_a_training_step():
    x_w1, h_w2, for_w1, for_w2, for_h, loss, adam = floor.training_step(6, (5, 4, 3))
    assert [x_w1.flops, h_w2.flops, for_w1.flops, for_w2.flops, for_h.flops] == [240, 144, 240, 144, 144]
    assert x_w1.bytes == 4 * (6 * 5 + 5 * 4 + 4 + 6 * 4)
    assert for_w1.bytes == 4 * (6 * 5 + 6 * 4 + 5 * 4 + 4)
    assert for_h.bytes == 4 * (6 * 3 + 3 * 4 + 6 * 4 + 6 * 4)
    assert loss == Kernel(0, 6 * (4 * 3 + 4 * 3 + 8), 6 * (4 * 3 + 4 * 3 + 8))
    parameters = 5 * 4 + 4 + 4 * 3 + 3
    assert adam == Kernel(0, 28 * parameters, 16 * parameters)


def test_the_kernels_of_a_convolution():
    of_images = Convolution((2, 1, 6, 5), 3, 3, of_images=True)
    flops, touched = 2 * 2 * 3 * (4 * 3) * 9, 4 * (3 * 9 + 3 + 2 * 30 + 2 * 3 * 12)
    assert conv.forward(of_images) == Kernel(flops, touched, touched)
    assert conv.backward(of_images) == [conv.forward(of_images)]
    for_weight, for_input = conv.backward(of_images._replace(of_images=False), more_floats=10)
    assert for_weight == conv.forward(of_images)
    assert for_input == Kernel(flops, touched + 40, touched + 40)


def test_a_transposed_convolution_multiplies_each_number_of_its_input():
    each = Convolution((2, 3, 4, 3), 5, 4, stride=2, padding=1, transposed=True)
    assert each.output_shape == (2, 5, 8, 6)
    assert each.flops == 2 * (2 * 3 * 12) * (5 * 16)


def test_the_kernels_of_a_convolutional_net():
    kernels = cnn.training_step(cnn.SMALL)
    convolution, pooling, its_gradient, *dense, loss, for_weight, adam = kernels
    assert convolution.flops == for_weight.flops == 2 * 2 * 3 * 16 * 9
    assert pooling == its_gradient == Kernel(0, 4 * 2 * 3 * (16 + 4), 4 * 2 * 3 * (16 + 4))
    assert [each.flops for each in dense] == [2 * 2 * 12 * 4, 2 * 2 * 4 * 2] * 3  # forward, for weights, for inputs
    assert loss == floor.cross_entropy(2, 2)
    assert adam.bytes == 28 * (3 * 9 + 3 + 12 * 4 + 4 + 4 * 2 + 2)


@pytest.mark.parametrize(("cell", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
def test_the_kernels_of_a_recurrent_net(cell, gates):
    shape = rnn.Shape(cell, letters=7, hidden=5, steps=3, batch=2)
    kernels = rnn.training_step(shape)
    rows, recurrent, linear = 3 * 2, 2 * 3 * 2 * 5 * gates * 5, 2 * 3 * 2 * 5 * 7
    assert sum(each.flops for each in kernels) == 6 * recurrent + 3 * linear
    assert sum(each.flops == recurrent / 3 for each in kernels) == 2 * shape.steps
    assert kernels[0].bytes == 4 * 2 * rows * 5
    parameters = 7 * 5 + 2 * gates * (25 + 5) + 7 * 5 + 7
    assert kernels[-1] == floor.adam(parameters)


def test_a_deeper_net_has_more_kernels():
    assert len(floor.training_step(1, (5, 4, 4, 4, 3))) == 3 * 4 - 1 + 2


def test_floors_and_the_machine_travel_as_times():
    floors = {"two kernels": [Kernel(500, 0, 1), Kernel(0, 80, 1)], "none": []}
    times = floor.turn(floors, MACHINE)
    assert times["two kernels"] == 7
    assert times["none"] == 0
    back = floor.measured_machine({(FLOOR, 2): times}, 2)
    assert back.flops == pytest.approx(100)
    assert back.copied == pytest.approx(MACHINE.copied)


def test_a_process_answers_with_floors(quick):
    turn = floor.prepare({"case": floor.training_step(2, (3, 2)), "more": floor.training_step(64, (3, 2))}, 1)
    times = turn()
    assert 0 < times["case"] < times["more"] < 1


def test_what_was_measured_is_said():
    seen = Machine(2e11, {1 << 14: 5e11, 1 << 15: 4e11, 1 << 20: 1e11})
    results = {(FLOOR, 1): floor.turn({}, seen), (FLOOR, 2): floor.turn({}, seen), ("torch", 1): {}}
    assert floor.lines(results) == [
        f"{many} of the machine: multiply-adds 200 GFLOP/s; copying, GB/s by bytes in use: 16 KB 500, 1 MB 100"
        for many in ("1 thread", "2 threads")
    ]
