"""What a tensor is, as functions of the package; questions that have one answer here."""

from ..autograd.binding import public
from ..autograd.tensor import Tensor


@public(method=False)
def is_tensor(obj):
    """Whether ``obj`` is a Tensor."""
    return isinstance(obj, Tensor)


@public(method=False)
def is_floating_point(input):
    """Whether the element type is float32 or float64."""
    return input.is_floating_point()


@public
def is_complex(input):
    """Whether elements are complex numbers: never."""
    return False


@public
def is_signed(input):
    """Whether elements may be negative."""
    return input.dtype.is_signed


@public(method=False)
def is_inference(input):
    """Whether the tensor was made inside `inference_mode`."""
    return input.is_inference()


@public
def is_same_size(input, other):
    """Whether both have the same shape."""
    return input._array.shape == other._array.shape


@public(method=False)
def detach(input):
    """The same memory outside the graph."""
    return input.detach()


@public(function_name=None)
def is_pinned(self):
    """Whether the memory is pinned for a device: never, for there is none."""
    return False
