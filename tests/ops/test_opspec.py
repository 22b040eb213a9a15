"""Every op against its record: values, gradients, layouts, extremes, in-place forms, the recorder."""

import inspect

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import tinygrad_fr as torch
from tests import opspec
from tests.hearing import Hearing
from tests.opspec import DIFFERENTIABLE, SPECS, as_list, cases
from tests.strategies import examples
from tinygrad_fr import linalg
from tinygrad_fr.autograd import gradcheck, gradgradcheck, recording
from tinygrad_fr.autograd.binding import namespace

every_op = pytest.mark.parametrize("spec", SPECS, ids=str)
every_derivative = pytest.mark.parametrize("spec", DIFFERENTIABLE, ids=str)
drawing = given(data=st.data())

SMALL = {"max_dims": 2, "max_side": 3}


def assert_equal(results, expected, steps, dtype=None, scale=None):
    """Same number of results, shapes, dtypes, NaN and infinities, and values up to rounding steps of ``scale``."""
    assert len(results) == len(expected)
    for result, wanted in zip(results, expected, strict=True):
        if not isinstance(result, torch.Tensor):
            assert result == wanted
            continue
        wanted = np.asarray(wanted)
        assert result.shape == wanted.shape
        assert result._array.dtype == (wanted.dtype if dtype is None else dtype)
        if wanted.dtype.kind != "f":
            np.testing.assert_array_equal(result._array, wanted)
            continue
        finite = np.abs(wanted[np.isfinite(wanted)])
        tolerance = steps * np.finfo(result._array.dtype).eps
        if scale is None:
            scale = finite.max(initial=1) if finite.max(initial=1) < 1e20 else 0
        np.testing.assert_allclose(result._array, wanted, rtol=tolerance, atol=tolerance * scale)


def tensors_in(results):
    return [each for each in results if isinstance(each, torch.Tensor)]


# --- coverage ----------------------------------------------------------------------------------------------------


def test_every_op_has_a_record():
    bound = {
        name
        for name, value in vars(torch.Tensor).items()
        if inspect.isfunction(value)
        and value.__module__.startswith(("tinygrad_fr.ops", "tinygrad_fr.autograd.binding"))
    }
    covered = opspec.NOT_COMPUTING | opspec.TESTED_APART
    covered = covered.union(*[spec.covers for spec in SPECS])
    functions = {id(each.get(name)) for each in (namespace, vars(torch.Tensor)) for name in covered}
    without = {name for name in {*namespace, *bound} - covered if not _is_alias(name, functions)}
    assert without == set()


def _is_alias(name, functions):
    """Whether a name stands for one of the ``functions``, by their ids."""
    return id(namespace.get(name, vars(torch.Tensor).get(name))) in functions


def test_every_function_of_linalg_has_a_record():
    recorded = {spec.name.removeprefix("linalg.") for spec in SPECS} | {"inv"}  # which is `inverse`
    assert {*linalg.__all__} - recorded == {"LinAlgError"}


TAKE_SIZES = ("reshape", "view", "permute", "expand", "repeat", "sum_to_size")


# --- values ------------------------------------------------------------------------------------------------------


