"""Grad mode, inference mode and the recorder: nesting, decorators, threads."""

import threading

import pytest

import tinygrad_fr as torch
from tests.hearing import Hearing
from tinygrad_fr.autograd import recording


def leaf():
    return torch.ones(2, requires_grad=True)


def test_no_grad_and_enable_grad_nest():
    x = leaf()
    with torch.no_grad():
        assert not torch.is_grad_enabled()
        assert not (x * 2).requires_grad
        with torch.enable_grad():
            assert (x * 2).requires_grad
            with torch.no_grad():
                assert not (x * 2).requires_grad
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert torch.is_grad_enabled()
    assert (x * 2).requires_grad


def test_the_mode_comes_back_after_an_exception():
    with pytest.raises(KeyError), torch.no_grad():
        raise KeyError
    assert torch.is_grad_enabled()


def test_one_switch_may_be_entered_twice():
    switch = torch.no_grad()
    with switch, switch:
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("decorator", [torch.no_grad, torch.no_grad(), torch.inference_mode, torch.inference_mode()])
def test_decorators(decorator):
    @decorator
    def double(x):
        """Twice."""
        return x * 2

    assert not double(leaf()).requires_grad
    assert double.__name__ == "double"
    assert double.__doc__ == "Twice."
    assert torch.is_grad_enabled()


def test_enable_grad_as_decorator():
    @torch.enable_grad()
    def double(x):
        return x * 2

    with torch.no_grad():
        assert double(leaf()).requires_grad


def test_set_grad_enabled_as_a_call():
    try:
        torch.set_grad_enabled(False)
        assert not (leaf() * 2).requires_grad
    finally:
        torch.set_grad_enabled(True)
    assert (leaf() * 2).requires_grad


@pytest.mark.parametrize("mode", [True, False])
def test_set_grad_enabled_as_context_and_decorator(mode):
    with torch.set_grad_enabled(mode):
        assert torch.is_grad_enabled() is mode
    assert torch.is_grad_enabled()

    @torch.set_grad_enabled(mode)
    def enabled():
        return torch.is_grad_enabled()

    assert torch.is_grad_enabled()
    assert enabled() is mode
    assert torch.is_grad_enabled()


def test_inference_tensors():
    x = leaf()
    with torch.inference_mode():
        assert torch.is_inference_mode_enabled()
        assert not torch.is_grad_enabled()
        y = x * 2
        made = torch.ones(2)
        view = x[:1]
        assert y.is_inference()
        assert made.is_inference()
        assert not view.is_inference()
        y.add_(1)
    assert not torch.is_inference_mode_enabled()
    assert not x.is_inference()
    with pytest.raises(RuntimeError, match=r"Inference tensors cannot be saved for backward.*mul"):
        x * y
    with pytest.raises(RuntimeError, match="Inplace update to inference tensor"):
        y.add_(1)
    with pytest.raises(RuntimeError, match="inference tensor"):
        y.requires_grad = True
    assert (x * y.clone()).requires_grad
    assert (y + 1).tolist() == [4, 4]
    assert (x + y).requires_grad  # a sum saves nothing


def test_inference_mode_false_records_again():
    with torch.inference_mode(), torch.inference_mode(False):
        assert (leaf() * 2).requires_grad
    with torch.inference_mode(mode=False):
        assert not torch.is_inference_mode_enabled()


def in_thread(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    return result[0]


def test_modes_belong_to_a_thread():
    hearing = Hearing()
    x = leaf()
    with torch.no_grad(), recording(hearing):
        assert in_thread(lambda: (torch.is_grad_enabled(), (x * 2).requires_grad)) == (True, True)
        assert hearing.calls == []
        x * 2
        assert len(hearing.calls) == 1
    with torch.inference_mode():
        assert in_thread(lambda: torch.is_inference_mode_enabled()) is False


def test_threads_that_compute_at_once():
    """Each with its own mode, its own graph, and one leaf of its own."""
    start = threading.Barrier(4)
    results = {}

    def work(i):
        x = torch.full((50,), float(i), requires_grad=True)
        start.wait()
        for _ in range(50):
            with torch.no_grad():
                assert not (x * 2).requires_grad
            (x * x).sum().backward()
        results[i] = x.grad.tolist()

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert results == {i: [100.0 * i] * 50 for i in range(4)}


def test_factory_functions_ignore_no_grad():
    with torch.no_grad():
        assert torch.ones(2, requires_grad=True).requires_grad
        assert leaf().requires_grad
