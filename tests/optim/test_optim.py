"""The optimisers: PyTorch's recorded steps, groups, saving, what is refused, and what a recorder hears."""

import copy
import json
import pickle
from pathlib import Path

import numpy as np
import pytest

import tinygrad_fr as torch
from tests.hearing import Hearing
from tinygrad_fr import nn, optim
from tinygrad_fr.autograd import recording

FOLDER = Path(__file__).parents[1] / "golden"
GOLDEN = json.loads((FOLDER / "optim.json").read_text())
CASES = GOLDEN["cases"]
PRINTED = json.loads((FOLDER / "nn.json").read_text())["printed"]
NAMES = [name for name in optim.__all__ if name[0].isupper() and name not in ("LBFGS", "Optimizer")]
METHODS = {name.lower(): getattr(optim, name) for name in NAMES}
ALL = METHODS.values()
BY_RATE = [each for each in ALL if each not in (optim.Rprop, optim.ASGD)]  # whose next step is as long as the rate says


def start():
    return torch.from_numpy(np.cos(3.0 * np.arange(7))).requires_grad_()


def gradient(step):
    """As in tests/golden/record_optim.py."""
    return torch.from_numpy(np.array([np.sin(1.3 * step + i) * (1 + 3 * (step % 7 == i)) for i in range(7)]))


def run(optimizer, p, steps):
    for step in steps:
        p.grad = gradient(step)
        optimizer.step()


@pytest.mark.parametrize("name", CASES)
def test_fifty_steps_are_pytorchs(name):
    case, p = CASES[name], start()
    optimizer = METHODS[name.split()[0]]([p], lr=case["lr"], **case["options"])
    before = 0
    for last, expected in case["p"].items():
        run(optimizer, p, range(before + 1, int(last) + 1))
        np.testing.assert_allclose(p.detach().numpy(), expected, rtol=1e-12, atol=1e-12)
        before = int(last)
    assert before == 50


@pytest.mark.parametrize("name", CASES)
def test_states_are_pytorchs_after_fifty_steps(name):
    case, p = CASES[name], start()
    optimizer = METHODS[name.split()[0]]([p], lr=case["lr"], **case["options"])
    run(optimizer, p, range(1, 51))
    state = {key: [str(value.dtype).split(".")[-1], value.tolist()] for key, value in optimizer.state[p].items()}
    assert [*state] == [*case["state"]]
    for key, (dtype, values) in case["state"].items():
        assert state[key][0] == dtype.split(".")[-1]
        np.testing.assert_allclose(state[key][1], values, rtol=1e-12, atol=1e-12)


