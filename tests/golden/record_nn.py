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
]


def plain(value):
    if isinstance(value, torch.Tensor):
        return {"tensor": value.tolist(), "dtype": str(value.dtype).removeprefix("torch.")}
    return value


def is_label(target: torch.Tensor) -> bool:
    """Whether a target is of whole numbers, for which nobody asks a gradient (and PyTorch's is sometimes NaN)."""
    return bool((target == target.round()).all())


def record(name: str, arguments: tuple, options: dict) -> dict:
    """The result, and the gradient of each floating point argument for the upstream gradient cos(0), cos(1), ..."""
    leaves = [each.clone().requires_grad_(i == 0 or not is_label(each)) for i, each in enumerate(arguments)]
    result = getattr(F, name)(*leaves, **options)
    seed = torch.cos(torch.arange(result.numel(), dtype=torch.float64)).reshape(result.shape)
    wanted = [each for each in leaves if each.requires_grad]
    gradients = torch.autograd.grad(result, wanted, seed)
    return {
        "function": name,
        "arguments": [plain(each) for each in arguments],
        "differentiated": [each.requires_grad for each in leaves],
        "options": {key: plain(value) for key, value in options.items()},
        "result": result.tolist(),
        "gradients": [each.tolist() for each in gradients],
    }


def printed() -> dict:
    model = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 1, bias=False))
    nested = nn.ModuleDict(
        {"body": nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.Sequential(nn.ReLU(), nn.Linear(2, 1))])}
    )
    return {
        "mlp": repr(model),
        "mlp keys": list(model.state_dict()),
        "layers": [repr(layer) for layer in printed_layers(nn)],
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
    activations = [record(name, (points,), options) for name, options in ACTIVATIONS]
    torch_version = torch.__version__.split("+")[0]
    print(json.dumps({"torch": torch_version, "losses": losses, "activations": activations, "printed": printed()}))
