"""Where replaying what was recorded could go wrong: each test is a program that must leave what it leaves eagerly."""

import gc
import itertools
import math
import random
import time
import warnings
import weakref
from functools import partial

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.nn import functional as F

from .harness import Training, attempt, batch, falls_back, may_fall_back, mlp, python_calls, same_as_eager, values

# ---------------------------------------------------------------------------------------------------------------
# Arguments: shapes, types, layouts.


@same_as_eager
def test_the_last_batch_is_smaller(compile):
    net = Training(compile, optim.Adam)
    return lambda i: (net.step(*batch(i, rows=2 if i % 3 == 2 else 6)), net.seen)


@same_as_eager(calls=8)
def test_new_shapes(compile):
    f = compile(lambda x: (x.tanh() * 2).sum(0))
    shapes = [(3,), (2, 3), (3, 2), (3,), (2, 3), (), (1, 1, 4), ()]
    return lambda i: f(values(i, *shapes[i])) if shapes[i] else f(values(i, 1))


@same_as_eager
def test_shapes_that_broadcast_differently(compile):
    f = compile(lambda x, y: x * y + x)
    pairs = [((3, 4), (4,)), ((3, 4), (3, 1)), ((3, 4), ()), ((1, 4), (3, 1)), ((3, 4), (4,)), ((), (3, 1))]
    return lambda i: f(values(i, *pairs[i][0]), values(50 + i, *pairs[i][1]))


@same_as_eager(calls=8)
def test_new_dtypes(compile):
    f = compile(lambda x: x * 2 + 1)
    types = [torch.float32, torch.float64, torch.int64, torch.float32, torch.float64, torch.int64, torch.uint8]
    types.append(torch.float64)
    return lambda i: f((values(i, 5).abs() * 10).to(types[i]))


@same_as_eager
def test_labels_of_another_integer_type(compile):
    f = compile(lambda x, y: F.cross_entropy(x, y))
    return lambda i: f(values(i, 4, 3), torch.tensor([0, 2, 1, i % 3], dtype=torch.uint8 if i % 2 else torch.int64))


@pytest.mark.parametrize("shape", [(), (0,), (0, 4), (3, 0), (1,)], ids=str)
@same_as_eager
def test_0d_and_empty_arguments(compile, shape):
    f = compile(lambda x: (x * 2, (x.exp() + 1).sum()))
    return lambda i: f(values(i, *shape))


