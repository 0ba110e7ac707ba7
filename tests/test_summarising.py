from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from fakes import FakeModel
from summaries import LONG, TOPICS, Desk, Summariser, chapter, said_of

from pocketqa.engine import Engine, Generation, Message, Options
from pocketqa.errors import PocketQAError, RequestError
from pocketqa.protocol import Received
from pocketqa.services import Cancellation
from pocketqa.summarising import summaries
from pocketqa.summarising.asked import Block
from pocketqa.summarising.summaries import MAX_PARTS, OVERALL, summary


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.engine.close()


@pytest.fixture(autouse=True)
def no_quotes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "quoted" not in request.node.name:
        monkeypatch.setattr(summaries, "QUOTED", 0)


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
    monkeypatch.setattr(summaries, "QUOTED", 1)
    desk = Desk(Summariser(max_prompt_tokens=400))
    text, last = desk.ask(LONG, max_new_tokens=1_000)
    assert last.finish_reason == "stop"
    overall = text.split(OVERALL["zh"])[1]
    assert overall.startswith("关于春、夏、秋、冬")
    assert len(desk.model.prompts) > len(TOPICS) + 2
    assert all(desk.model.count(messages) <= 400 for messages in desk.model.prompts)
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
