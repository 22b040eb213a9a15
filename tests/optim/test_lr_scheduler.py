"""The schedulers: PyTorch's recorded rates, saving and resuming, warnings, what is refused, compiled steps."""

import copy
import json
import math
import warnings
from pathlib import Path

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.optim import lr_scheduler

from . import schedules

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "lr_scheduler.json").read_text())["cases"]


def new_optimizer(method=optim.SGD, **options):
    p = torch.ones(1, requires_grad=True)
    p.grad = torch.ones(1)
    return method([p], **{"lr": 0.8, **options})


def rate(optimizer):
    return optimizer.param_groups[0]["lr"]


def steps(optimizer, scheduler, count):
    """The rates of so many steps."""
    seen = []
    for _ in range(count):
        optimizer.step()
        scheduler.step()
        seen.append(rate(optimizer))
    return seen


# PyTorch warns so, too, when a chain is the first of a sequence
ignores_the_chain = pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")


@ignores_the_chain
@pytest.mark.parametrize("name", schedules.CASES)
def test_fifty_steps_are_pytorchs(name):
    found, expected = schedules.run(torch, name), GOLDEN[name]
    for one, other in zip(found["rates"], expected["rates"], strict=True):
        for group, recorded in zip(one, other, strict=True):
            np.testing.assert_allclose(group, recorded, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found["last"], expected["last"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found["parameters"], expected["parameters"], rtol=1e-11, atol=1e-12)
    assert found["group"] == expected["group"]
    assert found["state"] == expected["state"]


@ignores_the_chain
@pytest.mark.parametrize("name", schedules.CASES)
def test_a_resumed_schedule_goes_on_as_if_nothing_had_happened(name):
    one, other = schedules.start(torch, name), schedules.start(torch, name)
    for i in range(23):
        schedules.take_step(torch, i, *one)
    saved = copy.deepcopy((one[2].state_dict(), one[3].state_dict()))
    before = copy.deepcopy(saved[1])
    other[2].load_state_dict(saved[0])
    other[3].load_state_dict(saved[1])
    assert str(saved[1]) == str(before)  # what is loaded is not written to
    for i in range(23, 50):
        for each in (one, other):
            schedules.take_step(torch, i, *each)
        assert schedules.rates(one[2]) == schedules.rates(other[2])
        assert one[3].get_last_lr() == other[3].get_last_lr()


def test_resuming_with_last_epoch():
    optimizer = new_optimizer()
    with pytest.raises(KeyError, match=r"'initial_lr' is not specified in param_groups\[0\] when resuming"):
        lr_scheduler.StepLR(optimizer, 2, last_epoch=3)
    optimizer.param_groups[0].update(initial_lr=0.8, lr=0.4)
    scheduler = lr_scheduler.StepLR(optimizer, 2, 0.5, last_epoch=2)
    assert (scheduler.last_epoch, scheduler.base_lrs, rate(optimizer)) == (3, [0.8], 0.4)
    assert steps(optimizer, scheduler, 3) == [0.2, 0.2, 0.1]


def test_a_new_scheduler_begins_with_the_initial_rate_of_an_earlier_one():
    optimizer = new_optimizer()
    steps(optimizer, lr_scheduler.ExponentialLR(optimizer, 0.5), 2)
    assert lr_scheduler.LambdaLR(optimizer, lambda _: 1.0).base_lrs == [0.8]
    assert rate(optimizer) == 0.8


@pytest.mark.parametrize("epoch", [0, 1, 7, 12, 30])
@pytest.mark.parametrize(
    "make",
    [
        lambda o: lr_scheduler.StepLR(o, 3, 0.5),
        lambda o: lr_scheduler.MultiStepLR(o, [2, 10, 10], 0.5),
        lambda o: lr_scheduler.ConstantLR(o, 0.25, 10),
        lambda o: lr_scheduler.LinearLR(o, 0.2, 0.8, 9),
        lambda o: lr_scheduler.ExponentialLR(o, 0.9),
        lambda o: lr_scheduler.PolynomialLR(o, 20, 2.0),
        lambda o: lr_scheduler.CosineAnnealingLR(o, 8, 0.01),
        lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 1 / (1 + epoch)),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 5, 2, 0.01),
    ],
)
def test_the_rate_after_so_many_steps_at_once(make, epoch):
    slow, quick = new_optimizer(), new_optimizer()
    by_steps, at_once = make(slow), make(quick)
    steps(slow, by_steps, epoch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        at_once.step(epoch)
    assert rate(quick) == pytest.approx(rate(slow), rel=1e-10, abs=1e-15)
    assert by_steps.last_epoch == at_once.last_epoch == epoch


def test_restarts_at_fractions_of_an_epoch():
    optimizer = new_optimizer()
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 2)
    for epoch, expected in ((0.5, 0.4 + 0.4 * math.cos(math.pi / 4)), (1.0, 0.4), (2.0, 0.8), (3.0, 0.4)):
        scheduler.step(epoch)
        assert rate(optimizer) == pytest.approx(expected)


