"""Reading and writing single elements by their positions along one axis."""

import numpy as np

from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from ..autograd.inplace import write
from ..autograd.mode import tell_read
from ..autograd.tensor import Tensor, constant, plain
from .arrays import add_at
from .axes import numpy_names
from .checks import check_values
from .convert import converted
from .indexing import copied
from .shape import canonical_dim


def _along(index, dim):
    """NumPy's index for "position along ``dim``, own place along the others"."""
    places = np.ogrid[tuple(slice(size) for size in index.shape)]
    return tuple(index if i == dim else place for i, place in enumerate(places))


def _add_along(out, index, dim, src):
    """Add ``src`` to ``out``, in place, at ``index`` along ``dim``."""
    reached = out[tuple(slice(None) if i == dim else slice(size) for i, size in enumerate(index.shape))]
    add_at(reached, dim, dim + 1, index, np.broadcast_to(src, index.shape))


def check_bounds(index, dim, size, error: type[Exception] = IndexError):
    def check(positions):
        if positions.size and (positions.min() < 0 or positions.max() >= size):
            bad = positions[(positions < 0) | (positions >= size)].ravel()[0]
            raise error(f"index {bad} is out of bounds for dimension {dim} with size {size}")

    check_values(index, check)


# --- gather and scatter ------------------------------------------------------------------------------------------


@op
def _gather(x, index, *, dim, out=None):
    """x[..., index[...], ...] along ``dim``."""
    return x[_along(index, dim)]


@_gather.vjp("x")
def _(g, index, x_shape, dim):
    return apply(_scatter_add.op, (constant(np.zeros(x_shape, g._array.dtype)), g, index), {"dim": dim})


@op
def _scatter(x, src, index, *, dim, out=None):
    """x with ``src`` at ``index`` along ``dim``."""
    out = copied(x, out)
    out[_along(index, dim)] = src
    return out


@_scatter.vjp("x")
def _(g, index, dim):
    return apply(_scatter.op, (g, constant(np.zeros((), g._array.dtype)), index), {"dim": dim})


@_scatter.vjp("src")
def _(g, index, src_shape, dim):
    return apply(_gather.op, (g, index), {"dim": dim}).sum_to_size(src_shape)


@op
def _scatter_add(x, src, index, *, dim, out=None):
    """x to which ``src`` is added at ``index`` along ``dim``."""
    out = copied(x, out)
    _add_along(out, index, dim, src)
    return out


@_scatter_add.vjp("x", on_arrays=True)
def _(g):
    return g


@_scatter_add.vjp("src")
def _(g, index, src_shape, dim):
    return apply(_gather.op, (g, index), {"dim": dim}).sum_to_size(src_shape)


def _checked_index(name, input, index, dim):
    """An index along ``dim``, of int64 and of at least one axis, after checks of its shape, type and values."""
    if index._array.dtype not in (np.int64, np.int32):
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index, got {index.dtype.name}")
    if index._array.size:
        if max(index.ndim, 1) != max(input.ndim, 1):
            raise RuntimeError(
                f"Index tensor must have the same number of dimensions as input tensor ({index.ndim} and {input.ndim})"
            )
        for i, (size, bound) in enumerate(zip(index._array.shape, input._array.shape, strict=False)):
            if i != dim and size > bound:
                raise RuntimeError(
                    f"Size does not match at dimension {i} expected index {list(index.shape)} to be no larger than "
                    f"self {list(input.shape)} apart from dimension {dim}"
                )
        check_bounds(index, dim, input._array.shape[dim] if input.ndim else 1, RuntimeError)
    return as_vector(index.to(dtypes.int64))


def as_vector(tensor):
    """A tensor of no axes as one of one element; others as they are."""
    return tensor if tensor.ndim else tensor.reshape(1)


@public
@numpy_names
def gather(input, dim, index, *, sparse_grad=False):
    """The elements of ``input`` at the positions ``index`` along ``dim``.  -> the shape of index."""
    if sparse_grad:
        raise NotImplementedError("gather(sparse_grad=True) is not supported: gradients are dense")
    dim = canonical_dim(dim, input.ndim)
    positions = _checked_index("gather", input, index, dim)
    if not index._array.size:
        return input.reshape(-1)[:0].clone().reshape(index.shape)
    found = apply(_gather.op, (as_vector(input), positions), {"dim": dim})
    return found if index.ndim else found.reshape(())


