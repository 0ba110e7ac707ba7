"""The forward pass of a Llama-shaped network, compiled: every thread of the crew runs `forward`.

The threads take pieces of each phase from a counter, and meet at a barrier after it. Nothing here
depends on which thread computes a piece, nor on what else is in the step: each row (a token of some
sequence) gets the same bits alone and in company.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

from .products import FORMATS, GROUP, ROWS, TILE, UNPACKED, tile_product, unpacking
from .sync import arrive_and_wait, fetch_add
from .vectors import gated, halve, mixture, quantise, scores, softmax

Q5, Q4, S8, Q6 = range(4)
"""Formats of `products.FORMATS`, as the compiled code names them."""
RECORDS = tuple(form.record for form in FORMATS)
UNPACK_FROM = 12
"""So many rows pay for unpacking a tile once into scratch memory."""
SCRATCH_RECORD = max(form.record for form in UNPACKED)
BARRIERS = 9
"""Of a layer."""
_FAST = {"reassoc", "nsz", "contract"}

# Four kernels a format, for one to four rows; numba takes them by their names.
q5_1, q5_2, q5_3, q5_4 = (tile_product(FORMATS[Q5], rows) for rows in (1, 2, 3, 4))
q4_1, q4_2, q4_3, q4_4 = (tile_product(FORMATS[Q4], rows) for rows in (1, 2, 3, 4))
s8_1, s8_2 = (tile_product(FORMATS[S8], rows) for rows in (1, 2))
s8_3, s8_4 = (tile_product(FORMATS[S8], rows, ((0,), (1,))) for rows in (3, 4))
q6_1, q6_2, q6_3, q6_4 = (tile_product(FORMATS[Q6], rows) for rows in (1, 2, 3, 4))
u5_4, u4_4, u6_4 = (tile_product(form, ROWS) for form in UNPACKED)
unpack_q5 = unpacking(FORMATS[Q5], UNPACKED[0])
unpack_q4 = unpacking(FORMATS[Q4], UNPACKED[1])
unpack_q6 = unpacking(FORMATS[Q6], UNPACKED[2])
scores_1, scores_2, scores_3, scores_4 = (scores(heads) for heads in (1, 2, 3, 4))
scores_5, scores_6, scores_7, scores_8 = (scores(heads) for heads in (5, 6, 7, 8))
mix_1, mix_2, mix_3, mix_4 = (mixture(heads) for heads in (1, 2, 3, 4))
mix_5, mix_6, mix_7, mix_8 = (mixture(heads) for heads in (5, 6, 7, 8))


class Shape(NamedTuple):
    """Sizes of a network."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    depth: int
    feed_forward: int
    epsilon: float
    is_gelu: int
    has_head_norms: int


class Weights(NamedTuple):
    """Addresses of packed matrices, and everything that is not a matrix."""

    matrices: np.ndarray
    """int64 (layers * 7 + 1, 5): address, format, tiles, groups, first column of its output."""
    norms: np.ndarray
    """float32 (2 * layers + 1, hidden)."""
    biases: np.ndarray
    """float32 (layers, (heads + 2 kv_heads) * depth)."""
    head_norms: np.ndarray
    """float32 (2 * layers, depth): of queries and keys, or of one row."""
    turns: np.ndarray
    """float32 (context, 2, depth / 2): cosines and sines of the rotary embedding."""


class Work(NamedTuple):
    """What a step computes with; rows are tokens."""

    x: np.ndarray
    """float32 (rows, hidden): the residual stream."""
    bytes: np.ndarray
    """int8 (rows, widest): the quantised input of a product, with `scales` and `sums`."""
    scales: np.ndarray
    sums: np.ndarray
    wide: np.ndarray
    """float32 (rows, 2 * feed_forward or more): the output of a product."""
    mixed: np.ndarray
    """float32 (rows, heads * depth): what attention gives."""
    scores: np.ndarray
    """float32 (threads, heads of a group, context)."""
    scratch: np.ndarray
    """uint8 (threads, ...): an unpacked tile."""
    counters: np.ndarray
    """int64 (2, phases + 1, 8): a line of memory each; used by turns, cleaned a step later."""
    barrier: np.ndarray
    """int64 (8,)."""


class Tokens(NamedTuple):
    """The rows of a step."""

    keys: np.ndarray
    """int64 (rows,): address of the sequence's keys, float16 (layers, kv_heads, c / 8, depth, 8)."""
    values: np.ndarray
    """int64 (rows,): of its values, float16 (layers, kv_heads, c, depth)."""
    capacity: np.ndarray
    """int64 (rows,): c above."""
    position: np.ndarray
    """int64 (rows,): tokens of the sequence before this one."""
    wanted: np.ndarray
    """int64 (n,): the rows whose logits are wanted."""


