"""One record an op: its NumPy twin, how to draw inputs, what it promises. Every test of `ops` is driven by these."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch
from tinygrad_fr.autograd.binding import namespace

from .. import strategies as draws

Shape = tuple[int, ...]


Shapes = tuple[Shape, ...]


def one(max_dims, max_side):
    """One shape of any kind."""
    return draws.shapes(max_dims, max_side).map(lambda shape: (shape,))


def two(max_dims, max_side):
    """Two shapes that broadcast."""
    return draws.broadcastable(2, max_dims, max_side)


def three(max_dims, max_side):
    """Three shapes that broadcast to the first."""
    return draws.broadcastable(2, max_dims, max_side).map(lambda found: (np.broadcast_shapes(*found), *found))


def several_alike(max_dims, max_side):
    """One to three equal shapes."""
    return st.tuples(draws.shapes(max_dims, max_side, min_dims=1), st.integers(1, 3)).map(
        lambda pair: (pair[0],) * pair[1]
    )


def at_least(dims, side=0):
    """One shape of at least ``dims`` axes of size at least ``side``."""
    return lambda max_dims, max_side: draws.shapes(max_dims, max_side, min_dims=dims, min_side=side).map(lambda s: (s,))


@dataclass(frozen=True)
class OpSpec:
    """What is promised of an op.

    name      in the package's namespace, or of ``call``
    twin      the same function on NumPy arrays: ``twin(*arrays, **params)``
    inputs    one generator of values for each tensor input (the last one repeats): ``sampler(rng, shape) -> array``
    shapes    ``shapes(max_dims, max_side)`` gives a strategy of one shape an input
    params    ``params(draw, shapes)`` gives the other arguments; arrays among them are handed over as tensors
    order     how often it can be differentiated: 2 means always
    integers  the type of the result for integer inputs: 'same', 'float', a dtype's name; None where they are refused,
              '' where it varies
    extremes  whether infinities, NaN and subnormal numbers must give what the twin gives
    call      ``call(*tensors, **params)``, where the op is no plain function of the namespace
    methods   the attributes of Tensor that do the same; by default the one of that name
    in_place  those that write the result into the first input; by default ``name_``
    operator  binds ``__operator__`` and its reflected and in-place forms
    steps     rounding steps allowed, of the largest value in the result
    """

    name: str
    twin: Callable[..., Any]
    inputs: tuple[Callable[..., np.ndarray], ...] = (draws.real,)
    shapes: Callable[[int, int], st.SearchStrategy[Shapes]] = one
    params: Callable[[Any, Shapes], dict[str, Any]] = lambda draw, shapes: {}
    order: int = 2
    integers: str | None = "same"
    extremes: bool = True
    call: Callable[..., Any] | None = None
    methods: tuple[str, ...] | None = None
    in_place: tuple[str, ...] | None = None
    operator: str = ""
    steps: float = 16
    floats: tuple[Any, ...] = (np.float32, np.float64)

    def __str__(self) -> str:
        return self.name

    @property
    def function(self) -> Callable[..., Any]:
        return self.call or namespace[self.name]

    @property
    def method_names(self) -> tuple[str, ...]:
        if self.methods is not None:
            return self.methods
        named = (self.name,) if hasattr(torch.Tensor, self.name) else ()
        return (*named, f"__{self.operator}__") if self.operator else named

    @property
    def in_place_names(self) -> tuple[str, ...]:
        if self.in_place is not None:
            return self.in_place
        names = (f"{self.name}_", f"__i{self.operator}__" if self.operator else "")
        return tuple(name for name in names if name and hasattr(torch.Tensor, name))

    @property
    def covers(self) -> set[str]:
        """The names of the namespace and of Tensor that this record stands for."""
        reflected = {f"__r{self.operator}__"} if self.operator else set()
        return {self.name, *self.method_names, *self.in_place_names, *reflected}


@dataclass(frozen=True)
class Case:
    """One drawn call of an op."""

    spec: OpSpec
    arrays: tuple[np.ndarray, ...]
    params: dict[str, Any]

    def tensors(self, requires_grad=False):
        """The inputs as leaves that share memory with ``arrays``."""
        made = [torch.from_numpy(each) for each in self.arrays]
        return [each.requires_grad_(requires_grad) for each in made]

    @functools.cached_property
    def options(self) -> dict[str, Any]:
        """The other arguments as the op takes them."""
        return {
            name: torch.tensor(each) if isinstance(each, np.ndarray) else each for name, each in self.params.items()
        }

    def expected(self, *arrays):
        """What the twin gives, as a list."""
        with np.errstate(all="ignore"):
            return as_list(self.spec.twin(*(arrays or self.arrays), **self.params))

    def run(self, *tensors):
        """What the op gives, as a list."""
        return as_list(self.spec.function(*tensors, **self.options))


def as_list(result):
    return list(result) if isinstance(result, (tuple, list)) else [result]


@st.composite
def cases(draw, spec, dtype=None, max_dims=3, max_side=4, layouts=draws.LAYOUTS, extreme=False, shapes=None):
    """A call of ``spec`` with inputs of drawn shape, value and layout."""
    shapes = draw(spec.shapes(max_dims, max_side)) if shapes is None else shapes
    dtype = draw(st.sampled_from(spec.floats)) if dtype is None else dtype
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    arrays = []
    for i, shape in enumerate(shapes):
        sampler = draws.extreme if extreme else spec.inputs[min(i, len(spec.inputs) - 1)]
        with np.errstate(all="ignore"):
            values = np.asarray(sampler(rng, shape)).astype(dtype)
        arrays.append(draws.in_layout(values, draw(st.sampled_from(layouts))))
    return Case(spec, tuple(arrays), spec.params(draw, shapes))


def drawn(**options):
    """Parameters that do not depend on the shape: each a tuple of choices."""
    return lambda draw, shapes: {name: draw(st.sampled_from(choices)) for name, choices in options.items()}


def axis(draw, shapes):
    return {"dim": draws.axis(draw, shapes[0])}


def sides(*names):
    """Shapes written with letters, one a size: ``sides('mk', 'kn')``."""

    def shapes(max_dims, max_side):
        letters = sorted(set("".join(names)))
        return st.tuples(*[st.integers(0, max_side)] * len(letters)).map(
            lambda drawn: tuple(tuple(drawn[letters.index(letter)] for letter in name) for name in names)
        )

    return shapes


def constant(name, twin, **options):
    """An op whose derivative is 0 or not defined."""
    return OpSpec(name, twin, order=0, **options)