def _scatter_call(name, input, dim, index, src):
    """``(src, index)`` and the static parameters of an op that writes ``src`` at ``index``; None to write nothing."""
    dim = canonical_dim(dim, input.ndim)
    positions = _checked_index(name, input, index, dim)
    if not index._array.size:
        return None
    if not isinstance(src, Tensor):
        return (constant(converted(plain(src), input._array.dtype)), positions), {"dim": dim}
    if src._array.dtype is not input._array.dtype:
        raise RuntimeError(
            f"{name}(): Expected self.dtype to be equal to src.dtype, got {input.dtype.name} and {src.dtype.name}"
        )
    src = as_vector(src)
    if src.ndim != positions.ndim:
        raise RuntimeError(
            f"Index tensor must have the same number of dimensions as src tensor ({index.ndim} and {src.ndim})"
        )
    sizes = positions._array.shape
    if any(size > bound for size, bound in zip(sizes, src._array.shape, strict=True)):
        raise RuntimeError(
            f"Expected index {list(sizes)} to be no larger than self {list(input.shape)} apart from dimension {dim} "
            f"and to be no larger size than src {list(src.shape)}"
        )
    used = src if src._array.shape == sizes else src[tuple(slice(size) for size in sizes)]
    return (used, positions), {"dim": dim}


def _scattered(name, made, input, dim, index, src):
    """A copy of ``input`` into which ``made`` writes."""
    call = _scatter_call(name, input, dim, index, src)
    if call is None:
        return input.clone()
    (src, positions), params = call
    return apply(made.op, (as_vector(input), src, positions), params).reshape(input.shape)


def _scattered_(name, made, self, dim, index, src):
    """``self``, into which ``made`` writes."""
    call = _scatter_call(name, self, dim, index, src)
    if call is not None:
        write(made.op, as_vector(self), *call)
    return self


@public
@numpy_names
def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """A copy of ``input`` with ``src``, a tensor or a number, at the positions ``index`` along ``dim``.

    ``reduce`` 'add' or 'multiply' adds to what is there, or multiplies it.
    """
    src = _either(src, value)
    if reduce == "multiply":
        return _reduced(input, dim, index, src, "prod")
    return _scattered("scatter", _writing(reduce), input, dim, index, src)


@public(function_name=None)
@numpy_names
def scatter_(self, dim, index, src=None, *, value=None, reduce=None):
    """`scatter`, written into the tensor itself."""
    src = _either(src, value)
    if reduce == "multiply":
        return self.copy_(_reduced(self, dim, index, src, "prod"))
    return _scattered_("scatter", _writing(reduce), self, dim, index, src)


def _either(src, value):
    if (src is None) == (value is None):
        raise TypeError("scatter() takes either src, a tensor or a number, or value, a number")
    return value if src is None else src


def _writing(reduce):
    if reduce is None:
        return _scatter
    if reduce == "add":
        return _scatter_add
    raise RuntimeError("reduce argument must be either add or multiply.")


@public
@numpy_names
def scatter_add(input, dim, index, src):
    """A copy of ``input`` to which ``src`` is added at the positions ``index`` along ``dim``; all that meet add up."""
    return _scattered("scatter_add", _scatter_add, input, dim, index, src)


@public(function_name=None)
@numpy_names
def scatter_add_(self, dim, index, src):
    """`scatter_add`, written into the tensor itself."""
    return _scattered_("scatter_add", _scatter_add, self, dim, index, src)


# --- scatter with other reductions -------------------------------------------------------------------------------


def _scatter_extreme(name, function):
    """The largest or smallest of x and the elements of ``src`` that meet there; equal ones share the gradient."""

    def forward(x, src, index, *, dim, out=None):
        out = copied(x, out)
        function.at(out, _along(index, dim), src)
        return out

    forward.__name__ = name
    extreme = op(forward)

    @extreme.vjp("x")
    def _(g, x, src, index, result, dim):
        return _share(g, x, src, index, result, dim) * (x == result).to(g.dtype)

    @extreme.vjp("src")
    def _(g, x, src, index, result, dim):
        share = apply(_gather.op, (_share(g, x, src, index, result, dim), index), {"dim": dim})
        return share * _reached(src, index, result, dim).to(g.dtype)

    return extreme


