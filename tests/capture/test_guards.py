"""What a replay relies on, replaced in ways that few programs use: never a stale result.  And faults of its own."""

import types
import warnings
from collections import OrderedDict, deque
from dataclasses import dataclass

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.capture import compiled, trace
from tinygrad_fr.capture.watching import Watches, padded

from .harness import CALLS, Training, batch, may_fall_back, same_as_eager, values

FROM = 3  # the call before which something changes


def replaced(make):
    """Register a case ``make() -> (function, change)``, where ``change(i)`` comes before each call from `FROM` on."""
    CASES[make.__name__.strip("_").replace("_", " ")] = make
    return make


CASES = {}


@replaced
def the_sign_of_zero():
    own = types.SimpleNamespace(scale=0.0)
    return lambda x: 1 / (x.abs() * 0 + own.scale), lambda i: setattr(own, "scale", -0.0)


@replaced
def a_number_by_one_of_another_type():
    own = types.SimpleNamespace(scale=1)
    return lambda x: x.long() * own.scale, lambda i: setattr(own, "scale", 1.0)


@replaced
def a_number_of_numpy():
    own = types.SimpleNamespace(scale=np.float32(1))
    return lambda x: x * float(own.scale), lambda i: setattr(own, "scale", np.float32(i))


@replaced
def a_slot_of_a_dataclass():
    @dataclass(slots=True)
    class Config:
        scale: float = 1.0

    config = Config()
    return lambda x: x * config.scale, lambda i: setattr(config, "scale", float(i))


@replaced
def the_dictionary_of_an_object():
    class Own:
        scale = 1.0

    own = Own()
    return lambda x: x * own.scale, lambda i: setattr(own, "__dict__", {"scale": float(i)})


@replaced
def the_class_of_an_object():
    class Own:
        scale = 1.0

    class Other(Own):
        scale = 3.0

    own = Own()
    return lambda x: x * own.scale, lambda i: setattr(own, "__class__", Other)


@replaced
def the_class_of_a_layer():
    class Tripled(nn.ReLU):
        def forward(self, x):
            return x * 3

    layer = nn.ReLU()
    return lambda x: layer(x), lambda i: setattr(layer, "__class__", Tripled)


@replaced
def the_forward_of_one_layer():
    layers = nn.Sequential(nn.ReLU())
    return lambda x: layers(x), lambda i: setattr(layers[0], "forward", lambda x: x * i)


@replaced
def a_method_that_a_subclass_inherited():
    class Own:
        def apply(self, x):
            return x * 2

    class Derived(Own):
        pass

    own = Derived()
    return lambda x: own.apply(x), lambda i: setattr(Derived, "apply", lambda self, x: x * i)


@replaced
def all_hooks_of_a_layer():
    layer = nn.Linear(3, 3)
    layer.register_forward_hook(lambda module, args, result: result * 2)
    return lambda x: layer(x), lambda i: setattr(layer, "_forward_hooks", OrderedDict())


@replaced
def a_layer_that_moves_to_the_next_list():
    first, second = nn.ModuleList([nn.Tanh(), nn.ReLU()]), nn.ModuleList([nn.Sigmoid()])

    def function(x):
        for layer in first:
            x = layer(x)
        x = x * 2
        for layer in second:
            x = layer(x)
        return x

    def change(i):
        if len(first) == 2:
            layer = first[1]
            del first[1]
            second.insert(0, layer)

    return function, change


@replaced
def a_set_and_a_queue():
    names, queue = {1}, deque([1.0])

    def change(i):
        names.add(i)
        queue.append(1.0)

    return lambda x: x * len(names) + sum(queue), change


@replaced
def an_attribute_of_a_tuple():
    class Own(tuple):
        scale = 1.0

    own = Own([1.0, 2.0])
    return lambda x: x * own[0] * own.scale, lambda i: setattr(own, "scale", float(i))


@replaced
def what_the_setter_of_a_property_writes():
    class Own:
        def __init__(self):
            self.factor, self.log = 2.0, []

        @property
        def scale(self):
            return self.factor * len(self.log)

        @scale.setter
        def scale(self, value):
            self.log.append(value)

    own = Own()

    def function(x):
        own.scale = 2.0
        return x * own.scale

    return function, lambda i: None


@replaced
def a_module_of_python_in_a_variable():
    own = types.ModuleType(__name__)
    own.scale = 1.0
    return lambda x: x * own.scale, lambda i: setattr(own, "scale", float(i))


@replaced
def what_an_inner_import_draws():
    def function(x):
        from numpy.random import rand

        return x * float(rand())  # noqa: NPY002

    return function, lambda i: None


@replaced
def a_number_in_a_state_dict():
    optimizer = optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)

    def change(i):
        optimizer.param_groups[0]["lr"] = float(i)

    return lambda x: x * optimizer.state_dict()["param_groups"][0]["lr"], change


@pytest.mark.parametrize("what", CASES)
@may_fall_back
def test_replaced(compile, what):
    function, change = CASES[what]()
    f = compile(function)

    def call(i):
        if i >= FROM:
            change(i)
        return f(values(i, 2, 3))

    return call


