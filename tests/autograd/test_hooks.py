"""Hooks on tensors: observe, replace, remove; retain_grad; after accumulation."""

import pytest

import tinygrad_fr as torch


def leaf():
    return torch.tensor([1.0, 2.0], requires_grad=True)


@pytest.mark.parametrize("create_graph", [False, True])
def test_a_hook_observes_and_replaces(create_graph):
    x = leaf()
    y = x * 3
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: seen.append(g.tolist()))
    (g,) = torch.autograd.grad((y * y).sum(), x, create_graph=create_graph)
    assert seen == [[6.0, 12.0], [60.0, 120.0]]
    assert g.tolist() == [180, 360]


def test_a_hook_on_a_leaf():
    x = leaf()
    handle = x.register_hook(lambda g: -g)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [-2, -2]
    handle.remove()
    handle.remove()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [0, 0]


def test_a_hook_sees_the_sum_of_all_gradients():
    x = leaf()
    seen = []
    x.register_hook(lambda g: seen.append(g.tolist()))
    (x * 2 + x * 3).sum().backward()
    assert seen == [[5.0, 5.0]]


def test_a_handle_as_context():
    x = leaf()
    with x.register_hook(lambda g: g * 0):
        (x * 2).sum().backward()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2, 2]


def test_a_hook_that_keeps_the_gradient_is_not_overwritten():
    x = leaf()
    kept = []
    x.register_hook(kept.append)
    (x * 2).sum().backward()
    (x * 2).sum().backward()
    x.grad.mul_(100)
    assert [each.tolist() for each in kept] == [[2.0, 2.0], [2.0, 2.0]]


def test_a_hook_that_gives_a_tensor_of_its_own():
    x, own = leaf(), torch.tensor([7.0, 7.0])
    x.register_hook(lambda g: own)
    (x * 2).sum().backward()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [14, 14]
    assert own.tolist() == [7, 7]


def test_hooks_are_refused_where_they_could_not_run():
    with pytest.raises(RuntimeError, match="doesn't require gradient"):
        torch.ones(2).register_hook(print)
    x = leaf()
    x.register_hook(lambda g: g[:1])
    with pytest.raises(RuntimeError, match=r"hook must return .*\[2\]"):
        (x * 2).sum().backward()


def test_a_hook_can_be_differentiated_through():
    x = leaf()
    y = x * x
    y.register_hook(lambda g: g * x)
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)  # 2 x^2
    assert torch.autograd.grad(g.sum(), x)[0].tolist() == [4, 8]


def test_retain_grad():
    x = leaf()
    y = x * 3
    assert not y.retains_grad
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad
    (y * y).sum().backward()
    assert y.grad.tolist() == [6, 12]
    y.grad.zero_()
    assert x.grad.tolist() == [18, 36]
    x.retain_grad()
    assert not x.retains_grad
    with pytest.raises(RuntimeError, match="requires_grad=False"):
        torch.ones(1).retain_grad()


def test_retain_grad_takes_what_the_hooks_leave():
    x = leaf()
    y = x * 3
    y.retain_grad()
    y.register_hook(lambda g: g * 2)
    y.sum().backward()
    assert y.grad.tolist() == [2, 2]
    assert x.grad.tolist() == [6, 6]


def test_retain_grad_moves_on_with_an_in_place_write():
    x = leaf()
    y = x * 1
    y.retain_grad()
    y.mul_(3)
    y.sum().backward()
    assert y.grad.tolist() == [1, 1]
    assert x.grad.tolist() == [3, 3]


def test_a_dropped_tensor_retains_nothing():
    x = leaf()
    y = x * 3
    y.retain_grad()
    z = y.sum()
    del y
    z.backward()
    assert x.grad.tolist() == [3, 3]


def test_post_accumulate_hook():
    x = leaf()
    seen = []
    handle = x.register_post_accumulate_grad_hook(lambda tensor: seen.append((tensor is x, tensor.grad.tolist())))
    (x * 2 + x).sum().backward()
    (x * 2).sum().backward()
    assert seen == [(True, [3.0, 3.0]), (True, [5.0, 5.0])]
    handle.remove()
    (x * 2).sum().backward()
    assert len(seen) == 2
    with pytest.raises(RuntimeError, match="non-leaf"):
        (x * 2).register_post_accumulate_grad_hook(print)


def test_a_post_accumulate_hook_may_step_and_clear():
    x = leaf()

    def step(tensor):
        with torch.no_grad():
            tensor.sub_(tensor.grad)
        tensor.grad = None

    x.register_post_accumulate_grad_hook(step)
    (x * 2).sum().backward()
    assert x.tolist() == [-1, 0]
    assert x.grad is None


def test_hooks_run_for_wanted_inputs_only():
    x, y = leaf(), leaf()
    seen = []
    y.register_hook(lambda g: seen.append(g))
    torch.autograd.grad((x * y).sum(), x)
    assert seen == []
