"""Rows reduced to one, and neighbours in a row reduced to one element, in vectors: what pooling is made of.

Written as LLVM instructions because rows are often shorter than what LLVM's own vector loops leave to single elements;
here the last vector is masked. What a reduction has found so far, its state, is a few vectors: the sums, or the largest
numbers and their places. In memory it is as many arrays.
"""

# pyright: reportCallIssue=false
# (calls of intrinsics lack the typing context, which Numba adds)

import math
from contextlib import contextmanager

import llvmlite.ir as ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from . import simd
from .simd import INDEX, POINTER, constant

NOWHERE = 1 << 30  # beyond all places

STRIDES = 4  # the most that windows of columns may move by

SLACK = STRIDES * simd.lanes(ir.FloatType())  # elements that must follow those in memory: vectors are not cut there

_INT32 = ir.IntType(32)


class _Sum:
    """Adds numbers up; the state is the sum."""

    def __init__(self, builder, element):
        self.builder = builder
        self.kind = simd.vector(element)
        self.kinds = (self.kind,)
        self.nothing = [ir.Constant(self.kind, None)]

    def numbers(self, pointer, place, mask):
        """The state after the numbers at ``pointer``, whose first place is ``place``, alone."""
        return [simd.load(self.builder, pointer, self.kind, mask)]

    def before(self, first):
        """The state before all rows, the first of which is given."""
        return self.nothing

    def with_row(self, state, row):
        return [self.builder.fadd(state[0], row[0])]

    with_column = with_row

    def finished(self, state):
        return state


class _Largest:
    """Keeps the largest number, the first of equal ones, and its place; of NaN, which is the largest, the last.

    The finished state has the complement of the place where the number is not positive.
    """

    def __init__(self, builder, element):
        self.builder = builder
        self.kind = simd.vector(element)
        self.places = ir.VectorType(_INT32, self.kind.count)
        self.kinds = (self.kind, self.places)
        each = zip(self.kinds, (-math.inf, NOWHERE), strict=True)
        self.nothing = [ir.Constant(kind, [none] * kind.count) for kind, none in each]

    def numbers(self, pointer, place, mask):
        first = simd.broadcast(self.builder, self.builder.trunc(place, _INT32), self.kind.count)
        places = self.builder.add(first, ir.Constant(self.places, list(range(self.places.count))))
        return [simd.load(self.builder, pointer, self.kind, mask), places]

    def before(self, first):
        return first  # which comes once more, and changes nothing

    def with_row(self, state, row):
        """Rows come in order, so an equal number is a later one."""
        return self._chosen(self._is_larger(row[0], state[0]), row, state)

    def with_column(self, state, column):
        """Columns may have found their numbers in any of the rows."""
        builder = self.builder
        (number, place), (best, best_place) = column, state
        earlier = builder.icmp_signed("<", place, best_place)
        if_equal = builder.and_(builder.fcmp_ordered("==", number, best), earlier)
        if_nan = builder.or_(builder.fcmp_ordered("ord", best, best), builder.not_(earlier))
        larger = builder.or_(
            builder.fcmp_ordered(">", number, best), builder.and_(builder.fcmp_unordered("uno", number, number), if_nan)
        )
        return self._chosen(builder.or_(larger, if_equal), column, state)

    def finished(self, state):
        builder = self.builder
        number, place = state
        zero = ir.Constant(self.kind, None)
        return [number, builder.select(builder.fcmp_ordered("<=", number, zero), builder.not_(place), place)]

    def _is_larger(self, x, best):
        return self.builder.or_(self.builder.fcmp_ordered(">", x, best), self.builder.fcmp_unordered("uno", x, x))

    def _chosen(self, condition, yes, no):
        return [self.builder.select(condition, one, other) for one, other in zip(yes, no, strict=True)]


