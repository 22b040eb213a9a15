"""Module: registration, walking, state_dict, hooks, conversion, printing, copying."""

import copy
import pickle
import re
from collections import OrderedDict

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn
from tinygrad_fr.nn import functional as F

from .golden import RECORDED

PRINTED = RECORDED["printed"]


def mlp():
    return nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 1, bias=False))


class Net(nn.Module):
    """A module with everything: parameters, buffers of both kinds, submodules, one of them shared."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.scale = nn.Parameter(torch.ones(3))
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("scratch", torch.zeros(1), persistent=False)
        self.count = nn.Buffer(torch.zeros(()).long())
        self.head = mlp_head = nn.Sequential(nn.ReLU(), nn.Linear(3, 1))
        self.again = mlp_head[1]

    def forward(self, x):
        return self.head(self.first(x) * self.scale - self.mean)


# ---------------------------------------------------------------------------------------------------------------
# What is registered, and under which names.


def test_the_network_of_the_course_has_19_parameters():
    model = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid(), nn.Linear(3, 1))
    assert sum(p.numel() for p in model.parameters()) == 4 * 3 + 3 + 3 * 1 + 1 == 19


def test_names_of_parameters_buffers_and_modules():
    net = Net()
    parameters = ["scale", "first.weight", "first.bias", "head.1.weight", "head.1.bias"]
    assert [name for name, _ in net.named_parameters()] == parameters
    with_twins = [name for name, _ in net.named_parameters(remove_duplicate=False)]
    assert with_twins == [*parameters, "again.weight", "again.bias"]
    assert [name for name, _ in net.named_parameters(prefix="net", recurse=False)] == ["net.scale"]
    assert [name for name, _ in net.named_buffers()] == ["mean", "scratch", "count"]
    assert [name for name, _ in net.named_children()] == ["first", "head", "again"]
    assert [name for name, _ in net.named_modules()] == ["", "first", "head", "head.0", "head.1"]
    assert next(iter(net.modules())) is net
    assert list(net.children()) == [net.first, net.head, net.again]
    assert len(list(net.buffers())) == 3


def test_members_are_attributes_and_can_be_replaced_and_deleted():
    net = Net()
    assert net.scale is net._parameters["scale"]
    net.scale = None
    assert net.scale is None
    assert "scale" not in dict(net.named_parameters())
    net.mean = torch.ones(3)
    assert net._buffers["mean"] is net.mean
    net.mean = nn.Parameter(torch.ones(3))
    assert "mean" in dict(net.named_parameters())
    assert "mean" not in dict(net.named_buffers())
    del net.first
    assert not hasattr(net, "first")
    net.note = "any other attribute"
    assert net.note == "any other attribute"
    del net.note
    assert {"mean", "head", "count"} <= set(dir(net))
    with pytest.raises(AttributeError, match="'Net' object has no attribute 'note'"):
        net.note  # noqa: B018


def test_an_attribute_becomes_a_member_when_one_is_assigned():
    net = Net()
    net.extra = 3
    net.extra = nn.Parameter(torch.zeros(1))
    assert "extra" not in net.__dict__
    assert isinstance(net.extra, nn.Parameter)


class Forgetful(nn.Module):
    def __init__(self, member):
        self.member = member


@pytest.mark.parametrize(
    ("member", "kind"), [(nn.Parameter(), "parameters"), (nn.ReLU(), "module"), (nn.Buffer(), "buffer")]
)
def test_members_before_init_are_refused(member, kind):
    with pytest.raises(AttributeError, match=re.escape(f"cannot assign {kind} before Module.__init__() call")):
        Forgetful(member)


def test_calling_without_init_is_refused():
    with pytest.raises(AttributeError, match="'Forgetful' object has no attribute"):
        Forgetful(3)(torch.ones(1))


BAD_NAMES = [
    (KeyError, "a.b", r"can't contain"),
    (KeyError, "", "can't be empty string"),
    (KeyError, "forward", "attribute 'forward' already exists"),
    (TypeError, 3, "name should be a string. Got int"),
]


@pytest.mark.parametrize(("kind", "name", "words"), BAD_NAMES)
def test_bad_names_are_refused(kind, name, words):
    net = nn.Module()
    for register in (net.register_parameter, net.register_buffer, net.add_module, net.register_module):
        with pytest.raises(kind) as caught:
            register(name, None)
        assert words in caught.value.args[0]


def test_bad_members_are_refused():
    net = Net()
    with pytest.raises(TypeError, match=r"as parameter 'scale' \(nn.Parameter or None expected\)"):
        net.scale = torch.ones(3)
    with pytest.raises(TypeError, match="cannot assign 'int' as child module 'first'"):
        net.first = 3
    with pytest.raises(TypeError, match="cannot assign 'int' as buffer 'mean'"):
        net.mean = 3
    with pytest.raises(TypeError, match="object to parameter 'p'"):
        net.register_parameter("p", torch.ones(1))
    with pytest.raises(TypeError, match="cannot assign 'int' object to buffer 'b'"):
        net.register_buffer("b", 3)
    with pytest.raises(TypeError, match="int is not a Module subclass"):
        net.add_module("m", 3)


def test_paths():
    net = Net()
    assert net.get_submodule("head.1") is net.head[1]
    assert net.get_submodule("") is net
    assert net.get_parameter("first.weight") is net.first.weight
    assert net.get_buffer("mean") is net.mean
    with pytest.raises(AttributeError, match="Linear has no attribute `nothing`"):
        net.get_submodule("first.nothing")
    with pytest.raises(AttributeError, match=r"`weight` is not an nn\.Module"):
        net.get_submodule("first.weight")
    with pytest.raises(AttributeError, match=r"`mean` is not an nn\.Parameter"):
        net.get_parameter("mean")
    with pytest.raises(AttributeError, match="`scale` is not a buffer"):
        net.get_buffer("scale")


# ---------------------------------------------------------------------------------------------------------------
# Parameter and Buffer.


def test_parameter():
    data = torch.ones(2)
    p = nn.Parameter(data)
    assert repr(p) == PRINTED["parameter"]
    assert isinstance(p, torch.Tensor)
    assert p.is_leaf
    assert p.requires_grad
    data[0] = 5
    assert p.tolist() == [5, 1]
    assert not nn.Parameter(data, requires_grad=False).requires_grad
    assert nn.Parameter().shape == (0,)
    with pytest.raises(RuntimeError, match="floating point"):
        nn.Parameter(torch.ones(2).long())
    with pytest.raises(TypeError, match="expected a Tensor, got list"):
        nn.Parameter([1.0])


def test_parameters_keep_their_kind_in_copies_and_pickles():
    for each in (nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2), requires_grad=False)):
        for other in (copy.deepcopy(each), pickle.loads(pickle.dumps(each))):
            assert type(other) is nn.Parameter
            assert other.requires_grad == each.requires_grad
            assert torch.equal(other, each)


# ---------------------------------------------------------------------------------------------------------------
# state_dict.


def test_keys_of_state_dict_are_pytorchs():
    state = mlp().state_dict()
    assert isinstance(state, OrderedDict)
    assert list(state) == PRINTED["mlp keys"]
    assert list(Net().state_dict(prefix="net."))[:3] == ["net.scale", "net.mean", "net.count"]
    assert "scratch" not in Net().state_dict()


def test_state_dict_shares_memory_outside_the_graph():
    layer = nn.Linear(2, 2)
    state = layer.state_dict()
    assert not state["weight"].requires_grad
    state["weight"].fill_(7)
    assert (layer.weight == 7).all()
    assert layer.state_dict(keep_vars=True)["weight"] is layer.weight


def test_state_dict_round_trip():
    first, second = Net(), Net()
    parameters = list(second.parameters())
    first.count.fill_(3)
    result = second.load_state_dict(first.state_dict())
    assert repr(result) == "<All keys matched successfully>"
    assert next(iter(second.parameters())) is parameters[0]
    for name, tensor in first.state_dict().items():
        assert torch.equal(tensor, second.state_dict()[name]), name
    assert second.first.weight.data_ptr() != first.first.weight.data_ptr()


def test_loading_says_what_does_not_fit():
    state = {"0.weight": torch.zeros(3, 2), "x": torch.zeros(1), "y.z": 3}
    with pytest.raises(RuntimeError) as caught:
        nn.Sequential(nn.Linear(2, 2)).load_state_dict(state)
    assert str(caught.value).replace("tinygrad_fr.", "torch.") == (
        "Error(s) in loading state_dict for Sequential:\n"
        '\tMissing key(s) in state_dict: "0.bias". \n'
        '\tUnexpected key(s) in state_dict: "x", "y.z". \n'
        "\tsize mismatch for 0.weight: copying a param with shape torch.Size([3, 2]) from checkpoint, "
        "the shape in current model is torch.Size([2, 2])."
    )
    with pytest.raises(RuntimeError, match='parameter named "weight", expected a Tensor'):
        nn.Linear(1, 1, bias=False).load_state_dict({"weight": 3})
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'int'>"):
        nn.Linear(1, 1).load_state_dict(3)


def test_loading_a_part():
    model = nn.Sequential(nn.Linear(2, 2))
    result = model.load_state_dict({"0.weight": torch.ones(2, 2), "x": torch.zeros(1)}, strict=False)
    assert result.missing_keys == ["0.bias"]
    assert result.unexpected_keys == ["x"]
    assert (model[0].weight == 1).all()


def test_loading_by_assignment_takes_the_tensors_themselves():
    layer = nn.Linear(2, 2)
    layer.weight.requires_grad = False
    weight = torch.ones(2, 2).double()
    layer.load_state_dict({"weight": weight, "bias": torch.zeros(2).double()}, assign=True)
    assert layer.weight.data_ptr() == weight.data_ptr()
    assert layer.weight.dtype is torch.float64
    assert isinstance(layer.weight, nn.Parameter)
    assert not layer.weight.requires_grad
    assert layer.bias.requires_grad


def test_extra_state():
    class Counting(nn.Module):
        count = 0

        def get_extra_state(self):
            return {"count": self.count}

        def set_extra_state(self, state):
            self.count = state["count"]

    first, second = nn.Sequential(Counting()), nn.Sequential(Counting())
    first[0].count = 5
    second.load_state_dict(first.state_dict())
    assert second[0].count == 5
    with pytest.raises(RuntimeError, match="Missing key"):
        second.load_state_dict({})


def test_hooks_of_state_dict():
    net, seen = Net(), []
    net.register_state_dict_pre_hook(lambda module, prefix, keep_vars: seen.append((module, prefix, keep_vars)))
    net.head.register_state_dict_post_hook(lambda module, state, prefix, metadata: state.pop(prefix + "1.bias"))
    state = net.state_dict(prefix="net.")
    assert seen == [(net, "net.", False)]
    assert "net.head.1.weight" in state
    assert "net.head.1.bias" not in state


def test_hooks_of_loading():
    layer = nn.Sequential(nn.Linear(1, 1))
    state = {"0.w": torch.ones(1, 1), "x": torch.ones(1)}

    def rename(module, state, prefix, metadata, strict, missing, unexpected, errors):
        assert prefix == "0."
        state["0.weight"] = state.pop("0.w")

    def forgive(module, keys):
        assert keys == (["0.bias"], ["x"])
        keys.missing_keys.clear()
        keys.unexpected_keys.clear()

    layer[0].register_load_state_dict_pre_hook(rename)
    handle = layer.register_load_state_dict_post_hook(forgive)
    layer.load_state_dict(state)
    assert layer[0].weight.item() == 1
    assert list(state) == ["0.w", "x"]
    handle.remove()
    with pytest.raises(RuntimeError, match="Missing key"):
        layer.load_state_dict(state)


# ---------------------------------------------------------------------------------------------------------------
# Changing all of it.


def test_train_and_eval_reach_all_modules():
    net = Net()
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    net.train()
    assert all(module.training for module in net.modules())
    with pytest.raises(ValueError, match="training mode is expected to be boolean"):
        net.train(3)


def test_apply_goes_from_the_leaves_to_the_root():
    seen = []
    model = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU()))
    assert model.apply(seen.append) is model
    assert seen == [model[0], model[1][0], model[1], model]


def test_conversion_keeps_the_parameter_objects():
    net = Net()
    net(torch.ones(1, 2)).sum().backward()
    parameters = list(net.parameters())
    assert net.double() is net
    assert all(a is b for a, b in zip(parameters, net.parameters(), strict=True))
    assert all(p.dtype is p.grad.dtype is torch.float64 for p in parameters)
    assert net.mean.dtype is torch.float64
    assert net.count.dtype is torch.int64
    assert net(torch.ones(1, 2).double()).dtype is torch.float64
    assert net.float().scale.dtype is torch.float32
    assert net.to(torch.zeros(1).double()).scale.dtype is torch.float64
    assert net.to("cpu", torch.float32).scale.dtype is torch.float32
    assert net.cpu() is net.to("cpu") is net
    with pytest.raises(TypeError, match="only accepts floating point"):
        net.to(torch.int32)
    with pytest.raises(RuntimeError, match="cuda"):
        net.to("cuda")
    with pytest.raises(RuntimeError, match="cuda"):
        net.cuda()


def test_conversions_that_reach_everything_or_are_not_supported():
    net = Net()
    parameters = list(net.parameters())
    assert net.type(torch.float64) is net
    assert net.count.dtype is net.scale.dtype is torch.float64
    assert net.float().to_empty(device="cpu") is net
    assert all(a is b for a, b in zip(parameters, net.parameters(), strict=True))
    assert net.first.weight.shape == (3, 2)
    for name in ("half", "bfloat16", "share_memory"):
        with pytest.raises(NotImplementedError, match=name):
            getattr(net, name)()
    with pytest.raises(RuntimeError, match="cuda"):
        net.to_empty(device="cuda")


def test_set_submodule():
    net = Net()
    tanh = nn.Tanh()
    net.set_submodule("head.0", tanh)
    assert net.head[0] is tanh
    net.set_submodule("head.extra", tanh)
    assert net.head.extra is tanh
    with pytest.raises(AttributeError, match="no attribute `other`"):
        net.set_submodule("head.other", tanh, strict=True)
    with pytest.raises(AttributeError, match=r"`weight` is not an nn\.Module"):
        net.set_submodule("first.weight", tanh)
    with pytest.raises(ValueError, match="without a target name"):
        net.set_submodule("", tanh)
    with pytest.raises(ValueError, match=r"is not an nn\.Module, found <class 'int'>"):
        net.set_submodule("head.0", 3)


def test_modules_may_come_twice():
    net = Net()
    assert [each is net.again for each in net.modules(remove_duplicate=False)].count(True) == 2


def test_zero_grad_and_requires_grad():
    layer = nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    layer.zero_grad(set_to_none=False)
    assert layer.weight.grad.tolist() == [[0, 0]]
    layer.zero_grad()
    assert layer.weight.grad is None
    assert layer.requires_grad_(False) is layer
    assert not layer(torch.ones(1, 2)).requires_grad


# ---------------------------------------------------------------------------------------------------------------
# Calling, and hooks.


def test_forward_must_be_written():
    with pytest.raises(NotImplementedError, match=r'Module \[Module\] is missing the required "forward" function'):
        nn.Module()(1)


def test_hooks_see_and_replace_arguments_and_results():
    calls = []
    layer = nn.Identity()
    layer.register_forward_pre_hook(lambda module, args: calls.append(("pre", module, args)))
    doubling = layer.register_forward_pre_hook(lambda module, args: args[0] * 2)
    layer.register_forward_hook(lambda module, args, result: calls.append(("post", args, result)))
    negating = layer.register_forward_hook(lambda module, args, result: -result)
    assert layer(3) == -6
    assert calls == [("pre", layer, (3,)), ("post", (6,), 6)]
    doubling.remove()
    negating.remove()
    assert layer(3) == 3


def test_hooks_with_keywords_and_order():
    class Scale(nn.Module):
        def forward(self, x, *, by):
            return x * by

    scale, order = Scale(), []
    scale.register_forward_pre_hook(lambda m, args, kwargs: (args, {"by": kwargs["by"] + 1}), with_kwargs=True)
    scale.register_forward_hook(lambda m, args, kwargs, result: result + kwargs["by"], with_kwargs=True)
    scale.register_forward_hook(lambda *_: order.append("second"))
    scale.register_forward_hook(lambda *_: order.append("first"), prepend=True)
    assert scale(10, by=1) == 22
    assert order == ["first", "second"]
    bad = scale.register_forward_pre_hook(lambda m, args, kwargs: 3, with_kwargs=True)
    with bad, pytest.raises(RuntimeError, match="must return None or a tuple"):
        scale(10, by=1)
    assert scale(10, by=1) == 22


def test_hooks_that_are_not_supported_say_so():
    with pytest.raises(NotImplementedError, match="always_call"):
        nn.ReLU().register_forward_hook(print, always_call=True)
    with pytest.raises(NotImplementedError, match="register_backward_hook is not supported"):
        nn.ReLU().register_backward_hook(print)


def test_an_error_says_where_in_the_model_it_came_up():
    with pytest.raises(RuntimeError, match="cannot be multiplied") as caught:
        nn.Sequential(OrderedDict(body=nn.Sequential(nn.ReLU(), nn.Linear(5, 2))))(torch.ones(1, 4))
    assert caught.value.__notes__ == [
        "  in the module Linear(in_features=5, out_features=2, bias=True)",
        "  which is '1' of Sequential",
        "  which is 'body' of Sequential",
    ]


OF_ARRAYS = [
    (nn.Linear(2, 2), (1, 2)),
    (nn.Conv2d(1, 1, 1), (1, 1, 2, 2)),
    (nn.BatchNorm1d(2), (3, 2)),
    (nn.Flatten(), (2, 2, 2)),
    (nn.LSTM(1, 1), (1, 1, 1)),
]


@pytest.mark.parametrize(("layer", "shape"), OF_ARRAYS)
def test_what_is_no_tensor_is_refused_by_its_type(layer, shape):
    with pytest.raises(TypeError, match="expected a Tensor, not ndarray"):
        nn.Sequential(layer)(np.ones(shape, np.float32))


def test_targets_of_one_row_are_one_number():
    with pytest.raises(ValueError, match="expected one target"):
        nn.NLLLoss()(torch.zeros(4), torch.tensor([0, 1, 2, 3]))


def test_other_missing_attributes_stay_attribute_errors():
    class Typo(nn.Module):
        def forward(self, x):
            return self.liner(x)

    with pytest.raises(AttributeError, match="'Typo' object has no attribute 'liner'"):
        Typo()(torch.ones(2))


# ---------------------------------------------------------------------------------------------------------------
# Printing and copying.


def test_prints_as_pytorch():
    assert repr(mlp()) == PRINTED["mlp"]
    assert repr(nn.Module()) == "Module()"


def test_copies_and_pickles_compute_the_same():
    net = Net()
    x = torch.tensor([[1.0, -2.0]])
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(other(x), net(x))
        assert other.head[1] is other.again
        assert other.first.weight is not net.first.weight
        assert other.first.weight.requires_grad
        assert list(other.state_dict()) == list(net.state_dict())
        with torch.no_grad():
            other.scale.fill_(0)
        assert np.all(net.scale.detach().numpy() == 1)


def test_a_module_trains():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    xor = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
    for _ in range(1500):
        model.zero_grad()
        loss = F.mse_loss(model(x), xor)
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                p -= 0.2 * p.grad
    assert loss.item() < 0.01
