"""Sums over products of named or numbered axes: einsum and its kin, each a plan of permutations and matrix products."""

import math
import string
from collections.abc import Sequence
from typing import Any

from ..autograd import dtypes
from ..autograd.binding import public
from ..autograd.tensor import Tensor
from .checks import check_kind
from .diagonal import diagonal
from .matmul import bmm, mm
from .shape import canonical_dim

# --- einsum ------------------------------------------------------------------------------------------------------

# The labels of an operand's axes: letters, and for those that an ellipsis stands for their numbers from the last, -1.
Labels = tuple[Any, ...]


@public(method=False)
def einsum(*args):
    """Sums over products of elements, the axes of each operand named by letters: ``einsum("bik,bkj->bij", x, y)``.

    Axes whose letter the result does not name are summed over; without ``->`` it names those that occur once, in
    alphabetical order, behind those of an ellipsis. Also ``einsum(x, [0, 1], y, [1, 2], [0, 2])``.
    """
    inputs, output, operands = _read(args)
    named = [_labels(*each) for each in zip(inputs, operands, range(len(operands)), strict=True)]
    _check_sizes(named, operands)
    result = _result_labels(output, named)
    parts = [_without_repeats(operand, labels) for operand, labels in zip(operands, named, strict=True)]
    x, labels = parts[0]
    for i, (y, of_y) in enumerate(parts[1:], 2):
        kept = {*result}.union(*[of_other for _, of_other in parts[i:]])
        x, labels = _contract(x, labels, y, of_y, kept)
    x, labels = _sum_out(x, labels, {*result})
    return x.permute([labels.index(label) for label in result])


def _read(args: Sequence[Any]) -> tuple[list[str], str | None, list[Tensor]]:
    """The letters of each operand, those of the result (None where they are implicit), and the operands."""
    if not args or (isinstance(args[0], str) and len(args) == 1):
        raise ValueError("einsum(): must specify the equation string and at least one operand")
    if not isinstance(args[0], str):
        args = _from_lists(args)
    equation, *operands = args
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = [*operands[0]]
    inputs, arrow, output = equation.replace(" ", "").replace("...", ".").partition("->")
    for i, letter in enumerate(inputs.replace(",", "") + output):
        if letter not in string.ascii_letters and letter != ".":
            raise RuntimeError(
                f"einsum(): invalid subscript {letter!r} (number {i}) in the equation {equation!r}, "
                "subscripts must be in [a-zA-Z]"
            )
    named = inputs.split(",")
    if len(named) != len(operands):
        fewer = "more" if len(operands) > len(named) else "fewer"
        raise RuntimeError(f"einsum(): {fewer} operands were provided than specified in the equation {equation!r}")
    if len({operand.dtype for operand in operands}) > 1:
        raise RuntimeError(f"einsum(): expected operands of one dtype, got {[each.dtype.name for each in operands]}")
    return named, output if arrow else None, operands


def _from_lists(args: Sequence[Any]) -> list[Any]:
    """The arguments with an equation, from those with a list of numbers behind each operand."""
    numbered = ["".join("..." if each is Ellipsis else string.ascii_letters[each] for each in args[i])
                for i in range(1, len(args), 2)]  # fmt: skip
    output = ""
    if len(args) % 2:
        output = "->" + "".join("..." if each is Ellipsis else string.ascii_letters[each] for each in args[-1])
        args = args[:-1]
    return [",".join(numbered) + output, *args[::2]]


def _labels(letters: str, operand: Tensor, place: int) -> Labels:
    """One label an axis."""
    before, ellipsis, after = letters.partition(".")
    hidden = operand.ndim - len(before) - len(after)
    if hidden < 0 or (hidden and not ellipsis):
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({len(before) + len(after)}) does not match the "
            f"number of dimensions ({operand.ndim}) for operand {place}"
            f"{'' if ellipsis else ' and no ellipsis was given'}"
        )
    return (*before, *range(-hidden, 0), *after)


def _check_sizes(named: list[Labels], operands: list[Tensor]) -> None:
    """RuntimeError where a label has two sizes, unless one of them is 1."""
    sizes: dict[Any, int] = {}
    for place, (labels, operand) in enumerate(zip(named, operands, strict=True)):
        own: dict[Any, int] = {}
        for label, size in zip(labels, operand._array.shape, strict=True):
            if own.setdefault(label, size) != size:
                raise RuntimeError(
                    f"einsum(): subscript {label} is repeated for operand {place} but the sizes don't match, "
                    f"{size} != {own[label]}"
                )
            if sizes.get(label, 1) == 1:
                sizes[label] = size
            elif size not in (1, sizes[label]):
                raise RuntimeError(
                    f"einsum(): subscript {label} has size {size} for operand {place} which does not broadcast with "
                    f"previously seen size {sizes[label]}"
                )


def _result_labels(output: str | None, named: list[Labels]) -> Labels:
    every = [label for labels in named for label in labels]
    hidden = sorted({label for label in every if isinstance(label, int)})
    letters = [label for label in every if isinstance(label, str)]
    if output is None:
        return (*hidden, *sorted(letter for letter in letters if letters.count(letter) == 1))
    before, ellipsis, after = output.partition(".")
    for letter in before + after:
        if letter not in letters:
            raise RuntimeError(
                f"einsum(): output subscript {letter} does not appear in the equation for any input operand"
            )
        if (before + after).count(letter) > 1:
            raise RuntimeError(f"einsum(): output subscript {letter} appears more than once in the output")
    return (*before, *(hidden if ellipsis else ()), *after)


