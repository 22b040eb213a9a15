"""Containers, linear layers, activations and dropout as modules, initialisation, parameters as vectors."""

import math
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.nn import functional as F
from tinygrad_fr.nn import init

from ..golden.printed_layers import printed_layers
from .golden import RECORDED

PRINTED = RECORDED["printed"]

# ---------------------------------------------------------------------------------------------------------------
# Containers.


def test_sequential_is_indexed_like_a_list():
    a, b, c = nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1)
    model = nn.Sequential(a, b, c)
    assert len(model) == 3
    assert list(model) == [a, b, c]
    assert model[-1] is c
    assert list(model[1:]) == [b, c]
    assert list(model[:2].state_dict()) == ["0.weight", "0.bias"]
    assert list(model[1:].state_dict()) == ["2.weight", "2.bias"]
    model[1] = nn.Tanh()
    assert isinstance(model[1], nn.Tanh)
    del model[1]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    assert model.append(b) is model
    model.insert(1, nn.Sigmoid())
    assert [type(each) for each in model] == [nn.Linear, nn.Sigmoid, nn.Linear, nn.ReLU]
    model.extend([nn.Tanh()])
    assert isinstance(model.pop(-1), nn.Tanh)
    assert len(nn.Sequential(a) + nn.Sequential(c)) == 2
    assert list(nn.Sequential(a) * 2) == [a, a]
    twice = nn.Sequential(a, b)
    twice *= 2
    assert list(twice) == [a, b, a, b]
    x = torch.ones(3, 1)
    assert torch.equal(nn.Sequential(a, b, c)(x), c(b(a(x))))
    assert nn.Sequential()(x) is x


def test_sequential_of_named_modules():
    model = nn.Sequential(OrderedDict([("hidden", nn.Linear(1, 2)), ("out", nn.Linear(2, 1))]))
    assert list(model.state_dict()) == ["hidden.weight", "hidden.bias", "out.weight", "out.bias"]
    assert model.out is model[1]


def test_module_list_and_dict():
    layers = nn.ModuleList([nn.Linear(1, 1) for _ in range(3)])
    assert len(list(layers.parameters())) == 6
    assert isinstance(layers[1:], nn.ModuleList)
    layers.insert(0, nn.ReLU())
    assert next(iter(layers.state_dict())) == "1.weight"
    layers += [nn.Tanh()]
    assert isinstance(layers[-1], nn.Tanh)
    assert isinstance(layers + nn.ModuleList([nn.ReLU()]), nn.ModuleList)
    with pytest.raises(NotImplementedError, match=r"\[ModuleList\]"):
        layers(1)
    heads = nn.ModuleDict({"a": nn.Linear(1, 1)})
    heads["b"] = nn.ReLU()
    heads.update([("c", nn.Tanh())])
    assert list(heads) == list(heads.keys()) == ["a", "b", "c"]
    assert "b" in heads
    assert isinstance(heads.pop("c"), nn.Tanh)
    assert len(heads) == 2
    assert [name for name, _ in heads.items()] == ["a", "b"]
    assert len(heads.values()) == 2
    del heads["a"]
    heads.clear()
    assert len(heads) == 0


def test_nested_containers_print_and_name_as_pytorchs():
    body = [nn.Linear(2, 2), nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 1))]
    nested = nn.ModuleDict({"body": nn.ModuleList(body)})
    assert repr(nested) == PRINTED["nested"]
    assert list(nested.state_dict()) == PRINTED["nested keys"]


