"""The index and what it finds: a real Whoosh index of the demo knowledge and of small made ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pocketqa import retriever
from pocketqa.errors import KnowledgeError
from pocketqa.indexing import build_index as build
from pocketqa.passages import Passage, read
from pocketqa.retriever import Retriever

KNOWLEDGE = Path(__file__).parent.parent / "knowledge"

ON_TOPIC = {
    "身份证丢了应该怎么办": "居民身份证丢失了怎么补办？",
    "身份证掉了咋整": "居民身份证丢失了怎么补办？",
    "你好,身份证丢了怎么办": "居民身份证丢失了怎么补办？",
    "老板把我身份证扣了不还": "公司扣押员工身份证怎么办？",
    "驾照扣满12分咋办": "驾驶证一个记分周期内记满12分怎么办？",
    "下班路上被车撞了算不算工伤": "上下班路上出了交通事故算工伤吗？",
    "租房子能不能取公积金": "租房可以提取住房公积金吗？",
    "对方死活不同意离婚": "对方不同意离婚怎么办？",
    "物业费不交会停水吗": "业主不交物业费会怎么样，物业可以停水停电吗？",
    "公司不干了怎么注销": "公司注销登记怎么办理？",
    "去香港要办什么证": "去香港、澳门需要办理什么证件？",
    "科二能补考几次": "驾驶证考试不合格可以补考几次？",
}
OFF_TOPIC = [
    "今天天气怎么样",
    "帮我写个贪吃蛇",
    "推荐一部电影",
    "1+1等于几",
    "怎么做红烧肉",
    "用python写一个快速排序",
    "感冒了吃什么药",
    "梅西今年多少岁",
    "狗狗不吃东西怎么办",
    "你会唱歌吗",
    "what is the capital of france",
    "怎么办",
]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    directory = tmp_path_factory.mktemp("index")
    build(read([KNOWLEDGE])[0], directory)
    opened = Retriever.open(directory)
    yield opened
    opened.close()


def passage(title: str, text: str = "答案。", **fields: object) -> Passage:
    return Passage(f"id-{title}", title, text, **fields)  # type: ignore[arg-type]


def opened(tmp_path: Path, *passages: Passage) -> Retriever:
    build(passages, tmp_path)
    return Retriever.open(tmp_path)


@pytest.mark.parametrize(("question", "title"), ON_TOPIC.items())
def test_finds_what_people_ask(demo: Retriever, question: str, title: str) -> None:
    best = demo.retrieve(question)[0]
    assert best.passage.title == title
    assert best.score > 0.6


@pytest.mark.parametrize("question", OFF_TOPIC)
def test_a_question_about_something_else_stays_low(demo: Retriever, question: str) -> None:
    hits = demo.retrieve(question)
    assert not hits or hits[0].score < 0.45


def test_a_curated_question_as_it_stands_is_certain(demo: Retriever) -> None:
    for known in read([KNOWLEDGE / "tax.csv"])[0]:
        for question in (known.title, known.similar[0]):
            hit = demo.retrieve(question, 1)[0]
            assert (hit.passage.id, hit.score) == (known.id, 1.0)


def test_scores_fall_with_the_rank_and_lie_between_0_and_1(demo: Retriever) -> None:
    for question in [*ON_TOPIC, *OFF_TOPIC]:
        scores = [hit.score for hit in demo.retrieve(question)]
        assert len(scores) <= 10 and scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)


def test_documents_are_found_too(demo: Retriever) -> None:
    hits = demo.retrieve("工伤认定的办理流程有哪些步骤", 10)
    assert "document" in {hit.passage.kind for hit in hits}


@pytest.mark.parametrize(
    "text", ["", "？", "*?", "AND OR NOT", "text:a~2", '"', "\ud800", "\x00", "的", "证" * 4000]
)
def test_no_text_is_a_query_language(demo: Retriever, text: str) -> None:
    demo.retrieve(text)
    demo.related(text, demo.retrieve(text))
    demo.smalltalk(text)


@pytest.mark.parametrize("text", ["你好", "你好啊!", "您好。", "Hello", "谢谢啦～", "再见"])
def test_small_talk(demo: Retriever, text: str) -> None:
    assert demo.smalltalk(text)


@pytest.mark.parametrize(
    "text", ["你好,身份证丢了怎么办", "谢谢,护照怎么办理", "身份证丢了怎么办", ""]
)
def test_small_talk_steals_no_question(demo: Retriever, text: str) -> None:
    assert demo.smalltalk(text) is None


def test_small_talk_is_never_retrieved(demo: Retriever) -> None:
    for text in ("你好", "谢谢您", "你是机器人吗"):
        assert "smalltalk" not in {hit.passage.kind for hit in demo.retrieve(text)}


def test_related_are_other_questions(demo: Retriever) -> None:
    question = "身份证掉了咋整？"
    hits = demo.retrieve(question)
    first = demo.related(question, hits)
    assert len(set(first)) == 3 and all("证" in related for related in first)
    best = hits[0].passage
    assert not {best.title, *best.similar} & set(first)
    more = demo.related(question, hits, exclude=[f"{first[0]}!", question])
    assert len(more) == 3 and first[0] not in more


@pytest.mark.parametrize("question", ["今天天气怎么样", "write me a poem", "？"])
def test_related_has_an_offer_where_nothing_answers(demo: Retriever, question: str) -> None:
    assert len(set(demo.related(question, demo.retrieve(question)))) == 3


def test_codes_are_found_whole(tmp_path: Path) -> None:
    found = opened(tmp_path, passage("型号 PPR-9087 的保修期"), passage("型号 PPR-9078 的保修期"))
    assert found.retrieve("ppr-9087 保修多久")[0].passage.title == "型号 PPR-9087 的保修期"
    found.close()


def test_a_passage_comes_back_as_it_was(tmp_path: Path) -> None:
    whole = passage(
        "甲？", "乙", similar=("丙", "丁|"), category="戊", source="己", place="a.csv:2"
    )
    found = opened(tmp_path, whole)
    assert found.retrieve("甲")[0].passage == whole
    found.close()


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    found = opened(tmp_path)
    assert found.retrieve("身份证") == [] and found.related("身份证", []) == []
    found.close()


def test_it_can_be_asked_from_another_thread(demo: Retriever) -> None:
    hits: list[list[retriever.Hit]] = []
    thread = threading.Thread(target=lambda: hits.append(demo.retrieve("护照丢了")))
    thread.start()
    thread.join()
    assert hits[0]


def test_no_index_and_an_old_one_say_what_to_do(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(KnowledgeError, match="pocketqa index"):
        Retriever.open(tmp_path)
    build([passage("甲")], tmp_path)
    monkeypatch.setattr(retriever, "SCHEMA", 0)
    with pytest.raises(KnowledgeError, match="another version"):
        Retriever.open(tmp_path)
