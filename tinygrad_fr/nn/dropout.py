"""Dropout."""

from ..autograd import Tensor
from . import functional as F
from .module import Module


class Dropout(Module):
    """In training, each element 0 with probability p and the others scaled by 1 / (1 - p); else the input.  (*) -> (*).

    Source: Srivastava et al., 2014.
    """

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"