@every_op
@examples(12)
@drawing
def test_value(spec, data):
    case = data.draw(cases(spec))
    before = [each.copy() for each in case.arrays]
    tensors = case.tensors()
    assert_equal(case.run(*tensors), case.expected(), spec.steps)
    for array, copy in zip(case.arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert all(each._version == [0] for each in tensors)


@pytest.mark.parametrize("spec", [each for each in SPECS if np.float32 in each.floats and each.extremes], ids=str)
@examples(12)
@drawing
def test_extreme_values(spec, data):
    case = data.draw(cases(spec, extreme=True, layouts=("plain",)))
    adds_up = spec in opspec.reduce.REDUCTIONS  # in an order of its own: 1e30 + 1 - 1e30 may be 0 or 1
    assert_equal(case.run(*case.tensors()), case.expected(), spec.steps, scale=1e30 if adds_up else None)


@pytest.mark.parametrize("spec", [each for each in SPECS if each.integers], ids=str)
@examples(8)
@drawing
def test_integers(spec, data):
    dtype = data.draw(st.sampled_from((np.int64, np.int32)))
    case = data.draw(cases(spec, dtype=dtype, layouts=("plain", "strided")))
    arrays = tuple(np.where(each == 0, dtype(1), each) for each in case.arrays)
    case = opspec.Case(spec, arrays, case.params)
    result = case.run(*case.tensors())
    if spec.integers == "float":
        assert_equal(result, case.expected(*[each.astype(np.float32) for each in case.arrays]), spec.steps)
    elif spec.integers == "same":
        expected = [each if i else np.asarray(each).astype(dtype) for i, each in enumerate(case.expected())]
        expected = case.expected() if len(expected) > 1 else expected
        assert_equal(result, expected, spec.steps)
    else:
        assert_equal(result, case.expected(), spec.steps, dtype=np.dtype(spec.integers))


@pytest.mark.parametrize("spec", [each for each in SPECS if each.integers is None], ids=str)
@examples(2)
@drawing
def test_integers_are_refused(spec, data):
    case = data.draw(cases(spec, dtype=np.int64, layouts=("plain",)))
    with pytest.raises((RuntimeError, NotImplementedError, TypeError), match="int64"):
        case.run(*case.tensors())


# --- derivatives -------------------------------------------------------------------------------------------------


def smooth_case(data, spec, dtype=np.float64):
    """A case of few elements, to differentiate."""
    return data.draw(cases(spec, dtype=dtype, layouts=("plain",), **SMALL))


def differentiable(results):
    return tuple(each for each in results if isinstance(each, torch.Tensor) and each.is_floating_point())


@every_derivative
@examples(4)
@drawing
def test_gradient(spec, data):
    case = smooth_case(data, spec)
    assert gradcheck(lambda *xs: differentiable(case.run(*xs)), case.tensors(requires_grad=True))


@pytest.mark.parametrize("spec", [each for each in DIFFERENTIABLE if each.order > 1], ids=str)
@examples(3)
@drawing
def test_second_gradient(spec, data):
    case = smooth_case(data, spec)
    assert gradgradcheck(lambda *xs: differentiable(case.run(*xs)), case.tensors(requires_grad=True))


def gradients(case, seeds=None, create_graph=False, recorder=None):
    """The gradients of the results, weighted by ``seeds``, with respect to every input."""
    tensors = case.tensors(requires_grad=True)
    results = differentiable(case.run(*tensors))
    if seeds is None:
        rng = np.random.default_rng(0)
        seeds = [torch.tensor(rng.standard_normal(each.shape).astype(each._array.dtype)) for each in results]
    return torch.autograd.grad(results, tensors, seeds, create_graph=create_graph, allow_unused=True)


def assert_same_gradients(first, second, steps):
    for one, other in zip(first, second, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert_equal([one], [other._array], steps)


@every_derivative
@examples(5)
@drawing
def test_gradient_has_the_type_of_the_input_and_is_the_same_with_a_graph(spec, data):
    case = data.draw(cases(spec))
    assume(all(each.size for each in case.arrays))
    plain = gradients(case)
    for array, g in zip(case.arrays, plain, strict=True):
        if g is not None:
            assert g._array.dtype == array.dtype
            assert g._array.shape == array.shape
    assert_same_gradients(plain, gradients(case, create_graph=True), spec.steps * 4)


@pytest.mark.parametrize("spec", [each for each in DIFFERENTIABLE if len(each.floats) == 2], ids=str)
@examples(4)
@drawing
def test_float32_agrees_with_float64(spec, data):
    case = data.draw(cases(spec, dtype=np.float32, layouts=("plain",)))
    wide = opspec.Case(spec, tuple(each.astype(np.float64) for each in case.arrays), case.params)
    for narrow, exact in zip(case.run(*case.tensors()), wide.run(*wide.tensors()), strict=True):
        scale = np.abs(exact._array).max(initial=1)
        np.testing.assert_allclose(narrow._array, exact._array, rtol=1e-4, atol=1e-4 * scale)
    for narrow, exact in zip(gradients(case), gradients(wide), strict=True):
        if narrow is not None:
            scale = np.abs(exact._array).max(initial=1.0)
            np.testing.assert_allclose(narrow._array, exact._array, rtol=1e-3, atol=1e-4 * scale)


# --- other forms of the same op ----------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", [each for each in SPECS if each.method_names], ids=str)
@examples(3)
@drawing
def test_methods_do_the_same(spec, data):
    case = data.draw(cases(spec))
    expected = case.run(*case.tensors())
    for name in spec.method_names:
        arguments = case.options if not name.startswith("__") else {}
        if name.startswith("__") and case.options.get("alpha", 1) != 1:
            continue
        first, *rest = case.tensors()
        # sizes are given to methods one by one
        separate = next(iter(arguments.values())) if name in TAKE_SIZES else None
        if name.startswith("view"):
            first = first.contiguous()
        result = (
            getattr(first, name)(*rest, *separate) if separate is not None else getattr(first, name)(*rest, **arguments)
        )
        assert_equal(as_list(result), [each._array if isinstance(each, torch.Tensor) else each for each in expected], 0)


@pytest.mark.parametrize("spec", [each for each in SPECS if each.in_place_names], ids=str)
@examples(5)
@drawing
def test_in_place_form(spec, data):
    shape = data.draw(spec.shapes(3, 4))
    case = data.draw(cases(spec, shapes=tuple(shape), layouts=("plain", "strided")))
    result = case.run(*case.tensors())[0]
    assume(result.shape == case.arrays[0].shape and result._array.dtype == case.arrays[0].dtype)
    differentiated = spec.order > 0
    for name in spec.in_place_names:
        if name.startswith("__") and case.options.get("alpha", 1) != 1:
            continue
        options = {} if name.startswith("__") else case.options
        tensors = case.tensors(requires_grad=differentiated)
        target = tensors[0].clone()
        returned = getattr(target, name)(*tensors[1:], **options)
        assert returned is target
        assert_equal([target.detach()], [result._array], 4)
        if differentiated:
            seed = torch.ones_like(target)
            found = torch.autograd.grad(target, tensors, seed, allow_unused=True)
            again = case.tensors(requires_grad=True)
            expected = torch.autograd.grad(case.run(*again)[0], again, seed, allow_unused=True)
            assert_same_gradients(found, expected, 16)


@every_op
@examples(2)
@drawing
def test_the_recorder_hears_it_and_changes_nothing(spec, data):
    case = data.draw(cases(spec))
    expected = case.run(*case.tensors())
    hearing = Hearing()
    with recording(hearing):
        inputs = case.tensors()
        results = case.run(*inputs)
    assert_equal(results, [each._array if isinstance(each, torch.Tensor) else each for each in expected], 0)
    outputs = [each for *_, output in hearing.calls for each in as_list(output)]
    handed_on = [id(each) for each in inputs]
    for result in tensors_in(results):
        assert id(result) in handed_on or any(result is each for each in outputs), "the result was not heard of"


@every_derivative
@examples(2)
@drawing
def test_gradients_under_a_recorder(spec, data):
    case = data.draw(cases(spec))
    expected = gradients(case)
    with recording(Hearing()):
        found = gradients(case)
    assert_same_gradients(found, expected, spec.steps * 4)
