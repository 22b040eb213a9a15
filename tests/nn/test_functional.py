"""Losses and activations: PyTorch's recorded results, finite differences, and what is refused."""

import functools
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
SIGNS = torch.tensor([[1.0, -1.0, -1.0, 1.0]] * 3).double()
LISTED = torch.tensor([[0, 2, -1, 1], [3, -1, 3, 3], [-1, 0, 0, 0]])
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
    "soft_margin_loss": (lambda x: F.soft_margin_loss(x, SIGNS), [draw(3, 4)]),
    "multilabel_soft_margin_loss": (
        lambda x, y: F.multilabel_soft_margin_loss(x, y, WEIGHTS),
        [draw(3, 4), draw(3, 4, seed=1, low=0.1, high=0.9)],
    ),
    "poisson_nll_loss": (
        lambda x, y: F.poisson_nll_loss(x, y, full=True),
        [draw(3, 4), draw(3, 4, seed=1, low=0.2, high=3.0)],
    ),
    "poisson_nll_loss of rates": (
        lambda x, y: F.poisson_nll_loss(x, y, log_input=False, eps=0.1),
        [draw(3, 4, low=0.2), draw(3, 4, seed=1, low=0.2, high=3.0)],
    ),
    "gaussian_nll_loss": (
        lambda x, y, var: F.gaussian_nll_loss(x, y, var, full=True),
        [draw(3, 4), draw(3, 4, seed=1), draw(3, 1, seed=2, low=0.2)],
    ),
    "multi_margin_loss": (lambda x: F.multi_margin_loss(x, CLASSES, weight=WEIGHTS), [draw(3, 4)]),
    "multi_margin_loss squared": (lambda x: F.multi_margin_loss(x, CLASSES, p=2, margin=0.3), [draw(3, 4)]),
    "multilabel_margin_loss": (lambda x: F.multilabel_margin_loss(x, LISTED), [draw(3, 4)]),
    "margin_ranking_loss": (
        lambda x, y: F.margin_ranking_loss(x, y, SIGNS, 0.3),
        [draw(3, 4), draw(3, 4, seed=1)],
    ),
    "cosine_embedding_loss": (
        lambda x, y: F.cosine_embedding_loss(x, y, torch.tensor([1, -1, -1]), -0.7),
        [draw(3, 4), draw(3, 4, seed=1)],
    ),
    "triplet_margin_loss": (
        lambda x, y, z: F.triplet_margin_loss(x, y, z, margin=3.0, swap=True),
        [draw(3, 4), draw(3, 4, seed=1), draw(3, 4, seed=2)],
    ),
    "triplet_margin_with_distance_loss": (
        lambda x, y, z: F.triplet_margin_with_distance_loss(x, y, z, distance_function=F.cosine_similarity, margin=3.0),
        [draw(3, 4), draw(3, 4, seed=1), draw(3, 4, seed=2)],
    ),
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
    "softshrink": (RuntimeError, "lambda must be greater", lambda: F.softshrink(X, -1.0)),
    "celu": (RuntimeError, "alpha cannot be 0", lambda: F.celu(X, 0.0)),
    "glu of a number": (RuntimeError, "does not support scalars", lambda: F.glu(torch.tensor(1.0))),
    "glu": (RuntimeError, "dimension 0 is size 3", lambda: F.glu(X, 0)),
    "prelu channels": (RuntimeError, "parameter numbers = 3 and channel size = 4", lambda: F.prelu(X, X[:, 0])),
    "prelu axes": (RuntimeError, "scalar or 1D tensor, but got: ndim = 2", lambda: F.prelu(X, X)),
    "prelu dtype": (RuntimeError, "Type promoting not supported", lambda: F.prelu(X, X[0].double())),
    "rrelu": (RuntimeError, "Lower bound", lambda: F.rrelu(X, 0.5, 0.2)),
    "elu of integers": (NotImplementedError, '"elu" not implemented for int64', lambda: F.elu(X.long())),
    "normalize out": (NotImplementedError, "out=", lambda: F.normalize(X, out=X)),
    "cosine of integers": (RuntimeError, "common dtype is int64", lambda: F.cosine_similarity(LABELS, LABELS, 0)),
    "cosine": (RuntimeError, r"tensor a \(3\) must match .* tensor b \(2\)", lambda: F.cosine_similarity(X, X[:2])),
    "bilinear": (RuntimeError, "do not fit weight", lambda: F.bilinear(X, X[:2], torch.zeros(1, 4, 4))),
    "pixel_shuffle axes": (RuntimeError, "at least 3 dimensions", lambda: F.pixel_shuffle(X, 2)),
    "pixel_shuffle factor": (RuntimeError, "positive upscale_factor", lambda: F.pixel_shuffle(X[None], 0)),
    "pixel_shuffle": (RuntimeError, r"size\(-3\)=1 is not divisible by 4", lambda: F.pixel_shuffle(X[None], 2)),
    "pixel_unshuffle": (RuntimeError, r"size\(-2\)=3 is not divisible by 2", lambda: F.pixel_unshuffle(X[None], 2)),
    "channel_shuffle axes": (RuntimeError, "> 2 dims", lambda: F.channel_shuffle(X, 2)),
    "channel_shuffle": (RuntimeError, "Got 3 channels and 2 groups", lambda: F.channel_shuffle(X[None], 2)),
    "channel_shuffle groups": (RuntimeError, "must be positive", lambda: F.channel_shuffle(X[None], 0)),
    "variance": (ValueError, "negative entry", lambda: F.gaussian_nll_loss(X, X, X - 1)),
    "variance number": (ValueError, "negative entry", lambda: F.gaussian_nll_loss(X, X, -1.0)),
    "variance size": (ValueError, "incorrect size", lambda: F.gaussian_nll_loss(X, X, X[0])),
    "gaussian reduction": (ValueError, "a is not valid", lambda: F.gaussian_nll_loss(X, X, X, reduction="a")),
    "multi_margin p": (ValueError, "only p == 1", lambda: F.multi_margin_loss(X, LABELS, p=3)),
    "multi_margin weight": (ValueError, "one-dimensional", lambda: F.multi_margin_loss(X, LABELS, weight=X)),
    "multi_margin sizes": (RuntimeError, "expected 4 but got", lambda: F.multi_margin_loss(X, LABELS, weight=X[:, 0])),
    "multi_margin class": (RuntimeError, "out of range: 7", lambda: F.multi_margin_loss(X, LABELS + 7)),
    "multi_margin dtype": (RuntimeError, "type Long but found int32", lambda: F.multi_margin_loss(X, LABELS.int())),
    "multi_margin batch": (RuntimeError, r"size \[3\], but got \[2\]", lambda: F.multi_margin_loss(X, LABELS[:2])),
    "multi_margin axes": (RuntimeError, "vector or matrix", lambda: F.multi_margin_loss(X[None], LABELS)),
    "multilabel sizes": (RuntimeError, "inconsistent target size", lambda: F.multilabel_margin_loss(X, LABELS)),
    "multilabel class": (RuntimeError, "out of range: 7", lambda: F.multilabel_margin_loss(X, X.long() + 7)),
    "multilabel dtype": (RuntimeError, "type Long", lambda: F.multilabel_margin_loss(X, X)),
    "multilabel axis": (IndexError, "axis of classes", lambda: F.multilabel_soft_margin_loss(X[0, 0], X[0, 0])),
    "ranking": (RuntimeError, "same dimension", lambda: F.margin_ranking_loss(X, X, X[0])),
    "cosine target": (RuntimeError, "multi-target", lambda: F.cosine_embedding_loss(X, X, X)),
    "cosine pairs": (RuntimeError, "1D target tensor expects 2D", lambda: F.cosine_embedding_loss(X, X[0], LABELS)),
    "cosine pair": (RuntimeError, "0D target tensor expects 1D", lambda: F.cosine_embedding_loss(X, X, LABELS[0])),
    "triplet": (RuntimeError, "anchor 2D, positive 2D, and negative 1D", lambda: F.triplet_margin_loss(X, X, X[0])),
    "triplet margin": (ValueError, "greater than 0, got 0", lambda: F.triplet_margin_loss(X, X, X, margin=0)),
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


