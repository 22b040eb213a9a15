"""Programs with schedulers, for PyTorch (tests/golden/record_lr_scheduler.py) and for tinygrad_fr alike."""

import math
from types import SimpleNamespace

STEPS = 50


class Falling:
    """A factor that is an object, whose attributes are saved."""

    def __init__(self, base):
        self.base = base

    def __call__(self, epoch):
        return self.base**epoch


def measure(i):
    """What ReduceLROnPlateau is told: it gets better for a while, and not after."""
    return 1 / (1 + i) if i < 12 else 0.08 + 0.01 * math.sin(i)


def chained(s, optimizer):
    return s.ChainedScheduler([s.ConstantLR(optimizer, 0.1, 5), s.ExponentialLR(optimizer, 0.95)])


def sequential(s, optimizer):
    return s.SequentialLR(
        optimizer,
        [s.LinearLR(optimizer, 0.1, 1.0, 10), s.StepLR(optimizer, 7), s.CosineAnnealingLR(optimizer, 10)],
        [10, 30],
    )


def nested(s, optimizer):
    inner = s.ChainedScheduler([s.LinearLR(optimizer, 0.5, 1.0, 8), s.ExponentialLR(optimizer, 0.97)])
    return s.SequentialLR(optimizer, [inner, s.PolynomialLR(optimizer, 20, 2.0)], [15])


# The scheduler, made of (all schedulers, the optimiser), and the method it schedules
CASES = {
    "LambdaLR": (lambda s, o: s.LambdaLR(o, lambda epoch: 0.95**epoch), "SGD"),
    "LambdaLR of each group": (lambda s, o: s.LambdaLR(o, [lambda epoch: 1 / (1 + epoch), Falling(0.9)]), "SGD"),
    "MultiplicativeLR": (lambda s, o: s.MultiplicativeLR(o, lambda epoch: 0.9 if epoch % 3 else 1.05), "SGD"),
    "StepLR": (lambda s, o: s.StepLR(o, 8), "SGD"),
    "StepLR of gamma": (lambda s, o: s.StepLR(o, 5, gamma=0.5), "Adam"),
    "MultiStepLR": (lambda s, o: s.MultiStepLR(o, [30, 5, 12, 12], gamma=0.3), "SGD"),
    "ConstantLR": (lambda s, o: s.ConstantLR(o), "SGD"),
    "ConstantLR of factor": (lambda s, o: s.ConstantLR(o, 0.25, 10), "SGD"),
    "LinearLR": (lambda s, o: s.LinearLR(o), "SGD"),
    "LinearLR that falls": (lambda s, o: s.LinearLR(o, 1.0, 0.05, 30), "SGD"),
    "ExponentialLR": (lambda s, o: s.ExponentialLR(o, 0.9), "SGD"),
    "PolynomialLR": (lambda s, o: s.PolynomialLR(o), "SGD"),
    "PolynomialLR of power": (lambda s, o: s.PolynomialLR(o, 40, 0.9), "SGD"),
    "CosineAnnealingLR": (lambda s, o: s.CosineAnnealingLR(o, 15), "SGD"),
    "CosineAnnealingLR of eta_min": (lambda s, o: s.CosineAnnealingLR(o, 50, eta_min=1e-3), "AdamW"),
    "CosineAnnealingWarmRestarts": (lambda s, o: s.CosineAnnealingWarmRestarts(o, 10), "SGD"),
    "CosineAnnealingWarmRestarts of T_mult": (lambda s, o: s.CosineAnnealingWarmRestarts(o, 5, 2, 1e-3), "SGD"),
    "OneCycleLR": (lambda s, o: s.OneCycleLR(o, 0.1, total_steps=60), "SGD"),
    "OneCycleLR in three phases": (
        lambda s, o: s.OneCycleLR(o, [0.1, 0.2], epochs=6, steps_per_epoch=10, three_phase=True, pct_start=0.4),
        "Adam",
    ),
    "OneCycleLR on lines": (
        lambda s, o: s.OneCycleLR(o, 0.1, 50, anneal_strategy="linear", cycle_momentum=False, div_factor=10.0),
        "Adagrad",
    ),
    "CyclicLR": (lambda s, o: s.CyclicLR(o, 0.01, 0.1, step_size_up=8), "SGD"),
    "CyclicLR triangular2": (lambda s, o: s.CyclicLR(o, [0.01, 0.02], 0.1, 4, 7, mode="triangular2"), "Adam"),
    "CyclicLR exp_range": (lambda s, o: s.CyclicLR(o, 0.01, 0.1, 6, mode="exp_range", gamma=0.97), "SGD"),
    "CyclicLR of scale_fn": (
        lambda s, o: s.CyclicLR(o, 0.01, 0.1, 6, scale_fn=lambda x: 1 / x, cycle_momentum=False),
        "Adadelta",
    ),
    "SWALR": (lambda s, o: s.SWALR(o, 0.2), "SGD"),
    "SWALR of each group": (lambda s, o: s.SWALR(o, [0.2, 0.001], 30, "linear"), "SGD"),
    "SWALR at once": (lambda s, o: s.SWALR(o, 0.2, 0), "SGD"),
    "ReduceLROnPlateau": (lambda s, o: s.ReduceLROnPlateau(o, patience=3), "SGD"),
    "ReduceLROnPlateau max": (
        lambda s, o: s.ReduceLROnPlateau(o, "max", 0.5, 2, 0.05, "abs", cooldown=2, min_lr=[0.01, 0.001]),
        "SGD",
    ),
    "ChainedScheduler": (chained, "SGD"),
    "SequentialLR": (sequential, "SGD"),
    "SequentialLR of a chain": (nested, "SGD"),
}


def start(torch, case):
    """Two parameters in a group each, the optimiser and the scheduler of a case."""
    make, method = CASES[case]
    p, q = (torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64, requires_grad=True) for _ in range(2))
    options = {"momentum": 0.9} if method == "SGD" else {}
    groups = [{"params": [p]}, {"params": [q], "lr": 0.02}]
    optimizer = getattr(torch.optim, method)(groups, lr=0.05, **options)
    schedulers = SimpleNamespace(**vars(torch.optim.lr_scheduler), SWALR=torch.optim.swa_utils.SWALR)
    return p, q, optimizer, make(schedulers, optimizer)


def take_step(torch, i, p, q, optimizer, scheduler):
    """Step ``i``. The rate of the first group is changed by hand once."""
    for each, shift in ((p, 0.0), (q, 0.5)):
        each.grad = (each.detach() * math.cos(i) + shift) * 0.1
    optimizer.step()
    if hasattr(scheduler, "num_bad_epochs"):
        scheduler.step(measure(i))
    else:
        scheduler.step()
    if i == 20:
        optimizer.param_groups[0]["lr"] *= 0.5


def rates(optimizer):
    """For each group the rate, and the momentum or the betas."""
    return [
        [group["lr"], *([group["momentum"]] if "momentum" in group else group.get("betas", ()))]
        for group in optimizer.param_groups
    ]


def run(torch, case):
    """What is recorded of a case."""
    p, q, optimizer, scheduler = start(torch, case)
    seen = [rates(optimizer)]
    for i in range(STEPS):
        take_step(torch, i, p, q, optimizer, scheduler)
        seen.append(rates(optimizer))
    return {
        "rates": seen,
        "last": scheduler.get_last_lr(),
        "parameters": [p.tolist(), q.tolist()],
        "state": sorted(scheduler.state_dict()),
        "group": sorted(optimizer.param_groups[0]),
    }
