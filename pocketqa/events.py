"""Socket.IO handlers, thin: check, accept, acknowledge; a greenlet of its own sends the frames."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from flask import request as connection
from flask_socketio import ConnectionRefusedError, SocketIO

from . import answering, protocol
from .answering import ANSWERS
from .delivery import Delivery
from .errors import PocketQAError, RequestError, fault
from .identity import COOKIE, Ownership
from .observing import Observer
from .origins import Origins
from .protocol import EVENTS, Piece, Received, Request
from .running import Answer, Running
from .services import Services
from .visitors import Visitors, language
from .watch import Watch

log = logging.getLogger(__name__)


class Events:
    """The handlers of connections and questions."""

    def __init__(
        self,
        socketio: SocketIO,
        services: Services,
        ownership: Ownership,
        running: Running,
        delivery: Delivery,
        visitors: Visitors,
        origins: Origins,
        observer: Observer,
    ) -> None:
        self._socketio, self._services = socketio, services
        self._observer = observer
        self._ownership, self._running = ownership, running
        self._delivery = delivery
        self._visitors, self._origins = visitors, origins
        self._watch = Watch(socketio, running, delivery, services.config.keep_answering_s)
        socketio.on_event("connect", self.connect)
        socketio.on_event("disconnect", self.disconnect)
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

    def disconnect(self, *reason: object) -> None:
        """Comes when a client has gone: what only it would read is not computed for long."""
        sid = _sid()
        if self._delivery.is_connected(sid):
            return  # a client's own event of that name
        self._visitors.leave(sid)
        self._delivery.leave(sid, vanished="ping timeout" in reason)

    def _handler(self, event: str) -> Any:
        def handle(*payload: object) -> dict[str, Any]:
            return self._accept(event, payload[0] if payload else None)

        return handle

    def _accept(self, event: str, payload: object) -> dict[str, Any]:
        """Accept a request and start its answer, or refuse it with an error frame."""
        sid = _sid()
        lang = self._visitors.lang(sid)
        try:
            visitor = self._visitors.of(sid)
            request = protocol.parse(event, payload, sid)
            answering.check(request, self._services)
            self._check_room(request)
            key = self._ownership.key(request, visitor.identity)
            self._visitors.ask(visitor)
            answer = Answer(request, key, lang)
            position = self._running.add(answer)
        except PocketQAError as error:
            refused = self._refused(event, payload, sid)
            self._observer.refused(refused, error)
            for frame in protocol.frames(refused, [_error_piece(error)], lang):
                self._delivery.refuse(sid, event, frame)
            return protocol.refusal(error, lang)
        self._delivery.open(answer)
        acknowledged = protocol.acknowledgement(request, position, self._ownership.token(key))
        self._socketio.start_background_task(self._serve, answer)
        self._watch.start()
        return acknowledged

    def _serve(self, answer: Answer) -> None:
        """Send the frames of one answer; whatever fails, exactly one of them is the last."""
        request = answer.request
        with self._observer.answering(request) as seen:
            try:
                answers = ANSWERS[request.event]
                pieces = answers(request, answer.key, self._services, answer.cancellation)
                for frame in protocol.frames(request, guarded(request, pieces), answer.lang):
                    seen.frame(frame)
                    self._delivery.send(answer, frame)
                    if frame["data"]["finish_reason"] is None:
                        self._delivery.let_read(answer)
            finally:
                self._running.remove(answer)

    def _refused(self, event: str, payload: object, sid: str) -> Request:
        """The request that an error frame belongs to; not one that is running under its name."""
        request = protocol.unparsed(event, payload, sid)
        if any(self._hears(answer, sid) for answer in self._running.named(request.request_id)):
            request = protocol.unparsed(event, None, sid)
        return request

    def _hears(self, answer: Answer, sid: str) -> bool:
        request_id = answer.request.request_id
        return (
            answer.request.sid == sid
            or self._delivery.is_in(sid, answer.heard_in)
            or sid in self._delivery.followers(answer.heard_in, request_id)
        )

    def _check_room(self, request: Request) -> None:
        if not request.named_room:
            return
        room, others = request.room, self._running.elsewhere
        if self._delivery.is_connected(room) or others.has(room):
            raise RequestError(
                "forbidden_room",
                "字段 room:这是其他连接的私有房间",
                "field room: this is the private room of another connection",
            )


def guarded(request: Request, pieces: Iterator[Piece]) -> Iterator[Piece]:
    """`pieces`, with whatever they raise as a last piece; unexpected faults get a reference."""
    received = Received()
    try:
        for piece in pieces:
            received = piece.received
            yield piece
    except PocketQAError as error:
        yield _error_piece(error, received)
    except Exception:
        failed = fault()
        reference = failed.details["reference"]
        log.exception("%s %s failed, reference %s", request.event, request.request_id, reference)
        yield _error_piece(failed, received)


def _error_piece(error: PocketQAError, received: Received | None = None) -> Piece:
    return Piece("", "error", received or Received(), error)


def _sid() -> str:
    sid: str = connection.sid  # type: ignore[attr-defined]
    return sid