LAYOUTS = {
    "transposed": lambda x: x.T,
    "every second row": lambda x: x[::2],
    "every second column": lambda x: x[:, ::2],
    "a later part": lambda x: x[2:, 1:],
    "expanded": lambda x: x[:1].expand(4, 4),
    "one row": lambda x: x[1],
    "plain": lambda x: x,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@same_as_eager
def test_arguments_that_are_not_contiguous(compile, layout):
    f = compile(lambda x: (x * 2, x.sum(-1), (x @ x.T).tanh() if x.ndim == 2 else x, x.reshape(-1)))
    return lambda i: f(LAYOUTS[layout](values(i, 4, 4)))


@same_as_eager(calls=2 * len(LAYOUTS))
def test_layouts_that_change_from_call_to_call(compile):
    f = compile(lambda x: (x * 2, x.sum(-1), x.reshape(-1) + 1))
    return lambda i: f([*LAYOUTS.values()][i % len(LAYOUTS)](values(i, 4, 4)))


@same_as_eager
def test_a_transposed_argument_is_no_plain_one_of_its_shape(compile):
    f = compile(lambda x: x.reshape(-1) * 3)
    return lambda i: f(values(i, 4, 4).T if i % 2 else values(i, 4, 4))


@same_as_eager
def test_arguments_at_any_address(compile):
    """A part of a longer array begins in the middle of a vector register, or of an element's own size."""
    f = compile(lambda x: x.exp().sum() + x.tanh())
    return lambda i: f(values(i, 40)[i : i + 17])


@same_as_eager
def test_the_same_tensor_for_two_arguments(compile):
    def f(x, y):
        x.mul_(2)
        return x + y

    compiled = compile(f)

    def call(i):
        x, y = values(i, 3), values(50 + i, 3)
        return compiled(x, x if i % 2 else y), x, y

    return call


@same_as_eager
def test_arguments_that_share_memory(compile):
    def f(x, y):
        x.add_(1)
        y.mul_(3)
        return x * 1, y * 1

    compiled = compile(f)

    def call(i):
        x, other = values(i, 5), values(50 + i, 5)
        return compiled(x[:4], (x if i % 2 else other)[1:]), x, other

    return call


@same_as_eager
def test_a_parameter_as_an_argument(compile):
    model = mlp()
    f = compile(lambda x, w: F.linear(x, w).sum(0))
    return lambda i: f(batch(i)[0], model[0].weight if i % 2 else model[0].weight.detach() * 2)


@same_as_eager
def test_an_argument_that_wants_a_gradient_or_not(compile):
    f = compile(lambda x: (x * x).sum())

    def call(i):
        x = values(i, 3).requires_grad_(i % 2 == 1)
        loss = f(x)
        if loss.requires_grad:
            loss.backward()
        return loss, x

    return call


# ---------------------------------------------------------------------------------------------------------------
# Arguments that are no tensors are matched by value.

CHOICES = {
    "a flag": (True, False),
    "one and true": (1, True, 1.0),
    "a number": (0.5, 2.0, -1.0),
    "zeros of both signs": (0.0, -0.0),
    "an integer and a number": (2, 2.0),
    "a name": ("tanh", "relu"),
    "None": (None, 3.0),
}


@pytest.mark.parametrize("kind", CHOICES)
@same_as_eager(calls=12)
def test_python_arguments_go_by_value(compile, kind):
    @compile
    def f(x, option):
        if isinstance(option, str):
            return getattr(x, option)()
        if option is None or option is True or option is False:
            return x * (2 if option else 3)
        return x * option + option + (x.long() * option).float()

    return lambda i: f(values(i, 4), CHOICES[kind][i % len(CHOICES[kind])])


@same_as_eager(calls=12)
def test_keywords_and_defaults(compile):
    @compile
    def f(x, y=None, *rest, scale=1.0, **others):
        total = x * scale
        for each in (y, *rest, *others.values()):
            total = total if each is None else total + each
        return total

    def call(i):
        x, y, z = values(i, 3), values(50 + i, 3), values(90 + i, 3)
        ways = [
            lambda: f(x),
            lambda: f(x, y),
            lambda: f(x=x, y=y),
            lambda: f(x, scale=3.0),
            lambda: f(x, y, z, scale=0.5),
            lambda: f(x, first=y, second=z),
        ]
        return ways[i % len(ways) if i < len(ways) else (i * 5) % len(ways)]()

    return call


@same_as_eager(calls=12)
def test_tuples_lists_and_dictionaries_of_tensors(compile):
    @compile
    def f(given):
        if isinstance(given, dict):
            return given["x"] * 2 + given["more"][0]
        return sum(each * (i + 1) for i, each in enumerate(given)) * (2 if isinstance(given, list) else 1)

    def call(i):
        x, y, z = values(i, 3), values(50 + i, 3), values(90 + i, 3)
        return f([[x, y], (x, y), (x, y, z), {"x": x, "more": [y, z]}][i % 4])

    return call


@same_as_eager
def test_the_order_of_keywords_does_not_matter(compile):
    f = compile(lambda x, y: x - y)
    return lambda i: f(x=values(i, 2), y=values(9, 2)) if i % 2 else f(y=values(9, 2), x=values(i, 2))


@may_fall_back
def test_a_number_that_is_new_at_each_call(compile):
    f = compile(lambda x, a: x * a)
    return lambda i: f(values(i, 3), 0.1 * i)


@may_fall_back
def test_a_numpy_array_as_an_argument(compile):
    f = compile(lambda x, a: x * torch.from_numpy(a))
    return lambda i: f(values(i, 3), np.full(3, i, np.float32))


@may_fall_back
def test_an_object_of_the_users_as_an_argument(compile):
    class Settings:
        scale = 1.0

    settings = Settings()
    f = compile(lambda x, settings: x * settings.scale)

    def call(i):
        settings.scale = float(i // 2)
        return f(values(i, 3), settings)

    return call


@same_as_eager
def test_functions_without_tensors(compile):
    f = compile(lambda *numbers: sum(numbers))
    return lambda i: f(1, i % 2)


# ---------------------------------------------------------------------------------------------------------------
# Results: which objects, how they are nested, whose memory.


@same_as_eager
def test_nested_results(compile):
    f = compile(lambda x: {"twice": x * 2, "rest": [x + 1, (None, "text", 3, x.sum())], "none": None})
    return lambda i: f(values(i, 3))


@same_as_eager
def test_a_result_of_none(compile):
    def f(x):
        x.add_(1)

    compiled = compile(f)

    def call(i):
        x = values(i, 3)
        return compiled(x), x

    return call


@same_as_eager
def test_an_argument_is_returned_itself(compile):
    f = compile(lambda x, y: (y, x, {"again": x}))

    def call(i):
        x, y = values(i, 3), values(50 + i, 3)
        first, second, third = f(x, y)
        return first is y, second is x, third["again"] is x

    return call


@same_as_eager
def test_a_parameter_is_returned_itself(compile):
    model = mlp()

    @compile
    def f(x):
        return model(x), model[0].weight

    return lambda i: f(batch(i)[0])[1] is model[0].weight


@same_as_eager
def test_one_result_twice_is_one_tensor(compile):
    @compile
    def f(x):
        y = x * 2
        return y, [y]

    def call(i):
        first, (second,) = f(values(i, 3))
        second.add_(1)
        return first, first is second

    return call


@same_as_eager
def test_results_that_are_views_of_each_other(compile):
    @compile
    def f(x):
        y = x * 2
        return y, y[0], y.T

    def call(i):
        y, row, transposed = f(values(i, 3, 2))
        row.mul_(10)
        return y, row, transposed, transposed.is_contiguous()

    return call


@same_as_eager
def test_a_result_that_is_a_view_of_an_argument(compile):
    f = compile(lambda x: (x[1:], x.T, x.reshape(-1)))

    def call(i):
        x = values(i, 3, 2)
        part, transposed, flat = f(x)
        x.mul_(2)
        flat[0] = 7.0
        return x, part, transposed, flat

    return call


@same_as_eager
def test_a_result_that_is_a_view_of_a_parameter(compile):
    model = mlp()
    f = compile(lambda x: (model[0].weight[1], model[0].weight.detach().T, (model[0].weight.sum() * x)))

    def call(i):
        row, transposed, product = f(values(i, 2))
        with torch.no_grad():
            model[0].weight.add_(1)
        return row, transposed, product, model

    return call


@same_as_eager
def test_results_are_kept_by_the_caller(compile):
    """The harness looks at all results again at the end: the list of losses, whole outputs, views of them."""
    net = Training(compile)

    @compile
    def forward(x):
        h = net.model[0](x)
        return h, h[1:3], h.relu().sum(1)

    losses, outputs = [], []

    def call(i):
        losses.append(net.step(*batch(i)))
        outputs.extend(each.detach() for each in forward(batch(i)[0]))
        return list(losses), list(outputs)

    return call


@same_as_eager
def test_a_view_of_a_result_is_kept_but_not_the_result(compile):
    f = compile(lambda x: (x * 2).tanh())
    kept = []

    def call(i):
        kept.append(f(values(i, 4, 3))[1:])
        return list(kept)

    return call


@same_as_eager
def test_a_numpy_view_of_a_result_is_kept(compile):
    f = compile(lambda x: (x * 2).tanh())
    kept = []

    def call(i):
        kept.append(f(values(i, 4, 3)).numpy())
        return [each.copy() for each in kept]

    return call


@same_as_eager
def test_gradients_are_kept_by_the_caller(compile):
    net = Training(compile)
    kept = []

    def call(i):
        net.step(*batch(i))
        kept.extend(p.grad for p in net.model.parameters())
        return list(kept)

    return call


@same_as_eager
def test_the_caller_writes_into_results_and_gradients(compile):
    net = Training(compile)
    f = compile(lambda x: (x * 2, torch.zeros(3), torch.ones(3) * 2, torch.arange(3)))

    def call(i):
        loss = net.step(*batch(i)).detach()
        seen = [loss.clone(), [p.grad.clone() for p in net.model.parameters()]]
        loss.fill_(100.0)
        for p in net.model.parameters():
            p.grad.fill_(100.0)
        results = f(values(i, 3))
        seen.append([each.clone() for each in results])
        for each in results:
            each.fill_(77)
        return seen, net.seen

    return call


@same_as_eager
def test_the_caller_reuses_and_keeps_arguments(compile):
    """One array for all batches, overwritten between calls, as loaders that save memory do."""
    net = Training(compile)
    identity = compile(lambda x: (x, x * 1))
    x, y = batch(0)

    def call(i):
        new_x, new_y = batch(i)
        x.copy_(new_x)
        y.copy_(new_y)
        loss = net.step(x, y)
        same, copy = identity(x)
        x.zero_()
        return loss, same is x, copy, net.seen

    return call


@same_as_eager
def test_a_result_is_the_next_argument(compile):
    f = compile(lambda x, y: (x + y).tanh())
    held = [torch.zeros(3)]

    def call(i):
        held.append(f(held[-1], values(i, 3)))
        return list(held)

    return call


def test_arguments_and_results_that_nobody_holds_are_freed():
    f = torch.compile(lambda x: (x * 2).tanh())
    alive = []
    for i in range(8):
        x = values(i, 3)
        y = f(x)
        alive += [weakref.ref(x), weakref.ref(y)]
        del x, y
    gc.collect()
    assert sum(each() is not None for each in alive) <= 4, "compile keeps what it was called with"


# ---------------------------------------------------------------------------------------------------------------
# train() and eval(), dropout, random numbers.


@same_as_eager(calls=10)
def test_train_and_eval_between_calls(compile):
    model = mlp(dropout=0.5)
    f = compile(lambda x: model(x))

    def call(i):
        model.train(i % 3 != 2)
        return f(batch(i)[0]), model

    return call


@same_as_eager(calls=10)
def test_one_layer_alone_is_set_to_evaluation(compile):
    model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5)))
    f = compile(lambda x: model(x))

    def call(i):
        model[1][1].train(i % 3 != 2)
        return f(batch(i)[0])

    return call


@same_as_eager
def test_dropout_draws_anew_at_each_replay(compile):
    """The same draws as eagerly, from the same seed, and the default generator goes on as it does eagerly."""
    f = compile(lambda x: F.dropout(x, 0.5))
    return lambda i: f(torch.ones(50))


def test_dropout_draws_differ():
    f = torch.compile(lambda x: F.dropout(x, 0.5))
    draws = [tuple(f(torch.ones(50)).tolist()) for _ in range(6)]
    assert len(set(draws)) == 6


@same_as_eager
def test_dropout_in_training(compile):
    net = Training(compile, optim.Adam, dropout=0.5)
    return lambda i: (net.step(*batch(i)), net.seen)


