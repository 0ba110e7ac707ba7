"""The remote engine against a scripted server, in plain threads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fake_openai import TEXT, FakeOpenAI

from pocketqa import config as configuration
from pocketqa.engine import Generation, Message, Options
from pocketqa.engine.connection import Address
from pocketqa.engine.remote import RemoteEngine
from pocketqa.errors import ModelError, PocketQAError, RequestError

ASK: list[Message] = [{"role": "user", "content": "身份证丢了怎么办?"}]
KEY = "sk-hush-0123456789"

Start = Callable[..., RemoteEngine]


@pytest.fixture
def server() -> Iterator[FakeOpenAI]:
    fake = FakeOpenAI()
    yield fake
    fake.stop()


@pytest.fixture
def start() -> Iterator[Start]:
    """Makes engines that have looked for their server; closes them after the test."""
    engines: list[RemoteEngine] = []

    def make(url: str, key: str = "", model: str = "", **more: Any) -> RemoteEngine:
        engines.append(RemoteEngine(Address(url, key), model, poll_s=0.05, **more))
        engines[-1].wait()
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()
        assert engine._threads == 0


def until(condition: Callable[[], bool], timeout: float = 5) -> None:
    for _ in range(int(timeout / 0.005)):  # a machine that stands still does not count
        if condition():
            return
        time.sleep(0.005)
    assert condition()


def end_of(generation: Generation) -> tuple[str, PocketQAError]:
    """What a request says before it fails, and how it fails."""
    said = ""
    with pytest.raises(PocketQAError) as caught:
        for delta in generation:
            said += delta
    return said, caught.value


def test_an_answer_streams_and_says_how_it_ended(server: FakeOpenAI, start: Start) -> None:
    server.script.pause_s = 0.01
    engine = start(server.url)
    generation = engine.submit(ASK)
    deltas = list(generation)
    assert "".join(deltas) == TEXT and len(deltas) > 3
    assert generation.finish_reason == "stop" and generation.position == 0
    server.script.ending = "length"
    cut = engine.submit(ASK)
    assert "".join(cut) == TEXT and cut.finish_reason == "length"


def test_what_is_asked_for(server: FakeOpenAI, start: Start) -> None:
    engine = start(server.url, KEY)
    "".join(engine.submit(ASK, Options(7, 0.5, 3, ("\n", "###"))))
    assert server.requests[0] == {
        "model": "fake-7b", "messages": ASK, "stream": True,
        "max_tokens": 7, "temperature": 0.5, "seed": 3, "stop": ["\n", "###"],
    }  # fmt: skip
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    "".join(start(server.url, model="other").submit(ASK))
    assert server.requests[1]["model"] == "other"
    assert not {"seed", "stop"} & set(server.requests[1])


def test_nothing_is_taken_from_the_environment_of_other_services(
    server: FakeOpenAI, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "ambient")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert "".join(start(server.url).submit(ASK)) == TEXT
    assert "ambient" not in str(server.headers[0])
    assert "authorization" not in server.headers[0]


def test_a_stop_text_ends_the_answer_also_where_the_server_ignores_it(
    server: FakeOpenAI, start: Start
) -> None:
    server.script.text, server.script.pause_s = "甲乙\n\n" + "丙" * 200, 0.01
    generation = start(server.url).submit(ASK, Options(stop=("\n\n",)))
    assert "".join(generation) == "甲乙" and generation.finish_reason == "stop"
    until(lambda: server.closed == 1)


def test_cancelling_closes_the_stream(server: FakeOpenAI, start: Start) -> None:
    server.script.text, server.script.pause_s = "慢" * 400, 0.01
    engine = start(server.url)
    generation = engine.submit(ASK)
    for _ in generation:
        generation.cancel()
    assert generation.finish_reason == "abort"
    until(lambda: server.closed == 1, 0.5)
    for _ in engine.submit(ASK):
        break
    until(lambda: server.closed == 2, 0.5)
    said = server.said
    time.sleep(0.05)
    assert server.said == said < 100


def test_cancelling_before_the_first_token(server: FakeOpenAI, start: Start) -> None:
    server.script.first_s = 30
    generation = start(server.url).submit(ASK)
    until(lambda: server.running == 1)
    began = time.monotonic()
    threading.Timer(0.05, generation.cancel).start()
    assert list(generation) == [] and generation.finish_reason == "abort"
    until(lambda: server.closed == 1)
    assert time.monotonic() - began < 1


def test_a_deadline_ends_what_runs_and_what_waits(server: FakeOpenAI, start: Start) -> None:
    server.script.text, server.script.pause_s = "慢" * 400, 0.01
    engine = start(server.url, streams=1)
    both = [engine.submit(ASK, Options(deadline_s=seconds)) for seconds in (0.3, 0.2)]
    (said, late), (nothing, later) = map(end_of, both)
    assert 0 < len(said) < 60 and nothing == ""
    assert late.code == later.code == "deadline_exceeded"
    until(lambda: server.closed == 1)


def test_positions_and_a_full_queue(server: FakeOpenAI, start: Start) -> None:
    server.script.first_s = 30
    engine = start(server.url, streams=2, queue_size=2)
    line = [engine.submit(ASK) for _ in range(4)]
    until(lambda: server.running == 2)
    assert [generation.position for generation in line] == [0, 0, 1, 2]
    with pytest.raises(RequestError) as caught:
        engine.submit(ASK)
    assert caught.value.code == "queue_full" and caught.value.details["retry_after_s"] == 15
    line[2].cancel()
    assert list(line[2]) == [] and [each.position for each in line] == [0, 0, 0, 1]
    line[0].cancel()
    until(lambda: len(server.requests) == 3)
    assert line[3].position == 0 and server.most == 2


def test_many_at_once_each_get_their_own(server: FakeOpenAI, start: Start) -> None:
    engine = start(server.url, streams=8)
    answers = ["".join(each) for each in [engine.submit(ASK) for _ in range(50)]]
    assert answers == [TEXT] * 50 and 1 < server.most <= 8


@pytest.mark.parametrize(
    ("status", "body", "headers", "code", "details"),
    [
        (401, f"Incorrect API key provided: {KEY}", {}, "model_unavailable", {}),
        (403, "", {}, "model_unavailable", {}),
        (404, '{"error": {"message": "no such model"}}', {}, "model_unavailable", {}),
        (400, "this model's maximum context length is 4096 tokens", {}, "text_too_long", {}),
        (400, '{"type": "exceed_context_size_error"}', {}, "text_too_long", {}),
        (400, "Input is longer than the model's context length", {}, "text_too_long", {}),
        (422, "top_k must be positive", {}, "model_unavailable", {}),
        (429, "", {"Retry-After": "7"}, "queue_full", {"retry_after_s": 7}),
        (429, "", {"Retry-After": "0"}, "queue_full", {"retry_after_s": 1}),
        (503, "", {"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}, "queue_full",
         {"retry_after_s": 1}),
        (503, "", {"Retry-After": "soon"}, "queue_full", {"retry_after_s": 15}),
        (503, "", {"Retry-After": "nan"}, "queue_full", {"retry_after_s": 15}),
        (503, "Loading model", {}, "queue_full", {"retry_after_s": 15}),
        (500, "worker died", {}, "model_unavailable", {}),
    ],
)  # fmt: skip
def test_a_refusal_is_explained(
    status: int, body: str, headers: dict[str, str], code: str, details: dict[str, int],
    server: FakeOpenAI, start: Start, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    engine = start(server.url, KEY)
    server.script.status, server.script.body, server.script.headers = status, body, headers
    said, error = end_of(engine.submit(ASK))
    assert (said, error.code, error.details) == ("", code, details)
    assert f"HTTP {status}" in caplog.text
    assert KEY not in caplog.text + error.zh + error.en
    server.script.status = 200
    assert "".join(engine.submit(ASK)) == TEXT


@pytest.mark.parametrize("ending", ["none", "cut", "error", "content_filter"])
def test_an_answer_that_breaks_off_fails(ending: str, server: FakeOpenAI, start: Start) -> None:
    server.script.ending = ending
    said, error = end_of(start(server.url).submit(ASK))
    assert said == TEXT and error.code == "model_unavailable" and "again" in error.en


def test_a_server_that_goes_and_comes_back(server: FakeOpenAI, start: Start) -> None:
    server.script.text, server.script.pause_s = "慢" * 400, 0.01
    engine = start(server.url)
    generation = iter(engine.submit(ASK))
    next(generation)
    server.stop()
    with pytest.raises(ModelError) as caught:
        list(generation)
    assert caught.value.code == "model_unavailable"
    until(lambda: engine.state == "away")
    with pytest.raises(ModelError, match="cannot be reached"):
        engine.submit(ASK)
    server.begin_anew(models=["another"])
    server.start(server.port)
    until(lambda: engine.state == "ready")
    assert "".join(engine.submit(ASK)) == TEXT and server.requests[0]["model"] == "another"


@pytest.mark.parametrize(
    ("script", "state", "reason"),
    [
        ({"models_status": 401, "models_body": f"bad key {KEY}"}, "failed", "bad key ***"),
        ({"models_status": 404, "models_body": "nothing here"}, "failed", "HTTP 404"),
        ({"models_status": 503, "models_body": "Loading model"}, "away", "Loading model"),
        ({"models_body": "<html>"}, "failed", "ends the address in /v1?"),
        ({"models_body": "[1]"}, "failed", "ends the address in /v1?"),
        ({"models": []}, "away", "lists no model"),
    ],
)
def test_a_server_that_cannot_be_used(
    script: dict[str, Any], state: str, reason: str,
    start: Start, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    server = FakeOpenAI(**script)
    engine = start(server.url, KEY)
    assert engine.state == state and (engine.failure is not None) is (state == "failed")
    assert reason in caplog.text and KEY not in caplog.text
    with pytest.raises(ModelError):
        engine.submit(ASK)
    server.begin_anew()
    until(lambda: engine.state == "ready")
    assert engine.failure is None
    server.begin_anew(models_status=401)
    until(lambda: engine.state == "failed")
    assert engine.failure is None
    server.stop()


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://nowhere.invalid/v1"])
def test_a_server_that_is_not_there(
    url: str, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert start(url).state == "away"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("http://box:8000", "http://box:8000/v1"),
        ("https://box/openai/v1/", "https://box/openai/v1"),
        (" ", ""),
    ],
)
def test_the_address_is_made_whole(given: str, kept: str) -> None:
    assert configuration.load(engine_url=given).engine_url == kept


@pytest.mark.parametrize(
    "wrong",
    [
        {"engine_url": "box:8000"},
        {"engine_url": f"http://me:{KEY}@box/v1"},
        {"engine_url": f"http://box/v1?key={KEY}"},
        {"engine_key": f"{KEY}\n密"},
    ],
)
def test_a_wrong_setting_is_refused_and_not_repeated(wrong: dict[str, str]) -> None:
    with pytest.raises(PocketQAError, match="POCKETQA_ENGINE_") as caught:
        configuration.load(**wrong)
    assert caught.value.code == "bad_config" and KEY not in str(caught.value)
