"""PyTorch's older names for tensors of one element type: FloatTensor, LongTensor and the others."""

from typing import Any

from . import dtypes
from .tensor import Tensor


class TensorType:
    """``LongTensor([1, 2])`` makes a tensor; ``isinstance(x, LongTensor)`` and ``x.type(LongTensor)`` know it too."""

    __slots__ = ("__name__", "dtype")

    def __init__(self, name: str, dtype: dtypes.dtype):
        self.__name__ = name
        self.dtype = dtype

    def __call__(self, *data: Any) -> Tensor:
        return Tensor(*data, dtype=self.dtype)

    def __instancecheck__(self, value: Any) -> bool:
        return isinstance(value, Tensor) and value.dtype is self.dtype

    def __repr__(self) -> str:
        return f"tinygrad_fr.{self.__name__}"


_NAMES = {
    "FloatTensor": dtypes.float32,
    "DoubleTensor": dtypes.float64,
    "LongTensor": dtypes.int64,
    "IntTensor": dtypes.int32,
    "ShortTensor": dtypes.int16,
    "CharTensor": dtypes.int8,
    "ByteTensor": dtypes.uint8,
    "BoolTensor": dtypes.bool_,
}
ALL = {name: TensorType(name, dtype) for name, dtype in _NAMES.items()}
_OF_DTYPE = {each.dtype: each for each in ALL.values()}


def type_of(tensor: Tensor) -> str:
    """``tinygrad_fr.FloatTensor``: the name of the type of ``tensor``."""
    return repr(_OF_DTYPE[tensor.dtype])


def as_dtype(value: Any) -> dtypes.dtype:
    """The dtype meant by what ``x.type(...)`` takes: a dtype, one of these types, or its name."""
    if isinstance(value, str):
        value = ALL.get(value.rpartition(".")[2], value)
    return value.dtype if isinstance(value, TensorType) else dtypes.as_dtype(value)