@same_as_eager(calls=8)
def test_manual_seed_between_replays(compile):
    f = compile(lambda x: F.dropout(x, 0.5) + torch.rand(20) + torch.randn(20))

    def call(i):
        if i % 2:
            torch.manual_seed(i // 4)
        return f(torch.ones(20)), torch.rand(2)

    return call


@same_as_eager(calls=8)
def test_the_random_state_is_set_back_between_replays(compile):
    f = compile(lambda x: F.dropout(x, 0.5))
    state = torch.get_rng_state()

    def call(i):
        if i % 2:
            torch.set_rng_state(state)
        return f(torch.ones(20))

    return call


@same_as_eager
def test_every_kind_of_draw(compile):
    @compile
    def f(p):
        x = torch.empty(4)
        x.uniform_(-1, 1)
        y = torch.zeros(4).normal_(1.0, 2.0)
        ints = torch.randint(0, 10, (5,))
        return x, y, ints, torch.randperm(6), torch.bernoulli(p), torch.rand_like(x), torch.normal(0.0, 1.0, (3,))

    return lambda i: f(torch.full((8,), 0.1 * (i + 1)))


@may_fall_back
def test_multinomial_draws_anew_and_by_the_new_weights(compile):
    f = compile(lambda w: (torch.multinomial(w, 2), torch.multinomial(w, 5, replacement=True)))
    return lambda i: f(values(i, 3, 4).abs() + 0.1)


@same_as_eager
def test_a_generator_of_the_users(compile):
    generator = torch.Generator().manual_seed(3)
    f = compile(lambda x: x + torch.rand(3, generator=generator))

    def call(i):
        if i == 4:
            generator.manual_seed(8)
        return f(values(i, 3)), generator.get_state()

    return call


@same_as_eager
def test_a_generator_as_an_argument(compile):
    generators = [torch.Generator().manual_seed(3), torch.Generator().manual_seed(4)]
    f = compile(lambda x, generator: x + torch.rand(3, generator=generator))
    return lambda i: f(values(i, 3), generators[i % 2])


@may_fall_back(calls=8)
def test_random_numbers_of_python_and_numpy(compile):
    f = compile(lambda x: x * random.random() + float(np.random.rand()))  # noqa: NPY002
    return lambda i: f(values(i, 3))


@may_fall_back(calls=8)
def test_a_branch_by_a_random_number(compile):
    f = compile(lambda x: x * 2 if random.random() < 0.5 else x * 3)
    return lambda i: f(values(i, 3))


@pytest.mark.filterwarnings("default")
def test_the_time_is_not_frozen():
    f = torch.compile(lambda x: x * 0 + time.perf_counter())
    times = []
    for i in range(6):
        times.append(f(torch.zeros((), dtype=torch.float64)).item())
        time.sleep(0.001 * (i >= 0))
    assert sorted(set(times)) == times


# ---------------------------------------------------------------------------------------------------------------
# Optimisers between replays.

METHODS = {
    "sgd": partial(optim.SGD),
    "momentum": partial(optim.SGD, momentum=0.9),
    "adam": partial(optim.Adam),
    "adamw": partial(optim.AdamW),
}
every_method = pytest.mark.parametrize("method", METHODS)


@every_method
@same_as_eager
def test_a_schedule_of_the_learning_rate(compile, method):
    net = Training(compile, METHODS[method])

    def call(i):
        net.optimizer.param_groups[0]["lr"] = 0.1 * 0.5**i
        return net.step(*batch(i)), net.seen

    return call


@may_fall_back
def test_a_schedule_inside(compile):
    net = Training(lambda f: f, optim.Adam)

    @compile
    def step(x, y):
        loss = net.plain_step(x, y)
        for group in net.optimizer.param_groups:
            group["lr"] *= 0.5
        return loss

    return lambda i: (step(*batch(i)), net.seen)


CHANGES = {
    "betas": (optim.Adam, "betas", [(0.9, 0.999), (0.5, 0.9)]),
    "eps": (optim.Adam, "eps", [1e-8, 1e-2]),
    "weight_decay": (optim.AdamW, "weight_decay", [0.01, 0.3, 0.0]),
    "weight_decay of SGD": (optim.SGD, "weight_decay", [0.0, 0.3]),
    "momentum": (optim.SGD, "momentum", [0.0, 0.9, 0.5]),
    "dampening": (partial(optim.SGD, momentum=0.9), "dampening", [0.0, 0.5]),
    "nesterov": (partial(optim.SGD, momentum=0.9), "nesterov", [False, True]),
    "maximize": (optim.SGD, "maximize", [False, True]),
    "maximize of Adam": (optim.Adam, "maximize", [False, True]),
    "amsgrad": (partial(optim.Adam, amsgrad=True), "amsgrad", [True, True, False]),
}


@pytest.mark.parametrize("change", CHANGES)
@may_fall_back(calls=10)
def test_other_options_of_the_optimiser(compile, change):
    method, option, choices = CHANGES[change]
    net = Training(compile, method)

    def call(i):
        net.optimizer.param_groups[0][option] = choices[(i // 3) % len(choices)]
        return net.step(*batch(i)), net.seen

    return call


@every_method
@same_as_eager(calls=8)
def test_load_state_dict_of_the_model(compile, method):
    net, other = Training(compile, METHODS[method]), mlp()

    def call(i):
        if i in (2, 5):
            net.model.load_state_dict(other.state_dict())
        return net.step(*batch(i)), net.seen

    return call


@may_fall_back(calls=8)
def test_load_state_dict_that_assigns(compile):
    net = Training(compile)
    f = compile(lambda x: net.model(x))

    def call(i):
        if i in (3, 5):
            torch.manual_seed(i)
            net.model.load_state_dict(mlp().state_dict(), assign=True)
        return f(batch(i)[0]), net.step(*batch(i)), net.seen

    return call


@every_method
@same_as_eager(calls=8)
def test_load_state_dict_of_the_optimiser(compile, method):
    """Its tensors are other ones afterwards."""
    net, other = Training(compile, METHODS[method]), Training(lambda f: f, METHODS[method], lr=0.02)
    for i in range(3):
        other.step(*batch(40 + i))

    def call(i):
        if i in (3, 5):
            net.optimizer.load_state_dict(other.optimizer.state_dict())
        return net.step(*batch(i)), net.seen

    return call


@same_as_eager(calls=8)
def test_the_optimisers_state_is_cleared(compile):
    net = Training(compile, optim.Adam)

    def call(i):
        if i == 4:
            net.optimizer.state.clear()
        return net.step(*batch(i)), net.seen

    return call


@same_as_eager(calls=8)
def test_a_checkpoint_is_not_written_to(compile):
    """`state_dict` shares memory, eagerly too; its deep copy does not."""
    import copy

    net = Training(compile, optim.Adam)
    taken = []

    def call(i):
        if i == 3:
            taken.append(copy.deepcopy([net.model.state_dict(), net.optimizer.state_dict()]))
        if i == 6:
            net.model.load_state_dict(taken[0][0])
            net.optimizer.load_state_dict(taken[0][1])
        return net.step(*batch(i)), net.seen, taken

    return call


@same_as_eager(calls=8)
def test_groups_with_learning_rates_of_their_own(compile):
    model = mlp()
    groups = [{"params": model[0].parameters()}, {"params": model[2].parameters(), "lr": 0.5, "momentum": 0.9}]
    optimizer = optim.SGD(groups, lr=0.1)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()

    def call(i):
        optimizer.param_groups[1]["lr"] *= 0.7
        return step(*batch(i)), model, optimizer

    return call


@may_fall_back(calls=8)
def test_a_group_is_added_between_calls(compile):
    model = mlp()
    optimizer = optim.Adam(model[0].parameters(), lr=0.1)

    @compile
    def step(x, y):
        model.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    def call(i):
        if i == 4:
            optimizer.add_param_group({"params": model[2].parameters(), "lr": 0.01})
        return step(*batch(i)), model, optimizer

    return call


@same_as_eager
def test_two_optimisers_in_one_step(compile):
    model = mlp()
    first, second = optim.SGD(model[0].parameters(), lr=0.1), optim.Adam(model[2].parameters(), lr=0.1)

    @compile
    def step(x, y):
        first.zero_grad()
        second.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        first.step()
        second.step()
        return loss

    return lambda i: (step(*batch(i)), model, first, second)


@same_as_eager
def test_a_step_with_a_closure(compile):
    model = mlp()
    optimizer = optim.SGD(model.parameters(), lr=0.1)

    @compile
    def step(x, y):
        def closure():
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            return loss

        return optimizer.step(closure)

    return lambda i: (step(*batch(i)), model, optimizer)


@every_method
@same_as_eager
def test_the_update_alone_is_compiled(compile, method):
    """`.grad` holds another array at each call."""
    net = Training(lambda f: f, METHODS[method])
    update = compile(net.optimizer.step)

    def call(i):
        net.optimizer.zero_grad()
        F.cross_entropy(net.model(batch(i)[0]), batch(i)[1]).backward()
        update()
        return net.seen

    return call


@same_as_eager
def test_gradient_descent_by_hand(compile):
    model = mlp()

    @compile
    def step(x, y, lr):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= lr * p.grad
                p.grad = None
        return loss

    return lambda i: (step(*batch(i), 0.1), model)


@same_as_eager
def test_gradient_descent_by_hand_that_sets_gradients_to_zero(compile):
    w = torch.ones(4, 3, requires_grad=True)

    @compile
    def step(x, y):
        loss = F.cross_entropy(x @ w, y)
        loss.backward()
        with torch.no_grad():
            w.sub_(w.grad * 0.1)
        w.grad.zero_()
        return loss

    return lambda i: (step(*batch(i)), w)


# ---------------------------------------------------------------------------------------------------------------
# Gradients: accumulation, zero_grad, clipping.


@same_as_eager(calls=9)
def test_accumulation_over_calls(compile):
    net = Training(lambda f: f)

    @compile
    def backward(x, y):
        loss = F.cross_entropy(net.model(x), y)
        loss.backward()
        return loss

    def call(i):
        loss = backward(*batch(i))
        seen = [loss, [p.grad.clone() for p in net.model.parameters()]]
        if i % 3 == 2:
            net.optimizer.step()
            net.optimizer.zero_grad()
        return seen, net.seen

    return call


@same_as_eager(calls=8)
def test_accumulation_begins_with_gradients_or_without(compile):
    """The first call of a step finds None, the second a gradient: both orders are recorded."""
    model = mlp()
    backward = compile(lambda x, y: F.cross_entropy(model(x), y).backward())

    def call(i):
        if i in (0, 3, 4, 6):
            model.zero_grad()
        backward(*batch(i))
        return model

    return call


@same_as_eager
def test_accumulation_inside(compile):
    net = Training(lambda f: f)

    @compile
    def step(batches):
        net.optimizer.zero_grad()
        total = 0.0
        for x, y in batches:
            loss = F.cross_entropy(net.model(x), y) / len(batches)
            loss.backward()
            total = total + loss.detach()
        net.optimizer.step()
        return total

    return lambda i: (step([batch(2 * i), batch(2 * i + 1)]), net.seen)


@pytest.mark.parametrize("inside", [True, False])
@same_as_eager
def test_zero_grad_that_keeps_the_arrays(compile, inside):
    net = Training(lambda f: f)
    held = []

    @compile
    def step(x, y):
        if inside:
            net.optimizer.zero_grad(set_to_none=False)
        F.cross_entropy(net.model(x), y).backward()
        net.optimizer.step()

    def call(i):
        if not inside:
            net.optimizer.zero_grad(set_to_none=False)
        step(*batch(i))
        if i == 1:
            held.extend(p.grad for p in net.model.parameters())
        return net.seen, list(held)

    return call


@same_as_eager
def test_gradients_belong_to_one_leaf_each(compile):
    x, y = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)

    @compile
    def f(z):
        x.grad = y.grad = None
        ((x + y) * z).sum().backward()

    def call(i):
        f(values(i, 3))
        x.grad.mul_(2)
        return x, y

    return call


@same_as_eager
def test_clipping_inside(compile):
    net = Training(lambda f: f)

    @compile
    def step(x, y):
        net.optimizer.zero_grad()
        F.cross_entropy(net.model(x), y).backward()
        norm = nn.utils.clip_grad_norm_(net.model.parameters(), 0.05)
        nn.utils.clip_grad_value_(net.model.parameters(), 0.02)
        net.optimizer.step()
        return norm

    return lambda i: (step(*batch(i)), net.seen)


@pytest.mark.parametrize("order", [1.0, 2.0, math.inf, 3.0, 0.0])
@same_as_eager
def test_clipping_by_norms_of_any_order(compile, order):
    net = Training(lambda f: f, optim.Adam)

    @compile
    def step(x, y):
        net.optimizer.zero_grad()
        F.cross_entropy(net.model(x), y).backward()
        norm = nn.utils.clip_grad_norm_(net.model.parameters(), 0.05, order)
        net.optimizer.step()
        return norm

    return lambda i: (step(*batch(i)), net.seen)


@pytest.mark.parametrize("width", [3, 2000])  # arrays that are copied for a replay, and such that it is moved to
@same_as_eager
def test_clipping_gradients_that_were_there(compile, width):
    p, q = nn.Parameter(torch.zeros(width)), nn.Parameter(torch.zeros(2, width))

    @compile
    def clip(loss):
        nn.utils.clip_grad_norm_([p, q], 0.5)
        return loss * 2

    def call(i):
        p.grad, q.grad = values(i, width), values(i + 10, 2, width)
        return clip(torch.tensor(float(i))), p, q, p.grad._version[0]

    return call


@same_as_eager
def test_the_norm_of_arguments(compile):
    norm = compile(lambda g, h: nn.utils.get_total_norm([g, h]))
    return lambda i: norm(values(i, 2000), values(i + 10, 4))


@same_as_eager
def test_clipping_accumulated_gradients(compile):
    net = Training(lambda f: f)

    @compile
    def step(x, y):
        F.cross_entropy(net.model(x), y).backward()
        norm = nn.utils.clip_grad_norm_(net.model.parameters(), 0.05)
        net.optimizer.step()
        return norm

    return lambda i: (step(*batch(i)), net.seen)


@falls_back("reads values")
def test_clipping_that_looks_for_what_is_not_finite(compile):
    net = Training(lambda f: f)

    @compile
    def step(x, y):
        net.optimizer.zero_grad()
        F.cross_entropy(net.model(x), y).backward()
        nn.utils.clip_grad_norm_(net.model.parameters(), 0.05, error_if_nonfinite=True)
        net.optimizer.step()

    def call(i):
        x, y = batch(i)
        return attempt(step, x if i != 4 else x * math.nan, y), net.seen

    return call


@same_as_eager
def test_clipping_between_two_compiled_functions(compile):
    net = Training(lambda f: f, optim.Adam)
    update = compile(lambda: net.optimizer.step())

    @compile
    def backward(x, y):
        net.optimizer.zero_grad()
        F.cross_entropy(net.model(x), y).backward()

    def call(i):
        backward(*batch(i))
        nn.utils.clip_grad_norm_(net.model.parameters(), 0.05)
        update()
        return net.seen

    return call


@same_as_eager
def test_gradients_that_the_user_assigns(compile):
    net = Training(lambda f: f)
    backward = compile(lambda x, y: F.cross_entropy(net.model(x), y).backward())

    def call(i):
        for j, p in enumerate(net.model.parameters()):
            p.grad = values(10 * i + j, *p.shape) if (i + j) % 2 else None
        backward(*batch(i))
        net.optimizer.step()
        return net.seen

    return call


@same_as_eager
def test_a_gradient_penalty(compile):
    """A second derivative inside one compiled function."""
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))

    @compile
    def f(x):
        x = x.detach().requires_grad_()
        model.zero_grad()
        (g,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        loss = ((g.norm(dim=1) - 1) ** 2).mean()
        loss.backward()
        return loss, g

    return lambda i: (f(batch(i)[0]), model)


@same_as_eager
def test_grad_of_an_argument_inside(compile):
    @compile
    def f(x):
        y = (x**3).sum()
        return torch.autograd.grad(y, x)[0]

    def call(i):
        x = values(i, 3).requires_grad_()
        return f(x), x

    return call


@same_as_eager
def test_parameters_used_twice(compile):
    layer = nn.Linear(4, 4)
    optimizer = optim.SGD([layer.weight], lr=0.1)

    @compile
    def step(x):
        optimizer.zero_grad()
        loss = (layer(layer(x)) @ layer.weight).square().mean()
        loss.backward()
        optimizer.step()
        return loss

    return lambda i: (step(batch(i)[0]), layer, optimizer)


@same_as_eager
def test_a_parameter_that_gets_no_gradient(compile):
    model = nn.ModuleList([nn.Linear(4, 3), nn.Linear(4, 3)])
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    @compile
    def step(x, y, which):
        optimizer.zero_grad()
        F.cross_entropy(model[which](x), y).backward()
        optimizer.step()

    return lambda i: (step(*batch(i), i % 2), model, optimizer)


@same_as_eager(calls=8)
def test_freezing_between_calls(compile):
    net = Training(compile, optim.Adam)

    def call(i):
        net.model[0].requires_grad_(i % 4 < 2)
        return net.step(*batch(i)), net.seen

    return call


# ---------------------------------------------------------------------------------------------------------------
# Several compiled functions, and eager ones, on the same tensors.


@same_as_eager
def test_two_compiled_functions_share_parameters(compile):
    net = Training(compile, optim.Adam)
    evaluate = compile(lambda x: net.model(x).argmax(1))
    return lambda i: (evaluate(batch(i)[0]), net.step(*batch(i)), evaluate(batch(i)[0]), net.seen)


@same_as_eager
def test_two_compiled_steps_share_model_and_optimiser(compile):
    net = Training(compile, optim.Adam)

    @compile
    def other(x, y):
        net.optimizer.zero_grad()
        loss = net.model(x).square().mean()
        loss.backward()
        net.optimizer.step()
        return loss

    return lambda i: (net.step(*batch(i)), other(*batch(30 + i)), net.seen)


@pytest.mark.parametrize("method", METHODS)
@same_as_eager(calls=10)
def test_compiled_and_eager_steps_alternate(compile, method):
    net = Training(compile, METHODS[method])
    return lambda i: ((net.step if i % 3 else net.plain_step)(*batch(i)), net.seen)


@same_as_eager
def test_one_function_compiled_twice(compile):
    net = Training(compile)
    again = compile(net.plain_step)
    return lambda i: (net.step(*batch(i)), again(*batch(20 + i)), net.seen)


@same_as_eager
def test_two_models_through_one_function(compile):
    models = [mlp(), mlp()]
    f = compile(lambda model, x: model(x))
    return lambda i: f(models[i % 2], batch(i)[0])


# ---------------------------------------------------------------------------------------------------------------
# Exceptions in the middle.


@pytest.mark.parametrize("when", range(5))
@same_as_eager
def test_a_bad_label(compile, when):
    """IndexError, in the words of eager mode; afterwards everything goes on."""
    net = Training(compile, optim.Adam)

    def call(i):
        x, y = batch(i)
        if i == when:
            y[2] = 7
        return attempt(net.step, x, y), list(net.model.parameters()), net.optimizer

    return call


@pytest.mark.parametrize("when", range(5))
@same_as_eager
def test_what_was_done_before_a_bad_label_is_done(compile, when):
    model = mlp(dropout=0.5)
    counter = torch.zeros(())

    @compile
    def f(x, y):
        counter.add_(1)
        return F.cross_entropy(model(x), y)

    def call(i):
        x, y = batch(i)
        if i == when:
            y[2] = -1
        return attempt(f, x, y), counter, model

    return call


CHECKED = {
    "nll_loss": lambda x, y: F.nll_loss(x.log_softmax(1), y),
    "cross_entropy with weights": lambda x, y: F.cross_entropy(x, y, torch.ones(3)),
    "smoothed": lambda x, y: F.cross_entropy(x, y, label_smoothing=0.1),
    "gather": lambda x, y: x.gather(1, y.unsqueeze(1)),
    "index_select": lambda x, y: x.index_select(1, y),
    "index": lambda x, y: x[:, y],
    "pairs": lambda x, y: x[torch.arange(4), y],
    "bernoulli": lambda x, y: torch.bernoulli(y / 3),
    "cross-entropy of probabilities": lambda x, y: F.binary_cross_entropy(x.sigmoid(), (y / 3)[:, None].expand(4, 3)),
    "one by one": lambda x, y: F.cross_entropy(x, y, reduction="none"),
}


@pytest.mark.parametrize("what", CHECKED)
@may_fall_back(calls=7)
def test_arguments_are_checked_at_each_replay(compile, what):
    """What eager mode refuses because of its values, a replay refuses in the same words."""
    f = compile(CHECKED[what])

    def call(i):
        y = torch.tensor([0, 2, 1, i % 3])
        y[1] = {3: 4, 5: -4}.get(i, 1)
        return attempt(f, values(i, 4, 3), y)

    return call


@pytest.mark.parametrize("when", range(5))
@may_fall_back
def test_an_exception_of_the_users(compile, when):
    net = Training(compile)

    @compile
    def f(x, y, fail):
        h = net.model(x)
        if fail:
            raise ValueError(f"batch of {len(x)} rows")
        return F.cross_entropy(h, y)

    return lambda i: (attempt(f, *batch(i), i == when), net.step(*batch(i)), net.seen)


@may_fall_back
def test_an_exception_that_is_caught_inside(compile):
    @compile
    def f(x, y):
        try:
            return F.cross_entropy(x, y)
        except IndexError:
            return x.sum()

    return lambda i: f(values(i, 2, 3), torch.tensor([0, 5 if i in (3, 4) else 1]))


@same_as_eager
def test_shapes_that_do_not_fit(compile):
    f = compile(lambda x, y: x @ y)
    return lambda i: attempt(f, values(i, 3, 4), values(i, 4 if i % 2 else 5, 3))


@same_as_eager
def test_wrong_arguments(compile):
    f = compile(lambda x, *, scale=2.0: x * scale)
    return lambda i: (attempt(lambda: f(values(i, 2), factor=1.0)), attempt(f), f(values(i, 2)))


# ---------------------------------------------------------------------------------------------------------------
# Values that Python reads: eager for good, and one warning.

READS = {
    "item": lambda x: x.item(),
    "float": float,
    "int": int,
    "bool": bool,
    "numpy": lambda x: x.detach().numpy() * 2,
    "tolist": lambda x: x.tolist(),
    "format": lambda x: f"{x:.4f}",
    "repr": repr,
    "array": lambda x: np.asarray(x.detach()) * 2,
}
NAMED = {"format": "format|item|print", "repr": "repr|print", "array": "array|numpy"}


@pytest.mark.parametrize("what", READS)
def test_a_value_that_is_read(what):
    @falls_back(NAMED.get(what, what))
    def program(compile):
        @compile
        def f(x):
            y = (x * x).sum()
            return READS[what](y), y + 1

        return lambda i: f(values(i, 3))

    program()


@falls_back("item")
def test_the_loss_is_read_in_a_step(compile):
    net = Training(lambda f: f, optim.Adam)

    @compile
    def step(x, y):
        return net.plain_step(x, y).item()

    return lambda i: (step(*batch(i)), net.seen)


@falls_back("bool")
def test_a_branch_by_a_value(compile):
    f = compile(lambda x: x * 2 if x.sum() > 0 else x * 3)
    return lambda i: f(values(i, 3))


@falls_back("bool")
def test_a_loop_by_a_value(compile):
    @compile
    def f(x):
        while x.abs().max() > 1:
            x = x / 2
        return x

    return lambda i: f(values(i, 3) * 5)


@falls_back("index")
def test_a_tensor_as_an_index_of_a_list(compile):
    f = compile(lambda x, i: x * [1.0, 2.0, 3.0][i])
    return lambda i: f(values(i, 3), torch.tensor(i % 3))


@falls_back()
def test_printing_a_tensor(compile):
    @compile
    def f(x):
        print(x.sum())
        return x * 2

    return lambda i: f(values(i, 3))


@pytest.mark.filterwarnings("default")
def test_what_is_printed_is_right(capsys):
    f = torch.compile(lambda x: print((x * 2).tolist()))
    for i in range(5):
        f(torch.tensor([float(i)]))
    assert capsys.readouterr().out.split() == [f"[{2.0 * i}]" for i in range(5)]


@may_fall_back
def test_a_text_that_is_printed(compile):
    """Python's output is no effect that a replay can repeat."""
    import io

    out = io.StringIO()

    @compile
    def f(x):
        print("step", file=out)
        return x * 2

    return lambda i: (f(values(i, 3)), out.getvalue())


WHOLE = {
    "equal": lambda x: x * 2 if torch.equal(x, x.abs()) else x * 3,
    "allclose": lambda x: x * 2 if torch.allclose(x, x.abs()) else x * 3,
    "contains": lambda x: x * 2 if 1.0 in x.sign() else x * 3,
    "any": lambda x: x * 2 if any(each > 1 for each in x) else x * 3,
    "number of hits": lambda x: x * len((x > 0).nonzero()),
    "tensor(...) of numbers": lambda x: torch.tensor([float(x[0]), 2.0]) * x[:2],
    "tensor(...) of a tensor": lambda x: torch.tensor([x[0].detach(), x[1]]) * 2,
    "full": lambda x: torch.full((3,), x[0].item()),
    "slice": lambda x: x[: int((x > 0).sum())],
    "pow": lambda x: x ** int(x.argmax()),
}


@pytest.mark.parametrize("what", WHOLE)
@may_fall_back(calls=8)
def test_values_that_decide_in_other_ways(compile, what):
    f = compile(WHOLE[what])
    return lambda i: f(values(i, 3).abs() if i % 3 == 0 else values(i, 3))


HOW_MANY = {
    "mask": lambda x: x[x > 0],
    "masked_select": lambda x: x.masked_select(x > 0).sum(),
    "nonzero": lambda x: (x > 0).nonzero(),
    "write by a mask": lambda x: (x.masked_fill(x > 0, 5.0), _written(x, x > 0, 1.0)),
    "write to positions": lambda x: _written(x, x.argmax(), 9.0),
    "bincount": lambda x: torch.bincount((x > 0).long()),
    "where": lambda x: torch.where(x > 0, x, -x),
    "argmax": lambda x: x[x.argmax()],
}


def _written(x, where, value):
    x = x.clone()
    x[where] = value
    return x


@pytest.mark.parametrize("what", HOW_MANY)
@may_fall_back(calls=8)
def test_how_many_elements_depends_on_values(compile, what):
    f = compile(HOW_MANY[what])
    return lambda i: f(values(i, 6))


@falls_back("item")
def test_it_falls_back_for_good_and_warns_once(compile):
    """Also for other shapes, and where the value was not read in the calls before."""
    f = compile(lambda x, read: x * (x.sum().item() if read else 2.0))
    return lambda i: f(values(i, 2 + i % 2), i > 2)


@may_fall_back
def test_a_value_that_is_read_at_a_later_call_only(compile):
    f = compile(lambda x, read: x * (x.sum().item() if read else 2.0))
    return lambda i: f(values(i, 3), i == 4)


def test_a_function_that_fell_back_does_not_spoil_another():
    reads = torch.compile(lambda x: x.sum().item())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for i in range(3):
            reads(values(i, 3))

    def plain(x):
        return x.tanh() * 2

    f = torch.compile(plain)
    for i in range(3):
        f(values(i, 3))
    with python_calls(plain) as runs:
        f(values(3, 3))
    assert not runs


# ---------------------------------------------------------------------------------------------------------------
# What Python code changes: attributes, lists, globals.


class Counting(nn.Module):
    """Counts its calls, as a Python number."""

    def __init__(self):
        super().__init__()
        self.layer, self.calls = nn.Linear(4, 3), 0

    def forward(self, x):
        self.calls += 1
        return self.layer(x) * self.calls


@falls_back("calls")
def test_a_counting_attribute(compile):
    model = Counting()
    f = compile(model)
    return lambda i: (f(batch(i)[0]), model.calls)


@falls_back()
def test_appending_to_a_list(compile):
    losses = []

    @compile
    def f(x):
        y = x.square().sum()
        losses.append(y)
        return y * 2

    return lambda i: (f(values(i, 3)), list(losses))


@falls_back()
def test_writing_into_a_dictionary(compile):
    found = {}

    @compile
    def f(x, name):
        found[name] = x * 2
        return x + 1

    return lambda i: (f(values(i, 3), f"step {i % 2}"), dict(found))


counter = 0
scale = 1.0
offset = torch.zeros(3)


def counting_globally(x):
    global counter
    counter += 1
    return x * 2


@falls_back("counter")
def test_a_global_counter(compile):
    global counter
    counter = 0
    f = compile(counting_globally)
    return lambda i: (f(values(i, 3)), counter)


@falls_back("calls")
def test_a_counter_of_an_enclosing_function(compile):
    calls = 0

    @compile
    def f(x):
        nonlocal calls
        calls += 1
        return x * 2

    return lambda i: (f(values(i, 3)), calls)


@may_fall_back
def test_an_iterator_that_is_used_up(compile):
    numbers = itertools.count(1)
    f = compile(lambda x: x * next(numbers))
    return lambda i: f(values(i, 3))


@may_fall_back
def test_a_side_effect_in_a_called_function(compile):
    """The effect is two calls away from what was compiled."""
    log = []

    def note(x):
        log.append(tuple(x.shape))
        return x

    def inner(x):
        return note(x) * 2

    f = compile(lambda x: inner(x) + 1)
    return lambda i: (f(values(i, 3)), list(log))


@may_fall_back
def test_a_side_effect_in_a_forward_hook(compile):
    model, seen = mlp(), []
    model[0].register_forward_hook(lambda module, args, result: seen.append(result.detach()))
    f = compile(lambda x: model(x))
    return lambda i: (f(batch(i)[0]), list(seen))


# ---------------------------------------------------------------------------------------------------------------
# What changes outside: never a stale result.


class Scaled(nn.Module):
    """A module with every kind of attribute that a forward may read."""

    factor = 2.0  # of the class

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.scale = 1.0
        self.activation = torch.tanh
        self.steps = [1.0, 2.0]
        self.options = {"shift": 1.0}
        self.shift = torch.zeros(3)
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, x):
        y = self.activation(self.layer(x)) * self.scale * self.factor + self.shift - self.mean
        for step in self.steps:
            y = y * step
        return y + self.options["shift"]