class _Loops:
    """Emits loops over vectors that carry the state of a reduction."""

    def __init__(self, builder, reduction):
        self.builder, self.kinds = builder, reduction.kinds
        self.lanes = reduction.kind.count
        self._slots = [cgutils.alloca_once(builder, kind) for kind in self.kinds]

    @property
    def state(self):
        return [self.builder.load(slot, typ=kind) for slot, kind in zip(self._slots, self.kinds, strict=True)]

    @state.setter
    def state(self, values):
        for value, slot in zip(values, self._slots, strict=True):
            self.builder.store(value, slot)

    def pointer(self, address, place, kind):
        """The pointer to the element at ``place`` of the numbers of this kind that begin at an address."""
        return self.moved(self.builder.inttoptr(address, POINTER), place, simd.item_bytes(kind))

    def pointers(self, addresses, place):
        """The same for the arrays of a state."""
        unpacked = cgutils.unpack_tuple(self.builder, addresses, len(self.kinds))
        return [self.pointer(address, place, kind) for address, kind in zip(unpacked, self.kinds, strict=True)]

    def moved(self, pointer, places, item_bytes):
        return simd.offset(self.builder, pointer, self.builder.mul(places, constant(item_bytes)))

    def each(self, pointers, places):
        """Pointers to states, moved on."""
        kinds = zip(pointers, self.kinds, strict=True)
        return [self.moved(pointer, places, simd.item_bytes(kind)) for pointer, kind in kinds]

    @contextmanager
    def times(self, count):
        """A loop; gives the number of the turn."""
        with cgutils.for_range(self.builder, count, intp=INDEX) as loop:
            yield loop.index

    @contextmanager
    def vectors(self, count, none=None):
        """A loop over the vectors of ``count`` elements; gives the number of the first, and the mask of what is there.

        Nothing is where the truth value ``none`` says so.
        """
        builder, lanes = self.builder, constant(self.lanes)
        there = count if none is None else builder.select(none, constant(0), count)
        with self.times(builder.sdiv(builder.add(count, constant(self.lanes - 1)), lanes)) as i:
            first = builder.mul(i, lanes)
            yield first, simd.first_lanes(builder, builder.sub(there, first), self.lanes)

    def load(self, pointers, stride):
        """The state of every ``stride``-th element."""
        return [self._load(pointer, kind, stride) for pointer, kind in zip(pointers, self.kinds, strict=True)]

    def _load(self, pointer, kind, stride):
        """Each element comes from one of ``stride`` vectors."""
        result = simd.load(self.builder, pointer, kind)
        for i in range(stride):
            vector = simd.load(self.builder, self.moved(pointer, constant(i * self.lanes), simd.item_bytes(kind)), kind)
            places = [(lane, *divmod(lane * stride, self.lanes)) for lane in range(self.lanes)]
            lanes = [self.lanes + place if number == i else lane for lane, number, place in places]
            result = simd.shuffle(self.builder, result, vector, lanes)
        return result

    def store(self, state, pointers, mask=None):
        for value, pointer in zip(state, pointers, strict=True):
            simd.store(self.builder, value, pointer, mask)


def _rows(reduction):
    @intrinsic
    def reduce_rows(typingctx, like, x, origin, place, rows, width, found, at):
        """Reduce rows of ``width`` elements of x to one, into the arrays ``found`` from ``at`` on.

        Arrays are given by their addresses; ``like`` is a number of their type. The first row begins at ``origin``,
        which is ``place`` of its plane. ``rows`` are how many there are along two axes, and the steps between them:
        (count, step, count, step). Behind the last element come others, up to a vector, that stand for nothing.
        """

        def generate(context, builder, signature, values):
            _, x, origin, place, rows, width, found, at = values
            emitter = reduction(builder, simd.ELEMENTS[signature.args[0]])
            loops = _Loops(builder, emitter)
            outers, outer_step, inners, inner_step = cgutils.unpack_tuple(builder, rows, 4)
            source, targets = loops.pointer(x, origin, emitter.kind), loops.pointers(found, at)

            def row(step, mask):
                pointer = loops.moved(source, step, simd.item_bytes(emitter.kind))
                return emitter.numbers(pointer, builder.add(place, step), mask)

            none = builder.icmp_signed("==", builder.mul(outers, inners), constant(0))
            with loops.vectors(width, none) as (column, mask):
                loops.state = emitter.before(row(column, mask))
                with loops.times(outers) as i, loops.times(inners) as j:
                    step = builder.add(builder.mul(i, outer_step), builder.mul(j, inner_step))
                    loops.state = emitter.with_row(loops.state, row(builder.add(column, step), mask))
                cut = zip(loops.state, emitter.nothing, strict=True)
                loops.store([builder.select(mask, *each) for each in cut], loops.each(targets, column))
            return context.get_dummy_value()

        return types.void(like, *[types.int64] * 3, rows, types.int64, found, types.int64), generate

    return reduce_rows


