"""The number of threads that kernels use."""

from . import kernels


def set_num_threads(int: int) -> None:
    """Use at most this many threads in every kernel; results do not depend on it."""
    kernels._threads.set_num_threads(int)


def get_num_threads() -> int:
    """How many threads the kernels use."""
    return kernels._threads.get_num_threads()
