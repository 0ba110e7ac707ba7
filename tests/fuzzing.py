"""Packets that no client should send, and one that sends them."""

from __future__ import annotations

import base64
import json
import os
import random
import re
import socket
import threading
from typing import Any

import websocket
from hypothesis import strategies as st
from servers import Server

from pocketqa.protocol import EVENTS

CONTROLS = ("STOP_CS", "RESUME_CS", "HISTORY_CS", "FEEDBACK_CS")
DIALOGUES = ("DIALOGUES_CS", "RENAME_CS", "DELETE_CS")
OTHERS = ("connect", "disconnect", "message", "__disconnect_final", "*", "", "CHAT_SS", "QUEUE_SS")
ASCII = {"ensure_ascii": True}

Packet = list[str | bytes]
"""A text frame, and the binary ones that belong to it."""

strings = st.one_of(
    st.sampled_from(
        ["", "你好", "r1", "大厅", "../x", "\x00", "\ud800", "\u202e", "' OR 1=1 --", "%"]
    ),
    st.sampled_from(
        ["9" * 5000, "x" * 201, "长" * 4001, "a" * 20001, "{}", "null", '{"text": "a"}']
    ),
    st.text(max_size=30),
)
numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([0, -1, 2**53, 2**63, 10**400, -(10**30), 1e308, float("nan")]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, strings)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(strings, inner, max_size=4),
    max_leaves=8,
)
right: dict[str, st.SearchStrategy[Any]] = {
    "text": st.sampled_from(["你好", "身份证丢了怎么办?", "谢谢", "x" * 3999]),
    "room": st.sampled_from(["大厅", "r", "room:大厅", 7]),
    "dialogue": st.sampled_from(["d", "大厅", "e"]),
    "upload_id": st.sampled_from(["", "u" * 43]),
    "stream": st.booleans(),
    "request_id": st.sampled_from(["r1", "r2", "r3"]),
    "token": st.sampled_from(["", "WyJhIiwiYiJd.x", "x"]),
    "received": st.sampled_from(["full", "ends"]),
    "after": st.integers(-1, 40),
    "before": st.integers(0, 50),
    "limit": st.integers(1, 100),
    "vote": st.sampled_from(["up", "down", ""]),
    "reason": strings,
    "title": strings,
    "sid": strings,
}


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    """A request of the protocol in which some fields are not what they should be."""
    fields = {name: draw(right[name]) for name in draw(st.sets(st.sampled_from([*right])))}
    for name in draw(st.sets(st.sampled_from([*right]), max_size=2)):
        fields[name] = draw(junk)
    if draw(st.integers(0, 5)) == 0:
        fields[draw(strings)] = draw(junk)
    return fields


payloads = st.one_of(
    objects(),
    objects(),
    objects().map(lambda fields: json.dumps(fields)),
    objects().map(lambda fields: json.dumps(fields, ensure_ascii=False)[:-1]),
    junk,
    st.sampled_from(["[" * 2000, "[" * 100_000, '{"a":' * 5000, "\ufeff{}", "NaN"]),
)


@st.composite
def events(draw: st.DrawFn) -> str:
    """An event in Socket.IO's form: `42["CHAT_CS",{…}]`, often with an acknowledgement's id."""
    named = st.sampled_from([*EVENTS, *EVENTS, *CONTROLS, *CONTROLS, *DIALOGUES, *OTHERS])
    name: object = draw(st.one_of(named, named, named, named, named, junk))
    arguments = draw(st.lists(payloads, min_size=0, max_size=2))
    id = draw(st.sampled_from(["", "1", "7", "77", "9" * 20, "9" * 200]))
    return f"42{id}{json.dumps([name, *arguments])}"


@st.composite
def broken(draw: st.DrawFn) -> str:
    """An event with some of its characters lost, doubled or replaced."""
    text = list(draw(events()))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(text) - 1)))
        text[at : at + draw(st.integers(0, 5))] = draw(st.text(max_size=3))
    return "".join(text)


@st.composite
def attached(draw: st.DrawFn) -> Packet:
    """An event with binary attachments, of which some may be missing."""
    count = draw(st.sampled_from([0, 1, 1, 2, 3, 11, 10**9]))
    holder = {"_placeholder": True, "num": draw(st.sampled_from([0, 0, 1, -1, 10**9, "x", None]))}
    event = draw(st.sampled_from([*EVENTS, *CONTROLS]))
    text = f"45{count}-" + json.dumps([event, {"text": holder, "request_id": "r1"}, holder])
    return [text, *draw(st.lists(st.binary(max_size=20), max_size=min(count, 3)))]


packets: st.SearchStrategy[Packet] = st.one_of(
    *[events().map(lambda text: [text])] * 8,
    *[broken().map(lambda text: [text])] * 2,
    attached(),
    st.text(max_size=40).map(lambda text: [text]),
    st.binary(max_size=40).map(lambda data: [data]),
    st.sampled_from(["2", "2probe", "3", "5", "6", "4", "40", "40{}", "43[]", "431[1]", "44", "46"])
    .map(lambda text: [text]),
    st.sampled_from(["42[]", "42{}", "42[[]]", "42[{}]", '42/x,["CHAT_CS"]', "40/x,", "41/x,"])
    .map(lambda text: [text]),
    st.sampled_from(["1", "41", "41", "40", "40", "40"]).map(lambda text: [text]),
)  # fmt: skip


