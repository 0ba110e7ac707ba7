from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from desk import ID_CARD, KEY, Desk
from fakes import FakeModel

from pocketqa import saying
from pocketqa.engine import Engine, Generation, Message, Options
from pocketqa.errors import PocketQAError
from pocketqa.passages import Hit, Passage
from pocketqa.prompt import ZH
from pocketqa.saying import DOUBTFUL, NOTES
from pocketqa.sensitive import REPLY, Listed


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.engine.close()


def broken() -> Engine:
    def fail() -> FakeModel:
        raise PocketQAError("model_unavailable", "坏", "bad")

    engine = Engine(fail)
    engine.wait()
    return engine


def test_without_the_model_the_passages_speak(desk: Desk) -> None:
    desk.services = replace(desk.services, engine=broken())
    text, last = desk.ask("补领要多少钱?")
    assert "工本费20元。" in text and text in ID_CARD.text and last.finish_reason == "stop"
    assert last.received.way == "extracted" and last.received.sources[0].id == "1"
    with pytest.raises(PocketQAError) as caught:
        desk.ask("写一份通知", "GEN_CS")
    assert caught.value.code == "model_unavailable"


def test_a_passage_without_room_in_the_prompt_is_no_evidence(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    further = Passage(id="2", title="哪里补办?", text="在户籍所在地。")
    monkeypatch.setattr(desk.retriever, "hits", [Hit(ID_CARD, 0.9), Hit(further, 0.9)])
    _, last = desk.ask("身份证丢失怎么办?")
    assert [source.id for source in last.received.sources] == ["1", "2"]
    monkeypatch.setattr(
        desk.engine, "count", lambda messages: 10**6 * (further.text in messages[-1]["content"])
    )
    _, last = desk.ask("身份证丢失怎么办?")
    assert [source.id for source in last.received.sources] == ["1"]
    assert further.text not in last.received.prompt and ID_CARD.text in last.received.prompt


def test_a_short_answer_is_what_the_model_looks_at() -> None:
    desk = Desk(model=FakeModel("不知道", looks_at="派出所"))
    said, last = desk.ask("身份证丢失去哪里补办?", "QA_CS")
    assert said == "到派出所申请补领。" and last.received.way == "extracted"
    assert ID_CARD.text in last.received.prompt  # the whole passage was read
    desk.engine.close()


def test_what_is_asked_for_and_not_stated_is_said_to_be_absent(desk: Desk) -> None:
    desk.retriever.hits = [Hit(replace(ID_CARD, text="到派出所申请补领。"), 0.9)]
    text, last = desk.ask("补领身份证要多少钱?")
    assert text == "材料里没有写明金额，我不能随意作答。材料中相关的内容是：\n到派出所申请补领。"
    assert last.received.way == "extracted" and not desk.model.prompts


def test_no_number_that_no_passage_states() -> None:
    desk = Desk(model=FakeModel("请带上户口簿,工本费50元。"))
    text, last = desk.ask("身份证丢了?")
    assert "50" not in text and text.startswith("请带上户口簿,工本费\n请以材料的原文为准：\n")
    assert text.endswith("工本费20元。")
    assert last.received.clue_data[2] == NOTES["generated"] + DOUBTFUL
    desk.engine.close()


def test_a_sentence_without_support_is_marked() -> None:
    desk = Desk(model=FakeModel("请带上户口簿。也可以让邻居代为挂失并开车送达。"))
    text, last = desk.ask("身份证丢了?")
    assert text == desk.model.text
    assert last.received.clue_data[2] == NOTES["generated"] + DOUBTFUL
    desk.engine.close()


class Unconstrained:
    """An engine that knows no constraint, as a remote one."""

    constrains = False

    def __init__(self, engine: Engine) -> None:
        self.max_prompt_tokens, self.count = engine.max_prompt_tokens, engine.count
        self._engine = engine

    def submit(self, messages: list[Message], options: Options | None = None) -> Generation:
        assert options
        return self._engine.submit(messages, replace(options, constraint=None))


def test_an_engine_without_constraints_is_checked_as_it_speaks() -> None:
    desk = Desk(model=FakeModel("请带上户口簿。工本费50元,当天12点办好。到派出所。"))
    desk.services = replace(desk.services, engine=Unconstrained(desk.engine))
    text, last = desk.ask("身份证丢了?")
    assert text.startswith("请带上户口簿。工本费\n") and "50" not in text and "12" not in text
    assert last.received.way == "extracted"
    desk.engine.close()


def test_a_question_alone_reads_and_keeps_no_history(desk: Desk) -> None:
    desk.ask("身份证丢了?")
    _, last = desk.ask("补领要带什么?", "QA_CS")
    assert last.received.history == () and last.received.sources
    assert [message["role"] for message in desk.model.prompts[1]] == ["system", "user"]
    assert desk.model.prompts[1][0]["content"] == ZH.qa
    assert len(desk.services.dialogues.history(KEY, 9)) == 1


def test_free_writing_has_history_and_no_evidence(desk: Desk) -> None:
    desk.ask("身份证丢了?")
    text, last = desk.ask("写一份停电通知", "GEN_CS")
    assert text == desk.model.text and last.received.clue_type == "" and not last.received.sources
    assert len(last.received.history) == 1 and len(desk.model.prompts[1]) == 4
    assert len(desk.services.dialogues.history(KEY, 9)) == 2


def test_a_text_is_summarised(desk: Desk) -> None:
    text, last = desk.ask(ID_CARD.text, "SUM_CS")
    assert text and last.finish_reason == "stop" and last.received.way == "generated"
    assert not last.received.sources and desk.services.dialogues.history(KEY, 9) == ()


def test_sensitive_words_are_neither_answered_nor_said(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("派出所\n赌博\n", "utf-8")
    desk.services = replace(desk.services, sensitive=Listed(tmp_path / "words.txt"))
    text, last = desk.ask("身份证丢了?")
    assert text.endswith(REPLY["zh"]) and "派出所" not in text
    assert last.received.way == "refused"
    assert "派出所" not in desk.services.dialogues.history(KEY, 1)[0].answer
    before = len(desk.model.prompts)
    assert desk.ask("去哪里赌博?")[0] == REPLY["zh"] and len(desk.model.prompts) == before
    assert len(desk.services.dialogues.history(KEY, 9)) == 1, "the question is not kept"


@pytest.mark.parametrize("step", [1, 2, 3, 7, 100])
def test_deltas_do_not_end_within_a_number(step: int) -> None:
    text = "共120元,第十二条,电话0571-88886666,见 www.a.cn/b 或12.5%。"
    deltas = list(saying._whole_numbers(text[n : n + step] for n in range(0, len(text), step)))
    assert "".join(deltas) == text
    for number in ("120", "第十二", "0571-88886666", "www.a.cn/b", "12.5%"):
        assert any(number in delta for delta in deltas), number


def test_a_number_cut_by_the_limit_is_not_shown() -> None:
    desk = Desk(model=FakeModel("到派出所,工本费20元。"), max_new_tokens=9)
    text, last = desk.ask("身份证丢了?")
    assert text == "到派出所,工本费" and last.finish_reason == "length"
    desk.engine.close()


def test_writing_that_repeats_itself_ends() -> None:
    desk = Desk(model=FakeModel("明天上午停水，请提前备水。\n" * 100))
    text, last = desk.ask("写一份停水通知", "GEN_CS")
    assert text.strip() == "明天上午停水，请提前备水。" and last.finish_reason == "stop"
    while desk.engine.stats()["running"]:
        time.sleep(0.001)
    assert desk.model.said < 500
    desk.engine.close()
