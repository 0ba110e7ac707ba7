"""The routes and the store of uploads: languages, other sites, expiry, restarts, crashes."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from fakes import FakeModel, FakeRetriever
from flask import Flask
from flask.testing import FlaskClient
from hostile_files import endless_pdf
from papers import scanned, zipped
from real_files import ANSWER, QUESTION, TEXT

from pocketqa import confinement, kinds, uploads
from pocketqa.app import create_app
from pocketqa.config import Config
from pocketqa.engine import Engine
from pocketqa.errors import PocketQAError, RequestError
from pocketqa.passages import Passage, page_of
from pocketqa.readers import ocr
from pocketqa.uploads import Uploads, clean_name


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = Engine(FakeModel)
    made.wait()
    yield made
    made.close()


@pytest.fixture
def app(tmp_path: Path, engine: Engine) -> Flask:
    return create_app(Config(home=tmp_path), FakeRetriever(), engine)


def post(client: FlaskClient, name: str, data: bytes, url: str = "/upload", **kw: Any) -> Any:
    return client.post(url, data={"file": (io.BytesIO(data), name), **kw.pop("form", {})}, **kw)


def create(store: Uploads, name: str = "办法.txt", text: str = TEXT) -> uploads.Upload:
    return store.create(name, io.BytesIO(text.encode()))


def test_an_upload_is_kept_found_and_deleted(app: Flask, tmp_path: Path) -> None:
    client, store = app.test_client(), app.extensions["uploads"]
    response = post(client, "a/b/办法.txt", TEXT.encode())
    said = response.get_json()
    assert response.status_code == 201
    assert said["filename"] == "办法.txt" and said["size"] == len(TEXT.encode())
    assert said["pages"] is None and said["passages"] == 1
    found = store.find(said["upload_id"])
    assert ANSWER in found.retriever.retrieve(QUESTION)[0].passage.text
    assert found.retriever.smalltalk("你好") is None
    again = Uploads(Config(home=tmp_path))
    assert again.find(found.id) == found, "a restart loses nothing"
    assert client.delete(f"/upload/{found.id}").status_code == 204
    assert store.find(found.id) is None and again.find(found.id) is None
    for use in (lambda: found.retriever.retrieve("押金"), found.blocks):
        with pytest.raises(RequestError) as caught:
            use()
        assert caught.value.code == "unknown_upload"
    assert client.delete(f"/upload/{found.id}").status_code == 404
    assert list((tmp_path / "uploads").iterdir()) == []


@pytest.mark.parametrize(
    ("headers", "query", "form", "word"),
    [
        ({}, "", {}, "不支持"),
        ({"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}, "", {}, "不支持"),
        ({"Accept-Language": "en-US,en;q=0.9"}, "", {}, "not read"),
        ({"Accept-Language": "fr"}, "", {}, "不支持"),
        ({}, "?lang=en", {}, "not read"),
        ({"Accept-Language": "zh"}, "", {"lang": "en"}, "not read"),
    ],
)
def test_errors_are_in_the_language_that_is_wanted(
    app: Flask, headers: dict[str, str], query: str, form: dict[str, str], word: str
) -> None:
    response = post(app.test_client(), "a.exe", b"x", "/upload" + query, headers=headers, form=form)
    assert response.status_code == 415 and word in response.get_json()["error"]["message"]


def test_requests_that_are_none(app: Flask) -> None:
    client = app.test_client()
    for kw in (
        {},
        {"data": b"x", "content_type": "application/json"},
        {"data": {"other": (io.BytesIO(b"x"), "a.txt")}},
        {"data": b"no boundary", "content_type": "multipart/form-data"},
        {"data": b"--x\r\nbroken", "content_type": "multipart/form-data; boundary=x"},
    ):
        response = client.post("/upload", **kw)  # type: ignore[arg-type]
        assert response.status_code == 400
        assert response.get_json()["error"]["code"] == "bad_field"
    assert client.get("/upload").status_code == 405


def test_other_sites_may_not_upload(app: Flask) -> None:
    client = app.test_client()
    for origin, status in (("https://evil.example", 403), ("null", 403), ("http://localhost", 415)):
        assert post(client, "a.exe", b"", headers={"Origin": origin}).status_code == status
    deleted = client.delete("/upload/" + "a" * 43, headers={"Origin": "https://evil.example"})
    assert deleted.status_code == 403


@pytest.mark.parametrize(
    "upload_id",
    ["", ".", "..", "../x", "a" * 42, "a" * 44, "a" * 42 + "/", "a" * 42 + "\n", "é" * 43],
)
def test_an_id_is_no_path(tmp_path: Path, upload_id: str) -> None:
    store = Uploads(Config(home=tmp_path))
    assert store.find(upload_id) is None and store.delete(upload_id) is False


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("a.txt", "a.txt"),
        ("/etc/passwd", "passwd"),
        ("..\\..\\a.txt", "a.txt"),
        ("C:\\x\\a.txt", "a.txt"),
        ("a\0\n\u202e\u200bb.txt", "a b.txt"),
        ("...", ""),
        ("长" * 300 + ".pdf", "长" * 196 + ".pdf"),
        ("a." + "b" * 300, "a." + "b" * 198),
        ("<b>'\"$(x).txt", "<b>'\"$(x).txt"),
    ],
)
def test_names_are_only_shown(given: str, shown: str) -> None:
    assert clean_name(given) == shown


def test_what_has_expired_goes(tmp_path: Path) -> None:
    config = Config(home=tmp_path, upload_hours=0.5 / 3600)
    store = Uploads(config)
    found = create(store)
    left = tmp_path / "uploads" / ".new-of-a-killed-server"
    left.mkdir()
    time.sleep(0.6)
    assert store.find(found.id) is None
    store.sweep()
    assert [folder.name for folder in (tmp_path / "uploads").iterdir()] == [left.name]


def test_the_oldest_goes_first(tmp_path: Path) -> None:
    store = Uploads(Config(home=tmp_path, uploads=2))
    made = [create(store, f"{n}.txt").id for n in range(3)]
    assert [store.find(each) is not None for each in made] == [False, True, True]


def test_few_indexes_stay_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Uploads(Config(home=tmp_path))
    monkeypatch.setattr(store._shelf, "_size", 1)
    one, two = create(store, "a.txt", "甲楼在东边。"), create(store, "b.txt", "乙楼在西边。")
    for _ in range(2):
        assert "东" in one.retriever.retrieve("甲楼在哪边？")[0].passage.text
        assert "西" in two.retriever.retrieve("乙楼在哪边？")[0].passage.text
    assert len(store._shelf._open) == 1
    store.delete(two.id)
    assert one.retriever.related("甲楼在哪边？", []) is not None
    assert [path.parent.name for path in store._shelf._open] == [one.id]


def test_a_reader_that_is_killed_costs_its_upload_only(tmp_path: Path) -> None:
    store = Uploads(Config(home=tmp_path))
    caught: list[PocketQAError] = []

    def send() -> None:
        try:
            store.create("a.pdf", io.BytesIO(endless_pdf()))
        except PocketQAError as error:
            caught.append(error)

    sending = threading.Thread(target=send)
    sending.start()
    reader = wait_for_reader(tmp_path)
    time.sleep(0.5)
    reader.kill()
    sending.join(30)
    assert [error.code for error in caught] == ["damaged"]
    assert list((tmp_path / "uploads").iterdir()) == []
    assert create(store).passages == 1


def wait_for_reader(home: Path) -> psutil.Process:
    """The process that reads an upload of this home."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for child in psutil.Process().children():
            try:
                if str(home) in " ".join(child.cmdline()):
                    return child
            except psutil.Error:
                continue
        time.sleep(0.02)
    raise AssertionError("no reader")


