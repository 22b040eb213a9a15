"""Records what PyTorch's losses, activations and modules give, for tests/nn.  Run: python record_nn.py > nn.json

Needs PyTorch; the tests need only the file. Tensors are written as {"tensor": nested lists, "dtype": name}.
"""

import json
import math
import warnings

import torch
import torch.nn as nn
import torch.nn.functional as F
from printed_layers import printed_layers

REDUCTIONS = ("none", "mean", "sum")


def numbers(*shape: int, phase: float = 0.0, scale: float = 1.5) -> torch.Tensor:
    """Numbers of either sign without a pattern that a wrong axis would hide."""
    count = math.prod(shape)
    return torch.tensor([scale * math.sin(1.7 * i + phase) for i in range(count)], dtype=torch.float64).reshape(shape)


def positive(*shape: int, phase: float = 0.0) -> torch.Tensor:
    return numbers(*shape, phase=phase, scale=0.9).abs() + 0.05


def probabilities(*shape: int, phase: float = 0.0) -> torch.Tensor:
    return F.softmax(numbers(*shape, phase=phase), 1 if len(shape) > 1 else 0)


x, y = numbers(3, 4), numbers(3, 4, phase=0.4)
p, t = torch.sigmoid(x), (y > 0).double()
certain = torch.tensor([0.0, 1.0, 0.0, 1.0], dtype=torch.float64)
signs = torch.where(y > 0, 1.0, -1.0)
labels = torch.tensor([2, 0, 3])
some_ignored = torch.tensor([2, -100, 3])
pixels, pixel_labels = numbers(2, 4, 3, 2), torch.tensor([[[0, 1], [2, 3], [1, 1]], [[3, 0], [0, 2], [1, 2]]])
class_weights = torch.tensor([0.5, 2.0, 1.0, 0.25], dtype=torch.float64)
logs = F.log_softmax(x, 1)

