"""Making tensors."""

import functools
import math

import numpy as np

from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.device import check_device
from ..autograd.mode import thread
from ..autograd.tensor import Tensor, constant, plain, wrap
from .convert import converted
from .shape import sizes


def finish(array, requires_grad=False, device=None, pin_memory=False, layout=None):
    """The tensor around ``array``, with what every creation function takes."""
    check_device(device)
    if layout not in (None, "strided"):
        raise NotImplementedError(f"layout={layout!r} is not supported: tensors are strided")
    out = constant(dtypes.canonical(array))
    if thread.mode.inference:
        out._version = None
    if requires_grad:
        out.requires_grad = True
    return out


def numpy_dtype(dtype):
    """NumPy's form of ``dtype``, or of the default type."""
    return (dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)).numpy


@public(method=False)
def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A tensor with a copy of ``data``: a number, (nested) lists, an array, a tensor. Floats become float32."""
    source = plain(data)
    try:
        array = np.array(source)
    except ValueError as error:
        raise ValueError(f"expected sequences of equal length at every level: {error}") from None
    if array.dtype == object:
        raise _not_numbers(source)
    if dtype is not None:
        array = converted(array, dtypes.as_dtype(dtype).numpy)
    elif _holds_arrays(source):
        array = array.astype(_common_type(source).numpy)
    elif not isinstance(source, (np.ndarray, np.generic)):
        array = array.astype(_default_type(array))
    if array.dtype not in dtypes.FROM_NUMPY:
        raise TypeError(
            f"can't convert data of type {array.dtype} to a tensor; the supported types are: "
            + ", ".join(each.name for each in dtypes.ALL)
        )
    return finish(_native(array), requires_grad, device, pin_memory)


def _holds_arrays(source):
    return (
        isinstance(source, list)
        and bool(source)
        and (isinstance(source[0], (np.ndarray, np.generic)) or _holds_arrays(source[0]))
    )


def _common_type(source):
    """The type to which the arrays and numbers in nested lists are promoted."""
    if isinstance(source, list):
        return functools.reduce(dtypes.promote_types, map(_common_type, source))
    return dtypes.as_dtype(source.dtype) if hasattr(source, "dtype") else dtypes.result_type(source)


def _not_numbers(source):
    """The error for something of which no numbers can be made."""
    while isinstance(source, list) and source:
        source = source[0]
    if isinstance(source, int):
        return ValueError(f"an integer of {source.bit_length()} bits does not fit into int64")
    return RuntimeError(f"Could not infer dtype of {type(source).__name__}")


def _default_type(array):
    """The type of a tensor from Python numbers."""
    if array.dtype.kind == "f" or array.size == 0:
        return dtypes.get_default_dtype().numpy
    if array.dtype.kind in "iu":
        return dtypes.int64.numpy
    return array.dtype


def _native(array):
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


@public(method=False)
def as_tensor(data, dtype=None, device=None):
    """``data`` as a tensor, without a copy where its memory can be shared."""
    if isinstance(data, Tensor):
        return data.to(dtype=dtype, device=device)
    if isinstance(data, np.ndarray) and min(data.strides, default=0) >= 0 and data.dtype.isnative:
        return from_numpy(data).to(dtype=dtype, device=device)
    return tensor(data, dtype=dtype, device=device)


@public(method=False)
def asarray(obj, *, dtype=None, device=None, copy=None, requires_grad=False):
    """``obj`` as a tensor: without a copy where that is possible, always (``copy=False``) or never (``copy=True``)."""
    shared = as_tensor(obj, dtype=dtype, device=device)
    if copy is False and not np.may_share_memory(shared._array, np.asarray(plain(obj))):
        raise ValueError("can't alias tensor: the data must be copied, but copy=False")
    made = shared.clone() if copy else shared
    return made.requires_grad_() if requires_grad else made


@public(method=False)
def from_numpy(ndarray):
    """A tensor that shares the memory of an array; writes through the array are not tracked."""
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if not ndarray.dtype.isnative:
        raise ValueError(f"given numpy array has byte order different from the native byte order ({ndarray.dtype})")
    if ndarray.dtype not in dtypes.FROM_NUMPY:
        raise TypeError(
            f"can't convert np.ndarray of type {ndarray.dtype}. The only supported types are: "
            + ", ".join(each.name for each in dtypes.ALL)
        )
    if any(stride < 0 for stride in ndarray.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
            "currently supported. (You can probably work around this by making a copy of your array with array.copy().)"
        )
    return wrap(dtypes.canonical(ndarray))


@public(method=False)
def from_dlpack(ext_tensor):
    """A tensor that shares the memory of any object with DLPack, such as a PyTorch tensor or a JAX array."""
    return from_numpy(np.from_dlpack(ext_tensor))


def _filled(name, make, meaning):
    """``name(*size)``, ``name_like(tensor)`` and ``tensor.new_name(*size)``."""

    def create(*shape, size=None, dtype=None, device=None, requires_grad=False, pin_memory=False, layout=None):
        shape = given_sizes(name, shape, size)
        return finish(make(shape, numpy_dtype(dtype)), requires_grad, device, pin_memory, layout)

    def create_like(input, *, dtype=None, device=None, requires_grad=False, pin_memory=False, layout=None):
        kind = input._array.dtype if dtype is None else numpy_dtype(dtype)
        return finish(make(input._array.shape, kind), requires_grad, device, pin_memory, layout)

    def create_new(
        self, *shape, size=None, dtype=None, device=None, requires_grad=False, pin_memory=False, layout=None
    ):
        kind = self._array.dtype if dtype is None else numpy_dtype(dtype)
        return finish(make(given_sizes(name, shape, size), kind), requires_grad, device, pin_memory, layout)

    create.__name__ = create.__qualname__ = name
    create_like.__name__ = create_like.__qualname__ = f"{name}_like"
    create_new.__name__ = create_new.__qualname__ = f"new_{name}"
    create.__doc__ = f"A tensor of the given sizes {meaning}."
    create_like.__doc__ = f"A tensor of the shape and dtype of ``input`` {meaning}."
    create_new.__doc__ = f"A tensor of the given sizes and of this one's dtype {meaning}."
    public(create_new, function_name=None)
    public(create_like, method=False)
    return public(create, method=False)


def given_sizes(name, shape, size):
    """The sizes of ``name(2, 3)``, ``name((2, 3))`` or ``name(size=(2, 3))``, checked."""
    if size is None and not shape:
        raise TypeError(f'{name}() missing 1 required positional argument: "size"')
    shape = shape if size is None else (size,)
    try:
        return checked(sizes(shape))
    except TypeError:
        raise TypeError(f"{name}(): argument 'size' must be tuple of ints, got {shape}") from None


def checked(shape):
    """``shape`` itself; RuntimeError where a size is negative."""
    if any(size < 0 for size in shape):
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)}")
    return shape


zeros = _filled("zeros", np.zeros, "filled with 0")
ones = _filled("ones", np.ones, "filled with 1")
empty = _filled("empty", np.empty, "whose elements are not set")


@public(method=False)
def full(size, fill_value, *, dtype=None, device=None, requires_grad=False, pin_memory=False, layout=None):
    """A tensor of the given sizes filled with a number, of whose type it is."""
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"full(): argument 'size' must be tuple of ints, not {type(size).__name__}")
    value = np.asarray(plain(fill_value))
    kind = _default_type(value) if dtype is None else numpy_dtype(dtype)
    return finish(np.full(checked(sizes(size)), converted(value, kind)), requires_grad, device, pin_memory, layout)


@public(method=False)
def full_like(input, fill_value, *, dtype=None, device=None, requires_grad=False, pin_memory=False, layout=None):
    """A tensor of the shape and dtype of ``input`` filled with a number."""
    kind = input.dtype if dtype is None else dtype
    options = {"dtype": kind, "device": device, "requires_grad": requires_grad}
    return full(input._array.shape, fill_value, pin_memory=pin_memory, layout=layout, **options)


@public(function_name=None)
def new_full(self, size, fill_value, *, dtype=None, device=None, requires_grad=False, pin_memory=False, layout=None):
    """A tensor of the given sizes and of this one's dtype filled with a number."""
    kind = self.dtype if dtype is None else dtype
    options = {"dtype": kind, "device": device, "requires_grad": requires_grad}
    return full(size, fill_value, pin_memory=pin_memory, layout=layout, **options)