def _set(name, *choices):
    return lambda model, i: setattr(model, name, choices[i % len(choices)])


OUTSIDE = {
    "a number": _set("scale", 1.0, 2.0),
    "a function": _set("activation", torch.tanh, torch.relu),
    "a list's content": lambda model, i: model.steps.__setitem__(0, float(i)),
    "a list's length": lambda model, i: model.steps.append(0.5),
    "a dictionary's content": lambda model, i: model.options.update(shift=float(i)),
    "another list": lambda model, i: setattr(model, "steps", [float(i)]),
    "a tensor's content": lambda model, i: model.shift.fill_(float(i)),
    "another tensor": lambda model, i: setattr(model, "shift", torch.full((3,), float(i))),
    "a buffer's content": lambda model, i: model.mean.fill_(float(i)),
    "another buffer": lambda model, i: setattr(model, "mean", torch.full((3,), float(i))),
    "a tensor of another shape": lambda model, i: setattr(model, "shift", torch.full((1,) * (i % 2), float(i))),
    "another layer": lambda model, i: setattr(model, "layer", nn.Linear(4, 3)),
    "another parameter": lambda model, i: setattr(model.layer, "weight", nn.Parameter(values(i, 3, 4))),
    "a parameter's data": lambda model, i: setattr(model.layer.weight, "data", values(i, 3, 4)),
    "writing into data": lambda model, i: model.layer.weight.data.mul_(1.5),
    "a part of a parameter": lambda model, i: model.layer.weight.data[0].fill_(float(i)),
    "no bias": lambda model, i: setattr(model.layer, "bias", None if i % 2 else nn.Parameter(torch.ones(3))),
    "another dtype": lambda model, i: model.to(torch.float64 if i % 2 else torch.float32),
    "an attribute that hides the class's": _set("factor", 3.0, 4.0),
    "a NumPy view": lambda model, i: model.shift.numpy().__setitem__(0, float(i)),
    "apply": lambda model, i: model.layer.apply(lambda m: nn.init.constant_(m.weight, 0.1 * i)),
    "a hook": lambda model, i: model.layer.register_forward_hook(lambda module, args, result: result * 2),
    "forward itself": lambda model, i: setattr(model, "forward", lambda x: model.layer(x) * i),
}


