"""Functions of the package beside the methods: in-place ones, and those with the arguments of PyTorch's operators."""

import pytest

import tinygrad_fr as torch
import tinygrad_fr.nn.functional as F
from tinygrad_fr import _names, nn

MATRIX, IMAGES = (4, 6), (2, 4, 9)


def vectors(count):
    return [torch.randn(count) for _ in range(2)]


def equal(left, right):
    left, right = ((each,) if isinstance(each, torch.Tensor) else each for each in (left, right))
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))


# --- in place ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", _names._IN_PLACE)
def test_an_in_place_function_is_the_method(name):
    assert getattr(torch, name) is getattr(torch.Tensor, name)


IN_PLACE = {"selu": (), "celu": (0.5,), "threshold": (0.2, 7.0), "rrelu": (0.1, 0.3, True)}
DROPOUTS = ("dropout", "alpha_dropout", "feature_alpha_dropout")


@pytest.mark.parametrize(("name", "arguments"), [*IN_PLACE.items(), *((name, (0.5, True)) for name in DROPOUTS)])
def test_an_in_place_activation_writes_what_the_function_gives(name, arguments):
    x = torch.randn(MATRIX)
    torch.manual_seed(0)
    expected = getattr(torch, name)(x, *arguments)
    torch.manual_seed(0)
    assert getattr(torch, f"{name}_")(x, *arguments) is x
    assert equal(x, expected)


@pytest.mark.parametrize("name", ["selu_", "celu_", "rrelu_"])
def test_an_in_place_activation_is_in_nn_functional_too(name):
    assert getattr(F, name) is getattr(torch, name)


def test_the_gradient_passes_through_an_in_place_activation():
    x = torch.randn(MATRIX, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(torch.celu_(x * 1).sum(), x)
    (expected,) = torch.autograd.grad(F.celu(x).sum(), x)
    assert equal(found, expected)


# --- arguments in another order ----------------------------------------------------------------------------------


def test_embedding_takes_the_table_first():
    table, indices = torch.randn(5, 3, requires_grad=True), torch.tensor([[0, 4], [4, 2]])
    assert equal(torch.embedding(table, indices), F.embedding(indices, table))
    torch.embedding(table, indices, 4).sum().backward()
    assert table.grad[:, 0].tolist() == [1, 0, 1, 0, 0]


def test_no_row_is_left_out_by_a_negative_padding():
    table = torch.randn(5, 3, requires_grad=True)
    torch.embedding(table, torch.tensor([4]), -1).sum().backward()
    assert table.grad[4].tolist() == [1, 1, 1]


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_takes_the_weight_first(training):
    x, (weight, bias) = torch.randn(IMAGES), vectors(4)
    mean, variance = torch.randn(4), torch.rand(4)
    found = torch.batch_norm(x, weight, bias, mean.clone(), variance.clone(), training, 0.1, 1e-5, False)
    assert equal(found, F.batch_norm(x, mean, variance, weight, bias, training))


def test_batch_norm_moves_the_running_moments():
    mean, variance = torch.zeros(4), torch.ones(4)
    torch.batch_norm(torch.randn(IMAGES) + 3, None, None, mean, variance, True, 0.5, 1e-5, True)
    assert (mean > 0.5).all()


def test_instance_norm_takes_the_weight_first():
    x, (weight, bias) = torch.randn(IMAGES), vectors(4)
    found = torch.instance_norm(x, weight, bias, None, None, True, 0.1, 1e-5, False)
    assert equal(found, F.instance_norm(x, weight=weight, bias=bias))


def test_layer_norm_and_group_norm_take_what_cudnn_would_do():
    x = torch.randn(IMAGES)
    weight, bias = vectors(9)
    assert equal(torch.layer_norm(x, (9,), weight, bias, 1e-3, False), F.layer_norm(x, (9,), weight, bias, 1e-3))
    weight, bias = vectors(4)
    assert equal(torch.group_norm(x, 2, weight, bias, 1e-3, False), F.group_norm(x, 2, weight, bias, 1e-3))


def test_adaptive_max_pool1d_gives_the_places_too():
    x = torch.randn(IMAGES)
    assert equal(torch.adaptive_max_pool1d(x, 3), F.adaptive_max_pool1d(x, 3, return_indices=True))


CELLS = {
    "lstm_cell": nn.LSTMCell,
    "gru_cell": nn.GRUCell,
    "rnn_tanh_cell": nn.RNNCell,
    "rnn_relu_cell": lambda *sizes: nn.RNNCell(*sizes, nonlinearity="relu"),
}


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_is_that_of_the_layer(name):
    layer, x, h = CELLS[name](6, 3), torch.randn(MATRIX), torch.randn(4, 3)
    state = (h, torch.randn(4, 3)) if name == "lstm_cell" else h
    weights = (layer.weight_ih, layer.weight_hh, layer.bias_ih, layer.bias_hh)
    assert equal(getattr(torch, name)(x, state, *weights), layer(x, state))


# --- the same functions ------------------------------------------------------------------------------------------

SHARED = (
    *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
    *("avg_pool1d", "max_pool1d", "max_pool2d", "max_pool3d", "adaptive_avg_pool1d"),
    *("alpha_dropout", "bilinear", "celu", "channel_shuffle", "cosine_similarity", "dropout", "feature_alpha_dropout"),
    *("pairwise_distance", "pixel_shuffle", "pixel_unshuffle", "prelu", "rms_norm", "rrelu", "selu", "threshold"),
)


@pytest.mark.parametrize("name", SHARED)
def test_the_package_has_the_function_of_nn_functional(name):
    assert getattr(torch, name) is getattr(F, name)