def test_groups_and_changing_rates_are_pytorchs():
    """As in tests/golden/record_optim.py."""
    p, q, r = start(), start(), start()
    optimizer = optim.NAdam([{"params": [p]}, {"params": [q], "lr": 0.01, "betas": (0.5, 0.9)}], lr=0.05)
    for step in range(1, 51):
        if step == 20:
            optimizer.add_param_group({"params": [r], "weight_decay": 0.1})
        for group in optimizer.param_groups:
            group["lr"] *= 0.99
        for each in (p, q, r):
            each.grad = gradient(step)
        optimizer.step()
    for each, expected in zip((p, q, r), GOLDEN["two groups"]["p"], strict=True):
        np.testing.assert_allclose(each.detach().numpy(), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", METHODS)
def test_options_and_their_defaults_are_pytorchs(name):
    options = {key: value for key, value in METHODS[name]([start()]).param_groups[0].items() if key != "params"}
    assert json.loads(json.dumps(options)) == GOLDEN["defaults"][name]
    assert [*options] == [*GOLDEN["defaults"][name]]


@pytest.mark.parametrize("name", CASES)
def test_saving_and_loading_goes_on_as_if_nothing_had_happened(name):
    case, p = CASES[name], start()
    method = METHODS[name.split()[0]]
    first = method([p], lr=case["lr"], **case["options"])
    run(first, p, range(1, 26))
    state, middle = copy.deepcopy(first.state_dict()), p.detach().clone()
    q = middle.requires_grad_()
    second = method([q], lr=99.0)
    second.load_state_dict(state)
    run(first, p, range(26, 51))
    run(second, q, range(26, 51))
    assert torch.equal(p, q)
    np.testing.assert_allclose(q.detach().numpy(), case["p"]["50"], rtol=1e-12, atol=1e-12)
    for entries in state["state"].values():  # the checkpoint is not written to
        assert "step" not in entries or entries["step"].item() == 25


# ---------------------------------------------------------------------------------------------------------------
# Groups and options.


def test_the_learning_rate_can_be_assigned_at_any_time():
    for method in BY_RATE:
        p = torch.ones(2, requires_grad=True)
        p.grad = torch.ones(2)
        optimizer = method([p], lr=0.5)
        optimizer.step()
        assert (p < 1).all()
        before = p.detach().clone()
        optimizer.param_groups[0]["lr"] = 0.0
        optimizer.step()
        assert torch.equal(p, before)
        optimizer.param_groups[0]["lr"] = 0.5
        optimizer.step()
        assert (p < before).all()


def test_groups_have_options_of_their_own():
    p, q, r = (torch.ones(1, requires_grad=True) for _ in range(3))
    optimizer = optim.SGD([{"params": [p]}, {"params": q, "lr": 0.1}], lr=1.0)
    optimizer.add_param_group({"params": [r], "lr": 0.01})
    for each in (p, q, r):
        each.grad = torch.ones(1)
    optimizer.step()
    assert [each.item() for each in (p, q, r)] == pytest.approx([0, 0.9, 0.99])
    assert [group["lr"] for group in optimizer.param_groups] == [1.0, 0.1, 0.01]
    assert optimizer.param_groups[1]["momentum"] == 0


def test_parameters_with_names():
    model = nn.Linear(1, 1)
    optimizer = optim.SGD(model.named_parameters(), lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert optimizer.param_groups[0]["params"] == list(model.parameters())
    with pytest.raises(ValueError, match="Some param names are missing"):
        optim.SGD([("a", torch.ones(1)), torch.ones(1)])
    with pytest.raises(ValueError, match="cannot add param group without names"):
        optimizer.add_param_group({"params": [torch.ones(1)]})


def test_parameters_without_a_gradient_are_left_alone():
    for method in ALL:
        p = torch.ones(2, requires_grad=True)
        optimizer = method([p], lr=0.5)
        optimizer.step()
        assert p.tolist() == [1, 1]
        assert optimizer.state_dict()["state"] == {}


def test_momentum_switched_on_later():
    p = torch.zeros(1, requires_grad=True)
    p.grad = torch.ones(1)
    optimizer = optim.SGD([p], lr=1.0)
    optimizer.step()
    optimizer.param_groups[0]["momentum"] = 0.5
    optimizer.step()
    optimizer.step()
    assert p.item() == -1 - 1 - 1.5


def test_zero_grad():
    p = torch.ones(2, requires_grad=True)
    optimizer = optim.SGD([p])
    p.grad = torch.ones(2)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0, 0]
    optimizer.zero_grad()
    assert p.grad is None


def test_closure():
    p = torch.tensor(2.0, requires_grad=True)
    optimizer = optim.SGD([p], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = p * p
        loss.backward()
        return loss

    with torch.no_grad():
        assert optimizer.step(closure).item() == 4
    assert p.item() == 1


@pytest.mark.parametrize("method", ALL)
def test_strided_and_0d_parameters(method):
    base = torch.ones(3, 4)
    column, scalar = base[:, 1].detach().requires_grad_(), torch.tensor(1.0, requires_grad=True)
    optimizer = method([column, scalar], lr=0.1)
    column.grad, scalar.grad = torch.ones(3), torch.tensor(1.0)
    optimizer.step()
    assert column.tolist() == pytest.approx([scalar.item()] * 3)
    assert base[:, 1].tolist() == column.tolist()
    assert (base[:, 0] == 1).all()


# ---------------------------------------------------------------------------------------------------------------
# Hooks.


def stepping(method=optim.SGD, **options):
    p = torch.ones(1, requires_grad=True)
    p.grad = torch.ones(1)
    return p, method([p], **{"lr": 0.5, **options})


def test_step_hooks():
    p, optimizer = stepping()
    seen = []
    before = optimizer.register_step_pre_hook(lambda *given: seen.append(("before", *given, p.item())))
    after = optimizer.register_step_post_hook(lambda *given: seen.append(("after", *given, p.item())))
    optimizer.step(closure=None)
    given = (optimizer, (optimizer,), {"closure": None})
    assert seen == [("before", *given, 1.0), ("after", *given, 0.5)]
    before.remove()
    after.remove()
    optimizer.step()
    assert len(seen) == 2


def test_a_step_pre_hook_may_change_the_arguments():
    _, optimizer = stepping()
    optimizer.register_step_pre_hook(lambda self, args, kwargs: ((self, lambda: "loss"), {}))
    assert optimizer.step() == "loss"
    optimizer.register_step_pre_hook(lambda *given: "nonsense")
    with pytest.raises(RuntimeError, match=r"None or \(new_args, new_kwargs\), got 'nonsense'"):
        optimizer.step()


def test_hooks_of_an_optimizer_with_a_step_of_its_own():
    class Halving(optim.Optimizer):
        def step(self, closure=None):
            with torch.no_grad():
                for p in self.param_groups[0]["params"]:
                    p /= 2

    p = torch.ones(1, requires_grad=True)
    optimizer, seen = Halving([p], {}), []
    optimizer.register_step_post_hook(lambda *_: seen.append(p.item()))
    optimizer.step()
    assert seen == [0.5]


def test_hooks_of_saving_and_loading():
    _, optimizer = stepping(momentum=0.9)
    seen = []
    optimizer.register_state_dict_pre_hook(lambda self: seen.append("saving"))
    optimizer.register_state_dict_pre_hook(lambda self: seen.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda self, state: {**state, "note": 3})
    optimizer.register_load_state_dict_pre_hook(lambda self, state: seen.append(state["note"]))
    optimizer.register_load_state_dict_post_hook(lambda self: seen.append("loaded"))
    optimizer.load_state_dict(optimizer.state_dict())
    assert seen == ["first", "saving", 3, "loaded"]


# ---------------------------------------------------------------------------------------------------------------
# The graph and the dispatch.


@pytest.mark.parametrize("method", ALL)
def test_a_step_between_forward_and_backward_is_noticed(method):
    p = torch.ones(2, requires_grad=True)
    p.grad = torch.ones(2)
    loss = (p * p).sum()
    method([p], lr=0.1).step()
    with pytest.raises(RuntimeError, match="mul"):
        loss.backward()


@pytest.mark.parametrize("method", ALL)
def test_a_recorder_hears_the_updates_with_the_learning_rate_as_data(method):
    p, q = torch.ones(2, requires_grad=True), torch.ones(3, 4, requires_grad=True)
    p.grad, q.grad = torch.ones(2), torch.ones(3, 4)
    optimizer = method([p, q], lr=0.125)
    hearing = Hearing()
    with recording(hearing):
        optimizer.step()
    ((name, inputs, params, outputs),) = hearing.calls  # one call for all parameters
    assert name.removesuffix("_") in METHODS
    assert [id(each) for each in outputs] == [id(p), id(q)]
    assert [id(each) for each in (*inputs[0], *inputs[1])] == [id(p), id(q), id(p.grad), id(q.grad)]
    assert inputs[-1].tolist()[0] == (0.5 if method is optim.Rprop else 0.125)
    assert 0.125 not in params.values()


@pytest.mark.filterwarnings("ignore:optimizer contains a parameter group with duplicate parameters")
@pytest.mark.parametrize("method", ALL)
def test_a_parameter_given_twice_is_updated_twice(method):
    p, q = (torch.full((40_000,), 2.0, requires_grad=True) for _ in range(2))
    p.grad, q.grad = torch.ones(40_000), torch.ones(40_000)
    method([p, p], lr=0.1).step()
    once = method([q], lr=0.1)
    once.step()
    once.step()
    assert torch.equal(p, q)


def test_the_options_keep_their_array_from_step_to_step():
    p = torch.ones(2, requires_grad=True)
    p.grad = torch.ones(2)
    optimizer = optim.Adam([p])
    (hyper,) = optimizer._refreshed_hyper()
    optimizer.param_groups[0]["lr"] = 0.5
    assert optimizer._refreshed_hyper()[0] is hyper
    assert hyper.tolist() == [0.5, 0.9, 0.999, 1e-8, 0]


# ---------------------------------------------------------------------------------------------------------------
# Layout and text.


def test_layout_of_state_dict_is_pytorchs():
    model = nn.Linear(2, 2)
    model(torch.ones(1, 2)).sum().backward()
    sgd = optim.SGD(model.parameters(), lr=0.1)
    sgd.step()
    assert sgd.state_dict()["state"] == {}
    assert list(sgd.state_dict()["param_groups"][0])[-1] == "params"
    sgd.param_groups[0]["momentum"] = 0.9
    sgd.step()
    assert list(sgd.state_dict()["state"][1]) == ["momentum_buffer"]
    adam = optim.Adam(model.parameters(), amsgrad=True)
    adam.step()
    state = adam.state_dict()
    assert list(state) == ["state", "param_groups"]
    assert list(state["state"]) == state["param_groups"][0]["params"] == [0, 1]
    assert list(state["state"][0]) == ["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"]
    assert state["state"][0]["step"].dtype is torch.float32
    assert state["state"][0]["step"].item() == 1
    assert state["state"][0]["exp_avg"].shape == (2, 2)
    assert state["state"][0]["exp_avg"] is adam.state[model.weight]["exp_avg"]


def test_loading_converts_the_state_to_the_type_of_the_parameter():
    p, q = torch.ones(2, requires_grad=True), torch.ones(2).double().requires_grad_()
    p.grad = torch.ones(2)
    first, second = optim.Adam([p]), optim.Adam([q])
    first.step()
    second.load_state_dict(first.state_dict())
    assert second.state[q]["exp_avg"].dtype is torch.float64
    assert second.state[q]["step"].dtype is torch.float32


def test_prints_as_pytorchs():
    model = nn.Linear(1, 1)
    assert [repr(method(model.parameters(), lr=0.1)) for method in (optim.SGD, optim.Adam, optim.AdamW)] == PRINTED[
        "optimizers"
    ]


def test_copies_and_pickles():
    model = nn.Linear(2, 1)
    optimizer = optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    for other_model, other in (copy.deepcopy((model, optimizer)), pickle.loads(pickle.dumps((model, optimizer)))):
        assert other.param_groups[0]["params"][0] is other_model.weight
        for p, q in zip(model.parameters(), other_model.parameters(), strict=True):
            q.grad = p.grad.clone()
        other.step()
        assert other.state[other_model.weight]["step"].item() == 2
    assert optimizer.state[model.weight]["step"].item() == 1


# ---------------------------------------------------------------------------------------------------------------
# What is refused.

P = torch.ones(2, requires_grad=True)
REFUSED = {
    "nothing": (ValueError, "optimizer got an empty parameter list", lambda: optim.SGD([])),
    "a tensor": (TypeError, "should be an iterable of Tensors or dicts", lambda: optim.SGD(P)),
    "a result": (ValueError, "can't optimize a non-leaf Tensor", lambda: optim.SGD([P * 2])),
    "a number": (TypeError, "one of the params is int", lambda: optim.SGD([3])),
    "a set": (TypeError, "ordered collections", lambda: optim.SGD([{"params": {P}}])),
    "twice": (ValueError, "more than one parameter group", lambda: optim.SGD([{"params": [P]}, {"params": [P]}])),
    "no dict": (TypeError, "param_group must be a dict", lambda: optim.SGD([P]).add_param_group([P])),
    "no params": (KeyError, "params", lambda: optim.SGD([{"lr": 1}])),
    "lr": (ValueError, "Invalid learning rate: -1", lambda: optim.SGD([P], lr=-1)),
    "nan": (ValueError, "Invalid learning rate: nan", lambda: optim.SGD([P], lr=float("nan"))),
    "momentum": (ValueError, "Invalid momentum value: -1", lambda: optim.SGD([P], momentum=-1)),
    "weight_decay": (ValueError, "Invalid weight_decay value: -1", lambda: optim.SGD([P], weight_decay=-1)),
    "nesterov": (ValueError, "requires a momentum and zero dampening", lambda: optim.SGD([P], nesterov=True)),
    "adam lr": (ValueError, "Invalid learning rate: -1", lambda: optim.Adam([P], lr=-1)),
    "adam eps": (ValueError, "Invalid epsilon value: -1", lambda: optim.Adam([P], eps=-1)),
    "beta 0": (ValueError, "Invalid beta parameter at index 0: 1.0", lambda: optim.Adam([P], betas=(1.0, 0.9))),
    "beta 1": (ValueError, "Invalid beta parameter at index 1: -1", lambda: optim.AdamW([P], betas=(0.9, -1))),
    "adam weight_decay": (ValueError, "Invalid weight_decay value: -1", lambda: optim.AdamW([P], weight_decay=-1)),
    "capturable": (NotImplementedError, "capturable=True", lambda: optim.Adam([P], capturable=True)),
    "differentiable": (NotImplementedError, "differentiable=True", lambda: optim.SGD([P], differentiable=True)),
    "no update": (NotImplementedError, "_update", lambda: optim.Optimizer([P], {}).step()),
    "groups": (
        ValueError,
        "different number of parameter groups",
        lambda: optim.SGD([P]).load_state_dict({"state": {}, "param_groups": []}),
    ),
    "sizes": (
        ValueError,
        "doesn't match the size of optimizer's group",
        lambda: optim.SGD([P]).load_state_dict({"state": {}, "param_groups": [{"params": [0, 1]}]}),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_arguments_are_refused(name):
    kind, words, call = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()


def test_duplicates_are_warned_of():
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([P, P])


@pytest.mark.parametrize("method", ALL)
def test_a_copied_optimizer_changes_its_own_parameters(method):
    model = nn.Linear(3, 2)
    optimizer = method(model.parameters(), lr=0.1)

    def step(model, optimizer):
        optimizer.zero_grad()
        model(torch.ones(4, 3)).sum().backward()
        optimizer.step()

    step(model, optimizer)
    model_copy, optimizer_copy = copy.deepcopy((model, optimizer))
    before = model.weight.clone()
    step(model_copy, optimizer_copy)
    assert torch.equal(model.weight, before)
    step(model, optimizer)
    assert torch.equal(model.weight, model_copy.weight)


@pytest.mark.parametrize("method", ALL)
def test_new_data_of_a_parameter_and_new_state_are_noticed(method):
    p = torch.ones(3, requires_grad=True)
    optimizer = method([p], lr=0.5)
    for _ in range(3):
        p.grad = torch.ones(3)
        p.data = torch.full((3,), 10.0)
        optimizer.step()
        assert (p < 10).all()


@pytest.mark.parametrize("method", ALL)
def test_a_group_may_be_taken_out(method):
    p, q = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    optimizer = method([{"params": [p]}, {"params": [q]}], lr=0.1)
    p.grad, q.grad = torch.ones(2), torch.ones(2)
    optimizer.step()
    before = q.detach().clone()
    del optimizer.param_groups[1]
    optimizer.step()
    assert torch.equal(q, before)
    assert (p < q).all()
