"""What a replay runs instead of the calls that were recorded. That its results are the same is tested elsewhere."""

import os
import threading
import warnings

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim

from .harness import batch, values


def programs_of(compiled):
    return [each for kind in compiled._kinds.values() for each in kind.programs]


def calls_of(compiled):
    """The names of the calls that a replay makes, of the forward and of what it does of the backward."""
    (recorded,) = programs_of(compiled)
    return [str(call) for call in recorded.recipe.forward]


def replayed(function, *arguments, calls=3):
    compiled = torch.compile(function)
    for _ in range(calls):
        compiled(*arguments)
    return compiled


def test_a_chain_of_element_wise_ops_is_one_call():
    assert calls_of(replayed(lambda x, y: ((x * y + 2.0) / y).tanh() - x, values(0, 5), values(1, 5))) == ["chain"]


def test_a_result_that_is_read_twice_ends_a_chain():
    def function(x):
        y = (x * 2.0).exp()
        return y.sum() + (y * 3.0 - 1.0).sum()

    assert calls_of(replayed(function, values(0, 5))) == ["chain", "sum", "chain", "sum", "add"]


def test_what_broadcasts_stays_a_call_of_its_own():
    assert calls_of(replayed(lambda x, y: x + y, values(0, 4, 5), values(1, 5))) == ["add"]


def test_a_write_between_keeps_calls_apart():
    w = values(3, 5)

    def function(x):
        y = x * w
        w.add_(1.0)
        return y + x

    assert calls_of(replayed(function, values(0, 5))) == ["mul", "add_", "add"]


def test_a_training_step_keeps_what_kernels_do_in_passing():
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    optimizer = optim.Adam(model.parameters())

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    expected = ["linear", "linear", "softmax_cross_entropy", "softmax_cross_entropy_backward"]
    assert calls_of(replayed(step, *batch(0), calls=4)) == [*expected, "linear_backward", "linear_backward", "adam_"]


def test_a_step_of_convolutions_is_one_program_that_does_relu_in_passing():
    def trained(compile):
        torch.manual_seed(3)
        model = nn.Sequential(
            nn.Conv2d(2, 5, 3, padding=1), nn.ReLU(), nn.Conv2d(5, 4, 3, stride=2), nn.ReLU(),
            nn.ConvTranspose2d(4, 3, 2), nn.ReLU(), nn.Conv2d(3, 3, 3, groups=3), nn.Flatten(), nn.Linear(12, 3),
        )  # fmt: skip
        optimizer = optim.Adam(model.parameters())

        def step(x, y):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        step = compile(step)
        x, y = values(1, 6, 2, 7, 8), torch.arange(6) % 3
        losses = [step(x * i, y).item() for i in range(6)]
        return step, losses, [each.tolist() for each in model.parameters()]

    compiled, *found = trained(torch.compile)
    _, *expected = trained(lambda function: function)
    assert found == expected
    assert not [each for each in calls_of(compiled) if "relu" in each]
    instances = [instance for each in programs_of(compiled) for instance in each.recipe._instances]
    assert instances
    assert all(each._forward.is_native for each in instances)


def test_a_step_that_clips_is_one_program():
    model = nn.Sequential(nn.Linear(4, 7), nn.ReLU(), nn.Linear(7, 3))
    optimizer = optim.Adam(model.parameters())

    @torch.compile
    def step(x, y):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()

    for i in range(4):
        step(*batch(i))
    (instance,) = [instance for each in programs_of(step) for instance in each.recipe._instances]
    assert instance._forward.is_native
    assert len(instance._forward.programs) == 1


def test_a_step_with_dropout_is_one_program_that_draws_anew():
    def trained(compile):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(4, 7), nn.Dropout(0.4), nn.ReLU(), nn.Linear(7, 3), nn.Dropout(0.2))
        optimizer = optim.Adam(model.parameters())

        def step(x, y):
            optimizer.zero_grad()
            scores = model(x)
            loss = nn.functional.cross_entropy(scores, y)
            loss.backward()
            optimizer.step()
            return scores

        step = compile(step)
        scores = [step(*batch(0)).tolist() for _ in range(6)]
        return step, scores, [each.tolist() for each in model.parameters()], torch.get_rng_state().tolist()

    compiled, *found = trained(torch.compile)
    _, *expected = trained(lambda function: function)
    assert found == expected
    dropped = [tuple(score == 0 for row in each for score in row) for each in found[0]]
    assert len(set(dropped)) == len(dropped)
    instances = [instance for each in programs_of(compiled) for instance in each.recipe._instances]
    assert instances
    assert all(each._forward.is_native for each in instances)


