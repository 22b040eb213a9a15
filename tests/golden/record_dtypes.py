"""Record PyTorch's dtypes and special values into tests/golden: run with an environment that has PyTorch.

    python tests/golden/record_dtypes.py

``dtypes.json``: the dtype of every pair of dtypes x {tensor, 0-d tensor, Python number} under add, mul, div and lt,
and of every in-place add and div, with "error" where PyTorch refuses; that of unary ops and reductions of each dtype.
``special.json``: float32 results and gradients of element-wise ops at infinities, NaN, zeros and kinks.
"""

import json
import math
import operator
from pathlib import Path

import torch

FOLDER = Path(__file__).parent
DTYPES = ("float32", "float64", "int64", "int32", "int16", "int8", "uint8", "bool")
BINARY = {"add": operator.add, "mul": operator.mul, "div": operator.truediv, "lt": operator.lt}
NUMBERS = {"int": 2, "float": 2.5, "bool": True}
UNARY = (
    "abs",
    "sign",
    "square",
    "neg",
    "exp",
    "sqrt",
    "sigmoid",
    "relu",
    "floor",
    "round",
    "trunc",
    "isnan",
    "logical_not",
    "sum",
    "mean",
    "amax",
    "any",
    "all",
    "argmax",
    "clone",
    "reciprocal",
    "count_nonzero",
)
SPECIAL_UNARY = (
    "abs",
    "sign",
    "neg",
    "exp",
    "log",
    "log1p",
    "expm1",
    "sqrt",
    "rsqrt",
    "reciprocal",
    "sin",
    "cos",
    "tanh",
    "sigmoid",
    "relu",
    "floor",
    "ceil",
    "round",
    "trunc",
    "square",
)
SPECIAL_BINARY = (
    "add",
    "sub",
    "mul",
    "div",
    "pow",
    "remainder",
    "floor_divide",
    "maximum",
    "minimum",
    "eq",
    "lt",
    "ge",
)
VALUES = (0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e30, -1e30, 1e-40, math.inf, -math.inf, math.nan)


def operand(kind, dtype):
    made = torch.ones((3,) if kind == "tensor" else (), dtype=getattr(torch, dtype))
    return made


def name_of(function):
    try:
        return str(function().dtype).removeprefix("torch.")
    except RuntimeError:
        return "error"


def dtypes():
    table = {}
    for op, function in BINARY.items():
        for first in DTYPES:
            for kind in ("tensor", "0-d"):
                x = operand(kind, first)
                for second in DTYPES:
                    for other in ("tensor", "0-d"):
                        y = operand(other, second)
                        table[f"{op} {kind} {first} {other} {second}"] = name_of(lambda f=function, x=x, y=y: f(x, y))
                for number, value in NUMBERS.items():
                    table[f"{op} {kind} {first} number {number}"] = name_of(lambda f=function, x=x, v=value: f(x, v))
                    table[f"{op} number {number} {kind} {first}"] = name_of(lambda f=function, x=x, v=value: f(v, x))
    for op in ("add_", "div_"):
        for first in DTYPES:
            for second in DTYPES:
                table[f"{op} {first} {second}"] = name_of(
                    lambda op=op, a=first, b=second: getattr(operand("tensor", a), op)(operand("tensor", b))
                )
    for op in UNARY:
        for first in DTYPES:
            table[f"{op} {first}"] = name_of(lambda op=op, a=first: getattr(torch, op)(operand("tensor", a)))
    return table


def written(values):
    """Numbers as text, for JSON has no infinities."""
    return [repr(float(each)) for each in values.flatten()]


def special():
    table = {}
    for op in SPECIAL_UNARY:
        x = torch.tensor(VALUES, requires_grad=True)
        y = getattr(torch, op)(x)
        (g,) = torch.autograd.grad(y.sum(), x)
        table[op] = {"value": written(y), "gradients": [written(g)]}
    grid = torch.tensor(VALUES)
    for op in SPECIAL_BINARY:
        x = grid[:, None].repeat(1, len(VALUES)).requires_grad_()
        y = grid[None, :].repeat(len(VALUES), 1).requires_grad_()
        z = getattr(torch, op)(x, y)
        table[op] = {"value": written(z.detach().float())}
    for op in ("mul", "div", "maximum", "minimum"):  # gradients where both are finite
        finite = torch.tensor([each for each in VALUES if math.isfinite(each) and 1e-30 < abs(each) < 100])
        x = finite[:, None].repeat(1, len(finite)).requires_grad_()
        y = finite[None, :].repeat(len(finite), 1).requires_grad_()
        table[op]["gradients"] = [written(g) for g in torch.autograd.grad(getattr(torch, op)(x, y).sum(), [x, y])]
    return table


if __name__ == "__main__":
    for name, table in (("dtypes", dtypes()), ("special", special())):
        (FOLDER / f"{name}.json").write_text(json.dumps(table, indent=0) + "\n")