# ---------------------------------------------------------------------------------------------------------------
# Warnings.


def test_a_step_before_the_optimizers_is_warned_of():
    optimizer = new_optimizer()
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    with pytest.warns(UserWarning, match=r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        scheduler.step()
    scheduler.step()  # once is enough


def test_an_optimizer_with_a_step_of_its_own_counts():
    class Own(optim.Optimizer):
        def step(self, closure=None):
            return None

    optimizer = Own([torch.ones(1, requires_grad=True)], {"lr": 0.5})
    steps(optimizer, lr_scheduler.ExponentialLR(optimizer, 0.5), 2)


def test_replays_of_a_compiled_step_count():
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scheduled, seen = [], []

    @torch.compile
    def step(x):
        optimizer.zero_grad()
        loss = model(x).square().sum()
        loss.backward()
        optimizer.step()
        return loss

    for i in range(8):
        seen.append(step(torch.ones(1, 2) * i).item())
        if i == 4:
            scheduled.append(lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10))
        for each in scheduled:
            each.step()
    assert all(map(math.isfinite, seen))


def test_get_lr_is_not_for_users():
    scheduler = lr_scheduler.StepLR(new_optimizer(), 2)
    with pytest.warns(UserWarning, match=r"please use `get_last_lr\(\)`"):
        assert scheduler.get_lr() == [0.8]


def test_an_epoch_is_deprecated():
    optimizer = new_optimizer()
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    with pytest.warns(UserWarning, match="epoch parameter"):
        scheduler.step(3)
    assert rate(optimizer) == 0.1


# ---------------------------------------------------------------------------------------------------------------
# Schedulers of users.


def test_a_scheduler_of_the_users():
    class Harmonic(lr_scheduler.LRScheduler):
        def get_lr(self):
            return [rate / (1 + self.last_epoch) for rate in self.base_lrs]

    optimizer = new_optimizer()
    scheduler = Harmonic(optimizer)
    assert steps(optimizer, scheduler, 3) == pytest.approx([0.4, 0.8 / 3, 0.2])
    with pytest.warns(UserWarning, match="epoch parameter"):
        scheduler.step(7)
    assert scheduler.get_last_lr() == [0.1]


def test_a_scheduler_without_rates():
    with pytest.raises(NotImplementedError, match="get_lr"):
        lr_scheduler.LRScheduler(new_optimizer())


@ignores_the_chain
def test_states_can_be_saved_to_a_file(tmp_path):
    for name in schedules.CASES:
        *_, scheduler = schedules.start(torch, name)
        if name != "LambdaLR of each group":
            torch.save(scheduler.state_dict(), tmp_path / "scheduler")
            scheduler.load_state_dict(torch.load(tmp_path / "scheduler"))


# ---------------------------------------------------------------------------------------------------------------
# What is refused.

