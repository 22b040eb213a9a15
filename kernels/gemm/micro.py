"""The register tiles: the innermost blocks of the matrix product, written as LLVM vectors.

A tile is MR rows by NV vectors of the result, held in registers while the products along k are added to it. For each
step of k it loads one row of y (NV vectors) and broadcasts one element of each of its rows of x:

    for p in range(k):
        row = y[p, :NR]
        for i in range(rows):
            total[i] += x[i, p] * row

Both strides of x are free, so x may be transposed; y has unit stride along its columns. There is one LLVM function for
each number of rows and vectors, so that fewer rows cost less; columns beyond the last are masked. Few rows take tiles
of more vectors, which keep as many sums in flight and read longer pieces of y.

Where x has few rows and both operands have unit stride along k, `dots` multiplies along k instead.

The finished sums pass a gate on their way from the registers to memory: an activation of the result, or the derivative
of one.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import llvmlite.ir as ir
from numba.core import types
from numba.extending import intrinsic

from .. import simd
from .._jit import kernel, merged
from ..simd import address
from .blocking import BRING, DOTS, ROWS, WIDE

# What happens to a sum before it is stored: nothing; relu; or 0 takes its place where a mask is <= 0. NaN is no <= 0.
NO_GATE, RELU, MASK = 0, 1, 2


# Where the addresses of the functions are in their table; behind them are zeros, a sum's usual start.
DOTS_SLOT, DOT_SLOT = 0, 1
ZEROS_SLOT = (max(ROWS.values()) + 1) * (WIDE + 1)
TABLE_SLOTS = ZEROS_SLOT + WIDE * simd.VECTOR_BYTES // 8


@merged
def tile_slot(rows, vectors):
    """The place of a tile's function in the table."""
    return rows * (WIDE + 1) + vectors


@kernel
def fill_table(table, like):
    """Compile the functions for the dtype of ``like``, and write their addresses into ``table``.

    `macro` calls them by these addresses: linked into every kernel, they would be compiled again with each.

        tile(columns, count, k, x, x_row, x_column, x_tile, y, y_row, start, start_row, out, out_row,
             gate, mask, mask_row)

    computes out = start + x @ y for ``count`` tiles below one another, of the rows that the slot says and as many
    ``columns`` as the vectors hold, the last vector perhaps in part. Numbers are sizes, addresses, and strides in
    bytes; ``x_tile`` is the step from one tile's x to the next one's. ``start`` gives the initial sums: zeros or the
    bias (row stride 0), or the result of the previous block of k. ``mask`` matters where ``gate`` is MASK only. Where
    masks are not free, y must be readable to the end of a whole vector.

        dots(k, x, y, y_step, start, out, gate, mask)

    computes out[j] = start[j] + sum(x[p] * y[j, p] for p < k) for DOTS vectors y[j] that lie ``y_step`` bytes apart,
    or for one.
    """
    _write_addresses(address(table), like)


@intrinsic
def _write_addresses(typingctx, table, like):
    def generate(context, builder, signature, arguments):
        element = simd.ELEMENTS[signature.args[1].dtype]
        functions = {DOTS_SLOT: _dots_function(builder.module, element, DOTS)}
        functions[DOT_SLOT] = _dots_function(builder.module, element, 1)
        for vectors, most in ROWS.items():
            for rows in range(1, most + 1):
                functions[rows * (WIDE + 1) + vectors] = _tile_function(builder.module, element, rows, vectors)
        for slot, function in functions.items():
            place = builder.inttoptr(builder.add(arguments[0], simd.constant(8 * slot)), simd.POINTER)
            builder.store(builder.ptrtoint(function, simd.INDEX), place)
        return context.get_dummy_value()

    return types.void(types.intp, like), generate


