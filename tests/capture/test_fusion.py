"""Patterns that a compiler would fuse, and what makes fusing them wrong: other readers, writes between, odd shapes."""

import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.nn import functional as F

from .harness import same_as_eager, values


def pattern(function):
    PATTERNS[function.__name__.replace("_", " ")] = function
    return function


PATTERNS = {}  # each takes x: (N, K), w: (M, K), b: (M,), v: (M, M), and gives one or several tensors


@pattern
def linear_and_relu(x, w, b, v):
    return F.linear(x, w, b).relu()


@pattern
def linear_and_relu_without_bias(x, w, b, v):
    return F.linear(x, w).relu()


@pattern
def what_is_before_relu_is_returned(x, w, b, v):
    h = F.linear(x, w, b)
    return h.relu(), h


@pattern
def what_is_before_relu_is_used_again(x, w, b, v):
    h = F.linear(x, w, b)
    return h.relu() + h.tanh()


@pattern
def what_is_before_relu_is_changed_afterwards(x, w, b, v):
    h = F.linear(x, w, b)
    y = h.relu()
    h.add_(10)
    return y, h


@pattern
def what_is_before_relu_is_changed_before(x, w, b, v):
    h = F.linear(x, w, b)
    h.mul_(-1)
    return h.relu()


@pattern
def relu_in_place(x, w, b, v):
    return F.linear(x, w, b).relu_()


@pattern
def relu_of_a_view(x, w, b, v):
    h = F.linear(x, w, b)
    return h.T.relu(), h[1:].relu()


@pattern
def relu_of_a_part_in_place(x, w, b, v):
    h = F.linear(x, w, b)
    h[1:].relu_()
    return h


@pattern
def relu_twice(x, w, b, v):
    h = F.linear(x, w, b).relu()
    return (h - 0.2).relu()


@pattern
def one_input_for_two_layers(x, w, b, v):
    return F.linear(x, w, b).relu() * F.linear(x, w * 2, b).tanh()


@pattern
def layers_in_a_row(x, w, b, v):
    h = F.linear(x, w, b).relu()
    h = F.linear(h, v, b).relu()
    return F.linear(h, v)


@pattern
def the_same_layer_twice(x, w, b, v):
    h = F.linear(x, w, b).relu()
    return F.linear(F.linear(h, v, b).relu(), v, b)


@pattern
def residual(x, w, b, v):
    h = F.linear(x, w, b).relu()
    return (F.linear(h, v, b) + h).relu()


@pattern
def dropout_between(x, w, b, v):
    h = F.dropout(F.linear(x, w, b), 0.3).relu()
    return F.dropout(F.linear(h, v, b).relu(), 0.3)


@pattern
def product_sum_and_relu(x, w, b, v):
    return (x @ w.T + b).relu()


@pattern
def product_and_a_column(x, w, b, v):
    return (x @ w.T + x[:, :1]).relu()


@pattern
def product_and_a_row(x, w, b, v):
    return (b + x @ w.T).relu(), (x @ w.T + b.unsqueeze(0)).tanh()


@pattern
def product_and_a_matrix(x, w, b, v):
    h = x @ w.T
    return (h + h * 2).relu()


@pattern
def linear_of_three_axes(x, w, b, v):
    return F.linear(torch.stack([x, x * 2]), w, b).relu()


@pattern
def linear_of_a_vector(x, w, b, v):
    return F.linear(x[0], w, b).relu()


@pattern
def linear_of_a_transposed_input(x, w, b, v):
    return F.linear((x * 1).T.contiguous().T, w, b).relu()


@pattern
def linear_of_every_second_row(x, w, b, v):
    return F.linear(x[::2], w[::2], b[::2]).relu()


@pattern
def linear_of_an_expanded_input(x, w, b, v):
    return F.linear(x[:1].expand(3, -1), w, b).relu()


@pattern
def linear_with_a_weight_computed_inside(x, w, b, v):
    return F.linear(x, w / w.norm(dim=1, keepdim=True), b.exp()).relu()


@pattern
def weights_change_between_product_and_relu(x, w, b, v):
    h = F.linear(x.detach(), w.detach(), b)
    with torch.no_grad():
        w.mul_(1.1)
    return h.relu(), F.linear(x.detach(), w.detach(), b).relu()


