"""Whole training runs: after fifty compiled steps, on other batches each, all is as after fifty eager ones."""

from functools import partial

import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.nn import functional as F
from tinygrad_fr.optim import lr_scheduler

from .harness import eager, falls_back, may_fall_back, observed, python_calls, same_as_eager, values

STEPS = 50

METHODS = {
    "SGD": partial(optim.SGD, lr=0.1),
    "SGD with weight decay": partial(optim.SGD, lr=0.1, weight_decay=0.01),
    "momentum": partial(optim.SGD, lr=0.05, momentum=0.9),
    "momentum with dampening": partial(optim.SGD, lr=0.05, momentum=0.9, dampening=0.1),
    "Nesterov": partial(optim.SGD, lr=0.05, momentum=0.9, nesterov=True),
    "maximised": partial(optim.SGD, lr=0.001, maximize=True),
    "Adam": partial(optim.Adam, lr=0.01),
    "Adam with weight decay": partial(optim.Adam, lr=0.01, weight_decay=0.1, betas=(0.8, 0.9)),
    "AdamW": partial(optim.AdamW, lr=0.01, weight_decay=0.1),
    "amsgrad": partial(optim.Adam, lr=0.01, amsgrad=True),
    "AdamW with amsgrad": partial(optim.AdamW, lr=0.01, amsgrad=True),
    "Adagrad": partial(optim.Adagrad, lr=0.05, lr_decay=0.01),
    "RMSprop": partial(optim.RMSprop, lr=0.01),
    "centered RMSprop with momentum": partial(optim.RMSprop, lr=0.005, momentum=0.9, centered=True, weight_decay=0.01),
    "Adadelta": partial(optim.Adadelta, lr=1.0),
    "Adamax": partial(optim.Adamax, lr=0.01),
    "NAdam": partial(optim.NAdam, lr=0.01),
    "NAdam with decoupled weight decay": partial(optim.NAdam, lr=0.01, weight_decay=0.1, decoupled_weight_decay=True),
    "RAdam": partial(optim.RAdam, lr=0.01),
    "Rprop": partial(optim.Rprop, lr=0.01),
    "ASGD": partial(optim.ASGD, lr=0.1, t0=10, lambd=1e-3),
}


def classes(i, rows=8):
    """A batch that can be learnt: the class is the place of the largest of the first three numbers."""
    x = values(i, rows, 6)
    return x, x[:, :3].argmax(1)


def net(*between, out=3):
    return nn.Sequential(nn.Linear(6, 8), *between, nn.Linear(8, out))


def training(compile, model, optimizer, criterion, dtype=torch.float32):
    """``call(i)`` of a training: one compiled step."""

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    def call(i):
        x, y = classes(i)
        return step(x.to(dtype), y), model, optimizer

    return call


@pytest.mark.parametrize("method", METHODS)
@same_as_eager(calls=STEPS)
def test_methods(compile, method):
    model = net(nn.ReLU())
    return training(compile, model, METHODS[method](model.parameters()), nn.CrossEntropyLoss())


@pytest.mark.parametrize("method", METHODS)
@same_as_eager(calls=20)
def test_a_rate_that_changes_between_replays(compile, method):
    model = net(nn.Tanh())
    optimizer = METHODS[method](model.parameters())
    call = training(compile, model, optimizer, nn.CrossEntropyLoss())

    def with_another_rate(i):
        for group in optimizer.param_groups:
            group["lr"] *= 0.9
        return call(i)

    return with_another_rate


SCHEDULES = {
    "SGD": (partial(optim.SGD, lr=0.1, momentum=0.9), partial(lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=60)),
    "RMSprop": (partial(optim.RMSprop, momentum=0.9), partial(lr_scheduler.CyclicLR, base_lr=0.01, max_lr=0.1)),
    "Adam": (optim.Adam, partial(lr_scheduler.OneCycleLR, max_lr=0.1, total_steps=60)),
}


@pytest.mark.parametrize("method", SCHEDULES)
def test_scheduled_momentum_is_data(method):
    """Rates and momenta change at every step; the step is recorded once, and replayed from then on."""
    make, schedule = SCHEDULES[method]

    @same_as_eager(calls=20)
    def program(compile):
        model = net(nn.Tanh())
        optimizer = make(model.parameters())
        scheduler = schedule(optimizer)

        def step(x, y):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        compiled = compile(step)

        def call(i):
            with python_calls(step) as calls:
                loss = compiled(*classes(i))
            assert compile is eager or i < 3 or not calls, f"step {i} was not replayed"
            scheduler.step()
            return loss, model, optimizer

        return call

    program()


@same_as_eager(calls=12)
def test_momentum_switched_off_and_on(compile):
    model = net(nn.Tanh())
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, dampening=0.1)
    call = training(compile, model, optimizer, nn.CrossEntropyLoss())

    def switching(i):
        optimizer.param_groups[0]["momentum"] = (0.9, 0.9, 0.9, 0.5, 0.5, 0.5, 0, 0, 0, 0.9, 0.8, 0.0)[i]
        return call(i)

    return switching


@falls_back("step hooks of an optimizer")
def test_step_hooks(compile):
    model = net(nn.Tanh())
    optimizer = optim.Adam(model.parameters())
    call = training(compile, model, optimizer, nn.CrossEntropyLoss())
    steps = []

    def hooked_from_the_fourth_step_on(i):
        if i == 3:
            optimizer.register_step_post_hook(lambda *_: steps.append(i))
        return *call(i), list(steps)

    return hooked_from_the_fourth_step_on