@njit
def _product_of_rows(form, tile, x, x_row, scales, sums, s_row, out, out_row, groups, rows):  # type: ignore[no-untyped-def]
    """One to four rows with a tile as it is stored."""
    args = (tile, x, x_row, scales, sums, s_row, out, out_row, groups)
    if form == Q5:
        if rows == 4:
            q5_4(*args)
        elif rows == 3:
            q5_3(*args)
        elif rows == 2:
            q5_2(*args)
        else:
            q5_1(*args)
    elif form == Q4:
        if rows == 4:
            q4_4(*args)
        elif rows == 3:
            q4_3(*args)
        elif rows == 2:
            q4_2(*args)
        else:
            q4_1(*args)
    elif form == S8:
        if rows == 4:
            s8_4(*args)
        elif rows == 3:
            s8_3(*args)
        elif rows == 2:
            s8_2(*args)
        else:
            s8_1(*args)
    elif rows == 4:
        q6_4(*args)
    elif rows == 3:
        q6_3(*args)
    elif rows == 2:
        q6_2(*args)
    else:
        q6_1(*args)


@njit
def _tile(form, tile, x, x_row, scales, sums, s_row, out, out_row, groups, rows, scratch):  # type: ignore[no-untyped-def]
    """All rows with one tile."""
    unpacked = rows >= UNPACK_FROM and form != S8
    if unpacked:
        if form == Q5:
            unpack_q5(tile, scratch, groups)
        elif form == Q4:
            unpack_q4(tile, scratch, groups)
        else:
            unpack_q6(tile, scratch, groups)
    row = 0
    while row < rows:
        n = min(ROWS, rows - row)
        x_at, out_at = x + row * x_row, out + row * out_row
        scales_at, sums_at = scales + row * s_row, sums + row * s_row * 2
        if unpacked and n == ROWS:
            if form == Q5:
                u5_4(scratch, x_at, x_row, scales_at, sums_at, s_row, out_at, out_row, groups)
            elif form == Q4:
                u4_4(scratch, x_at, x_row, scales_at, sums_at, s_row, out_at, out_row, groups)
            else:
                u6_4(scratch, x_at, x_row, scales_at, sums_at, s_row, out_at, out_row, groups)
        else:
            _product_of_rows(
                form, tile, x_at, x_row, scales_at, sums_at, s_row, out_at, out_row, groups, n
            )
        row += n