O = new_optimizer()  # noqa: E741
S = lr_scheduler
REFUSED = {
    "no optimizer": (TypeError, "int is not an Optimizer", lambda: S.StepLR(3, 2)),
    "no optimizer, plateau": (TypeError, "int is not an Optimizer", lambda: S.ReduceLROnPlateau(3)),
    "lambdas": (ValueError, "Expected 1 lr_lambdas, but got 2", lambda: S.LambdaLR(O, [abs, abs])),
    "no function": (TypeError, "should be a function, but got int", lambda: S.MultiplicativeLR(O, 3)),
    "constant": (ValueError, "between 0 and 1", lambda: S.ConstantLR(O, 2.0)),
    "start": (ValueError, "Starting multiplicative factor", lambda: S.LinearLR(O, 0.0)),
    "end": (ValueError, "Ending multiplicative factor", lambda: S.LinearLR(O, 0.5, 1.5)),
    "T_0": (ValueError, "positive integer T_0, but got 0", lambda: S.CosineAnnealingWarmRestarts(O, 0)),
    "T_mult": (ValueError, "T_mult >= 1, but got 1.5", lambda: S.CosineAnnealingWarmRestarts(O, 2, 1.5)),
    "eta_min": (ValueError, "float or int eta_min", lambda: S.CosineAnnealingWarmRestarts(O, 2, 1, "0")),
    "no steps": (ValueError, "either total_steps OR", lambda: S.OneCycleLR(O, 0.1)),
    "total": (ValueError, "positive integer total_steps, but got 0", lambda: S.OneCycleLR(O, 0.1, 0)),
    "epochs": (
        ValueError,
        "positive integer epochs, but got 1.5",
        lambda: S.OneCycleLR(O, 0.1, epochs=1.5, steps_per_epoch=2),
    ),
    "pct": (ValueError, "between 0 and 1 pct_start, but got 2", lambda: S.OneCycleLR(O, 0.1, 9, pct_start=2.0)),
    "anneal": (ValueError, "instead got sin", lambda: S.OneCycleLR(O, 0.1, 9, anneal_strategy="sin")),
    "rates": (ValueError, "max_lr has 2 values, param_groups has 1", lambda: S.OneCycleLR(O, [0.1, 0.2], 9)),
    "no momentum": (
        ValueError,
        "must support momentum or beta1",
        lambda: S.OneCycleLR(new_optimizer(optim.Adagrad), 0.1, 9),
    ),
    "mode of cycles": (ValueError, "mode is invalid", lambda: S.CyclicLR(O, 0.1, 0.2, mode="square")),
    "factor": (ValueError, "Factor should be < 1.0", lambda: S.ReduceLROnPlateau(O, factor=1.0)),
    "mode": (ValueError, "mode best is unknown!", lambda: S.ReduceLROnPlateau(O, "best")),
    "threshold": (ValueError, "threshold mode x is unknown!", lambda: S.ReduceLROnPlateau(O, threshold_mode="x")),
    "min_lrs": (ValueError, "expected 1 min_lrs, got 2", lambda: S.ReduceLROnPlateau(O, min_lr=[0, 0])),
    "chain of none": (ValueError, "at least one scheduler", lambda: S.ChainedScheduler([])),
    "chain of others": (TypeError, "at index 0 should have `optimizer`", lambda: S.ChainedScheduler([3], O)),
    "chain of plateaus": (
        ValueError,
        "does not support `ReduceLROnPlateau`",
        lambda: S.ChainedScheduler([S.ReduceLROnPlateau(O)]),
    ),
    "two optimizers": (
        ValueError,
        "belong to the same optimizer",
        lambda: S.SequentialLR(O, [S.StepLR(O, 1), S.StepLR(new_optimizer(), 1)], [1]),
    ),
    "milestones": (
        ValueError,
        "one more than the number of milestone",
        lambda: S.SequentialLR(O, [S.StepLR(O, 1)], [1]),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_arguments_are_refused(name):
    kind, words, call = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()


def test_too_many_steps_of_one_cycle():
    optimizer = new_optimizer()
    scheduler = lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=2)
    steps(optimizer, scheduler, 2)
    with pytest.raises(ValueError, match=r"Tried to step 3 times\. The specified number of total steps is 2"):
        scheduler.step()


def test_a_plateau_with_a_group_that_came_later():
    optimizer = new_optimizer()
    by_list, by_number = (
        lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=least) for least in ([0.01], 0.01)
    )
    optimizer.add_param_group({"params": [torch.ones(1, requires_grad=True)], "lr": 0.05})
    by_number.step(1.0)
    by_number.step(1.0)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.08, 0.01])
    by_list.step(1.0)
    with pytest.raises(RuntimeError, match="differs from when `ReduceLROnPlateau` was initialized"):
        by_list.step(1.0)