# function, arguments, options; every case is run with each reduction
LOSSES = [
    ("mse_loss", (x, y), {}),
    ("mse_loss", (x, y), {"weight": positive(3, 4)}),
    ("l1_loss", (x, y), {}),
    ("l1_loss", (x, y), {"weight": positive(3, 4)}),
    ("huber_loss", (x, y), {}),
    ("huber_loss", (3 * x, y), {"delta": 0.7, "weight": positive(3, 4)}),
    ("smooth_l1_loss", (x, y), {}),
    ("smooth_l1_loss", (3 * x, y), {"beta": 0.3}),
    ("smooth_l1_loss", (x, y), {"beta": 0.0}),
    ("soft_margin_loss", (x, signs), {}),
    ("soft_margin_loss", (100 * x, signs), {}),
    ("multilabel_soft_margin_loss", (x, t), {}),
    ("multilabel_soft_margin_loss", (1000 * x, t), {"weight": class_weights}),
    ("multilabel_soft_margin_loss", (pixels, torch.sigmoid(numbers(2, 4, 3, 2, phase=0.7))), {}),
    ("poisson_nll_loss", (x, 3 * positive(3, 4)), {}),
    ("poisson_nll_loss", (x, 3 * positive(3, 4)), {"full": True}),
    ("poisson_nll_loss", (positive(3, 4), 3 * positive(3, 4)), {"log_input": False, "full": True, "eps": 0.1}),
    ("poisson_nll_loss", (1000 * x.clamp(max=0), positive(4)), {}),
    ("gaussian_nll_loss", (x, y, positive(3, 4)), {}),
    ("gaussian_nll_loss", (x, y, positive(3, 4)), {"full": True, "eps": 0.3}),
    ("gaussian_nll_loss", (x, y, positive(3)), {}),
    ("gaussian_nll_loss", (x, y, positive(3, 1)), {"full": True}),
    ("gaussian_nll_loss", (x, y, 0.7), {}),
    ("multi_margin_loss", (x, labels), {}),
    ("multi_margin_loss", (3 * x, labels), {"p": 2, "margin": 0.4, "weight": class_weights}),
    ("multi_margin_loss", (x[0], labels[0]), {"margin": 2.0}),
    ("multi_margin_loss", (x[0], labels[:1]), {}),
    ("multilabel_margin_loss", (x, torch.tensor([[0, 2, -1, 1], [3, -1, 3, 3], [-1, 0, 0, 0]])), {}),
    ("multilabel_margin_loss", (x, torch.tensor([[0, 2, 1, 3], [3, 3, 1, -1], [1, -1, -1, -1]])), {}),
    ("multilabel_margin_loss", (x[0], torch.tensor([1, 0, -1, -1])), {}),
    ("margin_ranking_loss", (x, y, signs), {}),
    ("margin_ranking_loss", (x, y[:1], signs), {"margin": 0.3}),
    ("cosine_embedding_loss", (x, numbers(3, 4, phase=2.0), torch.tensor([1, -1, 0])), {}),
    ("cosine_embedding_loss", (x, 0.5 * x + y, torch.tensor([-1, -1, 1])), {"margin": 0.4}),
    ("cosine_embedding_loss", (x[0], y[0], torch.tensor(1)), {}),
    ("triplet_margin_loss", (x, y, numbers(3, 4, phase=2.0)), {}),
    ("triplet_margin_loss", (x, y, numbers(3, 4, phase=0.6)), {"margin": 0.4, "p": 3.0, "eps": 0.01, "swap": True}),
    ("triplet_margin_loss", (x, y[0:1], numbers(1, 4, phase=0.6)), {"p": 1.0}),
    ("triplet_margin_loss", (x[0], y[0], x[1]), {}),
    ("triplet_margin_with_distance_loss", (x, y, numbers(3, 4, phase=0.6)), {"swap": True}),
    ("hinge_embedding_loss", (x, signs), {}),
    ("hinge_embedding_loss", (x, signs), {"margin": 0.3}),
    ("kl_div", (logs, probabilities(3, 4, phase=1.0)), {}),
    ("kl_div", (logs, t), {}),
    ("kl_div", (logs, probabilities(3, 4, phase=1.0).log()), {"log_target": True}),
    ("binary_cross_entropy", (p, t), {}),
    ("binary_cross_entropy", (p, torch.sigmoid(y)), {"weight": positive(4)}),
    ("binary_cross_entropy", (certain, certain.flip(0)), {}),
    ("binary_cross_entropy", (certain, certain), {}),
    ("binary_cross_entropy_with_logits", (x, t), {}),
    ("binary_cross_entropy_with_logits", (x, torch.sigmoid(y)), {"weight": positive(3, 4)}),
    ("binary_cross_entropy_with_logits", (x, t), {"weight": positive(3, 1), "pos_weight": positive(4, phase=0.3)}),
    ("binary_cross_entropy_with_logits", (1000 * x, t), {"pos_weight": positive(4, phase=0.3)}),
    ("binary_cross_entropy_with_logits", (1000 * x, t), {}),
    ("binary_cross_entropy_with_logits", (0 * x, t), {"pos_weight": positive(4)}),
    ("nll_loss", (logs, labels), {}),
    ("nll_loss", (logs, some_ignored), {}),
    ("nll_loss", (logs, some_ignored), {"weight": class_weights}),
    ("nll_loss", (logs, labels), {"weight": class_weights, "ignore_index": 0}),
    ("nll_loss", (F.log_softmax(pixels, 1), pixel_labels), {"weight": class_weights}),
    ("nll_loss", (logs[0], labels[0]), {}),
    ("cross_entropy", (x, labels), {}),
    ("cross_entropy", (x, labels.byte()), {}),
    ("cross_entropy", (1000 * x, labels), {}),
    ("cross_entropy", (x, some_ignored), {}),
    ("cross_entropy", (x, labels), {"ignore_index": 3}),
    ("cross_entropy", (x, some_ignored), {"weight": class_weights}),
    ("cross_entropy", (x, labels), {"label_smoothing": 0.2}),
    ("cross_entropy", (x, some_ignored), {"label_smoothing": 0.2, "weight": class_weights}),
    ("cross_entropy", (x, labels), {"label_smoothing": 1.0}),
    ("cross_entropy", (pixels, pixel_labels), {}),
    ("cross_entropy", (pixels, pixel_labels), {"weight": class_weights, "label_smoothing": 0.1, "ignore_index": 1}),
    ("cross_entropy", (x[0], labels[0]), {}),
    ("cross_entropy", (x[0], labels[0]), {"weight": class_weights}),
    ("cross_entropy", (x, probabilities(3, 4, phase=1.0)), {}),
    ("cross_entropy", (x, probabilities(3, 4, phase=1.0)), {"weight": class_weights, "label_smoothing": 0.2}),
    ("cross_entropy", (pixels, probabilities(2, 4, 3, 2, phase=1.0)), {"weight": class_weights}),
    ("cross_entropy", (x[0], probabilities(4)), {}),
]

