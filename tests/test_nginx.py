"""The sample for nginx, with a real nginx before two instances."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
import socketio
from nginx import Front
from servers import Server, fake_server, text_of

QUESTION = {"text": "身份证丢了应该怎么办?"}


@pytest.fixture(scope="module")
def front(demo_index: Path, nginx_binary: str) -> Iterator[Front]:
    """nginx before two instances that know nothing of each other."""
    made = Front(nginx_binary, [fake_server(demo_index, POCKETQA_PROXIES="1") for _ in range(2)])
    yield made
    assert made.stop() == 0


def connections(server: Server) -> float:
    with urllib.request.urlopen(server.url + "/metrics", timeout=20) as response:
        lines = response.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("pocketqa_clients "))


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_both_instances_answer_and_a_browser_stays_with_one(front: Front, transport: str) -> None:
    url, servers = front.url, front.servers
    clients = []
    for number in range(12):
        session = requests.Session()  # what it has, each of a client's requests sends
        session.cookies.set("pocketqa", f"browser-{number}")
        client, frames = socketio.Client(reconnection=False, http_session=session), []
        client.on("CHAT_SS", lambda frame, to=frames: to.append(frame["data"]))
        client.connect(url, transports=[transport])
        assert client.transport() == transport
        clients.append((client, frames))
    assert all(connections(server) for server in servers)
    client, frames = clients[0]
    assert client.call("CHAT_CS", QUESTION, timeout=20)["ok"]
    end = time.monotonic() + 20
    while not (frames and frames[-1]["finish_reason"]):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert text_of(frames)
    for client, _ in clients:
        websocket = client.eio.ws
        client.disconnect()
        if websocket is not None:
            websocket.shutdown()


def status(url: str, data: bytes | None = None, origin: str = "") -> int:
    request = urllib.request.Request(url, data, {"Origin": origin} if origin else {})
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_figures_are_hidden_and_uploads_bounded(front: Front) -> None:
    url, servers = front.url, front.servers
    assert status(f"{url}/metrics") == 403
    assert status(f"{servers[0].url}/metrics") == 200
    assert status(f"{url}/ready") == 200
    assert status(f"{url}/upload", b"x") == 400
    with closing(socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])))) as raw:
        raw.sendall(b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 30000000\r\n\r\n")
        assert b" 413 " in raw.recv(200)


def test_another_origin_does_not_connect(front: Front) -> None:
    url = f"{front.url}/socket.io/?EIO=4&transport=polling"
    assert status(url, origin=front.url) == 200
    assert status(url, origin="http://evil.example") == 400


def test_when_one_ends_the_other_goes_on(front: Front) -> None:
    url, servers = front.url, front.servers
    assert servers[0].stop() == 0
    assert [status(f"{url}/ready") for _ in range(6)] == [200] * 6
