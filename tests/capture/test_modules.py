"""compile(module): a Module with the same state, whose forward and backward are both captured."""

import copy
import pickle

import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.nn import functional as F

from .harness import attempt, batch, may_fall_back, mlp, same_as_eager, values


def replayed(model, calls=3):
    """A compiled ``model`` that has been called forward and backward as often as it takes to replay."""
    compiled = torch.compile(model)
    for i in range(calls):
        model.zero_grad()
        compiled(batch(i)[0]).sum().backward()
    model.zero_grad()
    return compiled


# ---------------------------------------------------------------------------------------------------------------
# It is a Module, and its state is that of the original.


@pytest.mark.parametrize("calls", [0, 3])
def test_names_of_the_state_are_the_originals(calls):
    model = nn.Sequential(mlp(), nn.BatchNorm1d(3)) if hasattr(nn, "BatchNorm1d") else mlp(dropout=0.5)
    model.register_buffer("mean", torch.zeros(3))
    names = list(model.state_dict())
    compiled = replayed(model, calls)
    assert isinstance(compiled, nn.Module)
    assert list(compiled.state_dict()) == names
    assert [name for name, _ in compiled.named_parameters()] == [name for name, _ in model.named_parameters()]
    assert [name for name, _ in compiled.named_buffers()] == [name for name, _ in model.named_buffers()]


@pytest.mark.parametrize("calls", [0, 3])
def test_parameters_are_the_originals(calls):
    model = mlp()
    compiled = replayed(model, calls)
    for one, other in zip(compiled.parameters(), model.parameters(), strict=True):
        assert one is other
    assert len(list(compiled.parameters())) == 4


@pytest.mark.parametrize("calls", [0, 3])
def test_attributes_are_read_through_it(calls):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.size = nn.Linear(4, 3), 3

        def forward(self, x):
            return self.first(x)

        def double(self, x):
            return 2 * self.forward(x)

    model = Net()
    compiled = replayed(model, calls)
    x = batch(0)[0]
    assert compiled.size == 3
    assert compiled.first is model.first
    assert torch.equal(compiled(x) * 2, model.double(x))
    compiled.size = 7
    assert compiled.size == 7
    with pytest.raises(AttributeError, match="absent"):
        _ = compiled.absent


@pytest.mark.parametrize("calls", [0, 3])
def test_train_and_eval_reach_the_original(calls):
    model = mlp(dropout=0.5)
    compiled = replayed(model, calls)
    assert compiled.eval() is compiled
    assert not any(each.training for each in [compiled, model, *model])
    compiled.train()
    assert all(each.training for each in [compiled, model, *model])
    model.eval()
    x = batch(0)[0]
    assert torch.equal(compiled(x), compiled(x))


def test_load_state_dict_through_it_and_beside_it():
    model, other = mlp(), mlp()
    compiled, x = replayed(model), batch(0)[0]
    compiled.load_state_dict(other.state_dict())
    assert torch.equal(compiled(x), other(x))
    third = mlp()
    model.load_state_dict(third.state_dict())
    assert torch.equal(compiled(x), third(x))
    fourth = mlp()
    fourth.load_state_dict(compiled.state_dict())
    assert torch.equal(fourth(x), third(x))


def test_saving_and_loading(tmp_path):
    model = mlp()
    compiled, x = replayed(model), batch(0)[0]
    torch.save(compiled.state_dict(), tmp_path / "weights.safetensors")
    other = mlp()
    other.load_state_dict(torch.load(tmp_path / "weights.safetensors"))
    assert torch.equal(other(x), compiled(x))


@pytest.mark.parametrize("calls", [0, 3])
def test_a_deep_copy_is_independent(calls):
    compiled, x = replayed(mlp(), calls), batch(0)[0]
    before = compiled(x).detach()
    other = copy.deepcopy(compiled)
    assert isinstance(other, nn.Module)
    assert not {*other.parameters()} & {*compiled.parameters()}
    for _ in range(4):
        assert torch.equal(other(x).detach(), before)
    with torch.no_grad():
        for p in compiled.parameters():
            p.zero_()
    for _ in range(4):
        assert torch.equal(other(x).detach(), before)
        assert not torch.equal(compiled(x).detach(), before)
    assert list(other.state_dict()) == list(compiled.state_dict())


@pytest.mark.parametrize("calls", [0, 3])
def test_a_deep_copy_of_the_original_is_independent(calls):
    model, x = mlp(), batch(0)[0]
    compiled = replayed(model, calls)
    other = copy.deepcopy(model)
    with torch.no_grad():
        model[0].weight.zero_()
    assert torch.equal(compiled(x), model(x))
    assert not torch.equal(other(x), model(x))


