"""Every op of `ops`, compiled: nothing that depends on the values of the first calls may be kept for later ones."""

import functools
import hashlib
import warnings
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, find, settings

import tinygrad_fr as torch
from tests import strategies as draws
from tests.opspec import SPECS, VIEWS, as_list, cases

from .harness import assert_same, snapshot

CALLS = 4

# Ops that may fall back: what they return is read from values, or has a shape that depends on values ...
READ = {"masked_select", "nonzero", "argwhere", "bincount", "equal", "allclose"}
READ |= {"unique", "unique_rows", "unique_consecutive", "repeat_interleave_by_counts", "as_strided"}
READ |= {"scatter_prod", "scatter_prod_of_others"}
# ... or is a view of an argument; inside a function, views are captured.
RETURNED_VIEWS = {spec.name for spec in VIEWS} | {"repeat", "meshgrid", "contiguous", "to", "type", "float"}
RETURNED_VIEWS |= {"atleast_1d", "atleast_2d", "atleast_2d_of_several", "atleast_3d", "tile", "diag"}

every_op = pytest.mark.parametrize("spec", SPECS, ids=str)
every_derivative = pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.order], ids=str)
every_in_place_form = pytest.mark.parametrize("spec", [spec for spec in SPECS if spec.in_place_names], ids=str)


# ---------------------------------------------------------------------------------------------------------------
# Calls of one op: shapes and options drawn once, values anew for each call.


@functools.cache
def drawn_case(spec, number, fits=lambda case: True):
    """A call of ``spec`` whose results vary with the values; another for each number, the same for one."""
    seed = hashlib.sha256(f"{spec.name} {number}".encode()).digest()
    return find(
        cases(spec, dtype=spec.floats[0], layouts=("plain",)),
        lambda case: all(each.size > 1 for each in case.arrays) and fits(case) and varies(case),
        random=Random(seed),
        settings=settings(
            phases=[Phase.generate], database=None, max_examples=2000, suppress_health_check=list(HealthCheck)
        ),
    )


def varies(case):
    """Whether the last call gives other results than those that a capture could have seen."""
    first, second, *_, last = [as_list(_called(case, call)) for call in range(CALLS)]
    return all(
        any(not _equal(one, other) for one, other in zip(last, earlier, strict=True)) for earlier in (first, second)
    )


def _called(case, call):
    inputs, options = new_values(case, call)
    return case.spec.function(*inputs, **options)


def _equal(one, other):
    one, other = (each._array if isinstance(each, torch.Tensor) else each for each in (one, other))
    return np.array_equal(one, other, equal_nan=True)


def new_values(case, call):
    """Other values, in number ``call``, for the inputs of ``case`` and for the arrays among its options."""
    rng = np.random.default_rng(1000 + call)
    spec = case.spec
    inputs = []
    for i, array in enumerate(case.arrays):
        sampler = spec.inputs[min(i, len(spec.inputs) - 1)]
        if spec.order == 0 and sampler is draws.real:
            sampler = _few_values if array.dtype.kind == "f" else _small_integers
        inputs.append(torch.from_numpy(np.asarray(sampler(rng, array.shape)).astype(array.dtype)))
    if spec.name in ("equal", "allclose", "isclose") and call % 2:
        inputs = [inputs[0].clone() for _ in inputs]
    return inputs, {name: _new_option(rng, value) for name, value in case.params.items()}


def _few_values(rng, shape):
    """Numbers of which comparisons, counts and conversions find some of each kind."""
    return rng.choice((-1.0, 0.0, 0.0, 1.5, np.nan, np.inf, -np.inf), shape)


def _small_integers(rng, shape):
    return rng.integers(0, 8, shape)


def _new_option(rng, value):
    """Another mask, the positions in another order; options that are no arrays as they are."""
    if not isinstance(value, np.ndarray):
        return value
    if value.dtype == bool:
        return torch.from_numpy(np.asarray(rng.random(value.shape) < 0.5))
    return torch.from_numpy(rng.permutation(value.ravel()).reshape(value.shape))


def assert_compiled_is_eager(function, case, may_fall_back=READ, look=None):
    """Compare four calls of ``function``, each with other values; only the ops named may fall back, with one warning.

    ``look(function, inputs, options)`` makes a call and says what is to be compared.
    """
    look = look or (lambda function, inputs, options: function(*inputs, **options))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compiled = torch.compile(function)
        for call in range(CALLS):
            expected = snapshot(look(function, *new_values(case, call)))
            found = snapshot(look(compiled, *new_values(case, call)))
            assert_same(found, expected, where=f"{case}, call {call + 1}")
    messages = [str(each.message) for each in caught]
    assert len(messages) <= (case.spec.name in may_fall_back), f"{case.spec} falls back: {messages}"


# ---------------------------------------------------------------------------------------------------------------


@every_op
def test_forward(spec):
    op = spec.function
    for number in range(2):
        case = drawn_case(spec, number)
        assert_compiled_is_eager(lambda *xs, **options: op(*xs, **options), case, READ | RETURNED_VIEWS)


@every_op
def test_forward_inside(spec):
    """As a part of a function, whose results share no memory with its arguments."""
    op = spec.function

    def function(*xs, **options):
        results = as_list(op(*[x * 1 for x in xs], **options))
        return [each * 1 if isinstance(each, torch.Tensor) else each for each in results]

    assert_compiled_is_eager(function, drawn_case(spec, 0))


def differentiable(results):
    return [each for each in as_list(results) if each.requires_grad]


@every_derivative
def test_forward_and_backward(spec):
    """The seeds depend on the results, as losses do."""
    op = spec.function

    def function(*xs, **options):
        leaves = [each.detach().clone().requires_grad_() for each in xs]
        results = [each * 1 for each in as_list(op(*leaves, **options))]
        wanted = differentiable(results)
        seeds = [each.detach() * 0.5 + 1 for each in wanted]
        return results, torch.autograd.grad(wanted, leaves, seeds, allow_unused=True) if wanted else None

    for number in range(2):
        assert_compiled_is_eager(function, drawn_case(spec, number))


@every_derivative
def test_backward_outside(spec):
    op = spec.function

    def look(function, inputs, options):
        leaves = [each.requires_grad_() for each in inputs]
        results = function(*leaves, **options)
        wanted = differentiable(results)
        if wanted:
            torch.autograd.backward(wanted, [each.detach() * 0.5 + 1 for each in wanted])
        return results, leaves

    assert_compiled_is_eager(
        lambda *xs, **options: op(*xs, **options), drawn_case(spec, 0), READ | RETURNED_VIEWS, look
    )


def keeps_shape_and_type(case):
    result = case.run(*case.tensors())[0]
    return result.shape == case.arrays[0].shape and result._array.dtype == case.arrays[0].dtype


@every_in_place_form
def test_in_place(spec):
    """The form that writes into its first input: a copy made inside, and an argument, through a view of it."""
    name = spec.in_place_names[0]

    def function(first, *rest, **options):
        copy = first.clone()
        getattr(copy, name)(*rest, **options)
        view = first.unsqueeze(0)[0]
        getattr(view, name)(*rest, **options)
        return copy, first, view * 1

    assert_compiled_is_eager(function, drawn_case(spec, 2, keeps_shape_and_type))
