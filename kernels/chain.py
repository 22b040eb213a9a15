"""Chains of element-wise functions in one pass, by kernels written for the expressions of captured steps.

A kernel is known by its text, and lies in the cache on disk like any other. No instruction of it leaves it to the
compiler how to round, so that it gives the bits that its functions give one after the other.
"""

import functools
import hashlib
from typing import Any

import numpy as np

from . import elementwise, vecmath
from ._jit import inlined, kernel
from ._launch import launch
from ._layout import FLOAT32, FLOAT64, Loop, number_bits
from ._scalar import float64
from ._threads import equal_part, equal_parts, pool_for, spread

PART, TOGETHER = 1 << 13, 2  # the most elements of a part; the number of parts is a multiple
PARALLEL_ELEMENTS = 1 << 14  # below, one thread is sooner done

_TEXT = """
@kernel(fastmath=False)
def chain_{digest}({inputs}, out):
    vecmath.prefer_wide_vectors()
    {numbers}
    for i in range(out.size):
        out[i] = {expression}


@inlined(fastmath=False)
def chain_{digest}_part(part, {inputs}, out):
    start, stop = equal_part(part, out.size, PART, TOGETHER)
    chain_{digest}({parts}, out[start:stop])


@kernel(fastmath=False)
def chain_{digest}_shared(pool, {inputs}, out):
    spread(pool, chain_{digest}_part, equal_parts(out.size, PART, TOGETHER), ({inputs}, out))
"""

_NAMES = {
    "__name__": __name__,
    "PART": PART,
    "TOGETHER": TOGETHER,
    "elementwise": elementwise,
    "equal_part": equal_part,
    "equal_parts": equal_parts,
    "float64": float64,
    "inlined": inlined,
    "kernel": kernel,
    "np": np,
    "spread": spread,
    "vecmath": vecmath,
}


def chain(expression, *inputs, out):
    """``out`` by an expression of the inputs, element by element.

    ``expression`` names input i as ``xi``: an array of the shape and dtype of ``out``, one of a single element and no
    axes, or a Python number. Arrays are plain float32 or float64. TypeError for other dtypes.
    """
    if out.dtype not in (FLOAT32, FLOAT64):
        raise TypeError(f"expected out of dtype float32 or float64, got {out.dtype}")
    loop = _loop(expression, tuple(map(_kind, inputs)))
    flat = [each.ravel() if isinstance(each, np.ndarray) else number_bits(each) for each in inputs]
    if out.size < loop.least:
        launch(loop.alone, *flat, out.ravel())
    else:
        launch(loop.shared, pool_for(out.size, 0), *flat, out.ravel())
    return out


def _kind(value: Any) -> str:
    """What an input is to the kernel: an 'array', a 'single' element of one, or a 'number'."""
    if not isinstance(value, np.ndarray):
        return "number"
    return "array" if value.ndim else "single"


@functools.cache
def _loop(expression: str, kinds: tuple[str, ...]) -> Loop:
    """The kernel of an expression, alone and shared among threads."""
    names = [f"x{i}" for i in range(len(kinds))]
    digest = hashlib.sha256(f"{expression} {kinds}".encode()).hexdigest()[:16]
    numbers = []
    for name, kind in zip(names, kinds, strict=True):
        if kind == "single":
            numbers.append(f"{name}_ = {name}[0]")
        elif kind == "number":
            numbers.append(f"{name}_ = out.dtype.type(float64({name}))")
    elements = {name: f"{name}[i]" if kind == "array" else f"{name}_" for name, kind in zip(names, kinds, strict=True)}
    parts = [f"{name}[start:stop]" if kind == "array" else name for name, kind in zip(names, kinds, strict=True)]
    source = _TEXT.format(
        digest=digest,
        inputs=", ".join(names),
        numbers="\n    ".join(numbers),
        expression=expression.format(**elements),
        parts=", ".join(parts),
    )
    written = dict(_NAMES)
    exec(compile(source, __file__, "exec"), written)
    return Loop(written[f"chain_{digest}"], written[f"chain_{digest}_shared"], PARALLEL_ELEMENTS)
