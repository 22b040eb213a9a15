"""Generators: seeds, states, and streams of a thread's own."""

import copy
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import random


@pytest.fixture(autouse=True)
def _same_state_afterwards():
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


def draw(generator=None):
    return torch.rand(5, generator=generator).tolist()


def test_manual_seed_fixes_the_stream():
    assert torch.manual_seed(3) is torch.default_generator
    first, second = draw(), draw()
    assert first != second
    torch.manual_seed(3)
    assert draw() == first
    assert draw() == second
    assert torch.initial_seed() == 3
    assert draw(torch.Generator().manual_seed(3)) == first


def test_a_generator_is_apart_from_the_default_one():
    torch.manual_seed(1)
    expected = draw()
    torch.manual_seed(1)
    draw(torch.Generator())
    assert draw() == expected


@pytest.mark.parametrize(("seed", "kept"), [(-1, 2**64 - 1), (2**64 - 1, 2**64 - 1), (-(2**63), 2**63), (True, 1)])
def test_seeds_of_64_bits(seed, kept):
    generator = torch.Generator()
    assert generator.manual_seed(seed) is generator
    assert generator.initial_seed() == kept


@pytest.mark.parametrize("seed", [2**64, -(2**63) - 1, 1.5, "a", None])
def test_seeds_that_are_refused(seed):
    generator = torch.Generator().manual_seed(7)
    with pytest.raises(RuntimeError, match="manual_seed expected"):
        generator.manual_seed(seed)
    assert generator.initial_seed() == 7


def test_seed_takes_one_from_outside():
    generator = torch.Generator()
    seeds = {generator.seed() for _ in range(3)}
    assert len(seeds) == 3
    assert generator.initial_seed() in seeds
    assert torch.seed() == torch.initial_seed()


def test_new_generators_are_alike_and_new_processes_are_not():
    assert torch.Generator().initial_seed() == torch.Generator().initial_seed() == 67280421310721
    code = "import tinygrad_fr as torch; print(torch.initial_seed())"
    outputs = {subprocess.check_output([sys.executable, "-c", code]) for _ in range(2)}
    assert len(outputs) == 2


def test_state_goes_back():
    generator = torch.Generator().manual_seed(5)
    draw(generator)
    state = generator.get_state()
    assert state.dtype == torch.uint8
    clone = generator.clone_state()
    expected = draw(generator)
    assert draw(clone) == expected
    generator.set_state(state)
    assert draw(generator) == expected
    state = torch.get_rng_state()
    expected = draw()
    torch.set_rng_state(state)
    assert draw() == expected


def test_the_array_of_the_state_stays_the_same_object():
    generator = torch.Generator()
    array = generator._state
    generator.set_state(generator.manual_seed(5).get_state())
    generator.seed()
    assert generator._state is array


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: 3, TypeError),
        (lambda: np.zeros(16, np.uint8), TypeError),
        (lambda: torch.zeros(16), TypeError),
        (lambda: torch.zeros(15, dtype=torch.uint8), RuntimeError),
    ],
)
def test_states_that_are_refused(make, error):
    with pytest.raises(error, match="state"):
        torch.Generator().set_state(make())


def test_copies_go_their_own_way():
    generator = torch.Generator().manual_seed(9)
    for other in (copy.deepcopy(generator), pickle.loads(pickle.dumps(generator))):
        assert draw(other) == draw(generator.clone_state())
        assert other.initial_seed() == 9
    assert generator.get_state().tolist() == torch.Generator().manual_seed(9).get_state().tolist()


def test_device():
    assert torch.Generator("cpu").device == torch.device("cpu")
    with pytest.raises(RuntimeError, match="cuda"):
        torch.Generator(device="cuda")


def test_a_thread_may_have_a_stream_of_its_own():
    torch.manual_seed(1)
    with random.own_stream(2):
        inside = draw()
        elsewhere = []
        thread = threading.Thread(target=lambda: elsewhere.append(draw()))
        thread.start()
        thread.join()
    assert inside == draw(torch.Generator().manual_seed(2))
    assert elsewhere[0] == draw(torch.Generator().manual_seed(1))
    assert torch.initial_seed() == 1


def test_importing_it_does_not_load_numba():
    code = "import sys, tinygrad_fr.random; tinygrad_fr.random.manual_seed(1); print('numba' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"
