"""Random draws, from the counter-based generators of ``tinygrad_fr.random``."""

import math

import numpy as np

from .. import kernels as k
from .. import random as generators
from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.device import check_device
from ..autograd.dispatch import apply, op
from ..autograd.inplace import write
from ..autograd.mode import tell_read
from ..autograd.tensor import Tensor, constant, wrap
from .checks import check_values
from .creation import checked, finish, given_sizes, numpy_dtype
from .shape import sizes


def _state(generator):
    """The state that ``generator``, or the default one, draws from and advances."""
    return wrap((generators.default_generator if generator is None else generator)._state)


@op
def _uniform(state, *, shape, kind, low, high, out=None):
    """Uniform draws in [low, high)."""
    return k.random.uniform(shape, kind, state, low=low, high=high)


@op
def _normal(state, *, shape, kind, mean, std, out=None):
    """Normal draws."""
    return k.random.normal(shape, kind, state, mean=mean, std=std)


@op
def _integers(state, *, shape, low, high, out=None):
    """Integers in [low, high)."""
    return k.random.integers(shape, state, low, high)


@op
def _permutation(state, *, n, out=None):
    """0 ... n-1 in a random order."""
    return k.random.permutation(n, state)


@op
def _bernoulli(p, state, *, out=None):
    """1 with probability p, else 0."""
    return k.random.bernoulli(p, state)


def _drawn(name, draw, params, meaning):
    """``name(*size)`` and ``name_like(tensor)``."""

    def create(
        *shape,
        size=None,
        generator=None,
        dtype=None,
        device=None,
        requires_grad=False,
        pin_memory=False,
        layout=None,
    ):
        shape = given_sizes(name, shape, size)
        drawn = apply(draw.op, (_state(generator),), {"shape": shape, "kind": _float(numpy_dtype(dtype)), **params})
        return finish(drawn._array, requires_grad, device, pin_memory, layout)

    def create_like(
        input, *, generator=None, dtype=None, device=None, requires_grad=False, pin_memory=False, layout=None
    ):
        kind = input._array.dtype if dtype is None else numpy_dtype(dtype)
        drawn = apply(draw.op, (_state(generator),), {"shape": input._array.shape, "kind": _float(kind), **params})
        return finish(drawn._array, requires_grad, device, pin_memory, layout)

    create.__name__ = create.__qualname__ = name
    create_like.__name__ = create_like.__qualname__ = f"{name}_like"
    create.__doc__ = f"A tensor of the given sizes with {meaning}."
    create_like.__doc__ = f"A tensor of the shape and dtype of ``input`` with {meaning}."
    return public(create, method=False), public(create_like, method=False)


def _float(kind):
    if kind.kind != "f":
        raise RuntimeError(f"random draws of real numbers need a floating point dtype, got {kind}")
    return kind


rand, rand_like = _drawn("rand", _uniform, {"low": 0.0, "high": 1.0}, "uniform draws in [0, 1)")
randn, randn_like = _drawn(
    "randn", _normal, {"mean": 0.0, "std": 1.0}, "normal draws of mean 0 and standard deviation 1"
)


def _finished(drawn, dtype, requires_grad, device):
    """A draw with what every creation function takes."""
    check_device(device)
    drawn = drawn if dtype is None else drawn.to(dtype)
    return drawn.requires_grad_() if requires_grad else drawn


@public(method=False)
def randint(low, high=None, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """A tensor of ``size`` with integers in [low, high); ``randint(high, size)`` starts at 0."""
    if size is None:
        high, size = None, high
    low, high = (0, low) if high is None else (low, high)
    if size is None:
        raise TypeError("randint() needs a size")
    if high <= low:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}")
    drawn = apply(
        _integers.op, (_state(generator),), {"shape": checked(sizes((size,))), "low": int(low), "high": int(high)}
    )
    return _finished(drawn, dtype, requires_grad, device)