def test_a_step_with_an_embedding_is_one_program_that_looks_at_every_index():
    def trained(compile):
        torch.manual_seed(0)
        table, output = nn.Embedding(5, 4, padding_idx=1), nn.Linear(4, 3)
        optimizer = optim.Adam([*table.parameters(), *output.parameters()])

        def step(letters, y):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(output(table(letters[:, :-1])).reshape(-1, 3), y)
            loss.backward()
            optimizer.step()
            return loss

        step = compile(step)
        losses = [step(torch.full((2, 4), i % 5), torch.full((6,), i % 3)).item() for i in range(6)]
        return step, losses, [each.tolist() for each in (*table.parameters(), *output.parameters())]

    compiled, *found = trained(torch.compile)
    _, *expected = trained(lambda function: function)
    assert found == expected
    assert all(each._forward.is_native for program in programs_of(compiled) for each in program.recipe._instances)
    for bad in (5, -1):
        letters = torch.zeros(2, 4, dtype=torch.int64)
        letters[1, 2] = bad
        with pytest.raises(IndexError, match=f"index out of range in self: {bad} in a table of 5 rows"):
            compiled(letters, torch.zeros(6, dtype=torch.int64))


NORMS = {
    "batch": lambda: nn.BatchNorm1d(4),
    "batch, by the mean of all": lambda: nn.BatchNorm1d(4, momentum=None),
    "layer": lambda: nn.LayerNorm(4),
    "group": lambda: nn.GroupNorm(2, 4),
    "root mean square": lambda: nn.RMSNorm(4),
    "softmax of columns": lambda: nn.Softmax(0),
}


@pytest.mark.parametrize("name", NORMS)
def test_a_step_with_normalisation_is_one_program(name):
    def trained(compile):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 4), NORMS[name](), nn.ReLU(), nn.Linear(4, 3))
        optimizer = optim.SGD(model.parameters(), lr=0.1)

        def step(x, y):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        step = compile(step)
        losses = [step(*batch(i)).item() for i in range(6)]
        return step, losses, {key: value.tolist() for key, value in model.state_dict().items()}

    compiled, *found = trained(torch.compile)
    _, *expected = trained(lambda function: function)
    assert found == expected
    assert all(each._forward.is_native for program in programs_of(compiled) for each in program.recipe._instances)


def test_memory_serves_one_array_after_the_other():
    def function(x):
        for _ in range(20):
            x = x @ x
        return x

    compiled = replayed(function, torch.from_numpy(np.eye(64, dtype=np.float32)))
    (recorded,) = programs_of(compiled)
    assert recorded.recipe._arena.size <= 3 * 64 * 64 * 4


def test_a_write_through_other_memory_keeps_calls_apart():
    """A row that was taken outside of the function is a tensor of its own, in the memory of the whole."""
    whole = values(3, 4, 5)
    row = whole[0]

    def function(x):
        old = row * 1.5
        whole.mul_(0.5)
        return (old + x).relu()

    x = values(0, 5)
    compiled = torch.compile(function)
    for _ in range(5):
        expected = (row * 1.5 + x).relu()
        np.testing.assert_array_equal(compiled(x).numpy(), expected.numpy())


def test_instances_go_with_those_who_hold_them():
    model = nn.Linear(4, 3)
    compiled = torch.compile(model)
    held = [compiled(values(i, 2, 4)) for i in range(30)]
    recipe = next(each for kind in compiled._compiled._kinds.values() for each in kind.programs).recipe
    assert len(recipe._instances) <= 4
    sum(each.sum() for each in held).backward()
    expected = sum(values(i, 2, 4).sum(0) for i in range(30))
    np.testing.assert_allclose(model.weight.grad.numpy(), np.tile(expected.numpy(), (3, 1)), rtol=1e-4)


def test_second_derivatives_through_cross_entropy_in_a_step():
    w, y = values(1, 4, 3), torch.tensor([0, 2])

    def function(x):
        x = x.clone().requires_grad_(True)
        loss = nn.functional.cross_entropy(x @ w, y)
        (g,) = torch.autograd.grad(loss, x, create_graph=True)
        total = (g**2).sum()
        total.backward()
        return total.detach(), x.grad

    compiled = torch.compile(function)
    for i in range(4):
        for found, expected in zip(compiled(values(i, 2, 4)), function(values(i, 2, 4)), strict=True):
            np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_forked_during_a_replay_can_replay():
    compiled = replayed(lambda x: (x * 2.0).sum(), values(0, 5))
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with compiled._lock:
            entered.set()
            leave.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    entered.wait()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads
        child = os.fork()
    if child == 0:
        os._exit(0 if compiled(values(0, 5)).item() == (values(0, 5) * 2.0).sum().item() else 1)
    leave.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