def test_parameter_list_and_dict():
    weights = nn.ParameterList([torch.ones(2), nn.Parameter(torch.ones(2, 2))])
    weights.append(torch.zeros(1))
    assert all(isinstance(each, nn.Parameter) for each in weights)
    assert [name for name, _ in weights.named_parameters()] == ["0", "1", "2"]
    assert weights[-1].tolist() == [0]
    weights[0] = torch.zeros(2)
    assert weights[0].tolist() == [0, 0]
    assert len(weights[1:]) == 2
    assert "(1): Parameter containing: [tinygrad_fr.float32 of size 2x2]" in repr(weights)
    weights += [torch.zeros(4), 3]
    assert len(weights) == 5
    assert weights[4] == 3
    assert "\n    (4): Object of type: int\n)" in repr(weights)
    named = nn.ParameterDict({"a": torch.ones(2)})
    assert repr(named) == "ParameterDict(  (a): Parameter containing: [tinygrad_fr.float32 of size 2])"
    named["b"] = torch.zeros(1)
    assert list(named.state_dict()) == ["a", "b"]
    assert list(reversed(named)) == ["b", "a"]
    assert named.get("c") is None
    assert named.get("c", 3) == 3
    assert named.setdefault("c", torch.ones(3)) is named["c"]
    assert named.setdefault("c", 5) is named["c"]
    assert list(named.copy()) == list(named.keys()) == ["a", "b", "c"]
    assert named.popitem()[0] == "c"
    assert named.pop("a").tolist() == [1, 1]
    assert [name for name, _ in named.items()] == ["b"]
    assert named.values()[0] is named["b"]
    assert list(named.fromkeys(["x", "y"], torch.ones(1)).state_dict()) == ["x", "y"]
    other = nn.ParameterDict([("z", torch.ones(1))])
    assert list(named | other) == ["b", "z"]
    assert list({"z": torch.ones(1)} | named) == ["z", "b"]
    named |= other
    named["note"] = "no tensor"
    assert list(named) == ["b", "z", "note"]
    assert list(named.state_dict()) == ["b", "z"]
    named.clear()
    assert len(named) == len(list(named.parameters())) == 0
    assert "b" not in named
    with pytest.raises(KeyError, match="is empty"):
        named.popitem()
    with pytest.raises(KeyError, match="update"):
        named["update"] = 3


CONTAINER_ERRORS = {
    "index": (IndexError, "index 7 is out of range", lambda: nn.Sequential(nn.ReLU())[7]),
    "list index": (IndexError, "index -2 is out of range", lambda: nn.ModuleList([nn.ReLU()])[-2]),
    "index type": (TypeError, "str", lambda: nn.Sequential(nn.ReLU())["a"]),
    "member": (TypeError, "int is not a Module subclass", lambda: nn.Sequential(3)),
    "append": (TypeError, "int is not a Module subclass", lambda: nn.ModuleList().append(3)),
    "extend": (TypeError, "ModuleList.extend should be called with an iterable, but got int", lambda: nn.ModuleList(3)),
    "insert": (IndexError, "Index out of range: 5", lambda: nn.Sequential().insert(5, nn.ReLU())),
    "update": (TypeError, "ModuleDict.update should be called with an iterable", lambda: nn.ModuleDict(3)),
    "pairs": (TypeError, "sequence element #0 should be Iterable", lambda: nn.ModuleDict([3])),
    "triples": (ValueError, "element #0 has length 3; 2 is required", lambda: nn.ModuleDict(["abc"])),
    "key": (KeyError, "b", lambda: nn.ModuleDict()["b"]),
}


@pytest.mark.parametrize("name", CONTAINER_ERRORS)
def test_containers_refuse(name):
    kind, words, call = CONTAINER_ERRORS[name]
    with pytest.raises(kind, match=words):
        call()


# ---------------------------------------------------------------------------------------------------------------
# Layers.


def test_linear():
    layer = nn.Linear(3, 2, dtype=torch.float64)
    assert layer.weight.shape == (2, 3)
    assert layer.bias.shape == (2,)
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 5, 3)))
    expected = x.numpy() @ layer.weight.detach().numpy().T + layer.bias.detach().numpy()
    np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-12)
    assert layer(x[0, 0]).shape == (2,)
    assert nn.Linear(3, 2, bias=False).bias is None
    assert repr(nn.Linear(3, 2, bias=False)) == "Linear(in_features=3, out_features=2, bias=False)"
    with pytest.raises(TypeError, match="in_features"):
        nn.Linear(2.5, 3)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        layer(x[..., :2])
    with pytest.raises(RuntimeError, match="cuda"):
        nn.Linear(1, 1, device="cuda")


