"""Record how PyTorch prints tensors: run with an environment that has PyTorch.

    python tests/golden/record_repr.py

``repr.json``: expressions, evaluated with the name ``torch``, and their text; tests evaluate them with this package.
"""

import json
from pathlib import Path

import torch

EXPRESSIONS = [
    "torch.tensor(1.0)",
    "torch.tensor(3)",
    "torch.tensor(True)",
    "torch.tensor([1.0, 2.0, 3.0])",
    "torch.tensor([1.5, 2.25, -3.125])",
    "torch.tensor([[1.0, 2.0], [3.0, 4.5]])",
    "torch.tensor([1, 20, -300])",
    "torch.tensor([[1, 2], [3, 4]])",
    "torch.tensor([True, False])",
    "torch.tensor([[True, False], [False, True]])",
    "torch.tensor([])",
    "torch.zeros(2, 0)",
    "torch.zeros(0, 3, dtype=torch.int64)",
    "torch.tensor([0.1, 0.02, 0.003])",
    "torch.tensor([1e-5, 1.0])",
    "torch.tensor([1e-5, 2e-5])",
    "torch.tensor([1e5, 1.5])",
    "torch.tensor([1e8, 1.0])",
    "torch.tensor([123456.0, 7.0])",
    "torch.tensor([1234567.5, 7.0])",
    "torch.tensor([99999999.0])",
    "torch.tensor([100000000.0])",
    "torch.tensor([0.0001, 0.5])",
    "torch.tensor([0.00009])",
    "torch.tensor([999.5, 0.01])",
    "torch.tensor([1001.5, 0.5])",
    "torch.tensor([float('nan'), 1.0])",
    "torch.tensor([float('inf'), -1.5])",
    "torch.tensor([float('inf'), float('nan')])",
    "torch.tensor([-0.0, 0.0])",
    "torch.tensor([1.0, 2.0], dtype=torch.float64)",
    "torch.tensor([1, 2], dtype=torch.int32)",
    "torch.tensor([1, 2], dtype=torch.uint8)",
    "torch.tensor([1.0], requires_grad=True)",
    "torch.tensor(2.5, requires_grad=True)",
    "torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)",
    "torch.tensor([1.0, 2.0], requires_grad=True) * 2",
    "torch.tensor([1.0, 2.0], requires_grad=True).sum()",
    "torch.tensor([1.0, 2.0], requires_grad=True).exp()",
    "torch.tensor([4.0], requires_grad=True) + 1",
    "torch.tensor([[1.0, 2.0]], requires_grad=True).mean()",
    "torch.tensor([3.0], requires_grad=True).relu()",
    "torch.tensor([3.0], requires_grad=True).sigmoid()",
    "torch.tensor([3.0], requires_grad=True) - 1",
    "torch.tensor([3.0], requires_grad=True) / 2",
    "-torch.tensor([3.0], requires_grad=True)",
    "torch.arange(24).reshape(2, 3, 4)",
    "torch.arange(24.0).reshape(2, 3, 4) / 7",
    "torch.arange(12.0).reshape(1, 1, 3, 4)",
    "torch.zeros(2, 3)",
    "torch.ones(3, 2, dtype=torch.int32)",
    "torch.eye(3)",
    "torch.arange(1001)",
    "torch.arange(1001.0)",
    "torch.arange(2000).reshape(40, 50)",
    "torch.arange(2000.0).reshape(40, 50) / 3",
    "torch.linspace(0, 1, 5)",
    "torch.arange(30.0)",
    "torch.arange(40) * 1000",
    "torch.full((2, 2), 3.14159)",
    "torch.full((12,), 0.3333333)",
    "torch.tensor([[-1.5, 2.0], [1000.0, 0.25]])",
    "torch.Size([2, 3])",
    "torch.zeros(2, 3).shape",
    "torch.float32",
    "torch.zeros(1).device",
]

if __name__ == "__main__":
    texts = {each: repr(eval(each, {"torch": torch})) for each in EXPRESSIONS}
    (Path(__file__).parent / "repr.json").write_text(json.dumps(texts, indent=0) + "\n")