@public(method=False)
def randint_like(input, low, high=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """A tensor of the shape and dtype of ``input`` with integers in [low, high), or in [0, low)."""
    low, high = (0, low) if high is None else (low, high)
    kind = input.dtype if dtype is None else dtype
    options = {"dtype": kind, "device": device, "requires_grad": requires_grad}
    return randint(low, high, input._array.shape, generator=generator, **options)


@public(method=False)
def randperm(n, *, generator=None, dtype=dtypes.int64, device=None, requires_grad=False):
    """0 ... n-1 in a random order.  -> (n,)."""
    if n < 0:
        raise RuntimeError(f"n must be non-negative, got {n}")
    drawn = apply(_permutation.op, (_state(generator),), {"n": int(n)})
    return _finished(drawn, dtype, requires_grad, device)


@public(method=False)
def normal(mean, std=1.0, size=None, *, generator=None, dtype=None, device=None, requires_grad=False):
    """Normal draws: of numbers ``mean`` and ``std`` and a ``size``, or one for each element of tensors."""
    if isinstance(std, Tensor):
        check_values(std, _check_deviations)
    elif std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    if size is None:
        shape = np.broadcast_shapes(*[each._array.shape for each in (mean, std) if isinstance(each, Tensor)])
        if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
            raise TypeError("normal() of two numbers needs a size")
        return randn(shape, generator=generator, dtype=dtype) * std + mean
    params = {"shape": checked(sizes((size,))), "kind": _float(numpy_dtype(dtype))}
    drawn = apply(_normal.op, (_state(generator),), {**params, "mean": float(mean), "std": float(std)})
    return _finished(drawn, None, requires_grad, device)


def _check_deviations(values):
    if (values < 0).any():
        raise RuntimeError("normal expects all elements of std >= 0.0")


@public
def bernoulli(input, p=None, *, generator=None):
    """1 with the probability in each element of ``input``, or with probability p, else 0.  (*) -> (*)."""
    if p is not None:
        return input.detach().clone().bernoulli_(p, generator=generator)
    check_values(input, _check_probabilities)
    return apply(_bernoulli.op, (input.detach(), _state(generator)), {})


def _check_probabilities(values):
    if not ((values >= 0) & (values <= 1)).all():
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got false: probabilities lie in 0 ... 1")


@public
def multinomial(input, num_samples, replacement=False, *, generator=None):
    """Positions drawn by the weights in the rows of ``input``.  (N, C) -> (N, num_samples);  (C,) -> (num_samples,)."""
    tell_read("multinomial()")
    weights = np.atleast_2d(input._array.astype(np.float64))
    if not np.isfinite(weights).all() or (weights < 0).any() or (weights.sum(1) <= 0).any():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0, or a row that sums to 0")
    if not replacement and (np.count_nonzero(weights, axis=1) < num_samples).any():
        raise RuntimeError(
            f"cannot sample {num_samples} times without replacement: a row has fewer positions of positive weight"
        )
    rows, classes = weights.shape
    if replacement:
        draws = rand(rows, num_samples, generator=generator, dtype=dtypes.float64)._array
        bounds = np.cumsum(weights, axis=1) / weights.sum(1, keepdims=True)
        last = classes - 1 - np.argmax(weights[:, ::-1] > 0, axis=1)  # rounding must not lead past it
        found = np.stack(
            [np.searchsorted(bound, draw, side="right") for bound, draw in zip(bounds, draws, strict=True)]
        )
        found = np.minimum(found, last[:, None])
    else:  # the largest of log(w) + Gumbel noise (Efraimidis and Spirakis, 2006)
        noise = -np.log(-np.log(rand(rows, classes, generator=generator, dtype=dtypes.float64)._array + math.ulp(0.0)))
        with np.errstate(divide="ignore"):
            found = np.argsort(-(np.log(weights) + noise), axis=1, kind="stable")[:, :num_samples]
    return wrap(found.astype(np.int64).reshape((*input._array.shape[:-1], num_samples)))


# --- in place ----------------------------------------------------------------------------------------------------


def _fills(draw, kernel_params):
    """An in-place op that overwrites its first input with draws from its second."""

    def forward(x, state, *, first, second, out):
        name_first, name_second = kernel_params
        if x.dtype.kind != "f":
            raise RuntimeError(f"{draw}_ needs a floating point tensor, got {x.dtype}")
        getattr(k.random, draw)(x.shape, x.dtype, state, **{name_first: first, name_second: second}, out=out)
        return out

    forward.__name__ = draw
    made = op(forward)
    made.vjp("x")(lambda g: g * 0)
    return made


_uniform_into = _fills("uniform", ("low", "high"))
_normal_into = _fills("normal", ("mean", "std"))


@public(function_name=None)
def uniform_(self, from_=0.0, to=1.0, *, generator=None):
    """Overwrite the tensor with uniform draws in [from_, to)."""
    return write(_uniform_into.op, self, (_state(generator),), {"first": float(from_), "second": float(to)})


@public(function_name=None)
def normal_(self, mean=0.0, std=1.0, *, generator=None):
    """Overwrite the tensor with normal draws."""
    if std < 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    return write(_normal_into.op, self, (_state(generator),), {"first": float(mean), "second": float(std)})


@public(function_name=None)
def random_(self, from_=None, to=None, *, generator=None):
    """Overwrite the tensor with integers in [from, to), or in [0, from); by default all that its type holds exactly."""
    kind = self._array.dtype
    if from_ is None:
        largest = {"f": 2 ** (np.finfo(kind).nmant + 1) if kind.kind == "f" else 0, "b": 1}
        to = largest.get(kind.kind) or np.iinfo(kind).max
        to += kind.kind != "i" or kind.itemsize < 8
    low, high = (0, to if from_ is None else from_) if to is None or from_ is None else (from_, to)
    return self.copy_(randint(low, high, self._array.shape, generator=generator))


def _overwritten(name, transform, allowed, expectation):
    """``name_`` overwrites a tensor with ``transform(uniform draws in (0, 1], *parameters)``."""

    def write_draws(self, parameters, generator):
        if not allowed(*parameters):
            raise RuntimeError(f"{name} expects {expectation}, but found {', '.join(map(str, parameters))}")
        drawn = rand(self._array.shape, generator=generator, dtype=dtypes.float64)
        return self.copy_(transform(1 - drawn, *parameters))

    return write_draws


_exponential = _overwritten("exponential_", lambda u, rate: -u.log() / rate, lambda rate: rate > 0, "lambda > 0.0")
_geometric = _overwritten(
    "geometric_", lambda u, p: (u.log() / math.log1p(-p)).ceil().clamp(1), lambda p: 0 < p < 1, "p to be in (0, 1)"
)
_cauchy = _overwritten(
    "cauchy_",
    lambda u, median, scale: median + scale * (math.pi * (u - 0.5)).sin() / (math.pi * (u - 0.5)).cos(),
    lambda _, scale: scale > 0,
    "sigma > 0.0",
)


@public(function_name=None)
def exponential_(self, lambd=1.0, *, generator=None):
    """Overwrite the tensor with exponential draws of rate ``lambd``."""
    return _exponential(self, (lambd,), generator)


@public(function_name=None)
def geometric_(self, p, *, generator=None):
    """Overwrite the tensor with how often one tries up to a success of probability p."""
    return _geometric(self, (p,), generator)


@public(function_name=None)
def cauchy_(self, median=0.0, sigma=1.0, *, generator=None):
    """Overwrite the tensor with Cauchy draws."""
    return _cauchy(self, (median, sigma), generator)


@public(function_name=None)
def log_normal_(self, mean=1.0, std=2.0, *, generator=None):
    """Overwrite the tensor with e to the power of normal draws."""
    if std <= 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    drawn = randn(self._array.shape, generator=generator, dtype=dtypes.float64)
    return self.copy_((drawn * std + mean).exp())


@public(function_name=None)
def bernoulli_(self, p=0.5, *, generator=None):
    """Overwrite the tensor with 1 with probability p, else 0."""
    probabilities = p if isinstance(p, Tensor) else constant(np.full(self._array.shape, p, dtypes.float64.numpy))
    return self.copy_(bernoulli(probabilities, generator=generator))
