"""The register tile: the innermost block of the matrix product, written as LLVM vectors.

A tile is MR rows by NV vectors of the result, held in registers while the products along k are added to it. For each
step of k it loads one row of y (NV vectors) and broadcasts one element of each of its rows of x:

    for p in range(k):
        row = y[p, :NR]
        for i in range(rows):
            total[i] += x[i, p] * row

Both strides of x are free, so x may be transposed; y has unit stride along its columns. There is one LLVM function for
each number of rows and vectors, so that fewer rows cost less; columns beyond the last are masked.
"""

import llvmlite.ir as ir
from numba.core import types
from numba.extending import intrinsic

from .. import simd
from .blocking import MR, NV


@intrinsic
def tile(typingctx, dtype, rows, columns, k, x, x_row, x_column, y, y_row, start, start_row, out, out_row):
    """out = start + x @ y for one tile of ``rows`` x ``columns``, at most MR x NR.

    All but ``dtype`` are integers: sizes, addresses, and strides in bytes. ``start`` gives the initial sums: zeros, the
    bias (row stride 0) or the result of the previous block of k. Where masks are not free, y must be readable to the
    end of a whole vector.
    """
    integers = [types.int64] * 12

    def generate(context, builder, signature, arguments):
        element = simd.ELEMENTS[signature.args[0].dtype]
        rows, columns, *rest = arguments[1:]
        _dispatch(builder, element, rows, columns, rest)
        return context.get_dummy_value()

    return types.void(dtype, *integers), generate


def _dispatch(builder, element, rows, columns, arguments):
    """Call the function for this number of rows and of vectors."""
    width = simd.lanes(element)
    vectors = builder.sdiv(builder.add(columns, simd.constant(width - 1)), simd.constant(width))
    case = builder.add(builder.mul(rows, simd.constant(NV)), vectors)
    done = builder.append_basic_block("tile.done")
    switch = builder.switch(case, done)
    for count in range(1, MR + 1):
        for wide in range(1, NV + 1):
            block = builder.append_basic_block(f"tile.{count}x{wide}")
            switch.add_case(simd.constant(count * NV + wide), block)
            builder.position_at_end(block)
            builder.call(_tile_function(builder.module, element, count, wide), [columns, *arguments])
            builder.branch(done)
    builder.position_at_end(done)


def _tile_function(module, element, rows, vectors):
    """The LLVM function of one tile size, defined in ``module`` when it is first asked for."""
    name = f"tinygrad_fr.gemm.tile.{rows}x{vectors}.{simd.vector(element)}".replace(" ", "")
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [simd.INDEX] * 11), name)
    function.linkage = "linkonce_odr"
    function.attributes.add("noinline")
    _Tile(function, element, rows, vectors).emit()
    return function


class _Tile:
    """Emits the body of one tile function."""

    def __init__(self, function, element, rows, vectors):
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.function = function
        self.rows, self.vectors = rows, vectors
        self.element, self.kind = element, simd.vector(element)

    def emit(self):
        columns, k, x, x_row, x_column, y, y_row, start, start_row, out, out_row = self.function.args
        pointers = [self.builder.inttoptr(address, simd.POINTER) for address in (x, y, start, out)]
        x, y, start, out = pointers
        masks = self._masks(columns)
        totals = self._load_rows(start, start_row, masks)
        totals = self._accumulate(totals, k, x, x_row, x_column, y, y_row, masks if simd.FREE_MASKS else None)
        self._store_rows(totals, out, out_row, masks)
        self.builder.ret_void()

    def _masks(self, columns):
        """One mask a vector: all but the last are full, and are not masked."""
        width = self.kind.count
        left = self.builder.sub(columns, simd.constant(width * (self.vectors - 1)))
        return [None] * (self.vectors - 1) + [simd.first_lanes(self.builder, left, width)]

    def _load_row(self, pointer, masks):
        places = (simd.offset(self.builder, pointer, v * simd.VECTOR_BYTES) for v in range(self.vectors))
        return [simd.load(self.builder, place, self.kind, mask) for place, mask in zip(places, masks, strict=True)]

    def _load_rows(self, start, stride, masks):
        places = (simd.offset(self.builder, start, self._times(stride, i)) for i in range(self.rows))
        return [total for place in places for total in self._load_row(place, masks)]

    def _store_rows(self, totals, out, stride, masks):
        for i in range(self.rows):
            place = simd.offset(self.builder, out, self._times(stride, i))
            for v, mask in enumerate(masks):
                total = totals[i * self.vectors + v]
                simd.store(self.builder, total, simd.offset(self.builder, place, v * simd.VECTOR_BYTES), mask)

    def _times(self, stride, count):
        return self.builder.mul(stride, simd.constant(count))

    def _accumulate(self, totals, k, x, x_row, x_column, y, y_row, masks):
        """The loop over k. Its state: the steps left, the row of y, the row pointers of x, and the sums."""
        builder = self.builder
        entry = builder.block
        loop, done = builder.append_basic_block("loop"), builder.append_basic_block("done")
        groups = _row_groups(self.rows)
        bases = [simd.offset(builder, x, self._times(x_row, first)) for first in groups]
        multiples = {n: self._times(x_row, n) for n in (1, 2, 4, 8)}
        builder.cbranch(builder.icmp_signed(">", k, simd.constant(0)), loop, done)

        builder.position_at_end(loop)
        state = [k, y, *bases, *totals]
        phis = [builder.phi(value.type) for value in state]
        for phi, value in zip(phis, state, strict=True):
            phi.add_incoming(value, entry)
        left, y, bases, sums = phis[0], phis[1], phis[2 : 2 + len(bases)], phis[2 + len(bases) :]

        row = self._load_row(y, masks or [None] * self.vectors)
        places = {}
        bases = [simd.opaque(builder, base) for base in bases]
        for base, (first, members) in zip(bases, groups.items(), strict=True):
            for i in members:
                places[i] = base if i == first else simd.offset(builder, base, multiples[i - first])
        updated = []
        for i in range(self.rows):
            scalar = simd.broadcast(builder, simd.load(builder, places[i], self.element))
            for v, elements in enumerate(row):
                total = sums[i * self.vectors + v]
                updated.append(simd.multiply_add(builder, scalar, elements, total))

        left = builder.sub(left, simd.constant(1))
        moved = [simd.offset(builder, base, x_column) for base in bases]
        for phi, value in zip(phis, [left, simd.offset(builder, y, y_row), *moved, *updated], strict=True):
            phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed(">", left, simd.constant(0)), loop, done)

        builder.position_at_end(done)
        results = [builder.phi(self.kind) for _ in totals]
        for result, initial, final in zip(results, totals, updated, strict=True):
            result.add_incoming(initial, entry)
            result.add_incoming(final, loop)
        return results


def _row_groups(rows):
    """Cover the rows with few base pointers: {first row: the rows 0, 1, 2, 4 or 8 strides after it}.

    These are the multiples an x86 address can add for free, and fourteen row pointers would not fit the registers.
    """
    groups, left = {}, list(range(rows))
    while left:
        first = left[0]
        groups[first] = [i for i in left if i - first in (0, 1, 2, 4, 8)]
        left = [i for i in left if i not in groups[first]]
    return groups
