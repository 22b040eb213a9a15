"""Elements chosen by a mask of truth values."""

import numpy as np

from ..autograd.binding import public
from ..autograd.dispatch import apply, broadcast, op
from ..autograd.inplace import write
from ..autograd.tensor import Tensor, constant, plain
from .convert import converted
from .indexing import copied, where


@public
def masked_fill(input, mask, value):
    """``value`` where ``mask`` holds, else input, broadcast.  (*) -> (*)."""
    if mask._array.dtype != np.bool_:
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype.name}")
    if not isinstance(value, Tensor):
        value = constant(converted(plain(value), input._array.dtype))
    elif value.ndim:
        raise RuntimeError(
            f"masked_fill only supports a 0-dimensional value tensor, but got tensor with {value.ndim} dimension(s)."
        )
    return where(mask, value.to(input.dtype), input)


@public(function_name=None)
def masked_fill_(self, mask, value):
    """`masked_fill`, written into the tensor itself."""
    filled = masked_fill(self, mask, value)
    if filled._array.shape != self._array.shape:
        raise RuntimeError(
            f"output with shape {list(self.shape)} doesn't match the broadcast shape {list(filled.shape)}"
        )
    return self.copy_(filled)


@public
def masked_select(input, mask):
    """The elements where ``mask`` holds, in one axis."""
    if mask._array.dtype != np.bool_:
        raise RuntimeError(f"masked_select: expected BoolTensor for mask, got {mask.dtype.name}")
    shape = broadcast("masked_select", input._array, mask._array)
    return input.expand(shape)[mask.expand(shape)]


@op
def _masked_scatter(x, source, chosen, *, out=None):
    """x with the first elements of ``source``, in order, chosen ``chosen`` holds."""
    count = np.count_nonzero(chosen)
    if source.size < count:
        raise RuntimeError(
            f"masked_scatter: expected source to have at least as many elements as the mask holds, {count}, but got "
            f"{source.size}"
        )
    out = copied(x, out)
    out[chosen] = source.reshape(-1)[:count]
    return out


@_masked_scatter.vjp("x")
def _(g, chosen):
    return g.masked_fill(chosen, 0)


@_masked_scatter.vjp("source")
def _(g, chosen, source_shape):
    return apply(_masked_source.op, (g, chosen), {"shape": source_shape})


@op
def _masked_source(x, chosen, *, shape, out=None):
    """Zeros of ``shape`` whose first elements are those of x chosen ``chosen`` holds."""
    result = np.zeros(shape, x.dtype)
    taken = x[chosen]
    result.reshape(-1)[: taken.size] = taken
    return result


@_masked_source.vjp("x")
def _(g, chosen):
    return apply(_masked_scatter.op, (constant(np.zeros(chosen._array.shape, g._array.dtype)), g, chosen), {})


def _for_masked_scatter(input, mask, source):
    if input._array.dtype is not source._array.dtype:
        raise RuntimeError(
            f"masked_scatter: expected self and source to have same dtypes but got {input.dtype.name} and "
            f"{source.dtype.name}"
        )
    if mask._array.dtype != np.bool_:
        raise RuntimeError(f"masked_scatter_ only supports boolean masks, but got mask with dtype {mask.dtype.name}")


@public
def masked_scatter(input, mask, source):
    """The elements of ``source``, in order, where ``mask`` holds, else those of input, broadcast."""
    _for_masked_scatter(input, mask, source)
    shape = broadcast("masked_scatter", input._array, mask._array)
    return apply(_masked_scatter.op, (input.expand(shape), source, mask.expand(shape)), {})


@public(function_name=None)
def masked_scatter_(self, mask, source):
    """`masked_scatter`, written into the tensor itself."""
    _for_masked_scatter(self, mask, source)
    return write(_masked_scatter.op, self, (source, mask.expand(self.shape)), {})
