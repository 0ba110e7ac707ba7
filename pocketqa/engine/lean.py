"""A network of our own kernels over packed weights, for processors with AVX2.

It knows Llama-shaped networks: rotary embedding, grouped queries, RMS norm, gated feed-forward
(Llama, Mistral without a window, Qwen2, Qwen3, Gemma). The model's configuration, rotary embedding,
norms and embedding are transformers'; the matrices are packed (`packing`), exactly as the GGUF file
has them or quantised here.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from .crew import Crew
from .forward import forward
from .network import Part
from .packing import TILE, Matrix
from .products import FORMATS
from .shapes import MATRICES, Shape, Tokens, Weights, Work, new_work

MAX_ROWS = 256


def _whole(capacity: int) -> int:
    """Tokens that a cache really has room for: attention takes 16 at a time."""
    return -(-capacity // 16) * 16


def _pages(shape: tuple[int, ...]) -> np.ndarray:
    """Zeros of 16 bits in pages of their own, which go back to the system with the array.

    malloc's would stay with the process, in pieces, once caches of many sizes have come and gone;
    and pages that nothing is written to take no memory.
    """
    nbytes = 2 * math.prod(shape)
    try:
        memory = mmap.mmap(-1, nbytes, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"no room for a cache of {nbytes} bytes") from error
    return np.frombuffer(memory, np.uint16).reshape(shape)


class LeanCache:
    """Keys and values in half precision, one block of memory a sequence."""

    def __init__(self, shape: Shape, capacity: int) -> None:
        self.length = 0
        self.capacity = _whole(capacity)
        size = (shape.layers, shape.kv_heads)
        self.keys = _pages((*size, self.capacity // 8, shape.depth, 8))
        self.values = _pages((*size, self.capacity, shape.depth))
        self.nbytes = self.keys.nbytes + self.values.nbytes
        self._shape = shape

    def copy(self, length: int, capacity: int) -> LeanCache:
        """See `network.Cache.copy`."""
        new = LeanCache(self._shape, capacity)
        new.length = length
        new.keys[:, :, : -(-length // 8)] = self.keys[:, :, : -(-length // 8)]
        new.values[:, :, :length] = self.values[:, :, :length]
        return new


class LeanNetwork:
    """See `network.Network`. A row's result is the same bits whatever shares its step."""

    def __init__(
        self,
        shape: Shape,
        weights: Weights,
        matrices: list[Matrix],
        embedding: torch.Tensor,
        factor: float,
        threads: int,
        reading_heads: Sequence[tuple[int, int]] = (),
    ) -> None:
        """`embedding`: (vocabulary, hidden), times `factor`; `matrices`: those of `weights`;
        `reading_heads`: (layer, head) of those whose attention is told, on the mean."""
        self.attends, self._reading_heads = bool(reading_heads), reading_heads
        self.context, self.max_rows = weights.turns.shape[0], MAX_ROWS
        self.shape, self._weights, self._matrices = shape, weights, matrices
        # numpy's view: torch would wake its own threads for a few rows.
        is_short = embedding.dtype == torch.bfloat16
        self._embedding = (embedding.view(torch.uint16) if is_short else embedding).numpy()
        self._factor = np.float32(factor)
        self._vocabulary = vocabulary = embedding.shape[0]
        self._work: Work = new_work(shape, MAX_ROWS, threads, self.context)
        self._logits = np.zeros((1, -(-vocabulary // TILE) * TILE), np.float32)
        self._crew = Crew(threads)
        self._turn = 0

    def new_cache(self, capacity: int) -> LeanCache:
        """See `network.Network.new_cache`."""
        return LeanCache(self.shape, capacity)

    def cache_bytes(self, capacity: int) -> int:
        """Memory of a cache."""
        s = self.shape
        return 4 * s.layers * s.kv_heads * s.depth * _whole(capacity)

    def forward(self, parts: Sequence[Part]) -> list[np.ndarray]:
        """See `network.Network.forward`."""
        return self._step(parts, self._crew.size)

    def _step(self, parts: Sequence[Part], threads: int) -> list[np.ndarray]:
        tokens, ids = _rows(parts)
        self._embed(ids)
        wanted = tokens.wanted.shape[0]
        if wanted > self._logits.shape[0]:
            self._logits = np.zeros((wanted, self._logits.shape[1]), np.float32)
        work, logits = self._work, self._logits[:wanted]
        # No thread counts itself in before all have left the step before.
        turn, passed = self._turn, int(work.barrier[0])
        self._turn = 1 - turn

        def step(thread: int) -> None:
            forward(thread, threads, turn, passed, self.shape, self._weights, work, tokens, logits)

        if threads == 1:
            step(0)
        else:
            self._crew.run(step)
        results, start = [], 0
        for part in parts:
            part.cache.length += len(part.ids)
            results.append(logits[start : start + part.wanted, : self._vocabulary])
            start += part.wanted
            if part.looks and self.attends:
                looks = [self.look(part.cache, start - 1, *at) for at in self._reading_heads]
                part.attention = np.mean(looks, axis=0)
        return results

    def close(self) -> None:
        """Let the threads end."""
        self._crew.close()

    def warm_up(self) -> None:
        """Compile the kernels, or load them compiled: what the first step would wait for.

        In this thread alone: numba compiles under a lock of `threading`, which is a greenlets' lock
        in a process that gevent has patched, and native threads would wait for it for ever.
        """
        self._step([Part(self.new_cache(1), [0], 1)], threads=1)

    def look(self, cache: Any, wanted: int, layer: int, head: int) -> np.ndarray:
        """How much the last token of `cache`, the last step's wanted row `wanted`, looks at each
        token in it: float32 (tokens,), 1 in all."""
        shape, blocks = self.shape, -(-cache.length // 8)
        keys = cache.keys[layer, head * shape.kv_heads // shape.heads, :blocks]
        query = self._work.queries[layer, wanted, head * shape.depth :][: shape.depth]
        products = np.einsum("d,bdt->bt", query, keys.view(np.float16).astype(np.float32))
        scores = products.ravel()[: cache.length]
        powers: np.ndarray = np.exp(scores - scores.max())
        return powers / powers.sum()

    def _embed(self, ids: np.ndarray) -> None:
        rows = self._embedding[ids]
        if rows.dtype == np.uint16:  # bfloat16 is the upper half of float32
            rows = (rows.astype(np.uint32) << 16).view(np.float32)
        np.multiply(rows, self._factor, out=self._work.x[: len(ids)])


def _rows(parts: Sequence[Part]) -> tuple[Tokens, np.ndarray]:
    """The rows of a step, and their token ids."""
    counts = [len(part.ids) for part in parts]

    def each(values: list[int]) -> np.ndarray:
        return np.repeat(np.array(values, np.int64), counts)

    caches: list[Any] = [part.cache for part in parts]
    position = np.concatenate(
        [np.arange(cache.length, cache.length + n) for cache, n in zip(caches, counts, strict=True)]
    ).astype(np.int64)
    ends = np.cumsum(counts)
    wanted = [
        row for part, end in zip(parts, ends, strict=True) for row in range(end - part.wanted, end)
    ]
    tokens = Tokens(
        each([cache.keys.ctypes.data for cache in caches]),
        each([cache.values.ctypes.data for cache in caches]),
        each([cache.capacity for cache in caches]),
        position,
        np.array(wanted, np.int64),
    )
    return tokens, np.concatenate([np.asarray(part.ids, np.int64) for part in parts])


def table(matrices: list[Matrix], shape: Shape) -> np.ndarray:
    """`Weights.matrices` of packed matrices in the order of the layers, the output last."""
    names = [form.name for form in FORMATS]
    rows = []
    for n, matrix in enumerate(matrices):
        tiles, groups, _ = matrix.data.shape
        place = n % MATRICES if n < MATRICES * shape.layers else -1
        column = {1: shape.heads, 2: shape.heads + shape.kv_heads}.get(place, 0) * shape.depth
        column = shape.feed_forward if place == 5 else column
        at = matrix.data.ctypes.data
        rows.append((at, names.index(matrix.format), tiles, groups, column))
    return np.array(rows, np.int64)
