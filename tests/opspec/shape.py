"""Views, and copies in other shapes, orders and dtypes."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch

from .. import strategies as draws
from .record import OpSpec, at_least, constant, drawn, one, sides, two


def _two_axes(first, second):
    return lambda draw, shapes: {first: draws.axis(draw, shapes[0]), second: draws.axis(draw, shapes[0])}


def _new_shape(name):
    """A shape of as many elements, perhaps with a -1."""

    def params(draw, shapes):
        total = int(np.prod(shapes[0]))
        divisors = [n for n in range(1, total + 1) if total % n == 0] or [0]
        first = draw(st.sampled_from(divisors))
        rest = total // max(first, 1)
        if total and draw(st.booleans()):
            return {name: (first, -1)}
        return {name: draw(st.sampled_from(((first, rest), (rest, 1, first))))}

    return params


def _order(draw, shapes):
    return {"dims": tuple(draw(st.permutations(range(len(shapes[0])))))}


def _wider(draw, shapes):
    (shape,) = shapes
    stretched = [draw(st.integers(0, 3)) if size == 1 else size for size in shape]
    return {"size": (*draw(st.lists(st.integers(0, 3), max_size=2)), *stretched)}


def _narrower(draw, shapes):
    (shape,) = shapes
    cut = draw(st.integers(0, len(shape)))
    return {"size": tuple(1 if draw(st.booleans()) else size for size in shape[cut:])}


def _moved(draw, shapes):
    count = draw(st.integers(1, len(shapes[0])))
    chosen = [tuple(draw(st.permutations(range(len(shapes[0])))))[:count] for _ in range(2)]
    return (
        {"source": chosen[0], "destination": chosen[1]}
        if count > 1
        else {"source": chosen[0][0], "destination": chosen[1][0] - len(shapes[0])}
    )


def _unflattened(draw, shapes):
    dim = draws.axis(draw, shapes[0])
    size = shapes[0][dim]
    first = draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
    return {"dim": dim, "sizes": (first, draw(st.sampled_from((-1, size // first))))}


def _merged(draw, shapes):
    ndim = max(len(shapes[0]), 1)
    first = draw(st.integers(0, ndim - 1))
    return {"start_dim": first, "end_dim": draw(st.integers(first, ndim - 1)) - ndim * draw(st.integers(0, 1))}


def _merge(x, start_dim, end_dim):
    if x.ndim == 0:
        return x.reshape(1)
    end_dim %= x.ndim
    return x.reshape((*x.shape[:start_dim], int(np.prod(x.shape[start_dim : end_dim + 1])), *x.shape[end_dim + 1 :]))


def _squeeze(x, dim=None):
    dims = range(x.ndim) if dim is None else (dim,) if isinstance(dim, int) else dim
    dims = {each % x.ndim for each in dims} if x.ndim else set()
    return x.reshape([size for i, size in enumerate(x.shape) if i not in dims or size != 1])


def _getter(name):
    """A call of a method that takes its sizes as separate arguments or as one tuple."""
    return lambda x, size: getattr(x, name)(size) if len(size) == 1 else getattr(x, name)(*size)


VIEWS = [
    OpSpec(
        "reshape",
        lambda x, shape: x.reshape(shape),
        call=lambda x, shape: torch.reshape(x, shape),
        methods=(),
        params=_new_shape("shape"),
    ),
    OpSpec(
        "Tensor.reshape",
        lambda x, size: x.reshape(size),
        call=_getter("reshape"),
        methods=("reshape",),
        in_place=(),
        params=_new_shape("size"),
    ),
    OpSpec(
        "view",
        lambda x, size: x.reshape(size),
        call=lambda x, size: x.contiguous().view(*size),
        methods=("view",),
        params=_new_shape("size"),
    ),
    OpSpec(
        "reshape_as",
        lambda x, y: x.reshape(y.shape),
        order=0,
        shapes=sides("mn", "nm"),
        call=lambda x, y: x.reshape_as(y),
    ),
    OpSpec(
        "view_as",
        lambda x, y: x.reshape(y.shape),
        order=0,
        shapes=sides("mn", "nm"),
        call=lambda x, y: x.contiguous().view_as(y),
        methods=("view_as",),
    ),
    OpSpec("flatten", _merge, params=_merged),
    OpSpec(
        "unflatten",
        lambda x, dim, sizes: x.reshape((*x.shape[: dim % x.ndim], *sizes, *x.shape[dim % x.ndim + 1 :])),
        params=_unflattened,
        shapes=at_least(1, 1),
    ),
    OpSpec("ravel", np.ravel),
    OpSpec(
        "permute",
        lambda x, dims: np.transpose(x, dims),
        params=_order,
        methods=("permute",),
        call=lambda x, dims: torch.permute(x, dims),
    ),
    OpSpec(
        "transpose",
        lambda x, dim0, dim1: np.swapaxes(x, dim0, dim1),
        params=_two_axes("dim0", "dim1"),
        shapes=at_least(1),
        in_place=(),
    ),
    *[
        OpSpec(
            name,
            lambda x, first, second: np.swapaxes(x, first, second),
            params=_two_axes("first", "second"),
            shapes=at_least(1),
            call=lambda x, first, second, name=name: getattr(torch, name)(x, first, second),
            methods=(),
            in_place=(),
        )
        for name in ("swapaxes", "swapdims")
    ],
    OpSpec("adjoint", lambda x: np.swapaxes(x, -1, -2), shapes=at_least(2)),
    OpSpec("t", np.transpose, in_place=(), shapes=lambda max_dims, max_side: one(2, max_side)),
    OpSpec("H", np.transpose, call=lambda x: x.H, methods=(), shapes=sides("mn")),
    OpSpec("mH", lambda x: np.swapaxes(x, -1, -2), call=lambda x: x.mH, methods=(), shapes=at_least(2)),
    OpSpec("T", np.transpose, call=lambda x: x.T, methods=(), shapes=lambda max_dims, max_side: one(2, max_side)),
    OpSpec("mT", lambda x: np.swapaxes(x, -1, -2), call=lambda x: x.mT, methods=(), shapes=at_least(2)),
    OpSpec(
        "movedim", lambda x, source, destination: np.moveaxis(x, source, destination), params=_moved, shapes=at_least(1)
    ),
    OpSpec(
        "moveaxis",
        lambda x, source, destination: np.moveaxis(x, source, destination),
        params=_moved,
        shapes=at_least(1),
    ),
    OpSpec(
        "squeeze",
        _squeeze,
        in_place=(),
        params=lambda draw, shapes: draw(st.sampled_from(({}, {"dim": draws.axis(draw, shapes[0])}))),
    ),
    OpSpec(
        "unsqueeze",
        lambda x, dim: np.expand_dims(x, dim),
        in_place=(),
        params=lambda draw, shapes: {"dim": draws.axis(draw, (*shapes[0], 1))},
    ),
    OpSpec("broadcast_to", lambda x, size: np.broadcast_to(x, size), params=_wider),
    OpSpec(
        "expand",
        lambda x, size: np.broadcast_to(x, size),
        params=_wider,
        call=lambda x, size: x.expand(*size),
        methods=("expand",),
    ),
    OpSpec(
        "expand_as",
        lambda x, y: np.broadcast_to(x, y.shape),
        order=0,
        shapes=lambda d, s: two(d, s).map(lambda pair: (pair[0], np.broadcast_shapes(*pair))),
        call=lambda x, y: x.expand_as(y),
        methods=("expand_as",),
    ),
    OpSpec("broadcast_tensors", np.broadcast_arrays, shapes=two),
    constant(
        "view_dtype",
        lambda x: np.ascontiguousarray(x).view(np.int32).reshape((*x.shape[:-1], -1)),
        shapes=at_least(1, 1),
        integers="",
        call=lambda x: x.clone().view(torch.int32),
        methods=(),
    ),
    OpSpec(
        "sum_to_size",
        lambda x, size: x.sum(
            tuple(
                i
                for i in range(x.ndim)
                if i < x.ndim - len(size) or (size[i - x.ndim + len(size)] == 1 and x.shape[i] != 1)
            ),
            keepdims=True,
        ).reshape(size),
        params=_narrower,
        call=lambda x, size: x.sum_to_size(size),
        methods=("sum_to_size",),
        integers="",
        extremes=False,
    ),
]


COPIES = [
    OpSpec("clone", np.copy),
    OpSpec("contiguous", np.copy, call=torch.Tensor.contiguous, methods=()),
    OpSpec(
        "meshgrid",
        lambda x, y, indexing: np.meshgrid(x, y, indexing=indexing),
        shapes=sides("m", "n"),
        call=lambda x, y, indexing: torch.meshgrid(x, y, indexing=indexing),
        params=drawn(indexing=("ij", "xy")),
    ),
    *[
        constant(
            name,
            lambda x, kind=kind: x.astype(kind),
            integers=kind,
            extremes=False,
            in_place=(),
            call=lambda x, name=name: getattr(x, name)(),
            methods=(name,),
        )
        for name, kind in (("long", "int64"), ("int", "int32"), ("short", "int16"), ("char", "int8"), ("bool", "bool"))
    ],
    constant(
        "byte",
        lambda x: x.astype(np.uint8),
        inputs=(draws.positive,),
        integers="uint8",
        extremes=False,
        call=lambda x: x.byte(),
        methods=("byte",),
    ),
    OpSpec(
        "float",
        lambda x: x.astype(np.float32),
        integers="float32",
        call=lambda x: x.float(),
        methods=("float",),
        floats=(np.float32,),
        order=0,
    ),
    OpSpec(
        "double", lambda x: x.astype(np.float64), integers="float64", call=lambda x: x.double(), methods=("double",)
    ),
    OpSpec("to", lambda x: x.astype(np.float64), integers="float64", call=lambda x: x.to(torch.float64), methods=()),
    OpSpec(
        "type", lambda x: x.astype(np.float64), integers="float64", call=lambda x: x.type(torch.float64), methods=()
    ),
    OpSpec(
        "type_as",
        lambda x, y: x.astype(y.dtype),
        order=0,
        shapes=two,
        call=lambda x, y: x.type_as(y),
        methods=("type_as",),
    ),
]


SPECS = [*VIEWS, *COPIES]