def _tile_function(module, element, rows, vectors):
    """The LLVM function of one tile size, defined in ``module`` when it is first asked for."""
    name = f"tinygrad_fr.gemm.tile.{rows}x{vectors}"
    function = simd.function(module, f"{name}.{simd.vector(element)}", 16)
    if not function.blocks:
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
        """The loop over the tiles."""
        builder = self.builder
        columns, count, k, x, x_row, x_column, x_tile, y, y_row, *rest = self.function.args
        start, start_row, out, out_row, gate, gate_mask, mask_row = rest
        masks = self._masks(columns)
        y = builder.inttoptr(y, simd.POINTER)
        places = [builder.inttoptr(address, simd.POINTER) for address in (x, start, out, gate_mask)]
        steps = [x_tile, *(self._times(row, self.rows) for row in (start_row, out_row, mask_row))]

        entry, loop, done = builder.block, builder.append_basic_block("tile"), builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        left, *phis = [builder.phi(kind) for kind in (simd.INDEX, *[simd.POINTER] * 4)]
        for phi, value in zip((left, *phis), (count, *places), strict=True):
            phi.add_incoming(value, entry)
        x, start, out, gate_mask = phis
        with builder.if_then(builder.icmp_signed(">", k, simd.constant(BRING))):
            self._bring_rows(out, out_row)
        totals = self._load_rows(start, start_row, masks)
        totals = self._accumulate(totals, k, x, x_row, x_column, y, y_row, masks if simd.FREE_MASKS else None)
        with builder.if_else(builder.icmp_signed("==", gate, simd.constant(NO_GATE))) as (plain, gated):
            with plain:
                self._store_rows(totals, out, out_row, masks)
            with gated:
                self._store_rows(self._gated(totals, gate, gate_mask, mask_row, masks), out, out_row, masks)
        fewer = builder.sub(left, simd.constant(1))
        left.add_incoming(fewer, builder.block)
        for phi, step in zip(phis, steps, strict=True):
            phi.add_incoming(simd.offset(builder, phi, step), builder.block)
        builder.cbranch(builder.icmp_signed("!=", fewer, simd.constant(0)), loop, done)
        builder.position_at_end(done)
        builder.ret_void()

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

    def _bring_rows(self, out, stride):
        """Bring the lines of the result nearer while the sums are made: a store would wait for them."""
        for i in range(self.rows):
            place = simd.offset(self.builder, out, self._times(stride, i))
            for v in range(self.vectors):
                line = simd.offset(self.builder, place, v * simd.VECTOR_BYTES)
                simd.bring(self.builder, line, simd.TO_WRITE, simd.FIRST_LEVEL)

    def _gated(self, totals, gate, mask, stride, masks):
        """The sums as the gate lets them through."""
        return [
            simd.zero_where_not_positive(self.builder, total, decider)
            for total, decider in zip(totals, self._deciders(totals, gate, mask, stride, masks), strict=True)
        ]

    def _deciders(self, totals, gate, mask, stride, masks):
        """The numbers whose sign decides: the sums themselves, or those of the mask."""
        builder = self.builder
        own, other, done = (builder.append_basic_block(name) for name in ("relu", "mask", "gate"))
        builder.cbranch(builder.icmp_signed("==", gate, simd.constant(RELU)), own, other)
        builder.position_at_end(own)
        builder.branch(done)
        builder.position_at_end(other)
        loaded = self._load_rows(mask, stride, masks)
        builder.branch(done)
        builder.position_at_end(done)
        deciders = [builder.phi(self.kind) for _ in totals]
        for decider, total, one in zip(deciders, totals, loaded, strict=True):
            decider.add_incoming(total, own)
            decider.add_incoming(one, other)
        return deciders

    def _times(self, stride, count):
        return self.builder.mul(stride, simd.constant(count))

    def _accumulate(self, totals, k, x, x_row, x_column, y, y_row, masks):
        """The loop over k. Its state: the steps left, the row of y, some row pointers of x, and the sums."""
        builder = self.builder
        groups = _row_groups(self.rows)
        bases = [simd.offset(builder, x, self._times(x_row, first)) for first in groups]
        multiples = {n: self._times(x_row, n) for n in (1, 2, 4, 8)}
        entry, loop, done = builder.block, builder.append_basic_block("step"), builder.append_basic_block("sums")
        builder.cbranch(builder.icmp_signed(">", k, simd.constant(0)), loop, done)

        builder.position_at_end(loop)
        state = [k, y, *bases, *totals]
        phis = [builder.phi(value.type) for value in state]
        for phi, value in zip(phis, state, strict=True):
            phi.add_incoming(value, entry)
        left, y, bases, sums = phis[0], phis[1], phis[2 : 2 + len(bases)], phis[2 + len(bases) :]

        row = self._load_row(y, masks or [None] * self.vectors)
        places = self._row_places(bases, groups, multiples)
        updated = []
        for i in range(self.rows):
            scalar = simd.broadcast(builder, simd.load(builder, places[i], self.element))
            for v, elements in enumerate(row):
                updated.append(simd.multiply_add(builder, scalar, elements, sums[i * self.vectors + v]))

        left = builder.sub(left, simd.constant(1))
        moved = [simd.offset(builder, base, x_column) for base in bases]
        for phi, value in zip(phis, [left, simd.offset(builder, y, y_row), *moved, *updated], strict=True):
            phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("!=", left, simd.constant(0)), loop, done)

        builder.position_at_end(done)
        results = [builder.phi(self.kind) for _ in totals]
        for result, initial, final in zip(results, totals, updated, strict=True):
            result.add_incoming(initial, entry)
            result.add_incoming(final, loop)
        return results

    def _row_places(self, bases, groups, multiples):
        """The pointers to one element of each row of x.

        The bases are made opaque: LLVM would otherwise derive each row's pointer from the row before, a chain of
        additions that takes longer than the products.
        """
        places = {}
        for base, (first, members) in zip(bases, groups.items(), strict=True):
            base = simd.opaque(self.builder, base)
            for i in members:
                places[i] = base if i == first else simd.offset(self.builder, base, multiples[i - first])
        return places


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


