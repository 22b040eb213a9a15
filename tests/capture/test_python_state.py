"""What Python code can read and change besides its arguments, in all the ways it can: never a stale result.

A replay runs no Python. Whatever the function could have read must still be as it was, and whatever it changes must
be changed again: else the call runs eagerly, and says so once.
"""

import collections
import contextlib
import contextvars
import dataclasses
import functools
import operator
import os
import threading
import types
import weakref

import numpy as np
import pytest

import tinygrad_fr as torch
from tinygrad_fr import nn, optim
from tinygrad_fr.nn import functional as F

from .harness import Training, batch, falls_back, may_fall_back, mlp, same_as_eager, values

CALLS = 8
CHANGED = (3, 4, 6)  # the calls before which something changes


# ---------------------------------------------------------------------------------------------------------------
# Read: each entry makes (function, change); ``change(i)`` alters what the function reads.


@dataclasses.dataclass
class Config:
    scale: float = 1.0
    steps: list = dataclasses.field(default_factory=lambda: [1.0])


class Slotted:
    __slots__ = ("scale",)

    def __init__(self):
        self.scale = 1.0


class WithProperty:
    def __init__(self):
        self._hidden = 1.0

    @property
    def scale(self):
        return self._hidden * 2


class WithGetattr:
    def __init__(self):
        self.table = {"scale": 1.0}

    def __getattr__(self, name):
        return self.table[name]


class Sequence:
    """Indexed, measured and walked through by methods of its own."""

    def __init__(self):
        self.numbers = [1.0, 2.0]

    def __getitem__(self, i):
        return self.numbers[i]

    def __len__(self):
        return len(self.numbers)


class Derived(Sequence):
    def __getitem__(self, i):
        return super().__getitem__(i) * 2


class ListOfOwn(list):
    scale = 1.0


def reads(make):
    """Register a case under the name of ``make``, without underscores."""
    READS[make.__name__.strip("_").replace("_", " ")] = make
    return make


READS = {}


@reads
def a_name_made_at_run_time():
    config, names = Config(), ["sc", "ale"]
    return lambda x: x * getattr(config, "".join(names)), lambda i: setattr(config, "scale", float(i))


@reads
def vars_of_an_object():
    config = Config()
    return lambda x: x * vars(config)["scale"], lambda i: setattr(config, "scale", float(i))


@reads
def dict_of_an_object():
    config = Config()
    return lambda x: x * config.__dict__["scale"], lambda i: setattr(config, "scale", float(i))


@reads
def attrgetter():
    config, get = Config(), operator.attrgetter("scale")
    return lambda x: x * get(config), lambda i: setattr(config, "scale", float(i))


@reads
def a_dataclass():
    config = Config()
    return lambda x: x * config.scale, lambda i: setattr(config, "scale", float(i))


@reads
def a_list_in_a_dataclass():
    config = Config()
    return lambda x: x * config.steps[-1], lambda i: config.steps.append(float(i))


@reads
def a_comparison_of_dataclasses():
    config, other = Config(), Config()
    return lambda x: x * 2 if config == other else x * 3, lambda i: setattr(config, "scale", float(i % 2))


@reads
def slots():
    config = Slotted()
    return lambda x: x * config.scale, lambda i: setattr(config, "scale", float(i))


@reads
def a_property():
    config = WithProperty()
    return lambda x: x * config.scale, lambda i: setattr(config, "_hidden", float(i))


class Made:
    """Made anew in every call, out of a number that changes."""

    def __init__(self, scale=None):
        self.scale = _NUMBERS["made"] if scale is None else scale

    def __mul__(self, other):
        return other * _NUMBERS["times"]

    def times(self, other):
        return other * _NUMBERS["times"]

    @classmethod
    def anew(cls):
        return cls()

    def again(self):
        return type(self)()


class MadeToo(Made):
    pass


@dataclasses.dataclass
class MadeLast:
    scale: float = 1.0
    steps: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self.scale = _NUMBERS["made"]


_NUMBERS = {"made": 1.0, "times": 1.0}


def _number(name):
    """A function that changes one of the numbers, which begins at 1."""
    _NUMBERS.update(dict.fromkeys(_NUMBERS, 1.0))
    return lambda i: _NUMBERS.update({name: float(i)})


