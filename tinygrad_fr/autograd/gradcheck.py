"""Comparing derivatives with finite differences."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .engine import grad
from .tensor import Tensor, note_change, wrap


class GradcheckError(RuntimeError):
    """A derivative that disagrees with finite differences."""


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
) -> bool:
    """Whether the gradients of ``func(*inputs)`` agree with central differences (f(x + eps) - f(x - eps)) / 2 eps.

    Inputs that require a gradient should be float64: in float32 the differences are too coarse.
    Two backward passes must agree within ``nondet_tol``.
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    checked = [i for i, each in enumerate(inputs) if isinstance(each, Tensor) and each._requires_grad]
    if not checked:
        raise ValueError("gradcheck expects at least one input tensor to require gradient, but none of them have.")
    try:
        for k, output in enumerate(_outputs(func, inputs)):
            _check_output(func, inputs, checked, k, output, eps, atol, rtol, nondet_tol)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
) -> bool:
    """Whether the second derivatives of ``func(*inputs)`` agree with differences of the first ones."""
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    outputs = _outputs(func, inputs)
    if grad_outputs is None:
        generator = np.random.default_rng(0)
        given = [wrap(generator.standard_normal(each._array.shape).astype(each._array.dtype)) for each in outputs]
    else:
        given = [each.detach() for each in ((grad_outputs,) if isinstance(grad_outputs, Tensor) else grad_outputs)]
    for each in given:
        each.requires_grad = True
    wanted = [i for i, each in enumerate(inputs) if isinstance(each, Tensor) and each._requires_grad]

    def first_derivatives(*arguments: Any) -> tuple[Tensor, ...]:
        leaves, seeds = arguments[: len(inputs)], arguments[len(inputs) :]
        results = _outputs(func, leaves)
        found = grad(results, [leaves[i] for i in wanted], seeds, create_graph=True, allow_unused=True)
        return tuple(each for each in found if each is not None and each._requires_grad)

    return gradcheck(
        first_derivatives, (*inputs, *given), eps=eps, atol=atol, rtol=rtol,
        raise_exception=raise_exception, nondet_tol=nondet_tol,
    )  # fmt: skip


def _outputs(func: Callable[..., Any], inputs: Sequence[Any]) -> list[Tensor]:
    """The results of ``func`` that have gradients."""
    results = func(*inputs)
    results = (results,) if isinstance(results, Tensor) else results
    return [each for each in results if isinstance(each, Tensor) and each._requires_grad]


def _check_output(func, inputs, checked, k, output, eps, atol, rtol, nondet_tol) -> None:
    analytic = _analytic_jacobian(output, [inputs[i] for i in checked])
    again = _analytic_jacobian(output, [inputs[i] for i in checked])
    for i, ours, repeated in zip(checked, analytic, again, strict=True):
        if not np.allclose(ours, repeated, rtol=0, atol=nondet_tol, equal_nan=True):
            raise GradcheckError(f"Backward is not reentrant: two passes differ for output {k}, input {i}")
        numeric = _numeric_jacobian(lambda: _all_outputs(func, inputs)[k], inputs[i], output._array.size, eps)
        if not np.allclose(ours, numeric, rtol=rtol, atol=atol, equal_nan=True):
            raise GradcheckError(
                f"Jacobian mismatch for output {k} with respect to input {i},\nnumerical:{numeric}\nanalytical:{ours}\n"
                f"largest difference: {np.max(np.abs(ours - numeric))}"
            )


def _all_outputs(func: Callable[..., Any], inputs: Sequence[Any]) -> list[np.ndarray]:
    """The values, at the inputs as they are now, of the results that have gradients."""
    return [each._array for each in _outputs(func, inputs)]


def _analytic_jacobian(output: Tensor, leaves: list[Tensor]) -> list[np.ndarray]:
    """For each leaf d output / d leaf, (leaf elements, output elements), one backward pass a column."""
    columns: list[list[np.ndarray]] = [[] for _ in leaves]
    for j in range(output._array.size):
        seed = np.zeros(output._array.size, output._array.dtype)
        seed[j] = 1
        found = grad(output, leaves, wrap(seed.reshape(output._array.shape)), retain_graph=True, allow_unused=True)
        for column, leaf, g in zip(columns, leaves, found, strict=True):
            column.append(np.zeros(leaf._array.size) if g is None else g._array.ravel())
    empty = [np.zeros((leaf._array.size, 0)) for leaf in leaves]
    return [np.stack(column, axis=1) if column else none for column, none in zip(columns, empty, strict=True)]


def _numeric_jacobian(evaluate: Callable[[], np.ndarray], leaf: Tensor, size: int, eps: float) -> np.ndarray:
    """d output / d leaf by central differences, (leaf elements, output elements); ``leaf`` is moved in place."""
    jacobian = np.zeros((leaf._array.size, size))
    original = leaf._array
    for i, index in enumerate(np.ndindex(original.shape)):
        values = []
        for step in (eps, -eps):
            moved = original.copy()
            moved[index] += step
            leaf._array = moved
            note_change()
            try:
                values.append(evaluate().astype(np.float64).ravel())
            finally:
                leaf._array = original
                note_change()
        jacobian[i] = (values[0] - values[1]) / (2 * eps)
    return jacobian


__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]
