"""What an operator learns of the questions that came."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pocketqa.dialogue import Key
from pocketqa.protocol import Received, Source, Way, parse
from pocketqa.storage import MEMORY, Database, Statistics, Turns

SOURCE = Source("1", "t", "x", 0.9, "s")


def say(
    turns: Turns, question: str, way: Way = "generated", state: str = "stop", **fields: str
) -> None:
    request = parse(
        fields.pop("event", "CHAT_CS"), {"text": question, "request_id": question, **fields}, "s"
    )
    turn = turns.begin(Key(fields.get("owner", "own:s"), "d"), request)
    turns.extend(turn, "答")
    found = (SOURCE,) if way in ("generated", "curated", "extracted") else ()
    turns.end(turn, state, Received(sources=found, way=way))  # type: ignore[arg-type]


@pytest.fixture(params=["memory", "postgres"])
def turns(request: pytest.FixtureRequest) -> Iterator[Turns]:
    is_memory = request.param == "memory"
    url = MEMORY if is_memory else request.getfixturevalue("postgres").database()
    database = Database(url)
    yield Turns(database)
    database.close()


@pytest.fixture
def statistics(turns: Turns) -> Statistics:
    return Statistics(turns._database)


def test_of_nothing_everything_is_nothing(statistics: Statistics) -> None:
    figures = statistics.figures()
    assert (figures.questions, figures.owners, figures.first_p50_s) == (0, 0, None)
    assert statistics.top() == statistics.unanswered() == statistics.feedback() == []
    assert statistics.days() == [] and len(statistics.hours()) == 24


def test_wordings_of_one_question_are_counted_together(
    turns: Turns, statistics: Statistics
) -> None:
    for question in (
        "停车怎么收费",
        "停车怎么收费？",
        "停车怎么收费呀",
        "停车怎么收费",
        "开门时间",
    ):
        say(turns, question)
    first, second = statistics.top()
    assert (first.question, first.times) == ("停车怎么收费", 4)
    assert set(first.similar) == {"停车怎么收费？", "停车怎么收费呀"}
    assert (second.question, second.times, second.similar) == ("开门时间", 1, ())
    assert statistics.top(limit=1) == [first] and statistics.top(since=time.time() + 9) == []


def test_unanswered_is_what_the_knowledge_base_was_asked_for(
    turns: Turns, statistics: Statistics
) -> None:
    say(turns, "天气怎么样", "refused"), say(turns, "天气怎么样", "refused", event="QA_CS")
    say(turns, "文件里有吗", "refused", upload_id="u")
    say(turns, "你好", "smalltalk"), say(turns, "身份证"), say(turns, "坏了", "", "error")
    (only,) = statistics.unanswered()
    assert (only.question, only.times) == ("天气怎么样", 2)


def test_the_totals(turns: Turns, statistics: Statistics) -> None:
    say(turns, "a"), say(turns, "b", "refused"), say(turns, "c", "smalltalk")
    say(turns, "d", state="abort"), say(turns, "e", "", "error")
    turns.vote(["own:s"], "a", "up"), turns.vote(["own:s"], "b", "down", "没说清")
    found = statistics.figures()
    assert (found.questions, found.answered, found.refused, found.smalltalk) == (5, 2, 1, 1)
    assert (found.stopped, found.errors, found.up, found.down) == (1, 1, 1, 1)
    assert (found.dialogues, found.owners, found.cut) == (1, 1, 0)
    assert found.first_p95_s is not None
    last, first = statistics.feedback()
    assert (last.question, last.vote, last.reason) == ("b", "down", "没说清")
    assert first.answer == "答" and statistics.feedback(limit=1) == [last]


def test_hours_and_days_are_local(turns: Turns, statistics: Statistics) -> None:
    say(turns, "a"), say(turns, "b", "refused")
    now = time.localtime()
    (today,) = statistics.days()
    assert today.bucket == time.strftime("%Y-%m-%d", now)
    assert (today.answered, today.refused, today.errors, today.questions) == (1, 1, 0, 2)
    busy = [count for count in statistics.hours() if count.questions]
    assert [count.bucket for count in busy] == [now.tm_hour]
