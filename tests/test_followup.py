from __future__ import annotations

import sys
from pathlib import Path

import pytest
from servers import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import followups

from pocketqa import passages
from pocketqa.config import Config
from pocketqa.dialogue import Turn
from pocketqa.followup import MAX_EXCHANGES, standalone
from pocketqa.reading import read
from pocketqa.retriever import Retriever

LOST = "身份证丢了怎么补办?"


def asked(*questions: str) -> list[Turn]:
    """Turns that were answered from a passage."""
    return [Turn(question, "答案。") for question in questions]


def unsure(text: str) -> float:
    """Retrieval that is sure of nothing, so that words alone decide."""
    return 0.0


@pytest.mark.parametrize(
    ("question", "matter", "circumstances", "aspect"),
    [
        ("那要多少钱啊?", (), (), True),
        ("请问需要本人去吗", (), (), True),
        ("在哪里办", (), (), True),
        ("丢了怎么办", (), ("丢",), False),
        ("那外地人呢", (), ("外地人",), False),
        ("身份证丢了咋补办?", ("身份证丢",), ("补办",), False),
        ("另外问一下,公积金怎么提取", ("公积金", "提取"), (), False),
        ("年假几天", ("年假",), (), True),
        ("个税怎么算", ("税",), ("算",), False),
        ("how much does it cost", (), (), True),
        ("?!", (), (), False),
        ("", (), (), False),
    ],
)
def test_a_question_is_taken_apart(
    question: str, matter: tuple[str, ...], circumstances: tuple[str, ...], aspect: bool
) -> None:
    reading = read(question)
    assert (reading.matter, reading.circumstances, reading.aspect) == (
        matter,
        circumstances,
        aspect,
    )


@pytest.mark.parametrize(
    ("question", "query"),
    [
        ("那要多少钱?", "要多少钱 身份证丢 补办"),
        ("需要本人去吗", "需要本人去吗 身份证丢 补办"),
        ("在哪里办呢", "在哪里办 身份证丢 补办"),
        ("它有效期多长?", "有效期多长 身份证丢 补办"),
        ("这个要多久", "要多久 身份证丢 补办"),
        ("好的,那在网上能办吗", "在网上能办吗 身份证丢 补办"),
        ("我不是本地人可以吗", "我不是本地人可以吗 身份证丢 补办"),
        ("如果过期了呢?", "如果过期了 身份证丢 补办"),
        ("ＨＯＷ　ＬＯＮＧ？", "how long 身份证丢 补办"),
    ],
)
def test_another_aspect_is_asked_of_the_same_matter(question: str, query: str) -> None:
    assert standalone(question, asked(LOST)) == query


@pytest.mark.parametrize("question", ["真的吗?", "不行吗", "?", "一定要去吗", "然后呢", "really?"])
def test_a_question_of_no_aspect_takes_the_whole_question_before(question: str) -> None:
    assert standalone(question, asked(LOST)).endswith("身份证丢了怎么补办")


@pytest.mark.parametrize(
    ("before", "question", "query"),
    [
        (LOST, "那外地人呢?", "外地人 身份证丢了怎么补办"),
        (LOST, "换成护照呢", "护照丢了怎么补办"),
        ("身份证有效期多少年", "驾驶证呢", "驾驶证有效期多少年"),
        ("在国内护照丢了怎么补", "那在国外呢?", "在国外护照丢了怎么补"),
    ],
)
def test_a_contrast_keeps_the_aspect(before: str, question: str, query: str) -> None:
    assert standalone(question, asked(before)) == query


def test_what_is_exchanged_is_what_retrieval_is_surer_of() -> None:
    sureness = {"退休金多少要交个税": 0.9}
    query = standalone(
        "那退休金呢", asked("工资多少要交个税"), lambda text: sureness.get(text, 0.3)
    )
    assert query == "退休金多少要交个税"


@pytest.mark.parametrize(
    ("question", "query"),
    [
        ("公积金怎么提取?", "公积金怎么提取"),
        ("怎么办护照", "怎么办护照"),
        ("怎么办护照呢", "怎么办护照呢"),
        ("需要婚检吗", "需要婚检吗"),
        ("那公积金怎么提取", "公积金怎么提取"),
        ("另外问一下护照丢了咋办", "护照丢了咋办"),
        ("还有个事,驾照扣满12分咋办", "驾照扣满12分咋办"),
        ("这个社保卡多久能办下来", "这个社保卡多久能办下来"),
        ("外国朋友来,他住我家要不要登记", "外国朋友来,他住我家要不要登记"),
        ("Also, do foreigners pay income tax?", "do foreigners pay income tax"),
    ],
)
def test_a_new_matter_is_left_alone_and_its_opener_dropped(question: str, query: str) -> None:
    assert standalone(question, asked(LOST), unsure) == query


@pytest.mark.parametrize(
    ("joined", "alone", "leans"),
    [(0.9, 0.5, True), (0.7, 0.95, False), (0.3, 0.1, False)],
)
def test_a_question_with_an_opener_leans_on_the_matter_before_where_retrieval_is_surer_of_it(
    joined: float, alone: float, leans: bool
) -> None:
    query = standalone(
        "那会上征信吗", asked(LOST), lambda text: joined if "身份证" in text else alone
    )
    assert ("身份证" in query) == leans


