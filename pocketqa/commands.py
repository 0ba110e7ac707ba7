"""What clients ask for beside answers (docs/protocol.md, section 6): payloads in, values out.

Each function raises `RequestError`: `bad_payload` or `bad_field`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, cast

from .payloads import MAX_TOKEN, as_object, bad_field, name, string, whole

MAX_PAGE = 100
"""Turns that one `HISTORY_CS` may ask for."""
PAGE = 20
MAX_REASON = 1_000
MAX_TITLE = 200
LARGEST = 2**53 - 1
"""What JavaScript can count to."""


@dataclass(frozen=True)
class Named:
    """An answer by its name. `room` and `token` are further reasons why it may be named."""

    request_id: str
    room: str
    token: str


@dataclass(frozen=True)
class Dialogue:
    """A dialogue by its name, in a named room, of a token's owner, or of the asker."""

    dialogue: str
    room: str
    token: str


@dataclass(frozen=True)
class Resume:
    """Send the frames of an answer again that come after `after`."""

    answer: Named
    after: int


@dataclass(frozen=True)
class Page:
    """The last `limit` turns of a dialogue, of those before turn `before`."""

    dialogue: Dialogue
    before: int | None
    limit: int


@dataclass(frozen=True)
class Feedback:
    """What somebody thinks of an answer; `vote` `''` takes it back."""

    answer: Named
    vote: Literal["up", "down", ""]
    reason: str


@dataclass(frozen=True)
class Rename:
    """Give a dialogue another title."""

    dialogue: Dialogue
    title: str


def stop(payload: object, sid: str) -> Named | Dialogue:
    """`STOP_CS`: an answer, or all that runs in a dialogue."""
    fields = as_object(payload)
    if name(fields, "request_id"):
        return _named(fields)
    if not name(fields, "room") and not name(fields, "dialogue"):
        raise bad_field(
            "request_id", "必填，或填 room、dialogue", "required, or else room or dialogue"
        )
    return _dialogue(fields, sid)


def named(payload: object) -> Named:
    """What names an answer."""
    return _named(as_object(payload))


def resume(payload: object) -> Resume:
    """`RESUME_CS`."""
    fields = as_object(payload)
    return Resume(_named(fields), cast(int, whole(fields, "after", -1, -1, LARGEST)))


def history(payload: object, sid: str) -> Page:
    """`HISTORY_CS`."""
    fields = as_object(payload)
    return Page(
        _dialogue(fields, sid),
        whole(fields, "before", None, 0, LARGEST),
        cast(int, whole(fields, "limit", PAGE, 1, MAX_PAGE)),
    )


def feedback(payload: object) -> Feedback:
    """`FEEDBACK_CS`."""
    fields = as_object(payload)
    vote = fields.get("vote")
    if vote not in ("up", "down", ""):
        raise bad_field("vote", "应为 'up'、'down' 或 ''", "'up', 'down' or ''")
    return Feedback(_named(fields), vote, string(fields, "reason", MAX_REASON).strip())


def rename(payload: object, sid: str) -> Rename:
    """`RENAME_CS`."""
    fields = as_object(payload)
    title = " ".join(string(fields, "title", MAX_TITLE).split())
    if not title:
        raise bad_field("title", "必填，不能为空", "required, not empty")
    return Rename(_own(fields, sid), title)


def delete(payload: object, sid: str) -> Dialogue:
    """`DELETE_CS`."""
    return _own(as_object(payload), sid)


def _named(fields: dict[str, Any]) -> Named:
    request_id = name(fields, "request_id")
    if not request_id:
        raise bad_field("request_id", "必填", "required")
    return Named(request_id, name(fields, "room"), string(fields, "token", MAX_TOKEN))


def _dialogue(fields: dict[str, Any], sid: str) -> Dialogue:
    room = name(fields, "room") or sid
    dialogue = name(fields, "dialogue") or room
    return Dialogue(dialogue, room, string(fields, "token", MAX_TOKEN))


def _own(fields: dict[str, Any], sid: str) -> Dialogue:
    """A dialogue outside of named rooms: what a room has together is nobody's to rename."""
    dialogue = name(fields, "dialogue")
    if not dialogue:
        raise bad_field("dialogue", "必填", "required")
    return Dialogue(dialogue, sid, string(fields, "token", MAX_TOKEN))
