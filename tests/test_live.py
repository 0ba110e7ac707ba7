"""A real server process, real clients over WebSocket; the model is scripted."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from field import Check, ask_as_clients_in_the_field_do, check_answer, check_spread
from payloads import MALFORMED, OK
from servers import Connect, Server, fake_server, text_of


@pytest.mark.parametrize("stream", [True, False])
def test_an_existing_client(fake_server: Server, check_frame: Check, stream: bool) -> None:
    sid, frames, transport = asyncio.run(ask_as_clients_in_the_field_do(fake_server.url, stream))
    assert transport == "websocket"
    if stream:
        check_answer([data for _, data in frames], sid, check_frame)
        check_spread(frames, 0.3)
    else:
        ((_, data),) = frames
        check_frame(data)
        assert data["finish_reason"] == "stop" and data["delta"] and data["received"]["sid"] == sid


@pytest.mark.parametrize(
    ("payload", "code"), [c[1:] for c in MALFORMED], ids=[c[0] for c in MALFORMED]
)
def test_malformed_payloads(
    fake_server: Server, connect: Connect, check_frame: Check, payload: Any, code: str
) -> None:
    client = connect(fake_server)
    client.sio.emit("CHAT_CS", payload) if payload is not None else client.sio.emit("CHAT_CS")
    client.wait(lambda: client.frames, 10)
    assert text_of(client.ask({"text": "你好"})), "the connection must live on"
    failed = [data for _, data in client.frames if data["finish_reason"] == "error"]
    (frame,) = failed
    check_frame(frame)
    assert frame["error"]["code"] == code and frame["error"]["message"]
    assert frame["room"] == client.sid


def test_the_acknowledgement_of_a_refused_request(fake_server: Server, connect: Connect) -> None:
    client = connect(fake_server, lang="en")
    ack = client.send({"text": ""})
    assert ack == {
        "ok": False,
        "error": {"code": "bad_field", "message": "field text: must not be empty"},
    }


def test_packets_nested_too_deeply_or_broken(fake_server: Server, connect: Connect) -> None:
    client = connect(fake_server)
    for packet in ("[" * 5000 + "]" * 5000, '{"text": '):
        client.frames.clear()
        # Past the client's own encoder: a raw Engine.IO message that holds an event packet.
        client.sio.eio.send(f'2["CHAT_CS",{packet}]')
        client.wait(lambda: client.frames, 10)
        assert client.frames[0][1]["error"]["code"] == "bad_payload"
    assert text_of(client.ask(OK))


def test_a_packet_over_the_transport_limit_ends_that_connection_only(
    fake_server: Server, connect: Connect
) -> None:
    victim, other = connect(fake_server), connect(fake_server)
    victim.sio.emit("CHAT_CS", {"text": "a" * 5_000_000})
    end = time.monotonic() + 20
    while victim.sio.connected and time.monotonic() < end:
        time.sleep(0.05)
    assert not victim.sio.connected
    assert text_of(other.ask(OK)) and text_of(connect(fake_server).ask(OK))


def test_a_fault_of_the_model_is_one_error_frame(
    fake_server: Server, connect: Connect, check_frame: Check
) -> None:
    client = connect(fake_server)
    frames = client.ask({"text": "身份证丢了补领出错怎么办?"})
    check_frame(frames[-1])
    error = frames[-1]["error"]
    assert error["code"] == "internal" and error["reference"] in error["message"]
    assert "planted" not in json.dumps(frames)
    assert any(error["reference"] in line for line in fake_server.output)
    assert text_of(client.ask(OK))


def test_frames_stay_in_their_room(fake_server: Server, connect: Connect) -> None:
    alone, *hall = [connect(fake_server) for _ in range(3)]
    for n, client in enumerate(hall):
        client.ask({**OK, "room": "hall", "request_id": f"hall{n}"})
    # The second question was asked when both were in the room.
    assert hall[0].answer("hall1") == hall[1].answer("hall1")
    assert hall[1].of("hall1")[0]["received"]["history"], "a named room shares its dialogue"
    assert not alone.frames
    assert not alone.ask(OK)[0]["received"]["history"]


def test_another_connections_private_room_is_forbidden(
    fake_server: Server, connect: Connect
) -> None:
    owner, thief = connect(fake_server), connect(fake_server)
    owner.ask(OK)
    ack = thief.send({**OK, "room": owner.sid})
    assert ack["error"]["code"] == "forbidden_room"
    stolen = thief.ask({**OK, "dialogue": owner.sid})
    assert stolen[-1]["received"]["history"] == []
    assert len(owner.frames) == len(owner.of(owner.frames[0][1]["request_id"]))


def test_the_token_carries_a_dialogue_to_a_new_connection(
    fake_server: Server, connect: Connect
) -> None:
    first = connect(fake_server)
    ack = first.send(OK)
    first.answer(ack["request_id"])
    first.close()
    second = connect(fake_server)
    frames = second.ask({**OK, "dialogue": ack["dialogue"], "token": ack["token"]})
    assert [turn[0] for turn in frames[-1]["received"]["history"]] == [OK["text"]]
    assert frames[-1]["room"] == second.sid and frames[-1]["received"]["dialogue"] == first_sid(ack)


def first_sid(ack: dict[str, Any]) -> str:
    """A dialogue without a named room bears the sid of the connection that began it."""
    return str(ack["dialogue"])


def test_stop_and_the_queue(fake_server: Server, connect: Connect) -> None:
    a, b = connect(fake_server), connect(fake_server)
    first, second = a.send(OK), b.send(OK)
    assert second["position"] == first["position"] + 1
    assert a.sio.call("STOP_CS", {"request_id": second["request_id"]})["ok"] is False
    assert b.sio.call("STOP_CS", {"request_id": second["request_id"]})["ok"] is True
    assert b.answer(second["request_id"], 2)[-1]["finish_reason"] == "abort"
    assert a.sio.call("STOP_CS", {"request_id": first["request_id"]})["ok"] is True
    assert a.answer(first["request_id"], 2)[-1]["finish_reason"] == "abort"


def test_a_busy_connection_and_a_full_queue(
    demo_index: Path, connect: Connect, check_frame: Check
) -> None:
    limits = {"POCKETQA_ANSWERS_PER_CONNECTION": "2", "POCKETQA_QUEUE_SIZE": "1"}
    server = fake_server(demo_index, FAKE_PAUSE_S="0.1", **limits)
    try:
        greedy, other = connect(server), connect(server)
        acks = [greedy.send(OK) for _ in range(3)]
        assert [ack["ok"] for ack in acks] == [True, True, False]
        assert acks[2]["error"]["code"] == "busy"
        grounded = other.ask(OK)
        assert text_of(grounded) and grounded[-1]["received"]["clue"]["way"] == "extracted"
        (frame,) = other.ask(OK, "GEN_CS")
        check_frame(frame)
        assert frame["error"]["code"] == "queue_full" and frame["error"]["retry_after_s"] > 0
        assert text_of(other.ask({"text": "你好"})), "what needs no model is answered all the same"
    finally:
        assert server.stop() == 0


def test_twenty_clients_at_once_each_get_their_own(demo_index: Path, connect: Connect) -> None:
    server = fake_server(demo_index, FAKE_PAUSE_S="0.002", POCKETQA_MAX_STREAMS="16")
    try:
        clients = [connect(server) for _ in range(20)]
        answers: dict[int, list[dict[str, Any]]] = {}

        def ask(n: int) -> None:
            answers[n] = clients[n].ask({**OK, "request_id": f"r{n}"})

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for n, client in enumerate(clients):
            assert {data["request_id"] for _, data in client.frames} == {f"r{n}"}
            assert [f["seq"] for f in answers[n]] == list(range(len(answers[n])))
            assert text_of(answers[n]) == text_of(answers[0])
    finally:
        server.stop()