def test_the_matter_is_carried_through_follow_ups_and_changed_by_a_contrast() -> None:
    history = asked("结婚登记怎么办", "要带什么证件", "那离婚登记呢", "在哪里办")
    assert standalone("要等多少天", history) == "要等多少天 离婚登记"


def test_small_talk_and_refusals_are_passed_over() -> None:
    history = [*asked(LOST), Turn("今天天气怎么样", "抱歉", False), Turn("谢谢", "不客气", False)]
    assert standalone("多久能拿到", history) == "多久能拿到 身份证丢 补办"


def test_a_refused_question_is_better_than_none() -> None:
    history = [Turn("公租房要排队吗", "抱歉", False)]
    assert standalone("去哪申请", history) == "去哪申请 公租房 排队"


@pytest.mark.parametrize("question", ["那要多少钱?", "公积金怎么提取?", ""])
def test_without_history_nothing_is_changed(question: str) -> None:
    assert standalone(question, ()) == question


def test_retrieval_is_asked_a_bounded_number_of_times() -> None:
    texts: list[str] = []

    def surety(text: str) -> float:
        texts.append(text)
        return 0.5

    story = "我在外地打工三年换了两家工厂老板拖欠工资又扣押证件还不给缴纳社会保险和住房公积金"
    standalone("那试用期呢", asked(story), surety)
    assert 1 < len(texts) <= 1 + MAX_EXCHANGES
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize("piece", ["的", "没有", "什么", "ab ", "，", "身份证"])
def test_a_long_question_takes_no_long_time(piece: str) -> None:
    assert standalone(piece * 1000, asked(piece * 1000)) is not None


@pytest.mark.parametrize(
    ("question", "joined", "leans"),
    [
        ("那要先登报声明不", 0.95, True),
        ("那要先登报声明不", 0.6, False),
        ("鱼怎么去腥", 0.4, False),
        ("今天天气怎么样", 0.4, False),
    ],
)
def test_words_that_retrieval_does_not_know_must_fit_what_is_found(
    question: str, joined: float, leans: bool
) -> None:
    query = standalone(question, asked(LOST), lambda text: joined if "身份证" in text else 0.0)
    assert ("身份证" in query) == leans


OFF_TOPIC = (
    "今天天气怎么样", "那今天天气怎么样", "讲个笑话", "1+1等于几", "推荐一部电影", "帮我写首诗",
    "怎么做红烧肉", "世界杯谁赢了", "python怎么排序", "明天会下雨吗", "它会说英语吗",
    "附近有什么好吃的",
)  # fmt: skip


def test_what_is_off_the_topic_is_not_answered_from_it(demo_index: Path) -> None:
    retriever = Retriever.open(demo_index)
    surety = followups.sureness(retriever)
    queries = [
        standalone(question, asked(topic), surety)
        for topic in followups.TOPICS
        for question in OFF_TOPIC
    ]
    answered = [query for query in queries if surety(query) >= Config().min_score]
    retriever.close()
    assert len(answered) <= 1, answered


def test_few_questions_about_something_else_are_answered_after_a_topic(demo_index: Path) -> None:
    retriever = Retriever.open(demo_index)
    refused = followups.refused("test", retriever)
    retriever.close()
    for kind in ("all", "near"):
        number, of = refused[kind]
        assert of > 100 and number >= 0.96 * of, refused


DIALOGUES = followups.load()


def test_the_data_set_is_about_the_demo_knowledge() -> None:
    known = {passage.title for passage in passages.read([ROOT / "knowledge"])[0]}
    kinds = [dialogue.kind for dialogue in DIALOGUES]
    assert len(DIALOGUES) >= 120 and len({dialogue.id for dialogue in DIALOGUES}) == len(DIALOGUES)
    assert sum(kind in followups.NEW_TOPIC for kind in kinds) >= 45
    for dialogue in DIALOGUES:
        assert dialogue.relevant and set(dialogue.relevant) <= known, dialogue
        assert dialogue.turns and dialogue.question not in dialogue.turns, dialogue
    for kind in set(kinds):
        halves = [d.split for d in DIALOGUES if d.kind == kind]
        assert abs(halves.count("dev") - halves.count("test")) <= 1


def test_follow_ups_are_found_and_new_topics_are_not_spoilt(demo_index: Path) -> None:
    retriever = Retriever.open(demo_index)
    ways = followups.rewritings(retriever)
    figures = {
        (split, name): followups.measure(DIALOGUES, split, ways[name], retriever)
        for split in ("dev", "test")
        for name in ("alone", "ours")
    }
    retriever.close()
    for split, floor in (("dev", 0.95), ("test", 0.89)):
        alone, ours = figures[split, "alone"], figures[split, "ours"]
        assert ours["follow-ups"].hit3 >= max(floor, alone["follow-ups"].hit3 + 0.2)
        assert ours["new topics"].hit3 >= alone["new topics"].hit3 - 0.01
        assert ours["new topics"].hit1 >= alone["new topics"].hit1 - 0.01
