"""Settings of the tests: hypothesis profiles, and a guard against tests that leave global state changed.

The default profile draws the same examples every time; ``HYPOTHESIS_PROFILE=long`` draws many more, and new ones. No
test has a deadline: the first call of a kernel compiles it.
"""

import os
import sys

import hypothesis
import pytest

hypothesis.settings.register_profile("default", deadline=None, max_examples=50, derandomize=True)
hypothesis.settings.register_profile("long", deadline=None, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def no_leaked_state():
    """Fail a test that leaves grad mode, recorder, default dtype, threads or random stream changed."""
    before = global_state()
    yield
    after = global_state()
    if before is not None:
        assert after == before, f"the test changed global state from {before} to {after}"


def global_state():
    """What a test may change but must put back; None where the engine is not loaded."""
    if "tinygrad_fr._names" not in sys.modules:
        return None
    import tinygrad_fr as torch
    from tinygrad_fr.autograd.mode import thread

    return {
        "grad mode": thread.mode.grad,
        "inference mode": thread.mode.inference,
        "recorder": thread.mode.recorder,
        "default dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "random stream of the thread": id(torch.default_generator._state),
    }
