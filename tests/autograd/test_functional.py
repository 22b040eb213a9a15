"""Jacobians, Hessians and their products: worked derivatives, structures, graphs, what strict refuses."""

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr.autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp

X = np.array([0.5, -1.0, 2.0])
Y = np.array([1.0, 3.0])
V = np.array([1.0, -2.0, 0.5])


def x():
    return torch.from_numpy(X.copy())


def y():
    return torch.from_numpy(Y.copy())


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def close(found, expected):
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-12, atol=1e-12)


def outer(a, b):
    """(3,), (2,) -> (3, 2): sin(a_i) b_j^2."""
    return a.sin().unsqueeze(1) * b.square()


def cubic(a):
    """(3,) -> a number; the Hessian is 6 diag(a) + ones."""
    return (a**3).sum() + a.sum() ** 2 / 2


HESSIAN = 6 * np.diag(X) + 1


# --- values ------------------------------------------------------------------------------------------------------


def test_jacobian_of_one_input():
    close(jacobian(torch.exp, x()), np.diag(np.exp(X)))
    close(jacobian(lambda a: a.sum(), x()), [1, 1, 1])
    assert jacobian(lambda a: a.reshape(3, 1) * a, x()).shape == (3, 3, 3)


def test_jacobian_of_several_inputs_and_results():
    by_x, by_y = jacobian(outer, (x(), y()))
    expected_x = np.einsum("ik,i,j->ijk", np.eye(3), np.cos(X), Y**2)
    expected_y = np.einsum("i,jk,j->ijk", np.sin(X), np.eye(2), 2 * Y)
    close(by_x, expected_x)
    close(by_y, expected_y)
    (first, second) = jacobian(lambda a, b: (outer(a, b), b * 2), (x(), y()))
    close(first[0], expected_x)
    close(second[0], np.zeros((2, 3)))
    close(second[1], 2 * np.eye(2))
    ((only,),) = jacobian(lambda a: (a * 2,), (x(),))
    close(only, 2 * np.eye(3))


def test_hessian():
    close(hessian(cubic, x()), HESSIAN)
    ((xx, xy), (yx, yy)) = hessian(lambda a, b: outer(a, b).sum(), (x(), y()))
    close(xx, np.diag(-np.sin(X) * (Y**2).sum()))
    close(xy, np.outer(np.cos(X), 2 * Y))
    close(yx, np.outer(2 * Y, np.cos(X)))
    close(yy, 2 * np.sin(X).sum() * np.eye(2))
    close(hessian(lambda a: a.sum(), x()), np.zeros((3, 3)))


def test_products_with_vectors():
    v = tensor(V)
    result, product = vjp(lambda a: a**2, x(), v)
    close(result, X**2)
    close(product, V * 2 * X)
    result, product = jvp(lambda a: a.sum() * a, x(), v)
    close(result, X.sum() * X)
    close(product, (X.sum() * np.eye(3) + np.outer(X, np.ones(3))) @ V)
    for function in (vhp, hvp):
        result, product = function(cubic, x(), v)
        close(result, (X**3).sum() + X.sum() ** 2 / 2)
        close(product, HESSIAN @ V)


def test_products_of_several_inputs():
    u, w = tensor([1.0, 0.0, -1.0]), tensor([2.0, 0.5])
    jx, jy = (each.numpy().reshape(6, -1) for each in jacobian(outer, (x(), y())))
    _, along = jvp(outer, (x(), y()), (u, w))
    close(along.reshape(-1), jx @ u.numpy() + jy @ w.numpy())
    _, (back_x, back_y) = vjp(outer, (x(), y()), torch.ones(3, 2).double())
    close(back_x, jx.sum(0))
    close(back_y, jy.sum(0))
    _, (hx, hy) = hvp(lambda a, b: outer(a, b).sum(), (x(), y()), (u, w))
    _, (vx, vy) = vhp(lambda a, b: outer(a, b).sum(), (x(), y()), (u, w))
    close(hx, vx.numpy())
    close(hy, vy.numpy())


def test_a_vector_may_be_left_out_for_one_element():
    close(vjp(lambda a: a.sum(), x())[1], [1, 1, 1])
    close(jvp(lambda a: a * tensor(X), tensor(2.0))[1], X)
    close(hvp(lambda a: a**3, tensor(2.0))[1], 12)
    close(vhp(lambda a: a**3, tensor([2.0]))[1], [12])