@may_fall_back
def test_an_optimiser_of_the_users(compile):
    class Boosted(optim.SGD):
        boost = 1.0

        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    p.grad.mul_(self.boost)
            return super().step(closure)

    net = Training(compile, Boosted)

    def call(i):
        net.optimizer.boost = 1.0 if i < FROM else float(i)
        return net.step(*batch(i)), net.seen

    return call


# ---------------------------------------------------------------------------------------------------------------
# Tensors that are changed in place: the counter of such changes is what a replay looks at.


@same_as_eager(calls=8)
def test_what_tensors_are_changes(compile):
    net, handles = Training(compile, optim.Adam), []
    weight, bias = net.model[0].weight, net.model[0].bias

    def call(i):
        if i == 3:
            weight.data = weight.data * 0.5
        if i == 4:
            bias.requires_grad = False
        if i == 5:
            handles.append(weight.register_hook(lambda g: g * 2))
        if i == 6:
            handles[0].remove()
            bias.requires_grad_()
        return net.step(*batch(i)), net.seen

    return call


@same_as_eager(calls=8)
def test_gradients_that_the_caller_changes(compile):
    net = Training(compile)
    weight = net.model[0].weight

    def call(i):
        loss = net.step(*batch(i))
        if i == 3:
            weight.grad.requires_grad_()
        if i == 4:
            weight.grad.data = weight.grad.data * 2
        if i == 5:
            weight.grad.mul_(2)
        return loss, net.seen

    return call


# ---------------------------------------------------------------------------------------------------------------
# Arguments.


@same_as_eager
def test_numbers_of_numpy_as_arguments(compile):
    f = compile(lambda x, scale: x * float(scale))
    return lambda i: f(values(i, 3), np.float32(i))


@same_as_eager(calls=8)
def test_one_array_in_two_tensors(compile):
    f = compile(lambda x, y: x * 2 + y)

    def call(i):
        x = values(i, 3)
        return f(x, x.detach() if i < 4 else values(50 + i, 3))

    return call


@same_as_eager
def test_one_tensor_as_input_and_target(compile):
    net = Training(lambda function: function)

    @compile
    def step(x, target):
        net.optimizer.zero_grad()
        loss = (net.model(x) - target[:, :3]).square().mean()
        loss.backward()
        net.optimizer.step()
        return loss

    def call(i):
        x = batch(i)[0]
        return step(x, x), net.seen

    return call


@may_fall_back
def test_a_list_of_the_callers_that_is_returned(compile):
    f = compile(lambda given: given)

    def call(i):
        given = [values(i, 3)]
        return f(given) is given

    return call


# ---------------------------------------------------------------------------------------------------------------
# Faults of compile() itself.


class Fault(Exception):
    pass


def _fails(*args, **kwargs):
    raise Fault("on purpose")


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (compiled, "World"),
        (compiled.Recording, "finish"),
        (trace.Trace, "_take_call"),
        (compiled.Instance, "__init__"),
    ],
)
def test_its_own_faults_leave_the_program_running(monkeypatch, owner, name):
    f = torch.compile(lambda x: x * 2 + 1)
    monkeypatch.setattr(owner, name, _fails)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for i in range(CALLS):
            x = values(i, 3)
            np.testing.assert_array_equal(f(x).numpy(), (x * 2 + 1).numpy())
    assert [each.category for each in caught] == [compiled.Mistake]
    assert "Fault" in str(caught[0].message)
    assert caught[0].filename == __file__


# ---------------------------------------------------------------------------------------------------------------
# Watches.


def _watching(add):
    watches = Watches()
    add(watches)
    watches.remember()
    assert watches.same()
    return watches


def test_containers_that_change():
    first, second, table = [1, 2], [3], {"a": [1], "b": 2}

    def add(watches):
        watches.add_container(first, "first")
        watches.add_container(second, "second", structural=1)
        watches.add_container(table, "table", ["a of it", "b of it"])

    watches = _watching(add)
    second.insert(0, first.pop())
    assert not watches.same()
    assert watches.difference() == ("first (how many there are)", False)
    first.append(second.pop(0))
    assert watches.same()
    table["a"] = [1]  # equal, but another list
    assert not watches.same()
    assert watches.difference() == ("a of it", False)


def test_an_equal_number_is_no_change_and_is_remembered():
    table = {"a": 1e300, "b": float("nan")}
    watches = _watching(lambda watches: watches.add_container(table, "table"))
    table["a"], table["b"] = 1e299 * 10, float("nan")
    assert not watches.same()
    assert watches.difference() is None
    assert watches.same()


def test_what_becomes_more_is_noticed_at_the_end_too():
    class Own(list):
        pass

    own = Own([1])
    watches = _watching(lambda watches: watches.add(padded(list.__iter__, own), own, "own"))
    own.append(2)
    assert not watches.same()
    own.clear()
    assert not watches.same()


def test_what_is_gone_is_noticed():
    table = {"a": 1, "b": 2}
    watches = _watching(lambda watches: watches.add_values(table, ["a", "b"], "table", ["a of it", "b of it"]))
    del table["b"]
    assert not watches.same()
    assert watches.difference() is not None