@reads
def the_init_of_an_object_that_is_made():
    return lambda x: x * Made().scale, _number("made")


@reads
def the_init_of_a_base_class():
    return lambda x: x * MadeToo().scale, _number("made")


@reads
def a_post_init():
    return lambda x: x * MadeLast().scale, _number("made")


@reads
def an_operator_of_an_object_that_is_made():
    return lambda x: Made(1.0) * x, _number("times")


@reads
def an_inherited_method_of_an_object_that_is_made():
    return lambda x: MadeToo(1.0).times(x), _number("times")


@reads
def an_object_made_by_a_class_method():
    made = MadeToo(1.0)
    return lambda x: x * made.anew().scale, _number("made")


@reads
def an_object_made_by_its_own_class():
    made = MadeToo(1.0)
    return lambda x: x * made.again().scale, _number("made")


@reads
def a_getattr_of_the_users():
    config = WithGetattr()
    return lambda x: x * config.scale, lambda i: config.table.update(scale=float(i))


@reads
def a_descriptor():
    class Descriptor:
        value = 1.0

        def __get__(self, instance, owner):
            return Descriptor.value

    class Own:
        scale = Descriptor()

    own = Own()
    return lambda x: x * own.scale, lambda i: setattr(Descriptor, "value", float(i))


@reads
def a_sequence_of_the_users():
    numbers = Sequence()
    return lambda x: x * numbers[-1] * len(numbers), lambda i: numbers.numbers.append(float(i))


@reads
def a_sequence_that_is_walked():
    numbers = Sequence()
    return lambda x: sum((x * each for each in numbers), x), lambda i: numbers.numbers.append(float(i))


@reads
def a_method_of_a_base_class():
    numbers = Derived()
    return lambda x: x * numbers[0], lambda i: numbers.numbers.__setitem__(0, float(i))


@reads
def a_list_with_attributes():
    own = ListOfOwn([1.0])
    return lambda x: x * own.scale, lambda i: setattr(own, "scale", float(i))


@reads
def a_simple_namespace():
    config = types.SimpleNamespace(scale=1.0)
    return lambda x: x * config.scale, lambda i: setattr(config, "scale", float(i))


@reads
def an_attribute_that_comes_later():
    config = types.SimpleNamespace()

    class Own:
        pass

    own = Own()

    def change(i):
        own.scale = config.scale = float(i)

    return lambda x: x * (own.scale if hasattr(own, "scale") else 1.0), change


@reads
def getattr_with_a_default():
    class Own:
        pass

    own = Own()
    return lambda x: x * getattr(own, "scale", 1.0), lambda i: setattr(own, "scale", float(i))


@reads
def an_attribute_that_goes():
    class Own:
        scale = 1.0

    own = Own()
    own.scale = 5.0

    def change(i):
        own.__dict__.pop("scale", None)
        Own.scale = float(i)

    return lambda x: x * own.scale, change


@reads
def an_attribute_of_the_class_by_its_type():
    class Own:
        scale = 1.0

    own = Own()
    return lambda x: x * type(own).scale, lambda i: setattr(Own, "scale", float(i))


@reads
def a_method_that_is_replaced():
    class Own:
        def apply(self, x):
            return x * 2

    own = Own()
    return lambda x: own.apply(x), lambda i: setattr(Own, "apply", lambda self, x: x * i)


@reads
def a_static_method_that_is_replaced():
    class Own:
        @staticmethod
        def apply(x):
            return x * 2

    return lambda x: Own.apply(x), lambda i: setattr(Own, "apply", staticmethod(lambda x: x * i))


@reads
def a_call_of_an_object():
    class Own:
        scale = 1.0

        def __call__(self, x):
            return x * self.scale

    own = Own()
    return lambda x: own(x), lambda i: setattr(own, "scale", float(i))


@reads
def an_operator_of_an_object():
    class Own:
        scale = 1.0

        def __mul__(self, x):
            return x * self.scale

    own = Own()
    return lambda x: own * x, lambda i: setattr(own, "scale", float(i))


@reads
def an_attribute_of_a_function():
    def scaled(x):
        return x * scaled.by

    scaled.by = 1.0
    return lambda x: scaled(x), lambda i: setattr(scaled, "by", float(i))


