"""The norm of all gradients together, and shrinking them by it; `nn.utils` says when."""

from .. import kernels as k
from ..autograd.dispatch import op


@op(launches=True)
def total_norm(*tensors, order, out=None):
    """(sum |x|^order)^(1/order) over all elements, of one dtype; order is above 0 and may be infinite.  -> ()."""
    return k.clipping.norm(tensors, order, out=out)


@op(launches=True)
def scale_to_norm(tensors, norm, *, most):
    """Each tensor, in place, times most / (norm + 1e-6) where that is below 1."""
    k.clipping.scale_to_norm(tensors, norm, most)
