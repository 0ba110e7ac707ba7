"""What the batch computes with: a network, the caches of its sequences, and the parts of a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


class Cache(Protocol):
    """Keys and values of one sequence's tokens. Use it in the engine's thread only."""

    length: int
    """Tokens in it; assign a smaller number to forget the last ones (rejected drafts)."""
    capacity: int
    """Tokens it has room for."""
    nbytes: int

    def copy(self, length: int, capacity: int) -> Cache:
        """A new one that begins with this one's first `length` tokens, or somewhat fewer."""
        ...


@dataclass
class Part:
    """Tokens of one sequence that a step computes: they follow those in `cache`."""

    cache: Cache
    ids: Sequence[int]
    wanted: int
    """Logits are wanted for the last `wanted` of them (0: none)."""
    looks: bool = False
    """Whether `attention` is wanted."""
    attention: np.ndarray | None = None
    """After a forward, where the network can: float32 (tokens in the cache,), how much the last of
    `ids` looked at each of them, 1 in all."""


class Network(Protocol):
    """A language model from token ids to logits, many sequences at a time.

    A row's logits depend on its own sequence only, whatever other parts a step has.
    """

    context: int
    """Most tokens of a sequence."""
    max_rows: int
    """Most tokens of one forward, all parts together."""
    attends: bool
    """Whether it fills in `Part.attention`."""

    def new_cache(self, capacity: int) -> Cache:
        """An empty cache. Raises MemoryError, or torch's error, when there is no room for it."""
        ...

    def cache_bytes(self, capacity: int) -> int:
        """Memory that a cache of this capacity takes."""
        ...

    def forward(self, parts: Sequence[Part]) -> list[np.ndarray]:
        """Append each part's tokens to its cache; float32 (wanted, vocabulary) for each part.

        The arrays hold until the next forward.
        """
        ...

    def close(self) -> None:
        """Give back threads and memory."""
        ...
