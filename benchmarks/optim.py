"""One step of an optimiser, the gradients being there: over the arrays of 784-128-10, and over many small ones."""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import by_hand

TITLE = "One step of an optimiser, float32"
LIBRARIES = ("tinygrad_fr", "numpy", "torch", "torch foreach", "torch fused", "jax")
THREADS = (1, 2)
LR, MOMENTUM = 1e-6, 0.9  # so small that the parameters stay where they are, however often a step is timed
METHODS = ("SGD", "SGD with momentum", "Adam")
SHAPES = {
    "784-128-10": [(128, 784), (128,), (10, 128), (10,)],
    "200 arrays of 100": [(100,)] * 200,
}

Arrays = list[np.ndarray]


def cases(library: str) -> dict[str, Callable[[], Any]]:
    """Functions that make a step and give the parameters."""
    timed = {"numpy": _numpy, "jax": _jax}.get(library) or _torch_like(library)
    found = {}
    for shapes_name, shapes in SHAPES.items():
        for method in METHODS:
            generator = np.random.default_rng(0)
            parameters = [generator.standard_normal(shape, np.float32) for shape in shapes]
            gradients = [generator.standard_normal(shape, np.float32) for shape in shapes]
            found[f"{method}, {shapes_name}"] = timed(method, parameters, gradients)
    return found


def _torch_like(library: str) -> Callable[[str, Arrays, Arrays], Callable[[], Any]]:
    torch = by_hand.torch_like(library)
    _, _, way = library.partition(" ")
    options = {way: True} if way else {}

    def timed(method: str, parameters: Arrays, gradients: Arrays) -> Callable[[], Any]:
        tensors = [torch.from_numpy(each).requires_grad_() for each in parameters]
        for p, g in zip(tensors, gradients, strict=True):
            p.grad = torch.from_numpy(g)
        if method == "Adam":
            optimizer = torch.optim.Adam(tensors, lr=LR, **options)
        else:
            momentum = MOMENTUM if "momentum" in method else 0
            optimizer = torch.optim.SGD(tensors, lr=LR, momentum=momentum, **options)

        def run() -> Any:
            optimizer.step()
            return tensors

        return run

    return timed


def _numpy(method: str, parameters: Arrays, gradients: Arrays) -> Callable[[], Any]:
    if method == "Adam":
        step = by_hand.NumpyAdam(parameters, LR).step
    else:
        step = _NumpySGD(parameters, "momentum" in method).step

    def run() -> Any:
        step(gradients)
        return parameters

    return run


class _NumpySGD:
    def __init__(self, parameters: Arrays, with_momentum: bool):
        self.with_momentum = with_momentum
        self.state = [(p, np.zeros_like(p), np.empty_like(p)) for p in parameters]

    def step(self, gradients: Arrays) -> None:
        for (p, velocity, work), g in zip(self.state, gradients, strict=True):
            if self.with_momentum:
                velocity *= MOMENTUM
                velocity += g
                g = velocity
            p -= np.multiply(g, LR, out=work)


def _jax(method: str, parameters: Arrays, gradients: Arrays) -> Callable[[], Any]:
    import jax

    state = by_hand.jax_start(parameters)
    step = jax.jit({"SGD": _jax_sgd, "Adam": _jax_adam}.get(method, _jax_momentum), donate_argnums=0)
    given = [jax.numpy.array(g) for g in gradients]

    def run() -> Any:
        nonlocal state
        state = step(state, given)
        return jax.block_until_ready(state)[0]

    return run


def _jax_sgd(state: Any, gradients: Any) -> Any:
    parameters, *rest = state
    return [p - LR * g for p, g in zip(parameters, gradients, strict=True)], *rest


def _jax_momentum(state: Any, gradients: Any) -> Any:
    parameters, velocities, *rest = state
    velocities = [MOMENTUM * v + g for v, g in zip(velocities, gradients, strict=True)]
    return [p - LR * v for p, v in zip(parameters, velocities, strict=True)], velocities, *rest


def _jax_adam(state: Any, gradients: Any) -> Any:
    return by_hand.jax_adam(state, gradients, LR)
