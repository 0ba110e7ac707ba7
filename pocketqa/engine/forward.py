"""The forward pass of a Llama-shaped network, compiled: every thread of the crew runs `forward`.

The threads take pieces of each phase from a counter, and meet at a barrier after it. Nothing here
depends on which thread computes a piece, nor on what else is in the step: each row (a token of some
sequence) gets the same bits alone and in company.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .attention import MOST_HEADS, attend
from .packing import GROUP, TILE
from .shapes import GATES, MATRICES
from .sync import arrive_and_wait, fetch_add
from .tiles import multiply, multiply_tile, piece_of
from .vectors import gated, halve, quantise

_FAST = {"reassoc", "nsz", "contract"}


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
def _quantise_row(x, into, row, first):  # type: ignore[no-untyped-def]
    """Quantise some columns of a row, which begin at column `first`."""
    group = first // GROUP
    quantise(
        x.ctypes.data,
        x.shape[0] // GROUP,
        into.bytes[row, first:].ctypes.data,
        into.scales[row, group:].ctypes.data,
        into.sums[row, 2 * group :].ctypes.data,
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
def _attend(shape, work, tokens, layer, row, kv_head, thread):  # type: ignore[no-untyped-def]
    """Attention of the query heads that share one key head, of one row; quantised at once."""
    depth, group = shape.depth, shape.heads // shape.kv_heads
    start = (layer * shape.kv_heads + kv_head) * tokens.capacity[row] * depth * 2
    keys, values = tokens.keys[row] + start, tokens.values[row] + start
    factors = np.empty(MOST_HEADS, np.float32)
    first = kv_head * group * depth
    for begin in range(0, group, MOST_HEADS):
        heads = min(MOST_HEADS, group - begin)
        column = first + begin * depth
        queries, out = work.wide[row, column:], work.mixed[row, column:]
        attend(
            queries.ctypes.data,
            heads,
            keys,
            values,
            tokens.position[row] + 1,
            depth,
            work.scores[thread],
            factors.ctypes.data,
            out.ctypes.data,
        )
    _quantise_row(work.mixed[row, first : first + group * depth], work.input, row, first)


@njit
def _feed(shape, matrices, work, rows, thread, threads, counter):  # type: ignore[no-untyped-def]
    """`work.inner` = activation(gate) * up of the rows, quantised, a group of columns at a time."""
    items = shape.feed_forward // GROUP
    piece = piece_of(items, rows, threads)
    gates, scratch = work.gates[thread], work.scratch[thread].ctypes.data
    start, size = gates.ctypes.data, GATES * 4
    while True:
        first = fetch_add(counter, piece)
        if first >= items:
            return
        for item in range(first, min(first + piece, items)):
            for n in range(4):
                at = start + n * TILE * 4
                tile = 2 * item + n % 2
                multiply_tile(matrices[n // 2], tile, work.input, rows, at, size, scratch)
            for row in range(rows):
                gate = gates[row, :GROUP]
                gated(gate.ctypes.data, start + row * size + GROUP * 4, GROUP // 8, shape.is_gelu)
                _quantise_row(gate, work.inner, row, item * GROUP)


@njit
def _add_and_normalise(shape, weights, work, norm, row, target, adds):  # type: ignore[no-untyped-def]
    """Add the last product to the residual row, and quantise its norm as row `target`."""
    x, wide = work.x[row], work.wide[row]
    if adds:
        for i in range(shape.hidden):
            x[i] += wide[i]
    normed = wide[: shape.hidden]
    _normalise(x, weights.norms[norm], shape.epsilon, normed)
    _quantise_row(normed, work.input, target, 0)


@njit
def _meet(barrier, passed, threads):  # type: ignore[no-untyped-def]
    """Wait until every thread has come; what the barrier has counted then."""
    arrive_and_wait(barrier, passed + threads)
    return passed + threads


@njit(nogil=True, cache=True)
def forward(thread, threads, turn, passed, shape, weights, work, tokens, logits):  # type: ignore[no-untyped-def]
    """One step, as thread `thread` of `threads`; `turn` chooses the counters.

    `passed` is what the barrier had counted before this step. `work.x` holds the rows' embeddings.
    The results: `logits`, float32 (wanted, vocabulary), and the caches' entries.
    """
    rows, wanted = tokens.position.shape[0], tokens.wanted.shape[0]
    barrier, scratch = work.barrier.ctypes.data, work.scratch[thread].ctypes.data
    counter = work.counters[turn].ctypes.data
    line = work.counters.shape[2] * 8
    for layer in range(shape.layers):
        of_layer = weights.matrices[MATRICES * layer : MATRICES * (layer + 1)]
        for row in range(thread, rows, threads):
            _add_and_normalise(shape, weights, work, 2 * layer, row, row, layer > 0)
        passed = _meet(barrier, passed, threads)
        if layer == 0 and thread == 0:
            work.counters[1 - turn] = 0  # every thread has left the step before
        multiply(of_layer[:3], work.input, rows, work.wide, scratch, counter, threads)
        passed = _meet(barrier, passed, threads)
        for row in range(thread, rows, threads):
            _place(shape, weights, work, tokens, layer, row)
        passed = _meet(barrier, passed, threads)
        for n in range(thread, wanted, threads):
            for i in range(shape.heads * shape.depth):
                work.queries[layer, n, i] = work.wide[tokens.wanted[n], i]
        counter += line
        while True:
            item = fetch_add(counter, 1)
            if item >= rows * shape.kv_heads:
                break
            # The longest first: the last pieces are then small.
            row = rows - 1 - item // shape.kv_heads
            _attend(shape, work, tokens, layer, row, item % shape.kv_heads, thread)
        passed = _meet(barrier, passed, threads)
        counter += line
        multiply(of_layer[3:4], work.input, rows, work.wide, scratch, counter, threads)
        passed = _meet(barrier, passed, threads)

        for row in range(thread, rows, threads):
            _add_and_normalise(shape, weights, work, 2 * layer + 1, row, row, True)
        passed = _meet(barrier, passed, threads)
        counter += line
        _feed(shape, of_layer[4:6], work, rows, thread, threads, counter)
        passed = _meet(barrier, passed, threads)
        counter += line
        multiply(of_layer[6:7], work.inner, rows, work.wide, scratch, counter, threads)
        passed = _meet(barrier, passed, threads)
        counter += line

    for n in range(thread, wanted, threads):
        _add_and_normalise(shape, weights, work, 2 * shape.layers, tokens.wanted[n], n, True)
    passed = _meet(barrier, passed, threads)
    last = weights.matrices[MATRICES * shape.layers :]
    multiply(last, work.input, wanted, logits, scratch, counter, threads)
    _meet(barrier, passed, threads)
