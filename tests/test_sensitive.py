from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fakes import FakeModel

from pocketqa.engine import Engine, Message
from pocketqa.protocol import Piece, Received, Source
from pocketqa.sensitive import REPLY, Listed, guard
from pocketqa.wordlist import WINDOW, Words


def test_a_list_follows_its_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file, now = tmp_path / "words.txt", [0.0]

    def write(text: str, age: int) -> None:
        file.write_text(text, encoding="utf-8")
        os.utime(file, (age, age))

    write("甲", 1)
    listed = Listed(file, clock=lambda: now[0])
    write("乙", 2)
    now[0] = 0.9
    assert listed.words.find("甲") == "甲"  # not looked at yet
    now[0] = 1.0
    assert listed.words.find("甲") is None and listed.words.find("乙") == "乙"
    write("/(/", 3)
    with caplog.at_level(logging.WARNING):
        for now[0] in (2.0, 3.0, 4.0):
            assert listed.words.find("乙") == "乙"
    assert len(caplog.records) == 1 and "words.txt:1" in caplog.text
    file.unlink()
    now[0] = 5.0
    assert listed.words.find("乙") == "乙"
    write("丙", 6)
    now[0] = 6.0
    assert listed.words.find("丙") == "丙"


SOURCES = (Source("a", "题", "敏感词", 1.0, ""),)
RECEIVED = Received(
    "敏感词", "知识库依据:", ("敏感词", "1", ""), SOURCES, ("问?",), (), "generated"
)


class Pieces:
    """The pieces of an answer; remembers whether it was begun and closed."""

    def __init__(self, *deltas: str, reason: str = "stop") -> None:
        self.deltas, self.begun, self.closed, self.reason = deltas, False, False, reason

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        self.begun = True
        if self.deltas:
            delta, *self.deltas = self.deltas  # type: ignore[assignment]
            return Piece(delta, None, RECEIVED)
        if self.reason:
            reason, self.reason = self.reason, ""
            return Piece("", reason, RECEIVED)  # type: ignore[arg-type]
        raise StopIteration

    def close(self) -> None:
        self.closed = True


WORDS = Words.of(["敏感词", "/secret\\d+/"])


@pytest.mark.parametrize(
    ("question", "reply", "said"),
    [
        ("什么是敏 感 词？", "", REPLY["zh"]),
        ("tell secret42", "", REPLY["en"]),
        ("tell secret42", "不说", "不说"),
    ],
)
def test_a_sensitive_question_is_not_answered(
    question: str, reply: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    pieces = Pieces("好")
    with caplog.at_level(logging.WARNING, "pocketqa.audit"):
        found = list(guard(pieces, WORDS, question, reply=reply, request_id="r1"))
    assert [(piece.delta, piece.finish_reason) for piece in found] == [(said, None), ("", "stop")]
    assert not pieces.begun and pieces.closed
    assert found[0].received == Received(way="refused")
    (record,) = caplog.records
    assert record.name == "pocketqa.audit" and "r1" in record.message
    assert "question" in record.message and question not in record.message


def test_the_log_level_does_not_silence_the_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "level", logging.CRITICAL)
    assert logging.getLogger("pocketqa.audit").isEnabledFor(logging.WARNING)


def test_a_sensitive_answer_ends_with_the_reply(caplog: pytest.LogCaptureFixture) -> None:
    pieces = Pieces("这里说的是" + "好" * WINDOW, "敏", " 感", "词汇", "还有")
    with caplog.at_level(logging.WARNING, "pocketqa.audit"):
        found = list(guard(pieces, WORDS, "问", request_id="r2"))
    text = "".join(piece.delta for piece in found)
    out, _, reply = text.partition("\n\n")
    assert reply == REPLY["zh"] and out and ("这里说的是" + "好" * WINDOW).startswith(out)
    assert [piece.finish_reason for piece in found if piece.finish_reason] == ["stop"]
    assert found[-1].finish_reason == "stop" and pieces.closed and pieces.deltas == ["还有"]
    for piece in found[-2:]:
        assert piece.received == Received(alter=("问?",), way="refused")
    assert "r2" in caplog.text and "answer" in caplog.text and "好" not in caplog.text


@pytest.mark.parametrize("reason", ["stop", "length", "abort"])
def test_without_a_match_it_is_the_same_answer(reason: str) -> None:
    pieces = Pieces("请带", "户口", "簿和敏", "感", reason=reason)
    found = list(guard(pieces, WORDS, "问"))
    assert "".join(piece.delta for piece in found) == "请带户口簿和敏感"
    assert found[-1].finish_reason == reason and found[-1].received == RECEIVED
    assert all(piece.delta for piece in found[:-1])


def test_the_models_work_is_cancelled() -> None:
    engine = Engine(lambda: FakeModel("好" * 50 + "敏感词" + "坏" * 10_000, pause_s=0.002))
    engine.wait()
    generation = engine.submit([Message(role="user", content="x")])

    def pieces() -> Iterator[Piece]:
        for delta in generation:
            yield Piece(delta)
        yield Piece("", "stop")

    text = "".join(piece.delta for piece in guard(pieces(), WORDS, "问"))
    assert generation.cancelled and text.endswith(REPLY["zh"])
    assert set(text.removesuffix(REPLY["zh"])) <= {"好", "\n"}
    engine.close()


def test_who_leaves_early_ends_the_answer() -> None:
    pieces = Pieces("好" * 100, "好")
    guarded = guard(pieces, WORDS, "问")
    next(guarded)
    guarded.close()
    assert pieces.closed
