"""What connections have not read yet. Whoever leaves too much of it is disconnected.

Engine.IO keeps a queue of packets for each connection, without a limit, and a connection whose
client has vanished blocks in `send` for ever. So the queues are counted here, and connections cut.
"""

from __future__ import annotations

import logging
import socket as sockets
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

UNSENT_BYTES = 32_768
"""What the operating system takes of a connection beyond what is on its way."""

MOST_AT_ONCE = 16
"""Packets of one answer to a poll: python-engineio's own clients take no more, and hang up."""

log = logging.getLogger(__name__)

_WEBSOCKET = "pocketqa_websocket"
"""Where an Engine.IO socket keeps the WebSocket that it was upgraded to."""


class Backlogs:
    """The backlog of every connection of a Socket.IO server.

    Args:
        server: `flask_socketio.SocketIO.server`.
        limit: bytes that a client may leave unread.
        start: starts a function in a greenlet of its own.
    """

    def __init__(self, server: Any, limit: int, start: Callable[..., Any]) -> None:
        self._server, self._engine, self._limit, self._start = server, server.eio, limit, start
        self._make_queue: Callable[..., Any] = self._engine.create_queue
        self._handle: Callable[..., Any] = self._engine.handle_request
        self._engine.create_queue = self._new_queue
        self._engine.handle_request = self._handle_request

    def unread(self, sid: str) -> int:
        """Bytes that connection `sid` has not taken yet; 0 when there is no such connection."""
        return self.unread_of(self._server.manager.eio_sid_from_sid(sid, "/"))

    def unread_of(self, engine_sid: str | None) -> int:
        """The same, by Engine.IO's own id."""
        socket = self._engine.sockets.get(engine_sid)
        return socket.queue.unread if socket and isinstance(socket.queue, _Queue) else 0

    def drop(self, engine_sid: str | None) -> None:
        """End a connection at once, whatever has been sent to it."""
        socket = self._engine.sockets.get(engine_sid)
        if socket is None:
            return
        websocket = getattr(socket, _WEBSOCKET, None)
        if websocket is None:
            websocket = self._server.environ.get(engine_sid, {}).get("wsgi.websocket")
        if websocket is not None:
            # Its writer may be in `send`, which ends with this.
            with suppress(OSError, AttributeError):
                websocket.handler.socket.shutdown(sockets.SHUT_RDWR)
        socket.close(wait=False, abort=True, reason=self._engine.reason.SERVER_DISCONNECT)

    def _new_queue(self) -> _Queue:
        empty = self._engine.get_queue_empty_exception()
        return _Queue(self._make_queue(), self._limit, self._overflow, empty)

    def _overflow(self, queue: _Queue) -> None:
        for engine_sid, socket in list(self._engine.sockets.items()):
            if socket.queue is queue:
                log.warning("a client leaves %d bytes unread: disconnected", queue.unread)
                self._start(self.drop, engine_sid)  # whoever is sending has others to serve

    def _handle_request(self, environ: dict[str, Any], start_response: Any) -> Any:
        websocket = environ.get("wsgi.websocket")
        if websocket is not None:
            _limit_kernel(websocket)
            for sid in parse_qs(environ.get("QUERY_STRING", "")).get("sid", ()):
                if socket := self._engine.sockets.get(sid):
                    setattr(socket, _WEBSOCKET, websocket)
        return self._handle(environ, start_response)


class _Queue:
    """A connection's queue, counted. What has been taken counts until more is asked for: only then
    has it been written."""

    def __init__(
        self,
        queue: Any,
        limit: int,
        overflow: Callable[[_Queue], None],
        empty: type[Exception],
    ) -> None:
        self.unread = 0
        self._empty, self._at_once = empty, 0
        self._queue, self._limit, self._overflow = queue, limit, overflow
        self._taken = 0
        self._is_full = False

    def put(self, packet: Any, *args: Any, **kwargs: Any) -> None:
        """Add a packet. One packet may be as large as it likes: that is not the reader's fault."""
        size = _size(packet)
        if size and self.unread > self._limit:
            if not self._is_full:
                self._is_full = True
                self._overflow(self)
            return
        self.unread += size
        self._queue.put(packet, *args, **kwargs)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take a packet."""
        if block:
            self.unread -= self._taken
            self._taken = self._at_once = 0
        elif self._at_once == MOST_AT_ONCE:
            raise self._empty
        packet = self._queue.get(block, timeout)
        self._taken += _size(packet)
        self._at_once += 1
        return packet

    def task_done(self) -> None:
        """See `queue.Queue.task_done`."""
        self._queue.task_done()

    def join(self) -> None:
        """See `queue.Queue.join`."""
        self._queue.join()


def _limit_kernel(websocket: Any) -> None:
    """Let the operating system take what it can send, not megabytes for whoever does not read."""
    option = getattr(sockets, "TCP_NOTSENT_LOWAT", None)
    if option is not None:
        with suppress(OSError, AttributeError):
            websocket.handler.socket.setsockopt(sockets.IPPROTO_TCP, option, UNSENT_BYTES)


def _size(packet: Any) -> int:
    data = getattr(packet, "data", None)
    return len(data.encode()) if isinstance(data, str) else len(data) if data else 0