def _without_repeats(x: Tensor, labels: Labels) -> tuple[Tensor, Labels]:
    """The diagonals of axes of one label."""
    for label in labels:
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            x = diagonal(x, 0, first, second)
            labels = (*[each for i, each in enumerate(labels) if i not in (first, second)], label)
    return x, labels


def _contract(x: Tensor, of_x: Labels, y: Tensor, of_y: Labels, kept: set[Any]) -> tuple[Tensor, Labels]:
    """The product of two operands, summed over the axes that nothing needs any more."""
    x, of_x = _without_ones(x, of_x, y, of_y)
    y, of_y = _without_ones(y, of_y, x, of_x)
    x, of_x = _sum_out(x, of_x, kept.union(of_y))
    y, of_y = _sum_out(y, of_y, kept.union(of_x))
    if x.dtype is not y.dtype:  # sums of small integers are of int64
        x, y = x.to(dtypes.int64), y.to(dtypes.int64)
    shared = [label for label in of_x if label in of_y and label in kept]
    summed = [label for label in of_x if label in of_y and label not in kept]
    left = [label for label in of_x if label not in of_y]
    right = [label for label in of_y if label not in of_x]
    sizes = dict(zip((*of_x, *of_y), (*x._array.shape, *y._array.shape), strict=True))

    def arranged(tensor, labels, *groups):
        permuted = tensor.permute([labels.index(label) for group in groups for label in group])
        return permuted.reshape([math.prod([sizes[label] for label in group]) for group in groups])

    if not summed:
        product = arranged(x, of_x, shared, left).unsqueeze(2) * arranged(y, of_y, shared, right).unsqueeze(1)
    elif shared:
        product = bmm(arranged(x, of_x, shared, left, summed), arranged(y, of_y, shared, summed, right))
    else:
        product = mm(arranged(x, of_x, left, summed), arranged(y, of_y, summed, right))
    labels = (*shared, *left, *right)
    return product.reshape([sizes[label] for label in labels]), labels


def _without_ones(x: Tensor, of_x: Labels, y: Tensor, of_y: Labels) -> tuple[Tensor, Labels]:
    """x without the axes of size 1 that broadcast to those of y."""
    ones = [
        i for i, label in enumerate(of_x)
        if label in of_y and x._array.shape[i] == 1 and y._array.shape[of_y.index(label)] != 1
    ]  # fmt: skip
    if not ones:
        return x, of_x
    return x.squeeze(tuple(ones)), tuple(label for i, label in enumerate(of_x) if i not in ones)


def _sum_out(x: Tensor, labels: Labels, kept: set[Any]) -> tuple[Tensor, Labels]:
    """x summed over the axes that are not ``kept``."""
    dims = tuple(i for i, label in enumerate(labels) if label not in kept)
    if not dims:
        return x, labels
    return x.sum(dims), tuple(label for label in labels if label in kept)


# --- the same for numbered axes ----------------------------------------------------------------------------------


@public(method=False)
def tensordot(a, b, dims=2):
    """The sum of products over ``dims``: the last of a with the first of b, or those of two lists.

    (..., K), (K, ***) -> (..., ***) for dims=1.
    """
    of_a, of_b = _paired_dims(a, b, dims)
    if a.dtype is not b.dtype:
        raise RuntimeError(f"tensordot: both inputs should have same dtype, got {a.dtype.name} and {b.dtype.name}")
    for first, second in zip(of_a, of_b, strict=True):
        sizes = a._array.shape[first], b._array.shape[second]
        if sizes[0] != sizes[1] and 1 not in sizes:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {sizes[0]} in dim {first} and second has "
                f"size {sizes[1]} in dim {second}"
            )
    names_of_b = [f"b{i}" for i in range(b.ndim)]
    for first, second in zip(of_a, of_b, strict=True):
        names_of_b[second] = f"a{first}"
    names_of_a = [f"a{i}" for i in range(a.ndim)]
    kept = {*names_of_a} ^ {*names_of_b}
    return _contract(a, tuple(names_of_a), b, tuple(names_of_b), kept)[0]


def _paired_dims(a, b, dims):
    """The axes of a and those of b over which to sum."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.ndim, b.ndim):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        return range(a.ndim - dims, a.ndim), range(dims)
    of_a, of_b = ([each] if isinstance(each, int) else each for each in dims)
    if len(of_a) != len(of_b):
        raise RuntimeError(f"both dimension lists should have same length, got {list(of_a)} and {list(of_b)}")
    return [canonical_dim(each, a.ndim) for each in of_a], [canonical_dim(each, b.ndim) for each in of_b]


@public
def kron(input, other):
    """Kronecker's product: each element of one times the whole of the other.  (A, B), (C, D) -> (A*C, B*D)."""
    axes = max(input.ndim, other.ndim)
    outer, inner = ((1,) * (axes - each.ndim) + each._array.shape for each in (input, other))
    spread = input.reshape([part for size in outer for part in (size, 1)])
    product = spread * other.reshape([part for size in inner for part in (1, size)])
    return product.reshape([a * b for a, b in zip(outer, inner, strict=True)])


@public
def trace(input):
    """The sum of the diagonal of a matrix; integers as int64.  (M, N) -> ()."""
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    check_kind("trace", input._array.dtype, "fiu")
    return diagonal(input).sum()