def test_linear_goes_on_with_a_weight_that_is_a_plain_tensor():
    layer = nn.Linear(2, 1, bias=False)
    del layer.weight
    layer.weight = torch.tensor([[2.0, 3.0]])
    assert layer(torch.ones(1, 2)).item() == 5


def test_linear_starts_uniform_in_one_over_the_root_of_its_inputs():
    torch.manual_seed(0)
    layer = nn.Linear(400, 300)
    for each in (layer.weight, layer.bias):
        values = each.detach().numpy()
        assert np.abs(values).max() <= 1 / 20
        assert np.abs(values).max() > 0.98 / 20
    assert layer.weight.std().item() == pytest.approx(1 / 20 / math.sqrt(3), rel=0.01)
    torch.manual_seed(0)
    assert torch.equal(nn.Linear(400, 300).weight, layer.weight)


def test_shapes():
    x = torch.ones(2, 3, 4)
    assert nn.Flatten()(x).shape == (2, 12)
    assert nn.Flatten(0, 1)(x).shape == (6, 4)
    assert nn.Unflatten(2, (2, -1))(x).shape == (2, 3, 2, 2)
    assert nn.Identity(1, a=2)(x) is x
    with pytest.raises(TypeError, match="dim"):
        nn.Unflatten("C", (2, 2))


def test_every_layer_prints_as_pytorchs():
    assert [repr(layer) for layer in printed_layers(nn)] == PRINTED["layers"]


def test_every_layer_has_pytorchs_state():
    states = [[[key, list(tensor.shape)] for key, tensor in layer.state_dict().items()] for layer in printed_layers(nn)]
    assert states == PRINTED["states"]


