"""The Socket.IO protocol, version 1: event names, limits, requests and frames (docs/protocol.md).

Knows no model and no web framework: a payload goes in, a `Request` comes out; a `Request` and the
pieces of its answer go in, frames come out.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from .errors import PocketQAError, RequestError
from .payloads import MAX_TOKEN, SURROGATE, as_object, bad_field, flag, name, string

EVENTS = {"CHAT_CS": "CHAT_SS", "QA_CS": "QA_SS", "SUM_CS": "SUM_SS", "GEN_CS": "GEN_SS"}
MAX_TEXT = 4_000
MAX_SUM_TEXT = 20_000

FinishReason = Literal["stop", "length", "abort", "error"]
Way = Literal["", "smalltalk", "refused", "curated", "generated", "extracted"]
"""Who wrote an answer: the knowledge base (a ready answer, a refusal, a curated answer), the model,
or whoever wrote the passage that its sentences were taken from."""


@dataclass(frozen=True)
class Request:
    """One valid request. `room` and `dialogue` are always filled in."""

    event: str
    text: str
    sid: str
    room: str
    dialogue: str
    upload_id: str = ""
    stream: bool = True
    request_id: str = ""
    token: str = ""
    received: Literal["full", "ends"] = "full"

    @property
    def named_room(self) -> bool:
        """Whether the client named a room other than its own connection's."""
        return self.room != self.sid


@dataclass(frozen=True)
class Source:
    """A passage that went into the prompt; an entry of `clue.sources`."""

    id: str
    title: str
    text: str
    score: float
    source: str
    page: int | None = None


@dataclass(frozen=True)
class Received:
    """What an answer rests on: the variable parts of a frame's `received`."""

    prompt: str = ""
    clue_type: str = ""
    clue_data: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
    alter: tuple[str, ...] = ()
    history: tuple[tuple[str, str], ...] = ()
    way: Way = ""


@dataclass(frozen=True)
class Piece:
    """A piece of an answer on its way from `answering` to the frames."""

    delta: str = ""
    finish_reason: FinishReason | None = None
    received: Received = field(default_factory=Received)
    error: PocketQAError | None = None


def parse(event: str, payload: object, sid: str) -> Request:
    """Read the payload of `event` from connection `sid`.

    Args:
        event: a key of `EVENTS`.
        payload: an object, or a string that holds one as JSON.
        sid: the connection's own id; a `sid` in the payload is ignored.

    Raises:
        RequestError: `bad_payload`, `bad_field` or `text_too_long`.
    """
    fields = as_object(payload)
    text = _text(event, fields)
    room = name(fields, "room") or sid
    received = fields.get("received")
    if received not in (None, "full", "ends"):
        raise bad_field("received", "应为 'full' 或 'ends'", "'full' or 'ends'")
    return Request(
        event=event,
        text=text,
        sid=sid,
        room=room,
        dialogue=name(fields, "dialogue") or room,
        upload_id=name(fields, "upload_id"),
        stream=flag(fields, "stream", default=True),
        request_id=name(fields, "request_id") or uuid.uuid4().hex,
        token=string(fields, "token", MAX_TOKEN),
        received=received or "full",
    )


def unparsed(event: str, payload: object, sid: str) -> Request:
    """The request to which the error frame of an unreadable payload belongs."""
    request_id = ""
    try:
        request_id = name(as_object(payload), "request_id")
    except RequestError:
        pass
    return Request(event, "", sid, sid, sid, request_id=request_id or uuid.uuid4().hex)


def frames(request: Request, pieces: Iterable[Piece], lang: str = "zh") -> Iterator[dict[str, Any]]:
    """Number the pieces of an answer and wrap them into frames (section 3).

    Guarantees that exactly one frame has a `finish_reason`, and that it is the last, as long as the
    pieces raise nothing. With `stream: false` all pieces are joined into one frame. `received` is
    the same object in each frame until something in it changes: it is large.
    """
    if not request.stream:
        pieces = [_join(pieces)]
    seq, rests_on, received = 0, Received(), _received(request, Received())
    for piece in pieces:
        if piece.received is not rests_on:
            rests_on, received = piece.received, _received(request, piece.received)
        ends = seq == 0 or piece.finish_reason is not None
        yield _frame(
            request, piece, seq, lang, received if request.received == "full" or ends else {}
        )
        if piece.finish_reason is not None:
            return
        seq += 1
    yield _frame(request, Piece(finish_reason="stop"), seq, lang, received)


def acknowledgement(request: Request, position: int, token: str) -> dict[str, Any]:
    """The positive answer to a client that asked for an acknowledgement."""
    return {
        "ok": True,
        "request_id": request.request_id,
        "room": request.room,
        "dialogue": request.dialogue,
        "position": position,
        "token": token,
    }


def refusal(error: PocketQAError, lang: str) -> dict[str, Any]:
    """The negative acknowledgement."""
    return {"ok": False, "error": error_object(error, lang)}


def error_object(error: PocketQAError, lang: str) -> dict[str, Any]:
    """The protocol's error object: code, message in the client's language, details."""
    return {"code": error.code, "message": error.message(lang), **error.details}


def _join(pieces: Iterable[Piece]) -> Piece:
    last, deltas = Piece(finish_reason="stop"), []
    for last in pieces:
        deltas.append(last.delta)
    return replace(last, delta="".join(deltas), finish_reason=last.finish_reason or "stop")


def _frame(
    request: Request, piece: Piece, seq: int, lang: str, received: dict[str, Any]
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "room": request.room,
        "delta": piece.delta,
        "finish_reason": piece.finish_reason,
        "received": received,
        "request_id": request.request_id,
        "seq": seq,
    }
    if piece.error is not None:
        data["error"] = error_object(piece.error, lang)
    return {"data": data}


def _received(request: Request, received: Received) -> dict[str, Any]:
    return {
        "text": request.text,
        "prompt": received.prompt,
        "sid": request.sid,
        "room": request.room,
        "dialogue": request.dialogue,
        "upload_id": request.upload_id,
        "clue": {
            "type": received.clue_type,
            "data": list(received.clue_data),
            "sources": [asdict(source) for source in received.sources],
            "way": received.way,
        },
        "alter": list(received.alter),
        "history": [list(turn) for turn in received.history],
    }


def _text(event: str, fields: dict[str, Any]) -> str:
    text = fields.get("text")
    if text is None and event == "SUM_CS" and fields.get("upload_id"):
        return ""
    if not isinstance(text, str):
        raise bad_field("text", "必填，应为字符串", "required, a string")
    if SURROGATE.search(text):
        raise bad_field("text", "含有不成对的代理字符", "holds half of a surrogate pair")
    text = text.replace("\x00", "").strip()
    limit = MAX_SUM_TEXT if event == "SUM_CS" else MAX_TEXT
    if len(text) > limit:
        raise RequestError(
            "text_too_long",
            f"文字过长:{len(text)} 个字符，最多 {limit} 个，请缩短后再发",
            f"the text has {len(text)} characters, {limit} are allowed: please shorten it",
        )
    if not text and not (event == "SUM_CS" and fields.get("upload_id")):
        raise bad_field("text", "不能为空", "must not be empty")
    return text
