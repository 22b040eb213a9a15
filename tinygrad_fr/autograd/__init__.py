"""The differentiation engine: Tensor, the graph, backpropagation to any order. Knows NumPy, no kernel and no op."""

from . import functional
from .anomaly import detect_anomaly, is_anomaly_check_nan_enabled, is_anomaly_enabled, set_detect_anomaly
from .device import device
from .engine import backward, grad
from .function import Function
from .gradcheck import GradcheckError, gradcheck, gradgradcheck
from .mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    recording,
    set_grad_enabled,
)
from .tensor import Size, Tensor

Variable = Tensor  # PyTorch's old name, still met in course material

__all__ = [
    "Function",
    "GradcheckError",
    "Size",
    "Tensor",
    "Variable",
    "backward",
    "detect_anomaly",
    "device",
    "enable_grad",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "inference_mode",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "recording",
    "set_detect_anomaly",
    "set_grad_enabled",
]
