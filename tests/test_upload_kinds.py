"""Every kind of file, and files made to do harm, through the HTTP route of a running server.

The hostile ones are sent while five clients chat: nobody there may notice.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hostile_files import CHARACTERS, HOSTILE, SECONDS, UPLOAD_MB, Hostile
from real_files import REAL, TEXT, Real
from servers import ROOT, Client, Server, fake_server, text_of

from pocketqa.client import upload
from pocketqa.config import Config
from pocketqa.errors import PocketQAError
from pocketqa.passages import page_of
from pocketqa.uploads import MAX_FILENAME, Uploads

QUESTION = "身份证丢了应该怎么办?"
HEALTH_S = 5.0
"""What /health may take at worst: two cores are shared by the server, two readers and the tests."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def server(home: Path, demo_index: Path) -> Iterator[Server]:
    running = fake_server(
        demo_index,
        POCKETQA_HOME=str(home),
        POCKETQA_UPLOAD_MB=str(UPLOAD_MB),
        POCKETQA_UPLOAD_CHARACTERS=str(CHARACTERS),
        POCKETQA_UPLOAD_SECONDS=str(SECONDS),
        POCKETQA_MAX_STREAMS="5",
    )
    yield running
    running.stop()


def send(url: str, filename: str, data: bytes) -> dict[str, Any]:
    """What the server says: of the upload, or `{"status": …, "code": …, "message": …}`."""
    try:
        return upload(url, filename, data)
    except PocketQAError as error:
        return {"status": error.details["status"], "code": error.code, "message": error.zh}


def send_all(server: Server, files: Sequence[tuple[str, Callable[[], bytes]]]) -> list[Any]:
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda file: send(server.url, file[0], file[1]()), files))


@pytest.fixture(scope="module")
def real(server: Server) -> dict[str, dict[str, Any]]:
    """What the server says of each real file."""
    said = send_all(server, [(file.filename, lambda file=file: file.data) for file in REAL])
    return dict(zip((file.filename for file in REAL), said, strict=True))


@pytest.mark.parametrize("file", REAL, ids=lambda file: file.filename)
def test_a_real_file_is_read_and_found_in(
    file: Real, real: dict[str, dict[str, Any]], home: Path
) -> None:
    said = real[file.filename]
    assert "upload_id" in said, said
    assert (said["filename"], said["size"], said["pages"]) == (
        file.filename, len(file.data), file.pages,
    )  # fmt: skip
    assert said["passages"] >= 1 and said["warnings"] == []
    found = Uploads(Config(home=home)).find(said["upload_id"])
    assert found is not None
    best = found.retriever.retrieve(file.question, 3)[0]
    assert file.answer in best.passage.text
    assert page_of(best.passage) == file.page
    assert best.score >= Config().min_score
    blocks = found.blocks()
    assert any(file.answer in text for text, page in blocks if page == file.page)
    assert sum(len(text) for text, _ in blocks) == said["characters"]


@dataclass
class Watch:
    """What went on beside the uploads."""

    answers: list[list[dict[str, Any]]] = field(default_factory=list)
    health_s: list[float] = field(default_factory=list)
    faults: list[BaseException] = field(default_factory=list)


@pytest.fixture(scope="module")
def attacked(server: Server) -> tuple[dict[str, dict[str, Any]], Watch]:
    """What the server says of each hostile file, sent while five clients chat."""
    over, watch = threading.Event(), Watch()
    clients = [Client(server.url) for _ in range(5)]

    def keeping(work: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                while not over.is_set():
                    work()
            except BaseException as error:
                watch.faults.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def health() -> None:
        began = time.monotonic()
        with urllib.request.urlopen(server.url + "/health", timeout=30) as answer:
            assert answer.status == 200
        watch.health_s.append(time.monotonic() - began)
        time.sleep(0.1)

    threads = [keeping(health)]
    threads += [
        keeping(lambda client=client: watch.answers.append(client.ask({"text": QUESTION})))
        for client in clients
    ]
    try:
        said = send_all(server, [(file.filename, file.make) for file in HOSTILE])
    finally:
        over.set()
        for thread in threads:
            thread.join()
        for client in clients:
            client.close()
    return dict(zip((file.label for file in HOSTILE), said, strict=True)), watch


@pytest.mark.parametrize("file", HOSTILE, ids=lambda file: file.label)
def test_a_hostile_file_gets_its_error(
    file: Hostile, attacked: tuple[dict[str, dict[str, Any]], Watch]
) -> None:
    said = attacked[0][file.label]
    assert said.get("status", 201) == file.status, said
    assert said.get("code", "") in file.code.split("|"), said
    if file.status == 201:
        name = said["filename"]
        assert not set("/\\\0") & set(name) and len(name) <= MAX_FILENAME
        assert name.endswith((".txt", ".html"))
    else:
        assert len(said["message"]) >= 5


def test_chats_go_on_undisturbed(attacked: tuple[dict[str, dict[str, Any]], Watch]) -> None:
    _, watch = attacked
    assert watch.faults == []
    assert len(watch.answers) >= 10
    for frames in watch.answers:
        assert frames[-1]["finish_reason"] == "stop"
        # The client hands frames to a thread each, which may overtake one another.
        assert "公安机关" in text_of(sorted(frames, key=lambda frame: frame["seq"]))
    assert len(watch.health_s) > 10 and max(watch.health_s) < HEALTH_S


def test_the_client_uploads_and_asks(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "办法.txt"
    file.write_text(TEXT, encoding="utf-8")
    command = ["client", "127.0.0.1", str(server.port), "要提前多久预约？", "--event", "CHAT_CS"]
    done = subprocess.run(
        [sys.executable, "-m", "pocketqa", *command, "--upload", str(file)],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = json.loads(done.stderr.splitlines()[0])
    assert said["filename"] == "办法.txt" and said["characters"] > 50
    last = json.loads(done.stdout.splitlines()[-1])["data"]
    assert last["finish_reason"] == "stop" and last["received"]["clue"]["type"] == "文件依据:"
    gone = urllib.request.Request(f"{server.url}/upload/{said['upload_id']}", method="DELETE")
    with urllib.request.urlopen(gone, timeout=30) as answer:
        assert answer.status == 204


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(PocketQAError) as caught:
        upload("http://127.0.0.1:9", "a.txt", b"x")
    assert caught.value.code == "cannot_connect"


def test_nothing_is_left_but_what_was_kept(
    attacked: tuple[dict[str, dict[str, Any]], Watch], real: object, home: Path
) -> None:
    kept = [folder.name for folder in (home / "uploads").iterdir()]
    assert len(kept) == len(REAL) + sum(file.status == 201 for file in HOSTILE)
    assert not [name for name in kept if name.startswith(".")]
    assert not (home.parent / "etc").exists()
