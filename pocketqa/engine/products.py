"""Products of packed weights (`packing`) and quantised rows: the inner loops of every layer.

A tile is 16 rows of a matrix; the products of a tile and up to four rows of activations are
computed together, so that the weights are unpacked once. Weights and activations are multiplied
as bytes and added exactly in integers, 32 columns at a time; the groups' sums are scaled and added
in float32 in order. So a row's result is the same bits whatever else is computed beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from .packing import GROUP
from .simd import BYTES, F32, FLOATS, HALVES, I32, I64, WORDS, Assembler, constant, ir, kernel

ROWS = 4
"""Rows of activations that are multiplied at once."""
ORDERS: dict[int, list[tuple[int, ...]]] = {
    1: [(0, 4, 1, 5, 2, 6, 3, 7)],
    2: [(0, 1, 2, 3), (4, 5, 6, 7)],
}
"""Vectors of four columns that share a scale, by the number of scales in a group."""


AHEAD = 3072
"""Bytes that are asked for ahead of those in use: the processor's own prefetching ends at each
page, which left a quarter of the memory's speed unused."""


@dataclass(frozen=True)
class Format:
    """How a group of a tile is laid out; `packing` says what the bytes mean."""

    name: str
    record: int
    """Bytes."""
    bits: int
    """4, 5 or 6: unsigned; 8: signed."""
    packed: bool
    """Are two weights in a byte?"""
    scales: int = 1
    """In a group: one, or one for each half."""
    minima: bool = False

    @property
    def scales_at(self) -> int:
        """Offset of the scales in a record: after the weights."""
        return self.record - 32 * (self.scales + self.minima)

    @property
    def zero(self) -> int:
        """The stored number that means 0, unless a minimum says so."""
        return {5: 16, 6: 32}.get(self.bits, 0)


FORMATS = (
    Format("q5", 352, 5, packed=True),
    Format("q4", 320, 4, packed=True, minima=True),
    Format("s8", 544, 8, packed=False),
    Format("q6", 448, 6, packed=True, scales=2),
)
UNPACKED = (
    Format("u5", 544, 5, packed=False),
    Format("u4", 576, 4, packed=False, minima=True),
    Format("u6", 576, 6, packed=False, scales=2),
)
"""What `q5`, `q4` and `q6` become in scratch memory when many rows use them."""


