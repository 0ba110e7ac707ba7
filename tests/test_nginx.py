"""The sample for nginx, with a real nginx before two instances."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
import socketio
from conftest import missing
from servers import ROOT, Server, fake_server, text_of

Front = tuple[str, list[Server]]
QUESTION = {"text": "身份证丢了应该怎么办?"}
CONF = """
pid {folder}/pid; error_log {folder}/error.log; daemon off;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {sample}
}}
"""


@pytest.fixture(scope="module")
def front(demo_index: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    """nginx's address, and the instances behind it."""
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if nginx is None:
        missing("nginx (Debian's nginx-light)")
    folder = tmp_path_factory.mktemp("nginx")
    servers = [fake_server(demo_index, POCKETQA_PROXIES="1") for _ in range(2)]
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    sample = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    for ours, theirs in (
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("127.0.0.1:6006", f"127.0.0.1:{servers[0].port}"),
        ("127.0.0.1:6007", f"127.0.0.1:{servers[1].port}"),
    ):
        assert ours in sample
        sample = sample.replace(ours, theirs)
    (folder / "nginx.conf").write_text(CONF.format(folder=folder, sample=sample))
    process = subprocess.Popen([nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")])
    url = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(url + "/health", timeout=20).read()
            break
        except OSError:
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
    yield url, servers
    process.terminate()
    process.wait(10)
    for server in servers:
        server.stop()


def connections(server: Server) -> float:
    with urllib.request.urlopen(server.url + "/metrics", timeout=20) as response:
        lines = response.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("pocketqa_clients "))


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_both_instances_answer_and_a_browser_stays_with_one(front: Front, transport: str) -> None:
    url, servers = front
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
    url, servers = front
    assert status(f"{url}/metrics") == 403
    assert status(f"{servers[0].url}/metrics") == 200
    assert status(f"{url}/ready") == 200
    assert status(f"{url}/upload", b"x") == 400
    with closing(socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])))) as raw:
        raw.sendall(b"POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 30000000\r\n\r\n")
        assert b" 413 " in raw.recv(200)


def test_another_origin_does_not_connect(front: Front) -> None:
    url = f"{front[0]}/socket.io/?EIO=4&transport=polling"
    assert status(url, origin=front[0]) == 200
    assert status(url, origin="http://evil.example") == 400


def test_when_one_ends_the_other_goes_on(front: Front) -> None:
    url, servers = front
    assert servers[0].stop() == 0
    assert [status(f"{url}/ready") for _ in range(6)] == [200] * 6