X = torch.tensor([[-2.0, -0.5, 0.0], [0.5, 1.5, 7.0]])
MODULES = [
    (nn.Step(), F.step),
    (nn.Sigmoid(), F.sigmoid),
    (nn.Tanh(), F.tanh),
    (nn.ReLU(), F.relu),
    (nn.ReLU6(), F.relu6),
    (nn.LeakyReLU(0.3), lambda x: F.leaky_relu(x, 0.3)),
    (nn.ELU(0.3), lambda x: F.elu(x, 0.3)),
    (nn.SELU(), F.selu),
    (nn.SiLU(), F.silu),
    (nn.GELU(), F.gelu),
    (nn.GELU("tanh"), lambda x: F.gelu(x, approximate="tanh")),
    (nn.Hardtanh(-0.3, 2.0), lambda x: F.hardtanh(x, -0.3, 2.0)),
    (nn.Softplus(2.0, 3.0), lambda x: F.softplus(x, 2.0, 3.0)),
    (nn.Softsign(), F.softsign),
    (nn.Tanhshrink(), F.tanhshrink),
    (nn.LogSigmoid(), F.logsigmoid),
    (nn.CELU(0.3), lambda x: F.celu(x, 0.3)),
    (nn.Mish(), F.mish),
    (nn.PReLU(), lambda x: F.prelu(x, torch.tensor([0.25]))),
    (nn.PReLU(3, 0.3), lambda x: F.prelu(x, torch.full((3,), 0.3))),
    (nn.RReLU(0.1, 0.2).eval(), lambda x: F.leaky_relu(x, 0.15)),
    (nn.Hardsigmoid(), F.hardsigmoid),
    (nn.Hardswish(), F.hardswish),
    (nn.Hardshrink(0.7), lambda x: F.hardshrink(x, 0.7)),
    (nn.Softshrink(0.7), lambda x: F.softshrink(x, 0.7)),
    (nn.Threshold(0.2, 3.0), lambda x: F.threshold(x, 0.2, 3.0)),
    (nn.GLU(0), lambda x: F.glu(x, 0)),
    (nn.Softmax(0), lambda x: F.softmax(x, 0)),
    (nn.CosineSimilarity(0, 3.0), lambda x: F.cosine_similarity(x, X, 0, 3.0)),
    (nn.PairwiseDistance(3.0, 0.1, True), lambda x: F.pairwise_distance(x, X, 3.0, 0.1, True)),
    (nn.Softmin(0), lambda x: F.softmin(x, 0)),
    (nn.LogSoftmax(0), lambda x: F.log_softmax(x, 0)),
    (nn.MSELoss(reduction="sum"), lambda x: F.mse_loss(x, X, reduction="sum")),
    (nn.L1Loss(reduction="sum"), lambda x: F.l1_loss(x, X, reduction="sum")),
    (nn.HuberLoss("sum", 0.3), lambda x: F.huber_loss(x, X, "sum", 0.3)),
    (nn.SmoothL1Loss(reduction="sum", beta=0.3), lambda x: F.smooth_l1_loss(x, X, reduction="sum", beta=0.3)),
    (nn.KLDivLoss(reduction="batchmean"), lambda x: F.kl_div(x, X, reduction="batchmean")),
    (nn.KLDivLoss(reduction="sum", log_target=True), lambda x: F.kl_div(x, X, reduction="sum", log_target=True)),
    (nn.HingeEmbeddingLoss(0.3), lambda x: F.hinge_embedding_loss(x, X, 0.3)),
    (nn.SoftMarginLoss(reduction="sum"), lambda x: F.soft_margin_loss(x, X, reduction="sum")),
    (
        nn.MultiLabelSoftMarginLoss(X[1], reduction="sum"),
        lambda x: F.multilabel_soft_margin_loss(x, X, X[1], reduction="sum"),
    ),
    (
        nn.PoissonNLLLoss(False, True, eps=3.0, reduction="sum"),
        lambda x: F.poisson_nll_loss(x, X, False, True, eps=3.0, reduction="sum"),
    ),
    (
        nn.BCEWithLogitsLoss(X[1], pos_weight=X[0] + 3),
        lambda x: F.binary_cross_entropy_with_logits(x, X, X[1], pos_weight=X[0] + 3),
    ),
]


@pytest.mark.parametrize(("module", "function"), MODULES, ids=lambda each: getattr(each, "_get_name", lambda: "")())
def test_modules_pass_their_options_to_the_function(module, function):
    loss = isinstance(module, (nn.loss._Loss, nn.CosineSimilarity, nn.PairwiseDistance))
    x = X + 0.7 if loss else X
    result = (
        module(x, X.abs() if isinstance(module, nn.KLDivLoss) and not module.log_target else X) if loss else module(x)
    )
    if isinstance(module, nn.KLDivLoss) and not module.log_target:
        function = lambda x: F.kl_div(x, X.abs(), reduction="batchmean")  # noqa: E731
    assert torch.equal(result, function(x))


def test_class_losses_pass_their_options_to_the_function():
    scores, labels, weight = X, torch.tensor([1, 2]), torch.tensor([0.5, 2.0, 1.0])
    cross_entropy = nn.CrossEntropyLoss(weight, ignore_index=2, reduction="sum", label_smoothing=0.1)
    expected = F.cross_entropy(scores, labels, weight, ignore_index=2, reduction="sum", label_smoothing=0.1)
    assert torch.equal(cross_entropy(scores, labels), expected)
    nll = nn.NLLLoss(weight, ignore_index=2, reduction="sum")
    assert torch.equal(nll(scores, labels), F.nll_loss(scores, labels, weight, ignore_index=2, reduction="sum"))
    bce = nn.BCELoss(weight, reduction="sum")
    p, t = F.sigmoid(X), (X > 0).float()
    assert torch.equal(bce(p, t), F.binary_cross_entropy(p, t, weight, reduction="sum"))
    assert list(cross_entropy.state_dict()) == ["weight"]
    assert cross_entropy.double().weight.dtype is torch.float64