@pytest.mark.parametrize("change", OUTSIDE)
@may_fall_back(calls=8)
def test_a_module_that_is_changed_from_outside(compile, change):
    model = Scaled()
    f = compile(lambda x: model(x))

    def call(i):
        if i in (3, 4, 6):
            OUTSIDE[change](model, i)
        return f(batch(i)[0].to(model.layer.weight.dtype)), model

    return call


@pytest.mark.parametrize("change", OUTSIDE)
@may_fall_back(calls=8)
def test_a_compiled_module_whose_original_is_changed(compile, change):
    model = Scaled()
    f = compile(model)

    def call(i):
        if i in (3, 4, 6):
            OUTSIDE[change](model, i)
        return f(batch(i)[0].to(model.layer.weight.dtype)), model

    return call


@may_fall_back
def test_an_attribute_of_the_class_that_changes(compile):
    class Model(nn.Module):
        factor = 1.0

        def forward(self, x):
            return x * self.factor

    f = compile(Model())

    def call(i):
        Model.factor = float(i // 3)
        return f(values(i, 3))

    return call


def by_globals(x):
    return x * scale + offset


@may_fall_back(calls=8)
def test_a_global_number_that_changes(compile):
    f = compile(by_globals)

    def call(i):
        globals()["scale"] = 1.0 if i < 4 else 5.0
        return f(values(i, 3))

    return call


@may_fall_back(calls=8)
def test_a_global_tensor_that_is_another(compile):
    f = compile(by_globals)

    def call(i):
        globals()["offset"] = torch.zeros(3) if i < 4 else torch.full((3,), float(i))
        return f(values(i, 3))

    return call


def helper(x):
    return x * 2


@may_fall_back(calls=8)
def test_a_global_function_that_is_another(compile):
    f = compile(lambda x: helper(x) + 1)
    original = helper

    def call(i):
        globals()["helper"] = original if i < 4 or i == 7 else torch.tanh
        return f(values(i, 3))

    return call


CLOSED = {
    "number": lambda: (1.0, 2.0),
    "tensor": lambda: (torch.ones(3), torch.full((3,), 2.0)),
    "function": lambda: (torch.tanh, torch.relu),
    "module": lambda: (nn.Linear(3, 2), nn.Linear(3, 2)),
}


@pytest.mark.parametrize("kind", CLOSED)
@may_fall_back(calls=8)
def test_a_variable_of_an_enclosing_function_that_changes(compile, kind):
    choices = CLOSED[kind]()
    chosen = choices[0]
    f = compile(lambda x: chosen(x) if callable(chosen) else x * chosen)

    def call(i):
        nonlocal chosen
        chosen = choices[i >= 4]
        return f(values(i, 3))

    return call


@may_fall_back(calls=8)
def test_contents_of_what_is_closed_over(compile):
    numbers, table, array = [1.0, 2.0], {"a": 1.0}, np.ones(3, np.float32)
    f = compile(lambda x: x * numbers[0] + table["a"] * len(numbers) + torch.from_numpy(array) + torch.tensor(array))

    def call(i):
        if i == 3:
            numbers[0] = 9.0
        if i == 4:
            table["a"] = 5.0
        if i == 5:
            numbers.append(1.0)
        if i == 6:
            array[1] = 7.0
        return f(values(i, 3))

    return call


@may_fall_back(calls=8)
def test_defaults_of_arguments_that_change(compile):
    def f(x, scale=[1.0]):  # noqa: B006 - on purpose
        return x * scale[0]

    compiled = compile(f)

    def call(i):
        f.__defaults__[0][0] = 1.0 + i // 4
        return compiled(values(i, 3))

    return call


@may_fall_back(calls=8)
def test_the_default_dtype_changes(compile):
    f = compile(lambda n: torch.ones(3) * 2 + torch.zeros(3).sum())

    def call(i):
        torch.set_default_dtype(torch.float64 if i in (3, 5) else torch.float32)
        try:
            return f(1)
        finally:
            torch.set_default_dtype(torch.float32)

    return call


@same_as_eager
def test_the_number_of_threads_changes(compile):
    net = Training(compile, optim.Adam)
    before = torch.get_num_threads()

    def call(i):
        torch.set_num_threads(1 + i % 2)
        try:
            return net.step(*batch(i, rows=64)), net.seen
        finally:
            torch.set_num_threads(before)

    return call


# ---------------------------------------------------------------------------------------------------------------
# In-place writes; state that lives in tensors.


@same_as_eager
def test_writing_into_an_argument(compile):
    @compile
    def f(x):
        x.mul_(2).add_(1)
        x[0] = 7.0
        x[1:].relu_()
        return x.sum()

    x = values(0, 3)

    def call(i):
        y = values(i, 3)
        return f(y), y, f(x), x, y._version, x._version

    return call


@same_as_eager
def test_writing_through_a_view_of_an_argument(compile):
    @compile
    def f(x):
        row = x[1]
        row += 1
        x.T[0] *= 2
        x.reshape(-1)[-1] = 0.0
        return row, x * 1

    def call(i):
        x = values(i, 3, 2)
        return f(x), x

    return call


@same_as_eager
def test_writing_between_two_reads(compile):
    """The order of reads and writes of one array is kept, also through views of it."""

    @compile
    def f(x):
        before = x * 2
        view = x[:2]
        x.add_(1)
        middle = view * 2
        view.mul_(3)
        return before, middle, x * 2, x.clone()

    def call(i):
        x = values(i, 4)
        return f(x), x

    return call


@same_as_eager
def test_writing_into_what_is_made_inside(compile):
    @compile
    def f(x):
        table = torch.zeros(3, 2)
        table[1] = x
        table[0, 0] += x.sum()
        y = x * 2
        z = y[0:1]
        y.add_(1)
        z.mul_(10)
        return table, y, z

    return lambda i: f(values(i, 2))


@same_as_eager
def test_writes_that_the_gradient_sees(compile):
    w = torch.ones(4, requires_grad=True)

    @compile
    def f(x):
        w.grad = None
        y = w * x
        y[1:3] *= x[1:3]
        y = y.exp()
        y = y * x
        y[0] = 5.0
        loss = y.sum()
        loss.backward()
        return loss

    return lambda i: (f(values(i, 4)), w)


@same_as_eager
def test_writing_into_parameters(compile):
    model = mlp()

    @compile
    def f(x):
        with torch.no_grad():
            model[0].weight.mul_(0.9)
            model[0].bias.copy_(x.mean() + model[0].bias)
            model[2].weight[0] = 0.5
        return model(x)

    return lambda i: (f(batch(i)[0]), model)


@same_as_eager
def test_an_average_of_the_parameters(compile):
    net, average = Training(lambda f: f), mlp()

    @compile
    def step(x, y):
        loss = net.plain_step(x, y)
        with torch.no_grad():
            for mean, p in zip(average.parameters(), net.model.parameters(), strict=True):
                mean.mul_(0.9).add_(p, alpha=0.1)
        return loss

    return lambda i: (step(*batch(i)), net.seen, average)


class Normalised(nn.Module):
    """Subtracts a running mean, kept in a buffer that is written in place, and counts in another."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.register_buffer("running", torch.zeros(3))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        y = self.layer(x)
        if self.training:
            with torch.no_grad():
                self.running.mul_(0.9).add_(0.1 * y.detach().mean(0))
                self.count += 1
        return y - self.running


@same_as_eager(calls=8)
def test_a_running_mean_in_a_buffer(compile):
    model = Normalised()
    f = compile(model)

    def call(i):
        model.train(i % 4 != 3)
        y = f(batch(i)[0])
        return y, model, [each.clone() for each in model.buffers()]

    return call


class Rebinding(Normalised):
    """As `Normalised`, but with new tensors in the place of the buffers."""

    def forward(self, x):
        y = self.layer(x)
        self.running = 0.9 * self.running + 0.1 * y.detach().mean(0)
        self.count = self.count + 1
        return y - self.running


@may_fall_back(calls=8)
def test_a_buffer_that_is_assigned(compile):
    model = Rebinding()
    f = compile(model)
    return lambda i: (f(batch(i)[0]), model, model.running, model.count)


class Remembering(nn.Module):
    """Leaves its hidden layer in an attribute, and reads that of the call before."""

    def __init__(self, reads):
        super().__init__()
        self.layer, self.reads, self.last = nn.Linear(4, 3), reads, torch.zeros(6, 3)

    def forward(self, x):
        h = self.layer(x).tanh()
        y = h + self.last if self.reads else h * 2
        self.last = h.detach()
        return y


@pytest.mark.parametrize("reads", [False, True])
@may_fall_back
def test_an_attribute_that_holds_a_new_tensor(compile, reads):
    model = Remembering(reads)
    f = compile(model)
    kept = []

    def call(i):
        y = f(batch(i)[0])
        kept.append(model.last)
        return y, model.last, list(kept)

    return call


@may_fall_back
def test_state_in_a_dictionary(compile):
    state = {"h": torch.zeros(3)}

    @compile
    def f(x):
        state["h"] = (state["h"] + x).tanh()
        return state["h"] * 2

    return lambda i: (f(values(i, 3)), state["h"])


# ---------------------------------------------------------------------------------------------------------------
# Modes.


@same_as_eager(calls=8)
def test_with_and_without_gradients(compile):
    model = mlp()
    f = compile(lambda x: model(x))

    def call(i):
        model.zero_grad()
        with torch.set_grad_enabled(i % 3 != 2):
            y = f(batch(i)[0])
        if y.requires_grad:
            y.sum().backward()
        return y, model

    return call


@same_as_eager
def test_no_grad_inside(compile):
    model = mlp()

    @compile
    @torch.no_grad()
    def predict(x):
        return model(x).softmax(1)

    @compile
    def partly(x):
        with torch.no_grad():
            h = model[0](x)
        with torch.enable_grad():
            return model[2](h.relu()), h

    return lambda i: (predict(batch(i)[0]), partly(batch(i)[0]), torch.is_grad_enabled())


@same_as_eager
def test_the_grad_mode_is_asked_inside(compile):
    f = compile(lambda x: x * 2 if torch.is_grad_enabled() else x * 3)

    def call(i):
        with torch.set_grad_enabled(i % 3 != 2):
            return f(values(i, 3))

    return call


@same_as_eager(calls=8)
def test_inference_mode(compile):
    model = mlp()
    f = compile(lambda x: model(x))

    def call(i):
        with torch.inference_mode(i % 3 == 2):
            return f(batch(i)[0])

    return call


@same_as_eager
def test_inference_mode_inside(compile):
    model = mlp()
    f = compile(torch.inference_mode()(lambda x: model(x)))
    return lambda i: f(batch(i)[0])


@same_as_eager
def test_detached_results(compile):
    model = mlp()

    @compile
    def f(x):
        h = model[0](x)
        return h.detach(), model[2](h.detach().relu()), h

    def call(i):
        model.zero_grad()
        detached, y, h = f(batch(i)[0])
        y.sum().backward()
        return detached, y, h, model

    return call


# ---------------------------------------------------------------------------------------------------------------
# Other programs.


@same_as_eager
def test_a_function_of_the_users_with_its_own_derivative(compile):
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x * x

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * x * x * 3

    w = torch.ones(3, requires_grad=True)

    @compile
    def f(x):
        w.grad = None
        loss = Cube.apply(w * x).sum()
        loss.backward()
        return loss

    return lambda i: (f(values(i, 3)), w)


@same_as_eager
def test_hooks_on_tensors_inside(compile):
    w = torch.ones(3, requires_grad=True)

    @compile
    def f(x):
        w.grad = None
        h = w * x
        h.register_hook(lambda g: g * 2)
        h.retain_grad()
        loss = h.tanh().sum()
        loss.backward()
        return loss, h.grad

    return lambda i: (f(values(i, 3)), w)


@same_as_eager(calls=8)
def test_hooks_on_parameters(compile):
    net = Training(compile)
    handles = []

    def call(i):
        if i in (0, 4):
            handles.append(net.model[0].weight.register_hook(lambda g: g * 0.5))
        if i == 6:
            handles[0].remove()
        return net.step(*batch(i)), net.seen

    return call


@may_fall_back
def test_hooks_on_parameters_that_see_gradients(compile):
    net, seen = Training(compile), []
    net.model[0].weight.register_hook(lambda g: seen.append(g.clone()))
    net.model[2].weight.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.clone()))
    return lambda i: (net.step(*batch(i)), net.seen, list(seen))


@same_as_eager
def test_a_recurrent_net(compile):
    cell, out = nn.Linear(7, 3), nn.Linear(3, 2)
    optimizer = optim.Adam([*cell.parameters(), *out.parameters()], lr=0.05)

    @compile
    def step(xs, y):
        optimizer.zero_grad()
        h = torch.zeros(xs.shape[1], 3)
        for x in xs:
            h = cell(torch.cat([x, h], 1)).tanh()
        loss = F.cross_entropy(out(h), y)
        loss.backward()
        optimizer.step()
        return loss

    return lambda i: (step(values(i, 2 + i % 2, 5, 4), torch.arange(5) % 2), cell, out, optimizer)


@same_as_eager(calls=4)
def test_a_deep_net(compile):
    model = nn.Sequential(*[nn.Linear(4, 4) if i % 2 == 0 else nn.Tanh() for i in range(200)])

    @compile
    def step(x):
        model.zero_grad()
        model(x).sum().backward()

    return lambda i: (step(batch(i)[0]), model)


@same_as_eager
def test_constants_made_inside(compile):
    """They are the same at each call, and other arrays."""

    @compile
    def f(x):
        mask = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        return x @ mask + torch.eye(2) + torch.arange(2) + torch.full((2, 2), 3.0) + torch.linspace(0, 1, 2), mask

    return lambda i: f(values(i, 2, 2))


@same_as_eager
def test_shapes_are_read_inside(compile):
    f = compile(lambda x: x.reshape(x.shape[0], -1) * x.size(1) / len(x) + x.numel())
    return lambda i: f(values(i, 3 + i % 2, 2, 2))


@same_as_eager
def test_most_frequent_answers_and_accuracy(compile):
    model = mlp()
    f = compile(lambda x, y: (model(x).argmax(1) == y).float().mean())
    return lambda i: f(*batch(i))


@same_as_eager
def test_results_that_nobody_uses(compile):
    """What leads to nothing may be left out, but for draws, writes and errors."""
    state = torch.zeros(2)

    @compile
    def f(x):
        x.exp()
        torch.rand(3)
        state.add_(1)
        return x * 2

    return lambda i: (f(values(i, 3)), state)
