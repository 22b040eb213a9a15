"""Calling compiled kernels: at once, or put down for a `Program` that repeats them.

A wrapper calls its compiled function through `launch`, or `checked` where the function may find bad data. Inside
`collect` the calls are put down instead of made, so a wrapper may be part of a program if launches into arrays are all
that it does with their contents.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

FINE = -1  # what a kernel called by `checked` returns when nothing is wrong


class NotNative(Exception):
    """A call that is more than launches on arrays and integers: it cannot be part of a program."""


class Launch(NamedTuple):
    """A call of a compiled kernel; ``complain(number)`` raises for a number other than `FINE` that it returns."""

    kernel: Any
    arguments: tuple[Any, ...]
    complain: Callable[[int], None] | None


class _Collecting(threading.local):
    """The launches that the thread puts down, or None where it makes them."""

    launches: list[Launch] | None = None


_thread = _Collecting()

# One item for each `collect` that is under way in any thread: `_quick` looks at its length, which takes no lock.
COLLECTORS: list[None] = []


def _forget() -> None:
    """In a forked child, which has only the thread that forked: the others no longer collect."""
    if _thread.launches is None:
        COLLECTORS.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def launch(kernel: Any, *arguments: Any) -> Any:
    """Call a compiled kernel; gives what it returns."""
    if _thread.launches is None:
        return kernel(*arguments)
    _thread.launches.append(Launch(kernel, arguments, None))
    return None


def checked(kernel: Any, complain: Callable[[int], None], *arguments: Any) -> None:
    """Call a compiled kernel that returns `FINE`, or a number that ``complain`` turns into an exception."""
    if _thread.launches is None:
        found = kernel(*arguments)
        if found != FINE:
            complain(found)
    else:
        _thread.launches.append(Launch(kernel, arguments, complain))


def collecting() -> bool:
    """Whether the launches of this thread are put down instead of made."""
    return _thread.launches is not None


def not_in_a_program(why: str) -> None:
    """Raise `NotNative` inside `collect`: a wrapper is about to do more than launch kernels."""
    if _thread.launches is not None:
        raise NotNative(why)


@contextmanager
def collect() -> Iterator[list[Launch]]:
    """Put down the launches of this thread instead of making them."""
    before, _thread.launches = _thread.launches, []
    COLLECTORS.append(None)
    try:
        yield _thread.launches
    finally:
        COLLECTORS.pop()
        _thread.launches = before
