"""Dropout of elements, of channels, of weights. Outside training each gives its input, or drops no weight."""

from typing import Any

from ..autograd import Tensor
from ..ops.stochastic import check_probability
from . import functional as F
from .linear import Linear
from .module import Module


class _Dropout(Module):
    """What all dropouts share: the probability, and whether they write over the input."""

    def __init__(self, p: float = 0.5, inplace: bool = False):
        super().__init__()
        check_probability(p)
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """In training, each element 0 with probability p and the others scaled by 1 / (1 - p); else the input.  (*) -> (*).

    Source: Srivastava et al., 2014.
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """As `Dropout`, each channel as a whole.  (N, C, L) or (C, L) -> the same shape.  Source: Tompson et al., 2015."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """As `Dropout`, each channel as a whole.  (N, C, H, W) or (N, C, L) -> the same shape."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """As `Dropout`, each channel as a whole.  (N, C, D, H, W) or (C, D, H, W) -> the same shape."""

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout that keeps mean 0 and variance 1, for nets of `SELU`.  (*) -> (*).  Source: Klambauer et al., 2017."""

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_Dropout):
    """As `AlphaDropout`, each channel as a whole.  (N, C, *) -> (N, C, *)."""

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)


class DropConnect(Linear):
    """A `Linear` that in training computes with each weight 0 with probability p and the others over 1 - p.

    (*, in_features) -> (*, out_features). The bias stays; PyTorch has no such layer. Source: Wan et al., 2013.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        p: float = 0.5,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__(in_features, out_features, bias, device, dtype)
        check_probability(p)
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, F.dropout(self.weight, self.p, self.training), self.bias)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, p={self.p}"
