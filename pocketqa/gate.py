"""The way in, before anybody has said who they are: proxies' headers, connections held open, and
bytes that are no packets."""

from __future__ import annotations

import logging
from collections import Counter
from functools import partial
from typing import Any

from engineio.exceptions import EngineIOError
from werkzeug.middleware.proxy_fix import ProxyFix

ENTRY_S = 20.0
"""A connection that has not been let in after so long is closed."""

PACKETS = tuple("0123456")
"""What packets of Engine.IO begin with."""

log = logging.getLogger(__name__)


def behind(proxies: int, app: Any) -> Any:
    """`app` as the client reached it, by the `X-Forwarded-*` of so many proxies.

    Each proxy appends to `X-Forwarded-For`; the others are taken from the nearest.
    """
    return ProxyFix(app, x_for=proxies, x_proto=1, x_host=1) if proxies else app


class Gate:
    """Bounds the connections of an address that hold on without being let in, and ends those that
    send what are no packets.

    A connection over the limit is told so when it says who it is. Therefore some more are taken
    than the limit says, and closed if they stay; what is beyond those gets status 401.

    At what is no packet Engine.IO would leave a WebSocket half open, or wait for ever for a client
    that polls, and write a traceback into the log for each.

    Args:
        server: the Socket.IO server.
        per_address: connections from one address at once; 0 for no limit.
    """

    def __init__(self, server: Any, per_address: int) -> None:
        self._server, self._most = server, 2 * per_address + 8 if per_address else 0
        self._opened = server.eio.handlers["connect"]
        self._closed = server.eio.handlers["disconnect"]
        self._addresses: dict[str, str] = {}
        self._count: Counter[str] = Counter()
        server.eio.on("connect", self._open)
        server.eio.on("disconnect", self._close)
        self._said = server.eio.handlers["message"]
        server.eio.on("message", self._hear)
        self._handle = server.eio.handle_request
        server.eio.handle_request = self._handle_request

    def _open(self, id: str, environ: dict[str, Any]) -> Any:
        address = environ.get("REMOTE_ADDR", "")
        if self._most and self._count[address] >= self._most:
            return "来自您地址的连接过多 too many connections from your address"
        self._addresses[id] = address
        self._count[address] += 1
        socket = self._server.eio.sockets[id]
        socket.handle_post_request = partial(self._post, socket)
        self._server.start_background_task(self._expect, id)
        return self._opened(id, environ)

    def _close(self, id: str, *reason: Any) -> Any:
        address = self._addresses.pop(id, None)
        if address is not None:
            self._count[address] -= 1
            if not self._count[address]:
                del self._count[address]
        return self._closed(id, *reason)

    def _hear(self, id: str, data: Any) -> Any:
        # What was still on its way when the connection was closed is for nobody.
        return self._said(id, data) if id in self._addresses else None

    def _expect(self, id: str) -> None:
        self._server.sleep(ENTRY_S)
        if id in self._addresses and self._server.manager.sid_from_eio_sid(id, "/") is None:
            self._server.eio.disconnect(id)

    def _handle_request(self, environ: dict[str, Any], start_response: Any) -> Any:
        websocket = environ.get("wsgi.websocket")
        if websocket is not None:
            environ["wsgi.websocket"] = _WebSocket(websocket)
        elif environ.get("HTTP_UPGRADE", "").lower() == "websocket":
            start_response("400 Bad Request", [])  # the handshake was none
            return []
        return self._handle(environ, start_response)

    def _post(self, socket: Any, environ: dict[str, Any]) -> None:
        try:
            type(socket).handle_post_request(socket, environ)
        except (EngineIOError, ValueError, KeyError) as error:
            log.info("a client posts what are no packets: disconnected")
            reason = self._server.eio.reason.TRANSPORT_ERROR
            socket.close(wait=False, abort=True, reason=reason)
            raise EngineIOError("no packets") from error


class _WebSocket:
    """A WebSocket that ends at what is no packet."""

    def __init__(self, websocket: Any) -> None:
        self._websocket = websocket

    def receive(self) -> Any:
        """The next message; None where there is none any more."""
        message = self._websocket.receive()
        if isinstance(message, str) and message[:1] not in PACKETS:
            log.info("a client sends what is no packet: disconnected")
            return None
        return message

    def __getattr__(self, name: str) -> Any:
        return getattr(self._websocket, name)
