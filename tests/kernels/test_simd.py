"""The vector instructions, each through a small kernel made of it."""

import os
import subprocess
import sys

import llvmlite.ir as ir
import numba
import numpy as np
import pytest
from numba import types
from numba.extending import intrinsic

from tinygrad_fr.kernels import simd

LANES = simd.VECTOR_BYTES // 4


def pointer(builder, value):
    return builder.inttoptr(value, simd.POINTER)


@intrinsic
def _masked_copy(typingctx, source, target, count):
    def generate(context, builder, signature, arguments):
        kind = simd.vector(ir.FloatType())
        mask = simd.first_lanes(builder, arguments[2], kind.count)
        value = simd.load(builder, pointer(builder, arguments[0]), kind, mask)
        simd.store(builder, value, pointer(builder, arguments[1]), mask)
        return context.get_dummy_value()

    return types.void(source, target, count), generate


@intrinsic
def _transpose(typingctx, source, target):
    def generate(context, builder, signature, arguments):
        kind = simd.vector(ir.FloatType())
        source, target = (pointer(builder, argument) for argument in arguments)
        steps = [i * simd.VECTOR_BYTES for i in range(kind.count)]
        rows = [simd.load(builder, simd.offset(builder, source, step), kind) for step in steps]
        for step, column in zip(steps, simd.transpose(builder, rows), strict=True):
            simd.store(builder, column, simd.offset(builder, target, step))
        return context.get_dummy_value()

    return types.void(source, target), generate


@intrinsic
def _scaled_sum(typingctx, source, factor, start, target):
    """target = sum of the lanes of source * factor + start, through broadcast, multiply_add and sum_lanes."""

    def generate(context, builder, signature, arguments):
        source, factor, start, target = (pointer(builder, argument) for argument in arguments)
        kind, element = simd.vector(ir.FloatType()), ir.FloatType()
        scale = simd.broadcast(builder, simd.load(builder, simd.opaque(builder, factor), element))
        total = simd.multiply_add(builder, simd.load(builder, source, kind), scale, simd.load(builder, start, kind))
        simd.store(builder, simd.sum_lanes(builder, total), target)
        return context.get_dummy_value()

    return types.void(source, factor, start, target), generate


@numba.njit
def masked_copy(x, y, count):
    _masked_copy(simd.address(x), simd.address(y), count)
    simd.keep(x)


@numba.njit
def transpose(x, y):
    _transpose(simd.address(x), simd.address(y))


@numba.njit
def scaled_sum(x, factor, start, y):
    _scaled_sum(simd.address(x), simd.address(factor), simd.address(start), simd.address(y))


@pytest.mark.parametrize("count", [-1, 0, 1, 3, LANES - 1, LANES, LANES + 1])
def test_masks_cover_the_first_lanes_and_leave_the_rest(count):
    x, y = np.arange(1, LANES + 1, dtype=np.float32), np.full(LANES, -1, np.float32)
    masked_copy(x, y, count)
    kept = np.arange(LANES) < count
    assert np.array_equal(y, np.where(kept, x, -1))


def test_transpose():
    x = np.arange(LANES * LANES, dtype=np.float32).reshape(LANES, LANES)
    y = np.empty_like(x)
    transpose(x, y)
    assert np.array_equal(y, x.T)


def test_broadcast_multiply_add_and_sum():
    x, start = np.arange(LANES, dtype=np.float32), np.ones(LANES, np.float32)
    y = np.empty(1, np.float32)
    scaled_sum(x, np.array([3], np.float32), start, y)
    assert y[0] == 3 * x.sum() + LANES


def test_address_is_that_of_the_first_element_of_a_view():
    x = np.zeros((4, 6), np.float32)[::-1, 2:]

    @numba.njit
    def where(array):
        return simd.address(array)

    assert where(x) == x.__array_interface__["data"][0]


def test_width_asked_for_must_be_known():
    program = [sys.executable, "-c", "import tinygrad_fr.kernels.simd"]
    environment = dict(os.environ, TINYGRAD_FR_VECTOR_BITS="64")
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "expected TINYGRAD_FR_VECTOR_BITS to be 128, 256 or 512, got '64'" in done.stderr