def image(x):
    """x as two samples or one, of two or one channels, of one row."""
    samples = 2 if len(x) % 2 == 0 else 1
    return x.reshape(samples, len(x) // samples, 1, -1)


def kernels(w, x, outputs):
    """Kernels from w for the image of x."""
    channels = image(x).shape[1]
    return w.reshape(-1)[:1].expand(outputs * channels * 1).reshape(outputs, channels, 1, 1) * w.mean()


@pattern
def convolution_and_relu(x, w, b, v):
    h = image(x)
    return F.conv2d(h, kernels(w, x, 3), padding=1).relu(), F.conv2d(h, kernels(w, x, 3), b[:1].expand(3) * 1).relu()


@pattern
def convolutions_in_a_row(x, w, b, v):
    h = F.conv2d(image(x), kernels(w, x, 3), padding=1).relu()
    h = F.conv2d(h, v.reshape(-1)[:1].expand(2 * 3 * 6).reshape(2, 3, 2, 3) * 0.3).relu()
    return F.conv_transpose2d(h, v.reshape(-1)[:1].expand(2 * 2).reshape(2, 2, 1, 1) * 1, stride=2).relu()


@pattern
def what_a_convolution_gives_is_used_again(x, w, b, v):
    h = F.conv2d(image(x), kernels(w, x, 2), padding=(0, 1))
    return h.relu(), h


@pattern
def pooling_of_relu(x, w, b, v):
    h = torch.stack([x, x * 2]).relu()
    return F.max_pool1d(h, min(2, x.shape[1])), F.max_pool1d((x[None] - 0.1).relu(), min(3, x.shape[1]), 1)


@pattern
def pooling_of_what_relu_gave_and_others_read(x, w, b, v):
    h = torch.stack([x, x * 2]).relu()
    return F.max_pool1d(h, 1).tanh() + h, F.avg_pool1d(torch.stack([x, x * 2]).relu(), min(2, x.shape[1]))


@pattern
def pooling_of_relu_before_relu_in_place(x, w, b, v):
    h = torch.stack([x, x * 2]).relu() - 0.1
    return F.max_pool1d(h, min(2, x.shape[1]), 1).relu_()


@pattern
def sigmoid_tanh_and_others(x, w, b, v):
    h = F.linear(x, w, b)
    return h.sigmoid(), F.silu(h) + F.leaky_relu(h, 0.1), F.softplus(h)


@pattern
def a_chain(x, w, b, v):
    return ((x * 2 + 1).tanh() - x / 3).exp() * 0.5


@pattern
def a_chain_of_many(x, w, b, v):
    for i in range(30):
        x = (x * 0.9 + 0.01 * i).tanh()
    return x


@pattern
def a_chain_whose_middle_is_returned(x, w, b, v):
    a = x * 2
    c = a.exp() + a
    return c * a, a


@pattern
def a_chain_that_reads_what_is_written_later(x, w, b, v):
    a = x * 2
    c = a + 1
    a.mul_(3)
    return c * a, a


@pattern
def a_chain_across_a_write_through_a_view(x, w, b, v):
    a = x * 2
    row = a[0]
    before = a.tanh()
    row.add_(5)
    return before, a.tanh(), row * 1


@pattern
def a_chain_that_ends_in_place(x, w, b, v):
    a = x * 2
    a.add_(x).mul_(0.5).tanh_()
    return a


@pattern
def copies_in_a_chain(x, w, b, v):
    a = x.clone()
    c = a.clone()
    c.add_(1)
    return a * 2, c


@pattern
def broadcasting_in_a_chain(x, w, b, v):
    return (x[:, :1] * b + b.exp()) / (1 + x[:, :1].abs())


@pattern
def a_reduction_in_a_chain(x, w, b, v):
    centred = x - x.mean(0)
    return centred / (centred.square().mean(0) + 1e-5).sqrt()


@pattern
def normalised_rows(x, w, b, v):
    y = F.linear(x, w, b)
    mean = y.mean(1, keepdim=True)
    spread = ((y - mean) ** 2).mean(1, keepdim=True)
    return (y - mean) / (spread + 1e-5).sqrt() * b + 1


@pattern
def softmax_by_hand(x, w, b, v):
    y = F.linear(x, w, b)
    e = (y - y.amax(1, keepdim=True)).exp()
    return e / e.sum(1, keepdim=True)


@pattern
def logarithm_of_softmax(x, w, b, v):
    y = F.linear(x, w, b)
    return y.softmax(1).log(), y.log_softmax(1).exp()


@pattern
def attention(x, w, b, v):
    h = F.linear(x, w, b)
    weights = (h @ h.T / 2.0).softmax(1)
    return weights @ h


@pattern
def masks(x, w, b, v):
    return torch.where(x > 0, x * 2, x.exp()), x.masked_fill(x < 0, 0.0), (x > 0).float() * x


@pattern
def maxima(x, w, b, v):
    return torch.maximum(x, x * 0.5 + 0.1), x.clamp(-0.5, 0.5), x.amax(1) + x.amin(1)


@pattern
def scalars(x, w, b, v):
    s = x.sum()
    return s * 2 + 1, (s / x.numel()).exp(), x * s.tanh()


@pattern
def powers(x, w, b, v):
    return x**2 + x**3, x.abs() ** 0.5 - 2.0**x, (x**2).sum() ** 0.5


@pattern
def a_sum_of_several_uses(x, w, b, v):
    y = x.tanh()
    return y.sum() + (y * y).sum() + y.exp().sum() + (y @ w.T).sum()


@pattern
def detached_parts(x, w, b, v):
    y = F.linear(x, w, b).relu()
    return y * y.detach(), (y - y.detach()).exp()


@pattern
def double_precision_in_the_middle(x, w, b, v):
    return ((x.double() * 2).tanh() + 1).float() * x


@pattern
def joined_and_parted(x, w, b, v):
    first, second = torch.cat([x, x * 2], 1).split(x.shape[1], 1)
    return torch.stack([first, second]).sum(0).relu()


@pattern
def nothing_but_constants(x, w, b, v):
    return (torch.ones(3) * 2 + torch.arange(3)).exp()


@pattern
def one_result_under_two_names(x, w, b, v):
    y = F.linear(x, w, b).relu()
    return y, y, y * 1


SIZES = {"small": (6, 4, 5), "one": (1, 1, 1), "odd": (33, 17, 19), "a row": (1, 9, 8), "wide": (3, 70, 40)}


def operands(i, size):
    n, k, m = SIZES[size]
    return values(i, n, k), values(1000 + i, m, k), values(2000 + i, m), values(3000 + i, m, m)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PATTERNS)
