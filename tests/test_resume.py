"""Coming back to an answer, against a real server process over WebSocket."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nginx import Service
from payloads import OK
from servers import Client, Connect, fake_server, text_of

LONG = "".join(chr(0x4E00 + n) for n in range(150))
ASK = {"text": "请写一篇文章", "received": "ends"}
"""For `GEN_CS`: 150 different characters, in some two seconds."""


@pytest.fixture(scope="module")
def server(service: Callable[..., Service]) -> Service:
    """Answers that take two seconds, eight at once, in one instance or two."""
    return service(
        FAKE_TEXT=LONG, FAKE_PAUSE_S="0.01", POCKETQA_MAX_STREAMS="8",
        POCKETQA_KEEP_ANSWERING_S="3", POCKETQA_RATE="off",
    )  # fmt: skip


def begin(client: Client, **fields: Any) -> dict[str, Any]:
    """Ask for a long answer; the acknowledgement, once frames come."""
    ack = client.send({**ASK, **fields}, "GEN_CS")
    assert ack["ok"], ack
    client.wait(lambda: len(client.of(ack["request_id"])) > 5)
    return ack


def resume(client: Client, ack: dict[str, Any], after: int = -1, **fields: Any) -> dict[str, Any]:
    """`RESUME_CS`; its acknowledgement."""
    payload = {"request_id": ack["request_id"], "after": after, "token": ack["token"], **fields}
    return client.send(payload, "RESUME_CS")


def check(frames: list[dict[str, Any]], after: int = -1) -> None:
    """All that comes after `after`, once, in order, and one last frame."""
    assert [frame["seq"] for frame in frames] == list(range(after + 1, after + 1 + len(frames)))
    reasons = [frame["finish_reason"] for frame in frames]
    assert reasons[-1] and not any(reasons[:-1])


@pytest.mark.parametrize("missed", [True, False], ids=["from the beginning", "from the middle"])
def test_over_a_new_sid_while_it_is_being_said(
    server: Service, connect: Connect, missed: bool
) -> None:
    first = connect(server)
    ack = begin(first)
    first.vanish()
    seen = first.of(ack["request_id"])
    after = -1 if missed else seen[-1]["seq"]
    second = connect(server)
    again = resume(second, ack, after)
    assert again["ok"] and again["event"] == "GEN_SS" and not again["ended"]
    assert again["seq"] >= seen[-1]["seq"] and again["dialogue"] == ack["dialogue"]
    frames = second.answer(ack["request_id"])
    check(frames, after)
    assert text_of(frames if missed else seen + frames) == LONG
    assert frames[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize("after", [-1, 7])
def test_after_its_end(server: Service, connect: Connect, after: int) -> None:
    first = connect(server)
    ack = first.send(ASK, "GEN_CS")
    whole = first.answer(ack["request_id"])
    assert text_of(whole) == LONG
    first.close()
    second = connect(server)
    again = resume(second, ack, after)
    assert again["ended"] and again["seq"] == whole[-1]["seq"]
    assert second.answer(ack["request_id"]) == whole[after + 1 :]
    nothing = resume(second, ack, whole[-1]["seq"])
    time.sleep(0.3)
    assert nothing["ok"] and len(second.frames) == len(whole) - after - 1


def test_from_two_connections_at_once_and_twice(server: Service, connect: Connect) -> None:
    first = connect(server)
    ack = begin(first)
    first.vanish()
    others = [connect(server), connect(server)]
    for client in others:
        assert resume(client, ack)["ok"]
    others[1].wait(lambda: len(others[1].frames) > 20)
    sent = len(others[1].frames)
    assert resume(others[1], ack, 11)["ok"]
    for client in others:
        client.answer(ack["request_id"])
    check(others[0].of(ack["request_id"]))
    assert text_of(others[0].of(ack["request_id"])) == LONG
    frames = others[1].of(ack["request_id"])
    turned = next(n for n in range(sent - 1, len(frames)) if frames[n + 1]["seq"] == 12)
    assert [frame["seq"] for frame in frames[: turned + 1]] == list(range(turned + 1))
    check(frames[turned + 1 :], 11)


def test_by_who_is_still_there(server: Service, connect: Connect) -> None:
    client = connect(server)
    ack = begin(client)
    assert resume(client, ack)["ok"]
    frames = client.answer(ack["request_id"])
    turned = next(n for n in range(3, len(frames)) if frames[n + 1]["seq"] == 0)
    check(frames[turned + 1 :])
    assert text_of(frames[turned + 1 :]) == LONG


def test_of_a_named_room_which_is_joined_again(server: Service, connect: Connect) -> None:
    first, stays = connect(server), connect(server)
    stays.ask({"text": "你好", "room": "大厅"})
    ack = begin(first, room="大厅")
    first.vanish()
    seen = first.of(ack["request_id"])
    second = connect(server)
    payload = {"request_id": ack["request_id"], "after": seen[-1]["seq"], "room": "大厅"}
    assert second.send(payload, "RESUME_CS")["room"] == "大厅"
    other = begin(stays, room="大厅")
    check(second.answer(ack["request_id"]), seen[-1]["seq"])
    assert text_of(seen + second.of(ack["request_id"])) == LONG
    for client in (stays, second):
        check(client.answer(other["request_id"]))
    check(stays.of(ack["request_id"]))


def test_a_stranger_gets_nothing(server: Service, connect: Connect) -> None:
    owner, stranger = connect(server), connect(server, lang="en")
    ack = begin(owner)
    theirs = begin(stranger)
    tries: list[dict[str, Any]] = [
        {},
        {"room": "大厅"},
        {"room": owner.sid},
        {"room": f"own:{owner.sid}"},
        {"token": theirs["token"]},
        {"room": owner.sid, "token": theirs["token"], "dialogue": ack["dialogue"]},
    ]
    for fields in tries:
        for event in ("RESUME_CS", "STOP_CS", "FEEDBACK_CS"):
            payload = {"request_id": ack["request_id"], "vote": "up", **fields}
            said = stranger.send(payload, event)
            assert said["ok"] is False and said["error"]["message"], (event, fields)
        dialogue = {"dialogue": ack["dialogue"], **fields}
        assert stranger.send(dialogue, "HISTORY_CS").get("turns", []) == []
        assert stranger.send(dialogue, "DELETE_CS")["ok"] is False
        assert stranger.send({**dialogue, "title": "x"}, "RENAME_CS")["ok"] is False
        assert stranger.send(dialogue, "STOP_CS")["ok"] is False
    owner.answer(ack["request_id"])
    check(owner.of(ack["request_id"]))
    assert {data["request_id"] for _, data in stranger.frames} == {theirs["request_id"]}


def test_a_token_is_good_for_its_own_dialogue_only(server: Service, connect: Connect) -> None:
    owner, guest = connect(server), connect(server)
    shared = owner.send({"text": "你好", "dialogue": "one"})
    secret = begin(owner, dialogue="two")
    payload = {"request_id": secret["request_id"], "token": shared["token"]}
    assert guest.send(payload, "RESUME_CS")["error"]["code"] == "unknown_answer"
    assert guest.send(payload, "STOP_CS")["ok"] is False


def test_unknown_and_malformed(server: Service, connect: Connect) -> None:
    client = connect(server)
    for payload, code in (
        ({"request_id": "never"}, "unknown_answer"),
        ({"request_id": ""}, "bad_field"),
        ({"request_id": "r", "after": "7"}, "bad_field"),
        ({"request_id": "r", "after": 1.5}, "bad_field"),
        ({"request_id": "r", "after": -2}, "bad_field"),
        ({"request_id": "r", "after": True}, "bad_field"),
        ({"request_id": "r", "after": 2**60}, "bad_field"),
        ({"request_id": "r", "token": "forged"}, "bad_field"),
        ({"request_id": ["r"]}, "bad_field"),
        ("[]", "bad_payload"),
        (None, "bad_payload"),
    ):
        assert client.send(payload, "RESUME_CS")["error"]["code"] == code, payload


def test_forgotten_in_time_and_the_history_has_it(demo_index: Path, connect: Connect) -> None:
    server = fake_server(demo_index, POCKETQA_REPLAY_S="0.5", FAKE_PAUSE_S="0.001")
    try:
        first = connect(server)
        ack = first.send(OK)
        said = text_of(first.answer(ack["request_id"]))
        time.sleep(0.6)
        second = connect(server)
        assert resume(second, ack)["error"]["code"] == "unknown_answer"
        dialogue = {"dialogue": ack["dialogue"], "token": ack["token"]}
        (turn,) = second.send(dialogue, "HISTORY_CS")["turns"]
        assert (turn["question"], turn["answer"]) == (OK["text"], said)
        assert (turn["request_id"], turn["state"]) == (ack["request_id"], "stop")
    finally:
        server.stop()


def test_under_random_drops_nothing_is_lost_or_doubled(server: Service) -> None:
    """Twelve readers whose connections break again and again, each with an answer of its own."""
    faults: list[str] = []

    def read(seed: int) -> None:
        rng = random.Random(seed)
        client = Client(server.url)
        ack = client.send({**ASK, "text": f"文章{seed}"}, "GEN_CS")
        frames: list[dict[str, Any]] = []
        while not frames or frames[-1]["finish_reason"] is None:
            end = time.monotonic() + rng.uniform(0.05, 0.8)
            while time.monotonic() < end and not any(f["finish_reason"] for _, f in client.frames):
                time.sleep(0.01)
            client.vanish() if rng.random() < 0.7 else client.close()
            frames += client.of(ack["request_id"])
            if frames and frames[-1]["finish_reason"] is not None:
                break
            client = Client(server.url)
            again = resume(client, ack, frames[-1]["seq"] if frames else -1)
            if not again["ok"]:
                faults.append(f"{seed}: {again}")
                return
        if [f["seq"] for f in frames] != list(range(len(frames))) or text_of(frames) != LONG:
            faults.append(f"{seed}: {[f['seq'] for f in frames]}")

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not faults
