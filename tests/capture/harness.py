"""A program, run twice from the same seeds: eagerly and compiled. Whatever can be seen of it must be the same.

A test is a program: a function that takes ``compile``, builds what it needs (models, optimisers, compiled functions)
and returns ``call``, of which ``call(i)`` is one step. What ``call`` returns is compared after each step, and once
more at the end: tensors, models and optimisers are kept by the caller, and no later replay may overwrite them::

    @same_as_eager
    def test_doubling(compile):
        double = compile(lambda x: x * 2)
        return lambda i: double(torch.full((3,), float(i)))

By itself that also says that nothing warns, that is, nothing falls back to eager.
"""

import functools
import inspect
import random
import re
import sys
import warnings
from contextlib import contextmanager

import numpy as np

import tinygrad_fr as torch
from tinygrad_fr import nn, optim

CALLS = 6  # one eager, one recorded, four replays


def eager(function=None, **options):
    """What stands in the place of ``compile`` when a program runs eagerly."""
    return (lambda given: given) if function is None else function


# --- the three kinds of tests ------------------------------------------------------------------------------------


def same_as_eager(program=None, *, calls=CALLS, rtol=0.0, warned=None):
    """Turn a program into a test; see above. ``rtol`` above 0 where a fusion may add in another order.

    ``warned(messages)`` checks what warnings there were; by default there must be none.
    """
    if program is None:
        return functools.partial(same_as_eager, calls=calls, rtol=rtol, warned=warned)

    def test(**arguments):
        expected, _ = observed(functools.partial(program, **arguments), eager, calls)
        found, caught = observed(functools.partial(program, **arguments), torch.compile, calls)
        for which, pair in enumerate(zip(found, expected, strict=True), 1):
            where = f"after call {which}" if which <= calls else "kept until the end"
            assert_same(*pair, rtol, where)
        (warned or _assert_silent)(caught)

    return _named_after(program, test)


def falls_back(*words, **options):
    """A program that cannot be captured: it stays right, and one warning contains each of ``words`` and says where."""
    return same_as_eager(warned=functools.partial(_assert_one_warning, words), **options)


def may_fall_back(program=None, **options):
    """A program that must stay right; whether it is captured or falls back, with one warning, is left open."""
    return same_as_eager(program, warned=_assert_at_most_one, **options)


def _assert_silent(caught):
    assert [str(each.message) for each in caught] == []


def _assert_at_most_one(caught):
    assert all(each.category is UserWarning for each in caught), caught
    assert len(caught) <= 1, [str(each.message) for each in caught]


def _assert_one_warning(words, caught):
    messages = [str(each.message) for each in caught]
    assert len(caught) == 1, f"expected one warning that it falls back to eager, got {messages}"
    assert caught[0].category is UserWarning
    for word in words:
        assert re.search(word, messages[0]), f"the warning does not name {word!r}: {messages[0]}"
    says_where = re.search(r"test_\w+\.py", messages[0]) or re.search(r"test_\w+\.py", caught[0].filename)
    assert says_where, f"the warning does not say where: {messages[0]}"


def _named_after(program, test):
    """``test`` under the name of ``program``, with its parameters but the first, which pytest must not look for."""
    functools.update_wrapper(test, program)
    signature = inspect.signature(program)
    test.__signature__ = signature.replace(parameters=list(signature.parameters.values())[1:])
    del test.__wrapped__
    return test


# --- running -----------------------------------------------------------------------------------------------------


def observed(program, compile, calls=CALLS):
    """What is seen of a program after each call, and of all that it returned at the end; and its warnings."""
    seed()
    seen, kept = [], []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call = program(compile)
        for i in range(calls):
            kept.append(call(i))
            seen.append(snapshot([kept[-1], torch.get_rng_state()]))
    return [*seen, snapshot(kept)], caught


def seed():
    """Begin every stream of random numbers anew."""
    torch.manual_seed(11)
    random.seed(11)
    np.random.seed(11)  # noqa: NPY002 - programs draw from it


def attempt(function, *arguments):
    """What a call gives, or what it raises: the exception's type and first line."""
    try:
        return function(*arguments)
    except Exception as error:
        return type(error).__name__, str(error).split("\n")[0]


