"""Joining tensors: along an axis that is there, or along a new one."""

import builtins
import functools
import itertools

import numpy as np

from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.dispatch import apply, op
from ..autograd.functional import use_stack
from ..autograd.tensor import Tensor, constant
from .axes import numpy_names
from .creation import meshgrid
from .shape import canonical_dim, unsqueeze


def listed(tensors):
    """The tensors of ``f(a, b)`` or ``f([a, b])``, as a list."""
    return list(tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors)


def _check_sequence(name, tensors):
    """TypeError for a tensor where several are to be joined: iterating over it would give its rows."""
    if isinstance(tensors, Tensor):
        raise TypeError(
            f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor; "
            f"put the tensors in a list: {name}([x, y])"
        )


@op
def _cat(*xs, dim, out=None):
    """The inputs one after the other along ``dim``."""
    return np.asarray(np.concatenate(xs, axis=dim), order="C")


@_cat.vjp("xs")
def _(g, position, shapes, dim):
    start = builtins.sum(shape[dim] for shape in shapes[:position])
    return g.narrow(dim, start, shapes[position][dim])


@public(method=False)
@numpy_names
def cat(tensors, dim=0):
    """The tensors one after the other along the axis ``dim``.  [(A, C), (B, C)] -> (A+B, C)."""
    _check_sequence("cat", tensors)
    tensors = [each for each in tensors if each._array.shape != (0,)] or list(tensors)
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    first = tensors[0]._array.shape
    if not first:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    dim = canonical_dim(dim, len(first))
    for i, each in enumerate(tensors):
        shape = each._array.shape
        if len(shape) != len(first) or shape[:dim] != first[:dim] or shape[dim + 1 :] != first[dim + 1 :]:
            raise RuntimeError(
                f"Sizes of tensors must match except in dimension {dim}. Expected {list(first)} but got {list(shape)} "
                f"for tensor number {i} in the list."
            )
    return apply(_cat.op, _in_one_type(tensors), {"dim": dim})


def _in_one_type(tensors):
    kind = tensors[0]._array.dtype
    if all(each._array.dtype is kind for each in tensors):
        return tuple(tensors)
    common = functools.reduce(dtypes.promote_types, [each.dtype for each in tensors])
    return tuple(each.to(common) for each in tensors)


concat = public(cat, method=False, function_name="concat")
concatenate = public(cat, method=False, function_name="concatenate")


@public(method=False)
@numpy_names
def stack(tensors, dim=0):
    """The tensors, all of one shape, along a new axis ``dim``.  [(C,), (C,)] -> (2, C)."""
    _check_sequence("stack", tensors)
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    for i, each in enumerate(tensors):
        if each._array.shape != tensors[0]._array.shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(tensors[0].shape)} at entry 0 and "
                f"{list(each.shape)} at entry {i}"
            )
    return cat([unsqueeze(each, dim) for each in tensors], canonical_dim(dim, tensors[0].ndim + 1))


use_stack(stack)


# --- along the axis that the name says ---------------------------------------------------------------------------


@public(method=False)
def atleast_1d(*tensors):
    """A number as a vector, other tensors as they are; of several a tuple.  () -> (1,)."""
    return _each(tensors, lambda x: x if x.ndim else x.reshape(1))


@public(method=False)
def atleast_2d(*tensors):
    """With axes of size 1 in front, up to two; of several a tuple.  (A,) -> (1, A)."""
    return _each(tensors, lambda x: x if x.ndim > 1 else x.reshape(1, -1))


@public(method=False)
def atleast_3d(*tensors):
    """With axes of size 1, up to three; of several a tuple.  (A,) -> (1, A, 1), (A, B) -> (A, B, 1)."""
    return _each(tensors, lambda x: x if x.ndim > 2 else unsqueeze(atleast_2d(x), 2))


def _each(tensors, function):
    if len(tensors) == 1 and isinstance(tensors[0], Tensor):
        return function(tensors[0])
    return tuple(map(function, listed(tensors)))


@public(method=False)
def hstack(tensors):
    """One beside the other: along the first axis of vectors, the second of others.  [(A, B), (A, C)] -> (A, B+C)."""
    tensors = atleast_1d(_some("hstack", tensors))
    return cat(tensors, 0 if tensors[0].ndim == 1 else 1)


@public(method=False)
def vstack(tensors):
    """One below the other, vectors as rows.  [(A, C), (B, C)] -> (A+B, C)."""
    return cat(atleast_2d(_some("vstack", tensors)))


row_stack = public(vstack, method=False, function_name="row_stack")


@public(method=False)
def dstack(tensors):
    """One behind the other, along the third axis.  [(A, B), (A, B)] -> (A, B, 2)."""
    return cat(atleast_3d(_some("dstack", tensors)), 2)


@public(method=False)
def column_stack(tensors):
    """One beside the other, vectors as columns.  [(A,), (A, B)] -> (A, 1+B)."""
    columns = [each if each.ndim > 1 else each.reshape(-1, 1) for each in _some("column_stack", tensors)]
    return hstack(columns)


def _some(name, tensors):
    tensors = list(tensors)
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    return tensors


@public(method=False)
def block_diag(*tensors):
    """Matrices along a diagonal, with 0 elsewhere; vectors are rows.  (A, B), (C, D) -> (A+C, B+D)."""
    for i, each in enumerate(tensors):
        if each.ndim > 2:
            raise RuntimeError(
                f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {each.ndim} dimensions"
            )
    blocks = (
        _in_one_type(atleast_2d(*tensors, tensors[0])[:-1]) if tensors else [constant(np.zeros((1, 0), np.float32))]
    )
    width = builtins.sum(each.shape[1] for each in blocks)
    rows, left = [], 0
    for each in blocks:
        height, own = each.shape
        right = width - left - own
        sides = [constant(np.zeros((height, size), each._array.dtype)) for size in (left, right)]
        rows.append(cat([sides[0], each, sides[1]], 1))
        left += own
    return cat(rows)


@public(method=False)
def cartesian_prod(*tensors):
    """Every choice of one element of each vector, a row each.  (A,), (B,) -> (A*B, 2); of one vector itself."""
    tensors = listed(tensors)
    for each in tensors:
        if each.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(each.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return stack([each.flatten() for each in meshgrid(*tensors)], 1)


@public(method=False)
def combinations(input, r=2, with_replacement=False):
    """Every choice of r elements of a vector, in order, a row each.  (A,) -> (count, r)."""
    if input.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input[:0].clone()
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    chosen = np.array(list(choose(range(input.numel()), r)), np.int64).reshape(-1, r)
    return input[constant(chosen)]
