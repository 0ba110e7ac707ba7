"""Real server processes for tests, and a client that collects what they send."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import socketio

ROOT = Path(__file__).resolve().parent.parent
START_S = 120
READY = r"(http://\S+) 已就绪"


class Server:
    """A server process; `url` once it is ready, `output` what it printed."""

    def __init__(
        self, command: list[str], env: dict[str, str], ready: str, cwd: Path = ROOT
    ) -> None:
        self.output: list[str] = []
        self._scratch = tempfile.TemporaryDirectory(prefix="pocketqa-test-")
        database = f"sqlite:///{self._scratch.name}/pocketqa.db"
        self._ready = re.compile(ready)
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                "POCKETQA_DATABASE_URL": database,
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self._wait()

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        finally:
            self._reader.join(5)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self._scratch.cleanup()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)

    def _wait(self) -> str:
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            for line in list(self.output):
                if found := self._ready.search(line):
                    return found[1]
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        self.process.kill()
        self.stop()
        raise AssertionError("the server did not start:\n" + "".join(self.output))


def fake_server(index: Path, **env: str) -> Server:
    """The real server with a scripted model in place of the real one; ready within a second.

    It answers one question at a time, so that others wait, unless `POCKETQA_MAX_STREAMS` is set.
    """
    command = [sys.executable, str(ROOT / "tests" / "fake_server.py")]
    own = {"POCKETQA_INDEX": str(index), "POCKETQA_PORT": "0", "POCKETQA_MAX_STREAMS": "1"}
    return Server(command, {**own, **env}, READY)


def real_server(index: Path, **env: str) -> Server:
    """`pocketqa serve` with the real default model."""
    command = [sys.executable, "-m", "pocketqa", "serve", "--port", "0"]
    return Server(command, {"POCKETQA_INDEX": str(index), **env}, READY)


class Client:
    """A python-socketio client that keeps every frame with the time it came."""

    def __init__(self, url: str, auth: dict[str, str] | None = None) -> None:
        self.frames: list[tuple[float, dict[str, Any]]] = []
        self.places: list[dict[str, Any]] = []
        self.sio = socketio.Client(reconnection=False)
        # It would handle each packet in a thread of its own, which changes their order.
        trigger = self.sio.eio._trigger_event

        def in_order(event: str, *args: Any, **how: Any) -> Any:
            return trigger(event, *args, **(how if event != "message" else {}))

        self.sio.eio._trigger_event = in_order
        self._came = threading.Condition()
        for event in ("CHAT_SS", "QA_SS", "SUM_SS", "GEN_SS"):
            self.sio.on(event, self._keep)
        self.sio.on("QUEUE_SS", self._place)
        self.sio.connect(url, transports=["websocket"], auth=auth)

    @property
    def sid(self) -> str:
        return str(self.sio.get_sid())

    def _keep(self, frame: dict[str, Any]) -> None:
        with self._came:
            self.frames.append((time.monotonic(), frame["data"]))
            self._came.notify_all()

    def _place(self, frame: dict[str, Any]) -> None:
        with self._came:
            self.places.append(frame["data"])
            self._came.notify_all()

    def ask(
        self, payload: Any, event: str = "CHAT_CS", timeout: float = 60
    ) -> list[dict[str, Any]]:
        """Send, and return the frames of the answer."""
        ack = self.send(payload, event)
        return self.answer(ack.get("request_id") or self._last_id(), timeout)

    def send(self, payload: Any, event: str = "CHAT_CS") -> dict[str, Any]:
        """Send, and return the acknowledgement."""
        ack: dict[str, Any] = self.sio.call(event, payload, timeout=30)
        return ack

    def answer(self, request_id: str, timeout: float = 60) -> list[dict[str, Any]]:
        """Wait for the last frame of a request; all its frames."""
        self.wait(lambda: any(f["finish_reason"] for f in self.of(request_id)), timeout)
        return self.of(request_id)

    def of(self, request_id: str) -> list[dict[str, Any]]:
        return [data for _, data in self.frames if data["request_id"] == request_id]

    def wait(self, condition: Any, timeout: float = 60) -> None:
        """Wait until `condition()` holds."""
        with self._came:
            assert self._came.wait_for(condition, timeout), f"timed out; frames: {self.frames}"

    def vanish(self) -> None:
        """Lose the connection, without a word to the server."""
        websocket = self.sio.eio.ws
        websocket.sock.shutdown(socket.SHUT_RDWR)
        while self.sio.connected:
            time.sleep(0.005)
        websocket.shutdown()

    def close(self) -> None:
        """Disconnect, and close what the library leaves open when the server went first."""
        websocket = self.sio.eio.ws
        self.sio.disconnect()
        if websocket is not None:
            websocket.shutdown()

    def _last_id(self) -> str:
        self.wait(lambda: self.frames)
        return str(self.frames[-1][1]["request_id"])


Connect = Callable[..., Client]
"""The fixture `connect`: a connected client of a server."""


def text_of(frames: list[dict[str, Any]]) -> str:
    """The answer: the concatenation of all deltas."""
    return "".join(frame["delta"] for frame in frames)