@contextmanager
def python_calls(function):
    """Count in the yielded list how often Python runs the code of ``function``: a replay does not."""
    runs, before = [], sys.getprofile()

    def hear(frame, event, _):
        if event == "call" and frame.f_code is function.__code__:
            runs.append(frame)

    sys.setprofile(hear)
    try:
        yield runs
    finally:
        sys.setprofile(before)


# --- comparing ---------------------------------------------------------------------------------------------------


def snapshot(thing):
    """A copy of all that can be seen of tensors, models, optimisers and what is made of them."""
    if isinstance(thing, torch.Tensor):
        return {
            "values": thing._array.copy(),
            "wants a gradient": thing.requires_grad,
            "leaf": thing.is_leaf,
            "inference": thing.is_inference(),
            "grad": None if thing.grad is None else snapshot(thing.grad),
        }
    if isinstance(thing, nn.Module):
        members = {"parameters": dict(thing.named_parameters()), "buffers": dict(thing.named_buffers())}
        return snapshot(members | {"training": [each.training for each in thing.modules()]})
    if isinstance(thing, optim.Optimizer):
        return snapshot(thing.state_dict())
    if isinstance(thing, dict):
        return {key: snapshot(value) for key, value in thing.items()}
    if isinstance(thing, (list, tuple)):
        return [type(thing).__name__, *map(snapshot, thing)]
    return thing.copy() if isinstance(thing, np.ndarray) else thing


def assert_same(found, expected, rtol=0.0, where=""):
    """Equal snapshots: the same structure, dtypes, shapes and bits (or values within ``rtol``)."""
    assert type(found) is type(expected), f"{where}: {found!r}, eagerly {expected!r}"
    if isinstance(expected, dict):
        assert list(found) == list(expected), where
        for key, value in expected.items():
            assert_same(found[key], value, rtol, f"{where}, {key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), f"{where}: {len(found)} instead of {len(expected)}"
        for i, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, rtol, f"{where}[{i - 1}]")
    elif isinstance(expected, np.ndarray):
        assert_same_array(found, expected, rtol, where)
    else:
        assert found == expected or found != found, f"{where}: {found!r}, eagerly {expected!r}"


def assert_same_array(found, expected, rtol, where):
    """Equal dtypes, shapes and bits, whatever the bits of NaN are; or values within ``rtol`` of the largest."""
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape), where
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(found, expected, where)
    elif rtol:
        finite = np.abs(expected[np.isfinite(expected)])
        np.testing.assert_allclose(found, expected, rtol, rtol * finite.max(initial=0), err_msg=where)
    else:
        np.testing.assert_array_equal(found, expected, where)
        numbers = ~np.isnan(expected)
        signs = np.signbit(found)[numbers], np.signbit(expected)[numbers]
        np.testing.assert_array_equal(*signs, f"{where}: -0.0 and 0.0")


# --- what most programs need -------------------------------------------------------------------------------------


def batch(i, rows=6):
    """Batch number i.  -> (rows, 4) float32, (rows,) int64 classes of 3."""
    rng = np.random.default_rng(100 + i)
    x = rng.standard_normal((rows, 4)).astype(np.float32)
    return torch.from_numpy(x), torch.from_numpy(rng.integers(0, 3, rows))


def values(i, *shape, dtype=np.float32):
    """Other numbers for each i, in the given shape."""
    return torch.from_numpy(np.random.default_rng(200 + i).standard_normal(shape).astype(dtype))


def mlp(dropout=0.0):
    """4 -> 5 -> 3, perhaps with dropout between."""
    drops = [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), *drops, nn.Linear(5, 3))


class Training:
    """A model, an optimiser, and a compiled step of both: what most users compile."""

    def __init__(self, compile, method=optim.SGD, dropout=0.0, zero_grad=True, **options):
        self.model = mlp(dropout)
        self.optimizer = method(self.model.parameters(), **{"lr": 0.1, **options})
        self.seen = (self.model, self.optimizer)

        def step(x, y):
            if zero_grad:
                self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(x), y)
            loss.backward()
            self.optimizer.step()
            return loss

        self.plain_step = step
        self.step = compile(step)