def test_too_many_are_told_to_come_back(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "WAITING", 0)
    response = post(app.test_client(), "办法.txt", TEXT.encode())
    assert response.status_code == 503 and response.headers["Retry-After"] == "10"
    assert response.get_json()["error"]["retry_after_s"] == 10


def test_a_reader_gets_no_secrets_and_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POCKETQA_SECRET_KEY", "hush")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hush@proxy")
    module = tmp_path / "probe.py"
    module.write_text(
        "import json, os, pathlib, resource, sys\n"
        "from pocketqa.confinement import confine\n"
        "confine(5)\n"
        "limits = [resource.getrlimit(n)[0] for n in (resource.RLIMIT_AS, resource.RLIMIT_CPU)]\n"
        "text = json.dumps([dict(os.environ), limits])\n"
        "pathlib.Path(sys.argv[1]).write_text(text)\n"
        "bytearray(3 << 30)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    status = confinement.run("probe", [str(tmp_path / "out")], tmp_path, 30)
    environment, limits = json.loads((tmp_path / "out").read_text())
    assert limits == [confinement.MEMORY, 5]
    assert "hush" not in str(environment) and "POCKETQA_SECRET_KEY" not in environment
    assert status == 1 and b"MemoryError" in (tmp_path / "log").read_bytes()


def test_a_disk_that_takes_nothing(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("in the way")
    response = post(app.test_client(), "办法.txt", TEXT.encode())
    assert response.status_code == 507
    assert response.get_json()["error"]["code"] == "index_unwritable"


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"BMW und MZ", "text"), (b"BM\0\1\2\3\4\5", "bmp"), (b"MZ\x90\0\3\1\4", "exe"),
        (b"{\\rtf1 x}", "rtf"), (b"\xef\xbb\xbf <HTML>", "html"), (b"\n%PDF-1.7", "pdf"),
        ("文字".encode("utf-16"), "text"), ("文字".encode("gb18030"), "text"),
        (b"PK\x03\x04x", "broken zip"), (zipped({"a": ""}), "zip"),
        (zipped({"content.xml": ""}), "odf"), (b"\1\2\3\4" * 99, "binary"),
    ],
)  # fmt: skip
def test_what_bytes_are(data: bytes, kind: str) -> None:
    assert kinds.kind(data) == kind


def test_recognised_texts_side_by_side_are_one_line() -> None:
    def at(x: float, y: float, text: str) -> tuple[Any, str]:
        return np.array([[x, y], [x + 50, y], [x + 50, y + 20], [x, y + 20]]), text

    found = [at(200, 52, "五百元"), at(10, 90, "小"), at(10, 50, "大"), at(200, 88, "一百元")]
    assert ocr._joined(found) == ["大 五百元", "小 一百元"]


def test_pages_of_places() -> None:
    places = {"a.pdf:p37": 37, "x.pptx:s3": 3, "a.md:17": None, "a.xlsx:p3!2": None, "": None}
    for place, page in places.items():
        assert page_of(Passage("", "", "", place=place)) == page


def test_a_scan_is_recognised_or_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = scanned([["The deposit for a meeting room is 350 yuan."], ["Return the key."]])
    store = Uploads(Config(home=tmp_path))
    if not ocr.is_installed():
        with pytest.raises(PocketQAError) as caught:
            store.create("scan.pdf", io.BytesIO(scan))
        assert caught.value.code == "scanned" and 'pip install "pocketqa[ocr]"' in caught.value.zh
        return
    found = store.create("scan.pdf", io.BytesIO(scan))
    best = found.retriever.retrieve("What is the deposit for a meeting room?")[0]
    assert "350" in best.passage.text and page_of(best.passage) == 1 and found.pages == 2
