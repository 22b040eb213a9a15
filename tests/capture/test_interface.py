"""How compile is called, what it gives, what it refuses; threads; how much it keeps."""

import functools
import gc
import inspect
import threading
import tracemalloc
import warnings

import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.nn import functional as F

from .harness import Training, assert_same, attempt, batch, may_fall_back, mlp, same_as_eager, snapshot, values

# ---------------------------------------------------------------------------------------------------------------
# What can be compiled, and how it is written.


@same_as_eager
def test_a_decorator_without_parentheses(compile):
    @compile
    def f(x):
        return x * 2

    return lambda i: f(values(i, 3))


@same_as_eager
def test_a_decorator_with_parentheses(compile):
    @compile()
    def f(x):
        return x * 2

    return lambda i: f(values(i, 3))


def test_a_name_and_a_docstring_stay():
    @torch.compile
    def doubled(x, *, by=2):
        """Twice x."""
        return x * by

    assert doubled.__name__ == "doubled"
    assert doubled.__doc__ == "Twice x."
    assert list(inspect.signature(doubled).parameters) == ["x", "by"]


def multiply(factor, x):
    return x * factor


class Callable:
    """An object that is called; its factor may change."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x):
        return x * self.factor

    def method(self, x):
        return x * self.factor + 1

    @classmethod
    def of_class(cls, x):
        return x * 3

    @staticmethod
    def static(x):
        return x * 4


CALLABLES = {
    "a lambda": lambda: lambda x: x * 2,
    "a partial": lambda: functools.partial(multiply, 3.0),
    "a partial of a tensor": lambda: functools.partial(multiply, torch.tensor(3.0)),
    "an object": lambda: Callable(2.0),
    "a method": lambda: Callable(2.0).method,
    "a class method": lambda: Callable.of_class,
    "a static method": lambda: Callable.static,
    "an op": lambda: torch.tanh,
    "a method of Tensor": lambda: torch.Tensor.exp,
    "a functional": lambda: F.relu,
    "a wrapped function": lambda: torch.no_grad()(lambda x: x + 1),
    "a module's method": lambda: nn.Linear(3, 2).forward,
}


@pytest.mark.parametrize("kind", CALLABLES)
@same_as_eager
def test_any_callable(compile, kind):
    f = compile(CALLABLES[kind]())
    return lambda i: f(values(i, 3))


@may_fall_back
def test_a_decorated_method(compile):
    """Each object has its own state."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        @compile
        def forward(self, x):
            return self.layer(x).tanh()

    models = [Model(), Model()]

    def call(i):
        y = models[i % 2](values(i, 3))
        y.sum().backward()
        return y, models

    return call


