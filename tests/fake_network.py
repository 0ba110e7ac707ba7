"""A deterministic network: its next token is a function of a sequence's ids, and of nothing else.

So whatever the batch does, the answers must be those of `quiet`, which computes them one by one.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pocketqa.engine import Engine, Message
from pocketqa.engine.network import Part

VOCABULARY = 97
END = 0
ENDLESS = 1
"""A sequence that begins with this token never ends by itself."""
Start = Callable[..., Engine]
"""The fixture `start`."""


def following(ids: Sequence[int]) -> int:
    """The next token: often what followed the last ones before, as in a grounded answer."""
    chance = hash(tuple(ids)) % 1000
    if chance < 15 and ids[0] != ENDLESS:
        return END
    if chance < 800:
        for n in (2, 1):
            for place in range(len(ids) - 1, n - 1, -1):
                if ids[place - n : place] == ids[-n:]:
                    return ids[place]
    return 1 + chance % (VOCABULARY - 1)


def quiet(prompt: Sequence[int], most: int) -> list[int]:
    """What is said to a prompt when nobody else is there."""
    ids = list(prompt)
    while len(ids) < len(prompt) + most and (token := following(ids)) != END:
        ids.append(token)
    return ids[len(prompt) :]


def text(ids: Sequence[int]) -> str:
    """A token's text is a letter."""
    return "".join(chr(0x4E00 + id) for id in ids)


class ExactCache:
    """Holds its tokens, and is counted while it lives."""

    def __init__(self, network: FakeNetwork, capacity: int, ids: list[int]) -> None:
        self.network, self.capacity, self.ids = network, capacity, ids
        network.living += self.nbytes
        weakref.finalize(self, network.forget, self.nbytes)

    @property
    def nbytes(self) -> int:
        return self.capacity

    @property
    def length(self) -> int:
        return len(self.ids)

    @length.setter
    def length(self, length: int) -> None:
        assert 0 <= length <= len(self.ids)
        del self.ids[length:]

    def copy(self, length: int, capacity: int) -> ExactCache:
        assert length <= len(self.ids) and length < capacity
        return self.network.make(capacity, self.ids[:length])


@dataclass
class FakeNetwork:
    """Checks what the batch may rely on, and fails where it is told to.

    `before` is called with the parts of each forward, and may raise or wait. `steps` has the rows
    of each part of each step. `room` bounds the living caches, as memory does.
    """

    context: int = 4000
    max_rows: int = 32
    step_s: float = 0.0
    row_s: float = 0.0
    room: float = float("inf")
    before: Callable[[Sequence[Part]], None] = lambda parts: None
    living: int = 0
    steps: list[list[int]] = field(default_factory=list)
    attends: bool = True

    def __post_init__(self) -> None:
        self._buffer = np.zeros((self.max_rows, VOCABULARY), np.float32)

    def new_cache(self, capacity: int) -> ExactCache:
        return self.make(capacity, [])

    def make(self, capacity: int, ids: list[int]) -> ExactCache:
        if self.living + capacity > self.room:
            raise MemoryError("planted")
        return ExactCache(self, capacity, ids)

    def forget(self, nbytes: int) -> None:
        self.living -= nbytes

    def cache_bytes(self, capacity: int) -> int:
        return capacity

    def forward(self, parts: Sequence[Part]) -> list[np.ndarray]:
        rows = [len(part.ids) for part in parts]
        assert 0 < sum(rows) <= self.max_rows and all(rows)
        assert len({id(part.cache) for part in parts}) == len(parts)
        self.steps.append(rows)
        time.sleep(self.step_s + self.row_s * sum(rows))
        self._buffer[:] = np.nan  # the arrays of the last step hold no longer
        results, start = [], 0
        for part in parts:
            logits = self._buffer[start : start + part.wanted]
            start += part.wanted
            self._fill(part, logits)
            results.append(logits)
            if part.looks:
                part.attention = np.arange(len(part.cache.ids), dtype=np.float32)
        self.before(parts)  # after the caches have grown: what fails leaves them in disorder
        return results

    def _fill(self, part: Part, logits: np.ndarray) -> None:
        cache = part.cache
        assert isinstance(cache, ExactCache)
        cache.ids += part.ids
        assert len(cache.ids) <= cache.capacity
        logits[:] = 0
        for row in range(part.wanted):
            end = len(cache.ids) - part.wanted + row + 1
            logits[row, following(cache.ids[:end])] = 1

    def close(self) -> None:
        pass


@dataclass
class ExactModel:
    """Messages are token ids, separated by blanks; tokens are letters."""

    network: FakeNetwork = field(default_factory=FakeNetwork)
    end_ids: frozenset[int] = frozenset({END})
    speculative: bool = True
    max_prompt_tokens: int = 100_000
    undecodable: frozenset[int] = frozenset()

    def prompt_ids(self, messages: list[Message]) -> list[int]:
        return [int(word) for word in messages[-1]["content"].split()]

    def count(self, messages: list[Message]) -> int:
        return len(self.prompt_ids(messages))

    def spread(self, messages: list[Message], weights: np.ndarray) -> np.ndarray | None:
        return weights

    def decode(self, ids: Sequence[int]) -> str:
        if self.undecodable & set(ids):
            raise ValueError("planted")
        return text(ids)

    def close(self) -> None:
        pass


def ask(ids: Sequence[int]) -> list[Message]:
    """The messages that make `ids` the prompt."""
    return [{"role": "user", "content": " ".join(map(str, ids))}]


def prompt(seed: int, length: int, *first: int) -> list[int]:
    """Some token ids, after `first`."""
    random = np.random.default_rng(seed)
    return [*first] + [int(token) for token in random.integers(2, VOCABULARY, length)]
