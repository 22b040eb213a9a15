"""Changing the type of the elements, and writing one tensor over another."""

import numpy as np

from ..autograd import dtypes, tensor_types
from ..autograd.binding import public
from ..autograd.device import check_device, device
from ..autograd.dispatch import apply, op
from ..autograd.inplace import write
from ..autograd.mode import tell_read
from ..autograd.tensor import Tensor, constant


@op
def _cast(x, *, kind, out=None):
    """The elements as NumPy dtype ``kind``."""
    return x.astype(kind)


@_cast.vjp()
def _(g, x_dtype):
    return g.to(x_dtype)


@op
def _truncate(x, *, kind, out=None):
    """The elements as NumPy dtype ``kind``, of integers or truth values: no gradient goes through them."""
    return x.astype(kind)


def converted(values, kind):
    """Numbers of the program as NumPy dtype ``kind``.

    RuntimeError where an integer type cannot hold them; below 0 they wrap in an unsigned one, as in C.
    """
    values = np.asarray(values)
    if kind.kind in "iu" and values.size and values.dtype is not kind:
        limits = np.iinfo(kind)
        low = -limits.max - 1 if kind.kind == "u" else limits.min
        if not (low <= values.min() and values.max() <= limits.max):  # NaN is neither
            raise RuntimeError(f"value cannot be converted to type {kind.name} without overflow")
        values = np.trunc(values) if values.dtype.kind == "f" else values
        return (values.astype(np.int64) if kind.kind == "u" else values).astype(kind)
    return values.astype(kind)


@public(function_name=None)
def to(self, *args, dtype=None, device=None, non_blocking=False, copy=False, memory_format=None):
    """The tensor in another dtype: ``to(dtype)``, ``to(device)``, ``to(device, dtype)`` or ``to(other)``.

    The tensor itself where nothing changes, unless ``copy``.
    """
    if memory_format is not None:
        raise NotImplementedError("to(memory_format=...) is not supported: there is one memory format")
    for each in args:
        if isinstance(each, Tensor):
            dtype = each.dtype
        elif _is_device(each):
            check_device(each)
        elif not isinstance(each, bool):
            dtype = each
    check_device(device)
    kind = self._array.dtype if dtype is None else dtypes.as_dtype(dtype).numpy
    if kind == self._array.dtype:
        return self.clone() if copy else self
    return apply(_cast.op if kind.kind == "f" else _truncate.op, (self,), {"kind": kind})


def _is_device(value):
    return isinstance(value, device) or (isinstance(value, str) and value.partition(":")[0] in _DEVICE_NAMES)


_DEVICE_NAMES = ("cpu", "cuda", "mps", "xpu", "meta")


@public(function_name=None)
def type(self, dtype=None):
    """The tensor in ``dtype``; without one, the name of its type."""
    return tensor_types.type_of(self) if dtype is None else self.to(tensor_types.as_dtype(dtype))


@public(function_name=None)
def type_as(self, other):
    """In the dtype of ``other``."""
    return self.to(other.dtype)


def _shorthand(name, kind):
    def convert(self):
        return self.to(kind)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"The elements as {kind.name}."
    public(convert, function_name=None)


for _name, _kind in {
    "float": dtypes.float32,
    "double": dtypes.float64,
    "long": dtypes.int64,
    "int": dtypes.int32,
    "short": dtypes.int16,
    "char": dtypes.int8,
    "byte": dtypes.uint8,
    "bool": dtypes.bool_,
}.items():
    _shorthand(_name, _kind)


@public(function_name=None)
def cpu(self):
    """The tensor itself: everything is on the CPU."""
    return self


@public(function_name=None)
def cuda(self, device=None):
    """Raises: there is no such device here."""
    check_device("cuda" if device is None else device)


@public(function_name=None)
def pin_memory(self):
    """The tensor itself: there is no device to copy to."""
    return self


# --- writing -----------------------------------------------------------------------------------------------------


@op
def _copy(x, source, *, out):
    """``source`` written over x."""
    np.copyto(out, source)
    return out


@_copy.vjp("source")
def _(g, source_shape):
    return g.sum_to_size(source_shape)


@public(function_name=None)
def copy_(self, src, non_blocking=False):
    """Write ``src``, broadcast and converted, into the tensor."""
    shape = src._array.shape
    try:
        fits = np.broadcast_shapes(shape, self._array.shape) == self._array.shape
    except ValueError:
        fits = False
    if not fits:
        raise RuntimeError(
            f"The size of tensor a {list(self.shape)} must match the size of tensor b {list(shape)}: "
            "copy_ can broadcast its source, not its target"
        )
    return write(_copy.op, self, (src.to(self.dtype),), {})


@op
def _fill(x, value, *, out):
    """The number ``value`` in every element."""
    out[...] = value
    return out


@_fill.vjp("value")
def _(g):
    return g.sum()


@public(function_name=None)
def fill_(input, value):
    """Write ``value``, a number or a 0-d tensor, into every element."""
    if isinstance(value, Tensor):
        if value.ndim:
            raise RuntimeError(
                f"fill_ only supports 0-dimension value tensor but got tensor with {value.ndim} dimensions."
            )
        value = value.to(input.dtype)
    elif not isinstance(value, float) or input._array.dtype.kind != "f":
        value = converted(value, input._array.dtype).item()
    return write(_fill.op, input, (value,), {})


@public(function_name=None)
def zero_(input):
    """Write 0 into every element."""
    return write(_fill.op, input, (0,), {})


def _write_elements(name, self, elements):
    """Write Python numbers, in order, into a tensor outside the graph."""
    if self._requires_grad:
        raise RuntimeError(f"Can't call {name}() on Variable that requires grad. Use var.detach().{name}() instead.")
    tell_read(f"{name}(), which calls a function with every element")
    return self.copy_(constant(np.array(list(elements), self._array.dtype).reshape(self._array.shape)))


@public(function_name=None)
def apply_(self, callable):
    """Write ``callable(element)`` into every element, one by one in Python."""
    return _write_elements("apply_", self, map(callable, self._array.ravel().tolist()))


@public(function_name=None)
def map_(self, tensor, callable):
    """Write ``callable(element, other)`` into every element, one by one in Python; ``tensor`` is broadcast."""
    others = tensor.expand(self.shape)._array.ravel().tolist()
    return _write_elements("map_", self, map(callable, self._array.ravel().tolist(), others))
