"""Matrix products."""

import math

from .. import kernels as k
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from ..autograd.tensor import Tensor


@op(launches=True)
def _matmul(x, y, *, out=None):
    """x @ y of the last two axes; those before broadcast.  (..., M, K), (..., K, N) -> (..., M, N)."""
    return k.gemm.matmul(x, y, out=out)


@_matmul.vjp("x")
def _(g, y, x_shape):
    return apply(_matmul.op, (g, y.mT), {}).sum_to_size(x_shape)


@_matmul.vjp("y")
def _(g, x, y_shape):
    return apply(_matmul.op, (x.mT, g), {}).sum_to_size(y_shape)


@_matmul.backward
def _(g, x, y, needs, out=(None, None)):
    return (
        k.gemm.matmul(g, y.mT, out=out[0]) if needs[0] else None,
        k.gemm.matmul(x.mT, g, out=out[1]) if needs[1] else None,
    )


@public(operator="matmul")
def matmul(input, other):
    """The matrix product; a vector counts as a row on the left, as a column on the right, and that axis is dropped.

    (..., M, K), (..., K, N) -> (..., M, N);  (K,), (K,) -> ();  (M, K), (K,) -> (M,).
    """
    if isinstance(input, Tensor) and isinstance(other, Tensor):
        x, y = input._array, other._array
        matrices = x.ndim == y.ndim == 2
        if matrices and x.shape[1] == y.shape[0] and x.dtype is y.dtype and x.dtype.kind == "f":
            return apply(_matmul.op, (input, other), {})
    return _matmul_of_any_shape(input, other)


def _matmul_of_any_shape(input, other):
    """`matmul` of other than two matrices, and the errors of those that do not fit."""
    input, other = _operands(input, other)
    if input.ndim == 0 or other.ndim == 0:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {input.ndim}D and {other.ndim}D"
        )
    x = input if input.ndim > 1 else input.unsqueeze(0)
    y = other if other.ndim > 1 else other.unsqueeze(1)
    if x._array.shape[-1] != y._array.shape[-2]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({_product(input)} and {_product(other)}): "
            f"the last axis of the first ({x._array.shape[-1]}) must equal the last but one of the second "
            f"({y._array.shape[-2]})"
        )
    try:
        result = apply(_matmul.op, (x, y), {})
    except ValueError as error:  # the axes before the last two do not broadcast
        raise RuntimeError(str(error)) from None
    if input.ndim == 1:
        result = result.squeeze(-2)
    return result.squeeze(-1) if other.ndim == 1 else result


def _operands(input, other):
    if not isinstance(input, Tensor) or not isinstance(other, Tensor):
        bad = other if isinstance(input, Tensor) else input
        raise TypeError(f"matmul(): expected two Tensors, got {type(bad).__name__}")
    if input._array.dtype != other._array.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {input.dtype.name} != {other.dtype.name}"
        )
    if not input.is_floating_point():
        raise NotImplementedError(f"matmul of {input.dtype.name} is not supported; convert both with .float()")
    return input, other


def _product(tensor):
    return "x".join(map(str, tensor.shape))


@public
def mm(input, mat2):
    """The matrix product of two 2-D tensors.  (M, K), (K, N) -> (M, N)."""
    return _product_of_dims("mm", input, mat2, 2, 2)


@public
def mv(input, vec):
    """The matrix product of a 2-D and a 1-D tensor.  (M, K), (K,) -> (M,)."""
    return _product_of_dims("mv", input, vec, 2, 1)


@public
def bmm(input, mat2):
    """The matrix product of two 3-D tensors.  (B, M, K), (B, K, N) -> (B, M, N)."""
    return _product_of_dims("bmm", input, mat2, 3, 3)


@public
def dot(input, tensor):
    """The product of two 1-D tensors.  (K,), (K,) -> ()."""
    return _product_of_dims("dot", input, tensor, 1, 1)


def _product_of_dims(name, input, other, first, second):
    """`matmul` for fixed numbers of axes."""
    if (input.ndim, other.ndim) != (first, second):
        raise RuntimeError(
            f"{name}: expected a {first}-D and a {second}-D tensor, got {list(input.shape)} and {list(other.shape)}"
        )
    return matmul(input, other)


