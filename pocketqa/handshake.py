"""HTTP requests that become a WebSocket, or are none: gevent's handler, made safe from any bytes.

For some of what is no handshake the libraries raise, and write a traceback into the log.
"""

from __future__ import annotations

from typing import Any

from geventwebsocket.handler import WebSocketHandler


class Handler(WebSocketHandler):
    """Answers a wrong handshake with status 400."""

    def read_request(self, raw_requestline: str) -> Any:
        """See pywsgi; "HTTP/1", without a minor version, is a bad request."""
        try:
            return super().read_request(raw_requestline)
        except IndexError:
            return False

    def upgrade_websocket(self) -> list[bytes] | None:
        """See geventwebsocket; what is said to who did it wrong."""
        try:
            said = super().upgrade_websocket()
        except ValueError:  # of the key: not Base64, not ASCII
            self.start_response("400 Bad Request", [])
            said = ["Sec-WebSocket-Key"]
        return [part.encode() for part in said] if said else None


def use_in_gunicorn() -> None:
    """Let gunicorn's worker, in whose process this is, handle its requests likewise."""
    from geventwebsocket.gunicorn.workers import GeventWebSocketWorker

    GeventWebSocketWorker.wsgi_handler = Handler