@pytest.mark.parametrize("calls", [0, 3])
def test_pickling(calls):
    compiled, x = replayed(mlp(), calls), batch(0)[0]
    other = pickle.loads(pickle.dumps(compiled))
    for _ in range(4):
        assert torch.equal(other(x), compiled(x))


def test_printing_it_shows_the_layers():
    assert "Linear(in_features=4, out_features=5, bias=True)" in repr(torch.compile(mlp()))


def test_forward_can_be_called():
    model = mlp()
    compiled, x = replayed(model), batch(0)[0]
    for _ in range(4):
        assert torch.equal(compiled.forward(x), model(x))


def test_conversion_through_it():
    model = mlp()
    compiled, x = replayed(model), batch(0)[0].double()
    assert compiled.double() is compiled
    assert model[0].weight.dtype == torch.float64
    for _ in range(4):
        assert torch.equal(compiled(x), model(x))


def test_it_can_be_a_part_of_another_module():
    model = mlp()
    outer = nn.Sequential(torch.compile(model), nn.Softmax(1))
    assert len(list(outer.parameters())) == 4
    for i in range(5):
        x = batch(i)[0]
        assert torch.equal(outer(x), model(x).softmax(1))


def test_requires_grad_and_zero_grad_through_it():
    model = mlp()
    compiled = replayed(model)
    compiled(batch(0)[0]).sum().backward()
    compiled.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    compiled.requires_grad_(False)
    assert not compiled(batch(0)[0]).requires_grad


def test_module_compile_compiles_in_place():
    """`Module.compile`, as PyTorch has it, or its absence: never a method that does nothing."""
    model, x = mlp(), batch(0)[0]
    if not hasattr(model, "compile"):
        return
    expected = model(x)
    assert model.compile() is None
    for _ in range(4):
        assert torch.equal(model(x), expected)


# ---------------------------------------------------------------------------------------------------------------
# Backward outside of what is compiled.


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@same_as_eager
def test_loss_and_backward_outside(compile, dropout):
    model = mlp(dropout)
    compiled, criterion = compile(model), nn.CrossEntropyLoss()
    optimizer = optim.Adam(compiled.parameters(), lr=0.1)

    def call(i):
        x, y = batch(i, rows=2 if i == 4 else 6)
        optimizer.zero_grad()
        output = compiled(x)
        loss = criterion(output, y)
        loss.backward()
        optimizer.step()
        return loss, output, model, optimizer

    return call


@same_as_eager
def test_a_compiled_loss_of_a_compiled_model(compile):
    model = mlp()
    compiled, criterion = compile(model), compile(lambda output, y: F.cross_entropy(output, y))

    def call(i):
        model.zero_grad()
        loss = criterion(compiled(batch(i)[0]), batch(i)[1])
        loss.backward()
        return loss, model

    return call


@same_as_eager
def test_three_forwards_before_one_backward(compile):
    """What forward saved for one call must outlive the next ones."""
    model = mlp()
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        outputs = [compiled(batch(3 * i + j)[0]) for j in range(3)]
        loss = sum(F.cross_entropy(output, batch(3 * i + j)[1]) for j, output in enumerate(outputs))
        loss.backward()
        return loss, outputs, model

    return call


@same_as_eager
def test_backward_of_an_earlier_forward(compile):
    """Only the first of two is differentiated, after the second was run; of the second at the next call."""
    model = mlp(dropout=0.5)
    compiled = compile(model)
    waiting = []

    def call(i):
        model.zero_grad()
        waiting.append(compiled(batch(i)[0]))
        if i % 2 and i > 1:
            waiting.pop(0).square().sum().backward()
        return list(waiting), model

    return call


@same_as_eager
def test_without_backward_at_some_calls(compile):
    model = mlp()
    compiled = compile(model)

    def call(i):
        y = compiled(batch(i)[0])
        if i % 2 == 0:
            y.sum().backward()
        return y, model

    return call


@same_as_eager
def test_backward_twice(compile):
    """RuntimeError, the second time; and no gradient is added twice."""
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        y = compiled(batch(i)[0])
        loss = y.square().sum()
        loss.backward()
        result = attempt(lambda: y.sum().backward())
        return result and result[0], model

    return call


@same_as_eager
def test_backward_twice_with_a_graph_that_is_retained(compile):
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        y = compiled(batch(i)[0])
        y.sum().backward(retain_graph=True)
        first = [p.grad.clone() for p in model.parameters()]
        y.square().sum().backward()
        return first, y, model

    return call