IN_PLACE = [
    *(F.relu, F.leaky_relu, F.relu6, F.hardtanh, F.elu, F.selu, F.celu, F.silu, F.mish, F.hardsigmoid, F.hardswish),
    *(F.rrelu, functools.partial(F.threshold, threshold=0.5, value=-2.0)),
]


@pytest.mark.parametrize("function", IN_PLACE, ids=lambda each: getattr(each, "func", each).__name__)
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


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        *(("relu_", ()), ("leaky_relu_", (0.2,)), ("elu_", (0.3,)), ("selu_", ()), ("celu_", (0.3,))),
        *(("hardtanh_", (-0.3, 0.7)), ("threshold_", (0.5, -2.0)), ("rrelu_", (0.1, 0.3))),
    ],
)
def test_functions_that_are_named_as_in_place(name, arguments):
    x = draw(9).detach()
    copy = x.clone()
    assert getattr(F, name)(copy, *arguments) is copy
    assert torch.equal(copy, getattr(F, name[:-1])(x, *arguments))


def test_soft_margin_loss_is_finite_where_the_exponential_is_not():
    assert F.soft_margin_loss(torch.tensor([-1000.0, 1000.0]), torch.tensor([1.0, 1.0])).item() == 500


def test_rrelu_draws_a_slope_for_each_element_below_0():
    torch.manual_seed(0)
    x = torch.cat([-torch.ones(1000), torch.ones(1000)]).requires_grad_()
    y = F.rrelu(x, 0.2, 0.3, training=True)
    y.sum().backward()
    assert y[1000:].tolist() == [1] * 1000
    assert torch.equal(x.grad, (y / x).detach())
    slopes = x.grad[:1000].numpy()
    assert 0.2 <= slopes.min() < 0.202
    assert 0.298 < slopes.max() <= 0.3
    layer = nn.RReLU(0.2, 0.3)
    assert not torch.equal(layer(x), layer(x))
    assert torch.equal(layer.eval()(x), F.leaky_relu(x, 0.25))


def test_gumbel_softmax():
    torch.manual_seed(0)
    p = torch.tensor([0.5, 0.2, 0.3]).double()
    logits = p.log().expand(20_000, 3).clone().requires_grad_()
    hard = F.gumbel_softmax(logits, hard=True)
    assert hard.detach().sum(1).tolist() == pytest.approx([1] * 20_000)
    assert hard.detach().mean(0).tolist() == pytest.approx(p.tolist(), abs=0.01)
    (hard * torch.tensor([1.0, 0.0, 0.0])).sum().backward()
    assert logits.grad.abs().sum().item() > 0
    soft = F.gumbel_softmax(logits, tau=0.5, dim=0)
    assert soft.sum(0).tolist() == pytest.approx([1] * 3)
    with pytest.warns(UserWarning, match="eps"):
        F.gumbel_softmax(logits, eps=1e-5)
