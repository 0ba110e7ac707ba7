"""Dialogues: their names, and the turns that were."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

MAX_KEPT_TURNS = 50
"""Turns kept of one dialogue; older ones are forgotten."""


@dataclass(frozen=True)
class Turn:
    """A question and what was answered, in part if the answer was stopped.

    Attributes:
        grounded: False for small talk and refusals, which rest on no passage.
        answered: the titles of the passages that the answer rests on.
    """

    question: str
    answer: str
    grounded: bool = True
    answered: tuple[str, ...] = ()


@dataclass(frozen=True)
class Key:
    """Names a dialogue.

    Attributes:
        owner: `room:<name>` for a named room, `who:browser:<id>` and `who:key:<id>` for whoever is
            known, else `own:<first sid>`.
    """

    owner: str
    dialogue: str


class Store:
    """Dialogues in memory, the least recently used forgotten first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._dialogues: OrderedDict[Key, tuple[Turn, ...]] = OrderedDict()

    def history(self, key: Key, n: int) -> tuple[Turn, ...]:
        """The last `n` turns of a dialogue, oldest first."""
        return self._dialogues.get(key, ())[-n:] if n else ()

    def add(self, key: Key, turn: Turn) -> None:
        """Append a turn."""
        turns = self._dialogues.pop(key, ())
        self._dialogues[key] = (*turns, turn)[-MAX_KEPT_TURNS:]
        while len(self._dialogues) > self._limit:
            self._dialogues.popitem(last=False)
