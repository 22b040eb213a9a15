"""Normalisation layers."""

import warnings
from typing import Any

from ..autograd import Tensor
from ..autograd.dtypes import int64
from ..ops import normalization
from ..ops.creation import ones, tensor, zeros
from . import init
from .module import Module
from .parameter import Parameter


class _AffineNorm(Module):
    """A layer that ends in an affine map by ``weight`` and ``bias``, each of which may be None."""

    weight: Parameter | None
    bias: Parameter | None

    def _add_affine_map(self, shape, affine, bias, device, dtype):
        like = {"device": device, "dtype": dtype}
        self.register_parameter("weight", Parameter(ones(shape, **like)) if affine else None)
        self.register_parameter("bias", Parameter(zeros(shape, **like)) if affine and bias else None)

    def reset_parameters(self) -> None:
        """Set the affine map to the identity."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


# ---------------------------------------------------------------------------------------------------------------
# With running statistics.


class _NormWithStatistics(_AffineNorm):
    """What batch and instance normalisation share: an affine map, and a running mean and variance.

    ``running_mean``, ``running_var`` (num_features,) and ``num_batches_tracked`` () are buffers, None without
    ``track_running_stats``; ``weight`` and ``bias`` (num_features,) are None without ``affine``. ``momentum`` is the
    share of the newest batch, None the mean of all batches so far.
    """

    running_mean: Any
    running_var: Any
    num_batches_tracked: Any
    _dims: tuple[int, ...]

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self._add_affine_map(num_features, affine, bias, device, dtype)
        like, tracked = {"device": device, "dtype": dtype}, track_running_stats
        self.register_buffer("running_mean", zeros(num_features, **like) if tracked else None)
        self.register_buffer("running_var", ones(num_features, **like) if tracked else None)
        self.register_buffer("num_batches_tracked", tensor(0, dtype=int64) if tracked else None)

    def reset_running_stats(self) -> None:
        """Forget all batches."""
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        """Forget all batches, and set the affine map to the identity."""
        self.reset_running_stats()
        super().reset_parameters()

    def _check_dims(self, input: Tensor) -> None:
        if input.ndim not in self._dims:
            wanted = " or ".join(f"{each}D" for each in self._dims)
            raise ValueError(f"expected {wanted} input (got {input.ndim}D input)")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_NormWithStatistics):
    """Each channel normalised over all else: in training by the batch's mean and variance, else by the running ones.

    Source: Ioffe and Szegedy, 2015.
    """

    def forward(self, input: Tensor) -> Tensor:
        self._check_dims(input)
        by_batch = self.training or self.running_mean is None
        counts = self.training and self.track_running_stats
        mean, variance = (self.running_mean, self.running_var) if counts or not self.training else (None, None)
        return normalization.counted_batch_norm(
            input, mean, variance, self.num_batches_tracked if counts else None, self.weight, self.bias,
            by_batch, self.momentum, self.eps,
        )  # fmt: skip


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of features.  (N, C) -> (N, C), (N, C, L) -> (N, C, L)."""

    _dims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of the channels of images.  (N, C, H, W) -> (N, C, H, W)."""

    _dims = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of the channels of volumes.  (N, C, D, H, W) -> (N, C, D, H, W)."""

    _dims = (5,)


class _InstanceNorm(_NormWithStatistics):
    """Each channel of each sample normalised over its own elements.

    With ``track_running_stats`` evaluation uses the running statistics.  Source: Ulyanov et al., 2017.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_dims(input)
        batch = input.unsqueeze(0) if input.ndim == self._dims[0] else input
        self._check_features(batch._array.shape[1], input.ndim - batch.ndim + 1)
        result = normalization.instance_norm(
            batch, self.running_mean, self.running_var, self.weight, self.bias,
            self.training or not self.track_running_stats, 0.0 if self.momentum is None else self.momentum, self.eps,
        )  # fmt: skip
        return result.squeeze(0) if batch is not input else result

    def _check_features(self, features: int, dim: int) -> None:
        if features == self.num_features:
            return
        if self.affine:
            raise ValueError(
                f"expected input's size at dim={dim} to match num_features ({self.num_features}), but got: {features}."
            )
        warnings.warn(
            f"input's size at dim={dim} does not match num_features, which is not used because affine=False.",
            stacklevel=4,
        )


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of sequences.  (N, C, L) -> (N, C, L), (C, L) -> (C, L)."""

    _dims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of images.  (N, C, H, W) -> (N, C, H, W), (C, H, W) -> (C, H, W)."""

    _dims = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of volumes.  (N, C, D, H, W) -> (N, C, D, H, W), (C, D, H, W) -> (C, D, H, W)."""

    _dims = (4, 5)


# ---------------------------------------------------------------------------------------------------------------
# Without.


class LayerNorm(_AffineNorm):
    """Normalised over the last axes, which have ``normalized_shape``.  (*, *shape) -> (*, *shape).

    Source: Ba et al., 2016.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.normalized_shape = _as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._add_affine_map(self.normalized_shape, elementwise_affine, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return normalization.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Divided by the root of the mean square over the last axes.  (*, *shape) -> (*, *shape).

    ``eps`` is that of the dtype unless given.  Source: Zhang and Sennrich, 2019.
    """

    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        self.normalized_shape = _as_shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        weight = Parameter(ones(self.normalized_shape, device=device, dtype=dtype)) if elementwise_affine else None
        self.register_parameter("weight", weight)

    def reset_parameters(self) -> None:
        """Set the scale to 1."""
        if self.weight is not None:
            init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return normalization.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_AffineNorm):
    """Each group of channels of each sample normalised over its elements.  (N, C, *) -> (N, C, *).

    Source: Wu and He, 2018.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ):
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self._add_affine_map(num_channels, affine, bias, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        return normalization.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """input / (k + alpha times the mean square over ``size`` channels around)^beta.  (N, C, *) -> (N, C, *).

    Source: Krizhevsky et al., 2012.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0):
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return normalization.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _as_shape(normalized_shape: Any) -> tuple[int, ...]:
    return (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
