"""Whose memory it is: tensors that share it, buffers that are used again, layouts that a recording has not seen."""

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.nn import functional as F

from .harness import Training, attempt, batch, may_fall_back, mlp, same_as_eager, values

# ---------------------------------------------------------------------------------------------------------------
# What the caller still holds is not written again, however he holds it.

HOLDS = {
    "the tensor": lambda t: t,
    "a view": lambda t: t[1:],
    "a view of a view": lambda t: t.T[0][1:],
    "the detached tensor": lambda t: t.detach(),
    "its data": lambda t: t.data,
    "a NumPy array": lambda t: t.detach().numpy(),
    "a part of a NumPy array": lambda t: t.detach().numpy()[1:],
    "by DLPack": lambda t: np.from_dlpack(t.detach()),
    "an iterator": lambda t: next(iter(t)),
    "a memoryview": lambda t: memoryview(t.detach().numpy()),
}


def _copied(held):
    return np.array(held) if isinstance(held, (np.ndarray, memoryview)) else held.detach().clone()


@pytest.mark.parametrize("hold", HOLDS)
@same_as_eager(calls=8)
def test_held_results_outputs_and_gradients(compile, hold):
    model = mlp()
    compiled = compile(model)
    f = compile(lambda x: (x * 2).tanh())
    held = []

    def call(i):
        model.zero_grad()
        y = compiled(batch(i)[0])
        y.square().sum().backward()
        held.extend(HOLDS[hold](each) for each in (f(values(i, 4, 3)), y, model[0].weight.grad, model[2].weight.grad))
        del y
        return [_copied(each) for each in held]

    return call


@pytest.mark.parametrize("hold", HOLDS)
@same_as_eager(calls=8)
def test_held_results_of_a_step(compile, hold):
    model, held = mlp(), []
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        output = model(x)
        loss = F.cross_entropy(output, y)
        loss.backward()
        optimizer.step()
        return output, [p.grad for p in model.parameters() if p.ndim == 2]

    def call(i):
        output, gradients = step(*batch(i))
        same = [g is p.grad for g, p in zip(gradients, (model[0].weight, model[2].weight), strict=True)]
        held.extend(HOLDS[hold](each) for each in (output, *gradients, model[0].weight.grad))
        return [_copied(each) for each in held], same, model

    return call


@same_as_eager(calls=8)
def test_only_some_results_are_let_go_of(compile):
    f = compile(lambda x: (x * 2, x.exp(), x.tanh()))
    held = []

    def call(i):
        held.append(f(values(i, 4))[i % 3])
        if i % 3 == 2:
            held.pop(0)
        return list(held)

    return call


@same_as_eager
def test_states_of_the_optimiser_are_held(compile):
    net, held = Training(compile, optim.Adam), []

    def call(i):
        net.step(*batch(i))
        state = net.optimizer.state[net.model[0].weight]
        held.append((state["exp_avg"], state["exp_avg"].clone(), state["exp_avg"].numpy()[0]))
        return [[average, copy, row.copy()] for average, copy, row in held]

    return call


# ---------------------------------------------------------------------------------------------------------------
# Tensors that share memory.


@same_as_eager
def test_tensors_outside_that_share_memory(compile):
    x = torch.zeros(4)
    part, flipped = x[1:3], x.view(2, 2).T

    @compile
    def f(y):
        x.add_(y)
        before = part * 1
        flipped.mul_(2)
        return before, part * 1, x * 1

    return lambda i: (f(values(i, 4)), x)


@same_as_eager
def test_an_argument_that_shares_memory_with_a_buffer(compile):
    state = torch.zeros(4)

    @compile
    def f(x):
        state.add_(1)
        y = x * 2
        x.mul_(3)
        return y, state * 1

    return lambda i: (f(state[:2] if i % 2 else values(i, 2)), state)


@same_as_eager
def test_an_argument_that_shares_memory_with_a_parameter(compile):
    net = Training(lambda f: f)
    step = compile(lambda x, y, w: (net.plain_step(x, y), w * 1))
    return lambda i: (step(*batch(i), net.model[0].weight.detach() if i % 2 else values(i, 5, 4)), net.seen)


@same_as_eager
def test_the_result_of_the_last_call_is_written_into(compile):
    """What a replay gave is an argument of the next, which writes into it."""
    held = [torch.zeros(3)]

    @compile
    def f(h, x):
        h.mul_(0.5)
        return h + x

    def call(i):
        held.append(f(held[-1], values(i, 3)))
        return list(held)

    return call


@same_as_eager
def test_shared_parameters_by_data(compile):
    """Two Parameters on one memory."""
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    second.weight = nn.Parameter(first.weight.detach())

    @compile
    def step(x):
        first.zero_grad()
        second.zero_grad()
        loss = second(first(x).tanh()).square().mean()
        loss.backward()
        with torch.no_grad():
            first.weight.sub_(first.weight.grad)
            second.weight.sub_(second.weight.grad)
        return loss

    return lambda i: (step(batch(i)[0]), first, second)


@may_fall_back
def test_a_gradient_that_two_leaves_share(compile):
    """The user may assign one tensor to two: eager mode then adds to it twice."""
    a, b = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
    f = compile(lambda x: (a * x + b * x * 2).sum().backward())

    def call(i):
        if i in (3, 5):
            a.grad = b.grad = torch.ones(3)
        f(values(i, 3))
        return a, b

    return call


