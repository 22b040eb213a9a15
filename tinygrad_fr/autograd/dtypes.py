"""The element types, and PyTorch's rules for which type an op of several inputs computes in."""

from typing import Any

import numpy as np


class dtype:
    """An element type; there is one object for each, so ``is`` compares them."""

    __slots__ = ("category", "is_complex", "is_floating_point", "is_signed", "itemsize", "name", "numpy")

    def __init__(self, name: str, category: int, signed: bool):
        self.name = name
        self.numpy = np.dtype(name)
        self.category = category  # 0 bool, 1 integer, 2 floating point: a higher one wins
        self.is_floating_point = category == 2
        self.is_complex = False
        self.is_signed = signed
        self.itemsize = self.numpy.itemsize

    def __repr__(self) -> str:
        return f"tinygrad_fr.{self.name}"

    def __reduce__(self):
        return (as_dtype, (self.name,))


float32 = dtype("float32", 2, True)
float64 = dtype("float64", 2, True)
int64 = dtype("int64", 1, True)
int32 = dtype("int32", 1, True)
int16 = dtype("int16", 1, True)
int8 = dtype("int8", 1, True)
uint8 = dtype("uint8", 1, False)
bool_ = dtype("bool", 0, False)

ALL = (float32, float64, int64, int32, int16, int8, uint8, bool_)
FROM_NUMPY = {each.numpy: each for each in ALL}
_BY_NAME = {each.name: each for each in ALL} | {
    "float": float32, "double": float64, "long": int64, "int": int32, "short": int16,
}  # fmt: skip
_BY_PYTHON = {float: float64, int: int64, bool: bool_}

# NumPy keeps one dtype object for each native type, so the hot path compares with `is`.
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)

_default = float32


def get_default_dtype() -> dtype:
    """The floating point type of new tensors."""
    return _default


def set_default_dtype(d: dtype, /) -> None:
    """Make ``d``, a floating point type, the type of new tensors."""
    global _default
    chosen = as_dtype(d)
    if not chosen.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, got {chosen}")
    _default = chosen


def as_dtype(value: Any) -> dtype:
    """The `dtype` meant by ``value``: one of ours, of NumPy's, a Python type, or a name."""
    if isinstance(value, dtype):
        return value
    if isinstance(value, type) and value in _BY_PYTHON:
        return _BY_PYTHON[value]
    if isinstance(value, str) and value in _BY_NAME:
        return _BY_NAME[value]
    try:
        return FROM_NUMPY[np.dtype(value)]
    except (TypeError, KeyError):
        supported = ", ".join(each.name for each in ALL)
        raise TypeError(f"{value!r} is no supported dtype; expected one of {supported}") from None


def canonical(array: np.ndarray) -> np.ndarray:
    """``array`` with NumPy's one dtype object of its type, which arrays out of a pickle do not have."""
    kind = FROM_NUMPY.get(array.dtype)
    return array if kind is None or array.dtype is kind.numpy else array.view(kind.numpy)


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest type that holds both: the floating point one where only one is, else as NumPy promotes."""
    a, b = as_dtype(type1), as_dtype(type2)
    if a.category != b.category:
        return a if a.category > b.category else b
    return FROM_NUMPY[np.promote_types(a.numpy, b.numpy)]


def _of_scalar(value: Any) -> dtype:
    if isinstance(value, (bool, np.bool_)):
        return bool_
    if isinstance(value, (int, np.integer)):
        return int64
    if isinstance(value, (float, np.floating)):
        return _default
    raise TypeError(f"expected a Tensor or a number, got {type(value).__name__}")


def result_type(*operands: Any) -> dtype:
    """The type in which an op computes, from arrays (or tensors) and Python numbers.

    Dimensioned tensors decide; a 0-d tensor, and after it a Python number, only counts where it is of a higher
    category (bool < integer < floating point).
    """
    ranks: list[dtype | None] = [None, None, None]  # of dimensioned tensors, 0-d tensors, Python numbers
    for operand in operands:
        if hasattr(operand, "ndim") and not isinstance(operand, np.generic):
            rank, kind = (0 if operand.ndim else 1), as_dtype(operand.dtype)
        else:
            rank, kind = 2, _of_scalar(operand)
        known = ranks[rank]
        ranks[rank] = kind if known is None else promote_types(known, kind)
    result: dtype | None = None
    for kind in ranks:
        if kind is not None and (result is None or kind.category > result.category):
            result = kind
    if result is None:
        raise TypeError("result_type needs at least one operand")
    return result


def can_cast(from_: dtype, to: dtype) -> bool:
    """Whether an in-place op may write a result of type ``from_`` into type ``to``: no fall in category."""
    return as_dtype(from_).category <= as_dtype(to).category
