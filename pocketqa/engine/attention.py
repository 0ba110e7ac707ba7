"""Attention of one token over its sequence's cache, for the heads that share keys and values.

Keys lie in blocks of eight tokens, a column of the block beside the other, so that a vector holds
eight tokens' products and none has to be added up across. Both are kept in half precision.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from .simd import F32, FLOATS, I64, Assembler, constant, ir, kernel
from .vectors import LOWEST, softmax

MOST_HEADS = 4
"""Heads that a kernel serves at once: their sums of two vectors stay in registers."""


def scores(heads: int) -> Any:
    """Kernel: products of `heads` queries with the keys of blocks of eight tokens, in pairs.

    Arguments: queries (heads, depth) float32, keys (2 * pairs, depth, 8) float16, pairs, depth,
    out, bytes of a head's row of out.
    """
    both = [(h, n) for h in range(heads) for n in (0, 1)]

    def write(
        a: Assembler, queries: Any, keys: Any, pairs: Any, depth: Any, out: Any, out_row: Any
    ) -> None:
        b = a.builder
        block = a.times(depth, 16)
        query_row = a.times(depth, 4)

        def pair(i: Any) -> list[Any]:
            first = b.add(keys, b.mul(i, b.add(block, block)))
            second = b.add(first, block)

            def column(d: Any, *sums: Any) -> list[Any]:
                at = a.times(d, 16)
                key = (a.floats(first, at), a.floats(second, at))
                four = a.times(d, 4)
                query = [
                    a.splat(a.load(F32, b.add(queries, a.times(query_row, h)), four))
                    for h in range(heads)
                ]
                return [
                    a.fma(query[h], key[n], total) for (h, n), total in zip(both, sums, strict=True)
                ]

            sums = a.loop(depth, [constant(FLOATS, 0)] * len(both), column)
            for (h, n), total in zip(both, sums, strict=True):
                at = b.add(b.add(out, a.times(out_row, h)), a.times(i, 64))
                a.store(total, at, 32 * n)
            return []

        a.loop(pairs, [], pair)

    return kernel(f"scores_{heads}", write, 6)


def mixture(heads: int) -> Any:
    """Kernel: sums of the tokens' values, weighted by each head's probabilities.

    Arguments: weights (heads, ...) float32, bytes of a row of them, values (tokens, depth)
    float16, tokens, depth, one factor for each head, out (heads, depth) float32.
    """
    both = [(h, v) for h in range(heads) for v in (0, 1)]

    def write(
        a: Assembler,
        chances: Any,
        chances_row: Any,
        values: Any,
        tokens: Any,
        depth: Any,
        factors: Any,
        out: Any,
    ) -> None:
        b = a.builder
        value_row, out_row = a.times(depth, 2), a.times(depth, 4)

        def columns(c: Any) -> list[Any]:
            start = b.add(values, a.times(c, 32))

            def token(i: Any, *sums: Any) -> list[Any]:
                at = b.add(start, b.mul(i, value_row))
                value = (a.floats(at), a.floats(at, 16))
                four = a.times(i, 4)
                chance = [
                    a.splat(a.load(F32, b.add(chances, a.times(chances_row, h)), four))
                    for h in range(heads)
                ]
                return [
                    a.fma(chance[h], value[v], total)
                    for (h, v), total in zip(both, sums, strict=True)
                ]

            sums = a.loop(tokens, [constant(FLOATS, 0)] * len(both), token)
            for (h, v), total in zip(both, sums, strict=True):
                factor = a.splat(a.load(F32, factors, 4 * h))
                at = b.add(b.add(out, a.times(out_row, h)), a.times(c, 64))
                a.store(b.fmul(total, factor), at, 32 * v)
            return []

        a.loop(b.udiv(depth, ir.Constant(I64, 16)), [], columns)

    return kernel(f"mixture_{heads}", write, 7)


scores_1, scores_2, scores_3, scores_4 = (scores(heads) for heads in (1, 2, 3, 4))
mix_1, mix_2, mix_3, mix_4 = (mixture(heads) for heads in (1, 2, 3, 4))


@njit
def attend(queries, heads, keys, values, tokens, depth, chances, factors, out):  # type: ignore[no-untyped-def]
    """`out` (heads, depth) = attention of as many queries, at most `MOST_HEADS`.

    All but `chances`, float32 (heads, tokens rounded up to 16), and `factors` are addresses.
    """
    pairs = (tokens + 15) // 16
    row, start = chances.shape[1] * 4, chances.ctypes.data
    args = (queries, keys, pairs, depth, start, row)
    if heads == 4:
        scores_4(*args)
    elif heads == 3:
        scores_3(*args)
    elif heads == 2:
        scores_2(*args)
    else:
        scores_1(*args)
    for head in range(heads):
        chances[head, tokens : pairs * 16] = LOWEST
        softmax(start + head * row, pairs * 2, factors + head * 4)
    with_values = (start, row, values, tokens, depth, factors, out)
    if heads == 4:
        mix_4(*with_values)
    elif heads == 3:
        mix_3(*with_values)
    elif heads == 2:
        mix_2(*with_values)
    else:
        mix_1(*with_values)
