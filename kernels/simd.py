"""LLVM vectors, which Numba does not have: the width of this processor's, and the instructions kernels emit on them.

Plain loops are vectorised by LLVM, at most 256 bits wide and never across the registers of a tile. The kernels that
must be exact about registers (the matrix product) are written as Numba intrinsics whose code generator calls the
functions of this module: each takes an llvmlite builder and emits a few instructions. Addresses are integers and
strides are in bytes, so that one piece of code serves every layout.
"""

import os
import platform

import llvmlite.ir as ir
from numba.core import types
from numba.core.codegen import get_host_cpu_features
from numba.extending import intrinsic
from numba.np.numpy_support import carray

from ._jit import merged

INDEX = ir.IntType(64)
POINTER = ir.PointerType()
ELEMENTS = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}
ITEM_BYTES = {"float": 4, "double": 8, "i32": 4, "i64": 8}
NAMES = {"float": "f32", "double": "f64", "i32": "i32"}


def _vector_bits() -> int:
    """The width of the vectors: TINYGRAD_FR_VECTOR_BITS (512, 256 or 128), else what the processor has."""
    asked = os.environ.get("TINYGRAD_FR_VECTOR_BITS")
    if asked:
        if asked not in ("128", "256", "512"):
            raise ValueError(f"expected TINYGRAD_FR_VECTOR_BITS to be 128, 256 or 512, got {asked!r}")
        return int(asked)
    features = get_host_cpu_features().split(",")
    if "+avx512f" in features and "+avx512vl" in features:
        return 512
    return 256 if "+avx2" in features else 128


VECTOR_BITS = _vector_bits()
VECTOR_BYTES = VECTOR_BITS // 8
CACHE_LINE = 64  # bytes

# With AVX-512 a mask costs nothing. Elsewhere masked loads are slow, or become one branch an element.
FREE_MASKS = VECTOR_BITS == 512


def lanes(element: ir.Type) -> int:
    """How many numbers of this type one vector holds."""
    return VECTOR_BYTES // ITEM_BYTES[str(element)]


def vector(element: ir.Type) -> ir.VectorType:
    """The LLVM type of one full vector."""
    return ir.VectorType(element, lanes(element))


def constant(value: int) -> ir.Constant:
    """A 64-bit integer constant."""
    return ir.Constant(INDEX, value)


def offset(builder, pointer, bytes_):
    """``pointer`` moved on by a number of bytes (an LLVM value or a Python integer)."""
    if isinstance(bytes_, int):
        bytes_ = constant(bytes_)
    return builder.gep(pointer, [bytes_], source_etype=ir.IntType(8))


def opaque(builder, pointer):
    """``pointer`` as a value the optimiser knows nothing about: it cannot be derived from other pointers."""
    same = ir.InlineAsm(ir.FunctionType(POINTER, [POINTER]), "", "=r,0")
    return builder.call(same, [pointer])


def load(builder, pointer, kind, mask=None):
    """A scalar or vector from ``pointer``, aligned to its elements only; masked lanes are not read and give 0."""
    align = item_bytes(kind)
    if mask is None:
        return builder.load(pointer, align=align, typ=kind)
    function = _declare(
        builder, f"llvm.masked.load.{_mangled(kind)}.p0", kind, [POINTER, ir.IntType(32), mask.type, kind]
    )
    return builder.call(function, [pointer, ir.Constant(ir.IntType(32), align), mask, ir.Constant(kind, None)])


def store(builder, value, pointer, mask=None):
    """Write a scalar or vector to ``pointer``; masked lanes are left alone."""
    kind = value.type
    align = item_bytes(kind)
    if mask is None:
        builder.store(value, pointer, align=align)
        return
    signature = [kind, POINTER, ir.IntType(32), mask.type]
    function = _declare(builder, f"llvm.masked.store.{_mangled(kind)}.p0", ir.VoidType(), signature)
    builder.call(function, [value, pointer, ir.Constant(ir.IntType(32), align), mask])