def _columns(reduction):
    @intrinsic
    def reduce_columns(typingctx, like, found, start, taps, step, stride, count, out, to):
        """Reduce ``taps`` columns, ``step`` elements apart, to one, ``count`` times, each ``stride`` elements on.

        Those of the first begin at ``start`` of the arrays ``found``. The finished state goes ``to`` the arrays out.
        The stride is from 1 to STRIDES.
        """

        def generate(context, builder, signature, values):
            _, found, start, taps, step, stride, count, out, to = values
            emitter = reduction(builder, simd.ELEMENTS[signature.args[0]])
            loops = _Loops(builder, emitter)
            sources, targets = loops.pointers(found, start), loops.pointers(out, to)
            for each in range(1, STRIDES + 1):
                with builder.if_then(builder.icmp_signed("==", stride, constant(each))):
                    _reduce_columns(loops, emitter, each, sources, taps, step, count, targets)
            return context.get_dummy_value()

        return types.void(like, found, *[types.int64] * 5, out, types.int64), generate

    return reduce_columns


def _reduce_columns(loops, emitter, stride, sources, taps, step, count, targets):
    builder = loops.builder
    with loops.vectors(count) as (window, mask):
        first = builder.mul(window, constant(stride))
        loops.state = emitter.nothing
        with loops.times(taps) as tap:
            column = loops.each(sources, builder.add(first, builder.mul(tap, step)))
            loops.state = emitter.with_column(loops.state, loops.load(column, stride))
        loops.store(emitter.finished(loops.state), loops.each(targets, window), mask)


sum_rows, sum_columns = _rows(_Sum), _columns(_Sum)
largest_of_rows, largest_of_columns = _rows(_Largest), _columns(_Largest)


@intrinsic
def add_to_rows(typingctx, like, row, start, width, out, origin, rows):
    """Add a row of ``width`` elements, from ``start`` on, to rows of ``out``, which are counted as those to reduce."""

    def generate(context, builder, signature, values):
        _, row, start, width, out, origin, rows = values
        emitter = _Sum(builder, simd.ELEMENTS[signature.args[0]])
        loops = _Loops(builder, emitter)
        outers, outer_step, inners, inner_step = cgutils.unpack_tuple(builder, rows, 4)
        source, target = loops.pointer(row, start, emitter.kind), loops.pointer(out, origin, emitter.kind)
        with loops.vectors(width) as (column, mask):
            more = simd.load(builder, *loops.each([source], column), emitter.kind)
            with loops.times(outers) as i, loops.times(inners) as j:
                step = builder.add(builder.mul(i, outer_step), builder.mul(j, inner_step))
                place = loops.each([target], builder.add(column, step))
                loops.store([builder.fadd(simd.load(builder, *place, emitter.kind, mask), more)], place, mask)
        return context.get_dummy_value()

    return types.void(like, *[types.int64] * 5, rows), generate


@intrinsic
def weighed_rows(typingctx, like, x, width, chosen, count, out):
    """The sum of ``count`` rows of x, each of ``width`` elements, times their weights, as one row of ``out``.

    ``chosen`` are the addresses of the numbers of the rows and of the weights.
    """

    def generate(context, builder, signature, values):
        _, x, width, chosen, count, out = values
        emitter = _Sum(builder, simd.ELEMENTS[signature.args[0]])
        loops = _Loops(builder, emitter)
        numbers, weights = cgutils.unpack_tuple(builder, chosen, 2)
        with loops.vectors(width) as (column, mask):
            loops.state = emitter.nothing
            with loops.times(count) as i:
                number = builder.load(loops.pointer(numbers, i, INDEX), typ=INDEX)
                weight = builder.load(loops.pointer(weights, i, emitter.kind), typ=emitter.kind.element)
                row = loops.pointer(x, builder.add(builder.mul(number, width), column), emitter.kind)
                part = simd.load(builder, row, emitter.kind, mask)
                loops.state = [simd.multiply_add(builder, simd.broadcast(builder, weight), part, *loops.state)]
            loops.store(loops.state, [loops.pointer(out, column, emitter.kind)], mask)
        return context.get_dummy_value()

    return types.void(like, types.int64, types.int64, chosen, types.int64, types.int64), generate
