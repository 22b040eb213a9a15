"""What a small op costs beside its arithmetic: its forward and the recording of the graph, on one thread.

And a whole training step of a net so small that there is next to no arithmetic. Where the step is compiled, it is what
Python and the starting of kernels cost in every step: a bound from above. And a step of a larger net, which where it is
compiled is replayed without its kernels: what a replay costs beside them. Eager it is whole.
"""

import importlib
from collections.abc import Callable
from typing import Any
from unittest import mock

from . import mlp
from .libraries import COMPILED, OURS

TITLE = "Small ops: forward and recording, one thread"
LIBRARIES = ("tinygrad_fr", "tinygrad_fr compiled", "torch", "jax", "mygrad", "micrograd")
THREADS = (1,)
SCALAR_CHAIN = "z = s*s + s; z = z*s; z.backward()"
STEP = "training step of 2-2-2, batch 1"
BESIDE = "training step of 784-128-10, batch 1 (compiled: without its kernels)"
BESIDE_NET = 1, (784, 128, 10)


def cases(library: str) -> dict[str, Callable[[], Any]]:
    """What is measured, by name; every library has those it can do."""
    if library == "micrograd":
        from micrograd.engine import Value

        return {SCALAR_CHAIN: scalar_chain(Value(2.0))}
    if library == "mygrad":
        mygrad = importlib.import_module(library)
        s, x, y = mygrad.tensor(2.0), mygrad.tensor([1.0] * 8), mygrad.tensor([1.0] * 8)
        return {SCALAR_CHAIN: scalar_chain(s), "x + y, 8 floats": lambda: x + y, "x * y, 8 floats": lambda: x * y}
    step = {STEP: mlp.step(library, 1, (2, 2, 2))}
    if library == COMPILED:
        return {**step, BESIDE: step_without_kernels(*BESIDE_NET)}
    if library == OURS:
        step[BESIDE] = mlp.step(library, *BESIDE_NET)
    return step if library == "jax" else {**torch_cases(importlib.import_module(library)), **step}


def step_without_kernels(batch: int, widths: tuple[int, ...]) -> Callable[[], Any]:
    """A compiled training step, recorded with its kernels and replayed as programs of none."""
    from tinygrad_fr.kernels import program

    class Empty(program.Program):
        def __init__(self, launches: list[Any]):
            super().__init__(launches)
            self._nothing = self._table[:0]

        def run(self) -> None:
            program._run(self._nothing, self._words, self._result)

    step = mlp.step(COMPILED, batch, widths)
    with mock.patch.object(program, "Program", Empty):
        for _ in range(4):  # eagerly, recorded, and replayed
            step()
    return step


def torch_cases(torch: Any) -> dict[str, Callable[[], Any]]:
    s = torch.tensor(2.0, requires_grad=True)
    x, y = torch.rand(8, requires_grad=True), torch.rand(8, requires_grad=True)
    plain = torch.rand(8)
    return {
        SCALAR_CHAIN: scalar_chain(s),
        "s * s, 0-d": lambda: s * s,
        "x + y, 8 floats": lambda: x + y,
        "x * y, 8 floats": lambda: x * y,
        "x / y, 8 floats": lambda: x / y,
        "x * 2.0, 8 floats": lambda: x * 2.0,
        "x.exp(), 8 floats": lambda: x.exp(),
        "x.relu(), 8 floats": lambda: x.relu(),
        "x.tanh(), 8 floats": lambda: x.tanh(),
        "x.sum(), 8 floats": lambda: x.sum(),
        "x.reshape(2, 4)": lambda: x.reshape(2, 4),
        "x[2:6]": lambda: x[2:6],
        "x * x, no gradient": lambda: plain * plain,
    }


def scalar_chain(s: Any) -> Callable[[], Any]:
    def run() -> None:
        z = s * s + s
        z = z * s
        z.backward()

    return run
