"""What the engine needs of a language model's network: many sequences, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Cache(Protocol):
    """Keys and values of one sequence's tokens. Use it in the engine's thread only."""

    length: int
    """Tokens in it; assign a smaller number to forget the last ones."""
    capacity: int
    """Tokens it has room for."""
    nbytes: int

    def copy(self, length: int, capacity: int) -> Cache:
        """A new cache that begins with this one's first `length` tokens."""
        ...


@dataclass
class Part:
    """Tokens of one sequence that a step computes: they follow those in `cache`."""

    cache: Cache
    ids: Sequence[int]
    wanted: int
    """Logits are wanted for the last so many of them; 0 for none."""


class Network(Protocol):
    """A causal language model. Use it in the engine's thread only."""

    context: int
    """Most tokens of a sequence."""
    max_rows: int
    """Most tokens of one forward, all parts together."""

    def new_cache(self, capacity: int) -> Cache:
        """An empty cache. Raises MemoryError."""
        ...

    def cache_bytes(self, capacity: int) -> int:
        """Memory that a cache of this capacity takes."""
        ...

    def forward(self, parts: Sequence[Part]) -> list[np.ndarray]:
        """Compute the parts' tokens and append them to their caches.

        Returns:
            For each part its logits, float32 (wanted, vocabulary), valid until the next call.
        """
        ...

    def close(self) -> None:
        """Free what the network holds."""
        ...
