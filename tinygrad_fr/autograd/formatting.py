"""How a tensor prints."""

from typing import TYPE_CHECKING

import numpy as np

from . import dtypes

if TYPE_CHECKING:
    from .tensor import Tensor

DIGITS = 4  # after the decimal point
SUMMARISE_ABOVE = 1000  # elements
EDGE_ITEMS = 3


def describe(tensor: "Tensor") -> str:
    """``tensor([1., 2.], requires_grad=True)``: values, then what differs from a plain float32 or int64 leaf."""
    prefix = "tensor("
    text = prefix + _values(tensor._array, len(prefix))
    kind = tensor.dtype
    if kind not in (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_):
        text += f", dtype={kind}"
    if tensor._array.size == 0 and tensor._array.ndim != 1:
        text += f", size={tuple(tensor._array.shape)}"
    if tensor._node is not None:
        text += f", grad_fn={tensor._node!r}"
    elif tensor._requires_grad:
        text += ", requires_grad=True"
    return text + ")"


def _values(array: np.ndarray, indent: int) -> str:
    if array.size == 0:
        return "[]"
    write = _float_writer(array) if array.dtype.kind == "f" else str
    return np.array2string(
        array,
        separator=", ",
        prefix=" " * indent,
        threshold=SUMMARISE_ABOVE,
        edgeitems=EDGE_ITEMS,
        formatter={"all": write},
    )


def _float_writer(array: np.ndarray):
    """One form for all elements: whole numbers '2.', else four decimals, or powers of ten for a wide range."""
    finite = np.abs(array[np.isfinite(array)].astype(np.float64))
    nonzero = finite[finite > 0]
    if nonzero.size and (nonzero.max() >= 1e8 or nonzero.min() < 1e-4 or nonzero.max() / nonzero.min() > 1e3 * 1e2):
        texts = lambda value: f"{value:.{DIGITS}e}"  # noqa: E731
    elif np.all(finite == np.floor(finite)):
        texts = lambda value: f"{value:.0f}." if np.isfinite(value) else str(value)  # noqa: E731
    else:
        texts = lambda value: f"{value:.{DIGITS}f}"  # noqa: E731
    shown = array if array.size <= SUMMARISE_ABOVE else array.ravel()[:: max(1, array.size // SUMMARISE_ABOVE)]
    width = max(len(texts(value)) for value in shown.ravel())
    return lambda value: texts(value).rjust(width)