def varied(packet: Packet, by: random.Random) -> Packet:
    """A packet with pieces of JSON lost, doubled or swapped, or single characters changed."""
    text, *rest = packet
    if not isinstance(text, str) or not text:
        return packet
    pieces = re.split(r'([\[\]{}:,"])', text[:3000])
    for _ in range(by.randrange(3)):
        one, two = by.randrange(len(pieces)), by.randrange(len(pieces))
        match by.randrange(5):
            case 0:
                pieces[one], pieces[two] = pieces[two], pieces[one]
            case 1:
                pieces[one] = pieces[two]
            case 2:
                pieces[one] = ""
            case 3:
                pieces[one] += by.choice(["1", "null", "[]", '"', "\\u0000", "-", "\\ud800", "{}"])
            case _:
                pieces[one] = pieces[one][::-1]
    return ["".join(pieces), *rest]


class Talker:
    """A raw Engine.IO connection over WebSocket; keeps what comes, and comes again when dropped."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.heard: list[str] = []
        self.connections = self.sent = self.replies = 0
        self._acked = threading.Condition()
        self._id = self._settled = 10**9
        self._first = self._id + 1
        self._connect()

    def say(self, packet: Packet) -> None:
        """Send a packet."""
        self.sent += 1
        for part in packet:
            try:
                if isinstance(part, str):
                    data = part.encode("utf-8", "surrogatepass")
                    self._client.send(data, websocket.ABNF.OPCODE_TEXT)
                else:
                    self._client.send_binary(part)
            except (websocket.WebSocketException, OSError):
                self._connect()

    def settle(self) -> None:
        """Wait until the server has dealt with all that was sent, or has dropped the connection.

        It is asked again and again: the last packets may have left the namespace, or have announced
        attachments that never came, for which it takes what comes instead.
        """
        for _ in range(30):
            self.say(["40"])
            self._id += 1
            self.say([f'42{self._id}["HISTORY_CS",{{"dialogue":"settle"}}]'])
            with self._acked:
                self._acked.wait_for(lambda: self._settled >= self._first or self._lost, 1)
                if self._settled >= self._first:
                    self._first = self._id + 1
                    return
                lost = self._lost
            if lost:
                self._connect()
        raise AssertionError("the server does not answer any more")

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
        self._thread.join(5)

    def _connect(self) -> None:
        if self.connections:
            self.close()
        address = f"ws://127.0.0.1:{self._server.port}/socket.io/?EIO=4&transport=websocket"
        client = websocket.create_connection(address, timeout=30, suppress_origin=True)
        self._client, self._socket, self._lost = client, client.sock, False
        self.connections += 1
        client.send("40")
        self._thread = threading.Thread(target=self._read, args=(client,), daemon=True)
        self._thread.start()

    def _read(self, client: Any) -> None:
        try:
            while True:
                text = client.recv()
                if not text:
                    break
                if text == "2":
                    client.send("3")
                with self._acked:
                    self.replies += 1
                    self.heard.append(text)
                    if text.startswith("431") and len(id := text[2:].partition("[")[0]) == 10:
                        self._settled = max(self._settled, int(id))
                        self._acked.notify_all()
        except (websocket.WebSocketException, OSError, ValueError):
            pass
        with self._acked:
            self._lost = self._client is client
            self._acked.notify_all()


HANDSHAKE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: " + base64.b64encode(os.urandom(16)) + b"\r\n\r\n"
)
FRAMES = [
    b"\x81\x02hi", b"\x81\x82\0\0\0\0hi", b"\x89\xfe\x10\x00", b"\x8f\x80\0\0\0\0",
    b"\xf1\x80\0\0\0\0", b"\x80\x80\0\0\0\0", b"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x81\x82\0\0\0\0\xff\xfe",
    b"\x01\x82\0\0\0\x0040", b"\x88\x80\0\0\0\0", b"\x88\x81\0\0\0\0\0", b"\x82\x81\0\0\0\0\x00",
]  # fmt: skip
"""WebSocket frames: unmasked, too long, of no kind, unfinished, not UTF-8, closing …"""


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """What comes over the wire before or after WebSocket's handshake, damaged."""
    data = bytearray(draw(st.sampled_from([HANDSHAKE, HANDSHAKE, HANDSHAKE[:60], b""])))
    for _ in range(draw(st.integers(0, 2))):
        if data:
            at = draw(st.integers(0, len(data) - 1))
            data[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=4))
    for _ in range(draw(st.integers(1, 4))):
        data += draw(st.one_of(st.sampled_from(FRAMES), st.binary(max_size=60)))
    return bytes(data)


def poured(server: Server, data: bytes) -> bytes:
    """What the server says to these bytes, until it hangs up or nothing comes for a moment."""
    said = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=0.05) as connection:
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                said += part
        except OSError:
            pass
    return said