def test_losses_of_pairs_and_triplets_pass_their_options_to_the_function():
    x, y, z, signs, reduced = X, X + 0.3, X.flip(0), torch.tensor([1, -1]), {"reduction": "sum"}
    ranking, cosine = nn.MarginRankingLoss(0.3, **reduced), nn.CosineEmbeddingLoss(0.3, **reduced)
    assert torch.equal(ranking(x, y, z), F.margin_ranking_loss(x, y, z, 0.3, **reduced))
    assert torch.equal(cosine(x, y, signs), F.cosine_embedding_loss(x, y, signs, 0.3, **reduced))
    triplet = nn.TripletMarginLoss(3.0, 1.0, 0.1, True, **reduced)
    assert torch.equal(triplet(x, y, z), F.triplet_margin_loss(x, y, z, 3.0, 1.0, 0.1, True, **reduced))
    options = {"margin": 3.0, "swap": True, **reduced}
    by_cosine = nn.TripletMarginWithDistanceLoss(distance_function=F.cosine_similarity, **options)
    expected = F.triplet_margin_with_distance_loss(x, y, z, distance_function=F.cosine_similarity, **options)
    assert torch.equal(by_cosine(x, y, z), expected)
    gaussian = nn.GaussianNLLLoss(full=True, eps=3.0, **reduced)
    assert torch.equal(gaussian(x, y, z.abs()), F.gaussian_nll_loss(x, y, z.abs(), True, 3.0, **reduced))
    margin = nn.MultiMarginLoss(2, 0.3, X[1], **reduced)
    expected = F.multi_margin_loss(x, torch.tensor([1, 2]), 2, 0.3, X[1], **reduced)
    assert torch.equal(margin(x, torch.tensor([1, 2])), expected)
    listed = torch.tensor([[1, 0, -1], [2, -1, -1]])
    assert torch.equal(nn.MultiLabelMarginLoss(**reduced)(x, listed), F.multilabel_margin_loss(x, listed, **reduced))


def test_losses_refuse_when_they_are_made():
    with pytest.raises(ValueError, match="greater than 0, got 0"):
        nn.TripletMarginLoss(0)
    with pytest.raises(ValueError, match="greater than 0, got -1"):
        nn.TripletMarginWithDistanceLoss(margin=-1)
    with pytest.raises(ValueError, match="only p == 1"):
        nn.MultiMarginLoss(3)
    with pytest.raises(ValueError, match="got 2D"):
        nn.MultiMarginLoss(weight=X)
    with pytest.raises(NotImplementedError, match="size_average"):
        nn.SoftMarginLoss(size_average=False)
    with pytest.warns(FutureWarning, match="Please use NLLLoss"):
        nn.NLLLoss2d()


def test_softmax_over_channels():
    x = torch.arange(24).double().sin().reshape(1, 2, 3, 4)
    assert torch.equal(nn.Softmax2d()(x), F.softmax(x, 1))
    assert torch.equal(nn.Softmax2d()(x[0]), F.softmax(x[0], 0))
    with pytest.raises(ValueError, match="got 2D"):
        nn.Softmax2d()(X)


def test_bilinear():
    torch.manual_seed(0)
    layer = nn.Bilinear(4, 3, 5)
    for each in (layer.weight, layer.bias):
        assert each.abs().max().item() <= 0.5
    x, y = torch.rand(2, 6, 4), torch.rand(2, 6, 3)
    assert torch.equal(layer(x, y), F.bilinear(x, y, layer.weight, layer.bias))
    assert nn.Bilinear(4, 3, 5, bias=False)(x, y).shape == (2, 6, 5)
    with pytest.raises(ValueError, match="in1_features must be > 0"):
        nn.Bilinear(0, 1, 1)


