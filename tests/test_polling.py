"""A client without WebSocket gets everything, in answers to polls that its library takes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import socketio
from payloads import OK
from servers import fake_server, text_of


def test_a_poll_is_answered_with_no_more_packets_than_clients_take(demo_index: Path) -> None:
    server = fake_server(demo_index, FAKE_TEXT="慢" * 200, FAKE_PAUSE_S="0.005")
    frames: list[dict[str, Any]] = []
    lost: list[object] = []
    client = socketio.Client(reconnection=False)
    get = client.eio._send_request

    def slowly(method: str, *args: Any, **how: Any) -> Any:
        time.sleep(0.9 if method == "GET" else 0)  # some thirty packets pile up
        return get(method, *args, **how)

    client.on("GEN_SS", lambda frame: frames.append(frame["data"]))
    client.on("disconnect", lambda *reason: lost.append(reason))
    client.connect(server.url, transports=["polling"])
    client.eio._send_request = slowly
    assert client.call("GEN_CS", {**OK, "received": "ends"}, timeout=30)["ok"]
    end = time.monotonic() + 30
    while not lost and not any(frame["finish_reason"] for frame in frames):
        assert time.monotonic() < end, frames
        time.sleep(0.05)
    assert not lost
    frames.sort(key=lambda frame: frame["seq"])
    assert text_of(frames) == "慢" * 200
    client.disconnect()
    assert server.stop() == 0