@reads
def code_of_a_function():
    def scaled(x):
        return x * 2

    def change(i):
        scaled.__code__ = (lambda x: x * 3).__code__ if i % 2 else (lambda x: x * 4).__code__

    return lambda x: scaled(x), change


@reads
def defaults_of_a_called_function():
    def scaled(x, by=1.0, *, plus=0.0):
        return x * by + plus

    def change(i):
        scaled.__defaults__ = (float(i),)
        scaled.__kwdefaults__["plus"] = float(i)

    return lambda x: scaled(x), change


@reads
def a_wrapped_function():
    scales = [1.0]

    def scaled(function):
        @functools.wraps(function)
        def inner(x):
            return function(x) * scales[0]

        return inner

    return scaled(lambda x: x + 1), lambda i: scales.__setitem__(0, float(i))


@reads
def a_cached_function():
    source = [1.0]

    @functools.lru_cache
    def scale():
        return source[0]

    def change(i):
        source[0] = float(i)
        scale.cache_clear()

    return lambda x: x * scale(), change


@reads
def a_partial_that_is_changed():
    add = functools.partial(lambda x, *, by: x * by, by=1.0)
    return lambda x: add(x), lambda i: add.keywords.update(by=float(i))


@reads
def a_function_in_a_table():
    table = {"act": torch.tanh}
    return lambda x: table["act"](x), lambda i: table.update(act=torch.relu if i % 2 else torch.sigmoid)


@reads
def a_comprehension():
    numbers = [1.0, 2.0]
    return lambda x: sum([x * each for each in numbers]), lambda i: numbers.append(float(i))


@reads
def a_set():
    names = {"a"}
    return lambda x: x * len(names) * (2 if "b4" in names else 1), lambda i: names.add(f"b{i}")


@reads
def a_queue():
    queue = collections.deque([1.0], maxlen=2)
    return lambda x: x * sum(queue), lambda i: queue.append(float(i))


@reads
def an_ordered_dictionary():
    table = collections.OrderedDict(a=1.0, b=2.0)
    return lambda x: x * next(iter(table.values())), lambda i: table.move_to_end(next(iter(table)))


@reads
def keys_of_a_dictionary():
    table = {"a": None, "b": None}

    def change(i):
        table[f"c{i}"] = table.pop(next(iter(table)))

    return lambda x: x * len("".join(table)) + (1 if "a" in table else 0), change


@reads
def a_counter():
    counts = collections.Counter("aab")
    return lambda x: x * counts["a"], lambda i: counts.update("a" * i)


@reads
def a_default_dictionary():
    table = collections.defaultdict(float)
    return lambda x: x * table.get("a", 1.0), lambda i: table.__setitem__("a", float(i))


@reads
def deep_in_containers():
    table = {"a": [{"b": (1.0, [2.0])}]}
    return lambda x: x * table["a"][0]["b"][1][0], lambda i: table["a"][0]["b"][1].__setitem__(0, float(i))


@reads
def tensors_in_containers():
    table = {"a": [torch.ones(3)]}
    return lambda x: x * table["a"][0], lambda i: table["a"].__setitem__(0, torch.full((3,), float(i)))


@reads
def a_named_tuple_that_is_another():
    Pair = collections.namedtuple("Pair", "scale shift")
    pairs = {"now": Pair(1.0, 2.0)}
    return lambda x: x * pairs["now"].scale + pairs["now"].shift, lambda i: pairs.update(now=Pair(float(i), 0.0))


@reads
def a_numpy_array():
    array = np.ones(3, np.float32)
    return lambda x: x * torch.from_numpy(array), lambda i: array.fill(i)


@reads
def a_numpy_array_that_is_copied():
    array = np.ones(3, np.float32)
    return lambda x: x * torch.tensor(array) + torch.as_tensor(array[1:2]), lambda i: array.fill(i)


@reads
def a_numpy_array_in_an_op():
    array = np.ones(3, np.float32)
    return lambda x: x * array, lambda i: array.fill(i)


@reads
def a_number_from_a_numpy_array():
    array = np.ones(3)
    return lambda x: x * float(array[0]) + array.sum(), lambda i: array.fill(i)