def broadcast(builder, scalar, width=None):
    """A vector with ``scalar`` in every lane: a full one, or of ``width`` lanes."""
    kind = ir.VectorType(scalar.type, width or lanes(scalar.type))
    single = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), kind.count), None)
    return builder.shuffle_vector(single, ir.Constant(kind, ir.Undefined), zeros)


def multiply_add(builder, x, y, total):
    """x * y + total, in one instruction with one rounding where the processor has it."""
    function = _declare(builder, f"llvm.fmuladd.{_mangled(x.type)}", x.type, [x.type] * 3)
    return builder.call(function, [x, y, total])


def zero_where_not_positive(builder, x, decider):
    """x, but +0 where ``decider`` is 0 or less, of which NaN is neither."""
    nothing = ir.Constant(x.type, None if isinstance(x.type, ir.VectorType) else 0.0)
    return builder.select(builder.fcmp_ordered("<=", decider, nothing), nothing, x)


def first_lanes(builder, count, width):
    """The mask of the first ``count`` of ``width`` lanes; a count below 0 or above the width is allowed."""
    kind = ir.VectorType(ir.IntType(32), width)
    count = builder.trunc(count, ir.IntType(32))
    single = builder.insert_element(ir.Constant(kind, ir.Undefined), count, ir.Constant(ir.IntType(32), 0))
    counts = builder.shuffle_vector(single, ir.Constant(kind, ir.Undefined), ir.Constant(kind, None))
    return builder.icmp_signed("<", ir.Constant(kind, list(range(width))), counts)


def transpose(builder, rows):
    """The transpose of the square block whose rows are these vectors, as a list of vectors, in registers.

    log2(width) stages; the stage of distance d exchanges, between rows i and i + d, the off-diagonal d x d blocks.
    """
    width = len(rows)
    rows = list(rows)
    distance = width // 2
    while distance:
        low = [j if not j & distance else width + (j ^ distance) for j in range(width)]
        high = [j | distance if not j & distance else width + j for j in range(width)]
        for i in range(width):
            if not i & distance:
                upper, lower = rows[i], rows[i + distance]
                rows[i] = shuffle(builder, upper, lower, low)
                rows[i + distance] = shuffle(builder, upper, lower, high)
        distance //= 2
    return rows


def sum_lanes(builder, x):
    """The sum of the lanes of a vector, added in pairs."""
    width = x.type.count
    while width > 1:
        width //= 2
        upper = [width + j if j < width else j for j in range(x.type.count)]
        x = builder.fadd(x, shuffle(builder, x, x, upper))
    return builder.extract_element(x, ir.Constant(ir.IntType(32), 0))


def function(module, name, arguments):
    """The function ``name`` of 64-bit integers in ``module``, empty when first asked for; never inlined."""
    name = name.replace(" ", "")
    if name in module.globals:
        return module.globals[name]
    declared = ir.Function(module, ir.FunctionType(ir.VoidType(), [INDEX] * arguments), name)
    declared.linkage = "linkonce_odr"  # several libraries may hold it
    declared.attributes.add("noinline")
    return declared


def shuffle(builder, x, y, lanes_):
    """The vector of these lanes of x, or from the width on, of y."""
    lanes_ = list(lanes_)
    indices = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes_)), lanes_)
    return builder.shuffle_vector(x, y, indices)


def item_bytes(kind):
    """The size of a number, or of one element of a vector."""
    return ITEM_BYTES[str(getattr(kind, "element", kind))]


def _mangled(kind):
    return f"v{kind.count}{NAMES[str(kind.element)]}"


def _declare(builder, name, result, arguments):
    """Declare an LLVM intrinsic on vectors; llvmlite's own declare_intrinsic knows scalars only."""
    declared = builder.module.globals.get(name)
    return declared or ir.Function(builder.module, ir.FunctionType(result, arguments), name)


