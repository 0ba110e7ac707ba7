"""What is no handshake, and no packet, is refused in a line of the log; the server goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import websocket
from attacker import http_request
from fuzzing import poured
from servers import Connect, Server, fake_server

PATH = "/socket.io/?EIO=4&transport=websocket"
RIGHT = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@pytest.fixture(scope="module")
def server(demo_index: Path) -> Iterator[Server]:
    running = fake_server(demo_index)
    yield running
    assert running.stop() == 0
    assert "Traceback" not in "".join(running.output), "".join(running.output)


def request(version: str = "HTTP/1.1", **changed: str) -> bytes:
    headers = {**RIGHT, **{name.replace("_", "-"): value for name, value in changed.items()}}
    lines = [f"{name}: {value}" for name, value in headers.items() if value]
    return "\r\n".join((f"GET {PATH} {version}", *lines, "", "")).encode("latin-1")


def test_a_right_one_is_accepted(server: Server) -> None:
    assert poured(server, request()).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    "wrong",
    [
        {"Sec_WebSocket_Key": ""},
        {"Sec_WebSocket_Key": "x"},
        {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZQ=\x84"},
        {"Sec_WebSocket_Key": "dGhlIHNhbXBsZSBub25jZ"},
        {"Sec_WebSocket_Version": ""},
        {"Sec_WebSocket_Version": "99"},
        {"Connection": "close"},
        {"version": "HTTP/1.0"},
        {"version": "HTTP/1"},
        {"version": "HTTP/\x84"},
    ],
)
def test_a_wrong_one_is_refused(server: Server, wrong: dict[str, str]) -> None:
    assert poured(server, request(**wrong))[8:10] == b" 4", wrong


@pytest.mark.parametrize("sent", ["\x94", "", "b!", "²", "x", "4null", "4", "4[", "42[", "7"])
def test_what_is_no_packet(server: Server, connect: Connect, sent: str) -> None:
    client = websocket.create_connection(f"ws://127.0.0.1:{server.port}{PATH}", timeout=5)
    with client.sock:
        client.send("40")
        assert json.loads(client.recv()[1:])["sid"] and client.recv().startswith("40")
        client.send(sent)
        try:
            client.send('427["DIALOGUES_CS",{}]')
            client.recv()
        except (websocket.WebSocketException, OSError):
            pass
    assert connect(server).ask({"text": "你好"})[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize("sent", [b"\x94", b"", b"b!", b"\xff\xfe", b"4null", b"d=x", b"2" * 99])
def test_what_is_no_poll(server: Server, connect: Connect, sent: bytes) -> None:
    polling = PATH.replace("websocket", "polling")
    _, _, opened = http_request(server, "GET", polling)
    sid = json.loads(opened[1:])["sid"]
    status, _, text = http_request(server, "POST", f"{polling}&sid={sid}", {}, sent)
    assert status in (200, 400) and "Traceback" not in text
    assert connect(server).ask({"text": "你好"})[-1]["finish_reason"] == "stop"