@reads
def a_list_made_into_a_tensor():
    numbers = [1.0, 2.0, 3.0]
    return lambda x: x * torch.tensor(numbers), lambda i: numbers.__setitem__(0, float(i))


@reads
def the_environment():
    def change(i):
        os.environ["SCALE_OF_A_TEST"] = str(i)
        if i == CHANGED[-1]:
            del os.environ["SCALE_OF_A_TEST"]

    return lambda x: x * float(os.environ.get("SCALE_OF_A_TEST", "1.0")), change


@reads
def a_context_variable():
    variable = contextvars.ContextVar("scale", default=1.0)
    return lambda x: x * variable.get(), lambda i: variable.set(float(i)) and None


@reads
def a_thread_local():
    local = threading.local()
    local.scale = 1.0
    return lambda x: x * local.scale, lambda i: setattr(local, "scale", float(i))


@reads
def a_weak_reference():
    config = Config()
    reference = weakref.ref(config)
    return lambda x: x * reference().scale, lambda i: setattr(config, "scale", float(i))


@reads
def the_name_of_an_attribute_in_a_variable():
    model = nn.ParameterDict({"a": nn.Parameter(torch.ones(3)), "b": nn.Parameter(torch.ones(3) * 2)})
    chosen = ["a"]
    return lambda x: x * model[chosen[0]], lambda i: chosen.__setitem__(0, "b" if i % 2 else "a")


@reads
def an_import_inside():
    globals()["_scale_by_import"] = 1.0

    def function(x):
        from . import test_python_state as here

        return x * here._scale_by_import

    return function, lambda i: globals().update(_scale_by_import=float(i))


@reads
def evaluated_text():
    text = ["x * 2"]
    return lambda x: eval(text[0]), lambda i: text.__setitem__(0, f"x * {i}")


@reads
def globals_by_their_table():
    globals()["_scale"] = 1.0
    return lambda x: x * globals()["_scale"], lambda i: globals().update(_scale=float(i))


@reads
def a_builtin_that_is_hidden():
    """A global of the name of a builtin appears."""
    globals().pop("len", None)

    def change(i):
        if i == CHANGED[-1]:
            globals().pop("len", None)
        else:
            globals()["len"] = lambda x: 10 * i

    return lambda x: x * len(x), change


@reads
def a_class_that_is_made_inside():
    numbers = [1.0]

    def function(x):
        class Local:
            scale = numbers[0]

        return x * Local.scale

    return function, lambda i: numbers.__setitem__(0, float(i))


@reads
def a_context_manager_of_the_users():
    scales = [1.0]

    @contextlib.contextmanager
    def scaled():
        yield scales[0]

    def function(x):
        with scaled() as scale:
            return x * scale

    return function, lambda i: scales.__setitem__(0, float(i))


@reads
def an_exception_that_depends():
    table = {"scale": 2.0}

    def function(x):
        try:
            return x * table["scale"]
        except KeyError:
            return x * 3

    return function, lambda i: table.pop("scale") if "scale" in table else table.update(scale=float(i))


# --- what tensors, modules, optimisers and the library itself tell Python ---


@reads
def whether_a_tensor_wants_a_gradient():
    w = torch.ones(3)
    return lambda x: x * 2 if w.requires_grad else x * 3, lambda i: w.requires_grad_(i % 2 == 1)


@reads
def whether_there_is_a_gradient():
    w = torch.ones(3, requires_grad=True)

    def change(i):
        w.grad = torch.ones(3) if i % 2 else None

    return lambda x: x * 2 if w.grad is None else x + w.grad, change


@reads
def a_gradient():
    w = torch.ones(3, requires_grad=True)
    w.grad = torch.ones(3)
    return lambda x: x * w.grad, lambda i: setattr(w, "grad", torch.full((3,), float(i)))


@reads
def the_shape_of_a_tensor():
    w = torch.ones(3)
    return lambda x: x * len(w), lambda i: setattr(w, "data", torch.ones(i))


@reads
def whether_two_names_are_one_tensor():
    pair = [torch.ones(3), torch.ones(3)]

    def change(i):
        pair[1] = pair[0] if i % 2 else torch.ones(3)

    return lambda x: x * 2 if pair[0] is pair[1] else x * 3, change


