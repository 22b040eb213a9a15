"""Losses and activations: PyTorch's recorded results, finite differences, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F
from tinygrad_fr import nn
from tinygrad_fr.autograd import gradcheck, gradgradcheck

from . import golden


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize("case", golden.RECORDED["losses"], ids=golden.name)
def test_losses_are_pytorchs(case):
    golden.check(case)


@pytest.mark.parametrize("case", golden.RECORDED["functions"], ids=golden.name)
def test_other_functions_are_pytorchs(case):
    golden.check(case)


@pytest.mark.parametrize("case", golden.RECORDED["activations"], ids=golden.name)
def test_activations_are_pytorchs(case):
    golden.check(case)


@pytest.mark.parametrize("case", golden.RECORDED["extremes"], ids=golden.name)
def test_activations_at_infinity_are_pytorchs(case):
    golden.check(case)


@pytest.mark.parametrize("case", golden.RECORDED["activations"], ids=golden.name)
def test_nan_stays_nan(case):
    assert math.isnan(getattr(F, case["function"])(torch.tensor(math.nan), **case["options"]).item())


# ---------------------------------------------------------------------------------------------------------------
# Derivatives by finite differences, to the second order.


def draw(*shape, seed=0, low=-2.0, high=2.0):
    return torch.from_numpy(np.random.default_rng(seed).uniform(low, high, shape)).requires_grad_()


CLASSES = torch.tensor([2, 0, 3])
WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 0.25]).double()
DIFFERENTIABLE = {
    "mse_loss": (F.mse_loss, [draw(3, 4), draw(3, 4, seed=1)]),
    "l1_loss": (F.l1_loss, [draw(3, 4), draw(3, 4, seed=1)]),
    "huber_loss": (lambda x, y: F.huber_loss(x, y, delta=0.7), [draw(3, 4), draw(3, 4, seed=1)]),
    "smooth_l1_loss": (lambda x, y: F.smooth_l1_loss(x, y, beta=0.7), [draw(3, 4), draw(3, 4, seed=1)]),
    "hinge_embedding_loss": (lambda x: F.hinge_embedding_loss(x, torch.tensor([1.0, -1.0, -1.0, 1.0])), [draw(3, 4)]),
    "kl_div": (
        lambda x, y: F.kl_div(x, y, reduction="batchmean"),
        [draw(3, 4), draw(3, 4, seed=1, low=0.1, high=0.9)],
    ),
    "binary_cross_entropy": (
        F.binary_cross_entropy,
        [draw(3, 4, low=0.1, high=0.9), draw(3, 4, seed=1, low=0.1, high=0.9)],
    ),
    "binary_cross_entropy_with_logits": (
        F.binary_cross_entropy_with_logits,
        [draw(3, 4), draw(3, 4, seed=1, low=0.1, high=0.9)],
    ),
    "binary_cross_entropy_with_logits pos_weight": (
        lambda x, y: F.binary_cross_entropy_with_logits(x, y, pos_weight=WEIGHTS),
        [draw(3, 4), draw(3, 4, seed=1, low=0.1, high=0.9)],
    ),
    "nll_loss": (lambda x: F.nll_loss(x, CLASSES, weight=WEIGHTS), [draw(3, 4)]),
    "cross_entropy": (lambda x: F.cross_entropy(x, CLASSES), [draw(3, 4)]),
    "cross_entropy none": (lambda x: F.cross_entropy(x, CLASSES, reduction="none"), [draw(3, 4)]),
    "cross_entropy smoothed": (
        lambda x: F.cross_entropy(x, CLASSES, weight=WEIGHTS, label_smoothing=0.1),
        [draw(3, 4)],
    ),
    "cross_entropy of probabilities": (F.cross_entropy, [draw(3, 4), draw(3, 4, seed=1, low=0.1, high=0.9)]),
    "elu": (F.elu, [draw(7)]),
    "selu": (F.selu, [draw(7)]),
    "silu": (F.silu, [draw(7)]),
    "gelu": (F.gelu, [draw(7)]),
    "gelu tanh": (lambda x: F.gelu(x, "tanh"), [draw(7)]),
    "softplus": (F.softplus, [draw(7)]),
    "logsigmoid": (F.logsigmoid, [draw(7)]),
    "softsign": (F.softsign, [draw(7)]),
    "tanhshrink": (F.tanhshrink, [draw(7)]),
    "hardtanh": (F.hardtanh, [draw(7)]),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_derivatives_agree_with_finite_differences(name):
    function, inputs = DIFFERENTIABLE[name]
    assert gradcheck(function, inputs)
    assert gradgradcheck(function, inputs)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**31))
def test_cross_entropy_of_classes_is_that_of_one_hot_probabilities(rows, classes, seed):
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.standard_normal((rows, classes)) * 10)
    target = torch.from_numpy(rng.integers(0, classes, rows))
    by_index = F.cross_entropy(x, target)
    by_probability = F.cross_entropy(x, F.one_hot(target, classes).double())
    assert by_index.item() == pytest.approx(by_probability.item(), rel=1e-12, abs=1e-12)


# ---------------------------------------------------------------------------------------------------------------
# Stability, where the plain formula overflows or loses all digits.


def test_sigmoid_cross_entropy_is_finite_and_exact_for_large_scores():
    x = torch.tensor([-1000.0, 1000.0], requires_grad=True)
    wrong = F.binary_cross_entropy_with_logits(x, torch.tensor([1.0, 0.0]))
    wrong.backward()
    assert wrong.item() == 1000.0
    assert x.grad.tolist() == [-0.5, 0.5]


def test_binary_cross_entropy_is_finite_for_certain_and_wrong_predictions():
    x = torch.tensor([0.0, 1.0], requires_grad=True)
    loss = F.binary_cross_entropy(x, torch.tensor([1.0, 0.0]))
    loss.backward()
    assert loss.item() == 100.0
    assert np.isfinite(x.grad.numpy()).all()


def test_elu_keeps_the_digits_of_small_inputs():
    assert F.elu(torch.tensor(-1e-10)).item() == np.float32(-1e-10)


def test_mean_over_nothing_is_nan():
    assert math.isnan(F.cross_entropy(torch.zeros(0, 4), torch.zeros(0).long()).item())
    assert math.isnan(F.cross_entropy(torch.zeros(2, 4), torch.tensor([-100, -100])).item())


# ---------------------------------------------------------------------------------------------------------------
# What is refused, and how.

X = torch.zeros(3, 4)
LABELS = torch.zeros(3).long()
REFUSED = {
    "reduction": (ValueError, "a is not a valid value", lambda: F.mse_loss(X, X, reduction="a")),
    "size_average": (NotImplementedError, "size_average", lambda: nn.MSELoss(size_average=True)),
    "reduce": (NotImplementedError, "reduce", lambda: F.l1_loss(X, X, reduce=False)),
    "module reduction": (ValueError, "batchmean", lambda: nn.MSELoss(reduction="batchmean")),
    "weight": (ValueError, "same size", lambda: F.mse_loss(X, X, weight=torch.zeros(4))),
    "delta": (RuntimeError, "non-positive values for delta", lambda: F.huber_loss(X, X, delta=0)),
    "beta": (RuntimeError, "negative values for beta", lambda: F.smooth_l1_loss(X, X, beta=-1.0)),
    "bce size": (ValueError, r"target size .*\[4\].* input size .*\[3, 4\]", lambda: F.binary_cross_entropy(X, X[0])),
    "bce input": (RuntimeError, "input should be between 0 and 1, got 2", lambda: F.binary_cross_entropy(X + 2, X)),
    "bce target": (RuntimeError, "target should be between 0 and 1", lambda: F.binary_cross_entropy(X, X - 1)),
    "bce nan": (RuntimeError, "between 0 and 1", lambda: F.binary_cross_entropy(X + math.nan, X)),
    "bce dtype": (RuntimeError, "Found dtype int64 but expected float32", lambda: F.binary_cross_entropy(X, X.long())),
    "logits size": (ValueError, "Target size", lambda: F.binary_cross_entropy_with_logits(X, X[0])),
    "logits dtype": (RuntimeError, "int64", lambda: F.binary_cross_entropy_with_logits(X, X.long())),
    "batch": (ValueError, r"batch_size \(3\) .* batch_size \(2\)", lambda: F.cross_entropy(X, LABELS[:2])),
    "no batch": (ValueError, "batch_size", lambda: F.cross_entropy(X, LABELS[0])),
    "float labels": (RuntimeError, "int64 .*but got float32", lambda: F.cross_entropy(X, torch.zeros(3))),
    "int32 labels": (RuntimeError, "but got int32", lambda: F.nll_loss(X, LABELS.int())),
    "int probabilities": (RuntimeError, "floating point type", lambda: F.cross_entropy(X, X.long())),
    "probabilities ignore": (RuntimeError, "ignore_index", lambda: F.cross_entropy(X, X, ignore_index=1)),
    "class": (IndexError, "7", lambda: F.cross_entropy(X, LABELS + 7)),
    "negative class": (IndexError, "-1", lambda: F.cross_entropy(X, LABELS - 1)),
    "weighted class": (IndexError, "7", lambda: F.cross_entropy(X, LABELS + 7, weight=torch.ones(4))),
    "nll class": (IndexError, "7", lambda: F.nll_loss(X, LABELS + 7)),
    "multi-target": (RuntimeError, "multi-target", lambda: F.cross_entropy(X, LABELS.unsqueeze(1))),
    "pixels": (
        RuntimeError,
        r"target size \[3, 2\], got \[3, 3\]",
        lambda: F.nll_loss(torch.zeros(3, 4, 2), X[:, :3].long()),
    ),
    "class weights": (RuntimeError, "all 4 classes", lambda: F.cross_entropy(X, LABELS, weight=torch.ones(3))),
    "smoothing": (RuntimeError, "between 0.0 and 1.0", lambda: F.cross_entropy(X, LABELS, label_smoothing=1.5)),
    "0-d input": (ValueError, "1 or more dimensions", lambda: F.nll_loss(torch.tensor(0.0), torch.tensor(0))),
    "dropout": (ValueError, "between 0 and 1, but got 2", lambda: F.dropout(X, 2.0)),
    "hardtanh": (ValueError, "min_val", lambda: F.hardtanh(X, 1.0, -1.0)),
    "one_hot dtype": (RuntimeError, "LongTensor", lambda: F.one_hot(X)),
    "one_hot negative": (RuntimeError, "non-negative", lambda: F.one_hot(torch.tensor([-1]))),
    "one_hot large": (RuntimeError, "smaller than num_classes", lambda: F.one_hot(torch.tensor([3]), 2)),
    "one_hot empty": (RuntimeError, "empty", lambda: F.one_hot(LABELS[:0])),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_arguments_are_refused(name):
    kind, words, call = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.huber_loss, F.smooth_l1_loss])
def test_a_target_that_is_broadcast_is_warned_of(loss):
    with pytest.warns(UserWarning, match=r"target size .*\[4\].* input size .*\[3, 4\]"):
        loss(X, X[0])


def test_kl_div_warns_of_its_mean():
    with pytest.warns(UserWarning, match="batchmean"):
        F.kl_div(X, X)


@pytest.mark.parametrize(("shape", "dim"), [((4,), 0), ((3, 4), 1), ((2, 3, 4), 0), ((2, 3, 2, 2), 1)])
def test_softmax_without_dim_warns_and_chooses_as_pytorch(shape, dim):
    x = torch.arange(math.prod(shape)).double().sin().reshape(shape)
    for function in (F.softmax, F.log_softmax, F.softmin):
        with pytest.warns(UserWarning, match="Implicit dimension choice"):
            chosen = function(x)
        assert torch.equal(chosen, function(x, dim=dim))
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax"):
        nn.Softmax()(x)


# ---------------------------------------------------------------------------------------------------------------
# The rest.


def test_one_hot():
    assert F.one_hot(torch.tensor([[0, 2], [1, 0]])).tolist() == [[[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [1, 0, 0]]]
    assert F.one_hot(torch.tensor(1), 3).tolist() == [0, 1, 0]
    assert F.one_hot(torch.tensor([0])).dtype is torch.int64


IN_PLACE = [F.relu, F.leaky_relu, F.relu6, F.hardtanh, F.elu, F.selu, F.silu]


@pytest.mark.parametrize("function", IN_PLACE, ids=lambda function: function.__name__)
def test_in_place_writes_over_the_input_and_has_the_same_gradient(function):
    x = draw(9, low=-8.0, high=8.0)
    expected = function(x)
    (gradient,) = torch.autograd.grad(expected.square().sum(), x)
    copy = x.clone()
    result = function(copy, inplace=True)
    assert result is copy
    assert torch.equal(result, expected)
    result.square().sum().backward()
    assert torch.allclose(x.grad, gradient)


def test_dropout_in_place_has_the_gradient_of_what_it_kept():
    torch.manual_seed(0)
    x = torch.ones(1000, requires_grad=True)
    copy = x.clone()
    result = F.dropout(copy, 0.25, inplace=True)
    assert result is copy
    result.sum().backward()
    assert torch.equal(x.grad, result.detach())
    assert set(result.tolist()) == {0.0, float(np.float32(1) / np.float32(0.75))}
    assert 650 < (result > 0).sum().item() < 850
