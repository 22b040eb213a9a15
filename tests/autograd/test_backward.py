"""backward(): accumulation, freed graphs, shared parts, many roots, long chains, memory."""

import gc
import weakref

import pytest

import tinygrad_fr as torch


def leaf(*values):
    return torch.tensor([float(each) for each in values], requires_grad=True)


def test_gradients_accumulate():
    x = leaf(1, 2)
    (x * 3).sum().backward()
    first = x.grad
    (x * x).sum().backward()
    assert x.grad is first
    assert x.grad.tolist() == [5, 7]


def test_only_leaves_get_gradients():
    x = leaf(1, 2)
    y = x * 3
    y.sum().backward()
    assert y.grad is None
    assert not y.is_leaf


def test_a_second_backward_needs_retain_graph():
    x = leaf(1, 2)
    y = (x * x).sum()
    y.backward()
    with pytest.raises(RuntimeError, match=r"backward through the graph a second time.*'mul'.*retain_graph=True"):
        y.backward()
    z = (x.exp() * x).sum()
    z.backward(retain_graph=True)
    once = x.grad.clone()
    z.backward()
    assert x.grad.tolist() == pytest.approx((once + once - torch.tensor([2.0, 4.0])).tolist())


def test_an_op_that_saves_nothing_goes_backward_twice():
    x = leaf(1, 2)
    y = x + x
    y.backward(torch.ones(2))
    y.backward(torch.ones(2))
    assert x.grad.tolist() == [4, 4]


def test_only_a_single_element_has_an_implicit_gradient():
    x = leaf(1, 2)
    with pytest.raises(RuntimeError, match=r"only for scalar outputs.*\[2\]"):
        (x * 2).backward()
    (x[:1] * 2).backward()
    assert x.grad.tolist() == [2, 0]


def test_the_given_gradient_is_checked_and_takes_the_dtype_of_the_root():
    x = leaf(1, 2)
    with pytest.raises(RuntimeError, match=r"Mismatch in shape: grad_output\[0\] has a shape of \[3\].*\[2\]"):
        (x * 2).backward(torch.ones(3))
    with pytest.raises(TypeError, match="float"):
        (x * 2).backward([2.0])
    (x * 2).backward(torch.ones(2, dtype=torch.float64))
    assert x.grad.dtype is torch.float32


def test_a_root_outside_the_graph_is_refused():
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        torch.ones(1).sum().backward()
    with torch.no_grad():
        y = leaf(1) * 2
    with pytest.raises(RuntimeError, match="element 0 of tensors does not require grad"):
        y.backward()


def test_backward_of_a_leaf():
    x = torch.tensor(3.0, requires_grad=True)
    x.backward()
    x.backward()
    assert x.grad.item() == 2


def test_shared_subexpressions_and_diamonds():
    x = torch.tensor(2.0, requires_grad=True)
    s = x * x
    y = s * s + s.exp() * 0 + s
    y.backward()
    assert x.grad.item() == 4 * 8 + 4
    x.grad = None
    a = x * 3
    b, c = a + 1, a * 2
    for _ in range(20):  # 2^20 paths, 20 nodes
        b = b + b
    (b * 1e-6 + c).backward()
    assert x.grad.item() == pytest.approx(3 * 2**20 * 1e-6 + 6)


def test_a_node_waits_for_all_its_gradients():
    """The short path to s arrives before the long one; s must go backward once, with the sum."""
    x = torch.tensor(1.0, requires_grad=True)
    calls = []
    s = x * 2
    s.register_hook(lambda g: calls.append(g.item()))
    long = s
    for _ in range(5):
        long = long * 2
    (long + s).backward()
    assert calls == [33]


def test_many_roots():
    x = leaf(1, 2)
    torch.autograd.backward([(x * 2).sum(), x * 3], [None, torch.tensor([1.0, 10.0])])
    assert x.grad.tolist() == [5, 32]
    with pytest.raises(RuntimeError, match="2 tensors and 1 gradients"):
        torch.autograd.backward([x * 2, x * 3], [torch.ones(2)])
    y = x * 2
    torch.autograd.backward([y, y], [torch.ones(2), torch.ones(2)])
    assert x.grad.tolist() == [9, 36]


def test_inputs_limit_what_gets_a_gradient():
    x, y = leaf(1, 2), leaf(3, 4)
    z = x * y
    w = z * z
    w.sum().backward(inputs=[x, z], retain_graph=True)
    assert x.grad.tolist() == [2 * 1 * 9, 2 * 2 * 16]
    assert z.grad.tolist() == [6, 16]
    assert y.grad is None
    w.sum().backward(inputs=y)
    assert y.grad.tolist() == [2 * 3 * 1, 2 * 4 * 4]
    with pytest.raises(RuntimeError, match="cannot be empty"):
        (x * 2).sum().backward(inputs=[])


def test_backward_works_inside_no_grad():
    x = leaf(1, 2)
    y = (x * x).sum()
    with torch.no_grad():
        y.backward()
    assert x.grad.tolist() == [2, 4]
    assert not x.grad.requires_grad


def test_a_chain_of_a_million_ops():
    x = torch.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(1_000_000):
        y = y + x
    y.backward()
    assert x.grad.item() == 1_000_001
    del y  # a million nodes die without recursion, too


@pytest.mark.parametrize("backward", [False, True])
def test_a_dropped_graph_dies_at_once(backward):
    gc.disable()
    try:
        x = torch.ones(3, requires_grad=True)
        w = torch.ones(4, 3, requires_grad=True)
        h = torch.matmul(w, x)
        s = h.sigmoid()
        v = s[1:]
        out = (torch.log_softmax(v, 0) * v).sum()
        nodes = [weakref.ref(each.grad_fn) for each in (h, s, v, out)]
        tensors = [weakref.ref(each) for each in (h, s, v, out)]
        arrays = [weakref.ref(each._array) for each in (h, s)]
        if backward:
            out.backward()
        del h, s, v, out
        assert [each() for each in (*nodes, *tensors, *arrays)] == [None] * 10
    finally:
        gc.enable()


def test_in_place_history_dies_at_once():
    gc.disable()
    try:
        x = torch.ones(3, requires_grad=True)
        y = x * 2
        v = y[1:]
        v.mul_(3)
        y.add_(1)
        y[0] = 5.0
        nodes = [weakref.ref(each.grad_fn) for each in (y, v)]
        y.sum().backward()
        del y, v
        assert [each() for each in nodes] == [None, None]
    finally:
        gc.enable()


def test_saved_arrays_are_freed_by_backward():
    x = torch.ones(3, requires_grad=True)
    h = x * 2
    array = weakref.ref(h._array)
    y = (h * h).sum()
    del h
    assert array() is not None
    y.backward()
    assert array() is None


def test_the_graph_does_not_keep_tensors_alive():
    x = torch.ones(3, requires_grad=True)
    h = x + 2
    tensor, array = weakref.ref(h), weakref.ref(h._array)
    y = h + 1
    del h
    assert tensor() is None
    assert array() is None
    y.sum().backward()
    assert x.grad.tolist() == [1, 1, 1]