def test_shuffles_are_undone():
    x = torch.arange(2 * 8 * 6 * 4).reshape(2, 8, 6, 4)
    assert torch.equal(nn.PixelShuffle(2)(nn.PixelUnshuffle(2)(x)), x)
    assert torch.equal(nn.ChannelShuffle(4)(nn.ChannelShuffle(2)(x)), x)


@pytest.mark.parametrize(
    "module", [nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.LeakyReLU, nn.ELU, nn.Hardtanh, nn.CELU, nn.Mish]
)
def test_activations_in_place(module):
    x = X.clone()
    layer = module(inplace=True)
    assert layer(x) is x
    assert torch.equal(x, module()(X))
    assert repr(layer).endswith("inplace=True)")


def test_step_is_the_perceptrons():
    x = torch.tensor([-1.0, 0.0, 2.0], requires_grad=True)
    y = nn.Step()(x)
    y.sum().backward()
    assert y.tolist() == [0, 0, 1]
    assert x.grad.tolist() == [0, 0, 0]


# ---------------------------------------------------------------------------------------------------------------
# Initialisation.


def test_gains_are_pytorchs():
    assert {name: init.calculate_gain(name) for name in PRINTED["gains"]} == pytest.approx(PRINTED["gains"])
    assert init.calculate_gain("leaky_relu", 0.5) == pytest.approx(math.sqrt(2 / 1.25))


@pytest.mark.parametrize(
    ("fill", "std", "bound"),
    [
        (lambda w: init.uniform_(w, -2, 1), 3 / math.sqrt(12), 2),
        (lambda w: init.normal_(w, 0, 3), 3, None),
        (lambda w: init.xavier_uniform_(w, gain=2), 2 * math.sqrt(2 / 500), 2 * math.sqrt(6 / 500)),
        (lambda w: init.xavier_normal_(w), math.sqrt(2 / 500), None),
        (lambda w: init.kaiming_uniform_(w, nonlinearity="relu"), math.sqrt(2 / 300), math.sqrt(6 / 300)),
        (lambda w: init.kaiming_normal_(w, mode="fan_out", nonlinearity="tanh"), 5 / 3 / math.sqrt(200), None),
        (lambda w: init.trunc_normal_(w), 0.8796, 2),
        (lambda w: init.trunc_normal_(w, 0.0, 0.1, -5, 5), 0.1, 5),
    ],
)
def test_draws_have_the_spread_that_is_asked_for(fill, std, bound):
    torch.manual_seed(0)
    weight = nn.Parameter(torch.empty(200, 300))
    assert fill(weight) is weight
    assert weight.is_leaf
    assert weight.std().item() == pytest.approx(std, rel=0.02)
    assert bound is None or weight.abs().max().item() <= bound


def test_fan_counts_the_kernel():
    torch.manual_seed(0)
    weight = init.kaiming_normal_(torch.empty(40, 30, 5, 4), nonlinearity="linear")
    assert weight.std().item() == pytest.approx(1 / math.sqrt(30 * 20), rel=0.03)


def test_fixed_fills():
    weight = nn.Parameter(torch.empty(2, 3))
    assert init.constant_(weight, 0.5).tolist() == [[0.5] * 3] * 2
    assert init.ones_(weight).tolist() == [[1] * 3] * 2
    assert init.zeros_(weight).tolist() == [[0] * 3] * 2
    assert init.eye_(weight).tolist() == [[1, 0, 0], [0, 1, 0]]


