"""Measuring answers, on sets of a few questions whose figures can be counted by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from answered import SAID, SHOWN, Failing, report, row, written
from desk import in_memory
from fakes import FakeModel, FakeRetriever

from pocketqa import answer_evaluation, beir
from pocketqa.answer_evaluation import WAYS, Row, ask, judge, measure
from pocketqa.answering import Cancellation, Services
from pocketqa.beir import Asked
from pocketqa.config import Config
from pocketqa.engine import Engine
from pocketqa.errors import KnowledgeError
from pocketqa.passages import Hit, Passage
from pocketqa.protocol import Received, Source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "office")


@pytest.fixture
def engine() -> Iterator[Engine]:
    started = Failing(lambda: FakeModel(SAID))
    started.wait()
    yield started
    started.close()


def test_a_set_with_answers_is_read_without_judgements(folder: Path) -> None:
    found = beir.load_answers(folder)
    assert [question.id for question in found.questions] == ["q1", "q2", "q4"]
    assert found.questions[0].golds == ("早上7点", "7点") and found.skipped == 1
    assert found.questions[1].golds == ("凭工作证",)
    assert [each.id for each in beir.load_answers(folder, "test").questions] == ["q1"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"_id": "q1", "text": "x", "answers": [1]}', "queries.jsonl:1:"),
        ('{"_id": "q1", "text": "x", "answers": {"a": "b"}}', "queries.jsonl:1:"),
        ('{"_id": "q1", "text": "x", "answers": ["", " "]}', "no query"),
        ('{"_id": "q1", "text": "x"}', "no query"),
    ],
)
def test_a_set_without_answers_is_an_error(folder: Path, line: str, says: str) -> None:
    (folder / "queries.jsonl").write_text(line + "\n", encoding="utf-8")
    with pytest.raises(KnowledgeError, match=says):
        beir.load_answers(folder)


def test_an_answer_is_judged_by_golds_and_sources() -> None:
    source = Source("a", "食堂几点开门？", "食堂早上7点开门。", 0.9, "")
    received = Received(sources=(source,), way="generated")
    said = Row("q", "2楼食堂几点开门？", ("早上7点",), "早上7点在2楼或99楼", "generated")
    judged = judge(said, received)
    assert judged.ungrounded == ("99",)
    assert judged.scores is not None and judged.scores["gold_recall"] == 1
    assert judged.scores["char_f1"] == pytest.approx(2 * 4 / (4 + 11), abs=1e-4)
    refused = judge(Row("q", "x", ("早上7点",), "请拨打12345", "refused"), Received())
    assert refused.ungrounded == ()
    assert judge(Row("q", "x", (), "y", "generated"), received).scores is None


def test_figures_by_hand() -> None:
    rows = [
        row("q1", "早上", score=1.0, first_s=1.0, ungrounded=("9", "99")),
        row("q2", "", "refused", score=0.5, first_s=2.0),
        row("q3", "七点开门。", score=0.0, first_s=3.0, ungrounded=("8",)),
        row("q4", "半句", score=1.0, first_s=9.0, error="internal: broken"),
    ]
    outside = [row("o1", way="refused"), row("o2", "好的", first_s=1.0), row("o3", error="x")]
    found = report(rows, outside, took_s=2.0, tokens=7).figures()
    assert (found["questions"], found["errors"], found["skipped"]) == (4, 2, 0)
    assert found["gold_recall"] == found["char_f1"] == found["cmrc_f1"] == 0.5
    assert found["refused"] == pytest.approx(1 / 3, abs=1e-4)
    assert sum(found[way] or 0 for way in WAYS) == pytest.approx(1, abs=1e-3)
    assert (found["ungrounded"], found["ungrounded_answers"]) == (3, 2)
    assert found["first_p50_s"] == 2.0 and found["first_p95_s"] == 2.9
    # 早上, 七点开门。 and 好的 in two seconds.
    assert found["characters_s"] == 4.5 and found["tokens_s"] == 3.5
    assert (found["outside"], found["outside_refused"]) == (3, 0.5)


def test_figures_of_nothing_but_failures() -> None:
    found = report([row("q1", error="x")], took_s=0.0).figures()
    assert found["errors"] == 1 and found["tokens_s"] is None
    assert found["gold_recall"] is found["refused"] is found["first_p50_s"] is None


@pytest.mark.parametrize(
    ("text", "way", "answer"),
    [
        ("你好", "smalltalk", "您好！"),
        ("食堂几点开门？", "generated", SHOWN),
        ("停车场须知是什么？", "", ""),
    ],
)
def test_a_question_goes_the_way_of_the_server(
    engine: Engine, text: str, way: str, answer: str
) -> None:
    hit = Hit(Passage("a", "食堂", "食堂早上7点开门。", kind="document"), 0.9, 1.0)
    retriever = FakeRetriever([hit], small={"你好": "您好！"})
    services = Services(Config(), retriever, engine, in_memory())
    found = ask(Asked("q", text, ("7点",)), 0, services, "CHAT_CS", Cancellation())
    assert (found.way, found.answer) == (way, answer)
    assert bool(found.error) == (not answer) and 0 < found.first_s <= found.took_s
    if found.error:
        assert found.error == "deadline_exceeded: too late" and found.scores is None


def test_faults_that_nobody_expects_are_rows_too(engine: Engine) -> None:
    class Broken(FakeRetriever):
        def smalltalk(self, text: str) -> Passage | None:
            raise ZeroDivisionError("oh")

    services = Services(Config(), Broken(), engine, in_memory())
    found = ask(Asked("q", "x" * 10, ()), 0, services, "CHAT_CS", Cancellation())
    assert found.error == "ZeroDivisionError('oh')"
    found = ask(Asked("q", "x" * 5_000, ()), 0, services, "CHAT_CS", Cancellation())
    assert found.error.startswith("text_too_long")


def test_a_set_is_measured_with_its_own_index(engine: Engine, folder: Path) -> None:
    steps: list[int] = []
    found = measure(
        beir.load_answers(folder), ["qwertyuiop zxcvbnm"], Config(), engine,
        at_once=2, step=lambda: steps.append(1),
    )  # fmt: skip
    assert len(steps) == 4 and [each.id for each in found.rows] == ["q1", "q2", "q4"]
    first, second, failed = found.rows
    assert first.scores is not None and first.scores["gold_recall"] == 1.0
    assert first.answer == SHOWN and first.ungrounded == ()
    assert second.answer and failed.error
    assert [each.way for each in found.outside] == ["refused"]
    figures = found.figures()
    assert figures["errors"] == 1 and figures["outside_refused"] == 1 and figures["skipped"] == 1
    assert found.tokens and found.passages == 3


def test_made_up_numbers_are_counted() -> None:
    passage = Source("a", "食堂", "食堂早上7点开门。", 0.9, "")
    found = judge(row("q1", SAID), Received(sources=(passage,), way="generated"))
    assert found.ungrounded == ("99点",)
    assert judge(row("q1", SAID, "refused"), Received(way="refused")).ungrounded == ()


def test_interrupted_it_cancels_what_is_running(folder: Path) -> None:
    engine = Engine(lambda: FakeModel("很长" * 10_000, pause_s=0.005))
    engine.wait()

    hit = Hit(Passage("a", "食堂", "早上7点。", kind="document"), 0.9, 1.0)
    retriever = FakeRetriever([hit], small={"你好": "您好！"})
    services = Services(Config(max_new_tokens=20_000), retriever, engine, in_memory())
    asked = [Asked(str(n), text) for n, text in enumerate(["食堂", "食堂在哪", "你好", "你好"])]

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        answer_evaluation.ask_all(asked, services, "CHAT_CS", 3, interrupt)
    assert engine.stats()["running"] == engine.stats()["waiting"] == 0
    engine.close()
