"""Records what PyTorch's optimisers do, for the tests of optimisers.  Run: python record_optim.py > optim.json

Needs PyTorch; the tests need only the file. Each case starts from the same parameter and takes 50 steps, whose
gradients are written out by `gradient`; the parameter is kept after steps 1, 2, 10 and 50, the states after 50.
"""

import json
import math

import torch

STEPS = (1, 2, 10, 50)

CASES = {
    "sgd": {},
    "sgd momentum": {"momentum": 0.9},
    "sgd dampening": {"momentum": 0.9, "dampening": 0.3},
    "sgd nesterov": {"momentum": 0.8, "nesterov": True},
    "sgd weight_decay": {"weight_decay": 0.1},
    "sgd all": {"momentum": 0.9, "dampening": 0.1, "weight_decay": 0.05, "maximize": True},
    "sgd nesterov weight_decay": {"momentum": 0.9, "nesterov": True, "weight_decay": 0.05},
    "adam": {},
    "adam betas": {"betas": (0.8, 0.95), "eps": 1e-3},
    "adam weight_decay": {"weight_decay": 0.1},
    "adam amsgrad": {"amsgrad": True, "weight_decay": 0.1},
    "adam maximize": {"maximize": True},
    "adamw": {"weight_decay": 0.1},
    "adamw amsgrad": {"weight_decay": 0.1, "amsgrad": True},
    "adamw maximize": {"weight_decay": 0.1, "maximize": True},
    "adagrad": {},
    "adagrad lr_decay": {"lr_decay": 0.1, "weight_decay": 0.05},
    "adagrad all": {"lr_decay": 0.01, "initial_accumulator_value": 0.5, "eps": 1e-3, "maximize": True},
    "rmsprop": {},
    "rmsprop alpha": {"alpha": 0.8, "eps": 1e-3, "weight_decay": 0.1},
    "rmsprop momentum": {"momentum": 0.9},
    "rmsprop centered": {"centered": True, "eps": 1e-2, "maximize": True},
    "rmsprop all": {"alpha": 0.9, "momentum": 0.5, "centered": True, "weight_decay": 0.05, "eps": 1e-2},
    "adadelta": {},
    "adadelta rho": {"rho": 0.6, "eps": 1e-3},
    "adadelta all": {"rho": 0.8, "weight_decay": 0.1, "maximize": True},
    "adamax": {},
    "adamax betas": {"betas": (0.7, 0.9), "eps": 1e-2},
    "adamax all": {"weight_decay": 0.1, "maximize": True},
    "nadam": {},
    "nadam betas": {"betas": (0.8, 0.95), "eps": 1e-3, "momentum_decay": 0.1},
    "nadam weight_decay": {"weight_decay": 0.1},
    "nadam all": {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    "radam": {},
    "radam betas": {"betas": (0.8, 0.95), "eps": 1e-3},
    "radam weight_decay": {"weight_decay": 0.1},
    "radam all": {"weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True},
    "rprop": {},
    "rprop etas": {"etas": (0.3, 1.5), "step_sizes": (1e-3, 0.1)},
    "rprop maximize": {"maximize": True},
    "asgd": {},
    "asgd average": {"t0": 5, "lambd": 1e-2, "alpha": 0.5},
    "asgd all": {"t0": 20, "weight_decay": 0.1, "maximize": True},
}
METHODS = {
    "sgd": torch.optim.SGD,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "adagrad": torch.optim.Adagrad,
    "rmsprop": torch.optim.RMSprop,
    "adadelta": torch.optim.Adadelta,
    "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam,
    "radam": torch.optim.RAdam,
    "rprop": torch.optim.Rprop,
    "asgd": torch.optim.ASGD,
}


def start() -> list[float]:
    return [math.cos(3 * i) for i in range(7)]


def gradient(step: int) -> list[float]:
    """Gradients that change sign and size, so that largest and running values differ."""
    return [math.sin(1.3 * step + i) * (1 + 3 * (step % 7 == i)) for i in range(7)]


def record(name: str, options: dict) -> dict:
    p = torch.tensor(start(), dtype=torch.float64, requires_grad=True)
    optimizer = METHODS[name.split()[0]]([p], lr=0.05, **options)
    kept = {}
    for step in range(1, max(STEPS) + 1):
        p.grad = torch.tensor(gradient(step), dtype=torch.float64)
        optimizer.step()
        if step in STEPS:
            kept[str(step)] = p.tolist()
    state = {key: [str(value.dtype), value.tolist()] for key, value in optimizer.state[p].items() if value is not None}
    return {"options": options, "lr": 0.05, "p": kept, "state": state}


def record_two_groups() -> dict:
    """Groups with options of their own, one of them added later; a rate that is assigned between the steps."""
    p, q, r = (torch.tensor(start(), dtype=torch.float64, requires_grad=True) for _ in range(3))
    optimizer = torch.optim.NAdam([{"params": [p]}, {"params": [q], "lr": 0.01, "betas": (0.5, 0.9)}], lr=0.05)
    for step in range(1, 51):
        if step == 20:
            optimizer.add_param_group({"params": [r], "weight_decay": 0.1})
        for group in optimizer.param_groups:
            group["lr"] *= 0.99
        for each in (p, q, r):
            each.grad = torch.tensor(gradient(step), dtype=torch.float64)
        optimizer.step()
    return {"p": [each.tolist() for each in (p, q, r)]}


def defaults(method: type) -> dict:
    return {key: value for key, value in method([torch.ones(1)]).param_groups[0].items() if key != "params"}


if __name__ == "__main__":
    recorded = {
        "torch": torch.__version__.split("+")[0],
        "cases": {name: record(name, options) for name, options in CASES.items()},
        "two groups": record_two_groups(),
        "defaults": {name: defaults(method) for name, method in METHODS.items()},
    }
    print(json.dumps(recorded, indent=1))
