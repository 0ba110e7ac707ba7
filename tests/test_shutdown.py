"""The end and the beginning of real servers: what runs gets its last frame, what comes is told."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import socketio
from fake_openai import FakeOpenAI
from servers import ROOT, Client, Connect, Server, fake_server, text_of

QUESTION = {"text": "身份证丢了应该怎么办?"}
TEXT = "身份证丢失的,应当向常住户口所在地的公安机关申请补领,并交验居民户口簿。"
Start = Callable[..., Server]


@pytest.fixture
def start(demo_index: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts servers whose model takes 50 ms a character, over one database."""
    servers: list[Server] = []

    def make(**env: str) -> Server:
        own = {"FAKE_PAUSE_S": "0.05", "POCKETQA_DATABASE_URL": f"sqlite:///{tmp_path}/kept.db"}
        servers.append(fake_server(demo_index, **{**own, **env}))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


def turns(tmp_path: Path) -> dict[str, tuple[str, str]]:
    """State and answer of each turn on the disk, by its request."""
    with sqlite3.connect(tmp_path / "kept.db") as database:
        rows = database.execute("select request_id, state, answer from turns").fetchall()
    database.close()
    return {name: (state, answer) for name, state, answer in rows}


def ask(client: Client, request_id: str) -> None:
    """Ask, and wait for the first words."""
    assert client.send({**QUESTION, "request_id": request_id})["ok"]
    client.wait(lambda: text_of(client.of(request_id)))


def test_running_answers_end_and_new_requests_are_told(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    server = start(POCKETQA_LOG_FORMAT="json")
    client, idle = connect(server), connect(server)
    ask(client, "before")
    waiting = idle.send({**QUESTION, "request_id": "waiting"})
    assert waiting["position"] == 1, "one is answered at a time"
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    refused = idle.send({**QUESTION, "request_id": "after"})["error"]
    assert refused["code"] == "model_unavailable" and refused["retry_after_s"] > 0
    assert "重新启动" in refused["message"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port), timeout=2)
    for each, request_id in ((client, "before"), (idle, "waiting")):
        frames = each.answer(request_id)
        assert text_of(frames) == TEXT and frames[-1]["finish_reason"] == "stop"
    assert server.process.wait(10) == 0
    kept = turns(tmp_path)
    assert kept == {"before": ("stop", TEXT), "waiting": ("stop", TEXT)}


def test_what_takes_longer_than_the_grace_is_stopped(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    server = start(POCKETQA_GRACE_S="0.4", FAKE_TEXT=TEXT * 50)
    client = connect(server)
    ask(client, "long")
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    frames = client.answer("long", 10)
    assert frames[-1]["finish_reason"] == "abort" and time.monotonic() - began < 3
    assert server.process.wait(10) == 0
    assert turns(tmp_path)["long"] == ("abort", text_of(frames))


def test_a_second_signal_ends_at_once_and_the_turn_is_marked(
    start: Start, connect: Connect, tmp_path: Path
) -> None:
    server = start(FAKE_TEXT=TEXT * 50)
    client = connect(server)
    ask(client, "long")
    time.sleep(1.5)  # what has been said is written each second
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert server.process.poll() is None
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(5) == 128 + signal.SIGTERM
    assert time.monotonic() - began < 1
    start()
    state, answer = turns(tmp_path)["long"]
    assert state == "cut" and answer and answer in text_of(client.of("long"))


def test_an_idle_server_ends_at_once_and_its_clients_look_for_another(
    start: Start,
) -> None:
    server = start()
    client, reasons = socketio.Client(reconnection=False), list[str]()
    client.on("disconnect", reasons.append)
    client.connect(server.url, transports=["websocket"])
    websocket = client.eio.ws
    began = time.monotonic()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(5) == 0 and time.monotonic() - began < 3
    client.wait()
    websocket.shutdown()
    # After "server disconnect" a client would not come back by itself.
    assert reasons == [client.reason.TRANSPORT_ERROR]


def test_a_client_that_polls_gets_its_last_frame(start: Start) -> None:
    server = start()
    client, frames = socketio.Client(reconnection=False), list[dict[str, Any]]()
    client.on("CHAT_SS", lambda frame: frames.append(frame["data"]))
    client.connect(server.url, transports=["polling"])
    assert client.call("CHAT_CS", QUESTION)["ok"]
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0
    client.disconnect()
    assert text_of(frames) == TEXT and frames[-1]["finish_reason"] == "stop"


def ready(url: str) -> tuple[int, dict[str, Any]]:
    try:
        with urllib.request.urlopen(url + "/ready", timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_while_the_model_loads_only_it_is_missing(demo_index: Path, connect: Connect) -> None:
    command = [sys.executable, str(ROOT / "tests" / "fake_server.py")]
    env = {"POCKETQA_INDEX": str(demo_index), "POCKETQA_PORT": "0", "FAKE_LOAD_S": "4"}
    server = Server(command, env, r"(http://\S+) 正在加载")
    try:
        status, state = ready(server.url)
        assert status == 503 and state["model"] == "loading"
        assert (state["ready"], state["index"], state["database"]) == (False, "open", "open")
        clients = [connect(server) for _ in range(4)]
        for number, client in enumerate(clients):
            failed = client.ask({"text": "写一段通知", "request_id": f"g{number}"}, "GEN_CS")
            assert failed[-1]["error"]["code"] == "model_unavailable"
            given = client.ask({**QUESTION, "request_id": f"c{number}"})
            assert given[-1]["received"]["clue"]["way"] == "extracted"
        assert ready(server.url)[1]["model"] == "loading", "else nothing was tested"
        end = time.monotonic() + 15
        while ready(server.url)[0] != 200:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert text_of(clients[0].ask({"text": "写一段通知"}, "GEN_CS")) == TEXT
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_gunicorn_ends_likewise(
    demo_index: Path, tmp_path: Path, connect: Connect, twice: bool
) -> None:
    fake = FakeOpenAI(pause_s=0.1)
    env = {
        "POCKETQA_INDEX": str(demo_index), "POCKETQA_HOME": str(tmp_path),
        "POCKETQA_ENGINE_URL": fake.url, "POCKETQA_LOG_FORMAT": "json",
        "POCKETQA_DATABASE_URL": f"sqlite:///{tmp_path}/kept.db",
    }  # fmt: skip
    options = ["--bind", "127.0.0.1:0", "-c", "deploy/gunicorn.conf.py", "wsgi:app"]
    command = [sys.executable, "-m", "gunicorn", *options]
    server = Server(command, env, r'Listening at: (http://[^\s"]+)')
    try:
        end = time.monotonic() + 60
        while ready(server.url)[0] != 200:
            assert time.monotonic() < end
            time.sleep(0.1)
        with urllib.request.urlopen(server.url + "/metrics", timeout=60) as response:
            assert b"pocketqa_hub_late_seconds_count" in response.read()
        client = connect(server)
        ask(client, "before")
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.4)
        assert client.send(QUESTION)["error"]["code"] == "model_unavailable"
        began = time.monotonic()
        if twice:
            server.process.send_signal(signal.SIGTERM)
        else:
            assert client.answer("before")[-1]["finish_reason"] == "stop"
        assert server.process.wait(15) == 0
        if twice:
            assert time.monotonic() - began < 2
        else:
            assert turns(tmp_path)["before"] == ("stop", text_of(client.of("before")))
        for line in server.output[1:]:  # the first comes before our settings
            assert json.loads(line)["level"]
    finally:
        server.stop()
        fake.stop()
