"""Small stand-ins for the slow parts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pocketqa.engine import Message
from pocketqa.engine.network import Part
from pocketqa.passages import Hit, Passage

ANSWERS = 1_000_000
"""The first of the tokens that stand for a whole answer; those of characters come before it."""


@dataclass
class FakeModel:
    """A model that says `text` a character a token and remembers its prompts.

    `looks_at` is what it looks at before it answers. `pause_s` is the time that a step takes, in
    which it computes if `busy`. `fault` is raised where the answer would end. A token takes
    `token_bytes` of its caches' memory.
    """

    text: str = "请带上户口簿,到派出所申请补领。"
    pause_s: float = 0.0
    fault: BaseException | None = None
    busy: bool = False
    token_bytes: int = 1
    prompts: list[list[Message]] = field(default_factory=list)
    said: int = 0
    looks_at: str = ""
    context: int = 100_000
    max_prompt_tokens: int = 6_000
    max_rows: int = 256
    end_ids: frozenset[int] = frozenset({0})
    speculative: bool = False
    _chars: list[str] = field(default_factory=lambda: [""])  # of each token; the first ends answers
    _answers: list[str] = field(default_factory=list)

    @property
    def network(self) -> FakeModel:
        return self

    def answer(self, messages: list[Message]) -> str:
        """What it says to `messages`."""
        return self.text

    def prompt_ids(self, messages: list[Message]) -> list[int]:
        """One token, which stands for the answer."""
        self.prompts.append(messages)
        answer = self.answer(messages)
        if answer not in self._answers:
            self._answers.append(answer)
            self._chars += sorted({*answer} - {*self._chars})
        return [ANSWERS + self._answers.index(answer)]

    def count(self, messages: list[Message]) -> int:
        """A token a character, and five for each message."""
        return sum(5 + len(message["content"]) for message in messages)

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self._chars[id] for id in ids if id < ANSWERS)

    @property
    def attends(self) -> bool:
        return bool(self.looks_at)

    def spread(self, messages: list[Message], weights: np.ndarray) -> np.ndarray | None:
        """Attention on the characters of `looks_at` in the last message."""
        content = messages[-1]["content"]
        found = np.zeros(len(content), np.float32)
        begin = content.find(self.looks_at)
        found[begin : begin + len(self.looks_at)] = 1
        return found if begin >= 0 else None

    def new_cache(self, capacity: int) -> FakeCache:
        return FakeCache(capacity, token_bytes=self.token_bytes)

    def cache_bytes(self, capacity: int) -> int:
        return capacity * self.token_bytes

    def forward(self, parts: Sequence[Part]) -> list[np.ndarray]:
        end = time.monotonic() + self.pause_s
        while self.busy and time.monotonic() < end:
            np.dot(np.ones(10_000), np.ones(10_000))
        time.sleep(max(0.0, end - time.monotonic()))
        for part in parts:
            part.attention = np.ones(1, np.float32) if part.looks and self.attends else None
        return [self._logits(part) for part in parts]

    def _logits(self, part: Part) -> np.ndarray:
        cache: FakeCache = part.cache
        if not cache.length:
            cache.answer = self._answers[part.ids[0] - ANSWERS]
        cache.length += len(part.ids)
        logits = np.zeros((part.wanted, len(self._chars)), np.float32)
        for row, place in zip(logits, range(cache.length - part.wanted, cache.length), strict=True):
            char = cache.answer[place : place + 1]  # after the prompt, which takes one place
            if not char and self.fault:
                raise self.fault
            self.said += bool(char)
            row[self._chars.index(char)] = 1
        return logits

    def close(self) -> None:
        pass


@dataclass
class FakeCache:
    """Counts tokens, the first of which stood for `answer`."""

    capacity: int
    length: int = 0
    answer: str = ""
    token_bytes: int = 1

    @property
    def nbytes(self) -> int:
        return self.capacity * self.token_bytes

    def copy(self, length: int, capacity: int) -> FakeCache:
        return FakeCache(capacity, length, self.answer, self.token_bytes)


@dataclass
class FakeRetriever:
    """Finds `hits` whatever is asked, and remembers the queries."""

    hits: list[Hit] = field(default_factory=list)
    small: dict[str, str] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)
    excluded: list[Any] = field(default_factory=list)

    def retrieve(self, text: str, k: int = 10) -> list[Hit]:
        self.queries.append(text)
        return self.hits[:k]

    def smalltalk(self, text: str) -> Passage | None:
        answer = self.small.get(text)
        return Passage(id="s", title=text, text=answer, kind="smalltalk") if answer else None

    def related(self, text: str, hits: Any, k: int = 3, exclude: Any = ()) -> list[str]:
        self.excluded.append(list(exclude))
        return ["问题一?", "问题二?", "问题三?"][:k]
