"""Records what PyTorch's optimisers do, for tests/kernels/test_optim.py.  Run: python record_optim.py > optim.json

Needs PyTorch; the tests need only the file. Each case starts from the same parameter and takes 50 steps, whose
gradients are written out by `gradient`; the parameter is kept after steps 1, 2, 10 and 50.
"""

import json
import math

import torch

STEPS = (1, 2, 10, 50)

SGD_CASES = {
    "sgd": {},
    "sgd momentum": {"momentum": 0.9},
    "sgd dampening": {"momentum": 0.9, "dampening": 0.3},
    "sgd nesterov": {"momentum": 0.8, "nesterov": True},
    "sgd weight_decay": {"weight_decay": 0.1},
    "sgd all": {"momentum": 0.9, "dampening": 0.1, "weight_decay": 0.05, "maximize": True},
    "sgd nesterov weight_decay": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.05},
}
ADAM_CASES = {
    "adam": {},
    "adam betas": {"betas": (0.8, 0.95), "eps": 1e-3},
    "adam weight_decay": {"weight_decay": 0.1},
    "adam amsgrad": {"amsgrad": True, "weight_decay": 0.1},
    "adam maximize": {"maximize": True},
    "adamw": {"weight_decay": 0.1},
    "adamw amsgrad": {"weight_decay": 0.1, "amsgrad": True},
    "adamw maximize": {"weight_decay": 0.1, "maximize": True},
}


def start() -> list[float]:
    return [math.cos(3 * i) for i in range(7)]


def gradient(step: int) -> list[float]:
    """Gradients that change sign and size, so that largest and running values differ."""
    return [math.sin(1.3 * step + i) * (1 + 3 * (step % 7 == i)) for i in range(7)]


def record(name: str, options: dict) -> dict:
    p = torch.tensor(start(), dtype=torch.float64, requires_grad=True)
    method = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[name.split()[0]]
    optimizer = method([p], lr=0.05, **options)
    kept = {}
    for step in range(1, max(STEPS) + 1):
        p.grad = torch.tensor(gradient(step), dtype=torch.float64)
        optimizer.step()
        if step in STEPS:
            kept[str(step)] = p.tolist()
    return {"options": options, "lr": 0.05, "p": kept}


if __name__ == "__main__":
    cases = SGD_CASES | ADAM_CASES
    torch_version = torch.__version__.split("+")[0]
    print(json.dumps({"torch": torch_version, "cases": {n: record(n, o) for n, o in cases.items()}}, indent=1))
