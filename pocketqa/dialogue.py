"""Dialogues: the turns that were, and whose they are."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeSerializer

from .errors import RequestError
from .protocol import Request

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
    """Names a dialogue. `owner` is `room:<name>` for a named room, else `own:<first sid>`."""

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


class Ownership:
    """Says whose dialogue a request continues, by room, by connection or by signed token."""

    def __init__(self, secret_key: str) -> None:
        self._serializer = URLSafeSerializer(secret_key, salt="dialogue")

    def key(self, request: Request) -> Key:
        """The dialogue that `request` may continue.

        Raises:
            RequestError: `bad_field` for a token that this server did not sign for this dialogue.
        """
        if request.named_room:
            return Key(f"room:{request.room}", request.dialogue)
        if not request.token:
            return Key(f"own:{request.sid}", request.dialogue)
        try:
            owner, dialogue = self._serializer.loads(request.token)
        except (BadSignature, ValueError, TypeError):
            owner = dialogue = None
        if not isinstance(owner, str) or dialogue != request.dialogue:
            raise RequestError(
                "bad_field",
                "字段 token:无效，或不属于这个对话；请不带 token 开始新的对话",
                "field token: not valid for this dialogue; start a new one without it",
            )
        return Key(owner, request.dialogue)

    def token(self, key: Key) -> str:
        """The token that lets another connection continue the dialogue."""
        return str(self._serializer.dumps([key.owner, key.dialogue]))