@same_as_eager
def test_backward_from_a_given_gradient(compile):
    model = mlp()
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        y = compiled(batch(i)[0])
        y.backward(values(i, 6, 3))
        return y, model

    return call


@same_as_eager
def test_an_input_that_wants_a_gradient(compile):
    model = mlp()
    compiled = compile(model)

    def call(i):
        x = batch(i)[0].requires_grad_(i % 3 != 2)
        compiled(x).square().sum().backward()
        return x, model

    return call


@same_as_eager
def test_layers_before_and_after_that_are_not_compiled(compile):
    first, middle, last = nn.Linear(4, 4), mlp(), nn.Linear(3, 2)
    compiled = compile(middle)

    def call(i):
        loss = last(compiled(first(batch(i)[0]).relu()).tanh()).square().mean()
        loss.backward()
        return loss, first, middle, last

    return call


@same_as_eager
def test_the_output_is_used_twice_and_changed(compile):
    model = mlp()
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        y = compiled(batch(i)[0])
        z = y * y + y
        z.add_(1)
        z[0] = 0.0
        z.sum().backward()
        return y, z, model

    return call


@same_as_eager
def test_writing_into_the_output_before_backward(compile):
    """Seen by the graph, or refused, as eagerly."""
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh())
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        y = compiled(batch(i)[0])
        y.mul_(2)
        result = attempt(lambda: y.sum().backward())
        return result and result[0], y, model

    return call


@same_as_eager
def test_writing_into_the_input_before_backward(compile):
    """The weight gradient needs the input: RuntimeError, as eagerly."""
    model = mlp()
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        x = batch(i)[0]
        y = compiled(x)
        x.add_(1)
        result = attempt(lambda: y.sum().backward())
        return result and result[0], model

    return call


@same_as_eager
def test_writing_into_parameters_before_backward(compile):
    model = mlp()
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        y = compiled(batch(i)[0])
        with torch.no_grad():
            model[2].weight.mul_(1.1)
        result = attempt(lambda: y.sum().backward())
        return result and result[0], y, model

    return call


class Several(nn.Module):
    """Gives several outputs, nested; one has no gradient."""

    def __init__(self):
        super().__init__()
        self.body, self.mean, self.spread = nn.Linear(4, 3), nn.Linear(3, 2), nn.Linear(3, 2)

    def forward(self, x, scale=1.0):
        h = self.body(x).tanh()
        return {"mean": self.mean(h) * scale, "others": (self.spread(h).exp(), h, h.argmax(1))}


USES = {
    "all": lambda out: out["mean"].sum() + out["others"][0].sum() + out["others"][1].sum(),
    "the first": lambda out: out["mean"].sum(),
    "the hidden layer": lambda out: out["others"][1].square().sum(),
    "by the choice": lambda out: out["others"][1].gather(1, out["others"][2].unsqueeze(1)).sum(),
}


@pytest.mark.parametrize("use", USES)
@same_as_eager
def test_several_outputs_of_which_some_are_used(compile, use):
    model = Several()
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        out = compiled(batch(i)[0], scale=1.0 + i % 2)
        USES[use](out).backward()
        return out, model

    return call


@same_as_eager(calls=8)
def test_different_outputs_are_used_from_call_to_call(compile):
    model = Several()
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        out = compiled(batch(i)[0])
        USES[[*USES][i % len(USES)]](out).backward()
        return out, model

    return call


@may_fall_back
def test_very_many_outputs(compile):
    w = torch.ones(3, requires_grad=True)
    f = compile(lambda x: [(w * x * j).tanh() for j in range(8)])

    def call(i):
        w.grad = None
        outputs = f(values(i, 3))
        sum(each.sum() for j, each in enumerate(outputs) if (i + j) % 3).backward()
        return outputs, w

    return call


@same_as_eager
def test_one_output_after_the_other(compile):
    model = Several()
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        out = compiled(batch(i)[0])
        out["mean"].sum().backward(retain_graph=True)
        first = [None if p.grad is None else p.grad.clone() for p in model.parameters()]
        out["others"][0].sum().backward()
        return first, model

    return call


@same_as_eager
def test_an_output_that_is_the_input_or_a_parameter(compile):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4))

        def forward(self, x):
            return x, self.weight, x * self.weight

    model = Net()
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        x = batch(i)[0].requires_grad_()
        same, weight, product = compiled(x)
        (product.sum() + (weight * 2).sum() + same.square().sum()).backward()
        return same is x, weight is model.weight, x, model

    return call


