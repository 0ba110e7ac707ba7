"""Clients that read slowly, never, or have vanished, against a real server process."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket
from payloads import OK
from servers import Connect, Server, fake_server, text_of
from test_resume import check

LONG = "慢" * 300


@pytest.fixture(scope="module")
def server(demo_index: Path) -> Iterator[Server]:
    """Answers of some 90 frames in three seconds; whoever leaves 256 KiB unread is disconnected."""
    made = fake_server(
        demo_index, FAKE_TEXT=LONG, FAKE_PAUSE_S="0.01", POCKETQA_MAX_STREAMS="8",
        POCKETQA_BACKLOG_KB="256", POCKETQA_RATE="off", POCKETQA_KEEP_ANSWERING_S="60",
        POCKETQA_ANSWERS_PER_CONNECTION="100", POCKETQA_GRACE_S="1",
    )  # fmt: skip
    yield made
    assert made.stop() == 0


class Reader:
    """A WebSocket that is read by hand, and whose system keeps little."""

    def __init__(self, server: Server) -> None:
        self.ws = websocket.create_connection(
            f"ws://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket",
            sockopt=((socket.SOL_SOCKET, socket.SO_RCVBUF, 4096),),
            timeout=30,
        )
        self.ws.recv()
        self.ws.send("40")
        self.sid = json.loads(self.ws.recv()[2:])["sid"]
        self.frames: list[dict[str, Any]] = []

    def emit(self, event: str, payload: dict[str, Any]) -> None:
        self.ws.send(f"42{json.dumps([event, payload])}")

    def read(self) -> dict[str, Any] | None:
        """The next frame of an answer; None where a packet is something else."""
        packet = self.ws.recv()
        if not packet.startswith("42"):
            return None
        event, frame = json.loads(packet[2:])
        if event not in ("CHAT_SS", "GEN_SS"):
            return None
        self.frames.append(frame["data"])
        return self.frames[-1]

    def is_cut_off(self, within_s: float) -> bool:
        """Whether the server ends the connection; what it had sent is read."""
        self.ws.settimeout(within_s)
        try:
            while True:
                if self.ws.recv() == "":
                    return True
        except (websocket.WebSocketConnectionClosedException, ConnectionError):
            return True
        except websocket.WebSocketTimeoutException:
            return False


def unread(server: Server) -> int:
    """How many readers the server has disconnected."""
    return sum("unread: disconnected" in line for line in list(server.output))


def test_who_never_reads_is_dropped_and_the_others_get_everything_in_order(
    server: Server, connect: Connect
) -> None:
    deaf, listener, asker = Reader(server), connect(server), connect(server)
    deaf.emit("CHAT_CS", {"text": "你好", "room": "hall"})
    deaf.read()
    listener.ask({"text": "你好", "room": "hall"})
    ids = [asker.send({**OK, "room": "hall"})["request_id"] for _ in range(8)]
    for request_id in ids:
        asker.answer(request_id)
        listener.answer(request_id)
        check(listener.of(request_id))
        assert listener.of(request_id) == asker.of(request_id)
        assert text_of(asker.of(request_id)) == LONG
    assert unread(server) == 1
    assert deaf.is_cut_off(5)
    deaf.ws.close()


def test_a_slow_reader_gets_joined_deltas_and_all_of_the_text(
    server: Server, connect: Connect
) -> None:
    quick = connect(server)
    frames = quick.ask(OK)
    slow = Reader(server)
    slow.emit("CHAT_CS", OK)
    while not slow.frames or slow.frames[-1]["finish_reason"] is None:
        if slow.read():
            time.sleep(0.15)
    check(slow.frames)
    assert text_of(slow.frames) == text_of(frames) == LONG
    assert len(slow.frames) < len(frames) / 2
    slow.ws.close()


def test_a_slow_follower_gets_every_frame(server: Server, connect: Connect) -> None:
    first = connect(server)
    ack = first.send(OK)
    whole = first.answer(ack["request_id"])
    slow = Reader(server)
    payload = {"request_id": ack["request_id"], "token": ack["token"]}
    slow.emit("RESUME_CS", payload)
    while len(slow.frames) < len(whole):
        if slow.read() and len(slow.frames) < 30:
            time.sleep(0.02)
    assert slow.frames == whole
    slow.ws.close()


def test_many_readers_that_never_read_do_not_stay(server: Server, connect: Connect) -> None:
    deaf, said = [Reader(server) for _ in range(10)], unread(server)
    for reader in deaf:
        for _ in range(3):
            reader.emit("CHAT_CS", {**OK, "room": "crowd"})
    end = time.monotonic() + 60
    while unread(server) < said + len(deaf) and time.monotonic() < end:
        time.sleep(0.1)
    assert all(reader.is_cut_off(10) for reader in deaf)
    assert text_of(connect(server).ask({"text": "你好"}))
    for reader in deaf:
        reader.ws.close()