@same_as_eager(calls=4)
def test_forward(compile, name, size):
    f = compile(PATTERNS[name])
    return lambda i: f(*operands(i, size))


def total(results):
    results = results if isinstance(results, (list, tuple)) else [results]
    return sum((each * each).mean() for each in results)


@pytest.mark.parametrize("size", ["small", "odd"])
@pytest.mark.parametrize("name", PATTERNS)
@same_as_eager(calls=4)
def test_step(compile, name, size):
    """Forward, backward and update inside."""
    parameters = [each.requires_grad_() for each in operands(9, size)[1:]]
    optimizer = optim.SGD(parameters, lr=0.01, momentum=0.9)

    @compile
    def step(x):
        optimizer.zero_grad()
        loss = total(PATTERNS[name](x, *parameters))
        if loss.requires_grad:
            loss.backward()
            optimizer.step()
        return loss

    return lambda i: (step(operands(i, size)[0]), parameters)


@pytest.mark.parametrize("name", PATTERNS)
@same_as_eager(calls=4)
def test_backward_outside(compile, name):
    """The gradients of the input as well."""
    parameters = [each.requires_grad_() for each in operands(9, "small")[1:]]
    f = compile(lambda x: PATTERNS[name](x, *parameters))

    def call(i):
        for p in parameters:
            p.grad = None
        x = operands(i, "small")[0].requires_grad_()
        loss = total(f(x * 1))
        if loss.requires_grad:
            loss.backward()
        return loss, x, parameters

    return call


# ---------------------------------------------------------------------------------------------------------------
# Losses and layers.

LOSSES = {
    "cross-entropy": lambda z, y: F.cross_entropy(z, y),
    "summed": lambda z, y: F.cross_entropy(z, y, reduction="sum"),
    "one by one": lambda z, y: F.cross_entropy(z, y, reduction="none").square().mean(),
    "some are ignored": lambda z, y: F.cross_entropy(z, y, ignore_index=1),
    "weighted": lambda z, y: F.cross_entropy(z, y, torch.tensor([1.0, 2.0, 3.0])),
    "smoothed": lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1),
    "of log-softmax": lambda z, y: F.nll_loss(F.log_softmax(z, 1), y),
    "twice": lambda z, y: F.cross_entropy(z, y) + F.cross_entropy(-z, y),
    "scaled": lambda z, y: F.cross_entropy(z / 2, y) * 3,
    "and a penalty": lambda z, y: F.cross_entropy(z, y) + z.square().mean(),
}


@pytest.mark.parametrize("loss", LOSSES)
@same_as_eager
def test_losses(compile, loss):
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
    optimizer = optim.Adam(model.parameters(), lr=0.01)

    @compile
    def step(x, y):
        optimizer.zero_grad()
        result = LOSSES[loss](model(x), y)
        result.backward()
        optimizer.step()
        return result

    return lambda i: (step(values(i, 7, 4), (torch.arange(7) + i) % 3), model, optimizer)
