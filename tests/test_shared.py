"""Two instances with a real Redis and a real PostgreSQL, as processes that can be killed."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from redises import RedisServer
from servers import Connect, Server, fake_server, text_of
from test_resume import LONG, begin, check, resume

from pocketqa.errors import RequestError
from pocketqa.identity import Identity
from pocketqa.rates import Rates
from pocketqa.shared import OPTIONS

Start = Callable[..., Server]


@pytest.fixture(scope="module")
def start(demo_index: Path, shared: dict[str, str]) -> Iterator[Start]:
    """Starts instances of one service."""
    started: list[Server] = []
    slow = {"POCKETQA_MAX_STREAMS": "8", "FAKE_TEXT": LONG, "FAKE_PAUSE_S": "0.02"}

    def make(**env: str) -> Server:
        started.append(fake_server(demo_index, **{**shared, **slow, **env}))
        return started[-1]

    yield make
    for server in started:
        if server.process.poll() is None:
            assert server.stop() == 0
        assert "Traceback" not in "".join(server.output), "".join(server.output)


@pytest.fixture(scope="module")
def two(start: Start) -> tuple[Server, Server]:
    """Two instances; the first does not answer for long what nobody listens to."""
    with ThreadPoolExecutor() as pool:
        first = pool.submit(start, POCKETQA_KEEP_ANSWERING_S="0.5")
        second = pool.submit(start)
        return first.result(), second.result()


def kill(server: Server) -> None:
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()
    server.stop()


def test_a_room_spread_over_both(two: tuple[Server, Server], connect: Connect) -> None:
    readers = [connect(server) for server in (*two, *two)]
    acks = [
        client.send({"text": "你好", "room": f"大厅{n % 2}"}) for n, client in enumerate(readers)
    ]
    assert all(ack["ok"] for ack in acks)
    for client in readers:
        assert client.send({"text": "你好", "room": "大厅"})["ok"]
    asked = [begin(client, room="大厅")["request_id"] for client in readers[:2]]
    for client in readers:
        for request_id in asked:
            frames = client.answer(request_id)
            check(frames)
            assert text_of(frames) == LONG
    own = readers[0].send({"text": "你好", "dialogue": "own"})["request_id"]
    readers[0].answer(own)
    time.sleep(0.3)
    assert not any(client.of(own) for client in readers[1:])


def test_resume_on_the_other_one(two: tuple[Server, Server], connect: Connect) -> None:
    first = connect(two[1])
    ack = begin(first)
    first.vanish()
    seen = first.of(ack["request_id"])
    two = two[1], two[0]
    others = [connect(two[1]), connect(two[1]), connect(two[0])]
    for client, after in zip(others, (seen[-1]["seq"], -1, -1), strict=True):
        again = resume(client, ack, after)
        assert again["ok"] and again["event"] == "GEN_SS" and not again["ended"], again
        assert again["dialogue"] == ack["dialogue"]
    frames = others[0].answer(ack["request_id"])
    check(frames, seen[-1]["seq"])
    assert text_of(seen + frames) == LONG
    whole = others[2].answer(ack["request_id"])
    check(whole)
    assert others[1].answer(ack["request_id"]) == whole, "evidence included"
    late = connect(two[1])
    again = resume(late, ack, 7)
    assert again["ended"] and again["seq"] == whole[-1]["seq"]
    assert late.answer(ack["request_id"]) == whole[8:]
    dialogue = {"dialogue": ack["dialogue"], "token": ack["token"]}
    (turn,) = late.send(dialogue, "HISTORY_CS")["turns"]
    assert (turn["answer"], turn["state"]) == (LONG, "stop")


def test_who_is_heard_elsewhere_goes_on_and_else_ends(
    two: tuple[Server, Server], connect: Connect
) -> None:
    one, other = two
    first, second, lost = connect(one), connect(other), connect(one)
    followed, forgotten = begin(first), begin(lost)
    second.send({"text": "你好", "room": "大厅"})
    in_room = begin(lost, room="大厅")
    assert resume(second, followed)["ok"]
    for client in (first, lost):
        client.vanish()
    for ack in (followed, in_room):
        assert text_of(second.answer(ack["request_id"])) == LONG
        check(second.of(ack["request_id"]))
    late = connect(other)
    assert resume(late, forgotten)["ok"]
    assert late.answer(forgotten["request_id"])[-1]["finish_reason"] == "abort"


def test_stop_on_the_other_one(two: tuple[Server, Server], connect: Connect) -> None:
    first, second, stranger = connect(two[0]), connect(two[1]), connect(two[1])
    ack, more = begin(first), begin(first, dialogue="d")
    assert stranger.send({"request_id": ack["request_id"]}, "STOP_CS")["ok"] is False
    payload = {"request_id": ack["request_id"], "token": ack["token"]}
    assert second.send(payload, "STOP_CS")["ok"]
    assert first.answer(ack["request_id"])[-1]["finish_reason"] == "abort"
    assert second.send(payload, "STOP_CS")["ok"] is False
    stopped = second.send({"dialogue": "d", "token": more["token"]}, "STOP_CS")
    assert stopped["request_ids"] == [more["request_id"]]
    assert first.answer(more["request_id"])[-1]["finish_reason"] == "abort"


def test_another_instances_connection_is_private(
    two: tuple[Server, Server], connect: Connect
) -> None:
    owner, stranger = connect(two[0]), connect(two[1])
    ack = begin(owner)
    for event in ("CHAT_CS", "GEN_CS"):
        refused = stranger.send({"text": "你好", "room": owner.sid}, event)
        assert refused["error"]["code"] == "forbidden_room"
    for fields in ({}, {"room": owner.sid}, {"room": f"own:{owner.sid}"}, {"room": "大厅"}):
        for event in ("RESUME_CS", "STOP_CS", "FEEDBACK_CS"):
            payload = {"request_id": ack["request_id"], "vote": "up", **fields}
            assert stranger.send(payload, event)["ok"] is False, (event, fields)
        dialogue = {"dialogue": ack["dialogue"], **fields}
        assert stranger.send(dialogue, "HISTORY_CS").get("turns", []) == []
    check(owner.answer(ack["request_id"]))
    assert not stranger.of(ack["request_id"])


def test_a_name_is_taken_everywhere(two: tuple[Server, Server], connect: Connect) -> None:
    first, second = connect(two[0]), connect(two[1])
    ack = begin(first, room="大厅", request_id="r")
    same = {"text": "再写一篇", "room": "大厅", "request_id": "r"}
    assert second.send(same, "GEN_CS")["error"]["code"] == "bad_field"
    check(first.answer(ack["request_id"]))
    time.sleep(0.2)
    assert second.send(same, "GEN_CS")["ok"]
    check(second.answer("r"))
    third = connect(two[0])
    assert third.send({"request_id": "r", "room": "大厅"}, "RESUME_CS")["ok"]
    (said,) = {frame["received"]["text"] for frame in third.answer("r")[:1]}
    assert said == "再写一篇", "not the earlier answer of that name"


def test_after_kill_9_readers_get_what_was_said_and_an_end(
    start: Start, two: tuple[Server, Server], connect: Connect
) -> None:
    killed = start()
    first, hearer = connect(killed), connect(two[1])
    hearer.send({"text": "你好", "room": "大厅"})
    ack, in_room = begin(first), begin(first, room="大厅")
    follower = connect(two[1])
    assert resume(follower, ack)["ok"]
    time.sleep(0.5)
    kill(killed)
    seen = first.of(ack["request_id"])
    late = connect(two[1])
    again = resume(late, ack, seen[5]["seq"])
    assert again["ok"] and not again["ended"]
    for client, request_id, after in (
        (follower, ack["request_id"], -1),
        (late, ack["request_id"], seen[5]["seq"]),
        (hearer, in_room["request_id"], -1),
    ):
        frames = client.answer(request_id, 30)
        check(frames, after)
        assert frames[-1]["finish_reason"] == "error"
        assert frames[-1]["error"]["code"] == "model_unavailable"
    said = text_of(follower.of(ack["request_id"]))
    assert LONG.startswith(said) and len(said) > 5
    check(hearer.answer(begin(hearer, room="大厅")["request_id"]))


def test_rates_are_counted_together(redis_server: RedisServer) -> None:
    here, there = (Rates("2/minute", redis_server.url, OPTIONS) for _ in range(2))
    who = Identity("key", "k")
    here.ask(who, "")
    there.ask(who, "")
    for rates in (here, there):
        with pytest.raises(RequestError) as caught:
            rates.ask(who, "")
        assert caught.value.code == "rate_limited"


def test_redis_goes_and_comes_back(
    two: tuple[Server, Server], connect: Connect, redis_server: RedisServer
) -> None:
    """Answers end where they are made; with Redis, the other instance has all of them again."""
    first, hearer = connect(two[0]), connect(two[1])
    hearer.send({"text": "你好", "room": "大厅"})
    ack, in_room = begin(first), begin(first, room="大厅")
    redis_server.kill()
    try:
        began = time.monotonic()
        alone = first.send({"text": "你好"})
        assert alone["ok"] and time.monotonic() - began < 2
        check(first.answer(alone["request_id"]))
        check(first.answer(ack["request_id"]))
        check(first.answer(in_room["request_id"]))
        again = connect(two[0])
        assert resume(again, ack)["ended"], "its own instance still has it"
        check(again.answer(ack["request_id"]))
        stranger = connect(two[1])
        assert resume(stranger, ack)["error"]["code"] == "unknown_answer"
        long = first.send({"text": "一" * 10, "dialogue": "x"}, "GEN_CS")
    finally:
        redis_server.start()
    end = time.monotonic() + 20
    while not resume(stranger, long)["ok"]:
        assert time.monotonic() < end, "Redis has not got it back"
        time.sleep(0.1)
    frames = stranger.answer(long["request_id"])
    check(frames)
    assert text_of(frames) == LONG