@pytest.mark.parametrize("kernel", [(3,), (3, 4), (1, 2, 3)])
@pytest.mark.parametrize("groups", [1, 2])
def test_dirac(kernel, groups):
    weight = init.dirac_(torch.empty(4, 3, *kernel), groups).numpy()
    centre = tuple(size // 2 for size in kernel)
    expected = np.concatenate([np.eye(4 // groups, 3)] * groups)
    np.testing.assert_array_equal(weight[(..., *centre)], expected)
    assert weight.sum() == expected.sum()


@given(st.integers(1, 5), st.integers(1, 5), st.sampled_from([1.0, 2.0]))
def test_orthogonal(rows, columns, gain):
    w = init.orthogonal_(torch.empty(rows, columns).double(), gain).numpy()
    product = w @ w.T if rows <= columns else w.T @ w
    np.testing.assert_allclose(product, gain**2 * np.eye(min(rows, columns)), atol=1e-12)


def test_sparse():
    weight = init.sparse_(torch.empty(10, 4), 0.25, std=1.0)
    assert (weight == 0).sum(0).tolist() == [3] * 4


def test_a_generator_of_ones_own():
    def draws():
        return [
            fill(torch.empty(3, 3), generator=torch.Generator().manual_seed(5)).tolist()
            for fill in (init.uniform_, init.normal_, init.trunc_normal_, init.xavier_normal_, init.orthogonal_)
        ]

    before = torch.get_rng_state()
    assert draws() == draws()
    assert torch.equal(torch.get_rng_state(), before)


INIT_ERRORS = {
    "fan": (ValueError, "Fan in and fan out", lambda: init.xavier_uniform_(torch.zeros(3))),
    "mode": (ValueError, "Mode x not supported", lambda: init.kaiming_uniform_(torch.zeros(3, 3), mode="x")),
    "gain": (ValueError, "Unsupported nonlinearity x", lambda: init.calculate_gain("x")),
    "slope": (ValueError, "negative_slope a not a valid number", lambda: init.calculate_gain("leaky_relu", "a")),
    "eye": (ValueError, "Only tensors with 2 dimensions", lambda: init.eye_(torch.zeros(3))),
    "dirac": (ValueError, "3, 4, or 5 dimensions", lambda: init.dirac_(torch.zeros(3, 3))),
    "dirac groups": (ValueError, "divisible by groups", lambda: init.dirac_(torch.zeros(3, 3, 3), 2)),
    "sparse": (ValueError, "Only tensors with 2 dimensions", lambda: init.sparse_(torch.zeros(3), 0.1)),
    "orthogonal": (ValueError, "2 or more dimensions", lambda: init.orthogonal_(torch.zeros(3))),
}


@pytest.mark.parametrize("name", INIT_ERRORS)
def test_initialisation_refuses(name):
    kind, words, call = INIT_ERRORS[name]
    with pytest.raises(kind, match=words):
        call()


def test_initialisation_warns():
    with pytest.warns(UserWarning, match="mean is more than 2 std"):
        init.trunc_normal_(torch.zeros(3), 5)
    with pytest.warns(UserWarning, match="zero-element"):
        nn.Linear(0, 3)


# ---------------------------------------------------------------------------------------------------------------
# Vectors.


def test_parameters_as_a_vector():
    model = nn.Linear(2, 2)
    vector = nn.utils.parameters_to_vector(model.parameters())
    assert vector.shape == (6,)
    vector.sum().backward()
    assert model.weight.grad.tolist() == [[1, 1], [1, 1]]
    nn.utils.vector_to_parameters(torch.arange(6).float(), model.parameters())
    assert model.weight.tolist() == [[0, 1], [2, 3]]
    assert model.bias.tolist() == [4, 5]
    with pytest.raises(TypeError, match="list"):
        nn.utils.vector_to_parameters([1.0], model.parameters())


def test_gelu_says_its_form_and_refuses_others():
    assert repr(nn.GELU()) == "GELU(approximate='none')"
    assert repr(nn.GELU(approximate="tanh")) == "GELU(approximate='tanh')"
    with pytest.raises(RuntimeError, match="approximate argument must be either none or tanh, got 'erf'"):
        nn.GELU("erf")(torch.zeros(2))
