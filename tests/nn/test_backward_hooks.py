"""Full backward hooks of modules: what they are told, what they may replace, what is refused."""

import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.autograd import gradcheck, gradgradcheck


class Pair(nn.Module):
    """Two results and something else."""

    def forward(self, x, y, factor=2):
        return x * factor, x * y, "no tensor"


def plain(gradients):
    return tuple(g.tolist() if isinstance(g, torch.Tensor) else g for g in gradients)


def watched(module):
    """The module, and the list of what its hooks are told."""
    told = []
    module.register_full_backward_pre_hook(lambda m, grad_output: told.append(("pre", m, plain(grad_output))))
    module.register_full_backward_hook(lambda m, inner, outer: told.append(("hook", m, plain(inner), plain(outer))))
    return module, told


def test_hooks_are_told_the_gradients_of_results_and_arguments():
    pair, told = watched(Pair())
    x, y = torch.tensor([3.0], requires_grad=True), torch.tensor([5.0], requires_grad=True)
    first, second, rest = pair(x, y)
    (7 * first + second).backward()
    assert rest == "no tensor"
    assert told == [("pre", pair, ([7], [1], None)), ("hook", pair, ([19], [3]), ([7], [1], None))]
    assert (x.grad.item(), y.grad.item()) == (19, 3)


def test_what_has_no_gradient_is_none_and_what_wants_none_is_zero():
    pair, told = watched(Pair())
    x = torch.tensor([3.0], requires_grad=True)
    pair(x, torch.tensor([5.0]))[0].backward()
    pair(x, 5)[1].backward()
    assert told[1] == ("hook", pair, ([2], [0]), ([1], None, None))
    assert told[3] == ("hook", pair, ([5], None), (None, [1], None))


def test_without_gradients_hooks_are_not_called():
    layer, told = watched(nn.Identity())
    x = torch.ones(1, requires_grad=True)
    with torch.no_grad():
        assert layer(x) is x
    assert layer(x.detach()) is not None
    assert told == []


def test_arguments_that_want_no_gradient():
    layer, told = watched(nn.Linear(1, 1, bias=False))
    with pytest.warns(UserWarning, match="no inputs require gradients"):
        layer(torch.ones(1, 1)).backward()
    assert told == [("pre", layer, ([[1]],)), ("hook", layer, (None,), ([[1]],))]
    layer.register_full_backward_hook(lambda m, inner, outer: (torch.ones(1),))
    loss = layer(torch.ones(1, 1))
    with (
        pytest.raises(RuntimeError, match="should always return None"),
        pytest.warns(UserWarning, match="no inputs require gradients"),
    ):
        loss.backward()


def test_hooks_replace_gradients_in_their_order_and_can_be_removed():
    layer = nn.Tanh()
    x = torch.zeros(1, requires_grad=True)
    layer.register_full_backward_hook(lambda m, inner, outer: (inner[0] * 2,))
    layer.register_full_backward_hook(lambda m, inner, outer: (inner[0] + 1,), prepend=True)
    before = layer.register_full_backward_pre_hook(lambda m, outer: (outer[0] * 10,))
    layer(x).backward()
    assert x.grad.item() == (10 + 1) * 2
    before.remove()
    x.grad = None
    layer(x).backward()
    assert x.grad.item() == (1 + 1) * 2
    one = layer.register_full_backward_hook(lambda m, inner, outer: inner[0] * 0)
    x.grad = None
    layer(x).backward()
    assert x.grad.item() == 0
    one.remove()


def test_wrong_numbers_of_gradients_are_refused():
    x = torch.ones(1, requires_grad=True)
    layer = nn.Identity()
    with layer.register_full_backward_hook(lambda m, inner, outer: (inner[0], inner[0])):
        y = layer(x)
        with pytest.raises(RuntimeError, match="Backward hook returned an invalid number of grad_input, got 2"):
            y.backward()
    with layer.register_full_backward_pre_hook(lambda m, outer: (outer[0], outer[0])):
        y = layer(x)
        with pytest.raises(RuntimeError, match="Backward pre hook returned an invalid number of grad_output, got 2"):
            y.backward()


def test_writing_over_arguments_and_results_is_refused():
    x = torch.ones(1, requires_grad=True)
    writes, _ = watched(nn.ReLU(inplace=True))
    with pytest.raises(RuntimeError, match="module with backward hooks"):
        writes(x * 1)
    layer, _ = watched(nn.Identity())
    with pytest.raises(RuntimeError, match="module with backward hooks"):
        layer(x).relu_()


def test_results_of_another_form_are_warned_of():
    class Named(nn.Module):
        def forward(self, x):
            return {"result": x * 2}

    named, told = watched(Named())
    x = torch.ones(1, requires_grad=True)
    with pytest.warns(UserWarning, match="should be a Tensor or a tuple of Tensors but received <class 'dict'>"):
        named(x)["result"].backward()
    assert (x.grad.item(), told) == (2, [])


def test_hooks_of_models_see_every_layer_from_the_last_to_the_first():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    order = []
    for layer in model:
        layer.register_full_backward_hook(lambda m, inner, outer: order.append((m, inner[0].shape, outer[0].shape)))
    model(torch.ones(4, 2, requires_grad=True)).sum().backward()
    assert order == [(model[2], (4, 3), (4, 1)), (model[1], (4, 3), (4, 3)), (model[0], (4, 2), (4, 3))]


def test_gradients_through_hooks_are_differentiable():
    layer = nn.Tanh()
    layer.register_full_backward_hook(lambda m, inner, outer: (inner[0] * 1,))
    x = torch.tensor([0.3, -0.7]).double().requires_grad_()
    assert gradcheck(layer, [x])
    assert gradgradcheck(layer, [x])


def test_compiled_models_with_hooks_run_eagerly():
    layer, told = watched(nn.Tanh())
    compiled = torch.compile(layer)

    def train(calls):
        for _ in range(calls):
            x = torch.zeros(1, requires_grad=True)
            compiled(x).backward()
            assert x.grad.item() == 1

    with pytest.warns(UserWarning, match=r"runs without compilation .* a full backward hook of Tanh"):
        train(5)
    assert len(told) == 10


@pytest.mark.filterwarnings("ignore:.*runs without compilation")
@pytest.mark.parametrize("whole_step", [True, False])
def test_hooks_that_come_after_compiling_are_called(whole_step):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(nn.Tanh())

        def forward(self, x):
            return self.inner(x)

    model = Model()
    x = torch.zeros(1, requires_grad=True)

    def step(x):
        (g,) = torch.autograd.grad(model(x), x)
        return g

    compiled = torch.compile(step if whole_step else model)

    def gradient():
        return (compiled(x) if whole_step else torch.autograd.grad(compiled(x), x)[0]).item()

    assert [gradient() for _ in range(5)] == [1] * 5
    for watching in (model, model.inner, model.inner[0]):
        handle = watching.register_full_backward_hook(lambda m, inner, outer: (inner[0] * 3,))
        assert gradient() == 3
        handle.remove()
        assert gradient() == 1