def test_what_a_result_does_not_depend_on_is_zero():
    close(jacobian(lambda a: torch.ones(2).double(), x()), np.zeros((2, 3)))
    close(jvp(lambda a: torch.ones(2).double(), x(), tensor(V))[1], [0, 0])
    close(vjp(lambda a, b: a, (x(), y()), tensor(V))[1][1], [0, 0])
    close(vhp(lambda a: a.sum(), x(), tensor(V))[1], [0, 0, 0])
    assert jacobian(lambda a: a[:0], x()).shape == (0, 3)


# --- graphs ------------------------------------------------------------------------------------------------------


def test_the_arguments_are_left_alone():
    a = x().requires_grad_()
    for found in (jacobian(torch.exp, a), hessian(cubic, a), *vjp(cubic, a), *vhp(cubic, a, tensor(V))):
        assert not found.requires_grad
    assert a.grad is None


def test_results_can_be_differentiated_with_create_graph():
    a = x().requires_grad_()
    jacobian(lambda b: b**3, a, create_graph=True).sum().backward()
    close(a.grad, 6 * X)
    for product in (
        lambda b: vjp(lambda c: c**3, b, tensor(V), create_graph=True)[1],
        lambda b: jvp(lambda c: c**3, b, tensor(V), create_graph=True)[1],
    ):
        (slope,) = torch.autograd.grad(product(a).sum(), a)
        close(slope, 6 * X * V)
    (slope,) = torch.autograd.grad(hessian(cubic, a, create_graph=True).sum(), a)
    close(slope, [6, 6, 6])
    for function in (vhp, hvp):
        (slope,) = torch.autograd.grad(function(cubic, a, tensor(V), create_graph=True)[1].sum(), a)
        close(slope, 6 * V)


def test_under_no_grad():
    with torch.no_grad():
        close(jacobian(torch.exp, x()), np.diag(np.exp(X)))
        close(hvp(cubic, x(), tensor(V))[1], HESSIAN @ V)


# --- what is refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [jacobian, vjp, jvp])
def test_strict_refuses_independence(function):
    v = {"v": tensor(V)} if function is not jacobian else {}
    with pytest.raises(RuntimeError, match="Output 0 of the user-provided function does not require gradients"):
        function(lambda a: tensor(V), x(), strict=True, **v)


def test_strict_names_the_input():
    with pytest.raises(RuntimeError, match="independent of input 1"):
        jacobian(lambda a, b: a, (x(), y()), strict=True)
    with pytest.raises(RuntimeError, match=r"independent of input 0.* when create_graph=True"):
        jacobian(lambda a: a * 2, x(), create_graph=True, strict=True)
    with pytest.raises(RuntimeError, match="independent of input 0"):
        hessian(lambda a: a.sum(), x(), strict=True)


REFUSED = {
    "vectorize": (NotImplementedError, "vectorize=True", lambda: jacobian(torch.exp, x(), vectorize=True)),
    "strategy": (NotImplementedError, "strategy='forward-mode'", lambda: jacobian(abs, x(), strategy="forward-mode")),
    "outer": (
        NotImplementedError,
        "outer_jacobian_strategy='forward-mode'",
        lambda: hessian(cubic, x(), outer_jacobian_strategy="forward-mode"),
    ),
    "hessian of several": (RuntimeError, "single Tensor with a single element", lambda: hessian(torch.exp, x())),
    "vhp of a tuple": (RuntimeError, "single Tensor", lambda: vhp(lambda a: (a.sum(), a.sum()), x(), tensor(V))),
    "no vector": (RuntimeError, "v can only be None", lambda: vjp(torch.exp, x())),
    "no vector for jvp": (RuntimeError, "v can only be None", lambda: jvp(torch.exp, x())),
    "shape": (RuntimeError, r"Entry 0 .* size: should be \[3\] but got \[2\]", lambda: vjp(torch.exp, x(), y())),
    "length": (RuntimeError, "invalid length: should be 2 but got 1", lambda: jvp(outer, (x(), y()), (x(),))),
    "input": (TypeError, "inputs given to vjp .* index 0 has type <class 'int'>", lambda: vjp(torch.exp, 3)),
    "output": (TypeError, "outputs of .* given to jacobian", lambda: jacobian(lambda a: 3, x())),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_arguments_are_refused(name):
    kind, words, call = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()
