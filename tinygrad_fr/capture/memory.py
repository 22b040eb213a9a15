"""Where the arrays of a program lie: one block of memory, whose parts serve one array after the other."""

from collections.abc import Iterable

import numpy as np

from .trace import Call, Layout, Value

_LINE = 64  # bytes: every array begins on a line of the cache


class Arena:
    """The place of every value that a program makes, but those that ``own`` their memory.

    ``forward`` and ``backward`` are its calls; what the backward reads of the forward's is never written over, so that
    it may run more than once.
    """

    def __init__(self, forward: list[Call], backward: list[Call], lasting: Iterable[Value], own: set[Value]):
        self.offsets: dict[Value, int] = {}
        self.size = 0
        self._free: list[tuple[int, int]] = []  # (offset, size)
        last = _last_uses(forward, backward, lasting)
        for i, call in enumerate([*forward, *backward]):
            for each in call.makes():
                if each not in own:
                    self.offsets[each] = self._take(_rounded(each))
            for each in {each.root for each in (*call.reads(), *call.makes())}:
                if each in self.offsets and last.get(each, i) == i:
                    self._give_back(self.offsets[each], _rounded(each))

    def _take(self, size: int) -> int:
        """The offset of ``size`` bytes: the smallest free part that has room, else at the end."""
        fitting = [part for part in self._free if part[1] >= size]
        if not fitting:
            self.size += size
            return self.size - size
        best = min(fitting, key=lambda part: part[1])
        self._free.remove(best)
        if best[1] > size:
            self._free.append((best[0] + size, best[1] - size))
        return best[0]

    def _give_back(self, offset: int, size: int) -> None:
        """Free a part, as one with those beside it."""
        for part in list(self._free):
            if part[0] + part[1] == offset or offset + size == part[0]:
                self._free.remove(part)
                offset, size = min(offset, part[0]), size + part[1]
        self._free.append((offset, size))

    def arrays(self) -> dict[Value, np.ndarray]:
        """The arrays of all values, in a new block of memory."""
        block = np.empty(self.size + _LINE, np.uint8)
        begin = -block.ctypes.data % _LINE
        return {value: _array_at(block, begin + offset, value.layout) for value, offset in self.offsets.items()}


def _last_uses(forward: list[Call], backward: list[Call], lasting: Iterable[Value]) -> dict[Value, int]:
    """The number of the last call that uses each value."""
    calls = [*forward, *backward]
    last: dict[Value, int] = {}
    made_forward = {each for call in forward for each in call.makes()}
    for i, call in enumerate(calls):
        for each in (*call.reads(), *call.writes):
            root = each.root
            last[root] = len(calls) if i >= len(forward) and root in made_forward else i
    last.update((each.root, len(calls)) for each in lasting)
    return last


def _rounded(value: Value) -> int:
    return max(_LINE, -(-value.layout.nbytes // _LINE) * _LINE)


def _array_at(block: np.ndarray, offset: int, like: Layout) -> np.ndarray:
    """An array of the layout of ``like`` in a block of memory."""
    return np.ndarray(like.shape, like.dtype, block, offset, strides_of(like))


def strides_of(like: Layout) -> tuple[int, ...]:
    """The strides of a new array without gaps, its axes in the order of those of ``like``."""
    order = sorted(range(len(like.shape)), key=lambda axis: -abs(like.strides[axis]) if like.shape[axis] > 1 else 0)
    if like.is_plain:
        order = list(range(len(like.shape)))
    strides, step = [0] * len(like.shape), like.itemsize
    for axis in reversed(order):
        strides[axis] = step
        step *= max(like.shape[axis], 1)
    return tuple(strides)