# function, arguments, options
FUNCTIONS = [
    ("prelu", (x, positive(1)), {}),
    ("prelu", (pixels, numbers(4)), {}),
    ("prelu", (x[0], torch.tensor(0.3, dtype=torch.float64)), {}),
    ("glu", (x,), {}),
    ("glu", (pixels,), {"dim": 1}),
    ("rrelu", (x,), {"lower": 0.1, "upper": 0.4}),
    ("softmax", (pixels,), {"dim": 1}),
    ("softmin", (pixels,), {"dim": -1}),
    ("log_softmax", (pixels,), {"dim": 2}),
    ("normalize", (pixels,), {}),
    ("normalize", (torch.cat([x, 0 * x]),), {"p": 3.0, "dim": -1}),
    ("normalize", (x,), {"p": 1.0, "dim": 0, "eps": 2.0}),
    ("cosine_similarity", (x, y), {}),
    ("cosine_similarity", (pixels, numbers(4, 1, 2, phase=0.4)), {"dim": 1}),
    ("cosine_similarity", (torch.cat([x, 0 * x]), numbers(1, 4)), {"dim": -1, "eps": 0.5}),
    ("pairwise_distance", (x, y), {}),
    ("pairwise_distance", (x, y[0]), {"p": 3.0, "keepdim": True}),
    ("pairwise_distance", (x, y), {"p": math.inf, "eps": 0.1}),
    ("pairwise_distance", (x[0], y[0]), {"p": 1.0}),
    ("bilinear", (x, numbers(3, 2, phase=0.3), numbers(5, 4, 2, phase=0.1), numbers(5)), {}),
    ("bilinear", (pixels[..., None].transpose(1, -1)[:, 0], numbers(2, 3, 2, 3), numbers(1, 4, 3)), {}),
    ("embedding", (torch.tensor([[2, 0, 2], [1, 2, 1]]), numbers(4, 3)), {}),
    ("embedding", (torch.tensor([2, 0, 2, 3]), numbers(4, 3)), {"padding_idx": -2, "scale_grad_by_freq": True}),
    ("embedding", (torch.tensor(3, dtype=torch.int32), numbers(4, 3)), {"padding_idx": 1}),
    ("pixel_shuffle", (numbers(2, 8, 3, 2),), {"upscale_factor": 2}),
    ("pixel_unshuffle", (numbers(3, 4, 6),), {"downscale_factor": 2}),
    ("channel_shuffle", (numbers(2, 6, 3),), {"groups": 3}),
]