@reads
def an_attribute_of_a_parameter():
    w = nn.Parameter(torch.ones(3))
    w.scale = 1.0
    return lambda x: x * w * w.scale, lambda i: setattr(w, "scale", float(i))


@reads
def the_rate_of_dropout():
    layer = nn.Dropout(0.2)
    return lambda x: layer(x), lambda i: setattr(layer, "p", 0.1 * i)


@reads
def the_slope_of_a_layer():
    layer = nn.LeakyReLU(0.1)
    return lambda x: layer(x), lambda i: setattr(layer, "negative_slope", 0.1 * i)


@reads
def the_reduction_of_a_loss():
    loss = nn.MSELoss()
    return lambda x: loss(x, x * 2), lambda i: setattr(loss, "reduction", "sum" if i % 2 else "mean")


@reads
def training_of_a_module():
    layer = nn.Identity()
    return lambda x: x * 2 if layer.training else x * 3, lambda i: layer.train(i % 2 == 1)


@reads
def the_list_of_layers():
    layers = nn.ModuleList([nn.Linear(3, 3)])

    def function(x):
        for layer in layers:
            x = layer(x)
        return x

    return function, lambda i: layers.append(nn.Tanh())


@reads
def layers_in_another_order():
    layers = nn.Sequential(nn.Tanh(), nn.Linear(3, 3))

    def change(i):
        layers[0], layers[1] = layers[1], layers[0]

    return lambda x: layers(x), change


@reads
def the_number_of_parameters():
    model = nn.Linear(3, 3)
    return (
        lambda x: x * sum(p.numel() for p in model.parameters() if p.requires_grad),
        lambda i: model.bias.requires_grad_(i % 2 == 0),
    )


@reads
def a_sum_over_named_parameters():
    model = nn.Module()
    model.first = nn.Parameter(torch.ones(3))

    def change(i):
        setattr(model, f"more{i}", nn.Parameter(torch.full((3,), float(i))))

    return lambda x: sum((p for name, p in model.named_parameters()), x), change


@reads
def the_state_dict():
    model = nn.Linear(3, 3)

    def change(i):
        model.bias = nn.Parameter(torch.full((3,), float(i)))

    return lambda x: x + model.state_dict()["bias"], change


@reads
def a_buffer_that_comes_and_goes():
    model = nn.Module()
    model.register_buffer("mean", None)

    def change(i):
        model.mean = torch.full((3,), float(i)) if i % 2 else None

    return lambda x: x if model.mean is None else x - model.mean, change


@reads
def the_learning_rate_as_a_number():
    optimizer = optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)

    def change(i):
        optimizer.param_groups[0]["lr"] = float(i)

    return lambda x: x * optimizer.param_groups[0]["lr"], change


@reads
def the_betas_as_numbers():
    optimizer = optim.Adam([torch.ones(1, requires_grad=True)])

    def change(i):
        optimizer.param_groups[0]["betas"] = (0.1 * i, 0.5)

    return lambda x: x * optimizer.param_groups[0]["betas"][0], change


@reads
def another_option_in_a_group():
    optimizer = optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)

    def change(i):
        optimizer.param_groups[0]["name"] = i

    return lambda x: x * optimizer.param_groups[0].get("name", 0), change


@reads
def the_state_of_an_optimiser():
    w = torch.ones(3, requires_grad=True)
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)

    def change(i):
        w.grad = torch.full((3,), float(i))
        optimizer.step()

    return lambda x: x + sum(each["momentum_buffer"] for each in optimizer.state.values()), change


@reads
def the_default_dtype():
    before = torch.get_default_dtype()

    def function(x):
        return x * (2 if torch.get_default_dtype() == torch.float32 else 3)

    def change(i):
        torch.set_default_dtype(torch.float64 if i == CHANGED[0] else before)

    return function, change


@reads
def the_seed():
    return lambda x: x * (torch.initial_seed() % 100), lambda i: torch.manual_seed(i) and None


@reads
def the_threads():
    before = torch.get_num_threads()
    counts = {CHANGED[0]: 1, CHANGED[1]: 2}
    return lambda x: x * torch.get_num_threads(), lambda i: torch.set_num_threads(counts.get(i, before))


@reads
def a_library_function_that_is_replaced():
    before = F.silu

    def change(i):
        F.silu = F.relu if i == CHANGED[0] else before

    return lambda x: F.silu(x), change


