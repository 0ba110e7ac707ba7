"""Stopping answers and waiting for them, against a real server process over WebSocket."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from payloads import OK
from servers import Client, Connect, Server, fake_server, text_of
from test_resume import begin, check, resume

LONG = "长" * 250
ASK = {"text": "请写一篇文章", "received": "ends"}


@pytest.fixture(scope="module")
def server(demo_index: Path) -> Iterator[Server]:
    """One answer at a time, each of five seconds; without a listener they go on for two."""
    made = fake_server(
        demo_index, FAKE_TEXT=LONG, FAKE_PAUSE_S="0.02", POCKETQA_KEEP_ANSWERING_S="2",
        POCKETQA_RATE="off",
    )  # fmt: skip
    yield made
    assert made.stop() == 0


def stopped(client: Client, ack: dict[str, Any]) -> list[dict[str, Any]]:
    """The frames of an answer that was stopped."""
    frames = client.answer(ack["request_id"], 3)
    check(frames, frames[0]["seq"] - 1)
    assert frames[-1]["finish_reason"] == "abort" and len(text_of(frames)) < len(LONG)
    return frames


def is_idle(client: Client, within_s: float = 1.0) -> None:
    """Nothing is computed any more: the next request is served at once."""
    end = time.monotonic() + within_s
    while (ack := client.send(ASK, "GEN_CS"))["position"] and time.monotonic() < end:
        client.send({"request_id": ack["request_id"]}, "STOP_CS")
        time.sleep(0.1)
    assert ack["position"] == 0
    client.send({"request_id": ack["request_id"]}, "STOP_CS")
    client.answer(ack["request_id"])


def test_a_running_and_a_waiting_answer(server: Server, connect: Connect) -> None:
    a, b = connect(server), connect(server)
    first = begin(a)
    second = b.send(ASK, "GEN_CS")
    assert second["position"] == 1
    for client, ack in ((b, second), (a, first)):
        stop = client.send({"request_id": ack["request_id"]}, "STOP_CS")
        assert stop == {"ok": True, "request_id": ack["request_id"]}
        stopped(client, ack)
    is_idle(a)


def test_all_of_a_dialogue(server: Server, connect: Connect) -> None:
    a, other = connect(server), connect(server)
    begun = begin(a, dialogue="one")
    acks = [begun, a.send({**ASK, "dialogue": "one"}, "GEN_CS")]
    kept = a.send({**ASK, "dialogue": "two"}, "GEN_CS")
    assert other.send({"dialogue": "one"}, "STOP_CS")["ok"] is False
    stop = a.send({"dialogue": "one"}, "STOP_CS")
    assert sorted(stop["request_ids"]) == sorted(ack["request_id"] for ack in acks)
    for ack in acks:
        stopped(a, ack)
    assert a.send({"dialogue": "one"}, "STOP_CS")["error"]["code"] == "bad_field"
    a.wait(lambda: a.of(kept["request_id"]))
    # With the token also from elsewhere.
    payload = {"dialogue": "two", "token": kept["token"]}
    assert other.send(payload, "STOP_CS")["request_ids"] == [kept["request_id"]]
    stopped(a, kept)


def test_in_a_named_room_by_anybody_in_it(server: Server, connect: Connect) -> None:
    a, b = connect(server), connect(server)
    ack = begin(a, room="stops")
    assert b.send({"request_id": ack["request_id"]}, "STOP_CS")["ok"] is False
    assert b.send({"room": "stops"}, "STOP_CS")["request_ids"] == [ack["request_id"]]
    stopped(a, ack)


def test_by_a_connection_that_came_back(server: Server, connect: Connect) -> None:
    a, b = connect(server), connect(server)
    ack = begin(a)
    a.vanish()
    assert resume(b, ack)["ok"]
    b.wait(lambda: b.frames)
    named = {"request_id": ack["request_id"], "token": ack["token"]}
    assert b.send(named, "STOP_CS")["ok"]
    assert text_of(stopped(b, ack)).startswith(text_of(a.frames and a.of(ack["request_id"])))
    is_idle(b)


def test_nobody_listens_any_more(server: Server, connect: Connect) -> None:
    a, b = connect(server), connect(server)
    ack = begin(a)
    a.close()
    time.sleep(0.5)
    assert b.send(ASK, "GEN_CS")["position"] == 1, "it goes on for two seconds"
    b.send({"dialogue": b.sid}, "STOP_CS")
    time.sleep(2)
    is_idle(b)
    again = resume(b, ack)
    assert again["ended"]
    frames = b.answer(ack["request_id"])
    check(frames)
    assert frames[-1]["finish_reason"] == "abort"


def test_somebody_comes_back_in_time(server: Server, connect: Connect) -> None:
    a, b = connect(server), connect(server)
    ack = begin(a)
    for client in (a, b):
        client.vanish()
        time.sleep(1.3)
        if client is a:
            assert resume(b, ack)["ok"]
            time.sleep(0.5)
    c = connect(server)
    assert resume(c, ack)["ok"]
    frames = c.answer(ack["request_id"])
    check(frames)
    assert frames[-1]["finish_reason"] == "stop" and text_of(frames) == LONG


def test_at_once_where_nothing_is_kept_running(demo_index: Path, connect: Connect) -> None:
    server = fake_server(demo_index, POCKETQA_KEEP_ANSWERING_S="0")
    try:
        leaver, stayer = connect(server), connect(server)
        for _ in range(6):  # four seconds of work
            leaver.send(OK)
        leaver.close()
        is_idle(stayer, 0.5)
    finally:
        server.stop()


def test_places_in_the_line(server: Server, connect: Connect) -> None:
    clients = [connect(server) for _ in range(4)]
    acks = [client.send(ASK, "GEN_CS") for client in clients]
    assert [ack["position"] for ack in acks] == [0, 1, 2, 3]
    for ended, client in enumerate(clients[:3]):
        client.send({"request_id": acks[ended]["request_id"]}, "STOP_CS")
        for waiting in range(ended + 1, 4):
            told = clients[waiting].places
            clients[waiting].wait(lambda t=told, n=ended: len(t) == n + 1, 3)
            assert told[-1]["position"] == waiting - ended - 1
    ids = [ack["request_id"] for ack in acks]
    for number, client in enumerate(clients):
        assert [each["position"] for each in client.places] == list(range(number - 1, -1, -1))
        assert {each["request_id"] for each in client.places} <= {ids[number]}
        assert {each["room"] for each in client.places} <= {client.sid}
    clients[3].send({"request_id": ids[3]}, "STOP_CS")


def test_whoever_comes_back_is_told_its_place(server: Server, connect: Connect) -> None:
    a, b, c = (connect(server) for _ in range(3))
    first, second = begin(a), b.send(ASK, "GEN_CS")
    b.vanish()
    assert resume(c, second)["seq"] == -1
    a.send({"request_id": first["request_id"]}, "STOP_CS")
    c.wait(lambda: c.places, 3)
    assert c.places[0]["position"] == 0
    c.send({"request_id": second["request_id"], "token": second["token"]}, "STOP_CS")
    check(c.answer(second["request_id"]))