@intrinsic
def address(typingctx, array):
    """The address of the first element of an array, as a signed integer (unsigned ones turn sums into floats)."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.ptrtoint(data, INDEX)

    return types.int64(array), generate


@intrinsic
def _pointer(typingctx, where, like):
    """An address as a pointer to elements of the dtype of ``like``."""
    kind = types.CPointer(like.dtype)

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(kind))

    return kind(types.int64, like), generate


@merged
def array_at(where, count, like):
    """``count`` elements from an address on as a flat array of the dtype of ``like``; nothing keeps them alive."""
    return carray(_pointer(where, like), (count,))  # pyright: ignore[reportCallIssue]


@intrinsic
def call(typingctx, function, arguments):
    """Call a function of 64-bit integers, which gives nothing, by its address."""

    def generate(context, builder, signature, values):
        kinds = signature.args[1]
        integers = [builder.extract_value(values[1], i) for i in range(len(kinds))]
        integers = [context.cast(builder, x, kind, types.int64) for x, kind in zip(integers, kinds, strict=True)]
        kind = ir.FunctionType(ir.VoidType(), [INDEX] * len(integers))
        builder.call(builder.inttoptr(values[0], ir.PointerType(kind)), integers)
        return context.get_dummy_value()

    return types.void(types.int64, arguments), generate


TO_READ, TO_WRITE = 0, 1
SECOND_LEVEL, FIRST_LEVEL = 2, 3


def bring(builder, pointer, purpose, level):
    """Bring what lies at a pointer into a cache, if there is anything."""
    small = ir.IntType(32)
    function = _declare(builder, "llvm.prefetch.p0", ir.VoidType(), [POINTER, small, small, small])
    builder.call(function, [pointer, *[ir.Constant(small, option) for option in (purpose, level, 1)]])  # 1: data


@intrinsic
def prefetch(typingctx, where):
    """Bring what lies at an address into the second-level cache, if there is anything."""

    def generate(context, builder, signature, arguments):
        bring(builder, builder.inttoptr(arguments[0], POINTER), TO_READ, SECOND_LEVEL)
        return context.get_dummy_value()

    return types.void(types.int64), generate


@intrinsic
def word(typingctx, where):
    """The 64-bit integer at an address."""

    def generate(context, builder, signature, arguments):
        return builder.load(builder.inttoptr(arguments[0], POINTER), typ=INDEX)

    return types.int64(types.int64), generate


@intrinsic
def set_word(typingctx, where, value):
    """Write a 64-bit integer to an address."""

    def generate(context, builder, signature, arguments):
        builder.store(arguments[1], builder.inttoptr(arguments[0], POINTER))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def keep(typingctx, array):
    """Do nothing, and by being called keep ``array`` alive up to here: `address` alone does not."""

    def generate(context, builder, signature, arguments):
        return context.get_dummy_value()

    return types.void(array), generate


# ---------------------------------------------------------------------------------------------------------------
# Subnormal numbers (below 1.2e-38 in float32) take an x86 processor a hundred times longer than others.

_X86 = platform.machine().lower() in ("x86_64", "amd64")
_FLUSH = 1 << 15 | 1 << 6  # of the MXCSR register: subnormal results become 0, subnormal operands count as 0


@intrinsic
def flush_subnormals(typingctx):
    """From here on, in this thread, take subnormal numbers for 0; gives what `restore_subnormals` needs. x86 only."""

    def generate(context, builder, signature, arguments):
        if not _X86:
            return ir.Constant(ir.IntType(32), 0)
        slot = builder.alloca(ir.IntType(32))
        _access_mxcsr(builder, "st", slot)
        before = builder.load(slot, typ=ir.IntType(32))
        builder.store(builder.or_(before, ir.Constant(ir.IntType(32), _FLUSH)), slot)
        _access_mxcsr(builder, "ld", slot)
        return before

    return types.int32(), generate


@intrinsic
def restore_subnormals(typingctx, before):
    """Treat subnormal numbers as before `flush_subnormals`, which gave ``before``."""

    def generate(context, builder, signature, arguments):
        if _X86:
            slot = builder.alloca(ir.IntType(32))
            builder.store(arguments[0], slot)
            _access_mxcsr(builder, "ld", slot)
        return context.get_dummy_value()

    return types.void(types.int32), generate


def _access_mxcsr(builder, direction, slot):
    """Store ("st") or load ("ld") the register that rules how SSE and AVX compute."""
    builder.call(_declare(builder, f"llvm.x86.sse.{direction}mxcsr", ir.VoidType(), [POINTER]), [slot])
