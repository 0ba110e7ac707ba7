"""The wiring, over Flask's and Flask-SocketIO's in-process clients: content and order only."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from fakes import FakeModel, FakeRetriever
from flask import Flask
from flask_socketio import SocketIOTestClient
from servers import ROOT

from pocketqa.app import create_app
from pocketqa.config import Config, load
from pocketqa.engine import Engine
from pocketqa.errors import PocketQAError
from pocketqa.passages import Hit, Passage
from pocketqa.protocol import EVENTS

PASSAGE = Passage(id="1", title="身份证丢失了怎么补办?", text="到派出所申请补领。")


@pytest.fixture
def app() -> Iterator[Flask]:
    engine = Engine(FakeModel)
    engine.wait()
    yield create_app(Config(), FakeRetriever([Hit(PASSAGE, 0.9)]), engine)
    engine.close()


def frames(client: SocketIOTestClient) -> list[dict[str, Any]]:
    """Everything received until the last frame of one answer."""
    found: list[dict[str, Any]] = []
    end = time.monotonic() + 10
    while time.monotonic() < end:
        found += [packet["args"][0]["data"] for packet in client.get_received()]
        if found and found[-1]["finish_reason"]:
            return found
        gevent.sleep(0.01)  # lets the answering greenlet run
    raise AssertionError(f"no last frame: {found}")


def test_a_question(app: Flask) -> None:
    client = app.extensions["socketio"].test_client(app)
    ack = client.emit("CHAT_CS", {"text": "身份证丢了?"}, callback=True)
    assert ack["ok"] and ack["position"] == 0 and ack["room"] == ack["dialogue"]
    received = frames(client)
    assert "".join(frame["delta"] for frame in received) == FakeModel().text
    assert received[-1]["received"]["clue"]["data"][:2] == [PASSAGE.text, "0.9"]


def test_messages_are_chinese_unless_english_is_wanted(app: Flask) -> None:
    socketio = app.extensions["socketio"]
    for auth, word in ((None, "必填"), ({"lang": "en"}, "required"), ({"lang": "fr"}, "必填")):
        client = socketio.test_client(app, auth=auth)
        ack = client.emit("CHAT_CS", {}, callback=True)
        assert word in ack["error"]["message"]
        assert word in frames(client)[-1]["error"]["message"]


def test_a_taken_request_id_is_refused_and_leaves_the_running_answer_alone() -> None:
    slow = Engine(lambda: FakeModel("慢" * 300, pause_s=0.01))
    slow.wait()
    app = create_app(Config(), FakeRetriever([Hit(PASSAGE, 0.9)]), slow)
    client, other = (app.extensions["socketio"].test_client(app) for _ in range(2))
    payload = {"text": "身份证?", "request_id": "r1"}
    assert client.emit("CHAT_CS", payload, callback=True)["ok"]
    assert client.emit("CHAT_CS", payload, callback=True)["error"]["code"] == "bad_field"
    assert other.emit("CHAT_CS", payload, callback=True)["ok"], "a name is one connection's own"
    failed = [frame for frame in frames(client) if frame["finish_reason"] == "error"]
    assert len(failed) == 1 and failed[0]["request_id"] != "r1"
    assert client.emit("STOP_CS", {"request_id": "r1"}, callback=True)["ok"]
    slow.close()


@pytest.mark.parametrize("event", EVENTS)
def test_an_unknown_upload_is_refused_in_the_acknowledgement(app: Flask, event: str) -> None:
    client = app.extensions["socketio"].test_client(app)
    ack = client.emit(event, {"text": "a", "upload_id": "u"}, callback=True)
    assert ack["error"]["code"] == "unknown_upload"
    (frame,) = client.get_received()
    assert frame["name"] == EVENTS[event]
    assert frame["args"][0]["data"]["error"]["code"] == "unknown_upload"


@pytest.mark.parametrize("payload", [None, 7, {}, {"request_id": ""}, {"request_id": "unknown"}])
def test_stop_of_nothing(app: Flask, payload: object) -> None:
    client = app.extensions["socketio"].test_client(app)
    ack = client.emit("STOP_CS", payload, callback=True)
    assert ack["ok"] is False and ack["error"]["code"] in ("bad_payload", "bad_field")


def test_the_page_and_its_headers(app: Flask) -> None:
    response = app.test_client().get("/")
    assert response.status_code == 200 and "PocketQA" in response.get_data(as_text=True)
    policy = response.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_has_the_operators_name_and_questions() -> None:
    config = load(title="一厅<b>", examples="甲怎么办？ | 乙在哪里办？ |")
    text = create_app(config, FakeRetriever(), Engine(FakeModel)).test_client().get("/").text
    assert "<title>一厅&lt;b&gt;</title>" in text and "<h1>一厅&lt;b&gt;</h1>" in text
    assert re.findall('data-ask="(.*?)"', text) == ["甲怎么办？", "乙在哪里办？"]


def test_health_and_readiness(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/health").get_json()["status"] == "ok"
    assert client.get("/ready").get_json() == {
        "ready": True, "model": "ready", "index": "open", "database": "open",
    }  # fmt: skip
    app.extensions["engine"].close()
    assert client.get("/ready").status_code == 503


def test_other_origins_are_refused_unless_configured() -> None:
    config = load(origins="https://a.example, https://b.example/")
    assert config.origins == ("https://a.example", "https://b.example")
    for settings, origin, status in (
        (Config(), "https://evil.example", 400),
        (Config(), "null", 400),
        (Config(), "http://localhost", 200),
        (Config(), "https://localhost", 200),  # a proxy speaks TLS
        (config, "https://b.example", 200),
        (config, "http://localhost", 200),
        (config, "https://evil.example", 400),
        (load(origins="*"), "https://any.example", 200),
        (config, "https://hall.example", 400),
        (Config(), "https://hall.example", 400),
        (load(proxies=1), "https://hall.example", 200),
        (load(proxies=1), "http://localhost", 400),
    ):
        app = create_app(settings, FakeRetriever(), _no_engine())
        query = "/socket.io/?EIO=4&transport=polling"
        proxy = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "hall.example"}
        response = app.test_client().get(query, headers={"Origin": origin, **proxy})
        assert response.status_code == status, (settings, origin)


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETQA_INDEX", "")
    monkeypatch.setenv("POCKETQA_PORT", "")
    assert load().index is None and load().port == 6006


def test_what_must_not_be_lost_is_in_no_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("POCKETQA_DATABASE_URL")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    config, folder = load(), tmp_path / "data" / "pocketqa"
    assert config.database == f"sqlite:///{folder}/pocketqa.db"
    assert (config.index_dir, config.home.parent) == (folder / "index", tmp_path / "cache")
    assert load(home=tmp_path).data_dir == tmp_path, "one folder, where one is named"
    assert load(home=tmp_path, data=tmp_path / "d").index_dir == tmp_path / "d" / "index"


def test_every_setting_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `POCKETQA_(\w+)`", text, re.MULTILINE))
    assert documented == {name.upper() for name in Config.model_fields}


def test_the_configuration_names_every_fault() -> None:
    with pytest.raises(PocketQAError) as caught:
        load(port=70000, passages=0)
    assert "POCKETQA_PORT" in caught.value.en and "POCKETQA_PASSAGES" in caught.value.en


class _no_engine:
    """An engine nobody asks."""

    def submit(self, messages: Any, options: Any = None) -> Any:
        raise NotImplementedError
