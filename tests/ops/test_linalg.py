"""Linear algebra at its edges: what einsum reads, products that are added to something, matrices without an inverse."""

import math

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import linalg


def ones(*shape, dtype=None):
    return torch.ones(*shape, dtype=dtype)


# --- einsum and its kin ------------------------------------------------------------------------------------------


def test_axes_of_size_1_broadcast():
    assert torch.einsum("ij,ij->ij", ones(1, 2), ones(3, 2)).shape == (3, 2)
    assert torch.einsum("ij,jk->ik", ones(2, 1), ones(3, 4)).tolist() == [[3.0] * 4] * 2
    assert torch.einsum("...ij,...jk", ones(3, 1, 2, 2), ones(4, 2, 2)).shape == (3, 4, 2, 2)
    assert torch.tensordot(ones(2, 1), ones(3, 4), 1).tolist() == [[3.0] * 4] * 2


def test_implicit_results_are_in_alphabetical_order():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert torch.einsum("bA", x).tolist() == [[1, 3], [2, 4]]
    assert torch.einsum("b...a,a", ones(2, 3, 4), ones(4)).shape == (3, 2)


def test_operands_in_a_list():
    assert torch.einsum("ij,jk->ik", [ones(2, 2), ones(2, 2)]).tolist() == [[2, 2], [2, 2]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: torch.einsum("ij"), ValueError, "at least one operand"),
        (lambda: torch.einsum("ij,jk->iz", ones(2, 2), ones(2, 2)), RuntimeError, "output subscript z does not appear"),
        (lambda: torch.einsum("ij,jk->ii", ones(2, 2), ones(2, 2)), RuntimeError, "i appears more than once"),
        (lambda: torch.einsum("ijk", ones(2, 2)), RuntimeError, r"equation \(3\) does not match .* \(2\)"),
        (lambda: torch.einsum("ij", ones(2, 2), ones(2, 2)), RuntimeError, "more operands"),
        (lambda: torch.einsum("ij,jk", ones(2, 2)), RuntimeError, "fewer operands"),
        (lambda: torch.einsum("ij,jk", ones(2, 2), ones(3, 3)), RuntimeError, "size 3 .* previously seen size 2"),
        (lambda: torch.einsum("i1", ones(2, 2)), RuntimeError, "'1'"),
        (lambda: torch.einsum("ii->i", ones(1, 3)), RuntimeError, "3 != 1"),
        (lambda: torch.einsum("i,i", ones(2), ones(2, dtype=torch.int64)), RuntimeError, "one dtype"),
        (lambda: torch.tensordot(ones(2, 2), ones(3, 3), 1), RuntimeError, "size 2 in dim 1 and second has size 3"),
        (lambda: torch.tensordot(ones(2, 2), ones(2, 2), -1), RuntimeError, "dims=-1"),
        (lambda: torch.tensordot(ones(2), ones(2), 2), RuntimeError, "dims=2"),
        (lambda: torch.inner(ones(2, 3), ones(4)), RuntimeError, r"\[2, 3\] and \[4\]"),
        (lambda: torch.trace(ones(3)), RuntimeError, "dim 1"),
        (lambda: torch.addmm(ones(2, 2, dtype=torch.int64), ones(2, 2), ones(2, 2)), RuntimeError, "int64 and float32"),
        (lambda: torch.addmm(ones(3), ones(2, 2), ones(2, 2)), RuntimeError, "expanded size"),
        (lambda: ones(2).addmm_(ones(2, 2), ones(2, 2)), RuntimeError, "size of tensor"),
        (lambda: torch.cross(ones(3), ones(2, 3)), RuntimeError, "same number of dimensions"),
        (lambda: linalg.cross(ones(2, 2), ones(2, 2)), RuntimeError, "must have length 3"),
        (lambda: linalg.multi_dot([ones(2, 2)]), RuntimeError, "at least 2"),
        (lambda: torch.cdist(ones(2, 3), ones(4, 2)), RuntimeError, "X1: 3 X2: 2"),
        (lambda: torch.cdist(ones(2, 3), ones(4, 3), p=-1), RuntimeError, "non-negative"),
        (lambda: linalg.matrix_norm(ones(2, 2), 2), NotImplementedError, "ord=2"),
        (lambda: linalg.matrix_norm(ones(2, 2), 3), RuntimeError, "Order 3"),
        (lambda: linalg.matrix_norm(ones(2, 2), dim=(0, 0)), RuntimeError, "must be different"),
        (lambda: linalg.vector_norm(ones(0), math.inf), RuntimeError, "empty tensor"),
        (lambda: linalg.norm(ones(2, 2, 2), 1), RuntimeError, "must be 1D or 2D"),
        (lambda: ones(2).double().norm(dtype=torch.float32), RuntimeError, "without narrowing"),
        (lambda: linalg.det(ones(2, 3)), RuntimeError, "2 by 3"),
        (lambda: linalg.inv(ones(2, 2)), linalg.LinAlgError, "linalg.inv: Singular"),
        (lambda: linalg.solve(ones(2, 2), ones(2)), linalg.LinAlgError, "linalg.solve: Singular"),
        (lambda: linalg.cholesky(-torch.eye(2)), linalg.LinAlgError, "not positive definite"),
        (lambda: linalg.inv(ones(2, 2, dtype=torch.int64)), RuntimeError, "int64"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


# --- products ----------------------------------------------------------------------------------------------------


def test_an_input_times_0_does_not_count():
    nothing = torch.full((2, 2), math.nan)
    for name, first, second in (("addmm", ones(2, 2), ones(2, 2)), ("addr", ones(2), ones(2))):
        assert not torch.isnan(getattr(torch, name)(nothing, first, second, beta=0)).any()


def test_the_order_of_several_products_is_the_cheapest():
    matrices = [torch.randn(*shape) for shape in ((2, 30), (30, 3), (3, 40), (40, 1))]
    expected = matrices[0] @ matrices[1] @ matrices[2] @ matrices[3]
    np.testing.assert_allclose(linalg.multi_dot(matrices)._array, expected._array, rtol=1e-4)
    assert linalg.multi_dot([ones(2), ones(2, 2), ones(2)]).item() == 4


def test_the_cross_product_finds_its_axis():
    x, y = torch.eye(3)[:, :1], torch.eye(3)[:, 1:2]
    assert torch.cross(x, y).tolist() == [[0], [0], [1]]


def test_powers_of_matrices():
    x = torch.tensor([[2.0, 1.0], [1.0, 1.0]])
    assert torch.matrix_power(x, 0).tolist() == [[1, 0], [0, 1]]
    np.testing.assert_allclose(torch.matrix_power(x, -2)._array @ torch.matrix_power(x, 2)._array, np.eye(2), atol=1e-5)


# --- norms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3, math.inf])
def test_the_derivative_of_a_norm_or_distance_of_0_is_0(p):
    x = torch.zeros(1, 2, requires_grad=True)
    assert torch.autograd.grad(x.norm(p), x)[0].tolist() == [[0, 0]]
    assert torch.autograd.grad(torch.cdist(x, torch.zeros(3, 2), p=p).sum(), x)[0].tolist() == [[0, 0]]


def test_norms_of_matrices_and_of_all_elements():
    x = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
    assert (linalg.norm(x, 1).item(), linalg.norm(x, math.inf).item()) == (6, 7)
    assert linalg.norm(x, 1, dim=1).tolist() == [3, 7]
    assert torch.norm(x, 1).item() == 10
    assert linalg.matrix_norm(ones(3, 2, 2), dim=(0, 1), keepdim=True).shape == (1, 1, 2)


# --- determinants ------------------------------------------------------------------------------------------------


def test_the_derivative_of_the_determinant_of_singular_matrices():
    x = torch.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(linalg.det(x), x)
    np.testing.assert_allclose(found._array, [[4, -2], [-2, 1]], atol=1e-14)


def test_the_logarithm_of_a_negative_determinant_is_nan():
    assert math.isnan(torch.logdet(-torch.eye(3)).item())
    found = torch.slogdet(-torch.eye(3))
    assert (found.sign.item(), found.logabsdet.item()) == (-1, 0)


def test_equations_from_the_right():
    a, b = torch.tensor([[4.0, 1.0], [1.0, 3.0]]), torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    np.testing.assert_allclose((linalg.solve(a, b, left=False) @ a)._array, b._array, rtol=1e-6)
    assert linalg.solve(torch.eye(2).expand(3, 2, 2), ones(3, 2)).shape == (3, 2)


def test_the_upper_factor():
    a = torch.tensor([[4.0, 1.0], [1.0, 3.0]])
    upper = linalg.cholesky(a, upper=True)
    np.testing.assert_allclose((upper.mT @ upper)._array, a._array, rtol=1e-6)
    assert upper[1, 0].item() == 0