@pytest.mark.parametrize("what", READS)
@may_fall_back(calls=CALLS)
def test_read(compile, what):
    function, change = READS[what]()
    f = compile(function)

    def call(i):
        if i in CHANGED:
            change(i)
        return f(values(i, 3).abs() + 0.5)

    return call


@pytest.mark.parametrize("what", READS)
@may_fall_back(calls=CALLS)
def test_read_through_an_argument(compile, what):
    """The same function, handed to the compiled one."""
    function, change = READS[what]()
    f = compile(lambda function, x: function(x) + 1)

    def call(i):
        if i in CHANGED:
            change(i)
        return f(function, values(i, 3).abs() + 0.5)

    return call


# ---------------------------------------------------------------------------------------------------------------
# Written: each entry makes (function, look); ``look()`` is what the function has changed so far.


def writes(make):
    WRITES[make.__name__.strip("_").replace("_", " ")] = make
    return make


WRITES = {}


@writes
def an_element_of_a_list():
    counts = [0]

    def function(x):
        counts[0] += 1
        return x * 2

    return function, lambda: list(counts)


@writes
def a_set_that_grows():
    seen = set()

    def function(x):
        seen.add(len(seen))
        return x * 2

    return function, lambda: sorted(seen)


@writes
def a_queue_of_tensors():
    queue = collections.deque(maxlen=3)

    def function(x):
        queue.append(x * 2)
        return x * 3

    return function, lambda: list(queue)


@writes
def a_list_that_is_extended():
    log = []

    def function(x):
        log.extend([x.sum(), 1.0])
        log[-1:] = [2.0]
        return x * 2

    return function, lambda: list(log)


@writes
def a_list_by_an_operator():
    log = []

    def function(x):
        nonlocal log
        log += [x * 2]
        return x * 2

    return function, lambda: list(log)


@writes
def a_default_argument():
    def function(x, log=[]):  # noqa: B006 - on purpose
        log.append(x.sum())
        return x * len(log)

    return function, lambda: list(function.__defaults__[0])


@writes
def an_attribute_by_setattr():
    config, name = Config(), "scale"

    def function(x):
        setattr(config, name, config.scale + 1)
        return x * config.scale

    return function, lambda: config.scale


@writes
def an_attribute_of_a_class():
    class Own:
        calls = 0

    def function(x):
        Own.calls += 1
        return x * 2

    return function, lambda: Own.calls


@writes
def an_attribute_of_the_function():
    def function(x):
        function.calls += 1
        return x * function.calls

    function.calls = 0
    return function, lambda: function.calls


@writes
def a_slot():
    config = Slotted()

    def function(x):
        config.scale += 1
        return x * config.scale

    return function, lambda: config.scale


@writes
def through_dict():
    config = Config()

    def function(x):
        config.__dict__["scale"] += 1
        return x * 2

    return function, lambda: config.scale


@writes
def in_a_method_of_a_container():
    class Log:
        def __init__(self):
            self.entries = []

        def __lshift__(self, entry):
            self.entries.append(entry)
            return self

    log = Log()

    def function(x):
        log << x.sum()
        return x * 2

    return function, lambda: list(log.entries)


@writes
def in_a_property():
    class Own:
        reads = 0

        @property
        def scale(self):
            self.reads += 1
            return 2.0

    own = Own()
    return lambda x: x * own.scale, lambda: own.reads


@writes
def in_a_context_manager():
    log = []

    @contextlib.contextmanager
    def logged():
        log.append("in")
        yield
        log.append("out")

    def function(x):
        with logged():
            return x * 2

    return function, lambda: list(log)


@writes
def a_numpy_array_that_is_written():
    array = np.zeros(3, np.float32)

    def function(x):
        array[0] += 1
        return x * 2

    return function, lambda: array.copy()


@writes
def memory_of_a_numpy_array():
    """A tensor made inside shares memory with an array outside."""
    array = np.zeros(3, np.float32)

    def function(x):
        torch.from_numpy(array).add_(x)
        return x * 2

    return function, lambda: array.copy()


@writes
def a_list_that_is_returned():
    log = []

    def function(x):
        log.append(1)
        return log

    return function, lambda: list(log)


