"""Programs drawn at random: chains of element-wise ops, views, reductions, products, writes; compiled as eagerly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as torch
from tests.strategies import examples
from tinygrad_fr.nn import functional as F

from .harness import assert_same, attempt, eager, observed, values

CALLS = 4


def _fit(x, y):
    """y where it broadcasts with x, else its mean."""
    fits = all(a == b or 1 in (a, b) for a, b in zip(x.shape[::-1], y.shape[::-1], strict=False))
    return y if fits else y.mean()


def _same(x, y):
    """y where it can be written into x, else its mean."""
    return y if x.shape == y.shape else y.mean()


def _product(x, y):
    if x.shape[1] == y.shape[0]:
        return x @ y
    return x @ y.T if x.shape[1] == y.shape[1] else x.T @ x


def _joined(x, y):
    return torch.cat([x, y]) if x.shape[1] == y.shape[1] else torch.stack([x, x]).sum(0)


def _changed(x, change):
    """A copy of x that ``change`` has written into."""
    x = x.clone()
    change(x)
    return x


# Each takes two matrices and gives one, of values that stay small.
STEPS = {
    "tanh": lambda x, y: x.tanh(),
    "sigmoid": lambda x, y: x.sigmoid(),
    "relu": lambda x, y: x.relu(),
    "sine": lambda x, y: x.sin(),
    "exponential": lambda x, y: (-x.abs()).exp(),
    "logarithm": lambda x, y: (x.abs() + 1).log(),
    "silu": lambda x, y: F.silu(x),
    "root": lambda x, y: (x * x + 0.5).sqrt(),
    "add": lambda x, y: x + _fit(x, y),
    "subtract": lambda x, y: _fit(x, y) - x,
    "multiply": lambda x, y: x * _fit(x, y) * 0.5,
    "divide": lambda x, y: x / (_fit(x, y).abs() + 1),
    "maximum": lambda x, y: torch.maximum(x, _fit(x, y)),
    "where": lambda x, y: torch.where(x > 0, x, -0.1 * x),
    "mask": lambda x, y: x.masked_fill(x > 0.5, 0.25),
    "number": lambda x, y: 1.5 - 0.5 * x,
    "power": lambda x, y: x.tanh() ** 3,
    "transpose": lambda x, y: x.T,
    "rows": lambda x, y: x[1:] if len(x) > 1 else x,
    "every second column": lambda x, y: x[:, ::2],
    "column": lambda x, y: x[:, :1],
    "flat": lambda x, y: x.reshape(1, -1),
    "widened": lambda x, y: x[:1].expand(3, -1),
    "sum of rows": lambda x, y: x.sum(0, keepdim=True) * 0.3,
    "mean of columns": lambda x, y: x.mean(1, keepdim=True),
    "largest": lambda x, y: x.amax(1, keepdim=True),
    "softmax": lambda x, y: x.softmax(1),
    "log-softmax": lambda x, y: x.log_softmax(1) * 0.2,
    "centred": lambda x, y: x - x.mean(),
    "product": lambda x, y: _product(x, y) * 0.3,
    "join": _joined,
    "dropout": lambda x, y: F.dropout(x, 0.4),
    "noise": lambda x, y: x + 0.1 * torch.randn(x.shape),
    "detach": lambda x, y: x.detach(),
    "copy": lambda x, y: x.clone(),
    "write a sum": lambda x, y: _changed(x, lambda c: c.add_(_same(c, y))),
    "write a product": lambda x, y: _changed(x, lambda c: c[:1].mul_(0.5)),
    "write a row": lambda x, y: _changed(x, lambda c: c.__setitem__(0, 1.0)),
    "write relu": lambda x, y: _changed(x, lambda c: c.T.relu_()),
    "add in place": lambda x, y: x.add_(_same(x, y)),
    "scale in place": lambda x, y: x.mul_(0.5),
    "overwrite": lambda x, y: x.copy_(_same(x, y)),
    "scale rows in place": lambda x, y: x[:1].mul_(0.5),
}
IN_PLACE = {"add in place", "scale in place", "overwrite", "scale rows in place"}
ELEMENTWISE = [*STEPS][:17]

places = st.integers(0, 5)


def programs(steps, max_size=8):
    """(step, which tensor, which other one), some of them; the latest tensors are the likeliest."""
    return st.lists(st.tuples(st.sampled_from(steps), places, places), min_size=1, max_size=max_size).map(tuple)


def run(program, tensors):
    """All tensors there are after ``program`` has run on ``tensors``."""
    pool = list(tensors)
    for name, first, second in program:
        pool.append(STEPS[name](pool[-1 - first % len(pool)], pool[-1 - second % len(pool)]))
    return pool


def inputs(i):
    return values(i, 3, 4), values(50 + i, 4, 4) * 0.5


def assert_compiled_is_eager(program):
    """Compare the runs of ``program(compile)``; nothing falls back."""
    expected, _ = observed(program, eager, CALLS)
    found, caught = observed(program, torch.compile, CALLS)
    for i, pair in enumerate(zip(found, expected, strict=True), 1):
        assert_same(*pair, where=f"after call {i}")
    assert [str(each.message) for each in caught] == []


def kept(pool, everything):
    return pool if everything else pool[-1]


@pytest.mark.parametrize("steps", [[*STEPS], ELEMENTWISE], ids=["all", "element-wise"])
@examples(40)
@given(data=st.data())
def test_forward(steps, data):
    steps, everything = data.draw(programs(steps)), data.draw(st.booleans())

    def program(compile):
        f = compile(lambda x, y: kept(run(steps, (x, y)), everything))

        def call(i):
            x, y = inputs(i)
            result = attempt(f, x, y)
            if isinstance(result, tuple):  # refused, such as a write into what was expanded
                return result[0]
            return result, x, y

        return call

    assert_compiled_is_eager(program)


def weights():
    return [values(90, 4, 4).requires_grad_(), (values(91, 1, 4) * 0.1).requires_grad_()]


def loss_of(steps, x, y, parameters):
    w, b = parameters
    pool = run(steps, (x, y * 1, w * 1, F.linear(x, w, b[0])))
    return sum((each * each).mean() for each in [pool[3], *pool[-3:]])


@pytest.mark.parametrize("steps", [[*STEPS], ELEMENTWISE], ids=["all", "element-wise"])
@examples(30)
@given(data=st.data())
def test_training_step(steps, data):
    """Backward and update inside; where eager mode refuses a program, the compiled one refuses it."""
    steps = data.draw(programs(steps))

    def program(compile):
        parameters = weights()

        @compile
        def step(x, y):
            loss = loss_of(steps, x, y, parameters)
            loss.backward()
            with torch.no_grad():
                for p in parameters:
                    if p.grad is not None:
                        p.sub_(0.1 * p.grad)
                        p.grad = None
            return loss

        def call(i):
            x, y = inputs(i)
            result = attempt(step, x, y)
            if isinstance(result, tuple):  # refused: what it had written by then is left open
                return result[0]
            return result, parameters, x, y

        return call

    assert_compiled_is_eager(program)


@examples(30)
@given(steps=programs([name for name in STEPS if name not in IN_PLACE]))
def test_backward_outside(steps):
    def program(compile):
        parameters = weights()
        f = compile(lambda x, y: loss_of(steps, x, y, parameters))

        def call(i):
            x, y = inputs(i)
            x.requires_grad_(i > 1)
            loss = f(x, y)
            if loss.requires_grad:
                loss.backward()
            return loss, x, parameters

        return call

    assert_compiled_is_eager(program)
