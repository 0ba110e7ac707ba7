"""A model that wants to say certain texts, whose tokens are bytes: for tests of constraints.

Its logits are a function of what was said to it and by it. The likeliest token goes on with the
wanted text; all others follow in an order that looks random and is always the same.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from fake_network import ExactCache, ExactModel, FakeNetwork

from pocketqa.engine import Message
from pocketqa.engine.network import Part

END = 0


def vocabulary(texts: Sequence[str], digits: int) -> list[bytes]:
    """The end, 六 in two halves, other characters of `texts`, and runs of up to `digits` digits."""
    characters = {char for text in texts for char in text} | set("0123456789元日。，")
    runs = [run for text in texts for run in re.findall(r"\d{2,}", text)]
    numbers = {run[at : at + n] for run in runs for at in range(9) for n in range(2, digits + 1)}
    whole = sorted((characters | numbers) - {"六", ""})
    return [b"", b"\xe5\x85", b"\xad", *(token.encode() for token in whole)]


@dataclass
class WantingNetwork(FakeNetwork):
    """A prompt of the one token n is answered with the wanted text n."""

    wanted: list[bytes] = field(default_factory=list)
    tokens: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._buffer = np.zeros((self.max_rows, len(self.tokens)), np.float32)

    def _fill(self, part: Part, logits: np.ndarray) -> None:
        cache = part.cache
        assert isinstance(cache, ExactCache)
        cache.ids += part.ids
        for row in range(part.wanted):
            ids = cache.ids[: len(cache.ids) - part.wanted + row + 1]
            logits[row] = self._wishes(ids)

    def _wishes(self, ids: Sequence[int]) -> np.ndarray:
        said = b"".join(self.tokens[id] for id in ids[1:])
        rest = self.wanted[ids[0]][len(said) :]
        seed = zlib.crc32(bytes(str(list(ids)), "ascii"))
        wishes = np.random.default_rng(seed).random(len(self.tokens), np.float32)
        for token, text in enumerate(self.tokens):
            if text and rest.startswith(text):
                wishes[token] += 3 + len(text)
        if not rest:
            wishes[END] += 5
        return wishes


class WantingModel(ExactModel):
    """`texts` are what it wants to say to the prompts "0", "1", ...."""

    def __init__(self, texts: Sequence[str], digits: int = 1, speculative: bool = True) -> None:
        tokens = vocabulary(texts, digits)
        network = WantingNetwork(wanted=[text.encode() for text in texts], tokens=tokens)
        super().__init__(network, frozenset({END}), speculative)
        self.tokens = tokens

    def decode(self, ids: Sequence[int]) -> str:
        return b"".join(self.tokens[id] for id in ids).decode(errors="replace")


def ask(number: int) -> list[Message]:
    """The messages that are answered with the text of this number."""
    return [{"role": "user", "content": str(number)}]
