"""The Socket.IO protocol, version 1: event names, limits, requests and frames (docs/protocol.md).

Knows no model and no web framework: a payload goes in, a `Request` comes out; a `Request` and the
pieces of its answer go in, frames come out.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from .errors import PocketQAError, RequestError

EVENTS = {"CHAT_CS": "CHAT_SS", "QA_CS": "QA_SS", "SUM_CS": "SUM_SS", "GEN_CS": "GEN_SS"}
MAX_TEXT = 4_000
MAX_SUM_TEXT = 20_000
MAX_NAME = 200
"""Characters in a room, a dialogue, an upload or a request id."""
MAX_TOKEN = 1_000

FinishReason = Literal["stop", "length", "abort", "error"]
Way = Literal["", "smalltalk", "refused", "curated", "generated", "extracted"]
"""Who wrote an answer: the knowledge base (a ready answer, a refusal, a curated answer), the model,
or whoever wrote the passage that its sentences were taken from."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_INVISIBLE = re.compile("[\x00-\x1f\x7f]")


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
    fields = _as_object(payload)
    text = _text(event, fields)
    room = _name(fields, "room") or sid
    received = fields.get("received")
    if received not in (None, "full", "ends"):
        raise _bad_field("received", "应为 'full' 或 'ends'", "'full' or 'ends'")
    return Request(
        event=event,
        text=text,
        sid=sid,
        room=room,
        dialogue=_name(fields, "dialogue") or room,
        upload_id=_name(fields, "upload_id"),
        stream=_flag(fields, "stream", default=True),
        request_id=_name(fields, "request_id") or uuid.uuid4().hex,
        token=_string(fields, "token", MAX_TOKEN),
        received=received or "full",
    )


def unparsed(event: str, payload: object, sid: str) -> Request:
    """The request to which the error frame of an unreadable payload belongs."""
    request_id = ""
    try:
        request_id = _name(_as_object(payload), "request_id")
    except RequestError:
        pass
    return Request(event, "", sid, sid, sid, request_id=request_id or uuid.uuid4().hex)


def request_id_of(payload: object) -> str:
    """The `request_id` that a control event names.

    Raises:
        RequestError: `bad_payload` or `bad_field`.
    """
    request_id = _name(_as_object(payload), "request_id")
    if not request_id:
        raise _bad_field("request_id", "必填", "required")
    return request_id


def frames(request: Request, pieces: Iterable[Piece], lang: str = "zh") -> Iterator[dict[str, Any]]:
    """Number the pieces of an answer and wrap them into frames (section 3).

    Guarantees that exactly one frame has a `finish_reason`, and that it is the last, as long as the
    pieces raise nothing. With `stream: false` all pieces are joined into one frame.
    """
    if not request.stream:
        pieces = [_join(pieces)]
    seq = 0
    for piece in pieces:
        ends = seq == 0 or piece.finish_reason is not None
        with_received = request.received == "full" or ends
        yield _frame(request, piece, seq, lang, with_received)
        if piece.finish_reason is not None:
            return
        seq += 1
    yield _frame(request, Piece(finish_reason="stop"), seq, lang, with_received=True)


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
    request: Request, piece: Piece, seq: int, lang: str, with_received: bool
) -> dict[str, Any]:
    data: dict[str, Any] = {
        "room": request.room,
        "delta": piece.delta,
        "finish_reason": piece.finish_reason,
        "received": _received(request, piece.received) if with_received else {},
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


def _as_object(payload: object) -> dict[str, Any]:
    if isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except (ValueError, RecursionError):
            payload = None
    if not isinstance(payload, dict):
        raise RequestError(
            "bad_payload",
            '请求应为对象，或该对象的 JSON 字符串，例如 {"text": "…"}',
            'the payload must be an object, or a string of JSON that holds one: {"text": "…"}',
        )
    return payload


def _text(event: str, fields: dict[str, Any]) -> str:
    text = fields.get("text")
    if text is None and event == "SUM_CS" and fields.get("upload_id"):
        return ""
    if not isinstance(text, str):
        raise _bad_field("text", "必填，应为字符串", "required, a string")
    if _SURROGATE.search(text):
        raise _bad_field("text", "含有不成对的代理字符", "holds half of a surrogate pair")
    text = text.replace("\x00", "").strip()
    limit = MAX_SUM_TEXT if event == "SUM_CS" else MAX_TEXT
    if len(text) > limit:
        raise RequestError(
            "text_too_long",
            f"文字过长:{len(text)} 个字符，最多 {limit} 个，请缩短后再发",
            f"the text has {len(text)} characters, {limit} are allowed: please shorten it",
        )
    if not text and not (event == "SUM_CS" and fields.get("upload_id")):
        raise _bad_field("text", "不能为空", "must not be empty")
    return text


def _string(fields: dict[str, Any], key: str, limit: int) -> str:
    value = fields.get(key)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit or _SURROGATE.search(value):
        raise _bad_field(
            key, f"应为不超过 {limit} 个字符的字符串", f"a string of at most {limit} characters"
        )
    return value


def _name(fields: dict[str, Any], key: str) -> str:
    """A room, dialogue, upload or request id. A number is taken as its text."""
    value = fields.get(key)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        fields = {key: _number_text(key, value)}
    name = _string(fields, key, MAX_NAME)
    if _INVISIBLE.search(name):
        raise _bad_field(key, "不能含控制字符", "no control characters")
    return name


def _number_text(key: str, value: int | float) -> str:
    try:
        return str(value)
    except ValueError:  # int of more digits than Python converts
        raise _bad_field(key, f"应为不超过 {MAX_NAME} 位", f"at most {MAX_NAME} digits") from None


def _flag(fields: dict[str, Any], key: str, *, default: bool) -> bool:
    value = fields.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise _bad_field(key, "应为 true 或 false", "true or false")
    return value


def _bad_field(key: str, zh: str, en: str) -> RequestError:
    return RequestError("bad_field", f"字段 {key}:{zh}", f"field {key}: {en}")
