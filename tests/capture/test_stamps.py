"""Stamps: whatever changes what an object refers to shows in the words of its memory."""

import collections
import types

import pytest

import tinygrad_fr as torch
from tinygrad_fr.capture import stamps
from tinygrad_fr.capture.watching import Stamped, Watches, attribute_of_each

known = pytest.mark.skipif(not stamps._IS_KNOWN, reason="how this Python lays out its objects is not known")


class Plain:
    pass


def _attributes():
    plain = Plain()
    plain.a, plain.b = [1], [2]
    return plain


def _function():
    def function(x=1, *, y=2):
        return x + y

    return function


def _other(z=3):
    return z


def _cell():
    value = [1]
    return (lambda: value).__closure__[0]


def _ordered():
    return collections.OrderedDict(a=[1], b=[2])


def _letters():
    return collections.OrderedDict.fromkeys("abcd")


def _move_twice(letters):
    letters.move_to_end("b")
    letters.move_to_end("d")
    assert "".join(letters) == "acbd"


CHANGES = {  # name: (make an object, that which has the stamp, change it)
    "an item is set": (lambda: {"a": [1], "b": [2]}, None, lambda d: d.update(a=[1])),
    "an item is added": (lambda: {"a": [1]}, None, lambda d: d.setdefault("b", 1)),
    "an item is deleted": (lambda: {"a": [1], "b": [2]}, None, lambda d: d.pop("a")),
    "an item is deleted and set again": (lambda: {"a": 1, "b": 2}, None, lambda d: d.update(a=d.pop("a"))),
    "a dictionary is merged": (lambda: {"a": [1]}, None, lambda d: d.__ior__({"a": [1]})),
    "a dictionary is cleared": (lambda: {"a": [1]}, None, lambda d: d.clear()),
    "the last item is taken": (lambda: {"a": [1]}, None, lambda d: d.popitem()),
    "an attribute is set": (_attributes, vars, lambda o: setattr(o, "a", [1])),
    "an attribute is deleted": (_attributes, vars, lambda o: delattr(o, "b")),
    "a global is set": (lambda: {"f": 1}, None, lambda d: exec("f = [1]", d)),
    "an ordered item is set": (_ordered, None, lambda d: d.__setitem__("a", [1])),
    "an ordered item is deleted": (_ordered, None, lambda d: d.popitem(last=False)),
    "an ordered item moves": (_ordered, None, lambda d: d.move_to_end("a")),
    "ordered items move between the first and the last": (_letters, None, _move_twice),
    "a missing item is made": (lambda: collections.defaultdict(list, a=1), None, lambda d: d["b"]),
    "an element is set": (lambda: [[1], [2]], None, lambda x: x.__setitem__(1, [2])),
    "an element is appended": (lambda: [[1], [2]], None, lambda x: x.append(3)),
    "an element is taken": (lambda: [[1], [2]], None, lambda x: x.pop()),
    "elements change places": (lambda: [[1], [2]], None, lambda x: x.reverse()),
    "all elements are replaced": (lambda: [[1], [2]], None, lambda x: x.__setitem__(slice(None), [[1], [2]])),
    "the code of a function": (_function, None, lambda f: setattr(f, "__code__", _other.__code__)),
    "the defaults of a function": (_function, None, lambda f: setattr(f, "__defaults__", (4,))),
    "the defaults of keywords": (_function, None, lambda f: setattr(f, "__kwdefaults__", {"y": 2})),
    "a variable of a closure": (_cell, None, lambda cell: setattr(cell, "cell_contents", [1])),
    "the gradient of a tensor": (lambda: torch.ones(2), None, lambda x: setattr(x, "grad", torch.ones(2))),
    "the data of a tensor": (lambda: torch.ones(2), None, lambda x: setattr(x, "data", torch.ones(2))),
    "the data of a parameter": (
        lambda: torch.nn.Parameter(torch.ones(2)),
        None,
        lambda x: setattr(x, "data", torch.ones(2)),
    ),
}


@known
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_shows(name):
    make, holder, change = CHANGES[name]
    owner = make()
    runs = stamps.of_objects([owner if holder is None else holder(owner)])
    assert len(runs) == 1
    taken = stamps.Stamps(runs)
    assert taken.first_change() == -1
    change(owner)
    assert taken.first_change() == 0


@known
def test_a_change_of_the_class_shows():
    plain = Plain()
    taken = stamps.Stamps(stamps.of_classes([object(), plain]))
    plain.a = 1
    assert taken.first_change() == -1
    plain.__class__ = type("Other", (), {})
    assert taken.first_change() == 1


def test_of_other_objects_no_words_are_known():
    own = type("Own", (dict,), {})()
    for other in ({1, 2}, (1, 2), collections.deque([1]), types.SimpleNamespace(a=1), vars(Plain), own):
        assert stamps.of_objects([{}, other]) == []


# ---------------------------------------------------------------------------------------------------------------
# Watches that are asked by stamps.


@pytest.fixture(params=[True, False], ids=["stamped", "not stamped"])
def with_stamps(request, monkeypatch):
    """Both ways: where objects' memory is known, and where Python is asked for everything."""
    if not request.param:
        monkeypatch.setattr(stamps, "_IS_KNOWN", False)


def _watching(add):
    watches = Watches()
    add(watches)
    watches.remember()
    stamped = Stamped(watches)
    assert all(stamped.same() for _ in range(3))
    return stamped


def test_changes_are_noticed_and_so_is_that_they_are_undone(with_stamps):
    inner, outer, names = [1], {"a": 1, "b": [2]}, {1, 2}

    def add(watches):
        watches.add_container(inner, "inner")
        watches.add_container(outer, "outer")
        watches.add_container(names, "names")

    stamped = _watching(add)
    before = outer["b"]
    outer["b"] = [2]
    assert not stamped.same()
    assert not stamped.same()
    outer["b"] = before
    assert stamped.same()
    inner.append(2)
    assert not stamped.same()
    inner.pop()
    assert stamped.same()
    names.add(3)  # a set has no stamp
    assert not stamped.same()


def test_what_changes_beside_what_is_watched_is_left_to_python(with_stamps):
    table = {"read": [1], "counter": 0}
    stamped = _watching(lambda watches: watches.add_values(table, ["read"], "table", ["read"]))
    for i in range(1, 10):
        table["counter"] = i
        assert stamped.same()
    looks = []
    stamped._look = lambda: looks.append(1)
    table["counter"] = -1
    assert stamped.same()
    assert not looks
    table["read"] = [1]
    assert not stamped.same()


def test_a_rare_change_takes_new_stamps(with_stamps):
    table = {"read": [1], "other": 0}
    stamped = _watching(lambda watches: watches.add_values(table, ["read"], "table", ["read"]))
    for i in range(1, 4):
        table["other"] = i
        assert all(stamped.same() for _ in range(9))
    assert not stamped._restless
    table["read"] = [1]
    assert not stamped.same()


def test_a_gradient_that_is_there_or_not(with_stamps):
    x = torch.ones(2, requires_grad=True)

    def add(watches):
        watches.add(attribute_of_each("grad"), [x], "x", runs=stamps.of_objects([x]))

    stamped = _watching(add)
    x.grad = torch.ones(2)
    assert not stamped.same()
    x.grad = None
    assert stamped.same()