@public(function_name=None)
def new_tensor(self, data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A tensor with a copy of ``data``, of this one's dtype."""
    kind = self.dtype if dtype is None else dtype
    return tensor(data, dtype=kind, device=device, requires_grad=requires_grad, pin_memory=pin_memory)


@public(method=False)
def arange(
    start=None, end=None, step=1, *, dtype=None, device=None, requires_grad=False, pin_memory=False, layout=None
):
    """start, start + step, ... below end; integers give int64, else floats."""
    if end is None:
        start, end = 0, start
    if end is None:
        raise TypeError('arange() missing 1 required positional argument: "end"')
    start, end, step = (
        each.item() if isinstance(each, Tensor) else each for each in (0 if start is None else start, end, step)
    )
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not math.isfinite(start) or not math.isfinite(end):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError(f"upper bound and lower bound inconsistent with step sign: {start} to {end} by {step}")
    if dtype is None:
        whole = all(isinstance(each, int) for each in (start, end, step))
        kind = np.dtype(np.int64) if whole else numpy_dtype(None)
    else:
        kind = numpy_dtype(dtype)
    if kind.kind == "b":
        raise NotImplementedError("\"arange_cpu\" not implemented for 'Bool'")
    count = max(0, math.ceil((end - start) / step))
    values = start + step * np.arange(count)
    return finish(values.astype(kind), requires_grad, device, pin_memory, layout)


@public(method=False)
def linspace(start, end, steps, *, dtype=None, device=None, requires_grad=False, pin_memory=False, layout=None):
    """``steps`` numbers at equal distances from start to end, both included."""
    values = _spaced(start, end, steps).astype(numpy_dtype(dtype))
    return finish(values, requires_grad, device, pin_memory, layout)


@public(method=False)
def logspace(
    start, end, steps, base=10.0, *, dtype=None, device=None, requires_grad=False, pin_memory=False, layout=None
):
    """``base`` to the power of each of ``steps`` numbers at equal distances from start to end."""
    values = np.power(float(base), _spaced(start, end, steps)).astype(numpy_dtype(dtype))
    return finish(values, requires_grad, device, pin_memory, layout)


def _spaced(start, end, steps):
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    return np.linspace(plain(start), plain(end), steps)


@public(method=False)
def eye(n, m=None, *, dtype=None, device=None, requires_grad=False, pin_memory=False, layout=None):
    """1 on the diagonal, 0 elsewhere.  -> (n, m), m = n unless given."""
    for name, size in (("n", n), ("m", n if m is None else m)):
        if size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    return finish(np.eye(n, m, dtype=numpy_dtype(dtype)), requires_grad, device, pin_memory, layout)


@public(method=False)
def scalar_tensor(s, *, dtype=None, device=None, requires_grad=False, pin_memory=False, layout=None):
    """A number as a 0-d tensor, of the default type."""
    array = converted(plain(s), numpy_dtype(dtype))
    return finish(array, requires_grad, device, pin_memory, layout)


@public(method=False)
def meshgrid(*tensors, indexing="ij"):
    """One grid for each 1-D tensor, of its values along its own axis.  (A,), (B,) -> (A, B), (A, B)."""
    tensors = list(tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors)
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    for each in tensors:
        if each.ndim > 1:
            raise RuntimeError(f"torch.meshgrid: Expected 0D or 1D tensors in the list but got {list(each.shape)}")
        if each._array.dtype is not tensors[0]._array.dtype:
            raise RuntimeError("torch.meshgrid expects all tensors to have the same dtype")
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    swapped = indexing == "xy" and len(tensors) > 1
    ordered = [tensors[1], tensors[0], *tensors[2:]] if swapped else tensors
    shape = [each.numel() for each in ordered]
    grids = [
        each.reshape([-1 if i == j else 1 for j in range(len(shape))]).expand(shape) for i, each in enumerate(ordered)
    ]
    return (grids[1], grids[0], *grids[2:]) if swapped else tuple(grids)