def _dots_function(module, element, count):
    function = simd.function(module, f"tinygrad_fr.gemm.dots.{count}.{simd.vector(element)}", 8)
    if not function.blocks:
        _Dots(function, element, count).emit()
    return function


class _Dots:
    """Emits the body of `dots`: a vector of partial sums for each y[j], added up at the end."""

    def __init__(self, function, element, count):
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))
        self.function, self.count = function, count
        self.element, self.kind = element, simd.vector(element)

    def emit(self):
        builder = self.builder
        k, x, y, y_step, start, out, gate, gate_mask = self.function.args
        x, y, start, out, gate_mask = (builder.inttoptr(a, simd.POINTER) for a in (x, y, start, out, gate_mask))
        rows = [simd.offset(builder, y, builder.mul(y_step, simd.constant(j))) for j in range(self.count)]
        whole = builder.sub(k, builder.srem(k, simd.constant(self.kind.count)))
        sums = self._whole_vectors(whole, x, rows)
        mask = simd.first_lanes(builder, builder.sub(k, whole), self.kind.count)
        sums = self._add(sums, whole, x, rows, mask)
        for j, total in enumerate(sums):
            first = simd.load(builder, self._item(start, j), self.element)
            total = builder.fadd(first, simd.sum_lanes(builder, total))
            simd.store(builder, self._gated(total, gate, self._item(gate_mask, j)), self._item(out, j))
        builder.ret_void()

    def _gated(self, total, gate, mask):
        """The sum as the gate lets it through."""
        builder = self.builder
        before = builder.block
        with builder.if_then(builder.icmp_signed("!=", gate, simd.constant(NO_GATE))):
            own = builder.block
            with builder.if_then(builder.icmp_signed("==", gate, simd.constant(MASK))):
                loaded, other = simd.load(builder, mask, self.element), builder.block
            decider = builder.phi(self.element)
            decider.add_incoming(total, own)
            decider.add_incoming(loaded, other)
            gated, after = simd.zero_where_not_positive(builder, total, decider), builder.block
        result = builder.phi(self.element)
        result.add_incoming(total, before)
        result.add_incoming(gated, after)
        return result

    def _item(self, pointer, index):
        return self.builder.gep(pointer, [simd.constant(index)], source_etype=self.element)

    def _add(self, sums, index, x, rows, mask=None):
        """The sums with one more vector of products each, from ``index`` on."""
        pieces = [self.builder.gep(pointer, [index], source_etype=self.element) for pointer in (x, *rows)]
        left, *right = [simd.load(self.builder, piece, self.kind, mask) for piece in pieces]
        return [simd.multiply_add(self.builder, left, one, total) for one, total in zip(right, sums, strict=True)]

    def _whole_vectors(self, whole, x, rows):
        builder = self.builder
        entry, loop, done = builder.block, builder.append_basic_block("step"), builder.append_basic_block("rest")
        builder.branch(loop)
        builder.position_at_end(loop)
        index, *sums = [builder.phi(kind) for kind in (simd.INDEX, *[self.kind] * self.count)]
        body = builder.append_basic_block("vector")
        builder.cbranch(builder.icmp_signed("<", index, whole), body, done)

        builder.position_at_end(body)
        following = builder.add(index, simd.constant(self.kind.count)), *self._add(sums, index, x, rows)
        for phi, value in zip((index, *sums), following, strict=True):
            phi.add_incoming(ir.Constant(phi.type, None if phi is not index else 0), entry)
            phi.add_incoming(value, body)
        builder.branch(loop)
        builder.position_at_end(done)
        return sums
