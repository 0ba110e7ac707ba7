"""How rare terms are in general: what an index of a few passages cannot tell by itself.

In a text of five passages about divorce the word 离婚 stands in all of them and seems worth
nothing, and 怎么 in none and seems rare. With the demo knowledge counted along, both are as common
as they are elsewhere.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np

from . import passages
from .analysis import terms
from .config import data_folder
from .matrix import key
from .passages import Fault


@dataclass(frozen=True)
class Background:
    """`count` passages; of each term's `key`, rising, the number of them that hold it."""

    count: int
    keys: np.ndarray
    frequencies: np.ndarray

    def of(self, keys: np.ndarray) -> np.ndarray:
        """The frequency of each of `keys`, 0 of those that are unknown."""
        at = np.minimum(self.keys.searchsorted(keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, self.frequencies[at], 0)


@cache
def general() -> Background:
    """The terms of the demo knowledge; takes half a second, once."""
    counts: Counter[str] = Counter()
    number = 0
    for found in passages.stream([data_folder("knowledge")]):
        if not isinstance(found, Fault):
            number += 1
            counts.update(set(terms("\n".join((found.title, *found.similar, found.text)))))
    keys = np.array([key(term) for term in counts], np.uint64)
    order = keys.argsort()
    return Background(number, keys[order], np.array(list(counts.values()), np.int64)[order])