@same_as_eager
def test_grad_of_outputs(compile):
    model = mlp()
    compiled = compile(model)

    def call(i):
        x = batch(i)[0].requires_grad_()
        y = compiled(x)
        return torch.autograd.grad(y.square().sum(), [x, model[0].weight]), model

    return call


@same_as_eager
def test_hooks_on_outputs(compile):
    model, seen = mlp(), []
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        y = compiled(batch(i)[0])
        y.register_hook(lambda g: seen.append(g) or g * 2)
        y.retain_grad()
        y.square().sum().backward()
        return y, y.grad, list(seen), model

    return call


@same_as_eager(calls=8)
def test_hooks_on_parameters(compile):
    model, seen = mlp(), []
    compiled = compile(model)
    handles = []

    def call(i):
        model.zero_grad()
        if i == 4:
            handles.append(model[0].weight.register_hook(lambda g: seen.append(g.clone()) or g * 0.5))
            handles.append(model[2].bias.register_post_accumulate_grad_hook(lambda p: seen.append(p.grad.clone())))
        if i == 6:
            for handle in handles:
                handle.remove()
        compiled(batch(i)[0]).square().sum().backward()
        return list(seen), model

    return call


@may_fall_back(calls=8)
def test_forward_hooks_on_the_compiled_module(compile):
    model, seen = mlp(), []
    compiled = compile(model)

    def call(i):
        if i == 4:
            compiled.register_forward_hook(lambda module, args, result: seen.append(result.shape) or result * 2)
        return compiled(batch(i)[0]), list(seen)

    return call


@same_as_eager(calls=10)
def test_gradients_wanted_and_not(compile):
    """Training and evaluation of one compiled module, in turn."""
    model = mlp(dropout=0.5)
    compiled = compile(model)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def call(i):
        x, y = batch(i)
        if i % 3 == 2:
            compiled.eval()
            with torch.no_grad():
                return compiled(x), model
        compiled.train()
        optimizer.zero_grad()
        output = compiled(x)
        F.cross_entropy(output, y).backward()
        optimizer.step()
        return output, model, optimizer

    return call


@same_as_eager(calls=8)
def test_frozen_parameters(compile):
    model = mlp()
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        model[0].requires_grad_(i not in (3, 4, 6))
        compiled(batch(i)[0]).sum().backward()
        return model

    return call


@same_as_eager
def test_all_parameters_are_frozen(compile):
    model = mlp().requires_grad_(False)
    compiled = compile(model)

    def call(i):
        x = batch(i)[0].requires_grad_(i % 2 == 0)
        y = compiled(x)
        if y.requires_grad:
            y.sum().backward()
        return x, y

    return call


@same_as_eager
def test_accumulation_over_calls(compile):
    model = mlp()
    compiled = compile(model)

    def call(i):
        if i % 3 == 0:
            model.zero_grad(set_to_none=i % 2 == 0)
        F.cross_entropy(compiled(batch(i)[0]), batch(i)[1]).backward()
        return [p.grad.clone() for p in model.parameters()], model

    return call


# --- second derivatives: right, or refused; never wrong ----------------------------------------------------------


def _penalty(x, y):
    """The square of the gradient's norm."""
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    return g.square().sum()


@may_fall_back(rtol=1e-6)
def test_second_derivatives(compile):
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 1))
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        x = batch(i)[0].requires_grad_()
        loss = _penalty(x, compiled(x).sum())
        loss.backward()
        return loss, x, model

    return call


@may_fall_back(rtol=1e-6)
def test_third_derivatives(compile):
    f = compile(lambda x: (x**4).sum() + x.exp().sum())

    def call(i):
        x = values(i, 3).requires_grad_()
        (first,) = torch.autograd.grad(f(x), x, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), x, create_graph=True)
        (third,) = torch.autograd.grad(second.sum(), x)
        return first, second, third

    return call


@may_fall_back(rtol=1e-6)
def test_second_derivatives_after_first_ones(compile):
    """The graph of a gradient is asked for at a later call only."""
    model = nn.Sequential(nn.Linear(4, 5), nn.Sigmoid(), nn.Linear(5, 1))
    compiled = compile(model)

    def call(i):
        model.zero_grad()
        x = batch(i)[0].requires_grad_()
        y = compiled(x).sum()
        loss = _penalty(x, y) if i in (3, 5) else y
        loss.backward()
        return loss, x, model

    return call


@same_as_eager
def test_gradcheck_of_a_compiled_function(compile):
    f = compile(lambda x, y: (x * y).tanh() + x @ y.T)

    def call(i):
        x, y = (values(j + i, 2, 2, dtype="f8").requires_grad_() for j in (0, 50))
        return torch.autograd.gradcheck(f, (x, y))

    return call
