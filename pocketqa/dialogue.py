"""Dialogues: the turns that were, whose they are, and what a follow-up refers to."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from itsdangerous import BadSignature, URLSafeSerializer

from .errors import RequestError
from .protocol import Request

MAX_KEPT_TURNS = 50
"""Turns kept of one dialogue; older ones are forgotten."""


@dataclass(frozen=True)
class Turn:
    """A question and what was answered, in part if the answer was stopped.

    `grounded` is False for small talk and refusals, which rest on no passage.
    """

    question: str
    answer: str
    grounded: bool = True


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


# A question that begins by joining on to the last one, points back, or names no matter of its own.
_JOINS = re.compile(
    r"^(那|那么|然后|还有|另外|再|又|它|他|她|这个?|那个|上面|刚才|and |then |what about )"
)
_POINTS = re.compile(r"(它|他们?|她们?|这个|那个|这种|那种|上述|前面|刚才|其中)")
_BARE = re.compile(
    r"^(需要|要|得|用|能|可以|在|去|到|怎么|如何|多久|多少|几天|什么|哪里|哪儿|谁|为什么|有什么|"
    r"本人|费用|材料|时间|地点|流程|条件|收费|免费|how|where|when|why|who)"
)
SHORT_FOLLOW_UP = 12
"""Characters up to which a question may be a fragment that only its predecessor explains."""


def standalone(
    question: str, history: tuple[Turn, ...], is_clear: Callable[[str], bool] = lambda _: False
) -> str:
    """The query to search with: a follow-up is joined to the question it refers to.

    `is_clear` says whether the question finds its passage by itself; then it is left alone, unless
    it points back.
    """
    if not history:
        return question
    fragment = len(question) <= SHORT_FOLLOW_UP and bool(
        _BARE.match(question) or _POINTS.search(question)
    )
    if not (_JOINS.match(question) or fragment) or is_clear(question):
        return question
    for turn in reversed(history):
        if len(turn.question) > 4 and not _JOINS.match(turn.question):
            return f"{turn.question} {question}"
    return question
