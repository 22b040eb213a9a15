"""The recorder hears every op call of a training step, in its own thread."""

import threading

import numpy as np
import pytest

import tinygrad_fr as torch
from tests.hearing import Hearing
from tinygrad_fr import nn, optim
from tinygrad_fr.autograd import recording


def heard_in(function):
    hearing = Hearing()
    with recording(hearing):
        function()
    return hearing.calls


def names(calls):
    return [name for name, *_ in calls]


def test_a_call_is_heard_with_its_inputs_and_result():
    x = torch.ones(2)
    results = []
    calls = heard_in(lambda: results.append(torch.sum(x * 3, 0, keepdim=True)))
    assert names(calls) == ["mul", "sum"]
    assert calls[0][1][0] is x
    assert calls[0][1][1] == 3
    assert calls[1][1][0] is calls[0][3]
    assert calls[1][2] == {"dims": (0,), "keepdim": True}
    assert calls[1][3] is results[0]


def test_nothing_is_heard_afterwards_or_of_other_threads():
    hearing = Hearing()
    x = torch.ones(2)
    with recording(hearing):
        thread = threading.Thread(target=lambda: x * 2)
        thread.start()
        thread.join()
    x * 2
    assert hearing.calls == []


def test_views_writes_and_random_draws_are_heard():
    def program():
        x = torch.rand(3)
        y = x[1:]
        y.mul_(2)
        x[x > 0] = 1.0
        torch.dropout(x, 0.5)
        torch.normal(0.0, 1.0, (2,))
        torch.randint(5, (2,))

    heard = names(heard_in(program))
    for name in ("uniform", "slice", "mul_", "gt", "nonzero", "put_", "dropout", "normal", "integers"):
        assert name in heard


def step():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    x, y = torch.randn(5, 4), torch.tensor([0, 1, 1, 0, 1])

    def run():
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()

    return model, run


def test_a_training_step_is_heard_from_forward_to_update():
    _, run = step()
    run()  # the optimiser's state exists from here on
    calls = heard_in(run)
    heard = names(calls)
    for name in ("linear", "relu", "softmax_cross_entropy", "softmax_cross_entropy_backward", "relu_backward", "sgd_"):
        assert name in heard, name
    assert heard.index("linear") < heard.index("softmax_cross_entropy_backward") < heard.index("sgd_")


def test_every_value_of_a_training_step_comes_from_a_call_that_was_heard():
    """Follow the arrays: what an op reads was there before the step, or was put out by a call before it."""
    model, run = step()
    run()
    started = {id(each._array) for each in model.parameters()}
    known, keep = set(started), []

    for _, _, _, outputs in heard_in(run):
        for each in outputs if isinstance(outputs, tuple) else (outputs,):
            if isinstance(each, torch.Tensor):
                known.add(id(each._array))
                keep.append(each)
    for each in model.parameters():
        assert id(each.grad._array) in known


def test_gradients_are_the_same_under_a_recorder():
    results = []
    for recorded in (False, True):
        model, run = step()
        if recorded:
            heard_in(run)
        else:
            run()
        results.append([each.detach()._array.copy() for each in model.parameters()])
    for plain, recorded in zip(*results, strict=True):
        np.testing.assert_allclose(plain, recorded, rtol=1e-6)


def test_accumulation_is_heard():
    x = torch.ones(2, requires_grad=True)
    assert "clone" in names(heard_in(lambda: (x * 2).sum().backward()))
    assert "add_" in names(heard_in(lambda: (x * 2).sum().backward()))
    assert x.grad.tolist() == [4, 4]


def test_recorders_nest():
    outer, inner = Hearing(), Hearing()
    x = torch.ones(2)
    with recording(outer):
        x * 2
        with recording(inner):
            x + 2
        x - 2
    assert (names(outer.calls), names(inner.calls)) == (["mul", "sub"], ["add"])


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.item(),
        lambda x: x.tolist(),
        lambda x: x.numpy(),
        lambda x: np.asarray(x),
        lambda x: np.from_dlpack(x),
        lambda x: x.data_ptr(),
        lambda x: float(x),
        lambda x: int(x),
        lambda x: bool(x),
        lambda x: [1, 2][x.long()],
        lambda x: 1.0 in x.reshape(1),
        lambda x: str(x),
        lambda x: f"{x:.2f}",
        lambda x: torch.tensor([x, x]),
        lambda x: torch.full((2,), x),
        lambda x: torch.arange(x),
        lambda x: torch.allclose(x, x),
        lambda x: torch.multinomial(x.reshape(1), 1),
        lambda x: nn.functional.one_hot(x.long()),
        lambda x: torch.tensor(np.ones(2)),
    ],
)
def test_values_that_leave_the_tensors_or_come_in_are_heard(read):
    x = torch.tensor(1.0)
    hearing = Hearing()
    with recording(hearing):
        read(x)
    assert hearing.reads