@public
def outer(input, vec2):
    """Every product of an element of one with one of the other.  (M,), (N,) -> (M, N)."""
    if input.ndim != 1 or vec2.ndim != 1:
        raise RuntimeError(f"outer: Expected two 1-D tensors, got {input.ndim}-D and {vec2.ndim}-D")
    return input.unsqueeze(1) * vec2.unsqueeze(0)


@public
def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """beta * input + alpha * mat1 @ mat2.  (M, N), (M, K), (K, N) -> (M, N)."""
    product = mm(mat1, mat2)
    product = product if alpha == 1 else product * alpha
    return product if beta == 0 else product + (input if beta == 1 else input * beta)


# --- the layer's form --------------------------------------------------------------------------------------------


@op(launches=True)
def _linear(x, weight, bias, *, activation=None, out=None):
    """x @ weight.T + bias in one pass, and perhaps "relu" of that.  (N, I), (O, I), (O,) -> (N, O)."""
    return k.gemm.linear(x, weight, bias, activation=activation, out=out)


@_linear.vjp("x")
def _(g, weight):
    return g @ weight


@_linear.vjp("weight")
def _(g, x):
    return g.mT @ x


@_linear.vjp("bias")
def _(g):
    return g.sum(0)


@_linear.backward
def _(g, x, weight, needs, mask=None, out=(None, None, None)):
    """With ``mask``, the result of a relu that made x, the first gradient is that of the relu's input."""
    for_x = k.gemm.matmul(g, weight, mask=mask, out=out[0]) if needs[0] else None
    if needs[1] and needs[2]:
        return for_x, *k.gemm.weight_gradient(g, x, bias=True, out=out[1], bias_out=out[2])
    for_weight = k.gemm.weight_gradient(g, x, out=out[1]) if needs[1] else None
    return for_x, for_weight, k.reduce.sum(g, 0) if needs[2] else None


_linear.op.epilogues = {"relu": {"activation": "relu"}}
_linear.op.masked_by = ("relu",)


@public(method=False, function_name=None)
def linear(input, weight, bias=None):
    """input @ weight.T + bias.  (..., I), (O, I), (O,) -> (..., O)."""
    x, w = input._array, weight._array
    fits = x.ndim == 2 and w.ndim == 2 and x.dtype is w.dtype and x.shape[1] == w.shape[1] and x.dtype.kind == "f"
    if fits and (bias is None or (bias._array.dtype is x.dtype and bias._array.shape == w.shape[:1])):
        return apply(_linear.op, (input, weight, bias), {})
    return _linear_of_any_shape(input, weight, bias)


def _linear_of_any_shape(input, weight, bias):
    """`linear` for inputs of other than two axes, and the errors of those that do not fit."""
    for name, each in (("weight", weight), ("bias", bias)):
        if each is not None and each._array.dtype is not input._array.dtype:
            raise RuntimeError(
                f"mat1 and mat2 must have the same dtype, but got input {input.dtype.name} and {name} {each.dtype.name}"
            )
    if not input.is_floating_point():
        raise RuntimeError(f"linear: expected a floating point input, got {input.dtype.name}; convert it with .float()")
    rows = input._array.shape
    if input.ndim == 0 or weight.ndim not in (1, 2) or rows[-1] != weight._array.shape[-1]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied: input {list(input.shape)} has {rows[-1] if rows else 'no'} "
            f"features, weight {list(weight.shape)} expects {weight._array.shape[-1] if weight.ndim else 'some'}"
        )
    if weight.ndim == 1:
        product = input @ weight
        return product if bias is None else product + bias
    if bias is not None and bias._array.shape != weight._array.shape[:1]:
        if bias.ndim == 0 or bias._array.shape == (1,):
            return linear(input, weight) + bias
        raise RuntimeError(
            f"bias has shape {list(bias.shape)}, expected {list(weight.shape[:1])} for weight {list(weight.shape)}"
        )
    flat = input if input.ndim == 2 else input.reshape(math.prod(rows[:-1]), rows[-1])
    result = apply(_linear.op, (flat, weight, bias), {})
    return result if input.ndim == 2 else result.reshape((*rows[:-1], weight._array.shape[0]))
