from __future__ import annotations

from collections.abc import Iterator

import pytest
from desk import ID_CARD, KEY, Desk
from fakes import FakeModel

from pocketqa.answering import check
from pocketqa.errors import RequestError
from pocketqa.grounded import KNOWLEDGE_CLUE, REFUSAL
from pocketqa.passages import Hit, Passage
from pocketqa.protocol import Source, parse
from pocketqa.saying import NOTES
from pocketqa.services import Cancellation


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.engine.close()


def test_a_grounded_answer(desk: Desk) -> None:
    text, last = desk.ask("身份证丢了?")
    assert text == desk.model.text and last.finish_reason == "stop"
    assert last.received.clue_type == KNOWLEDGE_CLUE
    assert last.received.clue_data == (ID_CARD.text, "0.9", NOTES["generated"])
    assert last.received.prompt == f"材料:\n问：{ID_CARD.title}\n答：{ID_CARD.text}"
    assert last.received.sources == (Source("1", ID_CARD.title, ID_CARD.text, 0.9, "《法》第一条"),)
    assert len(last.received.alter) == 3
    assert last.received.prompt in desk.model.prompts[0][-1]["content"]


def test_evidence_shown_is_evidence_used() -> None:
    long = [Hit(Passage(id=str(n), title=f"标题{n}", text="长" * 600), 0.9) for n in range(4)]
    desk = Desk()
    desk.retriever.hits = [*long, Hit(ID_CARD, 0.3)]
    _, last = desk.ask("身份证丢了?")
    assert [source.id for source in last.received.sources] == ["0", "1"]
    assert all(source.text in last.received.prompt for source in last.received.sources)
    assert "标题2" not in last.received.prompt
    desk.engine.close()


def test_history_reaches_the_frames_and_the_model(desk: Desk) -> None:
    desk.ask("身份证丢了?")
    _, last = desk.ask("那要多少钱?")
    assert last.received.history == (("身份证丢了?", desk.model.text),)
    assert desk.retriever.queries[-1] == "要多少钱 身份证丢"
    assert "身份证丢了?" in desk.retriever.excluded[-1]
    assert [message["role"] for message in desk.model.prompts[1]] == [
        "system", "user", "assistant", "user",
    ]  # fmt: skip


def test_a_question_that_stands_by_itself_is_answered_without_the_past(desk: Desk) -> None:
    desk.ask("身份证丢了?")
    _, last = desk.ask("公积金能提取吗？")
    assert len(last.received.history) == 1, "clients are told of it"
    assert [message["role"] for message in desk.model.prompts[1]] == ["system", "user"]


def test_refusals_and_small_talk_are_history_but_not_the_models(desk: Desk) -> None:
    desk.ask("你好")
    desk.retriever.hits = [Hit(ID_CARD, 0.1)]
    desk.ask("今天天气怎么样?")
    desk.retriever.hits = [Hit(ID_CARD, 0.9)]
    _, last = desk.ask("身份证丢了?")
    assert [turn[0] for turn in last.received.history] == ["你好", "今天天气怎么样?"]
    assert [message["role"] for message in desk.model.prompts[0]] == ["system", "user"]


def test_small_talk_needs_no_model(desk: Desk) -> None:
    text, last = desk.ask("你好")
    assert text == "您好,请问。" and last.finish_reason == "stop"
    assert last.received.clue_type == "" and last.received.clue_data == ()
    assert not desk.model.prompts


def test_nothing_found_is_said_without_the_model() -> None:
    desk = Desk(score=0.1)
    text, last = desk.ask("今天天气怎么样?")
    assert text == REFUSAL["zh"] and last.received.clue_data == () and not last.received.prompt
    assert len(last.received.alter) == 3
    assert desk.ask("What is the weather?")[0] == REFUSAL["en"]
    assert not desk.model.prompts
    desk.engine.close()


def test_on_miss_generate_calls_the_model() -> None:
    desk = Desk(score=0.1, on_miss="generate")
    text, last = desk.ask("今天天气怎么样?")
    assert text == desk.model.text and last.received.clue_type == ""
    desk.engine.close()


