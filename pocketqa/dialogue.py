"""Dialogues: their names, and the turns that were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

from .protocol import Received, Request

State = Literal["running", "stop", "length", "abort", "error", "cut"]
"""How an answer stands: being made; its `finish_reason`; or cut off by the end of its process."""
Vote = Literal["", "up", "down"]


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


@dataclass(frozen=True)
class Record:
    """A turn as it is kept, for people: what was asked, said, shown as evidence, and thought of it.

    Attributes:
        id: rises with every turn of the database.
        score: that of the best passage; None where none was found.
        clue: as in a frame's `received`, with the passages' texts shortened.
        error: the error's code, where `state` is `error`.
        first_s, took_s: seconds until the first text and until the end; None where there was none.
        filename: of the upload that was asked about, where it is known.
    """

    id: int
    request_id: str
    event: str
    question: str
    answer: str
    state: State
    way: str = ""
    score: float | None = None
    clue: dict[str, Any] = field(default_factory=dict)
    alter: tuple[str, ...] = ()
    upload_id: str = ""
    error: str = ""
    created: float = 0.0
    first_s: float | None = None
    took_s: float | None = None
    vote: Vote = ""
    reason: str = ""
    filename: str = ""

    def as_json(self) -> dict[str, Any]:
        """The turn as `HISTORY_CS` gives it."""
        return {**asdict(self), "alter": list(self.alter)}


@dataclass(frozen=True)
class Listed:
    """A dialogue in the list of its owner's; times in seconds since 1970."""

    owner: str
    dialogue: str
    title: str
    created: float
    updated: float
    turns: int


class Dialogues(Protocol):
    """What answering needs of where dialogues are kept; calls may take milliseconds, off the hub.

    Each raises `PocketQAError` `internal` where nothing can be read or kept.
    """

    def history(self, key: Key, n: int) -> tuple[Turn, ...]:
        """The last `n` turns that a question may refer to, oldest first."""
        ...

    def begin(self, key: Key, request: Request) -> int:
        """Keep the question; returns what the other calls name the turn by."""
        ...

    def extend(self, turn: int, text: str) -> None:
        """More of the answer was said. Does not wait: it is written within about a second."""
        ...

    def end(self, turn: int, state: State, received: Received, error: str = "") -> None:
        """The answer has ended; all of it is kept when this returns."""
        ...


class Past(Dialogues, Protocol):
    """What people see of their dialogues, and do with them."""

    def page(self, key: Key, before: int | None, limit: int) -> list[Record]:
        """The last `limit` turns before the one of that `id`, or of all; oldest first."""
        ...

    def list(self, owner: str) -> list[Listed]:
        """An owner's dialogues, the latest first."""
        ...

    def rename(self, key: Key, title: str) -> bool:
        """Give a dialogue another title; whether there is such a dialogue."""
        ...

    def delete(self, key: Key) -> bool:
        """Forget a dialogue; whether there was one."""
        ...

    def vote(
        self,
        owners: Sequence[str],
        request_id: str,
        vote: Vote,
        reason: str = "",
        shown: Key | None = None,
    ) -> bool:
        """Keep what somebody thinks of an answer; whether there is one.

        It is one of `owners`' answers, or one of the dialogue `shown`.
        """
        ...
