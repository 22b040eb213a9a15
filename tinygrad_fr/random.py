"""Generators of random numbers, and the default one that every draw uses unless it is given another."""

import operator
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .autograd import Tensor

_DEFAULT_SEED = 67280421310721  # PyTorch's, of a Generator that was given none
_STATE_BYTES = 16


class Generator:
    """A stream of random numbers, fixed by its seed.  ``device`` is the CPU.

    The stream is a counter hashed under the seed (Philox 4x32-10), so it does not depend on the number of threads.
    """

    _state: np.ndarray  # uint64 [seed, offset]; changed in place, for a recorded step keeps hold of the array

    def __init__(self, device: Any = "cpu"):
        from .autograd.device import device as as_device

        self.device = as_device(device)
        self._state = np.array([_DEFAULT_SEED, 0], np.uint64)

    def manual_seed(self, seed: int) -> "Generator":
        """Begin the stream of ``seed``, from -2**63 to 2**64 - 1. RuntimeError outside, or for anything but an int."""
        try:
            number = operator.index(seed)
        except TypeError:
            raise RuntimeError(f"manual_seed expected an int, but got {type(seed).__name__}") from None
        if not -(2**63) <= number < 2**64:
            raise RuntimeError(f"manual_seed expected a seed from -2**63 to 2**64 - 1, but got {number}")
        self._state[:] = np.array([number % 2**64, 0], np.uint64)
        return self

    def seed(self) -> int:
        """Begin the stream of a seed taken from the operating system, and return that seed."""
        number = int.from_bytes(os.urandom(8), "little")
        self.manual_seed(number)
        return number

    def initial_seed(self) -> int:
        """The seed of the stream."""
        return int(self._state[0])

    def get_state(self) -> "Tensor":
        """Where the stream is.  -> (16,) uint8: the seed, then the number of 128-bit blocks drawn."""
        from .autograd.tensor import wrap

        return wrap(np.frombuffer(self._state.astype("<u8").tobytes(), np.uint8).copy())

    def set_state(self, new_state: "Tensor") -> None:
        """Go on from a state that `get_state` gave. TypeError unless a uint8 Tensor, RuntimeError for another size."""
        from .autograd import Tensor

        if not isinstance(new_state, Tensor) or new_state.numpy().dtype != np.uint8:
            got = f"a Tensor of {new_state.dtype}" if isinstance(new_state, Tensor) else type(new_state).__name__
            raise TypeError(f"expected the state of a generator, a uint8 Tensor, but got {got}")
        state = new_state.numpy()
        if state.shape != (_STATE_BYTES,):
            raise RuntimeError(f"expected a state of shape ({_STATE_BYTES},), but got {state.shape}")
        self._state[:] = np.frombuffer(state.tobytes(), "<u8")

    def clone_state(self) -> "Generator":
        """Another generator, at the same place of the same stream."""
        other = Generator(self.device)
        other._state[:] = self._state
        return other

    def __repr__(self) -> str:
        seed, offset = self._state.tolist()
        return f"<tinygrad_fr.Generator seed={seed} offset={offset}>"


_local = threading.local()


class _DefaultGenerator(Generator):
    """The default generator. A thread may have a stream of its own in its place, so that data loaded by threads
    does not depend on which of them came first."""

    def __init__(self):
        super().__init__()
        self.seed()

    @property
    def _state(self) -> np.ndarray:
        try:
            return _local.state
        except AttributeError:
            return self._shared

    @_state.setter
    def _state(self, state: np.ndarray) -> None:
        self._shared = state


default_generator = _DefaultGenerator()


@contextmanager
def own_stream(seed: int) -> Iterator[None]:
    """In this thread, let the default generator draw from the stream of ``seed``; afterwards from its own again."""
    before = getattr(_local, "state", None)
    _local.state = np.array([seed % 2**64, 0], np.uint64)
    try:
        yield
    finally:
        if before is None:
            del _local.state
        else:
            _local.state = before


def manual_seed(seed: int) -> Generator:
    """Begin the stream of ``seed`` in the default generator, and return it."""
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Begin a stream of the operating system's choice in the default generator, and return its seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> "Tensor":
    """The state of the default generator.  -> (16,) uint8."""
    return default_generator.get_state()


def set_rng_state(new_state: "Tensor") -> None:
    """Set the state of the default generator to one that `get_rng_state` gave."""
    default_generator.set_state(new_state)
