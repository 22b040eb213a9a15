"""The pool of threads: every part of a job is done once, whoever asks, whatever the pool is at; and processes end."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinygrad_fr.kernels import _threads
from tinygrad_fr.kernels._jit import kernel
from tinygrad_fr.kernels._threads import spread

several_threads = pytest.mark.skipif(_threads.MOST_THREADS == 1, reason="there is one thread only")


def pool():
    return _threads.pool_for(1, least=0)


@kernel
def _count_up(part, counts, steps):
    for _ in range(steps):
        counts[part] += 1


@kernel
def _count_all(pool, counts, steps):
    spread(pool, _count_up, counts.size, (counts, steps))


@kernel
def _count_rows(row, counts, pool):
    _count_all(pool, counts[row], 1)


@kernel
def _count_nested(pool, counts):
    spread(pool, _count_rows, counts.shape[0], (counts, pool))


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 500)), min_size=1, max_size=20))
def test_every_part_is_done_once(jobs):
    for which in (_threads.ALONE, pool()):
        for size, steps in jobs:
            counts = np.zeros(size, np.int64)
            _count_all(which, counts, steps)
            assert (counts == steps).all()


def test_jobs_that_follow_at_once_do_not_mix():
    """The parts are so short that a thread of the pool often comes when the job is over and the next one set."""
    first, second = np.zeros(3, np.int64), np.zeros(17, np.int64)
    for _ in range(20_000):
        _count_all(pool(), first, 1)
        _count_all(pool(), second, 1)
    assert first.tolist() == [20_000] * 3
    assert second.tolist() == [20_000] * 17


def test_a_part_may_spread_a_job_of_its_own():
    counts = np.zeros((40, 30), np.int64)
    _count_nested(pool(), counts)
    assert (counts == 1).all()


def test_many_threads_may_ask_at_once():
    counts = np.zeros((6, 50), np.int64)

    def ask(row):
        for _ in range(500):
            _count_all(pool(), row, 20)

    askers = [threading.Thread(target=ask, args=(row,)) for row in counts]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert (counts == 10_000).all()


@kernel
def _who(part, meeting, rounds):
    """Wait for the other parts: with one thread for all of them none would ever see the others."""
    meeting[part] = 1
    for _ in range(rounds):
        _threads._let_others_run()
        if meeting.sum() == meeting.size:
            return


@kernel
def _meet(pool, meeting, rounds):
    spread(pool, _who, meeting.size, (meeting, rounds))
    return meeting.sum()


@several_threads
def test_parts_run_at_the_same_time():
    """Two parts that wait for each other both end early, where they run at once; else they take all their rounds."""
    rounds = 3_000_000
    _meet(pool(), np.zeros(2, np.int64), 1)

    def seconds(which):
        start = time.perf_counter()
        _meet(which, np.zeros(2, np.int64), rounds)
        return time.perf_counter() - start

    assert min(seconds(pool()) for _ in range(20)) < seconds(_threads.ALONE) / 2


@several_threads
def test_the_number_of_threads():
    before = _threads.get_num_threads()
    try:
        _threads.set_num_threads(1)
        assert _threads.get_num_threads() == 1
        assert pool() is _threads.ALONE
        _threads.set_num_threads(2)
        assert pool() is not _threads.ALONE
        for bad in (0, -1, _threads.MOST_THREADS + 1):
            with pytest.raises(ValueError, match=f"expected 1 to {_threads.MOST_THREADS} threads, got {bad}"):
                _threads.set_num_threads(bad)
        assert _threads.get_num_threads() == 2
    finally:
        _threads.set_num_threads(before)


def run(program: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "TINYGRAD_FR_QUIET": "1"}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=300, check=False
    )


AFTER_A_FORK = """
import os, sys, numpy as np
from tinygrad_fr.kernels import gemm
x = np.ones((300, 300), np.float32)
assert gemm.matmul(x, x)[0, 0] == 300
child = os.fork()
if child == 0:
    right = gemm.matmul(x, x)[0, 0] == 300 and gemm.matmul(x, x)[299, 299] == 300
    sys.stdout.flush()
    sys.exit(0 if right else 1)
assert gemm.matmul(x, x)[0, 0] == 300
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_computes_too():
    done = run("import warnings; warnings.simplefilter('ignore')\n" + AFTER_A_FORK)
    assert done.returncode == 0, done.stderr


AT_THE_END = """
import threading, numpy as np
from tinygrad_fr.kernels import gemm
x = np.ones((300, 300), np.float32)
gemm.matmul(x, x)
def compute():
    while True:
        gemm.matmul(x, x)
for _ in range(3):
    threading.Thread(target=compute, daemon=True).start()
print(gemm.matmul(x, x)[0, 0])
"""


def test_a_process_ends_well_while_threads_compute():
    for _ in range(3):
        done = run(AT_THE_END)
        assert (done.returncode, done.stdout) == (0, "300.0\n"), done.stderr


LOCAL_ARRAY = """
import numpy as np
from tinygrad_fr.kernels import _threads
from tinygrad_fr.kernels._jit import kernel
from tinygrad_fr.kernels._threads import spread

@kernel
def copy(part, x, out):
    out[part] = x[part]

@kernel
def copy_all(pool, out):
    x = np.ones(out.size)
    spread(pool, copy, out.size, (x, out))

for pool in (_threads.ALONE, _threads.pool_for(1, least=0)):
    out = np.zeros(3000)
    copy_all(pool, out)
    print((out == 1).all())
"""


def test_an_array_of_the_kernel_itself_lives_until_the_job_is_done(tmp_path):
    """With this variable the C library overwrites what is freed."""
    program = tmp_path / "program.py"  # a file, for a kernel is kept by the place of its source
    program.write_text(LOCAL_ARRAY)
    environment = {**os.environ, "TINYGRAD_FR_QUIET": "1", "MALLOC_PERTURB_": "165"}
    done = subprocess.run(
        [sys.executable, program], env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    assert done.stdout.split() == ["True", "True"]


FORK_AT_ONCE = """
import os, signal, sys, warnings
import numpy as np
warnings.simplefilter("ignore")
from tinygrad_fr.kernels import gemm
x = np.ones((300, 300), np.float32)
gemm.matmul(x, x)
child = os.fork()
if child == 0:
    signal.alarm(60)
    sys.exit(0 if gemm.matmul(np.ones((300, 300)), np.ones((300, 300)))[0, 0] == 300 else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_process_may_fork_as_soon_as_the_threads_are_there():
    """A thread that still loads its code holds a lock, which the child would wait for in vain."""
    done = run(FORK_AT_ONCE)
    assert done.returncode == 0, done.stderr


@several_threads
def test_without_leave_for_more_threads_the_work_is_done_by_those_there_are(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_threads, "_pool", None)
    monkeypatch.setattr(_threads, "_workers", [])
    monkeypatch.setattr(threading.Thread, "start", refuse)
    counts = np.zeros(100, np.int64)
    _count_all(pool(), counts, 3)
    assert (counts == 3).all()


@pytest.mark.parametrize("bad", [1.5, "2", None, True])
def test_a_number_of_threads_that_is_no_int(bad):
    with pytest.raises(TypeError, match="expects an int"):
        _threads.set_num_threads(bad)