@pytest.mark.parametrize(
    ("mode", "score", "curated"),
    [("auto", 0.95, True), ("auto", 0.6, False), ("curated", 0.6, True), ("generate", 1.0, False)],
)
def test_answer_modes(mode: str, score: float, curated: bool) -> None:
    desk = Desk(score=score, answer_mode=mode)
    text, last = desk.ask("身份证丢了?")
    assert (text == ID_CARD.text) is curated
    assert last.received.clue_data[2] == NOTES["curated" if curated else "generated"]
    desk.engine.close()


def test_an_answer_cut_at_the_token_limit_says_length() -> None:
    desk = Desk(max_new_tokens=3)
    text, last = desk.ask("身份证丢了?")
    assert text == "请带上" and last.finish_reason == "length"
    desk.engine.close()


@pytest.mark.parametrize(
    "echo", ["身份证丢了", "居民身份证丢失了怎么补办？", "居民身份证丢了怎么办？", ""]
)
def test_an_echo_is_no_answer(echo: str) -> None:
    desk = Desk(model=FakeModel(echo))
    desk.retriever.hits = [
        Hit(ID_CARD, 0.9),
        Hit(Passage(id="2", title="居民身份证丢失了怎么补办？", text="另一条。"), 0.9),
    ]
    text, last = desk.ask("身份证丢了?")
    assert text and text in ID_CARD.text + "\n另一条。" and last.finish_reason == "stop"
    assert last.received.way == "extracted"
    assert last.received.clue_data[2] == NOTES["extracted"]
    assert desk.services.dialogues.history(KEY, 1)[0].answer == text
    desk.engine.close()


@pytest.mark.parametrize("said", ["身份证丢了，去派出所。", "去派出所。"])
def test_what_begins_like_the_question_is_given_whole(said: str) -> None:
    desk = Desk(model=FakeModel(said))
    assert desk.ask("身份证丢了?")[0] == said
    desk.engine.close()


def test_a_stopped_answer_is_kept_as_far_as_it_went() -> None:
    desk = Desk(model=FakeModel("甲乙丙丁戊己庚辛壬癸" * 50, pause_s=0.01))
    cancellation = Cancellation()
    said = ""
    for piece in desk.pieces("身份证丢了?", cancellation):
        said += piece.delta
        cancellation.cancel()
    assert piece.finish_reason == "abort" and 0 < len(said) < 500
    assert desk.services.dialogues.history(KEY, 1)[0].answer == said
    desk.engine.close()


def test_cancelled_before_it_began() -> None:
    desk = Desk()
    cancellation = Cancellation()
    cancellation.cancel()
    *_, last = desk.pieces("身份证丢了?", cancellation)
    assert last.finish_reason == "abort"
    assert desk.services.dialogues.history(KEY, 1) == ()
    desk.engine.close()


def test_a_fault_of_the_model_keeps_what_was_said() -> None:
    desk = Desk(model=FakeModel("半句", fault=RuntimeError("planted")))
    with pytest.raises(RuntimeError, match="planted"):
        list(desk.pieces("身份证丢了?"))
    assert desk.services.dialogues.history(KEY, 1)[0].answer == "半句"
    assert desk.ask("你好")[1].finish_reason == "stop"
    desk.engine.close()


def test_an_upload_that_is_not_there_is_refused_at_once(desk: Desk) -> None:
    with pytest.raises(RequestError) as caught:
        check(parse("CHAT_CS", {"text": "a", "upload_id": "u"}, "s"), desk.services)
    assert caught.value.code == "unknown_upload"


def test_passages_far_below_the_best_are_not_used(desk: Desk) -> None:
    other = Passage(id="2", title="护照丢了?", text="补发。", kind="document")
    desk.retriever.hits = [Hit(ID_CARD, 0.9), Hit(other, 0.8), Hit(ID_CARD, 0.7)]
    _, last = desk.ask("身份证丢了?")
    assert [source.id for source in last.received.sources] == ["1", "2"]
    assert last.received.prompt.endswith(f"\n\n{other.title}\n{other.text}")
