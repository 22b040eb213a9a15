"""Words of memory, compared with what they were."""

import numpy as np

from tinygrad_fr.kernels import words


def _runs(*rows):
    return np.array(rows, np.int64).reshape(-1, 3)


def test_words_are_taken_run_by_run():
    x, y = np.arange(5), np.arange(10, 14)
    runs = _runs((x.ctypes.data + 8, 2, 0), (y.ctypes.data, 4, 0))
    assert words.take(runs).tolist() == [1, 2, 10, 11, 12, 13]


def test_the_first_run_that_changed():
    x, y = np.arange(5), np.arange(10, 14)
    runs = _runs((x.ctypes.data, 5, 0), (y.ctypes.data, 3, 0))
    known = words.take(runs)
    y[3] = 0  # in no run
    assert words.first_change(runs, known) == -1
    y[2] = 0
    assert words.first_change(runs, known) == 1
    x[4] = 0
    assert words.first_change(runs, known) == 0


def test_a_run_that_goes_on_elsewhere():
    elsewhere, other = np.array([7, 8]), np.array([7, 8])
    head = np.array([1, 2, elsewhere.ctypes.data])
    runs = _runs((head.ctypes.data, 3, 2))
    known = words.take(runs)
    assert known.tolist() == [*head.tolist(), 7, 8]
    assert words.first_change(runs, known) == -1
    elsewhere[1] = 0
    assert words.first_change(runs, known) == 0
    elsewhere[1] = 8
    head[2] = other.ctypes.data  # the same words, but they are others
    assert words.first_change(runs, known) == 0


def test_what_is_elsewhere_is_not_read_where_there_is_less():
    head = np.array([1, 0, 0])  # nothing, at no address
    runs = _runs((head.ctypes.data, 3, 2))
    known = words.take(runs)
    assert known.tolist() == [1, 0, 0, 0, 0]
    there = np.array([3, 4])
    head[1:] = 2, there.ctypes.data
    assert words.first_change(runs, known) == 0


def test_no_runs():
    assert words.take(_runs()).size == 0
    assert words.first_change(_runs(), np.empty(0, np.int64)) == -1
