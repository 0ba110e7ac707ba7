"""Kernels on rows of float32: quantising, activation, softmax, rounding to half precision.

Each works on one row, always in the same order, so its result never depends on other rows.
"""

from __future__ import annotations

from typing import Any

from .simd import F16, F32, FLOATS, I8, INTS, Assembler, constant, ir, kernel

BYTE8 = ir.VectorType(I8, 8)
LOWEST = -3.0e38
"""Stands for minus infinity, without its arithmetic."""


def _quantise(a: Assembler, x: Any, groups: Any, out: Any, scales: Any, sums: Any) -> None:
    """Groups of 32 numbers become bytes -127..127, with a scale, and the sums of both halves."""
    b = a.builder

    def group(i: Any) -> list[Any]:
        start, four = a.times(i, 32), a.times(i, 4)
        parts = [a.load(FLOATS, a.at(x, a.times(start, 4)), 32 * n) for n in range(4)]
        size = a.unary("fabs", parts[0])
        for part in parts[1:]:
            size = _maximum(a, size, a.unary("fabs", part))
        largest = a.reduce("fmax", size)
        is_zero = b.fcmp_ordered("==", largest, ir.Constant(F32, 0.0))
        divisor = b.select(is_zero, ir.Constant(F32, 1.0), largest)
        inverse = a.splat(b.fdiv(ir.Constant(F32, 127.0), divisor))
        numbers = [b.fptosi(a.unary("rint", b.fmul(part, inverse)), INTS) for part in parts]
        for n, number in enumerate(numbers):
            a.store(b.trunc(number, BYTE8), b.add(out, start), 8 * n)
        a.store(b.fdiv(largest, ir.Constant(F32, 127.0)), scales, four)
        for half in (0, 1):
            total = a.reduce("add", b.add(*numbers[2 * half : 2 * half + 2]))
            a.store(total, a.at(sums, a.times(i, 8)), 4 * half)
        return []

    a.loop(groups, [], group)


def _gated(a: Assembler, gate: Any, up: Any, vectors: Any, is_gelu: Any) -> None:
    """`gate = activation(gate) * up`, in place; SiLU, or GELU in its form with tanh."""
    b = a.builder
    gelu = b.trunc(is_gelu, ir.IntType(1))

    def eight(i: Any) -> list[Any]:
        at = a.times(i, 32)
        x = a.load(FLOATS, gate, at)
        cube = b.fmul(b.fmul(x, x), x)
        inner = a.fma(cube, constant(FLOATS, 0.044715), x)
        tanh = b.fmul(inner, constant(FLOATS, 1.5957691216057308))  # twice sqrt(2 / pi)
        z = b.select(gelu, tanh, x)
        below = b.fadd(constant(FLOATS, 1.0), _exp(a, b.fneg(z)))
        product = b.fmul(b.fdiv(x, below), a.load(FLOATS, up, at))
        a.store(product, gate, at)
        return []

    a.loop(vectors, [], eight)


def _halve(a: Assembler, x: Any, count: Any, out: Any, stride: Any) -> None:
    """Store `count` numbers as 16 bits, `stride` bytes apart."""
    b = a.builder

    def one(i: Any) -> list[Any]:
        half = b.fptrunc(a.load(F32, x, a.times(i, 4)), F16)
        a.store(half, out, b.mul(i, stride))
        return []

    a.loop(count, [], one)


def _softmax(a: Assembler, scores: Any, blocks: Any, inverse: Any) -> None:
    """`scores` become exp(score - largest), and `inverse` one over their sum."""
    b = a.builder

    def at(i: Any) -> Any:
        return a.times(i, 32)

    (largest,) = a.loop(
        blocks,
        [constant(FLOATS, LOWEST)],
        lambda i, most: [_maximum(a, most, a.load(FLOATS, scores, at(i)))],
    )
    top = a.splat(a.reduce("fmax", largest))

    def block(i: Any, total: Any) -> list[Any]:
        e = _exp(a, b.fsub(a.load(FLOATS, scores, at(i)), top))
        a.store(e, scores, at(i))
        return [b.fadd(total, e)]

    (total,) = a.loop(blocks, [constant(FLOATS, 0.0)], block)
    a.store(b.fdiv(ir.Constant(F32, 1.0), a.reduce("fadd", total)), inverse)


def _maximum(a: Assembler, x: Any, y: Any) -> Any:
    return a.builder.select(a.builder.fcmp_ordered(">", x, y), x, y)


def _exp(a: Assembler, x: Any) -> Any:
    """e to the x, to two units in the last place; -87 stands for what is below, 88 for above.

    x = n ln 2 + r with |r| <= ln 2 / 2; a polynomial for e to the r (Cephes, expf), and n is added
    to the exponent's bits.
    """
    b = a.builder
    x = _maximum(a, x, constant(FLOATS, -87.0))
    high = constant(FLOATS, 88.0)
    x = b.select(b.fcmp_ordered("<", x, high), x, high)
    n = a.unary("rint", b.fmul(x, constant(FLOATS, 1.4426950408889634)))
    r = a.fma(n, constant(FLOATS, -0.693359375), x)
    r = a.fma(n, constant(FLOATS, 2.12194440e-4), r)
    power = constant(FLOATS, 1.9875691500e-4)
    for factor in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5):
        power = a.fma(power, r, constant(FLOATS, factor))
    e = a.fma(power, b.fmul(r, r), b.fadd(r, constant(FLOATS, 1.0)))
    shifted = b.shl(b.fptosi(n, INTS), constant(INTS, 23))
    return b.bitcast(b.add(b.bitcast(e, INTS), shifted), FLOATS)


quantise = kernel("quantise", _quantise, 5)
gated = kernel("gated", _gated, 4)
halve = kernel("halve", _halve, 4)
softmax = kernel("softmax", _softmax, 3)