@may_fall_back
def test_a_decorated_step_of_a_class(compile):
    class Trainer:
        def __init__(self):
            self.model = mlp()
            self.optimizer = optim.Adam(self.model.parameters(), lr=0.1)

        @compile
        def step(self, x, y):
            self.optimizer.zero_grad()
            loss = F.cross_entropy(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            return loss

    trainers = [Trainer(), Trainer()]
    return lambda i: [(each.step(*batch(i)), each.model, each.optimizer) for each in trainers]


@same_as_eager
def test_compiled_within_compiled(compile):
    inner = compile(lambda x: x.tanh())
    f = compile(lambda x: inner(x) * 2 + inner(x + 1))
    return lambda i: (f(values(i, 3)), inner(values(i, 3)))


@same_as_eager
def test_a_compiled_model_within_a_compiled_step(compile):
    model = mlp(dropout=0.5)
    net, optimizer = compile(model), optim.Adam(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return lambda i: (step(*batch(i)), net(batch(i)[0]), model, optimizer)


@same_as_eager
def test_compiled_twice_over(compile):
    f = compile(compile(lambda x: x * 2))
    return lambda i: f(values(i, 3))


@may_fall_back
def test_recursion(compile):
    @compile
    def power(x, n):
        return x if n == 1 else x * power(x, n - 1)

    return lambda i: power(values(i, 3), 1 + i % 3)


@may_fall_back
def test_a_generator_function(compile):
    @compile
    def pieces(x):
        for i in range(3):
            yield x * i

    return lambda i: list(pieces(values(i, 3)))


@may_fall_back
def test_a_generator_is_an_argument(compile):
    f = compile(lambda xs: sum(xs))
    return lambda i: f(values(i, 3) * j for j in range(1 + i % 3))


@may_fall_back
def test_a_function_is_the_result(compile):
    f = compile(lambda x: functools.partial(multiply, x * 2))
    return lambda i: f(values(i, 3))(values(50 + i, 3))


# ---------------------------------------------------------------------------------------------------------------
# The keywords of torch.compile.

DEFAULTS = {"fullgraph": False, "dynamic": None, "backend": "inductor", "mode": None, "options": None, "disable": False}


@pytest.mark.parametrize("keyword", DEFAULTS)
def test_defaults_of_keywords_pass(keyword):
    f = torch.compile(lambda x: x * 2, **{keyword: DEFAULTS[keyword]})
    assert f(torch.ones(2)).tolist() == [2, 2]


def test_keywords_pass_in_a_decorator():
    @torch.compile(dynamic=None, disable=False)
    def f(x):
        return x * 2

    assert f(torch.ones(2)).tolist() == [2, 2]


def test_the_default_mode_by_its_name():
    assert torch.compile(lambda x: x * 2, mode="default")(torch.ones(2)).tolist() == [2, 2]


UNSUPPORTED = [
    ("fullgraph", True),
    ("dynamic", True),
    ("backend", "eager"),
    ("mode", "reduce-overhead"),
    ("mode", "max-autotune"),
    ("options", {"max_autotune": True}),
]


@pytest.mark.parametrize(("keyword", "value"), UNSUPPORTED)
def test_keywords_that_are_not_supported_raise(keyword, value):
    with pytest.raises(NotImplementedError, match=keyword):
        torch.compile(lambda x: x, **{keyword: value})
    with pytest.raises(NotImplementedError, match=keyword):
        torch.compile(**{keyword: value})


def test_disabled_it_is_the_function_itself_or_refused():
    def f(x):
        return x * 2

    result = attempt(lambda: torch.compile(f, disable=True))
    assert result is f or result[0] == "NotImplementedError"


def test_unknown_keywords_raise():
    with pytest.raises(TypeError, match="speed"):
        torch.compile(lambda x: x, speed="high")


def test_what_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="Tensor"):
        torch.compile(torch.ones(2))


# ---------------------------------------------------------------------------------------------------------------
# Threads.


def in_threads(*functions):
    """What the functions give, each run in a thread of its own, at once; raises what one raises."""
    results, barrier = [None] * len(functions), threading.Barrier(len(functions))

    def run(place, function):
        barrier.wait()
        try:
            results[place] = function()
        except BaseException as error:
            results[place] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(functions)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    for each in results:
        if isinstance(each, BaseException):
            raise each
    return results


def trained(compile, number, steps=8):
    net = Training(compile, optim.Adam)
    with torch.no_grad():
        for j, p in enumerate(net.model.parameters()):
            p.copy_(values(10 * number + j, *p.shape))
    return [snapshot([net.step(*batch(10 * number + i)), net.seen]) for i in range(steps)]


def test_threads_with_compiled_functions_of_their_own():
    expected = [trained(lambda f: f, number) for number in range(4)]
    found = in_threads(*[functools.partial(trained, torch.compile, number) for number in range(4)])
    assert_same(found, expected)


@pytest.mark.parametrize("warm", [0, 3])
def test_threads_that_share_a_compiled_function(warm):
    model = mlp()
    f = torch.compile(lambda x: (model(x).softmax(1), x.sum()))
    for i in range(warm):
        f(batch(i)[0])

    def run(number):
        return [snapshot(f(batch(10 * number + i)[0])) for i in range(20)]

    expected = [
        [snapshot((model(x).softmax(1), x.sum())) for x in (batch(10 * number + i)[0] for i in range(20))]
        for number in range(4)
    ]
    assert_same(in_threads(*[functools.partial(run, number) for number in range(4)]), expected)


def test_threads_that_share_a_compiled_forward_and_backward():
    model = mlp()
    compiled = torch.compile(model)

    def gradients(net, number, rounds):
        found = []
        for i in range(rounds):
            x = batch(10 * number + i)[0].requires_grad_()
            found.append(snapshot(torch.autograd.grad(net(x).square().sum(), x)))
        return found

    expected = [gradients(model, number, 20) for number in range(4)]
    assert_same(in_threads(*[functools.partial(gradients, compiled, number, 20) for number in range(4)]), expected)


def test_recording_does_not_hear_other_threads():
    """While one thread records, another computes: nothing of it gets into the recording."""
    running, stop = threading.Event(), threading.Event()

    def disturb():
        x = torch.ones(3)
        while not stop.is_set():
            x = (x * 1.5).tanh()
            running.set()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        running.wait()
        f = torch.compile(lambda x: (x * 2).tanh())
        for i in range(20):
            assert torch.equal(f(values(i, 3)), (values(i, 3) * 2).tanh())
    finally:
        stop.set()
        thread.join()


# ---------------------------------------------------------------------------------------------------------------
# What it keeps, and what it says.


def test_very_many_shapes_stay_right_and_do_not_fill_the_memory():
    def function(x):
        return (x.tanh() * 2).exp() @ torch.ones(x.shape[1], 1) + x.relu().sum()

    f = torch.compile(function)

    def run(rows):
        x = values(rows, rows, 6000 // rows)
        for _ in range(3):
            assert torch.equal(f(x), function(x))

    def memory_after(shapes):
        for rows in shapes:
            run(rows)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            before = memory_after(range(1, 150))
            grown = memory_after(range(150, 230)) - before
    finally:
        tracemalloc.stop()
    assert len(caught) <= 1
    # were nothing forgotten, one array for each of the eighty last shapes alone would be 1.9 MB
    assert grown < 1_000_000


def test_nothing_is_printed(capsys):
    net = Training(torch.compile)
    net.plain_step(*batch(0))  # any kernel that is compiled says so, eagerly too
    capsys.readouterr()
    for i in range(4):
        net.step(*batch(i))
    assert capsys.readouterr().out == ""


def test_many_compiled_functions():
    """A thousand of them, each called once: nothing is shared by accident, say by a reused address."""
    for i in range(1000):
        f = torch.compile(lambda x, i=i: x * i)
        assert f(torch.ones(1)).item() == i
    for i in range(50):
        layer = nn.Linear(3, 2)
        f = torch.compile(layer)
        for _ in range(3):
            x = values(i, 3)
            assert torch.equal(f(x), layer(x))