@njit
def _multiply(matrices, work, rows, out, scratch, counter, threads):  # type: ignore[no-untyped-def]
    """`out[:rows]` = the quantised rows times each of `matrices`."""
    tiles = matrices[:, 2].sum()
    piece = min(max(tiles // (threads * 8), 1), 64) if rows < UNPACK_FROM else 1
    x, scales, sums = work.bytes.ctypes.data, work.scales.ctypes.data, work.sums.ctypes.data
    x_row, s_row, out_row = work.bytes.shape[1], work.scales.shape[1] * 4, out.shape[1] * 4
    while True:
        first = fetch_add(counter, piece)
        if first >= tiles:
            return
        for n in range(first, min(first + piece, tiles)):
            which, tile = 0, n
            while tile >= matrices[which, 2]:
                tile -= matrices[which, 2]
                which += 1
            form, groups = matrices[which, 1], matrices[which, 3]
            at = matrices[which, 0] + tile * groups * RECORDS[form]
            column = matrices[which, 4] + tile * TILE
            out_at = out.ctypes.data + column * 4
            _tile(form, at, x, x_row, scales, sums, s_row, out_at, out_row, groups, rows, scratch)


@njit(fastmath=_FAST)
def _normalise(x, weight, epsilon, out):  # type: ignore[no-untyped-def]
    """RMS norm of one row."""
    square = np.float32(0)
    for i in range(x.shape[0]):
        square += x[i] * x[i]
    factor = np.float32(1) / np.sqrt(square / np.float32(x.shape[0]) + np.float32(epsilon))
    for i in range(x.shape[0]):
        out[i] = x[i] * factor * weight[i]


@njit
def _quantise_row(x, work, row, first):  # type: ignore[no-untyped-def]
    """Quantise columns of a row, from column `first` on."""
    group = first // GROUP
    quantise(
        x.ctypes.data,
        x.shape[0] // GROUP,
        work.bytes[row, first:].ctypes.data,
        work.scales[row, group:].ctypes.data,
        work.sums[row, 2 * group :].ctypes.data,
    )


@njit(fastmath=_FAST)
def _rotate(x, turns, depth):  # type: ignore[no-untyped-def]
    """Rotary embedding of one head: pairs half a head apart (as transformers stores them)."""
    half = depth // 2
    for i in range(half):
        a, b = x[i], x[i + half]
        x[i] = a * turns[0, i] - b * turns[1, i]
        x[i + half] = b * turns[0, i] + a * turns[1, i]


@njit(fastmath=_FAST)
def _place(shape, weights, work, tokens, layer, row):  # type: ignore[no-untyped-def]
    """Bias, norms and rotation of a row's queries and keys; keys and values go to the cache."""
    depth, kv_heads = shape.depth, shape.kv_heads
    x = work.wide[row, : (shape.heads + 2 * kv_heads) * depth]
    for i in range(x.shape[0]):
        x[i] += weights.biases[layer, i]
    position, capacity = tokens.position[row], tokens.capacity[row]
    scale = np.float32(1 / np.sqrt(depth))
    for head in range(shape.heads + kv_heads):
        one = x[head * depth : (head + 1) * depth]
        if shape.has_head_norms:
            which = 2 * layer + (1 if head >= shape.heads else 0)
            _normalise(one, weights.head_norms[which], shape.epsilon, one)
        _rotate(one, weights.turns[position], depth)
        if head < shape.heads:
            for i in range(depth):
                one[i] *= scale
    for head in range(kv_heads):
        start = (layer * kv_heads + head) * capacity * depth * 2
        key = x[(shape.heads + head) * depth :]
        at = tokens.keys[row] + start + (position // 8) * depth * 16 + (position % 8) * 2
        halve(key.ctypes.data, depth, at, 16)
        value = x[(shape.heads + kv_heads + head) * depth :]
        halve(value.ctypes.data, depth, tokens.values[row] + start + position * depth * 2, 2)


@njit
def _scores(heads, queries, keys, blocks, depth, out, out_row):  # type: ignore[no-untyped-def]
    args = (queries, keys, blocks, depth, out, out_row)
    if heads == 1:
        scores_1(*args)
    elif heads == 2:
        scores_2(*args)
    elif heads == 3:
        scores_3(*args)
    elif heads == 4:
        scores_4(*args)
    elif heads == 5:
        scores_5(*args)
    elif heads == 6:
        scores_6(*args)
    elif heads == 7:
        scores_7(*args)
    else:
        scores_8(*args)


@njit
def _mix(heads, chances, row, values, n, depth, factors, out):  # type: ignore[no-untyped-def]
    args = (chances, row, values, n, depth, factors, out)
    if heads == 1:
        mix_1(*args)
    elif heads == 2:
        mix_2(*args)
    elif heads == 3:
        mix_3(*args)
    elif heads == 4:
        mix_4(*args)
    elif heads == 5:
        mix_5(*args)
    elif heads == 6:
        mix_6(*args)
    elif heads == 7:
        mix_7(*args)
    else:
        mix_8(*args)


@njit
def _attend(shape, work, tokens, layer, row, kv_head, thread):  # type: ignore[no-untyped-def]
    """Attention of the query heads that share one key head, of one row; quantised at once."""
    depth, group = shape.depth, shape.heads // shape.kv_heads
    n = tokens.position[row] + 1
    blocks = (n + 7) // 8
    start = (layer * shape.kv_heads + kv_head) * tokens.capacity[row] * depth * 2
    keys, values = tokens.keys[row] + start, tokens.values[row] + start
    chances = work.scores[thread]
    factors = np.empty(8, np.float32)
    first = kv_head * group * depth
    for begin in range(0, group, 8):
        heads = min(8, group - begin)
        column = first + begin * depth
        queries, out = work.wide[row, column:], work.mixed[row, column:]
        size = chances.shape[1] * 4
        _scores(heads, queries.ctypes.data, keys, blocks, depth, chances.ctypes.data, size)
        for head in range(heads):
            chances[head, n : blocks * 8] = np.float32(-3.0e38)
            softmax(chances[head].ctypes.data, blocks, factors[head:].ctypes.data)
        _mix(heads, chances.ctypes.data, size, values, n, depth, factors.ctypes.data, out.ctypes.data)
    _quantise_row(work.mixed[row, first : first + group * depth], work, row, first)


@njit
def _add_and_normalise(shape, weights, work, norm, row, target, adds):  # type: ignore[no-untyped-def]
    """Add the last product to the residual row, and quantise its norm as row `target`."""
    x, wide = work.x[row], work.wide[row]
    if adds:
        for i in range(shape.hidden):
            x[i] += wide[i]
    normed = wide[: shape.hidden]
    _normalise(x, weights.norms[norm], shape.epsilon, normed)
    _quantise_row(normed, work, target, 0)


@njit(nogil=True, cache=True)
def forward(thread, threads, turn, passed, shape, weights, work, tokens, logits):  # type: ignore[no-untyped-def]
    """One step, as thread `thread` of `threads`; `turn` chooses the counters.

    `passed` is what the barrier counted before this step; each thread passes it
    `BARRIERS * layers + 2` times. `work.x` holds the rows' embeddings. `logits`, float32
    (wanted, vocabulary), are the result, and the caches' new entries.
    """
    rows, wanted = tokens.position.shape[0], tokens.wanted.shape[0]
    counters = work.counters[turn]
    barrier, scratch = work.barrier.ctypes.data, work.scratch[thread].ctypes.data
    phase = 0
    for layer in range(shape.layers):
        of_layer = weights.matrices[7 * layer : 7 * layer + 7]
        for row in range(thread, rows, threads):
            _add_and_normalise(shape, weights, work, 2 * layer, row, row, layer > 0)
        passed += threads
        arrive_and_wait(barrier, passed)
        if layer == 0 and thread == 0:
            work.counters[1 - turn] = 0  # every thread has left the step before

        _multiply(of_layer[:3], work, rows, work.wide, scratch, counters[phase].ctypes.data, threads)
        phase += 1
        passed += threads
        arrive_and_wait(barrier, passed)
        for row in range(thread, rows, threads):
            _place(shape, weights, work, tokens, layer, row)
        passed += threads
        arrive_and_wait(barrier, passed)
        while True:
            item = fetch_add(counters[phase].ctypes.data, 1)
            if item >= rows * shape.kv_heads:
                break
            # The longest first: the last pieces are then small.
            row = rows - 1 - item // shape.kv_heads
            _attend(shape, work, tokens, layer, row, item % shape.kv_heads, thread)
        phase += 1
        passed += threads
        arrive_and_wait(barrier, passed)
        _multiply(of_layer[3:4], work, rows, work.wide, scratch, counters[phase].ctypes.data, threads)
        phase += 1
        passed += threads
        arrive_and_wait(barrier, passed)

        for row in range(thread, rows, threads):
            _add_and_normalise(shape, weights, work, 2 * layer + 1, row, row, True)
        passed += threads
        arrive_and_wait(barrier, passed)
        _multiply(of_layer[4:6], work, rows, work.wide, scratch, counters[phase].ctypes.data, threads)
        phase += 1
        passed += threads
        arrive_and_wait(barrier, passed)
        size = shape.feed_forward
        for piece in range(thread, rows * threads, threads):
            # A row is shared out too: with one row every thread has a part of it.
            row, part = piece // threads, (piece + piece // threads) % threads
            each = (size // GROUP + threads - 1) // threads * GROUP
            first, last = part * each, min(part * each + each, size)
            if first < last:
                gate = work.wide[row, first:last]
                up = work.wide[row, size + first :]
                gated(gate.ctypes.data, up.ctypes.data, gate.shape[0] // 8, shape.is_gelu)
                _quantise_row(gate, work, row, first)
        passed += threads
        arrive_and_wait(barrier, passed)
        _multiply(of_layer[6:7], work, rows, work.wide, scratch, counters[phase].ctypes.data, threads)
        phase += 1
        passed += threads
        arrive_and_wait(barrier, passed)

    for n in range(thread, wanted, threads):
        _add_and_normalise(shape, weights, work, 2 * shape.layers, tokens.wanted[n], n, True)
    passed += threads
    arrive_and_wait(barrier, passed)
    last = weights.matrices[7 * shape.layers :]
    _multiply(last, work, wanted, logits, scratch, counters[phase].ctypes.data, threads)
    passed += threads
    arrive_and_wait(barrier, passed)


def barriers(shape: Shape) -> int:
    """How often each thread passes the barrier in a step."""
    return int(BARRIERS * shape.layers + 2)


def phases(shape: Shape) -> int:
    """Counters that a step uses."""
    return int(5 * shape.layers + 1)


def new_work(shape: Shape, rows: int, threads: int, context: int) -> Work:
    """Memory for steps of at most `rows` tokens."""
    widest = max(shape.hidden, shape.feed_forward, shape.heads * shape.depth)
    out = max(2 * shape.feed_forward, (shape.heads + 2 * shape.kv_heads) * shape.depth, widest)
    groups = widest // GROUP

    def zeros(*size: int, dtype: Any = np.float32) -> np.ndarray:
        return np.zeros(size, dtype)

    return Work(
        zeros(rows, shape.hidden),
        zeros(rows, widest, dtype=np.int8),
        zeros(rows, groups),
        zeros(rows, 2 * groups, dtype=np.int32),
        zeros(rows, -(-out // TILE) * TILE),
        zeros(rows, shape.heads * shape.depth),
        zeros(threads, min(8, shape.heads // shape.kv_heads), -(-context // 8) * 8),
        zeros(threads, groups * SCRATCH_RECORD, dtype=np.uint8),
        zeros(2, phases(shape) + 1, 8, dtype=np.int64),
        zeros(8, dtype=np.int64),
    )
