"""What the tests of all examples use; importing ``examples`` lets them be imported by their bare names."""

import signal
from pathlib import Path

import pytest

import examples
import tinygrad_fr as torch
from tinygrad_fr import datasets

EXAMPLES = Path(examples.__file__).parent


@pytest.fixture
def small_digits(monkeypatch, tmp_path):
    """No MNIST to be found, and none to be fetched: the examples take scikit-learn's digits."""
    monkeypatch.delenv("TINYGRAD_FR_DATA", raising=False)
    monkeypatch.setattr(datasets, "default_root", lambda: tmp_path / "cache")
    monkeypatch.setattr(datasets.MNIST, "mirrors", ["http://localhost:1/"])  # where nobody answers


@pytest.fixture
def threads():
    """Lets a test change the number of threads."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def no_notice_of_compiling(monkeypatch):
    monkeypatch.setenv("TINYGRAD_FR_QUIET", "1")


@pytest.fixture(autouse=True)
def signals():
    """An example that was interrupted ignores further signals."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