points = torch.tensor(
    [-1e30, -1000.0, -21.0, -6.0, -3.0, -1.0, -1e-9, 0.0, 1e-9, 0.5, 1.0, 3.0, 6.0, 21.0, 1000.0, 1e30],
    dtype=torch.float64,
)
ACTIVATIONS = [
    ("relu", {}),
    ("leaky_relu", {"negative_slope": 0.2}),
    ("relu6", {}),
    ("hardtanh", {"min_val": -3.0, "max_val": 1.0}),
    ("elu", {"alpha": 0.7}),
    ("selu", {}),
    ("silu", {}),
    ("softplus", {}),
    ("softplus", {"beta": 0.5, "threshold": 3.0}),
    ("logsigmoid", {}),
    ("sigmoid", {}),
    ("tanh", {}),
    ("softsign", {}),
    ("tanhshrink", {}),
    ("celu", {"alpha": 0.5}),
    ("mish", {}),
    ("gelu", {"approximate": "tanh"}),
    ("hardsigmoid", {}),
    ("hardswish", {}),
    ("hardshrink", {}),
    ("softshrink", {"lambd": 1.0}),
    ("threshold", {"threshold": 0.5, "value": -7.0}),
]
extremes = torch.tensor([-math.inf, -1000.0, -0.0, 0.0, 1000.0, math.inf, math.nan], dtype=torch.float64)


def plain(value):
    if isinstance(value, torch.Tensor):
        return {"tensor": value.tolist(), "dtype": str(value.dtype).removeprefix("torch.")}
    return value


def is_label(target: torch.Tensor) -> bool:
    """Whether a target is of whole numbers, for which nobody asks a gradient (and PyTorch's is sometimes NaN)."""
    return bool((target == target.round()).all())


def differentiated(argument, is_first: bool):
    """A copy of an argument that wants a gradient, if it is of real numbers."""
    if not isinstance(argument, torch.Tensor) or not argument.is_floating_point():
        return argument
    return argument.clone().requires_grad_(is_first or not is_label(argument))


def record(name: str, arguments: tuple, options: dict) -> dict:
    """The result, and the gradient of each floating point argument for the upstream gradient cos(0), cos(1), ..."""
    leaves = [differentiated(each, i == 0) for i, each in enumerate(arguments)]
    result = getattr(F, name)(*leaves, **options)
    seed = torch.cos(torch.arange(result.numel(), dtype=torch.float64)).reshape(result.shape)
    wanted = [each for each in leaves if getattr(each, "requires_grad", False)]
    gradients = torch.autograd.grad(result, wanted, seed)
    return {
        "function": name,
        "arguments": [plain(each) for each in arguments],
        "differentiated": [getattr(each, "requires_grad", False) for each in leaves],
        "options": {key: plain(value) for key, value in options.items()},
        "result": result.tolist(),
        "gradients": [each.tolist() for each in gradients],
    }


def state(layer: nn.Module) -> list:
    """The keys and shapes of a layer's state_dict, in order."""
    return [[key, list(tensor.shape)] for key, tensor in layer.state_dict().items()]


def printed() -> dict:
    model = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 1, bias=False))
    nested = nn.ModuleDict(
        {"body": nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 1))])}
    )
    return {
        "mlp": repr(model),
        "mlp keys": list(model.state_dict()),
        "layers": [repr(layer) for layer in printed_layers(nn)],
        "states": [state(layer) for layer in printed_layers(nn)],
        "nested": repr(nested),
        "nested keys": list(nested.state_dict()),
        "parameter": repr(nn.Parameter(torch.ones(2))),
        "optimizers": [
            repr(optimizer(model.parameters(), lr=0.1))
            for optimizer in (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW)
        ],
        "gains": {
            name: nn.init.calculate_gain(name)
            for name in ("linear", "conv2d", "sigmoid", "tanh", "relu", "leaky_relu", "selu")
        },
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    losses = [
        record(name, arguments, {**options, "reduction": reduction})
        for name, arguments, options in LOSSES
        for reduction in REDUCTIONS
    ]
    functions = [record(name, arguments, options) for name, arguments, options in FUNCTIONS]
    activations = [record(name, (points,), options) for name, options in ACTIVATIONS]
    at_extremes = [record(name, (extremes,), options) for name, options in ACTIVATIONS]
    torch_version = torch.__version__.split("+")[0]
    recorded = {"torch": torch_version, "losses": losses, "functions": functions, "activations": activations}
    print(json.dumps({**recorded, "extremes": at_extremes, "printed": printed()}))
