from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeModel, FakeRetriever

from pocketqa.answering import ANSWERS, check
from pocketqa.config import Config
from pocketqa.dialogue import Key, Store
from pocketqa.engine import Engine, Generation, Message, Options
from pocketqa.errors import PocketQAError, RequestError
from pocketqa.grounded import KNOWLEDGE_CLUE, REFUSAL
from pocketqa.passages import Hit, Passage
from pocketqa.prompt import ZH
from pocketqa.protocol import Piece, Source, parse
from pocketqa.saying import DOUBTFUL, NOTES
from pocketqa.sensitive import REPLY, Listed
from pocketqa.services import Cancellation, Services

ID_CARD = Passage(
    id="1",
    title="身份证丢失了怎么补办?",
    text="请带上户口簿,到派出所申请补领。工本费20元。",
    source="《法》第一条",
)
KEY = Key("own:s", "s")


class Desk:
    """Answers questions with fakes."""

    def __init__(
        self, score: float = 0.9, model: FakeModel | None = None, **config: object
    ) -> None:
        self.model = model or FakeModel()
        self.engine = Engine(lambda: self.model)
        self.engine.wait()
        self.retriever = FakeRetriever([Hit(ID_CARD, score)], {"你好": "您好,请问。"})
        settings = Config(**config)  # type: ignore[arg-type]
        self.services = Services(settings, self.retriever, self.engine, Store(10))

    def pieces(
        self, text: str, cancellation: Cancellation | None = None, event: str = "CHAT_CS"
    ) -> Iterator[Piece]:
        request = parse(event, {"text": text}, "s")
        return ANSWERS[event](request, KEY, self.services, cancellation or Cancellation())

    def ask(self, text: str, event: str = "CHAT_CS") -> tuple[str, Piece]:
        pieces = list(self.pieces(text, event=event))
        return "".join(piece.delta for piece in pieces), pieces[-1]


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
    desk = Desk(model=FakeModel("一二三四五六七八九十" * 50, pause_s=0.01))
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


def test_what_is_asked_for_and_not_stated_is_said_to_be_absent(desk: Desk) -> None:
    desk.retriever.hits = [Hit(replace(ID_CARD, text="到派出所申请补领。"), 0.9)]
    text, last = desk.ask("补领身份证要多少钱?")
    assert text == "材料里没有写明金额，我不能随意作答。材料中相关的内容是：\n到派出所申请补领。"
    assert last.received.way == "extracted" and not desk.model.prompts


def test_no_number_that_no_passage_states() -> None:
    desk = Desk(model=FakeModel("请带上户口簿,工本费50元。"))
    text, last = desk.ask("身份证丢了?")
    assert "50" not in text and text.startswith("请带上户口簿")
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


def test_an_engine_without_constraints_is_checked_a_sentence_at_a_time() -> None:
    desk = Desk(model=FakeModel("请带上户口簿。工本费50元,当天12点办好。到派出所。"))
    desk.services = replace(desk.services, engine=Unconstrained(desk.engine))
    text, last = desk.ask("身份证丢了?")
    assert text.startswith("请带上户口簿。\n") and "50" not in text and "12" not in text
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
