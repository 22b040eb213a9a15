"""Instructions on single numbers that Python has no operator for, for functions that LLVM turns into vector code.

None of them lets the compiler choose how to round, so a function made of these and of plain operators, compiled by
`exactly`, gives the same bits wherever it becomes part of a loop: in the vectors, in what is left over, in any kernel.
"""

import platform
from typing import Any

import llvmlite.binding
import numba.extending
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.codegen import get_host_cpu_features
from numba.core.errors import TypingError

from ._jit import inlined

intrinsic: Any = numba.extending.intrinsic  # what it makes is called without the typing context: no checker knows

exactly = inlined(fastmath=False)  # the operations that are written, in their order

_FEATURES = get_host_cpu_features().split(",")

# Whether a multiplication and an addition that round once are one instruction. Elsewhere they round twice.
FUSED = "+fma" in _FEATURES or platform.machine().lower() in ("aarch64", "arm64")

# Whether x * 2^n is one instruction, also where 2^n or the result is not a normal number.
SCALES = "+avx512f" in _FEATURES and llvmlite.binding.llvm_version_info >= (22,)


def _reinterpret(source, target):
    """An intrinsic that reads the bits of a number of type ``source`` as one of type ``target``."""

    @intrinsic
    def reinterpret(typing_context, x):
        if x != source:
            raise TypingError(f"expected {source}, got {x}")

        def generate(context, builder, signature, arguments):
            return builder.bitcast(arguments[0], context.get_value_type(target))

        return target(source), generate

    return reinterpret


bits32 = _reinterpret(types.float32, types.int32)
bits64 = _reinterpret(types.float64, types.int64)
float32 = _reinterpret(types.int32, types.float32)
float64 = _reinterpret(types.int64, types.float64)


def _call(builder, operation, arguments, *more):
    """A call of the intrinsic of LLVM named ``operation`` on floats of one type, and on ``more`` 32-bit integers."""
    number = arguments[0].type
    name = f"llvm.{operation}.{'f32' if number == ir.FloatType() else 'f64'}{'.i32' * len(more)}"
    kind = ir.FunctionType(number, [number] * len(arguments) + [ir.IntType(32)] * len(more))
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), [*arguments, *more])


def _llvm(operation):
    return lambda context, builder, signature, arguments: _call(builder, operation, arguments)


@intrinsic
def maximum(typing_context, x, y):
    """The larger of two floats of one type; NaN if one of them is NaN. Vectorises, also as a reduction."""
    return x(x, x), _llvm("maximum")


@intrinsic
def minimum(typing_context, x, y):
    """The smaller of two floats of one type; NaN if one of them is NaN. Vectorises, also as a reduction."""
    return x(x, x), _llvm("minimum")


@intrinsic
def absolute(typing_context, x):
    """The magnitude of a float: its sign bit cleared, also for NaN and -0."""
    return x(x), _llvm("fabs")


@intrinsic
def copysign(typing_context, magnitude, sign):
    """``magnitude`` with the sign of ``sign``, two floats of one type."""
    return magnitude(magnitude, magnitude), _llvm("copysign")


def _multiply_add(builder, x, y, z):
    return _call(builder, "fma", [x, y, z]) if FUSED else builder.fadd(builder.fmul(x, y), z)


@intrinsic
def fma(typing_context, x, y, z):
    """x * y + z of floats of one type, rounded once where the processor can."""
    return x(x, x, x), lambda context, builder, signature, arguments: _multiply_add(builder, *arguments)


@intrinsic
def polynomial(typing_context, x, coefficients):
    """coefficients[0] + coefficients[1] x + coefficients[2] x^2 ..., by Horner's scheme; a tuple of x's type."""

    def generate(context, builder, signature, arguments):
        x, given = arguments
        *rest, result = [builder.extract_value(given, i) for i in range(len(signature.args[1]))]
        for coefficient in reversed(rest):
            result = _multiply_add(builder, result, x, coefficient)
        return result

    return x(x, coefficients), generate


@intrinsic
def times_power_of_two(typing_context, x, n):
    """x * 2^n for an int32 n, rounded once."""

    def generate(context, builder, signature, arguments):
        return _call(builder, "ldexp", arguments[:1], arguments[1])

    return x(x, types.int32), generate


@intrinsic
def like(typing_context, number, x):
    """A number in the type of the float x: constants in code for both types."""
    return x(number, x), lambda context, builder, signature, arguments: context.cast(
        builder, arguments[0], signature.args[0], x
    )


@intrinsic
def prefer_wide_vectors(typing_context):
    """Let LLVM use the widest vectors in the function that calls this, as pays where exp takes most of the time.

    By itself it stops at 256 bits on processors with AVX-512, for the sake of code around the loops. The function is
    not made part of its callers, which would have it go by their rule.
    """

    def generate(context, builder, signature, arguments):
        # llvmlite's own add() refuses attributes that it does not know
        set.add(builder.function.attributes, '"prefer-vector-width"="512"')
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.none(), generate


TINY32, TINY64 = np.finfo(np.float32).tiny, np.finfo(np.float64).tiny.item()