def _share(g, x, src, index, result, dim):
    """The gradient over the number of elements that reach the extreme."""
    reached = _reached(src, index, result, dim).to(g.dtype)
    return g / apply(_scatter_add.op, ((x == result).to(g.dtype), reached, index), {"dim": dim})


def _reached(src, index, result, dim):
    return src == apply(_gather.op, (result, index), {"dim": dim})


@op
def _scatter_product(x, src, index, *, dim, out=None):
    """x times the elements of ``src`` that meet there."""
    out = copied(x, out)
    np.multiply.at(out, _along(index, dim), src)
    return out


@_scatter_product.backward
def _(g, x, src, index, dim):
    """Of each factor: g times the product of the others, which is taken without zeros and 0 where another is one."""
    along = _along(index, dim)
    zeros, product = (x == 0).astype(np.int64), np.where(x == 0, 1, x)
    _add_along(zeros, index, dim, (src == 0).astype(np.int64))
    np.multiply.at(product, along, np.where(src == 0, 1, src))

    def others(factor, zeros, product):
        rest = product / np.where(factor == 0, 1, factor)
        return np.where(zeros == (factor == 0), rest, 0)

    return g * others(x, zeros, product), g[along] * others(src, zeros[along], product[along]), None


@_scatter_product.reference
def _(x, src, index, dim):
    """Round by round: of the elements of ``src`` that meet in one place, one in each round."""
    tell_read("the second derivative of scatter_reduce('prod')")
    rounds = _rounds(index._array, dim, x._array.shape)
    ones = constant(np.ones(x._array.shape, x._array.dtype))
    for each in range(rounds.max(initial=-1) + 1):
        chosen = np.nonzero(rounds == each)
        places = list(chosen)
        places[dim] = index._array[chosen]
        factor = ones.index_put(tuple(map(constant, places)), src[tuple(map(constant, chosen))])
        x = x * factor
    return x


def _rounds(index, dim, shape):
    """For each element of an index: how many before it have the same place."""
    places = np.ravel_multi_index([np.broadcast_to(each, index.shape) for each in _along(index, dim)], shape).ravel()
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    first = np.searchsorted(ordered, ordered)
    rounds = np.empty(places.size, np.int64)
    rounds[order] = np.arange(places.size) - first
    return rounds.reshape(index.shape)


_largest, _smallest = _scatter_extreme("scatter_amax", np.maximum), _scatter_extreme("scatter_amin", np.minimum)
_REDUCTIONS = {"sum": _scatter_add, "mean": _scatter_add, "prod": _scatter_product, "amax": _largest, "amin": _smallest}


def _reduced(input, dim, index, src, reduce, include_self=True):
    if reduce not in _REDUCTIONS:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    base = input if include_self else scatter(input, dim, index, _neutral(reduce, input._array.dtype))
    result = _scattered("scatter_reduce", _REDUCTIONS[reduce], base, dim, index, src)
    if reduce != "mean":
        return result
    if input._array.dtype == np.bool_:
        raise NotImplementedError("scatter_reduce('mean') is not implemented for bool")
    counted = constant(np.ones(input._array.shape, input._array.dtype))
    counted = counted if include_self else scatter(counted, dim, index, 0)
    counts = scatter_add(counted, dim, index, constant(np.ones(src._array.shape, src._array.dtype)))
    counts = counts.masked_fill(counts == 0, 1)
    return result / counts if result.is_floating_point() else result // counts


def _neutral(reduce, kind):
    """What changes nothing: the start of a reduction that leaves the element itself out."""
    if reduce in ("sum", "mean", "prod"):
        return int(reduce == "prod")
    if kind.kind == "f":
        return -np.inf if reduce == "amax" else np.inf
    if kind.kind == "b":
        return reduce == "amin"
    return np.iinfo(kind).min if reduce == "amax" else np.iinfo(kind).max


@public
@numpy_names
def scatter_reduce(input, dim, index, src, reduce, *, include_self=True):
    """A copy of ``input`` with the 'sum', 'prod', 'mean', 'amax' or 'amin' of the elements of ``src`` that meet.

    The element of ``input`` there is one of them, unless ``include_self`` is False.
    """
    return _reduced(input, dim, index, src, reduce, include_self)


@public(function_name=None)
@numpy_names
def scatter_reduce_(self, dim, index, src, reduce, *, include_self=True):
    """`scatter_reduce`, written into the tensor itself."""
    return self.copy_(_reduced(self, dim, index, src, reduce, include_self))
