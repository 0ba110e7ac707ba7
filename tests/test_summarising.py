from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from fakes import FakeModel

from pocketqa import summarising
from pocketqa.asked import Block
from pocketqa.engine import Engine, Generation, Message, Options
from pocketqa.errors import PocketQAError, RequestError
from pocketqa.protocol import Piece, Received
from pocketqa.services import Cancellation
from pocketqa.summarising import AT_ONCE, MAX_PARTS, OVERALL, summary

TOPICS = "春夏秋冬风雨雷电山水花草"


def chapter(topic: str, length: int = 900) -> str:
    """Sentences that name their topic and a number each."""
    text, n = "", 0
    while len(text) < length:
        n += 1
        text += f"关于{topic}的规定第{n}点办理期限是{n + 10}日，由{topic}字号窗口负责。"
    return text


def said_of(topics: str) -> str:
    return f"关于{'、'.join(topics)}的规定。"


LONG: list[Block] = [(chapter(topic), page) for page, topic in enumerate(TOPICS, 1)]


@dataclass
class Summariser(FakeModel):
    """Says of each text which topics it has; its faults are planted by topic."""

    faults: dict[str, BaseException] = field(default_factory=dict)
    asked: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def answer(self, messages: list[Message]) -> str:
        self.asked.release()
        text = messages[-1]["content"]
        topics = "".join(topic for topic in TOPICS if topic in text)
        if topics in self.faults:
            raise self.faults[topics]
        return said_of(topics)


class Desk:
    """Summarises with a fake."""

    def __init__(self, model: FakeModel | None = None, **options: object) -> None:
        self.model = model or Summariser()
        self.engine = Engine(lambda: self.model, **options)  # type: ignore[arg-type]
        self.engine.wait()
        self.cancellation = Cancellation()

    def pieces(
        self, blocks: list[Block] | str, instruction: str = "", **options: object
    ) -> Iterator[Piece]:
        if isinstance(blocks, str):
            blocks = [(blocks, None)]
        wanted = Options(**options)  # type: ignore[arg-type]
        return summary(blocks, instruction, self.engine, self.cancellation, wanted, Received())

    def ask(
        self, blocks: list[Block] | str, instruction: str = "", **options: object
    ) -> tuple[str, Piece]:
        pieces = list(self.pieces(blocks, instruction, **options))
        assert all(piece.finish_reason is None for piece in pieces[:-1])
        return "".join(piece.delta for piece in pieces), pieces[-1]


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.engine.close()


@pytest.fixture(autouse=True)
def no_quotes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "quoted" not in request.node.name:
        monkeypatch.setattr(summarising, "QUOTED", 0)


def test_a_short_text_is_one_request(desk: Desk) -> None:
    text, last = desk.ask(chapter("春", 300))
    assert text == said_of("春") and last.finish_reason == "stop"
    (messages,) = desk.model.prompts
    assert [message["role"] for message in messages] == ["system", "user"]
    assert "第3点办理期限是13日" in messages[1]["content"]


def test_a_long_text_is_told_part_by_part_with_its_pages(desk: Desk) -> None:
    text, last = desk.ask(LONG)
    lines = text.split("\n")
    points = [f"第{page}页：{said_of(topic)}" for page, topic in enumerate(TOPICS, 1)]
    assert lines == [*points, "", OVERALL["zh"] + said_of(TOPICS)]
    assert last.finish_reason == "stop"
    assert len(desk.model.prompts) == len(TOPICS) + 1


def test_pages_that_share_a_part(desk: Desk) -> None:
    text, _ = desk.ask([(chapter(topic, 300), page) for page, topic in enumerate(TOPICS, 1)])
    assert text.startswith(f"第1–2页：{said_of('春夏')}\n第3–5页：{said_of('秋冬风')}\n")


def test_points_without_pages_are_numbered(desk: Desk) -> None:
    text, _ = desk.ask([(block, None) for block, _ in LONG])
    assert text.startswith(f"1. {said_of('春')}\n2. {said_of('夏')}\n")


def test_english_in_english(desk: Desk) -> None:
    desk.model.text = "The shop sells books."
    desk.model.answer = lambda messages: desk.model.text  # type: ignore[method-assign]
    blocks: list[Block] = [("The shop sells books and tea. " * 60, page) for page in range(1, 9)]
    text, _ = desk.ask(blocks)
    assert text.startswith("Page") and "\n\nOverall: The shop sells books." in text
    assert all("text's own words" in messages[0]["content"] for messages in desk.model.prompts)


