"""What a forward pass works with: sizes, weights, the memory of a step, its rows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .attention import MOST_HEADS
from .packing import GROUP
from .tiles import SCRATCH_RECORD, Quantised

MATRICES = 7
"""Of a layer: for queries, keys, values, attention's output; gate, up, down."""
COUNTERS = 5
"""Of a layer."""
GATES = 2 * GROUP
"""Columns of scratch memory: a group of gates and of what they let through."""


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
    """int64 (7 * layers + 1, 5): `tiles.ADDRESS` to `COLUMN`, the output matrix last."""
    norms: np.ndarray
    """float32 (2 * layers + 1, hidden)."""
    biases: np.ndarray
    """float32 (layers, (heads + 2 kv_heads) * depth)."""
    head_norms: np.ndarray
    """float32 (2 * layers, depth), of queries and keys."""
    turns: np.ndarray
    """float32 (context, 2, depth / 2): cosines and sines of the rotary embedding."""


class Work(NamedTuple):
    """What a step computes with; rows are tokens."""

    x: np.ndarray
    """float32 (rows, hidden): the residual stream."""
    input: Quantised
    """What a product takes."""
    inner: Quantised
    """What the feed-forward's last product takes."""
    wide: np.ndarray
    """float32 (rows, ...): what a product gives."""
    mixed: np.ndarray
    """float32 (rows, heads * depth): what attention gives."""
    scores: np.ndarray
    """float32 (threads, `MOST_HEADS`, context)."""
    gates: np.ndarray
    """float32 (threads, rows, `GATES`)."""
    scratch: np.ndarray
    """uint8 (threads, ...): an unpacked tile."""
    counters: np.ndarray
    """int64 (2, counters of a step, 8): a line of memory each; used by turns, then cleaned."""
    barrier: np.ndarray
    """int64 (8,)."""
    queries: np.ndarray
    """float32 (layers, rows, heads * depth): of the rows whose logits are wanted, in their order,
    rotated and divided by the root of `depth`. Pages that nothing is written to take no memory."""


class Tokens(NamedTuple):
    """The rows of a step."""

    keys: np.ndarray
    """int64 (rows,): address of its keys, (layers, kv_heads, c / 8, depth, 8) float16."""
    values: np.ndarray
    """int64 (rows,): of its values, float16 (layers, kv_heads, c, depth)."""
    capacity: np.ndarray
    """int64 (rows,): c above, a multiple of 16."""
    position: np.ndarray
    """int64 (rows,): tokens of the sequence before this one."""
    wanted: np.ndarray
    """int64 (n,): the rows whose logits are wanted."""


def new_work(shape: Shape, rows: int, threads: int, context: int) -> Work:
    """Memory for steps of at most `rows` tokens."""
    heads = shape.heads + 2 * shape.kv_heads
    widest = max(shape.hidden, shape.heads * shape.depth)

    def zeros(*size: int, dtype: Any = np.float32) -> np.ndarray:
        return np.zeros(size, dtype)

    def quantised(columns: int) -> Quantised:
        groups = columns // GROUP
        return Quantised(
            zeros(rows, columns, dtype=np.int8),
            zeros(rows, groups),
            zeros(rows, 2 * groups, dtype=np.int32),
        )

    return Work(
        zeros(rows, shape.hidden),
        quantised(widest),
        quantised(shape.feed_forward),
        zeros(rows, max(shape.hidden, heads * shape.depth)),
        zeros(rows, shape.heads * shape.depth),
        zeros(threads, MOST_HEADS, -(-context // 16) * 16),
        zeros(threads, rows, GATES),
        zeros(threads, max(widest, shape.feed_forward) // GROUP * SCRATCH_RECORD, dtype=np.uint8),
        zeros(2, COUNTERS * shape.layers + 1, 8, dtype=np.int64),
        zeros(8, dtype=np.int64),
        zeros(shape.layers, rows, shape.heads * shape.depth),
    )
