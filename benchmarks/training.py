"""A training step of a net in the form of each library: forward, softmax cross-entropy, backward, Adam.

Rates are so small that nets stay as they were drawn, or nearly: after some thousand steps on one batch a trained net
would have gradients of 0 and subnormal numbers, and a faster library would get there sooner.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import by_hand
from .harness import Pace, Unavailable

PACE = Pace(case=0.12, least=3, warm_up=0.1)
CHECKED = 5  # steps whose losses must agree

Step = Callable[..., Any]  # gives the loss before it


class Net(NamedTuple):
    """A net in layers, of tinygrad_fr or PyTorch; the same in JAX; and what it begins with."""

    model: Callable[[Any], Any]  # the package -> Module, which gives scores (N, C)
    scores: Callable[[Any, Any], Any]  # parameters, x -> (N, C)
    parameters: by_hand.Arrays  # in the order in which the Module has them


def step(library: str, net: Net, x: np.ndarray, y: np.ndarray, lr: float) -> Step:
    """A step on this batch and these labels, y: (N,)."""
    return _jax(net, x, y, lr) if library == "jax" else _torch_like(library, net, x, y, lr)


def losses(steps: dict[str, Step]) -> dict[str, list[float]]:
    """Those of the first steps: they depend on all gradients, and on the update."""
    return {case: [run().item() for _ in range(CHECKED)] for case, run in steps.items()}


def _torch_like(library: str, net: Net, inputs: np.ndarray, labels: np.ndarray, lr: float) -> Step:
    torch = by_hand.torch_like(library)
    model = by_hand.begin_with(torch, net.model(torch), net.parameters)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, **({"fused": True} if library == "torch fused" else {}))
    criterion = torch.nn.CrossEntropyLoss()

    def step(x: Any, y: Any) -> Any:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    run = compiled(torch, step) if library.endswith("compiled") else step
    if library == "torch compiled":
        run = _or_unavailable(run)
    x, y = torch.from_numpy(inputs), torch.from_numpy(labels)
    return lambda: run(x, y)


def compiled(torch: Any, step: Any) -> Any:
    """The step by `compile` of tinygrad_fr or of PyTorch, which else would expect more shapes than it gets."""
    return torch.compile(step, dynamic=False) if torch.__name__ == "torch" else torch.compile(step)


def _or_unavailable(run: Step) -> Step:
    """``run``, which is Unavailable where PyTorch cannot compile: it needs a C++ compiler, and a Python it supports."""

    def call(*arguments: Any) -> Any:
        try:
            return run(*arguments)
        except Exception as error:
            raise Unavailable((str(error).strip() or type(error).__name__).splitlines()[0]) from error

    return call


def _jax(net: Net, inputs: np.ndarray, labels: np.ndarray, lr: float) -> Step:
    import jax

    step, state = by_hand.jax_step(net.scores, lr), by_hand.jax_start(net.parameters)
    x, y = jax.numpy.array(inputs), jax.numpy.array(labels)

    def run() -> Any:
        nonlocal state
        state, loss = step(state, x, y)
        jax.block_until_ready(state)
        return loss

    return run
