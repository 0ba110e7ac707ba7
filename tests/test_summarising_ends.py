"""How summaries end: cancelled, late, at a fault, at the limit; and how many parts run at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from summaries import LONG, TOPICS, Desk, Summariser, chapter, said_of

from pocketqa.engine import Message
from pocketqa.errors import RequestError
from pocketqa.summarising import summaries
from pocketqa.summarising.summaries import AT_ONCE, OVERALL


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.engine.close()


@pytest.fixture(autouse=True)
def no_quotes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "quoted" not in request.node.name:
        monkeypatch.setattr(summaries, "QUOTED", 0)


def test_a_few_parts_at_once() -> None:
    desk = Desk(Summariser(pause_s=0.005))
    pieces = desk.pieces(LONG)
    next(pieces)
    assert len(desk.model.prompts) == AT_ONCE
    list(pieces)
    desk.engine.close()


def test_a_full_line_only_slows_it_down() -> None:
    desk = Desk(Summariser(pause_s=0.002), queue_size=0, max_streams=2)
    text, last = desk.ask(LONG)
    assert last.finish_reason == "stop" and text.count("页：") == len(TOPICS)
    desk.engine.close()


def test_cancelled_in_the_middle() -> None:
    desk = Desk(Summariser(pause_s=0.005))
    said = ""
    for piece in desk.pieces(LONG):
        said += piece.delta
        if "第3页" in said:
            desk.cancellation.cancel()
    assert piece.finish_reason == "abort"
    assert said.count("页：") == 3 and OVERALL["zh"] not in said
    assert desk.engine.stats()["waiting"] == 0
    desk.engine.close()


def test_cancelled_before_it_began(desk: Desk) -> None:
    desk.cancellation.cancel()
    text, last = desk.ask(LONG)
    assert (text, last.finish_reason) == ("", "abort") and not desk.model.prompts


def test_nobody_listens_any_more() -> None:
    desk = Desk(Summariser(pause_s=0.005))
    pieces = desk.pieces(LONG)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert desk.engine.stats()["running"] == 0 and len(desk.model.prompts) < len(TOPICS)
    desk.engine.close()


def test_a_fault_in_the_middle_ends_it_after_what_was_said() -> None:
    desk = Desk(Summariser(faults={"冬": RuntimeError("planted")}))
    said = ""
    with pytest.raises(RuntimeError, match="planted"):
        for piece in desk.pieces(LONG):
            said += piece.delta
    assert said.endswith("第3页：" + said_of("秋"))
    assert desk.ask(chapter("春", 300))[0] == said_of("春"), "the engine goes on"
    desk.engine.close()


def test_the_deadline_is_the_wholes() -> None:
    desk = Desk(Summariser(pause_s=0.02))
    with pytest.raises(RequestError) as caught:
        desk.ask(LONG, deadline_s=0.8)
    assert caught.value.code == "deadline_exceeded" and "0.8" in caught.value.en
    desk.engine.close()


def test_only_the_last_answer_is_cut_off() -> None:
    class Talker(Summariser):
        def answer(self, messages: list[Message]) -> str:
            text = super().answer(messages)
            return text + "没有说完的话" * 50 if TOPICS not in messages[-1]["content"] else text

    desk = Desk(Talker())
    text, last = desk.ask(LONG)
    assert "没有" not in text
    assert last.finish_reason == "stop"
    text, last = desk.ask(chapter("春", 300), max_new_tokens=20)
    assert (text, last.finish_reason) == (said_of("春"), "length")
    desk.engine.close()