LAYERS = {
    "tanh": lambda: [nn.Tanh()],
    "sigmoid": lambda: [nn.Sigmoid()],
    "silu": lambda: [nn.SiLU()],
    "leaky relu": lambda: [nn.LeakyReLU()],
    "softplus": lambda: [nn.Softplus()],
    "dropout": lambda: [nn.ReLU(), nn.Dropout(0.3)],
    "dropout before": lambda: [nn.Dropout(0.3), nn.Tanh(), nn.Dropout(0.1)],
    "no bias": lambda: [nn.ReLU(), nn.Linear(8, 8, bias=False), nn.ReLU()],
    "softmax": lambda: [nn.Softmax(1)],
}


@pytest.mark.parametrize("layers", LAYERS)
@same_as_eager(calls=STEPS)
def test_layers(compile, layers):
    model = net(*LAYERS[layers]())
    return training(compile, model, optim.Adam(model.parameters(), lr=0.01), nn.CrossEntropyLoss())


def one_hot(y):
    return (y.unsqueeze(1) == torch.arange(3)).float()


def focal(output, y):
    """A loss of element-wise ops and reductions, as users write them."""
    p = output.softmax(1).clamp(1e-6, 1.0)
    return -((1 - p) ** 2 * p.log() * one_hot(y)).sum(1).mean() + 1e-3 * output.abs().mean()


def huber_by_hand(output, y):
    error = (output - one_hot(y)).abs()
    return torch.where(error < 1.0, 0.5 * error**2, error - 0.5).mean()


LOSSES = {
    "cross-entropy": F.cross_entropy,
    "smoothed": partial(F.cross_entropy, label_smoothing=0.1),
    "negative log-likelihood": lambda output, y: F.nll_loss(output.log_softmax(1), y),
    "mean square": lambda output, y: F.mse_loss(output, one_hot(y)),
    "mean square by hand": lambda output, y: ((output - one_hot(y)) ** 2).mean(),
    "absolute": lambda output, y: F.l1_loss(output, one_hot(y)),
    "binary": lambda output, y: F.binary_cross_entropy_with_logits(output, one_hot(y)),
    "focal": focal,
    "Huber by hand": huber_by_hand,
    "with a penalty": lambda output, y: F.cross_entropy(output, y) + 0.01 * output.square().sum().sqrt(),
}


@pytest.mark.parametrize("loss", LOSSES)
@same_as_eager(calls=STEPS)
def test_losses(compile, loss):
    model = net(nn.Tanh())
    return training(compile, model, optim.SGD(model.parameters(), lr=0.1, momentum=0.9), LOSSES[loss])


@same_as_eager(calls=STEPS)
def test_in_double_precision(compile):
    model = net(nn.Tanh()).double()
    return training(compile, model, optim.Adam(model.parameters(), lr=0.01), nn.CrossEntropyLoss(), torch.float64)


@same_as_eager(calls=STEPS)
def test_batches_of_changing_size_and_a_falling_rate(compile):
    """An epoch is six batches, the last of them smaller; the rate falls after each epoch."""
    model = net(nn.ReLU(), nn.Dropout(0.2))
    optimizer = optim.Adam(model.parameters(), lr=0.02)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss, model(x).argmax(1)

    def call(i):
        optimizer.param_groups[0]["lr"] = 0.02 * 0.5 ** (i // 6)
        return step(*classes(i, rows=3 if i % 6 == 5 else 8)), model, optimizer

    return call


@same_as_eager(calls=STEPS)
def test_training_and_validation_in_turn(compile):
    model = net(nn.ReLU(), nn.Dropout(0.2))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    @compile
    def evaluate(x, y):
        with torch.no_grad():
            output = model(x)
            return F.cross_entropy(output, y), (output.argmax(1) == y).sum()

    def call(i):
        if i % 5 == 4:
            model.eval()
            return evaluate(*classes(i, rows=20)), model
        model.train()
        return step(*classes(i)), model, optimizer

    return call


def test_it_learns():
    """The losses that are compared do fall: the programs of this file do something."""

    def program(compile):
        model = net(nn.ReLU())
        return training(compile, model, METHODS["Adam"](model.parameters()), nn.CrossEntropyLoss())

    for compile in (eager, torch.compile):
        seen, _ = observed(program, compile, 200)
        losses = [float(each[1][1]["values"]) for each in seen[:-1]]
        assert sum(losses[-20:]) < 0.7 * sum(losses[:20])


class Own(optim.Optimizer):
    """A method of the user's: a step of Python lines, with an option and perhaps a count of its own."""

    def __init__(self, params, lr, counts):
        super().__init__(params, {"lr": lr})
        self.counts, self.count = counts, 1

    def step(self, closure=None):
        if self.counts:
            self.count += 1
        with torch.no_grad():
            for p in self.param_groups[0]["params"]:
                p.sub_(self.param_groups[0]["lr"] * p.grad / self.count)


@pytest.mark.parametrize("counts", [False, True])
@may_fall_back(calls=8)
def test_a_method_of_the_users(compile, counts):
    model = net(nn.Tanh())
    optimizer = Own(model.parameters(), 0.1, counts)
    call = training(compile, model, optimizer, nn.CrossEntropyLoss())

    def with_another_rate(i):
        optimizer.param_groups[0]["lr"] *= 0.9
        return *call(i), optimizer.count

    return with_another_rate
