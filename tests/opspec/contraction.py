"""Sums over products of named or numbered axes."""

import numpy as np
from hypothesis import strategies as st

import tinygrad_fr as torch

from .record import OpSpec, sides, two

# Each tells a part of the language: the letters of the operands, for shapes, and the equation; the type of integers
# where it sums over axes of one operand, as `sum` does.
EQUATIONS = {
    "einsum": (("ik", "kj"), "ik,kj->ij"),
    "einsum of a batch": (("bik", "bkj"), "bik,bkj->bij"),
    "einsum without an arrow": (("kj", "ik"), "kj, ik"),
    "einsum of three": (("ab", "bc", "ca"), "ab,bc,ca->bc"),
    "einsum element by element": (("ij", "ij"), "ij,ij->ji"),
    "einsum of a diagonal": (("ii",), "ii->i"),
    "einsum of a trace": (("iij",), "iij", "int64"),
    "einsum with an ellipsis": (("abik", "bkj"), "...ik,...kj->...ij"),
    "einsum of outer products": (("i", "j"), "i,j->ij"),
    "einsum with sums of one operand": (("aib", "cj"), "aib,cj->ji", "int64"),
    "einsum of vectors": (("i", "i"), "i,i->"),
}


def _einsum(name, letters, equation, integers="same"):
    return OpSpec(
        name,
        lambda *arrays: np.asarray(np.einsum(equation, *arrays)),
        call=lambda *tensors: torch.einsum(equation, *tensors),
        shapes=sides(*letters),
        integers=integers,
        extremes=False,
        steps=64,
    )


SPECS = [
    *[_einsum(name, *each) for name, each in EQUATIONS.items()],
    OpSpec("tensordot", np.tensordot, shapes=sides("abc", "bcd"), extremes=False, steps=64),
    OpSpec(
        "tensordot of named axes",
        lambda x, y, dims: np.tensordot(x, y, dims),
        call=torch.tensordot,
        methods=(),
        shapes=sides("abc", "dca"),
        params=lambda draw, shapes: {"dims": draw(st.sampled_from((([2], [1]), ([0, 2], [2, 1]), ([0, -1], [-1, 1]))))},
        extremes=False,
        steps=64,
    ),
    OpSpec(
        "einsum with an ellipsis summed",
        lambda x, y: np.einsum("abi,bi->i", x, y),
        call=lambda x, y: torch.einsum("...i,...i->i", x, y),
        integers="int64",
        shapes=sides("abi", "bi"),
        extremes=False,
        steps=64,
    ),
    OpSpec(
        "einsum by numbers",
        lambda x, y: np.einsum("ik,kj->ij", x, y),
        call=lambda x, y: torch.einsum(x, [0, 2], y, [2, 1], [0, 1]),
        shapes=sides("ik", "kj"),
        extremes=False,
        steps=64,
    ),
    OpSpec("kron", np.kron, shapes=two),
    OpSpec("trace", np.trace, shapes=sides("mn"), integers="int64"),
]
