"""The log: one line an event, with the request it belongs to, and nobody's words or secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import Connect, Server, fake_server

from pocketqa import logs
from pocketqa.config import Config

QUESTION = "身份证丢了应该怎么办?"
ANSWER = "身份证丢失的,应当向常住户口所在地的公安机关申请补领"


class Log:
    """A logger that writes as `configure` makes all of them."""

    def __init__(self, **settings: Any) -> None:
        self.written = io.StringIO()
        self._handler = logs.Handler(self.written)
        self._handler.setFormatter(logs.formatter(Config(**settings)))
        self.logger = logging.getLogger("pocketqa.test_logs")
        self.logger.handlers[:] = [self._handler]
        self.logger.propagate = False
        self.logger.setLevel(logging.INFO)

    @property
    def lines(self) -> list[str]:
        return self.written.getvalue().splitlines()


@pytest.fixture(autouse=True)
def without_handlers() -> Iterator[None]:
    yield
    logging.getLogger("pocketqa.test_logs").handlers.clear()


def test_a_line_of_json_has_what_is_known() -> None:
    log = Log(log_format="json")
    with logs.bound(request_id="r1", event="CHAT_CS"):
        log.logger.info("%d of %s", 1, "两", extra={"outcome": "stop", "path": Path("/tmp")})
    log.logger.warning("outside")
    first, second = map(json.loads, log.lines)
    assert list(first)[:4] == ["timestamp", "level", "logger", "message"]
    assert first.pop("timestamp").endswith("Z")
    assert first == {
        "level": "info", "logger": "pocketqa.test_logs", "message": "1 of 两",
        "request_id": "r1", "event": "CHAT_CS", "outcome": "stop", "path": "/tmp",
    }  # fmt: skip
    assert second["level"] == "warning" and "request_id" not in second


def test_a_fault_is_one_line_of_json_too_and_shows_no_variables() -> None:
    log = Log(log_format="json")
    hidden = "what somebody asked"
    try:
        raise ValueError("planted")
    except ValueError:
        log.logger.exception("failed")
    (line,) = log.lines
    found = json.loads(line)
    assert "ValueError: planted" in found["exception"] and hidden not in line


def test_a_line_of_text_cannot_be_forged() -> None:
    log = Log()
    log.logger.info("a\nb\x1b[31m", extra={"code": "x\n2026-01-01 INFO y", "way": "generated"})
    (line,) = log.lines
    assert r"pocketqa.test_logs: a\nb\x1b[31m" in line and "INFO" in line
    assert r'code="x\n2026-01-01 INFO y" way=generated' in line


@pytest.mark.parametrize("form", ["json", "text"])
def test_secrets_are_never_written(form: str) -> None:
    secrets = {
        "secret_key": "signs-all\"of'it",
        "engine_key": "sk-engine-1",
        "admin_key": "admin-key-1",
        "database_url": "postgresql://hall:p%40ssword@db/x",
        "message_queue": "redis://:hush-hush@queue/0",
    }
    log = Log(log_format=form, **secrets)
    log.logger.error("all: %s", secrets, extra={"url": secrets["database_url"], "p": "p@ssword"})
    text = log.written.getvalue()
    for each in ("signs-all", "sk-engine", "admin-key", "p%40ss", "p@ss", "hush-hush"):
        assert each not in text, text
    assert "postgresql://hall:***@db/x" in text


def records(server: Server) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.output if not line.startswith("PocketQA: ")]


@pytest.mark.parametrize("log_text", ["false", "true"])
def test_a_server_writes_a_line_for_each_request(
    demo_index: Path, connect: Connect, log_text: str
) -> None:
    env = {
        "POCKETQA_LOG_FORMAT": "json", "POCKETQA_LOG_TEXT": log_text, "POCKETQA_LOG_LEVEL": "DEBUG",
        "POCKETQA_SECRET_KEY": "a-secret-of-this-server", "FAKE_PAUSE_S": "0.005",
    }  # fmt: skip
    server = fake_server(demo_index, **env)
    client = connect(server)
    whole = client.ask({"text": QUESTION, "request_id": "whole"})
    client.ask({"text": QUESTION + "出错", "request_id": "failed"}, "GEN_CS")
    client.send({"text": "", "request_id": "refused"})
    client.close()
    assert server.stop() == 0
    lines = records(server)
    of = {each["request_id"]: each for each in lines if each["logger"] == "pocketqa.observing"}
    assert set(of) == {"whole", "failed", "refused"}
    answered = of["whole"]
    assert {
        "message": "answered",
        "event": "CHAT_CS",
        "outcome": "stop",
    }.items() <= answered.items()
    assert answered["way"] == "generated" and answered["frames"] == len(whole)
    assert 0 < answered["first_s"] <= answered["seconds"]
    assert of["failed"]["outcome"] == "error" and of["failed"]["code"] == "internal"
    assert of["refused"]["outcome"] == "refused" and of["refused"]["code"] == "bad_field"
    (fault,) = (each for each in lines if "exception" in each and each.get("request_id"))
    assert fault["request_id"] == "failed" and "planted" in fault["exception"]
    text = "".join(server.output)
    assert [words in text for words in (QUESTION, ANSWER)] == [log_text == "true"] * 2
    assert "a-secret-of-this-server" not in text and '"token"' not in text
