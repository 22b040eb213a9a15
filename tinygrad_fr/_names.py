"""The names of the package: what ``tinygrad_fr.NAME`` can be."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from . import autograd, ops, random
from .autograd import dtypes, tensor_types
from .autograd.formatting import set_printoptions
from .serialization import load, save
from .threads import get_num_threads, set_num_threads

# a name of Python's that would read badly as a variable elsewhere
_DTYPES = {"bool": dtypes.bool_, "float": dtypes.float32, "double": dtypes.float64, "long": dtypes.int64} | {
    "int": dtypes.int32,
    "short": dtypes.int16,
}

_CONSTANTS = {"inf": float("inf"), "nan": float("nan"), "pi": 3.141592653589793, "e": 2.718281828459045}

_ENGINE = (
    "Size",
    "Tensor",
    "device",
    "enable_grad",
    "inference_mode",
    "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
)

_RANDOM = (
    "Generator",
    "default_generator",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
)


# In-place forms that are functions too, as in PyTorch: ``relu_(x)`` is ``x.relu_()``.
_IN_PLACE = (
    *("abs_", "ceil_", "clamp_", "clamp_max_", "clamp_min_", "clip_", "fix_", "floor_", "frac_", "nan_to_num_", "neg_"),
    *("negative_", "reciprocal_", "relu_", "round_", "rsqrt_", "sqrt_", "square_", "trunc_"),
    *("exp_", "exp2_", "expm1_", "log_", "log10_", "log1p_", "log2_", "logit_", "sigmoid_", "erf_", "erfc_", "sinc_"),
    *("sin_", "cos_", "tan_", "asin_", "acos_", "atan_", "arcsin_", "arccos_", "arctan_", "deg2rad_", "rad2deg_"),
    *("sinh_", "cosh_", "tanh_", "asinh_", "acosh_", "atanh_", "arcsinh_", "arccosh_", "arctanh_"),
    *("addmv_", "gcd_", "lcm_", "ldexp_", "xlogy_", "as_strided_", "detach_", "fill_", "zero_"),
)


class _Cuda:
    """What programs ask before they choose a device."""

    @staticmethod
    def is_available() -> bool:
        return False

    @staticmethod
    def device_count() -> int:
        return 0


def public_names() -> dict[str, Any]:
    """Every name of the package with its value: ops, the engine, dtypes, random state, threads."""
    return {
        **ops.namespace,
        **{name: getattr(autograd, name) for name in _ENGINE},
        **{name: getattr(autograd.Tensor, name) for name in _IN_PLACE},
        **{kind.name: kind for kind in dtypes.ALL},
        **_DTYPES,
        **tensor_types.ALL,
        **_CONSTANTS,
        **{name: getattr(random, name) for name in _RANDOM},
        "can_cast": dtypes.can_cast,
        "cuda": _Cuda,
        "dtype": dtypes.dtype,
        "finfo": finfo,
        "get_default_dtype": dtypes.get_default_dtype,
        "get_num_threads": get_num_threads,
        "iinfo": iinfo,
        "load": load,
        "promote_types": dtypes.promote_types,
        "result_type": dtypes.result_type,
        "save": save,
        "set_default_dtype": dtypes.set_default_dtype,
        "set_printoptions": set_printoptions,
        "set_num_threads": set_num_threads,
    }


def finfo(type: Any = None) -> Any:
    """The limits of a floating point type as Python's numbers: bits, eps, max, min, tiny, resolution."""
    kind = dtypes.get_default_dtype() if type is None else dtypes.as_dtype(type)
    found = np.finfo(kind.numpy)
    names = ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution")
    return SimpleNamespace(dtype=kind.name, **{name: np.asarray(getattr(found, name)).item() for name in names})


def iinfo(type: Any) -> Any:
    """The limits of an integer type: max, min."""
    return np.iinfo(dtypes.as_dtype(type).numpy)
