"""A program repeats launches with the same machine code, on arrays that stay or are moved."""

import numpy as np
import pytest

from tinygrad_fr.kernels._jit import kernel
from tinygrad_fr.kernels._launch import FINE, NotNative, checked, collect, launch
from tinygrad_fr.kernels.program import Program


@kernel
def _add(x, y, out):
    for i in range(x.size):
        out[i] = x[i] + y[i]


@kernel
def _scale(x, times, out):
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = x[i, j] * times


@kernel
def _first_negative(x):
    for i in range(x.size):
        if x[i] < 0:
            return i
    return -1


@kernel
def _fail(x):
    if x[0] > 0:
        raise ValueError("never seen")


def program_of(function):
    with collect() as launches:
        function()
    return Program(launches)


def complain(number):
    raise IndexError(f"element {number} is negative")


def test_launches_are_made_at_once_outside_of_collect():
    x, out = np.ones(3), np.zeros(3)
    launch(_add, x, x, out)
    assert out.tolist() == [2, 2, 2]


def test_launches_are_put_down_and_made_again_in_their_order():
    x, y = np.ones(3), np.zeros(3)

    def steps():
        launch(_add, x, y, y)
        launch(_add, y, y, y)

    program = program_of(steps)
    assert y.tolist() == [0, 0, 0]
    program.run()
    assert y.tolist() == [2, 2, 2]
    program.run()
    assert y.tolist() == [6, 6, 6]


def test_integers_and_strided_arrays_are_read_as_in_a_single_call():
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    out, expected = np.zeros((4, 3), np.float32), np.zeros((4, 3), np.float32)
    program = program_of(lambda: launch(_scale, x.T, 3, out))
    program.run()
    _scale(x.T, 3, expected)
    np.testing.assert_array_equal(out, expected)


def test_an_array_can_be_moved():
    x, other, out = np.arange(6.0), np.arange(10.0, 16.0), np.zeros(3)
    program = program_of(lambda: launch(_add, x[:3], x[3:], out))
    places = program.places_of(x)
    assert len(places) == 2
    places.move_to(other)
    program.run()
    assert out.tolist() == (other[:3] + other[3:]).tolist()


def test_an_array_beside_the_moved_one_stays():
    memory, out = np.arange(6.0), np.zeros(3)
    program = program_of(lambda: launch(_add, memory[:3], memory[3:], out))
    program.places_of(memory[:3]).move_to(np.zeros(3))
    program.run()
    assert out.tolist() == [3, 4, 5]


@pytest.mark.parametrize("together", [False, True])
def test_bad_data_ends_the_program_with_the_complaint(together):
    x, out = np.array([1.0, -2.0]), np.zeros(2)

    def steps():
        checked(_first_negative, complain, x)
        launch(_add, x, x, out)

    with pytest.raises(IndexError, match="element 1 is negative"):
        program_of(steps).run() if together else steps()
    assert out.tolist() == [0, 0]


def test_good_data_passes_the_check():
    x, out = np.array([1.0, 2.0]), np.zeros(2)
    assert _first_negative(x) == FINE
    program = program_of(lambda: (checked(_first_negative, complain, x), launch(_add, x, x, out)))
    program.run()
    assert out.tolist() == [2, 4]


def test_a_kernel_that_raises_ends_the_program():
    x = np.zeros(1)
    program = program_of(lambda: launch(_fail, x))
    program.run()
    x[0] = 1
    with pytest.raises(MemoryError, match="_fail"):
        program.run()


def test_other_arguments_are_refused():
    with pytest.raises(NotNative, match="float"):
        program_of(lambda: launch(_scale, np.ones((1, 1)), 2.5, np.ones((1, 1))))


def test_an_empty_program_does_nothing():
    Program([]).run()
