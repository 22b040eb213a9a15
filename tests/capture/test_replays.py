"""That it replays: from the third call of a kind on, Python does not run the function, and no record is made again."""

import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.nn import functional as F

from .harness import Training, batch, mlp, python_calls, seed, values


def replays(make):
    CASES[make.__name__.replace("_", " ")] = make
    return make


CASES = {}  # each makes (function, call): ``call(compiled, i)`` is one step


@replays
def a_training_step():
    net = Training(lambda f: f, optim.Adam, dropout=0.5)
    return net.plain_step, lambda step, i: step(*batch(i))


@replays
def batches_of_two_sizes():
    net = Training(lambda f: f)
    return net.plain_step, lambda step, i: step(*batch(i, rows=6 if i % 3 else 2))


@replays
def a_falling_learning_rate():
    net = Training(lambda f: f, optim.AdamW)

    def call(step, i):
        net.optimizer.param_groups[0].update(lr=0.1 / (i + 1), weight_decay=0.01 * i)
        step(*batch(i))

    return net.plain_step, call


@replays
def train_and_eval():
    model = mlp(dropout=0.5)

    def call(f, i):
        model.train(i % 2 == 0)
        f(batch(i)[0])

    return lambda x: model(x), call


@replays
def with_and_without_gradients():
    model = mlp()

    def call(f, i):
        with torch.set_grad_enabled(i % 2 == 0):
            f(batch(i)[0])

    return lambda x: model(x), call


@replays
def accumulation():
    net = Training(lambda f: f)

    def backward(x, y):
        F.cross_entropy(net.model(x), y).backward()

    def call(f, i):
        f(*batch(i))
        if i % 3 == 2:
            net.optimizer.step()
            net.optimizer.zero_grad()

    return backward, call


@replays
def accumulation_without_end():
    net = Training(lambda f: f)

    def backward(x, y):
        F.cross_entropy(net.model(x), y).backward()

    return backward, lambda f, i: f(*batch(i))


@replays
def loading_weights():
    net, other = Training(lambda f: f, optim.Adam), mlp()

    def call(step, i):
        step(*batch(i))
        net.model.load_state_dict(other.state_dict())

    return net.plain_step, call


@replays
def eager_steps_between():
    net = Training(lambda f: f, optim.Adam)

    def call(step, i):
        step(*batch(i))
        net.model.zero_grad()
        net.model(batch(i)[0]).sum().backward()
        net.optimizer.step()

    return net.plain_step, call


@replays
def forward_alone_and_backward_outside():
    model = mlp()

    def call(f, i):
        model.zero_grad()
        f(batch(i)[0]).square().sum().backward()

    return lambda x: model(x), call


@replays
def forward_alone_and_zero_grad_after_it():
    """Gradients come and go between forwards, which do not touch them."""
    model = mlp()

    def call(f, i):
        y = f(batch(i)[0])
        if i % 2:
            model.zero_grad()
        y.sum().backward()

    return lambda x: model(x), call


@replays
def clipping():
    net = Training(lambda f: f)

    def step(x, y):
        net.optimizer.zero_grad()
        loss = F.cross_entropy(net.model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(net.model.parameters(), 0.1)
        net.optimizer.step()
        return loss

    return step, lambda f, i: f(*batch(i))


@replays
def zero_grad_that_keeps_the_arrays():
    net = Training(lambda f: f)

    def step(x, y):
        net.optimizer.zero_grad(set_to_none=False)
        F.cross_entropy(net.model(x), y).backward()
        net.optimizer.step()

    return step, lambda f, i: f(*batch(i))


@replays
def a_buffer_in_place():
    model = nn.Linear(4, 3)
    model.register_buffer("mean", torch.zeros(3))

    def f(x):
        y = model(x)
        with torch.no_grad():
            model.mean.mul_(0.9).add_(y.mean(0), alpha=0.1)
        return y - model.mean

    return f, lambda f, i: f(batch(i)[0])


@replays
def flags_and_numbers():
    def f(x, flag, scale=1.0, *, name="tanh"):
        return (getattr(torch, name)(x) if flag else x) * scale

    return f, lambda f, i: f(values(i, 3), i % 2 == 0, 2.0)


@replays
def gradient_descent_by_hand():
    w = torch.ones(4, 3, requires_grad=True)

    def step(x, y, lr):
        loss = F.cross_entropy(x @ w, y)
        loss.backward()
        with torch.no_grad():
            w.sub_(lr * w.grad)
            w.grad.zero_()
        return loss

    return step, lambda f, i: f(*batch(i), 0.1)


@replays
def a_loss_that_is_built_by_hand():
    model = mlp()

    def f(x, y):
        p = model(x).softmax(1)
        hot = (y.unsqueeze(1) == torch.arange(3)).float()
        return -((1 - p) ** 2 * p.log() * hot).sum(1).mean()

    return f, lambda f, i: f(*batch(i)).backward()


@replays
def results_that_are_kept():
    kept = []
    return lambda x: ((x * 2).tanh(), x.exp()), lambda f, i: kept.append(f(values(i, 3)))


@replays
def a_decorated_prediction():
    model = mlp()

    @torch.no_grad()
    def predict(x):
        return model(x).argmax(1)

    return predict, lambda f, i: f(batch(i)[0])


@replays
def a_double_forward_within_one_step():
    model = mlp()

    def f(x):
        model.zero_grad()
        loss = (model(x) - model(x * 2).detach()).square().mean()
        loss.backward()
        return loss

    return f, lambda f, i: f(batch(i)[0])


@replays
def without_arguments():
    net = Training(lambda f: f, optim.Adam)
    x, y = batch(0)

    def step():
        return net.plain_step(x, y)

    return step, lambda f, i: f()


@pytest.mark.parametrize("what", CASES)
def test_it_replays(what):
    """After nine calls, of at most three kinds, no further one runs Python; warnings are errors."""
    seed()
    function, call = CASES[what]()
    compiled = torch.compile(function)
    for i in range(9):
        call(compiled, i)
    with python_calls(getattr(function, "__wrapped__", function)) as runs:
        for i in range(9, 18):
            call(compiled, i)
    assert len(runs) == 0


def test_it_records_once():
    """Call one runs, call two records, and no call after it does either."""
    net = Training(lambda f: f, optim.Adam)
    step = torch.compile(net.plain_step)
    with python_calls(net.plain_step) as runs:
        for i in range(6):
            step(*batch(i))
    assert len(runs) == 2


def test_a_module_replays():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, x):
            return self.layer(x).tanh()

    model = Net()
    compiled = torch.compile(model)
    with python_calls(Net.forward) as runs:
        for i in range(6):
            compiled(batch(i)[0]).sum().backward()
            model.zero_grad()
    assert len(runs) == 2


def test_a_method_replays():
    class Trainer:
        def __init__(self):
            self.model = mlp()
            self.optimizer = optim.SGD(self.model.parameters(), lr=0.1, momentum=0.9)

        def step(self, x, y):
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            return loss

    trainer = Trainer()
    step = torch.compile(trainer.step)
    with python_calls(Trainer.step) as runs:
        for i in range(6):
            step(*batch(i))
    assert len(runs) == 2
