"""autograd.grad: any order, unused inputs, shapes."""

import numpy as np
import pytest

import tinygrad_fr as torch

grad = torch.autograd.grad


def test_no_grad_attribute_is_touched():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (g,) = grad((x * x).sum(), x)
    assert g.tolist() == [2, 4]
    assert x.grad is None
    assert not g.requires_grad


@pytest.mark.parametrize(
    ("function", "derivatives"),
    [
        (lambda x: x**4, (4 * 1.5**3, 12 * 1.5**2, 24 * 1.5)),
        (lambda x: x.sin(), (np.cos(1.5), -np.sin(1.5), -np.cos(1.5))),
        (lambda x: x.exp(), (np.exp(1.5),) * 3),
        (lambda x: 1 / x, (-(1.5**-2), 2 * 1.5**-3, -6 * 1.5**-4)),
        (lambda x: x.log(), (1 / 1.5, -1 / 1.5**2, 2 / 1.5**3)),
        (lambda x: x.tanh(), (1 - np.tanh(1.5) ** 2, -2 * np.tanh(1.5) * (1 - np.tanh(1.5) ** 2), None)),
    ],
)
def test_up_to_the_third_order(function, derivatives):
    x = torch.tensor(1.5, dtype=torch.float64, requires_grad=True)
    y = function(x)
    for expected in derivatives:
        (y,) = grad(y, x, create_graph=True)
        assert expected is None or y.item() == pytest.approx(expected)


def test_third_order_through_fused_ops():
    """softmax has a fused backward; its higher derivatives go through its rule."""
    x = torch.tensor([0.3, -1.2, 0.7], dtype=torch.float64, requires_grad=True)

    def second(x):
        (g,) = grad((x.softmax(0) ** 2).sum(), x, create_graph=True)
        (h,) = grad((g * g).sum(), x, create_graph=True)
        return h

    assert torch.autograd.gradcheck(second, [x])


def test_a_gradient_of_a_gradient_penalty_reaches_the_weights():
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    x = torch.tensor([1.0, 4.0], requires_grad=True)
    (g,) = grad((w * x * x).sum(), x, create_graph=True)  # 2 w x
    g.pow(2).sum().backward()  # d/dw 4 w^2 x^2
    assert w.grad.tolist() == [16.0, 384.0]


def test_unused_inputs():
    x, y = torch.ones(2, requires_grad=True), torch.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="not have been used in the graph"):
        grad((x * 2).sum(), [x, y])
    g, none = grad((x * 2).sum(), [x, y], allow_unused=True)
    assert g.tolist() == [2, 2]
    assert none is None
    _, zeros = grad((x * 2).sum(), [x, y], materialize_grads=True)
    assert zeros.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="allow_unused"):
        grad((x * 2).sum(), [x], materialize_grads=True, allow_unused=False)


def test_an_input_must_require_grad():
    with pytest.raises(RuntimeError, match="does not require grad"):
        grad(torch.ones(1, requires_grad=True).sum(), torch.ones(1))


def test_gradients_with_respect_to_intermediate_results():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    h = x * 3
    y = (h * h).sum()
    gh, gx = grad(y, [h, x])
    assert gh.tolist() == [6, 12]
    assert gx.tolist() == [18, 36]


def test_the_output_itself_as_input():
    x = torch.tensor(2.0, requires_grad=True)
    y = x * x
    assert [each.item() for each in grad(y, [y, x])] == [1, 4]
    assert grad(x, x)[0].item() == 1


def test_shapes_of_grad_outputs():
    x = torch.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"\[3\].*\[2, 3\]"):
        grad(x * 2, x, torch.ones(3))
    with pytest.raises(RuntimeError, match=r"scalar outputs.*\[2, 3\]"):
        grad(x * 2, x)
    assert grad([x * 2, x * 3], x, [torch.ones(2, 3), torch.full((2, 3), 2.0)])[0].tolist() == [[8.0] * 3] * 2


def test_create_graph_with_respect_to_grad_outputs():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    v = torch.ones(2, requires_grad=True)
    (g,) = grad(x * x, x, v, create_graph=True)
    assert grad(g.sum(), v)[0].tolist() == [2, 4]


def test_batched_gradients_are_refused_by_name():
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(NotImplementedError, match="is_grads_batched"):
        grad(x.sum(), x, is_grads_batched=True)


def test_grad_frees_the_graph():
    x = torch.ones(2, requires_grad=True)
    y = (x * x).sum()
    grad(y, x)
    with pytest.raises(RuntimeError, match="second time"):
        grad(y, x)


def test_second_derivative_of_a_function_that_is_linear():
    x = torch.ones(2, requires_grad=True)
    (g,) = grad((x * 3).sum(), x, create_graph=True)
    assert not g.requires_grad


def test_arguments_that_pytorch_deprecated_are_refused():
    x = torch.ones(1, requires_grad=True)
    with pytest.raises(NotImplementedError, match="only_inputs"):
        torch.autograd.grad(x * 2, x, only_inputs=False)
    with pytest.raises(NotImplementedError, match="grad_variables"):
        torch.autograd.backward(x * 2, grad_variables=torch.ones(1))
