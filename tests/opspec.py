"""One record an op: its NumPy twin, how to draw inputs, what it promises. Every test of `ops` is driven by these."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch
from tinygrad_fr.autograd.binding import namespace
from tinygrad_fr.kernels import reference
from tinygrad_fr.ops import activation, loss, pointwise
from tinygrad_fr.ops import matmul as matmul_ops

from . import strategies as draws

Shape = tuple[int, ...]
Shapes = tuple[Shape, ...]


def one(max_dims, max_side):
    """One shape of any kind."""
    return draws.shapes(max_dims, max_side).map(lambda shape: (shape,))


def two(max_dims, max_side):
    """Two shapes that broadcast."""
    return draws.broadcastable(2, max_dims, max_side)


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


# ---------------------------------------------------------------------------------------------------------------
# Helpers of the twins.


def _dims(dim, ndim):
    return tuple(range(ndim)) if dim in (None, ()) or ndim == 0 else dim


def reduced(function):
    """A twin of a reduction, from NumPy's function."""

    def twin(x, dim=None, keepdim=False):
        return np.asarray(function(x, axis=_dims(dim, x.ndim), keepdims=keepdim))

    return twin


def along(function):
    """A twin of a function along one axis, which treats a 0-d array as one of a single element."""

    def twin(x, dim, **options):
        return np.asarray(function(np.atleast_1d(x), dim, **options)).reshape(x.shape)

    return twin


def _mean(x, dim=None, keepdim=False):
    total = reduced(np.sum)(x, dim, keepdim)
    count = x.size // total.size if total.size else 1
    return total / np.asarray(count, x.dtype)


def _variance(x, dim=None, correction=1, keepdim=False):
    dims = _dims(dim, x.ndim)
    dims = (dims,) if isinstance(dims, int) else dims
    count = int(np.prod([x.shape[each] for each in dims]))
    centred = x - np.mean(x, axis=dims, keepdims=True)
    total = np.sum(centred * centred, axis=dims, keepdims=keepdim)
    return total / np.asarray(max(count - correction, 0), x.dtype)


def _norm(x, p=2, dim=None, keepdim=False):
    dims = _dims(dim, x.ndim)
    if p in (2, "fro"):
        return np.sqrt(np.sum(x * x, axis=dims, keepdims=keepdim))
    if p == np.inf:
        return np.max(np.abs(x), axis=dims, keepdims=keepdim)
    return np.sum(np.abs(x) ** p, axis=dims, keepdims=keepdim) ** (1 / p)


def _flat_argument(function):
    def twin(x, dim=None, keepdim=False):
        if x.ndim == 0:
            return np.zeros((), np.int64)
        return np.asarray(function(x, axis=dim, keepdims=keepdim))

    return twin


def _with_positions(value, position):
    def twin(x, dim=None, keepdim=False):
        if dim is None:
            return value(x)
        if x.ndim == 0:
            return x, np.zeros((), np.int64)
        return value(x, axis=dim, keepdims=keepdim), position(x, axis=dim, keepdims=keepdim)

    return twin


def _split(x, split_size_or_sections, dim=0):
    size = split_size_or_sections
    cuts = np.arange(size, x.shape[dim], size) if isinstance(size, int) else np.cumsum(size)[:-1]
    return np.split(x, cuts, axis=dim)


