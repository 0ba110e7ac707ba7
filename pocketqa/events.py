"""Socket.IO handlers, thin: check, accept, acknowledge; a greenlet of its own sends the frames."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterator
from typing import Any

from flask import request as connection
from flask_socketio import ConnectionRefusedError, SocketIO, join_room

from . import answering, commands, protocol
from .answering import ANSWERS
from .dialogue import Key
from .errors import PocketQAError, RequestError
from .identity import COOKIE, Ownership
from .origins import Origins
from .protocol import EVENTS, Piece, Received, Request
from .running import Answer, Running
from .services import Services
from .visitors import Visitors, language

log = logging.getLogger(__name__)


class Events:
    """The handlers and what they hold: who is connected, and running answers."""

    def __init__(
        self,
        socketio: SocketIO,
        services: Services,
        ownership: Ownership,
        running: Running,
        visitors: Visitors,
        origins: Origins,
    ) -> None:
        self._socketio, self._services = socketio, services
        self._ownership, self._running = ownership, running
        self._visitors, self._origins = visitors, origins
        socketio.on_event("connect", self.connect)
        socketio.on_event("disconnect", self.disconnect)
        socketio.on_event("STOP_CS", self.stop_cs)
        for event in EVENTS:
            socketio.on_event(event, self._handler(event))

    def connect(self, auth: object = None) -> None:
        """Sent by every client first: `auth.lang` chooses the language, `auth.key` says who it is.

        Raises:
            ConnectionRefusedError: the message, and the protocol's error object.
        """
        trusted = self._origins.trust(connection.environ)
        cookie = connection.cookies.get(COOKIE, "") if trusted else ""
        try:
            self._visitors.enter(_sid(), connection.remote_addr or "", auth, cookie)
        except PocketQAError as error:
            lang = language(auth)
            refused = protocol.error_object(error, lang)
            raise ConnectionRefusedError(error.message(lang), refused) from None

    def disconnect(self, *_: object) -> None:
        """Comes when a client has gone: what only it would read is not computed any more."""
        sid = _sid()
        if self._socketio.server.manager.is_connected(sid, "/"):
            return  # a client's own event of that name
        self._visitors.leave(sid)
        for answer in self._running.of(sid):
            if not self._has_others(answer.request.room, sid):
                answer.cancellation.cancel()

    def stop_cs(self, payload: object = None, *_: object) -> dict[str, Any]:
        """Sent by the asker, or anybody in a named room, to stop an answer: `{request_id}`."""
        sid = _sid()
        try:
            self._visitors.of(sid)
            request_id = commands.named(payload).request_id
            answers = [
                answer
                for answer in self._running.named(request_id)
                if self._may_stop(answer.request, sid)
            ]
            if not answers:
                raise RequestError(
                    "bad_field",
                    "字段 request_id:没有这个正在进行的回答",
                    "field request_id: no such answer is running",
                )
        except PocketQAError as error:
            return protocol.refusal(error, self._lang(sid))
        for answer in answers:
            answer.cancellation.cancel()
        return {"ok": True, "request_id": request_id}

    def _handler(self, event: str) -> Any:
        def handle(*payload: object) -> dict[str, Any]:
            return self._accept(event, payload[0] if payload else None)

        return handle

    def _accept(self, event: str, payload: object) -> dict[str, Any]:
        """Accept a request and start its answer, or refuse it with an error frame."""
        sid = _sid()
        lang = self._lang(sid)
        try:
            visitor = self._visitors.of(sid)
            request = protocol.parse(event, payload, sid)
            answering.check(request, self._services)
            self._check_room(request)
            key = self._ownership.key(request, visitor.identity)
            self._visitors.ask(visitor)
            answer = Answer(request, lang)
            position = self._running.add(answer)
        except PocketQAError as error:
            refused = self._refused(event, payload, sid)
            for frame in protocol.frames(refused, [_error_piece(error)], lang):
                self._emit(refused, frame)
            return protocol.refusal(error, lang)
        if request.named_room:
            join_room(request.room)
        self._socketio.start_background_task(self._serve, answer, key)
        return protocol.acknowledgement(request, position, self._ownership.token(key))

    def _serve(self, answer: Answer, key: Key) -> None:
        """Send the frames of one answer; whatever fails, exactly one of them is the last."""
        request, began = answer.request, time.monotonic()
        frame: dict[str, Any] = {}
        try:
            answers = ANSWERS[request.event]
            pieces = answers(request, key, self._services, answer.cancellation)
            for frame in protocol.frames(request, guarded(request, pieces), answer.lang):
                self._emit(request, frame)
        finally:
            self._running.remove(answer)
            log.info(
                "%s %s: %s, %d frames, %.2f s",
                request.event,
                request.request_id,
                frame["data"]["finish_reason"] if frame else "lost",
                frame["data"]["seq"] + 1 if frame else 0,
                time.monotonic() - began,
            )

    def _refused(self, event: str, payload: object, sid: str) -> Request:
        """The request that an error frame belongs to; not one that is running under its name."""
        request = protocol.unparsed(event, payload, sid)
        if any(answer.request.sid == sid for answer in self._running.named(request.request_id)):
            request = protocol.unparsed(event, None, sid)
        return request

    def _emit(self, request: Request, frame: dict[str, Any]) -> None:
        self._socketio.emit(EVENTS[request.event], frame, to=request.room)

    def _check_room(self, request: Request) -> None:
        manager = self._socketio.server.manager
        if request.named_room and manager.is_connected(request.room, "/"):
            raise RequestError(
                "forbidden_room",
                "字段 room:这是其他连接的私有房间",
                "field room: this is the private room of another connection",
            )

    def _has_others(self, room: str, sid: str) -> bool:
        participants = self._socketio.server.manager.get_participants("/", room)
        return any(other != sid for other, _ in participants)

    def _may_stop(self, request: Request, sid: str) -> bool:
        participants = self._socketio.server.manager.get_participants("/", request.room)
        return any(other == sid for other, _ in participants)

    def _lang(self, sid: str) -> str:
        return self._visitors.lang(sid)


def guarded(request: Request, pieces: Iterator[Piece]) -> Iterator[Piece]:
    """`pieces`, with whatever they raise as a last piece; unexpected faults get a reference."""
    received = Received()
    try:
        for piece in pieces:
            received = piece.received
            yield piece
    except PocketQAError as error:
        log.info("%s %s: %s", request.event, request.request_id, error.code)
        yield _error_piece(error, received)
    except Exception:
        reference = secrets.token_hex(4)
        log.exception("%s %s failed, reference %s", request.event, request.request_id, reference)
        fault = PocketQAError(
            "internal",
            f"系统内部错误，请稍后再试；如需反馈请提供编号 {reference}",
            f"internal error, please try again; when reporting it give the reference {reference}",
            reference=reference,
        )
        yield _error_piece(fault, received)


def _error_piece(error: PocketQAError, received: Received | None = None) -> Piece:
    return Piece("", "error", received or Received(), error)


def _sid() -> str:
    sid: str = connection.sid  # type: ignore[attr-defined]
    return sid