# ---------------------------------------------------------------------------------------------------------------
# What a recording has not seen: layouts, flags, graphs, hooks.


@may_fall_back(calls=8)
def test_gradients_of_another_layout(compile):
    model = mlp()
    backward = compile(lambda x: model(x).square().sum().backward())

    def call(i):
        model[0].weight.grad = values(i, 4, 5).T if i % 2 else values(i, 5, 4)
        backward(batch(i)[0])
        return model

    return call


@may_fall_back(calls=8)
def test_gradients_with_a_graph(compile):
    w = torch.ones(3, requires_grad=True)
    backward = compile(lambda x: (w * x).sum().backward())

    def call(i):
        w.grad = None
        if i in (3, 5):
            (w**2).sum().backward(create_graph=True)
        backward(values(i, 3))
        return w.grad, w.grad.requires_grad

    return call


@same_as_eager
def test_arguments_that_must_not_be_written(compile):
    """A read-only array: RuntimeError, as eagerly, and nothing is written."""
    f = compile(lambda x: x.mul_(2))

    def call(i):
        array = np.full(3, i, np.float32)
        x = torch.from_numpy(array)
        array.flags.writeable = i % 3 != 2
        x._array.flags.writeable = i % 3 != 2
        result = attempt(f, x)
        return result if isinstance(result, torch.Tensor) else result[0], array

    return call


@same_as_eager
def test_inference_tensors_as_arguments(compile):
    """They must not be saved for backward: RuntimeError, as eagerly."""
    w = torch.ones(3, requires_grad=True)
    f = compile(lambda x: (x * w).sum())

    def call(i):
        with torch.inference_mode(i % 3 == 2):
            x = values(i, 3) * 1
        result = attempt(f, x)
        return result if isinstance(result, torch.Tensor) else result[0]

    return call


@same_as_eager
def test_leaves_that_must_not_be_written(compile):
    w = torch.ones(3)
    f = compile(lambda x: w.mul_(x) * 1)

    def call(i):
        w.requires_grad_(i in (3, 4))
        result = attempt(f, values(i, 3))
        return result if isinstance(result, torch.Tensor) else result[0], w

    return call


@may_fall_back
def test_backward_inside_reaches_what_was_computed_outside(compile):
    first, last = nn.Linear(4, 4), mlp()

    @compile
    def f(h, y):
        loss = F.cross_entropy(last(h), y)
        loss.backward()
        return loss

    def call(i):
        first.zero_grad()
        last.zero_grad()
        return f(first(batch(i)[0]).tanh(), batch(i)[1]), first, last

    return call


@may_fall_back
def test_what_was_computed_outside_is_closed_over(compile):
    w = torch.ones(3, requires_grad=True)
    h = w.exp()
    f = compile(lambda x: (h * x).sum())

    def call(i):
        w.grad = None
        loss = f(values(i, 3))
        loss.backward(retain_graph=True)
        return loss, w

    return call


@may_fall_back(calls=8)
def test_hooks_on_arguments(compile):
    f = compile(lambda x: (x * x).sum().backward())
    seen = []

    def call(i):
        x = values(i, 3).requires_grad_()
        if i in (3, 4):
            x.register_hook(lambda g: seen.append(g.clone()) or g * 2)
        f(x)
        return x, list(seen)

    return call


@same_as_eager
def test_an_argument_that_has_a_gradient_already(compile):
    f = compile(lambda x: (x * x).sum().backward())

    def call(i):
        x = values(i, 3).requires_grad_()
        if i % 2:
            x.grad = torch.ones(3)
        kept = x.grad
        f(x)
        return x, kept is x.grad

    return call


@same_as_eager
def test_a_batch_of_one_and_of_none(compile):
    net = Training(compile)
    f = compile(lambda x: (net.model(x), net.model(x).sum(0)))
    rows = [6, 1, 0, 1, 6, 0]
    return lambda i: (f(batch(i, rows[i])[0]), net.step(*batch(i, max(rows[i], 1))), net.seen)


@same_as_eager
def test_large_arrays(compile):
    """So large that kernels share their work among threads, and chains are cut into pieces."""
    w = values(0, 300, 300).requires_grad_()

    @compile
    def f(x):
        w.grad = None
        h = ((x @ w).tanh() * 2 + x[:, :1]).relu() - 0.5
        loss = (h * h).mean() + h.softmax(1).amax(1).sum()
        loss.backward()
        return loss, h.detach().sum(0)

    return lambda i: (f(values(i, 257, 300)), w.grad)


@same_as_eager
def test_double_precision_and_integers_in_one_chain(compile):
    @compile
    def f(x, n):
        y = x.double() * 2 + n
        return (y.float() * n).tanh(), (n * 3 // 2 + y.long()) % 7, y > n, (x > 0).float().mean()

    return lambda i: f(values(i, 20), torch.arange(20) * (i + 1))


@same_as_eager
def test_infinities_and_nan_go_through(compile):
    f = compile(lambda x: (x.exp() * x, x.relu() - x, (x / x).maximum(x), x.sum(), x.amax(), x.softmax(0)))

    def call(i):
        x = values(i, 9)
        x[i] = [np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-42][i]
        return f(x)

    return call
