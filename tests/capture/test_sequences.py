"""What users do between calls, drawn at random: compiled functions on one model, and everything done to it."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as torch
from tests.strategies import examples
from tinygrad_fr import nn, optim
from tinygrad_fr.nn import functional as F

from .harness import assert_same, attempt, batch, eager, mlp, observed, values


class Session:
    """A model, an optimiser, and functions on them, each compiled by itself."""

    def __init__(self, compile, method):
        self.model = mlp(dropout=0.3)
        self.model.register_buffer("running", torch.zeros(3))
        self.optimizer = METHODS[method](self.model.parameters())
        self.saved = None
        self.kept = []
        model, optimizer = self.model, self.optimizer

        def step(x, y):
            optimizer.zero_grad()
            output = model(x)
            loss = F.cross_entropy(output, y)
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                model.running.mul_(0.9).add_(output.detach().mean(0), alpha=0.1)
            return loss

        def accumulate(x, y):
            loss = F.cross_entropy(model(x), y) / 2
            loss.backward()
            return loss

        def add_and_step(x, y):
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        def predict(x):
            with torch.no_grad():
                return model(x).softmax(1) - model.running

        self.eager_step = step
        self.step, self.accumulate, self.predict = compile(step), compile(accumulate), compile(predict)
        self.add_and_step = compile(add_and_step)
        self.forward = compile(model)
        self.update = compile(optimizer.step)

    def batch(self, i):
        return batch(i, rows=(6, 6, 3)[i % 3])


METHODS = {
    "sgd": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    "adam": lambda p: optim.Adam(p, lr=0.05),
    "amsgrad": lambda p: optim.Adam(p, lr=0.05, amsgrad=True),
}


def _backward_outside(s, i):
    x, y = s.batch(i)
    F.cross_entropy(s.forward(x), y).backward()


def _two_forwards(s, i):
    first, second = s.forward(s.batch(i)[0]), s.forward(s.batch(i + 1)[0])
    (first.square().sum() + second.sum()).backward()
    s.kept.append(first)


def _bad_label(s, i):
    x, y = s.batch(i)
    y[0] = 9
    result = attempt(s.accumulate, x, y)
    assert result[0] == "IndexError"


def _load(s, i):
    if s.saved is None:
        s.saved = copy.deepcopy([s.model.state_dict(), s.optimizer.state_dict()])
    else:
        s.model.load_state_dict(s.saved[0])
        s.optimizer.load_state_dict(s.saved[1])


def _overwrite(s, i):
    with torch.no_grad():
        s.model[0].weight.copy_(values(i, 5, 4))


def _replace_gradients(s, i):
    for p in s.model.parameters():
        p.grad = values(i, *p.shape)


# The first are likelier: replays need calls of one kind.
ACTIONS = {
    "step": lambda s, i: s.kept.append(s.step(*s.batch(i))),
    "accumulate": lambda s, i: s.kept.append(s.accumulate(*s.batch(i))),
    "predict": lambda s, i: s.kept.append(s.predict(s.batch(i)[0])),
    "forward and backward": _backward_outside,
    "update": lambda s, i: s.update(),
    "two forwards": _two_forwards,
    "add and step": lambda s, i: s.kept.append(s.add_and_step(*s.batch(i))),
    "an eager step": lambda s, i: s.eager_step(*s.batch(i)),
    "zero_grad": lambda s, i: s.optimizer.zero_grad(),
    "zero_grad that keeps": lambda s, i: s.optimizer.zero_grad(set_to_none=False),
    "clip": lambda s, i: nn.utils.clip_grad_value_(s.model.parameters(), 0.01),
    "learning rate": lambda s, i: s.optimizer.param_groups[0].update(lr=0.1 / (1 + i)),
    "weight decay": lambda s, i: s.optimizer.param_groups[0].update(weight_decay=0.1 * (i % 2)),
    "train": lambda s, i: s.model.train(),
    "eval": lambda s, i: s.model.eval(),
    "seed": lambda s, i: torch.manual_seed(i),
    "save or load": _load,
    "freeze": lambda s, i: s.model[0].requires_grad_(i % 2 == 0),
    "overwrite": _overwrite,
    "data": lambda s, i: setattr(s.model[3].bias, "data", values(i, 3)),
    "a new layer": lambda s, i: s.model.__setitem__(1, [nn.ReLU(), nn.Tanh(), nn.Sigmoid()][i % 3]),
    "another buffer": lambda s, i: setattr(s.model, "running", values(i, 3)),
    "gradients": _replace_gradients,
    "clear the state": lambda s, i: s.optimizer.state.clear(),
    "dropout": lambda s, i: setattr(s.model[2], "p", 0.1 * (i % 3)),
    "bad label": _bad_label,
    "forget results": lambda s, i: s.kept.clear(),
}
LIKELY = [*ACTIONS][:7]

actions = st.sampled_from([*LIKELY, *LIKELY, *LIKELY, *LIKELY, *ACTIONS])


@pytest.mark.parametrize("method", METHODS)
@examples(15)
@given(chosen=st.lists(actions, min_size=10, max_size=40))
def test_sequences_of_actions(method, chosen):
    """After each action everything is as in eager mode. A function may fall back, with one warning."""

    def program(compile):
        session = Session(compile, method)

        def call(i):
            ACTIONS[chosen[i]](session, i)
            return session.model, session.optimizer, list(session.kept)

        return call

    expected, _ = observed(program, eager, len(chosen))
    found, caught = observed(program, torch.compile, len(chosen))
    for i, pair in enumerate(zip(found, expected, strict=True)):
        assert_same(*pair, where=f"after {i + 1}: {chosen[i] if i < len(chosen) else 'all'}")
    assert len(caught) <= 6, [str(each.message) for each in caught]