def weights(a: Assembler, form: Format, record: Any, j: int, v: int) -> Any:
    """Bytes of vector (j, v): columns 4j to 4j+3 of eight rows."""
    if not form.packed:
        return a.load(BYTES, record, (2 * j + v) * 32)
    b = a.builder
    byte = a.load(BYTES, record, (2 * (j % 4) + v) * 32)
    if j >= 4:
        byte = _shift(a, byte, -4)
    low = b.and_(byte, constant(BYTES, 15))
    if form.bits == 4:
        return low
    if form.bits == 6:
        high = a.load(BYTES, record, 256 + (2 * (j // 4) + v) * 32)
        return b.or_(low, b.and_(_shift(a, high, 4 - 2 * (j % 4)), constant(BYTES, 48)))
    high = _shift(a, a.load(BYTES, record, 256 + v * 32), 4 - j)
    return b.or_(low, b.and_(high, constant(BYTES, 16)))


def _shift(a: Assembler, byte: Any, left: int) -> Any:
    """Shift to the left (or right); bits that cross into a neighbour are the caller's to mask."""
    b = a.builder
    words = b.bitcast(byte, WORDS)
    shift = b.shl if left > 0 else b.lshr
    return b.bitcast(shift(words, constant(WORDS, abs(left))), BYTES) if left else byte


def tile_product(form: Format, rows: int, passes: Sequence[tuple[int, ...]] = ((0, 1),)) -> Any:
    """Kernel: `out[r, :16] = tile @ x[r]` for `rows` rows.

    Arguments: tile, x, bytes of a row of x, its scales, its sums (of half groups), bytes of a row
    of the scales, out, bytes of a row of out, groups.
    """
    one = ir.Constant(I64, 1)

    def write(
        a: Assembler,
        tile: Any,
        x: Any,
        x_row: Any,
        scales: Any,
        sums: Any,
        scales_row: Any,
        out: Any,
        out_row: Any,
        groups: Any,
    ) -> None:
        b = a.builder

        def row(address: Any, size: Any, r: int) -> Any:
            return b.add(address, a.times(size, r))

        def group(vectors: tuple[int, ...], i: Any, *totals: Any) -> list[Any]:
            pairs = [(r, v) for r in range(rows) for v in vectors]
            record = b.add(tile, a.times(i, form.record))
            _prefetch(a, form, record)
            columns, four = a.times(i, GROUP), a.times(i, 4)
            scale = [a.splat(a.load(F32, row(scales, scales_row, r), four)) for r in range(rows)]
            total = dict(zip(pairs, totals, strict=True))
            at = [b.add(row(x, x_row, r), columns) for r in range(rows)]
            count: list[list[Any]] = [[], []]
            if form.zero or form.minima:
                sums_at = [
                    a.at(row(sums, b.shl(scales_row, one), r), b.shl(four, one))
                    for r in range(rows)
                ]
                count = [[a.load(I32, address, 4 * half) for address in sums_at] for half in (0, 1)]
            if form.scales == 1 and form.zero + form.minima:
                count[0] = [b.add(*both) for both in zip(*count, strict=True)]
            for half, order in enumerate(ORDERS[form.scales]):
                sums32 = dict.fromkeys(pairs)
                if form.zero:
                    less = [b.mul(n, ir.Constant(I32, -form.zero)) for n in count[half]]
                    sums32 = {(r, v): a.splat(less[r]) for r, v in pairs}
                _integer_sums(a, form, record, at, order, vectors, sums32)
                for v in vectors:
                    weight = a.floats(record, form.scales_at + 32 * half + 16 * v)
                    for r in range(rows):
                        sum_ = b.sitofp(sums32[r, v], FLOATS)
                        total[r, v] = a.fma(sum_, b.fmul(weight, scale[r]), total[r, v])
            if form.minima:
                for r in range(rows):
                    less = b.fneg(b.fmul(b.sitofp(a.splat(count[0][r]), FLOATS), scale[r]))
                    for v in vectors:
                        minimum = a.floats(record, form.scales_at + 32 + 16 * v)
                        total[r, v] = a.fma(minimum, less, total[r, v])
            return [total[pair] for pair in pairs]

        for vectors in passes:
            starts = [constant(FLOATS, 0)] * (rows * len(vectors))
            totals = iter(a.loop(groups, starts, partial(group, vectors)))
            for r in range(rows):
                for v in vectors:
                    a.store(next(totals), row(out, out_row, r), v * 32)

    return kernel(f"{form.name}_{rows}", write, 9)


def _prefetch(a: Assembler, form: Format, record: Any) -> None:
    for line in range(0, form.record if form in FORMATS else 0, 64):
        a.prefetch(record, AHEAD + line)


def _integer_sums(
    a: Assembler,
    form: Format,
    record: Any,
    x: list[Any],
    order: tuple[int, ...],
    vectors: tuple[int, ...],
    sums: dict[tuple[int, int], Any],
) -> None:
    """Add to `sums` the products of some vectors of a group with each row."""
    b = a.builder
    # As many products as 16 bits surely hold: two of 31 * 127, four times, are less than 2**15.
    batch = {4: 8, 5: 4, 6: 2, 8: 1}[form.bits]
    words: dict[tuple[int, int], Any] = {}
    for n, j in enumerate(order):
        tile = {v: weights(a, form, record, j, v) for v in vectors}
        size = {v: a.magnitude(w) for v, w in tile.items()} if form.bits == 8 else tile
        for r, address in enumerate(x):
            four = b.bitcast(a.splat(a.load(I32, address, 4 * j)), BYTES)
            for v in vectors:
                signed = a.with_sign_of(four, tile[v]) if form.bits == 8 else four
                product = a.multiply_bytes(size[v], signed)
                first = n % batch == 0
                words[r, v] = product if first else b.add(words[r, v], product)
                if n % batch == batch - 1 or n == len(order) - 1:
                    wide, before = a.widen(words[r, v]), sums[r, v]
                    sums[r, v] = wide if before is None else b.add(before, wide)


def unpacking(form: Format, into: Format) -> Any:
    """Kernel: a tile in `form` becomes one in `into`. Arguments: tile, out, groups."""

    def write(a: Assembler, tile: Any, out: Any, groups: Any) -> None:
        b = a.builder

        def group(i: Any) -> list[Any]:
            source = b.add(tile, a.times(i, form.record))
            target = b.add(out, a.times(i, into.record))
            _prefetch(a, form, source)
            for j in range(8):
                for v in range(2):
                    a.store(weights(a, form, source, j, v), target, (2 * j + v) * 32)
            for n in range(2 * (form.scales + form.minima)):
                halves = a.load(HALVES, source, form.scales_at + 16 * n)
                a.store(halves, target, into.scales_at + 16 * n)
            return []

        a.loop(groups, [], group)

    return kernel(f"unpack_{form.name}", write, 3)
