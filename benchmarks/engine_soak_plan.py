"""What the soak asks, and a model with planted faults."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pocketqa import prompt
from pocketqa.engine import Message, Options
from pocketqa.engine.network import Network, Part
from pocketqa.passages import Passage

MARKS = {"tokenise": "⚡1", "say": "⚡2", "read": "<|fim_pad|>", "memory": "<|file_sep|>"}
"""What a prompt ends with that has a fault, by where it fails; two are tokens of Qwen's."""
PLANTED = "planted"
SAID = 3
"""Calls of a faulty `decode` that still work: a piece of the answer is out by then."""
LONGEST = 64
"""Tokens of the longest answer."""


@dataclass(frozen=True)
class Ask:
    """A request of the soak.

    Attributes:
        cancel_s: seconds after it was sent at which it is cancelled; None for never.
        pause_s: seconds that its asker waits before sending it.
    """

    number: int
    messages: list[Message]
    options: Options
    fault: str = ""
    cancel_s: float | None = None
    pause_s: float = 0.0


def plan(passages: Sequence[Passage], count: int, faults: int, seed: int) -> list[Ask]:
    """`count` requests in random order: a third are cancelled, `faults` others have a fault.

    Prompts hold one passage or two, answers have 1 to `LONGEST` tokens; one in five is sampled.
    """
    dice = random.Random(seed)
    kinds = ["fault"] * faults + ["cancel"] * (count // 3)
    kinds += ["whole"] * (count - len(kinds))
    dice.shuffle(kinds)
    return [_ask(number, kind, passages, dice) for number, kind in enumerate(kinds)]


def _ask(number: int, kind: str, passages: Sequence[Passage], dice: random.Random) -> Ask:
    used = dice.sample(list(passages), 1 + (dice.random() < 0.2))
    fault = dice.choice(list(MARKS)) if kind == "fault" else ""
    temperature = 0.8 if dice.random() < 0.2 else 0.0
    # A fault shows only if the answer gets as far.
    options = Options(dice.randint(8 if fault else 1, LONGEST), temperature, seed=number)
    question = used[0].title + MARKS.get(fault, "")
    messages = prompt.build(prompt.ZH.chat, question, [], prompt.material(used))
    cancel_s = dice.expovariate(1.0) if kind == "cancel" else None
    return Ask(number, messages, options, fault, cancel_s, dice.expovariate(20.0))


class Planted:
    """The real model, with faults where a prompt asks for one."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.end_ids, self.speculative = model.end_ids, model.speculative
        self.network = PlantedNetwork(model.network, model.tokenizer)
        self._fault = ""

    def prompt_ids(self, messages: list[Message]) -> list[int]:
        """See `Model.prompt_ids`."""
        asked = messages[-1]["content"]
        self._fault = next((fault for fault, mark in MARKS.items() if asked.endswith(mark)), "")
        if self._fault == "tokenise":
            raise ValueError(PLANTED)
        ids: list[int] = self._model.prompt_ids(messages)
        return ids

    @property
    def decode(self) -> Callable[[Sequence[int]], str]:
        """What a sequence takes when it begins, right after its prompt was tokenised."""
        said = itertools.count()
        fails = self._fault == "say"

        def decode(ids: Sequence[int]) -> str:
            if fails and next(said) == SAID:
                raise ValueError(PLANTED)
            text: str = self._model.decode(ids)
            return text

        return decode

    def close(self) -> None:
        """See `Model.close`."""
        self._model.close()


class PlantedNetwork:
    """A network that fails at the tokens that mark a fault, whoever else is in the step."""

    def __init__(self, network: Network, tokenizer: Any) -> None:
        self.context, self.max_rows = network.context, network.max_rows
        self.new_cache, self.cache_bytes = network.new_cache, network.cache_bytes
        self.close = network.close
        self._network = network
        self._read, self._memory = (
            tokenizer.convert_tokens_to_ids(MARKS[fault]) for fault in ("read", "memory")
        )

    def forward(self, parts: Sequence[Part]) -> list[np.ndarray]:
        """See `Network.forward`."""
        for part in parts:
            if self._read in part.ids:
                raise RuntimeError(PLANTED)
            if self._memory in part.ids:
                raise MemoryError(PLANTED)
        return self._network.forward(parts)