def _chunk(x, chunks, dim=0):
    total = x.shape[dim]
    if total == 0:
        return [x] * chunks
    return _split(x, -(-total // chunks), dim)


def _linear(x, weight, bias):
    return reference.linear(x.reshape(x.shape[0] * x.shape[1], x.shape[2]), weight, bias).reshape(
        (*x.shape[:-1], weight.shape[0])
    )


def _product(x, y):
    return np.matmul(x.astype(np.float64), y.astype(np.float64)).astype(x.dtype)


def _round_to_zero(x, y):
    return np.trunc(x / y) if x.dtype.kind == "f" else (np.trunc(x.astype(float) / y)).astype(x.dtype)


# ---------------------------------------------------------------------------------------------------------------
# Helpers of the parameters.


def drawn(**options):
    """Parameters that do not depend on the shape: each a tuple of choices."""
    return lambda draw, shapes: {name: draw(st.sampled_from(choices)) for name, choices in options.items()}


def _reduction(draw, shapes):
    return {"dim": draws.axes(draw, shapes[0]), "keepdim": draw(st.booleans())}


def _axis(draw, shapes):
    return {"dim": draws.axis(draw, shapes[0])}


def _axis_or_all(draw, shapes):
    dim = draw(st.sampled_from((None, draws.axis(draw, shapes[0]))))
    return {"dim": dim, "keepdim": dim is not None and draw(st.booleans())}


def _two_axes(first, second):
    return lambda draw, shapes: {first: draws.axis(draw, shapes[0]), second: draws.axis(draw, shapes[0])}


def _new_shape(name):
    """A shape of as many elements, perhaps with a -1."""

    def params(draw, shapes):
        total = int(np.prod(shapes[0]))
        divisors = [n for n in range(1, total + 1) if total % n == 0] or [0]
        first = draw(st.sampled_from(divisors))
        rest = total // max(first, 1)
        if total and draw(st.booleans()):
            return {name: (first, -1)}
        return {name: draw(st.sampled_from(((first, rest), (rest, 1, first))))}

    return params


def _order(draw, shapes):
    return {"dims": tuple(draw(st.permutations(range(len(shapes[0])))))}


def _wider(draw, shapes):
    (shape,) = shapes
    stretched = [draw(st.integers(0, 3)) if size == 1 else size for size in shape]
    return {"size": (*draw(st.lists(st.integers(0, 3), max_size=2)), *stretched)}


def _narrower(draw, shapes):
    (shape,) = shapes
    cut = draw(st.integers(0, len(shape)))
    return {"size": tuple(1 if draw(st.booleans()) else size for size in shape[cut:])}


def _mask(draw, shape):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return np.asarray(rng.random(shape) < 0.5)


def _part(draw, shapes):
    dim = draws.axis(draw, shapes[0])
    start = draw(st.integers(0, shapes[0][dim]))
    return {"dim": dim, "start": start, "length": draw(st.integers(0, shapes[0][dim] - start))}


def _positions(draw, shapes):
    (shape,) = shapes
    dim = draws.axis(draw, shape)
    sides = tuple(draw(st.integers(0, 3)) if i == dim % len(shape) else size for i, size in enumerate(shape))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return {"dim": dim, "index": rng.integers(0, shape[dim], sides)}


def _rows(draw, shapes):
    dim = draws.axis(draw, shapes[0])
    index = draw(st.lists(st.integers(0, shapes[0][dim] - 1), max_size=4))
    return {"dim": dim, "index": np.array(index, np.int64)}


def _sections(draw, shapes):
    dim = draws.axis(draw, shapes[0])
    total = shapes[0][dim]
    cut = draw(st.integers(0, total))
    return {"split_size_or_sections": draw(st.sampled_from((1, 2, [cut, total - cut]))), "dim": dim}


def _classes(draw, shapes):
    rows, columns = shapes[0]
    target = draw(st.lists(st.integers(0, columns - 1) | st.just(-100), min_size=rows, max_size=rows))
    target = np.array(target, np.int64)
    reduction = draw(st.sampled_from(("none", "sum", "mean") if (target >= 0).any() else ("none", "sum")))
    return {"target": target, "reduction": reduction, "ignore_index": -100}


def _moved(draw, shapes):
    count = draw(st.integers(1, len(shapes[0])))
    chosen = [tuple(draw(st.permutations(range(len(shapes[0])))))[:count] for _ in range(2)]
    return (
        {"source": chosen[0], "destination": chosen[1]}
        if count > 1
        else {"source": chosen[0][0], "destination": chosen[1][0] - len(shapes[0])}
    )


def _repeats(draw, shapes):
    extra = draw(st.integers(0, 1))
    return {
        "repeats": tuple(
            draw(st.lists(st.integers(0, 2), min_size=len(shapes[0]) + extra, max_size=len(shapes[0]) + extra))
        )
    }


def _unflattened(draw, shapes):
    dim = draws.axis(draw, shapes[0])
    size = shapes[0][dim]
    first = draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
    return {"dim": dim, "sizes": (first, draw(st.sampled_from((-1, size // first))))}


def _merged(draw, shapes):
    ndim = max(len(shapes[0]), 1)
    first = draw(st.integers(0, ndim - 1))
    return {"start_dim": first, "end_dim": draw(st.integers(first, ndim - 1)) - ndim * draw(st.integers(0, 1))}


def _merge(x, start_dim, end_dim):
    if x.ndim == 0:
        return x.reshape(1)
    end_dim %= x.ndim
    return x.reshape((*x.shape[:start_dim], int(np.prod(x.shape[start_dim : end_dim + 1])), *x.shape[end_dim + 1 :]))


def _squeeze(x, dim=None):
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    dims = {each % x.ndim for each in dims} if x.ndim else set()
    return x.reshape([size for i, size in enumerate(x.shape) if i not in dims or size != 1])


def _flip_axes(draw, shapes):
    count = len(shapes[0])
    return {"dims": tuple(draw(st.lists(st.integers(0, count - 1), unique=True)))}


def _matrices(max_dims, max_side):
    """Two shapes that `matmul` takes: vectors, matrices and batches that broadcast."""
    side = st.integers(0, max_side)

    @st.composite
    def shapes(draw):
        m, k, n = draw(side), draw(side), draw(side)
        first, second = draw(draws.broadcastable(2, max(max_dims - 2, 0), max_side))
        x = draw(st.sampled_from(((k,), (m, k), (*first, m, k))))
        y = draw(st.sampled_from(((k,), (k, n), (*second, k, n))))
        return x, y

    return shapes()


def _sides(*names):
    """Shapes written with letters, one a size: ``_sides('mk', 'kn')``."""

    def shapes(max_dims, max_side):
        letters = sorted(set("".join(names)))
        return st.tuples(*[st.integers(0, max_side)] * len(letters)).map(
            lambda drawn: tuple(tuple(drawn[letters.index(letter)] for letter in name) for name in names)
        )

    return shapes


def _joined(max_dims, max_side):
    """Shapes that differ in the first axis only."""

    @st.composite
    def shapes(draw):
        rest = draw(draws.shapes(max_dims - 1, max_side))
        return tuple((draw(st.integers(0, 3)), *rest) for _ in range(draw(st.integers(1, 3))))

    return shapes()


def _tail(max_dims, max_side):
    """Three shapes, of which the last two broadcast to the first: the product, and the sum with it."""
    return st.tuples(*[st.integers(1, max_side)] * 3, st.booleans()).map(
        lambda d: ((d[2],) if d[3] else (d[0], d[2]), (d[0], d[1]), (d[1], d[2]))
    )


# ---------------------------------------------------------------------------------------------------------------
# The records.


def _constant(name, twin, **options):
    """An op whose derivative is 0 or not defined."""
    return OpSpec(name, twin, order=0, **options)


def _positive_pair(name, twin, **options):
    return OpSpec(name, twin, inputs=(draws.real, draws.positive), shapes=two, **options)


UNARY = [
    OpSpec("sigmoid", reference.sigmoid, integers="float"),
    OpSpec("tanh", reference.tanh, integers="float"),
    OpSpec("relu", lambda x: np.maximum(x, 0)),
    OpSpec(
        "leaky_relu",
        lambda x, negative_slope: np.where(x > 0, x, x * x.dtype.type(negative_slope)),
        integers="",
        params=drawn(negative_slope=(0.01, 0.3, 0.0)),
    ),
    OpSpec("silu", reference.silu, integers="float", call=activation.silu),
    OpSpec(
        "gelu",
        reference.gelu,
        integers="float",
        call=activation.gelu,
        params=drawn(approximate=("none", "tanh")),
    ),
    OpSpec(
        "softplus",
        reference.softplus,
        integers="float",
        call=activation.softplus,
        params=drawn(beta=(1.0, 0.5), threshold=(20.0, 1.01)),
    ),
    OpSpec("exp", np.exp, integers="float"),
    OpSpec("log", np.log, inputs=(draws.positive,), integers="float"),
    OpSpec("log1p", np.log1p, inputs=(draws.positive,), integers="float"),
    OpSpec("sin", np.sin, integers="float"),
    OpSpec("cos", np.cos, integers="float"),
    OpSpec("sqrt", np.sqrt, inputs=(draws.positive,), integers="float"),
    OpSpec("rsqrt", lambda x: 1 / np.sqrt(x), inputs=(draws.positive,), integers="float"),
    OpSpec("reciprocal", lambda x: 1 / x, inputs=(draws.positive,), integers="float"),
    OpSpec("neg", np.negative, methods=("neg", "__neg__")),
    OpSpec("abs", np.abs, methods=("abs", "__abs__")),
    OpSpec("sign", np.sign),
    OpSpec("square", np.square),
    OpSpec("floor", np.floor),
    OpSpec("ceil", np.ceil),
    OpSpec("round", np.rint),
    OpSpec("trunc", np.trunc),
    OpSpec(
        "clamp",
        lambda x, min=None, max=None: np.clip(x, min, max),
        in_place=("clamp_",),
        params=lambda draw, shapes: draw(st.sampled_from(({"min": -1}, {"max": 1}, {"min": -1, "max": 2}))),
    ),
    OpSpec("expm1", np.expm1, integers="float"),
    OpSpec("erf", reference.erf, integers="float"),
    OpSpec("log1pexp", lambda x: np.logaddexp(x, 0), integers="float", call=pointwise.log1pexp),
    _constant("isnan", np.isnan, integers="bool"),
    _constant("isinf", np.isinf, integers="bool"),
    _constant("isfinite", np.isfinite, integers="bool"),
    _constant("logical_not", np.logical_not, integers="bool"),
]

BINARY = [
    OpSpec(
        "add", lambda x, y, alpha=1: x + y * x.dtype.type(alpha), shapes=two, operator="add", params=drawn(alpha=(1, 2))
    ),
    OpSpec(
        "sub", lambda x, y, alpha=1: x - y * x.dtype.type(alpha), shapes=two, operator="sub", params=drawn(alpha=(1, 2))
    ),
    OpSpec("mul", np.multiply, shapes=two, operator="mul"),
    _positive_pair("div", np.divide, operator="truediv", integers="float"),
    _positive_pair(
        "div_trunc",
        _round_to_zero,
        call=lambda x, y: torch.div(x, y, rounding_mode="trunc"),
        methods=(),
        extremes=False,
    ),
    _positive_pair(
        "div_floor",
        np.floor_divide,
        call=lambda x, y: torch.div(x, y, rounding_mode="floor"),
        methods=(),
        extremes=False,
    ),
    _constant(
        "floor_divide",
        np.floor_divide,
        inputs=(draws.real, draws.positive),
        shapes=two,
        operator="floordiv",
        extremes=False,
    ),
    _positive_pair("remainder", np.remainder, operator="mod", extremes=False),
    OpSpec("pow", np.power, inputs=(draws.positive, draws.real), shapes=two, operator="pow", integers="", steps=64),
    OpSpec(
        "power_of_number",
        lambda x, exponent: np.power(x, exponent),
        call=lambda x, exponent: x**exponent,
        methods=(),
        in_place=(),
        inputs=(draws.positive,),
        params=drawn(exponent=(0, 1, 2, 3, -1, 0.5, -2.5, 2.0)),
        integers="",
        extremes=False,
        steps=64,
    ),
    OpSpec(
        "bce",
        lambda x, y: -(y * np.maximum(np.log(x), -100) + (1 - y) * np.maximum(np.log1p(-x), -100)),
        inputs=(draws.fraction, draws.fraction),
        shapes=two,
        integers="",
        extremes=False,
        call=pointwise.bce,
    ),
    OpSpec(
        "bce_of_logits",
        lambda x, y: np.logaddexp(x, 0) - x * y,
        shapes=two,
        integers="float",
        extremes=False,
        call=pointwise.bce_of_logits,
    ),
    OpSpec("maximum", np.maximum, shapes=two),
    OpSpec("minimum", np.minimum, shapes=two),
    *[
        _constant(name, getattr(np, long), shapes=two, integers="bool", methods=(name, f"__{name}__"))
        for name, long in (
            ("eq", "equal"),
            ("ne", "not_equal"),
            ("lt", "less"),
            ("le", "less_equal"),
            ("gt", "greater"),
            ("ge", "greater_equal"),
        )
    ],
    *[
        _constant(name, getattr(np, name), shapes=two, integers="bool")
        for name in ("logical_and", "logical_or", "logical_xor")
    ],
]

BITWISE = [
    *[
        _constant(
            f"bitwise_{name}", getattr(np, f"bitwise_{name}"), shapes=two, operator=name, floats=(np.int64, np.uint8)
        )
        for name in ("and", "or", "xor")
    ],
    _constant("bitwise_not", np.invert, methods=("bitwise_not", "__invert__"), floats=(np.int64, np.uint8)),
]

REDUCTIONS = [
    OpSpec("sum", reduced(np.sum), params=_reduction, integers="int64"),
    OpSpec("mean", _mean, params=_reduction, integers=None),
    OpSpec(
        "var",
        _variance,
        integers=None,
        steps=256,
        extremes=False,
        params=lambda draw, shapes: {**_reduction(draw, shapes), "correction": draw(st.sampled_from((0, 1)))},
        shapes=at_least(1, 2),
    ),
    OpSpec(
        "std",
        lambda x, **options: np.sqrt(_variance(x, **options)),
        integers=None,
        steps=256,
        extremes=False,
        params=lambda draw, shapes: {**_reduction(draw, shapes), "correction": draw(st.sampled_from((0, 1)))},
        shapes=at_least(1, 2),
    ),
    OpSpec(
        "norm",
        _norm,
        integers=None,
        steps=64,
        extremes=False,
        shapes=at_least(1, 1),
        params=lambda draw, shapes: {
            **_reduction(draw, shapes),
            "p": draw(st.sampled_from((1, 2, 3, 2.5, np.inf, "fro"))),
        },
    ),
    OpSpec("amax", reduced(np.max), params=_reduction, shapes=at_least(0, 1)),
    OpSpec("amin", reduced(np.min), params=_reduction, shapes=at_least(0, 1)),
    _constant("argmax", _flat_argument(np.argmax), params=_axis_or_all, shapes=at_least(0, 1), integers="int64"),
    _constant("argmin", _flat_argument(np.argmin), params=_axis_or_all, shapes=at_least(0, 1), integers="int64"),
    OpSpec("max", _with_positions(np.max, np.argmax), params=_axis_or_all, shapes=at_least(0, 1)),
    OpSpec("min", _with_positions(np.min, np.argmin), params=_axis_or_all, shapes=at_least(0, 1)),
    _constant("all", reduced(np.all), params=_reduction, integers="bool"),
    _constant("any", reduced(np.any), params=_reduction, integers="bool"),
    _constant(
        "count_nonzero",
        lambda x, dim: np.asarray(np.count_nonzero(x, axis=_dims(dim, x.ndim))),
        integers="int64",
        params=lambda draw, shapes: {"dim": draws.axes(draw, shapes[0])},
    ),
    OpSpec("cumsum", along(lambda x, dim: np.cumsum(x, axis=dim, dtype=x.dtype)), params=_axis, integers="int64"),
    OpSpec("softmax", reference.softmax, params=_axis, integers="float", extremes=False),
    OpSpec("log_softmax", reference.log_softmax, params=_axis, integers="float", extremes=False),
    OpSpec(
        "softmax_cross_entropy",
        lambda x, **options: reference.cross_entropy(x, **options)[0],
        params=_classes,
        integers=None,
        shapes=lambda max_dims, max_side: st.tuples(st.integers(0, 4), st.integers(1, max_side)).map(
            lambda shape: (shape,)
        ),
        call=lambda x, target, **options: loss.softmax_cross_entropy(x, target, **options),
        extremes=False,
    ),
    _constant(
        "bincount",
        lambda x, minlength: np.bincount(x, minlength=minlength),
        integers="int64",
        floats=(np.int64, np.uint8),
        inputs=(lambda rng, shape: rng.integers(0, 6, shape),),
        params=drawn(minlength=(0, 9)),
        shapes=lambda max_dims, max_side: draws.shapes(1, max_side, min_dims=1).map(lambda shape: (shape,)),
    ),
]

MATMUL = [
    OpSpec("matmul", _product, shapes=_matrices, operator="matmul", integers=None, extremes=False, steps=64),
    OpSpec("mm", _product, shapes=_sides("mk", "kn"), integers=None, extremes=False, steps=64),
    OpSpec("mv", _product, shapes=_sides("mk", "k"), integers=None, extremes=False, steps=64),
    OpSpec("bmm", _product, shapes=_sides("bmk", "bkn"), integers=None, extremes=False, steps=64),
    OpSpec("dot", _product, shapes=_sides("k", "k"), integers=None, extremes=False, steps=64),
    OpSpec("outer", np.outer, shapes=_sides("m", "n")),
    OpSpec(
        "addmm",
        lambda x, y, z, beta, alpha: (beta * x + alpha * (y @ z)).astype(x.dtype),
        shapes=_tail,
        integers=None,
        params=drawn(beta=(1, 0.5, 0), alpha=(1, 2)),
        extremes=False,
        steps=64,
    ),
    OpSpec(
        "linear",
        _linear,
        shapes=_sides("amk", "nk", "n"),
        integers=None,
        extremes=False,
        steps=64,
        call=matmul_ops.linear,
        methods=(),
    ),
]

INDEXING = [
    OpSpec(
        "where",
        lambda x, y, condition: np.where(condition, x, y),
        shapes=two,
        call=lambda x, y, condition: torch.where(condition, x, y),
        params=lambda draw, shapes: {"condition": _mask(draw, np.broadcast_shapes(*shapes))},
        methods=(),
    ),
    OpSpec(
        "masked_fill",
        lambda x, mask, value: np.where(mask, x.dtype.type(value), x),
        params=lambda draw, shapes: {"mask": _mask(draw, shapes[0]), "value": draw(st.sampled_from((0, 3)))},
    ),
    OpSpec("masked_select", lambda x, mask: x[mask], params=lambda draw, shapes: {"mask": _mask(draw, shapes[0])}),
    _constant("nonzero", lambda x: np.argwhere(x), integers="int64"),
    OpSpec("gather", lambda x, dim, index: np.take_along_axis(x, index, dim), params=_positions, shapes=at_least(1, 1)),
    OpSpec("index_select", lambda x, dim, index: np.take(x, index, axis=dim), params=_rows, shapes=at_least(1, 1)),
]


def _getter(name):
    """A call of a method that takes its sizes as separate arguments or as one tuple."""
    return lambda x, size: getattr(x, name)(size) if len(size) == 1 else getattr(x, name)(*size)


VIEWS = [
    OpSpec(
        "reshape",
        lambda x, shape: x.reshape(shape),
        call=lambda x, shape: torch.reshape(x, shape),
        methods=(),
        params=_new_shape("shape"),
    ),
    OpSpec(
        "Tensor.reshape",
        lambda x, size: x.reshape(size),
        call=_getter("reshape"),
        methods=("reshape",),
        in_place=(),
        params=_new_shape("size"),
    ),
    OpSpec(
        "view",
        lambda x, size: x.reshape(size),
        call=lambda x, size: x.contiguous().view(*size),
        methods=("view",),
        params=_new_shape("size"),
    ),
    OpSpec(
        "reshape_as",
        lambda x, y: x.reshape(y.shape),
        order=0,
        shapes=_sides("mn", "nm"),
        call=lambda x, y: x.reshape_as(y),
    ),
    OpSpec(
        "view_as",
        lambda x, y: x.reshape(y.shape),
        order=0,
        shapes=_sides("mn", "nm"),
        call=lambda x, y: x.contiguous().view_as(y),
        methods=("view_as",),
    ),
    OpSpec("flatten", _merge, params=_merged),
    OpSpec(
        "unflatten",
        lambda x, dim, sizes: x.reshape((*x.shape[: dim % x.ndim], *sizes, *x.shape[dim % x.ndim + 1 :])),
        params=_unflattened,
        shapes=at_least(1, 1),
    ),
    OpSpec("ravel", np.ravel),
    OpSpec(
        "permute",
        lambda x, dims: np.transpose(x, dims),
        params=_order,
        methods=("permute",),
        call=lambda x, dims: torch.permute(x, dims),
    ),
    OpSpec(
        "transpose",
        lambda x, dim0, dim1: np.swapaxes(x, dim0, dim1),
        params=_two_axes("dim0", "dim1"),
        shapes=at_least(1),
    ),
    OpSpec("t", np.transpose, shapes=lambda max_dims, max_side: one(2, max_side)),
    OpSpec("T", np.transpose, call=lambda x: x.T, methods=(), shapes=lambda max_dims, max_side: one(2, max_side)),
    OpSpec("mT", lambda x: np.swapaxes(x, -1, -2), call=lambda x: x.mT, methods=(), shapes=at_least(2)),
    OpSpec(
        "movedim", lambda x, source, destination: np.moveaxis(x, source, destination), params=_moved, shapes=at_least(1)
    ),
    OpSpec(
        "squeeze",
        _squeeze,
        params=lambda draw, shapes: draw(st.sampled_from(({}, {"dim": draws.axis(draw, shapes[0])}))),
    ),
    OpSpec(
        "unsqueeze",
        lambda x, dim: np.expand_dims(x, dim),
        params=lambda draw, shapes: {"dim": draws.axis(draw, (*shapes[0], 1))},
    ),
    OpSpec("broadcast_to", lambda x, size: np.broadcast_to(x, size), params=_wider),
    OpSpec(
        "expand",
        lambda x, size: np.broadcast_to(x, size),
        params=_wider,
        call=lambda x, size: x.expand(*size),
        methods=("expand",),
    ),
    OpSpec(
        "expand_as",
        lambda x, y: np.broadcast_to(x, y.shape),
        order=0,
        shapes=lambda d, s: two(d, s).map(lambda pair: (pair[0], np.broadcast_shapes(*pair))),
        call=lambda x, y: x.expand_as(y),
        methods=("expand_as",),
    ),
    OpSpec(
        "sum_to_size",
        lambda x, size: x.sum(
            tuple(
                i
                for i in range(x.ndim)
                if i < x.ndim - len(size) or (size[i - x.ndim + len(size)] == 1 and x.shape[i] != 1)
            ),
            keepdims=True,
        ).reshape(size),
        params=_narrower,
        call=lambda x, size: x.sum_to_size(size),
        methods=("sum_to_size",),
        integers="",
        extremes=False,
    ),
    OpSpec(
        "narrow",
        lambda x, dim, start, length: np.take(x, range(start, start + length), axis=dim),
        params=_part,
        shapes=at_least(1),
    ),
    OpSpec("split", _split, params=_sections, shapes=at_least(1, 1)),
    OpSpec(
        "chunk",
        _chunk,
        params=lambda draw, shapes: {"chunks": draw(st.integers(1, 4)), **_axis(draw, shapes)},
        shapes=at_least(1),
    ),
    OpSpec(
        "unbind",
        lambda x, dim: [np.take(x, i, axis=dim) for i in range(x.shape[dim])],
        params=_axis,
        shapes=at_least(1),
    ),
]

COPIES = [
    OpSpec("clone", np.copy),
    OpSpec("contiguous", np.copy, call=torch.Tensor.contiguous, methods=()),
    OpSpec("cat", lambda *xs: np.concatenate(xs), call=lambda *xs: torch.cat(xs), shapes=_joined),
    OpSpec("concat", lambda *xs: np.concatenate(xs), call=lambda *xs: torch.concat(xs, 0), shapes=_joined),
    OpSpec(
        "stack",
        lambda *xs, dim: np.stack(xs, dim),
        call=lambda *xs, dim: torch.stack(xs, dim),
        shapes=several_alike,
        params=lambda draw, shapes: {"dim": draws.axis(draw, (*shapes[0], 1))},
    ),
    OpSpec(
        "repeat",
        lambda x, repeats: np.tile(x, repeats),
        params=_repeats,
        call=lambda x, repeats: x.repeat(*repeats),
        methods=("repeat",),
    ),
    OpSpec(
        "flip",
        lambda x, dims: np.flip(x, dims).copy(),
        params=_flip_axes,
        call=lambda x, dims: torch.flip(x, dims),
        shapes=at_least(1),
        methods=(),
    ),
    OpSpec(
        "meshgrid",
        lambda x, y, indexing: np.meshgrid(x, y, indexing=indexing),
        shapes=_sides("m", "n"),
        call=lambda x, y, indexing: torch.meshgrid(x, y, indexing=indexing),
        params=drawn(indexing=("ij", "xy")),
    ),
    *[
        _constant(
            name,
            lambda x, kind=kind: x.astype(kind),
            integers=kind,
            extremes=False,
            in_place=(),
            call=lambda x, name=name: getattr(x, name)(),
            methods=(name,),
        )
        for name, kind in (("long", "int64"), ("int", "int32"), ("short", "int16"), ("char", "int8"), ("bool", "bool"))
    ],
    _constant(
        "byte",
        lambda x: x.astype(np.uint8),
        inputs=(draws.positive,),
        integers="uint8",
        extremes=False,
        call=lambda x: x.byte(),
        methods=("byte",),
    ),
    OpSpec(
        "float",
        lambda x: x.astype(np.float32),
        integers="float32",
        call=lambda x: x.float(),
        methods=("float",),
        floats=(np.float32,),
        order=0,
    ),
    OpSpec(
        "double", lambda x: x.astype(np.float64), integers="float64", call=lambda x: x.double(), methods=("double",)
    ),
    OpSpec("to", lambda x: x.astype(np.float64), integers="float64", call=lambda x: x.to(torch.float64), methods=()),
    OpSpec(
        "type", lambda x: x.astype(np.float64), integers="float64", call=lambda x: x.type(torch.float64), methods=()
    ),
    OpSpec(
        "type_as",
        lambda x, y: x.astype(y.dtype),
        order=0,
        shapes=two,
        call=lambda x, y: x.type_as(y),
        methods=("type_as",),
    ),
]

WHOLE = [
    _constant("equal", np.array_equal, shapes=two, integers="bool"),
    _constant("isclose", np.isclose, shapes=two, integers="bool"),
    _constant("allclose", np.allclose, shapes=two, integers="bool"),
]

SPECS = [*UNARY, *BINARY, *BITWISE, *REDUCTIONS, *MATMUL, *INDEXING, *VIEWS, *COPIES, *WHOLE]
DIFFERENTIABLE = [spec for spec in SPECS if spec.order]

# Names that compute nothing from the elements of a tensor, or draw at random; tests of their own cover them.
NOT_COMPUTING = {
    *(
        "arange",
        "as_tensor",
        "empty",
        "empty_like",
        "eye",
        "from_dlpack",
        "from_numpy",
        "full",
        "full_like",
        "linspace",
    ),
    *("ones", "ones_like", "tensor", "zeros", "zeros_like", "is_tensor", "numel"),
    *("new_empty", "new_full", "new_ones", "new_tensor", "new_zeros", "cpu", "cuda", "pin_memory"),
    *(
        "bernoulli",
        "dropout",
        "multinomial",
        "normal",
        "rand",
        "rand_like",
        "randint",
        "randn",
        "randn_like",
        "randperm",
    ),
    *("bernoulli_", "normal_", "uniform_"),
}

# Names whose writes and reads have tests of their own: test_indexing, test_views_inplace, test_shape.
TESTED_APART = {"__getitem__", "__setitem__", "copy_", "fill_", "zero_", "masked_fill_", "__pos__", "__rpow__"}
