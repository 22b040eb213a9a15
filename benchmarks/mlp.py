"""One training step of 784-H-10 with Adam, eager: forward, cross-entropy, backward, update."""

import importlib
from collections.abc import Callable
from typing import Any

LIBRARIES = ("tinygrad_fr", "torch")
THREADS = (1, 2)
NETS = ((128, 64), (512, 128), (1024, 256), (128, 1))  # hidden units, batch


def cases(library: str) -> dict[str, Callable[[], Any]]:
    """A step of each net; the same lines for both libraries."""
    torch = importlib.import_module(library)
    nn, optim = importlib.import_module(f"{library}.nn"), importlib.import_module(f"{library}.optim")
    return {f"H={hidden}, batch {batch}": step(torch, nn, optim, hidden, batch) for hidden, batch in NETS}


def step(torch: Any, nn: Any, optim: Any, hidden: int, batch: int) -> Callable[[], None]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    optimizer = optim.Adam(model.parameters())
    criterion = nn.CrossEntropyLoss()
    x, y = torch.rand(batch, 784), torch.randint(0, 10, (batch,))

    def run() -> None:
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return run
