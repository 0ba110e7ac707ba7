"""The whole way with the real default model, over WebSocket."""

from __future__ import annotations

import asyncio
import time
import urllib.request

import pytest
from field import QUESTION, Check, ask_as_clients_in_the_field_do, check_answer, check_spread
from servers import Connect, Server, text_of

pytestmark = [pytest.mark.model, pytest.mark.alone]


def health(url: str) -> float:
    """Seconds that /health took."""
    began = time.perf_counter()
    with urllib.request.urlopen(url + "/health", timeout=10) as response:
        assert response.status == 200
    return time.perf_counter() - began


@pytest.mark.parametrize("stream", [True, False])
def test_the_real_model(real_server: Server, check_frame: Check, stream: bool) -> None:
    sid, frames, transport = asyncio.run(ask_as_clients_in_the_field_do(real_server.url, stream))
    assert transport == "websocket"
    answer = text_of([data for _, data in frames])
    assert "公安机关" in answer or "申请补领" in answer or "户口簿" in answer
    if stream:
        check_answer([data for _, data in frames], sid, check_frame)
        check_spread(frames, 0.5)
    else:
        assert len(frames) == 1


def test_the_real_model_in_a_dialogue(real_server: Server, connect: Connect) -> None:
    client = connect(real_server)
    assert text_of(client.ask({"text": "你好"})) == "您好,欢迎您直接问我业务问题。"
    refused = client.ask({"text": "今天天气怎么样?"})
    assert refused[-1]["received"]["clue"] == {
        "type": "",
        "data": [],
        "way": "refused",
        "sources": [],
    }
    assert not refused[-1]["received"]["prompt"]
    assert refused[-1]["received"]["history"] == [["你好", "您好,欢迎您直接问我业务问题。"]]


def test_health_answers_while_the_real_model_streams(real_server: Server, connect: Connect) -> None:
    asker, other = connect(real_server), connect(real_server)
    first = asker.send({"text": QUESTION})
    began = time.monotonic()
    second = other.send({"text": QUESTION})
    assert time.monotonic() - began < 1
    assert (first["position"], second["position"]) == (0, 0)
    asker.wait(lambda: asker.frames)
    times = []
    while len(times) < 300 and not asker.of(first["request_id"])[-1]["finish_reason"]:
        times.append(health(real_server.url))
        time.sleep(0.01)
    assert len(times) > 30
    times.sort()
    assert times[int(len(times) * 0.99)] < 0.05, f"slowest: {times[-5:]}"
    assert asker.answer(first["request_id"])[-1]["finish_reason"] == "stop"
    assert other.answer(second["request_id"])[-1]["finish_reason"] == "stop"
    said = [text_of(asker.of(first["request_id"])), text_of(other.of(second["request_id"]))]
    assert said[0] == said[1]
