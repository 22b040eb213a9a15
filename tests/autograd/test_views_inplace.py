"""Views and in-place writes: what PyTorch's rules allow, refuse and differentiate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tinygrad_fr as torch
from tests.strategies import examples


def leaf(*values):
    return torch.tensor([float(each) for each in values], requires_grad=True)


# --- what is refused ---------------------------------------------------------------------------------------------


def test_a_leaf_in_the_graph_is_not_written():
    x = leaf(1, 2)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        x.add_(1)
    with pytest.raises(RuntimeError, match="a leaf Variable"):
        x += 1
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x[0] = 5.0
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x.view(2, 1)[1:].mul_(2)
    with pytest.raises(RuntimeError, match="a leaf Variable"):
        x[torch.tensor([0])] = 5.0
    assert x.tolist() == [1, 2]
    with torch.no_grad():
        x.add_(1)
        x[0] = 7.0
    assert x.tolist() == [7, 3]
    assert x.requires_grad
    assert x.is_leaf


@pytest.mark.parametrize(
    ("name", "op"),
    [
        ("mul", lambda y: y * y),
        ("exp", lambda y: y.exp()),
        ("pow", lambda y: y**y),
        ("matmul", lambda y: y.view(1, 2) @ y.view(2, 1)),
        ("sigmoid", lambda y: y.sigmoid()),
    ],
)
def test_a_saved_value_that_changes_is_an_error_that_names_the_op(name, op):
    y = leaf(1, 2) * 1
    z = op(y)
    changed = z if name in ("exp", "sigmoid") else y
    changed.add_(1)
    result = z if changed is not z else z * 1
    with pytest.raises(RuntimeError, match=rf"modified by an inplace operation.*'{name}'"):
        result.sum().backward()


def test_a_value_that_is_not_needed_may_change():
    y = leaf(1, 2) * 1
    z = y.exp() + y  # exp saves its result, + nothing
    y.mul_(0)
    z.sum().backward()
    w = leaf(3)
    v = torch.ones(1)
    product = w * v  # only w wants a gradient: w itself is not saved
    with torch.no_grad():
        w.add_(1)
    product.backward()
    assert w.grad.tolist() == [1]


@pytest.mark.parametrize(
    "alias", [lambda y: y[:], lambda y: y.detach(), lambda y: y.view(2, 1), lambda y: y.view(-1)[1:]]
)
def test_a_write_through_any_alias_is_noticed(alias):
    y = leaf(1, 2) * 1
    z = y * y
    alias(y).detach().zero_()
    with pytest.raises(RuntimeError, match="'mul'"):
        z.sum().backward()


def test_the_optimizer_pattern_is_noticed_too():
    w = leaf(1, 2)
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    with torch.no_grad():
        w.sub_(0.1)
    with pytest.raises(RuntimeError, match="'mul'"):
        loss.backward()


def test_expanded_memory_is_not_written():
    x = torch.ones(1).expand(3)
    for write in (lambda: x.add_(1), lambda: x[0:2].zero_(), lambda: x.__setitem__(0, 1.0), lambda: x.fill_(2)):
        with pytest.raises(RuntimeError, match="more than one element of the written-to tensor"):
            write()
    array = np.ones(2)
    array.flags.writeable = False
    with pytest.raises(RuntimeError, match="read-only"):
        torch.from_numpy(array).mul_(2)


def test_a_view_made_under_no_grad_is_not_written():
    y = leaf(1, 2) * 1
    with torch.no_grad():
        view = y[:1]
    with pytest.raises(RuntimeError, match="view was created in no_grad mode"):
        view.mul_(2)
    with pytest.raises(RuntimeError, match="view was created in no_grad mode"):
        view.copy_(leaf(1))
    with torch.no_grad():
        view.mul_(2)
    assert y.tolist() == [2, 2]


def test_a_view_made_under_no_grad_has_no_gradient_after_its_base_was_written():
    x = leaf(1, 2)
    for base in (x * 1, torch.zeros(2)):
        with torch.no_grad():
            view = base[:1]
        base.mul_(x)
        with pytest.raises(RuntimeError, match="view was created in no_grad mode and its base"):
            (view * 2).sum().backward()
        assert view.detach().tolist() == base[:1].tolist()
    constant = torch.zeros(2)
    with torch.no_grad():
        view = constant[:1]
    view.add_(1)
    with pytest.raises(RuntimeError, match="view was created in no_grad mode"):
        view.mul_(x[0])
    assert constant.tolist() == [1, 0]


def test_shapes_and_dtypes_of_in_place_writes():
    x = torch.ones(2)
    with pytest.raises(RuntimeError, match=r"output with shape \[2\] doesn't match the broadcast shape \[3, 2\]"):
        x.add_(torch.ones(3, 2))
    with pytest.raises(RuntimeError, match=r"\(2\) must match the size of tensor b \(3\)"):
        x.add_(torch.ones(3))
    with pytest.raises(RuntimeError, match="result type float32 can't be cast to the desired output type int64"):
        torch.tensor([1]).add_(1.5)
    with pytest.raises(RuntimeError, match="can't be cast"):
        torch.tensor([1]).div_(2)
    with pytest.raises(RuntimeError, match="can't be cast"):
        torch.tensor([True]).add_(1)
    assert torch.ones(2).add_(torch.tensor([1, 2])).tolist() == [2, 3]
    assert torch.ones(2).add_(torch.ones(2, dtype=torch.float64)).dtype is torch.float32


# --- gradients ---------------------------------------------------------------------------------------------------


def test_x_times_itself_in_place():
    x = leaf(3)
    y = x * 1
    y.mul_(y)
    y.backward()
    assert x.grad.tolist() == [6]


def test_an_operand_that_shares_memory_with_the_target():
    x = leaf(1, 2, 3)
    y = x * 1
    y.mul_(y[:])
    y[1:].mul_(y[:-1])  # 1, 4, 9 -> 1, 4 * 1, 9 * 4
    assert y.tolist() == [1, 4, 36]
    y.sum().backward()
    assert x.grad.tolist() == [2 + 8, 4 + 36, 24]  # d/dx of x1^2 + x1^2 x2^2 + ... by the values before the write


def test_a_slice_of_a_constant_becomes_part_of_the_graph():
    x = leaf(1, 2)
    zeros = torch.zeros(4)
    zeros[1:3] = x * 2
    assert zeros.requires_grad
    assert not zeros.is_leaf
    (zeros * torch.arange(4.0)).sum().backward()
    assert x.grad.tolist() == [2, 4]


def test_what_is_overwritten_gets_no_gradient():
    x = leaf(1, 2, 3)
    y = x * 2
    y[1] = 10.0
    y.sum().backward()
    assert x.grad.tolist() == [2, 0, 2]


def test_mask_and_integer_assignment():
    x, v = leaf(1, 2, 3, 4), leaf(10)
    y = x * 2
    y[y > 5] = v
    y[torch.tensor([0, 0])] = v * 3
    assert y.tolist() == [30, 4, 10, 10]
    y.sum().backward()
    assert x.grad.tolist() == [0, 2, 0, 0]
    assert v.grad.tolist() == [2 + 6]  # as PyTorch, both writes to element 0 count


def test_views_see_a_write_to_their_base_and_the_other_way():
    x = leaf(1, 2, 3)
    base = x * 1
    first, second = base[:2], base[1:]
    first.mul_(10)
    assert second.tolist() == [20, 3]
    (g,) = torch.autograd.grad(second.sum(), x, retain_graph=True)
    assert g.tolist() == [0, 10, 1]
    (g,) = torch.autograd.grad(base.sum(), x, retain_graph=True)
    assert g.tolist() == [10, 10, 1]
    base.add_(x)
    (g,) = torch.autograd.grad(first.sum(), x)
    assert g.tolist() == [11, 11, 0]


def test_chains_of_views():
    x = torch.arange(12.0).requires_grad_()
    base = x * 1
    part = base.view(3, 4).t()[1:3].unsqueeze(0).transpose(1, 2)  # (1, 3, 2)
    part[0, 1] = part[0, 0] * 100
    assert base.tolist() == [0, 1, 2, 3, 4, 100, 200, 7, 8, 9, 10, 11]
    base.sum().backward()
    assert x.grad.tolist() == [1, 101, 101, 1, 1, 0, 0, 1, 1, 1, 1, 1]


def test_a_dead_view_has_written_for_good():
    x = leaf(1, 2)
    base = x * 1
    base[:1].mul_(5)
    base.sum().backward()
    assert x.grad.tolist() == [5, 1]


def test_a_constant_base_of_a_view_that_receives_a_gradient():
    base = torch.zeros(3)
    view, other = base[1:], base[:2]
    x = leaf(4, 5)
    view.copy_(x)
    assert base.requires_grad
    assert other.requires_grad
    (other * torch.tensor([1.0, 7.0])).sum().backward()
    assert x.grad.tolist() == [7, 0]


def test_zero_fill_and_copy():
    x, v = leaf(1, 2), torch.tensor(3.0, requires_grad=True)
    y = x * 2
    y.zero_()
    y.add_(x)
    (g,) = torch.autograd.grad(y.sum(), x)
    assert g.tolist() == [1, 1]
    y = x * 2
    y.fill_(v)
    assert torch.autograd.grad(y.sum(), [x, v], allow_unused=True)[1].item() == 2
    y = x * 2
    y.masked_fill_(torch.tensor([True, False]), 9.0)
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0, 2]
    y = torch.zeros(2, 2)
    y.copy_(x)
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="fill_ only supports 0-dimension"):
        y.fill_(torch.ones(1))
    with pytest.raises(RuntimeError, match="size of tensor a"):
        torch.zeros(2).copy_(torch.ones(3))


def test_second_derivatives_through_in_place_writes():
    def program(x):
        y = x * x
        y[0] = y[1].clone() * x[0]
        y[1:].mul_(x[1:])
        y.mul_(y)
        return y

    x = torch.tensor([0.5, -1.2, 0.8], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(program, [x])
    assert torch.autograd.gradgradcheck(program, [x])


def test_an_op_without_slope_cuts_the_gradient_in_place_too():
    x = leaf(1.5, 2.5)
    y = x * 1
    y.div_(2, rounding_mode="floor")
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0, 0]
    y = x * 1
    y.round_()
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [0, 0]


# --- memory ------------------------------------------------------------------------------------------------------


def test_detach_and_numpy_share_memory():
    y = leaf(1, 2) * 2
    d = y.detach()
    assert not d.requires_grad
    assert d.is_leaf
    d[0] = 50.0
    assert y.tolist() == [50, 4]
    array = d.numpy()
    array[1] = 60
    assert y.tolist() == [50, 60]
    assert np.shares_memory(np.asarray(d), y._array)


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x.view(6),
        lambda x: x.reshape(3, 2),
        lambda x: x.t(),
        lambda x: x[0],
        lambda x: x[:, 1:],
        lambda x: x[None],
        lambda x: x.unsqueeze(1),
        lambda x: x.expand(4, 2, 3),
        lambda x: x.narrow(1, 0, 2),
        lambda x: x.split(1)[1],
        lambda x: x.chunk(2)[0],
        lambda x: x.unbind(1)[2],
        lambda x: x.permute(1, 0),
        lambda x: x.flatten(),
        lambda x: x.detach(),
        lambda x: x.squeeze(),
    ],
)
def test_views_share_memory_and_version(view):
    x = torch.arange(6.0).view(2, 3)
    made = view(x)
    assert np.shares_memory(made._array, x._array)
    assert made._version is x._version


@pytest.mark.parametrize(
    "copy", [lambda x: x.clone(), lambda x: x[[0, 1]], lambda x: x[x > -1], lambda x: x.t().reshape(6)]
)
def test_copies_do_not(copy):
    x = torch.arange(6.0).view(2, 3)
    made = copy(x)
    assert not np.shares_memory(made._array, x._array)
    made.add_(1)
    assert x.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_detach_in_place():
    y = leaf(1) * 2
    y.detach_()
    assert y.is_leaf
    assert not y.requires_grad
    with pytest.raises(RuntimeError, match="Can't detach views in-place"):
        (leaf(1, 2) * 2)[:1].detach_()


# --- random programs ---------------------------------------------------------------------------------------------
#
# A program is a list of steps on a base of 6 elements. It runs once with views and in-place ops, and once functionally:
# there a view is a list of positions in the base, and every write makes a new base.

VIEWS = {
    "first half": (lambda v: v.reshape(-1)[: v.numel() // 2 or 1], lambda p: p.reshape(-1)[: p.size // 2 or 1]),
    "every second": (lambda v: v[::2], lambda p: p[::2]),
    "transposed": (lambda v: v.unsqueeze(0).transpose(0, 1), lambda p: p[None].swapaxes(0, 1)),
    "rows": (lambda v: v.view(-1, 1) if v.is_contiguous() else v[:], lambda p: p),
    "last": (lambda v: v[-1:], lambda p: p[-1:]),
}


def _rows(view, positions):
    return (view.view(-1, 1), positions.reshape(-1, 1)) if view.is_contiguous() else (view[:], positions[:])


WRITES = ("mul_", "add_", "copy_", "sin_", "setitem", "masked", "integer", "mul self")

steps = st.tuples(st.sampled_from(("view", "write")), st.integers(0, 7), st.integers(0, 7))


def run_in_place(x, program):
    base = x * 1
    views = [base]
    for kind, which, what in program:
        target = views[which % len(views)]
        if kind == "view":
            name = list(VIEWS)[what % len(VIEWS)]
            views.append(_rows(target, np.empty(0))[0] if name == "rows" else VIEWS[name][0](target))
            continue
        write_in_place(WRITES[what], target, x)
    return base, views


def write_in_place(name, target, x):
    if name == "mul_":
        target.mul_(x[0])
    elif name == "add_":
        target += x[1]
    elif name == "copy_":
        target.copy_(x[2] * 2)
    elif name == "sin_":
        target.sin_()
    elif name == "setitem":
        target[0] = x[3]
    elif name == "masked":
        target[target > 0.4] = x[4]
    elif name == "integer":
        target[torch.tensor([0])] = x[5] * x[5]
    else:
        target.mul_(target)


def run_functionally(x, program):
    base = x * 1
    views = [(np.arange(6), True)]
    for kind, which, what in program:
        positions, contiguous = views[which % len(views)]
        if kind == "view":
            views.append(_view_positions(list(VIEWS)[what % len(VIEWS)], positions, contiguous))
            continue
        part = base[torch.tensor(positions)]
        base = put(base, positions, written(WRITES[what], part, x))
    return base, [base[torch.tensor(positions)] for positions, _ in views]


def _view_positions(name, positions, contiguous):
    """The positions after a view step, and whether the memory they stand for is contiguous."""
    if name == "rows":
        positions = positions.reshape(-1, 1) if contiguous else positions[:]
    else:
        if name == "first half" and not contiguous:
            raise _Copies
        positions = VIEWS[name][1](positions)
    flat = positions.reshape(-1)
    return positions, bool((np.diff(flat) == 1).all())


class _Copies(Exception):
    """The step would copy, not view."""


def put(base, positions, part):
    """A new base with ``part`` at ``positions``."""
    rows = np.zeros((part.numel(), 6))
    rows[np.arange(part.numel()), positions.reshape(-1)] = 1
    kept = torch.tensor(1 - rows.sum(0))
    return base * kept + (part.reshape(-1, 1) * torch.tensor(rows)).sum(0)


def written(name, part, x):
    """The new values of a part."""
    first = np.zeros(part.shape)
    first[0] = 1
    first = torch.tensor(first)
    if name == "mul_":
        return part * x[0]
    if name == "add_":
        return part + x[1]
    if name == "copy_":
        return part * 0 + x[2] * 2
    if name == "sin_":
        return part.sin()
    if name == "setitem":
        return part * (1 - first) + first * x[3]
    if name == "masked":
        chosen = (part > 0.4).to(torch.float64)
        return part * (1 - chosen) + chosen * x[4]
    if name == "integer":
        return part * (1 - first) + first * (x[5] * x[5])
    return part * part


@examples(150)
@given(st.lists(steps, max_size=9), st.integers(0, 1000))
def test_random_programs_agree_with_their_functional_form(program, seed):
    values = np.random.default_rng(seed).uniform(0.2, 0.9, 6)
    x, y = (torch.tensor(values, requires_grad=True) for _ in range(2))
    try:
        expected_base, expected_views = run_functionally(y, program)
    except _Copies:
        return
    base, views = run_in_place(x, program)
    weights = np.random.default_rng(1).standard_normal(6)
    for each, expected in zip([base, *views], [expected_base, *expected_views], strict=True):
        np.testing.assert_allclose(each._array, expected._array, rtol=1e-12)
        w = torch.tensor(weights[: each.numel()].reshape(each.shape))
        (g,) = torch.autograd.grad((each * w).sum(), x, retain_graph=True, allow_unused=True, materialize_grads=True)
        (h,) = torch.autograd.grad((expected * w).sum(), y, retain_graph=True, materialize_grads=True)
        np.testing.assert_allclose(g._array, h._array, rtol=1e-10, atol=1e-12)