@pytest.mark.parametrize(
    "text",
    [
        "长" * 20_000,
        "x" * 20_000,
        "😀" * 20_000,
        "a b c d " * 2_500,
        "The shop opens at 9. " * 900,
        "第一条 混合 mixed text 😀，" * 1_000,
        "\n".join("短行" for _ in range(6_000)),
        "。" * 20_000,
        "，" * 20_000,
        "1" * 20_000,
    ],
    ids=range(10),
)
@pytest.mark.parametrize("limit", [256, 700, 6_000])
def test_no_prompt_is_longer_than_the_model_reads(text: str, limit: int) -> None:
    desk = Desk(Summariser("好", max_prompt_tokens=limit))
    said, last = desk.ask(text, "总结" * 30 + "费用" * 40)
    assert last.finish_reason == "stop" and said.strip()
    counts = [desk.model.count(messages) for messages in desk.model.prompts]
    assert counts and max(counts) <= limit
    desk.engine.close()


@pytest.mark.parametrize("pages", [100, 500])
def test_the_work_is_bounded_whatever_the_length(desk: Desk, pages: int) -> None:
    blocks: list[Block] = [(chapter(TOPICS[n % 12]), n + 1) for n in range(pages)]
    text, last = desk.ask(blocks)
    assert len(desk.model.prompts) == MAX_PARTS + 1
    assert text.startswith("第1–") and f"–{pages}页：" in text
    assert sum(desk.model.count(messages) for messages in desk.model.prompts) < 15_000


def test_points_that_do_not_fit_are_merged_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summarising, "QUOTED", 1)
    desk = Desk(Summariser(max_prompt_tokens=400))
    text, last = desk.ask(LONG, max_new_tokens=1_000)
    assert last.finish_reason == "stop"
    overall = text.split(OVERALL["zh"])[1]
    assert overall.startswith("关于春、夏、秋、冬")
    assert len(desk.model.prompts) > len(TOPICS) + 2
    assert all(desk.model.count(messages) <= 400 for messages in desk.model.prompts)
    desk.engine.close()


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


class Unconstrained(Engine):
    """Applies no constraint, as a remote engine."""

    def submit(self, messages: list[Message], options: Options | None = None) -> Generation:
        return super().submit(messages, replace(options or Options(), constraint=None))


@pytest.mark.parametrize("kind", [Engine, Unconstrained])
def test_a_number_that_the_text_has_not_is_not_said(kind: type[Engine]) -> None:
    model = FakeModel("期限是99日。春字号窗口负责。")
    engine = kind(lambda: model)
    engine.wait()
    blocks: list[Block] = [(chapter("春", 300), None)]
    pieces = [*summary(blocks, "", engine, Cancellation(), Options(), Received())]
    text = "".join(piece.delta for piece in pieces)
    assert "99" not in text and text
    if kind is Unconstrained:
        assert text.startswith("关于春的规定"), "a sentence of the text stands in its place"
        assert text.endswith("春字号窗口负责。")
    engine.close()


def test_a_loop_is_left(desk: Desk) -> None:
    looping = "春字号窗口负责。" * 40
    desk.model.answer = lambda messages: looping  # type: ignore[method-assign]
    assert desk.ask(chapter("春", 300), max_new_tokens=500)[0] == "春字号窗口负责。"


def test_a_wish_for_few_sentences_is_one_request_and_kept(desk: Desk) -> None:
    many = "春的规定。夏的办理期限。秋字号窗口。冬由窗口负责。"
    desk.model.answer = lambda messages: many  # type: ignore[method-assign]
    text, last = desk.ask(LONG, "用两句话概括")
    assert text == "春的规定。夏的办理期限。" and last.finish_reason == "stop"
    assert len(desk.model.prompts) == 1
    assert desk.ask(LONG, "概括，12字以内")[0] == "春的规定。夏的办理期限。"


def test_a_wish_for_a_page_or_a_matter(desk: Desk) -> None:
    assert desk.ask(LONG, "总结第3页")[0] == said_of("秋")
    desk.ask(LONG, "总结一下收费标准")
    assert all("侧重：收费标准" in messages[1]["content"] for messages in desk.model.prompts[1:])


def test_central_sentences_are_quoted_after_it(desk: Desk) -> None:
    text, _ = desk.ask(chapter("春", 300))
    said, quote, _ = text.split("。")
    assert said + "。" == said_of("春") and quote + "。" in chapter("春", 300)
    points = desk.ask(LONG)[0].split("\n")[:-2]
    assert len(points) == len(TOPICS) and all(point.count("。") == 2 for point in points)


def test_a_text_without_words_is_refused(desk: Desk) -> None:
    with pytest.raises(RequestError) as caught:
        desk.ask([(" \n", 1)])
    assert caught.value.code == "bad_field"


def test_a_model_that_is_not_there() -> None:
    def fail() -> FakeModel:
        raise PocketQAError("model_unavailable", "坏", "bad")

    broken = Engine(fail)
    broken.wait()
    with pytest.raises(PocketQAError) as caught:
        list(summary(LONG, "", broken, Cancellation(), Options(), Received()))
    assert caught.value.code == "model_unavailable"
