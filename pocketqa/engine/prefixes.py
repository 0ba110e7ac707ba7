"""Caches of ended sequences, kept for requests that begin with the same tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .network import Cache


@dataclass(frozen=True, eq=False)
class Prefix:
    """Tokens whose keys and values are in `cache`."""

    ids: np.ndarray
    cache: Cache


class Prefixes:
    """The least recently used is forgotten first."""

    def __init__(self) -> None:
        self.nbytes = 0
        self._kept: list[Prefix] = []  # the most recently used last

    def add(self, ids: Sequence[int], cache: Cache) -> None:
        """Keep a cache. What it continues is replaced by it, what already holds it is enough."""
        new = Prefix(np.asarray(ids, np.int64), cache)
        for kept in list(self._kept):
            common = common_length(kept.ids, new.ids)
            if common == len(new.ids):
                self._touch(kept)
                return
            if common == len(kept.ids):
                self._drop(kept)
        self._kept.append(new)
        self.nbytes += cache.nbytes

    def find(self, ids: np.ndarray) -> tuple[Cache | None, int]:
        """The cache that has most of the first tokens of `ids`, and how many; it counts as used."""
        found, most = None, 0
        for kept in self._kept:
            if (common := common_length(kept.ids, ids)) >= max(most, 1):
                found, most = kept, common
        if found is None:
            return None, 0
        self._touch(found)
        return found.cache, most

    def shrink(self, nbytes: int) -> None:
        """Forget caches until the rest takes at most `nbytes`."""
        while self._kept and self.nbytes > nbytes:
            self._drop(self._kept[0])

    def _touch(self, kept: Prefix) -> None:
        self._kept.remove(kept)
        self._kept.append(kept)

    def _drop(self, kept: Prefix) -> None:
        self._kept.remove(kept)
        self.nbytes -= kept.cache.nbytes


def common_length(a: np.ndarray, b: np.ndarray) -> int:
    """How many tokens two sequences begin with in common."""
    n = min(len(a), len(b))
    differing = np.flatnonzero(a[:n] != b[:n])
    return int(differing[0]) if len(differing) else n
