"""HISTORY_CS, FEEDBACK_CS, dialogues, and what is accepted in disorder: a real server process."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

import pytest
from payloads import OK
from servers import Client, Connect, Server
from test_resume import check


def own(ack: dict[str, Any]) -> dict[str, Any]:
    """What names the dialogue of an acknowledgement, for any connection."""
    return {"dialogue": ack["dialogue"], "token": ack["token"]}


def test_pages_of_a_dialogue(fake_server: Server, connect: Connect) -> None:
    first, second = connect(fake_server), connect(fake_server)
    texts = ["你好", "谢谢", "再见", "你是谁", "你好"]
    for text in texts:
        ack = first.send({"text": text})
        first.answer(ack["request_id"])
    page = second.send({**own(ack), "limit": 2}, "HISTORY_CS")
    assert page["ok"] and page["more"] and page["dialogue"] == ack["dialogue"]
    turns = page["turns"]
    while page["more"]:
        before = {"before": page["turns"][0]["id"], "limit": 2}
        page = second.send({**own(ack), **before}, "HISTORY_CS")
        turns = page["turns"] + turns
    assert [turn["question"] for turn in turns] == texts
    assert all(turn["answer"] and turn["state"] == "stop" for turn in turns)
    assert first.send({}, "HISTORY_CS")["turns"] == turns, "its own, without a token"
    assert second.send({}, "HISTORY_CS")["turns"] == []


def test_a_rooms_dialogue_is_the_rooms(fake_server: Server, connect: Connect) -> None:
    first, second = connect(fake_server), connect(fake_server)
    first.ask({"text": "你好", "room": "hall 7"})
    assert len(second.send({"room": "hall 7"}, "HISTORY_CS")["turns"]) == 1
    for event, more in (("RENAME_CS", {"title": "x"}), ("DELETE_CS", {})):
        payload = {"room": "hall 7", "dialogue": "hall 7", **more}
        assert second.send(payload, event)["ok"] is False
    assert len(first.send({"room": "hall 7"}, "HISTORY_CS")["turns"]) == 1


def test_feedback(fake_server: Server, connect: Connect) -> None:
    first, second = connect(fake_server), connect(fake_server)
    ack = first.send({"text": "你好"})
    first.answer(ack["request_id"])
    named = {"request_id": ack["request_id"]}
    assert second.send({**named, "vote": "up"}, "FEEDBACK_CS")["error"]["code"] == "bad_field"
    for vote, reason in (("up", ""), ("down", "太短"), ("", "")):
        said = first.send({**named, "vote": vote, "reason": reason}, "FEEDBACK_CS")
        assert said == {"ok": True, **named, "vote": vote}
        (turn,) = first.send({}, "HISTORY_CS")["turns"]
        assert (turn["vote"], turn["reason"]) == (vote, reason)
    assert second.send({**named, "vote": "up", "token": ack["token"]}, "FEEDBACK_CS")["ok"]


def test_dialogues_are_listed_renamed_and_deleted(fake_server: Server, connect: Connect) -> None:
    client, other = connect(fake_server), connect(fake_server)
    acks = [client.send({"text": "你好", "dialogue": name}) for name in ("one", "two")]
    for ack in acks:
        client.answer(ack["request_id"])
    named = {"dialogue": "one", "title": "  第一个\n对话 "}
    assert client.send(named, "RENAME_CS")["title"] == "第一个 对话"
    listed = client.send({}, "DIALOGUES_CS")["dialogues"]
    titles = {each["dialogue"]: (each["title"], each["turns"]) for each in listed}
    assert titles == {"one": ("第一个 对话", 1), "two": ("你好", 1)}
    assert other.send({}, "DIALOGUES_CS")["dialogues"] == []
    assert client.send({"dialogue": "one"}, "DELETE_CS")["ok"]
    assert client.send({"dialogue": "one"}, "DELETE_CS")["ok"] is False
    left = client.send({}, "DIALOGUES_CS")["dialogues"]
    assert [each["dialogue"] for each in left] == ["two"]
    assert client.send({"dialogue": "one"}, "HISTORY_CS")["turns"] == []


@pytest.mark.parametrize(
    ("event", "payload", "field"),
    [
        ("HISTORY_CS", {"limit": 0}, "limit"),
        ("HISTORY_CS", {"limit": 101}, "limit"),
        ("HISTORY_CS", {"before": "1"}, "before"),
        ("HISTORY_CS", {"before": -1}, "before"),
        ("HISTORY_CS", {"token": "forged"}, "token"),
        ("HISTORY_CS", {"dialogue": ["a"]}, "dialogue"),
        ("FEEDBACK_CS", {"request_id": "r"}, "vote"),
        ("FEEDBACK_CS", {"request_id": "r", "vote": ["up"]}, "vote"),
        ("FEEDBACK_CS", {"request_id": "r", "vote": "up", "reason": "r" * 1001}, "reason"),
        ("FEEDBACK_CS", {"vote": "up"}, "request_id"),
        ("RENAME_CS", {"title": "x"}, "dialogue"),
        ("RENAME_CS", {"dialogue": "d", "title": " "}, "title"),
        ("RENAME_CS", {"dialogue": "d", "title": "\ud83d"}, "title"),
        ("DELETE_CS", {}, "dialogue"),
        ("STOP_CS", {}, "request_id"),
    ],
)
def test_bad_payloads(
    fake_server: Server, connect: Connect, event: str, payload: dict[str, Any], field: str
) -> None:
    for lang, word in (("zh", f"字段 {field}:"), ("en", f"field {field}: ")):
        error = connect(fake_server, lang=lang).send(payload, event)["error"]
        assert error["code"] == "bad_field" and error["message"].startswith(word)


def test_every_accepted_request_has_one_last_frame(fake_server: Server) -> None:
    """Six clients ask, stop, drop and come back in disorder; then each answer is read again."""
    acks: list[dict[str, Any]] = []

    def disorder(seed: int) -> None:
        rng = random.Random(seed)
        client, mine = Client(fake_server.url), list[dict[str, Any]]()
        for number in range(5):
            event = rng.choice(["CHAT_CS", "QA_CS", "SUM_CS", "GEN_CS"])
            room = {"room": "disorder"} if rng.random() < 0.3 else {}
            stream = rng.random() < 0.8
            payload = {**OK, **room, "dialogue": f"{seed} {number}", "stream": stream}
            mine.append(client.send(payload, event))
            time.sleep(rng.uniform(0, 0.3))
            known = {name: rng.choice(mine)[name] for name in ("request_id", "token", "room")}
            act = rng.choice(["STOP_CS", "RESUME_CS", "drop", "wait"])
            if act == "drop":
                client.vanish()
                client = Client(fake_server.url)
            elif act != "wait":
                client.send({**known, "room": room.get("room", "")}, act)
        client.close()
        acks.extend(mine)

    threads = [threading.Thread(target=disorder, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader = Client(fake_server.url)
    accepted = [ack for ack in acks if ack["ok"]]
    assert len(accepted) > 15
    for ack in accepted:
        named = {"request_id": ack["request_id"], "token": ack["token"]}
        if ack["room"] == "disorder":
            named["room"] = "disorder"
        assert reader.send(named, "RESUME_CS")["ok"]
        check(reader.answer(ack["request_id"]))
    reader.close()
