"""Dialogues in the database: what is kept, when, and for whom."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from pocketqa.dialogue import Key, Turn
from pocketqa.protocol import Received, Request, Source, parse
from pocketqa.storage import MEMORY, Database, Turns, past

KEY, OTHER = Key("who:browser:a", "d"), Key("who:browser:b", "d")
SOURCE = Source("1", "身份证丢了怎么办?", "请补领。" * 500, 0.9, "《法》", 3)
FOUND = Received(
    "材料:…", "知识库依据:", ("请补领。", "0.9", "note"), (SOURCE,), ("护照呢?",), way="curated"
)


def asked(question: str, event: str = "CHAT_CS", **fields: Any) -> Request:
    return parse(event, {"text": question, **fields}, "sid")


def say(turns: Turns, key: Key, question: str, answer: str = "好。", event: str = "CHAT_CS") -> int:
    """A turn that has ended."""
    turn = turns.begin(key, asked(question, event, request_id="r-" + question.replace("\n", "")))
    turns.extend(turn, answer)
    turns.end(turn, "stop", FOUND)
    return turn


@pytest.fixture(params=["memory", "file", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").database()
    else:
        url = MEMORY if request.param == "memory" else f"sqlite:///{tmp_path}/pocketqa.db"
    opened = Database(url)
    yield opened
    opened.close()


@pytest.fixture
def turns(database: Database) -> Turns:
    return Turns(database)


def test_history_is_in_order_and_of_its_dialogue_only(turns: Turns) -> None:
    for number in range(7):
        say(turns, KEY, f"q{number}")
    say(turns, OTHER, "another's")
    say(turns, Key(KEY.owner, "e"), "another dialogue")
    assert [turn.question for turn in turns.history(KEY, 2)] == ["q5", "q6"]
    assert len(turns.history(KEY, 50)) == 7 and turns.history(KEY, 0) == ()
    assert turns.history(KEY, 1) == (Turn("q6", "好。", True, (SOURCE.title,)),)


def test_what_rests_on_no_passage_is_not_grounded(turns: Turns) -> None:
    turn = turns.begin(KEY, asked("你好"))
    turns.extend(turn, "您好。")
    turns.end(turn, "stop", Received(way="smalltalk"))
    assert turns.history(KEY, 1) == (Turn("你好", "您好。", False),)


def test_only_conversation_is_read_as_history(turns: Turns) -> None:
    for event in ("CHAT_CS", "QA_CS", "SUM_CS", "GEN_CS"):
        say(turns, KEY, event, event=event)
    turns.begin(KEY, asked("just being answered"))
    empty = turns.begin(KEY, asked("stopped before it began"))
    turns.end(empty, "abort", Received())
    assert [turn.question for turn in turns.history(KEY, 9)] == ["CHAT_CS", "GEN_CS"]
    shown = [record.question for record in turns.page(KEY, None, 9)]
    began = ["just being answered", "stopped before it began"]
    assert shown == ["CHAT_CS", "SUM_CS", "GEN_CS", *began]


def test_a_page_is_the_last_turns_before_one(turns: Turns) -> None:
    ids = [say(turns, KEY, f"q{number}") for number in range(5)]
    assert [record.id for record in turns.page(KEY, None, 2)] == ids[3:]
    assert [record.id for record in turns.page(KEY, ids[3], 2)] == ids[1:3]
    assert turns.page(KEY, ids[0], 2) == [] and turns.page(OTHER, None, 2) == []


def test_a_record_has_what_a_page_shows_again(turns: Turns) -> None:
    say(turns, KEY, "身份证丢了?")
    (record,) = turns.page(KEY, None, 1)
    clue = record.clue
    assert clue["type"] == "知识库依据:" and clue["way"] == "curated" == record.way
    assert clue["data"] == [SOURCE.text[:600], "0.9", "note"]
    assert clue["sources"][0]["title"] == SOURCE.title and clue["sources"][0]["page"] == 3
    assert record.alter == ("护照呢?",) and record.score == 0.9 and record.state == "stop"
    assert record.first_s is not None and record.took_s is not None
    assert time.time() - record.created < 60
    assert record.as_json()["alter"] == ["护照呢?"]


def test_a_running_turn_is_shown_as_far_as_it_has_come(turns: Turns) -> None:
    turn = turns.begin(KEY, asked("q"))
    turns.extend(turn, "半")
    turns.extend(turn, "句")
    assert turns.page(KEY, None, 1)[0].answer == "半句"
    assert turns.page(KEY, None, 1)[0].state == "running"


def test_deltas_are_written_when_flushed(database: Database, turns: Turns) -> None:
    turn = turns.begin(KEY, asked("q"))
    turns.extend(turn, "半句")
    assert Turns(database).page(KEY, None, 1)[0].answer == ""
    turns.flush()
    assert Turns(database).page(KEY, None, 1)[0].answer == "半句"
    turns.extend(turn, "。")
    turns.end(turn, "length", FOUND)
    turns.flush()
    (record,) = Turns(database).page(KEY, None, 1)
    assert (record.answer, record.state) == ("半句。", "length")


def test_an_error_is_kept_with_its_code(turns: Turns) -> None:
    turn = turns.begin(KEY, asked("q"))
    turns.end(turn, "error", Received(), "model_unavailable")
    assert turns.page(KEY, None, 1)[0].error == "model_unavailable"


@pytest.mark.parametrize(
    "said", ["\x00", "半\ud800个", "𠮷😀", "'; DROP TABLE turns; --", "%(x)s :y"]
)
def test_any_text_is_kept(turns: Turns, said: str) -> None:
    turn = turns.begin(Key(f"room:{said}", said), asked("q"))
    turns.extend(turn, said)
    turns.end(turn, "stop", FOUND)
    answer = said.replace("\x00", "").replace("\ud800", "?")
    assert turns.page(Key(f"room:{said}", said), None, 1)[0].answer == answer


def test_dialogues_are_listed_renamed_and_forgotten(database: Database, turns: Turns) -> None:
    say(turns, KEY, "第一个问题\n在这里" + "长" * 60)
    say(turns, KEY, "q")
    say(turns, Key(KEY.owner, "e"), "later")
    say(turns, Key(KEY.owner, "single"), "q", event="QA_CS")
    later, first = turns.list(KEY.owner)
    assert later.dialogue == "e" and first.dialogue == "d" and first.turns == 2
    assert first.title.startswith("第一个问题 在这里长") and first.title.endswith("…")
    assert turns.rename(KEY, "新名字") and not turns.rename(OTHER, "x")
    assert turns.list(KEY.owner)[1].title == "新名字" and turns.list(OTHER.owner) == []
    assert not turns.delete(OTHER) and turns.delete(KEY) and not turns.delete(KEY)
    assert turns.history(KEY, 9) == () and turns.page(KEY, None, 9) == []
    assert turns.delete_owner(KEY.owner) == 2 and turns.list() == []
    turns.tidy()
    assert (
        database.read(lambda connection: connection.scalar(text("SELECT count(*) FROM turns"))) == 0
    )


def test_a_dialogue_deleted_while_it_is_answered_stays_so(turns: Turns) -> None:
    turn = turns.begin(KEY, asked("q"))
    turns.delete(KEY)
    turns.extend(turn, "a")
    turns.flush()
    turns.end(turn, "stop", FOUND)
    assert turns.page(KEY, None, 9) == [] and turns.list(KEY.owner) == []


def test_votes_are_on_one_s_own_answers(turns: Turns) -> None:
    say(turns, KEY, "q")
    assert not turns.vote([OTHER.owner, "own:x"], "r-q", "up")
    assert not turns.vote([KEY.owner], "r-other", "up") and not turns.vote([], "r-q", "up")
    assert not turns.vote([], "r-q", "up", shown=Key(KEY.owner, "another")), "a token's dialogue"
    assert turns.vote([], "r-q", "up", shown=KEY)
    assert turns.vote([OTHER.owner, KEY.owner], "r-q", "down", "不对" + "。" * 5_000)
    (record,) = turns.page(KEY, None, 1)
    assert (
        record.vote == "down" and record.reason.startswith("不对") and len(record.reason) == 1_000
    )
    assert turns.vote([KEY.owner], "r-q", "")
    assert (turns.page(KEY, None, 1)[0].vote, turns.page(KEY, None, 1)[0].reason) == ("", "")


def test_old_turns_are_forgotten_with_what_is_empty_then(
    turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "BATCH", 2)
    for number in range(3):
        say(turns, KEY, f"q{number}")
    running = turns.begin(OTHER, asked("q"))
    assert turns.forget(time.time() - 60) == 0
    assert turns.forget(time.time() + 60) == 3
    assert turns.list(KEY.owner) == [] and turns.page(OTHER, None, 1)[0].id == running
