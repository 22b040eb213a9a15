"""What students print: formatted strings, named results, print options, and the older names of tensor types."""

import copy
import pickle

import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn


@pytest.fixture
def default_options():
    yield
    torch.set_printoptions(profile="default")


def test_a_tensor_of_one_number_is_formatted_as_that_number():
    x = torch.tensor(0.5, requires_grad=True)
    assert f"{x} {x * 2:.3f} {torch.tensor(3):3d} {torch.tensor(True)}" == "0.5 1.000   3 True"
    assert f"{torch.tensor([0.5])}" == "tensor([0.5000])"
    assert f"{nn.Parameter(torch.tensor(0.5))}" == "Parameter containing:\ntensor(0.5000, requires_grad=True)"


def test_a_format_of_several_numbers_is_an_error():
    with pytest.raises(TypeError, match="unsupported format string"):
        f"{torch.tensor([0.5]):.3f}"


def test_results_of_two_tensors_print_under_the_name_of_their_op():
    x = torch.tensor([1.0, 3.0, 3.0])
    assert repr(x.max(0)) == "tinygrad_fr.return_types.max(\nvalues=tensor(3.),\nindices=tensor(1))"
    assert repr(x.aminmax()) == "tinygrad_fr.return_types.aminmax(\nmin=tensor(1.),\nmax=tensor(3.))"


@pytest.mark.parametrize("name", ["max", "min", "median", "nanmedian", "mode", "sort", "cummax", "cummin"])
def test_named_results_can_be_copied_and_pickled(name):
    found = getattr(torch, name)(torch.tensor([1.0, 3.0, 3.0]), 0)
    assert type(found).__name__ == name
    for again in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert type(again) is type(found)
        assert repr(again) == repr(found)


@pytest.mark.usefixtures("default_options")
def test_print_options():
    x = torch.tensor([1.23456, 1e6])
    torch.set_printoptions(precision=2, sci_mode=False)
    assert repr(x) == "tensor([      1.23, 1000000.00])"
    torch.set_printoptions(sci_mode=True)
    assert repr(x) == "tensor([1.23e+00, 1.00e+06])"
    torch.set_printoptions(profile="default", threshold=5, edgeitems=1)
    assert repr(torch.arange(6)) == "tensor([0,  ..., 5])"
    torch.set_printoptions(profile="default")
    assert repr(x) == "tensor([1.2346e+00, 1.0000e+06])"


def test_older_names_of_tensor_types():
    x = torch.LongTensor([1, 2])
    assert x.dtype is torch.int64
    assert x.type() == "tinygrad_fr.LongTensor"
    assert x.type(torch.FloatTensor).dtype is torch.float32
    assert x.type("torch.DoubleTensor").dtype is torch.float64
    assert isinstance(x, torch.LongTensor)
    assert not isinstance(x, torch.FloatTensor)
    assert torch.FloatTensor(2, 3).shape == (2, 3)


def test_float_of_python_means_float64():
    assert torch.zeros(2, dtype=float).dtype is torch.float64
    assert torch.tensor([1]).to(float).dtype is torch.float64


@pytest.mark.parametrize("function", [torch.exp, torch.sqrt, torch.abs, torch.sin])
def test_functions_of_tensors_refuse_numbers(function):
    with pytest.raises(TypeError, match="must be Tensor, not float"):
        function(2.0)


@pytest.mark.parametrize("join", [torch.cat, torch.stack])
def test_joining_the_rows_of_one_tensor_is_refused(join):
    with pytest.raises(TypeError, match="must be tuple of Tensors, not Tensor"):
        join(torch.ones(2, 3))


def test_parts_and_sums_of_sizes_are_sizes():
    shape = torch.ones(2, 3).shape
    assert repr(shape[1:]) == "tinygrad_fr.Size([3])"
    assert repr(shape + torch.ones(4).shape) == "tinygrad_fr.Size([2, 3, 4])"
    assert type(shape[0]) is int


def test_limits_of_types_print_as_numbers_of_python():
    assert repr(torch.finfo(torch.float32).eps) == "1.1920928955078125e-07"
    assert type(torch.finfo(torch.float64).max) is float
