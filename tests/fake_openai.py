"""A scripted OpenAI-compatible server: what it says, how it fails, and what it saw."""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TEXT = "请带上户口簿,到派出所申请补领。"


@dataclass
class Script:
    """What the next answers are like.

    Attributes:
        first_s: silence before the headers.
        pause_s: time for a character.
        ending: `stop`, `length`, another finish_reason; `none` leaves it out, `cut` drops the
            connection, `error` sends an error event.
        status: other than 200: `body` is sent with it, and `headers`.
    """

    text: str = TEXT
    first_s: float = 0.0
    pause_s: float = 0.0
    ending: str = "stop"
    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    models: list[str] = field(default_factory=lambda: ["fake-7b"])
    models_status: int = 200
    models_body: str = ""


class FakeOpenAI:
    """Serves on a free port from the beginning."""

    def __init__(self, **script: Any) -> None:
        self._lock = threading.Lock()
        self.begin_anew(**script)
        self.start(0)
        self.port = int(self._http.server_address[1])
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def begin_anew(self, **script: Any) -> None:
        """Another script; forget what was seen."""
        self.script = Script(**script)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.closed = 0  # answers that the client closed before their end
        self.running = self.most = self.said = 0

    def start(self, port: int) -> None:
        """Come (back)."""
        self.connections: list[socket.socket] = []
        self._http = _Server(("127.0.0.1", port), _handler(self))
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Go away: no more answers, and those that run break off."""
        self._http.shutdown()
        self._http.server_close()
        for connection in self.connections:
            _drop(connection)

    def count(self, by: int) -> None:
        """Note that an answer begins (1) or ends (-1)."""
        with self._lock:
            self.running += by
            self.most = max(self.most, self.running)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class _Gone(Exception):
    pass


def _drop(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def _handler(fake: FakeOpenAI) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            script = fake.script
            rows = [{"id": name, "object": "model"} for name in script.models]
            self._whole(
                script.models_status,
                script.models_body or json.dumps({"object": "list", "data": rows}),
            )

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            fake.requests.append(json.loads(self.rfile.read(length)))
            fake.headers.append({name.lower(): value for name, value in self.headers.items()})
            fake.connections.append(self.connection)
            self.close_connection = True
            fake.count(1)
            try:
                self._answer(fake.script)
            except (_Gone, OSError):
                fake.closed += 1
            finally:
                fake.count(-1)

        def _answer(self, script: Script) -> None:
            self._pause(script.first_s)
            if script.status != 200:
                self._whole(script.status, script.body, script.headers)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._event(_chunk({"role": "assistant", "content": ""}))
            for char in script.text:
                self._pause(script.pause_s)
                fake.said += 1
                self._event(_chunk({"content": char}))
            if script.ending == "cut":
                _drop(self.connection)
                return
            if script.ending == "error":
                self._event({"error": {"message": "worker died", "code": 500}})
            elif script.ending != "none":
                self._event(_chunk({}, script.ending))
            self._raw(b"data: [DONE]\n\n")
            self.wfile.write(b"0\r\n\r\n")

        def _pause(self, seconds: float) -> None:
            """Wait, and notice a client that closes meanwhile."""
            end = time.monotonic() + seconds
            while seconds and (left := end - time.monotonic()) > 0:
                if select.select([self.connection], [], [], left)[0]:
                    raise _Gone

        def _event(self, data: dict[str, Any]) -> None:
            self._raw(b"data: " + json.dumps(data, ensure_ascii=False).encode() + b"\n\n")

        def _raw(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

        def _whole(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

    return Handler


def _chunk(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {
        "id": "c", "object": "chat.completion.chunk", "created": 0, "model": "fake-7b",
        "choices": [choice],
    }  # fmt: skip
