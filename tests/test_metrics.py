"""Figures: what is counted of requests, what is measured, and who may see it."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import FakeModel, FakeRetriever
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from servers import Connect, Server
from test_app import PASSAGE, frames

from pocketqa.app import create_app
from pocketqa.config import Config
from pocketqa.engine import Engine
from pocketqa.errors import RequestError
from pocketqa.metrics import TICK_S, Metrics
from pocketqa.observing import Observer
from pocketqa.passages import Hit
from pocketqa.protocol import parse, unparsed
from pocketqa.threads import start_native_thread


def values(text: bytes) -> dict[str, float]:
    """Each sample of a text in Prometheus' format, by its name and labels."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            labels = (f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[",".join((sample.name, *labels))] = sample.value
    return found


def frame(delta: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    data = {"delta": delta, "finish_reason": reason, "received": {"clue": {"way": "generated"}}}
    return {"data": {**data, **more}}


def test_what_becomes_of_requests_is_counted() -> None:
    metrics = Metrics()
    observer = Observer(metrics)
    request = parse("CHAT_CS", {"text": "问"}, "s")
    with observer.answering(request) as seen:
        seen.frame(frame(""))
        seen.frame(frame("答"))
        seen.frame(frame("", "stop"))
    with observer.answering(request) as seen:
        seen.frame(frame("", "error", error={"code": "queue_full"}))
    with pytest.raises(OSError), observer.answering(request):
        raise OSError("the last frame could not be sent")
    observer.refused(unparsed("QA_CS", None, "s"), RequestError("bad_payload", "", ""))
    found = values(metrics.render())
    count = "pocketqa_requests_total,event=CHAT_CS,outcome"
    assert found[f"{count}=stop,way=generated"] == found[f"{count}=error,way=generated"] == 1
    assert found[f"{count}=lost,way="] == 1
    assert found["pocketqa_requests_total,event=QA_CS,outcome=refused,way="] == 1
    assert found["pocketqa_refusals_total,code=queue_full,event=CHAT_CS"] == 1
    assert found["pocketqa_refusals_total,code=bad_payload,event=QA_CS"] == 1
    assert found["pocketqa_first_delta_seconds_count,event=CHAT_CS"] == 1
    assert found["pocketqa_answer_seconds_count,event=CHAT_CS"] == 3
    figures = metrics.figures()
    assert figures["outcome_stop"] == figures["outcome_refused"] == 1
    assert 0 < figures["first_delta_p50_s"] < 1 and figures["memory_bytes"] > 1 << 20


def test_the_hub_is_measured_and_native_threads_may_note() -> None:
    metrics, naps = Metrics(), 0

    def sleep(seconds: float) -> None:
        nonlocal naps
        naps += 1
        if naps > 3:
            raise StopIteration
        time.sleep(seconds + 0.03)

    start_native_thread(lambda: metrics.wrote(0.004))
    with pytest.raises(StopIteration):
        metrics.watch_hub(sleep)
    found = values(metrics.render())
    assert found["pocketqa_hub_late_seconds_count"] == 3
    assert found["pocketqa_hub_late_seconds_sum"] >= 0.08
    assert found["pocketqa_database_write_seconds_count"] == 1
    assert metrics.figures()["hub_late_p99_s"] >= 0.03 > TICK_S / 2


@pytest.fixture
def app() -> Iterator[Flask]:
    engine = Engine(FakeModel)
    engine.wait()
    config = Config(admin_key="the operator's")
    yield create_app(config, FakeRetriever([Hit(PASSAGE, 0.9)]), engine)
    engine.close()


def test_an_application_shows_all_of_its_parts(app: Flask) -> None:
    client = app.extensions["socketio"].test_client(app)
    client.emit("CHAT_CS", {"text": "身份证丢了?"}, callback=True)
    frames(client)
    found = values(app.test_client().get("/metrics").get_data())
    for name in (
        "queue_length", "streams", "tokens_total", "prompt_tokens_total", "clients", "answers",
        "ready", "replay_bytes", "queue_wait_seconds_count", "database_write_seconds_count",
        "retrieval_seconds_count,call=retrieve", "hub_late_seconds_count",
    ):  # fmt: skip
        assert f"pocketqa_{name}" in found, name
    assert found["pocketqa_tokens_total"] >= len(FakeModel().text)
    assert found["pocketqa_clients"] == found["pocketqa_ready"] == 1
    assert found["pocketqa_queue_wait_seconds_count"] == 1
    assert found["pocketqa_retrieval_seconds_count,call=retrieve"] == 1
    assert found["process_resident_memory_bytes"] > 1 << 20
    assert {"clients", "answers", "running", "waiting", "ready"} <= set(
        app.extensions["metrics"].figures()
    )


@pytest.mark.parametrize(
    ("address", "header", "status"),
    [
        ("127.0.0.1", "", 200),
        ("::1", "", 200),
        ("192.0.2.7", "", 403),
        ("192.0.2.7", "Bearer the operator's", 200),
        ("192.0.2.7", "Bearer another's", 403),
        ("192.0.2.7", "Bearer ", 403),
        ("192.0.2.7", "Basic dGhlOm9wZXJhdG9y", 403),
        ("", "", 403),
    ],
)
def test_who_may_see_figures(app: Flask, address: str, header: str, status: int) -> None:
    response = app.test_client().get(
        "/metrics",
        environ_base={"REMOTE_ADDR": address},
        headers={"Authorization": header} if header else {},
    )
    assert response.status_code == status
    assert ("pocketqa_requests" in response.get_data(as_text=True)) == (status == 200)


def test_without_an_admin_key_no_key_opens_them() -> None:
    app = create_app(Config(), FakeRetriever(), Engine(FakeModel))
    response = app.test_client().get(
        "/metrics",
        environ_base={"REMOTE_ADDR": "192.0.2.7"},
        headers={"Authorization": "Bearer "},
    )
    assert response.status_code == 403
    app.extensions["engine"].close()


def test_a_database_that_fails_is_not_ready(app: Flask) -> None:
    housekeeping = app.extensions["housekeeping"]
    for attribute, value, state in (("_has_failed", True, "failed"), ("_did", 0.0, "stuck")):
        before = getattr(housekeeping, attribute)
        setattr(housekeeping, attribute, value if attribute == "_has_failed" else -1e9)
        response = app.test_client().get("/ready")
        assert response.status_code == 503 and response.get_json()["database"] == state
        setattr(housekeeping, attribute, before)
    assert app.test_client().get("/ready").status_code == 200


def test_a_server_counts(fake_server: Server, connect: Connect) -> None:
    def look() -> dict[str, float]:
        return values(urllib.request.urlopen(fake_server.url + "/metrics", timeout=10).read())

    before = look()
    client, other = connect(fake_server), connect(fake_server)
    ids = [each.send({"text": "身份证丢了?"})["request_id"] for each in (client, other)]
    end = time.monotonic() + 10
    while (meanwhile := look())["pocketqa_queue_length"] < 1:  # it answers one at a time
        assert time.monotonic() < end
    assert meanwhile["pocketqa_clients"] >= 2 and meanwhile["pocketqa_answers"] >= 2
    for each, request_id in zip((client, other), ids, strict=True):
        each.answer(request_id)
    after = look()
    name = "pocketqa_requests_total,event=CHAT_CS,outcome=stop,way=generated"
    assert after[name] - before.get(name, 0) == 2
    wait = "pocketqa_queue_wait_seconds_sum"
    assert after[wait] - before.get(wait, 0) > 0.3, "the second has waited for the first"
    assert after["pocketqa_hub_late_seconds_count"] > before["pocketqa_hub_late_seconds_count"]
