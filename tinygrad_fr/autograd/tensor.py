"""The Tensor: an array, whether it wants a gradient, and the node of the graph that made it.

Arithmetic and the other ops are bound to this class by the modules of ``ops``, each beside its derivative; and
``backward`` by the engine, hooks by ``hooks``.
"""

import copy
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from . import dtypes, formatting
from .device import CPU, check_device, device
from .mode import tell_read, thread

if TYPE_CHECKING:
    from .node import Node
    from .views import View


class Size(tuple):
    """The shape of a tensor: a tuple that counts its elements."""

    def numel(self) -> int:
        return int(np.prod(self, dtype=np.int64))

    def __getitem__(self, index: Any) -> Any:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(found, tuple) else found

    def __add__(self, other: Any) -> "Size":
        return Size(tuple.__add__(self, other))

    def __repr__(self) -> str:
        return f"tinygrad_fr.Size([{', '.join(map(str, self))}])"


class Tensor:
    """An n-dimensional array that records the ops it takes part in and receives gradients.

    ``Tensor([[1.0, 2.0]], requires_grad=True)`` copies its data, as float32 unless ``dtype`` says otherwise;
    ``Tensor(2, 3)``, of sizes, is filled with zeros.
    """

    __slots__ = ("__weakref__", "_array", "_extra", "_grad", "_node", "_requires_grad", "_version", "_view")

    # before ndarray in `ndarray + Tensor`: the Tensor's operator computes, and keeps the graph
    __array_priority__ = 1000

    _array: np.ndarray
    _requires_grad: bool
    _node: "Node | None"  # the op call that made it; None for a leaf
    _version: list[int] | None  # a counter of in-place writes, shared by views; None for an inference tensor
    _view: "View | None"  # the tensor it is a view of, and how
    _extra: dict[str, Any] | None  # what few tensors have: hooks, their views
    _grad: "Tensor | None"  # of a leaf, as `grad` shows it

    def __init__(self, *data: Any, dtype: Any = None, requires_grad: bool = False, device: Any = None):
        check_device(device)
        kind = (dtypes.get_default_dtype() if dtype is None else dtypes.as_dtype(dtype)).numpy
        if data and all(type(each) is int for each in data):
            array = np.zeros(data, kind)
        elif len(data) > 1:
            raise TypeError(f"Tensor() takes its data as one argument, got {len(data)}; put them in a list")
        else:
            array = np.array(plain(data[0]) if data else [], dtype=kind)
        _fill(self, array)
        if requires_grad:
            self.requires_grad = True

    # --- what it is ----------------------------------------------------------------------------------------------

    @property
    def shape(self) -> Size:
        """The size of each axis."""
        return Size(self._array.shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of axis ``dim``."""
        if dim is None:
            return self.shape
        if not -max(self.ndim, 1) <= dim < max(self.ndim, 1):
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-max(self.ndim, 1)}, {max(self.ndim, 1) - 1}], "
                f"but got {dim})"
            )
        return self._array.shape[dim]

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    def dim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return self._array.size

    nelement = numel

    @property
    def dtype(self) -> dtypes.dtype:
        """The element type."""
        return dtypes.FROM_NUMPY[self._array.dtype]

    @property
    def device(self) -> device:
        """The CPU."""
        return CPU

    @property
    def is_cuda(self) -> bool:
        return False

    @property
    def layout(self) -> str:
        return "strided"

    def is_floating_point(self) -> bool:
        """Whether the element type is float32 or float64."""
        return self._array.dtype.kind == "f"

    def element_size(self) -> int:
        """Bytes of one element."""
        return self._array.itemsize

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._array.nbytes

    def stride(self, dim: int | None = None) -> Any:
        """The step from one element to the next along each axis, in elements."""
        steps = tuple(step // self._array.itemsize for step in self._array.strides)
        if not self._array.size:  # NumPy's are 0
            sizes = [max(size, 1) for size in self._array.shape]
            steps = tuple(math.prod(sizes[i + 1 :]) for i in range(len(sizes)))
        if dim is None:
            return steps
        if not -self.ndim <= dim < self.ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-self.ndim}, {self.ndim - 1}], but got {dim})"
            )
        return steps[dim]

    def is_contiguous(self) -> bool:
        """Whether the elements lie in memory in the order of the axes."""
        return self._array.flags.c_contiguous

    def data_ptr(self) -> int:
        """The address of the first element."""
        tell_read("data_ptr()")
        return self._array.ctypes.data

    @property
    def _base(self) -> Any:
        """The tensor whose memory a view shares; None for others."""
        return None if self._view is None else self._view.base

    # --- the graph -----------------------------------------------------------------------------------------------

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are to be computed for this tensor."""
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if self._node is not None:
            if not value:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. If you want to use a computed "
                    "variable in a subgraph that doesn't require differentiation use var_no_grad = var.detach()."
                )
            return
        if value and not self.is_floating_point():
            raise RuntimeError(f"only Tensors of floating point dtype can require gradients, got {self.dtype}")
        if value and self._version is None:
            raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
        self._requires_grad = bool(value)
        note_change()

    def requires_grad_(self, requires_grad: bool = True) -> "Tensor":
        """Set ``requires_grad`` and return the tensor."""
        self.requires_grad = requires_grad
        return self

    @property
    def grad(self) -> "Tensor | None":
        """The gradient that backward left here, or None; a tensor of the same shape and dtype may be assigned."""
        return self._grad

    @grad.setter
    def grad(self, value: "Tensor | None") -> None:
        if value is not None:
            self._check_gradient(value)
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    def _check_gradient(self, value: Any) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(
                f"assigned grad expected to be a Tensor or None but got grad of type {type(value).__name__}"
            )
        if value is self:
            raise RuntimeError("can't assign Variable as its own grad")
        if value._array.shape != self._array.shape:
            raise RuntimeError(
                f"attempting to assign a gradient of size '{list(value.shape)}' to a tensor of size "
                f"'{list(self.shape)}'. Please ensure that the gradient and the tensor are the same size"
            )
        if value._array.dtype != self._array.dtype:
            raise RuntimeError(
                f"attempting to assign a gradient with dtype '{value.dtype.name}' to a tensor of dtype "
                f"'{self.dtype.name}'. The gradient must match the tensor's dtype"
            )

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded op made this tensor."""
        return self._node is None

    @property
    def grad_fn(self) -> "Node | None":
        """The node of the graph that made this tensor; None for a leaf."""
        return self._node

    @property
    def output_nr(self) -> int:
        return 0

    @property
    def retains_grad(self) -> bool:
        """Whether backward leaves a gradient on this tensor though an op made it."""
        return self._node is not None and bool(self._extra and "retain" in self._extra)

    def is_inference(self) -> bool:
        """Whether the tensor was made inside `inference_mode`."""
        return self._version is None

    def detach(self) -> "Tensor":
        """The same memory outside the graph; in-place writes to it are seen by the version checks of both."""
        out = wrap(self._array)
        out._version = self._version
        return out

    def detach_(self) -> "Tensor":
        """Leave the graph in place: the tensor becomes a leaf."""
        if self._view is not None:
            raise RuntimeError("Can't detach views in-place. Use detach() instead.")
        self._node = None
        self._requires_grad = False
        note_change()
        return self

    @property
    def data(self) -> "Tensor":
        """The values outside the graph, sharing memory; writes to them are not tracked."""
        return wrap(self._array)

    @data.setter
    def data(self, value: "Tensor") -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        self._array = value._array
        note_change()

    # --- to and from the outside ---------------------------------------------------------------------------------

    def numpy(self, *, force: bool = False) -> np.ndarray:
        """The array itself: memory is shared, and writes through it are not tracked. ``force`` detaches first."""
        if self._requires_grad and not force:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead.")
        tell_read("numpy()")
        return self._array

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(f"cannot give {array.dtype} as {dtype} without a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack__(self, *, stream: Any = None, **options: Any) -> Any:
        """A DLPack capsule sharing memory; writes through it are not tracked."""
        return self.numpy().__dlpack__(stream=stream, **options)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._array.__dlpack_device__()  # type: ignore[return-value]

    def item(self) -> Any:
        """The single element as a Python number."""
        if self._array.size != 1:
            raise RuntimeError(f"a Tensor with {self._array.size} elements cannot be converted to Scalar")
        tell_read("item()")
        return self._array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        tell_read("tolist()")
        return self._array.tolist()

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise RuntimeError(
                "Boolean value of Tensor with "
                + ("no values is ambiguous" if self._array.size == 0 else "more than one value is ambiguous")
            )
        tell_read("bool()")
        return bool(self._array.item())

    def __float__(self) -> float:
        return float(self._only())

    def __int__(self) -> int:
        return int(self._only())

    def _only(self) -> Any:
        if self._array.size != 1:
            raise ValueError(f"only one element tensors can be converted to Python scalars, got {self._array.size}")
        tell_read("float() or int()")
        return self._array.item()

    def __index__(self) -> int:
        if self._array.size != 1 or self._array.dtype.kind not in "iub":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        tell_read("use as an index")
        return int(self._array.item())

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return self._array.shape[0]

    def __iter__(self):
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self._array.shape[0]))  # type: ignore[index]

    def __contains__(self, value: Any) -> bool:
        tell_read("in")
        return bool(np.any(self._array == plain(value)))

    __hash__ = object.__hash__  # by identity, though == compares the elements

    def __repr__(self) -> str:
        tell_read("repr() or print()")
        return formatting.describe(self)  # type: ignore[arg-type]

    def __format__(self, spec: str) -> str:
        if self._array.ndim == 0 and (spec or type(self) is Tensor):
            return format(self.item(), spec)
        return object.__format__(self, spec)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Tensor":
        if self._node is not None:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment"
            )
        out = memo[id(self)] = type(self).__new__(type(self))
        _fill(out, self._array.copy())
        out._requires_grad = self._requires_grad
        out._grad = copy.deepcopy(self._grad, memo)
        if hasattr(self, "__dict__"):
            out.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return out

    def __reduce_ex__(self, protocol: Any):
        if self._node is not None:
            raise RuntimeError("a Tensor made by a recorded op cannot be pickled; detach() it first")
        return _rebuild, (type(self), self._array, self._requires_grad)


def _rebuild(kind: type, array: np.ndarray, requires_grad: bool) -> Tensor:
    out = object.__new__(kind)
    _fill(out, np.array(array))
    out._requires_grad = requires_grad
    return out


# Another object after every change of what an existing tensor is: its array, its place in the graph, its hooks. Who
# relies on all that staying as it is need not look at the tensors again while this is the same object.
changes: list[object] = [object()]


def note_change() -> None:
    """Say that what some tensor is has changed."""
    changes[0] = object()


_new = object.__new__


def wrap(array: np.ndarray) -> Tensor:
    """A leaf Tensor around ``array`` itself."""
    return make(array, None, [0])


def constant(array: np.ndarray) -> Tensor:
    """A leaf Tensor around a new ``array`` of numbers that come from the program, not from other tensors."""
    recorder = thread.mode.recorder
    if recorder is not None:
        recorder.constant(array)
    return make(array, None, [0])


def make(array: np.ndarray, node: "Node | None", version: list[int] | None) -> Tensor:
    """The Tensor around ``array`` that ``node`` made; the shortest way to one."""
    out = _new(Tensor)
    out._array = array
    out._requires_grad = node is not None
    out._node = node
    out._version = version
    out._view = None
    out._extra = None
    out._grad = None
    return out


def _fill(out: Tensor, array: np.ndarray) -> None:
    """Set the slots of a tensor of any subclass as `wrap` does."""
    out._array = dtypes.canonical(array)
    out._requires_grad = False
    out._node = None
    out._version = [0]
    out._view = None
    out._extra = None
    out._grad = None


def plain(data: Any) -> Any:
    """``data`` with the tensors inside, also in nested lists, turned into what NumPy reads."""
    if isinstance(data, Tensor):
        tell_read("use as data")
        return data._array
    if isinstance(data, (np.ndarray, np.generic)):
        tell_read("use of a NumPy array as data")
        return data
    if isinstance(data, (list, tuple)):
        return [plain(each) for each in data]
    return data
