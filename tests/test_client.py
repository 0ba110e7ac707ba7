"""`pocketqa client` against a real server, also over a connection that breaks."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from servers import ROOT, Connect, Server, fake_server

from pocketqa import client
from pocketqa.errors import PocketQAError

LONG = "".join(chr(0x4E00 + n) for n in range(120))
ASK = {"text": "请写一篇文章"}


@pytest.fixture(scope="module")
def server(demo_index: Path) -> Iterator[Server]:
    """Answers of two seconds, one at a time."""
    made = fake_server(demo_index, FAKE_TEXT=LONG, FAKE_PAUSE_S="0.015")
    yield made
    assert made.stop() == 0


class Cable:
    """A connection to the server that can be cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break every connection."""
        for end in self._ends:
            _shut(end)
        self._ends.clear()

    def close(self) -> None:
        """Break every connection, for good."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._port))
            self._ends += [near, far]
            self._threads.append(threading.Thread(target=_copy, args=(near, far), daemon=True))
            self._threads.append(threading.Thread(target=_copy, args=(far, near), daemon=True))
            for thread in self._threads[-2:]:
                thread.start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    _shut(sink)
    source.close()


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


def test_an_answer_goes_on_when_its_connection_breaks(server: Server) -> None:
    cable = Cable(server.port)
    frames: list[dict[str, Any]] = []
    told: list[str] = []

    def show(frame: dict[str, Any]) -> None:
        frames.append(frame["data"])
        if len(frames) in (5, 15):
            cable.cut()

    try:
        reason = client.ask(cable.url, ASK, "GEN_CS", show, lambda what, data: told.append(what))
    finally:
        cable.close()
    assert reason == "stop" and "".join(frame["delta"] for frame in frames) == LONG
    assert [frame["seq"] for frame in frames] == list(range(len(frames)))
    assert told == ["acknowledged", "resumed", "resumed"]


def test_it_is_said_when_the_answer_is_lost(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "AGAIN_S", (0.1, 0.1))
    cable = Cable(server.port)
    with pytest.raises(PocketQAError) as caught:
        client.ask(cable.url, ASK, "GEN_CS", lambda frame: cable.close())
    assert caught.value.code == "cannot_connect"


def pocketqa(server: Server, *arguments: str) -> tuple[list[Any], list[str]]:
    """Run `pocketqa client`: what it printed, and what it said beside that."""
    done = subprocess.run(
        [sys.executable, "-m", "pocketqa", "client", "127.0.0.1", str(server.port), *arguments],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.splitlines()


def test_asking_coming_back_reading_and_voting(server: Server) -> None:
    frames, said = pocketqa(server, "你好")
    ack = json.loads(said[0])["acknowledged"]
    named = ["--token", ack["token"]]
    again, said = pocketqa(server, "--resume", ack["request_id"], *named)
    assert again == frames and json.loads(said[0])["resumed"]["ended"]
    assert pocketqa(server, "--vote", ack["request_id"], "--up", *named)[0][0]["vote"] == "up"
    where = ["--dialogue", ack["dialogue"], *named]
    pocketqa(server, "谢谢", *where)
    turns, _ = pocketqa(server, "--history", *where)
    assert [(turn["question"], turn["vote"]) for turn in turns] == [("你好", "up"), ("谢谢", "")]


def test_the_place_in_the_line(server: Server, connect: Connect) -> None:
    first = connect(server).send(ASK, "GEN_CS")
    assert first["position"] == 0
    _, said = pocketqa(server, "请写一首诗", "GEN_CS")
    if json.loads(said[0])["acknowledged"]["position"]:  # else it came late
        assert said[1:] == ["轮到您了 / your turn"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ([], "--resume"),
        (["你好", "--history"], "--resume"),
        (["--resume", "never"], "对话记录"),
        (["--vote", "never", "--down"], "没有这个回答"),
        (["--history", "--dialogue", "a", "--token", "forged"], "token"),
    ],
)
def test_what_cannot_be_done_is_said(server: Server, arguments: list[str], word: str) -> None:
    printed, said = pocketqa(server, *arguments)
    assert not printed and any(word in line for line in said)


def test_a_key_is_needed(demo_index: Path) -> None:
    strict = fake_server(demo_index, POCKETQA_REQUIRE_KEY="true")
    try:
        for more in ([], ["--key", "wrong"]):
            printed, said = pocketqa(strict, "你好", *more)
            assert not printed and "密钥" in said[0]
    finally:
        strict.stop()