@writes
def a_cache_of_the_users():
    cache = {}

    def function(x):
        if "mask" not in cache:
            cache["mask"] = torch.arange(3) * 1.0
        return x * cache["mask"]

    return function, lambda: dict(cache)


@writes
def a_generator_that_goes_on():
    def numbers():
        n = 0
        while True:
            n += 1
            yield n

    source = numbers()
    return lambda x: x * next(source), lambda: None


@writes
def an_iterator_in_a_loop():
    source = iter(range(100))

    def function(x):
        for each in source:
            return x * each
        return x

    return function, lambda: None


@writes
def an_optimisers_option():
    optimizer = optim.SGD([torch.ones(1, requires_grad=True)], lr=1.0)

    def function(x):
        optimizer.param_groups[0]["lr"] *= 0.5
        return x * 2

    return function, lambda: optimizer.param_groups[0]["lr"]


@writes
def training_and_evaluation():
    model = mlp(dropout=0.5)

    def function(x):
        model.train(not model.training)
        return x * 2

    return function, lambda: model.training


@writes
def evaluation_within():
    layer = nn.Dropout(0.5)

    def function(x):
        layer.eval()
        y = layer(x)
        layer.train()
        return y, layer(x)

    return function, lambda: layer.training


@writes
def a_parameter_that_is_added():
    model = nn.Module()

    def function(x):
        model.weight = nn.Parameter(x * 2)
        return x * 3

    return function, lambda: model


@writes
def data_that_is_assigned():
    w = torch.ones(3, requires_grad=True)

    def function(x):
        w.data = w.data * 0.5 + x
        return w * 2

    return function, lambda: w


@writes
def data_that_is_written():
    w = torch.ones(3, requires_grad=True)

    def function(x):
        w.data.mul_(0.5).add_(x)
        w.data[0] = 1.0
        return w * 2

    return function, lambda: w


@writes
def a_gradient_that_is_assigned():
    w = torch.ones(3, requires_grad=True)

    def function(x):
        w.grad = x * 2 if w.grad is None else w.grad + x
        return x * 2

    return function, lambda: w


@writes
def requires_grad_that_is_set():
    w = torch.ones(3)

    def function(x):
        w.requires_grad_(not w.requires_grad)
        return (w * x).sum()

    return function, lambda: w


@writes
def a_seed_that_is_set():
    def function(x):
        torch.manual_seed(5)
        return x + torch.rand(3)

    return function, lambda: torch.get_rng_state()


@writes
def a_random_state_that_is_put_back():
    def function(x):
        state = torch.get_rng_state()
        first = torch.rand(3)
        torch.set_rng_state(state)
        return first - torch.rand(3), x * 2

    return function, lambda: torch.get_rng_state()


@writes
def a_detached_history():
    state = [torch.zeros(3)]

    def function(x):
        state[0] = (state[0].detach() * 0.5 + x).tanh()
        return state[0].sum()

    return function, lambda: list(state)


@writes
def a_hook_that_is_registered():
    w = torch.ones(3, requires_grad=True)

    def function(x):
        w.grad = None
        w.register_hook(lambda g: g * 2)
        (w * x).sum().backward()

    return function, lambda: w


@writes
def an_initialisation():
    layer = nn.Linear(3, 2)

    def function(x):
        nn.init.normal_(layer.weight)
        nn.init.zeros_(layer.bias)
        return layer(x)

    return function, lambda: layer


@writes
def a_state_dict_that_is_loaded():
    first, second = nn.Linear(3, 2), nn.Linear(3, 2)

    def function(x):
        first.load_state_dict(second.state_dict())
        with torch.no_grad():
            second.weight.add_(x[0])
        return first(x)

    return function, lambda: [first, second]


@pytest.mark.parametrize("what", WRITES)
@may_fall_back(calls=CALLS)
def test_written(compile, what):
    function, look = WRITES[what]()
    f = compile(function)
    return lambda i: (f(values(i, 3)), look())


@falls_back("'memory' of Loop", "a name in .*Loop.step", "has changed")
def test_the_warning_says_which_function_names_what_changed(compile):
    """The optimiser's ``step`` is meant, but the loop has a method of that name, too."""

    class Loop:
        def __init__(self):
            self.net, self.memory = Training(lambda f: f), None
            self.compiled = compile(self.update)

        def update(self, x, y):
            F.cross_entropy(self.net.model(x), y).backward()
            self.net.optimizer.step()

        def step(self, x, y):
            self.compiled(x, y)
            self.memory = [x]

    loop = Loop()
    return lambda i: (loop.step(*batch(i)), loop.net.seen)


@same_as_eager
def test_objects_that_are_made_stay_captured(compile):
    f = compile(lambda x: x * Made(2.0).scale + dataclasses.replace(Config(3.0)).scale)
    return lambda i: f(values(i, 3))


@same_as_eager
def test_dataclasses_that_compare_their_classes_stay_captured(compile):
    """Their ``__eq__`` names ``__class__``, and makes nothing: how the objects were made does not matter."""

    @dataclasses.dataclass
    class Sizes:
        first: int

    class Loop:
        def __init__(self):
            print("made")  # what no replay could do again
            self.sizes = Sizes(2)
            self.compiled = compile(self.scaled)

        def scaled(self, x):
            return x * self.sizes.first

    loop = Loop()
    return lambda i: loop.compiled(values(i, 3))


# ---------------------------------------------------------------------------------------------------------------
# Arguments that Python changes.


@may_fall_back
def test_a_list_of_the_callers_grows(compile):
    @compile
    def f(x, log):
        log.append(x * 2)
        return x + len(log)

    log = []
    return lambda i: (f(values(i, 3), log), list(log))


@may_fall_back
def test_a_dictionary_of_the_callers_is_written(compile):
    @compile
    def f(given):
        given["y"] = given["x"] * 2

    def call(i):
        given = {"x": values(i, 3)}
        return f(given), given

    return call


@may_fall_back
def test_a_dictionary_of_the_callers_is_emptied(compile):
    f = compile(lambda given: given.pop("x") * 2)

    def call(i):
        given = {"x": values(i, 3), "y": values(i, 2)}
        return f(given), given

    return call


@same_as_eager
def test_keys_of_an_argument(compile):
    f = compile(lambda given: sum(given[key] * (i + 1) for i, key in enumerate(sorted(given))))
    return lambda i: f({"ab"[i % 2]: values(i, 3), "c": values(50 + i, 3), "dd"[: 1 + i % 3 // 2]: values(70 + i, 3)})


@may_fall_back
def test_an_object_that_holds_tensors(compile):
    """As batches of some libraries are."""

    class Batch:
        def __init__(self, x, y):
            self.x, self.y = x, y

    net = Training(lambda f: f)
    step = compile(lambda given: net.plain_step(given.x, given.y))
    return lambda i: (step(Batch(*batch(i))), net.seen)


@may_fall_back
def test_a_dataclass_that_holds_tensors(compile):
    @dataclasses.dataclass
    class Batch:
        x: torch.Tensor
        scale: float

    f = compile(lambda given: given.x * given.scale)
    return lambda i: f(Batch(values(i, 3), float(i % 2)))


@may_fall_back
def test_a_named_tuple_of_tensors(compile):
    Pair = collections.namedtuple("Pair", "first second")
    f = compile(lambda pair: Pair(pair.first * 2, pair.second - pair.first))

    def call(i):
        result = f(Pair(values(i, 3), values(50 + i, 3)))
        return type(result).__name__, result.first, result.second

    return call


# ---------------------------------------------------------------------------------------------------------------
# The warning.


@falls_back("scale")
def test_it_names_the_attribute_that_changes(compile):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = 1.0

        def forward(self, x):
            return x * self.scale

    model = Model()
    f = compile(model)

    def call(i):
        model.scale = 1.0 if i < 3 else float(i)
        return f(values(i, 3))

    return call


@falls_back("_changing")
def test_it_names_the_global_that_changes(compile):
    f = compile(_reads_a_global)

    def call(i):
        globals()["_changing"] = 1.0 if i < 3 else float(i)
        return f(values(i, 3))

    return call


_changing = 1.0


def _reads_a_global(x):
    return x * _changing


@falls_back("_reads_an_item")
def test_it_names_the_function(compile):
    f = compile(_reads_an_item)
    return lambda i: f(values(i, 3))


def _reads_an_item(x):
    return x * x.sum().item()
